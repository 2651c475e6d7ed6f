"""The delivered C by every compiler that it claims: the same bits, without a warning."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from edgeq.errors import EdgeqError
from tests.conformance.compilers import (
    chip_harness,
    chip_image,
    compile_model,
    deliver,
    host_program,
    wrapped,
)
from tests.conformance.images import EVERY, FEWEST
from tests.conformance.test_images import GRAPHS, graph_of
from tests.conformance.zoo import KINDS, ONE_TYPE, Kind, input_sets, kinds_of

HOST_FLAGS = {
    "O0": ("-O0",),
    "O1": ("-O1",),
    "O2": ("-O2",),
    "O3": ("-O3",),
    "Os": ("-Os",),
    "Ofast": ("-Ofast",),
    "lto": ("-O2", "-flto"),
    "short_enums": ("-O2", "-fshort-enums"),
    "unsigned_char": ("-O2", "-funsigned-char"),
    "frame_pointer": ("-O2", "-fno-omit-frame-pointer"),
}
CHIP_FLAGS = {
    "O0": ("-O0",),
    "O1": ("-O1", "-fno-omit-frame-pointer"),
    "O2": ("-O2",),
    "O3": ("-O3", "-funsigned-char"),
    "Os": ("-Os", "-fno-omit-frame-pointer"),
    "Ofast": ("-Ofast", "-fshort-enums"),
    "frame_pointer": ("-O2", "-fno-omit-frame-pointer"),
}
# With a floating-point unit gcc has more classes of registers, and fails where it does not without one.
M4F = ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")
CHIPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "m0": ("mps2-m0", ()),
    "m4": ("mps2-an386", ()),
    "m4f": ("mps2-an386", M4F),
    "m55": ("mps3-an547", ()),
}
# Cores whose kernels may load words from any address.
TRAPPING = {"m3": "mps2-an385", "m4": "mps2-an386", "m7": "mps2-an500", "m33": "mps2-an505", "m55": "mps3-an547"}
QUICK = ("conv", "dense", "pool")
NEEDS = {"gcc": ("arm-none-eabi-gcc",), "clang": ("clang", "arm-none-eabi-gcc")}


def chip_compiler(name: str, flags: tuple[str, ...]) -> list[str]:
    """The command of a compiler for Cortex-M; the flags are the target's."""
    driver = ["arm-none-eabi-gcc"] if name == "gcc" else ["clang", "--target=arm-none-eabi"]
    return [*driver, *flags]


def link_flags(compiler: str, flags: tuple[str, ...]) -> tuple[str, ...]:
    """clang's objects for link-time optimization need its own linker."""
    return ("-fuse-ld=lld",) if compiler == "clang" and "-flto" in flags else ()


@pytest.mark.slow
@pytest.mark.parametrize("flags", HOST_FLAGS)
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_host_has_the_reference_bits(
    compiler: str, flags: str, tmp_path: Path, needs_program: Callable[[str], str]
) -> None:
    needs_program(compiler)
    given = HOST_FLAGS[flags]
    if link_flags(compiler, given):
        needs_program("ld.lld")
    for number, family in enumerate(GRAPHS):
        kinds = kinds_of(family)
        graph = graph_of(family, kinds[number % len(kinds)])
        delivered = deliver(graph, "native", tmp_path / family, FEWEST if number % 3 else EVERY)
        program = host_program(delivered, [compiler, *given], link_flags(compiler, given))
        found = delivered.compare(input_sets(graph), "native", program)
        assert found.first is None, f"{family}: {found.mismatches} of {found.elements} elements differ"


