"""``edgeq doctor``: what is here, what is missing, and one line that installs it.

Programs that runners start are looked for by the runners' own entries, so that doctor and an error message never name
two different commands.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Final

import click

from edgeq.cli.options import common
from edgeq.cli.talk import VERBOSE, talk
from edgeq.errors import EXIT_TOOL, EdgeqError
from edgeq.process import Tool as Program
from edgeq.report.documents import print_document

_APT: Final = "apt-get install --no-install-recommends"
_PIP: Final = "pip install"
_VERSION: Final = re.compile(r"\d+\.\d+(\.\w+)*")


@dataclass(frozen=True)
class Tool:
    """Something that edgeq uses.

    Attributes:
        name: of the program, the package, or the part.
        purpose: what it is for.
        install: the command that brings it.
        find: its version, or path where it has none to tell; None where it is missing.
        needed: without it doctor's exit code is 5.
    """

    name: str
    purpose: str
    install: str
    find: Callable[[], str | None]
    needed: bool = False


@click.command("doctor")
@common
def command(as_json: bool) -> int:
    """Look for every tool that edgeq can use. Exit code 5 where a needed one is missing.

    \b
    edgeq doctor
    edgeq doctor --json
    """
    tools = list_tools()
    found = {tool.name: tool.find() for tool in tools}
    missing = [tool for tool in tools if tool.needed and found[tool.name] is None]
    absent = [tool for tool in tools if found[tool.name] is None]
    line = install_line(missing or absent)
    if as_json:
        entries = [
            {
                "name": tool.name,
                "found": found[tool.name] is not None,
                "version": found[tool.name],
                "needed": tool.needed,
                "purpose": tool.purpose,
                "install": tool.install,
            }
            for tool in tools
        ]
        print_document("doctor", {"ok": not missing, "tools": entries, "install": line})
        return EXIT_TOOL if missing else 0
    _show(tools, found)
    click.echo()
    click.echo(verdict(missing, absent))
    if line:
        click.echo(line)
    return EXIT_TOOL if missing else 0


def _show(tools: Sequence[Tool], found: dict[str, str | None]) -> None:
    from edgeq.report.tables import Column, print_table

    rows = [
        [tool.name, _short(found[tool.name]) or ("MISSING" if tool.needed else "absent"), tool.purpose, tool.install]
        for tool in tools
    ]
    header = [Column("tool"), Column("found", shorten=True), Column("for"), Column("install with")]
    count = len(header) if talk() == VERBOSE else len(header) - 1
    print_table("", header[:count], [row[:count] for row in rows])


def _short(found: str | None) -> str | None:
    """The version number alone, or what else was found."""
    number = _VERSION.search(found or "") if " " in (found or "") or (found or " ")[0].isdigit() else None
    return number[0] if number else found


def verdict(missing: Sequence[Tool], absent: Sequence[Tool]) -> str:
    """One sentence: whether edgeq works here."""
    if missing:
        return f"NOT READY: {_listed(missing)} missing. This line installs what is needed:"
    if absent:
        return f"Ready. Optional and absent: {_listed(absent)}. This line installs them:"
    return "Ready: everything that edgeq can use is here."


def _listed(tools: Sequence[Tool]) -> str:
    return ", ".join(dict.fromkeys(tool.name for tool in tools))


def install_line(tools: Sequence[Tool]) -> str | None:
    """One command for all of these, to be copied; None where there are none."""
    packages = {
        start: list(
            dict.fromkeys(
                word
                for tool in tools
                if tool.install.startswith(start)
                for word in tool.install.removeprefix(start).split()
            )
        )
        for start in (_APT, _PIP)
    }
    root = "" if os.geteuid() == 0 else "sudo "
    parts = [f"{root}{_APT} {' '.join(packages[_APT])}"] if packages[_APT] else []
    parts += [f"{_PIP} {' '.join(packages[_PIP])}"] if packages[_PIP] else []
    return " && ".join(parts) or None


def list_tools() -> list[Tool]:
    """All tools, sorted: the programs, then Python's packages, then those of optional parts."""
    from edgeq.extras import install_command
    from edgeq.firmware.toolchain import ARM_GCC, INSTALL_ARM, INSTALL_HOST, INSTALL_LINUX, LINUX_GCC
    from edgeq.runners.gdb import GDB
    from edgeq.runners.openocd import OPENOCD
    from edgeq.runners.pyocd import PYOCD
    from edgeq.runners.qemu import QEMU, QEMU_USER

    newlib = f"{_APT} libnewlib-arm-none-eabi"
    programs = [
        Tool(LINUX_GCC, "compile for Linux on 64-bit Arm", INSTALL_LINUX, lambda: _compiler("aarch64-linux")),
        Tool(ARM_GCC, "compile for Cortex-M", INSTALL_ARM, lambda: _compiler("cortex-m4"), needed=True),
        Tool("C library for Arm", "link images", newlib, _arm_library, needed=True),
        Tool("counting plugin", "count instructions in QEMU", INSTALL_HOST, _plugin, needed=True),
        Tool("host C compiler", "compile for this computer", INSTALL_HOST, lambda: _compiler("native"), needed=True),
        *(
            Tool(program.program, purpose, program.install, partial(_told, program), needed=needed)
            for program, purpose, needed in (
                (GDB, "flash through a GDB server", False),
                (OPENOCD, "flash through a probe", False),
                (PYOCD, "flash through a probe", False),
                (QEMU_USER, "run programs of 64-bit Arm Linux", False),
                (QEMU, "emulate, verify and profile", True),
            )
        ),
    ]
    packages = [
        Tool(name, purpose, f"{_PIP} {name}", partial(_package, name), needed=True)
        for name, purpose in PACKAGES.items()
    ]
    extras = [
        Tool(name, purpose, install_command(extra), partial(_package, name))
        for name, (extra, purpose) in EXTRA_PACKAGES.items()
    ]
    return programs + packages + extras


