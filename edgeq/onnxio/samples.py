"""Data files: ``.npz`` with one array per model input, handed out one sample at a time.

Every array's shape and type are compared with the model before its data is read (:mod:`edgeq.archive`). Arrays
stay in the type they are stored in (images as uint8); each sample becomes float32 only when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import permutations
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edgeq.archive import Archive, Arrays, Header, StoredArray
from edgeq.errors import EdgeqError
from edgeq.numerics.array import Array
from edgeq.onnxio.sequences import Sequences, without_leading_ones
from edgeq.onnxio.states import states_of
from edgeq.sources import DataSource, shown

if TYPE_CHECKING:
    import onnx_ir

_PERMUTED_AXES: Final = 5
X_KEY: Final = "x"  # the key of the samples where the model has one input


@dataclass(frozen=True)
class InputSpec:
    """A model input as data files must match it: ``shape`` is static and has the batch dimension."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class IntegerScale:
    """What integers in a data file mean: model input = stored * ``scale`` + ``offset``, stored within [low, high]."""

    scale: float
    offset: float
    low: int
    high: int


def input_specs(model: onnx_ir.Model) -> tuple[InputSpec, ...]:
    """The inputs of a model with static shapes that data is fed to: no initializers, no states.

    Raises:
        EdgeqError: EQ0113, an input has a dimension without a number.
    """
    specs, states = [], {state.input for state in states_of(model)}
    for value in model.graph.inputs:
        if value.is_initializer() or value.name in states:
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


class _Extra(Mapping[str, Array]):
    """The arrays of a file that are no model input, read when they are asked for."""

    def __init__(self, arrays: Archive | Arrays, used: set[str]) -> None:
        self._arrays = arrays
        self._names = tuple(name for name in arrays if name not in used)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        """Whether there is an array of that name; it is not read for that."""
        return name in self._names

    def __getitem__(self, name: str) -> Array:
        if name not in self._names:
            raise KeyError(name)
        return self._arrays[name]


