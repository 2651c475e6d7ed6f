"""A state that stacks the caches of several layers is kept as one state for each, updated in place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from integer_graphs import ADD, Build
from quant_models import normal, parse

import edgeq
from edgeq import frontend
from edgeq.analysis.comparison import BeforePasses, Comparison
from edgeq.backends.c import bind_kernels, plan_steps
from edgeq.interp import run, zero_states
from edgeq.ir import Graph, State
from edgeq.numerics.array import Array
from edgeq.onnxio import model_bytes
from edgeq.passes import PASSES, run_passes, split_states
from edgeq.target import load_board

ISA = load_board("native").target.isa
SLABS = 3
PLACES = 5


def stacked(change: Callable[[Build, list[str]], None] | None = None) -> Graph:
    """x [1, 4] is added to each of three slabs [1, 4] of a state [3, 4], and the sum of all is given.

    Args:
        change: what else is done with the state `h` and the new slabs.
    """
    b = Build(1, 4)
    b.graph.add_tensor(b.graph.tensors["x"].with_(name="h", shape=(SLABS, 4)))
    b.graph.states = (State("h", "x"),)
    slabs = [
        b.node("slice", f"old{row}", "h", starts=(row, 0), ends=(row + 1, 4), steps=(1, 1)) for row in range(SLABS)
    ]
    news = [b.node("add", f"new{row}", old, "x", **ADD) for row, old in enumerate(slabs)]
    total = b.node("add", "some", news[0], news[1], **ADD)
    b.node("add", "y", total, news[2], **ADD)
    if change is not None:
        change(b, news)
    b.graph.states = (State("h", b.node("concat", "joined", *news, axis=0)),)
    return b.done("y")


def cut_across(b: Build, news: list[str]) -> None:
    b.lookup("two", b.node("slice", "across", "h", starts=(1, 0), ends=(3, 4), steps=(1, 1)), 2)


def read_whole(b: Build, news: list[str]) -> None:
    b.lookup("all", "h", 2)


def constant_slab(b: Build, news: list[str]) -> None:
    news[1] = b.constant("zeros", np.zeros((1, 4), np.int8))


@pytest.mark.parametrize("change", [cut_across, read_whole, constant_slab])
def test_a_state_stays_whole_where_something_needs_it_so(change: Callable[[Build, list[str]], None]) -> None:
    graph = stacked(change)
    assert split_states.run(graph) == 0
    assert [state.input for state in graph.states] == ["h"]


def test_slabs_keep_every_bit_in_place() -> None:
    before, after = stacked(), stacked()
    run_passes(after, PASSES)
    assert [state.slab for state in after.states] == [(0, 1), (1, 2), (2, 3)]
    assert {node.op for node in after.nodes} == {"add"}
    assert [len(group) for group in after.whole_states()] == [SLABS]
    plan_steps(after, bind_kernels(after, ISA))  # the checker plays the plan twice
    compared, found = BeforePasses(before, after), Comparison("passes")
    generator = np.random.default_rng(1)
    states = [zero_states(before), zero_states(after)]
    for number in range(5):
        x = generator.integers(-128, 128, (1, 4)).astype(np.int8)
        one, other = run(before, [x], states[0]), run(after, [x], states[1])
        np.testing.assert_array_equal(one.outputs[0], other.outputs[0])
        np.testing.assert_array_equal(one.states["h"], np.concatenate(list(other.states.values())))
        compared.compare(found, number, compared.run([x], other.tensors), other.tensors)
        states = [one.states, other.states]
    assert found.mismatches == 0
    assert after.states[0].output in found.names
    x = np.ones((1, 4), np.int8)
    tensors, last = run(after, [x]).tensors, after.states[2].output
    compared.compare(found, 5, compared.run([x], tensors), {**tensors, last: tensors[last] ^ 1})
    assert found.mismatches > 0


def cached(kind: str) -> ir.Model:
    """Rows are written at a position into two caches that one state stacks, and what is there is weighed."""
    written = {
        "ScatterElements": ("where = Expand (at, wide)\n", "ScatterElements <axis = 1> (old{}, where, row{})"),
        "ScatterND": ("zero = Sub (at, at)\nwhere = Concat <axis = 2> (zero, at)\n", "ScatterND (old{}, where, row{})"),
    }[kind]
    layers = "\n".join(
        f"""old{n} = Gather <axis = 0> (cache, layer{n})
        row{n} = MatMul (x, w{n})
        new{n} = {written[1].format(n, n)}
        kept{n} = Unsqueeze (new{n}, first)
        read{n} = MatMul (weights, new{n})"""
        for n in range(2)
    )
    text = f"""g (float[1,1,8] x, int64[1,1,1] at, float[2,1,{PLACES},8] cache)
        => (float[1,1,8] y, float[2,1,{PLACES},8] cache_out) {{
        {written[0]}
        weights = MatMul (x, w2)
        {layers}
        cache_out = Concat <axis = 0> (kept0, kept1)
        y = Add (read0, read1)
    }}"""
    constants = {
        "layer0": np.array(0),
        "layer1": np.array(1),
        "first": np.array([0]),
        "wide": np.array([1, 1, 8]),
        "w0": normal(8, 8, seed=6, scale=0.4),
        "w1": normal(8, 8, seed=7, scale=0.4),
        "w2": normal(8, PLACES, seed=5, scale=0.4),
    }
    return frontend.normalize(parse(text, constants))


def steps(count: int) -> dict[str, Array]:
    generator = np.random.default_rng(8)
    places = np.broadcast_to(np.arange(PLACES), (count, PLACES))
    return {
        "x": generator.normal(size=(count, PLACES, 1, 1, 8)).astype(np.float32),
        "at": places.reshape(count, PLACES, 1, 1, 1).astype(np.int64),
    }


@pytest.mark.qemu
@pytest.mark.parametrize("kind", ["ScatterElements", "ScatterND"])
def test_caches_of_layers_are_written_in_place(kind: str, tmp_path: Path) -> None:
    made = edgeq.compile(model_bytes(cached(kind)), steps(16), board="mps2-an386", name="net", out=tmp_path / "net")
    program = made.manifest.program
    assert [(state.input, state.output, state.rows) for state in made.manifest.states] == [
        ("cache", "cache_out", (0, 1)),
        ("cache", "cache_out", (1, 2)),
    ]
    assert program.state_bytes == 2 * 48  # 40 bytes each, aligned
    assert {step.op for step in program.steps}.isdisjoint({"slice"})
    assert made.verify(["native", "qemu"], steps(3), samples=3).ok
    written = [place.offset for step in program.steps if step.op.startswith("scatter") for place in step.results]
    assert written == [0, 48]
    assert made.eval(steps(3), metric="mse", on=["native", "qemu"]).float_value is not None
