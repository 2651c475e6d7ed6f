"""Each rewrite rule: the normalized graph has the wanted operators and computes what the original computes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper, shape_inference

from edgeq.frontend import check_support, normalize
from edgeq.frontend.facts import known_shape
from edgeq.onnxio import Session, model_bytes, read_model_bytes

Array = np.ndarray
node = helper.make_node
INF = float("inf")


def build(
    nodes: Sequence[NodeProto],
    shape: Sequence[int | str] | None,
    *,
    constants: Mapping[str, Array] | None = None,
    inputs: Mapping[str, Sequence[int | str]] | None = None,
    outputs: Sequence[str] = ("y",),
    opset: int = 17,
    weights_are_inputs: bool = False,
) -> ir.Model:
    """A model with input x of a shape, made like an exporter makes it, read back through the safe reader."""
    given = dict(inputs or {"x": shape or ()})
    tensors = [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(dims)) for name, dims in given.items()]
    if weights_are_inputs:
        values += [helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in tensors]
    graph = helper.make_graph(
        list(nodes),
        "made",
        values,
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8 if opset > 8 else 3)
    model = shape_inference.infer_shapes(model, data_prop=True)
    del model.graph.value_info[:]
    return read_model_bytes(model.SerializeToString())


def run_both(model: ir.Model, dims: Mapping[str, int] | None = None, *, close: float = 1e-4) -> ir.Model:
    """Normalize, compare both in onnxruntime on three random inputs, check the form; gives the normalized model."""
    normalized = normalize(model, dims)
    before, after = Session(model), Session(normalized)
    assert after.inputs == before.inputs
    assert after.outputs == before.outputs
    rng = np.random.default_rng(7)
    for _ in range(3):
        feeds = {
            v.name or "": rng.normal(0, 2, known_shape(v) or ()).astype(np.float32) for v in normalized.graph.inputs
        }
        want, have = before.run(feeds), after.run(feeds)
        for name, array in want.items():
            assert have[name].shape == array.shape
            scale = max(float(np.abs(array).max()), 1e-6)
            assert float(np.abs(have[name] - array).max()) / scale < close, name
    check_form(normalized)
    assert model_bytes(normalize(model, dims)) == model_bytes(normalized)
    return normalized


def check_form(model: ir.Model) -> None:
    """What the normalized form promises for every model."""
    names = [n.name for n in model.graph]
    assert all(names)
    assert len(set(names)) == len(names)
    values = [v.name for n in model.graph for v in n.outputs]
    values += [v.name for v in model.graph.inputs] + list(model.graph.initializers)
    assert all(values)
    assert len(set(values)) == len(values)
    for item in model.graph:
        assert item.op_type not in ("Identity", "Dropout", "Constant", "Squeeze", "Unsqueeze", "Flatten")
        for value in item.outputs:
            assert value.shape is not None
            assert value.shape.is_static()
            assert value.dtype is not None
    for item in model.graph:
        if item.op_type == "Conv":
            assert set(item.attributes) == {"dilations", "group", "kernel_shape", "pads", "strides"}
            assert len(item.inputs) == 3
        if item.op_type == "Gemm":
            assert item.attributes["transB"].as_int() == 1
            assert len(item.inputs) == 3


def ops(model: ir.Model) -> dict[str, int]:
    """How many nodes of each type."""
    return dict(Counter(n.op_type for n in model.graph))


def weights(*shape: int, seed: int = 3) -> Array:
    """Random float32 weights."""
    return np.random.default_rng(seed).normal(0, 0.5, shape).astype(np.float32)


def ints(*items: int) -> Array:
    """An int64 vector."""
    return np.array(items, dtype=np.int64)


def scalar(value: float) -> Array:
    """A float32 scalar."""
    return np.array(value, dtype=np.float32)


BATCHNORM = {
    "s": weights(4, seed=11),
    "b": weights(4, seed=12),
    "m": weights(4, seed=13),
    "v": np.abs(weights(4, seed=14)) + np.float32(0.1),
}


def batchnorm(x: str, y: str) -> NodeProto:
    """BatchNormalization with the parameters of BATCHNORM."""
    return node("BatchNormalization", [x, "s", "b", "m", "v"], [y])


@pytest.mark.parametrize("opset", [7, 8, 9, 11, 12, 13, 15, 17, 18, 19, 20, 21, 22, 23])
def test_torch_style_network_of_every_opset(opset: int) -> None:
    """Conv, BatchNorm, Relu, pooling, Flatten, Gemm with a dynamic batch."""
    model = build(
        [
            node("Conv", ["x", "w"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
            batchnorm("c", "n"),
            node("Relu", ["n"], ["r"]),
            node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
            node("Flatten", ["p"], ["f"], axis=1),
            node("Gemm", ["f", "g", "h"], ["l"], transB=1),
            node("Softmax", ["l"], ["y"], axis=1),
        ],
        ["batch_size", 3, 8, 8],
        constants={"w": weights(4, 3, 3, 3), "g": weights(5, 64), "h": weights(5), **BATCHNORM},
        opset=opset,
        weights_are_inputs=opset < 9,
    )
    normalized = run_both(model)
    assert ops(normalized) == {"Conv": 1, "Relu": 1, "MaxPool": 1, "Reshape": 1, "Gemm": 1, "Softmax": 1}
    assert normalized.graph.opset_imports == {"": 21}
    assert [tuple(v.shape or ()) for v in normalized.graph.inputs] == [(1, 3, 8, 8)]
    assert check_support(normalized) == []


@pytest.mark.parametrize("opset", [7, 11, 13, 18, 22])
def test_pad_before_convolution_folds(opset: int) -> None:
    """Pad by attribute or input, then Conv with pads of its own."""
    amounts = [0, 0, 1, 0, 0, 0, 2, 1]
    pad = node("Pad", ["x"], ["p"], pads=amounts) if opset < 11 else node("Pad", ["x", "a"], ["p"])
    model = build(
        [pad, node("Conv", ["p", "w", "b"], ["y"], pads=[0, 1, 0, 0], strides=[2, 1])],
        [1, 3, 7, 6],
        constants={"w": weights(4, 3, 3, 3), "b": weights(4), **({"a": ints(*amounts)} if opset >= 11 else {})},
        opset=opset,
        weights_are_inputs=opset < 9,
    )
    normalized = run_both(model)
    assert ops(normalized) == {"Conv": 1}
    assert normalized.graph.node(0).attributes["pads"].as_ints() == (1, 1, 2, 1)


def test_pad_in_channels_last_folds_through_transpose() -> None:
    """TensorFlow pads NHWC, then transposes."""
    model = build(
        [
            node("Pad", ["x", "a"], ["p"]),
            node("Transpose", ["p"], ["t"], perm=[0, 3, 1, 2]),
            node("Conv", ["t", "w"], ["y"]),
        ],
        [1, 6, 5, 3],
        constants={"a": ints(0, 1, 0, 0, 0, 0, 2, 0), "w": weights(4, 3, 3, 3)},
    )
    assert ops(run_both(model)) == {"Transpose": 1, "Conv": 1}


def test_pad_of_other_value_stays() -> None:
    """Ones around the image are not what a convolution pads with."""
    model = build(
        [node("Pad", ["x", "a", "one"], ["p"]), node("Conv", ["p", "w"], ["y"])],
        [1, 3, 6, 5],
        constants={"a": ints(0, 0, 1, 1, 0, 0, 1, 1), "one": scalar(1), "w": weights(4, 3, 3, 3)},
    )
    assert ops(run_both(model)) == {"Pad": 1, "Conv": 1}


@pytest.mark.parametrize(("value", "relu", "folds"), [(-INF, False, True), (0.0, True, True), (0.0, False, False)])
def test_pad_before_max_pool_folds_where_it_never_wins(value: float, relu: bool, folds: bool) -> None:
    """Zero never wins over what Relu made; -inf never wins at all."""
    model = build(
        [
            node("Relu" if relu else "Sin", ["x"], ["r"]),
            node("Pad", ["r", "a", "v"], ["p"]),
            node("MaxPool", ["p"], ["y"], kernel_shape=[3, 3], strides=[2, 2]),
        ],
        [1, 2, 8, 8],
        constants={"a": ints(0, 0, 0, 0, 0, 0, 1, 1), "v": scalar(value)},
    )
    assert ("Pad" not in ops(run_both(model))) == folds


@pytest.mark.parametrize("padded", [False, True])
def test_batchnorm_before_convolution(padded: bool) -> None:
    """It folds forward without padding; with padding it becomes a depthwise convolution."""
    model = build(
        [node("Relu", ["x"], ["r"]), batchnorm("r", "n"), node("Conv", ["n", "w"], ["y"], pads=[int(padded)] * 4)],
        [1, 4, 6, 5],
        constants={"w": weights(6, 4, 3, 3), **BATCHNORM},
    )
    normalized = run_both(model)
    assert ops(normalized) == {"Relu": 1, "Conv": 2 if padded else 1}


def test_scale_before_grouped_convolution_with_padding_folds() -> None:
    """A multiplication per channel passes zero padding; the groups see their own channels."""
    model = build(
        [
            node("Relu", ["x"], ["r"]),
            node("Mul", ["k", "r"], ["n"]),
            node("Conv", ["n", "w"], ["y"], pads=[1, 1, 1, 1], group=2),
        ],
        [1, 4, 6, 5],
        constants={"w": weights(6, 2, 3, 3), "k": weights(4, 1, 1)},
    )
    assert ops(run_both(model)) == {"Relu": 1, "Conv": 1}


def test_input_scaling_folds_into_first_layer() -> None:
    """(x - mean) / std, then a convolution without padding."""
    model = build(
        [node("Sub", ["x", "m"], ["a"]), node("Div", ["a", "d"], ["n"]), node("Conv", ["n", "w"], ["y"])],
        [1, 3, 6, 5],
        constants={"m": weights(1, 3, 1, 1), "d": np.abs(weights(1, 3, 1, 1)) + 1, "w": weights(4, 3, 3, 3)},
    )
    assert ops(run_both(model)) == {"Conv": 1}


def test_batchnorm_behind_gemm_written_out_folds() -> None:
    """Mul and Add per output of a Gemm."""
    model = build(
        [node("Gemm", ["x", "w"], ["g"]), node("Mul", ["g", "a"], ["n"]), node("Add", ["b", "n"], ["y"])],
        [1, 7],
        constants={"w": weights(7, 5), "a": weights(5), "b": weights(1, 5)},
    )
    normalized = run_both(model)
    assert ops(normalized) == {"Gemm": 1}
    assert normalized.graph.outputs[0].name == "y"


def test_batchnorm_before_flattened_gemm_folds() -> None:
    """The affine of an image reaches a Gemm through Transpose and Reshape."""
    model = build(
        [
            node("Relu", ["x"], ["r"]),
            batchnorm("r", "n"),
            node("Transpose", ["n"], ["t"], perm=[0, 2, 3, 1]),
            node("Reshape", ["t", "s1"], ["f"]),
            node("MatMul", ["f", "w"], ["y"]),
        ],
        [1, 4, 3, 2],
        constants={"s1": ints(1, -1), "w": weights(24, 5), **BATCHNORM},
    )
    assert ops(run_both(model)) == {"Relu": 1, "Transpose": 1, "Reshape": 1, "Gemm": 1}


def test_batchnorm_with_two_readers_of_the_layer_stays_apart() -> None:
    """The convolution's own result is an output: its weights must not change."""
    model = build(
        [node("Conv", ["x", "w"], ["c"]), batchnorm("c", "y")],
        [1, 3, 6, 5],
        constants={"w": weights(4, 3, 3, 3), **BATCHNORM},
        outputs=("y", "c"),
    )
    assert ops(run_both(model)) == {"Conv": 2}


