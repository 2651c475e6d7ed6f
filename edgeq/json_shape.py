"""The shape of a JSON value that comes from a file: keys, types and ranges, compared before anything reads it.

A shape is a type (``int`` never means a truth value), a list of one shape, a dict of shapes by key (further keys are
free), a tuple of alternatives, or a function that answers whether a value will do.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any, TypeAlias

Shape: TypeAlias = "type | list[Any] | dict[str, Any] | tuple[Any, ...] | Callable[[Any], bool] | None"


def natural(value: object) -> bool:
    """A whole number, 0 or more."""
    return type(value) is int and value >= 0


def positive(value: object) -> bool:
    """A finite number above 0."""
    return type(value) in {int, float} and isfinite(value) and value > 0  # type: ignore[arg-type,operator]


def mapping_of(shape: Shape) -> Callable[[object], bool]:
    """A dict with any keys whose values have a shape."""

    def fits(value: object) -> bool:
        return isinstance(value, dict) and all(_fault(item, shape, "") is None for item in value.values())

    return fits


def check_shape(value: object, shape: Shape) -> None:
    """Compare a JSON value with its shape.

    Raises:
        TypeError: the first place where it differs, ``steps[3].macs has another type``.
    """
    fault = _fault(value, shape, "")
    if fault is not None:
        raise TypeError(fault)


def _fault(value: object, shape: Shape, place: str) -> str | None:
    where = place or "the document"
    if isinstance(shape, tuple):
        return None if any(_fault(value, other, place) is None for other in shape) else f"{where} has another type"
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return f"{where} is no object"
        for key, inner in shape.items():
            if key not in value:
                return f"{place}{'.' if place else ''}{key} is missing"
            fault = _fault(value[key], inner, f"{place}{'.' if place else ''}{key}")
            if fault is not None:
                return fault
        return None
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f"{where} is no list"
        faults = (_fault(item, shape[0], f"{place}[{number}]") for number, item in enumerate(value))
        return next((fault for fault in faults if fault is not None), None)
    if shape is None:
        fits = value is None
    elif isinstance(shape, type):
        fits = isinstance(value, shape) and (shape is bool or not isinstance(value, bool))
    else:
        fits = shape(value)
    return None if fits else f"{where} has another type, or is out of range"
