"""What one reader of a tensor wants must not cost the others their resolution.

A Concat of a narrow and a wide tensor once forced the wide scale on the narrow one, and took a Gemm that read the
narrow one too from 41 to 9.6 dB.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from quant_models import floats, normal

from edgeq import frontend
from edgeq.integers import to_integer_graph
from edgeq.interp import run
from edgeq.ir import Graph
from edgeq.numerics.array import Array
from edgeq.numerics.scaling import Mode
from edgeq.onnxio import Session
from edgeq.onnxio.samples import Samples
from edgeq.quant import QuantizeOptions, quantize
from edgeq.quant.specification import quantized_nodes

CONSTANTS = {
    "w": normal(16, 4, scale=0.25),
    "w2": normal(32, 4, scale=0.25),
    "k": np.float32(100),
    "k2": np.float32(0.01),
    "wide": normal(1, 16, seed=1, scale=50),
    "pads": np.array([0, 2, 0, 3]),
    "far": np.float32(-900),
    "starts": np.array([0, 3]),
    "ends": np.array([1, 16]),
    "axes": np.array([1]),
    "four": np.array([1, 4, 4]),
    "flat": np.array([1, 16]),
}
Z = "z = MatMul(x, w)"
# Further readers of x (or of what is made of it), the name of their result and its shape.
READERS: Mapping[str, tuple[str, str, str]] = {
    "concat": ("b = Mul(x, k) c = Concat <axis = 1> (x, b)", "c", "[1,32]"),
    "concat_in_the_other_order": ("b = Mul(x, k) c = Concat <axis = 1> (b, x)", "c", "[1,32]"),
    "concat_of_itself_and_more": ("b = Mul(x, k) c = Concat <axis = 1> (x, b, x)", "c", "[1,48]"),
    "concat_of_a_constant": ("c = Concat <axis = 1> (x, wide)", "c", "[1,32]"),
    "chain_of_concats": (
        "s = Mul(x, k2) d = Concat <axis = 1> (s, x) b = Mul(x, k) c = Concat <axis = 1> (d, b)",
        "c",
        "[1,48]",
    ),
    "moved_before_the_concat": (
        (
            "r = Reshape(x, four) t = Transpose <perm = [0, 2, 1]> (r) u = Reshape(t, flat) "
            "b = Mul(x, k) c = Concat <axis = 1> (u, b)"
        ),
        "c",
        "[1,32]",
    ),
    "padded": ("c = Pad(x, pads, far)", "c", "[1,21]"),
    "sliced_and_padded": ("s = Slice(x, starts, ends) c = Pad(s, pads, far)", "c", "[1,18]"),
    "concat_of_a_fixed_scale": ("g = Sigmoid(x) b = Mul(g, k) c = Concat <axis = 1> (g, x, b)", "c", "[1,48]"),
    "added_and_joined": ("b = Mul(x, k) a = Add(x, b) c = Concat <axis = 1> (x, a)", "c", "[1,32]"),
}
READERS_OF_NOTHING_WIDE = ("t = Reshape(x, four) c = MaxPool <kernel_shape = [2]> (t)", "c", "[1,4,3]")


def model_of(body: str, outputs: str) -> ir.Model:
    used = {
        name: array for name, array in CONSTANTS.items() if any(f"{s}{name}{e}" in body for s in "( " for e in ",)")
    }
    return floats(f"g (float[1,16] x) => ({outputs}) {{ {body} }}", used)


def data(count: int = 48) -> Array:
    return np.random.default_rng(3).uniform(-1, 1, (count, 16)).astype(np.float32)


def compiled(model: ir.Model, mode: Mode = "highmul") -> tuple[Graph, ir.Model, Any]:
    options = QuantizeOptions("minmax", mode, "off")
    found = quantize(model, Samples.of({"x": data()}, model), options)
    return to_integer_graph(found.model, mode, "net"), found.model, found.report


def sqnr_db(graph: Graph, model: ir.Model, name: str) -> float:
    """Signal-to-noise ratio of one output of the integer graph."""
    session, position = Session(model), [str(value.name) for value in model.graph.outputs].index(name)
    given, result = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[position]]
    assert given.quant is not None
    assert result.quant is not None
    signal = noise = 0.0
    for x in data():
        steps = np.rint(x / np.float32(given.quant.scale[0])) + given.quant.zero_point[0]
        integers = np.clip(steps, -128, 127).astype(np.int8).reshape(given.shape)
        got = run(graph, [integers]).outputs[position].astype(float)
        real = (got - result.quant.zero_point[0]) * result.quant.scale[0]
        wanted = session.run({"x": x[None]})[name].astype(float)
        signal, noise = signal + float((wanted**2).sum()), noise + float(((wanted - real) ** 2).sum())
    return float(10 * np.log10(signal / noise))


@pytest.mark.parametrize("mode", ["highmul", "tflite"])
@pytest.mark.parametrize("case", READERS)
def test_an_unrelated_reader_moves_no_branch(case: str, mode: Mode) -> None:
    body, name, shape = READERS[case]
    alone = model_of(Z, "float[1,4] z")
    both = model_of(f"{body} {Z}", f"float[1,4] z, float{shape} {name}")
    without = compiled(alone, mode)[0]
    graph, _, report = compiled(both, mode)
    assert sqnr_db(graph, both, "z") == pytest.approx(sqnr_db(without, alone, "z"), abs=1e-6)
    assert sqnr_db(graph, both, "z") > 38
    assert sqnr_db(graph, both, name) > 35
    # No operand that others read has a step that is more than 4 times what its own range needs.
    for name_, tensor in report.tensors.items():
        if name_ in {"x", "a", "z"}:
            needed = (max(tensor.high, 0) - min(tensor.low, 0)) / 255
            assert tensor.scale <= 1.01 * needed, name_


@pytest.mark.parametrize("case", READERS)
def test_the_quantized_model_says_the_same_as_the_graph(case: str) -> None:
    """Requantizes are DequantizeLinear and QuantizeLinear in a row; the file comes in again as it went out."""
    body, name, shape = READERS[case]
    graph, qdq, _ = compiled(model_of(f"{body} {Z}", f"float[1,4] z, float{shape} {name}"))
    again = frontend.normalize_qdq(frontend.normalize_structure(ir.from_proto(ir.to_proto(qdq))))
    second = to_integer_graph(again, "highmul", "net")
    for x in np.random.default_rng(4).integers(-128, 128, (8, *graph.tensors[graph.inputs[0]].shape)).astype(np.int8):
        for one, other in zip(run(graph, [x]).outputs, run(second, [x]).outputs, strict=True):
            np.testing.assert_array_equal(one, other)


def test_operators_that_pass_a_scale_on_cost_nothing() -> None:
    body, name, shape = READERS_OF_NOTHING_WIDE
    graph, qdq, _ = compiled(model_of(f"{body} {Z}", f"float[1,4] z, float{shape} {name}"))
    assert not [node for node in graph.nodes if node.op == "requantize"]
    assert not [node for node in qdq.graph if node.op_type == "Identity"]


def test_an_operand_without_other_readers_takes_the_scale_of_the_concat() -> None:
    body = "s = Mul(x, k2) b = Mul(x, k) c = Concat <axis = 1> (s, b)"
    graph, _, _ = compiled(model_of(body, "float[1,32] c"))
    assert not [node for node in graph.nodes if node.op == "requantize"]


def test_a_concat_of_equal_ranges_needs_no_requantize() -> None:
    """The wide operand keeps its scale, which is the result's."""
    graph, _, _ = compiled(model_of(f"c = Concat <axis = 1> (x, x) {Z}", "float[1,4] z, float[1,32] c"))
    assert not [node for node in graph.nodes if node.op == "requantize"]


