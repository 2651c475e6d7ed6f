"""What several nodes compute alike is computed once, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
from integer_graphs import ADD, Build

from edgeq.analysis.comparison import BeforePasses, Comparison
from edgeq.interp import run
from edgeq.ir import DType, Graph, Node, Quantization, State
from edgeq.ir.verify import verify_graph
from edgeq.ops import infer
from edgeq.passes import PASSES, merge_equal_nodes, run_passes


def checked(before: Graph) -> Graph:
    """The graph with equal nodes merged, after a comparison of every tensor."""
    verify_graph(before, infer)
    after = before.copy()
    merge_equal_nodes.run(after)
    verify_graph(after, infer)
    compared, found = BeforePasses(before, after), Comparison("passes")
    draw = np.random.default_rng(0)
    for number in range(3):
        sample = [draw.integers(-128, 128, after.tensors[name].shape).astype(np.int8) for name in after.inputs]
        values = run(after, sample)
        compared.compare(found, number, compared.run(sample, values.tensors), values.tensors)
    assert found.first is None
    return after


def names(graph: Graph) -> list[str]:
    return [node.name for node in graph.nodes]


def test_equal_nodes_become_one_with_the_sources_of_both() -> None:
    b = Build(3, 4)
    first, second = b.lookup("a", "x", 1), b.lookup("b", "x", 1)  # two tables of one content
    graph = checked(b.done(b.node("add", "y", first, second, **ADD)))
    assert names(graph) == ["a", "y"]
    assert graph.nodes[0].source == ("onnx/a", "onnx/b")
    assert graph.nodes[1].inputs == ("a", "a")
    assert "b.table" not in graph.tensors


def test_what_follows_from_equal_nodes_is_equal() -> None:
    b = Build(3, 4)
    chains = [b.lookup(f"{name}2", b.lookup(f"{name}1", "x", 1), 2) for name in "abc"]
    graph = checked(b.done(b.node("add", "y", chains[0], b.node("add", "z", *chains[1:], **ADD), **ADD)))
    assert names(graph) == ["a1", "a2", "z", "y"]


@pytest.mark.parametrize("change", ["table", "attribute", "operand", "scale"])
def test_nodes_that_differ_stay(change: str) -> None:
    b = Build(3, 4)
    first = b.node("add", "a", "x", b.lookup("t", "x", 1), **ADD)
    other = {
        "table": lambda: b.lookup("b", "x", 2),
        "attribute": lambda: b.node("add", "b", "x", "t", **(ADD | {"clamp_min": -127})),
        "operand": lambda: b.node("add", "b", "t", "x", **ADD),
        "scale": lambda: b.node("add", "b", "x", "t", **ADD),
    }[change]()
    if change == "scale":
        b.graph.tensors["b"] = b.graph.tensors["b"].with_(quant=Quantization.per_tensor(DType.INT8, 0.25, 0))
    graph = b.done(b.node("add", "y", first, other, **ADD))
    assert merge_equal_nodes.run(graph) == 0


def test_an_output_keeps_its_name_and_two_outputs_stay_two() -> None:
    b = Build(3, 4)
    inner, first, second = (b.lookup(name, "x", 1) for name in "abc")
    graph = checked(b.done(b.lookup("y", inner, 2), first, second))
    assert names(graph) == ["b", "c", "y"]
    assert graph.nodes[2].inputs[0] == "b"
    assert graph.outputs == ("y", "b", "c")


def test_a_state_keeps_its_tensor() -> None:
    b = Build(3, 4)
    b.graph.add_tensor(b.graph.tensors["x"].with_(name="h"))
    inner, new = (b.node("add", name, "x", "h", **ADD) for name in ("a", "b"))
    b.graph.states = (State("h", new),)
    graph = checked(b.done(b.lookup("y", inner, 2)))
    assert names(graph) == ["b", "y"]
    assert graph.states == (State("h", "b"),)


def test_an_output_that_replaces_a_merged_node_serves_all_readers() -> None:
    b = Build(3, 4)
    values = [b.lookup(name, "x", 1) for name in "abc"]
    sums = [b.node("add", f"{name}.sum", name, "x", **ADD) for name in values]
    graph = checked(b.done(values[2], *sums[:1], b.node("add", "y", sums[1], sums[2], **ADD)))
    assert names(graph) == ["c", "a.sum", "y"]


def test_a_chain_of_tables_and_changes_of_scale_is_one_table() -> None:
    b = Build(3, 4)
    scale: dict[str, int | str] = {"requant": "highmul", "acc": "i32", "shift": 1, "in_zero": 3, "out_zero": -9}
    limits: dict[str, int | str] = {"clamp_min": -100, "clamp_max": 127}

    def rescaled(name: str, x: str) -> str:
        factor = b.constant(f"{name}.factor", np.array([3 << 28], np.int32))
        return b.node("requantize", name, x, factor, **scale, **limits)

    before = b.done(rescaled("y", b.lookup("t", rescaled("r2", rescaled("r1", "x")), 5)))
    after = before.copy()
    run_passes(after, PASSES)
    assert [node.op for node in after.nodes] == ["lookup"]
    assert after.nodes[0].source == ("onnx/r1", "onnx/r2", "onnx/t", "onnx/y")
    data = np.arange(-128, 128, dtype=np.int8)[: 3 * 4].reshape(3, 4)
    for shift in range(0, 256, 12):
        sample = [(data + np.int8(shift - 128)).astype(np.int8)]
        np.testing.assert_array_equal(run(before, sample).outputs[0], run(after, sample).outputs[0])


def test_a_change_of_type_is_not_a_table() -> None:
    b = Build(3, 4)
    attrs: dict[str, int | str] = {"requant": "highmul", "acc": "i32", "shift": 8, "in_zero": 3, "out_zero": 0}
    factor = b.constant("factor", np.array([1 << 30], np.int32))
    wide = b.graph.tensors["x"].with_(name="wide", dtype=DType.INT16, quant=None)
    node = b.node("lookup", "t", "x", b.constant("table", np.arange(-128, 128).astype(np.int8)), function="Identity")
    b.graph.add_tensor(wide)
    limits: dict[str, int | str] = {"clamp_min": -32768, "clamp_max": 32767, "result": "int16"}
    b.graph.nodes.append(Node("requantize", "wide", (node, factor), ("wide",), attrs | limits))
    graph = b.done("wide")
    run_passes(graph, PASSES)
    assert [node.op for node in graph.nodes] == ["lookup", "requantize"]
