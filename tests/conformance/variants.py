"""Every attribute of every operator, at every kind of value: what the table of supported operators has, and what not.

Each case is one operator. Whether edgeq takes it is not written down here: the road of float models and the road of
quantized models must agree on it, and what is taken must be right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from edgeq.numerics.array import Array
from edgeq.ops.signature import Shape
from edgeq.ops.trees import drawn_forest
from tests.conformance.qdq_road import Single

IMAGE: Final[Shape] = (1, 4, 6, 7)


def _ints(*items: int) -> Array:
    return np.array(items, np.int64)


def _floats(*items: float) -> Array:
    return np.array(items, np.float32)


def _number(value: float) -> Array:
    return np.array(value, np.float32)


def _normal(*shape: int) -> Array:
    return np.random.default_rng(5).normal(size=shape).astype(np.float32)


def _small(*shape: int) -> Array:
    """Recurrent weights that do not enlarge what rounding leaves."""
    return _normal(*shape) * np.float32(0.3)


def _zeros(*shape: int) -> Array:
    return np.zeros(shape, np.float32)


_OWN: Final = ("opset", "outputs", "raw", "kind", "tolerance")


def _single(kind: str, *inputs: Shape, **attributes: Any) -> Single:
    """One operator; ``c1=array`` is a constant; those of :data:`_OWN` are the case's, others attributes."""
    constants = {int(key[1:]): attributes.pop(key) for key in list(attributes) if key[0] == "c" and key[1:].isdigit()}
    own: dict[str, Any] = {key: attributes.pop(key) for key in _OWN if key in attributes}
    label = ",".join(
        [
            *(f"{key}={_short(value)}" for key, value in {**attributes, **own}.items()),
            *(f"c{key}={_short(value)}" for key, value in constants.items()),
        ]
    )
    shapes = "+".join("x".join(map(str, shape)) for shape in inputs)
    return Single(f"{kind}[{shapes}-{label}]", kind, inputs, constants, attributes, **own)


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.size > 8:
        return "x".join(map(str, value.shape))
    if isinstance(value, np.ndarray):
        return f"{list(value.shape)}:{value.reshape(-1).tolist()}".replace(" ", "")
    return str(value).replace(" ", "")


def convolutions() -> Iterator[Single]:
    """Conv over one, two and three dimensions."""
    weight = _normal(6, 4, 3, 3)
    for attributes in (
        {"auto_pad": "SAME_UPPER", "strides": (2, 2)},
        {"auto_pad": "SAME_LOWER", "strides": (2, 2)},
        {"auto_pad": "VALID"},
        {"auto_pad": "NOTSET", "pads": (1, 0, 2, 1)},
        {"dilations": (2, 2)},
        {"dilations": (1, 2), "pads": (1, 2, 1, 2)},
        {"strides": (3, 1)},
        {"kernel_shape": (3, 3)},
        {"pads": (3, 3, 3, 3)},
    ):
        yield _single("Conv", IMAGE, c1=weight, **attributes)
    yield _single("Conv", (2, 4, 6, 7), c1=weight)
    yield _single("Conv", IMAGE, c1=_normal(8, 2, 3, 3), c2=_normal(8), group=2)
    yield _single("Conv", IMAGE, c1=_normal(4, 1, 3, 3), group=4, dilations=(2, 1))
    yield _single("Conv", IMAGE, c1=_normal(8, 1, 3, 3), group=4)
    yield _single("Conv", (1, 4, 12), c1=_normal(5, 4, 3), pads=(1, 1), strides=(2,))
    yield _single("Conv", (1, 4, 12), c1=_normal(5, 4, 3), auto_pad="SAME_LOWER", strides=(2,))
    yield _single("Conv", (1, 4, 12), c1=_normal(4, 1, 3), group=4, dilations=(3,))
    yield _single("Conv", (1, 2, 4, 5, 4), c1=_normal(3, 2, 2, 2, 2))
    yield _single("Conv", (2, 4, 12), c1=_normal(5, 4, 3))
    yield _single("ConvTranspose", IMAGE, c1=_normal(4, 3, 2, 2), strides=(2, 2))


