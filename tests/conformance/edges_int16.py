"""The borders of the kernels for int16: sums of 64 bits, blocks of products, both ends of shifts and multipliers."""

from __future__ import annotations

from functools import cache

import numpy as np

from edgeq.ir import DType, Graph
from edgeq.numerics.array import Array
from tests.conformance.edges import Attributes, Edges

INT16 = (-(2**15), 2**15 - 1)
INT8 = (-(2**7), 2**7 - 1)
_RANGES = {DType.INT8: INT8, DType.INT16: INT16}
# Types of input and result.
PAIRS = ((DType.INT16, DType.INT16), (DType.INT16, DType.INT8), (DType.INT8, DType.INT16))
# Products in one int32 sum, see eq_channels_s16.h: one less, as many, one more, and more than twice.
DEPTHS = (503, 504, 505, 1010)


@cache
def int16_edges() -> Graph:
    """All cases in one graph."""
    made = Edges("highmul")
    made.graph.name = "edges_int16"
    for types in PAIRS:
        for wide in (False, True)[: 1 + (types[0] is DType.INT16)]:
            _shapes(made, types, wide=wide)
    for depth in DEPTHS:
        for value in INT8:
            _dense(made, (DType.INT16, DType.INT16), np.full((5, depth), value, np.int8), wide=True)
        _convolution(made, (DType.INT16, DType.INT8), made.integers(3, 1, 1, depth), 1, wide=True)
    _sums(made)
    _others(made)
    _windows(made)
    return made.graph


