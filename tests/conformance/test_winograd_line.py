"""Winograd's convolution along one axis: the definition's bits at every length, direction and padding; its bounds."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from edgeq.backends.c import choose
from edgeq.backends.c.bindings.conv_winograd_line import BINDINGS, KERNEL, transformed
from edgeq.backends.c.choose import choose_kernels
from edgeq.ir import Graph
from tests.conformance.edges import CLAMPS, Attributes, Edges
from tests.conformance.images import WAYS, compare_on
from tests.conformance.test_dsp_layers import inputs

ISA: Final = ("dsp", "generic")
Shape = tuple[int, int, int, int, bool, tuple[int, int]]
# Height, width, input and output channels, whether the taps lie in a column, padding before and behind. A tile has four
# results, four tiles go together.
SHAPES: Final[tuple[Shape, ...]] = (
    (1, 3, 4, 1, False, (0, 0)),
    (1, 1, 8, 3, False, (1, 1)),
    (1, 18, 12, 2, False, (0, 0)),
    (2, 17, 20, 5, False, (1, 1)),
    (3, 33, 4, 4, False, (2, 2)),
    (1, 34, 64, 6, False, (0, 1)),
    (5, 6, 36, 3, False, (1, 0)),
    (19, 1, 16, 7, True, (0, 0)),
    (9, 4, 8, 2, True, (1, 1)),
    (4, 3, 32, 4, True, (0, 2)),
    (1, 2, 4, 2, True, (1, 1)),
    (16, 5, 40, 1, True, (1, 1)),
)


def convolution(made: Edges, shape: Shape, number: int, operand: str = "") -> None:
    """One layer, of an input of its own or of what another one gave."""
    height, width, depth, channels, upright, (before, behind) = shape
    weak = number % 4 == 2  # small weights, and accumulators that are shifted to the left
    taps = (3, 1) if upright else (1, 3)
    weights = made.random.integers(-1, 2, (channels, *taps, depth)) * (1 if weak else 127)
    if not weak:
        weights[1:-1] = made.random.integers(-127, 128, weights[1:-1].shape)
    bias = made.random.integers(-99, 99, channels) << (0 if weak else 14)
    scaling, attributes = made.scaling(0.6 if weak else 40.0 / (74 * 74 * np.sqrt(3 * depth)), channels)
    operands = (
        operand or made.input(1, height, width, depth),
        made.constant(weights, np.int8),
        made.constant(bias),
        *scaling,
    )
    geometry: Attributes = {
        "strides": (1, 1),
        "dilations": (1, 1),
        "pads": (before, 0, behind, 0) if upright else (0, before, 0, behind),
        "group": 1,
        "pad_value": (-128, 127, 3)[number % 3],
    }
    clamp = ((-128, 127), *CLAMPS)[number % 4]
    made.node("conv2d", operands, {**geometry, **attributes}, (-128, 127, 5)[number % 3], clamp)


@cache
def graph() -> Graph:
    made = Edges("highmul")
    for number, shape in enumerate(SHAPES):
        convolution(made, shape, number)
    return made.graph


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other kernel is chosen, whatever is expected of it."""
    monkeypatch.setattr(choose, "estimate", lambda *_: None)
    monkeypatch.setattr(choose, "FASTER", BINDINGS)


@pytest.mark.qemu
@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("code_bytes", WAYS)
@pytest.mark.parametrize("board", ["mps2-an386", pytest.param("mps2-an505", marks=pytest.mark.slow)])
def test_every_shape_has_the_reference_bits(
    board: str, code_bytes: int | None, tmp_path: Path, needs_program: Callable[[str], str]
) -> None:
    needs_program("arm-none-eabi-gcc")
    needs_program("qemu-system-arm")
    steps, _ = choose_kernels(graph(), ISA, "speed")
    assert {step.kernel for step in steps} == {KERNEL}
    found = compare_on(board, graph(), inputs(graph()), tmp_path, aim="speed", code_bytes=code_bytes)
    assert found.first is None, f"{found.mismatches} of {found.elements} elements differ"


@pytest.mark.qemu
@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("upright", [False, True])
def test_results_may_lie_over_their_operands(
    upright: bool, tmp_path: Path, needs_program: Callable[[str], str]
) -> None:
    needs_program("arm-none-eabi-gcc")
    needs_program("qemu-system-arm")
    made = Edges("highmul")
    operand, length = "", 600
    for number, pads in enumerate(((1, 1), (0, 0), (2, 0))):
        size = (length, 1) if upright else (1, length)
        convolution(made, (*size, 8, 8, upright, pads), number, operand)
        operand = made.graph.outputs[-1]
        length += sum(pads) - 2
    made.graph.outputs = made.graph.outputs[-1:]
    steps, plan = choose_kernels(made.graph, ISA, "speed")
    assert {step.kernel for step in steps} == {KERNEL}
    sizes = [made.graph.tensors[name].size_bytes for name in (*steps[0].call.inputs, *steps[0].call.outputs)]
    assert plan.arena_bytes < sum(sizes)
    found = compare_on("mps2-an386", made.graph, inputs(made.graph), tmp_path, aim="speed")
    assert found.first is None, f"{found.mismatches} of {found.elements} elements differ"


def test_transformed_weights_give_the_convolution() -> None:
    """Products of transformed windows and weights are multiples of the direct sums: by matrices, in wide integers."""
    into = [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
    out = [[1, 4, 4, 1, 1, 0], [0, 2, -2, 1, -1, 0], [0, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 1]]
    draw = np.random.default_rng(2)
    weights = draw.integers(-128, 128, (3, 3, 5)).astype(np.int8)
    window = draw.integers(-128, 128, (6, 5))
    products = transformed(weights) * (np.array(into) @ window)
    found = np.einsum("pi,oic->op", out, products)
    wanted = [[(weights[o] * window[x : x + 3].astype(np.int64)).sum() for x in range(4)] for o in range(3)]
    assert np.array_equal(found, np.array([24, 12, 6, 6]) * wanted)
    assert np.abs(transformed(np.full((1, 3, 1), -128, np.int8))).max() <= 896


@pytest.mark.parametrize(
    ("taps", "change", "large", "reason"),
    [
        ((1, 3), {"strides": (1, 2)}, 0, "stride"),
        ((3, 1), {"dilations": (2, 1)}, 0, "dilation"),
        ((3, 3), {}, 0, "taps"),
        ((1, 3), {"pads": (1, 0, 0, 0)}, 0, "beside"),
        ((3, 1), {"pads": (0, 0, 0, 1)}, 0, "beside"),
        ((1, 3), {}, 1 << 28, "28 bits"),
    ],
)
def test_what_is_refused_has_a_reason(
    taps: tuple[int, int], change: dict[str, tuple[int, ...]], large: int, reason: str
) -> None:
    made = Edges("highmul")
    scaling, attributes = made.scaling(1e-4, 2)
    bias = made.constant([large, 0])
    operands = (made.input(1, 8, 8, 4), made.constant(np.ones((2, *taps, 4)), np.int8), bias, *scaling)
    geometry: Attributes = {"strides": (1, 1), "dilations": (1, 1), "pads": (0, 0, 0, 0), "group": 1, "pad_value": 0}
    made.node("conv2d", operands, {**geometry, **attributes, **change}, 0, (-128, 127))
    (node,) = made.graph.nodes
    (binding,) = BINDINGS
    assert reason in str(binding.refusal(node, made.graph, ISA))
    assert "dsp" in str(binding.refusal(node, made.graph, ("mve", "dsp", "generic")))
