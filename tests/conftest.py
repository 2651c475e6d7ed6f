"""What every test folder shares: where things are, the rule for absent data, and the compiled example."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

_ROOT = Path(__file__).resolve().parent.parent
_COMMAND = "import sys; from edgeq.cli.main import main; sys.exit(main())"
_COMPILE_SECONDS = 300

# A shell's background jobs start with SIGINT ignored, those of nohup with SIGHUP, and children inherit that: tests of
# signals need them back.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

Run = Callable[..., subprocess.CompletedProcess[str]]


@dataclass(frozen=True)
class Example:
    """The files of the bundled model."""

    model: Path
    calibration: Path
    evaluation: Path


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return _ROOT


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real models and data: ``EDGEQ_DATA``, else ``../shared/data`` beside the repository.

    Absent, the test is skipped; with ``EDGEQ_REQUIRE_DATA=1`` it fails.
    """
    named = os.environ.get("EDGEQ_DATA")
    folder = Path(named) if named else _ROOT.parent / "shared" / "data"
    if not (folder / "index.json").is_file():
        absent(f"no test data in {folder}: set EDGEQ_DATA to the folder that holds index.json")
    return folder


def absent(reason: str) -> None:
    """Skip the running test because data is absent, or fail it where data is required."""
    if os.environ.get("EDGEQ_REQUIRE_DATA", "0") not in {"", "0"}:
        pytest.fail(f"{reason} (EDGEQ_REQUIRE_DATA is set)", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def needs_program() -> Callable[[str], str]:
    """Call it with a program's name: its path, or the test is skipped, naming the program."""

    def find(name: str) -> str:
        found = shutil.which(name)
        if found is None:
            pytest.skip(f"{name} is not installed")
        return found

    return find


@pytest.fixture(scope="session")
def example() -> Example:
    """The bundled Fashion-MNIST model; it is part of the repository, so it is never absent."""
    folder = _ROOT / "examples" / "fashion_mnist"
    return Example(folder / "model.onnx", folder / "calib.npz", folder / "eval.npz")


@pytest.fixture(scope="session")
def run_edgeq(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Call it with arguments (and ``cwd``, ``timeout``): runs the command line of this checkout in its own process."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")

    def run(
        *arguments: str | Path, cwd: Path = elsewhere, timeout: float = 120, environment: Mapping[str, str] = {}
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", _COMMAND, *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(_ROOT), **environment},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def compiled_example(tmp_path_factory: pytest.TempPathFactory, example: Example, run_edgeq: Run) -> Callable[..., Path]:
    """Call it with a board (and further options): the folder of the compiled example, made once for all workers.

    Tests must not write into it.
    """
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "compiled-example"
    shared.mkdir(exist_ok=True)

    def compiled(board: str = "mps2-an386", *options: str) -> Path:
        folder = shared / "_".join([board, *(option.strip("-") for option in options)])
        with FileLock(f"{folder}.lock"):
            if not folder.is_dir():
                arguments = ("compile", example.model, "--data", example.calibration, "--board", board, *options)
                done = run_edgeq(*arguments, "-o", folder, timeout=_COMPILE_SECONDS)
                assert done.returncode == 0, done.stderr
        return folder

    return compiled
