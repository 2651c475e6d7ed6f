"""Kernels of the DSP extension for convolutions and dense layers: the definition's bits at every tail."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from edgeq.backends.c import bind_kernels, choose
from edgeq.backends.c.choose import choose_kernels
from edgeq.backends.c.packing import couple, may_couple, pack_quads
from edgeq.ir import Graph
from edgeq.numerics.array import Array
from tests.conformance.edges import CLAMPS, Attributes, Edges
from tests.conformance.images import WAYS, compare_on

ISA: Final = ("dsp", "generic")
UNCOUPLED: Final = {"eq_dense_quads_s8", "eq_conv2d_wide_s8", "eq_depthwise_planes_s8"}
# Height, width, input and output channels, kernel, stride, groups. Three pixels go together, two channels, four places.
CONVOLUTIONS: Final = (
    (1, 1, 64, 2, 1, 1, 1),
    (1, 1, 7, 5, 1, 1, 1),
    (1, 2, 33, 3, 1, 1, 1),
    (1, 3, 4, 1, 1, 1, 1),
    (2, 2, 68, 4, 1, 1, 1),
    (1, 5, 36, 7, 1, 1, 1),
    (4, 7, 64, 5, 1, 2, 1),
    (3, 8, 129, 6, 1, 1, 1),
    (3, 4, 5, 6, 3, 1, 1),
    (5, 4, 8, 3, 3, 2, 1),
    (4, 4, 12, 5, 3, 1, 1),
    (7, 5, 6, 6, 3, 2, 2),
    (1, 1, 16, 3, 3, 1, 1),
)
# Height, width, input and output channels, kernel, strides, padding above, left, below, right: images of few channels.
SMALL: Final = (
    (9, 9, 3, 8, (3, 3), (2, 2), (0, 0, 1, 1)),
    (8, 7, 3, 12, (3, 3), (1, 1), (1, 1, 1, 1)),
    (5, 5, 1, 4, (3, 3), (1, 1), (1, 1, 1, 1)),
    (1, 1, 2, 4, (3, 3), (1, 1), (1, 1, 1, 1)),
    (9, 6, 1, 64, (10, 4), (2, 2), (4, 1, 5, 1)),
    (6, 5, 3, 5, (3, 3), (1, 1), (1, 1, 1, 1)),
    (7, 6, 2, 7, (5, 5), (2, 1), (2, 2, 2, 2)),
    (12, 1, 3, 6, (5, 1), (2, 1), (2, 0, 2, 0)),
    (4, 9, 1, 20, (2, 9), (1, 1), (0, 4, 1, 4)),
    (6, 6, 3, 44, (2, 2), (3, 2), (1, 1, 0, 0)),
    (1, 12, 3, 16, (1, 3), (1, 1), (0, 1, 0, 0)),
    (3, 9, 2, 4, (1, 5), (1, 2), (0, 2, 0, 2)),
)
# Depthwise along one axis: length, channels, kernel, padding before and behind. Four of each go together.
SEQUENCES: Final = (
    (30, 40, 3, (0, 0)),
    (28, 6, 5, (0, 0)),
    (12, 5, 10, (0, 0)),
    (7, 1, 2, (1, 0)),
    (9, 4, 4, (1, 2)),
    (8, 7, 5, (2, 2)),
    (3, 9, 3, (1, 1)),
    (5, 8, 13, (6, 6)),
    (4, 3, 7, (3, 3)),
)
# Depthwise over images: height, width, channels, kernel, padding above, left, below, right.
IMAGES: Final = (
    ((12, 12, 5), (5, 5), (2, 2, 2, 2)),
    ((7, 5, 4), (7, 7), (3, 3, 3, 3)),
    ((6, 9, 3), (2, 4), (0, 1, 1, 2)),
    ((5, 4, 6), (4, 2), (1, 0, 2, 1)),
    ((9, 7, 8), (5, 3), (0, 1, 0, 1)),
)
# Rows, depth, outputs. Four outputs go together, four places, and eight of those.
DENSE: Final = (
    (1, 1, 4),
    (1, 3, 5),
    (1, 4, 8),
    (2, 7, 6),
    (1, 30, 7),
    (3, 32, 4),
    (1, 33, 12),
    (1, 36, 9),
    (2, 64, 16),
    (1, 67, 11),
    (1, 130, 31),
)


def operands(made: Edges, weights: Array, number: int) -> tuple[list[str], dict[str, int | str | tuple[int, ...]]]:
    """Constants for weights [outputs, …], with which results reach both ends; every third accumulator is shifted."""
    outputs, depth = weights.shape[0], weights[0].size
    weak = number % 3 == 2
    drawn: Array = np.sign(weights) if weak else weights
    bias: Array = made.random.integers(-99, 99, (outputs,)) << (0 if weak else 12)
    scaling, attributes = made.scaling(0.9 if weak else 40.0 / (74 * 74 * np.sqrt(depth)), outputs)
    return [made.constant(drawn, np.int8), made.constant(bias), *scaling], dict(attributes)


@cache
def graph() -> Graph:
    made = Edges("highmul")
    for number, (height, width, depth, channels, kernel, stride, group) in enumerate(CONVOLUTIONS):
        weights = made.random.integers(-127, 128, (channels, kernel, kernel, depth // group))
        weights[:2].reshape(-1)[:2] = 127, -127
        constants, attributes = operands(made, weights, number)
        geometry: Attributes = {
            "strides": (stride, stride),
            "dilations": (1, 1),
            "pads": (kernel // 2,) * 4,
            "group": group,
            "pad_value": (-128, 127, 3)[number % 3],
        }
        x = made.input(1, height, width, depth)
        clamp = ((-128, 127), *CLAMPS)[number % 4]
        made.node("conv2d", (x, *constants), {**geometry, **attributes}, (-128, 127, 5)[number % 3], clamp)
    for number, (height, width, depth, channels, window, strides, pads) in enumerate(SMALL):
        weights = made.random.integers(-127, 128, (channels, *window, depth))
        constants, attributes = operands(made, weights, number if channels % 4 else 0)
        geometry = {
            "strides": strides,
            "dilations": (1, 1),
            "pads": pads,
            "group": 1,
            "pad_value": (-128, 127, 3)[number % 3],
        }
        x = made.input(1, height, width, depth)
        clamp = ((-128, 127), *CLAMPS)[number % 4]
        made.node("conv2d", (x, *constants), {**geometry, **attributes}, (-128, 127, 5)[number % 3], clamp)
    for number, (length, channels, kernel, (before, behind)) in enumerate(SEQUENCES):
        upright = number % 2 == 0
        window = (kernel, 1) if upright else (1, kernel)
        constants, attributes = operands(made, made.random.integers(-128, 128, (channels, *window, 1)), 0)
        geometry = {
            "strides": (1, 1),
            "dilations": (1, 1),
            "pads": (before, 0, behind, 0) if upright else (0, before, 0, behind),
            "group": channels,
            "pad_value": (-128, 127, 3)[number % 3],
        }
        x = made.input(1, *((length, 1) if upright else (1, length)), channels)
        clamp = ((-128, 127), *CLAMPS)[number % 4]
        made.node("conv2d", (x, *constants), {**geometry, **attributes}, (-128, 127, 5)[number % 3], clamp)
    for number, (rows, depth, outputs) in enumerate(DENSE):
        constants, attributes = operands(made, made.random.integers(-127, 128, (outputs, depth)), number)
        clamp = ((-128, 127), *CLAMPS)[number % 4]
        made.node("dense", (made.input(rows, depth), *constants), attributes, (-128, 127, 5)[number % 3], clamp)
    return made.graph


def depthwise(made: Edges, shape: tuple[int, int, int], kernel: tuple[int, int], pads: tuple[int, ...]) -> None:
    """One whose kernel copies whole planes, where memory allows that."""
    number = len(made.graph.nodes)
    channels = shape[2]
    constants, attributes = operands(made, made.random.integers(-128, 128, (channels, *kernel, 1)), 0)
    geometry: Attributes = {
        "strides": (1, 1),
        "dilations": (1, 1),
        "pads": pads,
        "group": channels,
        "pad_value": (-128, 127, 3)[number % 3],
    }
    clamp = ((-128, 127), *CLAMPS)[number % 4]
    made.node(
        "conv2d", (made.input(1, *shape), *constants), {**geometry, **attributes}, (-128, 127, 5)[number % 3], clamp
    )


@cache
def images() -> Graph:
    made = Edges("highmul")
    for shape, kernel, pads in IMAGES:
        depthwise(made, shape, kernel, pads)
    return made.graph


@cache
def unshared() -> Graph:
    """Weights of two channels that do not fit one halfword, before every tail of pixels."""
    made = Edges("highmul")
    for number, (height, width, depth, channels, kernel, _, _) in enumerate(CONVOLUTIONS):
        weights = made.random.integers(-127, 128, (channels + 1, kernel, kernel, depth))
        weights[:2] = -128
        constants, attributes = operands(made, weights, 0 if number % 2 else 3)
        geometry: Attributes = {
            "strides": (1, 1),
            "dilations": (1, 1),
            "pads": (kernel // 2,) * 4,
            "group": 1,
            "pad_value": 3,
        }
        made.node(
            "conv2d", (made.input(1, height, width, depth), *constants), {**geometry, **attributes}, 5, (-128, 127)
        )
    return made.graph


def inputs(made: Graph) -> list[list[Array]]:
    """Random values, and all at either bound."""
    draw = np.random.default_rng(4)
    shapes = [made.tensors[name].shape for name in made.inputs]
    random = [draw.integers(-128, 128, shape).astype(np.int8) for shape in shapes]
    return [random, *([np.full(shape, bound, np.int8) for shape in shapes] for bound in (-128, 127))]


@pytest.mark.qemu
@pytest.mark.parametrize("code_bytes", WAYS)
@pytest.mark.parametrize(
    "board",
    [
        "mps2-an386",
        pytest.param("mps2-an500", marks=pytest.mark.slow),
        pytest.param("mps2-an505", marks=pytest.mark.slow),
    ],
)
def test_every_tail_has_the_reference_bits(
    board: str, code_bytes: int | None, tmp_path: Path, needs_program: Callable[[str], str]
) -> None:
    needs_program("arm-none-eabi-gcc")
    needs_program("qemu-system-arm")
    steps = bind_kernels(graph(), ISA)
    assert all(step.kernel in UNCOUPLED or step.call.record["coupled"] for step in steps)
    assert {step.kernel for step in steps} == {
        *UNCOUPLED,
        "eq_pointwise_s8",
        "eq_conv2d_triple_s8",
        "eq_conv2d_small_s8",
    }
    found = compare_on(board, graph(), inputs(graph()), tmp_path, code_bytes=code_bytes)
    assert found.first is None, f"{found.mismatches} of {found.elements} elements differ"


@pytest.mark.qemu
@pytest.mark.parametrize("code_bytes", WAYS)
def test_planes_of_images_have_the_reference_bits(
    code_bytes: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, needs_program: Callable[[str], str]
) -> None:
    """Also where they are not expected to be faster."""
    needs_program("arm-none-eabi-gcc")
    needs_program("qemu-system-arm")
    monkeypatch.setattr(choose, "estimate", lambda *_: None)
    steps, _ = choose_kernels(images(), ISA, "speed")
    assert {step.kernel for step in steps} == {"eq_depthwise_planes_s8"}
    found = compare_on("mps2-an386", images(), inputs(images()), tmp_path, code_bytes=code_bytes, aim="speed")
    assert found.first is None, f"{found.mismatches} of {found.elements} elements differ"


@pytest.mark.qemu
def test_weights_of_a_halfword_each_have_the_reference_bits(
    tmp_path: Path, needs_program: Callable[[str], str]
) -> None:
    needs_program("arm-none-eabi-gcc")
    needs_program("qemu-system-arm")
    assert not any(step.call.record["coupled"] for step in bind_kernels(unshared(), ISA))
    found = compare_on("mps2-an386", unshared(), inputs(unshared()), tmp_path)
    assert found.first is None, f"{found.mismatches} of {found.elements} elements differ"


def test_shared_halfwords_hold_both_weights() -> None:
    weights = np.random.default_rng(3).integers(-127, 128, (5, 2, 8)).astype(np.int8)
    halfwords = couple(weights).view("<i2").astype(np.int64).reshape(5, 2, 4)[..., (0, 2, 1, 3)].reshape(5, 8)
    assert np.array_equal(halfwords.astype(np.int8), weights[:, 0])
    assert np.array_equal((halfwords - weights[:, 0]) >> 8, weights[:, 1])


@pytest.mark.parametrize(
    ("first", "second", "bias", "fits"),
    [
        (-128, -127, 0, True),
        (0, -128, 0, True),
        (-1, -128, 0, False),
        (127, 127, 0, True),
        (127, 127, (1 << 23) - 1 - 127 * 127 * 8, True),
        (127, 127, (1 << 23) - 127 * 127 * 8, False),
        (127, 1, -(1 << 23), False),
    ],
)
def test_ranges_decide(first: int, second: int, bias: int, fits: bool) -> None:
    pairs = np.stack([np.full((1, 8), first), np.full((1, 8), second)], axis=1).astype(np.int8)
    assert may_couple(pairs, np.array([[1 << 30, bias]])) == fits
    found = pack_quads(np.tile(pairs[0], (2, 1)), np.array([0, bias] * 2, np.int32), np.ones(4, np.int32))
    assert (found is not None) == fits
