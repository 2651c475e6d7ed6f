"""Image files beside the ELF: Intel HEX, plain binary, UF2."""

from __future__ import annotations

import struct
from pathlib import Path

_UF2_MAGIC = (0x0A324655, 0x9E5D5157, 0x0AB16F30)
_UF2_FAMILY_PRESENT = 0x2000
_UF2_PAYLOAD = 256


def write_formats(elf: Path, uf2_family: int | None) -> dict[str, str]:
    """Write ``.hex`` and ``.bin``, and ``.uf2`` where the board has a family id; returns file names by format."""
    import bincopy

    image = bincopy.BinFile()
    image.add_elf_file(str(elf))
    data, base = bytes(image.as_binary()), int(image.minimum_address)
    files = {"hex": elf.with_suffix(".hex"), "bin": elf.with_suffix(".bin")}
    files["hex"].write_text(image.as_ihex(), encoding="ascii")
    files["bin"].write_bytes(data)
    if uf2_family is not None:
        files["uf2"] = elf.with_suffix(".uf2")
        files["uf2"].write_bytes(uf2_image(data, base, uf2_family))
    return {kind: path.name for kind, path in files.items()}


def uf2_image(data: bytes, base_address: int, family: int) -> bytes:
    """UF2 blocks of 512 bytes with 256 bytes of payload each (format: github.com/microsoft/uf2).

    Args:
        data: the image; its end is filled with zeros to a whole block.
        base_address: where it goes.
        family: the chip's family id.
    """
    count = -(-len(data) // _UF2_PAYLOAD)
    blocks = []
    for index in range(count):
        payload = data[index * _UF2_PAYLOAD : (index + 1) * _UF2_PAYLOAD]
        head = struct.pack(
            "<8I",
            *_UF2_MAGIC[:2],
            _UF2_FAMILY_PRESENT,
            base_address + index * _UF2_PAYLOAD,
            _UF2_PAYLOAD,
            index,
            count,
            family,
        )
        blocks.append(head + payload.ljust(476, b"\0") + struct.pack("<I", _UF2_MAGIC[2]))
    return b"".join(blocks)
