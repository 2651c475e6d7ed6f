"""The campaigns' own data fits the sources: they run for long and rarely, so a stale entry would be found late."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_FAULTS = tomllib.loads((_ROOT / "tests" / "campaigns" / "faults.toml").read_text(encoding="utf-8"))["fault"]


@pytest.mark.parametrize("fault", _FAULTS, ids=lambda fault: f"{fault['file']}: {fault['why']}")
def test_a_planted_fault_changes_one_place_and_names_its_tests(fault: dict[str, str | list[str]]) -> None:
    source = (_ROOT / str(fault["file"])).read_text(encoding="utf-8")
    assert source.count(str(fault["find"])) == 1
    assert fault["find"] != fault["replace"]
    assert fault["tests"]
    for test in fault["tests"]:
        path, separator, name = str(test).partition("::")
        if path.startswith("tests/"):
            assert (_ROOT / path).exists(), path
            assert not separator or f"def {name.partition('[')[0]}(" in (_ROOT / path).read_text(encoding="utf-8"), test
