"""What a data file holds, input by input, found in one pass over its samples (two where a value stands out)."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from edgeq import budget
from edgeq.numerics.array import Array
from edgeq.onnxio.samples import InputSpec, Samples

_KEPT_VALUES: Final = 1 << 16  # drawn from all, to see how they are distributed
_SEED: Final = 20261127
# A group of values stands out where the gap to the others is wider than this part of the others' range,
_GAP: Final = 0.75
# and where it is no larger than this share of all values.
_RARE: Final = 0.1
_FEW_VALUES: Final = 8  # of features with fewer different values (one-hot, flags) none stands out
_OWN_SCALE: Final = 0.5  # a position that stands out in more samples than this has a scale of its own
_BLANK_VALUES: Final = 16  # fewer are the same by chance
_TAILS: Final = 4096  # values at either end that are looked at for a gap


@dataclass(frozen=True)
class Outliers:
    """Values far outside the rest.

    Attributes:
        value: the most frequent of them, and ``repeated``: how many values are exactly that one.
        repeated: likewise.
        count: number of values that stand out.
        samples: number of samples with such a value, of which ``first`` is the first.
        first: likewise.
        low, high: the range of the rest.
    """

    value: float
    repeated: int
    count: int
    samples: int
    first: int
    low: float
    high: float


@dataclass(frozen=True)
class InputFacts:
    """One model input's data, in the units that the model sees (integers times their scale).

    Attributes:
        key: of the array in the file.
        dtype: as stored.
        shape: as stored, samples first.
        scale, offset: of integers; None where the file does not give them.
        low, mean, high: over all values.
        integers: share of the values that are whole numbers.
        distinct: number of different samples.
        blank: number of samples of 16 values or more that are one value throughout.
        outliers: values far outside the rest.
        real: the model's input is float; integers of an integer input are indices, or quantized already.
    """

    key: str
    dtype: str
    shape: tuple[int, ...]
    scale: float | None
    offset: float | None
    low: float
    mean: float
    high: float
    integers: float
    distinct: int
    blank: int
    outliers: Outliers | None
    real: bool = True

    @property
    def samples(self) -> int:
        """Number of samples."""
        return self.shape[0]

    def to_json(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self) | {"shape": list(self.shape)}

    def __str__(self) -> str:
        scaled = "" if self.scale is None else f" * {self.scale:.4g}" + (f" + {self.offset:.4g}" if self.offset else "")
        return (
            f"key {self.key}, {self.dtype} {list(self.shape)}{scaled}: {self.low:.4g} to {self.high:.4g}, mean "
            f"{self.mean:.4g}, {self.integers:.0%} integers, {self.distinct} different samples"
        )


def facts_of(samples: Samples) -> dict[str, InputFacts]:
    """The facts of every input."""
    return {spec.name: _facts(samples, spec) for spec in samples.specs}


def _facts(samples: Samples, spec: InputSpec) -> InputFacts:
    stored = samples.stored[spec.name]
    low, high, total, whole, count = np.inf, -np.inf, 0.0, 0, 0
    seen: set[bytes] = set()
    blank = 0
    kept: list[Array] = []
    generator = np.random.default_rng(_SEED)
    values = max(int(np.prod(stored.shape)), 1)
    for _, rows in stored.blocks():
        budget.tick("the data file")
        seen.update(hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in np.ascontiguousarray(rows))
        real = np.asarray(samples.real(spec, rows), np.float64).reshape(-1)
        if real.size == 0:
            continue
        if real.size >= _BLANK_VALUES * len(rows):
            flat = real.reshape(len(rows), -1)
            blank += int((flat == flat[:, :1]).all(axis=1).sum())
        low, high = min(low, float(real.min())), max(high, float(real.max()))
        total += float(real.sum())
        whole += int((real == np.rint(real)).sum())
        count += real.size
        drawn = min(real.size, -(-_KEPT_VALUES * real.size // values))
        kept.append(real if drawn == real.size else real[generator.integers(0, real.size, drawn)])
    found = _find_gap(np.concatenate([*kept, np.array([low, high])])) if count else None
    integers, key = samples.integer_scales.get(spec.name), samples.keys[spec.name]
    scaled = integers is not None and key in samples.scaled
    return InputFacts(
        key=key,
        dtype=str(stored.dtype),
        shape=stored.shape,
        scale=integers.scale if integers is not None and scaled else None,
        offset=integers.offset if integers is not None and scaled else None,
        low=low if count else 0.0,
        mean=total / max(count, 1),
        high=high if count else 0.0,
        integers=whole / max(count, 1),
        distinct=len(seen),
        blank=blank,
        outliers=_count_outliers(samples, spec, *found) if found is not None else None,
        real=spec.dtype.kind == "f",
    )


def _find_gap(drawn: Array) -> tuple[float, float] | None:
    """The range of the rest where a few values stand out above or below; None where none do."""
    values = np.unique(drawn)
    ordered = np.sort(drawn)
    low, high = float(values[0]), float(values[-1])
    for _ in range(2):  # both ends
        inside = values[(values >= low) & (values <= high)]
        if inside.size < _FEW_VALUES:
            return None
        gaps = np.diff(inside)
        ends = np.concatenate([np.arange(min(_TAILS, gaps.size)), np.arange(max(0, gaps.size - _TAILS), gaps.size)])
        widest = int(ends[gaps[ends].argmax()])
        below, above = float(inside[widest]), float(inside[widest + 1])
        share = float(np.searchsorted(ordered, below, side="right")) / ordered.size
        if share <= _RARE and above - below > _GAP * (high - above):
            low = above
        elif share >= 1 - _RARE and above - below > _GAP * (below - low):
            high = below
        else:
            break
    return (low, high) if (low, high) != (float(values[0]), float(values[-1])) else None


def _count_outliers(samples: Samples, spec: InputSpec, low: float, high: float) -> Outliers | None:
    """Count exactly what lies outside [low, high], apart from positions whose own scale is another."""
    stored = samples.stored[spec.name]
    positions = np.zeros(int(np.prod(stored.shape[1:])), np.int64)
    # Half of the gap belongs to either side: values that were not drawn may lie a little further out.
    margin = _GAP * (high - low) / 2
    for _, rows in stored.blocks():
        real = np.asarray(samples.real(spec, rows), np.float64).reshape(len(rows), -1)
        positions += ((real < low - margin) | (real > high + margin)).sum(axis=0)
    usual = positions <= _OWN_SCALE * len(stored)
    values: Counter[float] = Counter()
    count = found = 0
    first = -1
    for start, rows in stored.blocks():
        real = np.asarray(samples.real(spec, rows), np.float64).reshape(len(rows), -1)
        outside = ((real < low - margin) | (real > high + margin)) & usual
        hit = outside.any(axis=1)
        if hit.any():
            first = first if first >= 0 else start + int(hit.argmax())
            found += int(hit.sum())
            count += int(outside.sum())
            numbers, times = np.unique(real[outside], return_counts=True)
            values.update(dict(zip(numbers.tolist(), times.tolist(), strict=True)))
    if not count or count > _RARE * positions.size * len(stored):
        return None
    value, repeated = values.most_common(1)[0]
    return Outliers(value, repeated, count, found, first, low, high)
