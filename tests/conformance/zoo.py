"""The conformance cases as models: one ONNX model per operator family, every case a part of its own in it.

The cases are the samples of the operator table, and :data:`FURTHER`: what a single operator cannot show, such as an
activation fused into its producer, a change of scale, and functions that need a domain. A case's constants and inputs
are exact multiples of their scales, so that onnxruntime's float result may be off by no more than one rounding. The
inputs' parameters are chosen, not observed: odd scales, and zero points at both ends of int8 and between. In int16 an
input has the same range, 128 times as fine.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import onnx
import onnx_ir
import quant_models
from onnx import TensorProto, helper, numpy_helper

from edgeq.frontend import check_support, normalize
from edgeq.integers import to_integer_graph
from edgeq.ir import DType, Graph, Quantization, QuantizedConstant, Tensor
from edgeq.lowering import lower
from edgeq.lowering.requantize import widened
from edgeq.numerics.array import Array
from edgeq.numerics.scaling import MODES, SCALINGS, Mode
from edgeq.onnxio.functions import with_functions
from edgeq.onnxio.qdq_form import MASKED, REQUANTIZE, QdqPlan
from edgeq.onnxio.qdq_parameters import quantize_constant
from edgeq.onnxio.reader import read_model_bytes
from edgeq.onnxio.samples import Samples
from edgeq.onnxio.writer import NEWER
from edgeq.ops import OPS, OnnxForm, Sample, onnx_forms, plain_form, plain_limits
from edgeq.ops.base import ML_DOMAIN
from edgeq.ops.base import spread as spread_of
from edgeq.ops.signature import PLAIN, Shape
from edgeq.ops.trees import drawn_forest
from edgeq.quant import QuantizeOptions, quantize

if TYPE_CHECKING:
    from onnx import NodeProto
    from onnx import TensorProto as Initializer

NETWORK = "network"
Types = Literal["s8", "s16", "s16s8", "s8s16"]
Kind = tuple[Mode, Types]
KINDS: tuple[Kind, ...] = (
    *((mode, "s8") for mode in MODES),
    ("highmul", "s16"),
    ("highmul", "s16s8"),
    ("highmul", "s8s16"),
)
"""Arithmetics with the types of activations: all of them, or that of the inputs and that of all others."""
ONE_TYPE: tuple[Kind, ...] = (("highmul", "s8"), ("highmul", "s16"))
"""Of the first arithmetic, those in which all activations have one type."""
# Taken in turn; seven and five, so that every pair meets.
SCALES = (0.031, 0.0173, 1 / 64, 0.0471, 0.00913, 0.0625, 0.0299)
ZERO_POINTS = (0, -128, 127, 5, -37)
_OPSET = 21
_CALIBRATION_SAMPLES = 24
# Calibration leaves out the lowest integers: there lies the zero that Log and Reciprocal cannot take.
_CALIBRATION_LOW = -120
_CLIP = (-0.4, 1.7)
# Values of int16, the largest type of which all are listed.
_LISTED = 1 << 16
FLOATS: Array = np.arange(-128, 129, dtype=np.float32) / 32
"""Inputs of software float that stands alone: as far as some 128 steps of int8."""


@dataclass(frozen=True)
class Case:
    """One part of a family's model.

    Attributes:
        id: ``conv2d[k3-stride2-pads_end]``; its ONNX names begin so.
        types: ONNX operators, each but the first reads the result of the one before.
        inputs: shapes of the activation inputs by position.
        constants: of the first operator: position → values, or the shape of normally distributed ones.
        attributes: of the first operator.
        tolerance: allowed difference to the float result in steps of the output's scale.
        parameters: those of the inputs; none takes them in turn.
        output_parameters: the output's; None is what calibration finds.
        full_range: weights are all of int8, −128 included, as imported models may have them.
        plain: of inputs that are no floats, the ONNX type and the least and largest value, as samples have them.
        result: the ONNX type of the result.
        results: how many results the first operator has.
        which: the one that is looked at.
    """

    id: str
    types: tuple[str, ...]
    inputs: tuple[Shape, ...]
    constants: Mapping[int, Shape | Array] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    tolerance: float = 1.0
    parameters: tuple[Quantization, ...] = ()
    output_parameters: Quantization | None = None
    full_range: bool = False
    plain: Mapping[int, tuple[str, int, int]] = field(default_factory=dict)
    result: str = "float"
    results: int = 1
    which: int = 0

    @property
    def is_plain(self) -> bool:
        """Whether nothing in it has a scale."""
        return self.result != "float" and len(self.plain) == len(self.inputs)

    @property
    def is_float(self) -> bool:
        """Whether it stays in software float."""
        return any(form_of(kind).floats for kind in self.types)

    @property
    def output(self) -> str:
        """Name of its model output."""
        return f"{self.id}.y"

    def input(self, number: int) -> str:
        """Name of one of its model inputs."""
        return f"{self.id}.x{number}"


@dataclass(frozen=True)
class Zoo:
    """A family's cases, quantized and lowered.

    Attributes:
        cases: by id.
        float_model: the model that onnxruntime runs.
        lowered: the integer graph before the passes.
        graph: the integer graph behind them.
    """

    cases: dict[str, Case]
    float_model: onnx_ir.Model
    lowered: Graph
    graph: Graph


_IMAGE: Shape = (1, 5, 4, 3)
_CONV = {1: (8, 4, 3, 3), 2: (8,)}
_GEMM = {1: (9, 21), 2: (9,)}
_POSITIVE = (Quantization.per_tensor(DType.INT8, 0.0299, -128),)
_UNIT = (Quantization.per_tensor(DType.INT8, 1 / 128, 0),)
_LAST: Mapping[int, Array] = {1: np.array([-1])}


def _parameters(number: int) -> Quantization:
    scale = float(np.float32(SCALES[number % len(SCALES)]))
    return Quantization.per_tensor(DType.INT8, scale, ZERO_POINTS[number % len(ZERO_POINTS)])


def _depthwise(height: int, width: int, pads: tuple[int, ...], strides: tuple[int, int] = (1, 1)) -> Case:
    """A 3x3 depthwise convolution: lines and columns of every length that a kernel treats apart."""
    name = f"conv2d[depthwise-{height}x{width}-pads{''.join(map(str, pads))}-strides{strides[0]}{strides[1]}]"
    attributes = {"group": 3, "pads": pads, "strides": strides}
    return Case(name, ("Conv",), ((1, 3, height, width),), {1: (3, 1, 3, 3), 2: (3,)}, attributes)


def _pointwise(inputs: int, outputs: int, width: int) -> Case:
    """A 1x1 convolution: columns of every length, odd numbers of channels, every number of pixels that is left over."""
    name = f"conv2d[pointwise-c{inputs}-c{outputs}-w{width}]"
    return Case(name, ("Conv",), ((1, inputs, 1, width),), {1: (outputs, inputs, 1, 1), 2: (outputs,)})


def _first(inputs: int, kernel: tuple[int, int], size: tuple[int, int], pads: tuple[int, ...], stride: int) -> Case:
    """A convolution whose rows are few values: as the first of a network."""
    name = f"conv2d[first-c{inputs}-k{kernel[0]}x{kernel[1]}-{size[0]}x{size[1]}-stride{stride}]"
    constants = {1: (5, inputs, *kernel), 2: (5,)}
    return Case(name, ("Conv",), ((1, inputs, *size),), constants, {"pads": pads, "strides": (stride, stride)})


_AROUND = (1, 1, 1, 1)

FURTHER: dict[str, tuple[Case, ...]] = {
    "conv": (
        *(_depthwise(3, width, _AROUND) for width in (2, 3, 4, 5, 6)),
        *(_depthwise(height, 4, _AROUND) for height in (7, 8, 9, 10)),
        *(_depthwise(4, width, (0, 0, 0, 0)) for width in (3, 6, 7)),
        _depthwise(5, 6, (1, 0, 0, 1)),
        _depthwise(6, 5, (0, 1, 1, 0)),
        *(_depthwise(3, width, _AROUND, (2, 2)) for width in (3, 4, 5, 7, 8, 10)),
        *(_depthwise(4, width, (0, 0, 1, 1), (2, 2)) for width in (4, 6, 7, 8, 10)),
        _depthwise(5, 7, (0, 0, 0, 0), (2, 2)),
        _depthwise(7, 5, _AROUND, (1, 2)),
        _depthwise(7, 5, _AROUND, (2, 1)),
        _depthwise(8, 6, (1, 0, 0, 1), (2, 1)),
        _depthwise(3, 4, (2, 1, 1, 2)),
        *(
            _pointwise(*sizes)
            for sizes in ((1, 1, 1), (6, 2, 2), (11, 3, 3), (13, 7, 4), (60, 2, 5), (64, 5, 7), (65, 4, 3))
        ),
        *(_pointwise(*sizes) for sizes in ((128, 3, 2), (140, 2, 4))),
        _first(3, (3, 3), (7, 8), (0, 0, 1, 1), 2),
        _first(3, (3, 3), (5, 7), _AROUND, 1),
        _first(1, (5, 5), (6, 7), (2, 2, 2, 2), 2),
        _first(1, (10, 4), (12, 7), (4, 1, 5, 1), 2),
        _first(2, (7, 7), (5, 4), (3, 3, 3, 3), 1),
        _first(1, (3, 17), (3, 19), (1, 8, 1, 8), 1),
        # Weights that are large in steps of the output: the accumulator is shifted to the left.
        Case(
            "conv2d[shifted-pointwise]",
            ("Conv",),
            ((1, 3, 4, 5),),
            {1: np.linspace(-200, 200, 9, dtype=np.float32).reshape(3, 3, 1, 1)},
            output_parameters=Quantization.per_tensor(DType.INT8, 0.0299, 3),
        ),
        Case(
            "conv2d[shifted-depthwise]",
            ("Conv",),
            ((1, 3, 4, 5),),
            {1: np.linspace(-900, 900, 27, dtype=np.float32).reshape(3, 1, 3, 3)},
            {"group": 3},
            output_parameters=Quantization.per_tensor(DType.INT8, 0.0299, 3),
        ),
        Case("conv2d[fused-relu]", ("Conv", "Relu"), ((1, 4, 6, 5),), _CONV),
        Case("conv2d[fused-clip]", ("Conv", "Clip"), ((1, 4, 6, 5),), _CONV),
        Case("conv2d[fused-relu-pointwise]", ("Conv", "Relu"), ((1, 12, 4, 3),), {1: (6, 12, 1, 1), 2: (6,)}),
        Case(
            "conv2d[fused-clip-depthwise]", ("Conv", "Clip"), ((1, 8, 5, 5),), {1: (8, 1, 3, 3), 2: (8,)}, {"group": 8}
        ),
        # Half a step of the convolution's scale s = 0.30, times the sigmoid's slope 1/4, in steps of 1/256: 32·s.
        Case(
            "conv2d[then-sigmoid]",
            ("Conv", "Sigmoid"),
            ((1, 4, 6, 5),),
            _CONV,
            tolerance=9.7,
            parameters=(Quantization.per_tensor(DType.INT8, 1 / 64, 127),),
        ),
        Case("conv2d[then-max_pool]", ("Conv", "Relu", "GlobalMaxPool"), ((1, 4, 6, 5),), _CONV),
        Case("conv2d[then-flatten]", ("Conv", "Flatten"), ((1, 4, 4, 5),), _CONV),
        Case("conv2d[full_range-k3]", ("Conv",), ((1, 4, 6, 5),), _CONV, full_range=True),
        Case("conv2d[full_range-pointwise]", ("Conv",), ((1, 24, 3, 4),), {1: (7, 24, 1, 1), 2: (7,)}, full_range=True),
        Case(
            "conv2d[full_range-depthwise]",
            ("Conv",),
            ((1, 9, 5, 5),),
            {1: (9, 1, 3, 3), 2: (9,)},
            {"group": 9},
            full_range=True,
        ),
        *(
            Case(
                f"conv2d[depthwise-{name}]",
                ("Conv",),
                ((1, channels, *size),),
                {1: (channels, 1, *kernel), 2: (channels,)},
                {"group": channels, "strides": strides, "pads": pads},
            )
            for name, channels, size, kernel, strides, pads in (
                ("tall-c9", 9, (19, 3), (3, 3), (1, 1), (1, 1, 1, 1)),
                ("tall-stride2-c3", 3, (21, 5), (3, 3), (2, 2), (1, 0, 1, 1)),
                ("tall-stride1x2-c2", 2, (17, 6), (3, 2), (1, 2), (0, 1, 2, 0)),
                ("wide-c20", 20, (4, 18), (3, 3), (1, 1), (1, 1, 1, 1)),
                ("wide-stride2-c8", 8, (6, 35), (2, 3), (2, 2), (0, 1, 1, 1)),
                ("k3x1-c18", 18, (5, 9), (3, 1), (1, 1), (2, 0, 2, 0)),
            )
        ),
        # Numbers of sixteen values, with and without a rest, in one row and by rows of the kernel.
        *(
            Case(
                f"conv2d[pointwise-c{inputs}-o{outputs}]", ("Conv",), ((1, inputs, 1, 3),), {1: (outputs, inputs, 1, 1)}
            )
            for inputs, outputs in ((16, 8), (31, 11), (48, 8), (64, 16), (70, 8), (96, 9), (128, 8), (136, 8))
        ),
        *(
            Case(
                f"conv2d[k{kernel[0]}x{kernel[1]}-c{inputs}]",
                ("Conv",),
                ((1, inputs, *size),),
                {1: (8, inputs, *kernel), 2: (8,)},
                {"strides": strides, "pads": pads, "dilations": dilations},
            )
            for inputs, size, kernel, strides, pads, dilations in (
                (3, (9, 11), (3, 3), (2, 2), (0, 0, 1, 1), (1, 1)),
                (8, (7, 6), (3, 3), (1, 1), (0, 0, 0, 0), (2, 1)),
                (16, (5, 8), (3, 3), (1, 1), (1, 1, 1, 1), (1, 1)),
                (16, (7, 9), (2, 5), (1, 2), (0, 2, 1, 1), (1, 1)),
                (32, (4, 5), (3, 3), (1, 1), (1, 1, 1, 1), (1, 1)),
                (64, (5, 3), (3, 1), (2, 1), (1, 0, 0, 0), (1, 1)),
            )
        ),
    ),
    "dense": (
        Case("dense[fused-relu]", ("Gemm", "Relu"), ((1, 21),), _GEMM, {"transB": 1}),
        Case("dense[fused-clip]", ("Gemm", "Clip"), ((1, 21),), _GEMM, {"transB": 1}),
        Case("dense[full_range]", ("Gemm",), ((1, 90),), {1: (11, 90), 2: (11,)}, {"transB": 1}, full_range=True),
        Case("matmul[fused-relu]", ("MatMul", "Relu"), ((1, 3, 6), (1, 6, 4))),
    ),
    "elementwise": tuple(
        Case(f"{name}[fused-{activation.lower()}]", (kind, activation), (_IMAGE, _IMAGE))
        for name, kind in (("add", "Add"), ("mul", "Mul"), ("sub", "Sub"))
        for activation in ("Clip", "Relu")
    ),
    "lookup": (
        Case("lookup[acos]", ("Acos",), (_IMAGE,), parameters=_UNIT),
        Case("lookup[acosh]", ("Acosh",), (_IMAGE,), parameters=(Quantization.per_tensor(DType.INT8, 0.125, -128),)),
        Case("lookup[asin]", ("Asin",), (_IMAGE,), parameters=_UNIT),
        Case("lookup[atanh]", ("Atanh",), (_IMAGE,), parameters=_UNIT),
        Case("lookup[chain]", ("Tanh", "Sigmoid"), (_IMAGE,), tolerance=2.0),
        Case("lookup[log]", ("Log",), (_IMAGE,), parameters=_POSITIVE),
        Case("lookup[pow-2.5]", ("Pow",), (_IMAGE,), {1: np.array(2.5, np.float32)}, parameters=_POSITIVE),
        Case("lookup[reciprocal]", ("Reciprocal",), (_IMAGE,), parameters=_POSITIVE),
        Case("lookup[sqrt]", ("Sqrt",), (_IMAGE,), parameters=_POSITIVE),
        Case("lookup[tan]", ("Tan",), (_IMAGE,), parameters=_UNIT),
    ),
    # Factors from 1/7 to 7, and every zero point on either side.
    "requantize": tuple(
        Case(
            f"requantize[{name}-{number}]",
            (REQUANTIZE,),
            (shape,),
            parameters=(_parameters(number),),
            output_parameters=_parameters(3 * number + 2),
        )
        for name, shape in (
            ("4d", _IMAGE),
            ("4d-c16", (1, 16, 4, 4)),
            ("2d", (1, 67)),
            ("3d", (1, 9, 7)),
            ("2d-1", (1, 1)),
        )
        for number in range(7)
    ),
}
FURTHER["arithmetic"] = (
    Case("divide[fused-clip]", ("Div", "Clip"), (_IMAGE, _IMAGE), parameters=(_parameters(2), *_POSITIVE)),
)
FURTHER["float"] = (
    *(
        Case(f"float_unary[{kind.lower()}]", (f"Float{kind}",), (_IMAGE,), parameters=parameters)
        for kind, parameters in (
            ("Acos", _UNIT),
            ("Acosh", (Quantization.per_tensor(DType.INT8, 0.125, -128),)),
            ("Asin", _UNIT),
            ("Atanh", _UNIT),
            ("Log", _POSITIVE),
            ("Reciprocal", _POSITIVE),
            ("Sqrt", _POSITIVE),
        )
    ),
    Case("float_binary[div]", ("FloatDiv",), (_IMAGE, _IMAGE), parameters=(_parameters(2), *_POSITIVE)),
    Case(
        "float_binary[mod]", ("FloatMod",), (_IMAGE, _IMAGE), {}, {"fmod": 1}, parameters=(_parameters(2), *_POSITIVE)
    ),
    Case("float_binary[pow]", ("FloatPow",), (_IMAGE, _IMAGE), parameters=(*_POSITIVE, *_UNIT)),
    Case("float_reduce[reducelogsum]", ("FloatReduceLogSum",), ((1, 4, 9),), _LAST, parameters=_POSITIVE),
    # Nothing is rounded between them.
    Case("float_unary[chain]", ("FloatExp", "FloatSoftmax", "FloatSqrt"), ((1, 3, 7),)),
    Case("float_unary[then-relu]", ("FloatSin", "Relu"), (_IMAGE,)),
    Case("float_unary[behind-sigmoid]", ("Sigmoid", "FloatLog"), (_IMAGE,), tolerance=4.0),
    Case("float_quantize[same]", ("FloatReshape",), (_IMAGE,), {1: np.array([1, -1])}),
)
FURTHER["integer"] = (
    # Beyond int32.
    Case(
        "to_integer[large]",
        ("Cast",),
        ((1, 9),),
        {},
        {"to": 7},
        parameters=(Quantization.per_tensor(DType.INT8, 2.0**25, 3),),
        result="int64",
    ),
)
FURTHER["convert"] = (
    # Held as int32, until sums leave it.
    Case(
        "convert[summed]",
        ("Cast", "ReduceSum"),
        ((1, 9),),
        {},
        {"to": 7},
        plain={0: spread_of("int32")},
        result="int64",
    ),
)
_LINEAR, _NEAREST = {"mode": "linear"}, {"mode": "nearest"}
_ALIGNED = {"coordinate_transformation_mode": "align_corners"}
_ASYMMETRIC = {"coordinate_transformation_mode": "asymmetric"}
_TORCH = {"coordinate_transformation_mode": "pytorch_half_pixel"}
FURTHER["resize"] = tuple(
    Case(
        name,
        ("Resize",),
        (shape,),
        {3: np.array([*shape[:2], *target])}
        if isinstance(target[0], int)
        else {2: np.array([1, 1, *target], np.float32)},
        attributes,
    )
    for name, shape, target, attributes in (
        ("resize_linear[by2-c3]", (1, 3, 4, 5), (2.0, 2.0), _LINEAR),
        ("resize_linear[by2-torch-c8]", (1, 8, 3, 4), (2.0, 2.0), _LINEAR | _TORCH),
        ("resize_linear[by3x1-asymmetric-c1]", (1, 1, 3, 4), (3.0, 1.0), _LINEAR | _ASYMMETRIC),
        ("resize_linear[by2.5-c5]", (1, 5, 4, 4), (2.5, 1.5), _LINEAR),
        ("resize_linear[half-c4]", (1, 4, 6, 8), (0.5, 0.5), _LINEAR),
        ("resize_linear[align_corners-c4]", (1, 4, 4, 5), (7, 9), _LINEAR | _ALIGNED),
        ("resize_linear[align_corners-down-c2]", (1, 2, 9, 7), (4, 3), _LINEAR | _ALIGNED),
        ("resize_linear[uneven-c3]", (1, 3, 5, 7), (8, 3), _LINEAR),
        ("resize_linear[one_pixel-c6]", (1, 6, 3, 3), (1, 1), _LINEAR | _TORCH),
        ("resize_nearest[by2-ceil-c3]", (1, 3, 4, 5), (2.0, 2.0), _NEAREST | {"nearest_mode": "ceil"}),
        ("resize_nearest[by2.5x1.5-c4]", (1, 4, 4, 6), (2.5, 1.5), _NEAREST),
        (
            "resize_nearest[half-floor-c8]",
            (1, 8, 6, 4),
            (0.5, 0.5),
            _NEAREST | _ASYMMETRIC | {"nearest_mode": "floor"},
        ),
        (
            "resize_nearest[align_corners-c1]",
            (1, 1, 4, 5),
            (9, 7),
            _NEAREST | _ALIGNED | {"nearest_mode": "round_prefer_ceil"},
        ),
    )
)
FURTHER["gather"] = tuple(
    Case(f"{name}[{kind}]", (type_,), shapes, constants, attributes, plain=dict.fromkeys(range(3), spread), result=kind)
    for kind, spread in ((kind, spread_of(kind)) for kind in PLAIN)
    for name, type_, shapes, constants, attributes in (
        ("concat", "Concat", ((1, 3, 4), (1, 2, 4)), {}, {"axis": 1}),
        ("reshape", "Reshape", ((1, 6, 2),), {1: np.array([1, 3, 4])}, {}),
        ("slice", "Slice", ((1, 9, 2),), {1: np.array([1]), 2: np.array([8]), 3: np.array([1]), 4: np.array([3])}, {}),
        ("transpose", "Transpose", ((1, 3, 4),), {}, {"perm": (0, 2, 1)}),
    )
)
_CAUSAL = np.tril(np.ones((7, 7), np.bool_))
_HIDDEN = np.array([[True, False, True, True], [False] * 4, [False, False, False, True]])
_MASKED = {2: np.array(-1e4, np.float32)}
_TRUTH = {0: ("bool", 0, 1)}
FURTHER["softmax"] = (
    *(
        Case(
            f"masked_softmax[{name}]",
            ("Where", "Softmax"),
            (mask, x) if isinstance(mask, tuple) else (x,),
            _MASKED if isinstance(mask, tuple) else {0: mask, **_MASKED},
            tolerance=1.01,
            plain=_TRUTH if isinstance(mask, tuple) else {},
        )
        for name, mask, x in (
            ("computed", (1, 4, 6), (1, 4, 6)),
            ("computed-row", (1, 1, 9), (1, 4, 9)),
            ("computed-heads", (1, 3, 1, 5), (1, 3, 4, 5)),
            ("computed-queries", (1, 1, 4, 5), (1, 3, 4, 5)),
            ("constant-causal", _CAUSAL, (1, 2, 7, 7)),
            ("constant-empty_row", _HIDDEN, (1, 3, 4)),
            ("constant-n1", np.ones((1, 1), np.bool_), (1, 3, 1)),
            ("constant-n600", np.arange(600) % 7 > 0, (1, 600)),
            ("constant-n600-none", np.zeros(600, np.bool_), (1, 600)),
        )
    ),
    Case("softmax[axis1-4d]", ("Softmax",), (_IMAGE,), attributes={"axis": 1}, tolerance=1.01),
    Case("softmax[axis2-4d]", ("Softmax",), (_IMAGE,), attributes={"axis": 2}, tolerance=1.01),
)
# Of int8 only where a model says so: forests have results of int16.
FURTHER["trees"] = tuple(
    Case(
        f"trees[{name}]",
        ("TreeEnsembleRegressor",),
        ((1, 6),),
        {},
        drawn_forest(17, 8, 4, 6, targets),
        output_parameters=Quantization.per_tensor(DType.INT8, 0.0471, zero),
    )
    for name, targets, zero in (("result_int8", 1, -11), ("result_int8-classes4", 4, 3))
)
# What a mode cannot do, and must say: LiteRT's own integer softmax is undefined in C beyond rows of 511.
REFUSED: dict[Mode, tuple[str, ...]] = {
    name: () if scaling.softmax_row_max is None else ("softmax[n512]", "softmax[n600]")
    for name, scaling in SCALINGS.items()
}
FAMILIES: tuple[str, ...] = tuple(sorted({op.family for op in OPS}))


def scales_by_mode(family: str) -> bool:
    """Whether an operator of a family computes otherwise in another arithmetic; all of the small network does."""
    return family == NETWORK or any(
        attribute.name == "requant" for op in OPS if op.family == family for attribute in op.attributes
    )


def cases_of(family: str, mode: Mode, types: Types = "s8") -> tuple[Case, ...]:
    """A family's cases that a mode can do: the samples of its operators, then the further ones.

    What has no scale is the same in all arithmetics and types, and only the first has it; so is software float between
    quantized tensors of one type.
    """
    kind = mode, types
    found = (case for case in all_cases(family) if case.id not in REFUSED[mode])
    if kind in ONE_TYPE:
        return tuple(case for case in found if not case.is_plain or kind == KINDS[0])
    return tuple(case for case in found if not case.is_plain and not case.is_float)


@cache
def kinds_of(family: str) -> tuple[Kind, ...]:
    """The arithmetics with types in which a family, or the small network, has cases: all of them in the first."""
    return tuple(kind for kind in KINDS if family == NETWORK or cases_of(family, *kind))


def all_cases(family: str) -> tuple[Case, ...]:
    """A family's cases, also those that a mode refuses."""
    samples = (
        Case(
            f"{op.name}[{sample.id}]",
            (sample.type,),
            sample.inputs,
            sample.constants,
            sample.attributes,
            sample.tolerance,
            _positive_parameters(sample),
            plain=sample.plain,
            result=sample.result,
            results=sample.results,
            which=sample.output,
        )
        for op in OPS
        if op.family == family
        for sample in op.samples
    )
    return (*samples, *FURTHER.get(family, ()))


