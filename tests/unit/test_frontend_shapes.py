"""Dynamic dimensions, opsets and the movement of elements through Reshape and Transpose."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from edgeq.errors import EdgeqError
from edgeq.frontend import check_support, normalize
from edgeq.frontend.edit import Edit, Rule, apply_rules
from edgeq.frontend.facts import known_shape
from edgeq.frontend.rules.movement import Movement, plan_movement
from edgeq.onnxio import read_model_bytes

Dims = Sequence[int | str | None]


def pointwise(inputs: Mapping[str, Dims], opset: int = 17, op: str = "Relu") -> ir.Model:
    """One unary operator on each input."""
    graph = helper.make_graph(
        [helper.make_node(op, [name], [f"{name}_out"]) for name in inputs],
        "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(dims)) for name, dims in inputs.items()],
        [helper.make_tensor_value_info(f"{name}_out", TensorProto.FLOAT, list(dims)) for name, dims in inputs.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return read_model_bytes(made.SerializeToString())


def shapes(model: ir.Model) -> list[tuple[int, ...] | None]:
    """The shapes of the inputs."""
    return [known_shape(value) for value in model.graph.inputs]


@pytest.mark.parametrize(
    ("dims", "values", "wanted"),
    [
        (["N", 3], {}, (1, 3)),
        ([None, 3], {}, (1, 3)),
        (["anything", 3, 4], {}, (1, 3, 4)),
        (["batch_size"], {}, (1,)),
        ([3, "batch", 4], {}, (3, 1, 4)),
        (["N", "time"], {"time": 7}, (1, 7)),
        (["N", None], {"x:1": 7}, (1, 7)),
        (["N", 3], {"N": 4}, (4, 3)),
        ([8, 3], {"x:0": 1}, (1, 3)),
        (["time"], {"time": 5}, (5,)),
    ],
)
def test_dimension_gets_its_value(dims: Dims, values: Mapping[str, int], wanted: tuple[int, ...]) -> None:
    assert shapes(normalize(pointwise({"x": dims}), values)) == [wanted]


def test_shared_dimension_is_one_everywhere() -> None:
    assert shapes(normalize(pointwise({"x": ["N", 3], "state": [2, "N", 8]}))) == [(1, 3), (2, 1, 8)]


@pytest.mark.parametrize(
    ("inputs", "values", "code", "got"),
    [
        ({"x": ["N", "time"]}, {}, "EQ0222", "time"),
        ({"x": ["time"]}, {}, "EQ0222", "time"),
        ({"x": ["seq", 4], "z": [1, "seq"]}, {}, "EQ0222", "seq"),
        ({"x": ["N", 4]}, {"time": 3}, "EQ0223", "time"),
        ({"x": ["N", "time"]}, {"time": 0}, "EQ0223", "0"),
        ({"x": ["N", "time"]}, {"time": 1 << 21}, "EQ0223", str(1 << 21)),
        ({"x": ["a", "b"]}, {"a": 1 << 20, "b": 1 << 20}, "EQ0207", str(1 << 40)),
    ],
)
def test_open_or_wrong_dimension_is_refused(
    inputs: Mapping[str, Dims], values: Mapping[str, int], code: str, got: str
) -> None:
    with pytest.raises(EdgeqError) as caught:
        normalize(pointwise(inputs), values)
    assert caught.value.problems[0].code == code
    assert caught.value.problems[0].got == got


def test_all_open_dimensions_are_named_at_once() -> None:
    with pytest.raises(EdgeqError) as caught:
        normalize(pointwise({"x": ["N", "a"], "z": ["N", "c", None]}))
    assert [problem.got for problem in caught.value.problems] == ["a", "c", "z:2"]


@pytest.mark.parametrize("opset", range(7, 24))
def test_every_opset_becomes_21(opset: int) -> None:
    normalized = normalize(pointwise({"x": ["N", 3]}, opset, op="Sigmoid"))
    assert normalized.graph.opset_imports == {"": 21}
    assert [node.op_type for node in normalized.graph] == ["Sigmoid"]


def test_the_given_model_is_not_changed() -> None:
    model = pointwise({"x": ["N", 3]})
    normalize(model)
    assert known_shape(model.graph.inputs[0]) is None
    assert model.graph.opset_imports == {"": 17}


def test_rules_without_an_end_are_stopped() -> None:
    """A rule that always claims to have changed something."""
    model = normalize(pointwise({"x": [1, 3]}))
    with pytest.raises(EdgeqError, match="EQ0221"):
        apply_rules(Edit(model), [Rule("spin", ("Relu",), lambda node, edit: None)], fuel=10)


def test_error_inside_a_rule_names_node_and_rule() -> None:
    def broken(node: ir.Node, edit: Edit) -> str | None:
        raise ValueError("shapes differ")

    with pytest.raises(EdgeqError, match="EQ0232") as caught:
        apply_rules(Edit(normalize(pointwise({"x": [1, 3]}))), [Rule("break_it", ("Relu",), broken)])
    assert caught.value.problems[0].where == "node x_out"
    assert "break_it" in str(caught.value)


# --- movement --------------------------------------------------------------------------------------------------


@st.composite
def movements(draw: st.DrawFn) -> tuple[tuple[int, ...], list[tuple[str, tuple[int, ...]]]]:
    """A shape and a chain of reshapes and transposes from it."""
    shape = tuple(draw(st.lists(st.sampled_from([1, 2, 3, 4, 6]), min_size=1, max_size=4)))
    steps: list[tuple[str, tuple[int, ...]]] = []
    current = list(shape)
    for _ in range(draw(st.integers(1, 5))):
        if draw(st.booleans()):
            perm = tuple(draw(st.permutations(range(len(current)))))
            steps.append(("transpose", perm))
            current = [current[axis] for axis in perm]
        else:
            dims: list[int] = []
            left = math.prod(current)
            while left > 1 and len(dims) < 4:
                dims.append(draw(st.sampled_from([d for d in range(1, left + 1) if left % d == 0])))
                left //= dims[-1]
            current = list(draw(st.permutations([*dims, left])))
            steps.append(("reshape", tuple(current)))
    return shape, steps


@given(movements())
def test_planned_movement_moves_every_element_alike(
    case: tuple[tuple[int, ...], list[tuple[str, tuple[int, ...]]]],
) -> None:
    shape, steps = case
    start = np.arange(math.prod(shape)).reshape(shape)
    wanted, movement = start, Movement.of_shape(shape)
    for kind, argument in steps:
        if kind == "transpose":
            wanted = wanted.transpose(argument)
            movement.transpose(argument)
        else:
            wanted = wanted.reshape(argument)
            if not movement.reshape(argument):
                return  # the cut does not divide: the chain stays as it is
    plan = plan_movement(movement, shape, wanted.shape)
    have = start
    for step in plan:
        have = have.transpose(step.perm) if step.perm is not None else have.reshape(step.shape or ())
    assert have.shape == wanted.shape
    assert np.array_equal(have, wanted)
    assert len(plan) <= 3
    assert sum(step.perm is not None for step in plan) <= 1


@pytest.mark.parametrize("kind", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("opset", [10, 11, 19, 22])
def test_a_window_behind_the_tensor_is_dropped_in_every_opset(kind: str, opset: int) -> None:
    # Rows: 5 in windows of 1 at steps of 2 leave none over. Columns: 4 in steps of 2; a third would begin behind.
    node = helper.make_node(kind, ["x"], ["y"], kernel_shape=[1, 1], strides=[2, 2], ceil_mode=1)
    x, y = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)
        for name, dims in (("x", (1, 2, 5, 4)), ("y", None))
    )
    made = helper.make_model(
        helper.make_graph([node], "g", [x], [y]), opset_imports=[helper.make_opsetid("", opset)], ir_version=8
    )
    normal = normalize(read_model_bytes(made.SerializeToString()))
    assert known_shape(normal.graph.outputs[0]) == (1, 2, 3, 2)
    assert not check_support(normal)