class Samples:
    """Samples for one model, from :meth:`open` or :meth:`of`.

    ``len(samples)`` is their number, ``samples.inputs(i)`` what run i of the model takes. A sample of a model with
    states is a sequence of ``length`` runs, at whose start the states are zero; else a run is a sample.

    Attributes:
        where: the file, for messages.
        specs: the model's inputs, its states excluded.
        length: time steps of a sequence; None for a model without states.
        states: by state input, what it holds at the start of each run, where that is known: runs on axis 0.
        chosen: the numbers of the runs that count, of all those in the file; None: all.
        keys: by input, the key of its array.
        stored: by input, its rows as they are stored.
        integer_scales: by input that is stored as integers, what they stand for.
        scaled: the keys of integers whose scale or offset the file states.
        unscaled: the keys for which the file states a scale or offset that does not count: they hold no integers, or
            the model's input is no float.
        rivals: by input, another array of the file that could be meant.
        extra: every further array of the file (``y``, ``group``, ``class_names``, …), read when asked for.
        extra_headers: their shapes and types.
    """

    def __init__(
        self,
        arrays: Archive | Arrays | Mapping[str, Array],
        specs: Sequence[InputSpec],
        where: str = "data",
        *,
        sequences: bool = False,
    ) -> None:
        source = arrays if isinstance(arrays, (Archive, Arrays)) else Arrays(arrays)
        self.where = where
        self.specs = tuple(specs)
        self.keys = {spec.name: _key_of(spec, self.specs, source, where) for spec in self.specs}
        self._sequences: dict[str, Sequences] = {}
        for spec in self.specs:
            key = self.keys[spec.name]
            header = source.headers[key]
            found = Sequences.of(header.shape, spec.shape) if sequences else None
            if found is not None:
                self._sequences[spec.name] = found
            _check_array(header, spec, key, where, sequences=sequences, is_sequence=found is not None)
        self.length = _common_length(self._sequences, self.keys, where) if sequences else None
        self.states: Mapping[str, Array] = {}
        self.chosen: Array | None = None
        self._last: dict[str, tuple[int, Array]] = {}
        self.rivals = _rivals(self.specs, self.keys, source)
        stated = {key for key in self.keys.values() if f"{key}_scale" in source or f"{key}_offset" in source}
        self.integer_scales: dict[str, IntegerScale] = {}
        used: set[str] = set()
        for spec in self.specs:
            key = self.keys[spec.name]
            used |= {key, f"{key}_scale", f"{key}_offset"}
            scale = _integer_scale(source.headers[key].dtype, key, source, where)
            if scale is not None and spec.dtype.kind == "f":
                self.integer_scales[spec.name] = scale
        self.scaled = {self.keys[name] for name in self.integer_scales} & stated
        self.unscaled = stated - self.scaled
        self.extra: Mapping[str, Array] = _Extra(source, used)
        self.extra_headers = {name: source.headers[name] for name in self.extra}
        lengths = {name: source.headers[key].shape[0] for name, key in self.keys.items()}
        if "group" in self.extra:
            lengths["group"] = next(iter(source.headers["group"].shape), 0)
        if len(set(lengths.values())) > 1:
            raise EdgeqError(
                "EQ0116",
                "the arrays hold different numbers of samples",
                where=where,
                got=", ".join(f"{name}: {count}" for name, count in sorted(lengths.items())),
                allowed="one number",
            )
        self._count = next(iter(lengths.values()), 0)
        self.stored: dict[str, StoredArray] = {}
        for spec in self.specs:
            key = self.keys[spec.name]
            self.stored[spec.name] = source.array(key)
            _check_finite(self.stored[spec.name], key, where)

    @classmethod
    def of(cls, arrays: Mapping[str, Array], model: onnx_ir.Model) -> Samples:
        """Samples from arrays in memory, under the names a data file would have."""
        return cls(arrays, input_specs(model), sequences=bool(states_of(model)))

    @classmethod
    def open(
        cls, source: str | DataSource, model: onnx_ir.Model | Sequence[InputSpec], *, sequences: bool = False
    ) -> Samples:
        """Read a ``.npz`` data file, or arrays in memory, for a model (or for the inputs given).

        Args:
            source: the data.
            model: a model, which says whether it has states, or inputs.
            sequences: these are the inputs of a model with states.

        Raises:
            EdgeqError: EQ0110 unreadable, EQ0111 over the caps, EQ0112 array missing, EQ0113 wrong shape, EQ0114 empty,
                EQ0115 NaN or infinity, EQ0116 unequal lengths, EQ0117 element type, EQ0118 scale or offset, EQ0148
                sequences of different lengths.
        """
        if isinstance(model, Sequence):
            specs = tuple(model)
        else:
            specs, sequences = input_specs(model), bool(states_of(model))
        if isinstance(source, (str, Path)):
            return cls(read_arrays(source), specs, str(source), sequences=sequences)
        return cls(source, specs, shown(source), sequences=sequences)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[dict[str, Array]]:
        return (self.inputs(index) for index in range(self.runs))

    @property
    def runs(self) -> int:
        """How many times a model runs for these samples."""
        return len(self) * (self.length or 1) if self.chosen is None else len(self.chosen)

    def sample_of(self, run: int) -> int:
        """The sample that a run belongs to."""
        return (run if self.chosen is None else int(self.chosen[run])) // (self.length or 1)

    def with_states(self, states: Mapping[str, Array], chosen: Array) -> Samples:
        """These samples as runs that do not depend on each other: what the states hold is an input like the others.

        Args:
            states: by state input, its value at the start of each chosen run.
            chosen: the numbers of the runs.
        """
        result = copy(self)
        result.states, result.chosen = states, chosen
        return result

    @property
    def labels(self) -> Array | None:
        """The array ``y``, or None."""
        return self.extra.get("y")

    def inputs(self, run: int) -> dict[str, Array]:
        """What run ``run`` takes: input name → C-contiguous array with the input's full shape and type.

        Raises:
            IndexError: there is no such run.
            EdgeqError: EQ0143 an integer is beyond the type of its input.
        """
        if not 0 <= run < self.runs:
            raise IndexError(f"run {run} of {self.runs}")
        sample, step = divmod(run if self.chosen is None else int(self.chosen[run]), self.length or 1)
        result = {name: values[run] for name, values in self.states.items()}
        for spec in self.specs:
            row = self._row(spec.name, sample)
            real = np.asarray(self.real(spec, self._sequences[spec.name].step(row, step) if self._sequences else row))
            if spec.dtype.kind in "iu":
                _check_range(real, spec, f"{self.where}: {self.keys[spec.name]}[{sample}]")
            result[spec.name] = np.asarray(real.astype(spec.dtype).reshape(spec.shape), order="C")
        return result

    def _row(self, name: str, sample: int) -> Array:
        """A sample as it is stored; that of a sequence is kept for its other time steps."""
        if self.length is None:
            return self.stored[name].row(sample)
        last, row = self._last.get(name, (-1, np.empty(0)))
        if last != sample:
            row = self.stored[name].row(sample)
            self._last[name] = sample, row
        return row

    def real(self, spec: InputSpec, stored: Array) -> Array:
        """Stored values as the model sees them: integers times their scale, where they have one, in float64."""
        integers = self.integer_scales.get(spec.name)
        # float64 inside, so that integers times the scale round once.
        return stored if integers is None else stored.astype(np.float64) * integers.scale + integers.offset

    def first(self, count: int) -> Samples:
        """The first ``count`` samples (all of them where there are fewer); arrays are shared, not copied."""
        result = copy(self)
        result.stored = {name: array.first(count) for name, array in self.stored.items()}
        vars(result)["_count"] = min(count, self._count)
        return result


