"""What the float model says of the data that it was trained on.

BatchNormalization keeps the mean and the variance of its input from training: behind it, a channel has mean ``beta``
and standard deviation ``|gamma|`` on such data. Where a model has none, or an exporter folded it, the biases speak: a
trained layer's bias is of the size of its weighted sum's deviation (0.1 to 60 times, in the models that were looked
at), so data of another scale moves that ratio in every layer by its own factor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import exp, log
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq import budget
from edgeq.numerics.array import Array
from edgeq.onnxio import Session
from edgeq.ops import onnx_types

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.onnxio.samples import Samples

RUN_SAMPLES: Final = 24  # of the float model; enough to tell a scale, few enough to be quick
_TINY: Final = 1e-12
_LAYERS: Final = onnx_types(lambda op, form: form.weight is not None)
_LAYOUT: Final = onnx_types(lambda op, form: op.name in ("reshape", "transpose"))
_PROBABILITIES: Final = onnx_types(lambda op, form: form.fixed is not None and form.fixed.low >= 0)
_CERTAIN: Final = 0.999
_SWITCHED_OFF: Final = 1e-3
_OWN_SPREAD: Final = 0.1
# With less, a deviation says nothing.
_FEWEST: Final = 8


@dataclass(frozen=True)
class Channels:
    """Mean and standard deviation that training had, per channel."""

    mean: Array
    deviation: Array


@dataclass(frozen=True)
class Expectation:
    """Read from the model before normalization folds it.

    Attributes:
        results: by the name of a BatchNormalization's result, its beta and |gamma|.
        inputs: by the name of a model input that goes straight into one, the running mean and deviation.
    """

    results: Mapping[str, Channels] = field(default_factory=dict)
    inputs: Mapping[str, Channels] = field(default_factory=dict)


@dataclass(frozen=True)
class Drift:
    """How the data differs from training's at one BatchNormalization: the median over its channels.

    Attributes:
        tensor: its result, or the model input in front of it.
        ratio: deviation of the data over that of training.
        shift: distance of the means, in deviations of training.
    """

    tensor: str
    ratio: float
    shift: float


@dataclass(frozen=True)
class Evidence:
    """How the float model takes the data.

    Attributes:
        drifts: at every BatchNormalization, the one nearest to the input first.
        first_layer: deviation of the first layer's results over its biases; None where it has no biases.
        layers: the same, the median over all layers; None likewise.
        spread: how much the outputs vary over the samples, as a share of their size.
        certain: share of the samples where one output probability is above 0.999; 0 for other outputs.
        classes: number of different arg-maxes.
        samples: number of samples that were run.
    """

    drifts: tuple[Drift, ...]
    first_layer: float | None
    layers: float | None
    spread: float
    certain: float
    classes: int
    samples: int


def expectation_of(model: onnx_ir.Model) -> Expectation:
    """What the BatchNormalizations of a model say, as it was read."""
    results: dict[str, Channels] = {}
    inputs: dict[str, Channels] = {}
    for node in model.graph:
        if node.op_type != "BatchNormalization" or len(node.inputs) != 5:
            continue
        gamma, beta, mean, variance = (_constant(value) for value in node.inputs[1:5])
        if gamma is None or beta is None or mean is None or variance is None:
            continue
        if not mean.any() and (variance == 1).all():
            continue  # as it is made: it has never seen data
        results[str(node.outputs[0].name)] = Channels(beta, np.abs(gamma))
        source = _behind_layout(node.inputs[0])
        if source is not None and source.is_graph_input():
            inputs[str(source.name)] = Channels(mean, np.sqrt(np.maximum(variance, 0)))
    return Expectation(results, inputs)


def _constant(value: onnx_ir.Value | None) -> Array | None:
    tensor = value.const_value if value is not None else None
    if tensor is None:
        return None
    array = np.asarray(tensor.numpy(), np.float64).reshape(-1)
    return array if np.isfinite(array).all() else None


def _behind_layout(value: onnx_ir.Value | None) -> onnx_ir.Value | None:
    while value is not None and (node := value.producer()) is not None and node.op_type in _LAYOUT:
        value = node.inputs[0]
    return value


class _Moments:
    """Per channel (axis 1): count, sum and sum of squares over samples and positions."""

    def __init__(self) -> None:
        self.count = 0
        self.total: Array | float = 0.0
        self.squares: Array | float = 0.0

    def add(self, values: Array) -> None:
        rows = np.moveaxis(np.asarray(values, np.float64), 1, 0)
        rows = rows.reshape(rows.shape[0], -1)
        self.count += rows.shape[1]
        self.total = self.total + rows.sum(axis=1)
        self.squares = self.squares + (rows * rows).sum(axis=1)

    def channels(self) -> Channels:
        mean = np.asarray(self.total) / self.count
        return Channels(mean, np.sqrt(np.maximum(np.asarray(self.squares) / self.count - mean * mean, 0)))


@np.errstate(over="ignore", invalid="ignore")  # calibration refuses a model that computes infinity
def gather_evidence(model: onnx_ir.Model, samples: Samples, expected: Expectation) -> Evidence | None:
    """Run the float model on some of the samples.

    Args:
        model: the normalized float model.
        samples: calibration data.
        expected: of the model before normalization.

    Returns:
        None with fewer than eight samples.
    """
    if samples.runs < _FEWEST:
        return None
    chosen = np.unique(np.linspace(0, samples.runs - 1, RUN_SAMPLES).round()).astype(int)
    norms = [name for name in _names(model) if name in expected.results]
    biases = _biases(model)
    session = Session(model, (*norms, *(name for name in biases if name not in norms)))
    moments = {name: _Moments() for name in (*norms, *biases, *expected.inputs)}
    outputs: dict[str, list[Array]] = {str(value.name): [] for value in model.graph.outputs}
    for index in chosen:
        budget.tick("a look at the data")
        feeds = samples.inputs(int(index))
        results = session.run(feeds)
        for name, seen in moments.items():
            values = results[name] if name in results else feeds[name]
            if values.ndim > 1:
                seen.add(values)
        for name, arrays in outputs.items():
            arrays.append(np.asarray(results[name], np.float64).reshape(-1))
    ratios = {
        name: float(np.median(moments[name].channels().deviation)) / size
        for name, size in biases.items()
        if moments[name].count
    }
    return Evidence(
        drifts=_drifts(norms, moments, expected),
        first_layer=next(iter(ratios.values()), None),
        layers=_middle(ratios.values()),
        spread=max((_spread(np.stack(arrays)) for arrays in outputs.values()), default=1.0),
        certain=_certain(model, outputs),
        classes=len({int(array.argmax()) for array in next(iter(outputs.values())) if array.size}),
        samples=len(chosen),
    )


def _names(model: onnx_ir.Model) -> list[str]:
    return [str(value.name) for node in model.graph for value in node.outputs]


def _biases(model: onnx_ir.Model) -> dict[str, float]:
    """By the name of a layer's result, the root mean square of its biases, where they are not all zero."""
    found: dict[str, float] = {}
    for node in model.graph:
        if node.op_type not in _LAYERS or len(node.inputs) < 3:
            continue
        bias = _constant(node.inputs[2])
        size = 0.0 if bias is None else float(np.sqrt(np.mean(bias * bias)))
        if size > _TINY:
            found[str(node.outputs[0].name)] = size
    return found


