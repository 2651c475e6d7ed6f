"""What kernels are expected to cost: fits of known costs, entries of the file, and what is concluded from them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import edgeq
from edgeq.analysis.cycles import cycles_of
from edgeq.backends.c import bind_kernels, choose
from edgeq.backends.c.bindings import EVERY
from edgeq.backends.c.choose import choose_kernels
from edgeq.backends.c.costs import TERMS, Estimate, estimate, terms_of, total
from edgeq.resources import targets_dir
from edgeq.runners.base import CLASSES, Counts
from edgeq.target import list_targets, load_target
from tests.conformance.zoo import zoo
from tests.golden.costs import FILE, Row, fit_of, fitted
from tests.golden.instructions import FILE as INSTRUCTIONS

M4 = load_target("cortex-m4").isa


def test_fit_finds_the_terms_that_count() -> None:
    draw = np.random.default_rng(1)
    terms = draw.uniform(1, 1000, (40, len(TERMS)))
    wanted = 3 * terms[:, 1] + 20 * terms[:, 3]
    found = fitted(terms, wanted)
    assert found == pytest.approx(np.eye(len(TERMS))[1] * 3 + np.eye(len(TERMS))[3] * 20)
    assert (fitted(terms, terms[:, 1] - 0.1 * terms[:, 2] + 200) >= 0).all()


def test_error_is_that_of_models_that_were_not_fitted() -> None:
    draw = np.random.default_rng(2)

    def rows(model: str, factor: float) -> list[Row]:
        terms = draw.uniform(100, 1000, (20, len(TERMS)))
        return [Row(model, tuple(line), factor * line[1], line[1]) for line in terms]

    same = fit_of([*rows("a", 2), *rows("b", 2)])
    assert same["instructions"] == {"macs": 2.0}
    assert (same["mean_error"], same["worst_error"], same["models"]) == (0.0, 0.0, 2)
    other = fit_of([*rows("a", 2), *rows("b", 3)])
    assert other["mean_error"] > 0.3


def test_every_entry_is_of_a_kernel_that_there_is() -> None:
    names = {(binding.op, binding.name) for binding in EVERY}
    found = json.loads(FILE.read_text("utf-8"))
    assert {(op, name) for op, kernels in found.items() for name in kernels} <= names
    for kernels in found.values():
        for fits in kernels.values():
            for fit in fits.values():
                assert fit.keys() == {
                    "instructions",
                    "cycles",
                    "least",
                    "layers",
                    "models",
                    "mean_error",
                    "worst_error",
                }
                assert fit["instructions"].keys() | fit["cycles"].keys() <= set(TERMS)
                assert 0 <= fit["mean_error"] <= fit["worst_error"]


def test_cycles_are_of_every_class() -> None:
    costs = json.loads((targets_dir() / "cycles.json").read_text("utf-8"))
    assert set(costs) <= set(list_targets())
    for each in costs.values():
        assert tuple(sorted(each)) == tuple(sorted(CLASSES))
    words = Counts((10, 5, 3, 2, 2, 0, 0), read_bytes=10 * 4, written_bytes=5 * 4)
    assert cycles_of(words, "cortex-m4") == 20 + 5 + 3 + 2 + 5
    pairs = Counts((10, 5, 3, 2, 2, 0, 0), read_bytes=10 * 8, written_bytes=5 * 4)
    assert cycles_of(pairs, "cortex-m4") == 45  # another cycle for each further word
    assert cycles_of(Counts((10, 5, 3, 2, 2, 1, 0), 10 * 8), "cortex-m55") == 10 + 5 + 3 + 2 + 3 + 2
    assert cycles_of(words, "native") is None


def test_estimates_are_sums_of_terms_and_known_only_where_measured() -> None:
    graph = zoo("conv", "highmul").graph
    steps = bind_kernels(graph, M4)
    step = next(step for step in steps if step.kernel == "eq_pointwise_s8")
    fit = json.loads(FILE.read_text("utf-8"))["conv2d"]["eq_pointwise_s8"]["dsp"]
    found = estimate(step.node, graph, M4, step.candidate)
    terms = dict(zip(TERMS, terms_of(step.node, graph, step.candidate, M4), strict=True))
    assert found is not None
    assert found.instructions == pytest.approx(sum(fit["instructions"].get(name, 0) * terms[name] for name in TERMS))
    assert estimate(step.node, graph, ("dsp2", "generic"), step.candidate) is None
    assert estimate(step.node, graph, M4, "eq_unheard_of_s8") is None
    costs = [estimate(each.node, graph, M4, each.candidate) for each in steps]
    whole = total(costs)
    assert whole is not None
    assert whole.steps == sum(each is not None for each in costs)
    assert whole.instructions == pytest.approx(sum(each.instructions for each in costs if each is not None), abs=1)
    assert 0 < whole.mean_error < whole.worst_error
    assert total([None]) is None


@pytest.mark.parametrize(
    ("instructions", "cycles", "error", "measured", "taken"),
    [
        (50, 50, 0.1, True, True),
        (50, 50, 0.1, False, False),
        (50, 101, 0.1, True, False),
        (101, 50, 0.1, True, False),
        (90, 90, 0.1, True, False),
        (90, 90, 0.01, True, True),
    ],
)
def test_kernel_is_changed_where_both_figures_are_surely_lower(
    instructions: float, cycles: float, error: float, measured: bool, taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = zoo("dense", "highmul").graph
    first = bind_kernels(graph, M4)

    def told(node: object, graph: object, isa: object, candidate: str) -> Estimate | None:
        del node, graph, isa
        if candidate == "eq_conv2d_s16":
            return Estimate(instructions, cycles, 0.0, error, measured)
        return Estimate(100, 100, 0.0, error) if candidate == "eq_dense_s8" else None

    monkeypatch.setattr(choose, "estimate", told)
    steps, _ = choose_kernels(graph, M4, "speed")
    changed = {step.candidate for step, before in zip(steps, first, strict=True) if before.candidate == "eq_dense_s8"}
    assert changed == {"eq_conv2d_s16" if taken else "eq_dense_s8"}
    reasons = {reason for step in steps for reason in step.refused.values() if "expected" in reason}
    assert bool(reasons) == taken


@pytest.mark.parametrize("board", ["mps2-m0", "mps2-an386", "mps3-an547"])
def test_check_tells_about_what_is_counted(board: str, example: Any) -> None:
    found = edgeq.check(example.model, board=board)
    counted = json.loads(INSTRUCTIONS.read_text("utf-8"))["fashion_mnist"][board]
    assert found.instructions is not None
    known = [layer.instructions for layer in found.layers if layer.instructions is not None]
    assert len(known) == found.instructions.steps
    assert sum(known) == pytest.approx(found.instructions.instructions, abs=len(known))
    steps = [count for name, count in sorted(counted.items()) if name[0].isdigit()]
    assert len(steps) == len(found.layers)
    measured = sum(count for count, layer in zip(steps, found.layers, strict=True) if layer.instructions is not None)
    assert found.instructions.instructions == pytest.approx(measured, rel=0.25)
    assert edgeq.check(example.model).instructions is None
