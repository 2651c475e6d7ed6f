"""What can be true of a state: the vocabulary of the steps' ``requires`` and ``ensures``.

Each property is checked on the state itself, so that no step has to be believed; a check compares names and shapes and
takes no time that counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from edgeq.quant.state import State


@dataclass(frozen=True, eq=False)
class Property:
    """One property.

    Attributes:
        name: an adjective, for messages.
        fault: what contradicts it in a state, or None where it holds.
    """

    name: str
    fault: Callable[[State], str | None]


def _separated(state: State) -> str | None:
    return None if hasattr(state, "copies") else "scales were not separated"


def _specified(state: State) -> str | None:
    if not hasattr(state, "specification"):
        return "there is no specification"
    values = _values(state)
    return _missing("the model has no value", (name for name in state.specification.names if name not in values))


def _calibrated(state: State) -> str | None:
    if not hasattr(state, "calibration"):
        return "there are no statistics"
    known = state.calibration.wanted
    return _missing("there are no statistics", (wanted.label for wanted in state.wanted() if wanted not in known))


def _ranged(state: State) -> str | None:
    if not hasattr(state, "ranges"):
        return "there are no ranges"
    extents = state.ranges.extents
    if len(extents) != len(state.specification.groups):
        return f"{len(extents)} ranges for {len(state.specification.groups)} groups"
    bad = (
        group[0]
        for group, (low, high) in zip(state.specification.groups, extents, strict=True)
        if not (isfinite(low) and isfinite(high) and low <= 0.0 <= high)
    )
    return _missing("a range that is not finite or lacks zero", bad)


def _planned(state: State) -> str | None:
    if not hasattr(state, "plan"):
        return "there is no plan"
    plan, values = state.plan, _values(state)
    bare = (name for name in state.specification.names if name in values and name not in plan.activations)
    fault = _missing("no parameters", bare)
    if fault is not None:
        return fault
    wanted = {key: value for key, (value, _) in state.specification.operands.items()}
    for layer in state.specification.layers:
        for index in (layer.weight_index, layer.bias_index):
            operand = layer.node.inputs[index]
            assert operand is not None  # specify has looked
            wanted[str(layer.node.name), index] = operand
    for (node, index), operand in wanted.items():
        constant = plan.constants.get((node, index))
        if constant is None:
            return f"no integers for input {index} of node {node}"
        if operand.const_value is None or np.shape(constant.values) != tuple(operand.const_value.shape):
            return f"integers of another shape for input {index} of node {node}"
    return None


def _chosen(state: State) -> str | None:
    if not hasattr(state, "choice"):
        return "no method was chosen"
    return None if state.choice.method in state.choice.ratios_db else "the method chosen has no ratio"


def _measured(state: State) -> str | None:
    if not hasattr(state, "layer_ratios_db"):
        return "no layer was measured"
    names = (str(layer.node.name) for layer in state.specification.layers)
    return _missing("not measured", (name for name in names if name not in state.layer_ratios_db))


def _tidy(state: State) -> str | None:
    left = {str(value.name) for node in state.model.graph for value in node.outputs} & state.copies.keys()
    found = state.plan.activations
    return _missing("idle", (name for name in left if found.get(name) == found.get(state.copies[name])))


def _written(state: State) -> str | None:
    return None if hasattr(state, "result") else "no model was written"


def _values(state: State) -> set[str]:
    """The names of all values that the model computes or is given."""
    computed = {str(value.name) for node in state.model.graph for value in node.outputs}
    return computed | {str(value.name) for value in state.model.graph.inputs}


def _missing(what: str, names: Iterable[str]) -> str | None:
    first = next(iter(names), None)
    return None if first is None else f"{what}: {first}"


SEPARATED: Final = Property("separated", _separated)
SPECIFIED: Final = Property("specified", _specified)
CALIBRATED: Final = Property("calibrated", _calibrated)
RANGED: Final = Property("ranged", _ranged)
PLANNED: Final = Property("planned", _planned)
CHOSEN: Final = Property("chosen", _chosen)
MEASURED: Final = Property("measured", _measured)
TIDY: Final = Property("tidy", _tidy)
WRITTEN: Final = Property("written", _written)