def _drifts(norms: list[str], moments: Mapping[str, _Moments], expected: Expectation) -> tuple[Drift, ...]:
    drifts = []
    for name in (*expected.inputs, *norms):
        wanted = expected.inputs.get(name) or expected.results[name]
        if not moments[name].count:
            continue
        seen = moments[name].channels()
        if seen.mean.shape != wanted.mean.shape:
            continue
        # A channel that training has switched off has no scale of its own.
        alive = wanted.deviation > _TINY + _SWITCHED_OFF * float(wanted.deviation.max(initial=0))
        if alive.any():
            unit = wanted.deviation[alive]
            ratio = float(np.median(seen.deviation[alive] / unit))
            drifts.append(Drift(name, ratio, float(np.median(np.abs(seen.mean - wanted.mean)[alive] / unit))))
    return tuple(drifts)


def _middle(ratios: Iterable[float]) -> float | None:
    logs = [log(max(ratio, _TINY)) for ratio in ratios]
    return exp(float(np.median(logs))) if logs else None


def _spread(outputs: Array) -> float:
    """The largest deviation over the largest value or, where most elements vary by more, their own relative one."""
    sizes, deviations = np.abs(outputs).max(axis=0, initial=0), outputs.std(axis=0)
    if not sizes.any():
        return 0.0
    own = float(np.median(deviations / np.maximum(sizes, _TINY)))
    largest = float(deviations.max()) / float(sizes.max())
    return own if own > _OWN_SPREAD else largest


def _certain(model: onnx_ir.Model, outputs: Mapping[str, list[Array]]) -> float:
    value = model.graph.outputs[0]
    node = value.producer()
    if node is None or node.op_type not in _PROBABILITIES:
        return 0.0
    arrays = outputs[str(value.name)]
    return float(np.mean([array.max(initial=0) > _CERTAIN for array in arrays]))