def test_shared_weights_are_not_changed_for_the_other_layer() -> None:
    """Two layers share a weight and a bias; only one has a BatchNormalization behind it."""
    model = build(
        [
            node("Conv", ["x", "w", "b4"], ["c"]),
            node("Conv", ["x2", "w", "b4"], ["d"]),
            batchnorm("c", "n"),
            node("Add", ["n", "d"], ["y"]),
        ],
        None,
        inputs={"x": [1, 3, 6, 5], "x2": [1, 3, 6, 5]},
        constants={"w": weights(4, 3, 3, 3), "b4": weights(4, seed=9), **BATCHNORM},
    )
    normalized = run_both(model)
    biases = [n.inputs[2].name for n in normalized.graph if n.op_type == "Conv" and n.inputs[2] is not None]
    assert len(set(biases)) == 2


def test_convolution_over_time_becomes_two_dimensional() -> None:
    """Conv1d, BatchNorm, Relu, MaxPool, Conv1d, mean over time."""
    model = build(
        [
            node("Conv", ["x", "w"], ["c"], pads=[2, 1], strides=[2], dilations=[2]),
            batchnorm("c", "n"),
            node("Relu", ["n"], ["r"]),
            node("MaxPool", ["r"], ["p"], kernel_shape=[2], strides=[2]),
            node("Conv", ["p", "u"], ["d"], group=2),
            node("GlobalAveragePool", ["d"], ["g"]),
            node("Squeeze", ["g", "ax"], ["q"]),
            node("MatMul", ["q", "k"], ["y"]),
        ],
        ["N", 3, 32],
        constants={"w": weights(4, 3, 3), "u": weights(6, 2, 3), "ax": ints(2), "k": weights(6, 2), **BATCHNORM},
    )
    normalized = run_both(model)
    assert ops(normalized) == {"Reshape": 2, "Conv": 2, "Relu": 1, "MaxPool": 1, "GlobalAveragePool": 1, "Gemm": 1}
    assert check_support(normalized) == []


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("op", ["Conv", "MaxPool", "AveragePool"])
@pytest.mark.parametrize("size", [[9, 8], [8, 8], [10, 7]])
def test_auto_pad_is_resolved(op: str, size: list[int], auto_pad: str) -> None:
    """With strides, sizes whose total padding is even and odd, and a dilation where onnxruntime takes one."""
    extra: dict[str, Any] = {"dilations": [2, 1]} if op == "Conv" and auto_pad == "VALID" else {}
    model = build(
        [
            node(
                op,
                ["x", "w"] if op == "Conv" else ["x"],
                ["y"],
                kernel_shape=[3, 2],
                strides=[2, 2],
                auto_pad=auto_pad,
                **extra,
            )
        ],
        [1, 3, *size],
        constants={"w": weights(4, 3, 3, 2)} if op == "Conv" else {},
    )
    normalized = run_both(model)
    assert ops(normalized) == {op: 1}
    assert "auto_pad" not in normalized.graph.node(0).attributes


