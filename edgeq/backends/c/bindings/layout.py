"""concat, pad, slice, transpose and upsample: kernels that move bytes, whatever the element type.

An element wider than one byte is one more innermost axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from edgeq.backends.c import orders
from edgeq.backends.c.binding import Binding, Call
from edgeq.backends.c.bindings.strides import LOOPS, Loops, collapse, dense_strides
from edgeq.backends.c.runtime import Isa
from edgeq.ir import Graph, Node
from edgeq.memory.schedule import Order
from edgeq.numerics.array import Array

Fields = dict[str, int]
MAX_CONCAT = 8
_SHORT_BYTES = 2


def _bytes(graph: Graph, name: str) -> int:
    return graph.tensors[name].size_bytes


# -- transpose and slice ---------------------------------------------------------------------------------------------


def _gathered(node: Node, graph: Graph) -> tuple[Loops | None, int]:
    """The loops over the output with the input's strides in bytes, and the offset of the first byte."""
    x, out = graph.operands(node)[0], graph.results(node)[0]
    item = x.dtype.size_bytes
    dense = dense_strides(x.shape, item)
    if node.op == "transpose":
        strides, start = [dense[axis] for axis in node.integers("perm")], 0
    else:
        strides = [step * by for step, by in zip(dense, node.integers("steps"), strict=True)]
        start = sum(step * at for step, at in zip(dense, node.integers("starts"), strict=True))
    return collapse((*out.shape, item), ((*strides, 1),)), start


def _gather_refusal(node: Node, graph: Graph, isa: Isa) -> str | None:
    return f"needs more than {LOOPS} nested loops" if _gathered(node, graph)[0] is None else None


def _gather(node: Node, graph: Graph, isa: Isa) -> Call:
    loops, start = _gathered(node, graph)
    assert loops is not None, "matches() refused this node"
    fields: Fields = {f"n{level}": size for level, size in enumerate(loops.sizes)}
    fields |= {f"s{level}": step for level, step in enumerate(loops.strides[0])}
    fields["start"] = start
    order = _copied_rows(loops, start, graph.operands(node)[0].size_bytes)
    return Call("eq_strided_copy", fields, node.inputs[:1], node.outputs, trailing=orders.trail(order))


def _copied_rows(loops: Loops, start: int, operand_bytes: int) -> Order | None:
    """Rows that are copied one after the other; None for planes, whose order is the instruction set's."""
    (*sizes, row), (*strides, step) = loops.sizes, loops.strides[0]
    if step != 1:
        return None
    starts = start + orders.nested(sizes, strides)
    return orders.copies(starts, np.arange(1, len(starts) + 1) * row, operand_bytes)


# -- pad -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Axis:
    """One axis of a padded block, in units of everything inside it."""

    size: int
    before: int
    after: int

    @property
    def padded(self) -> int:
        return self.before + self.size + self.after


def _padded_axes(node: Node, graph: Graph) -> list[_Axis]:
    """The axes down to bytes; one without padding is merged into the axis outside it."""
    x, pads = graph.operands(node)[0], node.integers("pads")
    rank = len(x.shape)
    axes = [_Axis(size, pads[i], pads[rank + i]) for i, size in enumerate(x.shape)]
    merged: list[_Axis] = []
    for axis in (*axes, _Axis(x.dtype.size_bytes, 0, 0)):
        if merged and axis.before == axis.after == 0:
            outer = merged.pop()
            axis = _Axis(outer.size * axis.size, outer.before * axis.size, outer.after * axis.size)  # noqa: PLW2901
        merged.append(axis)
    return merged


def _pad_refusal(node: Node, graph: Graph, isa: Isa) -> str | None:
    return f"needs more than {LOOPS} nested loops" if len(_padded_axes(node, graph)) > LOOPS else None


def _pad_bytes_refusal(node: Node, graph: Graph, isa: Isa) -> str | None:
    if not _is_bytewise(node, graph):
        return f"the bytes of the padding value {node.integer('value')} differ"
    return _pad_refusal(node, graph, isa)


def _pad_short_refusal(node: Node, graph: Graph, isa: Isa) -> str | None:
    item = graph.operands(node)[0].dtype.size_bytes
    return f"elements have {item} bytes, not 2" if item != _SHORT_BYTES else _pad_refusal(node, graph, isa)


def _is_bytewise(node: Node, graph: Graph) -> bool:
    item = graph.operands(node)[0].dtype.size_bytes
    value = node.integer("value") & ((1 << (8 * item)) - 1)
    return len(set(value.to_bytes(item, "little"))) == 1


def _pad(node: Node, graph: Graph, isa: Isa) -> Call:
    axes = _padded_axes(node, graph)
    axes = [_Axis(1, 0, 0)] * (LOOPS - len(axes)) + axes
    strides = [prod(axis.padded for axis in axes[level + 1 :]) for level in range(LOOPS)]
    fields: Fields = {f"n{level}": axis.size for level, axis in enumerate(axes)}
    fields |= {f"s{level}": strides[level] for level in range(LOOPS - 1)}
    fields["start"] = sum(axis.before * step for axis, step in zip(axes, strides, strict=True))
    fields["out_bytes"] = _bytes(graph, node.outputs[0])
    bytewise = _is_bytewise(node, graph)
    fields["value"] = node.integer("value") & 0xFF
    if bytewise:
        return Call("eq_pad", fields, node.inputs[:1], node.outputs)
    dtype = graph.operands(node)[0].dtype
    if dtype.size_bytes == _SHORT_BYTES:
        return Call("eq_pad_s16", fields | {"value": node.integer("value")}, node.inputs[:1], node.outputs)
    words = np.array([node.integer("value")], dtype.numpy.newbyteorder("<")).view("<i4").astype(np.int32)
    return Call("eq_pad_words", fields | {"value": words.size}, node.inputs[:1], node.outputs, {"words": words})