FILLS = {
    "relu": ("p = Pad(x, pads, fill) y = Relu(p)", -1e9),
    "relu6": ("p = Pad(x, pads, fill) y = Clip(p, zero, six)", 1e9),
    "two_clamps": ("p = Pad(x, pads, fill) a = Relu(p) b = Clip(p, zero, six) y = Add(a, b)", -1e9),
    "lowest": ("p = Pad(x, pads, fill) y = Relu(p)", float(np.finfo(np.float32).min)),
    "infinite": ("p = Pad(x, pads, fill) y = Relu(p)", -np.inf),
    "through_moves": (
        (
            "p = Pad(x, pads, fill) t = Transpose <perm = [1, 0]> (p) u = Transpose <perm = [1, 0]> (t) "
            "s = Concat <axis = 1> (u, x) y = Relu(s)"
        ),
        -1e9,
    ),
    "hard_sigmoid": ("p = Pad(x, pads, fill) y = HardSigmoid(p)", -1e9),
    "hard_swish": ("p = Pad(x, pads, fill) y = HardSwish(p)", -1e9),
}


@pytest.mark.parametrize("case", FILLS)
def test_a_fill_that_an_activation_removes_holds_no_range_open(case: str) -> None:
    body, fill = FILLS[case]
    columns = 37 if "Concat" in body else 21
    constants = {"pads": CONSTANTS["pads"], "fill": np.float32(fill), "zero": np.float32(0), "six": np.float32(6)}
    words = set(re.findall(r"\w+", body))
    used = {name: array for name, array in constants.items() if name in words}
    model = floats(f"g (float[1,16] x) => (float[1,{columns}] y) {{ {body} }}", used)
    graph, _, report = compiled(model)
    assert sqnr_db(graph, model, "y") > 30
    assert all(max(abs(tensor.low), abs(tensor.high)) < 7 for tensor in report.tensors.values())


