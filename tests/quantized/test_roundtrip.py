"""Out to .tflite and back in: edgeq's writer, the test-side converter and the import together lose no bit.

LiteRT runs the file, edgeq the graph that came back; every tensor is compared. So the converter is tested on operators
that the publishers' files do not have, and the import on what edgeq itself writes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx_ir as ir
import pytest
from quant_models import floats, normal, residual_net, samples_for

from edgeq.frontend import normalize_qdq, normalize_structure
from edgeq.integers import to_integer_graph
from edgeq.quant import QuantizeOptions, quantize
from tests.quantized.litert import judge
from tests.quantized.tflite_to_qdq import convert

pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed (extra: tflite)")
pytest.importorskip("tflite", reason="the schema of .tflite is not installed (extra: tflite)")


def window_net() -> ir.Model:
    text = """g (float[1,4,9,8] x) => (float[1,6] y) {
        p = Pad <mode = "constant"> (x, pads)
        a = Conv <strides = [2,2]> (p, w1, b1)
        r = Clip(a, zero, six)
        m = MaxPool <kernel_shape = [2,2], strides = [1,1]> (r)
        v = AveragePool <kernel_shape = [3,3], strides = [1,1], pads = [1,1,1,1]> (m)
        k = Concat <axis = 1> (m, v)
        t = Conv <group = 12, pads = [1,1,1,1]> (k, w2, b2)
        e = Relu(t)
        g = GlobalAveragePool(e)
        f = Flatten(g)
        l = Gemm <transB = 1> (f, w3, b3)
        y = Softmax(l)
    }"""
    constants: dict[str, Any] = {
        "pads": np.array([0, 0, 1, 0, 0, 0, 2, 1], np.int64),
        "w1": normal(6, 4, 3, 3, seed=1, scale=0.3),
        "b1": normal(6, seed=2),
        "w2": normal(12, 1, 3, 3, seed=3),
        "b2": normal(12, seed=4),
        "w3": normal(6, 12, seed=5),
        "b3": normal(6, seed=6),
        "zero": np.float32(0),
        "six": np.float32(6),
    }
    return floats(text, constants)


def elementwise_net() -> ir.Model:
    text = """g (float[1,5,4,6] x) => (float[1,12,5] y) {
        c = Conv (x, w1, b1)
        d = Conv (x, w2)
        u = Mul(c, d)
        q = Sub(u, c)
        r = Relu(q)
        e = Conv (x, w3)
        n = Clip(e, low, high)
        s = Add(r, n)
        t = Transpose <perm = [0,2,3,1]> (s)
        z = Reshape(t, shape)
        h = ReduceMean <keepdims = 0> (z, axes)
        o = Add(h, k)
        y = Reshape(o, last)
    }"""
    constants: dict[str, Any] = {
        "w1": normal(5, 5, 1, 1, seed=1),
        "b1": normal(5, seed=2),
        "w2": normal(5, 5, 1, 1, seed=3, scale=0.4),
        "w3": normal(5, 5, 1, 1, seed=5, scale=0.5),
        "low": np.float32(-1),
        "high": np.float32(1),
        "shape": np.array([1, 2, 12, 5], np.int64),
        "axes": np.array([1], np.int64),
        "k": normal(1, 12, 5, seed=4),
        "last": np.array([1, 12, 5], np.int64),
    }
    return floats(text, constants)


NETS: Final = {"elementwise": elementwise_net, "residual": residual_net, "window": window_net}


@pytest.mark.parametrize("net", NETS)
def test_a_file_that_edgeq_wrote_comes_back_with_its_bits(net: str, tmp_path: Path) -> None:
    from edgeq.backends.tflite import emit_tflite

    model = NETS[net]()
    samples = samples_for(model, 20)
    canonical = quantize(model, samples, QuantizeOptions(mode="tflite")).model
    graph = to_integer_graph(canonical, "tflite", "net")
    path = tmp_path / "net.tflite"
    path.write_bytes(emit_tflite(graph, [str(value.name) for value in canonical.graph.outputs]))
    converted = convert(path)
    foreign = ir.from_proto(converted.model)
    again = to_integer_graph(normalize_qdq(normalize_structure(foreign)), "tflite", "net")
    found = judge(path, converted, again, samples)
    assert found.mismatches == {}
    assert found.elements > 0
    # Copies in another layout are taken out, and put back where they are needed; a reshape is the same tensor. A copy
    # at another scale is called after its value; what reads it is compared.
    moves = [op for op in converted.source.ops if op.code in MOVES]
    moved = {op.outputs[0] for op in moves} | {op.inputs[0] for op in moves if op.code == "RESHAPE"}
    assert set(found.missing) <= {converted.source.tensors[index].name for index in moved}


MOVES: Final = {"PAD", "QUANTIZE", "RESHAPE", "TRANSPOSE"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: b"\0" * len(content), "not a .tflite file"),
        (lambda content: content.replace(b"TFL3", b"TFL2"), "not a .tflite file"),
    ],
)
def test_what_is_no_tflite_file_is_refused(change: Callable[[bytes], bytes], message: str, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(change(b"\x1c\0\0\0TFL3" + b"\0" * 64))
    with pytest.raises(ValueError, match=message):
        convert(path)
