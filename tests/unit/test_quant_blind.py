"""Without calibration data the graph has the steps and bytes that it will have with data."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest
from quant_models import floats, normal, residual_net, samples_for

from edgeq.integers import to_integer_graph
from edgeq.ir import DType, Graph
from edgeq.numerics.scaling import Mode
from edgeq.quant import QuantizeOptions, quantize, quantize_blindly


def joined_net() -> ir.Model:
    """A narrow tensor that a Concat of a wide one and a layer read."""
    text = """g (float[1,8] x) => (float[1,16] y, float[1,3] z) {
        b = Mul(x, k)
        y = Concat <axis = 1> (x, b)
        z = MatMul(x, w)
    }"""
    return floats(text, {"k": np.float32(50), "w": normal(8, 3)})


def shape_of(graph: Graph) -> list[tuple[str, list[tuple[tuple[int, ...], DType]]]]:
    return [(node.op, [(tensor.shape, tensor.dtype) for tensor in graph.results(node)]) for node in graph.nodes]


@pytest.mark.parametrize("int16", [(), ("*",), ("x",), ("y",)], ids=["int8", "all", "input", "output"])
@pytest.mark.parametrize("mode", ["highmul", "tflite"])
@pytest.mark.parametrize("build", [joined_net, residual_net], ids=lambda build: build.__name__)
def test_the_steps_are_those_of_the_calibrated_model(
    build: Callable[[], ir.Model], mode: Mode, int16: tuple[str, ...]
) -> None:
    model = build()
    options = QuantizeOptions("minmax", mode, "off", int16=int16)
    calibrated = quantize(model, samples_for(model), options).model
    graphs = [to_integer_graph(found, mode, "net") for found in (quantize_blindly(model, options), calibrated)]
    assert shape_of(graphs[0]) == shape_of(graphs[1])
    wide = {tensor.dtype for tensor in graphs[0].tensors.values() if not tensor.is_constant}
    assert (DType.INT16 in wide, DType.INT8 in wide) == (bool(int16), int16 != ("*",))
