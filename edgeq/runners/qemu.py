"""Runner ``qemu``: the emulated image in QEMU, all samples in one start, instructions counted on request.

An image for a chip runs on a machine of ``qemu-system-arm``, a program for another Linux in QEMU's user mode. QEMU's
working folder is a fresh temporary one for each run; a machine's console is semihosting, ``edgeq.in`` and ``edgeq.out``
there.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from edgeq.errors import EdgeqError
from edgeq.process import Finished, Stopped, Tool, run_program
from edgeq.runners.base import RunRequest, RunResult, missing_image
from edgeq.runners.counting import build_plugin, interface_of, read_tally, write_markers
from edgeq.runners.hosted import run_hosted
from edgeq.runners.protocol import (
    EXIT_FAULT,
    EXIT_MEANING,
    SPARE_BYTES,
    answer_bytes,
    progress,
    read_answers,
    too_much,
    write_commands,
)
from edgeq.runners.symbols import read_symbols
from edgeq.writing import scratch_folder

QEMU: Final = Tool(
    "qemu-system-arm",
    "EQ0520",
    "to run an image",
    "apt-get install --no-install-recommends qemu-system-arm",
)
QEMU_USER: Final = Tool(
    "qemu-aarch64",
    "EQ0520",
    "to run a program of another Linux",
    "apt-get install --no-install-recommends qemu-user",
)
_START_UP_SECONDS: Final = 60.0
# A twentieth of what the generic kernels reach with counting, so that a busy computer is no failure.
_MACS_PER_SECOND: Final = 2.5e5
_FAULT: Final = re.compile(r"^edgeq fault: (.*)$", re.MULTILINE)
_ADDRESS: Final = re.compile(r"\b(pc|lr) 0x([0-9a-f]{8})")
_REGISTER: Final = re.compile(r"\bR15=([0-9a-f]{8})")


def machine_command(program: str, machine: str, args: Sequence[str] = ()) -> list[str]:
    """QEMU without windows, monitor and serial line for one machine, and unable to start programs or gain rights.

    Semihosting gives an image the host's files and, by SYS_SYSTEM, its shell; the sandbox kills QEMU at that call.
    """
    quiet = ("-display", "none", "-monitor", "none", "-serial", "null")
    return [program, "-M", machine, *args, *quiet, "-sandbox", "on,spawn=deny,elevateprivileges=deny"]


def counting_plugin() -> Path:
    """The plugin for the QEMU that is found, built where the cache does not hold it.

    Raises:
        EdgeqError: EQ0520 QEMU is missing, EQ0521-0522 the plugin cannot be built.
    """
    return build_plugin(interface_of(QEMU.need()))


class QemuRunner:
    """Runs the ELF that is linked for the machine's own memory, or the program of another Linux."""

    def run(self, request: RunRequest) -> RunResult:
        """Run all samples in one boot.

        Raises:
            EdgeqError: EQ0520 QEMU is missing, EQ0521-0522 counting cannot be had, EQ0602 the image faulted, EQ0603 it
                takes too long, EQ0604 it answers something else than this model's tensors, EQ0605 a program failed,
                EQ0606 QEMU gave up, EQ0161 there is no image for an emulator.
        """
        spec = request.spec
        if spec.image is None or (spec.machine is None and not spec.user_mode) or not spec.image.is_file():
            raise missing_image(
                "image for an emulator",
                spec.image or spec.name,
                "compile for a board with an emulator, where its compiler is installed: see `edgeq doctor`",
            )
        limit = request.limit_seconds(_START_UP_SECONDS, _MACS_PER_SECOND)
        with scratch_folder("qemu") as folder:
            if spec.machine is None:
                return _run_program(request, folder, spec.image, limit)
            qemu = QEMU.need()
            command = machine_command(qemu, spec.machine, spec.machine_args)
            command += ["-semihosting-config", "enable=on,target=native", "-kernel", str(spec.image.resolve())]
            result = _boot(request, folder, [*command, *_counting(request, qemu, spec.image, folder)], limit)
            return _counted(request, folder, result)


def _counting(request: RunRequest, qemu: str, image: Path, folder: Path) -> list[str]:
    """The options of a QEMU for the counting plugin, where it was asked for."""
    if not request.count:
        return []
    # QEMU splits options at commas; a comma of the path is doubled.
    plugin = str(build_plugin(interface_of(qemu))).replace(",", ",,")
    write_markers(folder / "markers.txt", image, request.spec.name, len(request.spec.steps))
    return ["-plugin", f"{plugin},markers=markers.txt,out=counts.txt"]


def _counted(request: RunRequest, folder: Path, result: RunResult) -> RunResult:
    if not request.count:
        return result
    tally = read_tally(folder / "counts.txt")
    if len(tally.runs) != len(request.inputs):
        raise EdgeqError(
            "EQ0522",
            "the counting plugin saw another number of runs",
            where=request.spec.name,
            got=len(tally.runs),
            allowed=len(request.inputs),
        )
    return replace(result, instructions=tally.runs, program_instructions=tally.program.total)


