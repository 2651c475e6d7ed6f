"""Every command's JSON document is what its published schema says, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from window_models import tcn

from edgeq.cli.main import COMMANDS
from edgeq.frontend import normalize
from edgeq.onnxio import model_bytes
from tests.json_schema import errors


@pytest.fixture(scope="module")
def folder(example: Any, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A compiled folder of the example."""
    from edgeq.job import CompileOptions
    from edgeq.pipeline import compile_model

    out = tmp_path_factory.mktemp("documents") / "fashion"
    compile_model(example.model, example.calibration, out, CompileOptions("microbit-v2", "fashion", observer="minmax"))
    return out


def schema_of(root: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / "edgeq" / "report" / "schemas" / f"{name}.json").read_text("utf-8"))
    return found


def test_every_command_has_a_schema(root: Path) -> None:
    names = {path.stem for path in (root / "edgeq" / "report" / "schemas").glob("*.json")}
    assert names == {*COMMANDS, "error"}
    for name in names:
        schema = schema_of(root, name)
        assert schema["$id"] == schema["properties"]["schema"]["const"] == f"edgeq/{name}/1"
        assert {"schema", "ok", "notes"} <= set(schema["required"])


DOCUMENTS = {
    "boards": "boards",
    "check": "check {model} --board all",
    "check that refuses": "check {bad}",
    "compile": "compile {quantized} --board native --name m -o {out}",
    "completion": "completion fish",
    "doctor": "doctor",
    "emulate": "emulate {folder} --input {data} --samples 2",
    "error": "verify {out}/nothing",
    "eval": "eval {folder} --data {data} --samples 20 --on reference,native,float",
    "explain": "explain",
    "fit": "fit {quantized} --board native",
    "flash": "flash {folder} --with drive --dry-run --drive {drive}",
    "methods": "methods",
    "ops": "ops",
    "profile": "profile {folder} --samples 2 --compare {folder}",
    "quantize": "quantize {model} --data {calibration} -o {quantized_too} --observer minmax",
    "stream": "stream {window} -o {step}",
    "targets": "targets",
    "tune": "tune {folder} -o {kernels}",
    "usage": "verify",
    "verify": "verify {folder} --samples 2 --on native",
}


@pytest.mark.qemu
def test_documents_keep_their_schemas(
    root: Path, folder: Path, example: Any, tmp_path: Path, run_edgeq: Callable[..., Any]
) -> None:
    drive = tmp_path / "MICROBIT"
    drive.mkdir()
    (drive / "DETAILS.TXT").write_text("DAPLink")
    places = {
        "model": example.model,
        "calibration": example.calibration,
        "data": example.evaluation,
        "bad": root / "tests" / "invalid" / "models" / "unsupported_operators.onnx",
        "folder": folder,
        "quantized": folder / "model.qdq.onnx",
        "quantized_too": tmp_path / "q.onnx",
        "window": tmp_path / "window.onnx",
        "step": tmp_path / "step.onnx",
        "kernels": tmp_path / "kernels.json",
        "out": tmp_path / "out",
        "drive": drive,
    }
    places["window"].write_bytes(model_bytes(normalize(tcn("node").model())))
    wrong = {}
    for what, words in DOCUMENTS.items():
        done = run_edgeq(*(word.format(**places) for word in words.split()), "--json")
        document = json.loads(done.stdout)
        name = document["schema"].split("/")[1]
        assert name == {"check that refuses": "check", "usage": "error"}.get(what, what), done.stderr
        assert document["ok"] == (done.returncode in {0, 5 if what == "doctor" else 0}), what
        schema = schema_of(root, name)
        wrong[what] = list(errors(document, schema, schema))
    assert {what: found for what, found in wrong.items() if found} == {}


def test_checker_sees_what_is_wrong() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": ["integer", "null"]}, "b": {"enum": ["x"]}},
        "required": ["a"],
    }
    assert list(errors({"a": 1, "b": "x"}, schema, schema)) == []
    assert list(errors({"a": None}, schema, schema)) == []
    assert list(errors({"b": "y"}, schema, schema)) == ["$: a is missing", "$.b: 'y' is none of ['x']"]
    assert list(errors({"a": True, "c": 1}, schema, schema)) == [
        "$.a: True is no integer or null",
        "$: c is not described",
    ]
    assert list(errors({"a": 1.5}, schema, schema)) == ["$.a: 1.5 is no integer or null"]