def _positive_parameters(sample: Sample) -> tuple[Quantization, ...]:
    """Chosen parameters for the inputs of a sample of which some are positive; none for others."""
    if not sample.positive:
        return ()
    return tuple(
        _POSITIVE[0] if position in sample.positive else _parameters(position) for position in range(len(sample.inputs))
    )


def given_parameters(cases: Sequence[Case]) -> QdqPlan:
    """The chosen parameters as a plan, which :func:`float_model` completes."""
    return QdqPlan(activations=parameters_of(cases))


def parameters_of(cases: Sequence[Case]) -> dict[str, Quantization]:
    """The chosen parameters by value name."""
    found: dict[str, Quantization] = {}
    number = 0
    for case in cases:
        shares = form_of(case.types[0]).scale == "same"
        for position in range(len(case.inputs)):
            if position in case.plain:
                continue
            if case.parameters:
                found[case.input(position)] = case.parameters[position]
                continue
            number += 1 if position == 0 or not shares else 0
            found[case.input(position)] = _parameters(number)
        if case.output_parameters is not None:
            found[case.output] = case.output_parameters
    return found


def domain_of(kind: str) -> str:
    """The domain of ONNX that has an operator."""
    return "" if kind == REQUANTIZE else form_of(kind).domain


def form_of(kind: str) -> OnnxForm:
    """How the operator table spells an ONNX operator."""
    found = onnx_forms().get(kind) or plain_form(kind)
    assert found is not None, kind
    return OnnxForm(REQUANTIZE) if kind == REQUANTIZE else found[1]


