"""gcc 12 lost track of what some steps store, took them for functions without effect, and dropped their calls.

Every step is `noipa` since (eq_common.h), and an image that lacks a step or a call of one is refused, whatever dropped
it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from firmware_toy import FACTS, write_toy

from edgeq.errors import EdgeqError
from edgeq.firmware import build_images
from edgeq.firmware.checks import check_steps
from edgeq.firmware.disassembly import Instruction
from edgeq.target import load_board

STEPS = 2


def lines(*targets: str) -> tuple[Instruction, ...]:
    calls = (Instruction(2 * number, 4, "bl", f"8 <{target}>") for number, target in enumerate(targets))
    return (*calls, Instruction(64, 2, "bx", "lr"))


def image(run: tuple[str, ...], step: tuple[str, ...]) -> dict[str, tuple[Instruction, ...]]:
    """The code of a model whose functions call others so."""
    return {"m_run": lines(*run), "m_step": lines(*step), "m_step_0": lines(), "m_step_1": lines()}


BOTH = ("m_step_0", "m_step_1")


@pytest.mark.parametrize("run", [("m_step",), BOTH], ids=["calls-step", "has-step-inside"])
def test_image_with_all_steps_passes(run: tuple[str, ...]) -> None:
    check_steps(image(run, BOTH), "m", STEPS)


@pytest.mark.parametrize(
    ("run", "step", "places"),
    [
        (("m_step",), ("m_step_1",), 2),
        (BOTH, ("m_step_1",), 1),
        (("m_step_0",), BOTH, 1),
        ((), BOTH, 2),
        # A branch into the middle of a function is no call of it.
        (("m_step",), ("m_step_0+0x4", "m_step_1"), 2),
    ],
)
def test_dropped_call_refused(run: tuple[str, ...], step: tuple[str, ...], places: int) -> None:
    with pytest.raises(EdgeqError, match=f"EQ0511.* {places} functions or calls"):
        check_steps(image(run, step), "m", STEPS)


def test_missing_function_refused() -> None:
    code = image(("m_step",), BOTH)
    del code["m_step_0"]
    with pytest.raises(EdgeqError, match="no function m_step_0"):
        check_steps(code, "m", STEPS)


@pytest.mark.parametrize("board", ["mps2-m0", "mps2-an386"])
def test_image_whose_step_the_compiler_dropped_refused(
    board: str, tmp_path: Path, needs_program: Callable[[str], str]
) -> None:
    needs_program("arm-none-eabi-gcc")
    bundle = write_toy(tmp_path / "bundle", body="return;")
    with pytest.raises(EdgeqError, match="EQ0511") as caught:
        build_images(bundle, tmp_path / "out", load_board(board), FACTS)
    assert "no call of toy_step_0 from toy_run" in str(caught.value)
