"""Kernels of MVE for convolutions and dense layers: the definition's bits at every tail, and where results trail."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from edgeq.backends import planning
from edgeq.backends.c import bind_kernels
from edgeq.ir import Graph
from tests.conformance.edges import CLAMPS, Attributes, Edges
from tests.conformance.images import WAYS, compare_on
from tests.conformance.test_dsp_layers import inputs, operands
from tests.conformance.test_orders import tight

BOARD: Final = "mps3-an547"
ISA: Final = ("mve", "dsp", "generic")
# Height, width, input and output channels, kernel, strides, padding above, left, below, right, dilation of rows.
# Two pixels go together, eight channels, sixteen places; windows inside are read in place from some depth on.
CONVOLUTIONS: Final = (
    (6, 7, 16, 8, (3, 3), (1, 1), (1, 1, 1, 1), 1),
    (5, 8, 16, 24, (3, 3), (1, 1), (1, 1, 1, 1), 1),
    (7, 7, 32, 16, (3, 3), (2, 2), (0, 0, 1, 1), 1),
    (8, 6, 16, 32, (3, 3), (2, 2), (1, 1, 0, 1), 1),
    (6, 5, 64, 16, (3, 3), (1, 1), (1, 0, 1, 2), 1),
    (9, 6, 16, 16, (3, 3), (1, 1), (2, 1, 2, 1), 2),
    (6, 9, 48, 8, (2, 2), (1, 2), (0, 0, 0, 0), 1),
    (7, 9, 20, 16, (3, 3), (1, 1), (1, 1, 1, 1), 1),
    (4, 1, 16, 8, (3, 1), (1, 1), (1, 0, 1, 0), 1),
    (1, 12, 32, 8, (1, 5), (1, 1), (0, 2, 0, 2), 1),
    (9, 8, 3, 8, (3, 3), (2, 2), (0, 0, 1, 1), 1),
    (7, 6, 3, 11, (3, 3), (1, 1), (1, 1, 1, 1), 1),
    (9, 5, 1, 64, (10, 4), (2, 2), (4, 1, 5, 1), 1),
    (9, 6, 3, 11, (3, 3), (1, 1), (2, 1, 2, 1), 2),
    (8, 9, 4, 12, (3, 4), (2, 2), (1, 1, 1, 1), 1),
    (6, 7, 3, 16, (3, 3), (1, 1), (1, 1, 1, 1), 1),
    (5, 5, 33, 19, (3, 3), (1, 1), (1, 1, 1, 1), 1),
    (1, 9, 7, 8, (1, 1), (1, 1), (0, 0, 0, 0), 1),
    (5, 5, 40, 17, (1, 1), (2, 2), (0, 0, 0, 0), 1),
    (1, 4, 160, 16, (1, 1), (1, 1), (0, 0, 0, 0), 1),
)
# Rows, depth, outputs. Eight outputs go together, sixteen places, and two of those.
DENSE: Final = (
    (1, 1, 8),
    (1, 8, 128),
    (1, 15, 9),
    (1, 16, 16),
    (1, 17, 8),
    (1, 32, 15),
    (1, 47, 24),
    (1, 48, 8),
    (1, 64, 33),
    (1, 70, 12),
    (1, 150, 8),
    (2, 40, 9),
    (5, 64, 24),
)
KERNELS: Final = {"eq_conv2d_tile_s8", "eq_pointwise_tile_s8", "eq_dense_octets_s8"}


@cache
def graph() -> Graph:
    made = Edges("highmul")
    for number, (height, width, depth, channels, window, strides, pads, dilation) in enumerate(CONVOLUTIONS):
        weights = made.random.integers(-128, 128, (channels, *window, depth))
        constants, attributes = operands(made, weights, number)
        geometry: Attributes = {
            "strides": strides,
            "dilations": (dilation, 1),
            "pads": pads,
            "group": 1,
            "pad_value": (-128, 127, 3)[number % 3],
        }
        x = made.input(1, height, width, depth)
        clamp = ((-128, 127), *CLAMPS)[number % 4]
        made.node("conv2d", (x, *constants), {**geometry, **attributes}, (-128, 127, 5)[number % 3], clamp)
    for number, (rows, depth, outputs) in enumerate(DENSE):
        constants, attributes = operands(made, made.random.integers(-128, 128, (outputs, depth)), number)
        clamp = ((-128, 127), *CLAMPS)[number % 4]
        made.node("dense", (made.input(rows, depth), *constants), attributes, (-128, 127, 5)[number % 3], clamp)
    return made.graph


def test_windows_are_copied_and_read_in_place() -> None:
    steps = bind_kernels(graph(), ISA)
    assert {step.kernel for step in steps} == KERNELS
    kinds = {step.call.record["kind"] for step in steps if step.kernel == "eq_conv2d_tile_s8"}
    assert kinds >= {0, 1, 3, 6}


@pytest.mark.qemu
@pytest.mark.parametrize("code_bytes", WAYS)
def test_every_tail_has_the_reference_bits_as_close_as_results_may_trail(
    code_bytes: int | None, tmp_path: Path, needs_program: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_program("arm-none-eabi-gcc")
    needs_program("qemu-system-arm")
    assert all(step.call.trailing for step in bind_kernels(graph(), ISA))
    monkeypatch.setattr(planning, "plan_memory", tight)
    found = compare_on(BOARD, graph(), inputs(graph()), tmp_path, code_bytes=code_bytes)
    assert found.first is None, f"{found.mismatches} of {found.elements} elements differ"
