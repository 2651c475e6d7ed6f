"""Replacing a folder: only edgeq's own, whole, one writer after the other, and nothing of anybody's is lost."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgeq.errors import EdgeqError, Problem
from edgeq.notes import gathered
from edgeq.writing import SCHEMA, check_replaceable, recover_missing, replace_folder
from edgeq.writing import rename as rename_module
from edgeq.writing.lock import lock_now, open_folder
from edgeq.writing.owned import contents_of
from edgeq.writing.rename import exchange, rename_new

DEAD = 2**22 + 1
"""A process number beyond Linux's largest: nobody has it."""


def fill(out: Path, text: str, **options: bool) -> list[Problem]:
    """Replace a folder by one with two files; answers the notes."""
    with gathered() as notes, replace_folder(out, **options) as folder:  # type: ignore[arg-type]
        (folder / "below").mkdir()
        (folder / "below" / "a").write_text(text)
        (folder / "b").write_text(text)
    return notes


def texts(folder: Path) -> set[str]:
    return {path.read_text() for path in (folder / "b", folder / "below" / "a")}


@pytest.fixture(params=["exchange", "two renames"])
def out(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of edgeq's, on a file system that can exchange folders and on one that cannot."""
    if request.param == "two renames":
        monkeypatch.setattr(rename_module, "_rename", lambda source, target, flags: False)
    fill(tmp_path / "out", "old")
    return tmp_path / "out"


def test_own_folder_is_replaced_and_nothing_is_left(out: Path) -> None:
    assert fill(out, "new") == []
    assert texts(out) == {"new"}
    assert list(out.parent.iterdir()) == [out]
    assert json.loads((out / "manifest.json").read_text())["schema"] == SCHEMA


def test_failure_leaves_the_old_folder(out: Path) -> None:
    with pytest.raises(ZeroDivisionError), replace_folder(out) as folder:  # noqa: PT012 - the block fails
        (folder / "b").write_text("half")
        raise ZeroDivisionError
    assert texts(out) == {"old"}
    assert list(out.parent.iterdir()) == [out]


def test_failure_leaves_no_folders_above(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), replace_folder(tmp_path / "a" / "b" / "out"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def instead(name: str, make: Callable[[Path], object]) -> Callable[[Path], object]:
    """Remove a file and make something else of its name."""

    def change(out: Path) -> None:
        (out / name).unlink()
        make(out / name)

    return change


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "added file": (lambda out: (out / "notes.txt").write_text("mine"), "notes.txt (added)"),
    "added below": (lambda out: (out / "below" / "notes.txt").write_text("mine"), "below/notes.txt (added)"),
    "added folder": (lambda out: (out / "build").mkdir(), "build/ (added)"),
    "repository": (lambda out: (out / ".git").mkdir(), ".git/ (added)"),
    "edited": (lambda out: (out / "b").write_text("mine"), "b (edited)"),
    "same size": (lambda out: (out / "b").write_text("OLD"), "b (edited)"),
    "link": (lambda out: (out / "link").symlink_to("b"), "link (added)"),
    "replaced by a link": (instead("b", lambda path: path.symlink_to("below/a")), "b (edited)"),
    "pipe": (lambda out: os.mkfifo(out / "pipe"), "pipe (added)"),
    "replaced by a pipe": (instead("b", os.mkfifo), "b (edited)"),
    "replaced by a folder": (instead("b", Path.mkdir), "b/ (added)"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_added_and_edited_files_are_refused_and_kept(change: str, out: Path) -> None:
    alter, told = CHANGES[change]
    alter(out)
    with pytest.raises(EdgeqError, match="EQ0103") as refused:
        fill(out, "new")
    assert told in str(refused.value.problems[0].got)
    before = sorted(path.name for path in out.rglob("*"))
    notes = fill(out, "new", force=True)
    assert [note.code for note in notes] == ["EQ0122"]
    kept = out.with_name("out.kept-1")
    assert str(kept) in str(notes[0].got)
    assert sorted(path.name for path in kept.rglob("*")) == before
    assert texts(out) == {"new"}
    assert sorted(out.parent.iterdir()) == [out, kept]


@pytest.mark.parametrize("taken", ["file", "folder"])
def test_kept_folders_do_not_replace_each_other(taken: str, out: Path) -> None:
    first = out.with_name("out.kept-1")
    first.mkdir() if taken == "folder" else first.write_text("mine")
    (out / "notes.txt").write_text("mine")
    fill(out, "new", force=True)
    assert (out.with_name("out.kept-2") / "notes.txt").read_text() == "mine"


def manifest(text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / "manifest.json").write_text(text)


FOREIGN: dict[str, Callable[[Path], object]] = {
    "some manifest": manifest('{"name": "a web application"}'),
    "first schema": manifest('{"schema": 2, "name": "kws"}'),
    "schema alone": manifest(json.dumps({"schema": SCHEMA, "files": {}})),
    "no JSON": manifest("x"),
    "repository": lambda folder: (folder / ".git").mkdir(),
    "file": lambda folder: (folder / "thesis.tex").write_text("years of work"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_folder_of_another_is_refused(kind: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    FOREIGN[kind](out)
    before = sorted(out.iterdir())
    with pytest.raises(EdgeqError, match="EQ0103"):
        fill(out, "new")
    assert sorted(out.iterdir()) == before
    fill(out, "new", force=True)
    assert [path.name for path in (tmp_path / "out.kept-1").iterdir()] == [path.name for path in before]
    assert texts(out) == {"new"}


def test_edited_manifest_makes_the_folder_foreign(out: Path) -> None:
    path = out / "manifest.json"
    document = json.loads(path.read_text())
    document["files"]["notes.txt"] = "0" * 64
    path.write_text(json.dumps(document))
    (out / "notes.txt").write_text("mine")
    with pytest.raises(EdgeqError, match="EQ0103"):
        fill(out, "new")


@pytest.mark.parametrize("kind", ["file", "link to a folder", "link to nothing", "pipe"])
@pytest.mark.parametrize("force", [False, True])
def test_what_is_no_folder_is_refused(kind: str, force: bool, tmp_path: Path) -> None:
    out = tmp_path / "out"
    if kind == "file":
        out.write_text("mine")
    elif kind == "pipe":
        os.mkfifo(out)
    else:
        if kind == "link to a folder":
            (tmp_path / "there").mkdir()
        out.symlink_to("there")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(EdgeqError, match="EQ0103"):
        fill(out, "new", force=force)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("where", [".", "..", "/"])
@pytest.mark.parametrize("force", [False, True])
def test_the_folder_one_stands_in_is_not_replaced(
    where: str, force: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(EdgeqError, match="EQ0103"):
        check_replaceable(Path(where), force=force)


def test_empty_and_missing_folders_are_taken(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "missing"):
        fill(tmp_path / name, "new")
        assert texts(tmp_path / name) == {"new"}


def test_missing_files_are_no_loss(out: Path) -> None:
    (out / "b").unlink()
    assert contents_of(out).missing
    fill(out, "new")
    assert texts(out) == {"new"}


def test_file_that_appears_while_the_folder_is_filled_is_not_lost(out: Path) -> None:
    with pytest.raises(EdgeqError, match="EQ0103"), replace_folder(out):
        (out / "notes.txt").write_text("mine")
    assert (out / "notes.txt").read_text() == "mine"
    assert list(out.parent.iterdir()) == [out]


def part(out: Path, suffix: str = ".part", process: int = DEAD) -> Path:
    return out.with_name(f".{out.name}.edgeq-{process}-0123456789abcdef{suffix}")


def test_stale_parts_are_removed(out: Path) -> None:
    unfinished = part(out)
    (unfinished / "below").mkdir(parents=True)
    (unfinished / "manifest.json").write_text('{"name": "not finished"}')
    fill(out, "new")
    assert list(out.parent.iterdir()) == [out]


def test_stale_part_with_files_of_the_user_is_kept(out: Path) -> None:
    """An exchanged folder that got a file in the moment before edgeq was killed."""
    other = out.with_name("other")
    fill(other, "other")
    (other / "notes.txt").write_text("mine")
    other.rename(part(out))
    notes = fill(out, "new")
    assert [note.code for note in notes] == ["EQ0122"]
    assert (out.with_name("out.kept-1") / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "name",
    [
        f".out.edgeq-{os.getppid()}-0123456789abcdef.part",  # its process lives
        f".other.edgeq-{DEAD}-0123456789abcdef.part",  # another output's
        f".out.edgeq-{DEAD}-0123.part",  # edgeq gives no such name
        ".out.mine.part",
        ".out.part",
    ],
)
def test_what_is_not_stale_stays(name: str, out: Path) -> None:
    out.with_name(name).mkdir()
    (out.with_name(name) / "file").write_text("mine")
    fill(out, "new")
    assert (out.with_name(name) / "file").read_text() == "mine"


def test_stale_part_that_is_locked_stays(out: Path) -> None:
    """A process of another container, whose number nobody has here."""
    locked = part(out)
    locked.mkdir()
    descriptor = open_folder(locked)
    try:
        assert lock_now(descriptor)
        with pytest.raises(EdgeqError, match="EQ0121"), replace_folder(out, wait_seconds=0.1):
            pass
        assert locked.is_dir()
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("finished", [True, False])
def test_exchange_that_was_cut_in_two_is_completed(finished: bool, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for text, suffix in (("old", ".old"), ("new", ".part")):
        fill(tmp_path / text, text)
        (tmp_path / text).rename(part(out, suffix))
    if not finished:
        (part(out) / "b").unlink()
    recover_missing(out)
    assert (out / "below" / "a").read_text() == ("new" if finished else "old")
    assert list(tmp_path.iterdir()) == [out]


def test_second_writer_waits_and_says_so(tmp_path: Path) -> None:
    out, told = tmp_path / "out", threading.Event()
    with replace_folder(out) as folder:
        (folder / "b").write_text("first")
        seen: list[str] = []

        def second() -> None:
            with replace_folder(out, waiting=told.set):
                seen.append((out / "b").read_text())

        thread = threading.Thread(target=second)
        thread.start()
        assert told.wait(20)
        assert seen == []
    thread.join(20)
    assert seen == ["first"]
    assert list(tmp_path.iterdir()) == [out]


def test_second_writer_gives_up(tmp_path: Path) -> None:
    with replace_folder(tmp_path / "out") as folder:
        (folder / "b").write_text("first")
        with pytest.raises(EdgeqError, match="EQ0121"), replace_folder(tmp_path / "out", wait_seconds=0.1):
            pass
    assert (tmp_path / "out" / "b").read_text() == "first"


def test_other_outputs_do_not_wait(tmp_path: Path) -> None:
    with replace_folder(tmp_path / "one"), replace_folder(tmp_path / "two", wait_seconds=0.0):
        pass
    assert len(list(tmp_path.iterdir())) == 2


@pytest.fixture
def umask() -> Iterator[None]:
    old = os.umask(0o027)
    yield
    os.umask(old)


@pytest.mark.usefixtures("umask")
def test_modes_follow_the_umask(tmp_path: Path) -> None:
    fill(tmp_path / "out", "new")
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "out", tmp_path / "out" / "below")}
    assert modes == {0o750}
    assert (tmp_path / "out" / "manifest.json").stat().st_mode & 0o777 == 0o640


def test_exchange_is_one_step(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text("")
    assert exchange(tmp_path / "one", tmp_path / "two")
    assert (tmp_path / "one" / "two").exists()
    with pytest.raises(FileNotFoundError):
        exchange(tmp_path / "one", tmp_path / "missing")


@pytest.mark.parametrize("system", ["renameat2", "plain"])
def test_new_name_is_never_taken_over(system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if system == "plain":
        monkeypatch.setattr(rename_module, "_renameat2", lambda: None)
    (tmp_path / "source").write_text("source")
    (tmp_path / "target").write_text("target")
    with pytest.raises(FileExistsError):
        rename_new(tmp_path / "source", tmp_path / "target")
    assert (tmp_path / "target").read_text() == "target"
    rename_new(tmp_path / "source", tmp_path / "free")
    assert (tmp_path / "free").read_text() == "source"