@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER"])
def test_odd_padding_lies_where_the_mode_says(mode: str) -> None:
    """A kernel of 3 with stride 2 over 8 pads one in all: behind for UPPER, before for LOWER."""
    model = build([node("MaxPool", ["x"], ["y"], kernel_shape=[3, 3], strides=[2, 2], auto_pad=mode)], [1, 2, 8, 8])
    pads = [0, 0, 1, 1] if mode == "SAME_UPPER" else [1, 1, 0, 0]
    assert list(run_both(model).graph.node(0).attributes["pads"].as_ints()) == pads


@pytest.mark.parametrize("first", [(0, 1), (2, 3), (-3, -2)])
@pytest.mark.parametrize("second", [(0, 1), (2, 3), (-3, -2), (0.5, 2.5)])
def test_clamps_in_a_row_clamp_both(first: tuple[float, float], second: tuple[float, float]) -> None:
    """Also where the intervals have nothing in common: then the result is a constant, and not that of one clamp."""
    names = ("a", "b", "c", "d")
    model = build(
        [node("Clip", ["x", "a", "b"], ["m"]), node("Clip", ["m", "c", "d"], ["y"])],
        [1, 40],
        constants={name: scalar(value) for name, value in zip(names, (*first, *second), strict=True)},
    )
    run_both(model)


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("size", [6, 7, 8, 9])
@pytest.mark.parametrize("counted", [0, 1])
def test_ceil_mode_is_resolved(op: str, size: int, counted: int) -> None:
    """Windows that hang over the end; padding that counts becomes a Pad."""
    extra: dict[str, Any] = {"count_include_pad": counted} if op == "AveragePool" else {}
    model = build(
        [node(op, ["x"], ["y"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 0, 0, 1], ceil_mode=1, **extra)],
        [1, 2, size, size],
        opset=19,
    )
    normalized = run_both(model)
    assert normalized.graph.node(-1).attributes["ceil_mode"].as_int() == 0
    assert check_support(normalized) == []


