"""What is asked of a runner or a flasher, and what it answers.

These types know nothing of graphs and manifests: whoever holds a compiled folder fills in an :class:`ImageSpec`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, Protocol

import numpy as np
import numpy.typing as npt

from edgeq.errors import EdgeqError
from edgeq.target import Board

Array = npt.NDArray[np.generic]

CLASSES: Final = ("load", "store", "mac", "alu", "branch", "vector", "other")
"""The classes of instructions, in the order of :attr:`Counts.by_class`; ``runners/plugin/classes.h`` defines them."""


@dataclass(frozen=True)
class TensorSpec:
    """A tensor as it lies in the arena: C order, without padding.

    Attributes:
        name: the tensor's name in the integer graph.
        dtype: numpy's name of the element type, ``int8``.
        shape: the extents; ``()`` is a scalar.
        byte_order: numpy's letter for that of the image; all processors that edgeq links for are little endian.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    byte_order: Literal["<", ">"] = "<"

    @property
    def numpy_dtype(self) -> np.dtype[np.generic]:
        """The element type in the image's byte order, on every host."""
        return np.dtype(self.dtype).newbyteorder(self.byte_order)

    def shaped(self, array: Array) -> Array:
        """The array in the tensor's shape and in this computer's form of its type."""
        return np.asarray(array).reshape(self.shape).astype(self.dtype, copy=False)

    @property
    def nbytes(self) -> int:
        """The size in bytes."""
        count = 1
        for extent in self.shape:
            count *= extent
        return count * self.numpy_dtype.itemsize


@dataclass(frozen=True)
class RowsSpec:
    """Rows of a tensor that one call gives, inside a step of several nodes which runs in bands of rows.

    Attributes:
        tensor: the whole tensor, which need not exist as such.
        axis: along which its rows lie; the extents before it are 1.
        band: the number of the band.
        first: the first row.
        end: the row behind the last one.
    """

    tensor: TensorSpec
    axis: int
    band: int
    first: int
    end: int

    @property
    def part(self) -> TensorSpec:
        """The rows as a tensor of their own."""
        shape = list(self.tensor.shape)
        shape[self.axis] = self.end - self.first
        return replace(self.tensor, shape=tuple(shape))

    def of(self, whole: Array) -> Array:
        """These rows of the whole tensor."""
        return whole[(slice(None),) * self.axis + (slice(self.first, self.end),)]


@dataclass(frozen=True)
class ImageSpec:
    """One model's image, and the tensors that its harness exchanges.

    Attributes:
        name: the model's name: the image holds ``NAME_run`` and ``NAME_step_0`` …
        inputs: the model's inputs in the harness's order.
        outputs: its outputs likewise.
        steps: for each step its results, in the order in which the harness answers them.
        image: the file that the runner executes or loads; None: there is none.
        steps_image: the file that gives every step's results, where that is another one.
        rows: for each step, what its calls give where it runs in bands of rows, in the order in which it is answered.
        rows_image: the file that answers these rows, too; None: there is none.
        machine: QEMU's machine for it, or None.
        machine_args: further arguments for QEMU.
        user_mode: the image is a program of another Linux, for QEMU's user mode.
        macs: multiply-accumulates of one run, which scale the time limit; 0 when unknown.
    """

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    steps: tuple[tuple[TensorSpec, ...], ...] = ()
    image: Path | None = None
    steps_image: Path | None = None
    rows: tuple[tuple[RowsSpec, ...], ...] = ()
    rows_image: Path | None = None
    machine: str | None = None
    machine_args: tuple[str, ...] = ()
    user_mode: bool = False
    macs: int = 0


@dataclass(frozen=True)
class RunRequest:
    """Many runs of one image, in one boot.

    With `steps` the image runs every sample step by step, and the first sample once more as a whole, in an arena that
    has been painted before: ``NAME_run`` is the loop over the steps, so one run shows that it calls all of them. Of a
    model with states it is the first sequence that runs once more.

    Attributes:
        spec: the image.
        inputs: per sample one array per model input, with the bytes of its :class:`TensorSpec`.
        steps: answer every step's results too, copied out before the next step.
        rows: with steps, of an image that answers the rows of bands: nothing runs as a whole.
        count: also count instructions, where the runner can.
        timeout_seconds: the limit for all runs together; None derives it from the work.
        first_sample: what messages call the first sample, where these are a part of more.
        length: of a model with states, how many samples in a row are the time steps of one sequence, before which the
            states are reset; None: there are no states.
    """

    spec: ImageSpec
    inputs: Sequence[Sequence[Array]]
    steps: bool = False
    rows: bool = False
    count: bool = False
    timeout_seconds: float | None = None
    first_sample: int = 0
    length: int | None = None

    @property
    def whole_runs(self) -> int:
        """How many samples, from the first, run as a whole; a count is defined for a whole run only."""
        if self.rows:
            return 0
        return min(self.length or 1, len(self.inputs)) if self.steps and not self.count else len(self.inputs)

    def named(self, sample: int) -> str:
        """A sample in words: ``sample 3``, ``sequence 3, time step 5``."""
        number = self.first_sample + sample
        if self.length is None:
            return f"sample {number}"
        return f"sequence {number // self.length}, time step {number % self.length}"

    def limit_seconds(self, start_up: float, macs_per_second: float) -> float:
        """The time limit: the given one, or the start-up time and the work at a speed that is surely reached."""
        if self.timeout_seconds is not None:
            return self.timeout_seconds
        runs = self.whole_runs + (len(self.inputs) if self.steps else 0)
        return start_up + runs * (self.spec.macs or _UNKNOWN_MACS) / macs_per_second


