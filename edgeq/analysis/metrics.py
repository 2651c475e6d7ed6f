"""Figures of merit: one function each, one sorted table, which one a data file calls for, and scores of sequences.

A metric whose precondition does not hold is an error that says what to do, never a number that means something else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from edgeq.errors import EdgeqError, unknown_name
from edgeq.numerics.array import Array

# Words of keys that hold labels, as a rule, where `y` does not.
_LABEL_WORDS = ("class", "label", "target", "truth")
_NOT_LABELS = ("class_names", "classes")


@dataclass(frozen=True)
class Material:
    """What a metric may look at.

    Attributes:
        outputs: float [N, …], the model's first output for every sample; [N, T, …] for sequences of T time steps that
            are not reduced to one score.
        inputs: float [N, …] or [N, T, …], the model's first input.
        reference: the float model's outputs on the same samples; None without a float model.
        extra: the data file's other arrays, for all of its samples.
        total: how many samples the file holds, N or more; None: N.
        accept: labels that are no classes of the model count as wrong, where they are an error otherwise.
        are_classes: the outputs are classes themselves, or other integers that stand for nothing else (an ArgMax).
    """

    outputs: Array
    inputs: Array
    reference: Array | None
    extra: Mapping[str, Array]
    total: int | None = None
    accept: bool = False
    are_classes: bool = False

    @property
    def size(self) -> int:
        """The number of values of one sample's output."""
        return int(self.outputs.size // max(len(self.outputs), 1))


def agreement(material: Material) -> float:
    """Share of the samples whose arg-max is the float model's; the first of equal values counts.

    Of outputs that are classes themselves the share of those that are the float model's.
    """
    reference = _reference(material, "agreement")
    if material.are_classes:
        return float(np.mean(material.outputs == reference))
    _need_classes(material, "agreement", "--metric mse compares numbers")
    return float(np.mean(classes(material.outputs) == classes(reference)))


def auc(material: Material) -> float:
    """Area under the ROC curve of one score a sample, against labels 0 and 1.

    The score is the only value of the output, or the second of two: that of class 1.
    """
    if material.size > _BINARY:
        hint = "for classes use --metric top1; for one class against the rest, give the model one output"
        raise _needs("auc", "an output of one value, or of two classes", f"{material.size} values a sample", hint)
    scores = material.outputs.reshape(len(material.outputs), -1)[:, -1]
    labels = _sample_labels(material, "auc")
    return rank_auc(scores, _binary(labels, "auc"))


def mse(material: Material) -> float:
    """Mean squared difference to the float model's outputs."""
    difference = material.outputs.astype(np.float64) - _reference(material, "mse")
    return float(np.mean(difference * difference))


def reconstruction_auc(material: Material) -> float:
    """AUC of the reconstruction error: mean((output − input)²) a window, averaged over each group of windows.

    Labels belong to groups: group g has the label y[g]. Groups without a window are left out.
    """
    metric = "reconstruction_auc"
    if "group" not in material.extra:
        hint = "np.savez(path, x=windows, group=clip_of_each_window, y=label_of_each_clip)"
        raise _needs(metric, "an array `group` that says which clip each sample belongs to", "no `group`", hint)
    outputs = material.outputs.reshape(len(material.outputs), -1).astype(np.float64)
    inputs = material.inputs.reshape(len(material.inputs), -1).astype(np.float64)
    if outputs.shape != inputs.shape:
        got = f"{outputs.shape[1]} values, {inputs.shape[1]} of the input"
        raise _needs(metric, "an output of the input's size", got, "the metric is for autoencoders")
    every = material.extra["group"]
    if every.ndim != 1 or every.dtype.kind not in "iu" or len(every) != _total(material) or every.min() < 0:
        got = f"`group` of shape {every.shape} and type {every.dtype}"
        raise _needs(metric, "one group number, 0 or more, a sample", got, "number the clips from 0")
    errors = np.mean((outputs - inputs) ** 2, axis=1)
    groups = every[: len(errors)]
    labels = _labels(material, metric, int(every.max()) + 1, "group")
    present = np.unique(groups)
    scores = np.array([errors[groups == group].mean() for group in present])
    return rank_auc(scores, _binary(labels[present], metric))


def top1(material: Material) -> float:
    """Share of the samples whose arg-max is the label; the first of equal values counts."""
    if material.are_classes and material.size == 1:
        return float(np.mean(material.outputs.reshape(-1) == _sample_labels(material, "top1")))
    _need_classes(material, "top1", "for one score a sample use --metric auc")
    labels = _sample_labels(material, "top1")
    wrong = (labels < 0) | (labels >= material.size) | (labels != np.rint(labels))
    if wrong.any() and not material.accept:
        got = f"{labels.min():g} to {labels.max():g}, the first that does not fit in sample {int(wrong.argmax())}"
        hint = "number the classes as the model's output does, from 0"
        raise _needs("top1", f"labels that are whole numbers from 0 to {material.size - 1}", got, hint)
    return float(np.mean(classes(material.outputs) == labels))


METRICS: dict[str, Callable[[Material], float]] = {
    "agreement": agreement,
    "auc": auc,
    "mse": mse,
    "reconstruction_auc": reconstruction_auc,
    "top1": top1,
}
_BINARY = 2
# The keys of a data file that each metric reads besides the inputs.
KEYS: dict[str, tuple[str, ...]] = {
    "agreement": (),
    "auc": ("y",),
    "mse": (),
    "reconstruction_auc": ("group", "y"),
    "top1": ("y",),
}


# What a sequence's time steps become, by name: float [N, T, …] → [N, …].
REDUCTIONS: dict[str, Callable[[Array], Array]] = {
    "last": lambda outputs: outputs[:, -1],
    "max": lambda outputs: outputs.max(axis=1),
    "mean": lambda outputs: outputs.mean(axis=1, dtype=np.float64),
}
# By metric, how sequences are reduced where the user does not say; the others compare every time step.
DEFAULT_REDUCTIONS: dict[str, str] = {"agreement": "last", "auc": "max", "top1": "last"}


def default_metric(extra: Mapping[str, Array], output_elements: int, *, are_classes: bool = False) -> str:
    """The metric that a data file's keys call for: groups and labels, labels for one score, labels, or none.

    Args:
        extra: the file's arrays beside the samples.
        output_elements: how many values the model's first output has.
        are_classes: they are classes themselves.

    Raises:
        EdgeqError: EQ0109, there is no `y`, but another key that looks like labels.
    """
    if "y" in extra:
        if "group" in extra:
            return "reconstruction_auc"
        return "auc" if output_elements == 1 and not are_classes else "top1"
    others = label_keys(extra)
    if others:
        raise EdgeqError(
            "EQ0109",
            "the data file has no labels under the key `y`",
            where="--metric",
            got=f"keys {', '.join(sorted(extra))}",
            allowed="labels in an array `y`",
            hint=f"rename {others[0]} to y in the file; without labels choose --metric agreement or --metric mse",
        )
    return "agreement" if are_classes else "mse"


def label_keys(extra: Mapping[str, Array]) -> list[str]:
    """Keys other than ``y`` that hold numbers and are named like labels, sorted."""
    return sorted(
        key
        for key, array in extra.items()
        if key not in _NOT_LABELS
        and array.dtype.kind in "biuf"
        and (key.casefold() == "y" or key.casefold().startswith("y_") or _is_label_word(key))
        and key != "y"
    )


def _is_label_word(key: str) -> bool:
    return any(word in key.casefold() for word in _LABEL_WORDS)


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
        got = f"{len(positive)} labels, all of them {int(bool(count))}"
        hint = "take more samples, or shuffle the file: --samples takes the first ones"
        raise _needs("an area under the curve", "samples of both classes, labelled 0 and 1", got, hint)
    _, inverse, sizes = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(sizes) - (sizes - 1) / 2)[inverse]
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * (len(positive) - count)))


