"""Figures of merit against definitions written out, and what they refuse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeq.analysis.metrics import KEYS, METRICS, Material, check_metric, classes, default_metric, rank_auc, sqnr_db
from edgeq.errors import EdgeqError


def material(
    outputs: Any,
    reference: Any = None,
    inputs: Any = None,
    total: int | None = None,
    accept: bool = False,
    **extra: Any,
) -> Material:
    """Material from lists."""
    values = np.asarray(outputs, np.float32)
    arrays: Mapping[str, Any] = {name: np.asarray(value) for name, value in extra.items()}
    shown = values if inputs is None else np.asarray(inputs, np.float32)
    given = None if reference is None else np.asarray(reference, np.float32)
    return Material(values, shown, given, arrays, total, accept)


LABELLED = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40)


@given(LABELLED.filter(lambda pairs: len({label for _, label in pairs}) == 2))
def test_auc_is_the_share_of_ordered_pairs(pairs: list[tuple[int, bool]]) -> None:
    positive = [score for score, label in pairs if label]
    negative = [score for score, label in pairs if not label]
    wins = sum((p > n) + 0.5 * (p == n) for p in positive for n in negative)
    scores, labels = np.array([score for score, _ in pairs]), np.array([label for _, label in pairs])
    assert rank_auc(scores, labels) == pytest.approx(wins / (len(positive) * len(negative)))


def test_auc_of_two_outputs_takes_that_of_class_1() -> None:
    # Class 1 orders three of the four pairs; class 0 alone would give 1/2, and its complement is not 1/4 either.
    outputs = [[0.9, 0.1], [0.2, 0.6], [0.9, 0.4], [0.1, 0.8]]
    assert METRICS["auc"](material(outputs, y=[0, 0, 1, 1])) == 0.75
    assert METRICS["auc"](material([[row[0]] for row in outputs], y=[0, 0, 1, 1])) == 0.375


def test_groups_that_skip_a_number_keep_their_own_labels() -> None:
    # Errors of clips 0 and 2 are 1 and 16; there is no window of clip 1, whose label says the opposite.
    found = material([[1], [1], [4]], inputs=np.zeros((3, 1)), group=[0, 0, 2], y=[0, 0, 1])
    assert METRICS["reconstruction_auc"](found) == 1.0
    found = material([[1], [1], [4]], inputs=np.zeros((3, 1)), group=[0, 0, 2], y=[1, 1, 0])
    assert METRICS["reconstruction_auc"](found) == 0.0


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


def test_labels_of_the_samples_that_were_not_run_are_left_out() -> None:
    assert METRICS["top1"](material([[0, 1]], y=[1, 0, 0], total=3)) == 1.0
    assert METRICS["auc"](material([[0.1], [0.9]], y=[0, 1, 1, 0], total=4)) == 1.0
    found = material([[0], [2]], inputs=[[0], [0]], group=[0, 1, 2], y=[0, 1, 1], total=3)
    assert METRICS["reconstruction_auc"](found) == 1.0


def test_labels_outside_of_the_classes_count_as_wrong_where_they_are_accepted() -> None:
    outputs = [[0, 1], [0, 1], [0, 1], [1, 0]]
    with pytest.raises(EdgeqError, match="EQ0109"):
        METRICS["top1"](material(outputs, y=[1, 2, -1, 0]))
    assert METRICS["top1"](material(outputs, y=[1, 2, -1, 0], accept=True)) == 0.5


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
        ("top1", material([[0, 1]], y=[1, 0]), "there are 2"),
        ("top1", material([[0, 1]], y=["cat"]), "class_names"),
        ("top1", material([[0, 1]], y=[[1, 0]]), "y.argmax(axis=1)"),
        ("top1", material([[0, 1]], y=1), "shape ()"),
        ("top1", material([[0, 1]], y=[2]), "whole numbers from 0 to 1"),
        ("top1", material([[0, 1]], y=[-1]), "whole numbers from 0 to 1"),
        ("top1", material([[0, 1]], y=[0.5]), "whole numbers from 0 to 1"),
        ("top1", material([[1]], y=[0]), "--metric auc"),
        ("top1", material([[0, 1]], labels=[1]), "rename labels to y"),
        ("auc", material([[0.1], [0.2]], y=[1, 1]), "both classes"),
        ("auc", material([[0.1], [0.2]], y=[0, 0]), "all of them 0"),
        ("auc", material([[0.1], [0.2]], y=[1, 2]), "labels 1, 2"),
        ("auc", material([[0.1], [0.2]], y=[-1, 1]), "labels -1, 1"),
        ("auc", material(np.zeros((4, 10)), y=[0, 1, 0, 1]), "--metric top1"),
        ("auc", material(np.zeros((4, 3)), y=[0, 1, 0, 1]), "3 values a sample"),
        ("auc", material([[0.1], [0.2]], y=[0, 1, 1]), "there are 3"),
        ("agreement", material([[0, 1]]), "--float MODEL.onnx"),
        ("agreement", material([[0]], reference=[[0]]), "--metric mse"),
        ("mse", material([[0, 1]]), "--float MODEL.onnx"),
        ("reconstruction_auc", material([[1]], y=[1]), "`group`"),
        ("reconstruction_auc", material([[1]], y=[1], group=[-1]), "group number"),
        ("reconstruction_auc", material([[1]], y=[1], group=[0.0]), "group number"),
        ("reconstruction_auc", material([[1]], y=[1], group=[[0]]), "group number"),
        ("reconstruction_auc", material([[1]], y=[1], group=[1]), "there are 1"),
        ("reconstruction_auc", material([[1]], y=[1, 0], group=[0]), "there are 2"),
        ("reconstruction_auc", material([[1], [1]], y=[3, 0], group=[0, 1]), "labels 0, 3"),
        ("reconstruction_auc", material([[1]], inputs=[[1, 2]], y=[1], group=[0]), "the input's size"),
    ],
)
def test_unfit_data_is_refused_and_the_message_says_what_to_do(metric: str, found: Material, needed: str) -> None:
    with pytest.raises(EdgeqError, match="EQ0109") as caught:
        METRICS[metric](found)
    assert needed in str(caught.value)
    assert caught.value.exit_code == 2
    (problem,) = caught.value.problems
    assert problem.got
    assert problem.allowed
    assert problem.hint


@pytest.mark.parametrize("key", ["Y", "labels", "kws12_label", "y_true", "targets"])
def test_labels_under_another_key_are_no_reason_for_another_metric(key: str) -> None:
    extra = {key: np.zeros(3, np.int64), "class_names": np.array(["a", "b"]), "idx": np.zeros(3)}
    with pytest.raises(EdgeqError, match=f"rename {key} to y"):
        default_metric(extra, 10)
    assert default_metric(extra | {"y": np.zeros(3)}, 10) == "top1"
    assert default_metric({"class_names": np.array(["a"]), "idx": np.zeros(3)}, 10) == "mse"


def test_metric_table_is_sorted_and_unknown_names_are_refused() -> None:
    assert list(METRICS) == sorted(METRICS) == list(KEYS)
    with pytest.raises(EdgeqError, match="EQ0109"):
        check_metric("top5")
    with pytest.raises(EdgeqError, match="did you mean top1"):
        check_metric("top_1")
