"""Flasher ``drive``: copies the image to the drive that a board shows over USB (DAPLink, UF2 bootloaders).

The file is written in one pass under its final name. Writing aside and renaming, which is how files are replaced on
real discs, does not work here: the drive is a façade whose firmware flashes the blocks as they come, and many boards
restart, and take the drive away, with the last block. So the image is read whole and checked first, written, flushed to
the device, and a file that could not be completed is removed.
"""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path
from typing import Final

from edgeq.errors import EdgeqError
from edgeq.runners.base import FlashPlan, FlashRequest, FlashResult
from edgeq.runners.probe import image_file, not_for_board
from edgeq.target import Drive
from edgeq.writing import check_apart

ENVIRONMENT: Final = "EDGEQ_DRIVE"
_MOUNTS: Final = Path("/proc/mounts")
_LABELS: Final = Path("/dev/disk/by-label")
_INFO_FILES: Final = {
    "bin": ("DETAILS.TXT", "MBED.HTM"),
    "hex": ("DETAILS.TXT", "MICROBIT.HTM"),
    "uf2": ("INFO_UF2.TXT",),
}
_FAILURE_FILE: Final = "FAIL.TXT"
_CHUNK_BYTES: Final = 1 << 16
_FAILURE_SECONDS: Final = 0.5
_UF2_MAGIC: Final = bytes.fromhex("5546320a57515d9e")
_UF2_FAMILY_OFFSET: Final = 28
_UF2_BLOCK_BYTES: Final = 512


class DriveFlasher:
    """Needs no tool at all."""

    name = "drive"

    def available(self, request: FlashRequest) -> str | None:
        """None when the board has a drive and it is mounted."""
        drive = request.board.flash_with.drive
        if drive is None:
            return "the board file names no drive"
        return None if find_mount(request, drive) else f"no drive {drive.volume} is mounted"

    def plan(self, request: FlashRequest) -> FlashPlan:
        """See :class:`edgeq.runners.base.Flasher`; the command is what this flasher does without a program."""
        drive = _drive(request)
        image = image_file(request, drive.image)
        target = find_mount(request, drive) or Path(drive.volume)
        return FlashPlan(("cp", str(image), str(target / image.name)), image)

    def flash(self, request: FlashRequest) -> FlashResult:
        """See :class:`edgeq.runners.base.Flasher`."""
        drive = _drive(request)
        image = image_file(request, drive.image)
        data = image.read_bytes()
        _check_image(data, image, drive, request.board.flash_with.uf2_family)
        mount = find_mount(request, drive)
        if mount is None:
            raise EdgeqError(
                "EQ0610",
                f"the drive {drive.volume} is not mounted",
                where=request.board.name,
                hint="plug the board in (a cable with data lines; UF2 boards: press reset twice), mount the drive, or "
                f"name its folder (option or {ENVIRONMENT})",
            )
        _check_drive(mount, drive)
        check_apart(mount / image.name, {"the image": image})
        failure_before = (mount / _FAILURE_FILE).exists()
        _write(data, mount / image.name)
        if not failure_before:
            _raise_reported_failure(mount)
        command = ("cp", str(image), str(mount / image.name))
        return FlashResult(self.name, command, image, detail=f"{len(data)} bytes copied to {mount}")


def _drive(request: FlashRequest) -> Drive:
    drive = request.board.flash_with.drive
    if drive is None:
        raise not_for_board("drive", request.board)
    return drive


def find_mount(request: FlashRequest, drive: Drive) -> Path | None:
    """Where the board's drive is mounted: the request's folder, else ``EDGEQ_DRIVE``, else the volume by its name."""
    chosen = request.drive or (Path(os.environ[ENVIRONMENT]) if os.environ.get(ENVIRONMENT) else None)
    if chosen is not None:
        return chosen.resolve() if chosen.is_dir() else None
    if sys.platform == "darwin":
        found = Path("/Volumes") / drive.volume
        return found if found.is_dir() else None
    return _mounted_volume(drive.volume, _MOUNTS, _LABELS)


def _mounted_volume(volume: str, mounts: Path, labels: Path) -> Path | None:
    """The mount point of the volume: by its label's device, else by the name that desktops give the folder."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    rows = [(_unescaped(fields[0]), Path(_unescaped(fields[1]))) for fields in (line.split(" ") for line in lines)]
    label = labels / volume
    device = str(label.resolve()) if label.exists() else None
    for source, place in rows:
        if device is not None and source == device and place.is_dir():
            return place
    for source, place in rows:
        if source.startswith("/dev/") and place.name == volume and place.is_dir():
            return place
    return None


def _unescaped(field: str) -> str:
    r"""A field of /proc/mounts, where blanks are ``\040``."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)


def _check_image(data: bytes, image: Path, drive: Drive, family: int | None) -> None:
    """Refuse an image that is not of the kind that the drive takes."""
    good = bool(data)
    if drive.image == "hex":
        good = data.startswith(b":") and data.rstrip().endswith(b":00000001FF")
    elif drive.image == "uf2":
        good = data.startswith(_UF2_MAGIC) and len(data) % _UF2_BLOCK_BYTES == 0
    if not good:
        raise EdgeqError(
            "EQ0607", f"the file is no complete {drive.image} image", where=str(image), hint="compile again"
        )
    if drive.image == "uf2":
        found = int.from_bytes(data[_UF2_FAMILY_OFFSET : _UF2_FAMILY_OFFSET + 4], "little")
        if found != family:
            raise EdgeqError(
                "EQ0607",
                "the UF2 image is for another family",
                where=str(image),
                got=f"{found:#010x}",
                allowed=None if family is None else f"{family:#010x}",
            )


def _check_drive(mount: Path, drive: Drive) -> None:
    """Refuse a folder without the files by which such a drive says what it is: it may be anybody's USB stick."""
    wanted = _INFO_FILES[drive.image]
    names = {entry.name.upper() for entry in mount.iterdir()}
    if names.isdisjoint(wanted):
        raise EdgeqError(
            "EQ0611",
            f"the drive does not look like a board that takes {drive.image} files",
            where=str(mount),
            allowed=f"a drive with {' or '.join(wanted)}",
        )


def _write(data: bytes, target: Path) -> None:
    written = 0
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o666)
        try:
            while written < len(data):
                written += os.write(descriptor, data[written : written + _CHUNK_BYTES])
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as problem:
        if written == len(data) and not target.parent.is_dir():
            return  # the board restarted with the last block and took its drive away
        if target.parent.is_dir():
            target.unlink(missing_ok=True)
        raise EdgeqError(
            "EQ0611",
            "the image cannot be written to the drive",
            where=str(target),
            got=f"{problem.strerror} after {written} of {len(data)} bytes",
            hint="is the drive read-only, full, or unplugged?",
        ) from problem


def _raise_reported_failure(mount: Path) -> None:
    """DAPLink leaves a text behind when it could not flash; give it a moment."""
    time.sleep(_FAILURE_SECONDS)
    report = mount / _FAILURE_FILE
    try:
        text = report.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return
    raise EdgeqError("EQ0609", "the board could not flash the image", where=str(report), got=text)


FLASHER: Final = DriveFlasher()
