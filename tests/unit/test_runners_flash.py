"""Flashing: what would be run, GDB into QEMU's flash and back, the drive, and what is said when things are missing."""

from __future__ import annotations

import shutil
import socket
import stat
from dataclasses import replace
from pathlib import Path

import pytest
import runners_asm as asm

from edgeq.errors import EdgeqError
from edgeq.runners.base import FlashRequest
from edgeq.runners.drive import _mounted_volume
from edgeq.runners.flash import choose_flasher, flash, shell_line
from edgeq.target import Board, Drive, load_board

TOOLS = ("arm-none-eabi-gcc", "qemu-system-arm", "gdb-multiarch")
MISSING = [name for name in TOOLS if shutil.which(name) is None]
needs_tools = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

HEX = ":0400000001020304F2\n:00000001FF\n"
PICO_FAMILY = 0xE48BFF56
UF2 = bytes.fromhex("5546320a57515d9e") + bytes(20) + PICO_FAMILY.to_bytes(4, "little") + bytes(480)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A compiled folder whose path has a blank, with files in the place of images."""
    made = tmp_path / "my model"
    made.mkdir()
    (made / "image.elf").write_bytes(b"\x7fELF")
    (made / "image.hex").write_text(HEX)
    (made / "image.uf2").write_bytes(UF2)
    return made


@pytest.fixture
def empty_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A search path without any program, and a Python without programs beside it."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr("sys.executable", str(programs / "python"))
    monkeypatch.delenv("EDGEQ_DRIVE", raising=False)
    return programs


def program(folder: Path, name: str, text: str, code: int) -> None:
    """A stand-in for a tool: prints and exits."""
    path = folder / name
    path.write_text(f"#!/bin/sh\nprintf '%s\\n' {text!r}\nexit {code}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def failure(request: FlashRequest, with_: str | None = None) -> EdgeqError:
    with pytest.raises(EdgeqError) as found:
        flash(request, with_)
    return found.value


def uf2_board() -> Board:
    board = load_board("microbit-v2")
    return replace(
        board, flash_with=replace(board.flash_with, drive=Drive("RPI-RP2", "uf2"), uf2_family=PICO_FAMILY, pyocd=None)
    )


DRY_RUNS = {
    ("microbit-v2", "pyocd"): "pyocd load --no-wait --target nrf52833 --format hex '{folder}/image.hex'",
    ("microbit-v2", "openocd"): "openocd -f interface/cmsis-dap.cfg -f target/nrf52.cfg -c "
    "'program {{{folder}/image.elf}} verify reset exit'",
    ("microbit-v2", "drive"): "cp '{folder}/image.hex' MICROBIT/image.hex",
    ("netduinoplus2", "gdb"): "gdb-multiarch -nx -batch -iex 'set auto-load off' -ex 'set confirm off' "
    "-ex 'set pagination off' -ex 'set tcp connect-timeout 10' -ex 'target extended-remote 127.0.0.1:3333' -ex load "
    "-ex compare-sections -ex kill '{folder}/image.elf'",
    ("microbit-v2", "gdb"): "gdb-multiarch -nx -batch -iex 'set auto-load off' -ex 'set confirm off' "
    "-ex 'set pagination off' -ex 'set tcp connect-timeout 10' -ex 'target extended-remote localhost:3333' "
    "-ex 'monitor reset halt' -ex load -ex compare-sections -ex 'monitor reset' -ex detach '{folder}/image.elf'",
}


@pytest.mark.usefixtures("empty_path")
@pytest.mark.parametrize(("board", "with_"), DRY_RUNS, ids=lambda value: value)
def test_dry_run_tells_the_command(board: str, with_: str, folder: Path) -> None:
    result = flash(FlashRequest(folder, load_board(board)), with_, dry_run=True)
    assert shell_line(result.command) == DRY_RUNS[board, with_].format(folder=folder)
    assert result.dry_run
    assert not result.verified


@pytest.mark.usefixtures("empty_path")
def test_dry_run_tells_the_server(folder: Path) -> None:
    result = flash(FlashRequest(folder, load_board("mps2-an386")), dry_run=True)
    assert result.runner == "gdb"
    assert shell_line(result.server_command) == (
        "qemu-system-arm -M mps2-an386 -display none -monitor none -serial null "
        "-sandbox on,spawn=deny,elevateprivileges=deny -S -gdb tcp:127.0.0.1:3333"
    )
    given = flash(FlashRequest(folder, load_board("mps2-an386"), server="probe:2331"), dry_run=True)
    assert given.server_command == ()
    assert "target extended-remote probe:2331" in given.command


@needs_tools
@pytest.mark.parametrize("name", ["mps2-an386", "netduinoplus2", "mps2-m0"])
def test_gdb_loads_and_compares(name: str, tmp_path: Path) -> None:
    board = load_board(name)
    assert board.emulator is not None
    machine = next(machine for machine in asm.MACHINES if machine.name == board.emulator.machine)
    asm.build(machine, tmp_path).rename(tmp_path / "image.elf")
    result = flash(FlashRequest(tmp_path, board), "gdb")
    assert result.verified
    assert result.detail.endswith(f"written into QEMU's {machine.name} and read back")


@needs_tools
def test_gdb_uses_another_port_where_the_usual_one_is_taken(tmp_path: Path) -> None:
    asm.build(asm.MACHINES[4], tmp_path).rename(tmp_path / "image.elf")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("edgeq.runners.gdb.DEFAULT_PORT", taken.getsockname()[1])
            assert flash(FlashRequest(tmp_path, load_board("mps2-an386"))).verified


@needs_tools
def test_gdb_refuses_contents_that_did_not_arrive(tmp_path: Path) -> None:
    """An image for memory that the machine does not have."""
    asm.build(asm.MACHINES[5], tmp_path).rename(tmp_path / "image.elf")
    error = failure(FlashRequest(tmp_path, load_board("mps2-an386")), "gdb")
    assert error.exit_code == 6
    assert error.problems[0].code in {"EQ0608", "EQ0613"}


@needs_tools
def test_gdb_without_server_is_a_device_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a connection GDB compares the file with itself, finds no difference, and exits with 0."""
    monkeypatch.setattr("edgeq.runners.gdb._CONNECT_SECONDS", 1)
    asm.build(asm.MACHINES[4], tmp_path).rename(tmp_path / "image.elf")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server = f"127.0.0.1:{free.getsockname()[1]}"
    error = failure(FlashRequest(tmp_path, load_board("mps2-an386"), server=server), "gdb")
    assert (error.problems[0].code, error.exit_code) == ("EQ0613", 6)
    assert error.problems[0].where == server
    assert error.problems[0].got == "the connection timed out"


