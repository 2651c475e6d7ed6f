"""Data files: ``.npz`` with one array per model input, read safely and handed out one sample at a time.

A data file is an input from outside: the zip's central directory and every array's header are checked against caps
before anything is expanded, and pickled objects are never loaded. Arrays stay in the type they are stored in (images
as uint8); each sample becomes float32 only when it is asked for, so memory does not grow with the float size.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.numerics.array import Array

if TYPE_CHECKING:
    import onnx_ir

MAX_ENTRIES: Final = 10_000
MAX_TOTAL_BYTES: Final = 4 << 30
MAX_RATIO: Final = 200
RATIO_FREE_BYTES: Final = 64 << 20  # below this an expansion cannot hurt, however dense (constant arrays are legal)
MAX_RANK: Final = 8
_npy: Any = np.lib.format  # numpy publishes no types for these functions
_CHUNK: Final = 64  # samples looked at together when values are checked; bounds the temporary memory


@dataclass(frozen=True)
class InputSpec:
    """A model input as data files must match it: ``shape`` is static and has the batch dimension."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class Grid:
    """Integers stored in a data file: model input = stored * ``scale`` + ``offset``, stored within [low, high]."""

    scale: float
    offset: float
    low: int
    high: int


def input_specs(model: onnx_ir.Model) -> tuple[InputSpec, ...]:
    """The inputs of a model with static shapes, initializers excluded.

    Raises:
        EdgeqError: EQ0113, an input has a dimension without a number.
    """
    specs = []
    for value in model.graph.inputs:
        if value.is_initializer():
            continue
        dims = tuple(value.shape) if value.shape is not None else (None,)
        if value.dtype is None or not all(isinstance(dim, int) for dim in dims):
            raise EdgeqError(
                "EQ0113",
                "the model input has no static shape",
                where=value.name,
                got=value.shape,
                hint="give the missing dimension with --dim NAME=N",
            )
        specs.append(InputSpec(str(value.name), tuple(int(str(dim)) for dim in dims), value.dtype.numpy()))
    return tuple(specs)


class Samples:
    """Samples for one model, from :meth:`open` or :meth:`of`.

    ``len(samples)`` is their number, ``samples.inputs(i)`` sample i as the model takes it, ``samples.extra`` every
    further array of the file (``y``, ``group``, ``class_names``, …), ``samples.grids`` the exact integer grids of
    inputs that are stored as integers.
    """

    def __init__(
        self, arrays: Mapping[str, Array], specs: Sequence[InputSpec], where: str = "data", *, checked: bool = False
    ) -> None:
        self.where = where
        self.specs = tuple(specs)
        self._stored: dict[str, Array] = {}
        self.grids: dict[str, Grid] = {}
        used: set[str] = set()
        for spec in self.specs:
            key = _key_of(spec, self.specs, arrays, where)
            stored = arrays[key]
            used |= {key, f"{key}_scale", f"{key}_offset"}
            _check_array(stored, spec, key, where)
            grid = _grid_of(stored, key, arrays, where)
            if grid is not None and spec.dtype.kind == "f":
                self.grids[spec.name] = grid
            if not checked:
                _check_finite(stored, key, where)
            self._stored[spec.name] = stored
        self.extra = {name: array for name, array in arrays.items() if name not in used}
        lengths = {name: len(array) for name, array in self._stored.items()}
        if "group" in self.extra:
            lengths["group"] = len(self.extra["group"])
        if len(set(lengths.values())) > 1:
            raise EdgeqError(
                "EQ0116",
                "the arrays hold different numbers of samples",
                where=where,
                got=", ".join(f"{name}: {count}" for name, count in sorted(lengths.items())),
                allowed="one number",
            )
        self._count = next(iter(lengths.values()), 0)

    @classmethod
    def of(cls, arrays: Mapping[str, Array], model: onnx_ir.Model) -> Samples:
        """Samples from arrays in memory, under the names a data file would have."""
        return cls(arrays, input_specs(model))

    @classmethod
    def open(cls, path: Path | str, model: onnx_ir.Model | Sequence[InputSpec]) -> Samples:
        """Read a ``.npz`` data file for a model (or for the inputs given).

        Raises:
            EdgeqError: EQ0110 unreadable, EQ0111 over the caps, EQ0112 array missing, EQ0113 wrong shape, EQ0114 empty,
                EQ0115 NaN or infinity, EQ0116 unequal lengths, EQ0117 element type, EQ0118 scale or offset.
        """
        specs = tuple(model) if isinstance(model, Sequence) else input_specs(model)
        return cls(read_arrays(path), specs, str(path))

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[dict[str, Array]]:
        return (self.inputs(index) for index in range(len(self)))

    @property
    def labels(self) -> Array | None:
        """The array ``y``, or None."""
        return self.extra.get("y")

    def inputs(self, index: int) -> dict[str, Array]:
        """Sample ``index``: input name → C-contiguous array with the input's full shape and type.

        Raises:
            IndexError: there is no such sample.
        """
        if not 0 <= index < self._count:
            raise IndexError(f"sample {index} of {self._count}")
        result = {}
        for spec in self.specs:
            sample = self._stored[spec.name][index]
            grid = self.grids.get(spec.name)
            if grid is not None:
                # float64 inside, so that integers times the scale round once.
                sample = sample.astype(np.float64) * grid.scale + grid.offset
            result[spec.name] = np.ascontiguousarray(np.asarray(sample).astype(spec.dtype).reshape(spec.shape))
        return result

    def first(self, count: int) -> Samples:
        """The first ``count`` samples (all of them where there are fewer); arrays are shared, not copied."""
        arrays: dict[str, Array] = {name: array[:count] for name, array in self._stored.items()}
        for name, grid in self.grids.items():
            arrays |= {f"{name}_scale": np.array(grid.scale), f"{name}_offset": np.array(grid.offset)}
        return Samples(arrays, self.specs, self.where, checked=True)


