"""Tensors that never change over all calibration samples: part of the network is dead for this data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from edgeq.errors import Problem

if TYPE_CHECKING:
    import onnx_ir


def dead_layers(model: onnx_ir.Model, ranges: Mapping[str, tuple[float, float]]) -> list[Problem]:
    """The first result in the graph that has one value on all samples; what follows from it is counted.

    Args:
        model: the normalized float model.
        ranges: smallest and largest value seen, by the name of a result.
    """
    flat = [
        (str(node.name), str(node.op_type), str(value.name))
        for node in model.graph
        for value in node.outputs
        if str(value.name) in ranges and ranges[str(value.name)][0] == ranges[str(value.name)][1]
    ]
    if not flat:
        return []
    name, kind, tensor = flat[0]
    level = ranges[tensor][0]
    return [
        Problem(
            "EQ0138",
            "a layer is dead: its result is the same on all calibration samples",
            where=f"node {name} ({kind}), tensor {tensor}",
            got=f"{level:.6g} everywhere" + (f"; {len(flat) - 1} more results do not change" if flat[1:] else ""),
            hint="check the scale of the samples, and the biases in front of the layer",
            severity="warning",
        )
    ]
