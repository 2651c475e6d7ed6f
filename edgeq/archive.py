"""An ``.npz`` file from outside, read array by array and block by block.

The zip's central directory and every array's header are checked before any data is expanded; pickled objects are never
loaded. Of an array that is small the data is kept in memory; a larger one is copied in blocks into a temporary file
that has no name any more (or read where it lies, if it is stored uncompressed), and samples are read from there one by
one. So the memory that calibration takes does not depend on the file's size. Memory mapping was decided against: pages
that were read count as the process's memory until the system takes them back.
"""

from __future__ import annotations

import io
import os
import tempfile
import weakref
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

import numpy as np

from edgeq import budget
from edgeq.errors import EdgeqError
from edgeq.files import DAMAGE, open_regular, reason_of
from edgeq.numerics.array import Array

MAX_ENTRIES: Final = 10_000
MAX_DIRECTORY_BYTES: Final = 16 << 20
MAX_RATIO: Final = 200
RATIO_FREE_BYTES: Final = 64 << 20  # below this an expansion cannot hurt, however dense (constant arrays are legal)
MAX_RANK: Final = 8
IN_MEMORY_BYTES: Final = 16 << 20
_BLOCK_BYTES: Final = 1 << 20
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what numpy writes; others expand without a bound
_LOCAL_HEADER_BYTES: Final = 30
_ENCRYPTED: Final = 1
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_npy: Any = np.lib.format  # numpy publishes no types for these functions


@dataclass(frozen=True)
class Header:
    """What an array's header says.

    Attributes:
        shape: of the array.
        dtype: as stored; its byte order may be foreign.
        fortran: whether the first axis varies fastest.
        data_offset: bytes of the entry in front of the data.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    data_offset: int

    @property
    def size_bytes(self) -> int:
        """Bytes of the data."""
        return prod(self.shape) * self.dtype.itemsize


class _Handle:
    """An open file of our own, closed when the last array that reads it goes."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = os.dup(descriptor)

    def __del__(self) -> None:
        os.close(self.descriptor)


class StoredArray:
    """The rows (first axis) of one array, wherever they are kept.

    Args:
        shape: of the array, rank 1 or more.
        dtype: of what the methods return, in native byte order.
        held: the whole array in memory, or None.
        handle: a file that holds the rows one after the other, where ``held`` is None.
        offset: of the first row in that file.
        stored: the type in the file, where its byte order is foreign.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        held: Array | None,
        handle: _Handle | None = None,
        offset: int = 0,
        stored: np.dtype[Any] | None = None,
    ) -> None:
        self.shape = shape
        self.dtype = dtype
        self._held = held
        self._handle = handle
        self._offset = offset
        self._stored = stored or dtype
        self._row_bytes = prod(shape[1:]) * self._stored.itemsize

    @classmethod
    def of(cls, array: Array) -> StoredArray:
        """An array that is in memory already."""
        return cls(array.shape, array.dtype, array)

    def __len__(self) -> int:
        return self.shape[0]

    def row(self, index: int) -> Array:
        """Row ``index`` without its first axis; the caller must not write into it."""
        row: Array = self.rows(index, index + 1)[0]
        return row

    def rows(self, start: int, stop: int) -> Array:
        """Rows ``start`` to ``stop`` − 1.

        Raises:
            EdgeqError: EQ0110, the file has become shorter.
        """
        if self._held is not None:
            return self._held[start:stop]
        assert self._handle is not None  # either is there
        want = (stop - start) * self._row_bytes
        data = bytearray(want)
        done = 0
        while done < want:
            part = os.preadv(
                self._handle.descriptor, [memoryview(data)[done:]], self._offset + start * self._row_bytes + done
            )
            if part == 0:
                raise EdgeqError("EQ0110", "the data file changed while it was read")
            done += part
        block = np.frombuffer(data, self._stored).reshape(stop - start, *self.shape[1:])
        return block.astype(self.dtype, copy=False)

    def blocks(self) -> Iterator[tuple[int, Array]]:
        """All rows in blocks of about a megabyte: the number of the first row, and the rows."""
        step = max(1, _BLOCK_BYTES // max(self._row_bytes, 1))
        for start in range(0, len(self), step):
            yield start, self.rows(start, min(start + step, len(self)))

    def first(self, count: int) -> StoredArray:
        """The first ``count`` rows; the data is shared."""
        kept = min(count, len(self))
        held = None if self._held is None else self._held[:kept]
        return StoredArray((kept, *self.shape[1:]), self.dtype, held, self._handle, self._offset, self._stored)


class Arrays(Mapping[str, Array]):
    """Arrays in memory, with the interface of an :class:`Archive`."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._arrays = {name: np.asarray(array) for name, array in arrays.items()}
        self.headers = {
            name: Header(array.shape, array.dtype, fortran=False, data_offset=0) for name, array in self._arrays.items()
        }

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __getitem__(self, name: str) -> Array:
        return self._arrays[name]

    def array(self, name: str) -> StoredArray:
        """An array, to be read by rows."""
        return StoredArray.of(self._arrays[name])


