"""A transpose moves through every operator whose axes allow it, and no bit changes: on the nodes of all samples."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from edgeq.interp import run
from edgeq.ir import DType, Graph, Node, Tensor
from edgeq.ir.verify import verify_graph
from edgeq.numerics.array import Array
from edgeq.numerics.scaling import Mode
from edgeq.ops import BY_NAME, OPS, Op, infer
from edgeq.passes import cancel_transposes
from tests.conformance.zoo import FLOATS, KINDS, Types, kinds_of, zoo

MOVABLE = [op for op in OPS if op.axes is not None]
PERMUTATIONS = 4


def inverse(perm: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(axis) for axis in np.argsort(perm))


def operands_of(graph: Graph, node: Node) -> tuple[list[Tensor], int]:
    """The computed operands of a node, each once, and the rank to which they are broadcast."""
    computed = {tensor.name: tensor for tensor in graph.operands(node) if not tensor.is_constant}
    return list(computed.values()), max(len(tensor.shape) for tensor in graph.operands(node))


def around(graph: Graph, node: Node, perm: tuple[int, ...]) -> Graph:
    """A node between transposes: of its computed operands of full rank, and of its result back again."""
    axes = BY_NAME[node.op].axes
    assert axes is not None
    computed, rank = operands_of(graph, node)
    made = Graph("around")
    for tensor in graph.operands(node):
        made.tensors[tensor.name] = tensor.with_(source=None)
    for tensor in computed:
        if len(tensor.shape) != rank:
            made.inputs += (tensor.name,)
            continue
        shape = tuple(tensor.shape[axis] for axis in inverse(perm))
        made.inputs += (made.add_tensor(tensor.with_(name=f"{tensor.name}.in", shape=shape, source=None)),)
        made.nodes.append(Node("transpose", tensor.name, made.inputs[-1:], (tensor.name,), {"perm": perm}))
    (result,) = graph.results(node)
    made.add_tensor(result.with_(source=None))
    exchanged = axes.exchange(node, perm)
    back = inverse(exchanged[1]) if exchanged is not None else tuple(range(len(result.shape)))
    shape = tuple(result.shape[axis] for axis in back)
    made.outputs = (made.add_tensor(result.with_(name="back", shape=shape, source=None)),)
    made.nodes += [node, Node("transpose", "back", (result.name,), made.outputs, {"perm": back})]
    return made


def permuted_nodes(op: Op, kind: tuple[Mode, Types]) -> Iterator[tuple[Graph, Node, tuple[int, ...]]]:
    """The nodes of an operator in the samples of its family, each with some orders of axes."""
    axes = op.axes
    assert axes is not None
    rng = np.random.default_rng(0)
    for family in dict.fromkeys((op.family, "elementwise", "pool")):
        graph = zoo(family, *kind).lowered
        for node in graph.nodes:
            computed, rank = operands_of(graph, node)
            if node.op != op.name or not computed or rank < 2:
                continue
            orders = list(itertools.permutations(range(rank)))[1:]
            drawn = [orders[index] for index in rng.permutation(len(orders))]
            # Those that the axes allow come first; they may be rare.
            drawn.sort(key=lambda perm: axes.exchange(node, perm) is None)
            for perm in (*drawn[: PERMUTATIONS - 1], drawn[-1]):
                yield graph, node, perm


def any_of(rng: np.random.Generator, tensor: Tensor) -> Array:
    """Any values of the tensor's type."""
    if tensor.dtype is DType.FLOAT32:
        return np.asarray(rng.choice(FLOATS, tensor.shape))
    kind = tensor.dtype
    return rng.integers(kind.min, kind.max, tensor.shape, kind.numpy, endpoint=True)


@pytest.mark.parametrize(
    ("op", "kind"),
    [
        pytest.param(op, kind, id=f"{op.name}-{'-'.join(kind)}")
        for op in MOVABLE
        for kind in kinds_of(op.family)
        if op.signature.types or kind == KINDS[0]
    ],
)
def test_a_transpose_moves_through_the_operator(op: Op, kind: tuple[Mode, Types]) -> None:
    rng = np.random.default_rng(1)
    moved = 0
    for graph, node, perm in permuted_nodes(op, kind):
        built = around(graph, node, perm)
        verify_graph(built, infer)
        data = [any_of(rng, built.tensors[name]) for name in built.inputs]
        wanted = run(built.copy(), data).outputs[0]
        cancel_transposes.run(built)
        verify_graph(built, infer)
        np.testing.assert_array_equal(run(built, data).outputs[0], wanted, err_msg=f"{node.name} by {perm}")
        assert op.axes is not None
        if op.axes.exchange(node, perm) is not None and all(
            len(tensor.shape) == len(perm) for tensor in operands_of(graph, node)[0]
        ):
            assert not any(each.op == "transpose" for each in built.nodes), f"{node.name} by {perm}"
            moved += 1
    assert moved