@cache
def zoo(family: str, mode: Mode, types: Types = "s8") -> Zoo:
    """Build, quantize and lower a family; the same for the same arguments."""
    return build(family, cases_of(family, mode, types), mode, types)


def build(name: str, cases: Sequence[Case], mode: Mode, types: Types = "s8") -> Zoo:
    """Build, quantize and lower some cases.

    Raises:
        EdgeqError: a case cannot be done in this mode.
    """
    given = given_parameters(cases)
    parameters = dict(given.activations)
    model = float_model(name, cases, given)
    wanted = [case.output for case in cases] if types == "s8s16" else []
    wanted = [name for name in wanted if name.removesuffix(".y") not in _plain_results(cases)]
    if types in {"s16", "s16s8"}:
        wanted = [case.input(position) for case in cases for position in range(len(case.inputs))]
        wanted = [name for name in wanted if name in parameters]
    for value in wanted:
        if value in given.activations:
            given.activations[value] = widened(given.activations[value])
    # Normalization would take an Identity for what it is in a float model: nothing.
    normal = model if REQUANTIZE in cases[0].types else normalize(model)
    problems = [] if REQUANTIZE in cases[0].types else check_support(normal)
    assert not problems, problems
    options = QuantizeOptions(
        observer="minmax",
        mode=mode,
        bias_correction="off",
        scheme="w8a16" if types == "s16" else "w8a8",
        int16=tuple(wanted) if types != "s16" else (),
    )
    drawn = _calibration(normal, parameters) | _plain_calibration(cases)
    qdq = quantize(normal, Samples.of(drawn, normal), options, given=given).model
    lowered = lower(qdq, mode=mode, name=name)
    return Zoo({case.id: case for case in cases}, normal, lowered, to_integer_graph(qdq, mode, name))


