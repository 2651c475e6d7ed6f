"""Finding and running the compilers. Nothing here knows what is compiled.

Set ``EDGEQ_GCC`` to use another ARM gcc, by path or by name.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import BoundedSemaphore

from edgeq.errors import EdgeqError
from edgeq.process import Stopped, cores, run_program
from edgeq.target import Target
from edgeq.writing.problems import NO_SPACE, disk_problem

ARM_GCC = "arm-none-eabi-gcc"
INSTALL_ARM = "apt-get install --no-install-recommends gcc-arm-none-eabi"
LINUX_GCC = "aarch64-linux-gnu-gcc"
INSTALL_LINUX = "apt-get install --no-install-recommends gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
INSTALL_HOST = "apt-get install --no-install-recommends gcc libc6-dev"
_TIMEOUT_SECONDS = 600
# Images are built in several threads; together they start no more compilers at once than there are cores.
_SLOTS = BoundedSemaphore(cores())
_ERROR_LINES = 12


@dataclass(frozen=True)
class Toolchain:
    """A compiler.

    Attributes:
        kind: as ``toolchain`` of the target.
        gcc: path of the compiler driver, which also assembles and links.
        version: as the compiler prints it, ``12.2.1``.
    """

    kind: str
    gcc: str
    version: str

    @property
    def name(self) -> str:
        """For manifests: the program's name and version, without its folder."""
        return f"{Path(self.gcc).name} {self.version}"

    def binutil(self, name: str) -> str:
        """A binutils program of this compiler, ``objdump``.

        Raises:
            EdgeqError: EQ0505 the compiler does not know where it is.
        """
        found = run([self.gcc, f"-print-prog-name={name}"]).strip()
        path = shutil.which(found)
        if path is None:
            raise EdgeqError("EQ0505", "a program of the toolchain is missing", got=found, hint="reinstall binutils")
        return path


def find_toolchain(target: Target) -> Toolchain:
    """The compiler for a target.

    Raises:
        EdgeqError: EQ0501 no ARM compiler, or one for Linux without a C library; EQ0502 no host compiler; EQ0505 it
            does not run.
    """
    if target.is_host:
        name = next((item for item in ("gcc", "cc") if shutil.which(item)), None)
        if name is None:
            raise EdgeqError(
                "EQ0502", "no C compiler for this computer was found", allowed="gcc or cc", hint=INSTALL_HOST
            )
        return _described("host", str(shutil.which(name)))
    wanted, install = LINUX_GCC, INSTALL_LINUX
    if not target.is_hosted:
        wanted, install = os.environ.get("EDGEQ_GCC") or ARM_GCC, f"{INSTALL_ARM}, or set EDGEQ_GCC to its path"
    path = shutil.which(wanted)
    if path is None:
        raise EdgeqError("EQ0501", "the ARM compiler was not found", got=wanted, hint=install)
    if target.is_hosted and not _has_library(path):
        raise EdgeqError("EQ0501", "the C library of the ARM compiler was not found", got="libc.a", hint=install)
    return _described(target.toolchain, path)


@cache
def _has_library(gcc: str) -> bool:
    # gcc answers with the bare name when it has no such file. Debian packs the library apart from the compiler.
    return Path(run([gcc, "-print-file-name=libc.a"]).strip()).is_absolute()


@cache
def _described(kind: str, gcc: str) -> Toolchain:
    version = run([gcc, "-dumpfullversion", "-dumpversion"]).strip()
    if not version:
        raise EdgeqError("EQ0528", "the compiler does not say its version", where=gcc, hint="reinstall the compiler")
    return Toolchain(kind, gcc, version)


def run(
    command: Sequence[str],
    *,
    cwd: Path | None = None,
    code: str = "EQ0505",
    what: str = "the program failed",
    makes: Sequence[Path] = (),
) -> str:
    """Run a program to its end and return its standard output; warnings are on standard error, see :func:`run_both`.

    Raises:
        EdgeqError: as of :func:`run_both`.
    """
    return run_both(command, cwd=cwd, code=code, what=what, makes=makes)[0]


def run_both(
    command: Sequence[str],
    *,
    cwd: Path | None = None,
    code: str = "EQ0505",
    what: str = "the program failed",
    makes: Sequence[Path] = (),
) -> tuple[str, str]:
    """Run a program to its end and return standard output and standard error, in English whatever the locale.

    Args:
        command: the program and its arguments.
        cwd: its working folder.
        code: the error when it fails.
        what: the message then.
        makes: files that it must leave, none of them empty.

    Raises:
        EdgeqError: `code` it failed, with its first error lines; EQ0120 the disk is full; EQ0505 it does not start;
            EQ0510 it does not end; EQ0527 it prints without end; EQ0528 it succeeded, but made no file.
    """
    name = Path(command[0]).name
    try:
        with _SLOTS:
            done = run_program(command, cwd=cwd, timeout_seconds=_TIMEOUT_SECONDS, apart=True)
    except Stopped as problem:
        if problem.time:
            raise EdgeqError("EQ0510", "a tool did not finish", where=command[0], got=problem.reason) from problem
        raise EdgeqError(
            "EQ0527", "a tool prints too much and was stopped", where=command[0], got=problem.reason
        ) from problem
    except OSError as problem:
        raise disk_problem(problem) or EdgeqError(
            "EQ0505", "a tool cannot be run", where=command[0], got=problem.strerror
        ) from problem
    if done.code != 0:
        said = done.errors or done.text
        if NO_SPACE in said:
            raise EdgeqError("EQ0120", "the disk is full", where=name, got=_first_errors(said))
        raise EdgeqError(code, what, where=name, got=_first_errors(said) if said.strip() else f"exit code {done.code}")
    for path in makes:
        if not path.is_file() or not path.stat().st_size:
            raise EdgeqError(
                "EQ0528",
                "a tool ended as if it had succeeded, but made no file",
                where=command[0],
                got=f"{path.name} is {'empty' if path.is_file() else 'missing'}",
                hint=f"is this really {name}? `edgeq doctor` shows which programs are used",
            )
    return done.text, done.errors


def _first_errors(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    first = next((i for i, line in enumerate(lines) if "error" in line or "undefined" in line), 0)
    shown = lines[first : first + _ERROR_LINES]
    return "\n           ".join(shown) if shown else "no message"
