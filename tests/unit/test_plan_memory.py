"""The memory planner against a checker that shares nothing with it, and against the bound that no plan can beat."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from work import is_linear

from edgeq.errors import EdgeqError
from edgeq.ir import DType, Graph, Node, Tensor
from edgeq.passes.check_plan import check_plan
from edgeq.passes.plan_memory import Plan, StepMemory, plan_memory

# What the kernels of every core may rely on: the widest load of MVE is 16 bytes.
ALIGN_BYTES = 16


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Graph, dict[str, StepMemory]]:
    """A random program: each step reads one to three earlier values; some reshape, some may write in place."""
    graph = Graph("random")
    count = draw(st.integers(1, 12))
    names = ["x"]
    graph.add_tensor(Tensor("x", (draw(st.integers(1, 300)),), DType.INT8))
    graph.inputs = ("x",)
    needs: dict[str, StepMemory] = {}
    for step in range(count):
        operands = tuple(draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)))
        name = f"t{step}"
        first = graph.tensors[operands[0]]
        kind = draw(st.sampled_from(["reshape", "in_place", "plain"]))
        if kind == "reshape":
            graph.add_tensor(Tensor(name, first.shape, DType.INT8))
            graph.nodes.append(Node("reshape", name, operands[:1], (name,), {"shape": first.shape}))
        else:
            size = first.shape if kind == "in_place" else (draw(st.integers(1, 300)),)
            graph.add_tensor(Tensor(name, size, DType.INT8))
            graph.nodes.append(Node("lookup", name, operands, (name,)))
            pairs = tuple((operand, name) for operand in operands) if kind == "in_place" else ()
            needs[name] = StepMemory(draw(st.integers(0, 100)), pairs)
        names.append(name)
    graph.outputs = tuple(dict.fromkeys([names[-1], draw(st.sampled_from(names[1:]))]))
    return graph, needs


def play(graph: Graph, needs: dict[str, StepMemory], plan: Plan) -> None:
    """Run the independent checker on a plan."""
    check_plan(
        graph,
        arena_bytes=plan.arena_bytes,
        offsets=plan.offsets,
        scratch={name: (offset, needs[name].scratch_bytes) for name, offset in plan.scratch.items()},
        in_place={name: need.in_place for name, need in needs.items()},
    )


@settings(max_examples=300, deadline=None)
@given(graphs())
def test_plan_is_valid_and_not_below_the_bound(case: tuple[Graph, dict[str, StepMemory]]) -> None:
    graph, needs = case
    plan = plan_memory(graph, needs)
    play(graph, needs, plan)
    assert plan.arena_bytes >= plan.bound_bytes
    assert all(offset % ALIGN_BYTES == 0 for offset in (*plan.offsets.values(), *plan.scratch.values()))


def chain() -> tuple[Graph, dict[str, StepMemory]]:
    """x → a → b, 64 bytes each, with scratch."""
    graph = Graph("chain", inputs=("x",), outputs=("b",))
    for name in ("x", "a", "b"):
        graph.add_tensor(Tensor(name, (64,), DType.INT8))
    graph.nodes = [Node("lookup", "a", ("x",), ("a",)), Node("lookup", "b", ("a",), ("b",))]
    return graph, {"a": StepMemory(32), "b": StepMemory(0)}


def test_chain_needs_two_buffers_and_scratch() -> None:
    graph, needs = chain()
    assert plan_memory(graph, needs).arena_bytes == 64 + 64 + 32


def test_in_place_chain_needs_one_buffer() -> None:
    graph, _ = chain()
    needs = {"a": StepMemory(0, (("x", "a"),)), "b": StepMemory(0, (("a", "b"),))}
    plan = plan_memory(graph, needs)
    play(graph, needs, plan)
    assert plan.arena_bytes == 64


def test_in_place_is_refused_while_the_operand_is_still_read() -> None:
    graph, _ = chain()
    graph.nodes[1] = Node("add", "b", ("a", "x"), ("b",))
    needs = {"a": StepMemory(0, (("x", "a"),))}
    plan = plan_memory(graph, needs)
    play(graph, needs, plan)
    assert plan.offsets["a"] != plan.offsets["x"]


@pytest.mark.parametrize(
    ("victim", "offset"),
    [("a", 0), ("b", 32), ("x", 1 << 20)],
    ids=["over_the_input", "over_its_operand", "outside"],
)
def test_checker_refuses_a_damaged_plan(victim: str, offset: int) -> None:
    graph, needs = chain()
    plan = plan_memory(graph, needs)
    where = {"x": 0, "a": 64, "b": 0} | {victim: offset}
    with pytest.raises(EdgeqError, match="EQ0905"):
        play(graph, needs, dataclasses.replace(plan, offsets=where, arena_bytes=160, scratch={"a": 128}))


def test_checker_refuses_scratch_over_an_operand() -> None:
    graph, needs = chain()
    plan = plan_memory(graph, needs)
    with pytest.raises(EdgeqError, match="scratch"):
        play(graph, needs, dataclasses.replace(plan, scratch={"a": plan.offsets["x"]}))


def test_checker_refuses_a_result_over_its_own_scratch() -> None:
    graph, needs = chain()
    plan = plan_memory(graph, needs)
    with pytest.raises(EdgeqError, match="a result overlaps the scratch"):
        play(graph, needs, dataclasses.replace(plan, scratch={"a": plan.offsets["a"] + 32}))


def test_sizes_are_rounded_up_to_sixteen_bytes() -> None:
    graph = Graph("odd", inputs=("x",), outputs=("y",))
    for name, size in (("x", 17), ("y", 1)):
        graph.add_tensor(Tensor(name, (size,), DType.INT8))
    graph.nodes = [Node("lookup", "y", ("x",), ("y",))]
    plan = plan_memory(graph, {"y": StepMemory(3)})
    assert (plan.arena_bytes, plan.bound_bytes) == (64, 64)
    assert sorted((*plan.offsets.values(), *plan.scratch.values())) == [0, 32, 48]


def long_chain(layers: int) -> Callable[[], object]:
    """Layers of ten sizes, every second in place, one in five skipping ahead by two."""
    graph = Graph("long", inputs=("t0",))
    graph.add_tensor(Tensor("t0", (100,), DType.INT8))
    needs = {}
    for step in range(1, layers + 1):
        name, operands = f"t{step}", (f"t{step - 1}",) if step < 3 or step % 5 else (f"t{step - 1}", f"t{step - 3}")
        shape = graph.tensors[operands[0]].shape if step % 2 else (64 + 37 * (step % 10),)
        graph.add_tensor(Tensor(name, shape, DType.INT8))
        graph.nodes.append(Node("lookup", name, operands, (name,)))
        needs[name] = StepMemory(step % 3 * 50, ((operands[0], name),) if step % 2 else ())
    graph.outputs = (f"t{layers}",)
    return lambda: play(graph, needs, plan_memory(graph, needs))


def test_the_time_to_plan_and_check_is_linear_in_the_layers() -> None:
    assert is_linear(long_chain)
