"""ConvTranspose as convolutions: what onnxruntime computes, with one product for each pair that meets."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from test_frontend_rules import build, node, run_both

from edgeq.frontend.facts import made_by, shape_of
from edgeq.frontend.rules.transposed import phases_of

CASES: tuple[tuple[str, tuple[int, ...], tuple[int, ...], dict[str, Any]], ...] = (
    ("k2-s2", (1, 6, 4, 5), (6, 3, 2, 2), {"strides": [2, 2]}),
    ("k3-s2-p1-op1", (1, 4, 4, 5), (4, 3, 3, 3), {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}),
    ("k4-s2-p1", (1, 4, 4, 5), (4, 3, 4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ("k5x3-s3x2", (1, 3, 4, 3), (3, 2, 5, 3), {"strides": [3, 2], "pads": [2, 0, 1, 1]}),
    ("k3-s1", (1, 3, 5, 4), (3, 4, 3, 3), {"pads": [1, 1, 1, 1]}),
    ("k3-s1-valid", (1, 3, 5, 4), (3, 4, 3, 3), {}),
    ("k1-s3", (1, 3, 3, 4), (3, 2, 1, 1), {"strides": [3, 3]}),
    ("k2-s3-op2", (1, 3, 3, 4), (3, 2, 2, 2), {"strides": [3, 3], "output_padding": [2, 1]}),
    ("k3-s2-d2", (1, 3, 4, 5), (3, 2, 3, 3), {"strides": [2, 2], "dilations": [2, 2]}),
    ("k3-s2-d3", (1, 3, 4, 5), (3, 2, 3, 2), {"strides": [2, 2], "dilations": [3, 3], "pads": [2, 1, 3, 0]}),
    ("k3-s4-d6", (1, 2, 3, 4), (2, 2, 3, 3), {"strides": [4, 4], "dilations": [6, 6]}),
    ("groups", (1, 6, 4, 3), (6, 2, 3, 3), {"strides": [2, 2], "group": 3, "pads": [1, 1, 1, 1]}),
    ("depthwise", (1, 5, 4, 3), (5, 1, 4, 4), {"strides": [2, 2], "group": 5, "pads": [1, 1, 1, 1]}),
    ("depthwise-multiplier", (1, 4, 4, 3), (4, 2, 2, 2), {"strides": [2, 2], "group": 4}),
    ("crops-inputs", (1, 3, 6, 6), (3, 2, 2, 2), {"strides": [2, 2], "pads": [3, 2, 4, 5]}),
    ("output_shape", (1, 3, 4, 5), (3, 2, 3, 3), {"strides": [2, 2], "output_shape": [8, 9]}),
    ("output_shape-odd", (1, 3, 4, 5), (3, 2, 4, 4), {"strides": [2, 3], "output_shape": [7, 13]}),
    (
        "output_shape-upper", (1, 3, 4, 5), (3, 2, 4, 4),
        {"strides": [2, 3], "output_shape": [7, 13], "auto_pad": "SAME_UPPER"},
    ),
    (
        "output_shape-lower", (1, 3, 4, 5), (3, 2, 4, 4),
        {"strides": [2, 3], "output_shape": [7, 13], "auto_pad": "SAME_LOWER"},
    ),
    ("same_upper", (1, 3, 4, 5), (3, 2, 3, 3), {"strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    ("same_lower", (1, 3, 4, 5), (3, 2, 3, 3), {"strides": [2, 2], "auto_pad": "SAME_LOWER"}),
    ("valid", (1, 3, 4, 5), (3, 2, 3, 3), {"strides": [2, 2], "auto_pad": "VALID"}),
    ("1d", (1, 4, 9), (4, 3, 4), {"strides": [2], "pads": [1, 1]}),
    ("1d-op1", (1, 4, 9), (4, 3, 3), {"strides": [2], "pads": [1, 0], "output_padding": [1]}),
    ("1d-same", (1, 4, 9), (4, 3, 5), {"strides": [3], "auto_pad": "SAME_LOWER"}),
    ("1d-output_shape", (1, 4, 9), (4, 3, 5), {"strides": [3], "output_shape": [26]}),
)  # fmt: skip


def weights(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def transposed(case: str, *, bias: bool = True, behind: tuple[Any, ...] = (), **constants: np.ndarray) -> ir.Model:
    """One of the cases, with further nodes behind it, the last of which gives y."""
    _, x, weight, attributes = next(item for item in CASES if item[0] == case)
    group = attributes.get("group", 1)
    given = {"w": weights(1, *weight), "b": weights(2, weight[1] * group), **constants}
    operands = ["x", "w", "b"] if bias else ["x", "w"]
    result = "t" if behind else "y"
    return build([node("ConvTranspose", operands, [result], **attributes), *behind], x, constants=given)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("case", [item[0] for item in CASES])
def test_a_transposed_convolution_becomes_convolutions(case: str, bias: bool) -> None:
    found = run_both(transposed(case, bias=bias))
    assert {each.op_type for each in found.graph} <= {"Concat", "Conv", "Reshape", "Slice", "Transpose"}


def macs(model: ir.Model) -> int:
    return sum(
        int(np.prod(shape_of(each.outputs[0]))) * int(np.prod(shape_of(each.inputs[1])[1:]))
        for each in model.graph
        if each.op_type == "Conv"
    )


@pytest.mark.parametrize("case", ["k2-s2", "k4-s2-p1", "k3-s2-p1-op1", "depthwise", "1d"])
def test_no_product_with_an_inserted_zero_is_computed(case: str) -> None:
    """Each output meets kernel / stride elements along an axis: on the whole, x's elements times the kernel's."""
    found = run_both(transposed(case))
    _, x, weight, _ = next(item for item in CASES if item[0] == case)
    assert macs(found) <= int(np.prod(x)) * int(np.prod(weight[1:]))


def test_phases_of_one_geometry_share_a_convolution() -> None:
    found = run_both(transposed("k2-s2"))
    assert Counter(each.op_type for each in found.graph)["Conv"] == 2


def test_what_scales_and_clamps_the_channels_is_taken_in() -> None:
    normal = {"s": weights(3, 3) + 2, "o": weights(4, 3), "m": weights(5, 3), "v": np.abs(weights(6, 3)) + 1}
    behind = (
        node("BatchNormalization", ["t", "s", "o", "m", "v"], ["n"]),
        node("Mul", ["n", "f"], ["p"]),
        node("Relu", ["p"], ["y"]),
    )
    found = run_both(transposed("k4-s2-p1", behind=behind, f=weights(7, 3, 1, 1), **normal))
    kinds = Counter(each.op_type for each in found.graph)
    assert not {"Mul", "Add", "BatchNormalization"} & set(kinds)
    assert kinds["Relu"] == kinds["Conv"] == 4
    assert all(made_by(each.inputs[0], "Conv") for each in found.graph if each.op_type == "Relu")


def test_a_result_that_others_read_is_kept() -> None:
    behind = (node("Relu", ["t"], ["r"]), node("Add", ["t", "r"], ["y"]))
    found = run_both(transposed("k3-s2-p1-op1", behind=behind))
    assert "Add" in {each.op_type for each in found.graph}


@pytest.mark.parametrize("kernel", range(1, 7))
@pytest.mark.parametrize("stride", range(1, 5))
@pytest.mark.parametrize("dilation", range(1, 4))
@pytest.mark.parametrize("pad", [-1, 0, 1, 3])
def test_phases_have_each_product_once(kernel: int, stride: int, dilation: int, pad: int) -> None:
    size = 5
    target = stride * (size - 1) + (kernel - 1) * dilation + 1 - max(pad, 0)
    if target < 1:
        return
    wanted = Counter(
        (i * stride + k * dilation - pad, i, k)
        for i in range(size)
        for k in range(kernel)
        if 0 <= i * stride + k * dilation - pad < target
    )
    got: Counter[tuple[int, int, int]] = Counter()
    for remainder, phase in enumerate(phases_of(size, kernel, stride, dilation, pad, target)):
        for j in range(-(-target // stride)):
            output = stride * j + remainder
            for place, tap in enumerate(phase.taps):
                i = j + phase.dilation * place - phase.begin
                if output < target and 0 <= i < size:
                    got[output, i, tap] += 1
    assert got == wanted
