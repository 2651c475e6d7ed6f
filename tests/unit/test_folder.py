"""Reading a compiled folder that may come from anywhere: nothing outside of it is run, loaded or read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeq.errors import EdgeqError
from edgeq.folder import Compiled
from edgeq.writing.owned import seal


@pytest.fixture
def folder(compiled_example: Callable[..., Path], tmp_path: Path) -> Path:
    """A copy of the compiled example."""
    return Path(shutil.copytree(compiled_example(), tmp_path / "copy"))


def changed(folder: Path, change: Callable[[Any], object], *, sealed: bool = True) -> EdgeqError:
    """Open a folder after a change of its manifest; who makes the change also renews the digest."""
    path = folder / "manifest.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    if sealed:
        seal(folder)
    with pytest.raises(EdgeqError) as refused:
        Compiled.open(folder)
    return refused.value


@pytest.mark.parametrize("name", ["/bin/sh", "../native", "example/../../native", "", ".", "a\0b"])
@pytest.mark.parametrize("kind", ["native", "emulated", "tvm"])
def test_paths_of_images_stay_below_the_folder(kind: str, name: str, folder: Path) -> None:
    problem = changed(folder, lambda d: d["images"].update({kind: name})).problems[0]
    assert problem.code == "EQ0125"
    assert str(problem.where).endswith(f"images.{kind}")


def test_links_of_images_stay_below_the_folder(folder: Path) -> None:
    (folder / "native").unlink()
    (folder / "native").symlink_to("/bin/sh")
    with pytest.raises(EdgeqError, match="EQ0125"):
        Compiled.open(folder)


WRONG: dict[str, Callable[[Any], object]] = {
    "name": lambda d: d.update(name="kws; touch pwned"),
    "no name": lambda d: d.pop("name"),
    "images": lambda d: d.update(images=["native"]),
    "image": lambda d: d["images"].update(native=3),
    "steps": lambda d: d["programs"]["c"].update(steps={}),
    "macs": lambda d: d["programs"]["c"]["steps"][0].update(macs="many"),
    "negative": lambda d: d["programs"]["c"]["steps"][0].update(macs=-1),
    "place": lambda d: d["programs"]["c"]["outputs"][0].update(shape=[1 << 20, 1 << 20]),
    "program": lambda d: d["programs"].pop("c"),
    "main": lambda d: d.update(main="tvm"),
    "mode": lambda d: d["options"].update(mode="exact"),
    "sizes": lambda d: d["programs"]["c"]["sizes"].update(flash_code_bytes=-1),
    "truth": lambda d: d["programs"]["c"]["steps"][0].update(macs=True),
    "results": lambda d: d["programs"]["c"]["steps"][0].pop("results"),
    "type": lambda d: d["inputs"][0].update(dtype="object"),
    "word": lambda d: d["inputs"][0].update(dtype="no type"),
    "shape": lambda d: d["inputs"][0].update(shape=[-1]),
    "text": lambda d: d["outputs"][0].update(shape="12"),
    "huge": lambda d: d["outputs"][0].update(shape=[1 << 20, 1 << 20]),
}


@pytest.mark.parametrize("kind", WRONG)
def test_manifest_with_wrong_values_is_refused(kind: str, folder: Path) -> None:
    assert changed(folder, WRONG[kind]).problems[0].code in {"EQ0102", "EQ0104"}


def test_edited_manifest_is_refused(folder: Path) -> None:
    problem = changed(folder, lambda d: d.update(main="tvm"), sealed=False).problems[0]
    assert problem.code == "EQ0104"
    assert "edited" in str(problem.got)


@pytest.mark.parametrize("schema", [2, "edgeq/folder/2", "edgeq/folder/99"])
def test_other_versions_are_named(schema: object, folder: Path) -> None:
    problem = changed(folder, lambda d: d.update(schema=schema), sealed=False).problems[0]
    assert problem.code == "EQ0105"
    assert str(schema) in str(problem.got)


@pytest.mark.parametrize("schema", ["a web application", None, [], {}])
def test_manifest_of_another_program_is_no_compiled_folder(schema: object, folder: Path) -> None:
    assert changed(folder, lambda d: d.update(schema=schema), sealed=False).problems[0].code == "EQ0104"
