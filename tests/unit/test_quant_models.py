"""The four MLPerf Tiny models keep their accuracy, with every choice made on calibration data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from quant_models import outputs

from edgeq.frontend import normalize
from edgeq.numerics.array import Array
from edgeq.onnxio import read_model
from edgeq.onnxio.samples import Samples
from edgeq.quant import QuantizeOptions, quantize

pytestmark = pytest.mark.data

# Lowest accuracy: onnxruntime's own quantizer on these samples, minus 0.6 percentage points.
LOWEST = {"ic_resnet8": 0.874, "kws_dscnn": 0.912, "vww_mobilenetv1_025": 0.842}
LOWEST_AGREEMENT = 0.975
TFLITE_AUC = 0.8325


def area_under_curve(scores: Array, labels: Array) -> float:
    """The probability that a positive scores above a negative."""
    above = scores[labels == 1][:, np.newaxis] - scores[labels == 0][np.newaxis]
    return float((above > 0).mean() + 0.5 * (above == 0).mean())


def load(data_dir: Path, name: str) -> tuple[Array, Array, Samples]:
    entry = next(item for item in json.loads((data_dir / "index.json").read_text()) if item["name"] == name)
    model = normalize(read_model(data_dir / entry["model"]))
    evaluation = Samples.open(data_dir / entry["eval"], model)
    found = quantize(model, Samples.open(data_dir / entry["calib"], model), QuantizeOptions())
    return outputs(model, evaluation), outputs(found.model, evaluation), evaluation


@pytest.mark.parametrize("name", sorted(LOWEST))
def test_classifiers_keep_accuracy_and_agree_with_float(data_dir: Path, name: str) -> None:
    wanted, got, evaluation = load(data_dir, name)
    assert (got.argmax(axis=1) == evaluation.labels).mean() >= LOWEST[name]
    assert (got.argmax(axis=1) == wanted.argmax(axis=1)).mean() >= LOWEST_AGREEMENT


def test_autoencoder_detects_better_than_the_published_int8_model(data_dir: Path) -> None:
    wanted, got, evaluation = load(data_dir, "ad_autoencoder")
    inputs = np.stack([next(iter(item.values())).ravel() for item in evaluation])
    group, labels = evaluation.extra["group"], evaluation.labels
    assert labels is not None

    def auc(reconstructed: Array) -> float:
        errors = ((reconstructed - inputs) ** 2).mean(axis=1)
        return area_under_curve(np.bincount(group, errors) / np.bincount(group), labels)

    assert auc(got) > TFLITE_AUC
    assert abs(auc(got) - auc(wanted)) < 0.01