class Archive(Mapping[str, Array]):
    """The arrays of a ``.npz`` file by name; as a mapping it gives small arrays whole.

    Attributes:
        where: the path, for messages.
        headers: what every array's header says, read when the file was opened.
    """

    headers: dict[str, Header]

    def __init__(self, path: Path | str) -> None:
        """Read the directory and the headers; the data stays where it is.

        Raises:
            EdgeqError: EQ0110 not readable, EQ0111 over the limits, EQ0117 an element type that is not read.
        """
        self.where = str(path)
        try:
            self._file = open_regular(path)
            weakref.finalize(self, self._file.close)
            self._zip = zipfile.ZipFile(_DirectoryReader(self._file))
            self._entries = {info.filename[:-4]: info for info in self._zip.infolist()}
            _check_directory(self._zip.infolist(), self.where)
            self.headers = {name: self._read_header(name) for name in self._entries}
        except DAMAGE as error:
            raise self._unreadable(error) from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        """Whether there is an array of that name; it is not read for that."""
        return name in self._entries

    def __getitem__(self, name: str) -> Array:
        """A whole array.

        Raises:
            KeyError: there is none of that name.
            EdgeqError: EQ0110 its data is damaged, EQ0111 it is too large to be held in memory.
        """
        header = self.headers[name]
        if header.size_bytes > IN_MEMORY_BYTES:
            raise EdgeqError(
                "EQ0111",
                "an array of the data file is too large",
                where=f"{self.where}: {name}",
                got=f"{header.size_bytes} bytes",
                allowed=f"≤ {IN_MEMORY_BYTES} bytes for an array that is no model input",
            )
        return self.whole(name)

    def array(self, name: str) -> StoredArray:
        """An array of any size, to be read by rows.

        Raises:
            KeyError: there is none of that name.
            EdgeqError: EQ0110 its data is damaged, EQ0111 it is too large for its layout, EQ0246 over the budget.
        """
        header = self.headers[name]
        native = header.dtype.newbyteorder("=")
        if header.size_bytes <= IN_MEMORY_BYTES:
            return StoredArray(header.shape, native, self.whole(name))
        place = f"{self.where}: {name}"
        if header.fortran and len(header.shape) > 1:
            raise EdgeqError(
                "EQ0111",
                "a large array is stored with its first axis varying fastest, so that no sample can be read alone",
                where=place,
                got=f"{header.size_bytes} bytes in Fortran order",
                allowed=f"≤ {IN_MEMORY_BYTES} bytes, or C order",
                hint="numpy.savez(path, x=numpy.ascontiguousarray(x)) writes it in C order",
            )
        handle, offset = self._spread(name, header)
        return StoredArray(header.shape, native, None, handle, offset, header.dtype)

    def whole(self, name: str) -> Array:
        """A whole array of any size.

        Raises:
            KeyError: there is none of that name.
            EdgeqError: EQ0110 its data is damaged, EQ0244 and EQ0246 over the budget.
        """
        header = self.headers[name]
        budget.need(header.size_bytes, "an array of the file", f"{self.where}: {name}")
        data = b"".join(self._blocks(name, header))
        array = np.frombuffer(data, header.dtype).reshape(header.shape, order="F" if header.fortran else "C")
        return array.astype(header.dtype.newbyteorder("="), copy=False)

    def _spread(self, name: str, header: Header) -> tuple[_Handle, int]:
        """A file and the offset where the rows lie one after the other; all data has been read and checked once."""
        info = self._entries[name]
        if info.compress_type == zipfile.ZIP_STORED:
            for _ in self._blocks(name, header):
                pass
            return _Handle(self._file.fileno()), self._data_start(info) + header.data_offset
        try:
            with tempfile.TemporaryFile(prefix="edgeq-") as spread:
                for block in self._blocks(name, header):
                    spread.write(block)
                spread.flush()
                return _Handle(spread.fileno()), 0
        except OSError as error:
            raise self._unreadable(error) from error

    def _data_start(self, info: zipfile.ZipInfo) -> int:
        """Where an entry's bytes begin: behind its local header, whose lengths are its own."""
        local = os.pread(self._file.fileno(), _LOCAL_HEADER_BYTES, info.header_offset)
        return (
            info.header_offset
            + _LOCAL_HEADER_BYTES
            + int.from_bytes(local[26:28], "little")
            + int.from_bytes(local[28:30], "little")
        )

    def _blocks(self, name: str, header: Header) -> Iterator[bytes]:
        """The data of an array; the zip's checksum is compared behind the last block."""
        budget.take(header.size_bytes, f"{self.where}: {name}")
        try:
            with self._zip.open(self._entries[name]) as stream:
                stream.read(header.data_offset)
                left = header.size_bytes
                while left:
                    block = stream.read(min(left, _BLOCK_BYTES))
                    if not block:
                        raise EOFError(f"array {name} ends early")
                    left -= len(block)
                    budget.tick(self.where)
                    yield block
                if stream.read(1):
                    raise ValueError(f"array {name}: its header does not fit its data")
        except DAMAGE as error:
            raise self._unreadable(error) from error

    def _read_header(self, name: str) -> Header:
        """An array's header; it must declare exactly the bytes that the directory promises."""
        info = self._entries[name]
        if info.compress_type not in _METHODS or info.flag_bits & _ENCRYPTED:
            raise ValueError(f"array {name} is compressed in a way that numpy does not write")
        with self._zip.open(info) as stream:
            version = _npy.read_magic(stream)
            read_header = _npy.read_array_header_1_0 if version == (1, 0) else _npy.read_array_header_2_0
            shape, fortran, dtype = read_header(stream)
            offset = stream.tell()
        if dtype.kind not in "biufU":
            raise EdgeqError(
                "EQ0117",
                "the array has an element type that is not read",
                where=f"{self.where}: {name}",
                got=dtype,
                allowed="bool, integers, floats or text",
            )
        if len(shape) > MAX_RANK or min(shape, default=0) < 0:
            raise ValueError(f"array {name}: its header has no usable shape")
        header = Header(tuple(int(dim) for dim in shape), dtype, bool(fortran), offset)
        if header.size_bytes != info.file_size - offset:
            raise ValueError(f"array {name}: its header does not fit its data")
        return header

    def _unreadable(self, error: BaseException) -> EdgeqError:
        return EdgeqError(
            "EQ0110",
            "the data file cannot be read",
            where=self.where,
            got=reason_of(error),
            allowed="a .npz file of numpy arrays",
            hint="numpy.savez(path, x=samples) writes one",
        )


