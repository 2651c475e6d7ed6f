"""Operands that do not go together: each operator says what is wrong, and what it got."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from edgeq.errors import EdgeqError
from edgeq.ir import DType, Node, Tensor
from edgeq.numerics.log_mel import COLUMNS
from edgeq.numerics.softmax import ROW_MAX_INT16
from edgeq.ops import BY_NAME, OPS
from edgeq.ops.gather import places
from edgeq.ops.recurrent import MAX_STEPS
from edgeq.ops.signature import Shape

INT16 = DType.INT16
LONG = ROW_MAX_INT16 + 1
_LSTM = {"sequence": 1}
_SLICE = {"starts": (0,), "ends": (3,), "steps": (1,)}
_WINDOW = {"kernel": (3, 2), "strides": (1, 1), "pads": (0, 0, 0, 0)}
Operand = Shape | tuple[Shape, DType]

# Operator, attributes, shapes of its operands, the fault, and what is named as its cause.
WRONG: list[tuple[str, Mapping[str, Any], list[Operand], str, object]] = [
    ("concat", {"axis": 2}, [(1, 3), (1, 3)], "no such axis", 2),
    ("concat", {"axis": 1}, [(1, 3), (2, 3)], "shapes do not match", [(1, 3), (2, 3)]),
    ("conv2d", {"group": 2}, [(1, 5, 5, 4), (4, 3, 3, 4)], "channels and groups do not match", "group 2"),
    ("conv2d", {"group": 3}, [(1, 5, 5, 6), (4, 3, 3, 2)], "channels and groups do not match", "group 3"),
    ("dense", {}, [(1, 8), (3, 9)], "operand shapes do not match", "x (1, 8) weight (3, 9)"),
    ("divide", {}, [(1, 4), (1, 4), (1,)], "divisors of int8 have other factors", (1,)),
    ("divide", {}, [((1, 4), INT16), ((1, 4), INT16), (256,)], "divisors of int16 have other factors", (256,)),
    ("divide", {}, [(1, 4), ((1, 4), INT16), (256,)], "divisors of int16 have other factors", (256,)),
    ("gather", {"axis": 2}, [(1, 3), (2,)], "no such axis, or an empty one", 2),
    ("gather", {"axis": 1}, [(1, 0), (2,)], "no such axis, or an empty one", 1),
    ("gather_elements", {"axis": 1}, [(1, 3), (2, 2)], "shapes do not match", "(1, 3) and (2, 2)"),
    ("gather_elements", {"axis": 1}, [(1, 3), (1, 3, 1)], "shapes do not match", "(1, 3) and (1, 3, 1)"),
    ("gather_elements", {"axis": 0}, [(3,), (2, 1)], "shapes do not match", "(3,) and (2, 1)"),
    ("gather_elements", {"axis": 1}, [(3, 4, 1), (3, 2)], "shapes do not match", "(3, 4, 1) and (3, 2)"),
    ("gather_nd", {"batch": 1}, [(3, 4), (3, 2)], "indices have too many components", 2),
    ("gather_nd", {"batch": 0}, [(0, 4), (2, 1)], "indices have too many components", 1),
    ("gather_nd", {"batch": 1}, [(3, 4), (3,)], "batch axes differ", "(3, 4) and (3,)"),
    ("gather_nd", {"batch": 1}, [(2, 3), (3, 1)], "batch axes differ", "(2, 3) and (3, 1)"),
    ("gather_nd", {"batch": 0}, [(2, 3), (4, 3)], "indices have too many components", 3),
    ("lstm", _LSTM, [(5, 1, 3), (8, 4), (8, 2)], "operand shapes do not match", "weight (8, 4)"),
    ("lstm", _LSTM, [(5, 1, 3), (8, 3), (7, 2)], "operand shapes do not match", "recurrent (7, 2)"),
    ("lstm", _LSTM, [(5, 2, 3), (8, 3), (8, 2)], "operand shapes do not match", "x (5, 2, 3)"),
    ("gru", _LSTM, [(MAX_STEPS + 1, 1, 3), (6, 3), (6, 2)], "too many steps", MAX_STEPS + 1),
    ("masked_softmax", {}, [(1, 4, 6), (4, 5), (256,)], "the mask does not go with the rows", (4, 5)),
    ("masked_softmax", {}, [((1, 4, 6), INT16), (4, 6), (256,)], "the table has a wrong size", (256,)),
    ("masked_softmax", {}, [((1, LONG), INT16), (1, LONG), (512,)], "row too long", LONG),
    ("matmul", {}, [(1, 2, 3), (1, 4, 5)], "operand shapes do not match", "a (1, 2, 3) b (1, 4, 5)"),
    ("matmul", {}, [(2, 3), (1, 3, 5)], "operand shapes do not match", "a (2, 3) b (1, 3, 5)"),
    ("max_pool", _WINDOW, [(1, 2, 3, 5)], "no window fits", "input (2, 3), window of 3"),
    ("one_hot", {"axis": 3}, [(1, 2)], "no such axis", 3),
    ("pad", {"pads": (1, 2, 3)}, [(1, 2)], "malformed pads", (1, 2, 3)),
    ("pad", {"pads": (1, 2, 3, -1)}, [(1, 2)], "malformed pads", (1, 2, 3, -1)),
    ("reshape", {"shape": (2, 3)}, [(1, 5)], "element counts differ", "(1, 5) to (2, 3)"),
    ("reshape", {"shape": (-2, -3)}, [(1, 6)], "element counts differ", "(1, 6) to (-2, -3)"),
    ("scatter_elements", {"axis": 0}, [(4, 3), (2, 3), (1, 3)], "updates have another shape than indices", (1, 3)),
    ("scatter_nd", {"batch": 0}, [(4, 3), (2, 1), (2, 2)], "updates have a wrong shape", (2, 2)),
    ("slice", {**_SLICE, "steps": (1, 1)}, [(4,)], "one start, end and step per axis", ((0,), (3,), (1, 1))),
    ("slice", {**_SLICE, "ends": (5,)}, [(4,)], "slice out of range", (0, 5, 1)),
    ("slice", {**_SLICE, "starts": (4,)}, [(4,)], "slice out of range", (4, 3, 1)),
    ("slice", {**_SLICE, "steps": (0,)}, [(4,)], "slice out of range", (0, 3, 0)),
    ("top_k", {"axis": 1, "k": 4}, [(1, 3)], "an axis has too few elements", "4 of (1, 3)"),
    ("top_k", {"axis": 2, "k": 1}, [(1, 3)], "an axis has too few elements", "1 of (1, 3)"),
    ("transpose", {"perm": (0, 0)}, [(1, 3)], "not a permutation of the axes", (0, 0)),
    ("upsample", {"factors": (2,)}, [(1, 3, 3, 2)], "two positive factors are needed", (2,)),
    ("upsample", {"factors": (2, 0)}, [(1, 3, 3, 2)], "two positive factors are needed", (2, 0)),
    ("where", {}, [(1, 3), (1, 2), (1, 3)], "shapes do not broadcast", "(1, 3) and (1, 2) and (1, 3)"),
]


@pytest.mark.parametrize(("op", "attributes", "operands", "fault", "got"), WRONG, ids=lambda value: str(value)[:40])
def test_operands_that_do_not_go_together(
    op: str, attributes: Mapping[str, Any], operands: list[Operand], fault: str, got: object
) -> None:
    typed = [
        (operand[0], operand[1]) if operand and isinstance(operand[-1], DType) else (operand, DType.INT8)
        for operand in operands
    ]
    tensors = [Tensor(f"x{number}", shape, dtype) for number, (shape, dtype) in enumerate(typed)]
    with pytest.raises(EdgeqError) as caught:
        BY_NAME[op].shape(Node(op, "the_node", tuple(tensor.name for tensor in tensors), ("y",), attributes), tensors)
    (problem,) = caught.value.problems
    assert (problem.code, problem.where) == ("EQ0903", "the_node")
    assert f"{op}: {fault}" in problem.what
    assert str(got) in str(problem.got)
    assert isinstance(got, str) or str(got) == str(problem.got)


def test_an_index_beyond_its_axis_stands_for_the_nearest_element() -> None:
    assert places(np.array([-7, -4, -3, -1, 0, 2, 3, 99]), 3).tolist() == [0, 0, 0, 2, 0, 2, 2, 2]


def test_rows_of_int8_with_a_mask_may_be_longer() -> None:
    tensors = [
        Tensor("x", (1, LONG), DType.INT8),
        Tensor("mask", (1, LONG), DType.BOOL),
        Tensor("t", (256,), DType.INT32),
    ]
    node = Node("masked_softmax", "n", ("x", "mask", "t"), ("y",), {})
    assert BY_NAME["masked_softmax"].shape(node, tensors) == (1, LONG)


@pytest.mark.parametrize(
    ("changes", "bands", "fault"),
    [
        ({}, [[0, 5], [4, 5]], None),
        ({"samples": 27}, [[0, 5], [4, 5]], "the frames leave the signal"),
        ({"batch": 0}, [[0, 5], [4, 5]], "the frames leave the signal"),
        ({"batch": 2}, [[0, 5], [4, 5]], "the frames leave the signal"),
        ({"length": 24}, [[0, 5], [4, 5]], "the window does not fit the transform"),
        ({"window": 17}, [[0, 5], [4, 5]], "the window does not fit the transform"),
        ({}, [[0, 5], [4, 4]], "bands and weights do not fit"),
        ({}, [[0, 5], [5, 5]], "a band leaves the spectrum"),
        ({}, [[-1, 5], [4, 5]], "a band leaves the spectrum"),
    ],
)
def test_frames_and_bands_lie_within_what_they_are_of(
    changes: dict[str, int], bands: list[list[int]], fault: str | None
) -> None:
    """3 frames of 16 samples, 6 apart, and two bands of the 9 frequencies."""
    size = {"samples": 28, "batch": 1, "length": 16, "window": 16} | changes
    table = np.pad(np.array(bands, np.int32), ((0, 0), (0, len(COLUMNS) - 2)))
    tensors = [
        Tensor("x", (size["batch"], size["samples"]), INT16),
        Tensor("window", (size["window"],), INT16),
        Tensor("weights", (10,), INT16),
        Tensor.constant("bands", table),
    ]
    attributes = {"frames": 3, "step": 6, "start": 0, "length": size["length"]}
    node = Node("log_mel", "n", tuple(tensor.name for tensor in tensors), ("y",), attributes)
    if fault is None:
        assert BY_NAME["log_mel"].shape(node, tensors) == (1, 3, 2)
        return
    with pytest.raises(EdgeqError, match=fault):
        BY_NAME["log_mel"].shape(node, tensors)


def test_operators_whose_operand_and_result_may_have_two_types() -> None:
    found = {op.name for op in OPS if op.signature.mixes_activations}
    assert found == {"conv2d", "dense", "gru", "log_mel", "lstm", "requantize", "rnn", "to_integer", "trees"}
