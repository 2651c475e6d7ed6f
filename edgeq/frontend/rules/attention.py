"""Attention and RotaryEmbedding of opset 23 and later, written with matrix products, a masked Softmax and layouts.

Queries that share a head of keys are rows of one matrix product: (batch, heads of keys, queries of the group · length).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import Edit, Rule
from edgeq.frontend.facts import Shape, integer, ints, made_by, name_of, number, operand, required, shape_of
from edgeq.frontend.rules.einsum import reshaped, turned
from edgeq.frontend.rules.masking import masked_value, split_mask
from edgeq.frontend.rules.simplify import cut, taken

_SEQUENCE_RANK = 3
_SCORES, _CAPPED, _BIASED, _SHARES = range(4)


@dataclass
class _Mask:
    """What decides which keys a query sees, beside what is added to scores.

    Attributes:
        constant: bool [queries, keys] or more axes; what is known when the model is compiled.
        conditions: truth values that are computed, of shapes that broadcast to the scores.
        added: what is added to scores, constant or computed.
    """

    constant: np.ndarray
    conditions: list[ir.Value] = field(default_factory=list)
    added: list[ir.Value] = field(default_factory=list)


def write_out_attention(node: ir.Node, edit: Edit) -> str | None:
    """Attention becomes MatMul, Softmax under a mask, MatMul."""
    base = name_of(node.outputs[0])
    q, k, v = (required(node, index) for index in range(3))
    if any(value.dtype != ir.DataType.FLOAT for value in (q, k, v)) or 0 in (*shape_of(q), *shape_of(k)):
        return "not float, or empty"
    flat = len(shape_of(q)) == _SEQUENCE_RANK
    heads = integer(node, "q_num_heads", 0) if flat else shape_of(q)[1]
    groups = integer(node, "kv_num_heads", 0) if flat else shape_of(k)[1]
    depth = shape_of(q)[-1] // heads if flat else shape_of(q)[-1]
    scale = number(node, "scale", 0.0) or 1 / math.sqrt(depth)
    factor = edit.constant(np.array(scale, np.float32), f"{base}_scale")
    q = edit.node("Mul", [q, factor], base=f"{base}_query", shape=shape_of(q))
    if flat:
        q, k, v = (
            _split_heads(edit, value, count, f"{base}_{label}")
            for value, count, label in ((q, heads, "queries"), (k, groups, "keys"), (v, groups, "values"))
        )
    k, v = (
        _continued(edit, operand(node, index), value, f"{base}_{label}")
        for index, value, label in ((4, k, "all_keys"), (5, v, "all_values"))
    )
    batch, _, length, _ = shape_of(q)
    total, share = shape_of(k)[2], heads // groups
    shape = (batch, heads, length, total)
    rows = (batch, groups, share * length)
    wide = q if share == 1 else edit.reshape(q, (*rows, depth), base=f"{base}_groups")
    keys = turned(edit, k, (0, 1, 3, 2), f"{base}_keys_turned")
    scores = edit.node("MatMul", [wide, keys], base=f"{base}_scores", shape=(*rows, total))
    scores = scores if share == 1 else edit.reshape(scores, shape, base=f"{base}_scores_heads")
    mask = _mask_of(node, edit, shape, 0 if operand(node, 4) is None else shape_of(operand(node, 4))[2])
    shares, stages = _shares(node, edit, scores, mask, base)
    wide = shares if share == 1 else edit.reshape(shares, (*rows, total), base=f"{base}_shares_groups")
    found = edit.node("MatMul", [wide, v], base=f"{base}_values_mixed", shape=(*rows, shape_of(v)[-1]))
    if share > 1:
        found = edit.reshape(found, (batch, heads, length, shape_of(v)[-1]), base=f"{base}_heads")
    result = node.outputs[0]
    if flat:
        found = edit.transpose(found, (0, 2, 1, 3), base=f"{base}_turned")
        found = edit.reshape(found, shape_of(result), base=f"{base}_joined")
    further = [(1, k), (2, v), (3, _stage(node, stages))]
    wanted = [(output, value) for index, value in further if (output := _read(node, index)) is not None]
    if any(value is None for _, value in wanted):
        return "scores are wanted that a mask makes infinite"
    for output, value in wanted:
        if value is not None:
            edit.supersede(output, edit.reshape(value, shape_of(output), base=f"{name_of(output)}_copy"))
    edit.supersede(result, found)
    return None


def _read(node: ir.Node, index: int) -> ir.Value | None:
    """A result that something reads."""
    output = node.outputs[index] if index < len(node.outputs) else None
    return output if output is not None and output.name and (output.uses() or output.is_graph_output()) else None


def _split_heads(edit: Edit, value: ir.Value, heads: int, base: str) -> ir.Value:
    """[batch, length, heads · depth] as [batch, heads, length, depth]."""
    batch, length, width = shape_of(value)
    split = reshaped(edit, value, (batch, length, heads, width // heads), f"{base}_split")
    return turned(edit, split, (0, 2, 1, 3), base)


def _continued(edit: Edit, past: ir.Value | None, value: ir.Value, base: str) -> ir.Value:
    """Keys or values behind those of the past."""
    if past is None:
        return value
    shape = shape_of(value)
    joined = (*shape[:2], shape_of(past)[2] + shape[2], shape[3])
    return edit.node("Concat", [past, value], {"axis": 2}, base=base, shape=joined)


def _mask_of(node: ir.Node, edit: Edit, shape: Shape, past: int) -> _Mask:
    """The mask of a node whose scores have a shape, behind so many keys of the past."""
    base = name_of(node.outputs[0])
    length, total = shape[-2:]
    query, key = np.arange(length)[:, None], np.arange(total)[None, :]
    bounds = [
        (sign, limit)
        for sign, limit in (
            (1, 0 if integer(node, "is_causal", 0) else -1),
            (1, integer(node, "right_window_size", -1)),
            (-1, integer(node, "left_window_size", -1)),
        )
        if limit >= 0
    ]
    mask = _Mask(np.ones((length, total), np.bool_))
    filled = operand(node, 6)
    for sign, limit in bounds if filled is None else ():
        mask.constant &= sign * (key - query - past) <= limit
    if filled is not None:
        count = edit.reshape(filled, (shape[0], 1, 1, 1), base=f"{base}_filled")
        mask.conditions.append(_at_most(edit, key + 1, count, f"{base}_within"))
        for index, (sign, limit) in enumerate(bounds):
            # The first query has the place of the first key that is not of this node: count - length.
            place, label = key - query + length, f"{base}_bound_{index}"
            low, high = (place - limit, count) if sign > 0 else (count, place + limit)
            mask.conditions.append(_at_most(edit, low, high, label))
    given = operand(node, 3)
    if given is not None:
        _take_mask(edit, given, mask, shape, f"{base}_mask")
    return mask


def _at_most(edit: Edit, low: ir.Value | np.ndarray, high: ir.Value | np.ndarray, base: str) -> ir.Value:
    """Whether one integer is no more than another; either is constant."""
    sides = [
        edit.constant(side.astype(np.int64), f"{base}_places") if isinstance(side, np.ndarray) else side
        for side in (low, high)
    ]
    shape = tuple(np.broadcast_shapes(*(shape_of(side) for side in sides)))
    return edit.node("LessOrEqual", sides, base=base, shape=shape, dtype=ir.DataType.BOOL)


def _take_mask(edit: Edit, given: ir.Value, mask: _Mask, shape: Shape, base: str) -> None:
    """The operand that says which keys count, or what is added; keys behind its end do not count."""
    total, width = shape[-1], shape_of(given)[-1]
    constant = edit.array(given)
    missing = [(0, 0)] * (len(shape_of(given)) - 1) + [(0, total - width)]
    if width < total:
        mask.constant = mask.constant & (np.arange(total) < width)
    if constant is not None and constant.dtype == np.bool_:
        mask.constant = mask.constant & np.pad(constant, missing)
    elif constant is not None:
        padded = np.pad(constant, missing)
        parts = split_mask(padded, shape)
        rest = padded if parts is None else np.where(parts[0], padded, 0)
        mask.constant = mask.constant if parts is None else mask.constant & (padded > -1e3)
        if rest.any():
            mask.added.append(edit.constant(rest.astype(np.float32), f"{base}_added"))
    else:
        if width < total:
            rest = np.zeros((*shape_of(given)[:-1], total - width), given.dtype.numpy() if given.dtype else np.float32)
            whole = (*shape_of(given)[:-1], total)
            operands = [given, edit.constant(rest, f"{base}_beyond")]
            given = edit.node("Concat", operands, {"axis": len(whole) - 1}, base=f"{base}_padded", shape=whole)
        (mask.conditions if given.dtype == ir.DataType.BOOL else mask.added).append(given)


def _shares(
    node: ir.Node, edit: Edit, scores: ir.Value, mask: _Mask, base: str
) -> tuple[ir.Value, dict[int, ir.Value | None]]:
    """The probabilities, and what was there on the way: scores, capped, with what is added."""
    shape, stages = shape_of(scores), dict[int, ir.Value | None]({_SCORES: scores})
    cap = number(node, "softcap", 0.0)
    capped: ir.Value = scores

    def cut_off(value: ir.Value) -> ir.Value:
        down, up = (edit.constant(np.array(x, np.float32), f"{base}_cap") for x in (1 / cap, cap))
        inner = edit.node("Mul", [value, down], base=f"{base}_uncapped", shape=shape)
        return edit.node(
            "Mul",
            [edit.node("Tanh", [inner], base=f"{base}_tanh", shape=shape), up],
            base=f"{base}_capped",
            shape=shape,
        )

    def add(value: ir.Value) -> ir.Value:
        for index, added in enumerate(mask.added):
            value = edit.node("Add", [value, added], base=f"{base}_added_{index}", shape=shape)
        return value

    if cap:
        capped = cut_off(capped)
    stages[_CAPPED] = capped
    biased = add(capped)
    hides = bool(mask.conditions) or not mask.constant.all()
    stages[_BIASED] = None if hides else biased
    masked, condition = biased, None
    if hides:
        condition = _condition(edit, mask, f"{base}_seen")
        masked = masked_value(edit, condition, biased, f"{base}_masked")
    shares = edit.node("Softmax", [masked], {"axis": len(shape) - 1}, base=f"{base}_shares", shape=shape)
    if condition is not None:
        shares = _without_empty_rows(edit, shares, mask, condition, base)
    stages[_SHARES] = shares
    return shares, stages


def _condition(edit: Edit, mask: _Mask, base: str) -> ir.Value:
    """All conditions in one."""
    parts = list(mask.conditions)
    if not mask.constant.all() or not parts:
        parts.append(edit.constant(mask.constant, f"{base}_constant"))
    found = parts[0]
    for index, part in enumerate(parts[1:]):
        shape = tuple(np.broadcast_shapes(shape_of(found), shape_of(part)))
        found = edit.node("And", [found, part], base=f"{base}_{index}", shape=shape, dtype=ir.DataType.BOOL)
    return found


def _without_empty_rows(edit: Edit, shares: ir.Value, mask: _Mask, condition: ir.Value, base: str) -> ir.Value:
    """A query that sees no key gets zeros. Of a constant mask it is known which; else all that is masked is zero."""
    shape = shape_of(shares)
    if mask.conditions:
        zero = edit.constant(np.array(0, np.float32), f"{base}_zero")
        return edit.node(
            "Where", [condition, shares, zero], base=f"{base}_shares_seen", shape=shape, dtype=shares.dtype
        )
    some = mask.constant.any(axis=-1, keepdims=True)
    if some.all():
        return shares
    factor = edit.constant(np.asarray(some, np.float32), f"{base}_some")
    return edit.node("Mul", [shares, factor], base=f"{base}_shares_seen", shape=shape)


def _stage(node: ir.Node, stages: dict[int, ir.Value | None]) -> ir.Value | None:
    """What the fourth result shows."""
    return stages[integer(node, "qk_matmul_output_mode", 0)]


def write_out_rotary(node: ir.Node, edit: Edit) -> str | None:
    """RotaryEmbedding becomes products with cosines and sines, and their sums."""
    x, result, base = required(node, 0), node.outputs[0], name_of(node.outputs[0])
    caches = [required(node, index) for index in (1, 2)]
    if any(value.dtype != ir.DataType.FLOAT for value in (x, *caches)):
        return "not float"
    shape, heads = shape_of(x), integer(node, "num_heads", 0)
    behind = len(shape) == _SEQUENCE_RANK
    value = edit.reshape(x, (*shape[:2], heads, shape[2] // heads), base=f"{base}_heads") if behind else x
    split = shape_of(value)
    width = integer(node, "rotary_embedding_dim", 0) or split[-1]
    rotated = value if width == split[-1] else cut(edit, value, 3, (0, width), f"{base}_rotated")
    known = all(edit.array(cache) is not None for cache in caches)
    found = _turned_whole(node, edit, rotated, behind) if known else _turned_halves(node, edit, rotated, behind)
    if width != split[-1]:
        rest = cut(edit, value, 3, (width, split[-1]), f"{base}_rest")
        found = edit.node("Concat", [found, rest], {"axis": 3}, base=f"{base}_whole", shape=split)
    edit.supersede(result, edit.reshape(found, shape, base=f"{base}_joined") if behind else found)
    return None


def _turned_whole(node: ir.Node, edit: Edit, x: ir.Value, behind: bool) -> ir.Value:
    """x · cosines + x with its pairs exchanged · sines, the first of a pair negative: caches are constant."""
    base, width = name_of(node.outputs[0]), shape_of(x)[-1]
    interleaved = bool(integer(node, "interleaved", 0))
    factors = []
    for index, sign in ((1, 1), (2, -1)):
        cache = np.asarray(edit.array(required(node, index)))
        parts = (cache * np.float32(sign), cache)
        table = np.stack(parts, -1).reshape(*cache.shape[:-1], width) if interleaved else np.concatenate(parts, -1)
        label = f"{base}_{'cosines' if index == 1 else 'sines'}"
        factors.append(_angles(node, edit, edit.constant(table, label), behind, label))
    if interleaved:
        exchanged = taken(edit, x, 3, np.arange(width) ^ 1, f"{base}_exchanged")
    else:
        halves = [
            cut(edit, x, 3, bounds, f"{base}_half_{bounds[0]}") for bounds in ((width // 2, width), (0, width // 2))
        ]
        exchanged = edit.node("Concat", halves, {"axis": 3}, base=f"{base}_exchanged", shape=shape_of(x))
    along, across = (
        edit.node("Mul", [part, factor], base=f"{base}_{label}", shape=shape_of(x))
        for part, factor, label in zip((x, exchanged), factors, ("along", "across"), strict=True)
    )
    return edit.node("Add", [along, across], base=f"{base}_turned", shape=shape_of(x))


def _turned_halves(node: ir.Node, edit: Edit, x: ir.Value, behind: bool) -> ir.Value:
    """Both of each pair apart: caches are computed, and have no sines with a sign."""
    base, shape = name_of(node.outputs[0]), shape_of(x)
    half = (*shape[:-1], shape[-1] // 2)
    interleaved = bool(integer(node, "interleaved", 0))
    if interleaved:
        pairs = edit.reshape(x, (*half, 2), base=f"{base}_pairs")
        parts = [
            edit.reshape(cut(edit, pairs, 4, (at, at + 1), f"{base}_part_{at}"), half, base=f"{base}_half_{at}")
            for at in (0, 1)
        ]
    else:
        parts = [cut(edit, x, 3, (at, at + half[-1]), f"{base}_half_{at}") for at in (0, half[-1])]
    cosines, sines = (
        _angles(node, edit, required(node, index), behind, f"{base}_{label}")
        for index, label in ((1, "cosines"), (2, "sines"))
    )
    both = []
    for at, op_type in ((0, "Sub"), (1, "Add")):
        along, across = (
            edit.node("Mul", [part, factor], base=f"{base}_{label}_{at}", shape=half)
            for part, factor, label in ((parts[at], cosines, "along"), (parts[1 - at], sines, "across"))
        )
        value = edit.node(op_type, [along, across], base=f"{base}_turned_{at}", shape=half)
        both.append(edit.reshape(value, (*half, 1), base=f"{base}_single_{at}") if interleaved else value)
    joined = (*half, 2) if interleaved else shape
    found = edit.node("Concat", both, {"axis": len(joined) - 1}, base=f"{base}_both", shape=joined)
    return edit.reshape(found, shape, base=f"{base}_order") if interleaved else found


def _angles(node: ir.Node, edit: Edit, table: ir.Value, behind: bool, base: str) -> ir.Value:
    """Rows of cosines or sines by position: [batch, 1, length, width], or [batch, length, 1, width] of 3 axes."""
    places = operand(node, 3)
    rows, chosen = edit.array(table), edit.array(places)
    if places is not None and rows is not None and chosen is not None:
        table = edit.constant(rows[chosen], f"{base}_chosen")
    elif places is not None:
        shape = (*shape_of(places), shape_of(table)[-1])
        table = edit.node("Gather", [table, places], {"axis": 0}, base=f"{base}_chosen", shape=shape)
    batch, length, width = shape_of(table)
    target = (batch, length, 1, width) if behind else (batch, 1, length, width)
    array = edit.array(table)
    if array is not None:
        return edit.constant(array.reshape(target), f"{base}_rows")
    return edit.reshape(table, target, base=f"{base}_rows")


def share_repeated_matrices(node: ir.Node, edit: Edit) -> str | None:
    """Matrices that heads share, repeated head by head, are multiplied once by the rows of all these heads together."""
    a, b = required(node, 0), required(node, 1)
    chain, value = [b], b
    turn = made_by(value, "Transpose")
    if turn is not None:
        rank = len(shape_of(b))
        if ints(turn, "perm", ()) != (*range(rank - 2), rank - 1, rank - 2):
            return "its matrices are turned otherwise"
        value = required(turn, 0)
        chain.append(value)
    merge = made_by(value, "Reshape")
    repeat = made_by(None if merge is None else required(merge, 0), "Concat")
    if merge is None or repeat is None or len({id(item) for item in repeat.inputs}) != 1:
        return "no matrices that are repeated"
    chain.append(repeat.outputs[0])
    one, whole, merged = required(repeat, 0), shape_of(repeat.outputs[0]), shape_of(value)
    copies, axis = len(repeat.inputs), integer(repeat, "axis", 0) % len(whole)
    if axis != len(whole) - 3 or shape_of(one)[axis] != 1 or axis < 1:
        return "they are not repeated head by head"
    front, heads, (rows, columns) = whole[: axis - 1], whole[axis - 1], whole[-2:]
    if merged != (*front, heads * copies, rows, columns) or shape_of(a)[:-2] != merged[:-2]:
        return "the repeated heads are no axis of their own"
    if any(each in edit.params for each in chain):
        return "the repeated matrices are rounded"
    result, (count, depth) = node.outputs[0], shape_of(a)[-2:]
    base = name_of(result)
    shared = edit.reshape(one, (*front, heads, rows, columns), base=f"{base}_shared")
    if turn is not None:
        shared = edit.transpose(shared, ints(turn, "perm", ()), base=f"{base}_shared_turned")
    wide = edit.reshape(a, (*front, heads, copies * count, depth), base=f"{base}_rows")
    shape = (*front, heads, copies * count, shape_of(result)[-1])
    inner = edit.node("MatMul", [wide, shared], base=f"{base}_inner", shape=shape)
    edit.hand_over(node, inner, edit.reshape(inner, shape_of(result), base=f"{base}_heads"))
    return None


RULES = (
    Rule("share_repeated_matrices", ("MatMul",), share_repeated_matrices),
    Rule("write_out_attention", ("Attention",), write_out_attention),
    Rule("write_out_rotary", ("RotaryEmbedding",), write_out_rotary),
)
