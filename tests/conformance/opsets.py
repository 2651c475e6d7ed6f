"""Every operator that edgeq reads, in each opset in which its definition changed, as a model of one node.

What the model computes is onnxruntime's word on the model as it stands, in its own opset; what edgeq makes of it is
compared by :func:`tests.conformance.node_tests.judge`: float for float behind the normalizer, then step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgeq.frontend.version import MAX_OPSET, MIN_OPSET
from edgeq.numerics.array import Array
from edgeq.ops import onnx_forms
from tests.conformance.node_tests import NodeTest, run_float

# onnxruntime 1.31 knows opsets up to here; the newer ones are in ONNX's own node tests.
LAST_OPSET: Final = min(26, MAX_OPSET)
# Operators that rules turn into others, beside those that have an integer form of their own.
REWRITTEN: Final = (
    "AffineGrid", "Attention", "BatchNormalization", "CenterCropPad", "Col2Im", "ConvTranspose", "DFT", "DeformConv",
    "DepthToSpace", "Det", "Dropout", "Einsum", "Expand", "Gather", "GlobalLpPool", "GridSample", "Hardmax", "LRN",
    "LogSoftmax", "LpPool", "MaxUnpool", "Mean", "MeanVarianceNormalization", "ReduceProd", "ReverseSequence",
    "RoiAlign", "RotaryEmbedding", "STFT", "SpaceToDepth", "Split", "Sum", "TensorScatter", "Tile", "Trilu",
    "Upsample",
)  # fmt: skip
_IMAGE: Final = (1, 4, 5, 6)
_RNG: Final = np.random.default_rng(5)
_WEIGHT, _BIAS = _RNG.normal(size=(3, 4, 3, 3)).astype(np.float32), _RNG.normal(size=3).astype(np.float32)
_VOLUME: Final = _RNG.normal(size=(3, 4, 2, 3, 2)).astype(np.float32)
_MATRIX: Final = _RNG.normal(size=(6, 5)).astype(np.float32)
_CHANNEL: Final = np.abs(_RNG.normal(size=4)).astype(np.float32) + np.float32(0.5)


@dataclass(frozen=True)
class Form:
    """One node: shapes of its computed inputs, constants by position, attributes, and the range of the inputs."""

    shapes: tuple[tuple[int, ...], ...] = (_IMAGE,)
    constants: Mapping[int, Array | None] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    low: float = -2.0
    high: float = 2.0
    outputs: int = 1


def _ints(*items: int) -> Array:
    return np.array(items, dtype=np.int64)


def _number(value: float) -> Array:
    return np.array(value, dtype=np.float32)


def _axes(opset: int, since: int, axes: tuple[int, ...], **attributes: Any) -> Form:
    """Axes are an attribute before an opset and an input from it on."""
    if opset < since:
        return Form(attributes={"axes": axes, **attributes})
    return Form(constants={1: _ints(*axes)}, attributes=attributes)


def _squeeze(opset: int) -> Form:
    made = _axes(opset, 13, (0, 3))
    return Form(((1, 4, 5, 1),), made.constants, made.attributes)


def _clip(opset: int) -> list[Form]:
    if opset < 11:
        return [Form(attributes={"min": -0.5, "max": 1.5}), Form(attributes={"max": 0.75})]
    return [Form(constants={1: _number(-0.5), 2: _number(1.5)}), Form(constants={1: None, 2: _number(0.75)})]


def _pad(opset: int) -> list[Form]:
    pads = (0, 0, 1, 2, 0, 0, 0, 1)
    modes = ("constant", "edge", "reflect") + (("wrap",) if opset >= 19 else ())
    if opset < 11:
        return [Form(attributes={"pads": pads, "mode": mode}) for mode in modes]
    forms = [Form(constants={1: _ints(*pads)}, attributes={"mode": mode}) for mode in modes]
    if opset >= 18:
        forms.append(Form(constants={1: _ints(1, 2), 2: _number(0.5), 3: _ints(-1)}))
    return forms


def _slice(opset: int) -> list[Form]:
    if opset < 10:
        return [Form(attributes={"starts": (1, 0), "ends": (3, -1), "axes": (1, 3)})]
    return [
        Form(constants={1: _ints(1, 0), 2: _ints(3, -1), 3: _ints(1, 3)}),
        Form(constants={1: _ints(-4, 0), 2: _ints(9, 9), 3: _ints(-1, 2), 4: _ints(2, 3)}),
    ]


def _split(opset: int) -> list[Form]:
    sizes = (1, 3)
    given = Form(attributes={"axis": 1, "split": sizes}, outputs=2)
    if opset >= 13:
        given = Form(constants={1: _ints(*sizes)}, attributes={"axis": 1}, outputs=2)
    even = {"axis": 1, "num_outputs": 2} if opset >= 18 else {"axis": 1}
    return [given, Form(attributes=even, outputs=2)]


def _resize(opset: int) -> list[Form]:
    scales = np.array([1, 1, 2, 3], np.float32)
    if opset < 10:
        return []
    if opset < 11:
        return [Form(constants={1: scales}, attributes={"mode": "nearest"})]
    how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    empty = np.zeros(0, np.float32)
    return [
        Form(constants={1: empty, 2: scales}, attributes=how),
        Form(constants={1: empty, 2: empty, 3: _ints(1, 4, 10, 12)}, attributes=how),
        Form(constants={1: empty, 2: scales}, attributes={"mode": "nearest"}),
        Form(constants={1: empty, 2: scales}, attributes={"mode": "cubic"}),
        Form(((1, 2, 12, 9),), {1: empty, 2: empty, 3: _ints(1, 2, 7, 12)}, {"mode": "cubic", "cubic_coeff_a": -0.5}),
        Form(
            constants={1: np.array([0, 0, 0.25, 0.1, 1, 1, 0.75, 1.3], np.float32), 2: empty, 3: _ints(1, 4, 3, 4)},
            attributes={
                "mode": "linear",
                "coordinate_transformation_mode": "tf_crop_and_resize",
                "extrapolation_value": 0.5,
            },
        ),
    ]


def _upsample(opset: int) -> list[Form]:
    if opset < 9:
        return [Form(attributes={"mode": "nearest", "scales": (1.0, 1.0, 2.0, 3.0)})]
    return (
        [Form(constants={1: np.array([1, 1, 2, 3], np.float32)}, attributes={"mode": "nearest"})] if opset == 9 else []
    )


def _reduce(opset: int, since: int) -> list[Form]:
    forms = [_axes(opset, since, axes, keepdims=keep) for axes in ((2, 3), (1,), (0, 2)) for keep in (0, 1)]
    return [*forms, Form(attributes={"keepdims": 0})]


def _pool(average: bool) -> Callable[[int], list[Form]]:
    def forms(opset: int) -> list[Form]:
        plain = {"kernel_shape": (3, 2)}
        found = [
            Form(attributes=plain),
            Form(attributes={**plain, "strides": (2, 2), "pads": (1, 0, 1, 1)}),
            Form(attributes={"kernel_shape": (3, 3), "strides": (2, 2), "auto_pad": "SAME_UPPER"}),
            Form(attributes={"kernel_shape": (3, 3), "strides": (2, 2), "auto_pad": "SAME_LOWER"}),
            Form(attributes={"kernel_shape": (2, 2), "auto_pad": "VALID"}),
            Form(((1, 4, 9),), attributes={"kernel_shape": (3,), "strides": (2,)}),
        ]
        if average:
            found.append(Form(attributes={**plain, "pads": (1, 1, 1, 0), "count_include_pad": 1}))
        if opset >= (19 if average else 10):
            found.append(Form(attributes={**plain, "dilations": (2, 3)}))
            found.append(Form(((1, 2, 6, 5, 6),), attributes={"kernel_shape": (2, 3, 2), "dilations": (2, 1, 2)}))
        found.append(Form(((1, 2, 4, 5, 6),), attributes={"kernel_shape": (2, 3, 2), "pads": (1, 1, 0, 0, 1, 1)}))
        if opset >= 10:
            found.append(Form(attributes={"kernel_shape": (3, 3), "strides": (2, 2), "ceil_mode": 1}))
        if not average and opset >= 8:
            found.append(Form(attributes={**plain, "strides": (1, 2), "pads": (1, 1, 1, 0)}, outputs=2))
            found.append(Form(((1, 4, 9),), attributes={"kernel_shape": (3,), "strides": (2,)}, outputs=2))
            found.append(Form(attributes={**plain, "storage_order": 1}, outputs=2))
        return found

    return forms


def _global_lp_pool(opset: int) -> list[Form]:
    if opset >= 22:
        return []  # onnxruntime does not have it
    return [Form(), *(Form(attributes={"p": p}, low=0.2) for p in (1, 3))]


def _lp_pool(opset: int) -> list[Form]:
    plain = {"kernel_shape": (3, 2)}
    found = [
        Form(attributes=plain),
        Form(attributes={**plain, "strides": (2, 2), "pads": (1, 0, 1, 1), "p": 1}),
        Form(attributes={**plain, "p": 3}, low=0.2),
        Form(((1, 4, 9),), attributes={"kernel_shape": (3,), "strides": (2,)}),
        Form(attributes={**plain, "auto_pad": "SAME_UPPER"}),
    ]
    if opset >= 18:
        found.append(Form(attributes={**plain, "dilations": (2, 1)}))
    return found


def _grid_sample(opset: int) -> list[Form]:
    grid = np.random.default_rng(8).uniform(-1.2, 1.2, (1, 3, 4, 2)).astype(np.float32)
    modes = ("bilinear", "bicubic", "nearest") if opset < 20 else ("linear", "cubic", "nearest")
    paddings = ("zeros", "border", "reflection")
    return [
        Form(constants={1: grid}, attributes={"mode": mode, "padding_mode": padding, "align_corners": corners})
        for mode, padding, corners in zip(modes, paddings, (0, 1, 1), strict=True)
    ]


def _softmax(opset: int) -> list[Form]:
    del opset
    return [Form(), *(Form(attributes={"axis": axis}) for axis in (1, 2, 3))]


def _batchnorm(opset: int) -> list[Form]:
    parameters = {1: _CHANNEL, 2: _CHANNEL - 1, 3: _CHANNEL - np.float32(0.7), 4: _CHANNEL}
    del opset
    return [Form(shapes, parameters, {"epsilon": 0.001}) for shapes in ((_IMAGE,), ((2, 4, 3, 5),))]


def _gemm(opset: int) -> list[Form]:
    bias = {2: _RNG.normal(size=5).astype(np.float32)}
    return [
        Form(((1, 6),), {1: _MATRIX, **bias}),
        Form(((3, 6),), {1: _MATRIX, **bias}, {"alpha": 0.5, "beta": 2.0}),
        Form(((1, 6),), {1: np.ascontiguousarray(_MATRIX.T), **bias}, {"transB": 1}),
        Form(((6, 2),), {1: _MATRIX, **bias}, {"transA": 1}),
        *([Form(((1, 6),), {1: _MATRIX})] if opset >= 11 else []),
    ]


def _conv(opset: int) -> list[Form]:
    del opset
    return [
        Form(constants={1: _WEIGHT}),
        Form(constants={1: _WEIGHT, 2: _BIAS}, attributes={"pads": (1, 0, 1, 2), "strides": (2, 1)}),
        Form(constants={1: _WEIGHT, 2: _BIAS}, attributes={"auto_pad": "SAME_UPPER", "strides": (2, 2)}),
        Form(constants={1: _WEIGHT, 2: _BIAS}, attributes={"auto_pad": "SAME_LOWER", "strides": (2, 2)}),
        Form(constants={1: _WEIGHT[:, :, :2, :2]}, attributes={"dilations": (2, 2)}),
        Form(((1, 4, 9),), {1: _WEIGHT[:, :, 0]}),
        Form(((1, 4, 4, 5, 6),), {1: _VOLUME, 2: _BIAS}, {"strides": (1, 2, 2), "pads": (1, 0, 1, 0, 1, 1)}),
    ]


def _binary(opset: int) -> list[Form]:
    del opset
    channel = _CHANNEL.reshape(4, 1, 1)
    return [Form((_IMAGE, _IMAGE)), Form((_IMAGE, (1, 4, 1, 1))), Form(constants={1: channel}), Form(((6,), (5, 1)))]


def _many(opset: int) -> list[Form]:
    shapes = (_IMAGE, _IMAGE, (1, 4, 1, 1)) if opset >= 8 else (_IMAGE, _IMAGE, _IMAGE)
    return [
        Form(shapes),
        Form((_IMAGE,)),
        Form((_IMAGE, _IMAGE)),
        Form(constants={1: np.full(_IMAGE, 0.5, np.float32)}),
    ]


def _dropout(opset: int) -> list[Form]:
    return [Form(attributes={"ratio": 0.25}) if opset < 12 else Form(constants={1: _number(0.25)}), Form()]


def _extreme(opset: int) -> list[Form]:
    return [Form(attributes={"axis": 1}), Form(attributes={"axis": 3, "keepdims": 0})]


def _compare(opset: int) -> list[Form]:
    return [Form((_IMAGE, _IMAGE)), Form(constants={1: _CHANNEL.reshape(4, 1, 1)})]


def _top_k(opset: int) -> list[Form]:
    if opset < 10:
        return [Form(attributes={"axis": 1, "k": 2}, outputs=2)]
    return [Form(constants={1: _ints(2)}, attributes={"axis": 1}, outputs=2)]


def _dft(opset: int) -> list[Form]:
    """The axis is an attribute before opset 20, an operand from then on."""
    real, wide = ((1, 12, 1),), ((1, 8, 6, 2),)

    def form(shapes: tuple[tuple[int, ...], ...], axis: int, length: int | None = None, **attributes: int) -> Form:
        constants: dict[int, Array | None] = {} if length is None else {1: np.array(length)}
        if opset < 20:
            return Form(shapes, constants, {"axis": axis, **attributes})
        return Form(shapes, {1: None, **constants, 2: np.array(axis)}, attributes)

    return [
        Form(real, attributes={"onesided": 1}),
        form(real, 1, 16, onesided=1),
        form(real, 1, 7),
        form(wide, 1),
        form(wide, 2, 9),
        form(wide, 2, inverse=1),
    ]


def _stft(opset: int) -> list[Form]:
    del opset
    step, window = np.array(3), np.hanning(8).astype(np.float32)
    return [
        Form(((1, 20),), {1: step, 2: window}),
        Form(((1, 20, 1),), {1: step, 2: window}, {"onesided": 0}),
        Form(((1, 20, 1),), {1: step, 2: None, 3: np.array(8)}),
    ]


def _recurrent(gates: int) -> Callable[[int], list[Form]]:
    def weights(directions: int) -> dict[int, Array | None]:
        shapes = ((1, (3 * gates, 5)), (2, (3 * gates, 3)), (3, (6 * gates,)))
        return {place: (_RNG.normal(size=(directions, *shape)) * 0.4).astype(np.float32) for place, shape in shapes}

    one, two = weights(1), weights(2)
    size: dict[str, Any] = {"hidden_size": 3}
    by_gates: dict[int, dict[str, Any]] = {
        1: {"activations": ["Relu"]},
        3: {
            "activations": ["HardSigmoid", "ScaledTanh"],
            "activation_alpha": [0.3, 0.9],
            "activation_beta": [0.4, 0.7],
        },
        4: {
            "activations": ["Sigmoid", "LeakyRelu", "Affine"],
            "activation_alpha": [0.1, 0.8],
            "activation_beta": [0.2],
        },
    }
    of_both: dict[int, dict[str, Any]] = {
        1: {"activations": ["Relu", "Elu"], "activation_alpha": [0.5]},
        3: {"activations": ["Sigmoid", "Tanh", "Sigmoid", "Softsign"], "linear_before_reset": 1},
        4: {"activations": ["Sigmoid", "Tanh", "Tanh", "HardSigmoid", "Softplus", "Softsign"]},
    }
    functions, others = by_gates[gates], of_both[gates]
    states: tuple[tuple[int, ...], ...] = ((4, 2, 5), (1, 2, 3), (1, 2, 3))[: 3 if gates == 4 else 2]
    forms = [Form(((4, 1, 5),), one, {**size, "direction": direction}) for direction in ("forward", "reverse")]
    forms += [
        Form(((4, 1, 5),), one, {**size, **functions}),
        Form(((4, 2, 5),), two, {**size, **others, "direction": "bidirectional"}, outputs=2),
        Form(states, {**one, 4: None}, {**size, "clip": 0.25, "direction": "reverse"}, outputs=2),
    ]
    if gates == 3:
        forms.append(Form(((3, 1, 5),), one, {**size, **functions, "linear_before_reset": 1}))
    if gates == 4:
        peepholes = (_RNG.normal(size=(1, 9)) * 0.5).astype(np.float32)
        absent: dict[int, Array | None] = dict.fromkeys((4, 5, 6))
        forms.append(Form(((4, 1, 5),), {**one, **absent, 7: peepholes}, size, outputs=3))
        forms.append(Form(((4, 1, 5),), {**one, **absent, 7: peepholes}, {**size, "clip": 0.5, **functions}))
        forms.append(Form(((4, 1, 5),), one, {**size, "input_forget": 1}, outputs=3))
    return lambda opset: forms


def _attention(opset: int) -> list[Form]:
    del opset
    four, three = ((1, 4, 3, 8), (1, 4, 5, 8), (1, 4, 5, 6)), ((1, 3, 32), (1, 5, 16), (1, 5, 12))
    heads, hidden = {"q_num_heads": 4, "kv_num_heads": 2}, np.triu(np.ones((3, 5), np.bool_), 2)
    return [
        Form(four),
        Form(four, attributes={"is_causal": 1, "scale": 0.5}),
        Form(four, {3: ~hidden}),
        Form(four, {3: np.where(hidden, np.float32(-np.inf), np.float32(0.5))}, {"softcap": 2.0}),
        Form(three, attributes=heads),
        Form((*three, (1, 2, 2, 8), (1, 2, 2, 6)), {3: None}, {**heads, "is_causal": 1}, outputs=3),
    ]


def _deform_conv(opset: int) -> list[Form]:
    del opset
    draw = np.random.default_rng(11)
    places = {2: draw.uniform(-1.5, 1.5, (1, 36, 3, 4)).astype(np.float32)}
    share = {3: _BIAS, 4: draw.uniform(0, 1, (1, 18, 3, 3)).astype(np.float32)}
    halves = draw.uniform(-1, 1, (1, 36, 3, 3)).astype(np.float32)
    weight = draw.normal(size=(3, 4, 3, 3)).astype(np.float32)
    return [
        Form(((1, 4, 5, 6),), {1: weight, 2: places[2][:, :18]}),
        Form(
            ((1, 4, 6, 5),),
            {1: weight, 2: halves, **share},
            {"offset_group": 2, "pads": [1, 0, 1, 2], "strides": [2, 2], "dilations": [1, 1], "kernel_shape": [3, 3]},
        ),
        Form(
            ((1, 4, 5, 6),),
            {1: draw.normal(size=(2, 2, 3, 3)).astype(np.float32), 2: places[2][:, :18]},
            {"group": 2},
        ),
    ]


def _roi_align(opset: int) -> list[Form]:
    regions = {1: np.array([[0, 0, 5, 3], [2.5, 1, 6, 4.5]], np.float32), 2: _ints(0, 0)}
    how: dict[str, Any] = {"output_height": 2, "output_width": 3, "sampling_ratio": 2, "spatial_scale": 0.5}
    modes = ("half_pixel", "output_half_pixel") if opset >= 16 else (None,)
    return [
        Form(((1, 4, 5, 6),), regions, how if mode is None else {**how, "coordinate_transformation_mode": mode})
        for mode in modes
    ]


def _reductions(opset: int) -> list[dict[str, str]]:
    if opset < 16:
        return []
    return [{"reduction": kind} for kind in (("add", "mul") if opset < 18 else ("add", "mul", "max", "min"))]


def _rotary(opset: int) -> list[Form]:
    del opset
    angles = np.linspace(0, 3, 40).reshape(10, 4)
    caches = {1: np.cos(angles).astype(np.float32), 2: np.sin(angles).astype(np.float32), 3: np.array([[2, 3, 9]])}
    half = {1: caches[1][:, :2], 2: caches[2][:, :2], 3: caches[3]}
    return [
        *(Form(((1, 2, 3, 8),), caches, {"interleaved": flag}) for flag in (0, 1)),
        *(
            Form(((1, 3, 16),), half, {"num_heads": 2, "rotary_embedding_dim": 4, "interleaved": flag})
            for flag in (0, 1)
        ),
    ]


FORMS: Final[dict[str, Callable[[int], list[Form]]]] = {
    "Acos": lambda opset: [Form(low=-0.99, high=0.99)],
    "Add": _binary,
    **dict.fromkeys(("ArgMax", "ArgMin"), _extreme),
    "AffineGrid": lambda opset: [
        Form(((2, 2, 3),), {1: _ints(2, 3, 5, 6)}, {"align_corners": 1}),
        Form(((1, 3, 4),), {1: _ints(1, 2, 3, 2, 4)}),
    ],
    "Asin": lambda opset: [Form(low=-0.99, high=0.99)],
    "AveragePool": _pool(average=True),
    "BatchNormalization": _batchnorm,
    "Cast": lambda opset: [Form(attributes={"to": TensorProto.INT32})],
    "CenterCropPad": lambda opset: [
        Form(constants={1: _ints(1, 3, 8, 6)}),
        Form(constants={1: _ints(2, 9)}, attributes={"axes": (-2, -1)}),
    ],
    "Clip": _clip,
    "Col2Im": lambda opset: [
        Form(((1, 12, 12),), {1: _ints(5, 5), 2: _ints(2, 3)}),
        Form(((2, 4, 9),), {1: _ints(5, 6), 2: _ints(2, 2)}, {"strides": (2, 2), "pads": (0, 0, 1, 0)}),
        Form(((1, 4, 9),), {1: _ints(5, 5), 2: _ints(2, 2)}, {"dilations": (2, 2)}),
    ],
    "Concat": lambda opset: [Form((_IMAGE, (1, 2, 5, 6)), attributes={"axis": 1})],
    "Conv": _conv,
    "ConvTranspose": lambda opset: [
        Form(constants={1: _RNG.normal(size=(4, 3, 3, 3)).astype(np.float32)}, attributes={"strides": (2, 2)}),
        Form(constants={1: _CHANNEL.reshape(4, 1, 1, 1), 2: _CHANNEL}, attributes={"group": 4, "strides": (1, 3)}),
        Form(((1, 4, 7),), {1: _RNG.normal(size=(4, 2, 4)).astype(np.float32)}, {"strides": (2,), "pads": (1, 1)}),
        Form(
            ((1, 4, 2, 3, 4),),
            {1: _RNG.normal(size=(4, 2, 2, 3, 2)).astype(np.float32), 2: _CHANNEL},
            {"group": 2, "strides": (2, 2, 1), "pads": (0, 1, 0, 1, 1, 0), "dilations": (1, 2, 1)},
        ),
    ],
    "DFT": _dft,
    "CumSum": lambda opset: [
        Form(constants={1: np.array(1)}),
        Form(constants={1: np.array(2)}, attributes={"reverse": 1}),
    ],
    "Equal": lambda opset: _compare(opset) if opset >= 11 else [],  # of integers before
    **dict.fromkeys(("Greater", "GreaterOrEqual", "Less", "LessOrEqual"), _compare),
    "DepthToSpace": lambda opset: [
        Form(attributes={"blocksize": 2, **({"mode": mode} if opset >= 11 else {})})
        for mode in (("DCR", "CRD") if opset >= 11 else ("DCR",))
    ],
    "Acosh": lambda opset: [Form(low=1.1, high=3.0)],
    "Atanh": lambda opset: [Form(low=-0.99, high=0.99)],
    "Div": lambda opset: [Form(constants={1: _CHANNEL.reshape(4, 1, 1)}), Form((_IMAGE, _IMAGE), low=0.2)],
    "DeformConv": _deform_conv,
    "Det": lambda opset: [Form(((2, size, size),)) for size in (1, 2, 3)],
    "Dropout": _dropout,
    "Einsum": lambda opset: [
        Form(((2, 3, 6), (2, 6, 4)), attributes={"equation": "bij,bjk->bik"}),
        Form(((3, 4, 5), (5, 3)), attributes={"equation": "abc,cd->dba"}),
        Form(((3, 4), (4, 5), (5,)), attributes={"equation": "ij,jk,k"}),
        Form(((3, 4), (2,)), attributes={"equation": "ij,k->ikj"}),
        Form(((2, 3, 3), (3,)), attributes={"equation": "...ii,i->..."}),
    ],
    "Expand": lambda opset: [Form(((1, 4, 1),), {1: _ints(2, 1, 3)})],
    "Flatten": lambda opset: [Form(), Form(attributes={"axis": 0}), Form(attributes={"axis": 2})],
    "Gather": lambda opset: [Form(constants={1: _ints(*i)}, attributes={"axis": 2}) for i in ((3, 0, 1), (1, 2))],
    "GatherElements": lambda opset: [Form(constants={1: np.full((1, 2, 5, 6), 3)}, attributes={"axis": 1})],
    "GatherND": lambda opset: [
        Form(((4, 5),), {1: np.array([[1], [3], [0]])}),
        Form(((4, 5),), {1: np.array([[1, 2]])}),
    ],
    "Gemm": _gemm,
    "GroupNormalization": lambda opset: [
        Form(constants={1: _CHANNEL[:size], 2: _CHANNEL[:size]}, attributes={"num_groups": 2})
        for size in ((2,) if opset < 21 else (4,))
    ],
    "Attention": _attention,
    "RotaryEmbedding": _rotary,
    "Hardmax": _softmax,
    "GRU": _recurrent(3),
    "LSTM": _recurrent(4),
    "RNN": _recurrent(1),
    "GlobalAveragePool": lambda opset: [Form(), Form(((1, 4, 9),)), Form(((1, 2, 3, 4, 5),))],
    "GlobalMaxPool": lambda opset: [Form(), Form(((1, 4, 9),)), Form(((1, 2, 3, 4, 5),))],
    "InstanceNormalization": lambda opset: [Form(constants={1: _CHANNEL, 2: _CHANNEL})],
    "LayerNormalization": lambda opset: [
        Form(constants={1: np.full(6, 1.5, np.float32), 2: np.full(6, 0.25, np.float32)}),
        Form(constants={1: np.full((5, 6), 1.5, np.float32)}, attributes={"axis": 2}),
        Form(constants={1: np.full(6, 1.5, np.float32)}, outputs=3),
    ],
    "GlobalLpPool": _global_lp_pool,
    "GridSample": _grid_sample,
    "LpPool": _lp_pool,
    "LpNormalization": lambda opset: [Form(attributes={"axis": 1, "p": p}) for p in (1, 2)],
    "LRN": lambda opset: [
        Form(attributes={"size": 3}),
        Form(attributes={"size": 5, "alpha": 0.75, "beta": 0.5, "bias": 1.5}),
    ],
    "LogSoftmax": _softmax,
    "Log": lambda opset: [Form(low=0.1)],
    "MatMul": lambda opset: [
        Form(((1, 3, 6),), {1: _MATRIX}),
        Form(((2, 3, 6), (2, 6, 4))),
        Form(((2, 3, 6),), {1: _RNG.normal(size=(2, 6, 4)).astype(np.float32)}),
        Form(((3, 6),), {1: _RNG.normal(size=(2, 6, 4)).astype(np.float32)}),
        Form(((6,), (6,))),
        Form(((6,), (2, 6, 4))),
        Form(((2, 1, 3, 6), (3, 6, 4))),
        Form(((1, 6),), {1: _MATRIX}),
    ],
    "Max": _many,
    "MaxPool": _pool(average=False),
    "MaxUnpool": lambda opset: [
        Form(
            ((1, 2, 2, 3),),
            {1: np.array([0, 3, 5, 14, 16, 23, 24, 31, 28, 36, 38, 47]).reshape(1, 2, 2, 3)},
            {"kernel_shape": (2, 2), "strides": (2, 2)},
        )
    ],
    "Mean": _many,
    "Min": _many,
    "Mod": lambda opset: [Form(constants={1: _number(0.75)}, attributes={"fmod": 1})],
    "Mul": _binary,
    "PRelu": lambda opset: [
        Form(constants={1: s.reshape(-1, 1, 1)}) for s in (_CHANNEL - 1, np.full(1, 0.25, np.float32))
    ],
    "Pad": _pad,
    "Pow": lambda opset: [Form(constants={1: _number(p)}, low=0.2) for p in (2.0, 0.5, 3.0, -1.0, 1.0, 2.5)],
    "Reciprocal": lambda opset: [Form(low=0.2)],
    **dict.fromkeys(
        (
            "ReduceL1",
            "ReduceL2",
            "ReduceLogSumExp",
            "ReduceMax",
            "ReduceMean",
            "ReduceMin",
            "ReduceSumSquare",
        ),
        lambda opset: _reduce(opset, 18),
    ),
    "ReduceProd": lambda opset: _reduce(opset, 18)[:-1],  # the last one multiplies more numbers than are taken
    "ReduceLogSum": lambda opset: [replace(form, low=0.2) for form in _reduce(opset, 18)],
    "ReduceSum": lambda opset: _reduce(opset, 13),
    "ReverseSequence": lambda opset: [
        Form(((4, 3, 2),), {1: _ints(4, 2, 1)}),
        Form(((1, 6, 2),), {1: _ints(5)}, {"batch_axis": 0, "time_axis": 1}),
    ],
    "RoiAlign": _roi_align,
    "RMSNormalization": lambda opset: [
        Form(constants={1: np.full(6, 1.5, np.float32)}),
        Form(constants={1: np.full((5, 6), 1.5, np.float32)}, attributes={"axis": 2, "epsilon": 0.25}),
    ],
    "Reshape": lambda opset: [Form(constants={1: _ints(0, -1, 3)})],
    "Resize": _resize,
    "STFT": _stft,
    "ScatterElements": lambda opset: [
        Form((_IMAGE, (1, 1, 5, 6)), {1: np.full((1, 1, 5, 6), 2)}, {"axis": 1}),
        *(
            Form(((4, 6), (3, 5)), {1: np.array([[1, 0, -1, 3, 2], [1, 0, 2, 3, 0], [1, 3, 3, 3, 1]])}, reduction)
            for reduction in _reductions(opset)
        ),
    ],
    "ScatterND": lambda opset: [
        Form(((4, 5), (2, 5)), {1: np.array([[0], [2]])}),
        *(
            Form(((4, 2, 3), (5, 3)), {1: np.array([[0, 1], [2, 0], [0, -1], [3, 1], [0, 1]])}, reduction)
            for reduction in _reductions(opset)
        ),
    ],
    "Slice": _slice,
    "Softmax": _softmax,
    "SpaceToDepth": lambda opset: [Form(((1, 2, 4, 6),), attributes={"blocksize": 2})],
    "Split": _split,
    "Sqrt": lambda opset: [Form(low=0.1)],
    "Squeeze": lambda opset: [_squeeze(opset), Form(((1, 4, 1),))],
    "Sub": _binary,
    "Sum": _many,
    "TensorScatter": lambda opset: [
        Form(((2, 3, 6, 4), (2, 3, 2, 4)), {2: _ints(3, 1)}),
        Form(((2, 6, 4), (2, 3, 4)), {2: _ints(5, 1)}, {"mode": "circular"}),
        Form(((1, 6, 4), (1, 6, 2)), attributes={"axis": 2}),
    ],
    "Tan": lambda opset: [Form(low=-1.0, high=1.0)],
    "Tile": lambda opset: [Form(((1, 4, 2),), {1: _ints(2, 1, 3)})],
    "TopK": _top_k,
    "Transpose": lambda opset: [Form(), Form(attributes={"perm": (0, 2, 3, 1)})],
    "Trilu": lambda opset: [Form(), Form(constants={1: np.array(-1)}, attributes={"upper": 0})],
    "Unsqueeze": lambda opset: [_axes(opset, 13, (0, 3))],
    "Upsample": _upsample,
    "Where": lambda opset: [Form((_IMAGE, _IMAGE), {0: np.array([True, False, True, True]).reshape(4, 1, 1)})],
}
"""Operators that are more than a function of one value; what an opset did not have yet is left out of the list."""


@cache
def operators() -> tuple[str, ...]:
    """Every operator that edgeq reads; OneHot has no operand of floats that are no integers."""
    standard = {name for name, (_, form) in onnx_forms().items() if not form.domain}
    return tuple(sorted({*standard, *REWRITTEN} - {"OneHot", "Swish"}))


def opsets_of(name: str) -> list[int]:
    """The opsets from 7 on in which an operator's definition is new, and the newest of all, where it has a form."""
    schemas = [item for item in onnx.defs.get_all_schemas_with_history() if item.domain == "" and item.name == name]
    since = sorted({max(item.since_version, MIN_OPSET) for item in schemas if not item.deprecated})
    last = max(schemas, key=lambda item: int(item.since_version))
    gone = last.since_version if last.deprecated else LAST_OPSET + 1
    found = sorted({opset for opset in (*since, LAST_OPSET) if opset < gone and opset <= LAST_OPSET})
    return [opset for opset in found if name not in FORMS or FORMS[name](opset)]


