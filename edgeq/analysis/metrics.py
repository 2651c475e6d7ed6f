"""Figures of merit: one function each, one sorted table, and which one a data file calls for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.numerics.array import Array


@dataclass(frozen=True)
class Material:
    """What a metric may look at.

    Attributes:
        outputs: float [N, …], the model's first output for every sample.
        inputs: float [N, …], the model's first input.
        reference: the float model's outputs on the same samples; None without a float model.
        extra: the data file's other arrays.
    """

    outputs: Array
    inputs: Array
    reference: Array | None
    extra: Mapping[str, Array]


def agreement(material: Material) -> float:
    """Share of the samples whose arg-max is the float model's; the first of equal values counts."""
    if material.reference is None:
        raise _needs("agreement", "the float model, which this folder does not have")
    return float(np.mean(classes(material.outputs) == classes(material.reference)))


def auc(material: Material) -> float:
    """Area under the ROC curve of one score a sample: the last of the outputs, against binary labels."""
    scores = material.outputs.reshape(len(material.outputs), -1)[:, -1]
    return rank_auc(scores, _labels(material, "auc", len(scores)))


def mse(material: Material) -> float:
    """Mean squared difference to the float model's outputs."""
    if material.reference is None:
        raise _needs("mse", "the float model, which this folder does not have")
    difference = material.outputs.astype(np.float64) - material.reference
    return float(np.mean(difference * difference))


def reconstruction_auc(material: Material) -> float:
    """AUC of the reconstruction error: mean((output − input)²) a window, averaged over each group of windows."""
    if "group" not in material.extra:
        raise _needs("reconstruction_auc", "an array `group` that says which clip each sample belongs to")
    outputs = material.outputs.reshape(len(material.outputs), -1).astype(np.float64)
    inputs = material.inputs.reshape(len(material.inputs), -1).astype(np.float64)
    if outputs.shape != inputs.shape:
        raise _needs("reconstruction_auc", "an output of the input's size")
    errors = np.mean((outputs - inputs) ** 2, axis=1)
    groups = material.extra["group"][: len(errors)]
    if groups.ndim != 1 or groups.dtype.kind not in "iu" or groups.min() < 0:
        raise _needs("reconstruction_auc", "one group number, 0 or more, a sample")
    present = np.unique(groups)
    # Labels belong to clips: group g has label y[g].
    labels = _labels(material, "reconstruction_auc", int(present[-1]) + 1)
    scores = np.array([errors[groups == group].mean() for group in present])
    return rank_auc(scores, labels[present])


def top1(material: Material) -> float:
    """Share of the samples whose arg-max is the label; the first of equal values counts."""
    return float(np.mean(classes(material.outputs) == _labels(material, "top1", len(material.outputs))))


METRICS: dict[str, Callable[[Material], float]] = {
    "agreement": agreement,
    "auc": auc,
    "mse": mse,
    "reconstruction_auc": reconstruction_auc,
    "top1": top1,
}


def default_metric(extra: Mapping[str, Array], output_elements: int) -> str:
    """The metric that a data file's keys call for: groups and labels, labels for one score, labels, or none."""
    if "y" in extra:
        if "group" in extra:
            return "reconstruction_auc"
        return "auc" if output_elements == 1 else "top1"
    return "mse"


def classes(outputs: Array) -> Array:
    """The index of the largest output of each sample, the first among equals."""
    return np.asarray(outputs.reshape(len(outputs), -1).argmax(axis=1))


def rank_auc(scores: Array, labels: Array) -> float:
    """The Mann-Whitney statistic: the share of (positive, negative) pairs in order, ties counting one half.

    Raises:
        EdgeqError: EQ0109 where only one class is present.
    """
    positive = np.asarray(labels) == 1
    count = int(positive.sum())
    if count in {0, len(positive)}:
        raise _needs("an area under the curve", "samples of both classes, labelled 0 and 1")
    _, inverse, sizes = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(sizes) - (sizes - 1) / 2)[inverse]
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * (len(positive) - count)))


def sqnr_db(outputs: Array, reference: Array) -> float | None:
    """Signal to quantization noise in dB of outputs against the float model's; None for identical outputs."""
    noise = float(np.sum((outputs.astype(np.float64) - reference) ** 2))
    signal = float(np.sum(np.asarray(reference, np.float64) ** 2))
    return None if noise == 0 or signal == 0 else float(10 * np.log10(signal / noise))


def _labels(material: Material, metric: str, count: int) -> Array:
    """The first ``count`` labels."""
    if "y" not in material.extra:
        raise _needs(metric, "labels in an array `y`")
    labels = np.asarray(material.extra["y"])
    if labels.dtype.kind not in "biuf" or labels.ndim == 0 or labels.size != len(labels):
        raise _needs(metric, "an array `y` with one number a label")
    if len(labels) < count:
        raise _needs(metric, f"{count} labels in the array `y`; there are {len(labels)}")
    return labels.reshape(-1)[:count]


def _needs(metric: str, what: str) -> EdgeqError:
    return EdgeqError("EQ0109", f"{metric} cannot be computed from this data", allowed=what, where="--metric")


def check_metric(name: str) -> str:
    """The name if there is such a metric.

    Raises:
        EdgeqError: EQ0109.
    """
    if name not in METRICS:
        raise EdgeqError(
            "EQ0109", "there is no such metric", where="--metric", got=name, allowed=", ".join(sorted(METRICS))
        )
    return name
