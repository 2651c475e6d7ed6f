"""Each group of values gets one range: an observer's choice from what calibration saw of each of its values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from edgeq.ir import DType, Quantization
from edgeq.quant.observers import OBSERVERS, Observer
from edgeq.quant.parameters import integer_parameters
from edgeq.quant.properties import CALIBRATED, RANGED
from edgeq.quant.ranges import Ranges
from edgeq.quant.specification import array_of
from edgeq.quant.step import Step

if TYPE_CHECKING:
    from edgeq.quant.state import State
    from edgeq.quant.statistics import Wanted


# Of 16 bits one is given away, so that values beyond those of the calibration data are not cut.
INT16_MARGIN: Final = 2.0


def choose_ranges(observe: Observer, state: State) -> None:
    """The union of the ranges of a group's values, of the constants that share its scale, and of zero.

    What is clipped at the range of the others does not count.

    In int16 a range is that of the values seen, with a margin, whatever the observer.
    """
    specification, given = state.specification, state.given.activations
    extents: list[tuple[float, float]] = []
    decided: list[Quantization | None] = []
    for group, dtype in zip(specification.groups, specification.dtypes, strict=True):
        fixed = [specification.fixed[name] for name in group if name in specification.fixed]
        fixed += [given[name] for name in group if name in given]
        seen = [state.histogram(name) for name in group if name not in specification.clipped]
        if dtype is DType.INT16:
            observed = [(INT16_MARGIN * low, INT16_MARGIN * high) for low, high in map(OBSERVERS["minmax"], seen)]
        else:
            observed = [observe(histogram) for histogram in seen]
        # Ends beyond zero are moved there at last; a tensor without elements has an empty range.
        low, high = min(low for low, _ in observed), max(high for _, high in observed)
        extents.append((min(low, 0.0), max(high, 0.0)))
        decided.append(fixed[0] if fixed else None)
    for operand, (value, number) in specification.operands.items():
        if number is not None and operand not in specification.clipped:
            array = array_of(value)
            low, high = extents[number]
            extents[number] = min(low, float(array.min(initial=0))), max(high, float(array.max(initial=0)))
    # Integer inputs keep their own parameters where everything that shares them is a copy of them.
    for name, integers in (state.samples.integer_scales if state.samples is not None else {}).items():
        found = specification.group_of.get(name)
        if found is None or decided[found] is not None:
            continue
        if specification.sources.isdisjoint(set(specification.groups[found]) - {name}):
            decided[found] = integer_parameters(integers, *extents[found], specification.dtypes[found])
    state.ranges = Ranges(tuple(extents), tuple(decided))


def _histograms(state: State) -> Iterable[Wanted]:
    return (state.histogram_of(name) for name in state.specification.names)


STEPS: Final[Mapping[str, Step]] = {
    name: Step(
        "choose_ranges",
        partial(choose_ranges, observe),
        requires=(CALIBRATED,),
        ensures=(RANGED,),
        wants=_histograms,
    )
    for name, observe in OBSERVERS.items()
}