def test_counted_padding_of_average_becomes_pad() -> None:
    """count_include_pad=1, the default of torch."""
    model = build(
        [node("AveragePool", ["x"], ["y"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)], [1, 2, 6, 6]
    )
    assert ops(run_both(model)) == {"Pad": 1, "AveragePool": 1}


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("opset", [13, 18])
def test_mean_over_space_becomes_global_pooling(opset: int, keepdims: int) -> None:
    """Channels first and, behind a Transpose, channels last."""
    constants = {} if opset < 18 else {"ax": ints(-1, 2), "last": ints(1, 2)}

    def mean(x: str, y: str, axes: list[int], name: str) -> NodeProto:
        if opset < 18:
            return node("ReduceMean", [x], [y], axes=axes, keepdims=keepdims)
        return node("ReduceMean", [x, name], [y], keepdims=keepdims)

    model = build(
        [
            mean("x", "y", [-1, 2], "ax"),
            node("Relu", ["x"], ["r"]),
            node("Transpose", ["r"], ["t"], perm=[0, 2, 3, 1]),
            mean("t", "z", [1, 2], "last"),
        ],
        [1, 3, 5, 4],
        constants=constants,
        outputs=("y", "z"),
        opset=opset,
    )
    normalized = run_both(model)
    assert ops(normalized)["GlobalAveragePool"] == 2
    assert "ReduceMean" not in ops(normalized)
    assert "Transpose" not in ops(normalized)


def test_mean_over_time_states_its_axes() -> None:
    """A mean over one axis of a sequence stays a ReduceMean."""
    model = build([node("ReduceMean", ["x"], ["y"], axes=[-2], keepdims=0)], [1, 6, 4])
    normalized = run_both(model)
    assert ops(normalized) == {"ReduceMean": 1}
    axes = normalized.graph.node(0).inputs[1]
    assert axes is not None
    assert axes.const_value is not None
    assert axes.const_value.numpy().tolist() == [1]


@pytest.mark.parametrize(
    ("shape", "matrix"),
    [((1, 7), (7, 5)), ((6, 7), (7, 5)), ((1, 3, 7), (7, 5)), ((1, 2, 3, 7), (1, 1, 7, 5)), ((1, 7), (7,))],
)
def test_matmul_with_constant_becomes_gemm(shape: tuple[int, ...], matrix: tuple[int, ...]) -> None:
    """Any rank, with a bias behind it that folds."""
    outputs = matrix[-1] if len(matrix) > 1 else 1
    model = build(
        [node("MatMul", ["x", "w"], ["m"]), node("Add", ["b", "m"], ["a"]), node("Relu", ["a"], ["y"])],
        shape,
        constants={"w": weights(*matrix), "b": weights(outputs)},
    )
    counted = ops(run_both(model))
    assert counted["Gemm"] == 1
    assert counted["Relu"] == 1
    assert set(counted) <= {"Gemm", "Relu", "Reshape", "Add"}
    assert len(matrix) == 1 or "Add" not in counted


def test_matrix_on_the_left_becomes_gemm() -> None:
    """W · x."""
    model = build([node("MatMul", ["w", "x"], ["y"])], [7, 3], constants={"w": weights(5, 7)})
    assert ops(run_both(model)) == {"Transpose": 2, "Gemm": 1}


@pytest.mark.parametrize(
    ("matrix", "shape"),
    [
        ((5, 7), [2, 7, 3]),
        ((5, 7), [7]),
        ((7,), [7, 3]),
        ((7,), [2, 7, 3]),
        ((1, 5, 7), [7, 3]),
        ((1, 1, 7), [1, 7, 3]),
        ((2, 5, 7), [2, 7, 3]),
        ((2, 5, 7), [7, 3]),
        ((3, 1, 5, 7), [7, 2]),
        ((2, 5, 7), [7]),
    ],
)
def test_matrices_on_the_left_become_gemm(matrix: tuple[int, ...], shape: list[int]) -> None:
    """W · x of vectors, stacks and operands that broadcast."""
    model = build(
        [node("MatMul", ["w", "x"], ["m"]), node("Relu", ["m"], ["y"])], shape, constants={"w": weights(*matrix)}
    )
    counted = ops(run_both(model))
    assert counted["Gemm"] == (1 if len(matrix) < 3 else int(np.prod(matrix[:-2])))
    assert "MatMul" not in counted


@pytest.mark.parametrize("trans_a", [0, 1])
@pytest.mark.parametrize("trans_b", [0, 1])
@pytest.mark.parametrize("bias", [None, (), (1,), (5,), (1, 5), (3, 1), (3, 5)])
def test_gemm_is_stated(trans_a: int, trans_b: int, bias: tuple[int, ...] | None) -> None:
    """alpha, beta, both transpositions and every shape that C may have."""
    constants = {"w": weights(5, 7) if trans_b else weights(7, 5)}
    if bias is not None:
        constants["b"] = weights(*bias) if bias else scalar(0.75)
    model = build(
        [node("Gemm", ["x", *constants], ["y"], transA=trans_a, transB=trans_b, alpha=0.5, beta=2.0)],
        [7, 3] if trans_a else [3, 7],
        constants=constants,
    )
    counted = ops(run_both(model))
    assert counted["Gemm"] == 1
    assert ("Add" in counted) == (bias in ((3, 1), (3, 5)))


def test_gemm_of_two_computed_matrices_becomes_matmul() -> None:
    """With alpha, beta and C."""
    model = build(
        [node("Gemm", ["x", "z", "b"], ["y"], transB=1, alpha=0.5, beta=2.0)],
        None,
        inputs={"x": [3, 7], "z": [5, 7]},
        constants={"b": weights(5)},
    )
    assert ops(run_both(model)) == {"Transpose": 1, "MatMul": 1, "Mul": 1, "Add": 1}


def test_clamps_merge() -> None:
    """Relu, Relu, Clip, Min and Max."""
    model = build(
        [
            node("Relu", ["x"], ["a"]),
            node("Relu", ["a"], ["b"]),
            node("Clip", ["b", "low", "six"], ["c"]),
            node("Max", ["c", "half"], ["d"]),
            node("Min", ["five", "d"], ["y"]),
        ],
        [1, 17],
        constants={"low": scalar(-1), "six": scalar(6), "half": scalar(0.5), "five": scalar(5)},
    )
    normalized = run_both(model)
    assert ops(normalized) == {"Clip": 1}
    clip = normalized.graph.node(0)
    assert [float(v.const_value.numpy()) for v in clip.inputs[1:] if v is not None and v.const_value is not None] == [
        0.5,
        5,
    ]


@pytest.mark.parametrize("form", ["gate", "outside", "inside", "left", "sigmoid"])
def test_hard_swish_is_recognised(form: str) -> None:
    """The five ways in which exporters write x · relu6(x + 3) / 6."""
    constants = {"three": scalar(3), "zero": scalar(0), "six": scalar(6), "sixth": scalar(1 / 6)}
    gate = [node("Add", ["x", "three"], ["a"]), node("Clip", ["a", "zero", "six"], ["c"])]
    forms = {
        "gate": [*gate, node("Div", ["c", "six"], ["d"]), node("Mul", ["x", "d"], ["y"])],
        "outside": [*gate, node("Mul", ["x", "c"], ["d"]), node("Div", ["d", "six"], ["y"])],
        "inside": [*gate, node("Mul", ["c", "sixth"], ["d"]), node("Mul", ["d", "x"], ["y"])],
        "left": [*gate, node("Mul", ["sixth", "x"], ["d"]), node("Mul", ["d", "c"], ["y"])],
        "sigmoid": [node("HardSigmoid", ["x"], ["d"], alpha=1 / 6, beta=0.5), node("Mul", ["x", "d"], ["y"])],
    }
    assert ops(run_both(build(forms[form], [1, 4, 3, 3], constants=constants))) == {"HardSwish": 1}


def test_hard_sigmoid_is_recognised_behind_a_layer() -> None:
    """The addition must not vanish into the convolution before the clamp is seen."""
    model = build(
        [
            node("Conv", ["x", "w"], ["v"]),
            node("Add", ["v", "three"], ["a"]),
            node("Clip", ["a", "zero", "six"], ["c"]),
            node("Div", ["c", "six"], ["y"]),
        ],
        [1, 3, 4, 4],
        constants={"w": weights(4, 3, 1, 1), "three": scalar(3), "zero": scalar(0), "six": scalar(6)},
    )
    assert ops(run_both(model)) == {"Conv": 1, "HardSigmoid": 1}


def test_relu_goes_before_max_pooling() -> None:
    """Behind a convolution only."""
    model = build(
        [
            node("Conv", ["x", "w"], ["c"]),
            node("MaxPool", ["c"], ["p"], kernel_shape=[2, 2], strides=[2, 2], pads=[1, 1, 0, 0]),
            node("Relu", ["p"], ["y"]),
        ],
        [1, 3, 7, 7],
        constants={"w": weights(4, 3, 2, 2)},
    )
    assert [n.op_type for n in run_both(model).graph] == ["Conv", "Relu", "MaxPool"]


@pytest.mark.parametrize("axis", [-1, 1, 2])
def test_softmax_goes_to_the_last_axis(axis: int) -> None:
    """Transposes around it where it was over channels of an image."""
    normalized = run_both(build([node("Softmax", ["x"], ["y"], axis=axis)], [1, 5, 3, 2]))
    (softmax,) = [n for n in normalized.graph if n.op_type == "Softmax"]
    assert softmax.attributes["axis"].as_int() == 3
    assert check_support(normalized) == []


def test_softmax_over_channels_of_one_pixel_is_reshaped() -> None:
    """[1, C, 1, 1], as a fully convolutional classifier ends."""
    normalized = run_both(build([node("Softmax", ["x"], ["y"], axis=1)], [1, 5, 1, 1]))
    assert ops(normalized) == {"Reshape": 2, "Softmax": 1}


def test_split_and_gather_become_slices() -> None:
    """Uneven parts, one of them not read; a row by number."""
    model = build(
        [
            node("Split", ["x", "parts"], ["a", "b", "c"], axis=1),
            node("Add", ["a", "c"], ["y"]),
            node("Gather", ["x", "two"], ["z"], axis=2),
        ],
        [1, 8, 4],
        constants={"parts": ints(3, 2, 3), "two": np.array(-2, dtype=np.int64)},
        outputs=("y", "z"),
    )
    normalized = run_both(model)
    assert ops(normalized) == {"Slice": 3, "Add": 1, "Reshape": 1}
    assert check_support(normalized) == []


@pytest.mark.parametrize("steps", [(1, 1), (2, 3)])
def test_slice_is_stated(steps: tuple[int, int]) -> None:
    """Negative and far ends become bounds inside the tensor, in the order of the axes."""
    model = build(
        [node("Slice", ["x", "s", "e", "a", "t"], ["y"])],
        [1, 9, 8],
        constants={"s": ints(-7, 1), "e": ints(2**31, -1), "a": ints(2, 1), "t": ints(*steps)},
    )
    normalized = run_both(model)
    values = [v.const_value.numpy().tolist() for v in normalized.graph.node(0).inputs[1:] if v and v.const_value]
    assert values == [[1, 1], [8, 8], [1, 2], list(reversed(steps))]


def test_no_ops_disappear_and_output_names_stay() -> None:
    """Identity, Dropout, Mul by one, Add of zero, Transpose there and back, Concat of one."""
    model = build(
        [
            node("Identity", ["x"], ["a"]),
            node("Dropout", ["a"], ["b"]),
            node("Mul", ["b", "one"], ["c"]),
            node("Add", ["zero", "c"], ["d"]),
            node("Relu", ["d"], ["e"]),
            node("Transpose", ["e"], ["f"], perm=[0, 2, 1]),
            node("Transpose", ["f"], ["g"], perm=[0, 2, 1]),
            node("Concat", ["g"], ["h"], axis=1),
            node("Identity", ["h"], ["y"]),
        ],
        [1, 4, 3],
        constants={"one": scalar(1), "zero": scalar(0)},
    )
    normalized = run_both(model)
    assert ops(normalized) == {"Relu": 1}
    assert normalized.graph.node(0).outputs[0].name == "y"


def test_outputs_that_alias_inputs_or_each_other_are_copies() -> None:
    """A state that passes through; one value under two output names."""
    model = build(
        [
            node("Identity", ["x"], ["y"]),
            node("Relu", ["x"], ["r"]),
            node("Identity", ["r"], ["z"]),
            node("Identity", ["r"], ["u"]),
        ],
        [1, 4],
        outputs=("y", "z", "u", "r"),
    )
    assert ops(run_both(model)) == {"Relu": 1, "Reshape": 3}


def test_layout_chain_between_elementwise_operators_cancels() -> None:
    """TensorFlow style: NHWC elementwise operators between NCHW layers."""
    model = build(
        [
            node("Conv", ["x", "w"], ["c"]),
            node("Transpose", ["c"], ["t"], perm=[0, 2, 3, 1]),
            node("Add", ["t", "b"], ["a"]),
            node("Relu", ["a"], ["r"]),
            node("Transpose", ["r"], ["u"], perm=[0, 3, 1, 2]),
            node("Conv", ["u", "v"], ["y"]),
        ],
        [1, 3, 6, 5],
        constants={"w": weights(4, 3, 2, 2), "b": weights(4), "v": weights(2, 4, 2, 2)},
    )
    assert ops(run_both(model)) == {"Conv": 2, "Relu": 1}


def test_residual_addition_in_other_layout_moves() -> None:
    """Both operands transposed alike."""
    model = build(
        [
            node("Conv", ["x", "w"], ["c"]),
            node("Transpose", ["c"], ["t"], perm=[0, 2, 3, 1]),
            node("Conv", ["x", "v"], ["d"]),
            node("Transpose", ["d"], ["u"], perm=[0, 2, 3, 1]),
            node("Add", ["t", "u"], ["a"]),
            node("Relu", ["a"], ["y"]),
        ],
        [1, 3, 6, 5],
        constants={"w": weights(4, 3, 2, 2), "v": weights(4, 3, 2, 2, seed=5)},
    )
    assert [n.op_type for n in run_both(model).graph] == ["Conv", "Conv", "Add", "Relu", "Transpose"]


def test_shape_arithmetic_folds() -> None:
    """x.view(x.shape[0], -1) as torch exports it."""
    model = build(
        [
            node("Conv", ["x", "w"], ["c"]),
            node("Shape", ["c"], ["s"]),
            node("Gather", ["s", "zero"], ["n"]),
            node("Unsqueeze", ["n", "axes"], ["u"]),
            node("Constant", [], ["rest"], value=numpy_helper.from_array(ints(-1), "k")),
            node("Concat", ["u", "rest"], ["t"], axis=0),
            node("Reshape", ["c", "t"], ["y"]),
        ],
        ["N", 3, 4, 4],
        constants={"w": weights(4, 3, 2, 2), "zero": np.array(0, dtype=np.int64), "axes": ints(0)},
    )
    assert ops(run_both(model)) == {"Conv": 1, "Reshape": 1}


def test_constant_branches_fold() -> None:
    """Arithmetic between weights only."""
    model = build(
        [
            node("Transpose", ["w"], ["wt"], perm=[1, 0]),
            node("Mul", ["wt", "k"], ["ws"]),
            node("MatMul", ["x", "ws"], ["y"]),
        ],
        [1, 7],
        constants={"w": weights(5, 7), "k": scalar(0.25)},
    )
    assert ops(run_both(model)) == {"Gemm": 1}


def test_original_names_stay_and_new_ones_derive() -> None:
    """What a report shows must be found in the user's model."""
    model = build(
        [
            node("Conv", ["x", "stem.weight"], ["stem/conv"], name="stem"),
            node("BatchNormalization", ["stem/conv", "s", "b", "m", "v"], ["stem/bn"], name="stem_bn"),
            node("Relu", ["stem/bn"], ["stem/relu"]),
            node("Flatten", ["stem/relu"], ["flat"]),
            node("Gemm", ["flat", "head.weight", "head.bias"], ["y"], transB=1),
        ],
        [1, 3, 2, 2],
        constants={
            "stem.weight": weights(4, 3, 1, 1),
            "head.weight": weights(2, 16),
            "head.bias": weights(2),
            **BATCHNORM,
        },
    )
    normalized = run_both(model)
    assert [n.name for n in normalized.graph] == ["stem", "stem/relu", "flat", "y"]
    assert [n.outputs[0].name for n in normalized.graph] == ["stem/bn", "stem/relu", "flat", "y"]
    assert list(normalized.graph.initializers) == [
        "stem.weight", "stem/bn_offset", "flat_reshape_shape", "head.weight", "head.bias",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij->ji", ((3, 4),)),
        ("bij, bjk -> bik", ((2, 3, 4), (2, 4, 5))),
        ("bhqd,bhkd->bhqk", ((1, 2, 3, 4), (1, 2, 5, 4))),
        ("bqhd,bkhd->bhqk", ((1, 3, 2, 4), (1, 5, 2, 4))),
        ("bkhd,bqhd->bhqk", ((1, 5, 2, 4), (1, 3, 2, 4))),
        ("i,i", ((5,), (5,))),
        ("i,j->ji", ((5,), (3,))),
        ("ij,ij->i", ((5, 3), (5, 3))),
        ("...ij,...jk->...ik", ((2, 3, 4), (1, 4, 5))),
        ("ij,jk,kl->il", ((2, 3), (3, 4), (4, 2))),
        ("iij->j", ((3, 3, 2),)),
        ("ab,cd->", ((2, 3), (4, 5))),
    ],
)
def test_einsum_is_written_out(equation: str, shapes: tuple[tuple[int, ...], ...]) -> None:
    names = [f"x{number}" for number in range(len(shapes))]
    model = build([node("Einsum", names, ["y"], equation=equation)], None, inputs=dict(zip(names, shapes, strict=True)))
    assert "Einsum" not in {each.op_type for each in run_both(model).graph}
    constants = {
        name: np.random.default_rng(1).normal(size=shape).astype(np.float32)
        for name, shape in zip(names[1:], shapes[1:], strict=True)
    }
    if constants:
        given = {names[0]: shapes[0]}
        run_both(build([node("Einsum", names, ["y"], equation=equation)], None, inputs=given, constants=constants))


