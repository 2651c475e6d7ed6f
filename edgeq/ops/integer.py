"""Arithmetic of plain integers and truth values, and the casts between them and scaled numbers.

Integers are int32 and wrap around; ONNX's int64 does the same beyond 2^63.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from edgeq.ir import Node, Tensor
from edgeq.numerics.array import Array
from edgeq.numerics.conversion import in_steps, truncated
from edgeq.ops.accumulator import CLAMP, IN_ZERO, value_of
from edgeq.ops.axes import Axes
from edgeq.ops.base import Attribute, OnnxAttribute, OnnxForm, Op, Sample, no_macs
from edgeq.ops.logic import broadcast_shape
from edgeq.ops.signature import RESULT, Shape, Signature, Slot


def _divide(a: Array, b: Array) -> Array:
    """Towards zero; by zero: 0."""
    quotient = np.abs(a) // np.where(b == 0, 1, np.abs(b))
    result: Array = np.where(b == 0, 0, np.sign(a) * np.sign(b) * quotient)
    return result


def _remainder(a: Array, b: Array) -> Array:
    """What a division towards zero leaves: the sign of the dividend; by zero: 0."""
    result: Array = np.where(b == 0, 0, a - _divide(a, b) * b)
    return result


def _modulo(a: Array, b: Array) -> Array:
    """What a division towards minus infinity leaves: the sign of the divisor; by zero: 0."""
    result: Array = np.where(b == 0, 0, np.mod(a, np.where(b == 0, 1, b)))
    return result


FUNCTIONS: Final[Mapping[str, Callable[[Array, Array], Array]]] = {
    "add": np.add,
    "and": np.bitwise_and,
    "divide": _divide,
    "max": np.maximum,
    "min": np.minimum,
    "modulo": _modulo,
    "multiply": np.multiply,
    "or": np.bitwise_or,
    "remainder": _remainder,
    "subtract": np.subtract,
    "xor": np.bitwise_xor,
}
"""By name, exact on int64."""


def _evaluate(node: Node, arrays: Sequence[Array]) -> list[Array]:
    a, b = arrays
    exact = np.asarray(FUNCTIONS[node.text("function")](a.astype(np.int64), b.astype(np.int64)))
    return [exact.astype(a.dtype)]  # modulo 2^32, and 2^8, where and, or, xor of truth values stay


def _evaluate_to_integer(node: Node, arrays: Sequence[Array]) -> list[Array]:
    centred = arrays[0].astype(np.int64) - node.integer("in_zero")
    return [truncated(centred, node.integer("multiplier"), node.integer("shift"))]


def _evaluate_from_integer(node: Node, arrays: Sequence[Array]) -> list[Array]:
    steps = in_steps(arrays[0], node.integer("multiplier"), node.integer("shift")) + node.integer("out_zero")
    clamped = np.clip(steps, node.integer("clamp_min"), node.integer("clamp_max"))
    return [clamped.astype(node.text(RESULT))]


def _same_shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    return operands[0].shape


_SHAPE: Final = (1, 4, 5)
_SPREAD: Final = ("int32", -40, 40)
_TRUTH: Final = ("bool", 0, 1)


def _pair(kind: str, name: str = "", *, plain: tuple[str, int, int] = _SPREAD, **attributes: int) -> Sample:
    types = {0: plain, 1: plain}
    return Sample(f"{kind.lower()}{name}", kind, (_SHAPE, _SHAPE), {}, attributes, plain=types, result=plain[0])


def _with(kind: str, name: str, *values: int, plain: tuple[str, int, int] = _SPREAD, **attributes: int) -> Sample:
    constant = np.array(values if len(values) > 1 else values[0], plain[0])
    return Sample(
        f"{kind.lower()}-{name}", kind, (_SHAPE,), {1: constant}, attributes, plain={0: plain}, result=plain[0]
    )


def _alone(kind: str, plain: tuple[str, int, int]) -> Sample:
    return Sample(kind.lower(), kind, (_SHAPE,), plain={0: plain}, result=plain[0])


_BINARY: Final = ("Add", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Div", "Max", "Min", "Mul", "Sub")
_UNARY: Final = ("Abs", "BitwiseNot", "Neg")
_LOGICAL: Final = ("And", "Or", "Xor")
INTEGER: Final = Op(
    name="integer",
    family="integer",
    summary="A function of two plain integers, or of two truth values, with numpy broadcasting",
    signature=Signature((Slot("a"), Slot("b")), (("int32", "int32", "int32"), ("bool", "bool", "bool"))),
    attributes=(Attribute("function", "str", "what is computed", values=tuple(FUNCTIONS)),),
    shape=broadcast_shape,
    evaluate=_evaluate,
    macs=no_macs,
    axes=Axes(),
    onnx=(
        *(OnnxForm(kind, plain=True, activations=None, wraps=True) for kind in (*_BINARY, *_UNARY)),
        *(OnnxForm(kind, plain=True, activations=None) for kind in (*_LOGICAL, "Not")),
        OnnxForm("Mod", plain=True, activations=None, wraps=True, attributes=(OnnxAttribute("fmod", "int", (0, 1)),)),
    ),
    samples=(
        *(_pair(kind) for kind in _BINARY if kind != "Div"),
        *(_pair(kind, plain=_TRUTH) for kind in _LOGICAL),
        *(_alone(kind, _SPREAD) for kind in _UNARY),
        _alone("Not", _TRUTH),
        _with("Div", "constant", 3, -7, 1, -2, 40),
        _with("Div", "scalar", 5),
        _with("Mod", "constant", 3, -7, 1, -2, 40),
        _with("Mod", "fmod", 3, -7, 1, -2, 40, fmod=1),
        _with("Mul", "constant", 12),
    ),
    limits="int32 that wraps around; x/0 is 0, and so is its remainder",
)
_TO: Final = OnnxAttribute("to", "int", (1, 6, 7, 9))
_CAST: Final = (_TO, OnnxAttribute("saturate", "int"))
TO_INTEGER: Final = Op(
    name="to_integer",
    family="integer",
    summary="The whole part of a real number, towards zero: (x − in_zero)·multiplier·2^−shift, exact",
    signature=Signature((Slot("x"),), (("int8", "int32"), ("int16", "int32"))),
    attributes=(
        IN_ZERO,
        Attribute("multiplier", "int", "the scale's 24 bits", 1, (1 << 31) - 1),
        Attribute("shift", "int", "minus the scale's exponent", 0, 62),
    ),
    shape=_same_shape,
    evaluate=_evaluate_to_integer,
    macs=no_macs,
    axes=Axes(),
    onnx=(OnnxForm("Cast", attributes=_CAST),),
    samples=(
        Sample("cast-int64", "Cast", ((1, 4, 5),), {}, {"to": 7}, result="int64"),
        Sample("cast-int32", "Cast", ((1, 33),), {}, {"to": 6}, result="int32"),
        Sample("cast-bool", "Cast", ((1, 33),), {}, {"to": 9}, result="bool"),
    ),
    limits="ONNX types INT32 and INT64 (the same here), and BOOL",
)
FROM_INTEGER: Final = Op(
    name="from_integer",
    family="integer",
    summary="Integers or truth values with a scale: (x·multiplier·2^−shift) rounded half up, + out_zero",
    signature=Signature(
        (Slot("x"),),
        (("int32", "int8"), ("int32", "int16"), ("bool", "int8"), ("bool", "int16"), ("bool", "int32")),
    ),
    attributes=(
        Attribute("multiplier", "int", "31 bits of the reciprocal of the scale", 1, (1 << 31) - 1),
        Attribute("shift", "int", "to the right, behind the product of 64 bits", 1, 62),
        value_of(RESULT, "out_zero", "zero point of the result"),
        *CLAMP,
        Attribute(RESULT, "str", "type of the result", values=("int8", "int16", "int32")),
    ),
    shape=_same_shape,
    evaluate=_evaluate_from_integer,
    macs=no_macs,
    axes=Axes(),
    onnx=(OnnxForm("Cast", plain=True, attributes=_CAST),),
    samples=(
        # An input that is cast alone is a float input: the Reshape in front of these shapes reads it here.
        Sample("cast-of_integers", "Cast", ((4, 5),), {}, {"to": 1}, plain={0: ("int64", -50, 200)}),
        Sample("cast-of_bools", "Cast", ((1, 4, 5),), {}, {"to": 1}, plain={0: ("bool", 0, 1)}),
        Sample("cast-bools_to_integers", "Cast", ((1, 9),), {}, {"to": 7}, plain={0: ("bool", 0, 1)}, result="int64"),
        Sample("cast-integers_to_bools", "Cast", ((1, 9),), {}, {"to": 9}, plain={0: ("int32", -2, 2)}, result="bool"),
    ),
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
    if x.dtype == np.int32:
        sums = sums.astype(np.int32)  # wraps around
    steps = in_steps(sums, node.integer("multiplier"), node.integer("shift")) + node.integer("out_zero")
    return [np.clip(steps, node.integer("clamp_min"), node.integer("clamp_max")).astype(x.dtype)]


def _cum_sum(name: str, x: Shape, axis: int, plain: bool = False, **attributes: int) -> Sample:
    types = {0: ("int32", -99, 99)} if plain else {}
    result = "int32" if plain else "float"
    return Sample(name, "CumSum", (x,), {1: np.array(axis, np.int64)}, attributes, plain=types, result=result)


CUM_SUM: Final = Op(
    name="cum_sum",
    family="integer",
    summary="Running sums along an axis: (Σ(x − in_zero)·multiplier·2^−shift) rounded half up, + out_zero",
    signature=Signature((Slot("x"),), (("int8", "int8"), ("int16", "int16"), ("int32", "int32"))),
    attributes=(
        Attribute("axis", "int", "the axis", 0),
        Attribute("exclusive", "int", "1: an element is not in its own sum", 0, 1),
        Attribute("reverse", "int", "1: from the last element", 0, 1),
        IN_ZERO,
        Attribute("multiplier", "int", "31 bits of the ratio of the scales", 1, (1 << 31) - 1),
        Attribute("shift", "int", "to the right, behind the product of 64 bits", 1, 62),
        value_of(RESULT, "out_zero", "zero point of the result"),
        *CLAMP,
    ),
    shape=_same_shape,
    evaluate=_evaluate_cum_sum,
    macs=no_macs,
    axes=Axes(named="axis"),
    onnx=(
        OnnxForm(
            "CumSum",
            constants={1: "axis"},
            attributes=(OnnxAttribute("exclusive", "int", (0, 1)), OnnxAttribute("reverse", "int", (0, 1))),
        ),
    ),
    samples=(
        _cum_sum("cum_sum-last", (1, 4, 9), 2),
        _cum_sum("cum_sum-rows", (1, 7, 3), 1),
        _cum_sum("cum_sum-exclusive", (1, 4, 9), -1, exclusive=1),
        _cum_sum("cum_sum-reverse", (1, 5, 4, 3), 1, reverse=1),
        _cum_sum("cum_sum-both", (1, 33), 1, exclusive=1, reverse=1),
        _cum_sum("cum_sum-integers", (1, 3, 8), 2, plain=True),
        _cum_sum("cum_sum-integers_reverse", (1, 8, 3), 1, plain=True, exclusive=1, reverse=1),
    ),
    limits="int8: 2^23 elements, int16: 65535 elements along the axis; sums of integers wrap around",
)
OPS = (CUM_SUM, FROM_INTEGER, INTEGER, TO_INTEGER)