def pools() -> Iterator[Single]:
    """MaxPool, AveragePool, LpPool and the global ones."""
    for kind in ("MaxPool", "AveragePool"):
        for attributes in (
            {"strides": (2, 2)},
            {"strides": (2, 2), "ceil_mode": 1},
            {"strides": (3, 3), "ceil_mode": 1},
            {"strides": (2, 2), "ceil_mode": 1, "pads": (1, 1, 1, 1)},
            {"dilations": (2, 2)},
            {"dilations": (2, 1), "ceil_mode": 1, "strides": (2, 2)},
            {"dilations": (1, 1)},
            {"auto_pad": "SAME_UPPER", "strides": (2, 2)},
            {"auto_pad": "SAME_LOWER", "strides": (2, 2)},
            {"auto_pad": "VALID", "strides": (2, 3)},
            {"pads": (1, 0, 0, 1)},
            {"pads": (2, 2, 2, 2)},
        ):
            yield _single(kind, IMAGE, kernel_shape=(3, 3), **attributes)
        yield _single(kind, (2, 4, 6, 7), kernel_shape=(2, 2))
        yield _single(kind, (1, 4, 13), kernel_shape=(3,), strides=(2,), pads=(1, 1))
        yield _single(kind, (1, 4, 13), kernel_shape=(3,), strides=(2,), ceil_mode=1)
        yield _single(kind, (1, 4, 13), kernel_shape=(3,), dilations=(2,))
        yield _single(kind, (1, 2, 4, 5, 4), kernel_shape=(2, 2, 2))
        yield _single(kind, IMAGE, kernel_shape=(1, 1), strides=(2, 2))
        yield _single(kind, (1, 4, 5, 5), kernel_shape=(1, 1), strides=(2, 2), ceil_mode=1)
    yield _single("MaxPool", IMAGE, kernel_shape=(2, 2), storage_order=1)
    counted: tuple[dict[str, Any], ...] = (
        {"pads": (1, 1, 1, 1)},
        {"pads": (1, 0, 0, 1), "strides": (2, 2)},
        {"auto_pad": "SAME_UPPER", "strides": (2, 2)},
        {"auto_pad": "SAME_LOWER", "strides": (2, 2)},
        {"strides": (2, 2), "ceil_mode": 1},
        {"strides": (2, 2), "ceil_mode": 1, "pads": (1, 1, 1, 1)},
        {"strides": (3, 3), "ceil_mode": 1, "pads": (1, 1, 0, 0)},
    )
    for attributes in counted:
        yield _single("AveragePool", IMAGE, kernel_shape=(3, 3), count_include_pad=1, **attributes)
    yield _single("AveragePool", (1, 4, 13), kernel_shape=(3,), strides=(2,), pads=(1, 1), count_include_pad=1)
    yield _single("LpPool", IMAGE, kernel_shape=(3, 3))
    for kind in ("GlobalAveragePool", "GlobalMaxPool"):
        yield _single(kind, IMAGE)
        yield _single(kind, (1, 4, 9))
        yield _single(kind, (1, 2, 3, 4, 5))
        yield _single(kind, (2, 4, 6, 7))


def products() -> Iterator[Single]:
    """Gemm and MatMul."""
    for attributes in (
        {"transB": 0},
        {"transB": 0, "alpha": 0.5},
        {"transB": 0, "alpha": -0.5},
        {"transB": 0, "beta": 2.0},
        {"transB": 0, "beta": 0.0},
        {"transB": 0, "alpha": 2.0, "beta": -1.5},
    ):
        yield _single("Gemm", (1, 12), c1=_normal(12, 5), c2=_normal(5), **attributes)
    yield _single("Gemm", (1, 12), c1=_normal(5, 12), transB=1, alpha=0.25)
    yield _single("Gemm", (12, 3), c1=_normal(12, 5), c2=_normal(5), transA=1)
    yield _single("Gemm", (3, 12), c1=_normal(12, 5), c2=_normal(1))
    yield _single("Gemm", (3, 12), c1=_normal(12, 5), c2=_normal(1, 5))
    yield _single("Gemm", (3, 12), c1=_normal(12, 5), c2=_normal(3, 1), raw=(2,))
    yield _single("Gemm", (3, 12), c1=_normal(12, 5), c2=_normal(3, 5), raw=(2,))
    yield _single("Gemm", (3, 12), (12, 5))
    yield _single("Gemm", (3, 12), (5, 12), transB=1)
    yield _single("MatMul", (1, 12), c1=_normal(12, 5))
    yield _single("MatMul", (1, 6, 12), c1=_normal(12, 5))
    yield _single("MatMul", (1, 2, 6, 12), c1=_normal(12, 5))
    yield _single("MatMul", (1, 2, 6, 12), c1=_normal(1, 1, 12, 5))
    yield _single("MatMul", (1, 2, 6, 12), c1=_normal(1, 2, 12, 5))
    yield _single("MatMul", (1, 12), c1=_normal(12))
    yield _single("MatMul", (12, 5), c0=_normal(3, 12))
    yield _single("MatMul", (1, 2, 3, 4), (1, 1, 4, 5))
    yield _single("MatMul", (2, 3, 4), (2, 4, 5))
    yield _single("MatMul", (1, 3, 4), (4, 5))
    yield _single("MatMul", (4,), (4, 5))


