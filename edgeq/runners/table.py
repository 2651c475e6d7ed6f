"""The tables of runners and flashers; the only place that lists them, and what each runner can.

A new one is a file with a ``RUNNER`` or ``FLASHER`` object, and a line here.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Final, TypeVar, cast

from edgeq.errors import unknown_name
from edgeq.runners.base import Flasher, Runner


@dataclass(frozen=True)
class RunnerEntry:
    """One line of the table of runners.

    Attributes:
        name: what users write after ``--on``.
        module: the file, imported when it is used.
        description: one line for people.
        image: the kind of file that it executes.
        steps_image: the kind of file that gives every step's results, where that is another one.
        rows_image: the kind of file that also gives the rows inside steps that run in bands.
        backend: whose files it executes; None: those of the folder's own program.
        counts: it counts instructions.
        in_processes: each run is a process of its own, so that several may go on at once in threads of this one.
        place: what it runs the image on, in words; None: the emulator that the board names.
        states: it resets the states of a model before each sequence.
    """

    name: str
    module: str
    description: str
    image: str
    steps_image: str | None = None
    rows_image: str | None = None
    backend: str | None = None
    counts: bool = False
    in_processes: bool = False
    place: str | None = "this computer"
    states: bool = False


@dataclass(frozen=True)
class FlasherEntry:
    """One line of the table of flashers: what users write after ``--with``, the file, one line for people."""

    name: str
    module: str
    description: str


_Entry = TypeVar("_Entry", RunnerEntry, FlasherEntry)

RUNNERS: Final = (
    RunnerEntry(
        "native",
        "edgeq.runners.native",
        "the model as a program of this computer",
        image="native",
        rows_image="native-rows",
        in_processes=True,
        states=True,
    ),
    RunnerEntry(
        "qemu",
        "edgeq.runners.qemu",
        "the image on an emulated board, instructions counted",
        image="emulated",
        rows_image="emulated-rows",
        place=None,
        counts=True,
        in_processes=True,
        states=True,
    ),
    RunnerEntry(
        "tflite",
        "edgeq.runners.tflite",
        "the TFLite file with LiteRT's reference kernels",
        image="tflite",
        backend="tflite",
        place="this computer, by LiteRT",
    ),
    RunnerEntry(
        "tvm",
        "edgeq.runners.tvm",
        "TVM's module on this computer",
        image="tvm",
        steps_image="tvm-debug",
        backend="tvm",
        place="this computer, by TVM",
    ),
    RunnerEntry(
        "tvm-qemu",
        "edgeq.runners.qemu",
        "the image of TVM's objects on an emulated board, likewise",
        image="tvm-emulated",
        backend="tvm",
        place=None,
        counts=True,
        in_processes=True,
    ),
)

FLASHERS: Final = (
    FlasherEntry("drive", "edgeq.runners.drive", "copies the image to the board's USB drive"),
    FlasherEntry("gdb", "edgeq.runners.gdb", "loads through a GDB server, also QEMU's"),
    FlasherEntry("openocd", "edgeq.runners.openocd", "OpenOCD and a debug probe"),
    FlasherEntry("pyocd", "edgeq.runners.pyocd", "pyOCD and a CMSIS-DAP, ST-Link or J-Link probe"),
)


def runner_entry(name: str) -> RunnerEntry:
    """The runner's line in the table.

    Raises:
        EdgeqError: EQ0170, there is none.
    """
    return _entry("runner", RUNNERS, name)


def load_runner(name: str) -> Runner:
    """The runner of that name, imported now.

    Raises:
        EdgeqError: EQ0170, there is none.
    """
    return cast(Runner, import_module(runner_entry(name).module).RUNNER)


def load_flasher(name: str) -> Flasher:
    """The flasher of that name, imported now.

    Raises:
        EdgeqError: EQ0170, there is none.
    """
    return cast(Flasher, import_module(_entry("flasher", FLASHERS, name).module).FLASHER)


def _entry(kind: str, table: tuple[_Entry, ...], name: str) -> _Entry:
    for entry in table:
        if entry.name == name:
            return entry
    raise unknown_name("EQ0170", f"there is no {kind} of that name", name, [entry.name for entry in table])
