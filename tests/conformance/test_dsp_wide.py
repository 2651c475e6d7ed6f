"""Convolutions of the DSP extension with weights of int16: the definition's bits at every tail."""

from __future__ import annotations

import glob
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from edgeq.backends.c import Step, packing
from edgeq.backends.c.candidates import Wanted, candidates_of
from edgeq.backends.c.chain import Chain
from edgeq.backends.c.choose import Memory
from edgeq.backends.c.program import balanced_program
from edgeq.ir import Graph
from edgeq.numerics.array import Array
from tests.conformance.edges import CLAMPS, Attributes, Edges
from tests.conformance.images import WAYS, compare_on
from tests.conformance.test_dsp_layers import inputs, operands

ISA: Final = ("dsp", "generic")
STORED: Final = "eq_pointwise_wide_s8:stored"
WIDENED: Final = "eq_pointwise_wide_s8:widened"
EIGHT: Final = "eq_pointwise_eight_s8"
LARGE: Final = "eq_conv2d_wide_s8:large"
# Height, width, input and output channels, stride. Two pixels go together, four channels, sixteen steps of two places
# behind the first one.
POINTWISE: Final = (
    (1, 2, 1, 4, 1),
    (3, 3, 3, 8, 1),
    (4, 4, 4, 4, 1),
    (1, 9, 5, 12, 1),
    (2, 3, 8, 4, 1),
    (1, 1, 8, 16, 1),
    (5, 7, 8, 20, 2),
    (7, 5, 16, 8, 2),
    (1, 11, 18, 8, 1),
    (5, 18, 31, 4, 2),
    (1, 10, 32, 4, 1),
    (1, 8, 33, 8, 1),
    (1, 9, 34, 4, 1),
    (2, 2, 36, 28, 1),
    (1, 4, 60, 4, 1),
    (1, 2, 67, 16, 1),
    (3, 3, 129, 4, 1),
)
# Height, width, input and output channels, kernel, strides, padding above, left, below, right, dilation of rows.
WINDOWS: Final = (
    (9, 9, 3, 8, (3, 3), (2, 2), (0, 0, 1, 1), 1),
    (8, 7, 16, 12, (3, 3), (1, 1), (1, 1, 1, 1), 1),
    (6, 5, 5, 4, (3, 3), (1, 1), (0, 0, 0, 0), 1),
    (1, 1, 12, 4, (3, 3), (1, 1), (1, 1, 1, 1), 1),
    (9, 3, 20, 8, (3, 1), (1, 1), (1, 0, 1, 0), 1),
    (1, 13, 9, 8, (1, 3), (1, 1), (0, 1, 0, 1), 1),
    (7, 9, 2, 16, (2, 5), (1, 2), (1, 2, 0, 2), 1),
    (9, 8, 4, 8, (3, 3), (1, 1), (2, 1, 2, 1), 2),
    (5, 4, 7, 4, (4, 4), (3, 1), (1, 1, 1, 2), 1),
)


def _add(made: Edges, x: str, weights: Array, geometry: Attributes) -> None:
    number = len(made.graph.nodes)
    constants, attributes = operands(made, weights, 0)
    clamp = ((-128, 127), *CLAMPS)[number % 4]
    padded = {"group": 1, "pad_value": (-128, 127, 3)[number % 3]}
    made.node("conv2d", (x, *constants), {**geometry, **padded, **attributes}, (-128, 127, 5)[number % 3], clamp)


@cache
def graph() -> Graph:
    made = Edges("highmul")
    for height, width, depth, channels, stride in POINTWISE:
        weights = made.random.integers(-128, 128, (channels, 1, 1, depth))
        x = made.input(1, height, width, depth)
        _add(made, x, weights, {"strides": (stride, stride), "dilations": (1, 1), "pads": (0, 0, 0, 0)})
    for height, width, depth, channels, window, strides, pads, dilation in WINDOWS:
        weights = made.random.integers(-128, 128, (channels, *window, depth))
        x = made.input(1, height, width, depth)
        _add(made, x, weights, {"strides": strides, "dilations": (dilation, 1), "pads": pads})
    return made.graph


