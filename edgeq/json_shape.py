"""The shape of a JSON value that comes from a file: keys, types and ranges, compared before anything reads it.

A shape is a type (``int`` never means a truth value), a list of one shape, a dict of shapes by key (further keys are
free), a tuple of alternatives, or a function that answers whether a value will do. :func:`read_as` reads a value into a
dataclass instead, whose annotations are the shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from math import isfinite
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NoReturn, TypeAlias, Union, get_args, get_origin, get_type_hints

Shape: TypeAlias = "type | list[Any] | dict[str, Any] | tuple[Any, ...] | Callable[[Any], bool] | None"


def natural(value: object) -> bool:
    """A whole number, 0 or more."""
    return type(value) is int and value >= 0


def positive(value: object) -> bool:
    """A finite number above 0."""
    return type(value) in {int, float} and isfinite(value) and value > 0  # type: ignore[arg-type,operator]


Natural = Annotated[int, natural]
"""A field that :func:`read_as` lets be 0 or more."""
Positive = Annotated[float, positive]
"""A field that :func:`read_as` lets be a finite number above 0."""


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


def read_as(kind: Any, value: Any, place: str = "") -> Any:  # noqa: ANN401 - a type as annotations write it, any JSON
    """Make what an annotation says of a JSON value: the dataclass is the schema.

    Args:
        kind: a dataclass whose fields are of such kinds in turn (further keys of the object are free), ``str``, ``int``
            (never a truth value), ``float``, ``bool``, ``None``, ``Any``, ``tuple[X, ...]`` for a list,
            ``Mapping[str, X]`` for an object, ``Literal``, ``X | None``, or ``Annotated[X, test]``.
        value: the JSON value.
        place: where it stands in the document, for messages.

    Raises:
        TypeError: the first place where it differs, ``steps[3].macs has another type``.
    """
    where = place or "the document"
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin is Annotated:
        found = read_as(arguments[0], value, place)
        return found if arguments[1](found) else _refuse(f"{where} is out of range")
    if origin in {Union, UnionType}:
        if value is None and NoneType in arguments:
            return None
        return read_as(next(each for each in arguments if each is not NoneType), value, place)
    if origin is Literal:
        return value if value in arguments else _refuse(f"{where} has another value")
    if origin is tuple:
        if not isinstance(value, list):
            _refuse(f"{where} is no list")
        return tuple(read_as(arguments[0], item, f"{place}[{number}]") for number, item in enumerate(value))
    if origin is Mapping or is_dataclass(kind):
        if not isinstance(value, dict):
            _refuse(f"{where} is no object")
        inside = f"{place}." if place else ""
        if origin is Mapping:
            return {key: read_as(arguments[1], item, f"{inside}{key}") for key, item in value.items()}
        kinds = _kinds_of(kind)
        missing = next((name for name in kinds if name not in value), None)
        if missing is not None:
            _refuse(f"{inside}{missing} is missing")
        return kind(**{name: read_as(each, value[name], f"{inside}{name}") for name, each in kinds.items()})
    fits = type(value) in {int, float} if kind is float else type(value) is kind
    return value if fits else _refuse(f"{where} has another type")


@cache
def _kinds_of(kind: Any) -> dict[str, Any]:  # noqa: ANN401 - a dataclass
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in fields(kind)}


def _refuse(fault: str) -> NoReturn:
    raise TypeError(fault)
