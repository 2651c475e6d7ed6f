"""Winograd's convolution: the bits of the definition at every size of image, channels and padding, and its bounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from edgeq.backends.base import Aim
from edgeq.backends.c import choose
from edgeq.backends.c.bind import Step, bind_kernels, plan_steps
from edgeq.backends.c.bindings.conv_winograd import LARGE, PHASES, TRANSFORMED, WIDE, Form, binding_of
from edgeq.backends.c.choose import Memory, choose_kernels
from edgeq.backends.placement import BESIDE_BYTES
from edgeq.ir import Graph
from edgeq.numerics.array import Array
from edgeq.target import load_board
from tests.conformance.edges import CLAMPS, Attributes, Edges
from tests.conformance.images import compare_on

FORMS: Final = (LARGE, PHASES, WIDE, *TRANSFORMED)
NAMES: Final = [f"{form.kernel}-{form.block}" for form in FORMS]
ISA: Final = ("dsp", "generic")
SLOW: Final = ("mps2-an500", "mps2-an505")
BOARDS: Final = ("mps2-an385", "mps2-an386", "mps2-m0", "native", *SLOW)
# Height, width, input and output channels, padding above, left, below, right. Kernels take 2 x 8, 4 x 4 or 2 x 2
# results at once.
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


Shape = tuple[int, int, int, int, tuple[int, ...]]


def convolution(made: Edges, shape: Shape, number: int, stride: int = 1, operand: str = "") -> None:
    """One layer, of an input of its own or of what another one gave."""
    height, width, depth, channels, pads = shape
    weak = number % 4 == 2  # small weights, and accumulators that are shifted to the left
    weights = made.random.integers(-1, 2, (channels, 3, 3, depth)) * (1 if weak else 127)
    if not weak:
        weights[1:-1] = made.random.integers(-127, 128, weights[1:-1].shape)
    bias = made.random.integers(-99, 99, channels) << (0 if weak else 14)
    factor = 0.6 if weak else 40.0 / (74 * 74 * np.sqrt(9 * depth))
    scaling, attributes = made.scaling(factor, channels)
    operands = (
        operand or made.input(1, height, width, depth),
        made.constant(weights, np.int8),
        made.constant(bias),
        *scaling,
    )
    geometry: Attributes = {
        "strides": (stride, stride),
        "dilations": (1, 1),
        "pads": pads,
        "group": 1,
        "pad_value": (-128, 127, 3)[number % 3],
    }
    clamp = ((-128, 127), *CLAMPS)[number % 4]
    made.node("conv2d", operands, {**geometry, **attributes}, (-128, 127, 5)[number % 3], clamp)


@cache
def graph(stride: int = 1) -> Graph:
    made = Edges("highmul")
    for number, shape in enumerate(SHAPES):
        convolution(made, shape, number, stride)
    return made.graph


def inputs(made: Graph) -> list[list[Array]]:
    """Random values, and all at either bound."""
    draw = np.random.default_rng(4)
    shapes = [made.tensors[name].shape for name in made.inputs]
    random = [draw.integers(-128, 128, shape).astype(np.int8) for shape in shapes]
    return [random, *([np.full(shape, bound, np.int8) for shape in shapes] for bound in (-128, 127))]


@pytest.mark.qemu
@pytest.mark.parametrize(
    ("board", "form"),
    [
        pytest.param(board, form, marks=pytest.mark.slow if board in SLOW else (), id=f"{board}-{name}")
        for form, name in zip(FORMS, NAMES, strict=True)
        for board in BOARDS
        if load_board(board).target.isa[0] in (*form.isas, *(() if form.in_flash else ("generic",)))
    ],
)
def test_every_shape_has_the_reference_bits(
    board: str,
    form: Form,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    needs_program: Callable[[str], str],
) -> None:
    """On this computer a form that has plain products is for once allowed."""
    isa = load_board(board).target.isa
    if board != "native":
        needs_program("arm-none-eabi-gcc")
        needs_program("qemu-system-arm")
    only(form, monkeypatch, isa[0])
    made = graph(form.stride)
    steps, _ = choose_kernels(made, isa, "speed")
    taken = [step.call.record["block"] for step in steps if step.kernel == form.kernel]
    assert set(taken) == {form.block}
    # The shorter scaling of ARMv6-M cannot serve all of them.
    assert len(SHAPES) - len(taken) <= (2 if isa[0] == "v6m" else 0)
    found = compare_on(board, made, inputs(made), tmp_path, aim="speed", sanitize=board == "native")
    assert found.first is None, f"{found.mismatches} of {found.elements} elements differ"


def only(form: Form, monkeypatch: pytest.MonkeyPatch, *isas: str) -> None:
    """Take no other form, whatever is expected of it, and this one for these instruction sets, too."""
    monkeypatch.setattr(choose, "estimate", lambda *_: None)
    monkeypatch.setattr(choose, "FASTER", (binding_of(replace(form, isas=(*form.isas, *isas))),))


@pytest.mark.qemu
@pytest.mark.parametrize("form", FORMS, ids=NAMES)
def test_results_may_lie_over_their_operands(
    form: Form, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, needs_program: Callable[[str], str]
) -> None:
    """A chain of layers in an arena that has no room for operand, result and scratch of any but the first."""
    needs_program("arm-none-eabi-gcc")
    needs_program("qemu-system-arm")
    only(form, monkeypatch)
    made = Edges("highmul")
    shape: tuple[int, ...] = (1, 28, 44, 8)
    operand = ""
    for number in range(3 if form.stride == 1 else 2):
        pads = ((1, 1, 1, 1), (0, 1, 1, 0), (1, 0, 0, 1))[number]
        convolution(made, (shape[1], shape[2], shape[3], shape[3], pads), number, form.stride, operand)
        operand = made.graph.outputs[-1]
        shape = made.graph.tensors[operand].shape
    made.graph.outputs = made.graph.outputs[-1:]
    steps, plan = choose_kernels(made.graph, ISA, "speed")
    assert {step.kernel for step in steps} == {form.kernel}
    sizes = [made.graph.tensors[name].size_bytes for name in (*steps[0].call.inputs, *steps[0].call.outputs)]
    assert plan.arena_bytes < sum(sizes) + steps[0].scratch_bytes
    found = compare_on("mps2-an386", made.graph, inputs(made.graph), tmp_path, aim="speed")
    assert found.first is None, f"{found.mismatches} of {found.elements} elements differ"


def weight_bytes(steps: list[Step]) -> int:
    """Of all constants."""
    return sum(array.nbytes for step in steps for array in step.call.constants.values() if array is not None)


def test_memory_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Balanced, arena and weights have bounds; for speed, those of the board alone. Without estimates all are tried."""
    monkeypatch.setattr(choose, "estimate", lambda *_: None)
    direct, without = choose_kernels(graph(), ("generic",), "speed")
    assert not {step.kernel for step in direct} & {form.kernel for form in FORMS}
    fast, _ = choose_kernels(graph(), ISA, "speed")
    assert {step.kernel for step in fast} == {LARGE.kernel}
    balanced, plan = choose_kernels(graph(), ISA)
    _, direct_plan = choose_kernels(graph(), ISA, memory=Memory(0, 0))
    assert weight_bytes(balanced) <= 1.3 * weight_bytes(bind_kernels(graph(), ISA))
    assert plan.arena_bytes <= 1.25 * direct_plan.arena_bytes
    assert without.arena_bytes > 0


