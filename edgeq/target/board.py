"""A board: a target with its memory map, clock, console, emulator and flashers.

The memory map of ``board.toml`` is the only one: planner limits, linker script and size report all read it here.
A board without an emulator of its own names another board whose machine stands in; that file gives the machine's bases.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgeq.errors import EdgeqError, unknown_name
from edgeq.resources import boards_dir
from edgeq.target.table import Table, read_table
from edgeq.target.target import ISAS, TOOLCHAINS, Target, list_targets, load_target
from edgeq.target.words import (
    BANK,
    CPU,
    FLAG,
    MACHINE,
    NAME,
    OPENOCD,
    PYOCD,
    TRIPLE,
    VOLUME,
    BadWord,
    bad_qemu_arguments,
    bad_words,
)

CONSOLE_KINDS = ("cmsdk", "native", "none", "nrf51", "pl011", "stm32", "stm32_lp")
SYSTEM_EMULATOR = "qemu-system-arm"
USER_EMULATORS = ("qemu-aarch64",)
DRIVE_IMAGES = ("bin", "hex", "uf2")
RESERVED = ("arena", "flash", "ram", "state")
"""Names that no further memory has: they mean the board's own, and parts of the plan."""
_MOST_WAIT = 1000
_BANK_ALIGN = 32
_MOST_BANKS = 2


@dataclass(frozen=True)
class Memory:
    """A region of memory; `app_*` is the part that a bootloader leaves to the image (all of it without one).

    ``wait_cycles`` as of :class:`Bank`; flash has none.
    """

    base_address: int
    size_bytes: int
    app_offset_bytes: int = 0
    app_size_bytes: int = 0
    wait_cycles: int = 0

    @property
    def app_base_address(self) -> int:
        """Where the image begins."""
        return self.base_address + self.app_offset_bytes


@dataclass(frozen=True)
class Bank:
    """Further RAM, beside the one that holds stack and variables: tightly coupled, or outside of the chip.

    Attributes:
        name: what users and linker scripts call it.
        base_address: of its first byte.
        size_bytes: all of it is for the arena.
        wait_cycles: how much longer an access of the CPU takes than one of the fastest memory.
        source: where that stands.
        emulated_base_address: in the machine that is the board's twin; None: as on the board.
    """

    name: str
    base_address: int
    size_bytes: int
    wait_cycles: int
    source: str
    emulated_base_address: int | None = None


@dataclass(frozen=True)
class Poke:
    """A register write before the console starts: clear bits, then set bits."""

    address: int
    clear: int
    set: int


@dataclass(frozen=True)
class Console:
    """How an image talks.

    Attributes:
        kind: one of :data:`CONSOLE_KINDS`; ``stm32`` has SR/DR registers, ``stm32_lp`` is the LPUART.
        base_address: of the serial port; 0 where there is none.
        clock_hz: the serial port's clock after reset.
        baud: bits per second.
        tx_pin: number of the pin, for chips that choose it by a register.
        rx_pin: likewise.
        setup: register writes that lead the port to its pins.
    """

    kind: str
    base_address: int = 0
    clock_hz: int = 0
    baud: int = 115200
    tx_pin: int = 0
    rx_pin: int = 0
    setup: tuple[Poke, ...] = ()


@dataclass(frozen=True)
class Emulator:
    """What runs a board's code here: a QEMU machine with its memory, or QEMU's user mode for another Linux's programs.

    Attributes:
        machine: QEMU's ``-M`` name; None in user mode.
        board: the board whose machine it is; the board itself where the machine is its twin.
        flash_base_address: where the emulated image is linked.
        ram_base_address: likewise for its data.
        bank_base_addresses: likewise for each further memory of the board.
        args: further arguments for QEMU.
        program: of QEMU.
    """

    machine: str | None
    board: str
    flash_base_address: int = 0
    ram_base_address: int = 0
    bank_base_addresses: tuple[int, ...] = ()
    args: tuple[str, ...] = ()
    program: str = SYSTEM_EMULATOR


@dataclass(frozen=True)
class Drive:
    """A board that appears as a USB drive: the volume's name, and the kind of file it takes."""

    volume: str
    image: str


