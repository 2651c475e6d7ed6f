"""Inputs that say nothing but a shape which the model states already: a length, a number of steps, a target shape.

The shapes of firmware are fixed, so that such an input can have one value alone: the one that gives the outputs the
shapes which the model declares. Each candidate is tried; where exactly one gives every declared shape, it is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.errors import EdgeqError
from edgeq.frontend.edit import fresh
from edgeq.frontend.facts import known_shape
from edgeq.notes import note
from edgeq.onnxio.limits import shown

_SLOTS: Final[Mapping[str, int]] = {
    "AffineGrid": 1,
    "BlackmanWindow": 0,
    "CenterCropPad": 1,
    "ConstantOfShape": 0,
    "Expand": 1,
    "HammingWindow": 0,
    "HannWindow": 0,
    "Loop": 0,
    "MelWeightMatrix": 0,
    "OneHot": 1,
    "Range": 1,
    "Reshape": 1,
    "Resize": 3,
    "TopK": 1,
}
"""Operator → the operand that states a size of its result, or all of them."""
_PASSING: Final = ("Cast", "Identity", "Reshape", "Squeeze", "Unsqueeze")
_MAX_RANK: Final = 8


def fix_stated_shape(model: ir.Model, attempt: Callable[[ir.Model], ir.Model]) -> ir.Model | None:
    """What an attempt gives once an input that states a shape is the constant that it must be.

    Args:
        model: whose shapes are not static; it is not changed.
        attempt: normalizes a model, or raises EdgeqError.

    Returns:
        None where no input states a shape, or not exactly one value gives the declared ones.
    """
    declared = {str(value.name): known_shape(value) for value in model.graph.outputs}
    if None in declared.values():
        return None
    found: list[tuple[str, np.ndarray, ir.Model]] = []
    for value in model.graph.inputs:
        if not _states_shape(value):
            continue
        for array in _candidates(value, [shape or () for shape in declared.values()]):
            made = _tried(model, str(value.name), array, attempt)
            if made is not None and {str(item.name): known_shape(item) for item in made.graph.outputs} == declared:
                found.append((str(value.name), array, made))
    if len(found) != 1:
        return None
    name, array, made = found[0]
    note(
        "EQ0265",
        "an input states a shape that the model declares: it is the constant that gives it",
        where=f"input {shown(name)}",
        got=str(array.tolist()),
        hint="the firmware does not have this input: export the model with the number as a constant",
    )
    return made


def _states_shape(value: ir.Value) -> bool:
    """Whether an input of whole numbers goes to an operand that states sizes."""
    shape = known_shape(value)
    if value.dtype not in (ir.DataType.INT32, ir.DataType.INT64) or shape is None or len(shape) > 1:
        return False
    return any(
        usage.idx == _SLOTS.get(usage.node.op_type) and not usage.node.domain
        for passed in _passed_on(value)
        for usage in passed.uses()
    )


def _passed_on(value: ir.Value) -> Iterator[ir.Value]:
    """The value, and what other shapes and types make of it."""
    yield value
    for usage in value.uses():
        if usage.node.op_type in _PASSING and usage.idx == 0:
            yield from _passed_on(usage.node.outputs[0])


def _candidates(value: ir.Value, shapes: list[tuple[int, ...]]) -> Iterator[np.ndarray]:
    """The values that an input may have: a size, or all of those of an output."""
    assert value.dtype is not None
    size = known_shape(value) or ()
    given: set[tuple[int, ...]] = {shape for shape in shapes if (len(shape),) == size and len(shape) <= _MAX_RANK}
    if size in ((), (1,)):
        given |= {(dim,) for shape in shapes for dim in shape[:_MAX_RANK]}
    for numbers in sorted(given):
        yield np.array(numbers, value.dtype.numpy()).reshape(size)


def _tried(model: ir.Model, name: str, array: np.ndarray, attempt: Callable[[ir.Model], ir.Model]) -> ir.Model | None:
    """The attempt with a constant for an input, which stays as one that nobody reads; None where it fails."""
    bound = model.clone()
    (value,) = [item for item in bound.graph.inputs if item.name == name]
    taken = {str(item.name) for graph in bound.graphs() for node in graph for item in node.outputs}
    taken |= {str(item.name) for graph in bound.graphs() for item in (*graph.inputs, *graph.initializers.values())}
    constant = ir.Value(name=fresh(f"{name}_stated", taken), type=value.type, shape=value.shape)
    constant.const_value = ir.Tensor(array, name=constant.name)
    bound.graph.register_initializer(constant)
    value.replace_all_uses_with(constant)
    try:
        return attempt(bound)
    except EdgeqError:
        return None
