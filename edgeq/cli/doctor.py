"""``edgeq doctor``: what is here, what is missing, and the command that installs it."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from importlib import metadata

import click

from edgeq.cli.options import common
from edgeq.errors import EXIT_TOOL

_SECONDS = 20


@dataclass(frozen=True)
class Tool:
    """A program or package, what it is for, and how to get it."""

    name: str
    purpose: str
    install: str
    needed: bool = False
    package: bool = False


TOOLS: tuple[Tool, ...] = (
    Tool(
        "arm-none-eabi-gcc", "compile for Cortex-M", "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi", True
    ),
    Tool("cc", "compile for this computer, count instructions", "apt-get install gcc", True),
    Tool("gdb-multiarch", "flash through a GDB server", "apt-get install gdb-multiarch"),
    Tool("numpy", "arrays", "pip install edgeq", True, True),
    Tool("onnx", "read and write models", "pip install edgeq", True, True),
    Tool("onnxruntime", "run float models", "pip install edgeq", True, True),
    Tool("openocd", "flash through a probe", "apt-get install openocd"),
    Tool("pyocd", "flash through a probe", "pip install 'edgeq[flash]'"),
    Tool("qemu-system-arm", "emulate, verify and profile", "apt-get install qemu-system-arm", True),
)


@click.command("doctor")
@common
def command(as_json: bool) -> int:
    """Look for every tool that edgeq can use. Exit code 5 where a needed one is missing.

    \b
    edgeq doctor
    edgeq doctor --json
    """
    found = {tool.name: _version(tool) for tool in TOOLS}
    missing = [tool for tool in TOOLS if tool.needed and found[tool.name] is None]
    if as_json:
        from edgeq.report.documents import print_document

        entries = [
            {
                "name": tool.name,
                "version": found[tool.name],
                "needed": tool.needed,
                "purpose": tool.purpose,
                "install": tool.install,
            }
            for tool in TOOLS
        ]
        print_document("doctor", {"ok": not missing, "tools": entries})
        return EXIT_TOOL if missing else 0
    from edgeq.report.tables import print_table

    rows = [
        [tool.name, found[tool.name] or ("MISSING" if tool.needed else "absent"), tool.purpose, _advice(tool, found)]
        for tool in TOOLS
    ]
    print_table("", ["tool", "found", "for", "install with"], rows)
    return EXIT_TOOL if missing else 0


def _advice(tool: Tool, found: dict[str, str | None]) -> str:
    return "" if found[tool.name] else tool.install


def _version(tool: Tool) -> str | None:
    """The version, or None where the tool is missing or does not start."""
    if tool.package:
        try:
            return metadata.version(tool.name)
        except metadata.PackageNotFoundError:
            return None
    path = shutil.which(tool.name)
    if path is None:
        return None
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    text = (done.stdout or done.stderr).strip()
    return text.splitlines()[0] if text else "found"
