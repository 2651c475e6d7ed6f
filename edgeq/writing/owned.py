"""Which folders are edgeq's: those whose manifest says so and lists every file with its SHA-256.

A folder with some ``manifest.json`` may be anybody's work. So the manifest carries the schema's identifier, the files,
and a digest of itself; a folder counts as edgeq's own, and may be replaced, where all of that holds and nothing was
added or edited since. Files that are missing do not count: nothing of anybody's is lost with them.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edgeq.files import DAMAGE, open_regular, read_json
from edgeq.writing.whole import write_whole

MANIFEST: Final = "manifest.json"
SCHEMA: Final = "edgeq/folder/7"
_FILES: Final = "files"
_DIGEST: Final = "digest"


@dataclass(frozen=True)
class Contents:
    """What a folder holds.

    Attributes:
        ours: its manifest is one of this version and unedited.
        foreign: what edgeq did not write there, sorted; in a folder of its own as ``model.c (edited)``.
        missing: whether a listed file is not there.
        sealed: there is a manifest that lists files; without one, a folder of edgeq's is not finished.
    """

    ours: bool
    foreign: tuple[str, ...]
    missing: bool
    sealed: bool

    @property
    def replaceable(self) -> bool:
        """Nothing is lost when the folder goes."""
        return not self.foreign

    @property
    def complete(self) -> bool:
        """All that was written is there and unchanged."""
        return self.ours and not self.foreign and not self.missing


def seal(folder: Path) -> None:
    """List the folder's files in its manifest. A folder without a manifest gets one that holds nothing else.

    Raises:
        OSError: a file cannot be read or written.
    """
    manifest = _manifest(folder)
    manifest = {} if manifest is None else manifest
    manifest |= {"schema": SCHEMA, _FILES: {name: _sha256(folder / name) for name in sorted(_walk(folder))}}
    manifest[_DIGEST] = _digest(manifest)
    write_whole(folder / MANIFEST, (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode())


def contents_of(folder: Path) -> Contents:
    """Compare a folder with its manifest; every symbolic link, empty folder and special file is foreign.

    Raises:
        OSError: the folder cannot be read.
    """
    manifest = _manifest(folder)
    listed = manifest.get(_FILES) if manifest is not None else None
    ours = (
        manifest is not None and manifest.get("schema") == SCHEMA and isinstance(listed, dict) and is_unedited(manifest)
    )
    files: Mapping[str, Any] = listed if ours and isinstance(listed, dict) else {}
    foreign = _foreign(folder, "", files) if ours else _entries(folder)
    missing = any(not os.path.lexists(folder / name) for name in files)
    return Contents(ours, tuple(sorted(foreign)), missing, manifest is not None and _DIGEST in manifest)


def _entries(folder: Path) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in list(entries):
            yield f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name


def is_unedited(manifest: Mapping[str, Any]) -> bool:
    """Whether a manifest has the digest that :func:`seal` gave it."""
    digest: str = _digest(manifest)
    return bool(digest == manifest.get(_DIGEST))


def is_as_written(folder: Path, files: Mapping[str, str], name: str) -> bool:
    """Whether a file of a compiled folder is there, listed, and has not changed since it was written.

    Args:
        folder: the folder.
        files: SHA-256 of its files, from its manifest, which is unedited.
        name: the file, as a path below the folder.
    """
    return _has_digest(folder / name, files.get(name))


def _foreign(folder: Path, below: str, files: Mapping[str, Any]) -> Iterator[str]:
    with os.scandir(folder / below) as entries:
        for entry in list(entries):
            name = f"{below}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                if any(path.startswith(f"{name}/") for path in files):
                    yield from _foreign(folder, f"{name}/", files)
                else:
                    yield f"{name}/ (added)"
            elif name == MANIFEST:
                continue  # its digest has been compared
            elif name not in files:
                yield f"{name} (added)"
            elif not entry.is_file(follow_symlinks=False) or not _has_digest(folder / name, files[name]):
                yield f"{name} (edited)"


def _has_digest(path: Path, digest: Any) -> bool:  # noqa: ANN401 - any JSON
    try:
        return isinstance(digest, str) and _sha256(path) == digest
    except OSError:
        return False


def _walk(folder: Path, below: str = "") -> Iterator[str]:
    """Every file but the manifest, as a path below the folder."""
    with os.scandir(folder / below) as entries:
        for entry in list(entries):
            name = f"{below}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(folder, f"{name}/")
            elif name != MANIFEST:
                yield name


def _manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest, or None where there is none that can be read; a link is none."""
    path = folder / MANIFEST
    try:
        value = None if path.is_symlink() else read_json(path)
    except DAMAGE:
        return None
    return value if isinstance(value, dict) else None


def _digest(manifest: Mapping[str, Any]) -> str:
    others = {key: value for key, value in manifest.items() if key != _DIGEST}
    return hashlib.sha256(json.dumps(others, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
