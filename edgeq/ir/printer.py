"""The graph as text: one line a node, for people, golden tests and ``--debug``."""

from __future__ import annotations

from edgeq.ir.graph import Graph, Node
from edgeq.ir.tensor import Tensor


def format_graph(graph: Graph) -> str:
    """The whole graph, one line a node; constants are summarised by type and shape."""
    lines = [f"graph {graph.name}({', '.join(_typed(graph.tensors[name]) for name in graph.inputs)})"]
    lines += [f"  {format_node(graph, node)}" for node in graph.nodes]
    lines.append(f"  return {', '.join(graph.outputs)}")
    return "\n".join(lines) + "\n"


def format_node(graph: Graph, node: Node) -> str:
    """``out: int8[1,2] = op(a, b: const int8[3]) {attribute=value}``."""
    results = ", ".join(_typed(tensor) for tensor in graph.results(node))
    operands = ", ".join(_operand(tensor) for tensor in graph.operands(node))
    attrs = " ".join(f"{key}={_value(value)}" for key, value in sorted(node.attrs.items()))
    return f"{results} = {node.op}({operands}) {{{attrs}}}"


def _typed(tensor: Tensor) -> str:
    return f"{tensor.name}: {tensor.dtype.value}[{','.join(map(str, tensor.shape))}]"


def _operand(tensor: Tensor) -> str:
    if tensor.is_constant:
        return f"const {tensor.dtype.value}[{','.join(map(str, tensor.shape))}]"
    return tensor.name


def _value(value: object) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
