"""The method is decided on samples that its plans were not made with, and by a margin."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from quant_models import floats, normal, residual_net, samples_for
from work import is_linear

from edgeq.numerics.array import Array
from edgeq.onnxio import Session, pieces
from edgeq.onnxio.qdq_form import QdqPlan
from edgeq.onnxio.samples import Samples
from edgeq.onnxio.session import start
from edgeq.quant import QuantizeOptions, quantize
from edgeq.quant.calibration import fold_of
from edgeq.quant.objective import Objective
from edgeq.quant.steps import search_methods

PLAIN = QuantizeOptions("minmax", bias_correction="off")


def fold_ratios(monkeypatch: pytest.MonkeyPatch, ratios: Sequence[float]) -> list[Sequence[QdqPlan]]:
    """Give methods ratios in the order in which they are measured; what was measured is collected."""
    given, measured = iter(ratios), []

    def answer(objective: Objective, plans: Sequence[QdqPlan]) -> float:
        del objective
        measured.append(plans)
        return next(given)

    monkeypatch.setattr(Objective, "ratio_db", answer)
    return measured


# Ratios of minmax, mae, mse and percentile, then with corrected biases, and what is chosen: the fewest choices that
# come within the margin of the best.
CHOICES = [
    ((30, 29, 30.29, 30), (30.29, 29, 30.2, 30), "minmax", False),
    ((30, 29, 30.31, 30), (30, 29, 30.3, 30), "mse", False),
    ((30, 29, 30.2, 30), (30.31, 29, 30.2, 30), "minmax", True),
    ((30, 29, 31, 30.5), (31.2, 29, 31.3, 30), "minmax", True),
    ((30, 29, 31, 30.5), (30, 29, 31.31, 30), "mse", True),
    ((31.5, 31, 33, 32.9), (30, 29, 31, 33.2), "mse", False),
    ((31, 31, 31, 33), (30, 29, 30, 35), "percentile", True),
]


@pytest.mark.parametrize(("plain", "corrected", "observer", "is_corrected"), CHOICES)
def test_the_simplest_within_the_margin_stays(
    monkeypatch: pytest.MonkeyPatch,
    plain: Sequence[float],
    corrected: Sequence[float],
    observer: str,
    is_corrected: bool,
) -> None:
    monkeypatch.setattr(search_methods, "same_integers", lambda one, other: False)
    fold_ratios(monkeypatch, [*plain, *corrected])
    model = residual_net()
    found = quantize(model, samples_for(model), QuantizeOptions()).report
    assert (found.observer, found.bias_correction, found.held_out) == (observer, is_corrected, True)
    names = ["minmax", "mae", "mse", "percentile"]
    ratios = [*plain, *corrected]
    assert found.output_sqnr_db == dict(zip([*names, *(f"{name}+bias" for name in names)], ratios, strict=True))
    assert found.sqnr_db == found.output_sqnr_db[f"{observer}+bias" if is_corrected else observer]
    assert search_methods.MARGIN_DB == 0.3


def test_what_cannot_win_is_not_corrected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_methods, "same_integers", lambda one, other: False)
    fold_ratios(monkeypatch, [30, 27.9, 28, 25, 30, 29])
    model = residual_net()
    found = quantize(model, samples_for(model), QuantizeOptions()).report.output_sqnr_db
    assert [name for name in found if "+" in name] == ["minmax+bias", "mse+bias"]


def test_observers_that_make_the_same_plan_are_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of less than 100 000 values the percentile cuts off none."""
    measured = fold_ratios(monkeypatch, [30, 29, 28.9, 30.2, 29, 28.9])
    model = residual_net()
    found = quantize(model, samples_for(model), QuantizeOptions()).report.output_sqnr_db
    assert found["percentile"] == found["minmax"] == 30
    assert "percentile+bias" not in found
    assert len(measured) == 6