def models(name: str, opset: int) -> Iterator[NodeTest]:
    """The models of an operator in an opset, each with an input and onnxruntime's answer."""
    forms = FORMS[name](opset) if name in FORMS else [Form()]
    for number, form in enumerate(forms):
        label = f"{name}-{opset}-{number}"
        constants = {f"c{place}": array for place, array in form.constants.items()}
        computed = iter([f"x{index}" for index in range(len(form.shapes))])
        count = len(form.shapes) + len(constants)
        names = [f"c{i}" if i in form.constants else next(computed) for i in range(count)]
        operands = [item if constants.get(item, 0) is not None else "" for item in names]
        outputs = [f"y{index}" for index in range(form.outputs)]
        graph = helper.make_graph(
            [helper.make_node(name, operands, outputs, name="node", **form.attributes)],
            label,
            [helper.make_tensor_value_info(f"x{i}", TensorProto.FLOAT, shape) for i, shape in enumerate(form.shapes)],
            [onnx.ValueInfoProto(name=item) for item in outputs],
            [numpy_helper.from_array(array, key) for key, array in constants.items() if array is not None],
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8 if opset < 21 else 10
        )
        generator = np.random.default_rng(number)
        inputs = tuple(generator.uniform(form.low, form.high, shape).astype(np.float32) for shape in form.shapes)
        answers = run_float(model, {f"x{index}": array for index, array in enumerate(inputs)})
        yield NodeTest(label, model, inputs, tuple(answers), 1e-5, 1e-5)
