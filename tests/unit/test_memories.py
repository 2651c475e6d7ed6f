"""Several memories: which tensor lies where, what the C takes for it, and images whose arena is really in parts."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from integer_graphs import Build

import edgeq
from edgeq.analysis.arena import tenants_of
from edgeq.backends.c import emit_c
from edgeq.backends.placement import ARENA, Memories, memories_of
from edgeq.backends.planning import StepMemory, checked_plan
from edgeq.cli.main import run
from edgeq.errors import EdgeqError
from edgeq.firmware.facts import Further, ImageFacts, Span, harness_model_source
from edgeq.firmware.link import board_layout, emulated_layout, linker_script
from edgeq.folder import Compiled
from edgeq.ir import DType, Graph, Node, Tensor
from edgeq.job import CompileOptions
from edgeq.memory.check import check_plan
from edgeq.memory.homes import Home, housed
from edgeq.memory.plan import plan_memory
from edgeq.memory.schedule import Buffer, Region, Schedule, Step
from edgeq.report.arena_picture import arena_svg
from edgeq.target import load_board, load_target
from tests.campaigns.random_schedules import random_schedule


def program(*sizes: int) -> Schedule:
    """Buffers b0, b1, … that all live until the end."""
    names = [f"b{number}" for number in range(len(sizes))]
    buffers = {name: Buffer(size, (ARENA,)) for name, size in zip(names, sizes, strict=True)}
    steps = tuple(Step(name, (), (name,)) for name in names)
    return Schedule((Region(ARENA),), buffers, (), tuple(names), steps)


def regions(schedule: Schedule) -> dict[str, str]:
    return {name: buffer.regions[0] for name, buffer in schedule.buffers.items()}


def test_hottest_bytes_lie_in_the_cheapest_memory_and_what_else_fits() -> None:
    homes = (Home(ARENA, None, wait_cycles=3), Home("fast", 160))
    accesses = {"b0": 640.0, "b1": 6400.0, "b2": 64.0, "b3": 16.0}
    # By accesses to a byte: b1 100, b0 5, b3 1, b2 0.5; b0 does not fit beside b1, the others do.
    found = housed(program(128, 64, 128, 16), homes, accesses, {}, set())
    assert regions(found) == {"b0": ARENA, "b1": "fast", "b2": ARENA, "b3": "fast"}
    kept = housed(program(128, 64, 128, 16), homes, accesses, {}, {"b1"})
    assert regions(kept) == {"b0": "fast", "b1": ARENA, "b2": ARENA, "b3": "fast"}


def test_of_equally_cheap_memories_the_ram_is_filled_first() -> None:
    found = housed(
        program(64, 64, 64), (Home(ARENA, 128), Home("ccm", 64)), dict.fromkeys(["b0", "b1", "b2"], 1.0), {}, set()
    )
    assert regions(found) == {"b0": ARENA, "b1": ARENA, "b2": "ccm"}


def test_what_fits_nowhere_is_an_error_that_names_the_memory() -> None:
    homes = (Home(ARENA, 128), Home("slow", 64, wait_cycles=1))
    schedule = housed(program(64, 64, 128), homes, dict.fromkeys(["b0", "b1", "b2"], 1.0), {}, set())
    with pytest.raises(EdgeqError, match="EQ0401"):
        plan_memory(schedule)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2000), st.integers(0, 6000), st.integers(0, 3))
def test_parted_plans_of_random_programs_are_valid(seed: int, fast_bytes: int, wait_cycles: int) -> None:
    schedule = random_schedule(seed)
    accesses = {name: float((seed * 31 + number * 17) % 97 + 1) for number, name in enumerate(schedule.buffers)}
    scratch = {step.name: 1.0 for step in schedule.steps}
    homes = (Home(ARENA, None, wait_cycles), Home("fast", fast_bytes))
    parted = housed(schedule, homes, accesses, scratch, {"x"})
    plan = plan_memory(parted)
    check_plan(parted, plan)
    assert plan.used_bytes["fast"] <= fast_bytes
    assert plan.places["x"].region == ARENA


def lookups(sizes: dict[str, int]) -> Graph:
    """A chain of tables over tensors of some sizes, the first an input, the last an output."""
    names = list(sizes)
    graph = Graph("g", inputs=(names[0],), outputs=(names[-1],))
    for name, size in sizes.items():
        graph.add_tensor(Tensor(name, (1, size), DType.INT8))
    graph.nodes = [Node("lookup", name, (before,), (name,)) for before, name in pairwise(names)]
    return graph


def test_offsets_count_through_all_parts_and_name_their_pointer() -> None:
    graph = lookups({"x": 64, "a": 64, "b": 64, "y": 64})
    memories = Memories((Home(ARENA, None), Home("ccm", 64)), (("a", "ccm"),), is_asked=True)
    plan = checked_plan(graph, {"a": StepMemory(32)}, memories=memories)
    assert (plan.arena_bytes, plan.first_bytes) == (192, 128)
    assert [tuple(part) for part in plan.parts] == [("ccm", 128, 64)]
    assert plan.pointers == ("arena", "arena_ccm")
    assert plan.at(plan.offsets["a"]) == ("arena_ccm", 0)
    assert plan.address(plan.offsets["a"]) == "arena_ccm + 0"
    assert plan.shown(plan.offsets["a"]) == "0 of arena_ccm"
    assert all(plan.at(plan.offsets[name])[0] == "arena" for name in "xby")


@pytest.mark.parametrize(
    ("places", "told"),
    [
        ((("nothing", "ccm"),), "no tensor between two steps"),
        ((("a", "dtcm"),), "no such memory"),
        ((("x", "ccm"),), "inputs, outputs and states stay in the RAM"),
        ((("y", "ccm"),), "inputs, outputs and states stay in the RAM"),
    ],
)
def test_places_that_cannot_be_are_refused(places: tuple[tuple[str, str], ...], told: str) -> None:
    memories = Memories((Home(ARENA, None), Home("ccm", 64)), places, is_asked=True)
    with pytest.raises(EdgeqError, match="EQ0159") as caught:
        checked_plan(lookups({"x": 8, "a": 8, "y": 8}), {}, memories=memories)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "asked",
    [
        {"optimize": "ram"},
        {"arena_bytes": 4096},
        {"code_bytes": 4096},
        {"kernel": (("Conv_0", "eq_conv2d_s16"),)},
        {"kernels": Path("kernels.json")},
        {"memory": (("ccm", 64),)},
        {"place": (("a", "ccm"),)},
    ],
)
def test_what_the_c_backend_alone_can_do_is_refused_without_it(asked: dict[str, Any]) -> None:
    CompileOptions("netduinoplus2", "model", **asked).check_backends()
    with pytest.raises(EdgeqError, match="EQ0187"):
        CompileOptions("netduinoplus2", "model", backends=("tflite", "tvm"), **asked).check_backends()


def test_memories_of_a_board() -> None:
    assert memories_of(load_board("microbit-v2")) is None
    assert memories_of(load_board("native")) is None
    found = memories_of(load_board("netduinoplus2"))
    assert found is not None
    assert [(home.name, home.size_bytes, home.wait_cycles) for home in found.homes] == [
        (ARENA, 0x1E000, 0),
        ("ccm", 0x10000, 0),
    ]
    limited = memories_of(load_board("netduinoplus2"), (("ram", 4096), ("ccm", 1 << 20)))
    assert limited is not None
    assert [home.size_bytes for home in limited.homes] == [4096, 0x10000]
    for board, limits in (("netduinoplus2", (("dtcm", 1),)), ("native", (("ram", 1),))):
        with pytest.raises(EdgeqError, match="EQ0159"):
            memories_of(load_board(board), limits)


def test_memories_that_nobody_asked_for_and_that_are_too_small_leave_the_arena_whole() -> None:
    memories = Memories((Home(ARENA, 32), Home("ccm", 32)))
    graph = lookups({"x": 64, "a": 64, "y": 64})
    assert checked_plan(graph, {}, memories=memories) == checked_plan(graph, {})
    with pytest.raises(EdgeqError, match="EQ0401"):
        checked_plan(graph, {}, memories=replace(memories, is_asked=True))


BOARD = """\
inherits = "mps2-an386"
memories.tight = { base_address = 0x203f0000, size_bytes = 0x8000, wait_cycles = 0, source = "a test" }
memories.wide = { base_address = 0x21000000, size_bytes = 0x100000, wait_cycles = 4, source = "a test" }
ram = { base_address = 0x20000000, size_bytes = 0x100000, wait_cycles = 2 }
"""


def board_with(folder: Path, text: str) -> Path:
    path = folder / "board.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('memories.a = { base_address = 0x200ff000, size_bytes = 0x2000, wait_cycles = 0, source = "s" }', "overlaps"),
        ('memories.a = { base_address = 0xffffff00, size_bytes = 0x2000, wait_cycles = 0, source = "s" }', "4 GiB"),
        ('memories.ram = { base_address = 0x30000000, size_bytes = 16, wait_cycles = 0, source = "s" }', "not free"),
        ('memories.A-B = { base_address = 0x30000000, size_bytes = 16, wait_cycles = 0, source = "s" }', "lower-case"),
        ("memories.a = { base_address = 0x30000000, size_bytes = 16, wait_cycles = 0 }", "source"),
        ('memories.a = { base_address = 0x30000000, size_bytes = 16, source = "s" }', "wait_cycles"),
        ("memories = 3", "a table"),
        (
            "\n".join(
                f'memories.{name} = {{ base_address = 0x3000000{at}, size_bytes = 1, wait_cycles = 0, source = "s" }}'
                for at, name in enumerate("abc")
            ),
            "at most 2",
        ),
    ],
)
def test_memories_that_cannot_be_are_refused(line: str, told: str, tmp_path: Path) -> None:
    text = f'inherits = "mps2-an386"\nram = {{ base_address = 0x20000000, size_bytes = 0x100000 }}\n{line}\n'
    with pytest.raises(EdgeqError, match="EQ0182") as caught:
        load_board(board_with(tmp_path, text))
    assert told in str(caught.value)


def test_memory_that_the_machine_lacks_stands_behind_the_ram_of_the_emulated_image(tmp_path: Path) -> None:
    text = (
        'inherits = "nucleo-l4r5zi"\n'
        'memories.psram = { base_address = 0x60000000, size_bytes = 0x1000, wait_cycles = 9, source = "s" }\n'
        'memories.sram4 = { base_address = 0x28000000, size_bytes = 0x1000, wait_cycles = 1, source = "s" }\n'
    )
    board = load_board(board_with(tmp_path, text))
    assert [room.base_address for room in board_layout(board).further] == [0x60000000, 0x28000000]
    # The machine of the MPS2 has PSRAM of its own.
    assert [room.base_address for room in emulated_layout(board).further] == [0x21000000, 0x200A0000]
    facts = ImageFacts("toy", (), (), ((Span(16, 16),),), 16, further=(Further("sram4", 16, 16),))
    script = linker_script(emulated_layout(board), facts, 512)
    assert "SRAM4 (rw) : ORIGIN = 537526272, LENGTH = 4096" in script
    assert ".arena_sram4 (NOLOAD) : ALIGN(16) { *(.bss.arena_sram4) } > SRAM4" in script
    assert "PSRAM" not in script
    source = harness_model_source(facts)
    assert "eq_model_results[] = {{eq_model_arena_sram4 + 0, 16}};" in source
    assert "EQ_BIND_MODEL_2(toy_run, toy_step, eq_model_arena_sram4)" in source


def test_span_across_two_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="outside the arena"):
        ImageFacts("toy", (), (), ((Span(8, 16),),), 16, further=(Further("ccm", 16, 16),))


@pytest.mark.qemu
def test_arena_in_three_memories_gives_the_same_bits(compiled_example: Callable[..., Path], tmp_path: Path) -> None:
    model = compiled_example() / "model.qdq.onnx"
    board = board_with(tmp_path, BOARD)
    whole = Compiled.open(compiled_example())
    assert whole.manifest.program.arena_bytes is not None
    made = edgeq.compile(model, board=str(board), out=tmp_path / "out", memory={"tight": 2000, "ram": 2500})
    program = made.manifest.program
    assert [part.memory for part in program.parts] == ["tight", "wide"]
    assert program.ram_arena_bytes is not None
    assert program.ram_arena_bytes <= 2500
    assert program.parts[0].bytes <= 2000
    assert made.manifest.options.memory == {"ram": 2500, "tight": 2000}
    assert made.verify(samples=2).ok
    header = (tmp_path / "out" / f"{made.manifest.name}.h").read_text("utf-8")
    assert re.search(r"_run\(void \*arena, void \*arena_tight, void \*arena_wide\);", header)
    assert f"_ARENA_TIGHT_BYTES {program.parts[0].bytes}\n" in header
    # The picture has a line at each part, and all tenants lie in one part each.
    tenants = tenants_of(Compiled.open(tmp_path / "out"))
    starts = [0, *(part.offset for part in program.parts), program.arena_bytes or 0]
    for tenant in tenants:
        assert any(a <= tenant.offset and tenant.offset + tenant.size_bytes <= b for a, b in pairwise(starts))
    picture = arena_svg(
        "t", starts[-1], len(program.steps), tenants, [(part.memory, part.offset) for part in program.parts]
    )
    assert b">tight</text>" in picture


@pytest.mark.qemu
def test_chains_and_stated_places_give_the_same_bits(
    compiled_example: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(compiled_example() / "model.qdq.onnx")
    folder = tmp_path / "out"
    given = ["compile", model, "--board", "mps3-an547", "--optimize", "ram", "-o", str(folder), "--memory", "ram=3000"]
    assert run(given) == 0
    assert re.search(r"sram .* bytes\n +arena ", capsys.readouterr().out)
    program = Compiled.open(folder).manifest.program
    assert any(step.inner for step in program.steps)
    assert run(["verify", str(folder), "--samples", "2"]) == 0
    inner = program.steps[0].results[0].tensor
    placed = [*given[:-2], "--place", f"{inner}=sram", "--force"]
    assert run(placed) == 0
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert manifest["options"]["place"] == {inner: "sram"}
    (part,) = manifest["programs"]["c"]["parts"]
    assert manifest["programs"]["c"]["steps"][0]["results"][0]["offset"] >= part["offset"]
    capsys.readouterr()
    assert run(["verify", str(folder), "--samples", "2"]) == 0


@pytest.mark.parametrize("compiler", [["cc", "-std=c11"], ["c++", "-std=c++17", "-x", "c++"]], ids=["as_c", "as_c++"])
def test_sources_with_several_pointers_compile_without_a_warning(compiler: list[str], tmp_path: Path) -> None:
    b = Build(1, 6, 5, 4)
    conv = b.conv("b", b.conv("a", "x", 4, 3, 1), 4, 3, 2)
    graph = b.done(b.dense("y", b.node("reshape", "flat", b.lookup("act", conv, 3), shape=(1, 120)), 3, 5))
    memories = Memories((Home(ARENA, None), Home("ccm", 1024)), (("a", "ccm"),), is_asked=True)
    program = emit_c(graph, "net", load_target("native"), memories=memories)
    program.bundle.write(tmp_path)
    text = (tmp_path / "net.c").read_text("utf-8")
    assert "(void)arena_ccm;" in text  # not every step needs it
    assert "(const int8_t *)(arena_ccm + 0)" in text
    assert "net_run(arena, arena_ccm);" in (tmp_path / "example" / "main.c").read_text("utf-8")
    for source in ("net.c", "net_weights.c", "example/main.c"):
        warnings = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
        command = [*compiler, *warnings, "-Iruntime", "-I.", "-c", source, "-o", "made.o"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_words_that_are_no_places_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--memory", "ram"], ["--memory", "ram=-1"], ["--place", "conv"], ["--place", "=ccm"]):
        assert run(["compile", "x.onnx", "--board", "native", "-o", "out", *words]) == 2
        assert "EQ0101" in capsys.readouterr().err
    with pytest.raises(EdgeqError, match="EQ0193"):
        edgeq.compile(b"", board="native", memory={"ram": -1})
    with pytest.raises(EdgeqError, match="EQ0193"):
        edgeq.compile(b"", board="native", place=[("a", "b", "c")])  # type: ignore[list-item]
