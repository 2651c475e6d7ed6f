"""Weights that a model keeps in files beside it, read without leaving its folder.

``torch.onnx.export`` writes such files by default. A location comes from the model file, so from anywhere: it is
resolved component by component below the model's folder, through no link of any kind, to a regular file with one name.
Offset and length are compared with the tensor's shape and the file's size before a byte is read, and the tensor is
inlined: no other library ever sees the location.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from edgeq import budget
from edgeq.errors import EdgeqError
from edgeq.files import reason_of
from edgeq.writing import tell_read

if TYPE_CHECKING:
    from onnx import TensorProto

HINT: Final = (
    "keep the data file where the exporter wrote it, or save the model as one file: "
    "torch.onnx.export(..., external_data=False)"
)
MAX_TOTAL_BYTES: Final = 1 << 28
_KEYS: Final = frozenset(("checksum", "length", "location", "offset"))


def _refused(where: str, got: str, allowed: str | None = None) -> EdgeqError:
    return EdgeqError(
        "EQ0205", "the weights beside the model cannot be read", where=where, got=got, allowed=allowed, hint=HINT
    )


@dataclass
class ExternalData:
    """The data files below one folder.

    Attributes:
        folder: the model's.
    """

    folder: Path
    _total: int = 0
    _regions: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    def inline(self, tensor: TensorProto, size_bytes: int, where: str) -> None:
        """Read a tensor's bytes into the tensor.

        Args:
            tensor: with external data; changed in place.
            size_bytes: what its shape and type ask for.
            where: names the tensor in messages.

        Raises:
            EdgeqError: EQ0205 a location outside of the folder, or a file or region that is not as it must be.
        """
        stated = {item.key: item.value for item in tensor.external_data}
        if len(stated) != len(tensor.external_data) or not stated.keys() <= _KEYS:
            raise _refused(where, f"keys {', '.join(sorted(item.key[:40] for item in tensor.external_data))}")
        if tensor.HasField("raw_data") or "location" not in stated:
            raise _refused(where, "data here and there" if tensor.HasField("raw_data") else "no location")
        parts = _parts_of(stated["location"], where)
        offset = _number(stated.get("offset", "0"), "offset", where)
        length = _number(stated["length"], "length", where) if "length" in stated else size_bytes
        if length != size_bytes:
            raise _refused(where, f"length {length}", f"{size_bytes} bytes for its shape")
        self._total += length
        if self._total > MAX_TOTAL_BYTES:
            raise EdgeqError(
                "EQ0202",
                "the files beside the model are too large",
                where=where,
                got=f"{self._total} bytes",
                allowed=f"{MAX_TOTAL_BYTES} bytes",
            )
        self._claim("/".join(parts), offset, length, where)
        data = self._read(parts, offset, length, where)
        tensor.ClearField("external_data")
        tensor.ClearField("data_location")
        tensor.raw_data = data

    def _claim(self, location: str, offset: int, length: int, where: str) -> None:
        """Two tensors read the same bytes, or none in common: anything else hides one in the other."""
        region = (offset, offset + length)
        taken = self._regions.setdefault(location, [])
        if any(region != other and region[0] < other[1] and other[0] < region[1] for other in taken):
            raise _refused(where, f"bytes {region[0]} to {region[1]}, which other tensors use in part")
        if region not in taken:
            taken.append(region)
            budget.take_model(length, where)

    def _read(self, parts: tuple[str, ...], offset: int, length: int, where: str) -> bytes:
        tell_read(self.folder.joinpath(*parts))
        handles: list[int] = []
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            handles.append(os.open(self.folder, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY))
            for name in parts[:-1]:
                handles.append(os.open(name, flags | os.O_DIRECTORY, dir_fd=handles[-1]))
            handles.append(os.open(parts[-1], flags, dir_fd=handles[-1]))
            status = os.fstat(handles[-1])
            if not stat.S_ISREG(status.st_mode):
                raise _refused(where, f"{'/'.join(parts)} is no regular file")
            if status.st_nlink != 1:
                raise _refused(where, f"{'/'.join(parts)} has {status.st_nlink} hard links", "a file with one name")
            if offset + length > status.st_size:
                got = f"bytes {offset} to {offset + length} of {'/'.join(parts)}"
                raise _refused(where, got, f"at most its {status.st_size} bytes")
            data = _read_all(handles[-1], offset, length)
        except OSError as error:
            linked = self._is_link(parts)
            reason = "it is a symbolic link, or reached through one" if linked else reason_of(error)
            raise _refused(where, f"{'/'.join(parts)}: {reason}", "a regular file below the model's folder") from error
        finally:
            for handle in handles:
                os.close(handle)
        if len(data) != length:
            raise _refused(where, f"{len(data)} bytes of {'/'.join(parts)}", f"{length} bytes")
        return data

    def _is_link(self, parts: tuple[str, ...]) -> bool:
        return any(self.folder.joinpath(*parts[: count + 1]).is_symlink() for count in range(len(parts)))


def _parts_of(location: str, where: str) -> tuple[str, ...]:
    """The components of a relative path without detours."""
    parts = tuple(location.split("/"))
    plain = location.isprintable() and "\\" not in location and ":" not in location
    if not plain or PurePosixPath(location).is_absolute() or any(part in {"", ".", ".."} for part in parts):
        shown = location if location.isprintable() else ascii(location)[1:-1]
        raise _refused(where, f"location {shown[:120]}", "a relative path below the model's folder, without . and ..")
    return parts


def _number(text: str, what: str, where: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise _refused(where, f"{what} {ascii(text)[:40]}", "a whole number")
    return int(text)


def _read_all(handle: int, offset: int, length: int) -> bytes:
    chunks, left = [], length
    while left:
        chunk = os.pread(handle, min(left, 1 << 24), offset)
        if not chunk:
            break
        chunks.append(chunk)
        offset, left = offset + len(chunk), left - len(chunk)
    return b"".join(chunks)
