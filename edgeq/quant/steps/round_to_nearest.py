"""Every weight, bias and constant operand becomes the nearest integer of its scale.

Output scales are widened where the accumulator of a layer, shifted for requantization, would leave int32.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq.ir import DType
from edgeq.onnxio.qdq_form import QdqPlan
from edgeq.onnxio.qdq_parameters import activation_parameters, bias_limit, quantize_bias, quantize_constant
from edgeq.quant.parameters import least_output_scale, quantize_layer, quantize_matrix
from edgeq.quant.properties import PLANNED, RANGED
from edgeq.quant.specification import array_of, headroom_of
from edgeq.quant.step import Step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgeq.ir import Quantization, QuantizedConstant
    from edgeq.numerics.array import Array
    from edgeq.quant.ranges import Ranges
    from edgeq.quant.specification import Layer, Operand
    from edgeq.quant.state import State

# Widening the output scale of one layer changes the next one's factor; layers that still do not fit after this many
# rounds are left to lowering, which names them.
_WIDENING_ROUNDS: Final = 8


def round_to_nearest(state: State) -> None:
    """Make the plan from the ranges."""
    state.plan = _rounded(state)
    for _ in range(_WIDENING_ROUNDS):
        wider = _widened(state)
        if wider is None:
            break
        state.ranges = wider
        state.plan = _rounded(state)


def _rounded(state: State) -> QdqPlan:
    plan, ranges, specification = QdqPlan(), state.ranges, state.specification
    found = [
        decided or activation_parameters(*extent, dtype)
        for decided, extent, dtype in zip(ranges.decided, ranges.extents, specification.dtypes, strict=True)
    ]
    for name, number in specification.group_of.items():
        plan.activations[name] = state.given.activations.get(name, found[number])
    for key, (value, owner) in specification.operands.items():
        plan.constants[key] = state.given.constants.get(key) or _operand(state, key, array_of(value), owner, found)
    for layer in specification.layers:
        plan.constants.update(_layer_constants(state, layer, plan))
    return plan


def _operand(
    state: State, key: Operand, values: Array, owner: int | None, found: Sequence[Quantization]
) -> QuantizedConstant:
    axis = state.specification.axes.get(key)
    if axis is not None:
        return quantize_matrix(values, axis)
    shared = None if owner is None else found[owner]
    return quantize_constant(values, shared, state.specification.operand_dtypes[key])


def _layer_constants(state: State, layer: Layer, plan: QdqPlan) -> dict[tuple[str, int], QuantizedConstant]:
    name = str(layer.node.name)
    weight_key, bias_key = (name, layer.weight_index), (name, layer.bias_index)
    x, y = plan.activations[layer.x], plan.activations[layer.y]
    weight, bias = layer.node.inputs[layer.weight_index], layer.node.inputs[layer.bias_index]
    assert weight is not None and bias is not None  # noqa: PT018 - specify has looked
    offsets = array_of(bias).astype(np.float64)
    decided = state.given.constants.get(weight_key)
    if decided is None:
        axis, known = layer.form.weight_axis, state.weights.get(name)
        integers, steps = quantize_layer(
            array_of(weight), offsets, axis, x, y.scale[0], peaks=layer.weight_peaks, known=known
        )
        state.weights[name] = integers
    else:
        scales = np.broadcast_to(decided.scales.reshape(-1), offsets.shape)
        integers, steps = decided, quantize_bias(offsets, x.scale[0], scales, bias_limit(x))
    return {weight_key: integers, bias_key: state.given.constants.get(bias_key) or steps}


def _widened(state: State) -> Ranges | None:
    """Ranges with wider outputs of the layers whose shifted accumulator leaves int32; None where there are none."""
    ranges, plan = state.ranges, state.plan
    factors: dict[int, float] = {}
    for layer in state.specification.layers:
        number = state.specification.group_of[layer.y]
        scale, _ = plan.activations[layer.y].single()
        least = least_output_scale(headroom_of(layer, plan), scale)
        if least > scale and ranges.decided[number] is None:
            factors[number] = max(factors.get(number, 1.0), least / scale)
    extents = list(ranges.extents)
    for number, factor in factors.items():
        low, high = extents[number]
        # A single zero has no range to stretch, but a scale of 1.
        dtype = state.specification.dtypes[number]
        one = (0.0, float(dtype.max) if dtype is DType.INT16 else 255.0)
        low, high = (low, high) if high > low else one
        extents[number] = low * factor, high * factor
    return replace(ranges, extents=tuple(extents)) if factors else None


STEP: Final = Step("round_to_nearest", round_to_nearest, requires=(RANGED,), ensures=(PLANNED,))
