"""Two profiles of one model side by side: another compiler option, another version of edgeq, another core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edgeq.analysis.profile import LayerProfile, ProfileResult


@dataclass(frozen=True)
class LayerPair:
    """What the ONNX nodes of one name take in both.

    Attributes:
        name: of the layer.
        before: instructions of the first sample; None: there is no such layer, or nothing was counted.
        after: likewise.
    """

    name: str
    before: int | None
    after: int | None

    @property
    def ratio(self) -> float | None:
        """What is taken after, of what was taken before."""
        return None if not self.before or self.after is None else self.after / self.before


@dataclass(frozen=True)
class ProfileComparison:
    """Two profiles.

    Attributes:
        before: the one that is compared with.
        after: the other.
    """

    before: ProfileResult
    after: ProfileResult

    @property
    def layers(self) -> tuple[LayerPair, ...]:
        """Layers of the second in schedule order, those of the same name together; then what the first has alone."""
        before, after = _by_name(self.before.layers), _by_name(self.after.layers)
        return tuple(LayerPair(name, before.get(name), after.get(name)) for name in {**after, **before})

    def to_json(self) -> dict[str, Any]:
        """Part of the document of ``edgeq profile``."""
        return {
            "board": self.before.board,
            "on": self.before.runner,
            "instructions": self.before.instructions,
            "ram_bytes": self.before.program.arena_bytes,
            "layers": [asdict(pair) for pair in self.layers],
        }


def _by_name(layers: Sequence[LayerProfile]) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    for layer in layers:
        known = found.get(layer.name)
        found[layer.name] = layer.instructions if known is None else known + (layer.instructions or 0)
    return found
