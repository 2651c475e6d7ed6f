"""The structural verifier: what every pass may rely on and must leave behind.

It proves that the graph is in SSA form and schedule order, that nodes have names of their own, that shapes and types
are what each operator infers, that every attribute is an integer, a tuple of integers or a word, and that no value is a
float: the integer world is closed. A tensor that stands for an ONNX value has the shape that ONNX infers for it. The
operator facts, schemas of attributes included, are passed in as ``infer`` because the operators live one floor above.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from edgeq.errors import EdgeqError
from edgeq.ir.dtype import DType
from edgeq.ir.graph import Graph, Node
from edgeq.ir.tensor import Tensor

Infer = Callable[[Node, Sequence[Tensor]], list[tuple[tuple[int, ...], DType]]]


def verify_graph(graph: Graph, infer: Infer, *, after: str = "construction") -> None:
    """Check every rule of the integer graph.

    Args:
        graph: what to check.
        infer: shape and type inference for one node, from the operator table.
        after: the stage that produced the graph, for the message.

    Raises:
        EdgeqError: EQ0901, an internal error that names the stage, the node and the rule.
    """
    defined = set(graph.sources()) | {tensor.name for tensor in graph.constants()}
    for name in (*graph.sources(), *graph.sinks()):
        if name not in graph.tensors:
            raise _broken(after, f"graph input or output {name} has no tensor")
    _verify_states(graph, after)
    names: set[str] = set()
    for node in graph.nodes:
        if node.name in names:
            raise _broken(after, f"two nodes are called {node.name}")
        names.add(node.name)
        _verify_attributes(node, after)
        _verify_results(graph, node, infer, defined, after)
    for name in graph.sinks():
        if name not in defined:
            raise _broken(after, f"output {name} is never computed")


def _verify_states(graph: Graph, after: str) -> None:
    """Each state has an input of its own, which holds what its output held."""
    inputs = [state.input for state in graph.states]
    if len(set(inputs)) != len(inputs) or set(inputs) & set(graph.inputs):
        raise _broken(after, f"an input of a state is given twice: {', '.join(inputs)}")
    for state in graph.states:
        one, other = graph.tensors[state.input], graph.tensors[state.output]
        if (one.shape, one.dtype) != (other.shape, other.dtype) or other.is_constant:
            raise _broken(after, f"state {one.name} cannot be carried on by {other.name}")


def _verify_results(graph: Graph, node: Node, infer: Infer, defined: set[str], after: str) -> None:
    """Operands are there, results are new and what the operator infers; they are added to ``defined``."""
    for name in node.inputs:
        if name not in defined:
            raise _broken(after, f"{node.name} reads {name} before it is computed")
    inferred = infer(node, graph.operands(node))
    if len(inferred) != len(node.outputs):
        raise _broken(after, f"{node.name} has {len(node.outputs)} outputs, {node.op} gives {len(inferred)}")
    for name, (shape, dtype) in zip(node.outputs, inferred, strict=True):
        if name in defined:
            raise _broken(after, f"{node.name} assigns {name} a second time")
        defined.add(name)
        tensor = graph.tensors[name]
        if tensor.shape != shape or tensor.dtype is not dtype:
            got = f"{tensor.dtype.value}{tensor.shape}"
            raise _broken(after, f"{node.name} ({node.op}): {name} is {got}, not {dtype.value}{shape}")
        _verify_source(node, tensor, after)


def _verify_source(node: Node, tensor: Tensor, after: str) -> None:
    """A tensor that stands for an ONNX value has its shape, behind the permutation to ONNX's layout."""
    source = tensor.source
    if source is None:
        return
    laid_out = tuple(tensor.shape[axis] for axis in source.permutation)
    # Of another rank it is a reshape away; then the elements must be as many.
    whole = source.taken(source.shape)
    fits = laid_out == whole if len(laid_out) == len(whole) else prod(laid_out) == prod(whole)
    if sorted(source.permutation) != list(range(len(tensor.shape))) or not fits:
        what = f"{node.name} ({node.op}, for ONNX node {', '.join(node.source) or '?'})"
        raise _broken(after, f"{what}: {tensor.name} is {laid_out}, the ONNX value {source.name} is {source.shape}")


def _verify_attributes(node: Node, after: str) -> None:
    for key, value in node.attrs.items():
        whole = isinstance(value, (int, str)) and not isinstance(value, bool)
        if not whole and not (isinstance(value, tuple) and all(type(item) is int for item in value)):
            raise _broken(after, f"{node.name}: attribute {key} is {value!r}; only integers and words are allowed")


def _broken(after: str, what: str) -> EdgeqError:
    return EdgeqError(
        "EQ0901",
        f"the integer graph is not valid after {after}",
        got=what,
        hint="this is a defect of edgeq: report it with the model",
    )