def read_arrays(path: Path | str) -> dict[str, Array]:
    """Every array of a ``.npz`` file, under the caps of this module and without pickles.

    Raises:
        EdgeqError: EQ0110, EQ0111 or EQ0117.
    """
    where = str(path)
    try:
        with zipfile.ZipFile(path) as archive:
            _check_directory(archive.infolist(), where)
            return {info.filename[:-4]: _read_entry(archive, info, where) for info in archive.infolist()}
    except (OSError, zipfile.BadZipFile, ValueError, EOFError, NotImplementedError, RuntimeError, SyntaxError) as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else str(error).split("\n", 1)[0]
        raise EdgeqError(
            "EQ0110",
            "the data file cannot be read",
            where=where,
            got=reason,
            allowed="a .npz file of numpy arrays",
            hint="numpy.savez(path, x=samples) writes one",
        ) from None


def _check_directory(entries: list[zipfile.ZipInfo], where: str) -> None:
    names = [info.filename for info in entries]
    if not names or len(set(names)) != len(names) or not all(name.endswith(".npy") for name in names):
        raise ValueError("it is not an archive of distinct .npy arrays")
    total = sum(info.file_size for info in entries)
    packed = sum(info.compress_size for info in entries)
    over = None
    if len(entries) > MAX_ENTRIES:
        over = (f"{len(entries)} arrays", f"{MAX_ENTRIES}")
    elif total > MAX_TOTAL_BYTES:
        over = (f"{total} bytes expanded", f"{MAX_TOTAL_BYTES}")
    elif total > RATIO_FREE_BYTES and total > MAX_RATIO * packed:
        over = (f"{total} bytes out of {packed}", f"{MAX_RATIO} times its packed size")
    if over:
        raise EdgeqError("EQ0111", "the data file is over the limits", where=where, got=over[0], allowed=f"≤ {over[1]}")


