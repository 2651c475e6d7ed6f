"""Nodes that stay in software float: each is composed of the few operators of :mod:`edgeq.ops.floating`.

A quantized operand is dequantized once for all its readers in float; results stay float32 until a QuantizeLinear reads
them. Layouts are ONNX's own. What a composition computes is stated by its order of operations here, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq.ir import Attr, DType, Quantization, Source, Tensor
from edgeq.lowering.attributes import constant_ints, integer, ints, number, text
from edgeq.lowering.context import Context, scalar_quant
from edgeq.numerics.array import Array
from edgeq.numerics.floating import bits_of_float
from edgeq.onnxio.forms import is_plain, passes_float
from edgeq.ops.float_types import BINARY, PREFIX, UNARY

if TYPE_CHECKING:
    import onnx_ir

_EPSILON: Final = float(np.float32(1e-5))
_RELATIONS: Final = {
    "Equal": ("equal", False),
    "Greater": ("less", True),
    "GreaterOrEqual": ("less_or_equal", True),
    "Less": ("less", False),
    "LessOrEqual": ("less_or_equal", False),
}
_PRODUCTS: Final = {"ReduceMax": "maximum", "ReduceMin": "minimum", "ReduceProd": "product"}


class _Composer:
    """Appends operators in software float, for one node.

    Attributes:
        node: the ONNX node.
        shape: of its result.
    """

    def __init__(self, ctx: Context, node: onnx_ir.Node, shape: tuple[int, ...]) -> None:
        self.ctx = ctx
        self.node = node
        self.shape = shape
        value = node.outputs[0]
        self.name = str(value.name)
        self._before = len(ctx.graph.nodes)
        self._source: Source | None = None
        # The quantized tensor behind it stands for a value that others read.
        if is_plain(value) or passes_float(value):
            self._source = Source(self.name, tuple(range(len(shape))), shape)

    # --- operands ---------------------------------------------------------------------------------------------

    def has(self, index: int) -> bool:
        """Whether an optional operand is there."""
        return index < len(self.node.inputs) and self.node.inputs[index] is not None

    def operand(self, index: int) -> Tensor:
        """An operand as float32; a plain one stays what it is."""
        value = self.node.inputs[index]
        assert value is not None
        if str(value.name) not in self.ctx.activations and value.const_value is not None and not is_plain(value):
            return self._stated(str(value.name), np.asarray(value.const_value.numpy()))
        tensor = self.ctx.activation(self.node, index)
        if tensor.quant is None:
            return tensor
        if tensor.is_constant:
            return self.constant(tensor.quant.dequantize(tensor.value()))
        return self._dequantized(tensor)

    def _stated(self, name: str, values: Array) -> Tensor:
        if name not in self.ctx.graph.tensors:
            self.ctx.graph.add_tensor(Tensor.constant(name, values.astype(np.float32)))
        return self.ctx.graph.tensors[name]

    def _dequantized(self, tensor: Tensor) -> Tensor:
        known = self.ctx.floats.get(tensor.name)
        if known is None:
            scale, zero = scalar_quant(tensor)
            attrs: dict[str, Attr] = {"in_zero": zero, "scale": bits_of_float(scale)}
            known = self.emit("float_dequantize", [tensor], attrs, name=f"{tensor.name}.float").name
            self.ctx.floats[tensor.name] = known
        return self.ctx.graph.tensors[known]

    def constant(self, values: float | Array) -> Tensor:
        """A constant, rounded to float32."""
        array = np.asarray(values, np.float32)
        return self.ctx.graph.tensors[self.ctx.add_constant(f"{self.name}.constant", array)]

    # --- operators --------------------------------------------------------------------------------------------

    def emit(
        self, op: str, operands: Sequence[Tensor], attrs: Mapping[str, Attr], *, name: str | None = None
    ) -> Tensor:
        """Append any operator."""
        names = [tensor.name for tensor in operands]
        label = name or f"{self.name}.{op}"
        return self.ctx.emit(op, label, names, attrs, quant=None, sources=(str(self.node.name),))

    def unary(self, function: str, x: Tensor, alpha: float = 0.0, beta: float = 0.0) -> Tensor:
        """A function of each element."""
        attrs: dict[str, Attr] = {"function": function, "alpha": bits_of_float(alpha), "beta": bits_of_float(beta)}
        return self.emit("float_unary", [x], attrs)

    def binary(self, function: str, a: Tensor, b: Tensor) -> Tensor:
        """A function of two operands, which are broadcast."""
        return self.emit("float_binary", [a, b], {"function": function})

    def reduce(self, function: str, x: Tensor, axis: int) -> Tensor:
        """A reduction along one axis, which stays with size 1."""
        return self.emit("float_reduce", [x], {"function": function, "axis": axis})

    def mean(self, function: str, x: Tensor, axis: int) -> Tensor:
        """A sum along one axis over the number of its elements."""
        return self.binary("divide", self.reduce(function, x, axis), self.constant(x.shape[axis]))

    def reshape(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        """The elements in another shape."""
        return x if x.shape == tuple(shape) else self.emit("reshape", [x], {"shape": tuple(shape)})

    def finish(self, result: Tensor) -> Tensor:
        """The result of the node, under its name: its own last operator is renamed, anything else is reshaped."""
        graph = self.ctx.graph
        name = self.name if self._source is not None else f"{self.name}.float"
        made = [output for node in graph.nodes[self._before :] for output in node.outputs]
        is_own = made[-1:] == [result.name] and result.name not in self.ctx.floats.values()
        if not is_own or result.shape != self.shape:
            result = self.emit("reshape", [result], {"shape": self.shape}, name=name)
        if result.is_constant:
            return result
        final = name if result.name == name else graph.fresh_name(name)
        del graph.tensors[result.name]
        graph.nodes[-1] = graph.nodes[-1].with_(name=final, outputs=(final,))
        return graph.tensors[graph.add_tensor(result.with_(name=final, source=self._source))]


Composition = Callable[[_Composer, "onnx_ir.Node"], Tensor]


def lower_float(ctx: Context, node: onnx_ir.Node, shape: tuple[int, ...]) -> Tensor:
    """Append what a node in software float computes: float32, or truth values of a comparison."""
    composer = _Composer(ctx, node, shape)
    kind = node.op_type.removeprefix(PREFIX)
    return composer.finish(_composition(kind)(composer, node))


def emit_quantize(ctx: Context, tensor: Tensor, quant: Quantization, name: str, sources: tuple[str, ...]) -> Tensor:
    """Append the way from software float to integers, for the ONNX value of this name."""
    scale, zero = quant.single()
    attrs: dict[str, Attr] = {
        "scale": bits_of_float(scale),
        "out_zero": zero,
        "clamp_min": quant.q_min,
        "clamp_max": quant.q_max,
        "result": quant.dtype.value,
    }
    source = Source(name, tuple(range(len(tensor.shape))), tensor.shape)
    return ctx.emit("float_quantize", name, (tensor.name,), attrs, quant=quant, sources=sources, source=source)


def is_float(tensor: Tensor) -> bool:
    """Whether a tensor is in software float."""
    return tensor.dtype is DType.FLOAT32


def _composition(kind: str) -> Composition:
    if kind in UNARY:
        return _unary
    if kind in BINARY:
        return _binary
    if kind in _RELATIONS:
        return _compare
    return _OTHERS.get(kind, _reduction)


def _kind(node: onnx_ir.Node) -> str:
    return node.op_type.removeprefix(PREFIX)


def _unary(c: _Composer, node: onnx_ir.Node) -> Tensor:
    kept = UNARY[_kind(node)]
    function = "gelu_tanh" if text(node, "approximate", "none") == "tanh" else kept.function
    parameters = [number(node, name, default) for name, default in kept.names.items()]
    return c.unary(function, c.operand(0), *parameters)


def _binary(c: _Composer, node: onnx_ir.Node) -> Tensor:
    return c.binary(BINARY[_kind(node)], c.operand(0), c.operand(1))


def _sum(c: _Composer, node: onnx_ir.Node) -> Tensor:
    return c.binary("add", c.operand(0), c.operand(1))


def _relu(c: _Composer, node: onnx_ir.Node) -> Tensor:
    return c.binary("maximum", c.operand(0), c.constant(0.0))


def _clip(c: _Composer, node: onnx_ir.Node) -> Tensor:
    x = c.operand(0)
    for index, function in ((1, "maximum"), (2, "minimum")):
        x = c.binary(function, x, c.operand(index)) if c.has(index) else x
    return x


def _compare(c: _Composer, node: onnx_ir.Node) -> Tensor:
    relation, turned = _RELATIONS[_kind(node)]
    a, b = c.operand(0), c.operand(1)
    return c.emit("float_compare", [b, a] if turned else [a, b], {"relation": relation})


def _where(c: _Composer, node: onnx_ir.Node) -> Tensor:
    return c.emit("where", [c.operand(index) for index in range(3)], {})


def _cast(c: _Composer, node: onnx_ir.Node) -> Tensor:
    x = c.operand(0)
    if is_float(x):
        return x
    return c.emit("float_dequantize", [x], {"in_zero": 0, "scale": bits_of_float(1.0)}, name=f"{c.name}.cast")


def _concat(c: _Composer, node: onnx_ir.Node) -> Tensor:
    axis = integer(node, "axis", 0) % len(c.shape)
    return c.emit("concat", [c.operand(0), c.operand(1)], {"axis": axis})


def _reshape(c: _Composer, node: onnx_ir.Node) -> Tensor:
    return c.operand(0)


def _transpose(c: _Composer, node: onnx_ir.Node) -> Tensor:
    x = c.operand(0)
    return c.emit("transpose", [x], {"perm": ints(node, "perm", tuple(reversed(range(len(x.shape)))))})


def _determinant(c: _Composer, node: onnx_ir.Node) -> Tensor:
    return c.emit("float_determinant", [c.operand(0)], {})


def _matmul(c: _Composer, node: onnx_ir.Node) -> Tensor:
    a, b = c.operand(0), c.operand(1)
    a = c.reshape(a, (1, *a.shape)) if len(a.shape) == 1 else a
    b = c.reshape(b, (*b.shape, 1)) if len(b.shape) == 1 else b
    return c.emit("float_matmul", [a, b], {})


def _gemm(c: _Composer, node: onnx_ir.Node) -> Tensor:
    """alpha * (a b) + beta * c, in this order."""
    a, b = (
        c.emit("transpose", [c.operand(index)], {"perm": (1, 0)}) if integer(node, key, 0) else c.operand(index)
        for index, key in ((0, "transA"), (1, "transB"))
    )
    result = c.emit("float_matmul", [a, b], {})
    alpha, beta = number(node, "alpha", 1.0), number(node, "beta", 1.0)
    if alpha != 1.0:
        result = c.binary("multiply", result, c.constant(alpha))
    if not c.has(2):
        return result
    offset = c.operand(2)
    if beta != 1.0:
        offset = c.binary("multiply", offset, c.constant(beta))
    return c.binary("add", result, offset)


def _softmax(c: _Composer, node: onnx_ir.Node) -> Tensor:
    """e^(x - max) over the sum of these; its logarithm: x - max - ln of that sum."""
    x = c.operand(0)
    axis = integer(node, "axis", -1) % len(x.shape)
    below = c.binary("subtract", x, c.reduce("maximum", x, axis))
    powers = c.unary("exp", below)
    total = c.reduce("sum", powers, axis)
    if _kind(node) == "Softmax":
        return c.binary("divide", powers, total)
    return c.binary("subtract", below, c.unary("log", total))


def _reduction(c: _Composer, node: onnx_ir.Node) -> Tensor:
    """Over neighbouring axes in one piece, over others from the last ones to the first ones."""
    kind, x = _kind(node), c.operand(0)
    stated = constant_ints(node, 1) or ()
    if not stated and integer(node, "noop_with_empty_axes", 0):
        axes: list[int] = []
    else:
        axes = sorted(axis % len(x.shape) for axis in stated) or list(range(len(x.shape)))
    if kind == "ReduceL1":
        x = c.unary("abs", x)
    if kind == "ReduceLogSumExp":
        largest = _along(c, x, axes, "maximum")
        total = _along(c, c.unary("exp", c.binary("subtract", x, largest)), axes, "sum")
        return c.reshape(c.binary("add", c.unary("log", total), largest), c.shape)
    if kind in {"ReduceL2", "ReduceSumSquare"}:
        total = _along(c, x, axes, "sum_square")
    else:
        total = _along(c, x, axes, _PRODUCTS.get(kind, "sum"))
    if kind == "ReduceMean":
        total = c.binary("divide", total, c.constant(prod(x.shape[axis] for axis in axes)))
    if kind in {"ReduceL2", "ReduceLogSum"}:
        total = c.unary("sqrt" if kind == "ReduceL2" else "log", total)
    return total


def _along(c: _Composer, x: Tensor, axes: Sequence[int], function: str) -> Tensor:
    """A reduction along axes, which stay with size 1; neighbours are one axis."""
    if not axes:
        return c.binary("multiply", x, x) if function == "sum_square" else x
    shape, left = list(x.shape), list(axes)
    while left:
        last = first = left.pop()
        while left and left[-1] == first - 1:
            first = left.pop()
        rows = c.reshape(x, (prod(shape[:first]), prod(shape[first : last + 1]), prod(shape[last + 1 :])))
        shape[first : last + 1] = [1] * (last + 1 - first)
        x = c.reduce(function, rows, 1)
        function = "sum" if function == "sum_square" else function
    return c.reshape(x, shape)


def _standardized(c: _Composer, rows: Tensor, epsilon: float) -> Tensor:
    """[rows, length]: less the mean, over the root of the mean square of that plus epsilon."""
    centred = c.binary("subtract", rows, c.mean("sum", rows, 1))
    variance = c.binary("add", c.mean("sum_square", centred, 1), c.constant(epsilon))
    return c.binary("divide", centred, c.unary("sqrt", variance))


def _scaled(c: _Composer, x: Tensor, factors: Sequence[Tensor]) -> Tensor:
    """x * scale, plus a bias if there is one."""
    for function, factor in zip(("multiply", "add"), factors, strict=False):
        x = c.binary(function, x, factor)
    return x


def _layer_norm(c: _Composer, node: onnx_ir.Node) -> Tensor:
    x = c.operand(0)
    axis = integer(node, "axis", -1) % len(x.shape)
    rows = c.reshape(x, (prod(x.shape[:axis]), prod(x.shape[axis:])))
    normal = c.reshape(_standardized(c, rows, number(node, "epsilon", _EPSILON)), x.shape)
    return _scaled(c, normal, [c.operand(index) for index in (1, 2) if c.has(index)])


def _per_channel(c: _Composer, x: Tensor, index: int) -> Tensor:
    """An operand of one value a channel, behind axis 1 of x."""
    return c.reshape(c.operand(index), (x.shape[1], *(1,) * (len(x.shape) - 2)))


def _group_norm(c: _Composer, node: onnx_ir.Node) -> Tensor:
    x = c.operand(0)
    groups = x.shape[0] * (x.shape[1] if _kind(node) == "InstanceNormalization" else integer(node, "num_groups", 1))
    rows = c.reshape(x, (groups, x.elements // groups))
    normal = c.reshape(_standardized(c, rows, number(node, "epsilon", _EPSILON)), x.shape)
    return _scaled(c, normal, [_per_channel(c, x, index) for index in (1, 2)])


def _batch_norm(c: _Composer, node: onnx_ir.Node) -> Tensor:
    """(x - mean) * (scale / sqrt(variance + epsilon)) + bias."""
    x = c.operand(0)
    scale, bias, mean, variance = (_per_channel(c, x, index) for index in range(1, 5))
    deviation = c.unary("sqrt", c.binary("add", variance, c.constant(number(node, "epsilon", _EPSILON))))
    factor = c.binary("divide", scale, deviation)
    return _scaled(c, c.binary("subtract", x, mean), [factor, bias])


def _lp_norm(c: _Composer, node: onnx_ir.Node) -> Tensor:
    """x over its norm; where that is 0, the result is no number."""
    x = c.operand(0)
    axis = integer(node, "axis", -1) % len(x.shape)
    if integer(node, "p", 2) == 1:
        return c.binary("divide", x, c.reduce("sum", c.unary("abs", x), axis))
    return c.binary("divide", x, c.unary("sqrt", c.reduce("sum_square", x, axis)))


_OTHERS: Final[Mapping[str, Composition]] = {
    "BatchNormalization": _batch_norm,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concat,
    "Det": _determinant,
    "Flatten": _reshape,
    "Gemm": _gemm,
    "GroupNormalization": _group_norm,
    "InstanceNormalization": _group_norm,
    "LayerNormalization": _layer_norm,
    "LogSoftmax": _softmax,
    "LpNormalization": _lp_norm,
    "MatMul": _matmul,
    "Relu": _relu,
    "Reshape": _reshape,
    "Softmax": _softmax,
    "Squeeze": _reshape,
    "Sum": _sum,
    "Transpose": _transpose,
    "Unsqueeze": _reshape,
    "Where": _where,
}
