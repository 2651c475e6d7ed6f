"""Whatever exporters add to scores to mask them becomes a Where right before the Softmax, and computes the same."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeq.frontend import check_support, normalize, normalize_qdq, normalize_structure
from edgeq.frontend.rules.masking import split_mask
from edgeq.interp import run
from edgeq.ir import Graph
from edgeq.lowering import lower
from edgeq.numerics.array import Array
from edgeq.onnxio.reader import read_model_bytes
from edgeq.onnxio.samples import Samples
from edgeq.ops.softmax import mask_rows
from edgeq.quant import QuantizeOptions, quantize
from tests.conformance.node_tests import run_float

N = 6
UPPER = np.triu(np.ones((N, N), np.bool_), 1)
BIAS = np.random.default_rng(3).normal(size=(N, N)).astype(np.float32)
POSITION = np.array([3])


def model(steps: str, constants: dict[str, Array], *, position: bool = False) -> bytes:
    """q·k, the steps from s to a, one ``a = Op(b, c)`` per line, and a Softmax."""
    nodes = [helper.make_node("MatMul", ["q", "k"], ["s"])]
    for line in filter(None, map(str.strip, steps.split("\n"))):
        result, _, call = line.partition(" = ")
        kind, _, operands = call.rstrip(")").partition("(")
        made = helper.make_node(kind, operands.split(", "), [result])
        if kind == "Cast":
            made.attribute.append(helper.make_attribute("to", TensorProto.FLOAT))
        nodes.append(made)
    nodes.append(helper.make_node("Softmax", ["a"], ["y"], axis=-1))
    inputs = [
        helper.make_tensor_value_info("q", TensorProto.FLOAT, (1, 2, N, 4)),
        helper.make_tensor_value_info("k", TensorProto.FLOAT, (1, 2, 4, N)),
    ]
    inputs += [helper.make_tensor_value_info("p", TensorProto.INT64, (1,))] * position
    inputs += [helper.make_tensor_value_info("n", TensorProto.INT64, (1, N))] * ("(n" in steps)
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "masked", inputs, [output], tensors)
    whole = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(whole.SerializeToString())


def number(value: float) -> Array:
    return np.array(value, np.float32)


PLACES = {"r": np.arange(N), "z": number(0), "f": number(-np.inf)}
CASES: dict[str, tuple[str, dict[str, Array]]] = {
    "added-infinity": ("a = Add(s, m)", {"m": np.where(UPPER, -np.inf, 0).astype(np.float32)}),
    "added-first": ("a = Add(m, s)", {"m": np.where(UPPER, np.finfo(np.float32).min, 0).astype(np.float32)}),
    "added-with_bias": ("a = Add(s, m)", {"m": np.where(UPPER, np.float32(-1e4), BIAS)}),
    "chosen": ("a = Where(m, f, s)", {"m": UPPER, "f": number(-np.inf)}),
    "kept": ("a = Where(m, s, f)", {"m": ~UPPER, "f": number(-1e9)}),
    "compared": ("c = LessOrEqual(r, p)\n w = Where(c, z, f)\n a = Add(s, w)", PLACES),
    "compared-and_added": (
        "c = LessOrEqual(r, p)\n w = Where(c, z, f)\n m2 = Add(w, m)\n a = Add(s, m2)",
        PLACES | {"m": np.where(UPPER, np.float32(-1e9), BIAS)},
    ),
    "compared-chosen": ("c = Less(p, r)\n a = Where(c, f, s)", PLACES),
    "compared-number": (
        "c = LessOrEqual(r, p)\n d = Cast(c)\n e = Sub(o, d)\n w = Mul(e, f)\n a = Add(s, w)",
        PLACES | {"o": number(1), "f": number(-1e4)},
    ),
    "counted": (
        "u = Unsqueeze(n, one)\n d = Cast(u)\n e = Sub(o, d)\n w = Mul(e, f)\n a = Add(s, w)",
        {"one": np.array([0]), "o": number(1), "f": number(float(np.finfo(np.float32).min))},
    ),
    "gathered": ("w = Gather(m, p)\n a = Add(s, w)", {"m": np.where(UPPER, np.float32(-1e9), 0).astype(np.float32)}),
    "gathered-bias": ("w = Gather(m, p)\n a = Add(s, w)", {"m": np.where(UPPER, np.float32(-1e4), BIAS)}),
    "gathered-reshaped": (
        "w = Gather(m, p)\n u = Reshape(w, t)\n a = Add(s, u)",
        {"m": np.where(UPPER, np.float32(-1e9), 0).astype(np.float32), "t": np.array([1, 1, 1, N])},
    ),
}


def feeds_of(model_: ir.Model) -> dict[str, Array]:
    generator = np.random.default_rng(1)
    shapes = {"q": (1, 2, N, 4), "k": (1, 2, 4, N)}
    found: dict[str, Array] = {name: generator.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    plain = {"n": np.array([[1, 1, 0, 1, 1, 0]]), "p": POSITION}
    names = {str(value.name) for value in model_.graph.inputs}
    return found | {name: value for name, value in plain.items() if name in names}


def quantized(name: str) -> tuple[ir.Model, ir.Model, dict[str, Array]]:
    """The normalized model, the QDQ model, and the inputs."""
    steps, constants = CASES[name]
    data = model(steps, constants, position=", p" in steps or "(p" in steps)
    read = read_model_bytes(data)
    normal = normalize(read)
    assert not check_support(normal)
    feeds = feeds_of(read)
    (want,), (have,) = (run_float(ir.to_proto(each), feeds) for each in (read, normal))
    assert np.allclose(want, have, atol=1e-5)
    samples = Samples.of({key: np.stack([value] * 4) for key, value in feeds.items()}, normal)
    return normal, quantize(normal, samples, QuantizeOptions(bias_correction="off")).model, feeds


def integers(graph: Graph, feeds: dict[str, Array]) -> Array:
    given = {}
    for name, value in feeds.items():
        quant = graph.tensors[name].quant
        given[name] = value.astype(graph.tensors[name].dtype.numpy) if quant is None else quant.quantize(value)
    return run(graph, given).outputs[0]


@pytest.mark.parametrize("name", CASES)
def test_a_masked_position_has_no_probability_and_no_part_in_a_scale(name: str) -> None:
    normal, qdq, feeds = quantized(name)
    kinds = Counter(node.op_type for node in normal.graph)
    assert kinds["Where"] == kinds["Softmax"] == 1
    graph = lower(qdq, mode="highmul", name="masked")
    assert [node.op for node in graph.nodes].count("masked_softmax") == 1
    scales = [tensor.quant.scale[0] for tensor in graph.activations() if tensor.quant is not None]
    assert max(scales) < 0.1
    (want,) = run_float(ir.to_proto(normal), feeds)
    have = integers(graph, feeds)
    assert (have[want == 0] == -128).all()
    assert np.abs((have.astype(np.int32) + 128) / 256 - want).max() < 0.02


def test_a_mask_stays_before_its_softmax_where_heads_share_keys() -> None:
    steps = "u = Reshape(s, t)\n a = Where(m, u, f)"
    constants = {"t": np.array([1, 4, N // 2, N]), "m": ~UPPER[: N // 2], "f": number(-1e9)}
    normal = normalize(read_model_bytes(model(steps, constants)))
    (softmax,) = [node for node in normal.graph if node.op_type == "Softmax"]
    assert softmax.inputs[0] is not None
    maker = softmax.inputs[0].producer()
    assert maker is not None
    assert maker.op_type == "Where"


@pytest.mark.parametrize("name", ["added-with_bias", "compared"])
def test_what_edgeq_writes_it_reads_again(name: str) -> None:
    _, qdq, feeds = quantized(name)
    again = normalize_qdq(normalize_structure(read_model_bytes(ir.to_proto(qdq).SerializeToString())))
    first, second = (lower(each, mode="highmul", name="masked") for each in (qdq, again))
    assert [node.op for node in first.nodes] == [node.op for node in second.nodes]
    assert np.array_equal(integers(first, feeds), integers(second, feeds))
    (real,) = run_float(ir.to_proto(qdq), feeds)
    assert np.abs(real * 256 - 128 - integers(first, feeds)).max() <= 1


@pytest.mark.parametrize(
    ("steps", "constants"),
    [
        ("a = Add(s, m)", {"m": BIAS}),
        ("a = Where(m, s, f)", {"m": ~UPPER, "f": number(0)}),
        ("b = Add(s, m)\n a = Relu(b)", {"m": np.where(UPPER, np.float32(-1e4), 0).astype(np.float32)}),
    ],
)
def test_what_masks_nothing_is_left(steps: str, constants: dict[str, Array]) -> None:
    normal = normalize(read_model_bytes(model(steps, constants)))
    assert "masked" not in "".join(str(value.name) for node in normal.graph for value in node.outputs)


def test_a_row_that_is_masked_as_a_whole_by_one_number_is_not_masked() -> None:
    mask = np.zeros((3, 4), np.float32)
    mask[0] = -1e4
    mask[1] = [-1e4, -1e4, 0, 1]
    mask[2] = -np.inf
    condition, rest = split_mask(mask, (2, 3, 4)) or (None, None)
    assert condition is not None
    assert rest is not None
    assert condition.tolist() == [[True] * 4, [False, False, True, True], [True] * 4]
    assert rest.tolist() == [[0.0] * 4, [0, 0, 0, 1], [0] * 4]
    assert split_mask(BIAS, (1, N, N)) is None


@pytest.mark.parametrize(
    ("x", "mask", "rows"),
    [
        ((2, 3, 4, 5), (4, 5), (1, 4)),
        ((2, 3, 4, 5), (2, 1, 1, 5), (12, 2)),
        ((2, 3, 4, 5), (1, 3, 1, 5), (4, 3)),
        ((2, 3, 4, 5), (2, 3, 4, 5), (1, 24)),
        ((2, 3, 4, 5), (5,), (24, 1)),
        ((2, 3, 4, 5), (2, 1, 4, 5), None),
        ((2, 3, 4, 5), (4, 1), None),
        ((4, 5), (2, 4, 5), None),
    ],
)
def test_rows_of_a_mask_go_round(x: tuple[int, ...], mask: tuple[int, ...], rows: tuple[int, int] | None) -> None:
    assert mask_rows(x, mask) == rows
    if rows is not None:
        repeat, period = rows
        values = np.random.default_rng(0).integers(0, 2, mask)
        spread = np.broadcast_to(values, x).reshape(-1, x[-1])
        table = values.reshape(-1, x[-1])
        assert all((spread[row] == table[row // repeat % period]).all() for row in range(len(spread)))
