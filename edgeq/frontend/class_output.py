"""The class in place of the scores: an ArgMax at the end of a classifier, and no Softmax in front of it.

Softmax, LogSoftmax and Sigmoid keep the order of the classes, so the largest score is the largest of their operand. It
is decided here, before anything is normalized or quantized: every executor and every backend sees the one model. The
operand keeps classes apart that a float32 or 1/256 of a probability does not, hence a class may differ from the arg-max
of the former output where that has equal largest values.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import onnx_ir as ir

from edgeq.errors import EdgeqError, did_you_mean
from edgeq.frontend.edit import Edit
from edgeq.frontend.facts import integer
from edgeq.frontend.shapes import infer_shapes
from edgeq.frontend.states import outputs_of_states
from edgeq.frontend.version import convert_to_working_opset
from edgeq.ir import State
from edgeq.notes import note
from edgeq.onnxio.limits import shown

_WHERE: Final = "--argmax"
_ROWS: Final = frozenset({"Softmax", "LogSoftmax", "QLinearSoftmax"})
"""Keep the order along their axis."""
_ELEMENTS: Final = frozenset({"Sigmoid", "QLinearSigmoid"})
"""Keep the order of all elements."""
_COPIES: Final = frozenset({"Identity", "QuantizeLinear", "DequantizeLinear"})
_SHAPES: Final = frozenset({"Flatten", "Reshape", "Squeeze", "Unsqueeze"})


@dataclass(frozen=True)
class _Tail:
    """What stands behind the scores that decide.

    Attributes:
        scores: the operand of its first node.
        last: its last node.
        axis: of the classes; None where every element is compared with every other.
        reshaped: nodes behind it change the shape and nothing else.
    """

    scores: ir.Value
    last: ir.Node
    axis: int | None
    reshaped: bool


def give_class(
    model: ir.Model,
    output: str | None = None,
    states: Sequence[State] = (),
    *,
    recognize: bool = True,
    given: Collection[str] = (),
) -> ir.Model:
    """The model whose output is the index of its largest score; the argument is not changed.

    Args:
        model: as read, float or quantized.
        output: the output with the scores; None: the only one.
        states: outputs that the user names as states: they are no scores.
        recognize: outputs are states by their names, too.
        given: keys of the data, which are no states.

    Returns:
        A model in opset 21, with an output ``NAME_class`` of int64 in place of `output`.

    Raises:
        EdgeqError: EQ0154 which output is not said, or there is none of that name; EQ0268 it has no axis of classes;
            EQ0216 to EQ0218 the model cannot be brought to opset 21.
    """
    work = convert_to_working_opset(model)
    infer_shapes(work, forget=False)
    scores = _chosen(work, output, outputs_of_states(work, states, recognize=recognize, given=given))
    name = str(scores.name)
    found = _producer(scores, _SHAPES | {"Cast", "Identity"})
    if found is not None and found.op_type == "ArgMax":
        _drop_before(found)
        note("EQ0266", "the model gives a class already", where=f"output {shown(name)}", got="ArgMax")
    else:
        index = [value.name for value in work.graph.outputs].index(name)
        work.graph.outputs[index] = _appended(work, scores)
    Edit(work).sweep()
    return work


def _chosen(work: ir.Model, output: str | None, states: Collection[str]) -> ir.Value:
    outputs = {str(value.name): value for value in work.graph.outputs if value.name not in states}
    if output is None and len(outputs) == 1:
        return next(iter(outputs.values()))
    if output in outputs:
        return outputs[output]
    known = ", ".join(shown(name) for name in outputs)
    if output is None:
        hint = "name the one with the scores: --argmax-output NAME"
        raise EdgeqError("EQ0154", "the model has several outputs", where=_WHERE, got=known, allowed="one", hint=hint)
    raise EdgeqError(
        "EQ0154",
        "the model has no output of that name",
        where="--argmax-output",
        got=output,
        allowed=known,
        hint=did_you_mean(output, outputs),
    )


def _producer(value: ir.Value, through: frozenset[str]) -> ir.Node | None:
    """What makes a value, nodes of some operators apart."""
    node = value.producer()
    while node is not None and node.op_type in through and node.inputs[0] is not None:
        node = node.inputs[0].producer()
    return node


def _appended(work: ir.Model, output: ir.Value) -> ir.Value:
    """The class, from the scores in front of the tail where there is one."""
    tail, scores, axis = _tail(output), output, None
    if tail is not None and not tail.reshaped:
        scores, axis = tail.scores, tail.axis
    elif tail is not None:
        tail.last.outputs[0].replace_all_uses_with(tail.scores)
    if axis is None:
        axis = _only_axis(output)
    edit = Edit(work)
    shape = scores.shape
    assert shape is not None  # _only_axis and _tail have looked
    result = ir.Value(
        name=edit.fresh_value(f"{output.name}_class"),
        type=ir.TensorType(ir.DataType.INT64),
        shape=ir.Shape([dim for number, dim in enumerate(shape) if number != axis]),
    )
    attributes = [
        ir.AttrInt64("axis", axis),
        ir.AttrInt64("keepdims", 0),
        ir.AttrInt64("select_last_index", 0),
    ]
    name = edit.fresh_node(str(result.name))
    work.graph.append(ir.Node("", "ArgMax", [scores], attributes, outputs=[result], name=name))
    return result


def _drop_before(arg_max: ir.Node) -> None:
    """Let an ArgMax read the operand of a Softmax over its axis, or of a Sigmoid."""
    x = arg_max.inputs[0]
    tail = _tail(x) if x is not None else None
    if tail is None or tail.reshaped or tail.scores.shape is None:
        return
    if tail.axis is None or tail.axis == integer(arg_max, "axis", 0) % len(tail.scores.shape):
        arg_max.replace_input_with(0, tail.scores)


def _tail(output: ir.Value) -> _Tail | None:
    """The first node that keeps the order of the classes, with only copies and shapes behind it."""
    value, reshaped, own = output, False, True
    found: _Tail | None = None
    while (node := value.producer()) is not None and node.inputs and node.inputs[0] is not None:
        x = node.inputs[0]
        kind = node.op_type
        if kind in _ROWS | _ELEMENTS:
            rank = len(x.shape) if x.shape is not None else 0
            axis = integer(node, "axis", -1) % rank if rank and kind in _ROWS else None
            if not rank or (reshaped and not (own and _is_row(x, axis))):
                return found
            if found is None:
                found = _Tail(x, node, axis, reshaped)
            elif None in (axis, found.axis) or axis == found.axis:
                found = _Tail(x, found.last, found.axis if axis is None else axis, reshaped)
            else:
                return found
        elif kind in _SHAPES:
            if found is not None:
                return found
            reshaped = True
        elif kind not in _COPIES or found is not None:
            return found
        own = own and len(value.uses()) + value.is_graph_output() <= 1
        value = x
    return found


def _is_row(x: ir.Value, axis: int | None) -> bool:
    """Whether all elements lie along the axis, whatever a reshape does to the axes."""
    return axis is None or _long_axes(x) in ([], [axis])


def _long_axes(value: ir.Value) -> list[int]:
    """The axes of more than one element; a first axis of open size is that of the samples."""
    sizes = list(value.shape or ())
    return [axis for axis, size in enumerate(sizes) if size != 1 and (axis or isinstance(size, int))]


def _only_axis(output: ir.Value) -> int:
    axes = _long_axes(output) if output.shape is not None else []
    if len(axes) == 1:
        return axes[0]
    dims = [dim if isinstance(dim, int) else str(dim) for dim in output.shape] if output.shape is not None else None
    raise EdgeqError(
        "EQ0268",
        "the output has no axis of classes",
        where=f"{_WHERE}, output {shown(str(output.name))}",
        got=f"shape {dims}" if dims is not None else "a shape that is not known",
        allowed="one axis with more than one value, or a Softmax that says which axis it is",
        hint="one score is compared with a threshold by the application; of several axes name one with an ArgMax",
    )
