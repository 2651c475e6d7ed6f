"""What works on every position of time alone, and what sums the window up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import Edit
from edgeq.frontend.facts import Shape, integer, ints, name_of, operand, required, shape_of
from edgeq.frontend.stream.build import Build, Refused, Signal
from edgeq.frontend.stream.flow import Flow
from edgeq.ir import QuantizedConstant
from edgeq.ops import onnx_forms

# They make zero of zeros, so that what a Pad stands for is zero behind them too.
_ZERO_OF_ZERO: Final = frozenset({
    "Abs", "Asin", "Asinh", "Atan", "Ceil", "Celu", "Elu", "Erf", "Floor", "Gelu", "HardSwish", "Identity", "LeakyRelu",
    "Mish", "Neg", "Relu", "Round", "Selu", "Sign", "Sin", "Sinh", "Softsign", "Sqrt", "Swish", "Tan", "Tanh",
})  # fmt: skip
_BROADCASTING: Final = (
    "Add", "And", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Min", "Mod", "Mul", "Or",
    "PRelu", "Pow", "Sub", "Where", "Xor",
)  # fmt: skip
_REDUCING: Final = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")


def elementwise(build: Build, node: ir.Node) -> None:
    """Operators whose result at a position depends on that position, with broadcasting."""
    rank = len(shape_of(node.outputs[0]))
    signals, flow = aligned(build, node, rank, zero=_keeps_zero(build, node))
    operands = [_fitted(build, node, index, signal, flow, rank) for index, signal in enumerate(signals)]
    build.copy(node, operands, [flow] * len(node.outputs))


def _keeps_zero(build: Build, node: ir.Node) -> bool:
    if node.op_type in _ZERO_OF_ZERO:
        return True
    flowing = [isinstance(signal.flow, Flow) for signal in map(build.signal, node.inputs) if signal is not None]
    return node.op_type == "Mul" or (node.op_type in {"Add", "Sub", "Max", "Min"} and all(flowing))


def aligned(
    build: Build, node: ir.Node, rank: int, *, zero: bool = False, axis: int | None = None
) -> tuple[list[Signal | None], Flow]:
    """The operands of a node, all as late as the latest, and their common flow.

    Args:
        build: the step model.
        node: of the whole model.
        rank: of the result, to which operands broadcast.
        zero: the result of zeros is zero.
        axis: an axis of the result that must not be time.

    Raises:
        Refused: EQ0343 they do not go together.
    """
    signals = [build.signal(value) for value in node.inputs]
    flows = [
        signal.flow.moved(signal.flow.axis + rank - len(signal.shape))
        for signal in signals
        if signal is not None and isinstance(signal.flow, Flow)
    ]
    first = flows[0]
    kinds = {(flow.axis, flow.length, flow.new, flow.rate, flow.block) for flow in flows}
    if len(kinds) > 1:
        raise Refused(
            "EQ0343",
            "two streams meet whose positions are not of the same time",
            got=", ".join(f"{flow.length} positions of {flow.rate} frames" for flow in flows),
            hint="let both have the same padding, strides and length",
        )
    if first.axis == axis:
        raise Refused("EQ0343", "what comes from different times is joined along time")
    lags = {flow.lag for flow in flows}
    lag = max(lags) if zero and len(lags) == 1 else max(0, *lags)
    delayed = [
        build.delayed(signal, lag) if signal is not None and isinstance(signal.flow, Flow) else signal
        for signal in signals
    ]
    late = max(flows, key=lambda flow: flow.late)
    fields = [flow.field for flow in flows]
    field = None if None in fields else max(item for item in fields if item is not None)
    return delayed, replace(first, lag=lag, late=late.late, culprit=late.culprit, field=field)


def _fitted(build: Build, node: ir.Node, index: int, signal: Signal | None, flow: Flow, rank: int) -> ir.Value | None:
    """An operand as the step needs it: a constant of the whole window's length is cut, if it is the same at all times.

    Raises:
        Refused: EQ0343 it is not.
    """
    if signal is None or signal.flow is not None:
        return None if signal is None else signal.value
    axis = flow.axis - rank + len(signal.shape)
    if axis < 0 or signal.shape[axis] == 1:
        return signal.value
    array = Edit.array(node.inputs[index])
    key = (str(node.name), index)
    integers = build.plan.constants.get(key)
    held = [item for item in (array, None if integers is None else integers.values) if item is not None]
    if array is None or any((item != item.take([0], axis)).any() for item in held):
        raise Refused(
            "EQ0343",
            "a constant is another one at each time of the window",
            got=name_of(required(node, index)),
            hint="train without it: no position of time is special in a stream",
        )
    kept = range(flow.new * flow.block)
    if integers is not None:
        build.plan.constants[key] = QuantizedConstant(integers.values.take(kept, axis), integers.quantization)
    return build.constant(array.take(kept, axis), f"{name_of(required(node, index))}_step")


def along(build: Build, node: ir.Node) -> None:
    """Concat."""
    axis = integer(node, "axis", 0) % len(shape_of(node.outputs[0]))
    rank = len(shape_of(node.outputs[0]))
    signals, flow = aligned(build, node, rank, axis=axis)
    operands = [_fitted(build, node, index, signal, flow, rank) for index, signal in enumerate(signals)]
    build.copy(node, operands, [flow])


def turn(build: Build, node: ir.Node) -> None:
    """Transpose."""
    x = build.flowing(node, 0)
    assert isinstance(x.flow, Flow)
    perm = ints(node, "perm", tuple(reversed(range(len(x.shape)))))
    build.copy(node, [x.value], [x.flow.moved(perm.index(x.flow.axis))])


def shape(build: Build, node: ir.Node) -> None:
    """Reshape and its kin: time stays an axis, or the outer part of one; else it is the window that is reshaped."""
    x = build.flowing(node, 0)
    flow, target, base = x.flow, shape_of(node.outputs[0]), name_of(node.outputs[0])
    assert isinstance(flow, Flow)
    given = shape_of(node.inputs[0])
    axis = _axis_behind(given, flow, target)
    if axis is None:
        value, summary = build.window(x, 0, flow.length, f"{base}_all")
        build.copy(node, [value, *build.operands(node)[1:]], [summary])
        return
    block = target[axis] // flow.length
    result = replace(flow, axis=axis, block=block)
    stated = (*target[:axis], flow.new * block, *target[axis + 1 :])
    value = build.constant(np.array(stated, np.int64), f"{base}_shape")
    if node.op_type != "Reshape":
        raise Refused("EQ0343", "this operator has no step form")
    build.copy(node, [x.value, value], [result])


def _axis_behind(given: Shape, flow: Flow, target: Shape) -> int | None:
    """The axis of time behind a Reshape; None where it is none's outer part."""
    before = prod(given[: flow.axis])
    places = [axis for axis in range(len(target)) if prod(target[:axis]) == before]
    places = [axis for axis in places if target[axis] % flow.length == 0]
    if flow.length == 1 and flow.axis in places:
        return flow.axis
    exact = [axis for axis in places if target[axis] == flow.length * flow.block]
    return next(iter([*exact, *places]), None)


