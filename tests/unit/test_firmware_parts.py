"""The parts of firmware that need no compiler: linker script, UF2, call graphs, checks of instructions."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from firmware_toy import FACTS

from edgeq.errors import EdgeqError
from edgeq.firmware.checks import check_no_float, check_v6m_only
from edgeq.firmware.disassembly import Instruction
from edgeq.firmware.facts import board_header, harness_model_source
from edgeq.firmware.fit import check_fit
from edgeq.firmware.formats import uf2_image
from edgeq.firmware.link import Layout, board_layout, emulated_layout, linker_script
from edgeq.firmware.sizes import linked_bytes, loaded_bytes
from edgeq.firmware.stack import (
    CallGraph,
    add_library,
    count_assembly,
    drop_removed_calls,
    library_calls,
    read_call_graph,
    stack_bound,
)
from edgeq.target import load_board


def line(mnemonic: str, operands: str = "", length: int = 2) -> Instruction:
    return Instruction(0, length, mnemonic, operands)


def test_emulated_layout_keeps_the_boards_sizes() -> None:
    board = load_board("nucleo-l4r5zi")
    assert board_layout(board) == Layout(0x08000000, 0x200000, 0x20000000, 0xA0000)
    assert emulated_layout(board) == Layout(0x0, 0x200000, 0x20000000, 0xA0000)


def test_linker_script_has_no_place_left_open() -> None:
    script = linker_script(Layout(0x8020, 0x1000, 0x20000000, 0x1000), FACTS, 512)
    assert "$" not in script
    assert "KEEP(*(.boot_vectors))" in script
    assert "KEEP(*(.boot_vectors))" not in linker_script(Layout(0x8000, 0x1000, 0x20000000, 0x1000), FACTS, 512)


def test_harness_source_lists_results_by_step() -> None:
    source = harness_model_source(FACTS)
    assert "eq_model_results[] = {{eq_model_arena + 16, 16}, {eq_model_arena + 32, 4}};" in source
    assert "eq_model_first_result[] = {0, 1, 2};" in source
    assert "EQ_BIND_MODEL(toy_run, toy_step)" in source


def test_board_header_ends_with_a_sentinel() -> None:
    assert "#define EQ_UART_SETUP {0, 0, 0}" in board_header(load_board("mps2-an386").console)


def test_uf2_pads_the_last_block() -> None:
    data = bytes(range(256)) + b"end"
    image = uf2_image(data, 0x1000, 0x12345678)
    assert len(image) == 1024
    assert image[512 + 32 : 512 + 36] == b"end\0"
    assert image[-4:] == bytes.fromhex("306fb10a")


def test_fit_reports_ram_and_flash_together() -> None:
    board = load_board("stm32vldiscovery")
    check_fit(board, ram_bytes=8000, stack_bytes=192, flash_bytes=0x20000)
    with pytest.raises(EdgeqError) as caught:
        check_fit(board, ram_bytes=8000, stack_bytes=193, flash_bytes=0x20001)
    assert [problem.code for problem in caught.value.problems] == ["EQ0401", "EQ0402"]
    assert "1 too many" in str(caught.value.problems[0].got)


def test_fit_of_the_host_never_fails() -> None:
    check_fit(load_board("native"), ram_bytes=1 << 40, stack_bytes=0, flash_bytes=1 << 40)


GRAPH = """
node: { title: "run" label: "run\\nmodel.c:3:5\\n8 bytes (static)" }
node: { title: "model.c:a" label: "a\\nmodel.c:3:5\\n40 bytes (static)" }
node: { title: "model.c:b" label: "b\\nmodel.c:3:5\\n16 bytes (dynamic,bounded)" }
node: { title: "memcpy" label: "memcpy\\n<built-in>" shape : ellipse }
edge: { sourcename: "run" targetname: "model.c:a" label: "model.c:4:1" }
edge: { sourcename: "run" targetname: "model.c:b" label: "model.c:4:1" }
edge: { sourcename: "model.c:b" targetname: "memcpy" }
"""


def read(tmp_path: Path, text: str) -> CallGraph:
    path = tmp_path / "model.ci"
    path.write_text(text, encoding="utf-8")
    return read_call_graph([path])


def test_stack_bound_takes_the_deepest_path(tmp_path: Path) -> None:
    graph = read(tmp_path, GRAPH)
    assert library_calls(graph) == ("memcpy",)
    add_library(
        graph,
        {
            "memcpy": (line("push", "{r4, r5, lr}"), line("sub", "sp, #8"), line("bl", "10 <deeper>")),
            "deeper": (line("stmdb", "sp!, {r4-r7, r9}"), line("str.w", "lr, [sp, #-4]!")),
        },
    )
    assert stack_bound(graph, ("run",)) == 8 + max(40, 16 + 12 + 8 + 20 + 4)


# Armv7-M ARM, A7.7: each single register takes 4 bytes of stack, each double register 8; ranges include both ends.
PUSHES = [
    ("push", "{r4-r7, lr}", 20),
    ("push.w", "{r4-r11, lr}", 36),
    ("stmdb", "sp!, {r4, r5}", 8),
    ("stmfd", "sp!, {r4-r7, r9}", 20),
    ("vpush", "{d8}", 8),
    ("vpush", "{d8-d9}", 16),
    ("vpush", "{d8-d15}", 64),
    ("vpush", "{s16-s17}", 8),
    ("str.w", "lr, [sp, #-4]!", 4),
    ("strd", "r0, r1, [sp, #-16]!", 16),
    ("sub", "sp, #8", 8),
    ("sub.w", "sp, sp, #1024", 1024),
]


@pytest.mark.parametrize(("mnemonic", "operands", "size"), PUSHES)
def test_stack_of_a_library_routine_is_what_its_instructions_take(
    mnemonic: str, operands: str, size: int, tmp_path: Path
) -> None:
    graph = read(tmp_path, GRAPH)
    add_library(graph, {"memcpy": (line(mnemonic, operands),)})
    assert graph.frames["memcpy"] == size


def test_stack_of_a_function_counts_what_assembly_in_it_pushes(tmp_path: Path) -> None:
    graph = read(tmp_path, GRAPH)
    frames = dict(graph.frames)
    title, frame = max(graph.frames.items(), key=lambda item: item[1])
    count_assembly(graph, {title.rpartition(":")[2]: (line("push", "{r4-r11, lr}"), line("sub", "sp, #48"))})
    assert graph.frames == frames | {title: max(frame, 36 + 48)}
    count_assembly(graph, {title.rpartition(":")[2]: (line("push", "{r4, lr}"),)})
    assert graph.frames[title] == max(frame, 36 + 48)


def test_a_call_that_no_object_refers_to_has_no_stack(tmp_path: Path) -> None:
    graph = read(tmp_path, GRAPH)
    drop_removed_calls(graph, ("memcpy", "weights"))
    assert library_calls(graph) == ("memcpy",)
    drop_removed_calls(graph, ("weights",))
    assert library_calls(graph) == ()
    assert stack_bound(graph, ("run",)) == 8 + 40


def test_stack_of_unknown_size_refused(tmp_path: Path) -> None:
    with pytest.raises(EdgeqError, match="no fixed size"):
        read(tmp_path, GRAPH.replace("40 bytes (static)", "40 bytes (dynamic)"))
    with pytest.raises(EdgeqError, match="not known"):
        stack_bound(read(tmp_path, GRAPH), ("run",))
    with pytest.raises(EdgeqError, match="not known"):
        add_library(read(tmp_path, GRAPH), {})


def test_stack_moved_by_a_register_refused(tmp_path: Path) -> None:
    with pytest.raises(EdgeqError, match="not understood"):
        add_library(read(tmp_path, GRAPH), {"memcpy": (line("mov", "sp, r7"),)})
    with pytest.raises(EdgeqError, match="EQ0506"):
        add_library(read(tmp_path, GRAPH), {"memcpy": (line("add", "sp, r6"),)})


@pytest.mark.parametrize("mnemonic", ["vadd.f32", "vcvt.s32.f32", "vmul.f16", "vldmia.f64"])
def test_float_instruction_refused(mnemonic: str) -> None:
    with pytest.raises(EdgeqError, match="EQ0507"):
        check_no_float({"f": (line(mnemonic, "s0, s1"),)})


FLOAT_HELPERS = [
    *("__aeabi_fadd", "__aeabi_dmul", "__aeabi_i2f", "__aeabi_ul2d", "__aeabi_f2iz", "__aeabi_d2lz", "__aeabi_cfcmple"),
    *("__addsf3", "__muldf3", "__fixsfsi", "__floatsidf", "__aeabi_h2f"),
]


@pytest.mark.parametrize("name", FLOAT_HELPERS)
def test_float_helper_refused(name: str) -> None:
    with pytest.raises(EdgeqError, match="EQ0507"):
        check_no_float({name: ()})


@pytest.mark.parametrize("name", ["__aeabi_idiv", "__aeabi_ldivmod", "__aeabi_lmul", "__aeabi_uidivmod", "__divsi3"])
def test_integer_helper_kept(name: str) -> None:
    check_no_float({name: (line("vldrb.u8", "q0, [r0]"), line("vpush", "{d8-d9}"), line("vmov", "r0, s0"))})


@pytest.mark.parametrize(("mnemonic", "length"), [("cbz", 2), ("itte", 2), ("it", 2), ("sdiv", 4), ("b.w", 4)])
def test_instruction_beyond_v6m_refused(mnemonic: str, length: int) -> None:
    with pytest.raises(EdgeqError, match="EQ0508"):
        check_v6m_only({"f": (line(mnemonic, length=length),)})


def test_v6m_instructions_kept() -> None:
    check_v6m_only({"f": (line("bl", length=4), line("dsb", length=4), line("movs"), line("stmia"), line("uxtb"))})


def test_functions_that_the_linker_drops_are_no_code_of_the_image(
    tmp_path: Path, needs_program: Callable[[str], str]
) -> None:
    gcc = needs_program("arm-none-eabi-gcc")
    (tmp_path / "a.c").write_text("int used(int x) { return 3 * x; }\nint idle(int x) { return x / 7 + x / 11; }\n")
    flags = ["-mcpu=cortex-m4", "-mthumb", "-O2", "-ffunction-sections"]
    subprocess.run([gcc, *flags, "-c", "a.c"], cwd=tmp_path, check=True)
    for options, dropped in ((["-Wl,--gc-sections", "-Wl,-e,used"], True), (["-Wl,-e,used"], False)):
        subprocess.run([gcc, *flags, "-nostdlib", *options, "a.o", "-o", "a.elf"], cwd=tmp_path, check=True)
        kept, whole = linked_bytes(tmp_path, ["a.o"], tmp_path / "a.elf"), loaded_bytes(tmp_path / "a.o").flash
        assert (0 < kept < whole) if dropped else kept == whole
