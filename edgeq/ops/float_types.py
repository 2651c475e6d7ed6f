"""Every ONNX operator that ``--allow-float`` can keep in software float, with its conformance cases.

A node that the user names becomes a call of a function of edgeq's own domain, ``FloatSqrt`` for ``Sqrt``: models say
what they keep in float, and every runtime executes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from edgeq.numerics.array import Array
from edgeq.ops.base import OnnxAttribute, OnnxForm, Sample, SampleAttribute
from edgeq.ops.signature import Shape

Operand = Literal["float", "constant", "truth"]
OPERATORS: Final = tuple(
    f"float_{kind}"
    for kind in ("binary", "compare", "dequantize", "determinant", "matmul", "quantize", "reduce", "unary")
)
"""The operators of the integer graph that compute in software float."""
PREFIX: Final = "Float"
_DOMAIN: Final = "edgeq"


@dataclass(frozen=True)
class FloatType:
    """An ONNX operator that can stay in software float.

    Attributes:
        type: the ONNX operator.
        op: the operator of the integer graph that has its form.
        operands: by the name that the function has for it, what it is: a float, a constant, or a truth value; one whose
            name ends in ``?`` may be absent.
        attributes: those that it has, and the values that are implemented.
        doc: what it is made of.
    """

    type: str
    op: str
    operands: Mapping[str, Operand]
    attributes: tuple[OnnxAttribute, ...] = ()
    doc: str = ""

    @property
    def name(self) -> str:
        """The function."""
        return f"{PREFIX}{self.type}"

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the operands."""
        return tuple(name.removesuffix("?") for name in self.operands)

    @property
    def form(self) -> OnnxForm:
        """How models spell it."""
        kinds = list(self.operands.values())
        return OnnxForm(
            self.name,
            domain=_DOMAIN,
            floats=True,
            activations=tuple(index for index, kind in enumerate(kinds) if kind != "constant"),
            constants={
                index: name
                for index, (name, kind) in enumerate(zip(self.inputs, kinds, strict=True))
                if kind == "constant"
            },
            attributes=self.attributes,
        )


@dataclass(frozen=True)
class Parameters:
    """A unary function with the attributes that are its parameters, and their defaults in ONNX."""

    function: str
    names: Mapping[str, float] = field(default_factory=dict)


