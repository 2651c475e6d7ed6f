"""A compiled folder remembers its board: every board survives being written and read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeq.errors import EdgeqError
from edgeq.target import list_boards, load_board, load_saved_board, save_board


@pytest.mark.parametrize("name", list_boards())
def test_every_board_comes_back_equal(name: str, tmp_path: Path) -> None:
    board = load_board(name)
    save_board(board, tmp_path / "board.json")
    assert load_saved_board(tmp_path / "board.json") == board


def changed(change: Callable[[dict[str, object]], object]) -> str:
    document = json.loads(json.dumps({"target": {"name": "x"}, "name": "b"}))
    change(document)
    return json.dumps(document)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '"board"', changed(lambda d: d.update(target=3)), changed(lambda d: d.update(name=[1]))]
)
def test_anything_else_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "board.json"
    path.write_text(text)
    with pytest.raises(EdgeqError, match="EQ0104"):
        load_saved_board(path)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EdgeqError, match="EQ0104"):
        load_saved_board(tmp_path / "board.json")


def saved(tmp_path: Path, change: Callable[[Any], object], board: str = "microbit-v2") -> Path:
    """A board's file after a change."""
    path = tmp_path / "board.json"
    save_board(load_board(board), path)
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    return path


TOLD: dict[str, Callable[[Any], object]] = {
    "record": lambda d: d["emulator"].update(args=["-icount", "shift=6,rr=record,rrfile=/tmp/x"]),
    "trace": lambda d: d["emulator"].update(args=["-D", "/home/me/x"]),
    "drive": lambda d: d["emulator"].update(args=["-drive", "file=/etc/passwd"]),
    "odd": lambda d: d["emulator"].update(args=["-smp"]),
    "machine": lambda d: d["emulator"].update(machine="mps2-an386,dumpdtb=/tmp/x"),
    "option": lambda d: d["emulator"].update(machine="-chardev"),
    "program": lambda d: d["emulator"].update(program="sh"),
    "script": lambda d: d["flash_with"].update(openocd=["/home/me/evil.cfg"]),
    "script above": lambda d: d["flash_with"].update(openocd=["target/../../evil.cfg"]),
    "script here": lambda d: d["flash_with"].update(openocd=["evil.cfg"]),
    "pyocd": lambda d: d["flash_with"].update(pyocd="--script"),
    "volume": lambda d: d["flash_with"].update(drive={"volume": "../../home", "image": "hex"}),
    "image": lambda d: d["flash_with"].update(drive={"volume": "MICROBIT", "image": "../x"}),
    "flags": lambda d: d["target"].update(flags=["-fplugin=/tmp/x.so"]),
    "specs": lambda d: d["target"].update(flags=["-mthumb", "-specs=/tmp/x"]),
    "cpu": lambda d: d["target"].update(cpu="cortex-m4 -o /tmp/x"),
    "isa": lambda d: d["target"].update(isa=["../../../tmp"]),
    "console": lambda d: d["console"].update(kind="../x"),
}


@pytest.mark.parametrize("kind", TOLD)
def test_nothing_that_writes_or_runs_is_told_to_other_programs(kind: str, tmp_path: Path) -> None:
    with pytest.raises(EdgeqError, match="EQ0126"):
        load_saved_board(saved(tmp_path, TOLD[kind]))


WRONG: dict[str, Callable[[Any], object]] = {
    "null": lambda d: d.update(name=None),
    "truth": lambda d: d["console"].update(baud=True),
    "negative": lambda d: d["flash"].update(base_address=-1),
    "huge": lambda d: d["flash"].update(size_bytes=1 << 80),
    "other key": lambda d: d.update(command="touch pwned"),
    "missing key": lambda d: d.pop("ram"),
    "text for a list": lambda d: d["emulator"].update(args="-smp"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_types_keys_and_numbers_are_refused(kind: str, tmp_path: Path) -> None:
    with pytest.raises(EdgeqError, match="EQ0104"):
        load_saved_board(saved(tmp_path, WRONG[kind]))


@pytest.mark.parametrize(
    "args", [["-smp", "2"], ["-icount", "shift=6,align=off,sleep=off"], ["-m", "16M"], ["-cpu", "cortex-m4,vfp=off"]]
)
def test_plain_arguments_of_qemu_pass(args: list[str], tmp_path: Path) -> None:
    board = load_saved_board(saved(tmp_path, lambda d: d["emulator"].update(args=args)))
    assert board.emulator is not None
    assert board.emulator.args == tuple(args)


@pytest.mark.parametrize(
    "line",
    [
        'emulator = { machine = "mps2-an386", args = ["-D", "/tmp/x"] }',
        'emulator = { machine = "mps2-an386,dumpdtb=/tmp/x" }',
        'flash_with = { openocd = ["/tmp/evil.cfg"] }',
        'flash_with = { pyocd = "--script=/tmp/evil.py" }',
    ],
)
def test_board_file_is_held_to_the_same(line: str, tmp_path: Path) -> None:
    (tmp_path / "board.toml").write_text(f'inherits = "mps2-an386"\n{line}\n')
    with pytest.raises(EdgeqError, match="EQ0182"):
        load_board(tmp_path)


@pytest.mark.parametrize("line", ['inherits = "../../tmp"', 'inherits = "mps2-an386"\nemulator = { board = "../tmp" }'])
def test_names_of_boards_are_no_paths(line: str, tmp_path: Path) -> None:
    (tmp_path / "board.toml").write_text(f"{line}\n")
    with pytest.raises(EdgeqError, match=r"EQ018[34]"):
        load_board(tmp_path)