def joins() -> Iterator[Single]:
    """Concat and Pad."""
    yield _single("Concat", IMAGE, (1, 2, 6, 7), axis=1)
    yield _single("Concat", IMAGE, (1, 4, 1, 7), axis=-2)
    yield _single("Concat", IMAGE, IMAGE, axis=0)
    yield _single("Concat", (4, 3), (2, 3), axis=0)
    yield _single("Concat", IMAGE, axis=1)
    yield _single("Concat", *[(1, 2, 3, 3)] * 11, axis=1)
    yield _single("Concat", IMAGE, c1=_normal(1, 2, 6, 7), axis=1)
    yield _single("Concat", IMAGE, c0=_normal(1, 2, 6, 7), axis=1)
    pads = _ints(0, 0, 1, 2, 0, 0, 0, 1)
    for mode in ("constant", "reflect", "edge", "wrap"):
        yield _single("Pad", IMAGE, c1=pads, mode=mode)
    yield _single("Pad", IMAGE, c1=pads, c2=_number(0.5), raw=(2,))
    yield _single("Pad", IMAGE, c1=pads, c2=_number(-100.0), raw=(2,))
    yield _single("Pad", IMAGE, c1=pads, c2=_number(-np.inf), raw=(2,))
    yield _single("Pad", IMAGE, c1=pads, c2=_number(0.5))
    yield _single("Pad", IMAGE, c1=_ints(0, 0, -1, 0, 0, 0, 0, 0))
    yield _single("Pad", IMAGE, c1=_ints(0, 0, -1, 2, 0, 0, 1, -2))
    yield _single("Pad", IMAGE, c1=_ints(0, 0, 0, 0, 0, 0, 0, 0))
    yield _single("Pad", IMAGE, c1=_ints(1, 0, 0, 0, 0, 0, 0, 0))
    yield _single("Pad", IMAGE, c1=_ints(1, 2), c2=_number(0.0), c3=_ints(3), raw=(2,))
    yield _single("Pad", IMAGE, c1=_ints(1, 0, 2, 1), c3=_ints(-1, -2))
    yield _single("Pad", IMAGE, c1=pads, opset=13)
    yield _single("Pad", IMAGE, pads=(0, 0, 1, 2, 0, 0, 0, 1), value=0.25, opset=10)


def shapes() -> Iterator[Single]:
    """Reshape and its kin."""
    yield _single("Reshape", IMAGE, c1=_ints(1, -1))
    yield _single("Reshape", IMAGE, c1=_ints(0, 0, 42))
    yield _single("Reshape", IMAGE, c1=_ints(1, 4, 42), allowzero=1)
    yield _single("Reshape", IMAGE, c1=_ints(0, -1, 7), allowzero=0)
    yield _single("Flatten", IMAGE, axis=2)
    yield _single("Flatten", IMAGE, axis=0)
    yield _single("Flatten", IMAGE, axis=-1)
    yield _single("Squeeze", (1, 4, 1, 1))
    yield _single("Squeeze", (1, 4, 1, 1), c1=_ints(-1))
    yield _single("Squeeze", (1, 4, 1, 1), axes=(2, 3), opset=11)
    yield _single("Unsqueeze", (1, 4), c1=_ints(-1, 0))
    yield _single("Unsqueeze", (1, 4), axes=(1,), opset=11)
    yield _single("Identity", IMAGE)


