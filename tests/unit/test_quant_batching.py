"""Several samples in one run: only where each is computed alone, and then with the same answers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir
import pytest
from quant_models import collected, floats, normal, residual_net, samples_for

from edgeq.numerics.array import Array
from edgeq.onnxio import Session
from edgeq.onnxio.pieces import Pieces
from edgeq.onnxio.samples import Samples
from edgeq.quant import batching
from edgeq.quant.batching import affordable, allows_batches, batches, plan_batches
from edgeq.quant.calibration import fold_of
from edgeq.quant.statistics import Histogram, Wanted

CONSTANTS: Mapping[str, Array] = {
    "w": normal(5, 4, 3, 3),
    "b": normal(5),
    "m": normal(6, 3),
    "k": normal(1, 4, 1, 6),
    "k3": normal(4, 1, 1),
    "full": normal(3, 4, 6, 6),
    "flat": np.array([1, 144]),
    "lines": np.array([4, 36]),
    "axes": np.array([2, 3]),
    "first": np.array([0, 1]),
    "zero": np.array([0]),
    "one": np.array([1]),
    "two": np.array([2]),
    "pads": np.array([0, 0, 1, 0, 0, 0, 0, 2]),
    "batch_pads": np.array([1, 0, 0, 0, 0, 0, 0, 0]),
    "half": np.array(0.5, np.float32),
}
# Body, shape of y, whether each sample is computed alone.
CASES = {
    "conv_and_pool": ("c = Conv(x, w, b) y = MaxPool <kernel_shape = [2,2]> (c)", "1,5,3,3", True),
    "constants_that_broadcast": ("a = Add(x, k) s = Mul(a, k3) y = Sub(s, a)", "1,4,6,6", True),
    "a_constant_over_axis_0": ("y = Add(x, full)", "3,4,6,6", False),
    "reshape": ("r = Reshape(x, flat) y = Relu(r)", "1,144", True),
    "rows_of_a_sample": ("r = Reshape(x, lines) y = Relu(r)", "4,36", True),
    "matrix_product": ("y = MatMul(x, m)", "1,4,6,3", True),
    "rows_that_meet_one": (
        "r = Reshape(x, lines) g = ReduceMean <keepdims = 1> (r, zero) y = Sub(r, g)",
        "4,36",
        False,
    ),
    "product_of_two": ("y = MatMul(x, x)", "1,4,6,6", True),
    "transpose": ("t = Transpose <perm = [0,2,3,1]> (x) y = Relu(t)", "1,6,6,4", True),
    "transpose_of_axis_0": ("r = Reshape(x, lines) t = Transpose <perm = [1,0]> (r) y = Relu(t)", "36,4", False),
    "concat": ("r = Relu(x) y = Concat <axis = 1> (x, r)", "1,8,6,6", True),
    "concat_of_samples": ("r = Relu(x) y = Concat <axis = 0> (x, r)", "2,4,6,6", False),
    "concat_of_a_constant": ("y = Concat <axis = 1> (x, k1)", "1,5,6,6", False),
    "softmax": ("y = Softmax <axis = -1> (x)", "1,4,6,6", True),
    "softmax_over_samples": ("r = Reshape(x, lines) y = Softmax <axis = 0> (r)", "4,36", False),
    "mean_over_space": ("m1 = ReduceMean <keepdims = 0> (x, axes) y = Relu(m1)", "1,4", True),
    "mean_over_samples": ("m1 = ReduceMean <keepdims = 1> (x, first) y = Relu(m1)", "1,1,6,6", False),
    "slice": ("y = Slice(x, one, two, one)", "1,1,6,6", True),
    "pad": ("y = Pad(x, pads, half)", "1,4,7,8", True),
    "pad_of_samples": ("y = Pad(x, batch_pads, half)", "2,4,6,6", False),
    "squeeze": ("g = GlobalAveragePool(x) y = Squeeze(g, axes)", "1,4", True),
}


def model_of(case: str) -> tuple[ir.Model, bool]:
    body, shape, expected = CASES[case]
    constants = {**CONSTANTS, "k1": normal(1, 1, 6, 6)}
    words = set(body.replace("(", " ").replace(")", " ").replace(",", " ").split())
    used = {name: array for name, array in constants.items() if name in words}
    return floats(f"g (float[1,4,6,6] x) => (float[{shape}] y) {{ {body} }}", used), expected


@pytest.mark.parametrize("case", CASES)
def test_samples_are_batched_only_where_each_is_computed_alone(case: str) -> None:
    model, expected = model_of(case)
    assert allows_batches(model) == expected
    samples = Samples.of({"x": normal(5, 4, 6, 6)}, model)
    plan = plan_batches(model, samples)
    assert plan.is_batched == expected
    piece = plan.pieces.piece(["y"], ["x"])
    found = [piece.run(feeds)["y"] for feeds in batches(samples, range(5), plan.fetching_few)]
    session = Session(model)
    wanted = [session.run(feeds)["y"] for feeds in samples]
    assert len(found) == (1 if expected else 5)
    np.testing.assert_allclose(np.concatenate(found), np.concatenate(wanted), rtol=1e-5, atol=1e-5)


def test_answers_that_differ_are_not_batched(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the verdict on operators has missed, the comparison finds."""
    model, _ = model_of("mean_over_samples")
    monkeypatch.setattr(batching, "allows_batches", lambda model: True)
    assert not plan_batches(model, Samples.of({"x": normal(5, 4, 6, 6)}, model)).is_batched