def _constants(
    made: Edges, types: tuple[DType, DType], weights: Array, *, wide: bool
) -> tuple[list[str], Attributes, tuple[int, int]]:
    """Weight, bias, multiplier; attributes; a clamp that binds on one side."""
    low, high = _RANGES[types[1]]
    outputs = weights.shape[0]
    bias = np.resize(np.array((2**30, -(2**30)) if wide else (999, -999)), outputs)
    reach = 2**30 + int(np.abs(weights.astype(np.int64)).reshape(outputs, -1).sum(axis=1).max()) * -_RANGES[types[0]][0]
    shift = min(-1, 31 - reach.bit_length()) if wide else 0
    # Three times the range, so that results saturate, too.
    factor = min(2**31 - 1, int(3 * high / reach * 2.0 ** (32 - shift)))
    constants = [made.constant(weights, np.int8), made.constant(bias), made.constant([factor] * outputs)]
    result: Attributes = {} if types[0] is types[1] else {"result": types[1].value}
    return constants, {"acc": "i64" if wide else "i32", "shift": shift, **result}, (low // 2, high)


def _dense(made: Edges, types: tuple[DType, DType], weights: Array, *, wide: bool, rows: int = 1) -> None:
    constants, attributes, clamp = _constants(made, types, weights, wide=wide)
    x = made.input(rows, weights.shape[1], dtype=types[0])
    made.node("dense", (x, *constants), attributes, 0, clamp)


def _convolution(made: Edges, types: tuple[DType, DType], weights: Array, group: int, *, wide: bool) -> None:
    constants, attributes, clamp = _constants(made, types, weights, wide=wide)
    around = weights.shape[1] // 2
    geometry: Attributes = {
        "strides": (1, 1),
        "pads": (around,) * 4,
        "dilations": (1, 1),
        "group": group,
        "pad_value": 0,
    }
    x = made.input(1, 3, 3, weights.shape[3] * group, dtype=types[0])
    made.node("conv2d", (x, *constants), {**geometry, **attributes}, 0, clamp)


def _shapes(made: Edges, types: tuple[DType, DType], *, wide: bool) -> None:
    for outputs, kernel, channels in ((7, 3, 5), (19, 1, 9), (5, 1, 8), (34, 1, 12)):
        _convolution(made, types, made.integers(outputs, kernel, kernel, channels), 1, wide=wide)
    for channels in (3, 21):
        _convolution(made, types, made.integers(channels, 3, 3, 1), channels, wide=wide)
    for outputs, depth in ((6, 21), (9, 32), (1, 3)):
        _dense(made, types, made.integers(outputs, depth), wide=wide, rows=3)


def _sums(made: Edges) -> None:
    """Multipliers up to 2^31 - 1, whose halves of 16 bits are extreme, too, at both ends of the shift and between."""
    extremes = (2**31 - 1, 2**31 - 2**15 - 1, 2**31 - 2**15, 2**30 + 2**15, 2**15, 0)
    for shift in (16, 17, 30):
        for number, first in enumerate(extremes):
            for op in ("add", "sub"):
                factors = {"a_multiplier": first, "b_multiplier": extremes[number - 1]}
                operands = [made.input(1, 21, dtype=DType.INT16) for _ in range(2)]
                made.node(op, operands, {**factors, "shift": shift, "offset": 1 << shift - 1}, 0, INT16)
    half = {"a_multiplier": 2**30, "b_multiplier": 2**29, "shift": 30, "offset": 1 << 29}
    zeros: Attributes = {"a_zero": 0, "b_zero": 0}
    image = made.input(1, 3, 7, dtype=DType.INT16)
    for other in (made.input(7, dtype=DType.INT16), made.constant(np.array([[[-32768], [32767], [3]]]), np.int16)):
        made.node("add", (image, other), half, 0, (-999, 32767))
        made.node("sub", (other, image), half, 0, (-32768, 999))
        made.node("mul", (image, other, made.constant([1 << 18])), {**zeros, "shift": 0}, 0, (-32768, 999))
    small = made.constant(np.array([[[-63], [63], [3]]]), np.int16)
    made.node("mul", (image, small, made.constant([1 << 18])), {**zeros, "shift": 10}, 0, (-32768, 999))


def _windows(made: Edges) -> None:
    """Channels around blocks of sixteen, in windows that are cut off at borders; sums of one channel, and of many."""
    for channels, clamp in ((1, INT16), (16, (-999, 32767)), (37, (-32768, 999))):
        window: Attributes = {"kernel": (3, 2), "strides": (2, 1), "pads": (1, 0, 0, 1)}
        made.node("max_pool", (made.input(1, 6, 5, channels, dtype=DType.INT16),), window, 0, clamp)
        counts = (2, 3, 4, 6)
        factors = made.constant([3 * 2**30 // count for count in counts])
        given: Attributes = {**window, "shift": 1, "counts": counts, "in_zero": 0}
        made.node("average_pool", (made.input(1, 6, 5, channels, dtype=DType.INT16), factors), given, 0, clamp)
    for shape, axes in (((1, 1, 41), (2,)), ((1, 9, 37), (1,)), ((1, 9, 16), (1,))):
        given = {"acc": "i32", "shift": 1, "axes": axes, "keepdims": 0, "in_zero": 0}
        made.node("mean", (made.input(*shape, dtype=DType.INT16), made.constant([2**28])), given, 0, INT16)


def _others(made: Edges) -> None:
    for types in PAIRS:
        low, high = _RANGES[types[1]]
        result: Attributes = {} if types[0] is types[1] else {"result": types[1].value}
        for shift in (0, 16 if types[0] is DType.INT16 else 24):
            factor = min(2**31 - 1, 3 * high * 2 ** (32 - shift) // _RANGES[types[0]][1])
            given = {**result, "shift": shift, "in_zero": 0}
            x = made.input(1, 19, dtype=types[0])
            made.node("requantize", (x, made.constant([factor])), given, 0, (low // 2, high))
    for length in (65535, 65536, 70001):
        shift = 0 if length < 2**16 else 31 - (length << 15).bit_length()
        factor = min(2**31 - 1, 2 ** (32 - shift) // length * 3 // 2)
        given = {"acc": "i64" if shift else "i32", "shift": shift, "axes": (1,), "keepdims": 0, "in_zero": 0}
        made.node("mean", (made.input(1, length, dtype=DType.INT16), made.constant([factor])), given, 0, INT16)
    for depth, shift in ((1, 0), (2, -1), (9, -3)):
        operands = made.input(3, depth, dtype=DType.INT16), made.input(depth, 5, dtype=DType.INT16)
        given = {"acc": "i64" if shift else "i32", "shift": shift, "a_zero": 0, "b_zero": 0}
        made.node("matmul", (*operands, made.constant([1 << 19])), given, 0, INT16)
    pads: Attributes = {"pads": (0, 1, 2, 0, 1, 0)}
    made.node("pad", (made.input(1, 3, 2, dtype=DType.INT16),), {**pads, "value": 300}, 0, INT16)