def test_einsum_puts_the_operand_first_whose_axes_come_first() -> None:
    made = node("Einsum", ["k", "q"], ["y"], equation="bkhd,bqhd->bhqk")
    found = run_both(build([made], None, inputs={"k": (1, 5, 2, 4), "q": (1, 3, 2, 4)})).graph
    assert sorted(each.op_type for each in found) == ["MatMul", "Transpose", "Transpose"]


GELU = {
    "r": np.array(np.sqrt(2), np.float32),
    "one": np.array(1, np.float32),
    "half": np.array(0.5, np.float32),
    "three": np.array(3, np.float32),
    "a": np.array(0.044715, np.float32),
    "b": np.array(np.sqrt(2 / np.pi), np.float32),
}


def gelu_parts(form: str) -> list[NodeProto]:
    """GELU as exporters write it; the factor of a half before, between or behind."""
    if form == "tanh":
        parts = [
            node("Pow", ["x", "three"], ["p"]),
            node("Mul", ["a", "p"], ["q"]),
            node("Add", ["x", "q"], ["s"]),
            node("Mul", ["b", "s"], ["u"]),
            node("Tanh", ["u"], ["e"]),
        ]
    else:
        parts = [node("Div", ["x", "r"], ["d"]), node("Erf", ["d"], ["e"])]
    parts.append(node("Add", ["e", "one"], ["f"]))
    if form == "before":
        return [*parts, node("Mul", ["x", "half"], ["h"]), node("Mul", ["h", "f"], ["y"])]
    if form == "inner":
        return [*parts, node("Mul", ["half", "f"], ["h"]), node("Mul", ["x", "h"], ["y"])]
    return [*parts, node("Mul", ["x", "f"], ["h"]), node("Mul", ["h", "half"], ["y"])]


