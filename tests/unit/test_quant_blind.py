"""Without calibration data the graph has the steps and bytes that it will have with data."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest
from quant_models import floats, normal, residual_net, samples_for

from edgeq.integers import to_integer_graph
from edgeq.ir import Graph
from edgeq.quant import QuantizeOptions, quantize, quantize_blindly


def joined_net() -> ir.Model:
    """A narrow tensor that a Concat of a wide one and a layer read."""
    text = """g (float[1,8] x) => (float[1,16] y, float[1,3] z) {
        b = Mul(x, k)
        y = Concat <axis = 1> (x, b)
        z = MatMul(x, w)
    }"""
    return floats(text, {"k": np.float32(50), "w": normal(8, 3)})


def shape_of(graph: Graph) -> list[tuple[str, list[tuple[int, ...]]]]:
    return [(node.op, [tensor.shape for tensor in graph.results(node)]) for node in graph.nodes]


@pytest.mark.parametrize("mode", ["highmul", "tflite"])
@pytest.mark.parametrize("build", [joined_net, residual_net], ids=lambda build: build.__name__)
def test_the_steps_are_those_of_the_calibrated_model(build: Callable[[], ir.Model], mode: str) -> None:
    model = build()
    calibrated = quantize(model, samples_for(model), QuantizeOptions("minmax", mode, "off")).model
    graphs = [
        to_integer_graph(found, "highmul" if mode == "highmul" else "tflite", "net")
        for found in (quantize_blindly(model, mode), calibrated)
    ]
    assert shape_of(graphs[0]) == shape_of(graphs[1])