@pytest.mark.slow
@pytest.mark.qemu
@pytest.mark.parametrize("flags", CHIP_FLAGS)
@pytest.mark.parametrize("compiler", NEEDS)
@pytest.mark.parametrize("core", CHIPS)
def test_chip_has_the_reference_bits(
    core: str, compiler: str, flags: str, tmp_path: Path, needs_program: Callable[[str], str]
) -> None:
    for program in (*NEEDS[compiler], "qemu-system-arm"):
        needs_program(program)
    for number, (family, kind) in enumerate(product(GRAPHS, ONE_TYPE)):
        if kind not in kinds_of(family):
            continue
        graph = graph_of(family, kind)
        board, cpu = CHIPS[core]
        delivered = deliver(graph, board, tmp_path / str(number), FEWEST if number % 4 < 2 else EVERY, flags=cpu)
        command = chip_compiler(compiler, (*delivered.flags, *CHIP_FLAGS[flags]))
        image = chip_image(delivered, chip_harness(delivered), command, compiler)
        found = delivered.compare(input_sets(graph), "qemu", image)
        assert found.first is None, f"{family}: {found.mismatches} of {found.elements} elements differ"


@pytest.mark.slow
@pytest.mark.qemu
@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_big_endian_computer_has_the_reference_bits(
    kind: Kind, tmp_path: Path, needs_program: Callable[[str], str]
) -> None:
    compiler, emulator = needs_program("s390x-linux-gnu-gcc"), needs_program("qemu-s390x")
    for family in (family for family in GRAPHS if kind in kinds_of(family)):
        graph = graph_of(family, kind)
        delivered = deliver(graph, "native", tmp_path / family, FEWEST)
        # Standard C on this computer computes float as double, which software float refuses.
        command = [compiler, "-O2", "-fexcess-precision=fast"]
        program = wrapped(host_program(delivered, command, ["-static"]), emulator)
        found = delivered.compare(input_sets(graph), "native", program, byte_order=">")
        assert found.first is None, f"{family}: {found.mismatches} of {found.elements} elements differ"


@pytest.mark.parametrize("compiler", NEEDS)
@pytest.mark.parametrize("core", CHIPS)
def test_frame_pointer_leaves_enough_registers(
    core: str, compiler: str, tmp_path: Path, needs_program: Callable[[str], str]
) -> None:
    """Inline assembly compiles beside a frame pointer, optimized or not."""
    for program in NEEDS[compiler]:
        needs_program(program)
    board, cpu = CHIPS[core]
    for family, kind in product(("conv", "dense", "elementwise", "recurrent"), ONE_TYPE):
        graph = graph_of(family, kind)
        delivered = deliver(graph, board, tmp_path / family / kind[1], FEWEST, flags=cpu)
        for flags in (("-O0",), ("-O2", "-fno-omit-frame-pointer")):
            command = chip_compiler(compiler, (*delivered.flags, *flags))
            compile_model(delivered, [*command, "-std=c11", "-ffreestanding"], compiler)


@pytest.mark.qemu
@pytest.mark.parametrize(
    ("core", "family", "kind"),
    [
        pytest.param(core, family, kind, marks=() if core == "m4" and family in QUICK else pytest.mark.slow)
        for core in TRAPPING
        for family in GRAPHS
        for kind in ONE_TYPE
        if kind in kinds_of(family)
    ],
)
def test_aligned_loads_never_trap(
    core: str, family: str, kind: Kind, tmp_path: Path, needs_program: Callable[[str], str]
) -> None:
    """Start-up of an image without unaligned accesses makes the CPU trap them."""
    for program in ("arm-none-eabi-gcc", "qemu-system-arm"):
        needs_program(program)
    graph = graph_of(family, kind)
    delivered = deliver(graph, TRAPPING[core], tmp_path / "aligned", FEWEST, aligned=True)
    harness = chip_harness(delivered)
    image = chip_image(delivered, harness, chip_compiler("gcc", (*delivered.flags, "-O2")), "gcc")
    found = delivered.compare(input_sets(graph), "qemu", image)
    assert found.first is None, f"{found.mismatches} of {found.elements} elements differ"
    if (core, family) == ("m4", "conv"):
        # The trap is set: the kernels that load words from any address run into it.
        plain = deliver(graph, TRAPPING[core], tmp_path / "plain", FEWEST)
        image = chip_image(plain, harness, chip_compiler("gcc", (*plain.flags, "-O2")), "plain")
        with pytest.raises(EdgeqError, match="unaligned access"):
            plain.compare(input_sets(graph), "qemu", image)