INSTALL = {
    "gdb": ("EQ0523", "apt-get install --no-install-recommends gdb-multiarch"),
    "pyocd": ("EQ0524", "pip install 'pyocd>=0.36,<1'"),
    "openocd": ("EQ0525", "apt-get install --no-install-recommends openocd"),
}


@pytest.mark.usefixtures("empty_path")
@pytest.mark.parametrize("with_", INSTALL)
def test_missing_tool_names_its_package(with_: str, folder: Path) -> None:
    error = failure(FlashRequest(folder, load_board("microbit-v1")), with_)
    assert error.exit_code == 5
    assert (error.problems[0].code, error.problems[0].hint) == INSTALL[with_]


@pytest.mark.usefixtures("empty_path")
def test_no_flasher_available_lists_all_reasons(folder: Path) -> None:
    error = failure(FlashRequest(folder, load_board("microbit-v1")))
    assert error.exit_code == 5
    assert [problem.what.split(":")[0] for problem in error.problems] == ["pyocd", "openocd", "drive"]


# The last lines of pyOCD 0.46 and OpenOCD 0.12 where nothing is plugged in.
NO_PROBE = {
    "pyocd": ("No connected debug probes", "nucleo-l4r5zi"),
    "openocd": ("Error: unable to find a matching CMSIS-DAP device", "microbit-v1"),
}


