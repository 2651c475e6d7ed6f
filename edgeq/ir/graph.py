"""Nodes and graphs. Nodes are immutable; the order of the list is the schedule; every tensor is assigned once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from edgeq.ir.dtype import DType
from edgeq.ir.tensor import Tensor

Attr = int | str | tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Node:
    """One step: an operator of ``edgeq.ops`` by name, its tensors by name, its integer attributes.

    ``source`` lists the names of the ONNX nodes it stands for, for people and reports.
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: Mapping[str, Attr] = field(default_factory=dict)
    source: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "attrs", MappingProxyType(dict(self.attrs)))

    def integer(self, key: str) -> int:
        """An integer attribute.

        Raises:
            TypeError: it is not an integer.
        """
        value = self.attrs[key]
        if not isinstance(value, int):
            raise TypeError(f"{self.name}: attribute {key} is {value!r}, not an integer")
        return value

    def text(self, key: str) -> str:
        """A text attribute.

        Raises:
            TypeError: it is not text.
        """
        value = self.attrs[key]
        if not isinstance(value, str):
            raise TypeError(f"{self.name}: attribute {key} is {value!r}, not text")
        return value

    def integers(self, key: str) -> tuple[int, ...]:
        """A tuple attribute.

        Raises:
            TypeError: it is not a tuple.
        """
        value = self.attrs[key]
        if not isinstance(value, tuple):
            raise TypeError(f"{self.name}: attribute {key} is {value!r}, not a tuple")
        return value

    def with_(self, **changes: object) -> Node:
        """A copy with some fields changed."""
        return replace(self, **changes)  # type: ignore[arg-type]

    def with_attrs(self, **changes: Attr) -> Node:
        """A copy with some attributes changed."""
        return replace(self, attrs={**self.attrs, **changes})


@dataclass(frozen=True)
class State:
    """A value that outlives one run: ``input`` is read, ``output`` is what the next run reads.

    ``slab`` is the first row and the end of what it holds of the ONNX model's state, along the first axis; None: all.
    """

    input: str
    output: str
    slab: tuple[int, int] | None = None


@dataclass
class Graph:
    """An integer model: tensors by name, nodes in schedule order, inputs and outputs in the user's order."""

    name: str
    tensors: dict[str, Tensor] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    states: tuple[State, ...] = ()

    def add_tensor(self, tensor: Tensor) -> str:
        """Add a tensor under its name and return the name.

        Raises:
            ValueError: the name is taken.
        """
        if tensor.name in self.tensors:
            raise ValueError(f"tensor {tensor.name} exists already")
        self.tensors[tensor.name] = tensor
        return tensor.name

    def fresh_name(self, base: str) -> str:
        """``base``, or ``base.1``, ``base.2``, … where that is taken."""
        if base not in self.tensors:
            return base
        number = 1
        while f"{base}.{number}" in self.tensors:
            number += 1
        return f"{base}.{number}"

    def operands(self, node: Node) -> list[Tensor]:
        """The input tensors of a node, constants included."""
        return [self.tensors[name] for name in node.inputs]

    def results(self, node: Node) -> list[Tensor]:
        """The output tensors of a node."""
        return [self.tensors[name] for name in node.outputs]

    def whole_states(self) -> list[list[State]]:
        """The states of the ONNX model in its order, each as the slabs that it is kept in."""
        found: list[list[State]] = []
        for state in self.states:
            if state.slab is None or state.slab[0] == 0:
                found.append([])
            found[-1].append(state)
        return found

    def producer(self, tensor: str) -> Node | None:
        """The node that computes a tensor; None for inputs, states and constants."""
        return next((node for node in self.nodes if tensor in node.outputs), None)

    def consumers(self, tensor: str) -> list[Node]:
        """The nodes that read a tensor, in schedule order."""
        return [node for node in self.nodes if tensor in node.inputs]

    def activations(self) -> Iterator[Tensor]:
        """Every tensor that is not a constant."""
        return (tensor for tensor in self.tensors.values() if not tensor.is_constant)

    def constants(self) -> Iterator[Tensor]:
        """Every constant."""
        return (tensor for tensor in self.tensors.values() if tensor.is_constant)

    def sources(self) -> tuple[str, ...]:
        """The tensors that are given, not computed: inputs and the read side of states."""
        return self.inputs + tuple(state.input for state in self.states)

    def sinks(self) -> tuple[str, ...]:
        """The tensors that must be kept: outputs and the written side of states."""
        return self.outputs + tuple(state.output for state in self.states)

    def software_float(self) -> tuple[str, ...]:
        """The ONNX nodes that stay in software float, in schedule order."""
        nodes = (
            node
            for node in self.nodes
            if any(tensor.dtype is DType.FLOAT32 for tensor in (*self.operands(node), *self.results(node)))
        )
        return tuple(dict.fromkeys(name for node in nodes for name in node.source))

    def copy(self) -> Graph:
        """A shallow copy: tensors and nodes are immutable and shared."""
        return replace(self, tensors=dict(self.tensors), nodes=list(self.nodes))

    def replace_nodes(self, nodes: Iterable[Node]) -> None:
        """Set the node list and drop every tensor that nothing refers to any more."""
        self.nodes = list(nodes)
        used = set(self.sources()) | set(self.sinks())
        for node in self.nodes:
            used.update(node.inputs)
            used.update(node.outputs)
        self.tensors = {name: tensor for name, tensor in self.tensors.items() if name in used}
