"""Pytest many times over in one tree, without paying for the start each time.

A process loads the libraries that the tests need, never edgeq itself, and forks for each run. A run has a limit of
processor time, so that an endless loop ends and a busy machine does not look like one.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

LIBRARIES: Final = ("click", "numpy", "onnx", "onnx_ir", "onnxruntime", "rich", "sympy")
# A run that waits for something that never comes uses no processor time.
_WALL_FACTOR: Final = 10
KILLED: Final = -1


class WarmPytest:
    """Runs pytest in one tree."""

    def __init__(self, tree: Path, environment: Mapping[str, str]) -> None:
        """Start the process.

        Args:
            tree: the checkout whose tests run; read anew by each run.
            environment: of the runs.
        """
        environment = {**environment, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, str(Path(__file__).resolve())]
        self._process = subprocess.Popen(
            command, cwd=tree, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, arguments: Sequence[str], seconds: float) -> int:
        """Pytest's exit code; :data:`KILLED` where the run exceeded `seconds` of processor time."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None  # noqa: PT018 - both are pipes
        stdin.write(json.dumps({"arguments": list(arguments), "seconds": seconds}) + "\n")
        stdin.flush()
        return int(stdout.readline())

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def serve() -> None:
    """Answer requests until the input ends."""
    for library in LIBRARIES:
        __import__(library)
    for line in sys.stdin:
        request = json.loads(line)
        print(_run(request["arguments"], request["seconds"]), flush=True)


def _run(arguments: list[str], seconds: float) -> int:
    child = os.fork()
    if child == 0:
        _become_pytest(arguments, seconds)
    deadline = time.monotonic() + _WALL_FACTOR * seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            _kill_group(child)
            return os.WEXITSTATUS(status) if os.WIFEXITED(status) else KILLED
        time.sleep(0.02)
    _kill_group(child)
    os.waitpid(child, 0)
    return KILLED


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def _become_pytest(arguments: list[str], seconds: float) -> None:
    os.setsid()
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1,) * 2)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    import pytest

    code = 1
    try:
        code = int(pytest.main(arguments))
    finally:
        os._exit(code)


if __name__ == "__main__":
    serve()
