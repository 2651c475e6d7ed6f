"""A JSON value that has another shape than it must have is named by its place."""

from __future__ import annotations

import pytest

from edgeq.json_shape import check_shape, mapping_of, natural, positive

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
