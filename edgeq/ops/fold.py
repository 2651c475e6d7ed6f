"""Reductions of plain integers and truth values: a function of two that goes through all elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from edgeq.ir import Node
from edgeq.numerics.array import Array
from edgeq.numerics.integers import reduced
from edgeq.ops.base import Attribute, OnnxForm, Op, Sample, no_macs, spread
from edgeq.ops.reduce import AXES, KEEPDIMS, ONNX_AXES, ONNX_REDUCTION, REDUCED, reduced_shape
from edgeq.ops.signature import Shape, Signature, Slot, Type, alike

FOLDED: Final = {
    "ReduceL1": "add",
    "ReduceMax": "max",
    "ReduceMin": "min",
    "ReduceProd": "multiply",
    "ReduceSum": "add",
    "ReduceSumSquare": "add",
}
"""ONNX operator → the function; of ReduceL1 of magnitudes, of ReduceSumSquare of squares."""


def _evaluate(node: Node, arrays: Sequence[Array]) -> list[Array]:
    kept = bool(node.integer("keepdims"))
    return [reduced(node.text("function"), arrays[0], node.integers("axes"), keepdims=kept)]


def _sample(kind: str, type_: Type, shape: Shape, axes: tuple[int, ...], keepdims: int = 1) -> Sample:
    constants = {1: np.array(axes, np.int64)}
    plain = spread(type_)
    return Sample(
        f"{kind[6:].lower()}-{type_}-{len(shape)}d",
        kind,
        (shape,),
        constants,
        {"keepdims": keepdims},
        plain={0: plain},
        result=type_,
    )


_EXTREMES: Final[tuple[Type, ...]] = ("int8", "uint8", "int32", "uint32", "int64", "uint64", "bool")
_SUMS: Final[tuple[Type, ...]] = ("int32", "uint32", "int64", "uint64")
FOLD: Final = Op(
    name="fold",
    family="fold",
    summary="A function of all plain integers, or truth values, over neighbouring axes",
    signature=Signature((Slot("x"),), plain=alike(_EXTREMES, 2)),
    attributes=(
        AXES,
        KEEPDIMS,
        Attribute("function", "str", "of two elements", values=tuple(sorted(set(FOLDED.values())))),
    ),
    shape=reduced_shape,
    evaluate=_evaluate,
    macs=no_macs,
    axes=REDUCED,
    onnx=tuple(OnnxForm(kind, plain=True, constants=ONNX_AXES, attributes=ONNX_REDUCTION) for kind in FOLDED),
    samples=(
        *(_sample(kind, type_, (1, 4, 5), (2,)) for kind in ("ReduceMax", "ReduceMin") for type_ in _EXTREMES),
        *(
            _sample(kind, type_, (1, 4, 5), (1,), 0)
            for kind in ("ReduceL1", "ReduceProd", "ReduceSum", "ReduceSumSquare")
            for type_ in _SUMS
        ),
        _sample("ReduceSum", "int32", (1, 3, 4, 5), (1, 3)),
        _sample("ReduceMax", "int64", (1, 3, 4, 5), (0, 1, 2, 3), 0),
    ),
    limits="sums and products wrap around",
)
OPS = (FOLD,)