_UNKNOWN_MACS: Final = 20_000_000


@dataclass(frozen=True)
class Counts:
    """What was executed.

    Attributes:
        by_class: instructions, in the order of :data:`CLASSES`.
        read_bytes: bytes that they read from memory, in flash and RAM; instructions that are fetched do not count.
        written_bytes: likewise.
    """

    by_class: tuple[int, ...]
    read_bytes: int = 0
    written_bytes: int = 0

    @property
    def total(self) -> int:
        """All instructions."""
        return sum(self.by_class)

    def named(self) -> dict[str, int]:
        """The counts by the class's name."""
        return dict(zip(CLASSES, self.by_class, strict=True))

    def __add__(self, other: Counts) -> Counts:
        """Figure by figure."""
        classes = tuple(a + b for a, b in zip(self.by_class, other.by_class, strict=True))
        return Counts(classes, self.read_bytes + other.read_bytes, self.written_bytes + other.written_bytes)


@dataclass(frozen=True)
class RunCounts:
    """Instructions of one run, from the entry of ``NAME_run`` to its return.

    Attributes:
        before: until the first step.
        steps: from each step's entry to the next step's, or to the end.
    """

    before: Counts
    steps: tuple[Counts, ...]

    @property
    def whole(self) -> Counts:
        """The run by class."""
        return sum(self.steps, self.before)

    @property
    def total(self) -> int:
        """All instructions of the run."""
        return self.whole.total


@dataclass(frozen=True)
class RunResult:
    """What the runs gave.

    Attributes:
        outputs: per sample one read-only array per model output, as it lies in memory when all steps have run.
        steps: per sample, per step, one read-only array per result; None when not asked for.
        rows: per sample, per step, the rows that each call of bands gave; None when not asked for.
        whole: with steps, the outputs of the samples that ran as a whole besides, from the first sample on.
        instructions: per sample; None when not asked for, or when the runner cannot count.
        program_instructions: of everything that the machine executed, start-up and harness included; likewise.
        stack_bytes: the greatest depth of the model's stack; None when the runner cannot tell.
        stack_size_bytes: the stack's reserved size, likewise.
    """

    outputs: list[list[Array]]
    steps: list[list[list[Array]]] | None = None
    rows: list[list[list[Array]]] | None = None
    whole: list[list[Array]] | None = None
    instructions: tuple[RunCounts, ...] | None = None
    program_instructions: int | None = None
    stack_bytes: int | None = None
    stack_size_bytes: int | None = None


class Runner(Protocol):
    """Executes images; what it can stands in :data:`edgeq.runners.table.RUNNERS`."""

    def run(self, request: RunRequest) -> RunResult:
        """Run all samples of the request in one start of the image.

        Raises:
            EdgeqError: EQ052x a tool is missing, EQ060x the image failed.
        """


@dataclass(frozen=True)
class FlashRequest:
    """An image for a board.

    Attributes:
        folder: holds ``image.elf``, and ``image.hex``, ``image.bin``, ``image.uf2`` where the board takes them.
        board: the board.
        drive: where the board's drive is mounted; None looks for the volume's name.
        server: ``HOST:PORT`` of a running GDB server; None: QEMU's where the board has a machine of its own, else
            localhost:3333.
        timeout_seconds: for the whole transfer.
    """

    folder: Path
    board: Board
    drive: Path | None = None
    server: str | None = None
    timeout_seconds: float = 120.0


@dataclass(frozen=True)
class FlashPlan:
    """What a flasher is about to do.

    Attributes:
        command: the command, ready for the shell once quoted.
        image: the file that is written.
        server_command: a second program that has to run meanwhile, or empty.
    """

    command: tuple[str, ...]
    image: Path
    server_command: tuple[str, ...] = ()


@dataclass(frozen=True)
class FlashResult:
    """What a flasher did, or would do.

    Attributes:
        runner: the flasher's name.
        command: the command that was run, or would be.
        image: the file that was written.
        server_command: see :class:`FlashPlan`.
        dry_run: nothing was written.
        verified: the board's contents were read back and compared.
        detail: one line for people.
    """

    runner: str
    command: tuple[str, ...]
    image: Path
    server_command: tuple[str, ...] = ()
    dry_run: bool = False
    verified: bool = False
    detail: str = ""


def missing_image(what: str, where: object, hint: str) -> EdgeqError:
    """The error for an image that is not there."""
    return EdgeqError("EQ0161", f"there is no {what}", where=str(where), hint=hint)


class Flasher(Protocol):
    """Writes images into boards."""

    name: str

    def available(self, request: FlashRequest) -> str | None:
        """None when its tool is here and the board names it, else the reason why not."""

    def plan(self, request: FlashRequest) -> FlashPlan:
        """The command for this image, also where its tool is missing.

        Raises:
            EdgeqError: EQ0161 the image is missing, EQ0612 the board does not name this method.
        """

    def flash(self, request: FlashRequest) -> FlashResult:
        """Write the image and verify it.

        Raises:
            EdgeqError: EQ052x the tool is missing, EQ0601 no probe, EQ06xx the rest.
        """
