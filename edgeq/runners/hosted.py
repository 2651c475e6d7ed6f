"""Programs of an operating system: the harness's protocol through standard input and output, as files."""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Sequence
from pathlib import Path

from edgeq.errors import EdgeqError
from edgeq.process import Finished, Stopped, run_program
from edgeq.runners.base import RunRequest, RunResult
from edgeq.runners.protocol import (
    EXIT_MEANING,
    SPARE_BYTES,
    answer_bytes,
    progress,
    read_answers,
    too_much,
    write_commands,
)


def run_hosted(
    request: RunRequest, command: Sequence[str | Path], folder: Path, what: str, limit_seconds: float
) -> RunResult:
    """Run all samples of a request in one start of a program.

    Args:
        request: the program's model and inputs.
        command: the command line; its last word is the program's path.
        folder: a fresh one, the program's working folder.
        what: what messages call the program.
        limit_seconds: for all samples together.

    Raises:
        EdgeqError: EQ0603 it takes too long, EQ0605 it failed or does not start, EQ0604 it answers something else than
            this model's tensors, EQ0629 it answers or prints without end.
    """
    with (folder / "edgeq.in").open("wb") as file:
        write_commands(file, request)
    program = command[-1]
    if not os.access(program, os.X_OK):
        # QEMU would end without a word. Archives and drives that know no permissions drop this one.
        raise EdgeqError(
            "EQ0605",
            f"{what} does not start",
            where=str(program),
            got="it may not be executed",
            hint=shlex.join(["chmod", "+x", str(program)]),
        )
    answers = folder / "edgeq.out"
    try:
        done = run_program(
            command,
            cwd=folder,
            timeout_seconds=limit_seconds,
            stdin=folder / "edgeq.in",
            stdout=answers,
            file_bytes=answer_bytes(request) + SPARE_BYTES,
        )
    except Stopped as problem:
        if not problem.time:
            raise too_much(request, what, problem.reason) from problem
        raise EdgeqError(
            "EQ0603",
            f"{what} takes too long and was stopped",
            where=progress(request, answers.stat().st_size),
            allowed=f"{limit_seconds:.0f} s",
            hint="raise the time limit, or run fewer samples",
        ) from problem
    except OSError as problem:
        raise EdgeqError("EQ0605", f"{what} does not start", where=str(command[0]), got=problem.strerror) from problem
    if done.code == -signal.SIGXFSZ:
        raise too_much(request, what, f"more than {answer_bytes(request)} bytes")
    if done.code != 0:
        raise _failure(request, done, what, answers.stat().st_size)
    return read_answers(answers, request)


def _failure(request: RunRequest, done: Finished, what: str, answered: int) -> EdgeqError:
    reason = EXIT_MEANING.get(done.code, f"exit code {done.code}")
    if done.code < 0:
        reason = signal.Signals(-done.code).name
    return EdgeqError(
        "EQ0605",
        f"{what} failed",
        where=progress(request, answered),
        got="\n".join(part for part in (reason, done.tail) if part),
    )
