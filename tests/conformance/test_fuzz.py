"""Random cases: shapes, strides, pads and scales that nobody thought of, in images against the reference, bit for bit.

The samples of the operator table know the rules of their authors; a compiler's mistake shows where nobody looked, as
when gcc moved the products out of a loop only where a convolution had a single column of results. Every draw follows
from its seed, so a failure repeats; ``EDGEQ_FUZZ_SEED`` (a number, 0 by default) moves all seeds at once.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from math import prod
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from onnx import TensorProto

from edgeq.ir import DType, Quantization
from edgeq.numerics.array import Array
from edgeq.numerics.scaling import MODES, Mode
from edgeq.onnxio.qdq_form import REQUANTIZE
from edgeq.ops.signature import INTEGERS, Shape
from edgeq.ops.trees import drawn_forest
from tests.conformance.images import EVERY, FEWEST, WAYS, compare_on
from tests.conformance.test_images import CORES, need_tools
from tests.conformance.zoo import FAMILIES, Case, Types, build, input_sets, kinds_of

Draw = Callable[[np.random.Generator, str], Case]

SEED = int(os.environ.get("EDGEQ_FUZZ_SEED", "0"))
SANITIZED = "native"
EXECUTORS = (SANITIZED, *CORES)
_CASES = 24
_MIXED_CASES = 6
_MOST_ELEMENTS = 4000
# Where kernels change their ways: words, vectors, and the lone rest behind them.
_EDGES = np.array([1, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33])
_ACTIVATIONS: tuple[tuple[str, ...], ...] = ((), ("Relu",), ("Clip",))
# Defined for every input and every params.
_FUNCTIONS = (
    "Abs",
    "Elu",
    "Erf",
    "HardSigmoid",
    "HardSwish",
    "LeakyRelu",
    "Relu",
    "Sigmoid",
    "Sin",
    "Softplus",
    "Tanh",
)


def _size(draw: np.random.Generator, most: int) -> int:
    """A size of at least one; every second one lies at an edge."""
    if draw.integers(2):
        return int(draw.choice(_EDGES[most >= _EDGES]))
    return int(draw.integers(1, most + 1))


def _sizes(draw: np.random.Generator, most: Sequence[int]) -> tuple[int, ...]:
    return tuple(_size(draw, bound) for bound in most)


def _pick(draw: np.random.Generator, choices: Sequence[int], count: int) -> tuple[int, ...]:
    return tuple(int(choice) for choice in draw.choice(choices, count))


def _parameters(draw: np.random.Generator, low: float = 0.004, high: float = 0.2) -> Quantization:
    """Any scale between the bounds; the zero point at an end of int8, at zero or anywhere."""
    scale = np.exp(draw.uniform(np.log(low), np.log(high)))
    zero_point = _pick(draw, (-128, 0, 127, int(draw.integers(-128, 128))), 1)[0]
    return Quantization.per_tensor(DType.INT8, float(np.float32(scale)), zero_point)


def _activation(draw: np.random.Generator) -> tuple[str, ...]:
    return _ACTIVATIONS[draw.integers(len(_ACTIVATIONS))]


def _shape(draw: np.random.Generator, most: int) -> Shape:
    """Two to four dimensions, one sample."""
    return (1, *_sizes(draw, [most] * int(draw.integers(1, 4))))


def _conv(draw: np.random.Generator, name: str) -> Case:
    """Pointwise, windows, depthwise and groups, in one and two dimensions; many have one row or column of results."""
    kind = draw.choice(["depthwise", "group", "pointwise", "window"])
    rank = 1 if draw.integers(6) == 0 else 2
    kernel = (1,) * rank if kind == "pointwise" else _sizes(draw, [5] * rank)
    channels, outputs, group = _size(draw, 35), _size(draw, 20), 1
    if kind == "depthwise":
        group, outputs = channels, channels * int(draw.choice([1, 1, 1, 2, 3]))
    elif kind == "group":
        group = int(draw.integers(2, 4))
        channels, outputs = group * _size(draw, 7), group * _size(draw, 6)
    dilations = _pick(draw, (1, 1, 1, 2, 3), rank)
    strides = _pick(draw, (1, 1, 2, 3), rank)
    pads = tuple(int(draw.integers(0, size)) for size in kernel * 2)
    extents = [(size - 1) * dilation + 1 for size, dilation in zip(kernel, dilations, strict=True)]
    further = [_pick(draw, (0, stride, int(draw.integers(9))), 1)[0] for stride in strides]
    image = (max(extent - pads[axis] - pads[axis + rank], 1) + further[axis] for axis, extent in enumerate(extents))
    attributes = {"kernel_shape": kernel, "strides": strides, "dilations": dilations, "pads": pads, "group": group}
    constants: dict[int, Shape] = {1: (outputs, channels // group, *kernel)}
    if draw.integers(4):
        constants[2] = (outputs,)
    return Case(
        f"{name}-{kind}",
        ("Conv", *_activation(draw)),
        ((1, channels, *image),),
        constants,
        attributes,
        parameters=(_parameters(draw),),
        # Prescribed integers stand for the two-dimensional weight that normalization makes of any other.
        full_range=rank == 2 and bool(draw.integers(2)),
    )


def _dense(draw: np.random.Generator, name: str) -> Case:
    if draw.integers(3) == 0:
        heads, rows, depth, columns = _sizes(draw, [4, 8, 49, 8])
        shapes = ((1, heads, rows, depth), (1, heads, depth, columns))
        return Case(
            f"{name}-matmul", ("MatMul", *_activation(draw)), shapes, parameters=(_parameters(draw), _parameters(draw))
        )
    rows, depth, outputs = int(draw.choice([1, 1, 2, 3])), _size(draw, 200), _size(draw, 24)
    return Case(
        f"{name}-gemm",
        ("Gemm", *_activation(draw)),
        ((rows, depth),),
        {1: (outputs, depth), 2: (outputs,)},
        {"transB": 1},
        parameters=(_parameters(draw),),
        full_range=bool(draw.integers(2)),
    )


def _arithmetic(draw: np.random.Generator, name: str) -> Case:
    """Extremes and quotients of two operands, slopes per channel; each may be broadcast along any axis."""
    kind = str(draw.choice(["Div", "Max", "Min", "PRelu"]))
    shape, name = _shape(draw, 17), f"{name}-{kind.lower()}"
    if kind == "PRelu":
        slopes = (shape[1], *(1,) * (len(shape) - 2))
        return Case(name, (kind,), (shape,), {1: slopes}, parameters=(_parameters(draw),))
    first, second = _parameters(draw), _parameters(draw)
    if kind == "Div":  # no divisor of the calibration is zero
        second = Quantization.per_tensor(DType.INT8, second.scale[0], -128)
    smaller = tuple(size if draw.integers(3) else 1 for size in shape)
    return Case(name, (kind,), (shape, smaller), parameters=(first, second))


def _float(draw: np.random.Generator, name: str) -> Case:
    """Functions, pairs that are broadcast, reductions and rows; often a second one reads the first one's floats."""
    kind = str(
        draw.choice(["Add", "Exp", "Gelu", "LogSoftmax", "Max", "ReduceMean", "Sigmoid", "Sin", "Softmax", "Tanh"])
    )
    shape, operands = _shape(draw, 9), 1
    constants: dict[int, Array] = {}
    if kind in {"Add", "Max"}:
        operands = 2
    if kind == "ReduceMean":
        constants = {1: np.array([int(draw.integers(1, len(shape)))], np.int64)}
    types = (f"Float{kind}", *(("FloatSoftplus",) if draw.integers(2) else ()))
    shapes = (shape, tuple(size if draw.integers(3) else 1 for size in shape))[:operands]
    parameters = tuple(_parameters(draw) for _ in shapes)
    return Case(f"{name}-{kind.lower()}", types, shapes, constants, parameters=parameters)


