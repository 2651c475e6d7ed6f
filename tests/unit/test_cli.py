"""The command line: help at once, one JSON document, agreed exit codes, and no traceback whatever is typed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeq.cli.doctor import PACKAGES
from edgeq.cli.main import COMMANDS, group, run
from edgeq.folder import Compiled

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_every_command_shows_two_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.count(f"edgeq {name}") >= 2
    assert "--json" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_listed_command_is_the_imported_one(name: str) -> None:
    command = group.get_command(None, name)  # type: ignore[arg-type]
    assert command is not None
    assert command.name == name


@pytest.mark.parametrize("name", ["boards", "doctor", "methods", "ops", "targets"])
def test_list_is_one_document(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--json"]) in {0, 5}
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == f"edgeq/{name}/1"


@pytest.mark.parametrize("name", ["boards", "doctor", "methods", "ops", "targets"])
def test_list_is_readable(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name]) in {0, 5}
    assert len(capsys.readouterr().out.splitlines()) > 3


def test_explain_knows_every_spelling(capsys: pytest.CaptureFixture[str]) -> None:
    for spelling in ("EQ0401", "eq0401", "401"):
        assert run(["explain", spelling]) == 0
        assert capsys.readouterr().out.startswith("EQ0401:")


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        ([], 2, "Commands:"),
        (["comple"], 2, "Did you mean 'compile'?"),
        (["compile"], 2, "MODEL"),
        (["explain", "EQ4711"], 2, "no such error code"),
        (["compile", "none.onnx", "--board", "mps2-an385"], 2, "-o"),
        (["compile", "none.onnx", "--board", "mps2-an368", "-o", "out"], 2, "EQ0184"),
        (["compile", "none.onnx", "--board", "mps2-an386", "-o", "out"], 3, "EQ0201"),
        (["compile", "none.onnx", "--board", "native", "-o", "out", "--name", "a b"], 2, "EQ0102"),
        (["compile", "none.onnx", "--board", "native", "-o", "out", "--dim", "N"], 2, "NAME=N"),
        (["compile", "none.onnx", "--board", "native", "-o", "out", "--dim", "N=1", "--dim", "N=2"], 2, "two sizes"),
        (["compile", "none.onnx", "--board", "native", "-o", "out", "--observer", "minmx"], 2, "did you mean minmax"),
        (["flash", "nowhere", "--with", "pyodc"], 2, "did you mean pyocd"),
        (["emulate", "nowhere", "--on", "qmu"], 2, "did you mean qemu"),
        (["eval", "nowhere", "--data", "x.npz", "--metric", "tpo1"], 2, "did you mean top1"),
        (["quantize", "none.onnx", "--data", "x.npz", "-o", "."], 2, "output is a folder"),
        (["verify", "nowhere", "--debug"], 2, "EQ0104"),
        (["verify", "nowhere"], 2, "EQ0104"),
        (["eval", "nowhere", "--data", "x.npz"], 2, "EQ0104"),
        (["quantize", "none.onnx", "--data", "x.npz", "-o", "q.onnx"], 3, "EQ0201"),
        (["check", "none.onnx"], 3, "EQ0201"),
    ],
)
def test_wrong_call_gets_a_message_and_a_code(
    arguments: list[str],
    code: int,
    word: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == code
    captured = capsys.readouterr()
    assert word in captured.err
    assert ("Traceback" in captured.err) == ("--debug" in arguments)
    assert list(tmp_path.iterdir()) == []


def test_all_wrong_arguments_are_named_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["compile", tmp_path / "no.onnx", "--data", tmp_path / "no.npz", "--board", "cortex-m4", "-o", "out"]
    assert run([*map(str, arguments), "--name", "8x", "--backend", "rust", "--json"]) == 2
    document = json.loads(capsys.readouterr().out)
    codes = [problem["code"] for problem in document["problems"]]
    assert codes == ["EQ0184", "EQ0171", "EQ0102", "EQ0201", "EQ0110"]
    assert document["problems"][0]["hint"].startswith("cortex-m4 is a target, not a board; boards with it: microbit-v2")
    assert document["problems"][3]["where"] == str(tmp_path / "no.onnx")


@pytest.mark.parametrize(
    "words",
    [
        "compile {model} --board microbit-v9 -o out --data x.npz",
        "compile {model} --board microbit-v2 -o out",
        "compile {model} --board microbit-v2 -o out --data none.npz",
        "compile {model} --board microbit-v2 -o out --data none.npz --backend rust",
        "compile {model} --board microbit-v2 -o out --data none.npz --name 8x",
        "compile none.onnx --board microbit-v2 -o out --data none.npz",
        "check none.onnx",
        "check {model} --board nowhere",
        "quantize none.onnx --data none.npz -o q.onnx",
        "verify nowhere",
        "eval nowhere --data none.npz",
        "emulate nowhere",
        "profile nowhere",
        "flash nowhere",
    ],
)
def test_a_wrong_argument_is_told_before_anything_heavy_is_imported(words: str, example: Any, tmp_path: Path) -> None:
    """The packages that take time: none of them is needed to see that a file or a board is not there."""
    code = (
        "import sys; from edgeq.cli.main import run; code = run(sys.argv[1:]); "
        "print([m for m in ('onnxruntime', 'onnxscript', 'sympy.core', 'tvm', 'rich') if m in sys.modules]); "
        "sys.exit(code)"
    )
    arguments = [sys.executable, "-c", code, *words.format(model=example.model).split()]
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode in {2, 3}, done.stderr
    assert "EQ0900" not in done.stderr
    assert done.stdout.strip() == "[]"


def test_board_names_fold_case(example: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(example.model), "--board", "MicroBit-V2", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [board["board"] for board in document["boards"]] == ["microbit-v2"]


@pytest.mark.parametrize("words", ["--json -v -q --debug targets", "targets --json -q -v --debug", "-v targets --json"])
def test_common_options_stand_before_or_after_the_verb(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words.split()) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["ok"], document["schema"], document["notes"]) == (True, "edgeq/targets/1", [])


def test_quiet_before_the_verb_prints_no_progress(
    example: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["quantize", example.model, "--data", example.calibration, "-o", tmp_path / "q.onnx"]
    assert run(["-q", *map(str, arguments)]) == 0
    assert capsys.readouterr().err == ""
    assert run([*map(str, arguments)]) == 0
    assert re.search(r"calibrate \.\.\.\n(.*\n)*done in \d", capsys.readouterr().err)


def test_error_is_a_document_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", "nowhere", "--json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False
    assert document["problems"][0]["code"] == "EQ0104"


def test_defect_is_reported_without_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path) -> None:
        raise RuntimeError("surprise")

    monkeypatch.setattr("edgeq.folder.Compiled.open", broken)
    assert run(["verify", "x"]) == 70
    assert "EQ0900" in capsys.readouterr().err
    assert run(["verify", "x", "--debug"]) == 70
    assert "RuntimeError: surprise" in capsys.readouterr().err


def test_interrupt_leaves_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("edgeq.folder.Compiled.open", interrupted)
    assert run(["verify", "x"]) == 130


def test_interrupted_compilation_leaves_nothing(example: Any, tmp_path: Path, root: Path) -> None:
    arguments = ["compile", example.model, "--data", example.calibration, "--board", "native", "-o", "out"]
    process = subprocess.Popen(
        [sys.executable, "-m", "edgeq.cli.main", *map(str, arguments)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("emit"):
                process.send_signal(signal.SIGINT)
                break
        assert "interrupted" in process.stderr.read()
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []


STREAMS = {
    "reader of output leaves": ("{edgeq} ops | true; exit ${{PIPESTATUS[0]}}", 0),
    "reader of talk leaves": ("{edgeq} doctor 2>&1 >/dev/null | true; exit ${{PIPESTATUS[0]}}", 0),
    "output closed": ("{edgeq} ops >&-", 0),
    "talk closed": ("{edgeq} verify nowhere 2>&-", 2),
    "document closed": ("{edgeq} boards --json >&-", 0),
    "all closed": ("{edgeq} verify nowhere <&- >&- 2>&-", 2),
    "output full": ("{edgeq} ops >/dev/full", 2),
    "document full": ("{edgeq} boards --json >/dev/full", 2),
    "talk full": ("{edgeq} verify nowhere 2>/dev/full", 2),
    "error's document full": ("{edgeq} verify nowhere --json >/dev/full", 2),
}


@pytest.mark.parametrize("case", STREAMS)
def test_streams_that_lead_nowhere_are_no_traceback(case: str, root: Path, needs_program: Callable[[str], str]) -> None:
    script, code = STREAMS[case]
    line = script.format(edgeq=f"{sys.executable} -m edgeq")
    done = subprocess.run([needs_program("bash"), "-c", line], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode in {code, 5}
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
    assert done.stderr.count("EQ0120") == (case in {"output full", "document full", "error's document full"})


def test_talk_that_nobody_reads_stops_no_work(
    root: Path, tmp_path: Path, compiled_example: Callable[..., Path]
) -> None:
    """Closed descriptors are not given to the files that are written."""
    model = compiled_example() / "model.qdq.onnx"
    for number, streams in enumerate(("2>&1 | true", "<&- >&- 2>&-")):
        out = tmp_path / str(number)
        line = f"{sys.executable} -m edgeq compile {model} --board native --sources-only -o {out} {streams}"
        subprocess.run(["bash", "-c", line], cwd=root, capture_output=True, check=True)
        assert Compiled.open(out).graph.nodes


def test_terminal_without_unicode_gets_escapes(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edgeq.cli.main", "explain", "ä…"],
        cwd=root,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        encoding="latin-1",
        check=False,
    )
    assert done.returncode == 2
    assert "got:     ä\\u2026" in done.stderr


def test_doctor_names_every_dependency(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    named = [re.split(r"[<>=\[ ]", line)[0] for line in project["dependencies"]]
    assert sorted(PACKAGES) == sorted(named)


def test_doctor_without_programs_says_how_to_get_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("EDGEQ_GCC", raising=False)
    assert run(["doctor", "--json"]) == 5
    document = json.loads(capsys.readouterr().out)
    tools = {tool["name"]: tool for tool in document["tools"]}
    assert document["ok"] is False
    assert tools["arm-none-eabi-gcc"]["found"] is False
    assert tools["pyocd"]["install"] == "pip install 'pyocd>=0.36,<1'"
    assert run(["doctor"]) == 5
    *_, verdict, line = capsys.readouterr().out.splitlines()
    assert verdict.startswith("NOT READY: arm-none-eabi-gcc, C library for Arm, ")
    assert "apt-get install --no-install-recommends gcc-arm-none-eabi libnewlib-arm-none-eabi" in line
    assert line == document["install"]


def test_methods_name_no_constants(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["methods"]) == 0
    text = capsys.readouterr().out
    assert ":data:" not in text
    assert "1e-05" in text


def test_verbose_compilation_tells_kernels_and_times(run_edgeq: Run, example: Any, tmp_path: Path) -> None:
    arguments = ("compile", example.model, "--data", example.calibration, "--board", "native", "-o", tmp_path / "out")
    done = run_edgeq(*arguments, "--observer", "minmax", "-v")
    assert done.returncode == 0, done.stderr
    assert re.search(r"step \d+ has eq_\w+, not: eq_\w+: ", done.stdout)
    assert re.search(r"^build: \d+\.\d\d s$", done.stderr, re.MULTILINE)
    assert run_edgeq(*arguments, "--observer", "minmax", "-q").stderr == ""


def test_board_file_of_the_user_is_compiled_for(run_edgeq: Run, example: Any, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "board.toml").write_text('inherits = "mps2-an386"\ndescription = "mine"\n')
    arguments = ("compile", example.model, "--data", example.calibration, "--board", folder, "--observer", "minmax")
    done = run_edgeq(*arguments, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("model for mine")


def test_float_model_without_data_says_what_to_do(run_edgeq: Run, example: Any, tmp_path: Path) -> None:
    done = run_edgeq("compile", example.model, "--board", "native", "-o", tmp_path / "out")
    assert done.returncode == 2
    assert "EQ0106" in done.stderr
    assert not (tmp_path / "out").exists()


def test_folder_that_is_not_ours_is_not_replaced(run_edgeq: Run, example: Any, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    done = run_edgeq("compile", example.model, "--data", example.calibration, "--board", "native", "-o", tmp_path)
    assert done.returncode == 2
    assert "EQ0103" in done.stderr
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_unknown_runner_gets_a_guess(run_edgeq: Run, compiled_example: Callable[..., Path]) -> None:
    done = run_edgeq("verify", compiled_example(), "--on", "qmu")
    assert done.returncode == 2
    assert "did you mean qemu" in done.stderr


def test_wrong_data_is_named(run_edgeq: Run, compiled_example: Callable[..., Path], tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", x=np.zeros((3, 7, 7), np.float32), y=np.zeros(3))
    done = run_edgeq("eval", compiled_example(), "--data", tmp_path / "bad.npz")
    assert done.returncode == 2
    assert "EQ0113" in done.stderr
    assert "Traceback" not in done.stderr


def test_broken_folder_is_not_read(run_edgeq: Run, compiled_example: Callable[..., Path], tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    folder.mkdir()
    for path in compiled_example().iterdir():
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())
    (folder / "graph.npz").write_bytes(b"PK\x03\x04 not a zip")
    done = run_edgeq("verify", folder)
    assert done.returncode == 3
    assert "EQ0247" in done.stderr


def test_documents_have_the_agreed_fields(run_edgeq: Run, compiled_example: Callable[..., Path], example: Any) -> None:
    folder = compiled_example()
    wanted = {
        ("verify", folder, "--samples", "2"): "tensors elements mismatches runners first_mismatch",
        ("eval", folder, "--data", example.evaluation, "--samples", "4"): (
            "metric value samples float_value agreement on"
        ),
        ("profile", folder, "--samples", "2"): (
            "instructions macs ram_bytes stack_bytes flash_code_bytes flash_weight_bytes layers"
        ),
        ("emulate", folder): "outputs instructions ram_bytes stack_bytes",
    }
    for arguments, fields in wanted.items():
        done = run_edgeq(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        assert set(fields.split()) <= set(json.loads(done.stdout))
        if arguments[0] == "profile":
            layer = json.loads(done.stdout)["layers"][0]
            assert set(layer) >= {"name", "op", "kernel", "instructions", "macs"}
