"""Products by panels of four channels: the reference's bits at every rest of pixels, channels and places."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from edgeq.backends.c import bind_kernels, packing
from edgeq.backends.c.bindings import dense
from edgeq.backends.c.packing import pack_panels
from edgeq.ir import Graph
from edgeq.numerics.array import Array
from edgeq.target import load_board
from tests.conformance.edges import CLAMPS, Attributes, Edges
from tests.conformance.images import EVERY, FEWEST, compare_on

KERNELS: Final = {"eq_conv2d_panel_s8", "eq_dense_panel_s8", "eq_pointwise_panel_s8"}
BOARDS: Final = ("native", "mps2-an385", "mps2-m0")
# Height, width, input and output channels of 1x1 convolutions, and their stride.
POINTWISE: Final = (
    *((1, 3, depth, channels, 1) for depth, channels in zip(range(1, 18), (*range(1, 10), *range(1, 9)), strict=True)),
    (1, 1, 8, 4, 1),
    (5, 5, 16, 12, 1),
    (6, 7, 20, 8, 2),
    (1, 2, 1032, 4, 1),
)
# Height, width, input and output channels, kernel, stride, padding above, left, below, right, dilation, groups.
WINDOWS: Final = (
    (5, 7, 1, 4, (3, 3), 1, (1, 1, 1, 1), 1, 1),
    (9, 8, 3, 8, (3, 3), 2, (0, 0, 1, 1), 1, 1),
    (6, 5, 4, 5, (3, 2), 1, (1, 0, 1, 1), 1, 1),
    (7, 6, 2, 3, (10, 4), 2, (4, 1, 5, 1), 1, 1),
    (7, 7, 5, 6, (2, 3), 1, (2, 2, 2, 2), 2, 1),
    (6, 4, 8, 12, (3, 3), 1, (1, 1, 1, 1), 1, 2),
    (4, 4, 16, 7, (1, 1), 1, (1, 1, 0, 0), 1, 1),
    (3, 3, 32, 4, (3, 3), 1, (1, 1, 1, 1), 1, 1),
    (2, 3, 128, 4, (3, 3), 1, (1, 1, 1, 1), 1, 1),
)

# Rows, depth, outputs of fully connected layers.
DENSE: Final = (
    *((1 + depth % 2, depth, outputs) for depth, outputs in zip(range(1, 18), range(9, 26), strict=True)),
    (3, 8, 3),
    (1, 640, 4),
    (1, 1100, 8),
)


def _convolution(made: Edges, x: str, weights: Array, geometry: Attributes, number: int) -> None:
    outputs, depth = weights.shape[0], int(np.prod(weights.shape[1:]))
    scaling, attributes = made.scaling(40.0 / (74 * 74 * np.sqrt(depth)), outputs)
    bias = made.constant(made.random.integers(-9999, 9999, (outputs,)))
    operands = (x, made.constant(weights, np.int8), bias, *scaling)
    clamp = ((-128, 127), *CLAMPS)[number % 4]
    made.node("conv2d", operands, {**geometry, **attributes}, (-128, 127, 5)[number % 3], clamp)


def _dense(made: Edges, x: str, weights: Array, number: int) -> None:
    outputs, depth = weights.shape
    scaling, attributes = made.scaling(40.0 / (74 * 74 * np.sqrt(depth)), outputs)
    bias = made.constant(made.random.integers(-9999, 9999, (outputs,)))
    clamp = ((-128, 127), *CLAMPS)[number % 4]
    operands = (x, made.constant(weights, np.int8), bias, *scaling)
    made.node("dense", operands, attributes, (-128, 127, 5)[number % 3], clamp)


@cache
def graph() -> Graph:
    made = Edges("highmul")
    for number, (height, width, depth, outputs, stride) in enumerate(POINTWISE):
        plain: Attributes = {"strides": (stride, stride), "pads": (0,) * 4, "dilations": (1, 1), "group": 1}
        weights = made.random.integers(-128, 128, (outputs, 1, 1, depth))
        _convolution(made, made.input(1, height, width, depth), weights, {**plain, "pad_value": 0}, number)
    for number, (height, width, depth, outputs, kernel, stride, pads, dilation, group) in enumerate(WINDOWS):
        around: Attributes = {
            "strides": (stride, stride),
            "pads": pads,
            "dilations": (dilation, dilation),
            "group": group,
            "pad_value": (-128, 127, 3)[number % 3],
        }
        weights = made.random.integers(-128, 128, (outputs, *kernel, depth // group))
        _convolution(made, made.input(1, height, width, depth), weights, around, number)
    for number, (rows, depth, outputs) in enumerate(DENSE):
        _dense(made, made.input(rows, depth), made.random.integers(-128, 128, (outputs, depth)), number)
    return made.graph


def inputs() -> list[list[Array]]:
    """Random values, and all at either bound."""
    draw = np.random.default_rng(4)
    shapes = [graph().tensors[name].shape for name in graph().inputs]
    random = [draw.integers(-128, 128, shape).astype(np.int8) for shape in shapes]
    return [random, *([np.full(shape, bound, np.int8) for shape in shapes] for bound in (-128, 127))]


@pytest.mark.qemu
@pytest.mark.parametrize("code_bytes", [FEWEST, EVERY])
@pytest.mark.parametrize("board", BOARDS)
def test_every_rest_has_the_reference_bits(
    board: str, code_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, needs_program: Callable[[str], str]
) -> None:
    """On this computer panels are for once allowed, with the plain products."""
    monkeypatch.setattr(dense, "PANEL_LEAST", 0)
    monkeypatch.setattr(packing, "PANELS", (*packing.PANELS, "generic"))
    if board != "native":
        needs_program("arm-none-eabi-gcc")
        needs_program("qemu-system-arm")
    steps = bind_kernels(graph(), load_board(board).target.isa)
    assert {step.kernel for step in steps} == KERNELS
    sanitize = board == "native" and code_bytes == FEWEST
    found = compare_on(board, graph(), inputs(), tmp_path, code_bytes=code_bytes, sanitize=sanitize)
    assert found.first is None, f"{found.mismatches} of {found.elements} elements differ"


def test_what_does_not_fit_the_short_scaling_goes_elsewhere() -> None:
    made = Edges("highmul")
    around: Attributes = {"strides": (1, 1), "pads": (0,) * 4, "dilations": (1, 1), "group": 1, "pad_value": 0}
    for multiplier, shift in ((1 << 26, 1), ((1 << 31) - 1, 0)):
        operands = (made.input(1, 2, 2, 8), made.constant(np.full((4, 1, 1, 8), 127), np.int8), made.constant([0] * 4))
        made.node("conv2d", (*operands, made.constant([multiplier])), {**around, "shift": shift}, 0, (-128, 127))
    for board, reasons in (("mps2-an385", ("shifted", None)), ("mps2-m0", ("shifted", "48 bits"))):
        steps = bind_kernels(made.graph, load_board(board).target.isa)
        for step, reason in zip(steps, reasons, strict=True):
            assert (reason is None) == (step.kernel in KERNELS)
            assert reason is None or reason in step.refused["eq_pointwise_panel_s8"]


def test_weights_without_sign_give_the_same_sums() -> None:
    """ARMv6-M: sum (w + 128)(x + 128) - 128 sum (x + 128) + packed bias is bias + sum w x."""
    draw = np.random.default_rng(3)
    weights, x = draw.integers(-128, 128, (1, 4, 9)).astype(np.int8), draw.integers(-128, 128, 9)
    bias = draw.integers(-9999, 9999, 4).astype(np.int32)
    stream = pack_panels(weights, bias, np.ones(4, np.int32), ("v6m", "generic"))
    found = stream[:16].view("<i4").astype(np.int64)
    places = stream[16:52].view(np.uint8).reshape(9, 4).astype(np.int64)
    sums = found + (places * (x + 128)[:, None]).sum(axis=0) - 128 * (x + 128).sum()
    assert np.array_equal(sums, bias + (weights[0].astype(np.int64) * x).sum(axis=1))


def test_lines_are_columns_on_armv7m_alone() -> None:
    """There they are fewer, but results overlap nothing; ARMv6-M saves the memory."""
    made = Edges("highmul")
    scaling, attributes = made.scaling(1e-3, 8)
    weights = made.constant(np.ones((8, 3, 3, 1)), np.int8)
    operands = (made.input(1, 16, 5, 8), weights, made.constant([0] * 8), *scaling)
    around: Attributes = {"strides": (1, 1), "dilations": (1, 1), "pads": (1, 1, 1, 1), "group": 8, "pad_value": 0}
    made.node("conv2d", operands, {**around, **attributes}, 0, (-128, 127))
    for isa, columns, overlaps in (("v7m", 16, False), ("v6m", 5, True)):
        (step,) = bind_kernels(made.graph, (isa, "generic"))
        assert (step.kernel, step.call.record["columns"]) == ("eq_depthwise_lines_s8", columns)
        assert bool(step.call.trailing) == overlaps
