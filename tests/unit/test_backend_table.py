"""Backends by name, and the optional parts that they need."""

from __future__ import annotations

import importlib.util
import tomllib
from pathlib import Path
from typing import Any

import pytest

from edgeq import extras
from edgeq.backends.table import BACKENDS, check_backends, entries_of
from edgeq.cli.main import run
from edgeq.errors import EdgeqError
from edgeq.job import CompileOptions
from edgeq.memory.planner import SOLVER


def test_every_backend_loads_and_its_extra_exists() -> None:
    assert [entry.name for entry in BACKENDS] == sorted(entry.name for entry in BACKENDS)
    for entry in BACKENDS:
        if entry.extra is None or not extras.missing(entry.extra):
            assert callable(entry.load().emit)
    assert {entry.extra for entry in BACKENDS} - {None} == set(extras.EXTRAS) - {SOLVER}


def test_names_are_sorted_and_unique() -> None:
    assert check_backends(["tvm", "c", "tvm"]) == ("c", "tvm")


def test_backends_that_make_images_come_first_and_the_first_is_the_folders_own() -> None:
    assert [entry.name for entry in entries_of(["tflite", "tvm"])] == ["tvm", "tflite"]
    assert CompileOptions("native", "m", backends=("c", "tflite", "tvm")).main == "c"
    assert CompileOptions("native", "m", backends=("tflite", "tvm")).main == "tvm"
    assert CompileOptions("native", "m", backends=("tflite",)).main == "tflite"


def test_backend_with_an_arithmetic_of_its_own_keeps_it() -> None:
    asked = {entry.name: entry.arithmetic("highmul") for entry in BACKENDS}
    assert asked == {"c": "highmul", "tflite": "tflite", "tvm": "highmul"}


def test_unknown_backend_gets_a_guess() -> None:
    with pytest.raises(EdgeqError, match="did you mean tflite") as caught:
        check_backends(["tflit"])
    assert caught.value.problems[0].code == "EQ0171"


def test_no_backend_is_refused() -> None:
    with pytest.raises(EdgeqError, match="EQ0171"):
        check_backends([])


@pytest.mark.parametrize("extra", sorted(extras.EXTRAS))
def test_missing_extra_says_how_to_install_it(extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = set(extras.EXTRAS[extra])
    real = importlib.util.find_spec
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name in gone else real(name))
    with pytest.raises(EdgeqError) as caught:
        extras.require(extra)
    assert caught.value.exit_code == 5
    assert extras.install_command(extra) in str(caught.value)


def test_missing_extra_stops_compile_before_anything_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, example: Any
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    out = str(tmp_path / "out")
    given = ["compile", str(example.model), "--data", str(example.calibration), "--board", "native"]
    assert run([*given, "--backend", "c,tvm", "-o", out]) == 5
    assert "EQ0530" in capsys.readouterr().err
    assert not Path(out).exists()


def test_hints_install_what_the_extras_do(root: Path) -> None:
    stated = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert {extra: tuple(stated[extra]) for extra in extras.REQUIREMENTS} == extras.REQUIREMENTS
    assert set(extras.EXTRAS) <= set(extras.REQUIREMENTS)
