"""The .tflite writer on graphs made by hand: types that the quantizer does not use yet, the format, and refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeq.backends.tflite import emit_tflite
from edgeq.backends.tflite.emit import draft_of
from edgeq.backends.tflite.exactness import fused_activation
from edgeq.backends.tflite.versions import RUNTIMES, minimum_runtime
from edgeq.backends.tflite.write.window import padding_scheme
from edgeq.errors import EdgeqError
from edgeq.extras import missing
from edgeq.interp import run
from edgeq.ir import DType, Graph, Node, Quantization, Tensor
from edgeq.numerics import tflite as arithmetic
from edgeq.numerics.array import Array
from edgeq.ops.window import window_output
from edgeq.runners.base import ImageSpec, RunRequest, TensorSpec
from edgeq.runners.table import load_runner

needs_litert = pytest.mark.skipif(bool(missing("tflite")), reason="pip install 'edgeq[tflite]'")
GEOMETRY: dict[str, Any] = {"strides": (1, 1), "pads": (1, 1, 1, 1), "dilations": (1, 1), "group": 1}
X_SCALE, W_SCALES, Y_SCALE = 0.5, (0.25, 0.125, 0.0625, 0.5), 4.0


def f32(value: float) -> float:
    return float(np.float32(value))


def layer(
    op: str,
    *,
    dtype: DType = DType.INT8,
    bits: int | None = None,
    x_zero: int = 0,
    clamp: tuple[int, int] | None = None,
) -> Graph:
    """One layer of four outputs over x[1,5,5,3] or x[2,6]."""
    rng = np.random.default_rng(5)
    image = op == "conv2d"
    x_shape, shape = ((1, 5, 5, 3), (4, 3, 3, 3)) if image else ((2, 6), (4, 6))
    y_shape = (1, 5, 5, 4) if image else (2, 4)
    limit = 7 if bits == 4 else 127
    weight = rng.integers(-limit, limit + 1, shape).astype(np.int8)
    y_zero = 0 if dtype is DType.INT16 else 3
    plain = rng.integers(-500, 500, 4)
    bias = (plain - x_zero * weight.reshape(4, -1).astype(np.int64).sum(axis=1)).astype(np.int32)
    factors = np.array([X_SCALE * scale / Y_SCALE for scale in W_SCALES])
    multiplier, exponent = arithmetic.quantize_multipliers(factors)
    graph = Graph("layer", inputs=("x",), outputs=("y",))
    graph.add_tensor(Tensor("x", x_shape, dtype, quant=Quantization.per_tensor(dtype, X_SCALE, x_zero)))
    graph.add_tensor(Tensor.constant("w", weight, Quantization(DType.INT8, W_SCALES, (0,) * 4, 0, bits)))
    for name, values in (("b", bias), ("m", multiplier), ("e", exponent)):
        graph.add_tensor(Tensor.constant(name, values))
    graph.add_tensor(Tensor("y", y_shape, dtype, quant=Quantization.per_tensor(dtype, Y_SCALE, y_zero)))
    low, high = clamp or (dtype.min, dtype.max)
    attrs: dict[str, Any] = {"requant": "tflite", "acc": "i32", "shift": 0, "out_zero": y_zero}
    attrs |= {"clamp_min": low, "clamp_max": high, **(GEOMETRY | {"pad_value": x_zero} if image else {})}
    graph.nodes.append(Node(op, "y", ("x", "w", "b", "m", "e"), ("y",), attrs, ("onnx",)))
    return graph


def pool(op: str, size: int, kernel: int, stride: int, pads: tuple[int, ...], clamp: tuple[int, int]) -> Graph:
    """A pool over x[1,size,size,2]."""
    quant = Quantization.per_tensor(DType.INT8, 0.5, -3)
    graph = Graph("pool", inputs=("x",), outputs=("y",))
    graph.add_tensor(Tensor("x", (1, size, size, 2), DType.INT8, quant=quant))
    attrs: dict[str, Any] = {"kernel": (kernel, kernel), "strides": (stride, stride), "pads": pads}
    attrs |= {"clamp_min": clamp[0], "clamp_max": clamp[1]}
    node = Node(op, "y", ("x",), ("y",), attrs)
    rows, columns = window_output(node, (1, size, size, 2), (kernel, kernel), (1, 1))
    graph.add_tensor(Tensor("y", (1, rows, columns, 2), DType.INT8, quant=quant))
    graph.nodes.append(node)
    return graph


def judge(graph: Graph, folder: Path, x: Array) -> Array:
    """The output that LiteRT gives."""
    path = folder / "model.tflite"
    path.write_bytes(emit_tflite(graph, ["result"]))

    def spec(name: str) -> TensorSpec:
        return TensorSpec(name, graph.tensors[name].dtype.value, graph.tensors[name].shape)

    image = ImageSpec(graph.name, (spec("x"),), (spec("y"),), image=path)
    return np.asarray(load_runner("tflite").run(RunRequest(image, [[x]])).outputs[0][0])


def drawn(graph: Graph) -> Array:
    x = graph.tensors["x"]
    values: Array = np.random.default_rng(2).integers(x.dtype.min, x.dtype.max + 1, x.shape).astype(x.dtype.numpy)
    return values


def codes(graph: Graph) -> list[tuple[str, int]]:
    return [(operator.code, operator.version) for operator in draft_of(graph).operators]


@needs_litert
@pytest.mark.parametrize("x_zero", [-128, 0, 77])
@pytest.mark.parametrize("bits", [None, 4])
@pytest.mark.parametrize("op", ["conv2d", "dense"])
def test_int8_and_int4_weights_have_the_reference_bits(op: str, bits: int | None, x_zero: int, tmp_path: Path) -> None:
    graph = layer(op, bits=bits, x_zero=x_zero)
    x = drawn(graph)
    np.testing.assert_array_equal(judge(graph, tmp_path, x), run(graph, [x]).outputs[0])


@needs_litert
@pytest.mark.parametrize("op", ["conv2d", "dense"])
def test_int16_activations_are_read_and_computed(op: str, tmp_path: Path) -> None:
    graph = layer(op, dtype=DType.INT16)
    x = drawn(graph)
    got = judge(graph, tmp_path, x)
    weight, bias = graph.tensors["w"].value().astype(np.int64), graph.tensors["b"].value()
    if op == "dense":
        acc = x.astype(np.int64) @ weight.T + bias
    else:
        around = np.pad(x.astype(np.int64), ((0, 0), (1, 1), (1, 1), (0, 0)))
        view = np.lib.stride_tricks.sliding_window_view(around, (3, 3), axis=(1, 2))
        acc = np.einsum("nhwcij,oijc->nhwo", view, weight) + bias
    wanted = np.clip(np.rint(acc * X_SCALE * np.array(W_SCALES) / Y_SCALE), -32768, 32767)
    # LiteRT keeps 15 bits of the multiplier.
    assert np.abs(got - wanted).max() <= 1 + np.abs(wanted).max() * 2.0**-15


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        (layer("conv2d"), ("CONV_2D", 3)),
        (layer("conv2d", bits=4), ("CONV_2D", 7)),
        (layer("conv2d", dtype=DType.INT16), ("CONV_2D", 4)),
        (layer("dense"), ("FULLY_CONNECTED", 4)),
        (layer("dense", bits=4), ("FULLY_CONNECTED", 10)),
        (layer("dense", dtype=DType.INT16), ("FULLY_CONNECTED", 7)),
    ],
    ids=lambda value: value[0] + str(value[1]) if isinstance(value, tuple) else "",
)
def test_version_is_the_oldest_that_has_the_types(graph: Graph, expected: tuple[str, int]) -> None:
    assert codes(graph) == [expected]
    assert expected in RUNTIMES


def test_minimum_runtime_is_the_newest_of_all_versions() -> None:
    assert minimum_runtime([("CONV_2D", 3), ("CONV_2D", 7), ("ADD", 2)]) == "2.11.0"
    assert minimum_runtime([("MUL", 2), ("MUL", 4)]) == "2.3.0"


@needs_litert
@pytest.mark.parametrize("clamp", [(3, 127), (-5, 90), (-128, 60), (-128, 127), (10, 10)])
@pytest.mark.parametrize("op", ["conv2d", "dense"])
def test_any_clamp_is_exact(op: str, clamp: tuple[int, int], tmp_path: Path) -> None:
    graph = layer(op, clamp=clamp)
    x = drawn(graph)
    np.testing.assert_array_equal(judge(graph, tmp_path, x), run(graph, [x]).outputs[0])


def test_clamp_is_fused_where_tflite_has_the_same_bounds() -> None:
    # 6 / 0.04 = 150 steps above the zero point.
    tensor = Tensor("y", (1,), DType.INT8, quant=Quantization.per_tensor(DType.INT8, f32(0.04), -100))
    assert fused_activation(tensor, -128, 127) == "NONE"
    assert fused_activation(tensor, -100, 127) == "RELU"
    assert fused_activation(tensor, -100, 50) == "RELU6"
    assert fused_activation(tensor, -125, -75) == "RELU_N1_TO_1"
    assert fused_activation(tensor, -100, 51) is None


@needs_litert
@pytest.mark.parametrize("clamp", [(-128, 127), (-3, 127), (-50, 44)])
@pytest.mark.parametrize(
    ("size", "kernel", "stride", "pads"),
    [(6, 3, 2, (1, 1, 1, 1)), (5, 3, 2, (1, 1, 1, 1)), (6, 2, 2, (1, 0, 1, 2)), (7, 3, 3, (2, 1, 0, 2))],
)
def test_max_pool_with_any_padding_has_the_reference_bits(
    size: int, kernel: int, stride: int, pads: tuple[int, ...], clamp: tuple[int, int], tmp_path: Path
) -> None:
    graph = pool("max_pool", size, kernel, stride, pads, clamp)
    x = drawn(graph)
    np.testing.assert_array_equal(judge(graph, tmp_path, x), run(graph, [x]).outputs[0])


@pytest.mark.parametrize(
    ("pads", "sizes", "outputs", "stride", "expected"),
    [
        ((0, 0, 0, 0), (6, 6), (4, 4), 1, "VALID"),
        ((1, 1, 1, 1), (6, 6), (6, 6), 1, "SAME"),
        ((0, 0, 1, 1), (6, 6), (3, 3), 2, "SAME"),
        ((1, 1, 1, 1), (6, 6), (3, 3), 2, None),
        ((1, 1, 1, 1), (5, 5), (3, 3), 2, "SAME"),
        # The last row of padding is used by no window.
        ((0, 0, 1, 1), (5, 5), (2, 2), 2, "VALID"),
        ((2, 0, 0, 1), (5, 8), (5, 7), 1, None),
    ],
)
def test_padding_scheme_places_windows_as_the_pads_do(
    pads: tuple[int, ...], sizes: tuple[int, int], outputs: tuple[int, int], stride: int, expected: str | None
) -> None:
    node = Node("conv2d", "n", (), (), {"strides": (stride, stride), "pads": pads})
    assert padding_scheme(node, sizes, outputs, (3, 3)) == expected


def test_wrong_multiplier_is_an_internal_error() -> None:
    graph = layer("conv2d")
    wrong = graph.tensors["m"].value().copy()
    wrong[2] += 1
    graph.tensors["m"] = Tensor.constant("m", wrong)
    with pytest.raises(EdgeqError) as error:
        draft_of(graph)
    assert error.value.problems[0].code == "EQ0906"
    assert "m[2]" in str(error.value)


def test_graph_of_the_other_mode_is_an_internal_error() -> None:
    graph = layer("dense")
    graph.nodes[0] = graph.nodes[0].with_attrs(requant="highmul")
    with pytest.raises(EdgeqError, match="EQ0906"):
        draft_of(graph)


def test_all_that_cannot_be_expressed_is_listed() -> None:
    graph = Graph("bad", inputs=("x",), outputs=("z",))
    shape = (1,) * 7
    for name in ("x", "y", "z"):
        graph.add_tensor(Tensor(name, shape, DType.INT8, quant=Quantization.per_tensor(DType.INT8, 0.5, 0)))
    graph.nodes.append(Node("pad", "y", ("x",), ("y",), {"pads": (0,) * 14, "value": 0}, ("first",)))
    graph.nodes.append(Node("pad", "z", ("y",), ("z",), {"pads": (0,) * 14, "value": 0}, ("second",)))
    with pytest.raises(EdgeqError) as error:
        draft_of(graph)
    assert [problem.code for problem in error.value.problems] == ["EQ0390", "EQ0390"]
    assert error.value.exit_code == 3
    assert all(word in str(error.value) for word in ("first", "second"))
    assert all(problem.hint for problem in error.value.problems)


@needs_litert
def test_file_is_deterministic_aligned_and_signed(tmp_path: Path) -> None:
    import tflite

    graph = layer("conv2d")
    content = emit_tflite(graph, ["result"])
    assert content == emit_tflite(layer("conv2d"), ["result"])
    assert content[4:8] == b"TFL3"
    model = tflite.Model.GetRootAsModel(content, 0)
    for number in range(model.BuffersLength()):
        data = model.Buffers(number).DataAsNumpy()
        if not isinstance(data, int):
            assert data.ctypes.data % 16 == np.frombuffer(content, np.uint8).ctypes.data % 16
    subgraph = model.Subgraphs(0)
    names = [subgraph.Tensors(number).Name().decode() for number in range(subgraph.TensorsLength())]
    assert names == ["x", "w", "b", "y"]
    assert model.OperatorCodes(0).DeprecatedBuiltinCode() == model.OperatorCodes(0).BuiltinCode() == 3
    signature = model.SignatureDefs(0)
    assert signature.SignatureKey() == b"serving_default"
    assert signature.Outputs(0).Name() == b"result"
    metadata = model.Metadata(0)
    assert metadata.Name() == b"min_runtime_version"
    assert bytes(model.Buffers(metadata.Buffer()).DataAsNumpy()) == b"1.14.0".ljust(16, b"\0")
    weight = subgraph.Tensors(1)
    assert tuple(weight.Quantization().ScaleAsNumpy()) == W_SCALES
    assert weight.Quantization().QuantizedDimension() == 0
    bias = subgraph.Tensors(2)
    assert tuple(bias.Quantization().ScaleAsNumpy()) == tuple(X_SCALE * scale for scale in W_SCALES)


@needs_litert
def test_int4_weights_take_half_a_byte() -> None:
    import tflite

    graph = layer("dense", bits=4)
    model = tflite.Model.GetRootAsModel(emit_tflite(graph, ["result"]), 0)
    weight = model.Subgraphs(0).Tensors(1)
    assert weight.Type() == tflite.TensorType.INT4
    data = model.Buffers(weight.Buffer()).DataAsNumpy()
    values = graph.tensors["w"].value().reshape(-1)
    assert len(data) == 12
    np.testing.assert_array_equal(data & 15, values[::2] & 15)
    np.testing.assert_array_equal(data >> 4, values[1::2] & 15)


@needs_litert
@pytest.mark.parametrize("problem", ["absent", "damaged", "other"])
def test_runner_names_what_is_wrong_with_the_file(problem: str, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    if problem != "absent":
        content = emit_tflite(layer("dense"), ["result"])
        path.write_bytes(content if problem == "other" else content[:100])
    spec = ImageSpec("m", (TensorSpec("x", "int8", (2, 6)),), (TensorSpec("z", "int8", (2, 4)),), image=path)
    with pytest.raises(EdgeqError) as error:
        load_runner("tflite").run(RunRequest(spec, []))
    wanted = {"absent": "EQ0161", "damaged": "EQ0626", "other": "EQ0627"}
    assert error.value.problems[0].code == wanted[problem]


def test_runner_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    runner = load_runner("tflite")
    monkeypatch.setattr("edgeq.runners.tflite.find_spec", lambda name: None)
    monkeypatch.setattr("edgeq.extras.find_spec", lambda name: None)
    with pytest.raises(EdgeqError, match="EQ0530") as caught:
        runner.run(RunRequest(ImageSpec("m", (), ()), []))
    assert "ai_edge_litert" in str(caught.value)