def _reduce(draw: np.random.Generator, name: str) -> Case:
    """Any axes behind the first."""
    kind = str(draw.choice(["ReduceMax", "ReduceMin", "ReduceSum", "ReduceSumSquare", "ReduceL1", "ReduceL2"]))
    shape = _shape(draw, 9)
    count = int(draw.integers(1, len(shape)))
    axes = np.sort(draw.choice(np.arange(1, len(shape)), count, replace=False)).astype(np.int64)
    attributes = {"keepdims": int(draw.integers(2))}
    return Case(f"{name}-{kind.lower()}", (kind,), (shape,), {1: axes}, attributes, parameters=(_parameters(draw),))


def _interpolate(draw: np.random.Generator, name: str) -> Case:
    """Rows and columns to any size."""
    shape, mode = (1, *_sizes(draw, [17, 7, 7])), str(draw.choice(["linear", "nearest"]))
    ways = ["align_corners", "asymmetric", "half_pixel", "pytorch_half_pixel"]
    attributes = {"mode": mode, "coordinate_transformation_mode": str(draw.choice(ways))}
    sizes = np.array([*shape[:2], *_sizes(draw, [11, 11])], np.int64)
    return Case(f"{name}-{mode}", ("Resize",), (shape,), {3: sizes}, attributes, parameters=(_parameters(draw),))


