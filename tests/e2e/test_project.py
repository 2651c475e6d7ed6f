"""The generated folder in a user's project: CMake's flags for the CPU, the example, other compilers and other cores."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror")
CROSS = (
    "-DCMAKE_SYSTEM_NAME=Generic",
    "-DCMAKE_SYSTEM_PROCESSOR=arm",
    "-DCMAKE_C_COMPILER=arm-none-eabi-gcc",
    "-DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY",
    "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON",
)


def built(folder: Path, build: Path, *options: str) -> list[list[str]]:
    """Configure and build the library of a folder; returns the commands that compiled it."""
    configure = ["cmake", "-S", str(folder), "-B", str(build), *CROSS, *options]
    for command in (configure, ["cmake", "--build", str(build)]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    entries: list[dict[str, str]] = json.loads((build / "compile_commands.json").read_text())
    return [shlex.split(entry["command"]) for entry in entries if not entry["file"].endswith("main.c")]


def test_cpu_flags_are_the_targets_or_the_projects(
    compiled_example: Callable[..., Path], needs_program: Callable[[str], str], tmp_path: Path
) -> None:
    for program in ("cmake", "arm-none-eabi-gcc"):
        needs_program(program)
    folder = compiled_example()
    own = built(folder, tmp_path / "own")
    assert len(own) == 2
    assert all({"-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=soft"} <= set(command) for command in own)
    # A project that chooses the CPU keeps its choice: its ABI may differ, and then nothing would link.
    project = built(folder, tmp_path / "project", "-DCMAKE_C_FLAGS=-mcpu=cortex-m7 -mthumb -mfloat-abi=hard")
    assert all("-mcpu=cortex-m4" not in command and "-mfloat-abi=hard" in command for command in project)


def test_example_is_in_no_glob_and_clean_in_both_languages(
    compiled_example: Callable[..., Path], needs_program: Callable[[str], str], tmp_path: Path
) -> None:
    folder = compiled_example("native")
    assert {path.name for path in folder.glob("*.c")} == {"model.c", "model_weights.c"}
    languages = {"c11": ["-x", "c", "-std=c11"], "c++11": ["-x", "c++", "-std=c++11"], "c++17": ["-x", "c++"]}
    for compiler in ("gcc", "clang"):
        if compiler == "clang" and shutil.which("clang") is None:
            continue
        for name, flags in languages.items():
            command = [needs_program(compiler), *flags, *WARNINGS, f"-I{folder}", f"-I{folder / 'runtime'}", "-c"]
            for source in ("example/main.c", "model.c", "model_weights.c"):
                output = tmp_path / f"{name}.o"
                built_by = [*command, str(folder / source), "-o", str(output)]
                done = subprocess.run(built_by, capture_output=True, text=True, check=False)
                assert done.returncode == 0, done.stderr


def test_another_core_is_an_error_that_names_target_and_remedy(
    compiled_example: Callable[..., Path], needs_program: Callable[[str], str]
) -> None:
    folder = compiled_example()
    flags = (f"-I{folder / 'runtime'}", "-fsyntax-only", folder / "model.c")
    arm = needs_program("arm-none-eabi-gcc")
    for command in (["cc"], [arm, "-mcpu=cortex-m0", "-mthumb"], [arm, "-mcpu=cortex-m3", "-mthumb"]):
        done = subprocess.run([*command, *flags], capture_output=True, text=True, check=False)
        assert done.returncode != 0
        first = done.stderr.partition("#error")[2].partition("\n")[0]
        assert "cortex-m4" in first
        assert "-mcpu=cortex-m4 -mthumb -mfloat-abi=soft" in first
        assert "edgeq compile --board" in first
    fitting = subprocess.run([arm, "-mcpu=cortex-m4", "-mthumb", *flags], check=False)
    assert fitting.returncode == 0


def test_header_states_stack_version_and_memory(compiled_example: Callable[..., Path]) -> None:
    folder = compiled_example()
    manifest = json.loads((folder / "manifest.json").read_text())
    header = (folder / "model.h").read_text()
    defined = dict(re.findall(r"#define (MODEL_\w+) (\S+)", header))
    assert int(defined["MODEL_STACK_BYTES"]) == manifest["programs"]["c"]["stack_bytes"]
    assert defined["MODEL_VERSION"] == f"0x{manifest['graph_sha256'][:8]}u"
    assert "--aligned-loads" in header
    native = (compiled_example("native") / "model.h").read_text()
    assert "#define MODEL_STACK_BYTES" not in native
    assert f"#define MODEL_VERSION {defined['MODEL_VERSION']}" in native


def test_aligned_loads_are_in_every_build(
    run_edgeq: Callable[..., Any],
    compiled_example: Callable[..., Path],
    needs_program: Callable[[str], str],
    tmp_path: Path,
) -> None:
    for program in ("cmake", "arm-none-eabi-gcc"):
        needs_program(program)
    out = tmp_path / "out"
    arguments = (compiled_example() / "model.qdq.onnx", "--name", "net", "-o", out, "--aligned-loads")
    done = run_edgeq("compile", *arguments, "--board", "mps2-an386")
    assert done.returncode == 0, done.stderr
    assert run_edgeq("verify", out, "--samples", "2").returncode == 0
    header = (out / "net.h").read_text()
    assert "-mno-unaligned-access" in header
    for options in ((), ("-DCMAKE_C_FLAGS=-mcpu=cortex-m4 -mthumb",)):
        for command in built(out, tmp_path / f"build{len(options)}", *options):
            assert "-mno-unaligned-access" in command
    plain = ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", f"-I{out / 'runtime'}", "-fsyntax-only"]
    refused = subprocess.run([*plain, str(out / "net.c")], capture_output=True, text=True, check=False)
    assert "build it with -mno-unaligned-access" in refused.stderr
    computer = run_edgeq("compile", *arguments, "--board", "native")
    assert computer.returncode == 3
    assert "EQ0381" in computer.stderr
