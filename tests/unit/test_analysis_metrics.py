"""Figures of merit against definitions written out, and what they refuse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeq.analysis.metrics import METRICS, Material, check_metric, classes, default_metric, rank_auc, sqnr_db
from edgeq.errors import EdgeqError


def material(outputs: Any, reference: Any = None, inputs: Any = None, **extra: Any) -> Material:
    """Material from lists."""
    values = np.asarray(outputs, np.float32)
    arrays: Mapping[str, Any] = {name: np.asarray(value) for name, value in extra.items()}
    shown = values if inputs is None else np.asarray(inputs, np.float32)
    return Material(values, shown, None if reference is None else np.asarray(reference, np.float32), arrays)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_auc_is_the_share_of_ordered_pairs(pairs: list[tuple[int, bool]]) -> None:
    positive = [score for score, label in pairs if label]
    negative = [score for score, label in pairs if not label]
    if not positive or not negative:
        return
    wins = sum((p > n) + 0.5 * (p == n) for p in positive for n in negative)
    scores, labels = np.array([score for score, _ in pairs]), np.array([label for _, label in pairs])
    assert rank_auc(scores, labels) == pytest.approx(wins / (len(positive) * len(negative)))


def test_first_of_equal_values_is_the_class() -> None:
    assert classes(np.array([[1, 3, 3], [2, 2, 2]])).tolist() == [1, 0]
    assert METRICS["top1"](material([[0, 5, 5], [5, 5, 0]], y=[2, 0])) == 0.5


def test_agreement_counts_equal_classes() -> None:
    assert METRICS["agreement"](material([[0, 1], [1, 0], [1, 0]], reference=[[0, 9], [0, 9], [9, 0]])) == 2 / 3


def test_reconstruction_score_is_the_mean_over_a_clip() -> None:
    # Errors of the windows: 1, 9 | 4, 4 | 0; means 5, 4, 0; clip 0 alone is an anomaly.
    found = material([[1], [3], [2], [2], [0]], inputs=np.zeros((5, 1)), group=[0, 0, 1, 1, 2], y=[1, 0, 0])
    assert METRICS["reconstruction_auc"](found) == 1.0
    assert (
        METRICS["reconstruction_auc"](
            material([[1], [3], [2], [2]], inputs=np.zeros((4, 1)), group=[0, 0, 1, 1], y=[0, 1])
        )
        == 0.0
    )


def test_labels_beyond_the_samples_are_left_out() -> None:
    assert METRICS["top1"](material([[0, 1]], y=[1, 0, 0])) == 1.0
    assert METRICS["auc"](material([[0.1], [0.9]], y=[0, 1, 1, 0])) == 1.0


def test_mse_compares_with_the_float_model() -> None:
    assert METRICS["mse"](material([[1, 2]], reference=[[1, 4]])) == 2.0


def test_sqnr_is_in_decibels() -> None:
    assert sqnr_db(np.array([9.0, 0.0]), np.array([10.0, 0.0])) == pytest.approx(20.0)
    assert sqnr_db(np.array([1.0]), np.array([1.0])) is None


@pytest.mark.parametrize(
    ("keys", "elements", "metric"),
    [(("y",), 10, "top1"), (("y",), 1, "auc"), (("y", "group"), 640, "reconstruction_auc"), ((), 10, "mse")],
)
def test_keys_of_the_data_choose_the_metric(keys: tuple[str, ...], elements: int, metric: str) -> None:
    assert default_metric({key: np.zeros(1) for key in keys}, elements) == metric


@pytest.mark.parametrize(
    ("metric", "found", "needed"),
    [
        ("top1", material([[0, 1]]), "labels in an array `y`"),
        ("top1", material([[0, 1]] * 3, y=[1, 0]), "there are 2"),
        ("top1", material([[0, 1]], y=["cat"]), "one number a label"),
        ("top1", material([[0, 1]], y=[[1, 0]]), "one number a label"),
        ("auc", material([[0.1], [0.2]], y=[1, 1]), "both classes"),
        ("agreement", material([[0, 1]]), "the float model"),
        ("mse", material([[0, 1]]), "the float model"),
        ("reconstruction_auc", material([[1]], y=[1]), "`group`"),
        ("reconstruction_auc", material([[1]], y=[1], group=[-1]), "group number"),
        ("reconstruction_auc", material([[1]], y=[1], group=[1]), "there are 1"),
        ("reconstruction_auc", material([[1]], inputs=[[1, 2]], y=[1], group=[0]), "the input's size"),
    ],
)
def test_unfit_data_is_refused(metric: str, found: Material, needed: str) -> None:
    with pytest.raises(EdgeqError, match="EQ0109") as caught:
        METRICS[metric](found)
    assert needed in str(caught.value)


def test_metric_table_is_sorted_and_unknown_names_are_refused() -> None:
    assert list(METRICS) == sorted(METRICS)
    with pytest.raises(EdgeqError, match="EQ0109"):
        check_metric("top5")
