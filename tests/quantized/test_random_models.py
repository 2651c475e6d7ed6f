"""Random quantized networks: declared inputs and outputs, onnxruntime's values, each step within one of its steps."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from edgeq.frontend import normalize_qdq, normalize_structure
from edgeq.integers import to_integer_graph
from edgeq.lowering import lower
from edgeq.onnxio import Session
from tests.quantized.agreement import compare_layers
from tests.quantized.random_models import RandomModel
from tests.quantized.test_fixtures import declared


def is_rounded(node: ir.Node) -> bool:
    """Whether the import rounds a float constant of a layer, which moves a result that lies at a tie."""
    bias = node.inputs[2] if node.op_type == "Conv" and len(node.inputs) > 2 else None
    return node.op_type == "BatchNormalization" or (bias is not None and bias.is_initializer())


def check(seed: int) -> None:
    made = RandomModel(seed)
    foreign = ir.from_proto(made.model)
    canonical = normalize_qdq(normalize_structure(foreign))
    assert declared(canonical) == declared(foreign)
    exact = not any(is_rounded(node) for node in foreign.graph)
    theirs, mine = Session(foreign), Session(canonical)
    for feed in made.feeds:
        wanted, got = theirs.run({"x": feed}), mine.run({"x": feed})
        for name in theirs.outputs:
            assert wanted[name].shape == got[name].shape
            assert not exact or np.array_equal(wanted[name], got[name]), name
    lowered = lower(canonical, mode="highmul", name="net")
    layers = compare_layers(canonical, lowered, [{"x": feed} for feed in made.feeds])
    # A copy at another scale is compared with the unrounded value that it copies.
    assert max(layer.largest for layer in layers if "_requantized" not in layer.name) <= 1
    to_integer_graph(canonical, "tflite", "net")


@pytest.mark.parametrize("seed", range(8))
def test_random_network_is_right(seed: int) -> None:
    check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 300))
def test_many_random_networks_are_right(seed: int) -> None:
    check(seed)
