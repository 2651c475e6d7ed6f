"""What a command may write over: never one of its inputs, and of files only what edgeq wrote."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Final

from edgeq.errors import EdgeqError
from edgeq.notes import note
from edgeq.writing.rename import rename_new

_READ: Final[ContextVar[list[Path] | None]] = ContextVar("edgeq.read", default=None)


def tell_read(path: Path) -> None:
    """Tell that an input file was read which the user did not name: weights beside the model."""
    read = _READ.get()
    if read is not None and path not in read:
        read.append(path)


@contextmanager
def told_reads() -> Iterator[list[Path]]:
    """The list that receives every file of :func:`tell_read` while the block runs."""
    read: list[Path] = []
    token = _READ.set(read)
    try:
        yield read
    finally:
        _READ.reset(token)


def check_apart(output: Path, inputs: Mapping[str, Path | None], *, flag: str = "-o") -> None:
    """Refuse an output that is one of the inputs, under whatever name, or a folder that holds one.

    Args:
        output: the file or folder that will be replaced.
        inputs: what the command reads, by a word for the message: ``the model``. None: not given.
        flag: the option that names the output.

    Raises:
        EdgeqError: EQ0123.
    """
    for what, path in inputs.items():
        if path is not None and covers(output, path):
            raise EdgeqError(
                "EQ0123",
                f"the output would replace {what}, which is an input",
                where=str(output),
                got=str(path),
                hint=f"choose another {flag}",
            )


def covers(output: Path, path: Path) -> bool:
    """Whether a path names an output, under whatever name, or something in the folder that it names."""
    return _same(output, path) or _inside(output, path)


def _same(one: Path, other: Path) -> bool:
    """Whether two paths lead to the same file, also through symbolic and hard links."""
    try:
        return one.samefile(other)
    except OSError:
        return os.path.realpath(one) == os.path.realpath(other)


def _inside(folder: Path, path: Path) -> bool:
    """Whether a path, as it is written or where its links lead, is below a folder."""
    top = Path(os.path.realpath(folder))
    written = Path(os.path.realpath(path.parent)) / path.name
    return top in written.parents or top in Path(os.path.realpath(path)).parents


def check_file(
    output: Path,
    own: bool,
    *,
    force: bool = False,
    inputs: Mapping[str, Path | None] | None = None,
    flag: str = "-o",
) -> None:
    """Refuse to replace anything but a missing file or one that edgeq wrote.

    Args:
        output: the file.
        own: edgeq wrote the file that is there, and it is unchanged.
        force: another regular file may be moved aside, see :func:`keep_file`.
        inputs: as of :func:`check_apart`.
        flag: likewise.

    Raises:
        EdgeqError: EQ0101 it is a folder, EQ0123 it is an input, EQ0124 it is something else.
    """
    if output.is_dir():
        raise EdgeqError("EQ0101", "the output is a folder", where=flag, got=str(output), allowed="a file to write")
    check_apart(output, inputs or {}, flag=flag)
    if not os.path.lexists(output) or own:
        return
    regular = output.is_file() and not output.is_symlink()
    if regular and force:
        return
    raise EdgeqError(
        "EQ0124",
        "the output exists and is not a file that edgeq wrote, or was edited since",
        where=str(output),
        got="a regular file" if regular else "a link or a device",
        allowed="a file that does not exist, or one that edgeq wrote",
        hint=f"choose another {flag}{f'; --force moves the file to {output.name}.kept-1 first' if regular else ''}",
    )


def keep_file(output: Path) -> None:
    """Move a file to the first free ``OUTPUT.kept-N`` and tell it.

    Raises:
        OSError: it cannot be moved.
    """
    number = 1
    while True:
        kept = output.with_name(f"{output.name}.kept-{number}")
        try:
            rename_new(output, kept)
        except FileExistsError:
            number += 1
            continue
        note(
            "EQ0122",
            "the output was a file that edgeq did not write; it was moved",
            where=str(output),
            got=f"it is {kept} now",
        )
        return