def keys_of(source: DataSource) -> tuple[str, ...]:
    """The names of the arrays in a data file, or of those in memory.

    Raises:
        EdgeqError: EQ0110, EQ0111 or EQ0117.
    """
    return tuple(read_arrays(source) if isinstance(source, Path) else source)


def read_arrays(path: Path | str) -> Archive:
    """The arrays of a ``.npz`` file, read when they are asked for, without pickles.

    Raises:
        EdgeqError: EQ0110, EQ0111 or EQ0117.
    """
    return Archive(path)


def _key_of(spec: InputSpec, specs: Sequence[InputSpec], arrays: Mapping[str, Array], where: str) -> str:
    if spec.name in arrays:
        return spec.name
    if len(specs) == 1 and X_KEY in arrays:
        return X_KEY
    wanted = X_KEY if len(specs) == 1 else ", ".join(other.name for other in specs)
    raise EdgeqError(
        "EQ0112",
        f"no array for the model input {spec.name}",
        where=where,
        got=", ".join(sorted(arrays)) or "none",
        allowed=wanted,
        hint="name the array as the input, or x where the model has one input",
    )


def _rivals(specs: Sequence[InputSpec], keys: Mapping[str, str], arrays: Archive | Arrays) -> dict[str, str]:
    """Where both ``x`` and the input's own name are there and have its shape, the one that is not taken."""
    if len(specs) != 1 or keys[specs[0].name] == X_KEY or X_KEY not in arrays:
        return {}
    shape = arrays.headers[X_KEY].shape
    fits = len(shape) > 0 and without_leading_ones(shape[1:]) == without_leading_ones(specs[0].shape)
    return {specs[0].name: X_KEY} if fits and arrays.headers[X_KEY].dtype.kind in "biuf" else {}


def _common_length(sequences: Mapping[str, Sequences], keys: Mapping[str, str], where: str) -> int:
    """The number of time steps, which all inputs share."""
    lengths = {keys[name]: found.length for name, found in sequences.items()}
    if len(set(lengths.values())) > 1:
        raise EdgeqError(
            "EQ0148",
            "the arrays hold sequences of different lengths",
            where=where,
            got=", ".join(f"{key}: {length} time steps" for key, length in sorted(lengths.items())),
            allowed="one number of time steps",
        )
    return next(iter(lengths.values()))


