"""A JSON value that has another shape than it must have is named by its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from edgeq.json_shape import Natural, Positive, check_shape, mapping_of, natural, positive, read_as

SHAPE = {
    "name": str,
    "size": natural,
    "scale": positive,
    "parts": [{"bytes": (natural, None)}],
    "images": mapping_of(str),
}
SOUND = {
    "name": "x",
    "size": 3,
    "scale": 0.5,
    "parts": [{"bytes": 1}, {"bytes": None}],
    "images": {"a": "b"},
    "more": 1,
}


def test_what_fits_passes() -> None:
    check_shape(SOUND, SHAPE)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"name": 1}, "name has"),
        ({"size": -1}, "size has"),
        ({"size": True}, "size has"),
        ({"size": 1.0}, "size has"),
        ({"scale": float("nan")}, "scale has"),
        ({"scale": 0}, "scale has"),
        ({"parts": [{"bytes": 1}, {}]}, r"parts\[1\].bytes is missing"),
        ({"parts": [{"bytes": "1"}]}, r"parts\[0\].bytes has"),
        ({"parts": {}}, "parts is no list"),
        ({"images": {"a": 1}}, "images has"),
        ({"images": []}, "images has"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, object], place: str) -> None:
    with pytest.raises(TypeError, match=place):
        check_shape(SOUND | change, SHAPE)
    with pytest.raises(TypeError, match="the document is no object"):
        check_shape([], SHAPE)


@dataclass(frozen=True)
class Part:
    """An inner object."""

    bytes: Natural | None


@dataclass(frozen=True)
class Whole:
    """A field of every kind."""

    name: str
    size: Natural
    scale: Positive
    parts: tuple[Part, ...]
    images: Mapping[str, str]
    mode: Literal["fast", "small"]
    big: bool
    any: Any


WHOLE = SOUND | {"mode": "fast", "big": True, "any": [1, None]}


def test_what_fits_a_dataclass_is_read() -> None:
    found = read_as(Whole, WHOLE)
    assert found == Whole("x", 3, 0.5, (Part(1), Part(None)), {"a": "b"}, "fast", True, [1, None])


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"name": 1}, "name has another type"),
        ({"size": -1}, "size is out of range"),
        ({"size": True}, "size has another type"),
        ({"size": 1.0}, "size has another type"),
        ({"scale": float("inf")}, "scale is out of range"),
        ({"scale": "1"}, "scale has another type"),
        ({"parts": [{"bytes": 1}, {}]}, r"parts\[1\].bytes is missing"),
        ({"parts": [{"bytes": "1"}]}, r"parts\[0\].bytes has another type"),
        ({"parts": [None]}, r"parts\[0\] is no object"),
        ({"parts": {}}, "parts is no list"),
        ({"images": {"a": 1}}, "images.a has another type"),
        ({"images": []}, "images is no object"),
        ({"mode": "other"}, "mode has another value"),
        ({"mode": ["fast"]}, "mode has another value"),
        ({"big": 1}, "big has another type"),
    ],
)
def test_what_does_not_fit_a_dataclass_is_named(change: dict[str, object], fault: str) -> None:
    with pytest.raises(TypeError, match=fault):
        read_as(Whole, WHOLE | change)
    with pytest.raises(TypeError, match="the document is no object"):
        read_as(Whole, [])