def parts() -> Iterator[Single]:
    """Slice, Split, Gather, Expand, Tile, Transpose, DepthToSpace."""
    for starts, ends, axes, steps in (
        (_ints(1), _ints(3), _ints(2), None),
        (_ints(-3), _ints(2**62), _ints(-1), None),
        (_ints(-1), _ints(-100), _ints(3), _ints(-1)),
        (_ints(5), _ints(0), _ints(2), _ints(-2)),
        (_ints(1, 2), _ints(4, 6), _ints(2, 3), _ints(2, 3)),
        (_ints(0, 1), _ints(1, 3), None, None),
        (_ints(0), _ints(100), _ints(1), _ints(1)),
        (np.array([1], np.int32), np.array([5], np.int32), np.array([3], np.int32), np.array([2], np.int32)),
        (_ints(3), _ints(1), _ints(2), None),
    ):
        more = {key: value for key, value in (("c3", axes), ("c4", steps)) if value is not None}
        yield _single("Slice", IMAGE, c1=starts, c2=ends, **more)
    yield _single("Transpose", IMAGE)
    yield _single("Transpose", IMAGE, perm=(0, 2, 3, 1))
    yield _single("Transpose", (3, 5))
    yield _single("Transpose", IMAGE, perm=(1, 0, 2, 3))
    yield _single("Split", IMAGE, axis=1, outputs=2, num_outputs=2)
    yield _single("Split", IMAGE, c1=_ints(1, 3), axis=1, outputs=2)
    yield _single("Split", IMAGE, axis=3, outputs=3, num_outputs=3)
    yield _single("Split", IMAGE, axis=-1, outputs=2, num_outputs=2)
    yield _single("Split", IMAGE, axis=1, outputs=2, opset=11)
    yield _single("Gather", IMAGE, c1=np.array(2, np.int64), axis=1)
    yield _single("Gather", IMAGE, c1=_ints(1, 2), axis=3)
    yield _single("Gather", IMAGE, c1=_ints(-2, -1), axis=-1)
    yield _single("Gather", IMAGE, c1=_ints(2, 0), axis=1)
    yield _single("Gather", IMAGE, c1=np.array([[0, 1]], np.int64), axis=1)
    yield _single("Expand", (1, 4, 1, 7), c1=_ints(1, 4, 6, 7))
    yield _single("Expand", IMAGE, c1=_ints(1, 1, 1, 1))
    yield _single("Tile", IMAGE, c1=_ints(1, 1, 2, 1))
    yield _single("Tile", IMAGE, c1=_ints(1, 1, 1, 1))
    yield _single("DepthToSpace", (1, 8, 3, 4), blocksize=2)
    yield _single("DepthToSpace", (1, 8, 3, 4), blocksize=2, mode="CRD")
    yield _single("SpaceToDepth", (1, 2, 6, 4), blocksize=2)


