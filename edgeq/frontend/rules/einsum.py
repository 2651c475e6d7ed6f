"""Einsum, written with Transpose, Reshape, ReduceSum, Mul and MatMul, two operands at a time from the left."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import Edit, Rule
from edgeq.frontend.facts import Shape, name_of, shape_of, text


@dataclass(frozen=True)
class _Term:
    """A value and the letters of its axes, all different."""

    value: ir.Value
    letters: str

    def sizes(self) -> dict[str, int]:
        return dict(zip(self.letters, shape_of(self.value), strict=True))


def write_out_einsum(node: ir.Node, edit: Edit) -> str | None:
    """Einsum of floats becomes the operators that it stands for."""
    result = node.outputs[0]
    values = [value for value in node.inputs if value is not None]
    if any(value.dtype != ir.DataType.FLOAT for value in values):
        return "not float"
    shapes = [shape_of(value) for value in values]
    terms, wanted = _parsed(text(node, "equation", ""), shapes)
    base = name_of(result)
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        for letter, size in zip(term, shape, strict=True):
            sizes[letter] = max(size, sizes.get(letter, 1))
    parts = [
        _without_ones(edit, _without_repeats(edit, value, term, f"{base}_{index}"), sizes, f"{base}_{index}")
        for index, (value, term) in enumerate(zip(values, terms, strict=True))
    ]
    total = parts[0]
    for index, part in enumerate(parts[1:], start=1):
        needed = wanted + "".join(other.letters for other in parts[index + 1 :])
        total = _product(edit, total, part, needed, f"{base}_{index}")
    ordered = _ordered(edit, _summed(edit, total, wanted, f"{base}_sum"), wanted, f"{base}_order")
    edit.supersede(result, edit.reshape(ordered, shape_of(result), base=f"{base}_reshape"))
    return None


def _parsed(equation: str, shapes: list[Shape]) -> tuple[list[str], str]:
    """The letters of each operand and of the result; those that an ellipsis stands for are letters that are free.

    Raises:
        ValueError: the equation does not fit the operands.
    """
    given, arrow, right = equation.replace(" ", "").partition("->")
    terms = given.split(",")
    free = [letter for letter in string.ascii_letters if letter not in equation]
    hidden = max(
        (len(shape) - len(term) + 3 for term, shape in zip(terms, shapes, strict=True) if "..." in term), default=0
    )
    broadcast = "".join(free[:hidden])
    spelled = []
    for term, shape in zip(terms, shapes, strict=True):
        count = len(shape) - len(term) + 3
        spelled.append(term.replace("...", broadcast[hidden - count :]) if "..." in term else term)
    if not arrow:
        every = "".join(terms).replace(".", "")
        right = "..." * (hidden > 0) + "".join(sorted(letter for letter in set(every) if every.count(letter) == 1))
    return spelled, right.replace("...", broadcast)


def _without_repeats(edit: Edit, value: ir.Value, letters: str, base: str) -> _Term:
    """The diagonal over each pair of axes of the same letter: every n + 1st element of both in one."""
    for letter in dict.fromkeys(letters):
        while letters.count(letter) > 1:
            pair = [axis for axis, other in enumerate(letters) if other == letter][:2]
            rest = [axis for axis in range(len(letters)) if axis not in pair]
            swapped = turned(edit, value, (*rest, *pair), f"{base}_{letter}")
            front, size = shape_of(swapped)[:-2], shape_of(swapped)[-1]
            flat = reshaped(edit, swapped, (*front, size * size), f"{base}_{letter}_flat")
            numbers = (("starts", 0), ("ends", size * size), ("axes", len(front)), ("steps", size + 1))
            operands = [edit.constant(np.array([item], np.int64), f"{base}_{letter}_{name}") for name, item in numbers]
            value = edit.node("Slice", [flat, *operands], base=f"{base}_{letter}_diagonal", shape=(*front, size))
            letters = "".join(letters[axis] for axis in rest) + letter
    return _Term(value, letters)


def _without_ones(edit: Edit, term: _Term, sizes: dict[str, int], base: str) -> _Term:
    """Axes of size 1 that are broadcast go."""
    kept = [letter for letter, size in term.sizes().items() if size == sizes[letter]]
    if len(kept) == len(term.letters):
        return term
    shape = tuple(sizes[letter] for letter in kept)
    return _Term(reshaped(edit, term.value, shape, f"{base}_narrow"), "".join(kept))


def reshaped(edit: Edit, value: ir.Value, shape: Shape, base: str) -> ir.Value:
    """The value in another shape; a constant stays one."""
    if edit.array(value) is not None:
        return edit.reshaped(value, shape, base)
    return value if shape_of(value) == shape else edit.reshape(value, shape, base=base)


def turned(edit: Edit, value: ir.Value, perm: Sequence[int], base: str) -> ir.Value:
    """The value with its axes in another order; a constant stays one."""
    if list(perm) == sorted(perm):
        return value
    return edit.transpose(value, perm, base=base) if edit.array(value) is None else edit.transposed(value, perm, base)


def _ordered(edit: Edit, term: _Term, letters: str, base: str) -> ir.Value:
    """The value with its axes in this order."""
    return turned(edit, term.value, [term.letters.index(letter) for letter in letters], base)


def _summed(edit: Edit, term: _Term, kept: str, base: str) -> _Term:
    """The sum over all axes but those that are kept."""
    axes = [axis for axis, letter in enumerate(term.letters) if letter not in kept]
    if not axes:
        return term
    letters = "".join(letter for letter in term.letters if letter in kept)
    sizes = term.sizes()
    constant = edit.constant(np.array(axes, np.int64), f"{base}_axes")
    attributes = {"keepdims": 0, "noop_with_empty_axes": 0}
    shape = tuple(sizes[letter] for letter in letters)
    return _Term(edit.node("ReduceSum", [term.value, constant], attributes, base=base, shape=shape), letters)


def _product(edit: Edit, left: _Term, right: _Term, needed: str, base: str) -> _Term:
    """Products of two operands, summed over the letters that nothing needs any more."""
    left = _summed(edit, left, needed + right.letters, f"{base}_left_sum")
    right = _summed(edit, right, needed + left.letters, f"{base}_right_sum")
    sizes = left.sizes() | right.sizes()
    both = [letter for letter in left.letters if letter in right.letters]
    batch = "".join(letter for letter in both if letter in needed)
    inner = "".join(letter for letter in both if letter not in needed)
    rows = "".join(letter for letter in left.letters if letter not in both)
    columns = "".join(letter for letter in right.letters if letter not in both)
    varies = edit.array(right.value) is None  # a weight stays the right operand, as layers have it
    if inner and varies and _follows(batch + columns + rows, needed) and not _follows(batch + rows + columns, needed):
        left, right, rows, columns = right, left, columns, rows  # then the product needs no Transpose

    def size(letters: str) -> int:
        return prod(sizes[letter] for letter in letters)

    first = _ordered(edit, left, batch + rows + inner, f"{base}_left")
    second = _ordered(edit, right, batch + inner + columns, f"{base}_right")
    front = tuple(sizes[letter] for letter in batch)
    outer = (*front, size(rows), size(columns))
    first = reshaped(edit, first, (*front, size(rows), size(inner)), f"{base}_left_matrix")
    second = reshaped(edit, second, (*front, size(inner), size(columns)), f"{base}_right_matrix")
    found = edit.node("MatMul" if inner else "Mul", [first, second], base=f"{base}_product", shape=outer)
    letters = batch + rows + columns
    shape = tuple(sizes[letter] for letter in letters)
    return _Term(reshaped(edit, found, shape, f"{base}_axes"), letters)


def _follows(letters: str, order: str) -> bool:
    """Whether letters stand as they first do in ``order``."""
    places = [order.index(letter) for letter in letters]
    return places == sorted(places)


RULES = (Rule("write_out_einsum", ("Einsum",), write_out_einsum),)
