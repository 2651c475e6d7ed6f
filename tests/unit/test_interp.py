"""The reference executor: order, checks, states."""

from __future__ import annotations

import numpy as np
import pytest

from edgeq.errors import EdgeqError
from edgeq.interp import run, zero_states
from edgeq.ir import Attr, DType, Graph, Node, State, Tensor
from edgeq.ir.verify import verify_graph
from edgeq.numerics.array import Array
from edgeq.ops import infer

SUM: dict[str, Attr] = {"requant": "highmul", "clamp_min": -128, "clamp_max": 127, "a_multiplier": 1, "b_multiplier": 1}


def accumulate() -> Graph:
    """y = x + state, transposed; the next state is the sum."""
    graph = Graph("accumulate", inputs=("x",), outputs=("y",), states=(State("held", "sum"),))
    for name, shape in (("x", (2, 3)), ("held", (2, 3)), ("sum", (2, 3)), ("y", (3, 2))):
        graph.add_tensor(Tensor(name, shape, DType.INT8))
    graph.nodes.append(Node("add", "add", ("x", "held"), ("sum",), {**SUM, "offset": 0, "shift": 0}))
    graph.nodes.append(Node("transpose", "turn", ("sum",), ("y",), {"perm": (1, 0)}))
    return graph


def test_states_carry_over() -> None:
    graph = accumulate()
    verify_graph(graph, infer)
    x = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.int8)
    first = run(graph, [x])
    assert np.array_equal(first.outputs[0], x.T)
    second = run(graph, {"x": x}, first.states)
    assert np.array_equal(second.outputs[0], 2 * x.T)
    assert set(second.tensors) == {"x", "held", "sum", "y"}
    assert not zero_states(graph)["held"].any()


def test_a_constant_may_be_an_output() -> None:
    graph = Graph("constant", outputs=("c",))
    graph.add_tensor(Tensor.constant("c", np.array([1, 2], dtype=np.int8)))
    assert run(graph, []).outputs[0].tolist() == [1, 2]


@pytest.mark.parametrize(
    "inputs",
    [
        [],
        {},
        [np.zeros((3, 2), dtype=np.int8)],
        [np.zeros((2, 3), dtype=np.int16)],
        [np.zeros((2, 3), dtype=np.int8)] * 2,
    ],
)
def test_wrong_inputs_are_refused(inputs: list[Array]) -> None:
    with pytest.raises(EdgeqError) as caught:
        run(accumulate(), inputs)
    assert caught.value.problems[0].code == "EQ0904"


def test_a_result_that_differs_from_its_declaration_is_an_internal_error() -> None:
    graph = accumulate()
    graph.tensors["y"] = Tensor("y", (2, 3), DType.INT8)
    with pytest.raises(EdgeqError) as caught:
        run(graph, [np.zeros((2, 3), dtype=np.int8)])
    assert caught.value.problems[0].code == "EQ0902"


def test_an_accumulator_that_overflows_is_an_internal_error() -> None:
    graph = accumulate()
    graph.nodes[0] = graph.nodes[0].with_attrs(a_multiplier=2**30)
    with pytest.raises(EdgeqError) as caught:
        run(graph, [np.full((2, 3), 127, dtype=np.int8)])
    assert caught.value.problems[0].code == "EQ0902"
