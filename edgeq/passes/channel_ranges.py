"""What each channel of a tensor can be: the smallest and the largest integer, whatever the model's inputs are.

Channels are the indices of the last axis. The bounds follow from weights, biases, multipliers and clamps alone; they
hold for every input, and are attained where a layer's inputs are independent. A channel whose bounds meet is constant.
Operators that are not in the table can give anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np

from edgeq.ir import DType, Graph, Node, Tensor
from edgeq.numerics.array import Array
from edgeq.numerics.scaling import SCALINGS
from edgeq.ops import BY_NAME
from edgeq.ops.accumulator import requantize

# Of types that no rule computes with: never constant, and far from leaving int64 when a few are added.
_UNKNOWN: Final = 1 << 40


@dataclass(frozen=True, eq=False)
class ChannelRange:
    """Bounds of each channel.

    Attributes:
        low: int64 [C].
        high: int64 [C].
    """

    low: Array
    high: Array

    @property
    def is_constant(self) -> Array:
        """Which channels have one value, bool [C]."""
        return np.equal(self.low, self.high)

    def with_value(self, value: int) -> ChannelRange:
        """The bounds where each channel can also have a value, such as that of padding."""
        return ChannelRange(np.minimum(self.low, value), np.maximum(self.high, value))


Rule = Callable[[Graph, Node, Sequence[ChannelRange]], ChannelRange]


def channel_count(tensor: Tensor) -> int:
    """The extent of the last axis; 1 of a scalar."""
    return tensor.shape[-1] if tensor.shape else 1


def channel_ranges(graph: Graph) -> dict[str, ChannelRange]:
    """The bounds of every tensor, by name; inputs and states can be anything that their type holds."""
    found = {name: _any_of(graph.tensors[name]) for name in graph.sources()}
    for node in graph.nodes:
        for name in node.inputs:
            if name not in found:
                found[name] = _of_constant(graph.tensors[name])
        rule = _RULES.get(node.op)
        results = graph.results(node)
        if rule is None or not all(_is_quantized(tensor) for tensor in (results[0], graph.tensors[node.inputs[0]])):
            found |= {tensor.name: _any_of(tensor) for tensor in results}
        else:
            found[node.outputs[0]] = rule(graph, node, [found[name] for name in node.inputs])
    return found


def is_padded(node: Node) -> bool:
    """Whether windows of a convolution reach beyond its input."""
    return any(node.integers("pads"))


def _is_quantized(tensor: Tensor) -> bool:
    return tensor.dtype in {DType.INT8, DType.INT16}


def _full(count: int, low: int, high: int) -> ChannelRange:
    return ChannelRange(np.full(count, low, np.int64), np.full(count, high, np.int64))


def _any_of(tensor: Tensor) -> ChannelRange:
    if not _is_quantized(tensor):
        return _full(channel_count(tensor), -_UNKNOWN, _UNKNOWN)
    return _full(channel_count(tensor), tensor.dtype.min, tensor.dtype.max)


def _of_constant(tensor: Tensor) -> ChannelRange:
    if not _is_quantized(tensor) or not tensor.elements:
        return _any_of(tensor)
    rows = tensor.value().astype(np.int64).reshape(-1, channel_count(tensor))
    return ChannelRange(rows.min(axis=0), rows.max(axis=0))


def _hull(parts: Sequence[ChannelRange]) -> ChannelRange:
    """Bounds that hold for all of the parts, which have equally many channels."""
    lows, highs = (np.stack([getattr(part, side) for part in parts]) for side in ("low", "high"))
    return ChannelRange(lows.min(axis=0), highs.max(axis=0))


def _scaled(graph: Graph, node: Node, sums: Sequence[Array], factors: Sequence[Array]) -> ChannelRange:
    """Bounds of requantized sums; every arithmetic is monotone, as its factors are not negative."""
    x = np.zeros(0, graph.tensors[node.inputs[0]].dtype.numpy)
    found = requantize(node, np.stack(sums), factors, x).astype(np.int64)
    return ChannelRange(found.min(axis=0), found.max(axis=0))


def _layer(graph: Graph, node: Node, ranges: Sequence[ChannelRange]) -> ChannelRange:
    """A convolution, grouped or not, or a dense layer: every product at the end of its range."""
    weight, bias, *factors = (graph.tensors[name].value() for name in node.inputs[1:])
    x = ranges[0]
    group = 1
    if node.op == "conv2d":
        group = node.integer("group")
        x = x.with_value(node.integer("pad_value")) if is_padded(node) else x
    outputs, depth = weight.shape[0], weight.shape[-1]
    taps = weight.reshape(outputs, -1, depth).astype(np.int64)
    positive, negative = np.maximum(taps, 0).sum(axis=1), np.minimum(taps, 0).sum(axis=1)
    # [O, depth]: the channels that an output reads.
    low, high = (np.repeat(side.reshape(group, depth), outputs // group, axis=0) for side in (x.low, x.high))
    least = bias + (positive * low + negative * high).sum(axis=1)
    most = bias + (positive * high + negative * low).sum(axis=1)
    return _scaled(graph, node, (least, most), factors)


def _average_pool(graph: Graph, node: Node, ranges: Sequence[ChannelRange]) -> ChannelRange:
    low, high = node.integer("clamp_min"), node.integer("clamp_max")
    x, zero = ranges[0], node.integer("in_zero")
    if SCALINGS[node.text("requant")].averages_integers:
        return ChannelRange(np.clip(x.low, low, high), np.clip(x.high, low, high))
    multipliers, *others = (graph.tensors[name].value() for name in node.inputs[1:])
    return _hull(
        [
            _scaled(
                graph,
                node,
                (count * (x.low - zero), count * (x.high - zero)),
                (multipliers[place : place + 1], *others),
            )
            for place, count in enumerate(node.integers("counts"))
        ]
    )


def _mean(graph: Graph, node: Node, ranges: Sequence[ChannelRange]) -> ChannelRange:
    shape, axes = graph.tensors[node.inputs[0]].shape, node.integers("axes")
    if len(shape) - 1 in axes:
        return _any_of(graph.tensors[node.outputs[0]])
    count, zero = int(np.prod([shape[axis] for axis in axes])), node.integer("in_zero")
    factors = [graph.tensors[name].value() for name in node.inputs[1:]]
    sides = (count * (ranges[0].low - zero), count * (ranges[0].high - zero))
    return _scaled(graph, node, sides, factors)


def _extreme(graph: Graph, node: Node, ranges: Sequence[ChannelRange]) -> ChannelRange:
    x = graph.tensors[node.inputs[0]]
    return _any_of(graph.tensors[node.outputs[0]]) if len(x.shape) - 1 in node.integers("axes") else ranges[0]


def _max_pool(graph: Graph, node: Node, ranges: Sequence[ChannelRange]) -> ChannelRange:
    low, high = node.integer("clamp_min"), node.integer("clamp_max")
    return ChannelRange(np.clip(ranges[0].low, low, high), np.clip(ranges[0].high, low, high))


def _corners(graph: Graph, node: Node, ranges: Sequence[ChannelRange]) -> ChannelRange:
    """An operator that is monotone in each operand, whatever the others are: its extremes lie at their ends."""
    slots = BY_NAME[node.op].signature.slots_of(node, len(node.inputs)).values()
    sides: list[list[Array]] = []
    for slot, name, found in zip(slots, node.inputs, ranges, strict=True):
        tensor = graph.tensors[name]
        if slot.role == "activation":
            sides.append([side.astype(tensor.dtype.numpy) for side in (found.low, found.high)])
        else:
            sides.append([tensor.value()])
    (result,) = graph.results(node)
    values = [np.asarray(BY_NAME[node.op].evaluate(node, corner)[0], np.int64) for corner in product(*sides)]
    ends = np.stack([np.broadcast_to(value, (channel_count(result),)) for value in values])
    return ChannelRange(ends.min(axis=0), ends.max(axis=0))


def _where_constant(graph: Graph, node: Node, ranges: Sequence[ChannelRange]) -> ChannelRange:
    """An operator that works on each element alone: bounds only where all its operands are constant."""
    ends, whole = _corners(graph, node, [ChannelRange(x.low, x.low) for x in ranges]), _any_of(graph.results(node)[0])
    known = np.logical_and.reduce([np.broadcast_to(x.is_constant, whole.low.shape) for x in _moving(node, ranges)])
    return ChannelRange(np.where(known, ends.low, whole.low), np.where(known, ends.high, whole.high))


def _moving(node: Node, ranges: Sequence[ChannelRange]) -> list[ChannelRange]:
    slots = BY_NAME[node.op].signature.slots_of(node, len(node.inputs)).values()
    return [x for slot, x in zip(slots, ranges, strict=True) if slot.role == "activation"]


def _lookup(graph: Graph, node: Node, ranges: Sequence[ChannelRange]) -> ChannelRange:
    """The extremes of the part of the table that a channel reaches; of int16 only for one value."""
    if graph.results(node)[0].dtype is not DType.INT8:
        return _where_constant(graph, node, ranges)
    x, entries = ranges[0], graph.tensors[node.inputs[1]].value().astype(np.int64)
    pairs = list(zip((x.low + 128).tolist(), (x.high + 129).tolist(), strict=True))
    parts = {pair: entries[slice(*pair)] for pair in set(pairs)}
    low, high = ([int(choose(parts[pair])) for pair in pairs] for choose in (np.min, np.max))
    return ChannelRange(np.array(low, np.int64), np.array(high, np.int64))


def _concat(graph: Graph, node: Node, ranges: Sequence[ChannelRange]) -> ChannelRange:
    if node.integer("axis") != len(graph.tensors[node.inputs[0]].shape) - 1:
        return _hull(ranges)
    lows, highs = (np.concatenate([getattr(part, side) for part in ranges]) for side in ("low", "high"))
    return ChannelRange(lows, highs)


def _pad(graph: Graph, node: Node, ranges: Sequence[ChannelRange]) -> ChannelRange:
    pads, value = node.integers("pads"), node.integer("value")
    rank = len(pads) // 2
    before, behind = pads[rank - 1], pads[-1]
    others = any(pads[axis] for axis in range(2 * rank) if axis % rank != rank - 1)
    x = ranges[0].with_value(value) if others else ranges[0]
    low, high = (np.pad(side, (before, behind), constant_values=value) for side in (x.low, x.high))
    return ChannelRange(low, high)


def _reshape(graph: Graph, node: Node, ranges: Sequence[ChannelRange]) -> ChannelRange:
    """Channel k of the result holds those channels of the operand that are k modulo the smaller of the two counts."""
    x, old, new = ranges[0], *(channel_count(graph.tensors[name]) for name in (node.inputs[0], node.outputs[0]))
    if old and new % old == 0:
        return ChannelRange(np.tile(x.low, new // old), np.tile(x.high, new // old))
    if new and old % new == 0:
        return ChannelRange(x.low.reshape(-1, new).min(axis=0), x.high.reshape(-1, new).max(axis=0))
    return _any_of(graph.tensors[node.outputs[0]])


def _slice(graph: Graph, node: Node, ranges: Sequence[ChannelRange]) -> ChannelRange:
    taken = slice(node.integers("starts")[-1], node.integers("ends")[-1], node.integers("steps")[-1])
    return ChannelRange(ranges[0].low[taken], ranges[0].high[taken])


def _transpose(graph: Graph, node: Node, ranges: Sequence[ChannelRange]) -> ChannelRange:
    perm = node.integers("perm")
    return ranges[0] if perm[-1:] == (len(perm) - 1,) else _any_of(graph.tensors[node.outputs[0]])


def _same(graph: Graph, node: Node, ranges: Sequence[ChannelRange]) -> ChannelRange:
    return ranges[0]


_RULES: Final[Mapping[str, Rule]] = {
    "add": _corners,
    "average_pool": _average_pool,
    "concat": _concat,
    "conv2d": _layer,
    "dense": _layer,
    "divide": _where_constant,
    "lookup": _lookup,
    "max_pool": _max_pool,
    "maximum": _corners,
    "mean": _mean,
    "minimum": _corners,
    "mul": _corners,
    "pad": _pad,
    "prelu": _where_constant,
    "reduce_max": _extreme,
    "reduce_min": _extreme,
    "requantize": _corners,
    "reshape": _reshape,
    "resize_nearest": _same,
    "slice": _slice,
    "sub": _corners,
    "transpose": _transpose,
    "upsample": _same,
}
