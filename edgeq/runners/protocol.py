"""The harness's protocol (``boards/common/harness.h``) from the computer's side: commands out, answers in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.runners.base import Array, RunRequest, RunResult, TensorSpec

_STACK: Final = TensorSpec("stack", "uint32", (2,))
_RUN: Final = b"R"
_STEPS: Final = b"V"
_RESET: Final = b"Z"

EXIT_NO_FILE: Final = 96
EXIT_FAULT: Final = 97
EXIT_MEANING: Final = {
    EXIT_NO_FILE: "it cannot open its files",
    EXIT_FAULT: "a fault",
    98: "the input ended inside a message",
    99: "a command that the harness does not know",
}
"""The exit codes of ``harness.h``: an old image under a newer edgeq, as a rule."""
SPARE_BYTES: Final = 64 << 20
"""What files besides the answers may hold: counts of instructions, the talk of a sanitizer."""


@dataclass(frozen=True)
class _Part:
    """One tensor of the answer, and what it belongs to."""

    tensor: TensorSpec
    sample: int
    step: int | None  # None: an output


def write_commands(file: BinaryIO, request: RunRequest) -> None:
    """Write all commands of a request, the question for the stack and the exit included.

    All samples run step by step first, where steps are asked for, so that a fault is known by its step.

    Raises:
        ValueError: a sample does not have the sizes of the image's inputs.
    """
    spec = request.spec
    for index, sample in enumerate(request.inputs):
        if len(sample) != len(spec.inputs):
            raise ValueError(f"sample {index} has {len(sample)} arrays, the image takes {len(spec.inputs)}")
    for command, samples in _commands(request):
        if command == _RUN and request.steps:
            file.write(b"P")
        for index in samples:
            if request.length is not None and index % request.length == 0:
                file.write(_RESET)
            file.write(command)
            pairs = zip(request.inputs[index], spec.inputs, strict=True)
            file.writelines(_input_bytes(array, tensor, index) for array, tensor in pairs)
    file.write(b"SQ")


def _input_bytes(array: Array, tensor: TensorSpec, sample: int) -> bytes:
    if array.dtype.newbyteorder(tensor.byte_order) != tensor.numpy_dtype or array.nbytes != tensor.nbytes:
        raise ValueError(
            f"sample {sample}: {tensor.name} is {array.dtype} of {array.size} elements, "
            f"the image takes {tensor.dtype} of shape {tensor.shape}"
        )
    return np.asarray(array, dtype=tensor.numpy_dtype).tobytes()


def _commands(request: RunRequest) -> tuple[tuple[bytes, range], ...]:
    """Each command with the samples that it is given for, in order."""
    whole = (_RUN, range(request.whole_runs))
    return ((_STEPS, range(len(request.inputs))), whole) if request.steps else (whole,)


def _parts(request: RunRequest) -> Iterator[_Part]:
    spec = request.spec
    for command, samples in _commands(request):
        for sample in samples:
            if command == _STEPS:
                for step, results in enumerate(spec.steps):
                    rows = [each.part for each in spec.rows[step]] if request.rows else []
                    yield from (_Part(tensor, sample, step) for tensor in (*rows, *results))
            yield from (_Part(tensor, sample, None) for tensor in spec.outputs)


def progress(request: RunRequest, answered: int) -> str:
    """Where an image stopped that had answered so many bytes: ``sample 3, step 7 (conv_7)``."""
    for part in _parts(request):
        if answered < part.tensor.nbytes:
            sample = request.named(part.sample)
            return sample if part.step is None else f"{sample}, step {part.step} ({part.tensor.name})"
        answered -= part.tensor.nbytes
    return "after the last sample"


def answer_bytes(request: RunRequest) -> int:
    """The exact size of the answers to a request."""
    return sum(part.tensor.nbytes for part in _parts(request)) + _STACK.nbytes


def too_much(request: RunRequest, what: str, got: str) -> EdgeqError:
    """The error for an image that answers or prints without end and was stopped."""
    return EdgeqError(
        "EQ0629",
        f"{what} answers or prints without end and was stopped",
        where=request.spec.name,
        got=got,
        allowed=f"{answer_bytes(request)} bytes of answers for {len(request.inputs)} samples",
        hint="the image does not belong to this model: compile again",
    )


def read_answers(path: Path, request: RunRequest) -> RunResult:
    """Cut the file of answers into arrays.

    Raises:
        EdgeqError: EQ0604, the file is not exactly as long as the answers are.
    """
    size = path.stat().st_size if path.exists() else 0
    spec = request.spec
    expected = answer_bytes(request)
    if size != expected:
        raise EdgeqError(
            "EQ0604",
            "the image's answer has the wrong length",
            where=progress(request, size) if size < expected else spec.name,
            got=f"{size} bytes",
            allowed=f"{expected} bytes for {len(request.inputs)} samples",
            hint="the image does not belong to this model: compile again",
        )
    data = path.read_bytes()
    offset = 0

    def take(tensor: TensorSpec) -> Array:
        nonlocal offset
        count = tensor.nbytes // tensor.numpy_dtype.itemsize
        array = tensor.shaped(np.frombuffer(data, tensor.numpy_dtype, count, offset))
        offset += tensor.nbytes
        return array

    outputs: list[list[Array]] = []
    steps: list[list[list[Array]]] = []
    rows: list[list[list[Array]]] = []
    if request.steps:
        for _ in request.inputs:
            steps.append([])
            rows.append([])
            for step, results in enumerate(spec.steps):
                rows[-1].append([take(each.part) for each in spec.rows[step]] if request.rows else [])
                steps[-1].append([take(tensor) for tensor in results])
            outputs.append([take(tensor) for tensor in spec.outputs])
    whole = [[take(tensor) for tensor in spec.outputs] for _ in range(request.whole_runs)]
    used, size = (int(value) for value in take(_STACK))
    known = size > 0
    return RunResult(
        outputs if request.steps else whole,
        steps if request.steps else None,
        rows if request.rows else None,
        whole if request.steps else None,
        stack_bytes=used if known else None,
        stack_size_bytes=size if known else None,
    )