@dataclass(frozen=True)
class FlashWith:
    """What can put an image into the board's flash; None or empty where a method does not apply.

    Attributes:
        pyocd: pyOCD's target name.
        openocd: OpenOCD's configuration files, in order.
        drive: the USB drive.
        gdb: a GDB server can load it.
        uf2_family: the family id of UF2 images.
    """

    pyocd: str | None = None
    openocd: tuple[str, ...] = ()
    drive: Drive | None = None
    gdb: bool = False
    uf2_family: int | None = None

    @property
    def methods(self) -> tuple[str, ...]:
        """The names of the methods that apply, best first."""
        have = (("pyocd", self.pyocd), ("openocd", self.openocd), ("drive", self.drive), ("gdb", self.gdb))
        return tuple(name for name, value in have if value)


@dataclass(frozen=True)
class Board:
    """A board; `flash`, `ram` and `clock_hz` are None for computers, `emulator` also for the one that edgeq runs on.

    ``memories`` are those that only the arena may use, beside ``ram``.
    """

    name: str
    description: str
    target: Target
    clock_hz: int | None
    flash: Memory | None
    ram: Memory | None
    console: Console
    emulator: Emulator | None
    flash_with: FlashWith
    memories: tuple[Bank, ...] = ()

    @property
    def ram_bytes(self) -> int | None:
        """What programs may use of the RAM; None: as much as they need."""
        return None if self.ram is None else self.ram.app_size_bytes

    @property
    def flash_bytes(self) -> int | None:
        """What programs may use of the flash; None: as much as they need."""
        return None if self.flash is None else self.flash.app_size_bytes

    @property
    def is_host(self) -> bool:
        """True for board ``native``."""
        return self.target.is_host

    @property
    def is_hosted(self) -> bool:
        """True for a computer with an operating system: the host, or another one."""
        return self.target.is_hosted


def board_file(name_or_path: str | os.PathLike[str]) -> Path | None:
    """The file of a board that is given by its path; None for the name of one of edgeq's boards."""
    text = os.fspath(name_or_path)
    if not (text.endswith(".toml") or os.sep in text or isinstance(name_or_path, Path)):
        return None
    path = Path(text)
    return path / "board.toml" if path.is_dir() else path


def list_boards() -> tuple[str, ...]:
    """The names of all boards, sorted."""
    return tuple(sorted(path.parent.name for path in boards_dir().glob("*/board.toml")))


def load_board(name_or_path: str | os.PathLike[str]) -> Board:
    """A board by name in any case, or by the path of a ``*.toml`` file or of the folder that holds ``board.toml``.

    Raises:
        EdgeqError: EQ0184 there is none; EQ0180-0183 a file is wrong; EQ0186 the board exceeds its emulator.
    """
    path = board_file(name_or_path)
    if path is not None:
        return read_board(path)
    text = os.fspath(name_or_path)
    known = list_boards()
    name = text.lower()
    if name not in known:
        raise unknown_name("EQ0184", "the board is unknown", text, known, where="--board", hint=_target_hint(name))
    return read_board(boards_dir() / name / "board.toml")


def _target_hint(name: str) -> str | None:
    """What helps who gives a processor's name where a board's is wanted."""
    if name not in list_targets():
        return None
    having = [board for board in list_boards() if read_board(boards_dir() / board / "board.toml").target.name == name]
    boards = f"; boards with it: {', '.join(having)}" if having else ""
    return f"{name} is a target, not a board{boards}"


def read_board(path: Path) -> Board:
    """The board described by a file; parents and emulators are looked for among edgeq's own boards.

    Raises:
        EdgeqError: EQ0180-0183 the file is wrong; EQ0186 the board exceeds its emulator.
    """
    table = read_table(path, _board_file)
    name = path.resolve().parent.name if path.name == "board.toml" else path.stem
    target = load_target(table.text("target"))
    flash, ram = _memory(table, "flash"), _memory(table, "ram")
    clock_hz = table.optional_number("clock_hz", low=1)
    if not target.is_hosted:
        for key, value in (("flash", flash), ("ram", ram), ("clock_hz", clock_hz)):
            if value is None:
                raise table.fail(key, "a required key is missing")
    memories = _banks(table, ram, flash)
    board = Board(
        name=name,
        description=table.text("description"),
        target=target,
        clock_hz=clock_hz,
        flash=flash,
        ram=ram,
        console=_console(table, target),
        emulator=_user_emulator(table, name) if target.is_hosted else _emulator(table, name, flash, ram, memories),
        flash_with=_flash_with(table),
        memories=memories,
    )
    table.finish()
    for bad in words_refused(board):
        raise EdgeqError(
            "EQ0182", "the value is not allowed", where=table.where(bad.key), got=bad.got, allowed=bad.allowed
        )
    return board