def _plain_results(cases: Sequence[Case]) -> set[str]:
    return {case.id for case in cases if case.result != "float"}


def _limits(graph: Graph, tensor: Tensor) -> tuple[int, int]:
    """The least and the largest value of an input."""
    if tensor.dtype is DType.FLOAT32:
        return int(FLOATS[0]), int(FLOATS[-1])
    return plain_limits(graph, tensor.name) if tensor.is_plain else (tensor.dtype.min, tensor.dtype.max)


def input_sets(graph: Graph) -> list[list[Array]]:
    """Inputs for a run: zeros, zero points, both extremes, extremes at random, and uniform integers three times."""
    generator = np.random.default_rng(7)
    tensors = [graph.tensors[name] for name in graph.inputs]
    limits = {each.name: _limits(graph, each) for each in tensors}

    def filled(value: Callable[[Tensor], int]) -> list[Array]:
        return [np.full(tensor.shape, value(tensor), tensor.dtype.numpy) for tensor in tensors]

    def extremes() -> list[Array]:
        return [generator.choice(np.array(limits[each.name], each.dtype.numpy), each.shape) for each in tensors]

    def drawn() -> list[Array]:
        found = []
        for each in tensors:
            low, high = limits[each.name]
            # Choosing from a list and drawing between limits take different random numbers; a list ends somewhere.
            choices = np.arange(low, high + 1, dtype=each.dtype.numpy) if high - low < _LISTED else None
            choices = FLOATS if each.dtype is DType.FLOAT32 else choices
            uniform = (
                generator.integers(low, high, each.shape, each.dtype.numpy, endpoint=True) if choices is None else 0
            )
            found.append(np.asarray(uniform if choices is None else generator.choice(choices, each.shape)))
        return found

    return [
        *(
            filled(value)
            for value in (
                lambda _: 0,
                lambda each: each.zero,
                lambda each: limits[each.name][0],
                lambda each: limits[each.name][1],
            )
        ),
        extremes(),
        *(drawn() for _ in range(3)),
    ]


