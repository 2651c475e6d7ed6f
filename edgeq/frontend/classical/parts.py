"""What the writers of classical operators share: lists of attributes, features as float32, scores, labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.errors import EdgeqError
from edgeq.frontend.constraints import place
from edgeq.frontend.edit import Edit
from edgeq.frontend.facts import Shape, ints, name_of, required, shape_of
from edgeq.notes import note
from edgeq.onnxio.limits import shown

FLOAT: Final = ir.DataType.FLOAT
INDEX: Final = ir.DataType.INT64
_TRANSFORMS: Final = {"LOGISTIC": "Sigmoid", "SOFTMAX": "Softmax"}
_MATRIX_RANK: Final = 2
_SHOWN_LABELS: Final = 8
_PASSING: Final = frozenset(("Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"))
"""What words pass through unchanged."""


def floats(node: ir.Node, name: str) -> np.ndarray:
    """A list of floats, float64; that of ``NAME_as_tensor`` where it is given so, empty where there is none."""
    attribute = node.attributes.get(name)
    if attribute is not None:
        return np.array(attribute.as_floats(), np.float64)
    attribute = node.attributes.get(f"{name}_as_tensor")
    return np.zeros(0) if attribute is None else np.asarray(attribute.as_tensor().numpy(), np.float64).reshape(-1)


def words(node: ir.Node, name: str) -> tuple[str, ...]:
    """A list of strings; empty where there is none."""
    attribute = node.attributes.get(name)
    return () if attribute is None else tuple(str(item) for item in attribute.as_strings())


def refused(node: ir.Node, what: str, got: object, allowed: object, hint: str | None = None) -> EdgeqError:
    """The error for an attribute whose value is not supported."""
    return EdgeqError(
        "EQ0313",
        f"{node.op_type} does not support this {what}",
        where=place(node),
        got=str(got),
        allowed=str(allowed),
        hint=hint,
    )


def features(node: ir.Node, edit: Edit, index: int = 0) -> ir.Value:
    """The operand as float32 [N, C].

    Raises:
        EdgeqError: EQ0303 it holds no numbers, EQ0307 it has another rank.
    """
    value = rows(node, index)
    if value.dtype == FLOAT:
        return value
    if value.dtype is None or not (value.dtype.is_integer() or value.dtype == ir.DataType.BOOL):
        raise EdgeqError(
            "EQ0303",
            f"{node.op_type} reads values that are no numbers",
            where=f"{place(node)}, input {index}",
            got=f"{value.dtype.name if value.dtype is not None else '?'} {shown(value.name or '?')}",
            allowed="float32, and integers",
            hint="map words to numbers in the application",
        )
    return cast(edit, value, FLOAT, f"{name_of(node.outputs[0])}_features")


def rows(node: ir.Node, index: int = 0) -> ir.Value:
    """The operand, which has a row of features for each sample.

    Raises:
        EdgeqError: EQ0307 it has another rank.
    """
    value = required(node, index)
    if len(shape_of(value)) != _MATRIX_RANK:
        raise EdgeqError(
            "EQ0307",
            f"{node.op_type} is supported for rank 2 only",
            where=f"{place(node)}, input {index}",
            got=f"shape {list(shape_of(value))}",
            hint="give it one row of features: shape [1, features]",
        )
    return value


def cast(edit: Edit, value: ir.Value, dtype: ir.DataType, base: str) -> ir.Value:
    """The value in another type."""
    return edit.node("Cast", [value], {"to": int(dtype)}, base=base, shape=shape_of(value), dtype=dtype)


def linear(edit: Edit, x: ir.Value, weight: np.ndarray, bias: np.ndarray, base: str) -> ir.Value:
    """x · weightᵀ + bias: x [N, C], weight [O, C], bias [O]."""
    operands = [x, edit.constant(np.asarray(weight, np.float32), f"{base}_weight")]
    operands.append(edit.constant(np.asarray(bias, np.float32), f"{base}_bias"))
    return edit.node("Gemm", operands, {"transB": 1}, base=base, shape=(shape_of(x)[0], len(weight)))


def binary(edit: Edit, op_type: str, x: ir.Value, constant: np.ndarray | float, base: str) -> ir.Value:
    """An operator on a value and a constant of a shape that broadcasts to it."""
    array = np.asarray(constant, np.float32)
    return edit.node(op_type, [x, edit.constant(array, f"{base}_constant")], base=base, shape=shape_of(x))


def exceeds(edit: Edit, x: ir.Value, threshold: float, dtype: ir.DataType, base: str) -> ir.Value:
    """1 where x > threshold, else 0, in a type."""
    bound = edit.constant(np.array(threshold, np.float32), f"{base}_threshold")
    greater = edit.node("Greater", [x, bound], base=f"{base}_greater", shape=shape_of(x), dtype=ir.DataType.BOOL)
    return cast(edit, greater, dtype, base)


def arg_max(edit: Edit, scores: ir.Value, base: str) -> ir.Value:
    """The class of the largest score, int64 [N]."""
    attributes = {"axis": 1, "keepdims": 0}
    return edit.node("ArgMax", [scores], attributes, base=base, shape=shape_of(scores)[:1], dtype=INDEX)


def column(edit: Edit, value: ir.Value, base: str) -> ir.Value:
    """[N, 1] as [N]."""
    return edit.reshape(value, shape_of(value)[:1], base=base)


def transformed(node: ir.Node, edit: Edit, scores: ir.Value, base: str) -> ir.Value:
    """The scores behind the node's ``post_transform``.

    Raises:
        EdgeqError: EQ0313 one that has no integer form.
    """
    kind = post_transform(node)
    if kind == "NONE":
        return scores
    attributes = {"axis": -1} if kind == "SOFTMAX" else {}
    return edit.node(_TRANSFORMS[kind], [scores], attributes, base=base, shape=shape_of(scores))


def post_transform(node: ir.Node) -> str:
    """The function that scores go through: NONE, LOGISTIC or SOFTMAX.

    Raises:
        EdgeqError: EQ0313 another one.
    """
    attribute = node.attributes.get("post_transform")
    kind = "NONE" if attribute is None else attribute.as_string()
    if kind not in {"NONE", *_TRANSFORMS}:
        raise refused(
            node, "post_transform", kind, "NONE, LOGISTIC or SOFTMAX", "export raw scores: the class is the same"
        )
    return kind


@dataclass(frozen=True)
class Labels:
    """The names of a classifier's classes: numbers, or words."""

    numbers: tuple[int, ...]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names or self.numbers)