@pytest.mark.parametrize("aim", ["balanced", "speed"])
def test_a_board_without_room_gets_what_takes_none(aim: Aim) -> None:
    direct = bind_kernels(graph(), ISA)
    _, plan = choose_kernels(graph(), ISA, aim, Memory(ram_bytes=BESIDE_BYTES))
    assert plan.arena_bytes <= plan_steps(graph(), direct).arena_bytes
    steps, _ = choose_kernels(graph(), ISA, aim, Memory(flash_bytes=2 * BESIDE_BYTES))
    assert weight_bytes(steps) <= weight_bytes(direct)


@pytest.mark.parametrize(
    ("form", "into", "out", "scales"),
    [
        (
            WIDE,
            [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]],
            [[2, 1, 1, 0], [0, 1, -1, -2]],
            [2, 2],
        ),
        (
            LARGE,
            [
                [4, 0, -5, 0, 1, 0],
                [0, -4, -4, 1, 1, 0],
                [0, 4, -4, -1, 1, 0],
                [0, -2, -1, 2, 1, 0],
                [0, 2, -1, -2, 1, 0],
                [0, 4, 0, -5, 0, 1],
            ],
            [[1, 4, 4, 1, 1, 0], [0, 2, -2, 1, -1, 0], [0, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 1]],
            [24, 12, 6, 6],
        ),
        (
            PHASES,
            [[1, 0, -1, 0, 0], [0, 0, 1, 0, 0], [0, 0, -1, 0, 1], [0, 1, 0, 0, 0], [0, 0, 0, 1, 0]],
            [[1, 1, 0, 1, 0], [0, 1, 1, 0, 1]],
            [1, 1],
        ),
    ],
    ids=["wide", "large", "phases"],
)
def test_transformed_weights_give_the_convolution(
    form: Form, into: list[list[int]], out: list[list[int]], scales: list[int]
) -> None:
    """Products of transformed windows and weights are multiples of the direct sums: by matrices, in wide integers."""
    draw = np.random.default_rng(2)
    weights = draw.integers(-127, 128, (3, 3, 3, 5)).astype(np.int8)
    size = len(into)
    window = draw.integers(-128, 128, (size, size, 5))
    products = form.transformed(weights) * np.einsum("ia,abc,jb->ijc", into, window, into)
    found = np.einsum("pi,oijc,qj->opq", out, products, out)
    places = [form.stride * place for place in range(len(out))]
    wanted = [
        [[(weights[o] * window[y : y + 3, x : x + 3].astype(np.int64)).sum() for x in places] for y in places]
        for o in range(3)
    ]
    assert np.array_equal(found, np.outer(scales, scales) * np.array(wanted))


@pytest.mark.parametrize(
    ("form", "change", "large", "reason"),
    [
        (WIDE, {"strides": (2, 2)}, 0, "stride"),
        (PHASES, {}, 0, "stride"),
        (WIDE, {"dilations": (2, 2)}, 0, "dilation"),
        (WIDE, {}, 1 << 29, "29 bits"),
        (LARGE, {}, 1 << 25, "25 bits"),
    ],
)
def test_what_is_refused_has_a_reason(form: Form, change: dict[str, tuple[int, ...]], large: int, reason: str) -> None:
    made = Edges("highmul")
    scaling, attributes = made.scaling(1e-4, 2)
    bias = made.constant([large, 0])
    operands = (made.input(1, 8, 8, 4), made.constant(np.ones((2, 3, 3, 4)), np.int8), bias, *scaling)
    geometry: Attributes = {"strides": (1, 1), "dilations": (1, 1), "pads": (0, 0, 0, 0), "group": 1, "pad_value": 0}
    made.node("conv2d", operands, {**geometry, **attributes, **change}, 0, (-128, 127))
    (node,) = made.graph.nodes
    refusal = binding_of(form).refusal
    assert reason in str(refusal(node, made.graph, ISA))
    assert "dsp" in str(refusal(node, made.graph, ("mve", "dsp", "generic")))