def _calibration(model: onnx_ir.Model, parameters: Mapping[str, Quantization]) -> dict[str, Array]:
    generator = np.random.default_rng(3)
    found = {}
    for value in model.graph.inputs:
        assert value.name is not None and value.shape is not None  # noqa: PT018 - the zoo has named and shaped it
        if value.name not in parameters:
            continue
        size = (_CALIBRATION_SAMPLES, *(int(str(dim)) for dim in value.shape))
        found[value.name] = parameters[value.name].dequantize(generator.integers(_CALIBRATION_LOW, 128, size))
    return found


def _plain_calibration(cases: Sequence[Case]) -> dict[str, Array]:
    generator = np.random.default_rng(5)
    found = {}
    for case in cases:
        for position, (kind, low, high) in case.plain.items():
            if position >= len(case.inputs):
                continue
            size = (_CALIBRATION_SAMPLES, *_batched(case.inputs[position]))
            dtype = np.uint64 if kind == "uint64" else np.int64
            drawn = generator.integers(low, high, size, dtype=dtype, endpoint=True)
            found[case.input(position)] = drawn.astype(np.bool_ if kind == "bool" else kind)
    return found


def float_model(name: str, cases: Sequence[Case], given: QdqPlan) -> onnx_ir.Model:
    """The cases side by side; weights whose integers are prescribed are added to ``given``."""
    nodes: list[NodeProto] = []
    initializers: list[Initializer] = []
    inputs, outputs = [], []
    for case in cases:
        operands = _operands(case, given, nodes, initializers)
        for position, shape in enumerate(case.inputs):
            kind = case.plain[position][0] if position in case.plain else "float"
            inputs.append(helper.make_tensor_value_info(case.input(position), _onnx_type(kind), _batched(shape)))
        for number, kind in enumerate(case.types):
            last = number == len(case.types) - 1
            result = case.output if last else f"{case.id}.t{number}"
            attributes = dict(case.attributes) if number == 0 else {}
            results = [f"{case.id}.other{other}" for other in range(case.results if number == 0 else 1)]
            results[case.which if number == 0 else 0] = result
            domain = domain_of(kind)
            if "nodes_values" in attributes:  # thresholds are constants that are exact multiples, too
                values = np.array(attributes["nodes_values"], np.float32)
                attributes["nodes_values"] = given.activations[case.input(0)].rounded(values).tolist()
            node = helper.make_node(kind, operands, results, f"{case.id}.{number}", None, domain, **attributes)
            nodes.append(node)
            operands = [result]
            if not last and case.types[number + 1] == "Clip":
                operands += _constants(case, [np.float32(bound) for bound in _CLIP], initializers)
        outputs.append(helper.make_tensor_value_info(case.output, _onnx_type(case.result), None))
    graph = helper.make_graph(nodes, name, inputs, outputs, initializers)
    opset = max(_OPSET, *(NEWER.get(item.op_type, 0) for item in graph.node), 0)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(ML_DOMAIN, 3)]
    proto = with_functions(helper.make_model(graph, opset_imports=opsets, ir_version=10))
    inferred = onnx.shape_inference.infer_shapes(proto, strict_mode=True, data_prop=True)
    return read_model_bytes(inferred.SerializeToString()) if proto.functions else onnx_ir.from_proto(inferred)


