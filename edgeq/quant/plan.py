"""From statistics to a plan: every activation's parameters, then the constants, which depend on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq.onnxio.qdq_form import Activation, Constant, QdqPlan
from edgeq.onnxio.qdq_parameters import BIAS_MAX, activation_parameters, quantize_bias, quantize_constant
from edgeq.quant.observers import Observer
from edgeq.quant.parameters import (
    Headroom,
    grid_parameters,
    least_output_scale,
    measure_headroom,
    quantize_layer,
)
from edgeq.quant.scheme import Layer, Scheme
from edgeq.quant.statistics import Statistics

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.numerics.array import Array
    from edgeq.onnxio.samples import Grid

# Widening the output scale of one layer changes the next one's factor; what does not settle is left to lowering,
# which names the layer.
_WIDENING_ROUNDS: Final = 8


class Planner:
    """Decides a model's integers with one observer.

    Args:
        scheme: what to quantize and what shares a scale.
        statistics: what calibration saw, by value name.
        grids: inputs whose samples are integers, by name.
        observe: the observer.
        given: integers that are decided already.
        weights: by node name, quantized weights of earlier plans, which are used again where their scales are the
            same; it is kept up to date.
    """

    def __init__(
        self,
        scheme: Scheme,
        statistics: Mapping[str, Statistics],
        grids: Mapping[str, Grid],
        observe: Observer,
        given: QdqPlan,
        weights: dict[str, Constant] | None = None,
    ) -> None:
        self.scheme = scheme
        self.given = given
        self.weights = {} if weights is None else weights
        self.number = {name: index for index, group in enumerate(scheme.groups) for name in group}
        self.ranges: list[tuple[float, float]] = []
        self.decided: list[Activation | None] = []
        for group in scheme.groups:
            fixed = [scheme.fixed[name] for name in group if name in scheme.fixed]
            fixed += [given.activations[name] for name in group if name in given.activations]
            observed = [observe(statistics[name]) for name in group]
            # Borders beyond zero are moved there at the end; a tensor without elements has seen nothing.
            low, high = min(low for low, _ in observed), max(high for _, high in observed)
            self.ranges.append((min(low, 0.0), max(high, 0.0)))
            self.decided.append(fixed[0] if fixed else None)
        for value, number in scheme.operands.values():
            if number is not None:
                array = array_of(value)
                low, high = self.ranges[number]
                self.ranges[number] = min(low, float(array.min(initial=0))), max(high, float(array.max(initial=0)))
        self._take_grids(grids)

    def plan(self) -> QdqPlan:
        """The plan; output scales are widened where a shifted accumulator would leave int32."""
        plan = self._attempt()
        for _ in range(_WIDENING_ROUNDS):
            if not self._widen(plan):
                break
            plan = self._attempt()
        return plan

    def _take_grids(self, grids: Mapping[str, Grid]) -> None:
        """Integer inputs keep their own grid where everything that shares it is a copy of them."""
        for name, grid in grids.items():
            number = self.number.get(name)
            if number is None or self.decided[number] is not None:
                continue
            if self.scheme.sources.isdisjoint(set(self.scheme.groups[number]) - {name}):
                self.decided[number] = grid_parameters(grid, *self.ranges[number])

    def _attempt(self) -> QdqPlan:
        plan = QdqPlan()
        found = [
            decided or activation_parameters(*extent) for decided, extent in zip(self.decided, self.ranges, strict=True)
        ]
        for name, number in self.number.items():
            plan.activations[name] = self.given.activations.get(name, found[number])
        for key, (value, owner) in self.scheme.operands.items():
            shared = None if owner is None else found[owner]
            plan.constants[key] = self.given.constants.get(key) or quantize_constant(array_of(value), shared)
        for layer in self.scheme.layers:
            plan.constants.update(self._layer_constants(layer, plan))
        return plan

    def _layer_constants(self, layer: Layer, plan: QdqPlan) -> dict[tuple[str, int], Constant]:
        name = str(layer.node.name)
        weight_key, bias_key = (name, layer.weight_index), (name, layer.bias_index)
        x, y = plan.activations[layer.x], plan.activations[layer.y]
        weight, bias = layer.node.inputs[layer.weight_index], layer.node.inputs[layer.bias_index]
        assert weight is not None and bias is not None  # noqa: PT018 - the scheme has looked
        offsets = array_of(bias).astype(np.float64)
        decided = self.given.constants.get(weight_key)
        if decided is None:
            axis, known = layer.form.weight_axis, self.weights.get(name)
            integers, steps = quantize_layer(
                array_of(weight), offsets, axis, x.scale, y.scale, peaks=layer.weight_peaks, known=known
            )
            self.weights[name] = integers
        else:
            scales = np.broadcast_to(decided.scale.reshape(-1), offsets.shape)
            integers, steps = decided, quantize_bias(offsets, x.scale, scales, BIAS_MAX)
        return {weight_key: integers, bias_key: self.given.constants.get(bias_key) or steps}

    def _widen(self, plan: QdqPlan) -> bool:
        """Raise the output scale of layers whose shifted accumulator leaves int32; whether there was one."""
        factors: dict[int, float] = {}
        for layer in self.scheme.layers:
            number = self.number[layer.y]
            scale = plan.activations[layer.y].scale
            least = least_output_scale(headroom_of(layer, plan), scale)
            if least > scale and self.decided[number] is None:
                factors[number] = max(factors.get(number, 1.0), least / scale)
        for number, factor in factors.items():
            low, high = self.ranges[number]
            # A single zero has no range to stretch: its scale of 1 stands for [0, 255].
            self.ranges[number] = (low * factor, high * factor) if high > low else (0.0, 255.0 * factor)
        return bool(factors)


def headroom_of(layer: Layer, plan: QdqPlan) -> Headroom:
    """The accumulator's headroom of a layer under a plan."""
    name = str(layer.node.name)
    weight, bias = plan.constants[name, layer.weight_index], plan.constants[name, layer.bias_index]
    return measure_headroom(weight, bias, plan.activations[layer.x], plan.activations[layer.y].scale)


def array_of(value: onnx_ir.Value) -> Array:
    """The array of a constant."""
    assert value.const_value is not None  # the scheme lists constants only
    return np.asarray(value.const_value.numpy())