@pytest.mark.parametrize("with_", NO_PROBE)
def test_no_probe_says_what_to_check(with_: str, folder: Path, empty_path: Path) -> None:
    text, board = NO_PROBE[with_]
    program(empty_path, with_, text, 1)
    error = failure(FlashRequest(folder, load_board(board)), with_)
    assert (error.problems[0].code, error.exit_code) == ("EQ0601", 6)
    assert "USB cable" in str(error.problems[0].hint)


def test_pyocd_unknown_chip_names_the_pack(folder: Path, empty_path: Path) -> None:
    program(empty_path, "pyocd", "Target type stm32l4r5zi not recognized", 1)
    error = failure(FlashRequest(folder, load_board("nucleo-l4r5zi")))
    assert (error.problems[0].code, error.problems[0].hint) == ("EQ0609", "pyocd pack install stm32l4r5zi")


def test_openocd_must_confirm_the_contents(folder: Path, empty_path: Path) -> None:
    board = load_board("stm32vldiscovery")
    program(empty_path, "openocd", "** Programming Finished **", 0)
    assert failure(FlashRequest(folder, board)).problems[0].code == "EQ0608"
    program(empty_path, "openocd", "** Verified OK **", 0)
    assert flash(FlashRequest(folder, board)).verified


def test_first_available_flasher_is_taken(folder: Path, empty_path: Path) -> None:
    request = FlashRequest(folder, load_board("microbit-v1"))
    program(empty_path, "openocd", "", 0)
    assert choose_flasher(request) == "openocd"
    program(empty_path, "pyocd", "", 0)
    assert choose_flasher(request) == "pyocd"


def test_emulator_is_never_taken_for_a_real_board(folder: Path, empty_path: Path) -> None:
    for name in ("gdb-multiarch", "qemu-system-arm"):
        program(empty_path, name, "", 0)
    assert failure(FlashRequest(folder, load_board("netduinoplus2"))).problems[0].code == "EQ0526"
    assert choose_flasher(FlashRequest(folder, load_board("mps2-an386"))) == "gdb"


def test_host_and_foreign_methods_are_refused(folder: Path) -> None:
    assert failure(FlashRequest(folder, load_board("native"))).problems[0].code == "EQ0612"
    for name in ("drive", "pyocd", "openocd"):
        assert failure(FlashRequest(folder, load_board("mps2-an386")), name).problems[0].code == "EQ0612"
    with pytest.raises(EdgeqError, match="EQ0170"):
        flash(FlashRequest(folder, load_board("mps2-an386")), "qemu")


def test_missing_image_is_reported(tmp_path: Path) -> None:
    assert failure(FlashRequest(tmp_path, load_board("microbit-v1")), "pyocd").problems[0].code == "EQ0161"


def mounted(folder: Path, *files: str) -> Path:
    folder.mkdir()
    for name in files:
        (folder / name).touch()
    return folder