def _read_entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str) -> Array:
    """One array; its header must declare exactly the bytes that the directory promised, or nothing is allocated."""
    with archive.open(info) as stream:
        version = _npy.read_magic(stream)
        read_header = _npy.read_array_header_1_0 if version == (1, 0) else _npy.read_array_header_2_0
        shape, fortran, dtype = read_header(stream)
        key = info.filename[:-4]
        if dtype.kind not in "biufU":
            raise EdgeqError(
                "EQ0117",
                "the array has an element type that is not read",
                where=f"{where}: {key}",
                got=dtype,
                allowed="bool, integers, floats or text",
            )
        count = 1
        for dim in shape:
            count *= dim
        if len(shape) > MAX_RANK or count * dtype.itemsize != info.file_size - stream.tell():
            raise ValueError(f"array {key}: its header does not fit its data")
        data = stream.read(count * dtype.itemsize)
    array = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
    return array.astype(dtype.newbyteorder("="), copy=False)


def _key_of(spec: InputSpec, specs: Sequence[InputSpec], arrays: Mapping[str, Array], where: str) -> str:
    if spec.name in arrays:
        return spec.name
    if len(specs) == 1 and "x" in arrays:
        return "x"
    wanted = "x" if len(specs) == 1 else ", ".join(other.name for other in specs)
    raise EdgeqError(
        "EQ0112",
        f"no array for the model input {spec.name}",
        where=where,
        got=", ".join(sorted(arrays)) or "none",
        allowed=wanted,
        hint="name the array as the input, or x where the model has one input",
    )


def _without_leading_ones(shape: Sequence[int]) -> tuple[int, ...]:
    dims = list(shape)
    while dims and dims[0] == 1:
        dims.pop(0)
    return tuple(dims)


def _check_array(stored: Array, spec: InputSpec, key: str, where: str) -> None:
    wanted = _without_leading_ones(spec.shape)
    place = f"{where}: {key}"
    if stored.ndim == 0 or _without_leading_ones(stored.shape[1:]) != wanted:
        raise EdgeqError(
            "EQ0113",
            "the samples have another shape than the model input",
            where=place,
            got=list(stored.shape),
            allowed=f"{['N', *wanted]} for input {spec.name} {list(spec.shape)}".replace("'", ""),
            hint="samples lie on axis 0, without the batch dimension of the model",
        )
    if len(stored) == 0:
        raise EdgeqError("EQ0114", "the data file holds no samples", where=place, got=0, allowed="at least 1")
    readable = "biuf" if spec.dtype.kind == "f" else "biu"
    if stored.dtype.kind not in readable:
        raise EdgeqError(
            "EQ0117",
            "the samples have another element type than the model input",
            where=place,
            got=stored.dtype,
            allowed="numbers" if readable == "biuf" else f"integers for input {spec.name} ({spec.dtype})",
        )


def _grid_of(stored: Array, key: str, arrays: Mapping[str, Array], where: str) -> Grid | None:
    if stored.dtype.kind not in "iu":
        return None
    parts = []
    for name, default in ((f"{key}_scale", 1.0), (f"{key}_offset", 0.0)):
        given = np.asarray(arrays.get(name, np.float64(default)))
        if given.size != 1 or given.dtype.kind not in "iuf" or not np.isfinite(given).all():
            raise EdgeqError("EQ0118", f"{name} is not one finite number", where=where, got=given.tolist())
        parts.append(float(given.reshape(())))
    if parts[0] <= 0:
        raise EdgeqError("EQ0118", f"{key}_scale is not positive", where=where, got=parts[0], allowed="> 0")
    limits = np.iinfo(stored.dtype)
    return Grid(parts[0], parts[1], int(limits.min), int(limits.max))


def _check_finite(stored: Array, key: str, where: str) -> None:
    if stored.dtype.kind != "f":
        return
    for start in range(0, len(stored), _CHUNK):
        part = stored[start : start + _CHUNK]
        good = np.isfinite(part)
        if part.dtype.itemsize > np.dtype(np.float32).itemsize:
            good &= np.abs(part) <= np.finfo(np.float32).max
        if not good.all():
            index = start + int(np.argwhere(~good)[0][0])
            raise EdgeqError(
                "EQ0115",
                "a sample holds NaN, infinity or a value beyond float32",
                where=f"{where}: {key}[{index}]",
                allowed="finite values",
            )