def normalize(build: Build, node: ir.Node) -> None:
    """Softmax and normalizations of rows along other axes than time."""
    x = build.settled(build.flowing(node, 0))
    flow, rank = x.flow, len(x.shape)
    assert isinstance(flow, Flow)
    axis = integer(node, "axis", -1) % rank
    axes = range(axis, rank) if node.op_type == "LayerNormalization" else (axis,)
    if node.op_type == "InstanceNormalization":
        axes = range(1, rank)
    if flow.axis in axes:
        raise Refused(
            "EQ0343",
            f"{node.op_type} mixes all times of the window",
            hint="normalize over the channels of a frame; attention over time has no steps",
        )
    build.copy(node, [x.value, *build.operands(node)[1:]], [flow])


def product(build: Build, node: ir.Node) -> None:
    """MatMul and Gemm: a product for each position, or one over the whole window."""
    sides = [build.signal(value) for value in node.inputs[:2]]
    flowing = [index for index, side in enumerate(sides) if side is not None and isinstance(side.flow, Flow)]
    side = flowing[0]
    x = build.settled(build.flowing(node, side))
    assert isinstance(x.flow, Flow)
    rank = len(x.shape)
    contracted = rank - 1 if side == 0 else max(rank - 2, 0)
    if node.op_type == "Gemm" and integer(node, "trans" + "AB"[side], 0):
        contracted = 1 - contracted
    if len(flowing) > 1:
        raise Refused(
            "EQ0343",
            "a product of values of different times mixes them",
            hint="attention over time has no steps: use a convolution or a recurrent layer",
        )
    operands = build.operands(node)
    if x.flow.axis == contracted:
        if sides[1 - side] is not None and Edit.array(node.inputs[1 - side]) is None:
            raise Refused("EQ0343", "times are weighted by what is computed")
        operands[side], summary = build.window(x, 0, x.flow.length, f"{name_of(node.outputs[0])}_all")
        build.copy(node, operands, [summary])
        return
    out = len(shape_of(node.outputs[0]))
    axis = x.flow.axis + out - rank
    if node.op_type == "Gemm":
        axis = side
    other = sides[1 - side]
    if other is not None and x.flow.axis < rank - 2:
        place = axis - out + len(other.shape)
        if place >= 0 and other.shape[place] != 1:
            raise Refused("EQ0343", "each time is multiplied by another matrix")
    operands[side] = x.value
    build.copy(node, operands, [x.flow.moved(axis)])