@cache
def network() -> Graph:
    """The first layers of a MobileNet: after one of eight channels, whose result is the largest tensor, wider ones."""
    made = Edges("highmul")
    x, depth = made.input(1, 48, 48, 8), 8
    for channels, kernel, stride in ((16, 1, 1), (16, 3, 2), (32, 1, 1), (32, 3, 1), (32, 1, 1)):
        weights = made.random.integers(-128, 128, (channels, kernel, kernel, 1 if kernel > 1 else depth))
        constants, attributes = operands(made, weights, 0)
        geometry: Attributes = {
            "strides": (stride, stride),
            "dilations": (1, 1),
            "pads": (0, 0, 1, 1) if stride > 1 else (kernel // 2,) * 4,
            "group": channels if kernel > 1 else 1,
            "pad_value": 3,
        }
        made.node("conv2d", (x, *constants), {**geometry, **attributes}, 5, (-128, 127))
        (x,), depth = made.graph.nodes[-1].outputs, channels
    made.graph.outputs = (x,)
    return made.graph


def test_bands_run_beside_layers_with_faster_kernels() -> None:
    steps, plan = balanced_program(network(), ISA, Memory(1 << 18, 1 << 20))
    chains = [[node.name for node in step.nodes] for step in steps if isinstance(step, Chain)]
    assert chains == [["conv2d0", "conv2d1"]]
    assert "eq_pointwise_wide_s8" in {step.kernel for step in steps if isinstance(step, Step)}
    assert plan.arena_bytes < 48 * 48 * 16


def wanted(*names: str) -> list[Wanted]:
    """For each node that one of these candidates serves, the first one."""
    served = {
        node.name: [each.binding.name for each in candidates_of(node, graph(), ISA) if each.refusal is None]
        for node in graph().nodes
    }
    taken = {node: [name for name in names if name in found] for node, found in served.items()}
    return [(glob.escape(node), found[0]) for node, found in taken.items() if found]


@pytest.mark.qemu
@pytest.mark.parametrize("code_bytes", WAYS)
@pytest.mark.parametrize("pointwise", [STORED, WIDENED, EIGHT])
def test_every_tail_has_the_reference_bits(
    pointwise: str, code_bytes: int | None, tmp_path: Path, needs_program: Callable[[str], str]
) -> None:
    needs_program("arm-none-eabi-gcc")
    needs_program("qemu-system-arm")
    kernels = wanted(pointwise, LARGE)
    assert {LARGE, pointwise} == {name for _, name in kernels}
    found = compare_on("mps2-an386", graph(), inputs(graph()), tmp_path, code_bytes=code_bytes, kernels=kernels)
    assert found.first is None, f"{found.mismatches} of {found.elements} elements differ"


def test_most_shapes_are_served() -> None:
    assert len(wanted(WIDENED)) == len(POINTWISE) - 2  # few pixels, and odd numbers of them
    assert len(wanted(STORED)) == len(POINTWISE) - 3
    assert len(wanted(EIGHT)) == 3
    assert len(wanted(LARGE)) == len(WINDOWS) - 3  # those of few weights have it anyway


@pytest.mark.parametrize("depth", [1, 4, 7, 32])
def test_narrow_weights_widen_to_wide_ones(depth: int) -> None:
    draw = np.random.default_rng(5)
    weights = draw.integers(-128, 128, (8, depth)).astype(np.int8)
    bias, multiplier = (draw.integers(-(1 << 31), 1 << 31, 8).astype(np.int32) for _ in range(2))
    narrow, wide = (pack(weights, bias, multiplier) for pack in (packing.pack_narrow, packing.pack_wide))
    places = -(-depth // 4) * 4
    assert (narrow.size, wide.size) == (8 * (8 + places), 8 * (8 + 2 * places))
    blocks, expected = narrow.reshape(2, -1), wide.reshape(2, -1)
    words = blocks[:, 16:-16].reshape(2, places // 4, 4, 4)
    halves = np.stack([words[..., 0::2], words[..., 1::2]], axis=2).astype("<i2").reshape(2, -1).view(np.int8)
    assert np.array_equal(np.concatenate([blocks[:, :16], halves, blocks[:, -16:]], axis=1), expected)
