"""Reductions over neighbouring axes: extremes, sums, and functions of sums."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Final

import numpy as np

from edgeq.ir import DType, Node, Tensor
from edgeq.numerics import highmul
from edgeq.numerics.array import Array
from edgeq.numerics.reduction import SHIFT_MAX, Logarithm, scaled_logarithm, scaled_root
from edgeq.ops.accumulator import CLAMP, IN_ZERO, value_of
from edgeq.ops.axes import Axes
from edgeq.ops.base import Attribute, Evaluate, OnnxAttribute, OnnxForm, Op, Sample, no_macs
from edgeq.ops.signature import RESULT, Shape, Signature, Slot, Type, invalid

AXES = Attribute("axes", "ints", "sorted, contiguous", 0)
KEEPDIMS = Attribute("keepdims", "int", "1: the axes stay with size 1", 0, 1)
REDUCED = Axes(named="axes", contiguous=True, kept="keepdims")
ONNX_REDUCTION = (OnnxAttribute("keepdims", "int", (0, 1)), OnnxAttribute("noop_with_empty_axes", "int", (0, 1)))
ONNX_AXES: Final[Mapping[int, str]] = {1: "list of axes"}
TERMS: Final[Mapping[str, Callable[[Array], Array]]] = {"magnitude": np.abs, "square": np.square, "value": np.asarray}
"""What is added up of each element less the zero point, int64."""
ROW_MAX_EXPONENTIALS: Final = 1 << 16
_TERM_OF: Final = {"ReduceL1": "magnitude", "ReduceSum": "value", "ReduceSumSquare": "square"}
_TYPES: tuple[tuple[Type, ...], ...] = (("int8", "int8"), ("int16", "int16"))
_OUT_ZERO = value_of(RESULT, "out_zero", "zero point of the result")
_MULTIPLIER = Slot("multiplier", "factor", "int32", shape=(1,))
_LOGARITHM = (
    Attribute("multiplier", "int", "factor of the logarithm, which has 20 bits behind the point", 0, 2**31 - 1),
    Attribute("offset", "int", "what is added before the shift"),
    Attribute("shift", "int", "right shift of the sum", 1, SHIFT_MAX),
)


def term_of(onnx: str) -> str:
    """What a reduction of ONNX that is scaled alone adds up: a key of :data:`TERMS`."""
    return _TERM_OF[onnx]


def reduced_shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    """The shape behind a reduction over ``axes``."""
    shape, axes = operands[0].shape, node.integers("axes")
    if not axes or axes != tuple(range(axes[0], axes[-1] + 1)) or axes[0] < 0 or axes[-1] >= len(shape):
        raise invalid(node, "axes must be contiguous", axes, f"sorted axes of {shape}")
    if prod(shape[axis] for axis in axes) == 0:
        raise invalid(node, "nothing is reduced", shape, "axes that are not empty")
    kept = (1,) * len(axes) if node.integer("keepdims") else ()
    return (*shape[: axes[0]], *kept, *shape[axes[-1] + 1 :])


def _sums(node: Node, x: Array, term: str) -> Array:
    """Sums of x less its zero point, int64."""
    centred = x.astype(np.int64) - node.integer("in_zero")
    kept = bool(node.integer("keepdims"))
    return np.asarray(TERMS[term](centred).sum(axis=node.integers("axes"), keepdims=kept))


def _evaluate_extreme(choose: Callable[..., Array]) -> Evaluate:
    def evaluate(node: Node, arrays: Sequence[Array]) -> list[Array]:
        kept = bool(node.integer("keepdims"))
        return [np.asarray(choose(arrays[0], axis=node.integers("axes"), keepdims=kept))]

    return evaluate


def _evaluate_sum(node: Node, arrays: Sequence[Array]) -> list[Array]:
    x, multiplier = arrays
    shift, zero, low, high = map(node.integer, ("shift", "out_zero", "clamp_min", "clamp_max"))
    sums = _sums(node, x, node.text("term"))
    return [highmul.requantize(sums, multiplier, shift, zero, low, high, x.dtype).reshape(sums.shape)]


def _evaluate_root(node: Node, arrays: Sequence[Array]) -> list[Array]:
    (x,) = arrays
    multiplier, shift, zero = map(node.integer, ("multiplier", "shift", "out_zero"))
    low, high = node.integer("clamp_min"), node.integer("clamp_max")
    return [scaled_root(_sums(node, x, "square"), multiplier, shift, zero, low, high, x.dtype)]


def _logarithm_of(node: Node, sums: Array, linear: Array, slope: int, dtype: np.dtype[np.generic]) -> Array:
    constants = Logarithm(node.integer("multiplier"), slope, node.integer("offset"), node.integer("shift"))
    return scaled_logarithm(sums, linear, constants, node.integer("clamp_min"), node.integer("clamp_max"), dtype)


def _evaluate_log_sum(node: Node, arrays: Sequence[Array]) -> list[Array]:
    (x,) = arrays
    sums = _sums(node, x, "value")
    return [_logarithm_of(node, sums, np.zeros_like(sums), 0, x.dtype)]


def _log_sum_exp_shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    x, table = operands
    entries = (256,) if x.dtype is DType.INT8 else (512,)
    if table.shape != entries:
        raise invalid(node, "the table has a wrong size", table.shape, entries)
    count = prod(x.shape[axis] for axis in node.integers("axes"))
    if count > ROW_MAX_EXPONENTIALS:
        raise invalid(node, "too many elements", count, ROW_MAX_EXPONENTIALS)
    return reduced_shape(node, operands)


def _evaluate_log_sum_exp(node: Node, arrays: Sequence[Array]) -> list[Array]:
    x, table = arrays
    axes = node.integers("axes")
    wide, entries = x.astype(np.int64), table.astype(np.int64)
    largest = wide.max(axis=axes, keepdims=True)
    differences = largest - wide
    if x.dtype == np.int16:
        exponentials = (entries[differences >> 8] * entries[256 + (differences & 255)] + (1 << 15)) >> 16
    else:
        exponentials = entries[differences]
    sums = exponentials.sum(axis=axes, keepdims=True)
    found = _logarithm_of(node, sums, largest - node.integer("in_zero"), node.integer("slope"), x.dtype)
    return [found if node.integer("keepdims") else found.reshape(reduced_shape_of(x.shape, axes))]


def reduced_shape_of(shape: Shape, axes: tuple[int, ...]) -> Shape:
    """The shape without the axes."""
    return tuple(size for axis, size in enumerate(shape) if axis not in axes)


def _samples(*kinds: str, positive: tuple[int, ...] = ()) -> tuple[Sample, ...]:
    """Axes at every place, neighbours and others, of every rank."""
    shapes: tuple[tuple[str, Shape, tuple[int, ...], int], ...] = (
        ("spatial-drop-c8", (1, 8, 3, 4), (2, 3), 0),
        ("rows-c3", (1, 3, 7, 4), (2,), 1),
        ("channels-c17", (1, 17, 3, 3), (1,), 1),
        ("not_neighbours", (1, 3, 4, 5), (1, 3), 0),
        ("3d-time", (1, 20, 6), (1,), 0),
        ("2d-features", (1, 40), (-1,), 1),
        ("everything-rank0", (1, 3, 4, 5), (0, 1, 2, 3), 0),
    )
    return tuple(
        Sample(
            f"{kind[6:].lower()}-{name}",
            kind,
            (shape,),
            {1: np.array(axes, dtype=np.int64)},
            {"keepdims": kept},
            positive=positive,
        )
        for kind in kinds
        for name, shape, axes, kept in shapes
    )


def _form(kind: str, *, same: bool = False, nonnegative: bool = False) -> OnnxForm:
    return OnnxForm(
        kind,
        scale="same" if same else "own",
        constants=ONNX_AXES,
        nonnegative=nonnegative,
        attributes=ONNX_REDUCTION,
    )


def _extreme(name: str, onnx: str, choose: Callable[..., Array], word: str) -> Op:
    return Op(
        name=name,
        family="reduce",
        summary=f"The {word} value over neighbouring axes",
        signature=Signature((Slot("x"),), _TYPES),
        attributes=(AXES, KEEPDIMS),
        shape=reduced_shape,
        evaluate=_evaluate_extreme(choose),
        macs=no_macs,
        axes=REDUCED,
        onnx=(_form(onnx, same=True),),
        samples=_samples(onnx),
    )


REDUCE_MAX = _extreme("reduce_max", "ReduceMax", np.max, "largest")
REDUCE_MIN = _extreme("reduce_min", "ReduceMin", np.min, "smallest")

REDUCE_SUM = Op(
    name="reduce_sum",
    family="reduce",
    summary="The sum of values, magnitudes or squares over neighbouring axes: x, multiplier[1]",
    signature=Signature((Slot("x"), _MULTIPLIER), _TYPES),
    attributes=(
        AXES,
        KEEPDIMS,
        Attribute("term", "str", "what is added up of each element", values=tuple(TERMS)),
        IN_ZERO,
        Attribute("shift", "int", "left shift of the sum before the multiplication; below 0 to the right", -31, 31),
        _OUT_ZERO,
        *CLAMP,
    ),
    shape=reduced_shape,
    evaluate=_evaluate_sum,
    macs=no_macs,
    axes=REDUCED,
    onnx=(
        _form("ReduceL1", nonnegative=True),
        _form("ReduceSum"),
        _form("ReduceSumSquare", nonnegative=True),
    ),
    samples=_samples("ReduceL1", "ReduceSum", "ReduceSumSquare"),
    limits="the sum, shifted, must fit int32; a shift to the right drops less than one unit of it",
)

REDUCE_L2 = Op(
    name="reduce_l2",
    family="reduce",
    summary="The square root of the sum of squares over neighbouring axes",
    signature=Signature((Slot("x"),), _TYPES),
    attributes=(
        AXES,
        KEEPDIMS,
        IN_ZERO,
        Attribute("multiplier", "int", "factor of the root", 0, 2**31 - 1),
        Attribute("shift", "int", "right shift of the product", 1, SHIFT_MAX + 1),
        _OUT_ZERO,
        *CLAMP,
    ),
    shape=reduced_shape,
    evaluate=_evaluate_root,
    macs=no_macs,
    axes=REDUCED,
    onnx=(_form("ReduceL2", nonnegative=True),),
    samples=_samples("ReduceL2"),
    limits="before the final rounding at most 2^-14 steps off",
)

REDUCE_LOG_SUM = Op(
    name="reduce_log_sum",
    family="reduce",
    summary="The logarithm of the sum over neighbouring axes; of a sum of zero or less the smallest result",
    signature=Signature((Slot("x"),), _TYPES),
    attributes=(AXES, KEEPDIMS, IN_ZERO, *_LOGARITHM, *CLAMP),
    shape=reduced_shape,
    evaluate=_evaluate_log_sum,
    macs=no_macs,
    axes=REDUCED,
    onnx=(_form("ReduceLogSum"),),
    samples=_samples("ReduceLogSum", positive=(0,)),
    limits="before the final rounding 2^-20 of the logarithm off, and 2^-10 steps",
)

REDUCE_LOG_SUM_EXP = Op(
    name="reduce_log_sum_exp",
    family="reduce",
    summary="The logarithm of the sum of exponentials over neighbouring axes: x, the table that softmax has",
    signature=Signature(
        (Slot("x"), Slot("table", "table", rank=1)), (("int8", "uint32", "int8"), ("int16", "uint16", "int16"))
    ),
    attributes=(
        AXES,
        KEEPDIMS,
        IN_ZERO,
        Attribute("slope", "int", "factor of the largest element", 0, 2**31 - 1),
        *_LOGARITHM,
        *CLAMP,
    ),
    shape=_log_sum_exp_shape,
    evaluate=_evaluate_log_sum_exp,
    macs=no_macs,
    axes=REDUCED,
    onnx=(_form("ReduceLogSumExp"),),
    samples=_samples("ReduceLogSumExp"),
    limits="at most 65536 elements; in int16 an exponential is up to 2^-16 off, in int8 2^-24",
)
OPS = (REDUCE_L2, REDUCE_LOG_SUM, REDUCE_LOG_SUM_EXP, REDUCE_MAX, REDUCE_MIN, REDUCE_SUM)
