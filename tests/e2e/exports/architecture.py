"""What an architecture is to the exporters: a module of PyTorch, its example inputs, and the opsets to export it in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Architecture:
    """A network as people write it.

    Attributes:
        make: the module, with the random weights of torch's seed.
        inputs: the shape of each input with its batch of 1; a leading type (``uint8``, ``int64``) where it is not
            float32, and for integers the bound that they stay below.
        legacy, dynamo: the opset in which each exporter writes it; None where the exporter cannot.
    """

    make: Callable[[], Any]
    inputs: tuple[tuple[Any, ...], ...]
    legacy: int | None = 17
    dynamo: int | None = 18

    @property
    def exports(self) -> dict[str, int]:
        """The opset by exporter."""
        return {name: opset for name in ("legacy", "dynamo") if (opset := getattr(self, name)) is not None}
