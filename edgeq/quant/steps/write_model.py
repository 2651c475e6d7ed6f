"""The float model and the plan become one QDQ model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq.notes import warn
from edgeq.onnxio.forests import FOREST, canonical_forest, round_thresholds
from edgeq.onnxio.qdq_form import write_qdq
from edgeq.ops.base import ML_DOMAIN
from edgeq.quant.properties import PLANNED, WRITTEN
from edgeq.quant.step import Step

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.numerics.array import Array
    from edgeq.quant.state import State

# The share of a feature's thresholds that may coincide with others before it is told, and how many integers apart its
# outermost ones must be for nothing to be told.
_TOLD_SHARE: Final = 0.1
_FEW_INTEGERS: Final = 256


def write_model(state: State) -> None:
    """Write the canonical QDQ form; forests compare with numbers that their operand can be."""
    state.result = write_qdq(state.model, state.plan)
    forests = {str(node.name): node for node in state.model.graph if _is_forest(node)}
    for node in state.result.graph:
        known = forests.get(str(node.name))
        operand = None if known is None else known.inputs[0]
        params = None if operand is None else state.plan.activations.get(str(operand.name))
        if params is None:
            continue
        before = _thresholds(node)
        round_thresholds(node, params)
        _tell_of_coincidence(node, before, _thresholds(node), params.scale[0])


def _is_forest(node: onnx_ir.Node) -> bool:
    return node.domain == ML_DOMAIN and node.op_type == FOREST


def _thresholds(node: onnx_ir.Node) -> Array:
    """float64 [2, nodes], feature and threshold of each node that is no leaf."""
    forest = canonical_forest(node)
    inner = ~forest.is_leaf
    return np.stack([forest.features[inner], forest.thresholds[inner]]).astype(np.float64)


def _tell_of_coincidence(node: onnx_ir.Node, before: Array, behind: Array, step: float) -> None:
    """Warn of features whose thresholds lie within a few integers, of which several have become the same."""
    coarse = []
    for feature in np.unique(before[0]):
        of_feature = before[0] == feature
        distinct, left = (np.unique(thresholds[1, of_feature]) for thresholds in (before, behind))
        lost, reach = len(distinct) - len(left), float(np.ptp(left)) / step
        if lost > _TOLD_SHARE * len(distinct) and reach < _FEW_INTEGERS:
            coarse.append((lost, int(feature), len(distinct), len(left)))
    if not coarse:
        return
    _, feature, count, kept = max(coarse)
    warn(
        "EQ0370",
        "thresholds of a forest coincide: the step of its input is too coarse for some features",
        where=f"node {node.name}",
        got=f"{len(coarse)} features; {count} thresholds of feature {feature} become {kept}",
        allowed=f"up to {100 * _TOLD_SHARE:g} % of a feature's thresholds are not told",
        hint="all features share one scale: train on features of similar ranges, and scale them in the application",
    )


STEP: Final = Step("write_model", write_model, requires=(PLANNED,), ensures=(WRITTEN,))