def _onnx_type(kind: str) -> int:
    return int(TensorProto.DataType.Value(kind.upper()))


def _batched(shape: Shape) -> Shape:
    """The shape with a batch of one in front, which the frontend asks of model inputs."""
    return shape if shape[:1] in {(), (1,)} else (1, *shape)


def _operands(case: Case, given: QdqPlan, nodes: list[NodeProto], initializers: list[Initializer]) -> list[str]:
    """The first operator's inputs in order: activations where no constant stands."""
    found = []
    for position in range(len(case.inputs) + len(case.constants) + _gaps(case)):
        if position in case.constants:
            found += _constants(case, [_values(case, position, given)], initializers)
        elif len(_activations(found)) < len(case.inputs):
            number = len(_activations(found))
            name, shape = case.input(number), case.inputs[number]
            if _batched(shape) != shape:
                target = _constants(case, [np.array(shape, np.int64)], initializers)
                nodes.append(helper.make_node("Reshape", [name, *target], [f"{name}.plain"], name=f"{name}.reshape"))
                name = f"{name}.plain"
            found.append(name)
        else:
            found.append("")
    return found


def _activations(names: Sequence[str]) -> list[str]:
    return [name for name in names if ".x" in name.rpartition("]")[2]]


def _gaps(case: Case) -> int:
    """Optional inputs that stay absent before the last constant."""
    taken = len(case.inputs) + len(case.constants)
    return max(0, max(case.constants, default=-1) + 1 - taken)


