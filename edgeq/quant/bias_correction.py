"""Empirical bias correction: what rounding the weights and activations shifts on average, the biases take back.

Layer by layer in graph order, b += E[y_float] − E[y_quantized] per channel, before the activation, measured with all
earlier layers corrected already (Nagel et al., Data-Free Quantization Through Weight Equalization and Bias Correction,
2019, section 4.2, empirical form). It costs nothing at run time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Final

import numpy as np
import onnx_ir as ir

from edgeq.numerics.array import Array
from edgeq.onnxio import Session
from edgeq.onnxio.qdq_form import Constant, QdqPlan, write_qdq
from edgeq.onnxio.qdq_parameters import BIAS_MAX

if TYPE_CHECKING:
    from edgeq.onnxio.samples import Samples
    from edgeq.quant.scheme import Layer

# Every layer needs runs of the whole model: samples are limited so that all runs together stay within these
# multiply-accumulates (about half a minute on one core), but never below a useful mean.
_BUDGET_MACS: Final = 30e9
_SAMPLES: Final = range(8, 65)


def correct_biases(
    model: ir.Model,
    plan: QdqPlan,
    layers: Sequence[Layer],
    samples: Samples,
    progress: Callable[[float], None] = lambda done: None,
) -> QdqPlan:
    """A plan with corrected biases; everything else is shared with the one given.

    Args:
        model: the normalized float model.
        plan: its quantization.
        layers: the layers to correct, in graph order, channels on axis 1 of their outputs.
        samples: calibration data, of which 8 to 64 samples are used.
        progress: called with the share of the layers done.
    """
    result = QdqPlan(dict(plan.activations), dict(plan.constants))
    if not layers:
        return result
    chosen = _choose(layers, len(samples))
    outputs = [str(layer.node.outputs[0].name) for layer in layers]
    wanted = _means(model, outputs, samples, chosen)
    quantized = write_qdq(model, plan)
    nodes = {str(node.name): node for node in quantized.graph}
    for number, layer in enumerate(layers):
        node = nodes[str(layer.node.name)]
        name = str(node.outputs[0].name)
        got = _means(quantized, [name], samples, chosen)[name]
        key = str(layer.node.name), layer.bias_index
        old = result.constants[key]
        steps = np.rint(old.values + (wanted[outputs[number]] - got) / old.scale.astype(np.float64))
        new = Constant(np.clip(steps, -BIAS_MAX, BIAS_MAX).astype(np.int32), old.scale, old.zero_point, old.axis)
        result.constants[key] = new
        _set_initializer(node, key[1], new.values)
        progress((number + 1) / len(layers))
    return result


def _choose(layers: Sequence[Layer], available: int) -> list[int]:
    macs = 0
    for layer in layers:
        weight, output = layer.node.inputs[layer.weight_index], layer.node.outputs[0]
        spatial = prod(int(size) for size in output.shape.numpy()[2:]) if output.shape is not None else 1
        if weight is not None and weight.const_value is not None:
            macs += weight.const_value.size * spatial
    affordable = int(_BUDGET_MACS / max(macs * len(layers), 1))
    count = min(max(affordable, _SAMPLES.start), _SAMPLES.stop - 1, available)
    return [int(index) for index in np.unique(np.linspace(0, available - 1, count).round())]


def _means(model: ir.Model, names: Sequence[str], samples: Samples, chosen: Sequence[int]) -> Mapping[str, Array]:
    """Mean over samples and positions of values [1, C, …] or [N, C], per channel, float64."""
    session = Session(model, tuple(names))
    totals: dict[str, Array] = {}
    for index in chosen:
        results = session.run(samples.inputs(index))
        for name in names:
            array = results[name].astype(np.float64)
            mean = array.mean(axis=tuple(axis for axis in range(array.ndim) if axis != 1)) / len(chosen)
            totals[name] = totals[name] + mean if name in totals else mean
    return totals


def _set_initializer(node: ir.Node, index: int, values: Array) -> None:
    """Replace the integers behind a constant operand of a canonical QDQ node."""
    operand = node.inputs[index]
    dequantize = operand.producer() if operand is not None else None
    source = dequantize.inputs[0] if dequantize is not None else None
    assert source is not None  # the canonical form has a DequantizeLinear of an initializer here
    source.const_value = ir.Tensor(values, name=source.name)
