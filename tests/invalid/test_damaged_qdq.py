"""Quantized models with one damaged parameter: refused with a node's name, or right; never an internal error.

Every QuantizeLinear and DequantizeLinear of a small network is damaged in every way of the table. What onnxruntime runs
and edgeq takes must agree within the roundings; what edgeq refuses must be a problem of the model, with its place.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from edgeq.errors import EdgeqError, Problem
from edgeq.frontend import is_quantized, normalize_qdq, normalize_structure
from edgeq.integers import to_integer_graph
from edgeq.interp import run
from edgeq.numerics.array import Array
from edgeq.onnxio import Session
from edgeq.onnxio.reader import read_model_bytes

TEXT = """<ir_version: 10, opset_import: ["" : 21]>
g (float[1,3,6,6] x) => (float[1,4] y) {
    xq = QuantizeLinear(x, sx, zx)
    xd = DequantizeLinear(xq, sx, zx)
    wd = DequantizeLinear <axis = 0> (w, sw, zw)
    bd = DequantizeLinear <axis = 0> (b, sb)
    a = Conv <pads = [1,1,1,1]> (xd, wd, bd)
    r = Relu(a)
    rq = QuantizeLinear(r, sr, zr)
    rd = DequantizeLinear(rq, sr, zr)
    p = MaxPool <kernel_shape = [2,2], strides = [2,2]> (rd)
    pq = QuantizeLinear(p, sr, zr)
    pd = DequantizeLinear(pq, sr, zr)
    cd = DequantizeLinear(c, sc, zc)
    k = Concat <axis = 1> (pd, cd)
    kq = QuantizeLinear(k, sr, zr)
    kd = DequantizeLinear(kq, sr, zr)
    m = GlobalAveragePool(kd)
    mq = QuantizeLinear(m, sm, zm)
    md = DequantizeLinear(mq, sm, zm)
    f = Flatten(md)
    fq = QuantizeLinear(f, sm, zm)
    fd = DequantizeLinear(fq, sm, zm)
    vd = DequantizeLinear(v, sv)
    l = MatMul(fd, vd)
    lq = QuantizeLinear(l, sl, zl)
    ld = DequantizeLinear(lq, sl, zl)
    ed = DequantizeLinear(e, se, ze)
    t = Add(ld, ed)
    tq = QuantizeLinear(t, st, zt)
    y = DequantizeLinear(tq, st, zt)
}"""
_RNG = np.random.default_rng(2)
CONSTANTS: dict[str, Any] = {
    "sx": np.float32(0.03),
    "zx": np.int8(4),
    "w": _RNG.integers(-127, 128, (5, 3, 3, 3)).astype(np.int8),
    "sw": np.linspace(0.002, 0.01, 5).astype(np.float32),
    "zw": np.zeros(5, np.int8),
    "b": _RNG.integers(-900, 900, 5).astype(np.int32),
    "sr": np.float32(0.02),
    "zr": np.int8(-128),
    "c": _RNG.integers(-128, 128, (1, 2, 3, 3)).astype(np.int8),
    "sc": np.float32(0.02),
    "zc": np.int8(-128),
    "sm": np.float32(0.015),
    "zm": np.int8(-128),
    "v": _RNG.integers(-127, 128, (7, 4)).astype(np.int8),
    "sv": np.float32(0.01),
    "sl": np.float32(0.05),
    "zl": np.int8(3),
    "e": _RNG.integers(-128, 128, (4,)).astype(np.int8),
    "se": np.float32(0.01),
    "ze": np.int8(0),
    "st": np.float32(0.06),
    "zt": np.int8(-5),
}
CONSTANTS["sb"] = CONSTANTS["sx"] * CONSTANTS["sw"]


def network() -> ModelProto:
    """A network in which every Q and DQ has parameters of its own."""
    model = onnx.parser.parse_model(TEXT)
    for number, node in enumerate(model.graph.node):
        node.name = f"n{number}_{node.op_type}"
        if node.op_type not in {"QuantizeLinear", "DequantizeLinear"}:
            continue
        for position in (1, 2):
            if position < len(node.input):
                name = f"{node.input[position]}.{number}"
                model.graph.initializer.append(numpy_helper.from_array(CONSTANTS[node.input[position]], name))
                node.input[position] = name
    for name in ("w", "b", "c", "v", "e"):
        model.graph.initializer.append(numpy_helper.from_array(CONSTANTS[name], name))
    return onnx.shape_inference.infer_shapes(model)


def initializer(model: ModelProto, name: str) -> TensorProto:
    (found,) = [tensor for tensor in model.graph.initializer if tensor.name == name]
    assert isinstance(found, TensorProto)
    return found


Damage = Callable[[ModelProto, NodeProto], bool]


def scale(value: Any) -> Damage:
    """Another scale; one number for all, or a function of the old ones."""

    def damage(model: ModelProto, node: NodeProto) -> bool:
        tensor = initializer(model, node.input[1])
        old = numpy_helper.to_array(tensor)
        new = value(old) if callable(value) else np.full_like(old, value)
        tensor.CopyFrom(numpy_helper.from_array(np.asarray(new), tensor.name))
        return True

    return damage


def zero(value: Any) -> Damage:
    """Another zero point: a number of the same type, or a function of the old ones."""

    def damage(model: ModelProto, node: NodeProto) -> bool:
        if len(node.input) < 3:
            return False
        tensor = initializer(model, node.input[2])
        old = numpy_helper.to_array(tensor)
        new = value(old) if callable(value) else np.full_like(old, value)
        tensor.CopyFrom(numpy_helper.from_array(np.asarray(new), tensor.name))
        return True

    return damage


def attribute(**attributes: Any) -> Damage:
    """Further attributes."""

    def damage(model: ModelProto, node: NodeProto) -> bool:
        del model
        kept = [item for item in node.attribute if item.name not in attributes]
        del node.attribute[:]
        node.attribute.extend(kept)
        node.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
        return True

    return damage


def without_zero(model: ModelProto, node: NodeProto) -> bool:
    """No zero point: DequantizeLinear takes zero, QuantizeLinear writes uint8."""
    del model
    if len(node.input) < 3:
        return False
    del node.input[2]
    return True


def computed_scale(model: ModelProto, node: NodeProto) -> bool:
    """A scale that an operator makes."""
    model.graph.node.insert(0, helper.make_node("Abs", [node.input[1]], ["made"], name="maker"))
    node.input[1] = "made"
    return True


def given_scale(model: ModelProto, node: NodeProto) -> bool:
    """A scale that is an input of the model."""
    shape = numpy_helper.to_array(initializer(model, node.input[1])).shape
    model.graph.input.append(helper.make_tensor_value_info("given", TensorProto.FLOAT, shape))
    node.input[1] = "given"
    return True


def unread_scale(model: ModelProto, node: NodeProto) -> bool:
    """A scale that does not exist."""
    del model
    node.input[1] = "nowhere"
    return True


def dangling(model: ModelProto, node: NodeProto) -> bool:
    """A second Q or DQ that nobody reads, with parameters that are no good."""
    bad = numpy_helper.from_array(np.array(-1.0, np.float32), "bad")
    model.graph.initializer.append(bad)
    zeros = [name for name in node.input[2:] if not initializer(model, name).dims]
    model.graph.node.append(helper.make_node(node.op_type, [node.input[0], "bad", *zeros], ["loose"], name="loose"))
    return True


def bypassed(model: ModelProto, node: NodeProto) -> bool:
    """The node goes; its readers read what it read."""
    for other in model.graph.node:
        other.input[:] = [node.input[0] if name == node.output[0] else name for name in other.input]
    gone = node.output[0] == model.graph.output[0].name
    model.graph.node.remove(node)
    return not gone


def of_four_bits(model: ModelProto, node: NodeProto) -> bool:
    """Constants as int4."""
    if node.input[0] not in {"w", "v", "c", "e"}:
        return False
    tensor = initializer(model, node.input[0])
    small = (numpy_helper.to_array(tensor).astype(np.int16) // 32).astype(np.int8)
    made = helper.make_tensor(tensor.name, TensorProto.INT4, small.shape, small.reshape(-1))
    tensor.CopyFrom(made)
    if len(node.input) > 2:
        zeros = numpy_helper.to_array(initializer(model, node.input[2]))
        kept = np.clip(zeros, -8, 7)
        shape, name = kept.shape, node.input[2]
        initializer(model, name).CopyFrom(helper.make_tensor(name, TensorProto.INT4, shape, kept.reshape(-1)))
    return True


def longer(old: Array) -> Array:
    return np.repeat(old.reshape(-1), 3)


DAMAGES: dict[str, Damage] = {
    **{f"scale {value!r}": scale(value) for value in (0.0, -0.02, np.nan, np.inf, -np.inf)},
    **{f"scale {value!r}": scale(value) for value in (1e30, 3e38, 1e10, 1e4, 1e-4, 1e-10, 1e-30, 1e-38, 1e-45)},
    "scale one negative": scale(
        lambda old: old * np.where(np.arange(old.size).reshape(old.shape) == old.size - 1, -1, 1).astype(np.float32)
    ),
    "scale longer": scale(longer),
    "scale shorter": scale(lambda old: old.reshape(-1)[:2]),
    "scale empty": scale(lambda old: old.reshape(-1)[:0]),
    "scale of rank 1": scale(lambda old: old.reshape(-1)),
    "scale of rank 2": scale(lambda old: old.reshape(-1, 1)),
    "scale of float16": scale(lambda old: old.astype(np.float16)),
    "scale of float64": scale(lambda old: old.astype(np.float64)),
    "scale of int32": scale(lambda old: old.astype(np.int32) + 1),
    "scale computed": computed_scale,
    "scale given": given_scale,
    "scale unread": unread_scale,
    "zero 127": zero(127),
    "zero -128": zero(-128),
    "zero 1": zero(1),
    "zero longer": zero(longer),
    "zero empty": zero(lambda old: old.reshape(-1)[:0]),
    "zero of rank 2": zero(lambda old: old.reshape(-1, 1)),
    "zero of uint8": zero(lambda old: (old.astype(np.int16) + 128).astype(np.uint8)),
    "zero of int16": zero(lambda old: old.astype(np.int16)),
    "zero of int32": zero(lambda old: old.astype(np.int32)),
    "zero of float": zero(lambda old: old.astype(np.float32)),
    "zero missing": without_zero,
    "axis 9": attribute(axis=9),
    "axis -9": attribute(axis=-9),
    "axis 1": attribute(axis=1),
    "axis as text": attribute(axis="one"),
    "block_size 2": attribute(block_size=2),
    "block_size -1": attribute(block_size=-1),
    "output_dtype int16": attribute(output_dtype=TensorProto.INT16),
    "precision": attribute(precision=TensorProto.FLOAT16),
    "dangling": dangling,
    "bypassed": bypassed,
    "four bits": of_four_bits,
}
EVERYWHERE = [number for number, node in enumerate(network().graph.node) if node.op_type.endswith("tizeLinear")]
# The input's Q, weights, biases, a constant that is joined, an inner Q, the last DQ.
SOME = [0, 2, 3, 11, 13, len(network().graph.node) - 1]


@dataclass
class Outcome:
    """What became of a damaged model."""

    refused: tuple[str, ...]
    wrong: str | None = None


def named(problem: Problem) -> bool:
    """Whether a problem names what it is about: a node or value, or in onnx's own words."""
    return bool(problem.where or problem.got)