def _constants(case: Case, arrays: Sequence[Array | np.float32], initializers: list[Initializer]) -> list[str]:
    names = [f"{case.id}.c{len(initializers) + number}" for number in range(len(arrays))]
    initializers += [
        numpy_helper.from_array(np.asarray(array), name) for name, array in zip(names, arrays, strict=True)
    ]
    return names


def _values(case: Case, position: int, given: QdqPlan) -> Array:
    """A constant's values: as stated or drawn, on the params that its integer form will have."""
    stated = case.constants[position]
    form = form_of(case.types[0])
    generator = np.random.default_rng(zlib.crc32(f"{case.id}.{position}".encode()))
    if isinstance(stated, tuple) and position == form.weight and case.full_range:
        constant = _full_range(stated, generator)
        given.constants[f"{case.id}.0", position] = constant
        return constant.real()
    values = generator.normal(size=stated).astype(np.float32) if isinstance(stated, tuple) else stated
    if position == form.weight:
        return _rounded_per_channel(values, 0 if case.attributes.get("transB", 1) else 1)
    if position in form.matrices:
        return _rounded_per_channel(values, form.matrices[position])
    masks = values.size == 1 and float(values.reshape(-1)[0]) <= MASKED  # which has no integer
    if (form.activations is None or position in form.activations) and values.dtype == np.float32 and not masks:
        shared = given.activations.get(case.input(0)) if form.scale == "same" else None
        return quantize_constant(values, shared).real()
    return values


def _full_range(shape: Shape, generator: np.random.Generator) -> QuantizedConstant:
    integers = generator.integers(-128, 128, shape).astype(np.int8)
    integers.reshape(shape[0], -1)[:, 0] = -128
    scales = generator.uniform(0.004, 0.02, shape[0]).astype(np.float32)
    return QuantizedConstant(integers, Quantization.of(DType.INT8, scales, 0, 0))


def _rounded_per_channel(weight: Array, axis: int) -> Array:
    rest = tuple(other for other in range(weight.ndim) if other != axis)
    scale = (np.abs(weight).max(axis=rest, keepdims=True) / 127).astype(np.float32)
    result: Array = np.rint(weight / scale).astype(np.float32) * scale
    return result


@cache
def network(mode: Mode, types: Types = "s8") -> Graph:
    """A small network with a residual, a concatenation and a fused clamp: what single operators cannot show."""
    model = quant_models.residual_net()
    named = {"s8": (), "s16": ("*",), "s16s8": ("input",), "s8s16": ("s", "y")}
    options = QuantizeOptions(observer="minmax", mode=mode, int16=named[types])
    return to_integer_graph(quantize(model, quant_models.samples_for(model), options).model, mode, NETWORK)