def test_a_fill_that_is_read_as_it_is_stays() -> None:
    constants = {"pads": CONSTANTS["pads"], "fill": np.float32(-9), "w": normal(21, 3)}
    model = floats(
        "g (float[1,16] x) => (float[1,21] y, float[1,3] z) { p = Pad(x, pads, fill) y = Relu(p) z = MatMul(p, w) }",
        constants,
    )
    graph, _, report = compiled(model)
    assert report.tensors["p"].low == -9
    assert sqnr_db(graph, model, "z") > 30


def random_net(seed: int) -> ir.Model:
    """Ten operators on rows of eight, each on values made before, with factors from a hundredth to a hundred."""
    rng = np.random.default_rng(seed)
    lines, values = [], ["x"]
    constants: dict[str, Any] = {"starts": np.array([0, 0]), "ends": np.array([1, 8]), "fill": np.float32(-30)}
    constants |= {"pads": np.array([0, 0, 0, 0]), "axes": np.array([0, 1])}
    for number in range(10):
        name, (a, b) = f"v{number}", (str(rng.choice(values[-4:])) for _ in range(2))
        kind = rng.choice(["mul", "add", "concat", "slice", "sigmoid", "relu", "pad", "turn"])
        constants[f"k{number}"] = np.float32(10 ** rng.uniform(-2, 2))
        constants[f"p{number}"] = np.array([0, 0, 0, int(rng.integers(0, 2))])
        cut = f"Slice({name}_c, starts, ends, axes)"
        lines.append(
            {
                "mul": f"{name} = Mul({a}, k{number})",
                "add": f"{name} = Add({a}, {b})",
                "concat": f"{name}_c = Concat <axis = 1> ({a}, {b}) {name} = {cut}",
                "slice": f"{name}_c = Concat <axis = 1> ({a}, {a}, {b}) {name} = {cut}",
                "sigmoid": f"{name} = Sigmoid({a})",
                "relu": f"{name} = Relu({a})",
                "pad": f"{name}_c = Pad({a}, p{number}, fill) {name} = {cut}",
                "turn": f"{name}_t = Transpose <perm = [1, 0]> ({a}) {name} = Transpose <perm = [1, 0]> ({name}_t)",
            }[str(kind)]
        )
        values.append(name)
    body = " ".join(lines)
    words = set(re.findall(r"\w+", body))
    read = set(re.findall(r"\w+", " ".join(re.findall(r"\([^)]*\)", body))))
    outputs = [name for name in values[1:] if name not in read]
    used = {name: array for name, array in constants.items() if name in words}
    return floats(f"g (float[1,8] x) => ({', '.join(f'float[1,8] {name}' for name in outputs)}) {{ {body} }}", used)


@pytest.mark.parametrize("mode", ["highmul", "tflite"])
def test_no_step_is_more_than_four_times_what_its_own_range_needs(mode: Mode) -> None:
    """Unless the only reader of a tensor asks for it, or the tensor's producer fixes or passes on the scale."""
    checked = requantizes = 0
    for seed in range(16):
        model = random_net(seed)
        samples = Samples.of({"x": np.random.default_rng(seed).uniform(-1, 1, (16, 8)).astype(np.float32)}, model)
        found = quantize(model, samples, QuantizeOptions("minmax", mode, "off"))
        rules = {str(value.name): node.rule for node in quantized_nodes(model, mode) for value in node.outputs}
        asked = {
            str(value.name)
            for node in quantized_nodes(model, mode)
            for value in node.computed
            if node.rule == "same" and len({use.node for use in value.uses()}) == 1 and not value.is_graph_output()
        }
        for name, tensor in found.report.tensors.items():
            if name in asked or rules.get(name, "own") != "own" or "_requantized" in name:
                continue
            needed = (max(tensor.high, 0.0) - min(tensor.low, 0.0)) / 255
            assert tensor.scale <= 4 * needed or needed == 0, (seed, name)
            checked += 1
        graph = to_integer_graph(found.model, mode, "net")
        requantizes += sum(node.op == "requantize" for node in graph.nodes)
    assert checked > 40
    assert requantizes > 10
