"""The table of backends; the only place that lists them, and what each supports.

A new one is a module with a ``BACKEND`` object, and a line here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Final, cast

from edgeq.errors import EdgeqError, unknown_name

if TYPE_CHECKING:
    from edgeq.backends.base import Backend
    from edgeq.numerics.scaling import Mode


@dataclass(frozen=True)
class Entry:
    """One line of the table.

    Attributes:
        name: what users write after ``--backend``.
        module: the file, imported when it is used.
        title: its name in text.
        description: one line for people.
        extra: the optional part of edgeq that brings what it needs; None: nothing.
        folder: where its files lie in a compiled folder; empty: at the top.
        arithmetics: the arithmetics that its files can have, of which the first is taken where the user asks for
            another; empty: all.
        makes_images: it prints C files, which a compiler makes into images.
        for_this_computer: its C files are also built as a program of this computer.
        states: its programs keep states from one run to the next.
    """

    name: str
    module: str
    title: str
    description: str
    extra: str | None = None
    folder: str = ""
    arithmetics: tuple[Mode, ...] = ()
    makes_images: bool = True
    for_this_computer: bool = False
    states: bool = False

    def arithmetic(self, asked: Mode) -> Mode:
        """The arithmetic of its files where the user asks for one."""
        return asked if not self.arithmetics or asked in self.arithmetics else self.arithmetics[0]

    def load(self) -> Backend:
        """The backend, imported now."""
        return cast("Backend", import_module(self.module).BACKEND)


BACKENDS: Final = (
    Entry(
        "c",
        "edgeq.backends.c.backend",
        "C",
        "C11 sources with fixed-point kernels, and images",
        for_this_computer=True,
        states=True,
    ),
    Entry(
        "tflite",
        "edgeq.backends.tflite.backend",
        "TFLite",
        "a .tflite file, which means TFLite's arithmetic",
        extra="tflite",
        folder="tflite",
        arithmetics=("tflite",),
        makes_images=False,
    ),
    Entry(
        "tvm",
        "edgeq.backends.tvm.backend",
        "TVM",
        "TVM modules for this computer, and images from TVM's objects",
        extra="tvm",
        folder="tvm",
    ),
)


def entries_of(names: Sequence[str]) -> tuple[Entry, ...]:
    """The lines of these backends, those that make images first: the first one's images are the folder's own."""
    found = (entry for entry in BACKENDS if entry.name in names)
    return tuple(sorted(found, key=lambda entry: not entry.makes_images))


def check_states(names: Sequence[str]) -> None:
    """Refuse backends whose programs keep no states from one run to the next.

    Raises:
        EdgeqError: EQ0391 with all of them.
    """
    refused = [entry.title for entry in BACKENDS if entry.name in names and not entry.states]
    if refused:
        raise EdgeqError(
            "EQ0391",
            "a backend cannot run a model with states",
            where="--backend",
            got=", ".join(refused),
            allowed=", ".join(entry.name for entry in BACKENDS if entry.states),
            hint="--no-state leaves states inputs and outputs, which the application hands on itself",
        )


def check_backends(names: Sequence[str]) -> tuple[str, ...]:
    """The names, each once, sorted, if all are backends.

    Raises:
        EdgeqError: EQ0171 with the nearest name.
    """
    known = [entry.name for entry in BACKENDS]
    for name in names:
        if name not in known:
            raise unknown_name("EQ0171", "there is no backend of that name", name, known, where="--backend")
    if not names:
        raise EdgeqError("EQ0171", "no backend is named", where="--backend", allowed=", ".join(known))
    return tuple(sorted(set(names)))
