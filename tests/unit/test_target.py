"""Targets and boards: what ships loads, what is wrong names file and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeq.errors import EXIT_USAGE, EdgeqError
from edgeq.resources import boards_dir, targets_dir
from edgeq.target import CONSOLE_KINDS, list_boards, list_targets, load_board, load_target
from edgeq.target.board import read_board
from edgeq.target.target import read_target

GOOD_BOARD = """
description = "a board"
target = "cortex-m4"
clock_hz = 1000000
flash = { base_address = 0x0, size_bytes = 0x10000 }
ram = { base_address = 0x20000000, size_bytes = 0x4000 }
console = { kind = "none" }
"""


def write_board(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", list_targets())
def test_target_loads(name: str) -> None:
    target = load_target(name)
    assert target.name == name
    assert target.isa[-1] == "generic"
    assert target.is_host == (name == "native")


@pytest.mark.parametrize("name", list_boards())
def test_board_loads(name: str) -> None:
    board = load_board(name)
    assert board.name == name
    assert board.console.kind in CONSOLE_KINDS
    assert (board.emulator is None) == board.is_host
    assert (board.flash is None) == board.is_hosted


def test_user_mode_needs_no_machine() -> None:
    board = load_board("linux-aarch64")
    assert (board.is_hosted, board.is_host) == (True, False)
    assert board.emulator is not None
    assert (board.emulator.machine, board.emulator.program) == (None, "qemu-aarch64")


def test_files_short() -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in targets_dir().glob("*.toml")}
    assert {path.name: count for path, count in lines.items() if count > 10} == {}
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in boards_dir().glob("*/board.toml")}
    assert {path.parent.name: count for path, count in lines.items() if count > 25} == {}


def test_every_target_has_a_board() -> None:
    used = {load_board(name).target.name for name in list_boards()}
    assert set(list_targets()) - used == {"cortex-m0plus"}


def test_m55_integer_vectors_only() -> None:
    assert load_target("cortex-m55").gcc_flags == ("-mcpu=cortex-m55+nofp", "-mthumb", "-mfloat-abi=hard")


def test_inherited_key_replaced_whole() -> None:
    assert load_target("cortex-m7").isa == ("dsp", "generic")
    assert load_target("cortex-m0plus").isa == ("v6m", "generic")


def test_emulator_takes_bases_of_the_other_board() -> None:
    emulator = load_board("nucleo-l4r5zi").emulator
    assert emulator is not None
    assert (emulator.machine, emulator.board) == ("mps2-an386", "mps2-an386")
    assert (emulator.flash_base_address, emulator.ram_base_address) == (0x0, 0x20000000)


def test_netduinoplus2_has_the_chips_ram() -> None:
    ram = load_board("netduinoplus2").ram
    assert ram is not None
    assert ram.size_bytes == 128 * 1024


def test_pinetime_application_part() -> None:
    flash = load_board("pinetime").flash
    assert flash is not None
    assert (flash.app_base_address, flash.app_size_bytes) == (0x8020, 0x73E08)


def test_board_by_path(tmp_path: Path) -> None:
    board = load_board(write_board(tmp_path, GOOD_BOARD))
    assert board.name == "mine"
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "board.toml").write_text(GOOD_BOARD, encoding="utf-8")
    assert load_board(str(folder)).name == "folder"


def test_flash_methods_best_first() -> None:
    assert load_board("microbit-v1").flash_with.methods == ("pyocd", "openocd", "drive", "gdb")
    assert load_board("native").flash_with.methods == ()


BAD_BOARDS = {
    "unknown_key": (GOOD_BOARD + "clok_hz = 1\n", "EQ0181", "mine.toml:clok_hz", "did you mean clock_hz?"),
    "unknown_nested_key": (
        GOOD_BOARD + "[flash_with]\npyodc = 'x'\n",
        "EQ0181",
        "mine.toml:flash_with.pyodc",
        "did you mean pyocd?",
    ),
    "wrong_type": (
        GOOD_BOARD.replace("clock_hz = 1000000", "clock_hz = '1 MHz'"),
        "EQ0182",
        "mine.toml:clock_hz",
        None,
    ),
    "bool_is_no_number": (GOOD_BOARD.replace("1000000", "true"), "EQ0182", "mine.toml:clock_hz", None),
    "missing_ram": (GOOD_BOARD.replace("ram =", "# ram ="), "EQ0182", "mine.toml:ram", None),
    "missing_description": (GOOD_BOARD.replace("description", "# d"), "EQ0182", "mine.toml:description", None),
    "unknown_target": (GOOD_BOARD.replace("cortex-m4", "cortex-m44"), "EQ0185", None, "did you mean cortex-m4?"),
    "unknown_console": (
        GOOD_BOARD.replace('"none"', '"pl01"'),
        "EQ0182",
        "mine.toml:console.kind",
        "did you mean pl011?",
    ),
    "host_console_on_chip": (GOOD_BOARD.replace('"none"', '"native"'), "EQ0182", "mine.toml:console.kind", None),
    "app_outside": (
        GOOD_BOARD.replace("size_bytes = 0x10000", "size_bytes = 0x10000, app_offset_bytes = 0x10000"),
        "EQ0182",
        "mine.toml:flash.app_size_bytes",
        None,
    ),
    "beyond_4g": (GOOD_BOARD.replace("0x20000000", "0xfffff000"), "EQ0182", "mine.toml:ram.size_bytes", None),
    "unknown_emulator": (
        GOOD_BOARD + "emulator = { board = 'mps2-an38' }\n",
        "EQ0184",
        "mine.toml:emulator.board",
        "did you mean mps2-an38",
    ),
    "emulator_without_machine": (
        GOOD_BOARD + "emulator = { board = 'pinetime' }\n",
        "EQ0182",
        "mine.toml:emulator.board",
        None,
    ),
    "emulator_too_small": (
        GOOD_BOARD + "emulator = { board = 'stm32vldiscovery' }\n",
        "EQ0186",
        "mine.toml:ram",
        None,
    ),
    "setup_row": (
        GOOD_BOARD.replace('{ kind = "none" }', '{ kind = "cmsdk", base_address = 0, clock_hz = 1, setup = [[1, 2]] }'),
        "EQ0182",
        "mine.toml:console.setup",
        None,
    ),
    "uf2_drive_without_family": (
        GOOD_BOARD + "flash_with = { drive = { volume = 'X', image = 'uf2' } }\n",
        "EQ0182",
        "mine.toml:flash_with.uf2_family",
        None,
    ),
    "missing_parent": ("inherits = 'nobody'\n" + GOOD_BOARD, "EQ0183", "mine.toml:inherits", None),
    "no_toml": ("= = =", "EQ0180", "mine.toml", None),
}


@pytest.mark.parametrize("case", sorted(BAD_BOARDS))
def test_board_refused(case: str, tmp_path: Path) -> None:
    text, code, where, hint = BAD_BOARDS[case]
    with pytest.raises(EdgeqError) as caught:
        read_board(write_board(tmp_path, text))
    problem = caught.value.problems[0]
    assert problem.code == code
    assert caught.value.exit_code == EXIT_USAGE
    if where is not None:
        assert str(problem.where).replace(f"{tmp_path}/", "") == where
    if hint is not None:
        assert problem.hint is not None
        assert problem.hint.startswith(hint)


def test_inherited_error_names_the_file_that_wrote_it(tmp_path: Path) -> None:
    (tmp_path / "parent.toml").write_text("cpu = 3\n", encoding="utf-8")
    child = tmp_path / "child.toml"
    child.write_text("inherits = 'parent'\ndescription = 'd'\n", encoding="utf-8")
    with pytest.raises(EdgeqError) as caught:
        read_target(child)
    assert caught.value.problems[0].where == f"{tmp_path}/parent.toml:cpu"


def test_inheritance_circle_refused(tmp_path: Path) -> None:
    for name, parent in (("a", "b"), ("b", "a")):
        (tmp_path / f"{name}.toml").write_text(f"inherits = '{parent}'\n", encoding="utf-8")
    with pytest.raises(EdgeqError) as caught:
        read_target(tmp_path / "a.toml")
    assert caught.value.problems[0].code == "EQ0183"
    assert str(caught.value.problems[0].got).replace(f"{tmp_path}/", "") == "a.toml -> b.toml -> a.toml"


def test_unknown_names_refused_with_the_nearest() -> None:
    with pytest.raises(EdgeqError, match=r"did you mean microbit-v[12]"):
        load_board("microbit-v")
    with pytest.raises(EdgeqError, match="did you mean cortex-m55"):
        load_target("cortex-m555")
    with pytest.raises(EdgeqError, match="EQ0185"):
        load_target("_thumb")