def _run_program(request: RunRequest, folder: Path, image: Path, limit: float) -> RunResult:
    """Run a program in QEMU's user mode; uncounted where that QEMU takes no plugins, for many are built without."""
    qemu, path, what = QEMU_USER.need(), str(image.resolve()), "the program in QEMU"
    try:
        result = run_hosted(request, [qemu, *_counting(request, qemu, image, folder), path], folder, what, limit)
    except EdgeqError as problem:
        if not request.count or "plugin" not in str(problem.problems[0].got):
            raise
        again = folder / "uncounted"
        again.mkdir()
        # Any other trouble with that word in its text comes up a second time, as itself.
        return run_hosted(replace(request, count=False), [qemu, path], again, what, limit)
    return _counted(request, folder, result)


def _boot(request: RunRequest, folder: Path, command: list[str], limit: float) -> RunResult:
    """Start a machine with an image; the console's files lie in its working folder."""
    with (folder / "edgeq.in").open("wb") as file:
        write_commands(file, request)
    answers = folder / "edgeq.out"
    try:
        done = run_program(
            command, cwd=folder, timeout_seconds=limit, file_bytes=answer_bytes(request) + SPARE_BYTES, watched=answers
        )
    except Stopped as problem:
        if not problem.time:
            raise too_much(request, "the image in QEMU", problem.reason) from problem
        raise EdgeqError(
            "EQ0603",
            "the image takes too long in QEMU and was stopped",
            where=progress(request, _size(answers)),
            allowed=f"{limit:.0f} s",
            hint="raise the time limit, or run fewer samples; an image for another machine can hang so too",
        ) from problem
    if done.code != 0:
        raise _failure(request, done, _size(answers))
    return read_answers(answers, request)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _failure(request: RunRequest, done: Finished, answered: int) -> EdgeqError:
    """The error for an exit code: a fault report, a lockup, the harness's own codes, or QEMU's refusal to start."""
    where = progress(request, answered)
    machine = request.spec.machine
    if done.code == -signal.SIGXFSZ:
        return too_much(request, "the image in QEMU", f"{answered} bytes")
    if done.code == -signal.SIGSYS:
        return EdgeqError(
            "EQ0630",
            "the image was stopped by QEMU's sandbox: it asked this computer to run a program",
            where=where,
            allowed="reading and writing its own files",
            hint="no image that edgeq builds does this: where does the folder come from?",
        )
    if "-sandbox" in done.text and answered == 0:
        return EdgeqError(
            "EQ0531",
            "this QEMU has no sandbox, without which edgeq runs no image",
            where=QEMU.program,
            got=done.tail,
            hint="use a QEMU that is built with seccomp, as Debian's is",
        )
    fault = _FAULT.search(done.text)
    if done.code == EXIT_FAULT and fault:
        return EdgeqError(
            "EQ0602",
            f"the image faulted in QEMU ({machine})",
            where=f"{_places(request, _ADDRESS.findall(fault[1]))}; {where}",
            got=fault[1],
            hint=_fault_hint(fault[1]),
        )
    if "Lockup" in done.text:
        register = _REGISTER.search(done.text)
        place = _places(request, [("pc", register[1])]) if register else "unknown place"
        return EdgeqError(
            "EQ0602",
            f"the CPU locked up in QEMU ({machine}): a fault inside the fault handler, or before the stack is usable",
            where=f"{place}; {where}",
            got=next((line for line in done.text.splitlines() if "Lockup" in line), None),
            hint="an image that is linked for another machine does this",
        )
    if "plugin" in done.text and answered == 0 and request.count:
        return EdgeqError(
            "EQ0522",
            "QEMU refuses the counting plugin",
            where=done.tail,
            allowed="QEMU 4.2 or newer, built with plugins",
            hint="run without counting",
        )
    if done.code in EXIT_MEANING:
        return EdgeqError(
            "EQ0604",
            "the image stopped early",
            where=where,
            got=f"{EXIT_MEANING[done.code]}\n{done.tail}".strip(),
            hint="compile again: another version of edgeq may have built the image",
        )
    return EdgeqError(
        "EQ0606", f"QEMU gave up ({machine})", where=where, got=f"exit code {done.code}\n{done.tail}".strip()
    )


def _places(request: RunRequest, addresses: Sequence[tuple[str, str]]) -> str:
    """``pc in kws_step_3+0x12, lr in kws_run+0x8``; the fault of a broken image must not fail on its symbols."""
    if request.spec.image is None or not addresses:
        return "no return address"
    try:
        symbols = read_symbols(request.spec.image)
    except EdgeqError:
        return ", ".join(f"{register} 0x{value}" for register, value in addresses)
    return ", ".join(f"{register} in {symbols.locate(int(value, 16))}" for register, value in addresses)


def _fault_hint(report: str) -> str | None:
    if "stack" in report:
        return "the stack is too small for this model: see stack_bytes in the manifest"
    if "undefined instruction" in report or "coprocessor" in report:
        return "the machine's CPU lacks an instruction that the image uses: is it the board's machine?"
    if "unaligned" in report:
        return "a kernel reads a word at an odd address, which this CPU does not allow"
    return None


RUNNER: Final = QemuRunner()
