"""Makes every shape static: the batch is one, named dimensions get their values, inference does the rest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import onnx
import onnx_ir as ir

from edgeq.errors import EdgeqError, Problem
from edgeq.frontend.facts import integer, ints, known_shape, text
from edgeq.onnxio.functions import DOMAIN
from edgeq.onnxio.limits import MAX_DIM, check_dims, shown
from edgeq.onnxio.operators import NEVER, UNSUPPORTED, hint_for
from edgeq.onnxio.reader import one_line

if TYPE_CHECKING:
    from onnx import ModelProto

_POOLS: Final = ("AveragePool", "LpPool", "MaxPool")
_CONTROL_FLOW: Final = ("If", "Loop", "Scan")
_BATCH_NAMES: Final = re.compile(r"n|b|bs|batch|batch_?size|batch_?dim|n_?batch|num_?batch(es)?", re.IGNORECASE)


def drop_constant_inputs(model: ir.Model) -> None:
    """Old exports list the weights among the inputs too; a weight is a constant here."""
    inputs = model.graph.inputs
    kept = [value for value in inputs if value.name not in model.graph.initializers]
    if len(kept) != len(inputs):
        inputs[:] = kept


def pin_inputs(model: ir.Model, dims: Mapping[str, int]) -> None:
    """Give every dynamic dimension of the inputs a value.

    Args:
        model: changed in place.
        dims: values by name: of a dimension parameter (``seq``), or ``INPUT:AXIS`` for one axis of one input, which
            may be static. Without an entry the first dimension of an input of rank two or more is the batch, which
            is 1, as is every dimension that is called like one (``N``, ``batch``, ``batch_size``…).

    Raises:
        EdgeqError: EQ0222 dimensions that are still open, EQ0223 an entry that names nothing or has a bad value,
            EQ0224 an input without rank.
    """
    used: set[str] = set()
    for name, value in dims.items():
        if not 1 <= value <= MAX_DIM:
            raise EdgeqError(
                "EQ0223", "a dimension's value is out of range", where=name, got=value, allowed=f"1 to {MAX_DIM}"
            )
    values = _named_values(model, dims, used)
    problems: list[Problem] = []
    for graph_input in model.graph.inputs:
        name = graph_input.name or "?"
        if graph_input.shape is None:
            problems.append(Problem("EQ0224", "an input has no shape", where=f"input {shown(name)}"))
            continue
        pinned: list[int] = []
        for axis, dim in enumerate(graph_input.shape):
            place = f"{name}:{axis}"
            if place in dims:
                used.add(place)
                pinned.append(dims[place])
            elif isinstance(dim, int):
                pinned.append(dim)
            elif dim.value is not None and str(dim.value) in values:
                pinned.append(values[str(dim.value)])
            elif dim.value is None and axis == 0 and len(graph_input.shape) > 1:
                pinned.append(1)
            else:
                key = str(dim.value) if dim.value is not None else place
                problems.append(
                    Problem(
                        "EQ0222",
                        "a dimension has no value",
                        where=f"input {shown(name)}, axis {axis}",
                        got=shown(key),
                        hint=f"give it one: --dim {shown(key)}=N",
                    )
                )
        if len(pinned) == len(graph_input.shape):
            check_dims(pinned, f"input {shown(name)}")
            graph_input.shape = ir.Shape(pinned)
    unknown = sorted(set(dims) - used)
    problems += [
        Problem(
            "EQ0223",
            "the model has no dimension of this name",
            got=shown(name),
            allowed=", ".join(shown(item) for item in sorted(_open_names(model))) or "none: all shapes are static",
        )
        for name in unknown
    ]
    if problems:
        raise EdgeqError.of(problems)


def _named_values(model: ir.Model, dims: Mapping[str, int], used: set[str]) -> dict[str, int]:
    """The value of each dimension parameter: given, or 1 where it is the batch."""
    values: dict[str, int] = {}
    elsewhere: set[str] = set()
    first: set[str] = set()
    for graph_input in model.graph.inputs:
        for axis, dim in enumerate(graph_input.shape or ()):
            if isinstance(dim, int) or dim.value is None:
                continue
            name = str(dim.value)
            if name in dims:
                used.add(name)
                values[name] = dims[name]
            elif _BATCH_NAMES.fullmatch(name):
                values[name] = 1
            elif axis == 0 and len(graph_input.shape or ()) > 1:
                first.add(name)
            else:
                elsewhere.add(name)
    for name in first - elsewhere:
        values.setdefault(name, 1)
    return values


def _open_names(model: ir.Model) -> set[str]:
    found: set[str] = set()
    for graph_input in model.graph.inputs:
        for axis, dim in enumerate(graph_input.shape or ()):
            if not isinstance(dim, int):
                found.add(str(dim.value) if dim.value is not None else f"{graph_input.name}:{axis}")
    return found


def infer_shapes(model: ir.Model, *, forget: bool) -> None:
    """Annotate shape and type of every value that ONNX can infer.

    Args:
        model: changed in place.
        forget: drop what the file says about intermediate values and outputs first: it may hold the old batch.

    Raises:
        EdgeqError: EQ0225 operands do not fit together, EQ0207 an inferred shape is beyond the caps.
    """
    if forget:
        for graph in model.graphs():
            for node in graph:
                for value in node.outputs:
                    value.shape = None
    _infer(model)
    while _pass_shapes_on(model):
        _infer(model)


def _pass_shapes_on(model: ir.Model) -> bool:
    """Give results of GroupNormalization, of which ONNX infers the type alone, their operand's shape.

    Returns:
        Whether there was one without a shape.
    """
    found = False
    for node in model.graph:
        is_one = (node.domain, node.op_type) in (("", "GroupNormalization"), (DOMAIN, "FloatGroupNormalization"))
        if is_one and known_shape(node.outputs[0]) is None:
            operand = node.inputs[0]
            if known_shape(operand) is not None and operand is not None:
                node.outputs[0].shape = operand.shape
                found = True
    return found


def _infer(model: ir.Model) -> None:
    for data_prop in (False, True):
        # Without propagation first: propagated values are as many as the shapes say, and these are not checked yet.
        proto = ir.to_proto(model)
        try:
            inferred = onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=True, data_prop=data_prop)
        except onnx.shape_inference.InferenceError as error:
            raise EdgeqError(
                "EQ0225", "the shapes or types of the model do not fit together", got=_inference_message(error)
            ) from error
        except (RuntimeError, ValueError, TypeError) as error:
            raise EdgeqError("EQ0225", "shape inference fails", got=one_line(error)) from error
        _take(model, inferred)
    if _drop_windows_behind(model):
        infer_shapes(model, forget=True)


def _drop_windows_behind(model: ir.Model) -> bool:
    """Whether a pooling lost the windows that ceil_mode adds behind tensor and padding.

    There are none in onnxruntime, nor in ONNX from opset 22 on; the inference of earlier ones counts them.
    """
    pools = [node for graph in model.graphs() for node in graph if node.op_type in _POOLS]
    changed = [_state_window(node) for node in pools if integer(node, "ceil_mode", 0)]
    return any(changed)


def _state_window(node: ir.Node) -> bool:
    source, target = known_shape(node.inputs[0]), known_shape(node.outputs[0])
    kernel = ints(node, "kernel_shape", ())
    rank = len(kernel)
    if source is None or target is None or len(source) != rank + 2 or text(node, "auto_pad", "NOTSET") != "NOTSET":
        return False
    strides, dilations = (ints(node, name, (1,) * rank) for name in ("strides", "dilations"))
    pads, behind = list(ints(node, "pads", (0,) * (2 * rank))), False
    for axis, size in enumerate(source[2:]):
        if (target[2 + axis] - 1) * strides[axis] >= size + pads[axis]:
            behind = True
            continue
        reach = (target[2 + axis] - 1) * strides[axis] + (kernel[axis] - 1) * dilations[axis] + 1
        pads[rank + axis] = max(pads[rank + axis], reach - size - pads[axis])
    counted = integer(node, "count_include_pad", 0) and tuple(pads) != ints(node, "pads", (0,) * (2 * rank))
    if not behind or counted:
        return False
    node.attributes.pop("ceil_mode")
    node.attributes.pop("pads", None)
    node.attributes.add(ir.AttrInt64s("pads", pads))
    return True


def infer_shapes_of_input(model: ir.Model) -> None:
    """:func:`infer_shapes` of a model as it came: where that fails, operators without an integer form come first.

    Raises:
        EdgeqError: EQ0302 operators that edgeq does not take, all of them; else as :func:`infer_shapes`.
    """
    try:
        infer_shapes(model, forget=True)
    except EdgeqError as error:
        computed = {id(value) for value in model.graph.inputs}
        problems = []
        for node in model.graph:
            if any(id(value) in computed for value in node.inputs):
                computed |= {id(value) for value in node.outputs}
                if not node.domain and node.op_type in NEVER:
                    problems.append(_unsupported(node))
        if problems:
            raise EdgeqError.of(problems) from error
        raise


def _unsupported(node: ir.Node) -> Problem:
    where = node.name or next((value.name for value in node.outputs if value.name), None) or "?"
    return Problem("EQ0302", UNSUPPORTED, f"node {shown(where)}", node.op_type, None, hint_for("", node.op_type))


def _inference_message(error: BaseException) -> str:
    return one_line(RuntimeError(str(error).replace("[ShapeInferenceError] ", "").replace("(op_type:", "(")), limit=300)


def _take(model: ir.Model, inferred: ModelProto) -> None:
    """Copy the inferred shapes and types of the main graph and its subgraphs to the model's values."""
    found = ir.from_proto(inferred)
    for graph, other in zip(model.graphs(), found.graphs(), strict=True):
        values = {value.name: value for node in other for value in node.outputs if value.name}
        for node in graph:
            for value in node.outputs:
                source = values.get(value.name or "")
                if source is None:
                    continue
                if source.type is not None:
                    value.type = source.type
                if source.shape is not None:
                    value.shape = source.shape
                    known = [dim for dim in source.shape if isinstance(dim, int)]
                    check_dims(known, f"value {shown(value.name or '?')}")


def require_static(model: ir.Model) -> None:
    """Every value of the main graph has a static shape and a type.

    Raises:
        EdgeqError: EQ0226, one problem for each node whose inputs are static and whose result is not.
    """
    problems: list[Problem] = []
    for node in model.graph:
        if all(known_shape(value) is not None and value.dtype is not None for value in node.outputs if value.name):
            continue
        if any(known_shape(value) is None for value in node.inputs if value is not None):
            continue  # a consequence: the node that causes it is in the list
        if not node.domain and node.op_type in (*NEVER, *_CONTROL_FLOW):
            problems.append(_unsupported(node))
            continue
        problems.append(
            Problem(
                "EQ0226",
                "the shape of a result depends on the data, or is not known",
                where=f"node {shown(node.name or node.op_type)}",
                got=f"{node.domain + '.' if node.domain else ''}{node.op_type}",
                hint="firmware needs static shapes: export the model with fixed sizes, or replace the operator",
            )
        )
    if not problems and any(known_shape(v) is None for n in model.graph for v in n.outputs if v.name):
        problems.append(Problem("EQ0226", "the shapes of the model are not static"))
    if problems:
        raise EdgeqError.of(problems)
