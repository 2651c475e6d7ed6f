"""Sizes from objects and ELF files: what the model costs, and what the harness adds for its tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import Section, SymbolTableSection

from edgeq.firmware.facts import Sizes
from edgeq.firmware.objects import WEIGHTS_OBJECT, Objects

_FURTHER: Final = ".arena_"
"""How sections of the arena in further memories begin."""


@dataclass(frozen=True)
class Loaded:
    """What an object or image takes of the memories, in bytes: `flash` (code, constants, initial values), `ram`."""

    flash: int
    ram: int


def loaded_bytes(path: Path) -> Loaded:
    """Add up the allocated sections of an object; initial values of variables count in both."""
    flash = ram = 0
    with path.open("rb") as file:
        for section in ELFFile(file).iter_sections():
            if not _is_allocated(section):
                continue
            if section["sh_type"] != "SHT_NOBITS":
                flash += section["sh_size"]
            if section["sh_flags"] & SH_FLAGS.SHF_WRITE:
                ram += section["sh_size"]
    return Loaded(flash, ram)


def occupied_bytes(image: Path) -> Loaded:
    """The memory between the first and the last byte of a linked image, in flash and in RAM, without further memories.

    The gaps that the alignment of sections leaves belong to the image, like in its ``.bin`` file.
    """
    flash: list[tuple[int, int]] = []
    ram: list[tuple[int, int]] = []
    with image.open("rb") as file:
        elf = ELFFile(file)
        segments = list(elf.iter_segments("PT_LOAD"))
        for section in elf.iter_sections():
            size = section["sh_size"]
            if not size or not _is_allocated(section):
                continue
            if section["sh_type"] != "SHT_NOBITS":
                home = next(segment for segment in segments if segment.section_in_segment(section))
                start = home["p_paddr"] + section["sh_offset"] - home["p_offset"]
                flash.append((start, start + size))
            if section["sh_flags"] & SH_FLAGS.SHF_WRITE and not section.name.startswith(_FURTHER):
                ram.append((section["sh_addr"], section["sh_addr"] + size))
    return Loaded(_extent(flash), _extent(ram))


def _is_allocated(section: Section) -> bool:
    return bool(section["sh_flags"] & SH_FLAGS.SHF_ALLOC) and section["sh_type"] != "SHT_NOTE"


def _extent(spans: Sequence[tuple[int, int]]) -> int:
    return max(end for _, end in spans) - min(start for start, _ in spans) if spans else 0


def total_loaded(folder: Path, objects: Iterable[str]) -> Loaded:
    """The sum over objects, before the linker drops what nobody uses."""
    each = [loaded_bytes(folder / name) for name in objects]
    return Loaded(sum(item.flash for item in each), sum(item.ram for item in each))


def linked_bytes(folder: Path, objects: Iterable[str], elf: Path) -> int:
    """The flash that objects take of an image: their sections but those all of whose symbols the linker has dropped.

    A compiler keeps functions whose last call it removes late; each has a section of its own.
    """
    kept = _names(elf)
    total = 0
    for name in objects:
        with (folder / name).open("rb") as file:
            found = ELFFile(file)
            symbols = _defined(found)
            for number, section in enumerate(found.iter_sections()):
                if _is_allocated(section) and section["sh_type"] != "SHT_NOBITS":
                    defined = symbols.get(number, set())
                    total += section["sh_size"] if not defined or defined & kept else 0
    return total


def _names(elf: Path) -> set[str]:
    with elf.open("rb") as file:
        return set().union(*_defined(ELFFile(file)).values())


def _defined(elf: ELFFile) -> dict[int, set[str]]:
    """By number of a section, the functions and variables that it holds."""
    found: dict[int, set[str]] = {}
    table = elf.get_section_by_name(".symtab")
    for symbol in table.iter_symbols() if isinstance(table, SymbolTableSection) else ():
        if symbol["st_info"]["type"] in ("STT_FUNC", "STT_OBJECT") and isinstance(symbol["st_shndx"], int):
            found.setdefault(symbol["st_shndx"], set()).add(symbol.name)
    return found


def section_bytes(elf: Path, name: str) -> int:
    """The size of a section; 0 when it is absent."""
    with elf.open("rb") as file:
        section = ELFFile(file).get_section_by_name(name)
        return 0 if section is None else int(section["sh_size"])


def image_sizes(objects: Objects, elf: Path) -> Sizes:
    """The sizes of a linked chip image."""
    code = linked_bytes(objects.folder, objects.code, elf)
    weights = loaded_bytes(objects.folder / WEIGHTS_OBJECT).flash
    image = occupied_bytes(elf)
    arena, stack = section_bytes(elf, ".arena"), section_bytes(elf, ".stack")
    return Sizes(
        flash_code_bytes=code,
        flash_weight_bytes=weights,
        arena_bytes=arena,
        harness_flash_bytes=image.flash - code - weights,
        harness_ram_bytes=image.ram - arena - stack,
        image_flash_bytes=image.flash,
        image_ram_bytes=image.ram,
    )
