"""Remove channels that nobody needs: no reader has a weight for them, or they are constant and go into its bias.

Results keep their bits, and of tensors that lose channels those that are left keep theirs. A constant c that a layer
reads by the weights w becomes c·Σw in its bias. All accumulators of the smaller layer are accumulators of the old one
for inputs that are possible, so that what was proven of them holds; it is proven anew all the same. A layer that adds
up padding of another value keeps the channel. Inputs, outputs and states keep all channels, and every tensor at least
one.

Counts are rounded up to whole words of int8, so that every pixel of an aligned tensor begins at one: most cores take
longer over unaligned loads, which instruction counts do not show. Counts for each core were decided against: on VWW,
where half of all multiply-accumulates are dead, exact counts save 0.2 % of the instructions that are left on M4, 0.1 %
on M55 and 0.6 % on M0, multiples of 16 cost M55 0.5 %, and the graph would depend on the core.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.ir import Graph, Node, Quantization, Source, Tensor
from edgeq.numerics.accumulator import accumulator_limit, accumulator_range, signed_sums
from edgeq.numerics.array import Array
from edgeq.ops import BY_NAME
from edgeq.passes.base import Pass
from edgeq.passes.channel_needs import ChannelNeeds
from edgeq.passes.channel_ranges import ChannelRange, channel_ranges
from edgeq.passes.remove_dead_nodes import NO_DEAD_NODES

MULTIPLE: Final = 4
"""Of channels that a tensor keeps, where it loses any."""


def run(graph: Graph, multiple: int = MULTIPLE) -> int:
    """Remove dead channels in place; return from how many tensors.

    Args:
        graph: without dead nodes.
        multiple: to which the number of channels that a tensor keeps is rounded up.
    """
    ranges = channel_ranges(graph)
    needs = ChannelNeeds(graph, ranges)
    needs.settle()
    needs.round_up(multiple)
    kept = {name: np.flatnonzero(mask) for name, mask in needs.needed.items() if not mask.all()}
    if not kept:
        return 0
    cut = _Cut(graph, ranges, kept)
    nodes = [cut.node(node) for node in graph.nodes]
    for name, channels in kept.items():
        graph.tensors[name] = _with_channels(graph.tensors[name], channels)
    graph.replace_nodes(nodes)
    return len(kept)


def _with_channels(tensor: Tensor, channels: Array) -> Tensor:
    shape = (*tensor.shape[:-1], len(channels))
    source = tensor.source
    if source is not None:
        same_rank = len(source.shape) == len(shape)
        kept = tuple(channels.tolist())
        source = Source(source.name, source.permutation, source.shape, kept) if same_rank else None
    return tensor.with_(shape=shape, source=source)


class _Cut:
    """Nodes of a graph without the channels that go; what a node says of the tensors around it is still the old.

    Attributes:
        kept: the channels that stay of tensors that lose some, by name.
    """

    def __init__(self, graph: Graph, ranges: Mapping[str, ChannelRange], kept: Mapping[str, Array]) -> None:
        self.graph: Final = graph
        self.ranges: Final = ranges
        self.kept: Final = kept

    def node(self, node: Node) -> Node:
        """A node for what is left of its tensors."""
        if not any(name in self.kept for name in (*node.inputs, *node.outputs)):
            return node
        rule = _RULES.get(node.op)
        return node if rule is None else rule(self, node)

    def of(self, name: str) -> Array:
        """The channels that stay of a tensor."""
        found = self.kept.get(name)
        return np.arange(self.graph.tensors[name].shape[-1]) if found is None else found

    def constant(self, name: str, values: Array, quant: Quantization | None) -> str:
        """The name of a new constant in the place of another one."""
        tensor = self.graph.tensors[name]
        fresh = self.graph.fresh_name(f"{name}.kept")
        return self.graph.add_tensor(Tensor.constant(fresh, values, quant, tensor.dtype))


def _layer(cut: _Cut, node: Node) -> Node:
    """Rows for the channels of the result, columns for those of the input; with groups, there are rows alone."""
    graph, (x, y) = cut.graph, (node.inputs[0], node.outputs[0])
    weight, bias = (graph.tensors[name] for name in node.inputs[1:3])
    rows, columns = cut.of(y), np.arange(weight.shape[-1])
    attrs = {}
    start = bias.value()[rows]
    if node.op == "conv2d" and node.integer("group") > 1:
        attrs["group"] = len(cut.of(x)) if x in cut.kept else node.integer("group")
    else:
        columns = cut.of(x)
        gone = np.setdiff1d(np.arange(weight.shape[-1]), columns)
        sums = weight.value().astype(np.int64).sum(axis=tuple(range(1, len(weight.shape) - 1)))
        # A channel that is not constant has no weights, whatever it holds.
        start = start + sums[np.ix_(rows, gone)] @ cut.ranges[x].low[gone]
    values = weight.value()[rows][..., columns]
    _require_reach(graph, node, values, start)
    names = [cut.constant(weight.name, values, _with_rows(weight, rows))]
    names.append(cut.constant(bias.name, start.astype(np.int32), bias.quant))
    for name in node.inputs[3:]:
        factor = graph.tensors[name]
        whole = factor.shape == (1,) and weight.shape[0] != 1
        names.append(name if whole else cut.constant(name, factor.value()[rows], factor.quant))
    return node.with_(inputs=(x, *names)).with_attrs(**attrs)


def _with_rows(weight: Tensor, rows: Array) -> Quantization | None:
    """The parameters of these output channels."""
    quant = weight.quant
    if quant is None or quant.axis is None:
        return quant
    assert quant.axis == 0 and quant.block is None  # noqa: PT018 - as lowering makes weights
    scale, zero = (tuple(values[row] for row in rows) for values in (quant.scale, quant.zero_point))
    return replace(quant, scale=scale, zero_point=zero)


def _require_reach(graph: Graph, node: Node, weight: Array, bias: Array) -> None:
    """Prove anew that the accumulator, shifted, fits int32.

    Raises:
        EdgeqError: EQ0901 it does not: the proof of the whole layer was wrong.
    """
    x = graph.tensors[node.inputs[0]].dtype
    reach = accumulator_range(signed_sums(weight), bias, 0, x.min, x.max).magnitude
    if node.text("acc") == "i32" and int(reach.max(initial=0)) > accumulator_limit(node.integer("shift")):
        raise EdgeqError(
            "EQ0901",
            "an accumulator leaves int32 when dead channels are removed",
            where=node.name,
            got=int(reach.max()),
            allowed=accumulator_limit(node.integer("shift")),
            hint="this is a defect of edgeq: report it with the model",
        )


def _operands(cut: _Cut, node: Node) -> Node:
    """Constant operands lose the channels that the result loses; tables and factors are for all channels."""
    (y,) = node.outputs
    slots = BY_NAME[node.op].signature.slots_of(node, len(node.inputs)).values()
    count = cut.graph.tensors[y].shape[-1]
    inputs = []
    for slot, name in zip(slots, node.inputs, strict=True):
        tensor = cut.graph.tensors[name]
        alike = slot.role == "activation" and tensor.is_constant and tensor.shape[-1:] == (count,)
        inputs.append(_sliced(cut, tensor, cut.of(y)) if alike else name)
    return node.with_(inputs=tuple(inputs))


def _sliced(cut: _Cut, tensor: Tensor, channels: Array) -> str:
    return cut.constant(tensor.name, tensor.value()[..., channels], tensor.quant)


def _concat(cut: _Cut, node: Node) -> Node:
    graph, (y,) = cut.graph, node.outputs
    along = node.integer("axis") == len(graph.tensors[y].shape) - 1
    inputs, end = [], 0
    for name in node.inputs:
        tensor, start = graph.tensors[name], end
        if along:
            end += tensor.shape[-1]
        if tensor.is_constant:
            channels = cut.of(y)
            here = channels[(start <= channels) & (channels < end)] - start if along else channels
            inputs.append(_sliced(cut, tensor, here))
        else:
            inputs.append(name)
    return node.with_(inputs=tuple(inputs))


def _pad(cut: _Cut, node: Node) -> Node:
    pads = list(node.integers("pads"))
    (x,), (y,) = node.inputs, node.outputs
    before, count = pads[len(pads) // 2 - 1], cut.graph.tensors[x].shape[-1]
    channels = cut.of(y)
    pads[len(pads) // 2 - 1] = int((channels < before).sum())
    pads[-1] = int((channels >= before + count).sum())
    return node.with_attrs(pads=tuple(pads))


def _slice(cut: _Cut, node: Node) -> Node:
    starts, ends = node.integers("starts"), node.integers("ends")
    first = int((cut.of(node.inputs[0]) < starts[-1]).sum())
    count = len(cut.of(node.outputs[0]))
    return node.with_attrs(starts=(*starts[:-1], first), ends=(*ends[:-1], first + count))


def _reshape(cut: _Cut, node: Node) -> Node:
    return node.with_attrs(shape=(*node.integers("shape")[:-1], len(cut.of(node.outputs[0]))))


_RULES: Final[Mapping[str, Callable[[_Cut, Node], Node]]] = {
    "concat": _concat,
    "conv2d": _layer,
    "dense": _layer,
    "pad": _pad,
    "reshape": _reshape,
    "slice": _slice,
    **dict.fromkeys(("add", "divide", "maximum", "minimum", "mul", "prelu", "sub"), _operands),
}
"""What more changes than shapes; the operators of ``channel_needs`` that are not here stay as they are."""
PASS: Final = Pass("remove_dead_channels", run, requires=(NO_DEAD_NODES,), reads_scales=True)
