"""Every unary function: a table of the 256 results of int8, or of 513 between which int16 is interpolated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeq.ir import DType, Node, Quantization, Tensor
from edgeq.numerics.array import Array
from edgeq.numerics.interpolation import ENTRIES, interpolate
from edgeq.ops.axes import Axes
from edgeq.ops.base import Attribute, OnnxAttribute, OnnxForm, Op, Sample, no_macs
from edgeq.ops.signature import Shape, Signature, Slot, invalid

# Functions of known range, with the parameters that TFLite and others give their results too.
_FIXED = {
    "Sigmoid": Quantization.per_tensor(DType.INT8, 1 / 256, -128),
    "Tanh": Quantization.per_tensor(DType.INT8, 1 / 128, 0),
}
_NONNEGATIVE = ("Abs", "Acosh", "Cosh", "Exp", "HardSigmoid", "Relu", "Sigmoid", "Softplus", "Sqrt")
_ALPHA = OnnxAttribute("alpha", "float")
_ATTRIBUTES = {
    "Celu": (_ALPHA,),
    "Elu": (_ALPHA,),
    "Gelu": (OnnxAttribute("approximate", "str", ("none", "tanh")),),
    "HardSigmoid": (_ALPHA, OnnxAttribute("beta", "float")),
    "LeakyRelu": (_ALPHA,),
    "Mod": (OnnxAttribute("fmod", "int", (1,)),),
    "Selu": (_ALPHA, OnnxAttribute("gamma", "float")),
    "Shrink": (OnnxAttribute("bias", "float"), OnnxAttribute("lambd", "float")),
    "Swish": (_ALPHA,),
    "ThresholdedRelu": (_ALPHA,),
}
_CONSTANTS = {"Clip": {1: "lower bound", 2: "upper bound"}, "Mod": {1: "divisor"}, "Pow": {1: "exponent"}}
_ELEMENTWISE = (
    "Abs",
    "Acos",
    "Acosh",
    "Asin",
    "Asinh",
    "Atan",
    "Atanh",
    "Ceil",
    "Celu",
    "Clip",
    "Cos",
    "Cosh",
    "Elu",
    "Erf",
    "Exp",
    "Floor",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "LeakyRelu",
    "Log",
    "Mish",
    "Mod",
    "Neg",
    "Pow",
    "Reciprocal",
    "Relu",
    "Round",
    "Selu",
    "Sigmoid",
    "Shrink",
    "Sign",
    "Sin",
    "Sinh",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Swish",
    "Tan",
    "Tanh",
    "ThresholdedRelu",
)


def _shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    x, table = operands
    entries = 256 if x.dtype is DType.INT8 else ENTRIES
    if table.shape != (entries,):
        raise invalid(node, f"a table of {x.dtype.value} has {entries} entries", table.shape, (entries,))
    return x.shape


def _evaluate(node: Node, arrays: Sequence[Array]) -> list[Array]:
    x, table = arrays
    if x.dtype == np.int16:
        return [interpolate(x, table)]
    # The bits of x + 128 are those of x with the sign flipped.
    return [table[np.asarray(x, order="C").view(np.uint8) ^ np.uint8(128)]]


def _form(onnx: str) -> OnnxForm:
    fixed = _FIXED.get(onnx)
    return OnnxForm(
        onnx,
        scale="fixed" if fixed else "own",
        fixed=fixed,
        constants=_CONSTANTS.get(onnx, {}),
        clamps=onnx in ("Clip", "Relu"),
        nonnegative=onnx in _NONNEGATIVE,
        attributes=_ATTRIBUTES.get(onnx, ()),
    )


def _scalar(value: float) -> Array:
    return np.array(value, dtype=np.float32)


# Swish is opset 24; others have a domain that random inputs leave, or operands beside x.
_NO_PLAIN_SAMPLE = frozenset(
    {
        "Acos", "Acosh", "Asin", "Asinh", "Atanh", "Ceil", "Clip", "Cosh", "Floor", "Log", "Mod", "Pow", "Reciprocal",
        "Round", "Shrink", "Sign", "Sinh", "Sqrt", "Swish", "Tan",
    }
)  # fmt: skip
_PLAIN_SAMPLES = tuple(
    Sample(name.lower(), name, ((1, 3, 5, 4),)) for name in _ELEMENTWISE if name not in _NO_PLAIN_SAMPLE
)
_MORE_SAMPLES = (
    Sample("ceil", "Ceil", ((1, 3, 5, 4),)),
    Sample("clip-both", "Clip", ((1, 3, 5, 4),), {1: _scalar(-0.75), 2: _scalar(1.5)}),
    Sample("clip-relu6", "Clip", ((1, 17),), {1: _scalar(0.0), 2: _scalar(6.0)}),
    Sample("elu-alpha", "Elu", ((1, 33),), {}, {"alpha": 0.5}),
    Sample("floor", "Floor", ((1, 3, 5, 4),)),
    Sample("gelu-tanh", "Gelu", ((1, 33),), {}, {"approximate": "tanh"}),
    Sample("hardsigmoid-sixth", "HardSigmoid", ((1, 33),), {}, {"alpha": float(np.float32(1 / 6)), "beta": 0.5}),
    Sample("leakyrelu-alpha", "LeakyRelu", ((1, 7, 9),), {}, {"alpha": 0.25}),
    Sample("relu-1", "Relu", ((1, 1),)),
    Sample("relu-rank0", "Relu", ((),)),
    Sample("relu-2d-301", "Relu", ((1, 301),)),
    Sample("relu-5d", "Relu", ((1, 2, 3, 2, 5),)),
    Sample("round", "Round", ((1, 3, 5, 4),)),
    Sample("sigmoid-rank0", "Sigmoid", ((),)),
    Sample("sigmoid-3d", "Sigmoid", ((1, 6, 11),)),
    Sample("sign", "Sign", ((1, 3, 5, 4),)),
    Sample("tanh-2d", "Tanh", ((1, 65),)),
    Sample("thresholdedrelu-alpha", "ThresholdedRelu", ((1, 33),), {}, {"alpha": 0.375}),
    Sample("asinh", "Asinh", ((1, 3, 5, 4),)),
    Sample("cosh", "Cosh", ((1, 3, 5, 4),)),
    Sample("mod", "Mod", ((1, 3, 5, 4),), {1: _scalar(0.75)}, {"fmod": 1}),
    Sample("mod-negative", "Mod", ((1, 33),), {1: _scalar(-1.25)}, {"fmod": 1}),
    Sample("pow-cube", "Pow", ((1, 3, 5, 4),), {1: _scalar(3.0)}),
    Sample("pow-fourth", "Pow", ((1, 33),), {1: _scalar(4.0)}),
    Sample("shrink", "Shrink", ((1, 3, 5, 4),)),
    Sample("shrink-bias", "Shrink", ((1, 33),), {}, {"bias": 0.25, "lambd": 0.75}),
    Sample("sinh", "Sinh", ((1, 3, 5, 4),)),
)

LOOKUP = Op(
    name="lookup",
    family="lookup",
    summary="y = table[x + 128]: x, table int8[256]; of int16, a line between two entries of int16[513]",
    signature=Signature((Slot("x"), Slot("table", "table")), (("int8", "int8", "int8"), ("int16", "int16", "int16"))),
    attributes=(Attribute("function", "str", "what the table holds, for people"),),
    shape=_shape,
    evaluate=_evaluate,
    macs=no_macs,
    axes=Axes(),
    overwrites=(0,),
    onnx=tuple(_form(name) for name in _ELEMENTWISE),
    samples=_PLAIN_SAMPLES + _MORE_SAMPLES,
    limits="outside a function's domain the value at the nearest border counts",
)
OPS = (LOOKUP,)