def words_refused(board: Board) -> Iterator[BadWord]:
    """Every word of a board that other programs may not be told, see :mod:`edgeq.target.words`."""
    target, flash_with = board.target, board.flash_with
    yield from bad_words("target", [target.name], NAME, "the name of a target")
    yield from bad_words("target", [target.cpu], CPU, "gcc's name of a CPU")
    yield from bad_words("target", target.flags, FLAG, "options of gcc that begin with -m")
    yield from bad_words("target", [target.llvm_triple], TRIPLE, "LLVM's name of an architecture")
    yield from bad_words("target", target.isa, "|".join(ISAS), ", ".join(ISAS))
    yield from bad_words("target", [target.toolchain], "|".join(TOOLCHAINS), ", ".join(TOOLCHAINS))
    yield from bad_words("memories", [bank.name for bank in board.memories], BANK, "a lower-case word of up to 16")
    yield from bad_words("console.kind", [board.console.kind], "|".join(CONSOLE_KINDS), ", ".join(CONSOLE_KINDS))
    if board.emulator is not None:
        programs = (SYSTEM_EMULATOR, *USER_EMULATORS)
        yield from bad_words("emulator.program", [board.emulator.program], "|".join(programs), ", ".join(programs))
        yield from bad_words("emulator.machine", [board.emulator.machine], MACHINE, "QEMU's name of a machine")
        yield from bad_qemu_arguments("emulator.args", board.emulator.args)
    yield from bad_words("flash_with.pyocd", [flash_with.pyocd], PYOCD, "pyOCD's name of a target")
    yield from bad_words("flash_with.openocd", flash_with.openocd, OPENOCD, "OpenOCD's own files, target/nrf52.cfg")
    if flash_with.drive is not None:
        yield from bad_words("flash_with.drive.volume", [flash_with.drive.volume], VOLUME, "the name of a volume")
        kinds = "|".join(DRIVE_IMAGES)
        yield from bad_words("flash_with.drive.image", [flash_with.drive.image], kinds, ", ".join(DRIVE_IMAGES))


def _emulated_base(bank: Bank) -> int:
    return bank.base_address if bank.emulated_base_address is None else bank.emulated_base_address


