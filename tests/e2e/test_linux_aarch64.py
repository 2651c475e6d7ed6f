"""The bundled model on another Linux: the program by the C backend, by TVM, and what is said without the tools."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

BOARD = "linux-aarch64"
COMPILER, EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64"
BACKENDS = {"c": ("program", ["native", "passes", "qemu"]), "tvm": ("tvm/program", ["passes", "qemu", "tvm"])}


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, needs_program: Callable[[str], str]) -> str:
    """A backend that is here, with the compiler and the emulator."""
    for program in (COMPILER, EMULATOR):
        needs_program(program)
    if request.param == "tvm":
        pytest.importorskip("tvm", reason="the extra `tvm` is not installed")
    return str(request.param)


@pytest.fixture
def compiled(backend: str, compiled_example: Callable[..., Path]) -> Path:
    return compiled_example(BOARD, "--backend", backend)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search path that has every program of this computer but those for another Linux."""
    for name in os.environ["PATH"].split(os.pathsep):
        for program in Path(name).glob("*") if name else ():
            link = tmp_path / "bin" / program.name
            link.parent.mkdir(exist_ok=True)
            if program.name not in (COMPILER, EMULATOR) and not link.is_symlink():
                link.symlink_to(program)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


def document(done: Any) -> dict[str, Any]:
    """The JSON document of a command that must succeed."""
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.qemu
def test_one_backend_has_the_same_bits(
    backend: str, compiled: Path, run_edgeq: Callable[..., Any], example: Any
) -> None:
    arguments = ("--data", example.evaluation, "--samples", "10", "--json")
    found = document(run_edgeq("verify", compiled, *arguments))
    assert sorted(result["on"] for result in found["results"]) == BACKENDS[backend][1]
    assert found["mismatches"] == 0
    assert found["elements"] > 0
    scores = document(run_edgeq("eval", compiled, *arguments, "--on", "reference,qemu"))["results"]
    value = {result["on"]: result["value"] for result in scores}
    assert value["reference"] == value["qemu"] > 0.5


@pytest.mark.qemu
def test_program_stands_alone(backend: str, compiled: Path) -> None:
    images = json.loads((compiled / "manifest.json").read_text("utf-8"))["images"]
    main = images["image"]
    assert (main, images["emulated"]) == (BACKENDS[backend][0], main)
    with (compiled / main).open("rb") as file:
        elf = ELFFile(file)
        assert elf.header["e_machine"] == "EM_AARCH64"
        assert elf.get_section_by_name(".interp") is None, "it needs another computer's libraries"
    assert os.access(compiled / main, os.X_OK)


@pytest.mark.qemu
def test_instructions_are_counted(compiled: Path, run_edgeq: Callable[..., Any]) -> None:
    found = document(run_edgeq("profile", compiled, "--samples", "2", "--json"))
    layers = [layer["instructions"] for layer in found["layers"]]
    assert min(layers) > 0
    assert sum(layers) <= found["instructions"] <= sum(layers) + 1000
    assert found["classes"]["load"] > 0
    assert found["classes"]["other"] < found["instructions"] // 100
    assert document(run_edgeq("emulate", compiled, "--json"))["instructions"] > sum(layers) // 2


@pytest.mark.qemu
def test_a_qemu_that_counts_nothing_is_named(
    compiled: Path, run_edgeq: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = tmp_path / EMULATOR
    refusal = '[ "$1" = -plugin ] && echo "plugin interface not enabled in this build" >&2 && exit 1'
    plain.write_text(f'#!/bin/sh\n{refusal}\nexec {shutil.which(EMULATOR)} "$@"\n')
    plain.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    done = run_edgeq("profile", compiled, "--samples", "2")
    assert done.returncode == 0, done.stderr
    assert "instructions are not counted: this QEMU takes no plugins" in done.stdout


@pytest.mark.qemu
def test_a_computer_is_not_flashed(compiled: Path, run_edgeq: Callable[..., Any]) -> None:
    done = run_edgeq("flash", compiled, "--json")
    assert done.returncode == 6
    problem = json.loads(done.stdout)["problems"][0]
    assert (problem["code"], problem["where"]) == ("EQ0612", BOARD)
    assert "copy the program" in problem["hint"]


@pytest.mark.usefixtures("elsewhere")
def test_without_its_compiler_nothing_is_compiled(run_edgeq: Callable[..., Any], example: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run_edgeq("compile", example.model, "--data", example.calibration, "--board", BOARD, "-o", out, "--json")
    assert done.returncode == 5
    (problem,) = json.loads(done.stdout)["problems"]
    assert problem["code"] == "EQ0501"
    assert "gcc-aarch64-linux-gnu libc6-dev-arm64-cross" in problem["hint"]
    assert not out.exists()


@pytest.mark.qemu
def test_without_qemu_the_package_is_named(
    backend: str, compiled: Path, run_edgeq: Callable[..., Any], request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("elsewhere")
    for verb in ("emulate", "verify", "profile"):
        done = run_edgeq(verb, compiled, "--json")
        assert done.returncode == 5
        (problem,) = json.loads(done.stdout)["problems"]
        assert (problem["code"], problem["hint"]) == ("EQ0520", "apt-get install --no-install-recommends qemu-user")
