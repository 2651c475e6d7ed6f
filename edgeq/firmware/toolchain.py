"""Finding and running the compilers. Nothing here knows what is compiled.

Set ``EDGEQ_GCC`` to use another ARM gcc, by path or by name.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from edgeq.errors import EdgeqError
from edgeq.target import Target

ARM_GCC = "arm-none-eabi-gcc"
INSTALL_ARM = "apt-get install --no-install-recommends gcc-arm-none-eabi"
LINUX_GCC = "aarch64-linux-gnu-gcc"
INSTALL_LINUX = "apt-get install --no-install-recommends gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
INSTALL_HOST = "apt-get install --no-install-recommends gcc libc6-dev"
_TIMEOUT_SECONDS = 600
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
    return Toolchain(kind, gcc, run([gcc, "-dumpfullversion", "-dumpversion"]).strip())


def run(
    command: Sequence[str], *, cwd: Path | None = None, code: str = "EQ0505", what: str = "the program failed"
) -> str:
    """Run a program to its end and return its standard output; warnings are on standard error, see :func:`run_both`.

    Raises:
        EdgeqError: `code` it failed, with its first error lines; EQ0505 it does not start; EQ0510 it does not end.
    """
    return run_both(command, cwd=cwd, code=code, what=what)[0]


def run_both(
    command: Sequence[str], *, cwd: Path | None = None, code: str = "EQ0505", what: str = "the program failed"
) -> tuple[str, str]:
    """As :func:`run`, returning standard output and standard error. Messages come in English whatever the locale."""
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            list(command),
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as problem:
        raise EdgeqError(
            "EQ0510", "a tool did not finish", got=command[0], allowed=f"{_TIMEOUT_SECONDS} s"
        ) from problem
    except OSError as problem:
        raise EdgeqError("EQ0505", "a tool cannot be run", got=command[0], hint=problem.strerror) from problem
    if done.returncode != 0:
        raise EdgeqError(code, what, where=Path(command[0]).name, got=_first_errors(done.stderr or done.stdout))
    return done.stdout, done.stderr


def _first_errors(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    first = next((i for i, line in enumerate(lines) if "error" in line or "undefined" in line), 0)
    shown = lines[first : first + _ERROR_LINES]
    return "\n           ".join(shown) if shown else "no message"
