"""The instruction counter inside QEMU: building our plugin, telling it where the steps begin, reading its counts.

The plugin (``plugin/count.c``, which explains the method) is compiled with the host's compiler when it is first needed,
for the interface of the QEMU that was found, into the user's cache folder under a name that is the digest of its source
and flags. Shipping it compiled was decided against: the wheel would no longer be pure Python for 20 KB that build in
half a second.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Final

from edgeq.errors import EdgeqError
from edgeq.process import Stopped, run_program
from edgeq.runners.base import CLASSES, Counts, RunCounts
from edgeq.runners.symbols import Symbols, read_symbols
from edgeq.writing import disk_problem, remove_scratch, scratch_folder, write_whole
from edgeq.writing.scratch import make_scratch

PLUGIN_DIR: Final = Path(__file__).resolve().parent / "plugin"
SOURCES: Final = ("count.c", "classes.h", "classify_a64.h", "classify_thumb.h", "interface.h")
INTERFACES: Final = ((9, 1, 3), (9, 0, 2), (4, 2, 1))
"""From which version of QEMU on, the newest first, the plugin needs which interface; see ``plugin/interface.h``."""
_FLAGS: Final = ("-std=c11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden")
# Undefined symbols are QEMU's; macOS' linker has to be told.
_HOST_FLAGS: Final = ("-Wl,-undefined,dynamic_lookup",) if sys.platform == "darwin" else ()
_COMPILERS: Final = ("cc", "gcc", "clang")
_BUILD_SECONDS: Final = 120
_ANSWER_SECONDS: Final = 30
# Several threads that start QEMU build it once.
_BUILDING: Final = Lock()


def cache_folder() -> Path:
    """Where built tools are kept: ``EDGEQ_CACHE``, else ``edgeq`` in the user's cache folder."""
    chosen = os.environ.get("EDGEQ_CACHE")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "edgeq"


def find_host_compiler() -> str | None:
    """The host's C compiler, or None."""
    return next((path for path in map(shutil.which, _COMPILERS) if path), None)


@cache
def interface_of(program: str) -> int:
    """The version of the plugin interface that a QEMU has; 1 where it does not say what it is."""
    try:
        told = run_program([program, "--version"], timeout_seconds=_ANSWER_SECONDS).text
    except (Stopped, OSError):
        return 1
    found = re.search(r"version (\d+)\.(\d+)", told)
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    return next((interface for *first, interface in INTERFACES if version >= tuple(first)), 1)


def build_plugin(interface: int = 1) -> Path:
    """The path of the built plugin; builds it where the cache does not hold it.

    Args:
        interface: the version of QEMU's plugin interface.

    Raises:
        EdgeqError: EQ0521 there is no host compiler, EQ0522 the plugin does not build.
    """
    flags = (*_FLAGS, *_HOST_FLAGS, f"-DEQ_INTERFACE={interface}")
    digest = hashlib.sha256()
    for name in SOURCES:
        digest.update((PLUGIN_DIR / name).read_bytes())
    digest.update(" ".join(flags).encode())
    name = f"edgeq-count-{digest.hexdigest()[:16]}.so"
    folder = _writable(cache_folder())
    built = folder / name
    with _BUILDING:
        if not built.is_file():
            _compile(built, flags)
    return built


def _writable(folder: Path) -> Path:
    """The cache folder, or one for this process where a home is missing or read-only."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    return _private_folder()


@cache
def _private_folder() -> Path:
    """A fresh folder: a fixed name in a folder that all may write would let others put their program there."""
    folder = make_scratch("cache")
    atexit.register(remove_scratch)
    return folder


def _compile(target: Path, flags: Sequence[str]) -> None:
    compiler = find_host_compiler()
    if compiler is None:
        raise EdgeqError(
            "EQ0521",
            "a C compiler for this computer is needed to count instructions and is not installed",
            got="not found in PATH",
            allowed=", ".join(_COMPILERS),
            hint="apt-get install --no-install-recommends gcc libc6-dev",
        )
    with scratch_folder("plugin") as folder:
        made = folder / target.name
        command = [compiler, *flags, "-o", str(made), str(PLUGIN_DIR / SOURCES[0])]
        try:
            done = run_program(command, timeout_seconds=_BUILD_SECONDS)
        except (Stopped, OSError) as problem:
            got = problem.reason if isinstance(problem, Stopped) else problem.strerror
            raise EdgeqError("EQ0522", "the C compiler cannot be run", where=compiler, got=got) from problem
        if done.code != 0 or not made.is_file():
            got = done.tail or f"exit code {done.code}, and no file"
            raise EdgeqError("EQ0522", "QEMU's counting plugin does not build", where=shlex.join(command), got=got)
        try:
            # Another edgeq that starts now sees the whole file or none.
            write_whole(target, made.read_bytes(), mode=0o777)
        except OSError as problem:
            raise disk_problem(problem) or EdgeqError(
                "EQ0522", "QEMU's counting plugin cannot be kept", where=str(target), got=problem.strerror
            ) from problem


def write_markers(path: Path, image: Path, name: str, steps: int) -> Symbols:
    """Write the plugin's list of addresses for a model; answers the image's symbols.

    Args:
        path: the file to write.
        image: the ELF that will run.
        name: the model's name.
        steps: how many steps it has.

    Raises:
        EdgeqError: EQ0607, the image lacks one of the symbols.
    """
    symbols = read_symbols(image)
    lines = [
        f"begin {symbols.need(f'{name}_run', image):x}",
        f"end {symbols.need('eq_run_end', image):x}",
        *(f"step {step} {symbols.need(f'{name}_step_{step}', image):x}" for step in range(steps)),
    ]
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    return symbols


@dataclass(frozen=True)
class Tally:
    """All counts of one start of the machine."""

    runs: tuple[RunCounts, ...]
    program: Counts


def read_tally(path: Path) -> Tally:
    """Read the plugin's file.

    Raises:
        EdgeqError: EQ0522, the plugin did not come to its end.
    """
    lines = path.read_text(encoding="ascii").splitlines() if path.exists() else []
    if not lines or not lines[-1].startswith("program "):
        raise EdgeqError("EQ0522", "the counting plugin left no complete counts", where=path.name)
    runs: list[RunCounts] = []
    slots: list[Counts] = []
    for line in lines:
        word, *values = line.split()
        if word == "run":
            if slots:
                runs.append(RunCounts(slots[0], tuple(slots[1:])))
            slots = []
            continue
        if len(values) != len(CLASSES) + 2:
            raise EdgeqError("EQ0522", "the counting plugin's counts are not understood", where=path.name, got=line)
        *classes, read, written = (int(value) for value in values)
        slots.append(Counts(tuple(classes), read, written))
    program = slots.pop()
    if slots:
        runs.append(RunCounts(slots[0], tuple(slots[1:])))
    return Tally(tuple(runs), program)
