"""Names and addresses of an ELF image, for markers and for messages about faults."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

from edgeq.errors import EdgeqError


@dataclass(frozen=True)
class Symbols:
    """An image's symbols.

    Attributes:
        address: of each symbol by name, Thumb bit removed; of several symbols with one name the last.
        functions: (address, size, name) of each function, sorted.
    """

    address: dict[str, int]
    functions: tuple[tuple[int, int, str], ...]

    def need(self, name: str, image: Path) -> int:
        """The address of a symbol.

        Raises:
            EdgeqError: EQ0607, the image does not have it.
        """
        if name not in self.address:
            raise EdgeqError(
                "EQ0607",
                f"the image lacks the symbol {name}",
                where=image.name,
                hint="the image does not belong to this model, or was stripped: compile again",
            )
        return self.address[name]

    def locate(self, address: int) -> str:
        """``kws_step_3+0x12`` for an address in a function, else the address."""
        address &= ~1
        index = bisect_right(self.functions, (address, 1 << 32, "")) - 1
        if index >= 0:
            start, size, name = self.functions[index]
            if start <= address < start + max(size, 1):
                return f"{name}+{address - start:#x}" if address > start else name
        return f"{address:#010x}"


def read_symbols(image: Path) -> Symbols:
    """The symbols of an ELF file.

    Raises:
        EdgeqError: EQ0607, the file is missing or no ELF.
    """
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import SymbolTableSection

    try:
        with image.open("rb") as file:
            tables = [part for part in ELFFile(file).iter_sections() if isinstance(part, SymbolTableSection)]
            found = [
                (symbol["st_value"], symbol["st_size"], symbol.name, symbol["st_info"]["type"])
                for table in tables
                for symbol in table.iter_symbols()
                if symbol.name and not symbol.name.startswith("$") and symbol["st_shndx"] != "SHN_UNDEF"
            ]
    except (OSError, ELFError) as problem:
        raise EdgeqError("EQ0607", "the image cannot be read", where=str(image), got=str(problem)) from problem
    return Symbols(
        {name: value & ~1 for value, _, name, _ in found},
        tuple(sorted((value & ~1, size, name) for value, size, name, kind in found if kind == "STT_FUNC")),
    )
