"""LabelEncoder of whole numbers: a table of values by number, and one value for all that are not in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.errors import EdgeqError
from edgeq.frontend.classical.parts import FLOAT, INDEX, cast, floats, refused, tell_of_names, words, write_index
from edgeq.frontend.constraints import place as place_of
from edgeq.frontend.edit import Edit
from edgeq.frontend.facts import integer, ints, name_of, number, required, shape_of
from edgeq.onnxio.limits import shown

_TABLE_MAX: Final = 1 << 12
_COMPARED_MAX: Final = 32
_WORDS: Final = "map words to numbers in the application"


def write_encoder(node: ir.Node, edit: Edit) -> None:
    """LabelEncoder: whole numbers to whole numbers, to floats, or to words, whose index stands for them."""
    x, result = required(node, 0), node.outputs[0]
    base = name_of(result)
    if x.dtype is None or not x.dtype.is_integer():
        raise EdgeqError(
            "EQ0303",
            "LabelEncoder has no integer form for operands of this type",
            where=f"{place_of(node)}, input 0",
            got=f"{x.dtype.name if x.dtype is not None else '?'} {shown(x.name or '?')}",
            allowed="integers",
            hint=_WORDS,
        )
    mapping = _mapping(node)
    whole = x if x.dtype == INDEX else cast(edit, x, INDEX, f"{base}_whole")
    if mapping.reach < _TABLE_MAX:
        found = _by_table(edit, whole, mapping, base)
    elif len(mapping.keys) <= _COMPARED_MAX:
        found = _by_comparing(edit, whole, mapping, base)
    else:
        raise refused(
            node,
            "list of keys",
            f"{len(mapping.keys)} from {min(mapping.keys)} to {max(mapping.keys)}",
            f"keys that lie within {_TABLE_MAX}, or at most {_COMPARED_MAX}",
        )
    if not mapping.names:
        edit.supersede(result, found)
        return
    tell_of_names(result, mapping.names)
    write_index(edit, result, found)


@dataclass(frozen=True, eq=False)
class _Mapping:
    """What numbers become.

    Attributes:
        keys: the numbers.
        values: int64 or float32, one for each key.
        default: that of all other numbers, of the same type.
        names: the words that values are indices of; empty where they are numbers themselves.
    """

    keys: tuple[int, ...]
    values: np.ndarray
    default: np.ndarray
    names: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, keys: Sequence[int], values: Sequence[float] | np.ndarray, default: float, names: Sequence[str] = ()
    ) -> _Mapping:
        """Values are float32 where one of them is no whole number's type."""
        array = np.array(values)
        kind = np.float32 if array.dtype.kind == "f" else np.int64
        if len(array) != len(keys):
            raise ValueError(f"{len(keys)} keys and {len(array)} values")
        return cls(tuple(keys), array.astype(kind), np.array(default, kind), tuple(names))

    @property
    def reach(self) -> int:
        """How far the keys lie apart."""
        return max(self.keys) - min(self.keys)

    @property
    def dtype(self) -> ir.DataType:
        """Of the values."""
        return FLOAT if self.values.dtype == np.float32 else INDEX


def _mapping(node: ir.Node) -> _Mapping:
    """Keys and values in any of the spellings that the operator's versions have."""
    listed = words(node, "classes_strings")  # of the first version
    if listed:
        return _Mapping.of(range(len(listed)), range(len(listed)), -1, listed)
    keys = ints(node, "keys_int64s", ()) or _whole_numbers(node, "keys_tensor")
    if not keys:
        raise refused(node, "list of keys", "words or floats", "whole numbers", _WORDS)
    numbers, reals, names = (
        ints(node, "values_int64s", ()),
        floats(node, "values_floats"),
        words(node, "values_strings"),
    )
    if numbers:
        return _Mapping.of(keys, numbers, integer(node, "default_int64", -1))
    if reals.size:
        return _Mapping.of(keys, reals, number(node, "default_float", -0.0))
    if names:
        known = list(dict.fromkeys(names))
        return _Mapping.of(keys, [known.index(name) for name in names], -1, known)
    values, default = _tensor(node, "values_tensor"), _tensor(node, "default_tensor")
    if values is None or values.dtype.kind not in "iuf":
        raise refused(node, "list of values", "words in a tensor", "numbers, or values_strings")
    return _Mapping.of(keys, values.reshape(-1), -1 if default is None else default.reshape(-1)[0].item())


def _tensor(node: ir.Node, name: str) -> np.ndarray | None:
    attribute = node.attributes.get(name)
    return None if attribute is None else np.asarray(attribute.as_tensor().numpy())


def _whole_numbers(node: ir.Node, name: str) -> tuple[int, ...]:
    array = _tensor(node, name)
    return () if array is None or array.dtype.kind not in "iu" else tuple(int(item) for item in array.reshape(-1))


def _by_table(edit: Edit, x: ir.Value, mapping: _Mapping, base: str) -> ir.Value:
    """The value by an index that is clamped to one entry beyond either end."""
    low, shape, value = min(mapping.keys), shape_of(x), x
    entries = np.full(mapping.reach + 3, mapping.default)
    entries[np.array(mapping.keys) - (low - 1)] = mapping.values
    for op_type, constant in (("Sub", low - 1), ("Max", 0), ("Min", len(entries) - 1)):
        bound = edit.constant(np.array(constant, np.int64), f"{base}_{op_type.lower()}_constant")
        value = edit.node(op_type, [value, bound], base=f"{base}_{op_type.lower()}", shape=shape)
    table = edit.constant(entries, f"{base}_table")
    return edit.node("Gather", [table, value], {"axis": 0}, base=f"{base}_value", shape=shape, dtype=mapping.dtype)


def _by_comparing(edit: Edit, x: ir.Value, mapping: _Mapping, base: str) -> ir.Value:
    """One comparison for each key."""
    shape = shape_of(x)
    value = edit.constant(np.full(shape, mapping.default), f"{base}_default")
    for place, (key, entry) in enumerate(zip(mapping.keys, mapping.values, strict=True)):
        wanted = edit.constant(np.array(key, np.int64), f"{base}_key_{place}")
        equal = edit.node("Equal", [x, wanted], base=f"{base}_is_{place}", shape=shape, dtype=ir.DataType.BOOL)
        stored = edit.constant(np.full(shape, entry), f"{base}_entry_{place}")
        value = edit.node("Where", [equal, stored, value], base=f"{base}_or_{place}", shape=shape, dtype=mapping.dtype)
    return value
