"""Replacing a folder whole: at every instant its name leads to the old folder or to the new one, and nothing is lost.

The new folder is filled under a name of its own beside the old one, ``.NAME.edgeq-PID-RANDOM.part``, and exchanged with
it in one step (renameat2). Then the old one, which has that name now, is removed, its manifest last. Where the file
system cannot exchange, the old folder is first renamed to ``….old`` and the new one to its place; between these two
steps NAME is missing, and the next edgeq that reads or writes it completes the exchange.

Two edgeqs that write one folder wait for each other: the part is locked (flock) while it is filled, and the folder
around it for the moments in which parts are looked for, made and exchanged. A lock ends with its process, so after a
SIGKILL the next edgeq finds the part without lock and process: it removes what it can prove to be edgeq's, and moves
anything else to ``NAME.kept-N``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from edgeq import signals
from edgeq.errors import EdgeqError
from edgeq.notes import note
from edgeq.writing.lock import lock_now, lock_within, open_folder
from edgeq.writing.names import fresh_name, made_entries
from edgeq.writing.owned import MANIFEST, contents_of, seal
from edgeq.writing.problems import disk_problem
from edgeq.writing.rename import exchange, rename_new
from edgeq.writing.scratch import forget_folder, make_folder, remove_folder, sweep_scratch

_SHOWN: Final = 12
_WAIT_SECONDS: Final = 600.0
_BUSY_SECONDS: Final = 60.0


@contextmanager
def replace_folder(
    out: Path, *, force: bool = False, waiting: Callable[[], None] = lambda: None, wait_seconds: float = _WAIT_SECONDS
) -> Iterator[Path]:
    """A fresh folder to fill; on success it takes the place of ``out``, on any failure ``out`` stays as it was.

    Args:
        out: the folder to replace; its parents are made.
        force: what edgeq did not write there is moved to ``OUT.kept-N`` instead of being refused.
        waiting: called once where another edgeq writes the same folder.
        wait_seconds: how long to wait for it.

    Raises:
        EdgeqError: EQ0103 ``out`` holds something that edgeq did not write, or cannot be created; EQ0120 the disk is
            full; EQ0121 another edgeq writes the same folder and does not end.
    """
    check_replaceable(out, force=force)
    out = _placed(out)
    sweep_scratch()
    made = _make_parents(out)
    try:
        part = _claim(out, waiting, wait_seconds)
        try:
            yield part
            seal(part)
            with signals.shield(), _locked(out.parent):
                recover(out)
                check_replaceable(out, force=force)
                _put(part, out)
        except OSError as error:
            raise disk_problem(error) or error from error
        finally:
            with signals.shield():
                remove_folder(part)
    except BaseException:
        with contextlib.suppress(OSError):
            for folder in made:
                folder.rmdir()
        raise


def check_replaceable(out: Path, *, force: bool = False) -> None:
    """Refuse to replace anything but a folder that is missing, empty, or edgeq's and unchanged.

    Args:
        out: the folder.
        force: a folder with other contents may be moved aside.

    Raises:
        EdgeqError: EQ0103.
    """
    allowed = "a folder that does not exist, is empty, or holds only what edgeq wrote there"
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        got = "a symbolic link" if out.is_symlink() else "not a folder"
        raise EdgeqError("EQ0103", "the output is not a folder", where=str(out), got=got, allowed=allowed)
    try:
        here = Path.cwd()
    except FileNotFoundError:  # it was removed
        here = Path("/")
    place = out.resolve()
    if here == place or place in here.parents:
        raise EdgeqError(
            "EQ0103",
            "the output folder is the one in which you are, or above it, and would be replaced whole",
            where=str(out),
            hint="give it a name of its own: -o build/model",
        )
    if not out.exists() or force:
        return
    try:
        found = contents_of(out)
    except OSError as error:
        raise EdgeqError("EQ0103", "the output folder cannot be read", where=str(out), got=error.strerror) from error
    if found.replaceable:
        return
    shown = ", ".join(found.foreign[:_SHOWN])
    more = f" and {len(found.foreign) - _SHOWN} more" if len(found.foreign) > _SHOWN else ""
    changed = "holds files that were added or edited since edgeq wrote it"
    raise EdgeqError(
        "EQ0103",
        f"the output folder {changed if found.ours else 'holds something that edgeq did not write'}",
        where=str(out),
        got=shown + more,
        allowed=allowed,
        hint=f"choose another -o, or move what is there; --force moves the folder to {_kept_name(out, 1).name} first",
    )


def recover(out: Path) -> None:
    """Clean up after writers of ``out`` that were killed: complete an exchange, remove their parts.

    The caller holds the lock of the folder around ``out``, or has reason to do without.
    """
    for made in made_entries(out.parent, f".{out.name}.", ".old"):
        if not made.alive and not os.path.lexists(out):
            part = made.path.with_suffix(".part")
            new = part.is_dir() and contents_of(part).complete
            (part if new else made.path).rename(out)
    for suffix in (".part", ".old"):
        for made in made_entries(out.parent, f".{out.name}.", suffix):
            if not made.alive:
                _clear(made.path, out)


def recover_missing(out: Path) -> None:
    """Complete an exchange that was cut in two, for a reader that finds no folder; quiet where that is not so."""
    out = _placed(out)
    with contextlib.suppress(OSError, EdgeqError):
        if not os.path.lexists(out) and made_entries(out.parent, f".{out.name}.", ".old"):
            with signals.shield(), _locked(out.parent):
                recover(out)


def _clear(stale: Path, out: Path) -> None:
    """Remove a dead writer's part, or promote it where its exchange was about to come and ``out`` is missing."""
    with contextlib.suppress(OSError):
        descriptor = open_folder(stale)
        try:
            if not lock_now(descriptor):
                return
            found = contents_of(stale)
            if found.complete and not os.path.lexists(out):
                rename_new(stale, out)
            elif not found.sealed and stale.suffix == ".part":
                # Only finished folders are exchanged: this is a new one that was being filled.
                shutil.rmtree(stale, ignore_errors=True)
            else:
                _dispose(stale, out)
        finally:
            os.close(descriptor)


