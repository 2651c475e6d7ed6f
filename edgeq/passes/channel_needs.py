"""Which channels of each tensor somebody needs: backwards from the outputs, and sideways where channels go together.

Channels are the indices of the last axis. A layer needs those channels of its input that have a weight and are not
constant; a constant one goes into the bias, where padding has the same value. The two sides of an operator that works
on each channel alone have the same channels: what one keeps the other keeps. Operators that are not in the table need
everything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from edgeq.ir import Graph, Node
from edgeq.numerics.array import INT32_MAX, Array
from edgeq.ops import BY_NAME
from edgeq.passes.channel_ranges import ChannelRange, channel_count, is_padded

Needs = Iterator[tuple[str, Array]]


class ChannelNeeds:
    """The channels that are needed so far, of every tensor that is computed; they only grow.

    Attributes:
        graph: without dead nodes.
        ranges: what each channel can be.
        needed: bool [C] by tensor.
    """

    def __init__(self, graph: Graph, ranges: Mapping[str, ChannelRange]) -> None:
        self.graph: Final = graph
        self.ranges: Final = ranges
        self.needed: Final[dict[str, Array]] = {
            tensor.name: np.zeros(channel_count(tensor), np.bool_) for tensor in graph.activations()
        }
        self._around: Final[dict[str, list[Node]]] = {}
        for node in graph.nodes:
            for name in dict.fromkeys((*node.inputs, *node.outputs)):
                self._around.setdefault(name, []).append(node)
        self._waiting: deque[Node] = deque(reversed(graph.nodes))
        self._queued = {node.name for node in graph.nodes}
        for name in (*graph.sources(), *graph.sinks()):
            self.grow(name, np.ones_like(self.of(name)))

    def of(self, name: str) -> Array:
        """The channels of a tensor that are needed; none of a constant."""
        found = self.needed.get(name)
        return np.zeros(channel_count(self.graph.tensors[name]), np.bool_) if found is None else found

    def grow(self, name: str, mask: Array) -> None:
        """Need these channels, too."""
        found = self.needed.get(name)
        if found is None or not bool((mask & ~found).any()):
            return
        self.needed[name] = found | mask
        for node in self._around.get(name, ()):
            if node.name not in self._queued:
                self._queued.add(node.name)
                self._waiting.append(node)

    def settle(self) -> None:
        """Follow every need to what it takes."""
        while self._waiting:
            node = self._waiting.popleft()
            self._queued.discard(node.name)
            for name, mask in _RULES.get(node.op, _everything)(self, node):
                self.grow(name, mask)

    def round_up(self, multiple: int) -> None:
        """Need further channels until each tensor has a multiple of them, at least one, or all that there are."""
        while uneven := [name for name in self.needed if self._missing(name, multiple)]:
            for name in uneven:
                mask = np.zeros_like(self.needed[name])
                mask[np.flatnonzero(~self.needed[name])[: self._missing(name, multiple)]] = True
                self.grow(name, mask)
            self.settle()

    def _missing(self, name: str, multiple: int) -> int:
        found = self.needed[name]
        count = int(found.sum())
        return min(max(-(-count // multiple), 1) * multiple, len(found)) - count


def foldable(graph: Graph, node: Node, x: ChannelRange) -> Array:
    """The channels of a layer's input that its bias can stand for: bool [C].

    They are constant; where windows are padded, they have the value of the padding, so that every window sees the same.
    The bias is an accumulator of inputs that are possible, so that it fits int32 where every accumulator is proven to;
    else the sum of all magnitudes must.
    """
    constant = x.is_constant
    if node.op == "conv2d" and is_padded(node):
        constant = constant & (x.low == node.integer("pad_value"))
    if node.text("acc") == "i32" or not constant.any():
        return constant
    weight, bias = (graph.tensors[name].value() for name in node.inputs[1:3])
    taps = np.abs(weight.reshape(len(weight), -1, weight.shape[-1]).astype(np.int64)).sum(axis=1)
    reach = np.abs(bias.astype(np.int64)) + (taps * np.where(constant, np.abs(x.low), 0)).sum(axis=1)
    return constant if int(reach.max(initial=0)) <= INT32_MAX else np.zeros_like(constant)


def _any_of(needs: ChannelNeeds, names: Sequence[str]) -> Array:
    """The channels that are needed of one of the tensors, which have equally many."""
    return np.asarray(np.stack([needs.of(name) for name in names]).any(axis=0))


def _everything(needs: ChannelNeeds, node: Node) -> Needs:
    for name in (*node.inputs, *node.outputs):
        yield name, np.ones_like(needs.of(name))


def _each_channel(needs: ChannelNeeds, node: Node) -> Needs:
    """The operand and the result have the same channels, unless the operator works along them."""
    x, y = node.inputs[0], node.outputs[0]
    if "axes" in node.attrs and len(needs.graph.tensors[x].shape) - 1 in node.integers("axes"):
        yield from _everything(needs, node)
        return
    both = needs.of(x) | needs.of(y)
    yield x, both
    yield y, both


def _elementwise(needs: ChannelNeeds, node: Node) -> Needs:
    """All operands have the channels of the result, but for those with one value for all channels."""
    (y,) = node.outputs
    slots = BY_NAME[node.op].signature.slots_of(node, len(node.inputs)).values()
    moving = [name for slot, name in zip(slots, node.inputs, strict=True) if slot.role == "activation"]
    count = len(needs.of(y))
    alike = [y, *(name for name in moving if len(needs.of(name)) == count)]
    every = _any_of(needs, alike)
    for name in (y, *moving):
        yield name, every if name in alike else np.ones_like(needs.of(name))


def _conv2d(needs: ChannelNeeds, node: Node) -> Needs:
    """Without groups, input and output are independent; with one for each channel, an input goes with its outputs."""
    x, y = node.inputs[0], node.outputs[0]
    group = node.integer("group")
    if group == 1:
        yield x, _read_by_rows(needs, node)
    elif group == len(needs.of(x)):
        both = np.asarray(needs.of(x) | needs.of(y).reshape(group, -1).any(axis=1))
        yield x, both
        yield y, np.repeat(both, len(needs.of(y)) // group)
    else:
        yield from _everything(needs, node)


def _dense(needs: ChannelNeeds, node: Node) -> Needs:
    yield node.inputs[0], _read_by_rows(needs, node)


def _read_by_rows(needs: ChannelNeeds, node: Node) -> Array:
    """The channels of the input that the rows of the weight that are needed depend on."""
    weight = needs.graph.tensors[node.inputs[1]].value()
    rows = weight[needs.of(node.outputs[0])]
    read = np.asarray(rows.any(axis=tuple(range(rows.ndim - 1))))
    return read & ~foldable(needs.graph, node, needs.ranges[node.inputs[0]])


def _concat(needs: ChannelNeeds, node: Node) -> Needs:
    (y,) = node.outputs
    if node.integer("axis") != len(needs.graph.tensors[y].shape) - 1:
        every = _any_of(needs, (y, *node.inputs))
        for name in (y, *node.inputs):
            yield name, every
        return
    parts = [needs.of(name) for name in node.inputs]
    yield y, np.concatenate(parts)
    ends = np.cumsum([len(part) for part in parts])[:-1]
    for name, part in zip(node.inputs, np.split(needs.of(y), ends), strict=True):
        yield name, part


def _pad(needs: ChannelNeeds, node: Node) -> Needs:
    x, y = node.inputs[0], node.outputs[0]
    pads = node.integers("pads")
    before, behind = pads[len(pads) // 2 - 1], pads[-1]
    yield y, np.pad(needs.of(x), (before, behind))
    yield x, needs.of(y)[before : before + len(needs.of(x))]


def _slice(needs: ChannelNeeds, node: Node) -> Needs:
    x, y = node.inputs[0], node.outputs[0]
    start, end, step = (node.integers(key)[-1] for key in ("starts", "ends", "steps"))
    if step != 1:
        yield from _everything(needs, node)
        return
    yield y, needs.of(x)[start:end]
    yield x, np.pad(needs.of(y), (start, len(needs.of(x)) - end))


def _reshape(needs: ChannelNeeds, node: Node) -> Needs:
    """Where one count of channels divides the other, channels that are equal modulo the smaller go together."""
    x, y = node.inputs[0], node.outputs[0]
    counts = len(needs.of(x)), len(needs.of(y))
    least = min(counts)
    if not least or max(counts) % least:
        yield from _everything(needs, node)
        return
    every = np.concatenate([needs.of(name).reshape(-1, least) for name in (x, y)]).any(axis=0)
    for name, count in zip((x, y), counts, strict=True):
        yield name, np.tile(every, count // least)


def _transpose(needs: ChannelNeeds, node: Node) -> Needs:
    perm = node.integers("perm")
    yield from (_each_channel if perm[-1:] == (len(perm) - 1,) else _everything)(needs, node)


_RULES: Final[Mapping[str, Callable[[ChannelNeeds, Node], Needs]]] = {
    "add": _elementwise,
    "average_pool": _each_channel,
    "concat": _concat,
    "conv2d": _conv2d,
    "dense": _dense,
    "divide": _elementwise,
    "lookup": _elementwise,
    "max_pool": _each_channel,
    "maximum": _elementwise,
    "mean": _each_channel,
    "minimum": _elementwise,
    "mul": _elementwise,
    "pad": _pad,
    "prelu": _elementwise,
    "reduce_max": _each_channel,
    "reduce_min": _each_channel,
    "requantize": _elementwise,
    "reshape": _reshape,
    "resize_linear": _each_channel,
    "resize_nearest": _each_channel,
    "slice": _slice,
    "sub": _elementwise,
    "transpose": _transpose,
    "upsample": _each_channel,
}