def resizes() -> Iterator[Single]:
    """Resize and Upsample."""
    double = _floats(1, 1, 2, 2)
    for mode in ("nearest", "linear"):
        yield _single("Resize", IMAGE, c2=double, raw=(2,), mode=mode)
    # 16 weights of at most 0.8 are rounded to 8 bits each: up to half of 0.8/127, times 127 steps of x.
    yield _single("Resize", IMAGE, c2=double, raw=(2,), mode="cubic", tolerance=16 * 0.8 / 2 + 0.51)
    for coordinates in (
        "asymmetric",
        "half_pixel",
        "half_pixel_symmetric",
        "align_corners",
        "pytorch_half_pixel",
        "tf_crop_and_resize",
    ):
        for rounding in ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil"):
            modes = {"coordinate_transformation_mode": coordinates, "nearest_mode": rounding}
            if coordinates == "tf_crop_and_resize":
                roi = _floats(0, 0, 0, 0, 1, 1, 1, 1)
                yield _single("Resize", IMAGE, c1=roi, c2=double, raw=(1, 2), mode="nearest", **modes)
                continue
            for factor in (2, 3):
                scales = _floats(1, 1, factor, factor)
                yield _single("Resize", IMAGE, c2=scales, raw=(2,), mode="nearest", **modes)
    floor = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    yield _single("Resize", IMAGE, c3=_ints(1, 4, 12, 14), **floor)
    yield _single("Resize", IMAGE, c3=_ints(1, 4, 18, 7), **floor)
    yield _single("Resize", IMAGE, c3=_ints(1, 4, 9, 14), **floor)
    yield _single("Resize", IMAGE, c3=_ints(1, 4, 3, 7), **floor)
    yield _single("Resize", IMAGE, c3=_ints(12, 14), axes=(2, 3), **floor)
    yield _single("Resize", IMAGE, c2=_floats(2, 2), raw=(2,), axes=(2, 3), **floor)
    yield _single("Resize", IMAGE, c2=_floats(3, 2), raw=(2,), axes=(3, 2), **floor)
    yield _single("Resize", IMAGE, c3=_ints(13, 15), axes=(2, 3), keep_aspect_ratio_policy="not_larger", **floor)
    yield _single("Resize", IMAGE, c2=_floats(1, 2, 1, 1), raw=(2,), **floor)
    yield _single("Resize", IMAGE, c2=_floats(1, 1, 0.5, 0.5), raw=(2,), **floor)
    yield _single("Resize", IMAGE, c2=_floats(1, 1, 2.5, 2), raw=(2,), **floor)
    yield _single("Resize", (1, 4, 6, 7), c2=_floats(1, 1, 2.1, 2.1), raw=(2,), **floor)
    yield _single("Resize", (1, 4, 4, 4), c2=_floats(1, 1, 2.2, 2.2), raw=(2,), **floor)
    yield _single("Resize", (1, 4, 9), c2=_floats(1, 1, 2), raw=(2,), **floor)
    yield _single("Resize", IMAGE, c2=double, raw=(2,), antialias=1, mode="linear")
    yield _single("Resize", IMAGE, c1=double, raw=(1,), mode="nearest", opset=10)
    yield _single("Resize", IMAGE, c1=double, raw=(1,), mode="linear", opset=10)


def reductions() -> Iterator[Single]:
    """ReduceMean and its kin, Softmax and its kin."""
    for kind in ("ReduceMean", "ReduceMax", "ReduceSum"):
        for axes in ((2, 3), (1,), (-1,), (1, 3), (0, 1, 2, 3), (1, 2, 3), (0,)):
            for keep in (0, 1):
                yield _single(kind, IMAGE, c1=_ints(*axes), keepdims=keep)
        yield _single(kind, IMAGE)
        yield _single(kind, IMAGE, noop_with_empty_axes=1)
        yield _single(kind, IMAGE, c1=np.zeros(0, np.int64))
        yield _single(kind, IMAGE, c1=np.zeros(0, np.int64), noop_with_empty_axes=1)
        yield _single(kind, (1, 9, 5), c1=_ints(1))
    yield _single("ReduceMean", IMAGE, axes=(2, 3), opset=13)
    yield _single("ReduceMean", IMAGE, axes=(-1,), keepdims=0, opset=11)
    for kind in ("Softmax", "LogSoftmax", "Hardmax"):
        for axis in (-1, 1, 2, 3, 0):
            yield _single(kind, (1, 5, 4, 3), axis=axis)
        yield _single(kind, (1, 5, 1, 1), axis=1)
        yield _single(kind, (1, 5))
        yield _single(kind, (1, 5, 4))
        yield _single(kind, (1, 5, 4), opset=11)
        yield _single(kind, (1, 5, 4), axis=1, opset=11)
        yield _single(kind, (1, 5, 4), axis=2, opset=11)