def _check_array(header: Header, spec: InputSpec, key: str, where: str, *, sequences: bool, is_sequence: bool) -> None:
    wanted = without_leading_ones(spec.shape)
    place = f"{where}: {key}"
    shape = header.shape
    if sequences and not is_sequence:
        raise EdgeqError(
            "EQ0113",
            "the samples of a model with states are sequences",
            where=place,
            got=list(shape),
            allowed=f"{Sequences.allowed(spec.shape)} for input {spec.name} {list(spec.shape)}",
            hint="samples on axis 0, time steps on axis 1; --no-state if the model is to have no states",
        )
    if not sequences and (not shape or without_leading_ones(shape[1:]) != wanted):
        order = _mending_order(shape, wanted)
        raise EdgeqError(
            "EQ0113" if order is None else "EQ0134",
            "the samples have another shape than the model input"
            if order is None
            else "the samples have another layout than the model input",
            where=place,
            got=list(shape),
            allowed=f"{['N', *wanted]} for input {spec.name} {list(spec.shape)}".replace("'", ""),
            hint=_mending_shape(shape, wanted, key)
            if order is None
            else f"write {key}.transpose({', '.join(map(str, order))})",
        )
    if shape[0] == 0:
        raise EdgeqError("EQ0114", "the data file holds no samples", where=place, got=0, allowed="at least 1")
    readable = "biuf" if spec.dtype.kind == "f" else "biu"
    if header.dtype.kind not in readable:
        raise EdgeqError(
            "EQ0117",
            "the samples have another element type than the model input",
            where=place,
            got=header.dtype,
            allowed="numbers" if readable == "biuf" else f"integers for input {spec.name} ({spec.dtype})",
        )


def _check_range(integers: Array, spec: InputSpec, where: str) -> None:
    """Integers of another type than the input's could wrap around."""
    limits = np.iinfo(spec.dtype)
    low, high = int(limits.min), int(limits.max)
    if integers.dtype == spec.dtype or integers.dtype.kind not in "iu":
        return
    beyond = integers[(integers < low) | (integers > high)]
    if beyond.size:
        raise EdgeqError(
            "EQ0143",
            "an integer of the data is out of range",
            where=f"{where}, input {spec.name}",
            got=int(beyond.reshape(-1)[0]),
            allowed=f"{low} to {high}",
            hint="the model's input has this type",
        )


def _mending_order(shape: Sequence[int], wanted: tuple[int, ...]) -> tuple[int, ...] | None:
    """The order of the axes that gives samples the shape of the input; channels last and first are tried first."""
    inner = range(1, len(shape))
    if not 2 <= len(inner) <= _PERMUTED_AXES or sorted(dim for dim in shape[1:] if dim != 1) != sorted(
        dim for dim in wanted if dim != 1
    ):
        return None
    usual = [(len(shape) - 1, *inner[:-1]), (*inner[1:], 1)]
    for order in (*usual, *permutations(inner)):
        if without_leading_ones([shape[axis] for axis in order]) == wanted and tuple(order) != tuple(inner):
            return (0, *order)
    return None


def _mending_shape(shape: Sequence[int], wanted: tuple[int, ...], key: str) -> str:
    """What to do about samples of another shape, as far as the numbers say."""
    if without_leading_ones(shape) == wanted:
        return f"samples lie on axis 0: write {key}[None] for one sample"
    if len(shape) > 1 and prod(shape[1:]) == prod(wanted) and len(wanted) == 1:
        return f"write {key}.reshape(len({key}), -1)"
    same = [dim for dim in shape[1:] if dim != 1] == [dim for dim in wanted if dim != 1]
    if same or (len(shape) == 2 and shape[1] == prod(wanted)):
        return f"write {key}.reshape({', '.join(map(str, (f'len({key})', *wanted)))})"
    return "samples lie on axis 0, without the batch dimension of the model"


def _integer_scale(dtype: np.dtype[Any], key: str, arrays: Mapping[str, Array], where: str) -> IntegerScale | None:
    if dtype.kind not in "iu":
        return None
    parts = []
    for name, default in ((f"{key}_scale", 1.0), (f"{key}_offset", 0.0)):
        given = np.asarray(arrays.get(name, np.float64(default)))
        if given.size != 1 or given.dtype.kind not in "iuf" or not np.isfinite(given).all():
            raise EdgeqError("EQ0118", f"{name} is not one finite number", where=where, got=_short(given))
        parts.append(float(given.reshape(())))
    if parts[0] <= 0:
        raise EdgeqError("EQ0118", f"{key}_scale is not positive", where=where, got=parts[0], allowed="> 0")
    limits = np.iinfo(dtype)
    return IntegerScale(parts[0], parts[1], int(limits.min), int(limits.max))


def _short(array: Array) -> str:
    return str(array.tolist()) if array.size == 1 else f"{array.dtype} of shape {list(array.shape)}"


def _check_finite(stored: StoredArray, key: str, where: str) -> None:
    if stored.dtype.kind != "f":
        return
    for start, part in stored.blocks():
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
