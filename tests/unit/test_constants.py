"""Weights as C text, and as edgeq's own images take them: every number, and the same object from both."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from test_backend_c import network

from edgeq.backends.c import emit_c
from edgeq.backends.constants import Constants, blobs, weights_assembly, weights_header, weights_source
from edgeq.describe import image_facts
from edgeq.firmware import build_images
from edgeq.numerics.array import Array
from edgeq.target import load_board, load_target

_WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror")


def constants() -> Constants:
    """Every type that occurs, with its extremes, in sizes on both sides of a line of text."""
    found = Constants("net")
    rng = np.random.default_rng(5)
    extremes = [np.iinfo(kind) for kind in (np.int8, np.int16, np.int32, np.uint32, np.int64)]
    for number, limit in enumerate(extremes):
        values = rng.integers(limit.min, limit.max, 17, limit.dtype, endpoint=True)
        values[:2] = limit.min, limit.max
        found.add(number, "extremes", values)
    for size in (1, 15, 16, 17, 32):
        found.add(size, "weights", rng.integers(-128, 128, size).astype(np.int8))
    return found


def numbers(text: str) -> dict[str, list[int]]:
    """The arrays of ``NAME_weights.c`` by name."""
    found = {}
    for name, body in re.findall(r"(net_w\w+)\[\d+\] = \{(.*?)\};", text, re.DOTALL):
        words = [word.strip() for word in body.split(",") if word.strip()]
        found[name] = [
            int(word[1:-5]) - 1 if word.startswith("(") and word.endswith(" - 1)") else int(word.rstrip("u"))
            for word in words
        ]
    return found


def sections(path: Path) -> list[tuple[str, int, bytes, list[tuple[str, int]]]]:
    """Constants of an object in order: section, alignment, contents, symbols with their sizes."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        table = elf.get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        found = []
        for index, section in enumerate(elf.iter_sections()):
            if section.name.startswith(".rodata."):
                symbols = [
                    (symbol.name, symbol["st_size"])
                    for symbol in table.iter_symbols()
                    if symbol["st_shndx"] == index and symbol["st_info"]["bind"] == "STB_GLOBAL"
                ]
                found.append((section.name, section["sh_addralign"], section.data(), symbols))
        return found


def test_text_holds_every_number() -> None:
    given = constants()
    assert numbers(weights_source("net", given).decode()) == {
        name: array.tolist() for name, array in given.arrays.items()
    }


@pytest.mark.parametrize("compiler", ["cc", "arm-none-eabi-gcc"])
def test_assembly_makes_the_object_of_the_text(compiler: str, tmp_path: Path, needs_program: object) -> None:
    assert callable(needs_program)
    needs_program(compiler)
    given = constants()
    (tmp_path / "net_weights.h").write_text(weights_header("net", given))
    (tmp_path / "net_weights.c").write_bytes(weights_source("net", given))
    text, blob = weights_assembly(given.arrays, "net.bin", hosted=compiler == "cc")
    (tmp_path / "net.s").write_text(text)
    (tmp_path / "net.bin").write_bytes(blob)
    flags = ("-std=c11", *_WARNINGS, "-O2", "-fdata-sections")
    for command in ([compiler, *flags, "-c", "net_weights.c"], [compiler, "-c", "net.s"]):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert sections(tmp_path / "net.o") == sections(tmp_path / "net_weights.o")
    assert len(sections(tmp_path / "net.o")) == len(given.arrays)


def test_section_of_the_weights_is_the_users_choice(tmp_path: Path) -> None:
    given = constants()
    (tmp_path / "net_weights.h").write_text(weights_header("net", given))
    (tmp_path / "net_weights.c").write_bytes(weights_source("net", given))
    for language in ("c", "c++"):
        command = ["cc", "-x", language, *_WARNINGS, '-DNET_WEIGHTS_SECTION=".ext_flash"', "-c", "net_weights.c"]
        subprocess.run([*command, "-o", "net.o"], cwd=tmp_path, check=True)
        with (tmp_path / "net.o").open("rb") as file:
            elf = ELFFile(file)
            placed = elf.get_section_by_name(".ext_flash")
            assert placed is not None
            assert placed["sh_size"] >= sum(array.nbytes for array in given.arrays.values())
            assert not [s.name for s in elf.iter_sections() if s.name.startswith(".rodata") and s["sh_size"]]


def test_text_costs_nanoseconds_a_weight() -> None:
    """15 microseconds a weight were the rule once; the bound leaves a factor of ten for a busy machine."""

    def seconds(values: Array) -> float:
        given = Constants("net")
        given.add(0, "weights", values)
        start = time.process_time()
        weights_source("net", given)
        return time.process_time() - start

    values = np.random.default_rng(1).integers(-128, 128, 1_000_000).astype(np.int8)
    assert min(seconds(values) for _ in range(3)) < 0.2


def test_listing_is_what_the_image_holds(tmp_path: Path, needs_program: object) -> None:
    """Offsets, sizes and contents of every array, against the addresses of the linked image for M4."""
    assert callable(needs_program)
    needs_program("arm-none-eabi-gcc")
    graph = network()
    program = emit_c(graph, "net", load_target("cortex-m4"))
    program.bundle.write(tmp_path)
    facts = image_facts(graph, program, "net")
    images = build_images(tmp_path, tmp_path, load_board("mps2-an386"), facts, constants=program.constants)
    listed = blobs(program.constants.arrays)
    assert sorted(blob.name for blob in listed) == sorted(program.constants.arrays)
    with (tmp_path / images.files["image"]).open("rb") as file:
        elf = ELFFile(file)
        table = elf.get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        symbols = {symbol.name: symbol for symbol in table.iter_symbols()}
        start = symbols[listed[0].name]["st_value"]
        for blob in listed:
            symbol, array = symbols[blob.name], program.constants.arrays[blob.name]
            assert symbol["st_value"] - start == blob.offset
            assert symbol["st_value"] % blob.align == 0
            assert symbol["st_size"] == blob.count * np.dtype(blob.dtype).itemsize == array.nbytes
            section = elf.get_section(symbol["st_shndx"])
            at = symbol["st_value"] - section["sh_addr"]
            assert section.data()[at : at + array.nbytes] == array.tobytes()


def test_binary_file_is_the_listing() -> None:
    given = constants()
    content = weights_assembly(given.arrays, "net.bin", hosted=False)[1]
    end = 0
    for blob in blobs(given.arrays):
        array = given.arrays[blob.name]
        assert blob.offset == -(-end // blob.align) * blob.align
        end = blob.offset + array.nbytes
        assert content[blob.offset : end] == array.tobytes()
    assert len(content) == -(-end // 4) * 4
