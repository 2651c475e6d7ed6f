"""Runner ``native``: the model as an executable of this computer."""

from __future__ import annotations

import signal
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final

from edgeq.errors import EdgeqError
from edgeq.runners.base import RunRequest, RunResult
from edgeq.runners.process import Finished, run_program
from edgeq.runners.protocol import EXIT_MEANING, progress, read_answers, write_commands

_START_UP_SECONDS: Final = 30.0
# A tenth of what the plainest kernels reach under both sanitizers on a slow computer.
_MACS_PER_SECOND: Final = 1e6


class NativeRunner:
    """Pipes the harness's protocol through files; counts no instructions and measures no stack."""

    name = "native"

    def available(self) -> str | None:
        """Always: an image that exists was built here."""
        return None

    def run(self, request: RunRequest) -> RunResult:
        """Run all samples in one start of the executable.

        Raises:
            EdgeqError: EQ0607 there is no executable, EQ0603 it takes too long, EQ0605 it failed, EQ0604 it answers
                something else than this model's tensors.
        """
        # This computer's instructions say nothing about a Cortex-M: without counting, outputs may need no second run.
        request = replace(request, count=False)
        executable = request.spec.native
        if executable is None or not executable.is_file():
            raise EdgeqError(
                "EQ0607",
                "there is no executable for this computer",
                where=str(executable) if executable else request.spec.name,
                hint="compile again where a C compiler is installed: apt-get install --no-install-recommends gcc "
                "libc6-dev",
            )
        with tempfile.TemporaryDirectory(prefix="edgeq-native-") as name:
            folder = Path(name)
            with (folder / "edgeq.in").open("wb") as file:
                write_commands(file, request)
            answers = folder / "edgeq.out"
            limit = request.limit_seconds(_START_UP_SECONDS, _MACS_PER_SECOND)
            try:
                done = run_program(
                    [executable.resolve()],
                    cwd=folder,
                    timeout_seconds=limit,
                    stdin=folder / "edgeq.in",
                    stdout=answers,
                )
            except subprocess.TimeoutExpired as problem:
                raise EdgeqError(
                    "EQ0603",
                    "the native executable takes too long and was stopped",
                    where=progress(request, answers.stat().st_size),
                    allowed=f"{limit:.0f} s",
                    hint="raise the time limit, or run fewer samples",
                ) from problem
            except OSError as problem:
                raise EdgeqError(
                    "EQ0605", "the native executable does not start", where=str(executable), got=problem.strerror
                ) from problem
            if done.code != 0:
                raise _failure(request, done, answers.stat().st_size)
            return read_answers(answers, request)


def _failure(request: RunRequest, done: Finished, answered: int) -> EdgeqError:
    reason = EXIT_MEANING.get(done.code, f"exit code {done.code}")
    if done.code < 0:
        reason = signal.Signals(-done.code).name
    return EdgeqError(
        "EQ0605",
        "the native executable failed",
        where=progress(request, answered),
        got="\n".join(part for part in (reason, done.tail) if part),
    )


RUNNER: Final = NativeRunner()
