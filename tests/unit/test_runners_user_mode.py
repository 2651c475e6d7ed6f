"""Runner qemu on programs of another Linux: answers, counts, and what is said when one fails or a tool is missing."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from firmware_toy import FACTS, HIDDEN, INPUT_BYTES, X, Y, toy_answers, write_toy

from edgeq.errors import EXIT_TOOL, EdgeqError
from edgeq.firmware import build_images, find_toolchain
from edgeq.runners.base import Array, ImageSpec, RunCounts, RunRequest
from edgeq.runners.table import load_runner
from edgeq.target import load_board, load_target

TOOLS = ("aarch64-linux-gnu-gcc", "qemu-aarch64", "gcc")
MISSING = [name for name in TOOLS if shutil.which(name) is None]
needs_tools = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

SAMPLES = [np.random.default_rng(seed).integers(-128, 128, (1, INPUT_BYTES), np.int8) for seed in range(3)]
INPUTS: list[list[Array]] = [[sample] for sample in SAMPLES]
ANSWERS = [toy_answers(sample.tobytes()) for sample in SAMPLES]
NOPS = 1000


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """One cache for all tests of this session, not the user's."""
    monkeypatch.setenv("EDGEQ_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def build(folder: Path, body: str = "") -> ImageSpec:
    """The toy as a program of 64-bit Arm Linux, `body` in its first step."""
    images = build_images(write_toy(folder / "bundle", body), folder, load_board("linux-aarch64"), FACTS)
    assert images.files == {"image": "program", "emulated": "program"}
    assert images.stack_bytes is None
    program = folder / images.files["emulated"]
    return ImageSpec("toy", (X,), (Y,), ((HIDDEN,), (Y,)), image=program, user_mode=True)


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> ImageSpec:
    return build(tmp_path_factory.mktemp("toy"))


def caught(request: RunRequest) -> EdgeqError:
    with pytest.raises(EdgeqError) as found:
        load_runner("qemu").run(request)
    return found.value


def counted(spec: ImageSpec) -> tuple[RunCounts, ...]:
    found = load_runner("qemu").run(RunRequest(spec, INPUTS, count=True)).instructions
    assert found is not None
    return found


@needs_tools
@pytest.mark.parametrize("count", [False, True], ids=["plain", "count"])
@pytest.mark.parametrize("steps", [False, True], ids=["run", "steps"])
def test_program_answers(steps: bool, count: bool, spec: ImageSpec) -> None:
    result = load_runner("qemu").run(RunRequest(spec, INPUTS, steps=steps, count=count))
    assert [row[0].tobytes() for row in result.outputs] == [out for _, out in ANSWERS]
    found = [[r[0].tobytes() for r in sample] for sample in result.steps] if result.steps is not None else None
    assert found == ([list(pair) for pair in ANSWERS] if steps else None)
    assert (result.instructions is not None) == count
    assert result.stack_bytes is None


@needs_tools
def test_every_instruction_counts_once_and_in_its_step(spec: ImageSpec, tmp_path: Path) -> None:
    longer = build(tmp_path, f'__asm__ volatile(".rept {NOPS}\\n\\tnop\\n\\t.endr");')
    for less, more in zip(counted(spec), counted(longer), strict=True):
        assert [b.total - a.total for a, b in zip(less.steps, more.steps, strict=True)] == [NOPS, 0]
        assert more.whole.named()["other"] - less.whole.named()["other"] == NOPS


@needs_tools
def test_qemu_without_plugins_runs_uncounted(spec: ImageSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = shutil.which("qemu-aarch64")
    plain = tmp_path / "qemu-aarch64"
    refusal = "plugin interface not enabled in this build"
    plain.write_text(f'#!/bin/sh\n[ "$1" = -plugin ] && echo "{refusal}" >&2 && exit 1\nexec {real} "$@"\n')
    plain.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    result = load_runner("qemu").run(RunRequest(spec, INPUTS, steps=True, count=True))
    assert [row[0].tobytes() for row in result.outputs] == [out for _, out in ANSWERS]
    assert (result.instructions, result.program_instructions) == (None, None)


@needs_tools
@pytest.mark.parametrize("count", [False, True], ids=["plain", "count"])
def test_crash_names_signal_and_sample(count: bool, tmp_path: Path) -> None:
    error = caught(RunRequest(build(tmp_path, "*(volatile int *)8 = 1;"), INPUTS, steps=True, count=count))
    problem = error.problems[0]
    assert (problem.code, problem.where) == ("EQ0605", "sample 0, step 0 (hidden)")
    assert str(problem.got).startswith("SIG")


@needs_tools
def test_endless_run_is_stopped(tmp_path: Path) -> None:
    image = build(tmp_path, "for (volatile int forever = 1; forever;) { }")
    problem = caught(RunRequest(image, INPUTS, timeout_seconds=1.0)).problems[0]
    assert (problem.code, problem.where, problem.allowed) == ("EQ0603", "sample 0", "1 s")


@needs_tools
def test_program_of_another_processor_is_refused(spec: ImageSpec, tmp_path: Path) -> None:
    assert spec.image is not None
    content = bytearray(spec.image.read_bytes())
    content[18] = 0xF3  # e_machine: RISC-V
    program = tmp_path / "program"
    program.write_bytes(content)
    program.chmod(0o755)
    error = caught(RunRequest(replace(spec, image=program), INPUTS))
    assert error.problems[0].code == "EQ0605"
    assert "Invalid ELF image" in str(error)


@needs_tools
def test_program_that_lost_its_permission_says_how_to_give_it_back(spec: ImageSpec, tmp_path: Path) -> None:
    program = tmp_path / "a program"
    assert spec.image is not None
    program.write_bytes(spec.image.read_bytes())
    problem = caught(RunRequest(replace(spec, image=program), INPUTS)).problems[0]
    assert (problem.code, problem.hint) == ("EQ0605", f"chmod +x '{program}'")


def test_compiler_without_its_library_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gcc = tmp_path / "aarch64-linux-gnu-gcc"
    gcc.write_text("#!/bin/sh\necho libc.a\n")
    gcc.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(EdgeqError, match="EQ0501") as caught:
        find_toolchain(load_target("aarch64-linux"))
    assert caught.value.exit_code == EXIT_TOOL
    assert "libc6-dev-arm64-cross" in str(caught.value.problems[0].hint)