def _placed(out: Path) -> Path:
    """The folder by its absolute path, which keeps its meaning when the working folder changes; a link stays one."""
    return out.resolve() if out.name in {"", ".."} else out.parent.resolve() / out.name


def _make_parents(out: Path) -> list[Path]:
    """Make the folders above; answers those that are new, innermost first."""
    missing = []
    for folder in out.parents:
        if folder.exists():
            break
        missing.append(folder)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _uncreatable(out, error) from error
    return missing


def _uncreatable(out: Path, error: OSError) -> EdgeqError:
    return disk_problem(error) or EdgeqError(
        "EQ0103", "the output folder cannot be created", where=str(out), got=error.strerror, hint="choose another -o"
    )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """The lock of the folder around an output, which is held for moments only."""
    descriptor = open_folder(folder)
    try:
        if not lock_within(descriptor, _BUSY_SECONDS):
            raise EdgeqError("EQ0121", "another program keeps the folder locked", where=str(folder))
        yield
    finally:
        os.close(descriptor)


def _claim(out: Path, waiting: Callable[[], None], seconds: float) -> Path:
    """Make a locked part, once no other edgeq has one for the same output."""
    try:
        while True:
            with _locked(out.parent):
                recover(out)
                busy = _busy(out)
                if busy is None:
                    with signals.shield():
                        part = out.with_name(f".{out.name}.{fresh_name()}.part")
                        make_folder(part, 0o777)
                    return part
            try:
                if not lock_within(busy, seconds, waiting):
                    raise EdgeqError(
                        "EQ0121",
                        "another edgeq writes the same folder",
                        where=str(out),
                        got=f"it did not end within {seconds:.0f} s",
                        hint="choose another -o, or end the other one",
                    )
            finally:
                os.close(busy)
    except OSError as error:
        raise _uncreatable(out, error) from error


def _busy(out: Path) -> int | None:
    """A descriptor of another writer's locked part; None where there is none."""
    for made in made_entries(out.parent, f".{out.name}.", ".part"):
        try:
            descriptor = open_folder(made.path)
        except OSError:
            continue
        if not lock_now(descriptor):
            return descriptor
        os.close(descriptor)
    return None


def _put(part: Path, out: Path) -> None:
    """Put a full part into its place."""
    if out.is_dir() and not contents_of(out).replaceable:
        _keep(out, out)
    if not out.is_dir() or not any(out.iterdir()):
        part.rename(out)  # in one step, also over an empty folder; a file that appears there makes it fail
        forget_folder(part)
        return
    old = part
    if not exchange(part, out):
        old = part.with_suffix(".old")
        out.rename(old)
        try:
            part.rename(out)
        except OSError:
            old.rename(out)
            raise
    forget_folder(part)
    _dispose(old, out)


def _dispose(old: Path, out: Path) -> None:
    """Remove an old folder of edgeq's; what was added to it in the last moment is kept.

    The manifest goes last: it tells that the rest may go, should this be cut in two. What cannot be removed now is left
    to the next start.
    """
    if not contents_of(old).replaceable:
        _keep(old, out)
        return
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(old)):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            elif entry.name != MANIFEST:
                Path(entry.path).unlink()
        (old / MANIFEST).unlink(missing_ok=True)
        old.rmdir()


def _kept_name(out: Path, number: int) -> Path:
    return out.with_name(f"{out.name}.kept-{number}")


def _keep(folder: Path, out: Path) -> None:
    """Move a folder to the first free ``OUT.kept-N`` and tell it."""
    number = 1
    while True:
        kept = _kept_name(out, number)
        try:
            rename_new(folder, kept)
        except FileExistsError:
            number += 1
            continue
        note(
            "EQ0122",
            "the output folder held what edgeq did not write; that folder was moved",
            where=str(out),
            got=f"it is {kept} now",
        )
        return