def test_drive_copies_hex(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = mounted(tmp_path / "MICROBIT", "DETAILS.TXT")
    monkeypatch.setenv("EDGEQ_DRIVE", str(place))
    result = flash(FlashRequest(folder, load_board("microbit-v1")), "drive")
    assert (place / "image.hex").read_text() == HEX
    assert result.command == ("cp", str(folder / "image.hex"), str(place / "image.hex"))


@pytest.mark.parametrize("kind", ["the folder itself", "hard link", "symbolic link"])
def test_drive_that_holds_the_image_itself_is_refused(kind: str, folder: Path, tmp_path: Path) -> None:
    """Writing begins with cutting the file to nothing."""
    place = folder if kind == "the folder itself" else mounted(tmp_path / "drive")
    (place / "DETAILS.TXT").touch()
    if kind == "hard link":
        (place / "image.hex").hardlink_to(folder / "image.hex")
    elif kind == "symbolic link":
        (place / "image.hex").symlink_to(folder / "image.hex")
    error = failure(FlashRequest(folder, load_board("microbit-v1"), drive=place), "drive")
    assert error.problems[0].code == "EQ0123"
    assert (folder / "image.hex").read_text() == HEX


def test_drive_copies_uf2(folder: Path, tmp_path: Path) -> None:
    place = mounted(tmp_path / "RPI-RP2", "INFO_UF2.TXT", "INDEX.HTM")
    flash(FlashRequest(folder, uf2_board(), drive=place), "drive")
    assert (place / "image.uf2").read_bytes() == UF2


def test_drive_reports_what_the_board_wrote(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = mounted(tmp_path / "MICROBIT", "DETAILS.TXT")

    def board_fails(seconds: float) -> None:
        (place / "FAIL.TXT").write_text("error: The transfer timed out.")

    monkeypatch.setattr("edgeq.runners.drive.time.sleep", board_fails)
    error = failure(FlashRequest(folder, load_board("microbit-v1"), drive=place), "drive")
    assert (error.problems[0].code, error.problems[0].got) == ("EQ0609", "error: The transfer timed out.")


def test_drive_that_is_no_board_stays_untouched(folder: Path, tmp_path: Path) -> None:
    place = mounted(tmp_path / "MICROBIT", "holiday.jpg")
    error = failure(FlashRequest(folder, load_board("microbit-v1"), drive=place), "drive")
    assert error.problems[0].code == "EQ0611"
    assert [entry.name for entry in place.iterdir()] == ["holiday.jpg"]


def test_drive_not_mounted_is_a_device_error(folder: Path, tmp_path: Path) -> None:
    error = failure(FlashRequest(folder, load_board("microbit-v1"), drive=tmp_path / "gone"), "drive")
    assert (error.problems[0].code, error.exit_code) == ("EQ0610", 6)


@pytest.mark.parametrize("text", ["", HEX[:20], "not hex"])
def test_drive_refuses_a_broken_image(text: str, folder: Path, tmp_path: Path) -> None:
    place = mounted(tmp_path / "MICROBIT", "DETAILS.TXT")
    (folder / "image.hex").write_text(text)
    error = failure(FlashRequest(folder, load_board("microbit-v1"), drive=place), "drive")
    assert error.problems[0].code == "EQ0607"
    assert not (place / "image.hex").exists()


def test_drive_refuses_another_family(folder: Path, tmp_path: Path) -> None:
    place = mounted(tmp_path / "RPI-RP2", "INFO_UF2.TXT")
    board = uf2_board()
    other = replace(board, flash_with=replace(board.flash_with, uf2_family=0xE48BFF59))
    error = failure(FlashRequest(folder, other, drive=place), "drive")
    assert (error.problems[0].code, error.problems[0].allowed) == ("EQ0607", "0xe48bff59")


def test_drive_write_failure_leaves_no_partial_file(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = mounted(tmp_path / "MICROBIT", "DETAILS.TXT")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edgeq.runners.drive.os.fsync", full)
    error = failure(FlashRequest(folder, load_board("microbit-v1"), drive=place), "drive")
    assert error.problems[0].code == "EQ0611"
    assert not (place / "image.hex").exists()


def test_drive_is_found_by_label_and_by_name(tmp_path: Path) -> None:
    place = mounted(tmp_path / "media dir")
    other = mounted(tmp_path / "MICROBIT")
    device = tmp_path / "sdb"
    device.touch()
    labels = mounted(tmp_path / "labels")
    (labels / "MICROBIT").symlink_to(device)
    mounts = tmp_path / "mounts"
    escaped = str(place).replace(" ", "\\040")
    mounts.write_text(f"/dev/sdc1 {other} vfat rw 0 0\n{device} {escaped} vfat rw 0 0\n")
    assert _mounted_volume("MICROBIT", mounts, labels) == place
    (labels / "MICROBIT").unlink()
    assert _mounted_volume("MICROBIT", mounts, labels) == other
    assert _mounted_volume("RPI-RP2", mounts, labels) is None
    assert _mounted_volume("MICROBIT", tmp_path / "absent", labels) is None
