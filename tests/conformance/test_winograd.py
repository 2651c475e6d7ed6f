"""Winograd's convolution: the bits of the definition at every size of image, channels and padding, and its bounds."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from edgeq.backends.c import bind_kernels, choose
from edgeq.backends.c.bindings import conv_winograd
from edgeq.backends.c.candidates import forced_kernels
from edgeq.backends.c.choose import choose_kernels
from edgeq.backends.c.costs import estimate
from edgeq.ir import Graph
from edgeq.numerics.array import Array
from tests.conformance.edges import CLAMPS, Attributes, Edges
from tests.conformance.images import compare_on

KERNEL: Final = "eq_conv2d_winograd_s8"
ISA: Final = ("dsp", "generic")
# Height, width, input and output channels, padding above, left, below, right. A quad has 2 x 8 results.
SHAPES: Final = (
    (4, 10, 4, 2, (0, 0, 0, 0)),
    (3, 3, 4, 1, (0, 0, 0, 0)),
    (1, 1, 8, 3, (1, 1, 1, 1)),
    (5, 9, 12, 5, (1, 1, 1, 1)),
    (6, 16, 16, 4, (1, 1, 1, 1)),
    (7, 17, 20, 3, (1, 1, 1, 1)),
    (8, 8, 32, 6, (1, 1, 1, 1)),
    (9, 25, 36, 2, (0, 1, 1, 0)),
    (4, 30, 8, 4, (2, 2, 2, 2)),
    (10, 7, 64, 7, (1, 0, 0, 1)),
    (16, 24, 4, 2, (1, 1, 1, 1)),
)


def convolution(made: Edges, shape: tuple[int, int, int, int, tuple[int, ...]], number: int) -> None:
    height, width, depth, channels, pads = shape
    weak = number % 4 == 2  # small weights, and accumulators that are shifted to the left
    weights = made.random.integers(-1, 2, (channels, 3, 3, depth)) * (1 if weak else 127)
    if not weak:
        weights[1:-1] = made.random.integers(-127, 128, weights[1:-1].shape)
    bias = made.random.integers(-99, 99, channels) << (0 if weak else 14)
    factor = 0.6 if weak else 40.0 / (74 * 74 * np.sqrt(9 * depth))
    scaling, attributes = made.scaling(factor, channels)
    operands = (made.input(1, height, width, depth), made.constant(weights, np.int8), made.constant(bias), *scaling)
    geometry: Attributes = {
        "strides": (1, 1),
        "dilations": (1, 1),
        "pads": pads,
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


def inputs() -> list[list[Array]]:
    """Random values, and all at either bound."""
    draw = np.random.default_rng(4)
    shapes = [graph().tensors[name].shape for name in graph().inputs]
    random = [draw.integers(-128, 128, shape).astype(np.int8) for shape in shapes]
    return [random, *([np.full(shape, bound, np.int8) for shape in shapes] for bound in (-128, 127))]


@pytest.mark.qemu
@pytest.mark.parametrize("block", conv_winograd.BLOCKS)
@pytest.mark.parametrize(
    "board",
    [
        "mps2-an386",
        pytest.param("mps2-an500", marks=pytest.mark.slow),
        pytest.param("mps2-an505", marks=pytest.mark.slow),
    ],
)
def test_every_shape_has_the_reference_bits(
    board: str, block: int, tmp_path: Path, needs_program: Callable[[str], str]
) -> None:
    needs_program("arm-none-eabi-gcc")
    needs_program("qemu-system-arm")
    wanted = [("*", f"{KERNEL}:{block}")]
    steps = bind_kernels(graph(), ISA, forced_kernels(graph(), ISA, wanted))
    assert {(step.kernel, step.call.record["block"]) for step in steps} == {(KERNEL, block)}
    found = compare_on(board, graph(), inputs(), tmp_path, kernels=wanted)
    assert found.first is None, f"{found.mismatches} of {found.elements} elements differ"


def test_memory_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Balanced, the arena stays what it is without; for speed, it grows. Where nothing is estimated, all are tried."""
    monkeypatch.setattr(choose, "estimate", lambda *_: None)
    direct, _ = choose_kernels(graph(), ("generic",), "speed")
    assert KERNEL not in {step.kernel for step in direct}
    balanced, small = choose_kernels(graph(), ISA)
    fast, large = choose_kernels(graph(), ISA, "speed")
    assert small.arena_bytes < large.arena_bytes
    assert sum(step.kernel == KERNEL for step in balanced) < sum(step.kernel == KERNEL for step in fast) == len(SHAPES)


def test_estimate_decides_which_layers_gain() -> None:
    """A few columns of results are mostly tiles beyond the image."""
    fast, _ = choose_kernels(graph(), ISA, "speed")
    steps = bind_kernels(graph(), ISA)
    assert 0 < sum(step.kernel == KERNEL for step in fast) < len(SHAPES)
    for step, first in zip(fast, steps, strict=True):
        found, own = (estimate(each.node, graph(), ISA, each.candidate) for each in (step, first))
        assert found is not None
        assert own is not None
        assert found.instructions <= own.instructions
        assert (step.kernel == KERNEL) == (found.instructions < own.instructions)
        assert first.kernel in {*step.refused, step.kernel}


def test_transformed_weights_give_the_convolution() -> None:
    """Products of transformed windows and weights, halved twice, are the direct sums: by matrices, in wide integers."""
    draw = np.random.default_rng(2)
    weights = draw.integers(-127, 128, (3, 3, 3, 5)).astype(np.int8)
    window = draw.integers(-128, 128, (4, 4, 5))
    into = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
    out = np.array([[2, 1, 1, 0], [0, 1, -1, -2]])
    products = conv_winograd.transformed(weights) * np.einsum("ia,abc,jb->ijc", into, window, into)
    found = np.einsum("pi,oijc,qj->opq", out, products, out)
    wanted = [
        [[(weights[o] * window[y : y + 3, x : x + 3].astype(np.int64)).sum() for x in range(2)] for y in range(2)]
        for o in range(3)
    ]
    assert np.array_equal(found, 4 * np.array(wanted))


@pytest.mark.parametrize(
    ("change", "large", "reason"),
    [
        ({"strides": (2, 2)}, 0, "stride"),
        ({"dilations": (2, 2)}, 0, "dilation"),
        ({}, 1 << 29, "29 bits"),
    ],
)
def test_what_is_refused_has_a_reason(change: dict[str, tuple[int, ...]], large: int, reason: str) -> None:
    made = Edges("highmul")
    scaling, attributes = made.scaling(1e-4, 2)
    bias = made.constant([large, 0])
    operands = (made.input(1, 8, 8, 4), made.constant(np.ones((2, 3, 3, 4)), np.int8), bias, *scaling)
    geometry: Attributes = {"strides": (1, 1), "dilations": (1, 1), "pads": (0, 0, 0, 0), "group": 1, "pad_value": 0}
    made.node("conv2d", operands, {**geometry, **attributes, **change}, 0, (-128, 127))
    (node,) = made.graph.nodes
    assert reason in str(conv_winograd.BINDINGS[0].refusal(node, made.graph, ISA))
    assert "DSP" in str(conv_winograd.BINDINGS[0].refusal(node, made.graph, ("mve", "dsp", "generic")))