def _normalize(draw: np.random.Generator, name: str) -> Case:
    """Rows of any length, with factors and offsets or without."""
    shape, parameters = (1, *_sizes(draw, [7, 90])), (_parameters(draw),)
    if draw.integers(3) == 0:
        return Case(
            f"{name}-lp", ("LpNormalization",), (shape,), attributes={"axis": -1, "p": 2}, parameters=parameters
        )
    if draw.integers(3) == 0:
        groups = int(draw.integers(1, 4))
        image = (1, groups * _size(draw, 3), _size(draw, 9), _size(draw, 5))
        constants: dict[int, Shape] = {1: image[1:2], 2: image[1:2]}
        attributes = {"num_groups": groups}
        return Case(f"{name}-group", ("GroupNormalization",), (image,), constants, attributes, parameters=parameters)
    if draw.integers(3) == 0:
        constants = {1: shape[-1:]}
        return Case(f"{name}-rms", ("RMSNormalization",), (shape,), constants, {"axis": -1}, parameters=parameters)
    constants = {1: shape[-1:], 2: shape[-1:]}
    return Case(f"{name}-layer", ("LayerNormalization",), (shape,), constants, {"axis": -1}, parameters=parameters)


def _elementwise(draw: np.random.Generator, name: str) -> Case:
    """Both operands given, or one constant; each may be broadcast along any axis."""
    kind = str(draw.choice(["Add", "Mul", "Sub"]))
    types = (kind, *_activation(draw))
    shape = _shape(draw, 17)
    first = tuple(size if draw.integers(4) else 1 for size in shape)
    second = tuple(size if draw.integers(3) or first[axis] == 1 else 1 for axis, size in enumerate(shape))
    name = f"{name}-{kind.lower()}"
    if draw.integers(3) == 0:
        return Case(f"{name}_constant", types, (first,), {1: second}, parameters=(_parameters(draw),))
    return Case(name, types, (first, second), parameters=(_parameters(draw), _parameters(draw)))


def _gather(draw: np.random.Generator, name: str) -> Case:
    """Computed and constant indices, along any axis behind the first."""
    kind = str(draw.choice(["Gather", "GatherElements", "ScatterElements"]))
    shape, params = _shape(draw, 9), _parameters(draw)
    axis = int(draw.integers(1, len(shape)))
    count = shape[axis]
    several = (1, _size(draw, 5)) if kind == "Gather" else (*shape[:axis], _size(draw, 7), *shape[axis + 1 :])
    attributes, plain = {"axis": axis}, {1: ("int64", -count, count - 1)}
    name = f"{name}-{kind.lower()}"
    if kind == "ScatterElements":
        one = (*shape[:axis], 1, *shape[axis + 1 :])
        shapes = (shape, one, one)
        return Case(name, (kind,), shapes, attributes=attributes, parameters=(params,) * 3, plain=plain)
    if draw.integers(2):
        return Case(name, (kind,), (shape, several), attributes=attributes, parameters=(params,) * 2, plain=plain)
    indices = draw.integers(-count, count, several)
    return Case(f"{name}_constant", (kind,), (shape,), {1: indices}, attributes, parameters=(params,))