def _aligned(address: int) -> int:
    """The next address at which a further memory may stand in for another one."""
    return -(-address // _BANK_ALIGN) * _BANK_ALIGN


def _board_file(name: str) -> Path:
    """The file of one of edgeq's boards; a name that is a path leads to none."""
    if Path(name).name != name:
        return boards_dir() / "no board of that name"
    return boards_dir() / name / "board.toml"


def _memory(table: Table, key: str) -> Memory | None:
    region = table.table(key)
    if region is None:
        return None
    base = region.number("base_address")
    size = region.number("size_bytes", low=1)
    offset = region.number("app_offset_bytes", 0)
    app_size = region.number("app_size_bytes", max(size - offset, 0))
    wait = region.number("wait_cycles", 0, high=_MOST_WAIT) if key == "ram" else 0
    region.finish()
    if base + size > 1 << 32:
        raise region.fail("size_bytes", "the region ends behind 4 GiB")
    if app_size == 0 or offset + app_size > size:
        allowed = f"offset + size <= {size:#x}"
        raise region.fail("app_size_bytes", "the application's part lies outside the region", allowed)
    return Memory(base, size, offset, app_size, wait)


def _banks(table: Table, *others: Memory | None) -> tuple[Bank, ...]:
    """The further memories, in the order of the file; none may overlap another one."""
    part = table.table("memories")
    if part is None:
        return ()
    taken = [(each.base_address, each.base_address + each.size_bytes) for each in others if each is not None]
    found: list[Bank] = []
    for name in part.keys:
        row = part.table(name)
        assert row is not None  # it is a key of the file
        bank = Bank(
            name,
            row.number("base_address"),
            row.number("size_bytes", low=1),
            row.number("wait_cycles", high=_MOST_WAIT),
            row.text("source"),
            row.optional_number("emulated_base_address"),
        )
        row.finish()
        end = bank.base_address + bank.size_bytes
        if end > 1 << 32 or any(bank.base_address < last and first < end for first, last in taken):
            raise row.fail("base_address", "the memory overlaps another one, or ends behind 4 GiB")
        if name in RESERVED or not others[0]:
            raise part.fail(name, "this name is not free", f"none of {', '.join(RESERVED)}, of a board with RAM")
        if len(found) == _MOST_BANKS:
            raise part.fail(name, "the board has too many further memories", f"at most {_MOST_BANKS}")
        taken.append((bank.base_address, end))
        found.append(bank)
    part.finish()
    return tuple(found)


def _console(table: Table, target: Target) -> Console:
    part = table.table("console")
    if part is None:
        raise table.fail("console", "a required key is missing")
    kind = part.one_of("kind", CONSOLE_KINDS)
    if (kind == "native") != target.is_hosted:
        raise part.fail("kind", "the console does not fit the target", "native for computers and for nothing else")
    console = Console(kind)
    if kind not in ("native", "none"):
        console = Console(
            kind,
            base_address=part.number("base_address"),
            clock_hz=part.number("clock_hz", low=1),
            baud=part.number("baud", 115200, low=1),
            tx_pin=part.number("tx_pin", 0, high=255),
            rx_pin=part.number("rx_pin", 0, high=255),
            setup=tuple(Poke(*row) for row in part.number_rows("setup", 3)),
        )
    part.finish()
    return console


def _user_emulator(table: Table, name: str) -> Emulator | None:
    part = table.table("emulator")
    if part is None:
        return None
    program = part.one_of("program", USER_EMULATORS)
    part.finish()
    return Emulator(None, name, program=program)


def _emulator(
    table: Table, name: str, flash: Memory | None, ram: Memory | None, banks: tuple[Bank, ...]
) -> Emulator | None:
    part = table.table("emulator")
    if part is None or flash is None or ram is None:
        return None
    machine, board = part.optional_text("machine"), part.optional_text("board")
    args = part.texts("args", [])
    part.finish()
    if machine is not None and board is None:
        own = tuple(_emulated_base(bank) for bank in banks)
        return Emulator(machine, name, flash.base_address, ram.base_address, own, args)
    if board is None or machine is not None:
        raise part.fail("board", "an emulator is a machine or another board", "either machine or board")
    if not _board_file(board).is_file():
        raise unknown_name("EQ0184", "the board is unknown", board, list_boards(), where=part.where("board"))
    other = read_table(_board_file(board), _board_file)
    there = other.table("emulator")
    other_flash, other_ram = _memory(other, "flash"), _memory(other, "ram")
    if there is None or other_flash is None or other_ram is None or there.optional_text("machine") is None:
        raise part.fail("board", "that board has no machine of its own")
    # A further memory that the machine does not have stands behind the board's RAM in that of the machine.
    same = {bank.name: bank for bank in _banks(other, other_ram, other_flash)}
    bases, end = [], ram.app_size_bytes
    for bank in banks:
        if bank.name in same and same[bank.name].size_bytes >= bank.size_bytes:
            bases.append(_emulated_base(same[bank.name]))
        else:
            bases.append(other_ram.base_address + _aligned(end))
            end = _aligned(end) + bank.size_bytes
    for key, need, machines in (("flash", flash.app_size_bytes, other_flash), ("ram", end, other_ram)):
        if need > machines.size_bytes:
            raise EdgeqError(
                "EQ0186",
                f"the board's {key} exceeds that of the machine that emulates it",
                where=table.where(key),
                got=f"{need} bytes",
                allowed=f"{machines.size_bytes} bytes on {board}",
            )
    return Emulator(
        there.text("machine"),
        board,
        other_flash.base_address,
        other_ram.base_address,
        tuple(bases),
        args or there.texts("args", []),
    )


def _flash_with(table: Table) -> FlashWith:
    part = table.table("flash_with")
    if part is None:
        return FlashWith()
    drive_part = part.table("drive")
    drive = None
    if drive_part is not None:
        drive = Drive(drive_part.text("volume"), drive_part.one_of("image", DRIVE_IMAGES))
        drive_part.finish()
    found = FlashWith(
        pyocd=part.optional_text("pyocd"),
        openocd=part.texts("openocd", []),
        drive=drive,
        gdb=part.flag("gdb"),
        uf2_family=part.optional_number("uf2_family"),
    )
    part.finish()
    if drive is not None and drive.image == "uf2" and found.uf2_family is None:
        raise part.fail("uf2_family", "a drive that takes UF2 needs the family id")
    return found
