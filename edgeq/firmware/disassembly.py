"""The instructions of an ELF, by function, as binutils' objdump prints them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from edgeq.firmware.toolchain import Toolchain, run

_FUNCTION = re.compile(r"^[0-9a-f]+ <([^>]+)>:$")
_LINE = re.compile(r"^\s*([0-9a-f]+):\t([0-9a-f ]+?)\s*\t(\S+)(?:\t(.*))?$")


@dataclass(frozen=True)
class Instruction:
    """One instruction: its address, its length in bytes, its mnemonic and its operands."""

    address: int
    length: int
    mnemonic: str
    operands: str


def disassemble(toolchain: Toolchain, elf: Path) -> dict[str, tuple[Instruction, ...]]:
    """The instructions of each symbol in the executable sections; data in code is left out.

    objdump shows one name for each address; the other names of a function are added with the same instructions.

    Raises:
        EdgeqError: EQ0505 objdump fails.
    """
    text = run([toolchain.binutil("objdump"), "-d", elf.name], cwd=elf.parent)
    found: dict[str, list[Instruction]] = {}
    current: list[Instruction] = []
    for line in text.splitlines():
        function = _FUNCTION.match(line)
        if function:
            current = found.setdefault(function[1], [])
            continue
        match = _LINE.match(line)
        if match and not match[3].startswith("."):
            length = len(match[2].replace(" ", "")) // 2
            current.append(Instruction(int(match[1], 16), length, match[3], match[4] or ""))
    blocks = {name: tuple(code) for name, code in found.items()}
    by_address = {code[0].address: code for code in blocks.values() if code}
    for name, address in _functions(elf):
        if name not in blocks and address in by_address:
            blocks[name] = by_address[address]
    return blocks


def _functions(elf: Path) -> list[tuple[str, int]]:
    with elf.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        if not isinstance(table, SymbolTableSection):
            return []
        return [
            (symbol.name, symbol["st_value"] & ~1)
            for symbol in table.iter_symbols()
            if symbol["st_info"]["type"] == "STT_FUNC"
        ]
