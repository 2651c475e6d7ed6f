"""Which lines of runtime_c run in the conformance tests, per core, measured in QEMU.

    python tests/campaigns/kernel_coverage.py [--optimize=-O0] [PYTEST ARGUMENT ...]

Every compiler and every QEMU that the tests start goes through a shim on PATH. The compiler adds line tables and takes
the optimization given here, since an optimizer moves lines; QEMU writes which blocks it translates (``-d in_asm``). A
block is translated when it is about to run, so a line with an address in such a block has run. Decided against gcov:
its counters and files would have to enter every image.

Prints, per core's folder of ``runtime_c/arch`` and for the kernels, the lines that carry code and those that never ran.
Exits with 1 where a line never ran.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
RUNTIME: Final = ROOT / "runtime_c"
COMPILERS: Final = ("arm-none-eabi-gcc", "aarch64-linux-gnu-gcc")
EMULATORS: Final = ("qemu-system-arm", "qemu-aarch64")
DEFAULT_TESTS: Final = ("tests/conformance/test_images.py", "tests/conformance/test_edges.py", "tests/regression")
# Instructions in QEMU's log: `0x00000140:  4b05 ...`; a block opens with `IN:`.
_ADDRESS: Final = re.compile(rb"^(?:0x)?([0-9a-f]{8,16}):", re.MULTILINE)
_COMPILER_SHIM: Final = """#!/bin/sh
# Without the test's own optimization, with line tables.
optimize={optimize}
# Without any optimization M55's assembly finds too few registers.
case " $* " in *" -mcpu=cortex-m55"*) [ "$optimize" != -O0 ] || optimize=-O1 ;; esac
for argument in "$@"; do
    shift
    case "$argument" in -O?) argument=${{optimize:-$argument}} ;; esac
    set -- "$@" "$argument"
done
exec {program} -g "$@"
"""
_EMULATOR_SHIM: Final = """#!/bin/sh
# The log of a start, with a copy of the image beside it.
log=$(mktemp {folder}/start-XXXXXXXX)
image=
last=
for argument in "$@"; do
    if [ "$last" = -kernel ]; then image=$argument; fi
    last=$argument
done
cp "${{image:-$last}}" "$log.elf" 2>/dev/null || true
exec {program} -d in_asm -D "$log.log" "$@"
"""


def main() -> int:
    """Run the tests under the shims and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0], allow_abbrev=False)
    parser.add_argument(
        "--optimize", default="-O0", metavar="=-O0", help="gcc's flag in the place of the tests' own; empty: theirs"
    )
    chosen, tests = parser.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="edgeq-coverage-") as name:
        folder = Path(name)
        run_tests(folder, chosen.optimize, tests or list(DEFAULT_TESTS))
        starts = sorted(folder.glob("start-*.elf"))
        lines = collect(starts)
    print(f"{len(starts)} starts of QEMU")
    return report(lines)


def run_tests(folder: Path, optimize: str, tests: list[str]) -> None:
    """Run pytest with the shims in front of PATH.

    Raises:
        SystemExit: a test failed.
    """
    shims = folder / "bin"
    shims.mkdir()
    for names, text in ((COMPILERS, _COMPILER_SHIM), (EMULATORS, _EMULATOR_SHIM)):
        for name in names:
            program = shutil.which(name)
            if program is None:
                raise SystemExit(f"{name} is not installed")
            shim = shims / name
            shim.write_text(text.format(program=program, folder=folder, optimize=optimize), encoding="ascii")
            shim.chmod(0o755)
    environment = {**os.environ, "PATH": f"{shims}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pytest", "-q", *tests]
    if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode != 0:
        raise SystemExit("a test failed: coverage would be misleading")


def collect(starts: list[Path]) -> dict[str, dict[int, bool]]:
    """By file below ``runtime_c``: each line that carries code in some image, and whether it ran in any."""
    lines: dict[str, dict[int, bool]] = defaultdict(dict)
    for elf in starts:
        log = elf.with_suffix(".log")
        ran = {int(found, 16) for found in _ADDRESS.findall(log.read_bytes())} if log.is_file() else set()
        for path, line, addresses in code_lines(elf):
            has_run = any(address in ran for address in addresses)
            lines[path][line] = lines[path].get(line, False) or has_run
    return lines


def code_lines(elf: Path) -> Iterator[tuple[str, int, range]]:
    """Each row of an image's line table that is of ``runtime_c``: file, line, addresses."""
    from elftools.elf.elffile import ELFFile

    with elf.open("rb") as file:
        image = ELFFile(file)
        if not image.has_dwarf_info():
            return
        dwarf = image.get_dwarf_info()
        for unit in dwarf.iter_CUs():
            program = dwarf.line_program_for_CU(unit)
            if program is None:
                continue
            names = [_runtime_name(program, number) for number in range(len(program["file_entry"]) + 1)]
            previous = None
            for entry in program.get_entries():
                state = entry.state
                if state is None:
                    continue
                if previous is not None and state.address > previous.address and not previous.end_sequence:
                    name = names[previous.file] if previous.file < len(names) else None
                    if name is not None and previous.line:
                        yield name, previous.line, range(previous.address, state.address, 2)
                previous = None if state.end_sequence else state


def _runtime_name(program: object, number: int) -> str | None:
    """The path below ``runtime_c`` of a file of a line program, or None."""
    header = program.header  # type: ignore[attr-defined]
    first = 0 if header["version"] >= 5 else 1
    index = number - first
    if not 0 <= index < len(header["file_entry"]):
        return None
    entry = header["file_entry"][index]
    folders = header["include_directory"]
    at = entry["dir_index"] - first
    folder = folders[at] if 0 <= at < len(folders) else b""
    path = Path((folder if isinstance(folder, bytes) else folder["DW_LNCT_path"]).decode()) / entry["name"].decode()
    try:
        return str(path.resolve().relative_to(RUNTIME))
    except ValueError:
        return None


def report(lines: dict[str, dict[int, bool]]) -> int:
    """Print a row a file and the lines that never ran; 1 where there are such lines."""
    missing = 0
    for path in sorted(lines):
        never = sorted(line for line, ran in lines[path].items() if not ran)
        missing += len(never)
        text = (RUNTIME / path).read_text(encoding="utf-8").splitlines()
        print(f"{path}: {len(lines[path]) - len(never)} of {len(lines[path])} lines ran")
        for line in never:
            print(f"    {line}: {text[line - 1].strip()}")
    known = {str(path.relative_to(RUNTIME)) for path in RUNTIME.rglob("*.h")}
    for path in sorted(known - set(lines)):
        print(f"{path}: no line carries code in any image")
    total = sum(len(found) for found in lines.values())
    print(f"runtime_c: {total - missing} of {total} lines ran ({100 * (total - missing) / max(total, 1):.1f} %)")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
