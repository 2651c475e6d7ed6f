"""Offsets by the solver: never worse than first fit's, valid for the checker, the same every time, and a choice."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given, settings
from test_memory import schedules

import edgeq
from edgeq import extras
from edgeq.backends import planning
from edgeq.cli.compile import show_planning
from edgeq.errors import EdgeqError
from edgeq.manifest import Planning, Program
from edgeq.memory.check import check_plan
from edgeq.memory.plan import plan_memory
from edgeq.memory.schedule import Place, Plan, Schedule
from tests.campaigns.random_schedules import ARENA, random_schedule

needs_solver = pytest.mark.skipif(bool(extras.missing("solver")), reason="ortools is not installed")
LATE, MISSED = 334, (455, 1060)
"""Seeds of programs: one that takes the solver long, and some of which first fit misses the smallest arena."""


@needs_solver
@pytest.mark.parametrize("seed", MISSED)
def test_solver_finds_the_smallest_arena_where_first_fit_misses_it(seed: int) -> None:
    from edgeq.memory.solver import solve_plan

    schedule = random_schedule(seed)
    greedy = plan_memory(schedule)
    solved = solve_plan(schedule, greedy)
    check_plan(schedule, solved)
    assert greedy.used_bytes[ARENA] > solved.used_bytes[ARENA] == solved.bound_bytes[ARENA]


@needs_solver
def test_solver_that_finds_nothing_smaller_leaves_the_plan_and_proves_it() -> None:
    from edgeq.memory.solver import solve_plan

    for seed in range(200):
        schedule = random_schedule(seed)
        greedy = plan_memory(schedule)
        if seed != LATE and greedy.used_bytes != greedy.bound_bytes:
            solved = solve_plan(schedule, greedy)
            if solved.used_bytes == greedy.used_bytes:
                assert solved.places == greedy.places
                assert solved.bound_bytes[ARENA] > greedy.bound_bytes[ARENA]
                return
    raise AssertionError("no program whose plan is the smallest, and above the bytes alive")


@needs_solver
@settings(max_examples=60, deadline=None)
@given(schedules())
def test_solved_plan_of_several_memories_is_valid_and_no_larger(schedule: Schedule) -> None:
    from edgeq.memory.solver import solve_plan

    plan = plan_memory(schedule)
    solved = solve_plan(schedule, plan, 0.5)
    check_plan(schedule, solved)
    for region in schedule.regions:
        name = region.name
        assert plan.bound_bytes[name] <= solved.bound_bytes[name] <= solved.used_bytes[name] <= plan.used_bytes[name]


@needs_solver
def test_effort_that_does_not_suffice_gives_the_same_offsets_in_every_process() -> None:
    script = (
        "from tests.campaigns.random_schedules import *; from edgeq.memory.plan import plan_memory\n"
        "from edgeq.memory.solver import solve_plan\n"
        f"schedule = random_schedule({LATE}); plan = plan_memory(schedule)\n"
        "solved = solve_plan(schedule, plan, 0.5)\n"
        "print(solved.used_bytes, plan.used_bytes, solved.bound_bytes, solved.places, solved.scratch)"
    )
    told = [subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout for _ in range(2)]
    assert told[0] == told[1]


def raised(schedule: Schedule) -> Plan:
    """The plan of first fit, 4096 bytes too high."""
    plan = plan_memory(schedule)
    up = {region: 4096 * (used > 0 and region == ARENA) for region, used in plan.used_bytes.items()}
    return Plan(
        {name: Place(place.region, place.offset + up[place.region]) for name, place in plan.places.items()},
        {name: Place(place.region, place.offset + up[place.region]) for name, place in plan.scratch.items()},
        {region: used + up[region] for region, used in plan.used_bytes.items()},
        plan.bound_bytes,
    )


@needs_solver
def test_compile_takes_the_solvers_arena_and_says_so(
    compiled_example: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "plan_memory", raised)
    model = compiled_example() / "model.qdq.onnx"
    found = {
        str(planner): edgeq.compile(
            model, board="mps2-an386", out=tmp_path / str(planner), sources_only=True, planner=planner
        ).manifest
        for planner in (None, "greedy", "solver")
    }
    greedy, solved = found["greedy"].program, found["solver"].program
    assert found["None"].program.planning == solved.planning
    assert greedy.planning is not None and solved.planning is not None  # noqa: PT018
    assert greedy.arena_bytes is not None
    assert (greedy.planning.planner, greedy.planning.solver) == ("greedy", None)
    assert greedy.planning.gap_bytes >= 4096
    assert (solved.planning.planner, solved.planning.is_smallest, solved.planning.gap_bytes) == ("solver", True, 0)
    assert str(solved.planning.solver).startswith("OR-tools ")
    assert solved.arena_bytes == greedy.arena_bytes - 4096
    assert [each.options.planner for each in found.values()] == ["solver", "greedy", "solver"]


def test_without_the_extra_first_fit_places_and_asking_for_the_solver_names_the_extra(
    compiled_example: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "ortools" else find_spec(name))
    model = compiled_example() / "model.qdq.onnx"
    made = edgeq.compile(model, board="mps2-an386", out=tmp_path / "default", sources_only=True)
    assert made.manifest.options.planner == "greedy"
    assert made.manifest.program.planning is not None
    assert made.manifest.program.planning.planner == "greedy"
    with pytest.raises(EdgeqError, match="EQ0530") as caught:
        edgeq.compile(model, board="mps2-an386", out=tmp_path / "asked", sources_only=True, planner="solver")
    assert extras.install_command("solver") in str(caught.value)


def test_unknown_planner_is_refused() -> None:
    with pytest.raises(EdgeqError, match="EQ0193"):
        edgeq.compile(b"", board="native", planner="best")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("planner", "solver", "gap", "told"),
    [
        ("greedy", None, 0, ""),
        ("greedy", None, 160, "first fit's arena: at most 160 bytes above the smallest; no solver was asked"),
        ("greedy", "S", 0, "first fit's arena: none is smaller; S"),
        ("solver", "S", 0, "the arena: none is smaller; S"),
        ("solver", "S", 1600, "the arena: at most 1,600 bytes above the smallest; S"),
    ],
)
def test_summary_says_who_found_the_arena_in_one_line(
    planner: str, solver: str | None, gap: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show_planning(cast("Program", SimpleNamespace(planning=Planning(planner, solver, gap == 0, gap))))
    out = capsys.readouterr().out
    assert out.startswith(told)
    assert out.count("\n") == bool(told)