@pytest.mark.parametrize("form", ["behind", "before", "inner", "tanh"])
def test_gelu_in_parts_is_one_node(form: str) -> None:
    found = run_both(build(gelu_parts(form), (1, 4, 6), constants=GELU))
    assert [each.op_type for each in found.graph] == ["Gelu"]


def test_half_a_gelu_is_none() -> None:
    parts = gelu_parts("before")[:-2]
    found = run_both(build([*parts, node("Mul", ["x", "f"], ["y"])], (1, 4, 6), constants=GELU))
    assert "Gelu" not in {each.op_type for each in found.graph}


@pytest.mark.parametrize("turned", [False, True])
def test_heads_that_share_a_matrix_are_rows_of_one_product(turned: bool) -> None:
    parts = [
        node("Unsqueeze", ["k", "two"], ["u"]),
        node("Tile", ["u", "copies"], ["t"]),
        node("Reshape", ["t", "merged"], ["m"]),
        *([node("Transpose", ["m"], ["b"], perm=[0, 1, 3, 2])] if turned else []),
        node("MatMul", ["q", "b" if turned else "m"], ["y"]),
    ]
    constants = {
        "two": np.array([2]),
        "copies": np.array([1, 1, 3, 1, 1]),
        "merged": np.array([1, 6, 4, 5]),
    }
    given = {"q": (1, 6, 2, 5 if turned else 4), "k": (1, 2, 4, 5)}
    found = run_both(build(parts, None, inputs=given, constants=constants))
    assert "Concat" not in {each.op_type for each in found.graph}
    (product,) = [each for each in found.graph if each.op_type == "MatMul"]
    assert known_shape(product.inputs[0]) == (1, 2, 6, 5 if turned else 4)


def test_matrices_repeated_in_turn_are_not_shared() -> None:
    parts = [node("Tile", ["k", "copies"], ["m"]), node("MatMul", ["q", "m"], ["y"])]
    given = {"q": (1, 6, 2, 4), "k": (1, 2, 4, 5)}
    found = run_both(build(parts, None, inputs=given, constants={"copies": np.array([1, 3, 1, 1])}))
    assert "Concat" in {each.op_type for each in found.graph}
