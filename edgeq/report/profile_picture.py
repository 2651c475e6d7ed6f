"""A profile as a picture: the run, its layers in schedule order, and below each its classes of instructions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeq.report.flame import Bar, flame_svg
from edgeq.report.tables import first_of

if TYPE_CHECKING:
    from edgeq.analysis.profile import ProfileResult

_LAYER_COLOURS = 2  # neighbours differ; classes have the other colours


def profile_svg(result: ProfileResult) -> bytes:
    """The picture of a profile whose instructions were counted.

    Args:
        result: with ``instructions``.

    Returns:
        See :func:`edgeq.report.flame.flame_svg`.
    """
    layers = [
        Bar(
            f"{first_of(layer.name)} ({layer.op})",
            layer.instructions or 0,
            [Bar(name, count, (), _LAYER_COLOURS + place) for place, (name, count) in enumerate(layer.classes.items())]
            if layer.classes
            else (),
            number % _LAYER_COLOURS,
        )
        for number, layer in enumerate(result.layers)
    ]
    whole = result.instructions or 0
    return flame_svg(f"{result.board}: {whole:,} instructions", Bar("all", whole, layers), "instructions")
