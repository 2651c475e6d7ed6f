"""Linking: the one linker script, filled with a board's memory map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import NamedTuple

from edgeq.errors import EdgeqError
from edgeq.firmware.facts import ImageFacts
from edgeq.firmware.toolchain import Toolchain, run_both
from edgeq.resources import boards_dir
from edgeq.target import Board
from edgeq.writing import write_whole

_MEMORY = Template("    $region (rw) : ORIGIN = $base_address, LENGTH = $size_bytes\n")
_SECTION = Template("    .arena_$name (NOLOAD) : ALIGN($align) { *(.bss.arena_$name) } > $region\n")
_CHECK = Template('    ASSERT(SIZEOF(.arena_$name) == $bytes, "the arena is not what the plan says")\n')
# VTOR has no bits below this; 16 vectors would need half of it (ARMv7-M ARM, B3.2.5).
_VECTOR_ALIGN = 128


class Room(NamedTuple):
    """A further memory, for a part of the arena."""

    name: str
    base_address: int
    size_bytes: int


@dataclass(frozen=True)
class Layout:
    """Where an image is linked: bases and sizes of flash, of RAM, and of further memories, in bytes."""

    flash_base_address: int
    flash_size_bytes: int
    ram_base_address: int
    ram_size_bytes: int
    further: tuple[Room, ...] = ()


def board_layout(board: Board) -> Layout:
    """The layout of the image that is flashed.

    Raises:
        ValueError: the board is the host.
    """
    if board.flash is None or board.ram is None:
        raise ValueError(f"{board.name} has no memory map")
    return Layout(
        board.flash.app_base_address,
        board.flash.app_size_bytes,
        board.ram.app_base_address,
        board.ram.app_size_bytes,
        tuple(Room(bank.name, bank.base_address, bank.size_bytes) for bank in board.memories),
    )


def emulated_layout(board: Board) -> Layout:
    """The emulating machine's bases with the board's own sizes.

    Raises:
        ValueError: the board has no emulator.
    """
    if board.emulator is None:
        raise ValueError(f"{board.name} has no emulator")
    own = board_layout(board)
    bases = board.emulator.bank_base_addresses
    return Layout(
        board.emulator.flash_base_address,
        own.flash_size_bytes,
        board.emulator.ram_base_address,
        own.ram_size_bytes,
        tuple(room._replace(base_address=base) for room, base in zip(own.further, bases, strict=True)),
    )


def linker_script(layout: Layout, facts: ImageFacts, stack_bytes: int) -> str:
    """The text of the linker script.

    Args:
        layout: bases and sizes.
        facts: for the arena.
        stack_bytes: the stack's size, a multiple of 8.
    """
    rooms = [room for room in layout.further if any(room.name == part.name for part in facts.further)]
    aligned = layout.flash_base_address % _VECTOR_ALIGN == 0
    template = Template((boards_dir() / "common" / "link.ld.in").read_text(encoding="utf-8"))
    return template.substitute(
        comment="Filled by edgeq.",
        flash_base_address=f"{layout.flash_base_address:#x}",
        flash_size_bytes=f"{layout.flash_size_bytes:#x}",
        ram_base_address=f"{layout.ram_base_address:#x}",
        ram_size_bytes=f"{layout.ram_size_bytes:#x}",
        boot_section="" if aligned else ".boot_vectors : { KEEP(*(.boot_vectors)) } > FLASH",
        discard="*(.boot_vectors)" if aligned else "",
        vectors_align=_VECTOR_ALIGN,
        stack_bytes=stack_bytes,
        arena_align=facts.arena_align,
        arena_bytes=facts.arena_bytes,
        further_memories="".join(_MEMORY.substitute(room._asdict(), region=room.name.upper()) for room in rooms),
        further_sections="".join(
            _SECTION.substitute(name=part.name, region=part.name.upper(), align=facts.arena_align)
            for part in facts.further
        ),
        further_checks="".join(_CHECK.substitute(part._asdict()) for part in facts.further),
    )


def link_chip(
    toolchain: Toolchain, board: Board, folder: Path, objects: Sequence[str], script: str, output: Path
) -> None:
    """Link an ELF for a chip, with its map beside it (``.map``).

    Args:
        toolchain: the ARM compiler.
        board: for the CPU's flags.
        folder: of the objects; the linker runs there, so that the map names no path of ours.
        objects: file names, in link order.
        script: text of the linker script.
        output: the ELF.

    Raises:
        EdgeqError: EQ0402 or EQ0401 a memory overflows; EQ0504 the link fails otherwise.
    """
    name = f"{output.stem}.ld"
    (folder / name).write_text(script, encoding="utf-8")
    command = [
        toolchain.gcc,
        *board.target.gcc_flags,
        "-nostdlib",
        "-nostartfiles",
        "-Wl,--gc-sections,--fatal-warnings,--build-id=none",
        f"-Wl,-Map={output.stem}.map",
        "-T",
        name,
        *objects,
        "-lgcc",
        "-o",
        output.name,
    ]
    try:
        made = [folder / output.name, folder / f"{output.stem}.map"]
        run_both(command, cwd=folder, code="EQ0504", what=f"the linker refuses {output.name}", makes=made)
    except EdgeqError as problem:
        raise _as_fit(problem, board) from problem
    for path in (output, output.with_suffix(".map")):
        path.write_bytes((folder / path.name).read_bytes())


def _as_fit(problem: EdgeqError, board: Board) -> EdgeqError:
    got = problem.problems[0].got or ""
    for word, code in (("FLASH", "EQ0402"), ("RAM", "EQ0401")):
        if f"region `{word}' overflowed" in got or f"will not fit in region `{word}'" in got:
            what = f"the image does not fit the board's {'flash' if word == 'FLASH' else 'RAM'}"
            return EdgeqError(code, what, where=board.name, got=got)
    return problem


def link_host(toolchain: Toolchain, folder: Path, objects: Sequence[str], output: Path, flags: Sequence[str]) -> None:
    """Link a program for an operating system.

    Raises:
        EdgeqError: EQ0504 the link fails.
    """
    command = [toolchain.gcc, *flags, "-Wl,--gc-sections,--build-id=none", *objects, "-o", output.name]
    made = folder / output.name
    run_both(command, cwd=folder, code="EQ0504", what=f"the linker refuses {output.name}", makes=[made])
    write_whole(output, made.read_bytes(), mode=0o777)