def outcome(model: ModelProto) -> Outcome:
    """Import and lower a model in both modes; compare with onnxruntime where it is taken."""
    try:
        read = read_model_bytes(model.SerializeToString())
        assert is_quantized(read)
        canonical = normalize_qdq(normalize_structure(read))
        graph = to_integer_graph(canonical, "highmul", "net")
        to_integer_graph(canonical, "tflite", "net")
    except EdgeqError as error:
        strange = [problem for problem in error.problems if problem.code[2:4] not in {"02", "03"} or not named(problem)]
        return Outcome(tuple(problem.code for problem in error.problems), str(strange[0]) if strange else None)
    try:
        session = Session(ir.from_proto(model))
        feeds = {"x": _RNG.normal(size=(1, 3, 6, 6)).astype(np.float32)}
        wanted = session.run(feeds)["y"]
    except EdgeqError as error:
        return Outcome((), f"onnxruntime does not run it: {error}")
    tensor = graph.tensors[graph.inputs[0]]
    assert tensor.quant is not None
    (scale_x,), (zero_x,) = tensor.quant.scale, tensor.quant.zero_point
    steps = np.rint(feeds["x"] / np.float32(scale_x)).astype(np.float64) + zero_x
    (got,) = run(graph, [np.clip(steps, -128, 127).astype(np.int8)]).outputs
    quant = graph.tensors[graph.outputs[0]].quant
    assert quant is not None
    real = (got.astype(np.float64) - quant.zero_point[0]) * quant.scale[0]
    apart = float(np.abs(real - wanted).max()) / quant.scale[0]
    # Each of seven roundings may be one step off, at scales that lie within a factor of four.
    return Outcome((), f"{apart} steps apart" if not apart <= 4 else None)


def damaged(name: str, places: list[int]) -> Iterator[tuple[str, ModelProto]]:
    for place in places:
        model = network()
        node = model.graph.node[place]
        label = f"{name} at {node.name}"
        if DAMAGES[name](model, node):
            yield label, model


def test_the_network_is_right_undamaged() -> None:
    assert outcome(network()) == Outcome(())


def check(name: str, places: list[int]) -> None:
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for label, model in damaged(name, places):
            result = outcome(model)
            if result.wrong is not None:
                found.append(f"{label}: {result.wrong}")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_refused_or_right(name: str) -> None:
    check(name, SOME)


@pytest.mark.slow
@pytest.mark.parametrize("name", DAMAGES)
def test_damage_anywhere_is_refused_or_right(name: str) -> None:
    check(name, EVERYWHERE)