def sqnr_db(outputs: Array, reference: Array) -> float | None:
    """Signal to quantization noise in dB of outputs against the float model's; None for identical outputs."""
    noise = float(np.sum((outputs.astype(np.float64) - reference) ** 2))
    signal = float(np.sum(np.asarray(reference, np.float64) ** 2))
    return None if noise == 0 or signal == 0 else float(10 * np.log10(signal / noise))


def _total(material: Material) -> int:
    return len(material.outputs) if material.total is None else material.total


def _reference(material: Material, metric: str) -> Array:
    if material.reference is None:
        hint = "name it with --float MODEL.onnx: a quantized model was compiled into this folder"
        raise _needs(metric, "the float model to compare with", "this folder does not have it", hint)
    return material.reference


def _need_classes(material: Material, metric: str, hint: str) -> None:
    if material.size < _BINARY:
        raise _needs(metric, "an output with a value for each class", "one value a sample", hint)


def _sample_labels(material: Material, metric: str) -> Array:
    """The labels of the samples that were run, one each."""
    return _labels(material, metric, _total(material), "sample")[: len(material.outputs)]


def _labels(material: Material, metric: str, count: int, each: str) -> Array:
    """The array ``y``, one number for each sample or group of the file."""
    labels = material.extra.get("y")
    if labels is None:
        others = label_keys(material.extra)
        hint = f"rename {others[0]} to y in the file" if others else "np.savez(path, x=samples, y=labels)"
        raise _needs(metric, "labels in an array `y`", f"keys {', '.join(sorted(material.extra)) or 'x alone'}", hint)
    if labels.dtype.kind not in "biuf":
        hint = "number the classes from 0; their names may stand in class_names"
        raise _needs(metric, f"one number a {each} in the array `y`", f"type {labels.dtype}", hint)
    if labels.ndim == 0 or labels.size != len(labels):
        hint = "of one-hot labels take y.argmax(axis=1)"
        raise _needs(metric, f"one number a {each} in the array `y`", f"shape {labels.shape}", hint)
    if len(labels) != count:
        hint = f"y[i] is the label of {each} i"
        raise _needs(metric, f"{count} labels in the array `y`, one a {each}", f"there are {len(labels)}", hint)
    return np.asarray(labels.reshape(-1), np.float64)


def _binary(labels: Array, metric: str) -> Array:
    found = np.unique(labels)
    if not np.isin(found, (0, 1)).all():
        shown = ", ".join(f"{value:g}" for value in found[:5]) + (", ..." if len(found) > 5 else "")
        hint = "label the one class 1 and the other 0; for more classes use --metric top1"
        raise _needs(metric, "labels 0 and 1", f"labels {shown}", hint)
    return labels


def _needs(metric: str, what: str, got: str, hint: str) -> EdgeqError:
    return EdgeqError(
        "EQ0109", f"{metric} cannot be computed from this data", where="--metric", got=got, allowed=what, hint=hint
    )


def check_metric(name: str) -> str:
    """The name if there is such a metric.

    Raises:
        EdgeqError: EQ0109.
    """
    if name not in METRICS:
        raise unknown_name("EQ0109", "there is no such metric", name, sorted(METRICS), where="--metric")
    return name
