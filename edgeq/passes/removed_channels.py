"""What layers lost when dead channels were removed, for reports: a graph before the passes against the one behind."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from edgeq.ir import Graph, Node, Tensor
from edgeq.json_shape import Natural
from edgeq.ops import BY_NAME


@dataclass(frozen=True)
class Change:
    """A count before and after."""

    before: Natural
    after: Natural


@dataclass(frozen=True)
class RemovedChannels:
    """A layer with a weight that lost channels.

    Attributes:
        name: of the node of the integer graph.
        source: the ONNX nodes that became it.
        inputs: channels that it reads.
        outputs: channels that it computes.
        macs: multiply-accumulates of one inference.
        weight_bytes: of its weight, packed.
    """

    name: str
    source: tuple[str, ...]
    inputs: Change
    outputs: Change
    macs: Change
    weight_bytes: Change

    @property
    def label(self) -> str:
        """The ONNX nodes that became it, or its own name."""
        return ", ".join(self.source) or self.name

    def to_json(self) -> dict[str, Any]:
        """The fields by name, those that changed as pairs."""
        counts = ("inputs", "outputs", "macs", "weight_bytes")
        return {"layer": self.label, **{name: asdict(getattr(self, name)) for name in counts}}


def removed_channels(before: Graph, after: Graph) -> tuple[RemovedChannels, ...]:
    """The layers whose weights are smaller behind the passes, in schedule order."""
    old = {node.name: node for node in before.nodes}
    found = []
    for node in after.nodes:
        first = old.get(node.name)
        if first is None or first.op != node.op or _weight(before, first) is None:
            continue
        one, two = _measured(before, first), _measured(after, node)
        if one != two:
            changes = (Change(*pair) for pair in zip(one, two, strict=True))
            found.append(RemovedChannels(node.name, node.source, *changes))
    return tuple(found)


def _weight(graph: Graph, node: Node) -> Tensor | None:
    slots = BY_NAME[node.op].signature.slots_of(node, len(node.inputs)).values()
    pairs = zip(slots, graph.operands(node), strict=True)
    return next((tensor for slot, tensor in pairs if slot.role == "weight"), None)


def _measured(graph: Graph, node: Node) -> tuple[int, int, int, int]:
    """Channels in and out, multiply-accumulates, bytes of the weight."""
    weight = _weight(graph, node)
    assert weight is not None  # removed_channels has looked
    operands = graph.operands(node)
    bits = weight.bits or 8 * weight.dtype.size_bytes
    return (
        operands[0].shape[-1],
        weight.shape[0],
        BY_NAME[node.op].macs(node, operands),
        -(-weight.elements * bits // 8),
    )