class _DirectoryReader:
    """A file as :mod:`zipfile` wants it, which refuses to read a directory of any size into memory at once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes.

        Raises:
            ValueError: more than a directory may have.
        """
        if not 0 <= size <= MAX_DIRECTORY_BYTES:
            left = os.fstat(self._file.fileno()).st_size - self._file.tell()
            if size > MAX_DIRECTORY_BYTES or left > MAX_DIRECTORY_BYTES:
                raise ValueError("its directory is too large")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As the file does."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As the file does."""
        return self._file.tell()

    def seekable(self) -> bool:
        """Regular files are."""
        return True

    def close(self) -> None:
        """As the file does."""
        self._file.close()


def _check_directory(entries: list[zipfile.ZipInfo], where: str) -> None:
    names = [info.filename for info in entries]
    if len(set(names)) != len(names) or not all(name.endswith(".npy") for name in names):
        raise ValueError("it is not an archive of distinct .npy arrays")
    total = sum(info.file_size for info in entries)
    packed = sum(info.compress_size for info in entries)
    over = None
    if len(entries) > MAX_ENTRIES:
        over = (f"{len(entries)} arrays", f"{MAX_ENTRIES}")
    elif total > RATIO_FREE_BYTES and total > MAX_RATIO * packed:
        over = (f"{total} bytes out of {packed}", f"{MAX_RATIO} times its packed size")
    if over:
        raise EdgeqError("EQ0111", "the data file is over the limits", where=where, got=over[0], allowed=f"≤ {over[1]}")


def npz_bytes(arrays: Mapping[str, Array]) -> bytes:
    """An archive of arrays, sorted by name: the same bytes for the same arrays.

    Dates are fixed, and nothing is compressed, since zlib's result depends on its version.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in sorted(arrays.items()):
            raw = io.BytesIO()
            np.save(raw, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", _EPOCH), raw.getvalue())
    return buffer.getvalue()
