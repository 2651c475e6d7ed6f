"""Arithmetic of plain integers and truth values, and the casts between them and scaled numbers.

Every value has the type that ONNX gives it, and wraps around in it; int64 is held as int32 where it is proven to fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from edgeq.ir import Node
from edgeq.numerics.array import Array
from edgeq.numerics.conversion import in_steps, truncated
from edgeq.numerics.integers import FUNCTIONS, apply, wide, wrapped
from edgeq.ops.accumulator import CLAMP, IN_ZERO, value_of
from edgeq.ops.axes import Axes
from edgeq.ops.base import Attribute, OnnxAttribute, OnnxForm, Op, Sample, no_macs, same_shape, spread
from edgeq.ops.logic import broadcast_shape
from edgeq.ops.signature import INTEGERS, PLAIN, RESULT, Shape, Signature, Slot, Type, alike

_SHAPE: Final = (1, 4, 5)
_SPREAD: Final = ("int32", -40, 40)
_TRUTH: Final = ("bool", 0, 1)
_UNSIGNED: Final[tuple[Type, ...]] = ("uint8", "uint16", "uint32", "uint64")
_LARGE: Final = ("uint32", "int64", "uint64")
_SIGNED: Final[tuple[Type, ...]] = ("int8", "int16", "int32", "int64")


def _evaluate(node: Node, arrays: Sequence[Array]) -> list[Array]:
    return [apply(node.text("function"), *arrays)]  # and, or, xor of truth values are truth values


def _evaluate_convert(node: Node, arrays: Sequence[Array]) -> list[Array]:
    dtype = np.dtype(node.text(RESULT))
    if not node.integer("saturate"):
        return [wrapped(arrays[0], dtype)]
    limits = np.iinfo(dtype)
    return [np.asarray(np.clip(np.asarray(arrays[0], object), int(limits.min), int(limits.max)), object).astype(dtype)]


def _evaluate_to_integer(node: Node, arrays: Sequence[Array]) -> list[Array]:
    centred = arrays[0].astype(np.int64) - node.integer("in_zero")
    return [truncated(centred, node.integer("multiplier"), node.integer("shift"), np.dtype(node.text(RESULT)))]


def _evaluate_from_integer(node: Node, arrays: Sequence[Array]) -> list[Array]:
    steps = in_steps(arrays[0], node.integer("multiplier"), node.integer("shift")) + node.integer("out_zero")
    clamped = np.clip(steps, node.integer("clamp_min"), node.integer("clamp_max"))
    return [clamped.astype(node.text(RESULT))]


def _pair(kind: str, plain: tuple[str, int, int] = _SPREAD, **attributes: int | str) -> Sample:
    name = kind.lower() if plain == _SPREAD else f"{kind.lower()}-{plain[0]}"
    return Sample(name, kind, (_SHAPE, _SHAPE), {}, attributes, plain={0: plain, 1: plain}, result=plain[0])


def _with(kind: str, name: str, *values: int, plain: tuple[str, int, int] = _SPREAD, **attributes: int | str) -> Sample:
    constant = np.array(values if len(values) > 1 else values[0], plain[0])
    return Sample(
        f"{kind.lower()}-{name}", kind, (_SHAPE,), {1: constant}, attributes, plain={0: plain}, result=plain[0]
    )


def _alone(kind: str, plain: tuple[str, int, int] = _SPREAD) -> Sample:
    name = kind.lower() if plain == _SPREAD else f"{kind.lower()}-{plain[0]}"
    return Sample(name, kind, (_SHAPE,), plain={0: plain}, result=plain[0])


def _divided(kind: str, type_: Type, name: str = "", **attributes: int) -> Sample:
    """By numbers of all sizes, none of them zero: runtimes differ there, and at the least number by -1."""
    most = spread(type_)[2]
    divisors = (3, -7, 1, most, -2) if type_ in _SIGNED else (3, 7, 1, most, most // 2 + 3)
    plain = (type_, spread(type_)[1] + 1, most)
    return _with(kind, f"{type_}{name}", *divisors, plain=plain, **attributes)


def _clip(name: str, kind: Type, low: int | None, high: int | None) -> Sample:
    bounds = {number: np.array(value, kind) for number, value in ((1, low), (2, high)) if value is not None}
    return Sample(f"clip-{name}", "Clip", (_SHAPE,), bounds, plain={0: spread(kind)}, result=kind)


_BINARY: Final = ("Add", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Max", "Min", "Mul", "Sub")
_LOGICAL: Final = ("And", "Or", "Xor")
INTEGER: Final = Op(
    name="integer",
    family="integer",
    summary="A function of two plain integers, or of two truth values, with numpy broadcasting",
    signature=Signature((Slot("a"), Slot("b")), plain=alike(PLAIN, 3)),
    attributes=(Attribute("function", "str", "what is computed", values=tuple(FUNCTIONS)),),
    shape=broadcast_shape,
    evaluate=_evaluate,
    macs=no_macs,
    axes=Axes(),
    onnx=(
        *(OnnxForm(kind, plain=True, activations=None) for kind in (*_BINARY, *_LOGICAL, "Clip", "Div", "Pow")),
        *(OnnxForm(kind, plain=True) for kind in ("Abs", "BitwiseNot", "Neg", "Not", "Sign")),
        OnnxForm(
            "BitShift",
            plain=True,
            activations=None,
            attributes=(OnnxAttribute("direction", "str", ("LEFT", "RIGHT")),),
        ),
        OnnxForm("Mod", plain=True, activations=None, attributes=(OnnxAttribute("fmod", "int", (0, 1)),)),
    ),
    samples=(
        *(_pair(kind) for kind in _BINARY),
        # Each function of four types, each type with four functions.
        *(
            _pair(kind, spread(type_))
            for number, kind in enumerate(_BINARY)
            for place, type_ in enumerate(INTEGERS)
            if (number + place) % 2 == 0
        ),
        *(_pair(kind, _TRUTH) for kind in _LOGICAL),
        *(_alone(kind) for kind in ("Abs", "BitwiseNot", "Neg", "Sign")),
        *(_alone("BitwiseNot", spread(type_)) for type_ in ("uint16", "int64")),
        *(_alone("Abs", spread(type_)) for type_ in ("uint8", "int64")),
        *(_alone("Neg", spread(type_)) for type_ in ("int8", "int64")),
        *(_alone("Sign", spread(type_)) for type_ in ("int16", "uint64")),
        _alone("Not", _TRUTH),
        _with("Div", "constant", 3, -7, 1, -2, 40),
        _with("Div", "scalar", 5),
        _with("Mod", "constant", 3, -7, 1, -2, 40),
        _with("Mod", "fmod", 3, -7, 1, -2, 40, fmod=1),
        *(_divided("Div", type_) for type_ in INTEGERS),
        *(_divided("Mod", type_) for type_ in INTEGERS[1::2]),
        *(_divided("Mod", type_, "-fmod", fmod=1) for type_ in INTEGERS[::2]),
        _with("Mul", "constant", 12),
        *(
            _with("BitShift", f"{type_}-{direction.lower()}", 0, 3, 7, 1, 2, plain=spread(type_), direction=direction)
            for type_ in _UNSIGNED
            for direction in ("LEFT", "RIGHT")
        ),
        # onnxruntime computes powers in float64: others are compared with the reference alone.
        _with("Pow", "int32", 1, 0, 1, 1, 0),
        _with("Pow", "int64", 1, 0, 1, 1, 0, plain=("int64", -50, 50)),
        _clip("int32", "int32", -9, 9),
        _clip("int8-low", "int8", -3, None),
        _clip("uint16-high", "uint16", None, 1000),
        _clip("uint64", "uint64", 5, 1 << 63),
    ),
    limits="x/0 and its remainder are 0, as are negative powers of 0; shifts by 0 to the number of bits",
)
_TYPES: Final = {name: number for number, name in zip((3, 2, 5, 4, 6, 12, 7, 13, 9), PLAIN, strict=True)}
_TO: Final = OnnxAttribute("to", "int", (1, *sorted(_TYPES.values())))
_CAST: Final = (_TO, OnnxAttribute("saturate", "int"))
CONVERT: Final = Op(
    name="convert",
    family="convert",
    summary="Integers or truth values in another integer type, wrapped around or saturated",
    signature=Signature(
        (Slot("x"),),
        plain=tuple(
            (kind, result)
            for kind in PLAIN
            for result in INTEGERS
            # As an int64 all others are held in int32.
            if kind != result and (result != "int64" or kind in {"int32", "uint32", "uint64"})
        ),
    ),
    attributes=(
        Attribute("saturate", "int", "1: what is out of range is the nearest value, 0: it wraps around", 0, 1),
        Attribute(RESULT, "str", "type of the result", values=INTEGERS),
    ),
    shape=same_shape,
    evaluate=_evaluate_convert,
    macs=no_macs,
    axes=Axes(),
    onnx=(OnnxForm("Cast", plain=True, attributes=_CAST),),
    samples=(
        # An input that is cast alone is a float input: the Reshape in front of these shapes reads it here.
        Sample("cast-of_integers", "Cast", ((4, 5),), {}, {"to": 1}, plain={0: ("int64", -50, 200)}),
        Sample("cast-of_bools", "Cast", ((1, 4, 5),), {}, {"to": 1}, plain={0: ("bool", 0, 1)}),
        *(Sample(f"cast-of_{kind}", "Cast", ((4, 5),), {}, {"to": 1}, plain={0: (kind, 0, 100)}) for kind in INTEGERS),
        Sample("cast-integers_to_bools", "Cast", ((1, 9),), {}, {"to": 9}, plain={0: ("int32", -2, 2)}, result="bool"),
        *(
            Sample(
                f"{kind}-{result}",
                "Cast",
                ((1, 9),),
                {},
                {"to": _TYPES[result]},
                plain={0: spread(kind)},
                result=result,
            )
            for kind in PLAIN
            for result in INTEGERS
            if kind != result
        ),
    ),
)
TO_INTEGER: Final = Op(
    name="to_integer",
    family="integer",
    summary="The whole part of a real number, towards zero: (x − in_zero)·multiplier·2^−shift, exact",
    signature=Signature((Slot("x"),), tuple((kind, result) for kind in ("int8", "int16") for result in INTEGERS)),
    attributes=(
        IN_ZERO,
        Attribute("multiplier", "int", "the scale's 24 bits", 1, (1 << 31) - 1),
        Attribute("shift", "int", "minus the scale's exponent", 0, 62),
        Attribute(RESULT, "str", "type of the result", values=INTEGERS),
    ),
    shape=same_shape,
    evaluate=_evaluate_to_integer,
    macs=no_macs,
    axes=Axes(),
    onnx=(OnnxForm("Cast", attributes=_CAST),),
    samples=(
        Sample("cast-int64", "Cast", ((1, 4, 5),), {}, {"to": 7}, result="int64"),
        Sample("cast-int32", "Cast", ((1, 33),), {}, {"to": 6}, result="int32"),
        Sample("cast-bool", "Cast", ((1, 33),), {}, {"to": 9}, result="bool"),
        *(
            Sample(f"cast-{kind}", "Cast", ((1, 33),), {}, {"to": _TYPES[kind]}, positive=(0,), result=kind)
            for kind in INTEGERS
            if kind not in {"int32", "int64"}
        ),
    ),
    limits="what is beyond the type is its nearest value",
)
FROM_INTEGER: Final = Op(
    name="from_integer",
    family="convert",
    summary="Integers or truth values with a scale: (x·multiplier·2^−shift) rounded half up, + out_zero",
    signature=Signature(
        (Slot("x"),),
        plain=tuple((kind, result) for kind in PLAIN if kind not in _LARGE for result in ("int8", "int16")),
    ),
    attributes=(
        Attribute("multiplier", "int", "31 bits of the reciprocal of the scale", 1, (1 << 31) - 1),
        Attribute("shift", "int", "to the right, behind the product of 64 bits", 1, 62),
        value_of(RESULT, "out_zero", "zero point of the result"),
        *CLAMP,
        Attribute(RESULT, "str", "type of the result", values=("int8", "int16")),
    ),
    shape=same_shape,
    evaluate=_evaluate_from_integer,
    macs=no_macs,
    axes=Axes(),
    limits="uint32, int64 and uint64 where what the result tells apart lies within int32",
)


def _evaluate_cum_sum(node: Node, arrays: Sequence[Array]) -> list[Array]:
    x, axis = arrays[0], node.integer("axis")
    centred = x.astype(np.int64) - node.integer("in_zero")
    if node.integer("reverse"):
        centred = np.flip(centred, axis)
    sums = np.cumsum(centred, axis=axis)
    if node.integer("exclusive"):
        sums = sums - centred
    if node.integer("reverse"):
        sums = np.flip(sums, axis)
    steps = in_steps(sums, node.integer("multiplier"), node.integer("shift")) + node.integer("out_zero")
    return [np.clip(steps, node.integer("clamp_min"), node.integer("clamp_max")).astype(x.dtype)]


def _cum_sum(name: str, x: Shape, axis: int, **attributes: int) -> Sample:
    return Sample(name, "CumSum", (x,), {1: np.array(axis, np.int64)}, attributes)


CUM_SUM_ATTRIBUTES: Final = (
    Attribute("axis", "int", "the axis", 0),
    Attribute("exclusive", "int", "1: an element is not in its own sum", 0, 1),
    Attribute("reverse", "int", "1: from the last element", 0, 1),
)
_ONNX_CUM_SUM: Final = (OnnxAttribute("exclusive", "int", (0, 1)), OnnxAttribute("reverse", "int", (0, 1)))
CUM_SUM: Final = Op(
    name="cum_sum",
    family="integer",
    summary="Running sums along an axis: (Σ(x − in_zero)·multiplier·2^−shift) rounded half up, + out_zero",
    signature=Signature((Slot("x"),), (("int8", "int8"), ("int16", "int16"))),
    attributes=(
        *CUM_SUM_ATTRIBUTES,
        IN_ZERO,
        Attribute("multiplier", "int", "31 bits of the ratio of the scales", 1, (1 << 31) - 1),
        Attribute("shift", "int", "to the right, behind the product of 64 bits", 1, 62),
        value_of(RESULT, "out_zero", "zero point of the result"),
        *CLAMP,
    ),
    shape=same_shape,
    evaluate=_evaluate_cum_sum,
    macs=no_macs,
    axes=Axes(named="axis"),
    onnx=(OnnxForm("CumSum", constants={1: "axis"}, attributes=_ONNX_CUM_SUM),),
    samples=(
        _cum_sum("cum_sum-last", (1, 4, 9), 2),
        _cum_sum("cum_sum-rows", (1, 7, 3), 1),
        _cum_sum("cum_sum-exclusive", (1, 4, 9), -1, exclusive=1),
        _cum_sum("cum_sum-reverse", (1, 5, 4, 3), 1, reverse=1),
        _cum_sum("cum_sum-both", (1, 33), 1, exclusive=1, reverse=1),
    ),
    limits="int8: 2^23 elements, int16: 65535 elements along the axis",
)


def _evaluate_running_sum(node: Node, arrays: Sequence[Array]) -> list[Array]:
    x, axis = arrays[0], node.integer("axis")
    ordered = np.flip(wide(x), axis) if node.integer("reverse") else wide(x)
    sums = np.add.accumulate(ordered, axis=axis)
    if node.integer("exclusive"):
        sums = sums - ordered
    return [wrapped(np.flip(sums, axis) if node.integer("reverse") else sums, x.dtype)]


def _running(name: str, x: Shape, axis: int, plain: tuple[str, int, int], **attributes: int) -> Sample:
    return Sample(name, "CumSum", (x,), {1: np.array(axis, np.int64)}, attributes, plain={0: plain}, result=plain[0])


_SUMMED: Final[tuple[Type, ...]] = ("int32", "uint32", "int64", "uint64")
RUNNING_SUM: Final = Op(
    name="running_sum",
    family="integer",
    summary="Running sums of plain integers along an axis",
    signature=Signature((Slot("x"),), plain=alike(_SUMMED, 2)),
    attributes=CUM_SUM_ATTRIBUTES,
    shape=same_shape,
    evaluate=_evaluate_running_sum,
    macs=no_macs,
    axes=Axes(named="axis"),
    onnx=(OnnxForm("CumSum", plain=True, constants={1: "axis"}, attributes=_ONNX_CUM_SUM),),
    samples=(
        _running("integers", (1, 3, 8), 2, ("int32", -99, 99)),
        _running("integers_reverse", (1, 8, 3), 1, ("int32", -99, 99), exclusive=1, reverse=1),
        *(_running(kind, (1, 3, 8), 2, spread(kind)) for kind in _SUMMED),
        _running("uint64_exclusive", (1, 3, 8), 1, spread("uint64"), exclusive=1),
    ),
)
OPS = (CONVERT, CUM_SUM, FROM_INTEGER, INTEGER, RUNNING_SUM, TO_INTEGER)
