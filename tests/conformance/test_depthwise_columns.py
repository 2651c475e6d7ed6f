"""Depthwise convolution down the columns of an image, by way of a copy: the definition's bits, over its operand."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from edgeq.backends.c import bind_kernels, plan_steps
from edgeq.ir import Graph
from edgeq.numerics.array import Array
from tests.conformance.edges import CLAMPS, Attributes, Edges
from tests.conformance.images import EVERY, FEWEST, compare_on

KERNEL: Final = "eq_depthwise_columns_s8"
# Height, width, channels, padding above, left, below, right. Four channels go together, four results of a column.
SHAPES: Final = (
    (4, 3, 1, (1, 1, 1, 1)),
    (25, 5, 8, (1, 1, 1, 1)),
    (6, 3, 4, (1, 1, 0, 1)),
    (7, 4, 7, (0, 1, 1, 1)),
    (8, 5, 6, (0, 1, 0, 1)),
    (9, 3, 9, (1, 1, 1, 1)),
    (12, 11, 5, (1, 1, 1, 1)),
    (5, 4, 3, (1, 1, 1, 1)),
)


@cache
def graph() -> Graph:
    made = Edges("highmul")
    for number, (height, width, channels, pads) in enumerate(SHAPES):
        weights = made.random.integers(-128, 128, (channels, 3, 3, 1))
        scaling, attributes = made.scaling(40.0 / (74 * 74 * 3), channels)
        operands = (
            made.input(1, height, width, channels),
            made.constant(weights, np.int8),
            made.constant(made.random.integers(-99, 99, channels) << 8),
            *scaling,
        )
        geometry: Attributes = {
            "strides": (1, 1),
            "dilations": (1, 1),
            "pads": pads,
            "group": channels,
            "pad_value": (-128, 127, 3)[number % 3],
        }
        clamp = ((-128, 127), *CLAMPS)[number % 4]
        made.node("conv2d", operands, {**geometry, **attributes}, (-128, 127, 5)[number % 3], clamp)
    return made.graph


def inputs() -> list[list[Array]]:
    """Random values, and all at either bound."""
    draw = np.random.default_rng(4)
    shapes = [graph().tensors[name].shape for name in graph().inputs]
    random = [draw.integers(-128, 128, shape).astype(np.int8) for shape in shapes]
    return [random, *([np.full(shape, bound, np.int8) for shape in shapes] for bound in (-128, 127))]


@pytest.mark.qemu
@pytest.mark.parametrize("code_bytes", [FEWEST, EVERY])
@pytest.mark.parametrize(
    "board",
    [
        "mps2-an386",
        pytest.param("mps2-an500", marks=pytest.mark.slow),
        pytest.param("mps2-an505", marks=pytest.mark.slow),
    ],
)
def test_every_shape_has_the_reference_bits(
    board: str, code_bytes: int, tmp_path: Path, needs_program: Callable[[str], str]
) -> None:
    needs_program("arm-none-eabi-gcc")
    needs_program("qemu-system-arm")
    assert {step.kernel for step in bind_kernels(graph(), ("dsp", "generic"))} == {KERNEL}
    found = compare_on(board, graph(), inputs(), tmp_path, code_bytes=code_bytes)
    assert found.first is None, f"{found.mismatches} of {found.elements} elements differ"


def test_results_lie_over_operands() -> None:
    steps = bind_kernels(graph(), ("dsp", "generic"))
    places = plan_steps(graph(), steps).offsets
    over = [step for step in steps if places[step.call.outputs[0]] == places[step.call.inputs[0]]]
    assert {step.call.record["channels"] % 4 == 0 for step in over} == {True, False}