def test_methods_have_not_seen_what_they_are_measured_on(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = fold_ratios(monkeypatch, [30.0, 40.0])
    model = floats("g (float[1,8] x) => (float[1,2] y) { y = MatMul(x, w) }", {"w": normal(8, 2)})
    x = np.clip(normal(40, 8), -1, 1)
    odd = [index for index in range(40) if fold_of(index, 2)]
    x[odd] *= 3
    report = quantize(model, Samples.of({"x": x}, model), QuantizeOptions("minmax")).report
    for plans in measured:
        # Fold 0 is measured with the range of fold 1, and the other way round.
        assert plans[0].activations["x"].scale[0] == pytest.approx(6 / 255, rel=1e-6)
        assert plans[1].activations["x"].scale[0] == pytest.approx(2 / 255, rel=1e-6)
    assert report.tensors["x"].scale == pytest.approx(6 / 255, rel=1e-6)


def test_too_few_samples_to_hold_any_out_choose_nothing() -> None:
    model = residual_net()
    report = quantize(model, samples_for(model, 7), QuantizeOptions()).report
    assert (report.observer, report.bias_correction, report.held_out) == ("minmax", False, False)
    forced = quantize(model, samples_for(model, 1), QuantizeOptions("mse", bias_correction="on")).report
    assert (forced.observer, forced.bias_correction, forced.held_out) == ("mse", True, False)


def test_the_ratio_is_that_of_the_outputs_on_the_other_fold() -> None:
    """Computed once more from whole models and the definition."""
    model = residual_net()
    samples = samples_for(model, 16)
    report = quantize(model, samples, PLAIN).report
    rows = np.concatenate([samples.inputs(index)["x"] for index in range(16)])
    noise = signal = 0.0
    for fold in (0, 1):
        held_out = np.array([fold_of(index, 2) == fold for index in range(16)])
        made = Samples.of({"x": rows[~held_out]}, model)
        quantized = quantize(model, made, PLAIN).model
        for x in rows[held_out]:
            wanted, got = (_logits(found, x[None], name) for found, name in ((model, "l"), (quantized, None)))
            signal += float((wanted**2).sum())
            noise += float(((wanted - got) ** 2).sum())
    assert report.sqnr_db == pytest.approx(10 * np.log10(signal / noise), abs=0.05)


def _logits(model: ir.Model, x: Array, name: str | None) -> Array:
    """What the final Softmax reads, without its mean."""
    if name is None:
        (softmax,) = [node for node in model.graph if node.op_type == "Softmax"]
        assert softmax.inputs[0] is not None
        name = str(softmax.inputs[0].name)
    array = Session(model, [name]).run({"x": x})[name].astype(np.float64)
    result: Array = array - array.mean(axis=-1, keepdims=True)
    return result


def test_bias_correction_is_that_of_whole_models_run_layer_by_layer() -> None:
    """The definition: every layer measured on a model in which all earlier ones are corrected."""
    model = residual_net()
    samples = samples_for(model, 32)
    work, found = (
        quantize(model, samples, QuantizeOptions("minmax", bias_correction=choice)).model for choice in ("off", "on")
    )
    changed = 0
    for layer in [node for node in model.graph if node.op_type in {"Conv", "Gemm"}]:
        node, expected = ({str(n.name): n for n in m.graph}[str(layer.name)] for m in (work, found))
        shift = _mean(model, layer, samples) - _mean(work, node, samples)
        before, scale = _bias(node)
        corrected, _ = _bias(expected)
        # Sums in another order round to the neighbour now and then.
        assert np.abs(before + np.rint(shift / scale) - corrected).max() <= 1
        changed += int((before != corrected).sum())
        _source(node).const_value = _source(expected).const_value
    assert changed > 10


def _source(node: ir.Node) -> ir.Value:
    """The integers of a layer's bias."""
    dequantize = node.inputs[2].producer() if node.inputs[2] is not None else None
    assert dequantize is not None
    assert dequantize.inputs[0] is not None
    return dequantize.inputs[0]


def _bias(node: ir.Node) -> tuple[Array, Array]:
    """Integers and scales of a layer's bias."""
    source = _source(node)
    scale = next(iter(source.uses())).node.inputs[1]
    assert scale is not None
    assert source.const_value is not None
    assert scale.const_value is not None
    return source.const_value.numpy().astype(np.float64), scale.const_value.numpy().astype(np.float64)


def _mean(model: ir.Model, node: ir.Node, samples: Samples) -> Array:
    name = str(node.outputs[0].name)
    session = Session(model, [name])
    total = np.stack([session.run(inputs)[name] for inputs in samples]).astype(np.float64)
    mean: Array = total.mean(axis=tuple(axis for axis in range(total.ndim) if axis != 2))
    return mean


def test_the_layer_that_loses_most_is_named_first() -> None:
    """One wide channel, which only the next layer scales back, leaves the others few steps there and nowhere else."""
    weights = {f"w{index}": normal(8, 8, seed=index) for index in range(5)}
    weights["w1"][:, 0] *= 200
    weights["w2"][0, :] /= 200
    body = "a = MatMul(x, w0) b = MatMul(a, w1) c = MatMul(b, w2) d = MatMul(c, w3) y = MatMul(d, w4)"
    model = floats(f"g (float[1,8] x) => (float[1,8] y) {{ {body} }}", weights)
    report = quantize(model, Samples.of({"x": normal(40, 8)}, model), PLAIN).report
    alone = {name: layer.sqnr_db for name, layer in report.layers.items()}
    assert [entry["layer"] for entry in report.worst_layers] == sorted(alone, key=alone.__getitem__)[:3]
    assert report.worst_layers[0]["layer"] == "MatMul_2"
    assert [entry["sqnr_db"] for entry in report.worst_layers] == sorted(alone.values())[:3]
    assert report.worst_layers[0]["sqnr_db"] < 20
    assert report.worst_layers[1]["sqnr_db"] > 30


LAYERS = {
    "convolutions": "c# = Conv($, w, b) r# = Relu(c#)",
    "moves": "t# = Transpose <perm = [0,1,3,2]> ($) s# = Sigmoid(t#) r# = MaxPool <kernel_shape = [1,1]> (s#)",
    "residual": "c# = Conv($, w, b) d# = Concat <axis = 1> (c#, $) e# = Conv(d#, v, b) r# = Add(e#, $)",
}


@pytest.mark.parametrize(
    ("body", "options"),
    [("convolutions", QuantizeOptions()), ("moves", PLAIN), ("residual", PLAIN)],
)
def test_the_time_to_quantize_is_linear_in_the_layers(body: str, options: QuantizeOptions) -> None:
    def prepare(layers: int) -> Callable[[], object]:
        names = ["x", *(f"r{number}" for number in range(layers))]
        text = " ".join(LAYERS[body].replace("#", str(i)).replace("$", names[i]) for i in range(layers))
        weights = {"w": normal(2, 2, 1, 1), "v": normal(2, 4, 1, 1), "b": np.full(2, 0.5, np.float32)}
        model = floats(
            f"g (float[1,2,3,3] x) => (float[1,2,3,3] {names[-1]}) {{ {text} }}",
            {name: array for name, array in weights.items() if f" {name}," in text or f" {name})" in text},
        )
        samples = Samples.of({"x": normal(8, 2, 3, 3)}, model)
        return lambda: quantize(model, samples, options)

    assert is_linear(prepare, (20, 80))


def test_sessions_hold_every_node_a_few_times_whatever_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bias correction has a session a layer, but of the layer alone."""
    sizes: list[int] = []

    def counted(model: bytes) -> object:
        sizes.append(len(onnx.ModelProto.FromString(model).graph.node))
        return start(model)

    monkeypatch.setattr(pieces, "start", counted)
    model = residual_net()
    quantized = quantize(model, samples_for(model), QuantizeOptions(bias_correction="on")).model
    whole = len(list(quantized.graph))
    assert sum(sizes) < 7 * whole
    # The layers' sessions serve every plan: those of the folds and the final one.
    assert len(sizes) == 9 + 4