def _integer(draw: np.random.Generator, name: str) -> Case:
    """Numbers of all sizes and types; divisors are constants, so that none is zero."""
    kind = str(draw.choice(["Add", "BitShift", "BitwiseAnd", "Div", "Max", "Mod", "Mul", "Pow", "Sub"]))
    types = {"BitShift": INTEGERS[1::2], "Pow": ("int32", "int64")}
    type_ = str(draw.choice(types.get(kind, INTEGERS)))
    shape, name = _shape(draw, 9), f"{name}-{kind.lower()}-{type_}"
    second = tuple(size if draw.integers(3) else 1 for size in shape)
    limits = np.iinfo(type_)
    most = int(limits.max) >> int(draw.integers(limits.bits - 2))
    plain = dict.fromkeys((0, 1), (type_, -most if limits.min else 0, most))
    if kind == "BitShift":
        amounts = draw.integers(0, limits.bits, second).astype(type_)
        direction = {"direction": str(draw.choice(["LEFT", "RIGHT"]))}
        return Case(name, (kind,), (shape,), {1: amounts}, direction, plain={0: plain[0]}, result=type_)
    if kind in {"Div", "Mod"}:
        divisors = draw.integers(1, most, second, np.dtype(type_), endpoint=True)
        if limits.min:
            divisors *= draw.choice(np.array([-1, 1], type_), second)
        return Case(name, (kind,), (shape,), {1: divisors}, plain={0: plain[0]}, result=type_)
    return Case(name, (kind,), (shape, second), plain=plain, result=type_)


def _convert(draw: np.random.Generator, name: str) -> Case:
    """From any type to any other one."""
    type_ = str(draw.choice(INTEGERS))
    result = str(draw.choice([other for other in INTEGERS if other != type_]))
    plain = {0: (type_, int(np.iinfo(type_).min), int(np.iinfo(type_).max))}
    to = {"to": int(TensorProto.DataType.Value(result.upper()))}
    return Case(f"{name}-{type_}-{result}", ("Cast",), (_shape(draw, 9),), attributes=to, plain=plain, result=result)