def elementwise() -> Iterator[Single]:
    """Operators of several numbers, with broadcasting."""
    for kind in ("Add", "Sub", "Mul", "Div", "Max", "Min", "Pow"):
        yield _single(kind, IMAGE, IMAGE)
        yield _single(kind, IMAGE, c1=_number(2.0))
        yield _single(kind, IMAGE, c0=_number(2.0))
        yield _single(kind, IMAGE, (1, 4, 1, 1))
        yield _single(kind, (1, 7), IMAGE)
        yield _single(kind, IMAGE, c1=np.abs(_normal(1, 4, 1, 1)) + np.float32(0.5))
        yield _single(kind, IMAGE, c1=np.abs(_normal(7)) + np.float32(0.5))
    yield _single("Max", IMAGE, c1=_number(0.25), raw=(1,))
    yield _single("Min", IMAGE, c1=_number(0.25), raw=(1,))
    yield _single("Sum", IMAGE)
    yield _single("Sum", IMAGE, IMAGE)
    yield _single("Sum", IMAGE, IMAGE, IMAGE)
    yield _single("Mean", IMAGE, IMAGE)
    yield _single("Pow", IMAGE, c1=_number(2.0), raw=(1,))
    yield _single("Pow", IMAGE, c1=_number(3.0), raw=(1,))
    yield _single("Div", IMAGE, c1=_number(2.0), raw=(1,))
    yield _single("Mul", IMAGE, c1=_number(2.0), raw=(1,))
    yield _single("Add", IMAGE, c1=_normal(1, 4, 1, 1), raw=(1,))


def functions() -> Iterator[Single]:
    """Every function of one number at other parameters."""
    for low, high in ((-0.5, 1.0), (0.0, 6.0), (1.0, -1.0), (2.0, 2.0), (-np.inf, 1.0), (-1.0, np.inf)):
        yield _single("Clip", IMAGE, c1=_number(low), c2=_number(high), raw=(1, 2))
    yield _single("Clip", IMAGE, c1=_number(0.5), raw=(1,))
    yield _single("Clip", IMAGE, c2=_number(0.5), raw=(2,))
    yield _single("Clip", IMAGE, c1=_number(-0.5), c2=_number(1.0))
    yield _single("Clip", IMAGE)
    yield _single("Clip", IMAGE, min=-0.5, max=1.0, opset=10)
    yield _single("LeakyRelu", IMAGE, alpha=0.3)
    yield _single("LeakyRelu", IMAGE, alpha=-0.3)
    yield _single("LeakyRelu", IMAGE, alpha=0.0)
    yield _single("LeakyRelu", IMAGE, alpha=2.5)
    yield _single("PRelu", IMAGE, c1=_number(0.3))
    yield _single("PRelu", IMAGE, c1=np.full((4, 1, 1), 0.3, np.float32))
    yield _single("PRelu", IMAGE, c1=_normal(4, 1, 1))
    yield _single("PRelu", IMAGE, IMAGE)
    yield _single("Elu", IMAGE, alpha=2.0)
    yield _single("Celu", IMAGE, alpha=0.5)
    yield _single("Selu", IMAGE, alpha=1.5, gamma=1.2)
    yield _single("ThresholdedRelu", IMAGE, alpha=0.5)
    yield _single("HardSigmoid", IMAGE, alpha=0.3, beta=0.4)
    yield _single("Gelu", IMAGE, approximate="none")
    yield _single("Gelu", IMAGE, approximate="tanh")
    yield _single("Softplus", IMAGE)
    yield _single("Shrink", IMAGE, lambd=0.5, bias=0.2)
    yield _single("Dropout", IMAGE)
    yield _single("Dropout", IMAGE, c1=_number(0.5), raw=(1,))
    yield _single("Cast", IMAGE, to=1)
    yield _single("Round", IMAGE)
    yield _single("Neg", IMAGE)
    yield _single("Abs", IMAGE)


