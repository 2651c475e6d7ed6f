"""The table of runners and flashers; the only place that lists them.

A new one is a file with a ``RUNNER`` or ``FLASHER`` object, and a line here.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Final, Literal, cast

from edgeq.errors import EdgeqError
from edgeq.runners.base import Flasher, Runner


@dataclass(frozen=True)
class Entry:
    """One line of the table.

    Attributes:
        name: what users write after ``--on`` and ``--with``.
        module: the file, imported when it is used.
        does: whether it executes images or writes them into boards.
        description: one line for people.
    """

    name: str
    module: str
    does: Literal["executes", "flashes"]
    description: str


RUNNERS: Final = (
    Entry("drive", "edgeq.runners.drive", "flashes", "copies the image to the board's USB drive"),
    Entry("gdb", "edgeq.runners.gdb", "flashes", "loads through a GDB server, also QEMU's"),
    Entry("native", "edgeq.runners.native", "executes", "the model as a program of this computer"),
    Entry("openocd", "edgeq.runners.openocd", "flashes", "OpenOCD and a debug probe"),
    Entry("pyocd", "edgeq.runners.pyocd", "flashes", "pyOCD and a CMSIS-DAP, ST-Link or J-Link probe"),
    Entry("qemu", "edgeq.runners.qemu", "executes", "the image on an emulated board, instructions counted"),
    Entry("tflite", "edgeq.runners.tflite", "executes", "the TFLite file with LiteRT's reference kernels"),
    Entry("tvm", "edgeq.runners.tvm", "executes", "TVM's module on this computer"),
    Entry("tvm-qemu", "edgeq.runners.qemu", "executes", "the image of TVM's objects on an emulated board, likewise"),
)


def load_runner(name: str) -> Runner:
    """The runner of that name, imported now.

    Raises:
        EdgeqError: EQ0170, there is none.
    """
    return cast(Runner, import_module(_module(name, "executes")).RUNNER)


def load_flasher(name: str) -> Flasher:
    """The flasher of that name, imported now.

    Raises:
        EdgeqError: EQ0170, there is none.
    """
    return cast(Flasher, import_module(_module(name, "flashes")).FLASHER)


def _module(name: str, does: str) -> str:
    for entry in RUNNERS:
        if entry.name == name and entry.does == does:
            return entry.module
    kind = "runner" if does == "executes" else "flasher"
    allowed = ", ".join(entry.name for entry in RUNNERS if entry.does == does)
    raise EdgeqError("EQ0170", f"there is no {kind} of that name", got=name, allowed=allowed)
