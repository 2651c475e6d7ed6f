"""The table of backends; the only place that lists them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from edgeq.errors import EdgeqError, did_you_mean


@dataclass(frozen=True)
class Entry:
    """One line of the table.

    Attributes:
        name: what users write after ``--backend``.
        extra: the optional part of edgeq that brings what it needs; None: nothing.
        description: one line for people.
        makes_images: it prints C files, which a compiler makes into images.
    """

    name: str
    extra: str | None
    description: str
    makes_images: bool = True


BACKENDS: Final = (
    Entry("c", None, "C11 sources with fixed-point kernels, and images"),
    Entry("tflite", "tflite", "a .tflite file, which means TFLite's arithmetic", makes_images=False),
    Entry("tvm", "tvm", "TVM modules for this computer, and images from TVM's objects"),
)


def check_backends(names: Sequence[str]) -> tuple[str, ...]:
    """The names, each once, sorted, if all are backends.

    Raises:
        EdgeqError: EQ0171 with the nearest name.
    """
    known = [entry.name for entry in BACKENDS]
    for name in names:
        if name not in known:
            raise EdgeqError(
                "EQ0171",
                "there is no backend of that name",
                where="--backend",
                got=name,
                allowed=", ".join(known),
                hint=did_you_mean(name, known),
            )
    if not names:
        raise EdgeqError("EQ0171", "no backend is named", where="--backend", allowed=", ".join(known))
    return tuple(sorted(set(names)))


def extras_of(names: Sequence[str]) -> tuple[str, ...]:
    """The optional parts that these backends need."""
    return tuple(entry.extra for entry in BACKENDS if entry.name in names and entry.extra is not None)