def reduce(build: Build, node: ir.Node) -> None:
    """Reductions along other axes, or of the whole window."""
    x = build.settled(build.flowing(node, 0))
    flow, rank = x.flow, len(x.shape)
    assert isinstance(flow, Flow)
    axes = _axes(node, rank)
    if axes is None or flow.axis in axes:
        value, summary = build.window(x, 0, flow.length, f"{name_of(node.outputs[0])}_all")
        build.copy(node, [value, *build.operands(node)[1:]], [summary] * len(node.outputs))
        return
    gone = 0
    if len(shape_of(node.outputs[0])) < rank:
        gone = sum(axis < flow.axis for axis in axes)
    build.copy(node, [x.value, *build.operands(node)[1:]], [flow.moved(flow.axis - gone)] * len(node.outputs))


def _axes(node: ir.Node, rank: int) -> Sequence[int] | None:
    """What is reduced; None for all axes."""
    if node.op_type.startswith("Global"):
        return range(2, rank)
    if node.op_type in {"ArgMax", "ArgMin", "TopK"}:
        return (integer(node, "axis", 0 if node.op_type != "TopK" else -1) % rank,)
    stated = Edit.array(operand(node, 1))
    axes = ints(node, "axes", ()) if stated is None else [int(axis) for axis in stated.reshape(-1)]
    return [axis % rank for axis in axes] or None


def gather(build: Build, node: ir.Node) -> None:
    """Gather by constant indices, or rows of a table by a stream of them."""
    data, indices = build.signal(node.inputs[0]), build.signal(node.inputs[1])
    assert data is not None
    assert indices is not None
    axis = integer(node, "axis", 0) % len(data.shape)
    operands = build.operands(node)
    if data.flow is None and isinstance(indices.flow, Flow):
        build.copy(node, operands, [indices.flow.moved(axis + indices.flow.axis)])
        return
    if not isinstance(data.flow, Flow) or indices.flow is not None:
        raise Refused("EQ0343", "what is taken at a time depends on another stream")
    if data.flow.axis == axis:
        if Edit.array(node.inputs[1]) is None:
            raise Refused("EQ0343", "times are picked by a computed index")
        operands[0], summary = build.window(data, 0, data.flow.length, f"{name_of(node.outputs[0])}_all")
        build.copy(node, operands, [summary])
        return
    shift = len(indices.shape) - 1 if data.flow.axis > axis else 0
    build.copy(node, operands, [data.flow.moved(data.flow.axis + shift)])


def resize(build: Build, node: ir.Node) -> None:
    """Resize along other axes."""
    x = build.flowing(node, 0)
    assert isinstance(x.flow, Flow)
    scales = Edit.array(operand(node, 2))
    if scales is None or scales.size != len(x.shape) or scales[x.flow.axis] != 1:
        raise Refused("EQ0343", "time is resampled", hint="resample in the application")
    build.copy(node, [x.value, *build.operands(node)[1:]], [x.flow])


def unary() -> list[str]:
    """Operators of one value that look at no other element."""
    found = [name for name, (op, _) in onnx_forms().items() if op.name in {"lookup", "to_integer"}]
    return [name for name in found if name not in _BROADCASTING]


ELEMENTWISE: Final = (*_BROADCASTING, "Cast", "Clip", "Identity", "Not", *unary())
REDUCING: Final = (
    *(f"Reduce{name}" for name in _REDUCING), "ArgMax", "ArgMin", "GlobalAveragePool", "GlobalMaxPool", "TopK"
)  # fmt: skip
