"""What lowering makes of imported scales and biases, where TFLite's own float arithmetic or a wide range matters."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import onnx_ir as ir
import pytest
from quant_models import parse

from edgeq.frontend import normalize_qdq, normalize_structure
from edgeq.interp import run
from edgeq.ir import Graph, Node
from edgeq.lowering import lower
from edgeq.numerics import tflite
from edgeq.numerics.array import Array
from edgeq.numerics.scaling import Mode

# Scales whose product, rounded to float32, gives another 31-bit multiplier than the product in float64.
SX, SW, SY = np.float32(0.0123457), np.float32(0.00765432), np.float32(0.0345679)
_BODY: Final = """g ({signature}) {{
    xq = QuantizeLinear(x, sx, zx)
    xd = DequantizeLinear(xq, sx, zx)
    {layer}
    yq = QuantizeLinear(c, sy, zy)
    y = DequantizeLinear(yq, sy, zy)
}}"""
_GEMM: Final = "wd = DequantizeLinear {axis}(w, sw)\n bd = DequantizeLinear(b, sb)\n c = Gemm <transB = 1> (xd, wd, bd)"


def lowered(layer: str, signature: str, constants: dict[str, Any], mode: Mode) -> Graph:
    known = {"sx": SX, "zx": np.int8(3), "sy": SY, "zy": np.int8(-5)} | constants
    model: ir.Model = parse(_BODY.format(signature=signature, layer=layer), known)
    return lower(normalize_qdq(normalize_structure(model)), mode=mode, name="net")


def only(graph: Graph, op: str) -> Node:
    (node,) = [node for node in graph.nodes if node.op == op]
    return node


def multiplier(graph: Graph, op: str, position: int) -> tuple[int, int]:
    found = [graph.tensors[name].value() for name in only(graph, op).inputs[position:]]
    return int(found[0].reshape(-1)[0]), int(found[1].reshape(-1)[0])


def gemm(*, one_scale: bool) -> tuple[str, str, dict[str, Any]]:
    weight = np.arange(-6, 6, dtype=np.int8).reshape(3, 4)
    scale: Array = np.asarray(SW) if one_scale else np.full(3, SW)
    constants = {"w": weight, "sw": scale, "b": np.array([7, -8, 9], np.int32), "sb": np.asarray(SX * SW)}
    text = _GEMM.format(axis="" if one_scale else "<axis = 0> ")
    return text, "float[1,4] x) => (float[1,3] y", constants


def test_scales_of_a_dense_layer_are_multiplied_as_tflite_does_it() -> None:
    wide = np.float64(SX) * np.float64(SW) / np.float64(SY)
    narrow = np.float64(SX * SW) / np.float64(SY)
    assert tflite.quantize_multiplier(float(wide)) != tflite.quantize_multiplier(float(narrow))
    for one_scale, factor in ((True, narrow), (False, wide)):
        graph = lowered(*gemm(one_scale=one_scale), "tflite")
        assert multiplier(graph, "dense", 3) == tflite.quantize_multiplier(float(factor))
        quant = graph.tensors[only(graph, "dense").inputs[1]].quant
        assert quant is not None
        assert (len(quant.scale), quant.axis) == ((1, None) if one_scale else (3, 0))


def test_a_convolution_with_one_scale_multiplies_in_float64() -> None:
    layer = "wd = DequantizeLinear(w, sw)\n c = Conv(xd, wd)"
    constants = {"w": np.arange(-4, 4, dtype=np.int8).reshape(2, 4, 1, 1), "sw": SW}
    graph = lowered(layer, "float[1,4,3,3] x) => (float[1,2,3,3] y", constants, "tflite")
    wanted = tflite.quantize_multiplier(float(np.float64(SX) * np.float64(SW) / np.float64(SY)))
    assert multiplier(graph, "conv2d", 3) == wanted


def test_scales_of_products_are_multiplied_and_divided_in_float32() -> None:
    layer = "kd = DequantizeLinear(k, sw)\n c = Mul(xd, kd)"
    graph = lowered(layer, "float[1,4] x) => (float[1,4] y", {"k": np.array([1, 2, 3, 4], np.int8), "sw": SW}, "tflite")
    assert multiplier(graph, "mul", 2) == tflite.quantize_multiplier(float(SX * SW / SY))


@pytest.mark.parametrize(("mode", "highest"), [("highmul", -3), ("tflite", -2)])
def test_bounds_halfway_between_steps_are_rounded_as_the_mode_does(mode: Mode, highest: int) -> None:
    text, signature, constants = gemm(one_scale=True)
    text = text.replace("c = Gemm", "g = Gemm") + "\n c = Clip(g, low, high)"
    constants |= {"sy": np.float32(4.0), "low": np.float32(-400), "high": np.float32(10.0)}
    assert only(lowered(text, signature, constants, mode), "dense").integer("clamp_max") == highest


@pytest.mark.parametrize("bias", [(1 << 30) + 128, -(1 << 30), 1, 0])
def test_channels_without_weights_are_exact_constants(bias: int) -> None:
    text, signature, constants = gemm(one_scale=False)
    scale = np.array([SW, 1.7e-9, SW], np.float32)
    constants |= {"sw": scale, "b": np.array([7, bias, 9], np.int32), "sb": SX * scale}
    constants["w"] = constants["w"] * np.array([[1], [0], [1]], np.int8)
    text = text.replace("DequantizeLinear(b", "DequantizeLinear <axis = 0> (b")
    real = bias * float(SX) * float(scale[1]) / float(SY) - 5
    x = np.zeros((1, 4), np.int8)
    graph = lowered(text, signature, constants, "highmul")
    assert run(graph, [x]).outputs[0][0, 1] == np.clip(np.rint(real), -128, 127)
    node = only(lowered(text, signature, constants, "tflite"), "dense")
    kept = lowered(text, signature, constants, "tflite").tensors[node.inputs[2]].value()
    assert kept[1] == bias