# -- concat ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Part:
    """Neighbouring operands of a concatenation: one activation, or all constants in a row."""

    names: tuple[str, ...]
    constant: bool


def _parts(node: Node, graph: Graph) -> list[_Part]:
    parts: list[_Part] = []
    for name in node.inputs:
        constant = graph.tensors[name].is_constant
        if constant and parts and parts[-1].constant:
            parts[-1] = _Part((*parts[-1].names, name), True)
        else:
            parts.append(_Part((name,), constant))
    return parts


def _concat_refusal(node: Node, graph: Graph, isa: Isa) -> str | None:
    parts = _parts(node, graph)
    constants = sum(part.constant for part in parts)
    if constants > 1:
        return "there are constants in more than one place"
    if len(parts) - constants > MAX_CONCAT:
        return f"there are more than {MAX_CONCAT} activations"
    return None


def _concat(node: Node, graph: Graph, isa: Isa) -> Call:
    out, axis = graph.results(node)[0], node.integer("axis")
    axis %= len(out.shape)
    rows = prod(out.shape[:axis])
    data: Array | None = None
    constant_bytes = constant_offset = offset = 0
    passed: list[tuple[str, int, int]] = []
    for part in _parts(node, graph):
        size = sum(_bytes(graph, name) for name in part.names) // rows
        if part.constant:
            joined = np.concatenate([graph.tensors[name].value() for name in part.names], axis)
            data = joined.reshape(-1)
            constant_bytes, constant_offset = size, offset
        else:
            passed.append((part.names[0], size, offset))
        offset += size
    # Without bytes to copy the kernel does not read through a pointer: any tensor of the arena will do.
    passed += [(passed[0][0] if passed else node.outputs[0], 0, 0)] * (MAX_CONCAT - len(passed))
    fields: Fields = {"constant_bytes": constant_bytes, "constant_offset": constant_offset}
    fields |= {"rows": rows, "row_bytes": out.size_bytes // rows}
    fields |= {f"bytes{i}": size for i, (_, size, _) in enumerate(passed)}
    fields |= {f"offset{i}": at for i, (_, _, at) in enumerate(passed)}
    names = tuple(name for name, _, _ in passed)
    numbers = {name: [i for i, each in enumerate(names) if each == name] for name in names if name not in node.outputs}
    trailing = tuple((same[0], 0, _concat_order(fields, same)) for same in numbers.values())
    return Call("eq_concat", fields, names, node.outputs, {"constant": data}, trailing=trailing)


def _concat_order(fields: Fields, numbers: Sequence[int]) -> Order:
    """All rows of an operand are copied, then those of the next one; ``numbers`` are those that are one tensor."""
    rows = np.arange(fields["rows"])
    total = fields["rows"] * max(fields[f"bytes{number}"] for number in numbers)
    starts, written = [], []
    for number in range(MAX_CONCAT):
        size = fields[f"bytes{number}"]
        if size:
            starts.append(rows * size if number in numbers else np.full_like(rows, total))
            written.append(rows * fields["row_bytes"] + fields[f"offset{number}"] + size)
    return orders.copies(np.concatenate(starts), np.concatenate(written), total)


# -- upsample --------------------------------------------------------------------------------------------------------


def _upsample(node: Node, graph: Graph, isa: Isa) -> Call:
    (x,) = graph.operands(node)
    _, rows, columns, channels = x.shape
    row_factor, column_factor = node.integers("factors")
    fields: Fields = {"rows": rows, "columns": columns, "pixel": channels * x.dtype.size_bytes}
    fields |= {"row_factor": row_factor, "column_factor": column_factor}
    return Call("eq_upsample", fields, node.inputs, node.outputs, trailing=orders.trail(_upsample_order(fields)))


def _upsample_order(fields: Fields) -> Order:
    """Each pixel of a row is copied some times, then the row that came of it; of that only the last copy counts."""
    pixel, wide = fields["pixel"], fields["columns"] * fields["column_factor"] * fields["pixel"]
    row, column = np.arange(fields["rows"])[:, None], np.arange(fields["columns"] + 1)
    starts = np.minimum(row * fields["columns"] + column, (row + 1) * fields["columns"]) * pixel
    ends = row * fields["row_factor"] * wide + (column + 1) * fields["column_factor"] * pixel
    ends[:, -1] = (row[:, 0] + 1) * fields["row_factor"] * wide
    return orders.copies(starts.reshape(-1), ends.reshape(-1), fields["rows"] * fields["columns"] * pixel)


BINDINGS: tuple[Binding, ...] = (
    Binding("concat", "eq_concat", _concat_refusal, _concat),
    Binding("pad", "eq_pad", _pad_bytes_refusal, _pad),
    Binding("pad", "eq_pad_s16", _pad_short_refusal, _pad),
    Binding("pad", "eq_pad_words", _pad_refusal, _pad),
    Binding("slice", "eq_strided_copy", _gather_refusal, _gather),
    Binding("transpose", "eq_strided_copy", _gather_refusal, _gather),
    Binding("upsample", "eq_upsample", None, _upsample),
)
