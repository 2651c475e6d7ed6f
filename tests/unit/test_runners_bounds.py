"""Images that nobody should trust: they ask for the host's programs, answer without end, or print without end."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from test_runners_run import INPUTS, build, caught, needs_tools

from edgeq.runners.base import ImageSpec, RunRequest
from edgeq.runners.qemu import machine_command

# One call of the host; `operation` is semihosting's number and `argument` what r1 points to.
_CALL = """
    {{ register unsigned r0 __asm__("r0") = {operation};
    register const void *r1 __asm__("r1") = {argument};
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory"); result = (int)r0; }}
"""
_SYSTEM = """
    static const char command[] = "touch pwned";
    volatile int result; const unsigned words[] = {(unsigned)command, sizeof command - 1};
""" + _CALL.format(operation="0x12", argument="words")
_ENDLESS_FILE = (
    """
    static const char name[] = "edgeq.out", text[256];
    volatile int result, forever = 1; const unsigned open[] = {(unsigned)name, 5, sizeof name - 1};
"""
    + _CALL.format(operation="0x01", argument="open")
    + "const unsigned write[] = {(unsigned)result, (unsigned)text, sizeof text}; while (forever) "
    + _CALL.format(operation="0x05", argument="write")
)
_ENDLESS_TALK = """
    static const char text[] = "0123456789012345678901234567890123456789012345678901234567890123456789\\n";
    volatile int result, forever = 1; while (forever)
""" + _CALL.format(operation="0x04", argument="text")


@needs_tools
def test_image_cannot_run_programs_of_this_computer(tmp_path: Path) -> None:
    problem = caught(RunRequest(build(tmp_path, _SYSTEM), INPUTS)).problems[0]
    assert problem.code == "EQ0630"
    assert "sandbox" in problem.what
    assert list(tmp_path.rglob("pwned")) == []


@needs_tools
def test_image_that_fills_the_disk_is_stopped(tmp_path: Path) -> None:
    problem = caught(RunRequest(build(tmp_path, _ENDLESS_FILE), INPUTS)).problems[0]
    assert problem.code == "EQ0629", problem


@needs_tools
def test_image_that_prints_without_end_is_stopped(tmp_path: Path) -> None:
    problem = caught(RunRequest(build(tmp_path, _ENDLESS_TALK), INPUTS)).problems[0]
    assert problem.code == "EQ0629"
    assert "MiB" in str(problem.got)


def script(folder: Path, text: str) -> ImageSpec:
    """A "native image" that is a shell script."""
    path = folder / "native"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return ImageSpec("toy", (), (), image=path)


@pytest.mark.parametrize("text", ["exec yes", "exec yes >&2"])
def test_native_image_without_end_is_stopped(text: str, tmp_path: Path) -> None:
    problem = caught(RunRequest(script(tmp_path, text), [[]]), "native").problems[0]
    assert problem.code == "EQ0629"


def test_every_start_of_a_machine_is_in_the_sandbox(root: Path) -> None:
    command = machine_command("qemu-system-arm", "mps2-an386")
    assert command[command.index("-sandbox") + 1] == "on,spawn=deny,elevateprivileges=deny"
    users = [path for path in (root / "edgeq").rglob("*.py") if re.search(r"QEMU\.(find|need)\(", path.read_text())]
    assert users
    for path in users:
        assert "machine_command(" in path.read_text(), path


def test_qemu_without_a_sandbox_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "bin" / "qemu-system-arm"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho '-sandbox on: -sandbox support is not enabled in this QEMU binary'; exit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(fake.parent))
    (tmp_path / "image.elf").write_bytes(b"\x7fELF")
    spec = ImageSpec("toy", (), (), image=tmp_path / "image.elf", machine="mps2-an386")
    assert caught(RunRequest(spec, [[]])).problems[0].code == "EQ0531"


@pytest.mark.skipif(shutil.which("qemu-aarch64") is None, reason="qemu-aarch64 is not installed")
def test_user_mode_program_is_bounded_too(tmp_path: Path) -> None:
    spec = replace(script(tmp_path, "exec yes"), user_mode=True)
    assert caught(RunRequest(spec, [[]])).problems[0].code in {"EQ0605", "EQ0629"}
