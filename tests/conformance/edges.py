"""Integer graphs on the borders of the kernels: clamps that bind, windows around 256 positions, extreme weights.

The zoo's cases come from ONNX and from calibration, whose scales make saturation do the work of every clamp, and whose
values never reach the limits that kernels are built around. Here the nodes are written as integers, one beside the
other, each with an input of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from edgeq.ir import Attr, DType, Graph, Node, Quantization, Tensor
from edgeq.numerics.array import Array
from edgeq.numerics.scaling import SCALINGS, Mode
from edgeq.ops import BY_NAME, infer
from edgeq.ops.pool import average_pool_counts
from tests.conformance.zoo import FAMILIES, FLOATS, KINDS, cases_of, zoo

Attributes = Mapping[str, int | str | tuple[int, ...]]
# Both bounds, and each alone.
CLAMPS = ((-20, 31), (-128, 40), (-50, 127))
ZEROS = (-128, 127, 5)
# What ARMv6-M's shorter requantization is proven for, as the requirement states it.
NARROW_LIMIT = 2**47 - 2**40
# Sums of int16 lanes hold 256 values of -128; each window stands alone, and as rows of a wider image.
WINDOWS = ((16, 16), (17, 17), (20, 20), (1, 256), (257, 1))
# Channels: blocks of 32 and 8, and a rest.
POOL_CHANNELS = 44


class Edges:
    """A graph under construction."""

    def __init__(self, mode: Mode) -> None:
        self.mode = mode
        self.graph = Graph(f"edges_{mode}")
        self.random = np.random.default_rng(11)

    def input(self, *shape: int, dtype: DType = DType.INT8) -> str:
        """A further model input."""
        name = f"x{len(self.graph.inputs)}"
        self.graph.inputs += (name,)
        return self.graph.add_tensor(Tensor(name, shape, dtype, quant=Quantization.per_tensor(dtype, 0.5, 0)))

    def constant(self, values: Array | Sequence[int], dtype: type[np.generic] = np.int32) -> str:
        """A constant."""
        array = np.array(values, dtype)
        return self.graph.add_tensor(Tensor.constant(f"c{len(self.graph.tensors)}", array))

    def node(self, op: str, inputs: Sequence[str], attributes: Attributes, zero: int, clamp: tuple[int, int]) -> None:
        """A node whose result is a model output."""
        attrs: dict[str, Attr] = {
            "requant": self.mode,
            "acc": "i32",
            "out_zero": zero,
            "clamp_min": clamp[0],
            "clamp_max": clamp[1],
        }
        if op in {"add", "sub"}:
            del attrs["acc"]
        if op in {"add", "sub"} and self.mode == "highmul":
            del attrs["out_zero"]
        if op == "pad":
            attrs = {}
        if op == "max_pool":
            attrs = {"clamp_min": clamp[0], "clamp_max": clamp[1]}
        self.add(op, inputs, attrs | dict(attributes))

    def add(self, op: str, inputs: Sequence[str], attrs: Mapping[str, Attr]) -> None:
        """A node of whatever attributes, whose result is a model output."""
        name = f"{op}{len(self.graph.nodes)}"
        node = Node(op, name, tuple(inputs), (name,), dict(attrs), (f"onnx/{name}",))
        ((shape, dtype),) = infer(node, self.graph.operands(node))
        self.graph.add_tensor(Tensor(name, shape, dtype, quant=Quantization.per_tensor(dtype, 0.5, 0)))
        self.graph.nodes.append(node)
        self.graph.outputs += (name,)

    def scaling(self, factor: float, channels: int = 1) -> tuple[list[str], Attributes]:
        """Multipliers around a real factor, per channel, with what goes with them."""
        spread: Array = factor * self.random.uniform(0.6, 1.4, channels)
        if self.mode != "highmul":
            exponents = np.ceil(np.log2(spread)).astype(np.int32)
            multipliers = np.rint(spread / 2.0**exponents * 2**31).clip(2**30, 2**31 - 1).astype(np.int32)
            return [self.constant(multipliers), self.constant(exponents)], {"shift": 0}
        shift = max(0, int(np.ceil(np.log2(spread.max()))) + 2)
        return [self.constant(np.asarray(np.rint(spread * 2.0 ** (32 - shift))))], {"shift": shift}

    def integers(self, *shape: int) -> Array:
        """Constants over all of int8; the first are its bounds."""
        values: Array = self.random.integers(-128, 128, shape).astype(np.int8)
        values.reshape(-1)[:2] = -128, 127
        return values


@cache
def elementwise_edges(mode: Mode) -> Graph:
    """The cases of sums, products and requantization alone: few enough for an instance of the kernel each."""
    made = Edges(mode)
    for zero, clamp in zip(ZEROS, CLAMPS, strict=True):
        _elementwise(made, zero, clamp)
    if mode == "highmul":
        _shifts(made)
    return made.graph


@cache
def edges(mode: Mode) -> Graph:
    """All border cases of a mode in one graph."""
    made = Edges(mode)
    for zero, clamp in zip(ZEROS, CLAMPS, strict=True):
        _layers(made, zero, clamp)
        _pools(made, zero, clamp)
        _elementwise(made, zero, clamp)
    for window in WINDOWS:
        _large_window(made, window)
    _long_means(made)
    _tap_pairs(made)
    _samples(made)
    if mode == "highmul":
        _wide_and_narrow(made)
        _shifts(made)
    return made.graph


def _samples(made: Edges) -> None:
    """A node of every further operator with a clamp, from the conformance samples, with bounds that results pass."""
    written = {node.op for node in made.graph.nodes}
    constant = set[str]()
    for family in FAMILIES:
        mode = made.mode if cases_of(family, made.mode) else KINDS[0][0]
        graph = zoo(family, mode).lowered
        for node in graph.nodes:
            clamps = "clamp_min" in node.attrs and graph.results(node)[0].dtype is DType.INT8
            if node.op not in written and clamps:
                (written if _sample(made, graph, node) else constant).add(node.op)
    assert constant <= written, f"no sample varies: {constant - written}"


def _sample(made: Edges, graph: Graph, node: Node) -> bool:
    """Whether results of the node vary, so that bounds can bind: then it is added."""
    free = node.with_attrs(clamp_min=-128, clamp_max=127)
    operands = graph.operands(node)
    drawn = [
        tensor.value()
        if tensor.is_constant
        else made.random.choice(FLOATS, (64, *tensor.shape))
        if tensor.dtype is DType.FLOAT32
        else made.random.integers(-128, 128, (64, *tensor.shape)).astype(tensor.dtype.numpy)
        for tensor in operands
    ]
    runs = [
        [array if tensor.is_constant else array[number] for tensor, array in zip(operands, drawn, strict=True)]
        for number in range(64)
    ]
    results = np.concatenate([BY_NAME[node.op].evaluate(free, run)[0].reshape(-1) for run in runs])
    low, high = (int(bound) for bound in np.quantile(results, (0.3, 0.7), method="nearest"))
    if low == high:
        return False
    names = [
        made.constant(tensor.value(), tensor.dtype.numpy.type)
        if tensor.is_constant
        else made.input(*tensor.shape, dtype=tensor.dtype)
        for tensor in operands
    ]
    made.add(node.op, names, {**node.attrs, "clamp_min": low, "clamp_max": high})
    return True


def _convolution(
    made: Edges,
    weights: Array,
    group: int,
    zero: int,
    clamp: tuple[int, int],
    size: tuple[int, int] | None = None,
    stride: int = 1,
) -> None:
    outputs, height, width, channels = weights.shape
    scaling, attributes = made.scaling(1500 / (weights[0].size * 60 * 60), outputs)
    constants = (
        made.constant(weights, np.int8),
        made.constant(list(range(-99, 99 * outputs, 99))[:outputs]),
        *scaling,
    )
    around = height // 2
    geometry: Attributes = {
        "strides": (stride, stride),
        "pads": (around,) * 4,
        "dilations": (1, 1),
        "group": group,
        "pad_value": -7,
    }
    x = made.input(1, *(size or (3, width + 2)), channels * group)
    made.node("conv2d", (x, *constants), {**geometry, **attributes}, zero, clamp)


def _layers(made: Edges, zero: int, clamp: tuple[int, int]) -> None:
    for outputs, kernel, channels in ((7, 3, 5), (19, 1, 9)):
        _convolution(made, made.integers(outputs, kernel, kernel, channels), 1, zero, clamp)
    for channels, width in ((3, 3), (21, 3), (21, 4)):
        weights = made.integers(channels, 3, width, 1)
        # No two neighbouring taps of -128: the kernel for depthwise convolutions takes them on every core.
        weights.reshape(channels, -1)[:, ::2] = np.maximum(weights.reshape(channels, -1)[:, ::2], -127)
        _convolution(made, weights, channels, zero, clamp)
    for size, stride in (((11, 4), 1), ((4, 21), 2), ((19, 3), 2)):
        _convolution(made, made.integers(9, 3, 3, 1), 9, zero, clamp, size, stride)
    for outputs, depth in ((6, 21), (9, 32), (1, 3)):
        scaling, attributes = made.scaling(1500 / (depth * 60 * 60), outputs)
        constants = (made.constant(made.integers(outputs, depth), np.int8), made.constant([-77] * outputs), *scaling)
        made.node("dense", (made.input(1, depth), *constants), attributes, zero, clamp)
    scaling, attributes = made.scaling(300 / (7 * 60 * 60))
    operands = (made.input(1, 3, 7), made.input(1, 7, 5), *scaling)
    made.node("matmul", operands, {**attributes, "a_zero": -5, "b_zero": 11}, zero, clamp)


def _average(made: Edges, shape: tuple[int, ...], window: tuple[int, int], zero: int, clamp: tuple[int, int]) -> None:
    geometry = {"kernel": window, "strides": (1, 1), "pads": (0, 0, 0, 0)}
    counts = average_pool_counts(shape, window, (1, 1), (0, 0, 0, 0))
    scaling, attributes = made.scaling(3.5 / counts[0], len(counts))
    given = {**geometry, **attributes, "counts": counts, "in_zero": 3}
    read = scaling[: 1 if SCALINGS[made.mode].averages_integers else None]
    made.node("average_pool", (made.input(*shape), *read), given, zero, clamp)


def _pools(made: Edges, zero: int, clamp: tuple[int, int]) -> None:
    for channels in (3, POOL_CHANNELS):
        _average(made, (1, 4, 3, channels), (2, 2), zero, clamp)
        window: Attributes = {"kernel": (2, 2), "strides": (1, 1), "pads": (0, 0, 0, 0)}
        made.node("max_pool", (made.input(1, 3, 3, channels),), window, zero, clamp)
    for shape, axes in (((1, 6, 5), (1,)), ((1, 4, 37), (2,))):
        count = shape[axes[0]]
        scaling, attributes = made.scaling(3.5 / count)
        given = {**attributes, "axes": axes, "keepdims": 1, "in_zero": -6}
        made.node("mean", (made.input(*shape), *scaling), given, zero, clamp)


def _sum(made: Edges, op: str, zero: int, clamp: tuple[int, int], operands: tuple[str, str], shift: int = 8) -> None:
    attributes: dict[str, int] = {"a_multiplier": 3 << shift, "b_multiplier": 5 << shift >> 3}
    attributes |= {"offset": (zero // 8 << shift) + (1 << shift >> 1), "shift": shift}
    if made.mode != "highmul":
        attributes = {f"{side}_multiplier": 1518500250 for side in ("a", "b")}
        attributes |= {"a_exponent": 0, "b_exponent": -1, "a_zero": 4, "b_zero": -9, "left_shift": 20}
        attributes |= {"out_multiplier": 1288490189, "out_exponent": -17}
    made.node(op, operands, attributes, zero // 8, clamp)


def _elementwise(made: Edges, zero: int, clamp: tuple[int, int]) -> None:
    for elements in (3, 19):
        for op in ("add", "sub"):
            _sum(made, op, zero, clamp, (made.input(1, elements), made.input(1, elements)))
            _sum(made, op, zero, clamp, (made.input(1, elements), made.constant(made.integers(1, elements), np.int8)))
        for second in (made.input(1, elements), made.constant(made.integers(1, elements), np.int8)):
            scaling, attributes = made.scaling(600 / 128**2)
            given = {**attributes, "a_zero": -10, "b_zero": 20}
            made.node("mul", (made.input(1, elements), second, *scaling), given, zero, clamp)
        scaling, attributes = made.scaling(6.0)
        made.node("requantize", (made.input(1, elements), *scaling), {**attributes, "in_zero": -31}, zero, clamp)


def _large_window(made: Edges, window: tuple[int, int]) -> None:
    for wider in (0, 1):
        shape = (1, window[0], window[1] + wider, POOL_CHANNELS)
        _average(made, shape, window, 0, (-128, 127))


def _long_means(made: Edges) -> None:
    """Lengths around the 128 words whose int16 sums a kernel holds, and around vectors of 16."""
    for shape, axes in (
        *(((1, 2, length), (2,)) for length in (511, 512, 513, 516, 600)),
        ((1, 600, 3), (1,)),
        ((1, 257, 44), (1,)),
    ):
        scaling, attributes = made.scaling(1.3 / shape[axes[0]])
        given = {**attributes, "axes": axes, "keepdims": 0, "in_zero": 0}
        made.node("mean", (made.input(*shape), *scaling), given, 0, (-128, 127))


def _tap_pairs(made: Edges) -> None:
    """The largest products: with -128 as input, two taps of -128 leave int16, -128 and -127 do not."""
    for pair in ((-128, -127), (-128, -128), (-127, -128), (127, 127)):
        for width in (3, 4):  # on M55 kernels for up to 3 x 3 and beyond
            weights = made.integers(17, 3 * width)
            weights[:, 0:8] = np.tile(pair, 4)
            _convolution(made, weights.reshape(17, 3, width, 1), 17, 0, (-128, 127))
    for value in (-128, 127):
        _convolution(made, np.full((5, 3, 3, 4), value, np.int8), 1, 0, (-128, 127))
        _convolution(made, np.full((5, 1, 1, 24), value, np.int8), 1, 0, (-128, 127))


def _wide_and_narrow(made: Edges) -> None:
    """Products of accumulator and multiplier right below the limit of the shorter form, right above, and far above."""
    weights = np.full((1, 8), -128, np.int8)
    bias = 100000
    largest = bias + 8 * 128 * 128
    below = (NARROW_LIMIT - 1) // largest
    for multiplier in (below, below + 1, int(2**47.9 / largest), 2**31 - 1, 1, 0):
        constants = (made.constant(weights, np.int8), made.constant([bias]), made.constant([multiplier]))
        for zero in (-128, 127):
            made.node("dense", (made.input(1, 8), *constants), {"shift": 0}, zero, (-128, 127))
        pointwise = (made.constant(weights.reshape(1, 1, 1, 8), np.int8), *constants[1:])
        geometry: Attributes = {
            "strides": (1, 1),
            "pads": (0, 0, 0, 0),
            "dilations": (1, 1),
            "group": 1,
            "pad_value": 0,
        }
        made.node("conv2d", (made.input(1, 1, 2, 8), *pointwise), {**geometry, "shift": 0}, 3, (-128, 127))


def _shifts(made: Edges) -> None:
    """Shifts at both ends of what records may hold."""
    for shift in (0, 1, 22):
        _sum(made, "add", 0, (-128, 127), (made.input(1, 21), made.input(1, 21)), shift)
    for shift in (8, 20, 22):
        for multiplier in (2**31 - 1, 2**30, 1 << max(0, 31 - shift)):
            scaling = made.constant([multiplier])
            given = {"shift": shift, "in_zero": -128}
            made.node("requantize", (made.input(1, 37), scaling), given, -1, (-128, 127))