def labels_of(node: ir.Node) -> Labels:
    """The class labels of a classifier; both spellings of the attribute of numbers."""
    numbers = ints(node, "classlabels_int64s", ints(node, "classlabels_ints", ()))
    return Labels(numbers, words(node, "classlabels_strings"))


def write_label(node: ir.Node, edit: Edit, index: ir.Value, labels: Labels) -> None:
    """The first result of a classifier: the label of a class, by its index, int64 [N].

    Words have no place in firmware: the index stands for them, which a note says.
    """
    result = node.outputs[0]
    if not is_read(result):
        return
    if labels.names:
        tell_of_names(result, labels.names)
        write_index(edit, result, index)
        return
    if labels.numbers and labels.numbers != tuple(range(len(labels))):
        index = taken(edit, labels.numbers, index, f"{name_of(result)}_label")
    edit.supersede(result, index)


def write_index(edit: Edit, result: ir.Value, index: ir.Value) -> None:
    """An index, int64, in the place of a word; what passes the word on passes the index on."""
    _hold_indices(result)
    edit.supersede(result, index)


def _hold_indices(value: ir.Value) -> None:
    value.type = ir.TensorType(INDEX)
    for usage in value.uses():
        user = usage.node
        if user.domain or user.op_type not in _PASSING or user.outputs[0].dtype != ir.DataType.STRING:
            continue
        if user.op_type == "Cast":
            user.attributes.add(ir.AttrInt64("to", int(INDEX)))
        _hold_indices(user.outputs[0])


def tell_of_names(result: ir.Value, names: Sequence[str]) -> None:
    """Note that a result is the index of a word."""
    listed = ", ".join(f"{number}: {shown(name)}" for number, name in enumerate(names[:_SHOWN_LABELS]))
    more = len(names) - _SHOWN_LABELS
    note(
        "EQ0236",
        "a result that is a word is the index of the word here",
        where=f"value {shown(result.name or '?')}",
        got=listed + (f" and {more} more" if more > 0 else ""),
        hint="keep the list of words in the application",
    )


def taken(edit: Edit, table: Sequence[int], index: ir.Value, base: str) -> ir.Value:
    """table[index], int64 of the shape of index."""
    constant = edit.constant(np.array(table, np.int64), f"{base}_table")
    return edit.node("Gather", [constant, index], {"axis": 0}, base=base, shape=shape_of(index), dtype=INDEX)


def write_scores(node: ir.Node, edit: Edit, scores: ir.Value, index: int = 1) -> None:
    """The second result of a classifier, or the only one of a regressor."""
    if index < len(node.outputs) and is_read(node.outputs[index]):
        edit.supersede(node.outputs[index], scores)


def is_read(value: ir.Value) -> bool:
    """Whether anything depends on a result."""
    return bool(value.name) and (bool(value.uses()) or value.is_graph_output())


def both_of_two(edit: Edit, second: ir.Value, first: ir.Value, base: str) -> ir.Value:
    """The scores of two classes [N, 2] from one column for each."""
    shape: Shape = (shape_of(second)[0], 2)
    return edit.node("Concat", [first, second], {"axis": 1}, base=base, shape=shape)