_SELU: Final = {"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875}
UNARY: Final[Mapping[str, Parameters]] = {
    **{
        onnx: Parameters(onnx.lower())
        for onnx in (
            *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh", "Erf", "Exp", "Floor"),
            *("Log", "Mish", "Reciprocal", "Round", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt"),
            *("Tan", "Tanh"),
        )
    },
    "Celu": Parameters("celu", {"alpha": 1.0}),
    "Elu": Parameters("elu", {"alpha": 1.0}),
    "Gelu": Parameters("gelu"),
    "HardSigmoid": Parameters("hard_sigmoid", {"alpha": 0.2, "beta": 0.5}),
    "HardSwish": Parameters("hard_swish"),
    "LeakyRelu": Parameters("leaky_relu", {"alpha": 0.01}),
    "Neg": Parameters("negate"),
    "Selu": Parameters("selu", _SELU),
    "Shrink": Parameters("shrink", {"bias": 0.0, "lambd": 0.5}),
    "ThresholdedRelu": Parameters("thresholded_relu", {"alpha": 1.0}),
}
"""By ONNX operator, the function of one number."""
BINARY: Final[Mapping[str, str]] = {
    "Add": "add",
    "Div": "divide",
    "Max": "maximum",
    "Min": "minimum",
    "Mod": "remainder",
    "Mul": "multiply",
    "PRelu": "prelu",
    "Pow": "power",
    "Sub": "subtract",
}
"""By ONNX operator, the function of two numbers."""
CHAINED: Final = ("Concat", "Max", "Min", "Sum")
"""Operators of any number of operands: those of more than two become a chain."""
REDUCTIONS: Final = (
    *("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd"),
    *("ReduceSum", "ReduceSumSquare"),
)

_X: Final[Mapping[str, Operand]] = {"x": "float"}
_AB: Final[Mapping[str, Operand]] = {"a": "float", "b": "float"}
_X_AXES: Final[Mapping[str, Operand]] = {"x": "float", "axes?": "constant"}
_AXIS: Final = OnnxAttribute("axis", "int")
_EPSILON: Final = OnnxAttribute("epsilon", "float")
_REDUCTION: Final = (OnnxAttribute("keepdims", "int", (0, 1)), OnnxAttribute("noop_with_empty_axes", "int", (0, 1)))


def _unary_type(onnx: str) -> FloatType:
    attributes: tuple[OnnxAttribute, ...] = tuple(OnnxAttribute(name, "float") for name in UNARY[onnx].names)
    if onnx == "Gelu":
        attributes = (OnnxAttribute("approximate", "str", ("none", "tanh")),)
    return FloatType(onnx, "float_unary", _X, attributes)


def _norm(*names: str) -> Mapping[str, Operand]:
    return dict.fromkeys(("x", *names), "float")


FLOAT_TYPES: Final[Mapping[str, FloatType]] = {
    item.type: item
    for item in sorted(
        (
            *(_unary_type(onnx) for onnx in UNARY),
            *(
                FloatType(onnx, "float_binary", _AB, (OnnxAttribute("fmod", "int", (1,)),) if onnx == "Mod" else ())
                for onnx in BINARY
            ),
            FloatType("Clip", "float_binary", {"x": "float", "low?": "float", "high?": "float"}),
            FloatType("Relu", "float_binary", _X),
            FloatType("Sum", "float_binary", _AB),
            *(
                FloatType(onnx, "float_compare", _AB)
                for onnx in ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
            ),
            FloatType("Cast", "float_dequantize", {"x": "truth"}, (OnnxAttribute("to", "int", (1,)),)),
            FloatType("Concat", "concat", _AB, (_AXIS,)),
            FloatType("Det", "float_determinant", _X),
            FloatType("Flatten", "reshape", _X, (_AXIS,)),
            FloatType(
                "Reshape", "reshape", {"x": "float", "shape": "constant"}, (OnnxAttribute("allowzero", "int", (0, 1)),)
            ),
            FloatType("Squeeze", "reshape", _X_AXES),
            FloatType("Unsqueeze", "reshape", {"x": "float", "axes": "constant"}),
            FloatType("Transpose", "transpose", _X, (OnnxAttribute("perm", "ints", low=0),)),
            FloatType("Where", "where", {"condition": "truth", "a": "float", "b": "float"}),
            FloatType("MatMul", "float_matmul", _AB),
            FloatType(
                "Gemm",
                "float_matmul",
                {"a": "float", "b": "float", "c?": "float"},
                (
                    *(OnnxAttribute(name, "float") for name in ("alpha", "beta")),
                    *(OnnxAttribute(name, "int", (0, 1)) for name in ("transA", "transB")),
                ),
            ),
            *(FloatType(onnx, "float_reduce", _X_AXES, _REDUCTION) for onnx in REDUCTIONS),
            *(FloatType(onnx, "float_reduce", _X, (_AXIS,)) for onnx in ("LogSoftmax", "Softmax")),
            FloatType(
                "BatchNormalization",
                "float_reduce",
                _norm("scale", "bias", "mean", "variance"),
                (_EPSILON, OnnxAttribute("momentum", "float"), OnnxAttribute("training_mode", "int", (0,))),
            ),
            FloatType(
                "GroupNormalization",
                "float_reduce",
                _norm("scale", "bias"),
                (_EPSILON, OnnxAttribute("num_groups", "int"), OnnxAttribute("stash_type", "int")),
            ),
            FloatType("InstanceNormalization", "float_reduce", _norm("scale", "bias"), (_EPSILON,)),
            FloatType(
                "LayerNormalization",
                "float_reduce",
                {"x": "float", "scale": "float", "bias?": "float"},
                (_AXIS, _EPSILON, OnnxAttribute("stash_type", "int")),
            ),
            FloatType("LpNormalization", "float_reduce", _X, (_AXIS, OnnxAttribute("p", "int", (1, 2)))),
        ),
        key=lambda item: item.type,
    )
}
"""By ONNX operator: everything that ``--allow-float`` takes."""
BY_FUNCTION: Final[Mapping[str, FloatType]] = {item.name: item for item in FLOAT_TYPES.values()}


def forms_of(op: str) -> tuple[OnnxForm, ...]:
    """The forms of an operator of the integer graph that keep ONNX operators in software float."""
    return tuple(item.form for item in FLOAT_TYPES.values() if item.op == op)


_IMAGE: Final = (1, 3, 5, 4)
_ROW: Final = (1, 33)
_POSITIVE: Final = ("Acosh", "Log", "Reciprocal", "Sqrt")
_BOUNDED: Final = ("Acos", "Asin", "Atanh")


def _case(
    name: str, type_: str, *inputs: Shape, c: Mapping[int, Shape | Array] | None = None, **more: SampleAttribute
) -> Sample:
    return Sample(name, f"{PREFIX}{type_}", inputs, c or {}, more)


def _f32(*values: float) -> Array:
    return np.array(values if len(values) > 1 else values[0], np.float32)


def _axes(*values: int) -> dict[int, Shape | Array]:
    return {1: np.array(values, np.int64)}


def _unary_samples() -> tuple[Sample, ...]:
    found = []
    for onnx in UNARY:
        if onnx in (*_POSITIVE, *_BOUNDED):
            continue  # the zoo has them over ranges of their own
        found.append(_case(onnx.lower(), onnx, _IMAGE))
    return (
        *found,
        _case("celu-alpha", "Celu", _ROW, alpha=0.5),
        _case("gelu-tanh", "Gelu", _ROW, approximate="tanh"),
        _case("leakyrelu-alpha", "LeakyRelu", _ROW, alpha=0.25),
        _case("selu-gamma", "Selu", _ROW, alpha=0.5, gamma=2.0),
        _case("shrink-bias", "Shrink", _ROW, bias=0.25, lambd=0.75),
        _case("exp-rank0", "Exp", ()),
    )


_BINARY_SAMPLES: Final = (
    *(_case(onnx.lower(), onnx, _IMAGE, _IMAGE) for onnx in ("Add", "Max", "Min", "Mul", "Sub")),
    _case("add-per_channel", "Add", _IMAGE, c={1: (3, 1, 1)}),
    _case("sub-outer", "Sub", (1, 6, 1), (1, 1, 9)),
    _case("mul-constant_first", "Mul", _IMAGE, c={0: (4,)}),
    _case("div-constant", "Div", _IMAGE, c={1: _f32(0.375)}),
    _case("div-over", "Div", _IMAGE, c={0: _f32(1.5)}),
    _case("mod-constant", "Mod", _IMAGE, c={1: _f32(0.75)}, fmod=1),
    _case("prelu", "PRelu", _IMAGE, c={1: (3, 1, 1)}),
    _case("pow-square", "Pow", _IMAGE, c={1: _f32(2.0)}),
    _case("pow-cube", "Pow", _ROW, c={1: _f32(3.0)}),
    _case("pow-of_constant", "Pow", _IMAGE, c={0: _f32(1.75)}),
    _case("clip-both", "Clip", _IMAGE, c={1: _f32(-0.75), 2: _f32(1.5)}),
    _case("relu", "Relu", _IMAGE),
    _case("sum", "Sum", _IMAGE, _IMAGE),
)
_COMPARISONS: Final = tuple(
    Sample(f"{onnx.lower()}-{name}", f"{PREFIX}{onnx}", inputs, constants, result="bool")
    for onnx in ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
    for name, inputs, constants in (
        ("images", (_IMAGE, _IMAGE), {}),
        ("constant", (_ROW,), {1: _f32(0.5)}),
    )
)
_TRUTH: Final = ("bool", 0, 1)
_REDUCE_SAMPLES: Final = (
    *(
        _case(f"{onnx.lower()}-{name}", onnx, shape, c=_axes(*axes), keepdims=kept)
        for onnx in REDUCTIONS
        if onnx != "ReduceLogSum"
        for name, shape, axes, kept in (("last", (1, 4, 9), (-1,), 1), ("two", (1, 3, 4, 2), (1, 3), 0))
        if onnx != "ReduceProd" or name == "two"
    ),
    _case("softmax-last", "Softmax", (1, 5, 9)),
    _case("softmax-middle", "Softmax", (1, 6, 4), axis=1),
    _case("logsoftmax", "LogSoftmax", (1, 13), axis=-1),
    _case("layernorm", "LayerNormalization", (1, 5, 8), c={1: (8,), 2: (8,)}),
    _case("layernorm-two_axes", "LayerNormalization", (1, 2, 4, 3), c={1: (4, 3)}, axis=2, epsilon=0.01),
    _case("instancenorm", "InstanceNormalization", (1, 3, 4, 5), c={1: (3,), 2: (3,)}),
    _case("groupnorm", "GroupNormalization", (1, 4, 3, 5), c={1: (4,), 2: (4,)}, num_groups=2),
    _case(
        "batchnorm",
        "BatchNormalization",
        (1, 3, 4, 5),
        c={1: (3,), 2: (3,), 3: (3,), 4: np.array([0.5, 2.0, 1.25], np.float32)},
    ),
    _case("lpnorm-2", "LpNormalization", (1, 5, 8)),
    _case("lpnorm-1", "LpNormalization", (1, 6, 4), axis=1, p=1),
)
_MATMUL_SAMPLES: Final = (
    _case("matmul", "MatMul", (1, 5, 7), (1, 7, 3)),
    _case("matmul-constant", "MatMul", (1, 4, 9), c={1: (9, 5)}),
    _case("matmul-batches", "MatMul", (1, 3, 2, 5), (1, 3, 5, 4)),
    _case("gemm", "Gemm", (1, 21), c={1: (9, 21), 2: (9,)}, transB=1),
    _case("gemm-factors", "Gemm", (1, 8), c={1: (8, 5), 2: (5,)}, alpha=0.5, beta=2.0),
    _case("gemm-plain", "Gemm", (1, 8), c={1: (8, 5)}),
)

SAMPLES: Final[Mapping[str, tuple[Sample, ...]]] = {
    "concat": (_case("float", "Concat", (1, 3, 4), (1, 2, 4), axis=1),),
    "float_binary": _BINARY_SAMPLES,
    "float_compare": _COMPARISONS,
    "float_dequantize": (
        Sample("cast-integers", f"{PREFIX}Cast", ((1, 4, 5),), {}, {"to": 1}, plain={0: ("int32", -999, 999)}),
        Sample("cast-bools", f"{PREFIX}Cast", ((1, 4, 5),), {}, {"to": 1}, plain={0: _TRUTH}),
    ),
    "float_determinant": (
        _case("det", "Det", (1, 3, 3)),
        _case("det-several", "Det", (1, 4, 5, 5)),
        _case("det-one", "Det", (1, 1)),
    ),
    "float_matmul": _MATMUL_SAMPLES,
    "float_reduce": _REDUCE_SAMPLES,
    "float_unary": _unary_samples(),
    "reshape": (
        _case("float-reshape", "Reshape", (1, 6, 4), c=_axes(1, -1)),
        _case("float-flatten", "Flatten", _IMAGE),
        _case("float-squeeze", "Squeeze", (1, 7, 1), c=_axes(2)),
        _case("float-unsqueeze", "Unsqueeze", (1, 7), c=_axes(1)),
    ),
    "transpose": (_case("float", "Transpose", _IMAGE, perm=(0, 2, 3, 1)),),
    "where": (
        Sample("float", f"{PREFIX}Where", ((1, 5, 4, 3),) * 3, plain={0: _TRUTH}),
        Sample("float-constant", f"{PREFIX}Where", ((1, 1, 4, 3), (1, 5, 4, 3)), {2: _f32(-1.5)}, plain={0: _TRUTH}),
    ),
}
"""By operator of the integer graph, the conformance cases of its forms in software float."""
