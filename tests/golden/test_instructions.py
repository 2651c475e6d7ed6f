"""No step of fixed models needs more instructions than before, and no model more code or arena."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from edgeq.backends.c import bind_kernels
from edgeq.backends.c.bindings import EVERY
from edgeq.backends.c.choose import choose_kernels
from edgeq.backends.c.instances import BESIDE, estimated_bytes, special_shapes
from edgeq.firmware.toolchain import find_toolchain
from edgeq.resources import runtime_dir
from edgeq.target import load_board
from tests.golden.code_bytes import FILE as ESTIMATES
from tests.golden.code_bytes import sizes_of
from tests.golden.digests import EXAMPLE, REAL, integer_graph
from tests.golden.instructions import (
    A53,
    ARENA,
    CODE,
    COMPILERS,
    FILE,
    M0,
    M4,
    M55,
    MODELS,
    costs_of,
    exceeded,
    needs_models,
)

STATED: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
ESTIMATED = (M0, M4, M55)
on_every_board = pytest.mark.parametrize(
    ("name", "board"),
    [
        pytest.param(name, board, marks=[pytest.mark.data] if needs_models(name) else [])
        for name, boards in MODELS.items()
        for board in boards
    ],
)


@pytest.mark.qemu
@on_every_board
def test_no_step_exceeds_its_budget(
    name: str, board: str, request: pytest.FixtureRequest, needs_program: Callable[[str], str], tmp_path: Path
) -> None:
    """Where a change is meant, `make golden` writes the budgets anew, and the commit says why."""
    for program in (
        ("aarch64-linux-gnu-gcc", "qemu-aarch64") if board == A53 else ("arm-none-eabi-gcc", "qemu-system-arm")
    ):
        needs_program(program)
    models: Path | None = request.getfixturevalue("data_dir") / "models" if needs_models(name) else None
    found, compiler = costs_of(name, board, models, tmp_path)
    if compiler != STATED[COMPILERS][board]:
        pytest.skip(f"the budgets are those of {STATED[COMPILERS][board]}, which is not installed")
    assert exceeded(found, STATED[name][board]) == []


def test_every_model_has_budgets_on_its_boards() -> None:
    stated = {name: sorted(boards) for name, boards in STATED.items() if name != COMPILERS}
    assert stated == {name: sorted(boards) for name, boards in MODELS.items()}
    assert all({CODE, ARENA} < costs.keys() for name in MODELS for costs in STATED[name].values())


def test_a_dearer_or_unknown_step_is_named() -> None:
    budget = {"00 conv2d a": 10, CODE: 5}
    assert exceeded({"00 conv2d a": 10, CODE: 4}, budget) == []
    assert exceeded({"00 conv2d a": 11, "01 add b": 1, CODE: 6}, budget) == [
        "00 conv2d a: 10 -> 11",
        "01 add b: None -> 1",
        f"{CODE}: 5 -> 6",
    ]


@pytest.mark.parametrize("board", ESTIMATED)
@pytest.mark.parametrize("name", [EXAMPLE, *(pytest.param(name, marks=pytest.mark.data) for name in REAL)])
def test_kernels_take_about_the_estimated_bytes(name: str, board: str, request: pytest.FixtureRequest) -> None:
    """Beside its kernels, a program has a call for each step and the loop over them: up to 64 bytes a step.

    An estimate counts all functions beside a kernel, also those of which a program needs none.
    """
    models: Path | None = request.getfixturevalue("data_dir") / "models" if needs_models(name) else None
    isa = load_board(board).target.isa
    steps, _ = choose_kernels(integer_graph(name, "highmul", models), isa)
    estimate = estimated_bytes(steps, special_shapes(steps, isa, None), isa)
    measured = STATED[name][board][CODE]
    assert 0.75 * measured - 64 * len(steps) <= estimate <= 1.05 * measured


@pytest.mark.parametrize("board", ESTIMATED)
def test_estimates_are_those_of_kernels_compiled_now(board: str, needs_program: Callable[[str], str]) -> None:
    """Both files could be old: the example's kernels are compiled for it, each shape with an instance of its own.

    An estimate is a median over many shapes: that of a few shapes of one kernel is near it, and so is the sum of all.
    """
    needs_program("arm-none-eabi-gcc")
    target = load_board(board).target
    if find_toolchain(target).name != STATED[COMPILERS][board]:
        pytest.skip(f"the estimates are those of {STATED[COMPILERS][board]}, which is not installed")
    graph = integer_graph(EXAMPLE, "highmul", None)
    steps = bind_kernels(graph, target.isa)
    found = defaultdict[str, list[int]](list)
    for kernel, _, size in sizes_of(graph, steps, target, special=True):
        found[kernel].append(size)
    whole = estimated_bytes(steps, {step.call.shape for step in steps}, target.isa)
    assert sum(map(sum, found.values())) == pytest.approx(whole, rel=0.2)
    estimates = json.loads(ESTIMATES.read_text(encoding="utf-8"))
    medians = {kernel: median(sizes) for kernel, sizes in found.items() if len(sizes) >= 4}
    assert medians
    assert medians == pytest.approx({kernel: estimates[kernel][target.isa[0]][0] for kernel in medians}, rel=0.1)


def test_every_kernel_has_estimates() -> None:
    """`make code-bytes` measures a new kernel, and a new function beside kernels."""
    kernels = {binding.kernel for binding in EVERY}
    headers = (path for folder in ("arch/*", "kernels") for path in sorted(runtime_dir().glob(f"{folder}/*.h")))
    beside = {name for path in headers for name in BESIDE.findall(path.read_text("utf-8"))}
    assert kernels | beside == set(json.loads(ESTIMATES.read_text(encoding="utf-8")))