PACKAGES = {
    "bincopy": "write Intel HEX",
    "click": "the command line",
    "numpy": "arrays",
    "onnx": "read and write models",
    "onnx-ir": "models in memory",
    "onnxruntime": "run float models",
    "onnxscript": "fold constants of models",
    "pyelftools": "read sizes and symbols",
    "rich": "progress on a terminal",
}

# Package → the extra that brings it, and what it is for.
EXTRA_PACKAGES = {
    "ai-edge-litert": ("tflite", "run TFLite files"),
    "apache-tvm": ("tvm", "backend tvm"),
    "flatbuffers": ("tflite", "backend tflite"),
    "ortools": ("solver", "find the smallest arena"),
    "tflite": ("tflite", "backend tflite"),
}


def _compiler(target: str) -> str | None:
    from edgeq.firmware import find_toolchain
    from edgeq.target import load_target

    try:
        return find_toolchain(load_target(target)).name
    except EdgeqError:
        return None


def _arm_library() -> str | None:
    from edgeq.firmware import find_toolchain
    from edgeq.firmware.toolchain import run
    from edgeq.target import load_target

    try:
        # gcc answers with the bare name when it has no such file.
        path = run([find_toolchain(load_target("cortex-m4")).gcc, "-print-file-name=libc.a"]).strip()
    except EdgeqError:
        return None
    return str(Path(path).resolve()) if Path(path).is_absolute() else None


def _plugin() -> str | None:
    from edgeq.runners.qemu import counting_plugin

    try:
        return counting_plugin().name
    except EdgeqError:
        return None


def _told(program: Program) -> str | None:
    """The first line that a program says of its version, its path where it says nothing; None: it does not start."""
    from edgeq.firmware.toolchain import run_both

    path = program.find()
    if path is None:
        return None
    try:
        lines = "".join(run_both([path, "--version"])).strip().splitlines()
    except EdgeqError:
        return None
    return lines[0] if lines else path


def _package(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
