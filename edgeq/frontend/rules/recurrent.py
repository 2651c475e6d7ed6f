"""LSTM, GRU and RNN in their normalized form: one direction, time first, no operand that says what is so without it.

Of the hidden values either the sequence is read or the last step, since the other follows from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import AttributeValue, Edit, Rule
from edgeq.frontend.facts import Shape, integer, ints, name_of, number, operand, required, shape_of, text
from edgeq.frontend.rules.functions import attributes_of, functions_of
from edgeq.frontend.rules.simplify import cut

_TYPES: Final = ("GRU", "LSTM", "RNN")
_SEQUENCE, _HIDDEN, _CELL = range(3)
_X, _BIAS, _LENGTHS, _PEEPHOLES = 0, 3, 4, 7
_STATES: Final = (5, 6)
_MAX_SAMPLES: Final = 16
_DEFAULTS: Final = (("direction", "forward"), ("layout", 0), ("input_forget", 0), ("linear_before_reset", 0))
_PER_DIRECTION: Final = (1, 2, 3, 5, 6, 7)


def _is_read(node: ir.Node, index: int) -> bool:
    return index < len(node.outputs) and (bool(node.outputs[index].uses()) or node.outputs[index].is_graph_output())


def _attributes(node: ir.Node, **changed: AttributeValue) -> dict[str, AttributeValue]:
    """The attributes that say more than the default, some of them changed."""
    kept: dict[str, AttributeValue] = {"hidden_size": integer(node, "hidden_size", 0)}
    functions = functions_of(node)
    if functions is not None:
        kept |= attributes_of(node.op_type, functions)
    if "clip" in node.attributes:
        kept["clip"] = number(node, "clip", 0.0)
    for name, default in _DEFAULTS:
        value = text(node, name, str(default)) if isinstance(default, str) else integer(node, name, default)
        if value != default:
            kept[name] = value
    return kept | changed


def _operands(node: ir.Node) -> list[ir.Value | None]:
    """Every operand that ONNX knows, None where it is absent."""
    return [operand(node, index) for index in range(8)]


def _layer(
    edit: Edit,
    node: ir.Node,
    inputs: Sequence[ir.Value | None],
    attributes: Mapping[str, AttributeValue],
    results: Mapping[int, tuple[str, Shape]],
) -> dict[int, ir.Value]:
    """A layer like ``node`` of other operands and attributes; results by index, each with its base name and shape."""
    kept = list(inputs)
    while kept[-1] is None:
        kept.pop()
    made = edit.results(
        node.op_type, kept, attributes, outputs=[results.get(index) for index in range(max(results) + 1)], like=node
    )
    return {index: made[index] for index in results}


def _replace(
    edit: Edit, node: ir.Node, inputs: Sequence[ir.Value | None], attributes: Mapping[str, AttributeValue]
) -> None:
    """Put a layer of other operands or attributes in the place of one; its results keep shapes and names."""
    old = {index: value for index, value in enumerate(node.outputs) if _is_read(node, index)}
    results = {index: (name_of(value), shape_of(value)) for index, value in old.items()}
    for index, new in _layer(edit, node, inputs, attributes, results).items():
        edit.supersede(old[index], new)


def drop_defaults(node: ir.Node, edit: Edit) -> str | None:
    """Sequence lengths that are those of all steps, states of zeros, and attributes that state the default."""
    inputs = _operands(node)
    steps = shape_of(required(node, _X))[integer(node, "layout", 0)]
    lengths = edit.array(inputs[_LENGTHS])
    before = [value is not None for value in inputs], len(node.attributes), len(node.outputs)
    if lengths is not None and (lengths == steps).all():
        inputs[_LENGTHS] = None
    for index in (_BIAS, *_STATES, _PEEPHOLES):
        array = edit.array(inputs[index])
        if array is not None and not array.any():
            inputs[index] = None
    missing = [index for index in _STATES if inputs[index] is None]
    if node.op_type == "LSTM" and len(missing) == 1:
        (other,) = {*_STATES} - {*missing}
        given, kept = inputs[other], operand(node, missing[0])
        assert given is not None
        zeros = np.zeros(shape_of(given), np.float32)
        inputs[missing[0]] = kept or edit.constant(zeros, f"{name_of(node.outputs[0])}_state")
    if functions_of(node) is None:
        return "its functions are not ONNX's"
    attributes = _attributes(node)
    results = max(index for index in range(len(node.outputs)) if _is_read(node, index)) + 1
    if before == ([value is not None for value in inputs], len(attributes), results):
        return "nothing is stated that goes without saying"
    _replace(edit, node, inputs, attributes)
    return None


def put_time_first(node: ir.Node, edit: Edit) -> str | None:
    """Layout 1 has the batch first: transposed before and behind."""
    if integer(node, "layout", 0) != 1 or functions_of(node) is None:
        return "time is first, or its functions are not ONNX's"
    inputs = _operands(node)
    base = name_of(node.outputs[0])
    for index in (_X, *_STATES):
        value = inputs[index]
        if value is not None:
            inputs[index] = edit.transpose(value, (1, 0, 2), base=f"{base}_turned")
    attributes = {name: value for name, value in _attributes(node).items() if name != "layout"}
    perms = ((2, 0, 1, 3), (1, 0, 2), (1, 0, 2))
    old = {index: value for index, value in enumerate(node.outputs) if _is_read(node, index)}
    results = {}
    for index, value in old.items():
        shape = shape_of(value)
        time_first = tuple(shape[axis] for axis in np.argsort(perms[index]))
        results[index] = (f"{name_of(value)}_time_first", time_first)
    for index, new in _layer(edit, node, inputs, attributes, results).items():
        edit.supersede(old[index], edit.transpose(new, perms[index], base=f"{name_of(old[index])}_turned"))
    return None


def split_directions(node: ir.Node, edit: Edit) -> str | None:
    """Both directions at once become one layer for each, and their results side by side."""
    functions = functions_of(node)
    if text(node, "direction", "forward") != "bidirectional" or functions is None:
        return "one direction, or its functions are not ONNX's"
    base = name_of(node.outputs[0])
    old = {index: value for index, value in enumerate(node.outputs) if _is_read(node, index)}
    halves = []
    for half, direction in enumerate(("forward", "reverse")):
        inputs, place = _operands(node), slice(half, half + 1)
        for index in _PER_DIRECTION:
            value = inputs[index]
            if value is not None and edit.array(value) is not None:
                inputs[index] = edit.part(value, itemgetter(place), f"{name_of(value)}_{direction}")
            elif value is not None:
                inputs[index] = cut(edit, value, 0, (half, half + 1), f"{base}_{direction}_state")
        results = {}
        for index, value in old.items():
            shape = list(shape_of(value))
            shape[_direction_axis(index)] = 1
            results[index] = (f"{name_of(value)}_{direction}", tuple(shape))
        own = functions[half * len(functions) // 2 : (half + 1) * len(functions) // 2]
        kept = {name: value for name, value in _attributes(node).items() if not name.startswith("activation")}
        stated = kept | {"direction": direction} | attributes_of(node.op_type, own)
        halves.append(_layer(edit, node, inputs, stated, results))
    for index, value in old.items():
        parts, axis = [half[index] for half in halves], {"axis": _direction_axis(index)}
        edit.supersede(value, edit.node("Concat", parts, axis, base=f"{name_of(value)}_both", shape=shape_of(value)))
    return None


def _direction_axis(result: int) -> int:
    return 1 if result == _SEQUENCE else 0


def split_samples(node: ir.Node, edit: Edit) -> str | None:
    """Several samples become one layer for each, of the same weights, and their results side by side."""
    x = required(node, _X)
    if integer(node, "layout", 0) or text(node, "direction", "forward") == "bidirectional":
        return "another rule comes first"
    if functions_of(node) is None:
        return "its functions are not ONNX's"
    samples = shape_of(x)[1]
    if not 1 < samples <= _MAX_SAMPLES or operand(node, _LENGTHS) is not None:
        return "one sample, more than are written out, or of different lengths"
    base = name_of(node.outputs[0])
    old = {index: value for index, value in enumerate(node.outputs) if _is_read(node, index)}
    parts = []
    for sample in range(samples):
        inputs, bounds = _operands(node), (sample, sample + 1)
        for index in (_X, *_STATES):
            value = inputs[index]
            if value is not None:
                inputs[index] = cut(edit, value, 1, bounds, f"{base}_{sample}_part")
        results = {}
        for index, value in old.items():
            shape = list(shape_of(value))
            shape[_sample_axis(index)] = 1
            results[index] = (f"{name_of(value)}_{sample}", tuple(shape))
        parts.append(_layer(edit, node, inputs, _attributes(node), results))
    for index, value in old.items():
        joined, axis = [part[index] for part in parts], {"axis": _sample_axis(index)}
        edit.supersede(value, edit.node("Concat", joined, axis, base=f"{name_of(value)}_all", shape=shape_of(value)))
    return None


def _sample_axis(result: int) -> int:
    return 2 if result == _SEQUENCE else 1


def read_last_step_of_sequence(node: ir.Node, edit: Edit) -> str | None:
    """Where the sequence is read, the last hidden values are a part of it."""
    if not (_is_read(node, _SEQUENCE) and _is_read(node, _HIDDEN)):
        return "one of the two is not read"
    sequence, hidden = node.outputs[_SEQUENCE], node.outputs[_HIDDEN]
    steps = shape_of(sequence)[0]
    last = 0 if text(node, "direction", "forward") == "reverse" else steps - 1
    base = name_of(hidden)
    part = _behind(edit, node, lambda: cut(edit, sequence, 0, (last, last + 1), f"{base}_part"))
    edit.supersede(hidden, _behind(edit, node, lambda: edit.reshape(part, shape_of(hidden), base=f"{base}_last")))
    return None


def read_hidden_of_last_step(node: ir.Node, edit: Edit) -> str | None:
    """A Slice that takes the last step of a sequence reads the last hidden values instead.

    Between the layer and the Slice nothing may stand but what keeps the order of elements: axes of one that come and
    go, and transposes of them.
    """
    value = required(node, 0)
    layer = _layer_behind(value, edit)
    if layer is None:
        return "not of a recurrent sequence that is read here alone"
    steps, units = shape_of(layer.outputs[_SEQUENCE])[0], shape_of(layer.outputs[_SEQUENCE])[3]
    result, long_axes = node.outputs[0], [axis for axis, size in enumerate(shape_of(value)) if size > 1]
    starts, axes = edit.array(operand(node, 1)), edit.array(operand(node, 3))
    if steps == 1 or units == 1 or len(long_axes) != 2 or starts is None or axes is None:
        return "the axis of time is not known"
    last = 0 if text(layer, "direction", "forward") == "reverse" else steps - 1
    if np.prod(shape_of(result)) != units or [
        int(start) for start, axis in zip(starts, axes, strict=True) if axis == long_axes[0]
    ] != [last]:
        return "not the last step"
    edit.before(layer)
    old = {index: value for index, value in enumerate(layer.outputs) if index > _HIDDEN and _is_read(layer, index)}
    results = {index: (name_of(value), shape_of(value)) for index, value in old.items()}
    results[_HIDDEN] = (f"{name_of(result)}_hidden", (1, 1, units))
    made = _layer(edit, layer, _operands(layer), _attributes(layer), dict(sorted(results.items())))
    for index, value in old.items():
        edit.supersede(value, made[index])
    edit.before(node)
    edit.supersede(result, edit.reshape(made[_HIDDEN], shape_of(result), base=f"{name_of(result)}_last"))
    return None


def _layer_behind(value: ir.Value, edit: Edit) -> ir.Node | None:
    """The layer whose sequence a value is, perhaps with other axes of one; None where anybody else reads it."""
    while True:
        node = value.producer()
        if node is None or edit.only_user(value) is None:
            return None
        if node.op_type in _TYPES:
            alone = value is node.outputs[_SEQUENCE] and not _is_read(node, _HIDDEN)
            return node if alone else None
        source = node.inputs[0] if node.inputs else None
        if node.op_type not in {"Reshape", "Squeeze", "Transpose", "Unsqueeze"} or source is None:
            return None
        kept = [[size for size in shape_of(each) if size > 1] for each in (source, value)]
        perm = [axis for axis in ints(node, "perm", ()) if shape_of(source)[axis] > 1]
        if kept[0] != kept[1] or perm != sorted(perm):
            return None
        value = source


def _behind(edit: Edit, node: ir.Node, make: Callable[[], ir.Value]) -> ir.Value:
    """What is made of a node's results stands behind it."""
    behind = next((user.node for value in node.outputs for user in value.uses()), None)
    if behind is not None:
        edit.before(behind)
    return make()


RULES = (
    Rule("drop_defaults", _TYPES, drop_defaults),
    Rule("put_time_first", _TYPES, put_time_first),
    Rule("split_directions", _TYPES, split_directions),
    Rule("split_samples", _TYPES, split_samples),
    Rule("read_last_step_of_sequence", _TYPES, read_last_step_of_sequence),
    Rule("read_hidden_of_last_step", ("Slice",), read_hidden_of_last_step),
)
