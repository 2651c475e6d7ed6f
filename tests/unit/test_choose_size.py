"""What ``--optimize size`` chooses and prints: fewer kinds of kernels and narrow structs, within bounds."""

from __future__ import annotations

import re

import pytest

from edgeq.backends.c import emit_c, plan_steps
from edgeq.backends.c.choose import UNBOUNDED, bounds_of, choose_kernels, weight_bytes
from edgeq.backends.c.choose_size import SLOWER, fewest_bytes
from edgeq.backends.c.costs import estimate
from edgeq.backends.c.instances import estimated_bytes
from edgeq.backends.c.program import CProgram
from edgeq.ir import Graph
from edgeq.target import load_target
from tests.golden.costs import _blind, ladder

M4 = load_target("cortex-m4")


@pytest.fixture(scope="module")
def graph() -> Graph:
    """Convolutions of all kinds."""
    return _blind(ladder((3, 8, 16), 16).SerializeToString())


@pytest.fixture(scope="module")
def small(graph: Graph) -> CProgram:
    return emit_c(graph, "model", M4, aim="size")


def source(program: CProgram) -> str:
    return program.bundle.files["model.c"].decode()


def test_fewer_kinds_of_kernels_are_taken(graph: Graph, small: CProgram) -> None:
    usual = emit_c(graph, "model", M4)
    kinds = {step.candidate for step in small.steps}
    assert len(kinds) < len({step.candidate for step in usual.steps})
    own, others = (estimated_bytes(program.steps, set(), M4.isa, compact=True) for program in (small, usual))
    assert own < others


def test_bounds_are_kept(graph: Graph) -> None:
    steps, plan = fewest_bytes(graph, M4.isa)
    usual, _ = choose_kernels(graph, M4.isa)
    expected, most = 0.0, 0.0
    for step, other in zip(steps, usual, strict=True):
        mine = estimate(step.node, graph, M4.isa, step.candidate, compact=True)
        theirs = estimate(other.node, graph, M4.isa, other.candidate)
        if mine is not None and theirs is not None:
            expected, most = expected + mine.instructions, most + theirs.instructions
    assert expected <= SLOWER * most
    direct = choose_kernels(graph, M4.isa, "ram")[0]
    bounds = bounds_of(graph, M4.isa, direct, plan_steps(graph, direct), "size", UNBOUNDED)
    assert bounds.allow_plan(plan)
    assert weight_bytes(steps) <= weight_bytes(direct) * 1.01


def test_nodes_that_are_forced_keep_their_kernels(graph: Graph) -> None:
    program = emit_c(graph, "model", M4, aim="size", kernels=[("c0", "eq_conv2d_triple_s8")])
    assert program.steps[1].candidate == "eq_conv2d_triple_s8"


def test_loops_are_short_and_structs_narrow_for_size_alone(graph: Graph, small: CProgram) -> None:
    usual = source(emit_c(graph, "model", M4))
    text = source(small)
    assert "EQ_COMPACT" not in usual
    assert text.index("#define EQ_COMPACT 1") < text.index("eq_common.h")
    structs = re.findall(r"typedef struct \{\n(.*?)\} model_\w+;", text, re.DOTALL)
    assert structs
    members = [line.split()[0] for line in structs[0].splitlines()]
    assert members.index("uint8_t") < members.index("uint16_t")
    assert "uint8_t" not in "".join(re.findall(r"typedef struct \{\n(.*?)\} model_\w+;", usual, re.DOTALL))
