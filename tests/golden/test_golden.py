"""The compiler makes of fixed models what it made of them before: the same integer graph, the same C."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conformance import zoo
from tests.golden.digests import EXAMPLE, FILE, REAL, Digests, digests_of
from tests.golden.sources import FOLDER, source_of


@pytest.mark.parametrize(
    "name", [EXAMPLE, *zoo.FAMILIES, *(pytest.param(name, marks=pytest.mark.data) for name in REAL)]
)
def test_graph_and_c_are_unchanged(name: str, request: pytest.FixtureRequest) -> None:
    """Where a change is meant, `make golden` writes the digests anew, and the commit says why."""
    models: Path | None = request.getfixturevalue("data_dir") / "models" if name in REAL else None
    stated: Digests = json.loads(FILE.read_text(encoding="utf-8"))
    assert digests_of(name, models) == stated[name]


def test_every_digest_belongs_to_a_model() -> None:
    assert sorted(json.loads(FILE.read_text(encoding="utf-8"))) == sorted([EXAMPLE, *zoo.FAMILIES, *REAL])


@pytest.mark.parametrize("family", zoo.FAMILIES)
def test_c_of_a_family_is_as_read(family: str) -> None:
    """Byte for byte: a reviewer sees in these files what a change does to the output."""
    assert source_of(family) == (FOLDER / f"{family}.c").read_bytes()


def test_every_file_of_c_belongs_to_a_family() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.c")) == sorted(zoo.FAMILIES)
