"""What the flashers share: finding the image, and running a tool that talks to a debug probe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgeq.errors import EdgeqError
from edgeq.process import Finished, Stopped, Tool, run_program
from edgeq.runners.base import FlashPlan, FlashRequest, missing_image
from edgeq.target import Board


def image_file(request: FlashRequest, kind: str) -> Path:
    """The absolute path of ``image.KIND``.

    Raises:
        EdgeqError: EQ0161, it is not there.
    """
    path = (request.folder / f"image.{kind}").resolve()
    if not path.is_file():
        raise missing_image(f"{kind} image", path, "compile for this board where arm-none-eabi-gcc is installed")
    return path


def not_for_board(name: str, board: Board) -> EdgeqError:
    """The error for a board that does not name a method."""
    return EdgeqError(
        "EQ0612",
        f"the board is not flashed with {name}",
        where=board.name,
        got=name,
        allowed=", ".join(board.flash_with.methods) or "nothing",
        hint="add it to the board file's flash_with",
    )


def flash_by_probe(
    name: str, tool: Tool, plan: FlashPlan, request: FlashRequest, no_probe: Sequence[str], failed: str | None = None
) -> Finished:
    """Run the plan's command.

    Args:
        name: the flasher's.
        tool: its program.
        plan: what to run.
        request: what was asked.
        no_probe: texts that the tool prints when no probe is connected.
        failed: a text that means failure whatever the exit code.

    Raises:
        EdgeqError: the tool's own code when it is missing, EQ0601 no probe, EQ0603 it takes too long, EQ0609 the rest.
    """
    tool.need()
    done = run_flasher(name, plan.command, request)
    if done.code == 0 and (failed is None or failed not in done.text):
        return done
    if any(text in done.text for text in no_probe):
        raise EdgeqError(
            "EQ0601",
            f"{name} finds no debug probe",
            where=request.board.name,
            got=done.tail,
            hint="check the USB cable (one with data lines), the board's power, the access rights of the USB device "
            "(udev rules), and that no other debugger holds the probe",
        )
    raise EdgeqError("EQ0609", f"{name} failed", where=request.board.name, got=f"exit code {done.code}\n{done.tail}")


def run_flasher(name: str, command: Sequence[str], request: FlashRequest) -> Finished:
    """Run a program that writes the image, in an empty folder.

    Raises:
        EdgeqError: EQ0603 it takes too long, EQ0609 it does not start or prints without end.
    """
    try:
        return run_program(command, timeout_seconds=request.timeout_seconds)
    except Stopped as problem:
        raise EdgeqError(
            "EQ0603" if problem.time else "EQ0609",
            f"{name} takes too long and was stopped" if problem.time else f"{name} prints too much and was stopped",
            where=request.board.name,
            got=problem.reason,
            hint="reset the board, unplug and plug in the probe, try again",
        ) from problem
    except OSError as problem:
        raise EdgeqError("EQ0609", f"{name} does not start", where=command[0], got=problem.strerror) from problem
