"""Inputs and outputs of imported quantized models: name, type, order and values as the model declares them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from quant_models import parse

from edgeq.analysis.model_values import ModelValue
from edgeq.frontend import normalize_qdq, normalize_structure
from edgeq.integers import to_integer_graph
from edgeq.interp import run
from edgeq.ir import Graph
from edgeq.notes import gathered
from edgeq.numerics.array import Array
from edgeq.onnxio import Session

CONSTANTS: dict[str, Any] = {
    "s": np.float32(0.05),
    "z": np.int8(-3),
    "u": np.uint8(125),
    "t": np.float32(0.11),
    "v": np.int8(10),
    "pp": np.array([0, 1, 0, 0, 0, 1]),
    "first": np.array([1]),
    "third": np.array([3]),
    "low": np.int8(-50),
    "high": np.int8(60),
    "c": np.arange(-6, 6, dtype=np.int8).reshape(1, 12),
    "r": np.array([1, 12]),
    "k": np.random.default_rng(1).integers(-127, 128, (4, 3, 1, 1)).astype(np.int8),
}
IN = "xq = QuantizeLinear(x, s, z)\n xd = DequantizeLinear(xq, s, z)\n"
# Body, inputs, outputs.
MODELS = {
    "transpose behind the last Q": (
        IN + "q = QuantizeLinear(xd, t, v)\n m = Transpose <perm = [0,2,1]> (q)\n y = DequantizeLinear(m, t, v)",
        "float[1,3,4] x",
        "float[1,4,3] y",
    ),
    "convolution, then transpose": (
        IN + "kd = DequantizeLinear(k, s)\n a = Conv(xd, kd)\n q = QuantizeLinear(a, t, v)"
        "\n m = Transpose <perm = [0,2,3,1]> (q)"
        "\n y = DequantizeLinear(m, t, v)",
        "float[1,3,2,2] x",
        "float[1,2,2,4] y",
    ),
    "reshape and transpose": (
        IN + "q = QuantizeLinear(xd, t, v)\n m = Reshape(q, r)\n n = Transpose <perm = [1,0]> (m)"
        "\n y = DequantizeLinear(n, t, v)",
        "float[1,3,4] x",
        "float[12,1] y",
    ),
    "pooling on integers": (
        IN + "m = MaxPool <kernel_shape = [2,2]> (xq)\n y = DequantizeLinear(m, s, z)",
        "float[1,2,3,3] x",
        "float[1,2,2,2] y",
    ),
    "padding on integers, with the integer 0": (
        IN + "m = Pad(xq, pp)\n y = DequantizeLinear(m, s, z)",
        "float[1,3,4] x",
        "float[1,4,5] y",
    ),
    "padding on unsigned integers": (
        "q = QuantizeLinear(x, s, u)\n m = Pad(q, pp)\n y = DequantizeLinear(m, s, u)",
        "float[1,3,4] x",
        "float[1,4,5] y",
    ),
    "padding on integers by a number": (
        IN + "m = Pad(xq, pp, v)\n y = DequantizeLinear(m, s, z)",
        "float[1,3,4] x",
        "float[1,4,5] y",
    ),
    "slice, clip and split of integers": (
        IN
        + "m = Slice(xq, first, third, first)\n n = Clip(m, low, high)\n a, b = Split <axis = 2, num_outputs = 2> (n)"
        "\n y = DequantizeLinear(a, s, z)\n e = DequantizeLinear(b, s, z)",
        "float[1,3,4] x",
        "float[1,2,2] e, float[1,2,2] y",
    ),
    "an element of integers": (
        IN + "m = Gather <axis = 1> (xq, first)\n n = Unsqueeze(m, first)\n y = DequantizeLinear(n, s, z)",
        "float[1,3,4] x",
        "float[1,1,1,4] y",
    ),
    "a constant output": (
        IN + "y = Identity(xd)\n n = DequantizeLinear(c, s, z)",
        "float[1,3,4] x",
        "float[1,3,4] y, float[1,12] n",
    ),
    "an input that is an output": (
        "y = Identity(x)\n d = DequantizeLinear(x, s, z)\n a = Abs(d)\n n = QuantizeLinear(a, t, v)",
        "int8[1,3,4] x",
        "int8[1,3,4] y, int8[1,3,4] n",
    ),
    "concatenation of integers": (
        IN + "m = Concat <axis = 1> (xq, xq)\n y = DequantizeLinear(m, s, z)",
        "float[1,3,4] x",
        "float[1,6,4] y",
    ),
    "integers and their real values": (
        IN + "q = QuantizeLinear(xd, t, v)\n y = DequantizeLinear(q, t, v)",
        "float[1,3,4] x",
        "int8[1,3,4] q, float[1,3,4] y",
    ),
    "real values and their integers": (
        IN + "q = QuantizeLinear(xd, t, v)\n y = DequantizeLinear(q, t, v)",
        "float[1,3,4] x",
        "float[1,3,4] y, int8[1,3,4] q",
    ),
    "moved integers and their real values": (
        IN + "m = Transpose <perm = [0,2,1]> (xq)\n y = DequantizeLinear(m, s, z)",
        "float[1,3,4] x",
        "int8[1,4,3] m, float[1,4,3] y",
    ),
    "an output that is read": (
        IN + "a = Relu(xd)\n aq = QuantizeLinear(a, t, v)\n y = DequantizeLinear(aq, t, v)\n b = Abs(y)"
        "\n bq = QuantizeLinear(b, s, z)\n n = DequantizeLinear(bq, s, z)",
        "float[1,3,4] x",
        "float[1,3,4] n, float[1,3,4] y",
    ),
    "integers that are an output and are read": (
        IN + "a = Relu(xd)\n q = QuantizeLinear(a, t, v)\n y = DequantizeLinear(q, t, v)\n b = Abs(y)"
        "\n n = QuantizeLinear(b, s, z)",
        "float[1,3,4] x",
        "int8[1,3,4] q, int8[1,3,4] n",
    ),
    "one tensor, two outputs": (
        IN + "y = DequantizeLinear(xq, s, z)\n n = DequantizeLinear(xq, s, z)",
        "float[1,3,4] x",
        "float[1,3,4] n, float[1,3,4] y",
    ),
    "an output and its reshape": (
        IN + "a = Abs(xd)\n aq = QuantizeLinear(a, t, v)\n y = DequantizeLinear(aq, t, v)\n n = Reshape(y, r)",
        "float[1,3,4] x",
        "float[1,12] n, float[1,3,4] y",
    ),
    "nothing but a rounding": (IN + "y = Identity(xd)", "float[1,3,4] x", "float[1,3,4] y"),
    "int8 input": ("y = DequantizeLinear(x, s, z)", "int8[1,3,4] x", "float[1,3,4] y"),
    "int8 throughout": (
        (
            "m = Transpose <perm = [0,2,1]> (x)\n d = DequantizeLinear(m, s, z)\n a = Abs(d)"
            "\n q = QuantizeLinear(a, t, v)"
            "\n y = Reshape(q, r)"
        ),
        "int8[1,3,4] x",
        "int8[1,12] y",
    ),
    "int8 input read twice": (
        "d = DequantizeLinear(x, s, z)\n e = DequantizeLinear(x, s, z)\n a = Add(d, e)\n y = QuantizeLinear(a, t, v)",
        "int8[1,3,4] x",
        "int8[1,3,4] y",
    ),
    "uint8 input": (
        "d = DequantizeLinear(x, s, u)\n a = Abs(d)\n y = QuantizeLinear(a, t, v)",
        "uint8[1,3,4] x",
        "int8[1,3,4] y",
    ),
    "uint8 output": (IN + "a = Abs(xd)\n y = QuantizeLinear(a, t, u)", "float[1,3,4] x", "uint8[1,3,4] y"),
    "uint8 throughout": (
        (
            "m = Transpose <perm = [0,2,1]> (x)\n d = DequantizeLinear(m, s, u)\n a = Abs(d)"
            "\n q = QuantizeLinear(a, t, u)"
            "\n y = Reshape(q, r)\n n = DequantizeLinear(y, t, u)"
        ),
        "uint8[1,3,4] x",
        "float[1,12] n, uint8[1,12] y",
    ),
    "uint8 output that is read": (
        IN + "a = Abs(xd)\n q = QuantizeLinear(a, t, u)\n d = DequantizeLinear(q, t, u)\n b = Neg(d)"
        "\n y = QuantizeLinear(b, s, z)",
        "float[1,3,4] x",
        "uint8[1,3,4] q, int8[1,3,4] y",
    ),
    "two inputs of two types": (
        "d = DequantizeLinear(p, s, z)\n" + IN + "a = Add(d, xd)\n y = QuantizeLinear(a, t, v)",
        "int8[1,3,4] p, float[1,3,4] x",
        "int8[1,3,4] y",
    ),
    "uint8 input that is cast": (
        "f = Cast <to = 1> (x)\n q = QuantizeLinear(f, two, z)\n d = DequantizeLinear(q, two, z)\n y = Flatten(q)",
        "uint8[1,3,4] x",
        "int8[1,12] y",
    ),
    "operators written as arithmetic": (
        "f = Cast <to = 1> (x)\n d = Sub(f, three)\n e = Mul(d, s)\n a = Abs(e)\n y = QuantizeLinear(a, t, v)",
        "int8[1,3,4] x",
        "int8[1,3,4] y",
    ),
}
CONSTANTS["three"] = np.float32(3)
CONSTANTS["two"] = np.float32(2)


def foreign(body: str, inputs: str, outputs: str) -> ir.Model:
    words = set(body.replace("(", " ").replace(")", " ").replace(",", " ").split())
    return parse(f"g ({inputs}) => ({outputs}) {{ {body} }}", {k: v for k, v in CONSTANTS.items() if k in words})


def declared(model: ir.Model) -> list[list[tuple[Any, ...]]]:
    sides = (model.graph.inputs, model.graph.outputs)
    return [[(value.name, value.dtype, tuple(value.shape or ())) for value in side] for side in sides]


def feeds_of(model: ir.Model) -> dict[str, Array]:
    generator = np.random.default_rng(4)
    found = {}
    for value in model.graph.inputs:
        assert value.dtype is not None
        assert value.shape is not None
        dtype, shape = value.dtype.numpy(), value.shape.numpy()
        limits = None if dtype.kind == "f" else np.iinfo(dtype)
        drawn = (
            generator.normal(size=shape) * 3 if limits is None else generator.integers(limits.min, limits.max, shape)
        )
        found[str(value.name)] = drawn.astype(dtype)
    return found


def model_values(values: Any, names: tuple[str, ...], graph: Graph) -> list[ModelValue]:
    found = []
    for value, name in zip(values, names, strict=True):
        tensor = graph.tensors[name]
        assert tensor.quant is not None
        shape = tuple(value.shape.numpy())
        found.append(ModelValue(value.name, shape, tensor.quant, value.dtype.numpy()))
    return found


@pytest.mark.parametrize("name", MODELS)
def test_inputs_and_outputs_are_as_declared(name: str) -> None:
    model = foreign(*MODELS[name])
    canonical = normalize_qdq(normalize_structure(model))
    assert declared(canonical) == declared(model)
    feeds = feeds_of(model)
    wanted, found = Session(model).run(feeds), Session(canonical).run(feeds)
    for output in wanted:
        assert wanted[output].dtype == found[output].dtype
        assert np.array_equal(wanted[output], found[output]), output
    graph = to_integer_graph(canonical, "highmul", "net")
    inputs = model_values(canonical.graph.inputs, graph.inputs, graph)
    outputs = model_values(canonical.graph.outputs, graph.outputs, graph)
    results = run(graph, [each.quantize(feeds[each.name]) for each in inputs]).outputs
    for each, result in zip(outputs, results, strict=True):
        got = each.dequantize(result)
        assert got.dtype == wanted[each.name].dtype
        step = 1 if each.passes_through or each.quantization is None else each.quantization.scale[0]
        assert np.abs(got.astype(np.float64) - wanted[each.name]).max() <= 1.01 * step


@pytest.mark.parametrize(("name", "count"), [("uint8 throughout", 2), ("int8 throughout", 0)])
def test_the_user_is_told_that_c_computes_on_int8(name: str, count: int) -> None:
    with gathered() as notes:
        normalize_qdq(normalize_structure(foreign(*MODELS[name])))
    assert [problem.code for problem in notes] == ["EQ0258"] * count


def test_the_user_is_told_of_inputs_that_nothing_reads() -> None:
    body, _, outputs = MODELS["nothing but a rounding"]
    with gathered() as notes:
        canonical = normalize_qdq(normalize_structure(foreign(body, "float[1,3,4] x, float[1,2] idle", outputs)))
    assert [(problem.code, problem.where) for problem in notes] == [("EQ0264", "input idle")]
    assert to_integer_graph(canonical, "highmul", "net").inputs == ("x",)
