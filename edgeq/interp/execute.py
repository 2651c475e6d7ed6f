"""Runs an integer graph node by node through the operators' exact evaluation.

Every result is checked against the tensor's declared shape and type, and accumulators against int32, so that a proof
that lowering gave and a kernel relies on cannot be wrong unnoticed. Executors read the nodes and constants only, never
scales.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.ir import Graph, Node, Tensor
from edgeq.numerics.array import Array
from edgeq.ops import BY_NAME

# Asked for a node's results on these operands before it is evaluated; None: they are not known.
Known = Callable[[Node, Sequence[Array]], Sequence[Array] | None]


@dataclass(frozen=True)
class Execution:
    """One run of a graph.

    Attributes:
        outputs: the graph's outputs, in order.
        tensors: every computed tensor, the inputs and the states by name; constants are left out.
        states: what the next run reads, by the name of the state's ``input``.
    """

    outputs: tuple[Array, ...]
    tensors: dict[str, Array]
    states: dict[str, Array]


def run(
    graph: Graph,
    inputs: Sequence[Array] | Mapping[str, Array],
    states: Mapping[str, Array] | None = None,
    known: Known | None = None,
) -> Execution:
    """Run a graph once.

    Args:
        graph: a valid graph.
        inputs: one array per graph input, in order or by name, with the exact shapes and dtypes.
        states: the states' values by the name of their ``input``; None starts from :func:`zero_states`.
        known: answers results that were computed before by the same operator on equal operands.

    Raises:
        EdgeqError: EQ0904 where an input or state is missing or has another shape or type; EQ0902 where an operator
            does not give what the graph declares or an accumulator leaves int32.
    """
    values: dict[str, Array] = {}
    given = inputs if isinstance(inputs, Mapping) else _in_order(graph, inputs)
    held = zero_states(graph) if states is None else states
    for names, source in ((graph.inputs, given), ([state.input for state in graph.states], held)):
        for name in names:
            values[name] = _accept(graph.tensors[name], source.get(name))
    for node in graph.nodes:
        operands = [_operand(graph, values, name) for name in node.inputs]
        results = known(node, operands) if known is not None else None
        values.update(zip(node.outputs, _evaluate(graph, node, operands) if results is None else results, strict=True))
    return Execution(
        outputs=tuple(_operand(graph, values, name) for name in graph.outputs),
        tensors=values,
        states={state.input: _operand(graph, values, state.output) for state in graph.states},
    )


def zero_states(graph: Graph) -> dict[str, Array]:
    """The states before the first run, by the name of their ``input``: what stands for the real number zero."""
    tensors = [graph.tensors[state.input] for state in graph.states]
    return {tensor.name: np.full(tensor.shape, tensor.zero, tensor.dtype.numpy) for tensor in tensors}


def _in_order(graph: Graph, inputs: Sequence[Array]) -> dict[str, Array]:
    if len(inputs) != len(graph.inputs):
        raise EdgeqError(
            "EQ0904", "wrong number of inputs", where=graph.name, got=len(inputs), allowed=len(graph.inputs)
        )
    return dict(zip(graph.inputs, inputs, strict=True))


def _accept(tensor: Tensor, array: Array | None) -> Array:
    if array is None:
        raise EdgeqError("EQ0904", "an input of the integer graph is missing", where=tensor.name)
    if array.shape != tensor.shape or array.dtype != tensor.dtype.numpy:
        raise EdgeqError(
            "EQ0904",
            "an input of the integer graph has a wrong shape or type",
            where=tensor.name,
            got=f"{array.dtype}{array.shape}",
            allowed=f"{tensor.dtype.value}{tensor.shape}",
        )
    return array


def _operand(graph: Graph, values: Mapping[str, Array], name: str) -> Array:
    found = values.get(name)
    return graph.tensors[name].value() if found is None else found


def _evaluate(graph: Graph, node: Node, operands: Sequence[Array]) -> list[Array]:
    try:
        # numpy gives scalars, not arrays, for arithmetic on arrays of rank 0.
        results = [np.asarray(result) for result in BY_NAME[node.op].evaluate(node, operands)]
    except OverflowError as error:
        raise _defect(node, str(error), "int32") from error
    for tensor, result in zip(graph.results(node), results, strict=True):
        if result.shape != tensor.shape or result.dtype != tensor.dtype.numpy:
            got = f"{tensor.name}: {result.dtype}{result.shape}"
            raise _defect(node, got, f"{tensor.dtype.value}{tensor.shape}")
    return results


def _defect(node: Node, got: str, allowed: str) -> EdgeqError:
    return EdgeqError(
        "EQ0902",
        f"{node.op} computed what the integer graph does not allow",
        where=node.name,
        got=got,
        allowed=allowed,
        hint="this is a defect of edgeq: report it with the model",
    )
