"""Steps are held to what they require and ensure, and get the statistics that they want from the one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import onnx_ir as ir
import pytest
from quant_models import collected, floats, normal, residual_net, samples_for

from edgeq.budget import Budget
from edgeq.errors import EdgeqError
from edgeq.numerics.array import Array
from edgeq.onnxio import Session, pieces
from edgeq.onnxio.samples import Samples
from edgeq.onnxio.session import start
from edgeq.quant import STEPS, QuantizeOptions, quantize
from edgeq.quant.calibration import Calibration, fold_of
from edgeq.quant.methods import METHODS, STAGES, methods_of
from edgeq.quant.properties import CALIBRATED, PLANNED, RANGED, SPECIFIED
from edgeq.quant.quantize import BLIND_STEPS
from edgeq.quant.state import State
from edgeq.quant.statistics import ChannelRanges, FirstRows, Gram, Histogram, Statistic, Wanted, gram_of
from edgeq.quant.step import Step, run_steps
from edgeq.quant.steps import choose_ranges, round_to_nearest, search_methods

CALIBRATING = STEPS[: [step.name for step in STEPS].index("collect_statistics") + 1]


def state_of(steps: Sequence[Step]) -> State:
    model = residual_net()
    return State(model, QuantizeOptions(), tuple(steps), samples_for(model, 8))


@pytest.mark.parametrize("steps", [STEPS, BLIND_STEPS], ids=["calibrated", "blind"])
def test_every_step_of_the_lists_is_needed_and_in_its_place(steps: Sequence[Step]) -> None:
    """Without a step, or with it at the end, a later one misses what it requires."""
    run_steps(state_of(steps), steps)
    for index, step in enumerate(steps[:-1]):
        if step.name in {"restore_calibration", "save_calibration", "drop_idle_copies"}:  # it is a model without
            continue
        for changed in ([*steps[:index], *steps[index + 1 :]], [*steps[:index], *steps[index + 1 :], step]):
            with pytest.raises(RuntimeError, match=r"quantization, before \w+: not \w+: "):
                run_steps(state_of(changed), changed)


def test_a_step_that_breaks_its_promise_is_named() -> None:
    idle = Step("plan_nothing", lambda state: None, requires=(SPECIFIED,), ensures=(PLANNED,))
    with pytest.raises(RuntimeError, match="after plan_nothing: not planned: there is no plan"):
        run_steps(state_of([*CALIBRATING, idle]), [*CALIBRATING, idle])


def test_a_plan_that_leaves_something_out_is_no_plan() -> None:
    def forget(state: State) -> None:
        round_to_nearest.STEP.run(state)
        del state.plan.constants["Conv_0", 1]

    steps = (*CALIBRATING, choose_ranges.STEPS["mse"], Step("forget", forget, ensures=(PLANNED,)))
    with pytest.raises(RuntimeError, match="not planned: no integers for input 1 of node Conv_0"):
        run_steps(state_of(steps), steps)


def test_statistics_are_there_for_every_step_of_the_list() -> None:
    """The list that the state knows, not only the step that runs, says what is collected."""
    late = Step(
        "read_late",
        lambda state: None,
        requires=(CALIBRATED,),
        wants=lambda state: [Wanted("s", FirstRows, (3, (4, 8, 8)))],
    )
    state = state_of([*CALIBRATING, late])
    run_steps(state, state.steps[:2])
    state.calibration = Calibration.empty([], 8)
    with pytest.raises(RuntimeError, match=r'not calibrated: there are no statistics: \["first_rows", "s"'):
        run_steps(state, [late])


def test_the_methods_are_all_combinations_and_the_first_is_the_simplest() -> None:
    names = [method.name for method in METHODS]
    assert len(set(names)) == len(names) == int(np.prod([len(stage) for stage in STAGES]))
    assert (METHODS[0].name, METHODS[0].extras) == ("minmax", 0)
    assert {method.name: method.extras for method in METHODS}["mse+bias"] == 2


@pytest.mark.parametrize(("shrunk", "chosen"), [(0.9, False), (1.5, True)])
def test_a_further_variant_is_one_step_and_one_line_of_the_table(
    monkeypatch: pytest.MonkeyPatch, shrunk: float, chosen: bool
) -> None:
    """What makes the outputs better by more than the margin is taken, what makes them worse is not."""

    def scale_ranges(state: State) -> None:
        extents = tuple((low * shrunk, high * shrunk) for low, high in state.ranges.extents)
        state.ranges = replace(state.ranges, extents=extents)

    further = Step("scale_ranges", scale_ranges, requires=(RANGED,), ensures=(RANGED,))
    narrow = Step(
        "choose_ranges",
        partial(choose_ranges.choose_ranges, lambda seen: (seen.low / 1.5, seen.high / 1.5)),
        requires=(CALIBRATED,),
        ensures=(RANGED,),
        wants=choose_ranges.STEPS["minmax"].wants,
    )
    stages = ({"minmax": narrow}, {"": None, "scaled": further}, {"": round_to_nearest.STEP})
    monkeypatch.setattr(search_methods, "METHODS", methods_of(stages))
    model = residual_net()
    report = quantize(model, samples_for(model), QuantizeOptions()).report
    assert list(report.output_sqnr_db) == ["minmax", "minmax+scaled"]
    assert (report.sqnr_db == report.output_sqnr_db["minmax+scaled"]) == chosen


# Statistics.


def whole(calibration: Calibration, wanted: Wanted) -> Statistic:
    return calibration.without(None, wanted)


def integers(*shape: int, seed: int = 0) -> Array:
    """Small integers as float32: sums of their products are exact in any order."""
    return np.random.default_rng(seed).integers(-8, 9, shape).astype(np.float32)


def test_a_step_gets_the_product_of_a_layers_inputs_as_numpy_computes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """XᵀX of a fully connected layer behind another one, by fold and over all, out of the pass for histograms."""
    started: list[bytes] = []

    def counted(model: bytes) -> object:
        started.append(model)
        return start(model)

    model = floats(
        "g (float[1,6] x) => (float[1,3] y) { h = MatMul(x, v) y = MatMul(h, w) }",
        {"v": integers(6, 5, seed=1), "w": integers(5, 3, seed=2)},
    )
    x = integers(21, 6, seed=3)
    samples = Samples.of({"x": x}, model)
    node = next(node for node in model.graph if str(node.outputs[0].name) == "y")
    wanted = [Wanted("h", Histogram), gram_of(node, "h")]
    monkeypatch.setattr(pieces, "start", counted)
    calibration = collected(model, samples, wanted)
    assert len(started) == 3  # two compare runs of one sample and of several; one is the pass
    h = (x @ integers(6, 5, seed=1)).astype(np.float64)
    members = np.array([fold_of(index, 2) for index in range(21)])
    for fold, found in [*enumerate(calibration.folds), (None, {wanted[1]: whole(calibration, wanted[1])})]:
        rows = h if fold is None else h[members == fold]
        gram = found[wanted[1]]
        assert isinstance(gram, Gram)
        assert np.array_equal(gram.matrix, (rows.T @ rows)[np.newaxis])
        assert gram.rows == len(rows)


CONVOLUTIONS = {
    "plain": ("<kernel_shape = [3,3]>", (4, 3, 3, 3)),
    "strides": ("<kernel_shape = [2,3], strides = [2,1], pads = [1,0,0,2]>", (4, 3, 2, 3)),
    "dilations": ("<kernel_shape = [3,2], dilations = [2,3], pads = [2,1,0,1]>", (4, 3, 3, 2)),
    "depthwise": ("<kernel_shape = [3,3], group = 3>", (6, 1, 3, 3)),
}


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_the_product_of_a_convolutions_patches_gives_its_energy(case: str) -> None:
    """w'(X'X)w is the sum of the squares of what onnxruntime computes with the weights w of a channel."""
    attributes, shape = CONVOLUTIONS[case]
    weight = integers(*shape, seed=4)
    text = f"g (float[1,3,7,8] x) => (float[1,{shape[0]},a,b] y) {{ y = Conv {attributes} (x, w) }}"
    model = floats(text, {"w": weight})
    samples = Samples.of({"x": integers(9, 3, 7, 8, seed=5)}, model)
    node = next(iter(model.graph))
    wanted = gram_of(node, "x")
    gram = whole(collected(model, samples, [wanted]), wanted)
    assert isinstance(gram, Gram)
    session = Session(model)
    results = np.concatenate([session.run(feeds)["y"] for feeds in samples]).astype(np.float64)
    each = shape[0] // len(gram.matrix)
    for channel in range(shape[0]):
        w = weight[channel].reshape(-1).astype(np.float64)
        assert w @ gram.matrix[channel // each] @ w == (results[:, channel] ** 2).sum()
    assert gram.rows == results[:, 0].size


def test_ranges_of_channels_and_first_rows() -> None:
    model = floats("g (float[1,4,5] x) => (float[1,4,5] y) { y = Relu(x) }")
    x = normal(13, 4, 5)
    ranges, rows = Wanted("y", ChannelRanges, (1, 4)), Wanted("y", FirstRows, (3, (4, 5)))
    calibration = collected(model, Samples.of({"x": x}, model), [ranges, rows])
    found, kept = whole(calibration, ranges), calibration.folds[1][rows]
    assert isinstance(found, ChannelRanges)
    assert isinstance(kept, FirstRows)
    y = np.maximum(x, 0)
    assert np.array_equal(found.low, y.min(axis=(0, 2)))
    assert np.array_equal(found.high, y.max(axis=(0, 2)))
    assert np.array_equal(kept.kept, y[[index for index in range(13) if fold_of(index, 2) == 1]][:3])


def test_statistics_that_do_not_fit_the_memory_are_refused_before_the_pass() -> None:
    model = residual_net()
    wanted = Wanted("x", FirstRows, (1 << 20, (3, 8, 8)))
    with Budget(memory_bytes=1 << 28).active(), pytest.raises(EdgeqError, match="EQ0244"):
        collected(model, samples_for(model), [wanted])


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted("x", Histogram),
        Wanted("x", ChannelRanges, (1, 3)),
        Wanted("x", FirstRows, (5, (3, 4))),
        Wanted("x", Gram, (4,)),
        Wanted("x", Gram, (3, 3, (2,), (1,), (1,), (0, 0))),
    ],
    ids=lambda wanted: wanted.label,
)
@pytest.mark.parametrize("count", [0, 7])
def test_a_statistic_comes_back_from_its_arrays(wanted: Wanted, count: int) -> None:
    one, other = wanted.new(), wanted.new()
    if count:
        one.update(normal(count, 3, 4))
        other.update(normal(2, 3, 4, seed=1))
    arrays = one.arrays()
    assert {name: (array.dtype, array.shape) for name, array in arrays.items()} == {
        name: (np.dtype(field.dtype), field.shape) for name, field in wanted.layout.items()
    }
    back = wanted.kind.restored(arrays, wanted.options)
    for first, second in ((one, back), (one.merged(other), back.merged(other))):
        for name, array in first.arrays().items():
            assert np.array_equal(array, second.arrays()[name])


def test_gram_of_what_is_no_product() -> None:
    model = floats("g (float[1,4] x) => (float[1,4] y) { y = Relu(x) }")
    node: ir.Node = next(iter(model.graph))
    with pytest.raises(ValueError, match="Relu"):
        gram_of(node, "x")
