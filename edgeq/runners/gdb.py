"""Flasher ``gdb``: GDB loads the image through a GDB server and compares what arrived.

The server is the given one; without one, QEMU's for boards that QEMU has, started here for the transfer. There the
image is written into the emulated flash and read back, which proves the image and this path without hardware; the
emulated board is gone afterwards.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from edgeq.errors import EdgeqError
from edgeq.process import Finished, Tool, started
from edgeq.runners.base import FlashPlan, FlashRequest, FlashResult
from edgeq.runners.probe import image_file, not_for_board, run_flasher
from edgeq.runners.qemu import QEMU, machine_command
from edgeq.target import Board
from edgeq.writing import scratch_folder

_INSTALL: Final = "apt-get install --no-install-recommends gdb-multiarch"
GDB: Final = Tool(
    "gdb-multiarch", "EQ0523", "to load through a GDB server", _INSTALL, other_names=("arm-none-eabi-gdb",)
)
DEFAULT_PORT: Final = 3333
_CONNECT_SECONDS: Final = 10
_LOADED: Final = re.compile(r"^Loading section (\S+), size (0x[0-9a-f]+)", re.MULTILINE)
_COMPARED: Final = re.compile(r"^Section (\S+), range .*: (matched|MIS-MATCHED!)", re.MULTILINE)


class GdbFlasher:
    """Writes the board's own ELF."""

    name = "gdb"

    def available(self, request: FlashRequest) -> str | None:
        """None when GDB, and QEMU where it is the server, are installed."""
        if not request.board.flash_with.gdb:
            return "the board file does not name it"
        return GDB.reason() or (QEMU.reason() if _machine(request) else None)

    def plan(self, request: FlashRequest) -> FlashPlan:
        """See :class:`edgeq.runners.base.Flasher`."""
        return self._plan(request, DEFAULT_PORT)

    def _plan(self, request: FlashRequest, port: int) -> FlashPlan:
        board = request.board
        if not board.flash_with.gdb:
            raise not_for_board(self.name, board)
        image = image_file(request, "elf")
        emulator = _machine(request)
        server = request.server or f"localhost:{port}"
        start: tuple[str, ...] = ()
        if emulator:
            program = QEMU.find() or QEMU.program
            server = f"127.0.0.1:{port}"
            start = (*machine_command(program, *emulator), "-S", "-gdb", f"tcp:{server}")
        gdb = GDB.find() or GDB.program
        # -nx and auto-load off: nothing but this line decides what GDB does.
        command = [gdb, "-nx", "-batch", "-iex", "set auto-load off"]
        for step in _script(server, emulated=bool(emulator)):
            command += ["-ex", step]
        return FlashPlan((*command, str(image)), image, start)

    def flash(self, request: FlashRequest) -> FlashResult:
        """See :class:`edgeq.runners.base.Flasher`."""
        plan = self._plan(request, _free_port())
        GDB.need()
        with scratch_folder("gdb") as folder:
            with _server(plan.server_command, folder):
                done = run_flasher("GDB", plan.command, request)
            talk = folder / "server.txt"
            said = talk.read_text(encoding="utf-8", errors="replace") if talk.exists() else ""
        size = _check(done, request, said)
        emulator = _machine(request)
        place = f"QEMU's {emulator[0]}" if emulator else request.server or "the board"
        detail = f"{size} bytes written into {place} and read back"
        return FlashResult(self.name, plan.command, plan.image, plan.server_command, verified=True, detail=detail)


def _script(server: str, *, emulated: bool) -> list[str]:
    """GDB's commands. QEMU ends with the connection; a real board is halted before, and started afterwards."""
    script = [
        "set confirm off",
        "set pagination off",
        f"set tcp connect-timeout {_CONNECT_SECONDS}",
        f"target extended-remote {server}",
    ]
    write = ["load", "compare-sections"]
    return [*script, *write, "kill"] if emulated else [*script, "monitor reset halt", *write, "monitor reset", "detach"]


def _machine(request: FlashRequest) -> tuple[str, tuple[str, ...]] | None:
    """QEMU's machine and arguments when QEMU is the server, else None.

    That is so without a given server, on boards that have a machine of their own, or that exist in the emulator only.
    """
    board = request.board
    emulator = board.emulator
    if request.server is not None or emulator is None or emulator.machine is None:
        return None
    if emulator.board == board.name or (board.flash_with.methods == ("gdb",) and _same_bases(board)):
        return (emulator.machine, emulator.args)
    return None


def _same_bases(board: Board) -> bool:
    emulator = board.emulator
    if emulator is None or board.flash is None or board.ram is None:
        return False
    here = (board.flash.base_address, board.ram.base_address)
    return here == (emulator.flash_base_address, emulator.ram_base_address)


def _free_port() -> int:
    """The customary port of GDB servers, or any other where that is taken."""
    for port in (DEFAULT_PORT, 0):
        with socket.socket() as probe:
            # As QEMU opens it: a port whose last connection has just closed is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    return DEFAULT_PORT


@contextmanager
def _server(command: tuple[str, ...], folder: Path) -> Iterator[None]:
    """QEMU while the block runs; nothing for an empty command."""
    if not command:
        yield
        return
    QEMU.need()
    talk_bytes = 1 << 20
    with (
        (folder / "server.txt").open("wb") as talk,
        started(command, cwd=folder, stdout=talk, file_bytes=talk_bytes),
    ):
        yield


def _check(done: Finished, request: FlashRequest, said: str) -> int:
    """The bytes written, once every section that was loaded has matched.

    GDB's exit code is no proof, and neither is "matched" alone: without a connection it compares the file with itself.
    """
    loaded = {name: int(size, 16) for name, size in _LOADED.findall(done.text)}
    compared = dict(_COMPARED.findall(done.text))
    where = request.server or request.board.name
    if not loaded:
        raise EdgeqError(
            "EQ0613",
            "GDB cannot load through its server",
            where=where,
            got=_reason(done, said),
            hint="start the probe's GDB server first (pyocd gdbserver, openocd, JLinkGDBServer), and give its "
            "HOST:PORT",
        )
    wrong = sorted(name for name in loaded if compared.get(name) != "matched")
    if wrong or "Load failed" in done.text:
        raise EdgeqError(
            "EQ0608",
            "the board does not hold what was written",
            where=where,
            got=f"sections {', '.join(wrong)}" if wrong else "loading was refused",
            hint="is the image linked for this board's memory, and the flash writable through this server?",
        )
    return sum(loaded.values())


def _reason(done: Finished, said: str) -> str:
    """Why nothing was loaded, in few words instead of GDB's talk."""
    ended = re.search(r"Connection (closed|refused|reset|timed out)", done.text)
    if ended:
        # A server that does not answer and one that is not there end in the same time-out.
        return "the connection timed out" if ended[1] == "timed out" else f"the connection was {ended[1]}"
    if "not in executable format" in done.text:
        return "the image is no ELF file"
    # Of the server that was started here, the first line is its reason.
    return next(iter(said.strip().splitlines()), f"no section was loaded, GDB's exit code is {done.code}")


FLASHER: Final = GdbFlasher()
