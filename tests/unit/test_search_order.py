"""The search for an order of nodes: as good as trying all orders, and bounded."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from work import calls_of

from edgeq.ir import DType, Graph, Node, Tensor
from edgeq.passes import order_nodes
from edgeq.passes.order_nodes import peak_bytes
from edgeq.passes.search_order import best_order


def random_graph(seed: int, count: int) -> Graph:
    """Nodes that read one or two earlier tensors of any size; what nobody reads is an output, but for some."""
    draw = Random(seed)
    graph = Graph("net", inputs=("x",))
    graph.add_tensor(Tensor("x", (draw.randint(1, 50),), DType.INT8))
    names = ["x"]
    for number in range(count):
        name = f"t{number}"
        graph.add_tensor(Tensor(name, (draw.randint(1, 90),), DType.INT8))
        reads = dict.fromkeys(draw.choice(names[-5:]) for _ in range(draw.randint(1, 2)))
        graph.nodes.append(Node("concat", name, tuple(reads), (name,), {"axis": 0}))
        names.append(name)
    read = {name for node in graph.nodes for name in node.inputs}
    graph.outputs = tuple(name for name in names[1:] if name not in read and draw.random() < 0.8) or (names[-1],)
    return graph


def orders(graph: Graph) -> Iterator[list[Node]]:
    def more(taken: list[Node], known: set[str]) -> Iterator[list[Node]]:
        if len(taken) == len(graph.nodes):
            yield list(taken)
            return
        for node in graph.nodes:
            if node not in taken and known.issuperset(node.inputs):
                yield from more([*taken, node], known | set(node.outputs))

    return more([], {"x"})


@pytest.mark.parametrize("seed", range(60))
def test_search_is_as_good_as_trying_all_orders(seed: int) -> None:
    graph = random_graph(seed, 3 + seed % 5)
    least = min(peak_bytes(graph, order) for order in orders(graph))
    found = best_order(graph, least + 1)
    assert found is not None
    assert peak_bytes(graph, found) == least
    assert best_order(graph, least) is None
    order_nodes.run(graph)
    assert peak_bytes(graph, graph.nodes) == least


def test_search_gives_up_where_there_are_too_many_orders() -> None:
    draw = Random(1)
    graph = Graph("net", inputs=("x",))
    graph.add_tensor(Tensor("x", (10,), DType.INT8))
    for number in range(60):
        for name, source in ((f"a{number}", "x"), (f"b{number}", f"a{number}")):
            graph.add_tensor(Tensor(name, (draw.randint(1, 100),), DType.INT8))
            graph.nodes.append(Node("concat", name, (source,), (name,), {"axis": 0}))
    graph.outputs = tuple(f"b{number}" for number in range(60))
    assert calls_of(lambda: order_nodes.run(graph)) < 30_000_000
    done: set[str] = {"x"}
    for node in graph.nodes:
        assert done.issuperset(node.inputs)
        done |= set(node.outputs)


def test_order_is_the_same_every_time() -> None:
    first, second = random_graph(7, 40), random_graph(7, 40)
    order_nodes.run(first)
    order_nodes.run(second)
    assert [node.name for node in first.nodes] == [node.name for node in second.nodes]