def _fold(draw: np.random.Generator, name: str) -> Case:
    """Any axes behind the first, of the types that ONNX reduces."""
    kind = str(draw.choice(["ReduceL1", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceSum"]))
    type_ = str(draw.choice(["int32", "uint32", "int64", "uint64"]))
    shape, limits = _shape(draw, 9), np.iinfo(type_)
    count = int(draw.integers(1, len(shape)))
    axes = np.sort(draw.choice(np.arange(1, len(shape)), count, replace=False)).astype(np.int64)
    plain = {0: (type_, int(limits.min), int(limits.max))}
    attributes = {"keepdims": int(draw.integers(2))}
    name = f"{name}-{kind.lower()}-{type_}"
    return Case(name, (kind,), (shape,), {1: axes}, attributes, plain=plain, result=type_)


def _logic(draw: np.random.Generator, name: str) -> Case:
    """Comparisons at any two scales, and choices, with broadcasting."""
    kind = str(draw.choice(["Equal", "Greater", "LessOrEqual", "Where"]))
    shape, name = _shape(draw, 9), f"{name}-{kind.lower()}"
    first, second = (tuple(size if draw.integers(4) else 1 for size in shape) for _ in range(2))
    if kind == "Where":
        parameters = (_parameters(draw),) * 3
        return Case(name, (kind,), (first, shape, second), parameters=parameters, plain={0: ("bool", 0, 1)})
    return Case(name, (kind,), (first, second), parameters=(_parameters(draw), _parameters(draw)), result="bool")


def _select(draw: np.random.Generator, name: str) -> Case:
    """Extremes along any axis, few different values among them."""
    kind = str(draw.choice(["ArgMax", "ArgMin", "TopK"]))
    shape, parameters = _shape(draw, 17), (_parameters(draw),)
    axis, name = int(draw.integers(1, len(shape))), f"{name}-{kind.lower()}"
    if draw.integers(3) == 0:
        type_ = str(draw.choice(INTEGERS))
        limits = np.iinfo(type_)
        plain = {0: (type_, int(limits.min), int(limits.max))}
        if kind == "TopK":
            return Case(
                name, (kind,), (shape,), {1: np.array([1])}, {"axis": axis}, plain=plain, result=type_, results=2
            )
        return Case(name, (kind,), (shape,), attributes={"axis": axis}, plain=plain, result="int64")
    if kind == "TopK":
        attributes = {"axis": axis, "largest": int(draw.integers(2))}
        k = np.array([draw.integers(1, shape[axis] + 1)], np.int64)
        return Case(name, (kind,), (shape,), {1: k}, attributes, parameters=parameters, results=2)
    attributes = {"axis": axis, "keepdims": int(draw.integers(2)), "select_last_index": int(draw.integers(2))}
    return Case(name, (kind,), (shape,), attributes=attributes, parameters=parameters, result="int64")


def _layout(draw: np.random.Generator, name: str) -> Case:
    forms = (_concat, _pad, _resize, _slice, _transpose)
    return forms[draw.integers(len(forms))](draw, name)


def _concat(draw: np.random.Generator, name: str) -> Case:
    first, params = _shape(draw, 9), _parameters(draw)
    axis = int(draw.integers(1, len(first)))
    second = (*first[:axis], _size(draw, 17), *first[axis + 1 :])
    return Case(f"{name}-concat", ("Concat",), (first, second), attributes={"axis": axis}, parameters=(params, params))


def _pad(draw: np.random.Generator, name: str) -> Case:
    shape = _shape(draw, 9)
    pads = [0 if number % len(shape) == 0 else int(draw.integers(4)) for number in range(2 * len(shape))]
    return Case(f"{name}-pad", ("Pad",), (shape,), {1: np.array(pads, np.int64)}, parameters=(_parameters(draw),))


def _resize(draw: np.random.Generator, name: str) -> Case:
    scales = np.array([1, 1, *draw.integers(1, 4, 2)], np.float32)
    rule = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    shape = (1, *_sizes(draw, [17, 5, 5]))
    return Case(f"{name}-resize", ("Resize",), (shape,), {2: scales}, rule, parameters=(_parameters(draw),))


def _slice(draw: np.random.Generator, name: str) -> Case:
    shape = _shape(draw, 17)
    starts = [int(draw.integers(size)) for size in shape[1:]]
    ends = [int(draw.integers(start + 1, size + 1)) for start, size in zip(starts, shape[1:], strict=True)]
    steps = draw.integers(1, 4, len(starts))
    rows = (starts, ends, range(1, len(shape)), steps)
    constants = {number: np.array(row, np.int64) for number, row in enumerate(rows, 1)}
    return Case(f"{name}-slice", ("Slice",), (shape,), constants, parameters=(_parameters(draw),))


def _transpose(draw: np.random.Generator, name: str) -> Case:
    shape = _shape(draw, 9)
    order = (0, *(int(axis) for axis in 1 + draw.permutation(len(shape) - 1)))
    return Case(
        f"{name}-transpose", ("Transpose",), (shape,), attributes={"perm": order}, parameters=(_parameters(draw),)
    )


def _lookup(draw: np.random.Generator, name: str) -> Case:
    kind = str(draw.choice(_FUNCTIONS))
    return Case(f"{name}-{kind.lower()}", (kind,), (_shape(draw, 17),), parameters=(_parameters(draw),))


def _pool(draw: np.random.Generator, name: str) -> Case:
    kinds = ("AveragePool", "GlobalAveragePool", "GlobalMaxPool", "MaxPool", "ReduceMean")
    kind = str(draw.choice(kinds))
    kernel, strides = _sizes(draw, [4, 4]), _pick(draw, (1, 2, 3), 2)
    pads = tuple(int(draw.integers(size)) for size in kernel * 2)
    image = tuple(size + _pick(draw, (0, int(draw.integers(9))), 1)[0] for size in kernel)
    name, shape, parameters = f"{name}-{kind.lower()}", (1, _size(draw, 40), *image), (_parameters(draw),)
    if kind == "ReduceMean":
        axes = ((1,), (2,), (3,), (2, 3), (1, 2, 3))[draw.integers(5)]
        kept = {"keepdims": int(draw.integers(2))}
        return Case(name, (kind,), (shape,), {1: np.array(axes, np.int64)}, kept, parameters=parameters)
    window = {} if kind.startswith("Global") else {"kernel_shape": kernel, "strides": strides, "pads": pads}
    return Case(name, (kind,), (shape,), attributes=window, parameters=parameters)


def _requantize(draw: np.random.Generator, name: str) -> Case:
    shape, params = _shape(draw, 17), _parameters(draw, 0.01, 0.06)
    return Case(name, (REQUANTIZE,), (shape,), parameters=(params,), output_parameters=_parameters(draw, 0.01, 0.06))


def _softmax(draw: np.random.Generator, name: str) -> Case:
    """Rows of up to 511, which both modes can do; a third of them masked, by rows of their own or common ones."""
    shape = (1, int(draw.integers(1, 4)), _size(draw, 33) if draw.integers(2) else int(draw.integers(1, 512)))
    if draw.integers(3) == 0:
        mask = (1, shape[1] if draw.integers(2) else 1, shape[2])
        hidden, plain = {2: np.array(-1e4, np.float32)}, {0: ("bool", 0, 1)}
        return Case(
            f"{name}-masked",
            ("Where", "Softmax"),
            (mask, shape),
            hidden,
            parameters=(_parameters(draw),) * 2,
            plain=plain,
        )
    return Case(name, ("Softmax",), (shape,), attributes={"axis": -1}, parameters=(_parameters(draw),))


def _recurrent(draw: np.random.Generator, name: str) -> Case:
    kind, gates = (("LSTM", 4), ("GRU", 3), ("RNN", 1))[draw.integers(3)]
    steps, inputs, size = _sizes(draw, [9, 30, 23])
    constants: dict[int, Shape] = {1: (1, gates * size, inputs), 2: (1, gates * size, size)}
    if draw.integers(4):
        constants[3] = (1, 2 * gates * size)
    attributes: dict[str, int | str] = {"hidden_size": size, "direction": str(draw.choice(["forward", "reverse"]))}
    if kind == "GRU":
        attributes["linear_before_reset"] = int(draw.integers(2))
    shapes = ((steps, 1, inputs),)
    return Case(f"{name}-{kind.lower()}", (kind,), shapes, constants, attributes, parameters=(_parameters(draw),))


def _spectrum(draw: np.random.Generator, name: str) -> Case:
    """Frames of any length and distance, and bands of any frequencies, of powers and of magnitudes."""
    length = 1 << int(draw.integers(4, 10))
    taps, step = int(draw.integers(1, length + 1)), int(draw.integers(1, 2 * length))
    samples = length + step * int(draw.integers(3))
    window = np.zeros(length, np.float32)
    first = int(draw.integers(length - taps + 1))
    window[first : first + taps] = draw.normal(size=taps)
    bands = draw.random((length // 2 + 1, int(draw.integers(1, 6))))
    bands[draw.random(bands.shape) < draw.random()] = 0
    bands[int(draw.integers(len(bands))), 0] = 1
    numbers = (float(draw.choice([0.5, 1.0])), *draw.permutation([0.0, float(10.0 ** draw.uniform(-9, 2))]).tolist())
    constants: dict[int, Shape | Array] = {1: np.zeros(4, np.int64), 2: np.array(step), 3: window}
    constants |= {4: (bands * 10.0 ** draw.uniform(-6, 6)).astype(np.float32)}
    constants |= {5 + place: np.array(number, np.float32) for place, number in enumerate(numbers)}
    return Case(f"{name}-{length}", ("LogMel",), ((1, samples),), constants, parameters=(_parameters(draw),))


def _trees(draw: np.random.Generator, name: str) -> Case:
    trees, depth, features, targets = _sizes(draw, [12, 6, 40, 5])
    more: dict[str, str | tuple[float, ...]] = {"aggregate_function": str(draw.choice(["SUM", "MIN", "MAX"]))}
    if draw.integers(2):
        more["base_values"] = tuple(draw.normal(size=targets).tolist())
    mode = str(draw.choice(["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GT", "BRANCH_GTE"]))
    alone = more["aggregate_function"] == "SUM" and bool(draw.integers(2))
    attributes = drawn_forest(
        int(draw.integers(1 << 30)), trees, depth, features, targets, mode=mode, own_target=alone, **more
    )
    shapes = ((1, features),)
    return Case(name, ("TreeEnsembleRegressor",), shapes, {}, attributes, parameters=(_parameters(draw),))


DRAWS: Mapping[str, Draw] = {
    "arithmetic": _arithmetic,
    "conv": _conv,
    "convert": _convert,
    "dense": _dense,
    "elementwise": _elementwise,
    "float": _float,
    "fold": _fold,
    "gather": _gather,
    "integer": _integer,
    "layout": _layout,
    "logic": _logic,
    "lookup": _lookup,
    "normalize": _normalize,
    "pool": _pool,
    "recurrent": _recurrent,
    "reduce": _reduce,
    "requantize": _requantize,
    "resize": _interpolate,
    "select": _select,
    "softmax": _softmax,
    "spectrum": _spectrum,
    "trees": _trees,
}


def draw_cases(family: str, count: int, seed: int) -> list[Case]:
    """The first small enough cases of a family that follow from a seed."""
    return list(islice(_draw_all(family, seed), count))


def _draw_all(family: str, seed: int) -> Iterator[Case]:
    draw = np.random.default_rng([seed, zlib.crc32(family.encode())])
    number = 0
    while True:
        case = DRAWS[family](draw, f"{family}{number}")
        if all(prod(shape) <= _MOST_ELEMENTS for shape in case.inputs):
            yield case
            number += 1


def check(
    executor: str,
    name: str,
    cases: Sequence[Case],
    mode: Mode,
    code_bytes: int | None,
    folder: Path,
    types: Types = "s8",
) -> None:
    """Build an image of some cases and compare it; a failure says which case it is."""
    zoo = build(name, cases, mode, types)
    sanitize = executor == SANITIZED
    board = SANITIZED if sanitize else CORES[executor][0]
    found = compare_on(board, zoo.graph, input_sets(zoo.graph), folder, code_bytes=code_bytes, sanitize=sanitize)
    wrong = [case for case in cases if found.first is not None and found.first.tensor.startswith(f"{case.id}.")]
    assert found.first is None, f"{found.mismatches} of {found.elements} elements differ, the first in {wrong}"


def test_every_family_has_a_draw() -> None:
    assert tuple(DRAWS) == FAMILIES


@pytest.mark.qemu
@pytest.mark.parametrize("types", get_args(Types))
@pytest.mark.parametrize("executor", [SANITIZED, "m4"])
def test_random_cases_of_all_families_have_the_reference_bits(
    executor: str, types: Types, tmp_path: Path, needs_program: Callable[[str], str]
) -> None:
    if executor != SANITIZED:
        need_tools(executor, needs_program)
    # A change of scale is one between quantized operators only; it would be nothing in the float model of the others.
    families = [family for family in DRAWS if family != "requantize"]
    cases = [case for family in families for case in draw_cases(family, _MIXED_CASES, SEED)]
    check(executor, "mixed", cases, "highmul", FEWEST if executor == SANITIZED else EVERY, tmp_path, types)


@pytest.mark.slow
@pytest.mark.qemu
@pytest.mark.parametrize(
    ("mode", "family"), [(mode, family) for family in DRAWS for mode in MODES if (mode, "s8") in kinds_of(family)]
)
@pytest.mark.parametrize("executor", EXECUTORS)
def test_random_cases_of_a_family_have_the_reference_bits(
    executor: str, mode: Mode, family: str, tmp_path: Path, needs_program: Callable[[str], str]
) -> None:
    if executor != SANITIZED:
        need_tools(executor, needs_program)
    # Every executor has cases of its own, and the ways of emitting a call go round.
    seed = 1 + len(EXECUTORS) * SEED + EXECUTORS.index(executor)
    way = WAYS[(seed + MODES.index(mode) + FAMILIES.index(family)) % len(WAYS)]
    check(executor, family, draw_cases(family, _CASES, seed), mode, way, tmp_path)