def test_calibration_sees_the_same_in_batches_and_one_by_one() -> None:
    model = residual_net()
    samples = samples_for(model, 21)
    wanted = [Wanted(name, Histogram) for name in ("x", "r", "s", "l")]
    batched = plan_batches(model, samples)
    assert batched.is_batched
    single = batching.Batching(Pieces(model), is_batched=False)
    found = [collected(model, samples, wanted, plan).folds for plan in (batched, single)]
    for one, other in zip(*found, strict=True):
        for key in wanted:
            a, b = one[key], other[key]
            assert isinstance(a, Histogram)
            assert isinstance(b, Histogram)
            assert (a.count, a.reach) == (b.count, b.reach)
            assert (a.low, a.high) == pytest.approx((b.low, b.high), rel=1e-5)
            assert np.abs(a.counts - b.counts).sum() <= 4  # rounding may move a value across a border


def test_folds_are_balanced_and_follow_no_period() -> None:
    for period in range(1, 17):
        for phase in range(period):
            folds = [fold_of(index, 2) for index in range(phase, 200 * period, period)]
            assert 0.4 < sum(folds) / len(folds) < 0.6, (period, phase)
    assert all(fold_of(2 * index, 2) + fold_of(2 * index + 1, 2) == 1 for index in range(500))
    assert {fold_of(index, 1) for index in range(8)} == {0}


def test_each_sample_counts_for_its_fold() -> None:
    model = floats("g (float[1,2] x) => (float[1,2] y) { y = Relu(x) }")
    x = np.arange(1, 23, dtype=np.float32).reshape(11, 2)
    samples = Samples.of({"x": x}, model)
    for plan in (plan_batches(model, samples), batching.Batching(Pieces(model), is_batched=False)):
        wanted = Wanted("x", Histogram)
        for fold, found in enumerate(collected(model, samples, [wanted], plan).folds):
            mine, seen = x[[index for index in range(11) if fold_of(index, 2) == fold]], found[wanted]
            assert isinstance(seen, Histogram)
            assert (seen.low, seen.high, seen.count) == (mine.min(), mine.max(), mine.size)


def test_memory_that_is_kept_bounds_the_number_of_samples() -> None:
    model = residual_net()
    # x, then a and r of 256 floats each, are alive together at most with c: 3 x 4 bytes a value.
    alive = 12 * (3 * 256)
    assert affordable(model, 10 * alive) == 10
    assert affordable(model, 1) == 1


def test_a_piece_goes_on_from_given_values() -> None:
    model = residual_net()
    pieces = Pieces(model)
    feeds = samples_for(model, 1).inputs(0)
    whole = pieces.piece(["y", "p"], ["x"]).run(feeds)
    later = pieces.piece(["y", "x", "p"], ["p", "x"])
    found = later.run({"p": whole["p"], **feeds})
    assert found["x"] is feeds["x"]
    np.testing.assert_array_equal(found["y"], whole["y"])
    assert [pieces.nodes[number].op_type for number in pieces.makers(["p"], ["s"])] == ["MaxPool"]
