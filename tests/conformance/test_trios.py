"""Three pixels in two words: the bits of the reference at every rest of pixels, channels and places, at all bounds."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from edgeq.backends.c import choose, packing
from edgeq.backends.c.bindings import FASTER
from edgeq.backends.c.choose import choose_kernels
from edgeq.ir import Graph
from edgeq.numerics.array import Array
from tests.conformance.edges import CLAMPS, Attributes, Edges
from tests.conformance.images import EVERY, FEWEST, compare_on

POINTWISE: Final = "eq_pointwise_trio_s8"
CONV2D: Final = "eq_conv2d_trio_s8"
BOARDS: Final = ("native", "mps2-an385", "mps2-m0")
LIMIT: Final = 1 << 20
# Height, width, input and output channels of 1x1 convolutions, and their stride.
PIXELS: Final = (
    *(
        (1, 3 + depth % 4, depth, channels, 1)
        for depth, channels in zip(range(1, 18), (*range(1, 10), *range(1, 9)), strict=True)
    ),
    (5, 5, 16, 12, 1),
    (7, 11, 20, 8, 2),
    (6, 6, 32, 4, 1),
    # Several segments.
    (2, 2, 200, 5, 1),
    (1, 3, 577, 8, 1),
)
# Height, width, input and output channels, kernel, stride, padding above, left, below, right, dilation, groups.
WINDOWS: Final = (
    (5, 7, 1, 4, (3, 3), 1, (1, 1, 1, 1), 1, 1),
    (9, 8, 3, 8, (3, 3), 2, (0, 0, 1, 1), 1, 1),
    (6, 5, 4, 5, (3, 2), 1, (1, 0, 1, 1), 1, 1),
    (7, 6, 2, 3, (10, 4), 2, (4, 1, 5, 1), 1, 1),
    (7, 7, 5, 6, (2, 3), 1, (2, 2, 2, 2), 2, 1),
    (6, 4, 8, 12, (3, 3), 1, (1, 1, 1, 1), 1, 2),
    (6, 7, 3, 4, (2, 2), 1, (3, 3, 3, 3), 1, 1),
    (4, 4, 16, 7, (1, 1), 1, (1, 1, 0, 0), 1, 1),
    (9, 9, 3, 4, (3, 3), 1, (0, 0, 0, 0), 1, 1),
    (3, 3, 32, 4, (3, 3), 1, (1, 1, 1, 1), 1, 1),
    (2, 3, 64, 8, (3, 3), 1, (1, 1, 1, 1), 1, 1),
)


def _convolution(
    made: Edges, x: str, weights: Array, bias: Array, geometry: Attributes, number: int, scale: float | None = None
) -> None:
    outputs, depth = weights.shape[0], int(np.prod(weights.shape[1:]))
    scaling, attributes = made.scaling(scale or 40.0 / (74 * 74 * np.sqrt(depth)), outputs)
    operands = (x, made.constant(weights, np.int8), made.constant(bias), *scaling)
    clamp = ((-128, 127), *CLAMPS)[number % 4]
    made.node("conv2d", operands, {**geometry, **attributes}, (-128, 127, 5)[number % 3], clamp)


def _plain(stride: int) -> Attributes:
    return {"strides": (stride, stride), "pads": (0,) * 4, "dilations": (1, 1), "group": 1, "pad_value": 0}


@cache
def pointwise() -> Graph:
    made = Edges("highmul")
    for number, (height, width, depth, outputs, stride) in enumerate(PIXELS):
        weights, bias = (
            made.random.integers(-128, 128, (outputs, 1, 1, depth)),
            made.random.integers(-9999, 9999, outputs),
        )
        _convolution(made, made.input(1, height, width, depth), weights, bias, _plain(stride), number)
    # Sums reach both bounds; and channels without weights, whose bias may be anything.
    weights = np.full((6, 1, 1, 64), -127)
    weights[1] = 127
    weights[2:4] = 0
    bias = np.array([LIMIT - 1 - 128 * 127 * 64, -LIMIT + 128 * 127 * 64, -(1 << 23), 1 << 23, 0, 5])
    _convolution(made, made.input(1, 3, 5, 64), weights, bias, _plain(1), 0, 120 / LIMIT)
    # Every unit of a sum is seen.
    weights = made.random.integers(-1, 2, (8, 1, 1, 4))
    _convolution(made, made.input(1, 9, 9, 4), weights, made.random.integers(-9, 9, 8), _plain(1), 0, 0.15)
    return made.graph


@cache
def windows() -> Graph:
    made = Edges("highmul")
    for number, (height, width, depth, outputs, kernel, stride, pads, dilation, group) in enumerate(WINDOWS):
        around: Attributes = {
            "strides": (stride, stride),
            "pads": pads,
            "dilations": (dilation, dilation),
            "group": group,
            "pad_value": (-128, 127, 3)[number % 3],
        }
        weights = made.random.integers(-128, 128, (outputs, *kernel, depth // group))
        bias = made.random.integers(-9999, 9999, outputs)
        _convolution(made, made.input(1, height, width, depth), weights, bias, around, number)
    return made.graph


def inputs(made: Graph) -> list[list[Array]]:
    """Random values, all at either bound, and pixels at one or the other."""
    draw = np.random.default_rng(4)
    shapes = [made.tensors[name].shape for name in made.inputs]
    found = [[draw.integers(-128, 128, shape).astype(np.int8) for shape in shapes]]
    found += [[np.full(shape, bound, np.int8) for shape in shapes] for bound in (-128, 127)]
    for _ in range(3):
        found.append(
            [np.broadcast_to(draw.choice([-128, 127], (*shape[:3], 1)), shape).astype(np.int8) for shape in shapes]
        )
    return found


@pytest.mark.qemu
@pytest.mark.parametrize("code_bytes", [FEWEST, EVERY])
@pytest.mark.parametrize("kernel", [POINTWISE, CONV2D])
@pytest.mark.parametrize("board", BOARDS)
def test_every_rest_has_the_reference_bits(
    board: str,
    kernel: str,
    code_bytes: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    needs_program: Callable[[str], str],
) -> None:
    """On this computer the kernels are for once allowed, with the plain products."""
    monkeypatch.setattr(packing, "PANELS", (*packing.PANELS, "generic"))
    if board != "native":
        needs_program("arm-none-eabi-gcc")
        needs_program("qemu-system-arm")
    made = pointwise() if kernel == POINTWISE else windows()
    found = compare_on(
        board,
        made,
        inputs(made),
        tmp_path,
        code_bytes=code_bytes,
        sanitize=board == "native" and code_bytes == FEWEST,
        kernels=[("*", kernel)],
    )
    assert found.first is None, f"{found.mismatches} of {found.elements} elements differ"


def test_segments_are_as_few_as_have_sums_of_21_bits() -> None:
    for depth, bias, first, segment in (
        (64, LIMIT - 1 - 127 * 127 * 64, 64, 0),
        (64, LIMIT - 127 * 127 * 64, 32, 32),
        (64, LIMIT - 1 - 127 * 127 * 16, 16, 24),
        (65, 0, 25, 40),
        (500, 0, 52, 64),
        (1025, 0, 1, 64),
    ):
        weights, ones = np.full((1, 1, depth), 127, np.int8), np.ones(1, np.int32)
        packed = packing.pack_trio(weights, np.array([bias], np.int32), ones, ("v7m", "generic"))
        if depth > 8 * 64:
            assert packed is None
        else:
            assert packed is not None
            assert (packed.first, packed.segment) == (first, segment)


@pytest.mark.parametrize("isa", ["v6m", "v7m"])
@pytest.mark.parametrize(
    ("weight", "bias", "width", "reason"),
    [
        (127, LIMIT - 1 - 127 * 127 * 64, 3, None),
        (127, LIMIT + 127 * 127 * 8, 3, "sums of few places may leave 21 bits"),
        (-127, -LIMIT + 127 * 127 * 64, 3, None),
        (-127, -LIMIT - 1 - 127 * 127 * 8, 3, "sums of few places may leave 21 bits"),
        (1, 0, 2, "there are less than three pixels"),
    ],
)
def test_sums_of_21_bits_are_taken(isa: str, weight: int, bias: int, width: int, reason: str | None) -> None:
    made = Edges("highmul")
    weights = np.full((1, 1, 1, 64), weight)
    _convolution(made, made.input(1, 1, width, 64), weights, np.array([bias]), _plain(1), 0)
    (node,) = made.graph.nodes
    (binding,) = (each for each in FASTER if each.kernel == POINTWISE)
    assert binding.refusal(node, made.graph, (isa, "generic")) == reason


def test_a_kernel_may_take_all_layers_where_one_by_one_is_too_much_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its code counts once, and that of the other kernel no more."""
    made = Edges("highmul")
    around: Attributes = {**_plain(1), "pads": (1, 1, 1, 1)}
    for size, inputs, outputs in ((19, 16, 16), (8, 32, 32), (7, 16, 32), (6, 32, 16)):
        weights = made.random.integers(-40, 40, (outputs, 3, 3, inputs))
        _convolution(made, made.input(1, size, size, inputs), weights, np.zeros(outputs), around, 0)
    isa = ("v6m", "generic")
    together, _ = choose_kernels(made.graph, isa)
    assert {step.kernel for step in together} == {CONV2D}
    monkeypatch.setattr(choose, "MOST_KERNELS", 0)
    apart, _ = choose_kernels(made.graph, isa)
    assert {step.kernel for step in apart} != {CONV2D}
