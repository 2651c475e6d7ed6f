"""Runners native and qemu on a real image: answers, counts, and what is said when an image fails."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from firmware_toy import FACTS, HIDDEN, HIDDEN_OFFSET, INPUT_BYTES, OUTPUT_BYTES, X, Y, toy_answers, write_toy

from edgeq.backends.table import BACKENDS
from edgeq.errors import EdgeqError
from edgeq.firmware import ImageFacts, build_images
from edgeq.runners import counting
from edgeq.runners.base import Array, ImageSpec, RunRequest
from edgeq.runners.table import FLASHERS, RUNNERS, load_flasher, load_runner
from edgeq.target import load_board

TOOLS = ("arm-none-eabi-gcc", "qemu-system-arm", "gcc")
MISSING = [name for name in TOOLS if shutil.which(name) is None]
needs_tools = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

SAMPLES = [np.random.default_rng(seed).integers(-128, 128, (1, INPUT_BYTES), np.int8) for seed in range(4)]
INPUTS: list[list[Array]] = [[sample] for sample in SAMPLES]
ANSWERS = [toy_answers(sample.tobytes()) for sample in SAMPLES]


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """One cache for all tests of this session, not the user's."""
    monkeypatch.setenv("EDGEQ_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def build(folder: Path, body: str = "", board: str = "mps2-an386") -> ImageSpec:
    """The toy for a board's emulator or for this computer, `body` in its first step."""
    target = load_board(board)
    images = build_images(write_toy(folder / "bundle", body), folder, target, FACTS)
    return ImageSpec(
        "toy",
        (X,),
        (Y,),
        ((HIDDEN,), (Y,)),
        folder / images.files["native" if target.is_host else "emulated"],
        machine=target.emulator.machine if target.emulator else None,
    )


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> ImageSpec:
    return build(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def native_spec(tmp_path_factory: pytest.TempPathFactory) -> ImageSpec:
    return build(tmp_path_factory.mktemp("toy-native"), board="native")


def caught(request: RunRequest, runner: str = "qemu") -> EdgeqError:
    with pytest.raises(EdgeqError) as found:
        load_runner(runner).run(request)
    return found.value


@needs_tools
@pytest.mark.parametrize("count", [False, True], ids=["plain", "count"])
@pytest.mark.parametrize("steps", [False, True], ids=["run", "steps"])
@pytest.mark.parametrize("runner", ["native", "qemu"])
def test_runner_answers(runner: str, steps: bool, count: bool, spec: ImageSpec, native_spec: ImageSpec) -> None:
    image = native_spec if runner == "native" else spec
    result = load_runner(runner).run(RunRequest(image, INPUTS, steps=steps, count=count))
    assert [[array.tobytes() for array in row] for row in result.outputs] == [[out] for _, out in ANSWERS]
    assert all(row[0].shape == Y.shape and row[0].dtype == np.int8 for row in result.outputs)
    if steps:
        assert result.steps is not None
        assert [[r[0].tobytes() for r in sample] for sample in result.steps] == [list(pair) for pair in ANSWERS]
        assert result.steps[0][0][0].shape == HIDDEN.shape
    else:
        assert result.steps is None
    assert (result.instructions is not None) == (count and runner == "qemu")
    assert (result.stack_bytes is not None) == (runner == "qemu")


@needs_tools
def test_counts_do_not_see_the_harness(spec: ImageSpec) -> None:
    """A sample's counts depend on that sample only: not on its place, its company, or the commands around it."""
    runner = load_runner("qemu")
    many = runner.run(RunRequest(spec, INPUTS, steps=True, count=True)).instructions
    assert many is not None
    for sample, counts in zip(INPUTS, many, strict=True):
        assert runner.run(RunRequest(spec, [sample], count=True)).instructions == (counts,)
        assert len(counts.steps) == 2
        assert counts.total == sum(step.total for step in counts.steps) + counts.before.total
        assert counts.steps[1].named()["mac"] >= INPUT_BYTES * OUTPUT_BYTES


def build_changed(folder: Path, runner: str, old: str, new: str, facts: ImageFacts = FACTS) -> ImageSpec:
    """The toy with a change of its C text."""
    board = load_board("native" if runner == "native" else "mps2-an386")
    model = write_toy(folder / "bundle") / "toy.c"
    text = model.read_text()
    assert old in text
    model.write_text(text.replace(old, new))
    files = build_images(folder / "bundle", folder, board, facts).files
    image = folder / files["native" if runner == "native" else "emulated"]
    return ImageSpec("toy", (X,), (Y,), ((HIDDEN,), (Y,)), image, machine="mps2-an386")


@needs_tools
@pytest.mark.parametrize("runner", ["native", "qemu"])
def test_outputs_are_what_lies_in_the_arena_at_the_end(runner: str, tmp_path: Path) -> None:
    """The second step spoils what the first has left; each step's results are those of before."""
    loop = "for (uint32_t o = 0; o"
    spoils = f"((int8_t *)(arena + {HIDDEN_OFFSET}))[3] = 5;\n    {loop}"
    facts = replace(FACTS, outputs=FACTS.results[0])
    image = build_changed(tmp_path, runner, loop, spoils, facts)
    result = load_runner(runner).run(RunRequest(replace(image, outputs=(HIDDEN,)), INPUTS, steps=True))
    assert result.steps is not None
    assert result.whole is not None
    assert [steps[0][0].tobytes() for steps in result.steps] == [hidden for hidden, _ in ANSWERS]
    spoilt = [hidden[:3] + b"\x05" + hidden[4:] for hidden, _ in ANSWERS]
    assert [row[0].tobytes() for row in result.outputs] == spoilt
    assert [row[0].tobytes() for row in result.whole] == spoilt[:1]


@needs_tools
@pytest.mark.parametrize("runner", ["native", "qemu"])
def test_whole_run_that_leaves_out_a_step_finds_no_remains_of_it(runner: str, tmp_path: Path) -> None:
    """Step by step all is well; the run of the model calls its second step on a condition that never holds."""
    never = "if (step == 0 || ((const uint8_t *)arena)[47] == 7)\n            toy_step(arena, step);"
    image = build_changed(tmp_path, runner, "        toy_step(arena, step);", never)
    result = load_runner(runner).run(RunRequest(image, INPUTS, steps=True))
    assert [row[0].tobytes() for row in result.outputs] == [out for _, out in ANSWERS]
    assert result.whole is not None
    assert [row[0].tobytes() for row in result.whole] == [b"\xa5" * OUTPUT_BYTES]


@needs_tools
def test_no_samples_run_nothing(spec: ImageSpec) -> None:
    result = load_runner("qemu").run(RunRequest(spec, [], steps=True, count=True))
    assert (result.outputs, result.steps, result.instructions) == ([], [], ())


@pytest.mark.parametrize("wrong", [[np.zeros((1, 15), np.int8)], [np.zeros((1, 16), np.int16)], []])
def test_wrong_inputs_are_refused(wrong: list[Array], tmp_path: Path) -> None:
    program = tmp_path / "native"
    program.touch()
    with pytest.raises(ValueError, match="sample 0"):
        load_runner("native").run(RunRequest(ImageSpec("toy", (X,), (Y,), image=program), [wrong]))


FAULTS = {
    "undefined": ('__asm__ volatile("udf #0");', "undefined instruction", "toy_step_0"),
    "bus": ("*(volatile uint32_t *)0x90000000u = 1;", "bus error", "toy_step_0"),
    "nowhere": (
        '__asm__ volatile("ldr r3, =0x90000001\\n\\tblx r3\\n\\t.ltorg" ::: "r3", "lr");',
        "bus error on an instruction",
        "lr in toy_step_0",
    ),
}


@needs_tools
@pytest.mark.parametrize("kind", FAULTS)
def test_fault_says_what_and_where(kind: str, tmp_path: Path) -> None:
    body, what, place = FAULTS[kind]
    error = caught(RunRequest(build(tmp_path, body), INPUTS, steps=True, count=kind == "bus"))
    problem = error.problems[0]
    assert (problem.code, error.exit_code) == ("EQ0602", 6)
    assert what in str(problem.got)
    assert place in str(problem.where)
    assert "sample 0, step 0 (hidden)" in str(problem.where)


@needs_tools
def test_fault_in_a_later_sample_names_it(tmp_path: Path) -> None:
    body = f'static int n; if (n++ == 2) __asm__ volatile("udf #0"); (void){HIDDEN_OFFSET};'
    error = caught(RunRequest(build(tmp_path, body), INPUTS))
    assert str(error.problems[0].where).endswith("sample 2")


@needs_tools
@pytest.mark.parametrize("runner", ["native", "qemu"])
def test_endless_run_is_stopped(runner: str, tmp_path: Path) -> None:
    body = "for (volatile int forever = 1; forever;) { }"
    image = build(tmp_path, body, "native" if runner == "native" else "mps2-an386")
    error = caught(RunRequest(image, INPUTS, timeout_seconds=1.0), runner)
    problem = error.problems[0]
    assert (problem.code, problem.where, problem.allowed) == ("EQ0603", "sample 0", "1 s")


@needs_tools
def test_native_crash_names_signal_and_sample(tmp_path: Path) -> None:
    error = caught(RunRequest(build(tmp_path, "__builtin_trap();", "native"), INPUTS, steps=True), "native")
    problem = error.problems[0]
    assert problem.code == "EQ0605"
    assert str(problem.got).startswith("SIG")
    assert problem.where == "sample 0, step 0 (hidden)"


@needs_tools
def test_image_of_another_model_is_refused(spec: ImageSpec) -> None:
    other = replace(spec, outputs=(replace(Y, shape=(3,)),), steps=())
    assert caught(RunRequest(other, INPUTS)).problems[0].code == "EQ0604"


@needs_tools
def test_image_without_the_symbols_is_refused(spec: ImageSpec) -> None:
    assert caught(RunRequest(replace(spec, name="kws"), INPUTS, count=True)).problems[0].code == "EQ0607"


@needs_tools
def test_image_for_another_machine_fails_with_its_place(tmp_path: Path) -> None:
    image = replace(build(tmp_path, board="mps2-an505"), machine="mps2-an386")
    error = caught(RunRequest(image, INPUTS, timeout_seconds=20))
    assert error.exit_code == 6
    assert error.problems[0].code in {"EQ0602", "EQ0606"}


@needs_tools
def test_file_that_is_no_image_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "emulated.elf"
    broken.write_bytes(b"\x7fELF")
    image = ImageSpec("toy", (X,), (Y,), image=broken, machine="mps2-an386")
    assert caught(RunRequest(image, INPUTS, timeout_seconds=20)).exit_code == 6
    assert caught(RunRequest(image, INPUTS, count=True)).problems[0].code == "EQ0607"


@needs_tools
def test_unknown_machine_is_reported(spec: ImageSpec) -> None:
    error = caught(RunRequest(replace(spec, machine="mps9-an999"), INPUTS))
    assert error.problems[0].code == "EQ0606"
    assert "mps9-an999" in str(error)


@pytest.mark.parametrize("runner", ["native", "qemu"])
def test_missing_image_is_reported(runner: str, tmp_path: Path) -> None:
    image = ImageSpec("toy", (X,), (Y,), image=tmp_path / "image", machine="mps2-an386")
    error = caught(RunRequest(image, INPUTS), runner)
    assert (error.problems[0].code, error.exit_code) == ("EQ0161", 2)


def test_missing_qemu_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    image = tmp_path / "image"
    image.touch()
    spec = ImageSpec("toy", (X,), (Y,), image=image)
    for package, wanted in (
        ("qemu-system-arm", replace(spec, machine="mps2-an386")),
        ("qemu-user", replace(spec, user_mode=True)),
    ):
        install = f"apt-get install --no-install-recommends {package}"
        error = caught(RunRequest(wanted, INPUTS))
        assert (error.problems[0].code, error.problems[0].hint, error.exit_code) == ("EQ0520", install, 5)


def test_time_limit_follows_the_work() -> None:
    image = ImageSpec("toy", (X,), (Y,), ((HIDDEN,), (Y,)), macs=1_000_000)
    assert RunRequest(image, INPUTS).limit_seconds(10, 1e6) == 14
    assert RunRequest(image, INPUTS, steps=True).limit_seconds(10, 1e6) == 15
    assert RunRequest(image, INPUTS, steps=True, count=True).limit_seconds(10, 1e6) == 18
    assert RunRequest(image, INPUTS, timeout_seconds=3).limit_seconds(10, 1e6) == 3


def test_table_is_sorted_and_loads() -> None:
    assert [entry.name for entry in RUNNERS] == sorted(entry.name for entry in RUNNERS)
    assert [entry.name for entry in FLASHERS] == sorted(entry.name for entry in FLASHERS)
    for runner in RUNNERS:
        assert callable(load_runner(runner.name).run)
        assert runner.backend in {None, *(backend.name for backend in BACKENDS)}
    for flasher in FLASHERS:
        assert load_flasher(flasher.name).name == flasher.name
    with pytest.raises(EdgeqError, match="EQ0170"):
        load_runner("gdb")
    with pytest.raises(EdgeqError, match="drive, gdb, openocd, pyocd"):
        load_flasher("jlink")


def test_table_imports_no_runner() -> None:
    code = (
        "import sys, edgeq.runners.table as t; names = {e.module for e in (*t.RUNNERS, *t.FLASHERS)} | {'elftools'};"
        "sys.exit(bool(names & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_plugin_source_is_inside_the_package() -> None:
    for name in counting.SOURCES:
        assert (counting.PLUGIN_DIR / name).is_file()
        assert counting.PLUGIN_DIR.parent.name == "runners"