def normalizations() -> Iterator[Single]:
    """BatchNormalization and its kin."""
    four = (np.abs(_normal(4)) + np.float32(0.5), _normal(4), _normal(4), np.abs(_normal(4)) + np.float32(0.5))
    names = dict(zip(("c1", "c2", "c3", "c4"), four, strict=True))
    raw = (1, 2, 3, 4)
    yield _single("BatchNormalization", IMAGE, **names, raw=raw)
    yield _single("BatchNormalization", IMAGE, **names, raw=raw, epsilon=0.1)
    yield _single("BatchNormalization", (1, 4, 9), **names, raw=raw)
    yield _single("BatchNormalization", (3, 4), **names, raw=raw)
    yield _single("InstanceNormalization", IMAGE, c1=four[0], c2=four[1], raw=(1, 2))
    yield _single("LayerNormalization", (1, 6, 4), c1=four[0], c2=four[1], raw=(1, 2))
    yield _single("LpNormalization", IMAGE, axis=1)
    yield _single("GroupNormalization", IMAGE, c1=four[0], c2=four[1], raw=(1, 2), num_groups=2)
    yield _single("RMSNormalization", (1, 6, 4), c1=four[0], raw=(1,), opset=23)
    yield _single("RMSNormalization", (1, 6, 4), c1=_normal(6, 4), raw=(1,), axis=1, epsilon=0.25, opset=23)
    yield _single("LRN", IMAGE, size=3)


def recurrent() -> Iterator[Single]:
    """LSTM, GRU and RNN: directions, states, results, and what they can say besides."""
    for kind, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):
        weights = {"c1": _normal(1, gates * 5, 3), "c2": _small(1, gates * 5, 5)}
        both = {"c1": _normal(2, gates * 5, 3), "c2": _small(2, gates * 5, 5)}
        biases = {"c3": _normal(1, 2 * gates * 5), "raw": (3,)}
        shared: dict[str, Any] = {"hidden_size": 5} | weights | biases
        yield _single(kind, (4, 1, 3), hidden_size=5, **weights)
        yield _single(kind, (4, 1, 3), **shared)
        yield _single(kind, (4, 1, 3), **shared, c4=np.array([4], np.int32))
        yield _single(kind, (4, 1, 3), **shared, c4=np.array([3], np.int32))
        yield _single(kind, (4, 1, 3), **shared, direction="reverse")
        yield _single(kind, (4, 1, 3), hidden_size=5, direction="bidirectional", **both)
        yield _single(kind, (4, 2, 3), **shared)
        yield _single(kind, (4, 1, 3), **shared, clip=0.5)
        yield _single(kind, (4, 1, 3), **shared, activations=["Tanh", "Sigmoid", "Relu"][: 3 if gates == 4 else 2])
        yield _single(kind, (4, 1, 3), **shared, c5=_zeros(1, 1, 5))
    lstm: dict[str, Any] = {"c1": _normal(1, 20, 3), "c2": _small(1, 20, 5), "hidden_size": 5}
    yield _single("LSTM", (4, 1, 3), **lstm, c7=_normal(1, 15), raw=(7,))
    yield _single("LSTM", (4, 1, 3), **lstm, input_forget=1)
    yield _single("GRU", (4, 1, 3), c1=_normal(1, 15, 3), c2=_small(1, 15, 5), hidden_size=5, linear_before_reset=1)


def forests() -> Iterator[Single]:
    """TreeEnsembleRegressor with every question that integers answer as floats do, and every way to combine trees."""
    for number, mode in enumerate(("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT")):
        yield _forest(f"mode={mode}", drawn_forest(number, 5, 3, 6, mode=mode))
    for number, word in enumerate(("SUM", "AVERAGE", "MIN", "MAX")):
        yield _forest(f"aggregate={word}", drawn_forest(number, 4, 3, 6, 2, aggregate_function=word))
    yield _forest("base", drawn_forest(9, 4, 3, 6, 3, base_values=(0.5, -1.0, 0.0)))
    yield _forest("own_target", drawn_forest(10, 6, 3, 6, 3, own_target=True))
    yield _forest("one_leaf", drawn_forest(11, 2, 0, 6))


def _forest(label: str, attributes: Mapping[str, Any]) -> Single:
    kind = "TreeEnsembleRegressor"
    return Single(f"{kind}[{label}]", kind, ((1, 6),), {}, attributes)


FAMILIES: Final = {
    "convolutions": convolutions,
    "elementwise": elementwise,
    "forests": forests,
    "functions": functions,
    "joins": joins,
    "normalizations": normalizations,
    "parts": parts,
    "pools": pools,
    "products": products,
    "recurrent": recurrent,
    "reductions": reductions,
    "resizes": resizes,
    "shapes": shapes,
}


def variants(family: str) -> dict[str, Single]:
    """The cases of a family by id."""
    return {case.id: case for case in FAMILIES[family]()}
