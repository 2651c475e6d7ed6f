"""What users give, in Python or on the command line: taken in every form that is allowed, and checked.

Arguments are checked before anything heavy is imported, all of them, so that a typing error costs no waiting.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from edgeq.errors import EdgeqError, Problem
from edgeq.files import open_regular, reason_of

if TYPE_CHECKING:
    from edgeq.ir import State
    from edgeq.numerics.array import Array
    from edgeq.sources import DataSource, ModelSource

OPTIMIZE: Final = ("balanced", "ram", "size", "speed")
"""What compilers of C are asked for."""
_BLOCK_BYTES: Final = 1 << 20
# Files beyond this are refused by the reader whatever they hold.
_SCANNED_BYTES: Final = 1 << 31
# A part of the name of every operator that makes a model a quantized one.
_QUANTIZED: Final = (b"uantizeLinear", b"QLinear", b"QGemm", b"Integer", b"DynamicQuantizeMatMul")
_LONGEST_WORD: Final = 32
# The name of samples that are given without one.
_X: Final = "x"


def check_arguments(*checks: Callable[[], object]) -> None:
    """Make every check, and report all that fail at once.

    Raises:
        EdgeqError: what the checks raise, together.
    """
    problems: list[Problem] = []
    for check in checks:
        try:
            check()
        except EdgeqError as error:
            problems += error.problems
    if problems:
        raise EdgeqError.of(problems)


def model_source(model: object) -> ModelSource:
    """A model that is given as a path, as bytes, or as an ``onnx.ModelProto`` with its weights inside.

    Raises:
        EdgeqError: EQ0193 it is none of these; EQ0202 it is too large.
    """
    if isinstance(model, (str, os.PathLike)):
        return Path(model)
    if isinstance(model, (bytes, bytearray, memoryview)):
        return bytes(model)
    serialize = getattr(model, "SerializeToString", None)
    if not callable(serialize):
        raise _unknown("model", model, "a path, bytes, or an onnx.ModelProto")
    try:
        return bytes(serialize(deterministic=True))
    except ValueError as error:  # protobuf has messages of at most 2 GiB
        raise EdgeqError("EQ0202", "the model is too large", where="model", got=reason_of(error)) from error


def data_source(data: object) -> DataSource:
    """Data that is given as a path, an array, arrays by name, or an iterable of samples.

    An array, and each array by name, has the samples on axis 0. A sample is an array, or arrays by name; samples are
    read to the end and kept in memory.

    Raises:
        EdgeqError: EQ0193 it is none of these, or the samples differ in names or shapes; EQ0244 to EQ0246 it never
            ends, or is larger than the budget allows.
    """
    if isinstance(data, (str, os.PathLike)):
        return Path(data)
    if isinstance(data, Mapping):
        return {str(name): _array(value, f"data: {name}") for name, value in data.items()}
    if hasattr(data, "__array__"):
        return {_X: _array(data, "data")}
    if isinstance(data, bytes) or not isinstance(data, Iterable):
        raise _unknown("data", data, "a path, an array, a dict of arrays, or an iterable of samples")
    return _stacked(data)


def _stacked(samples: Iterable[object]) -> DataSource:
    import numpy as np

    from edgeq import budget

    columns: dict[str, list[Array]] = {}
    for number, sample in enumerate(samples):
        where = f"data: sample {number}"
        named = sample if isinstance(sample, Mapping) else {_X: sample}
        arrays = {str(name): _array(value, where) for name, value in named.items()}
        if number and set(arrays) != set(columns):
            raise _uneven(where, ", ".join(sorted(arrays)), ", ".join(sorted(columns)))
        for name, array in arrays.items():
            column = columns.setdefault(name, [])
            if column and array.shape != column[0].shape:
                raise _uneven(f"{where}: {name}", list(array.shape), list(column[0].shape))
            column.append(array)
        budget.take(sum(array.nbytes for array in arrays.values()), "data")
        budget.tick(where)
    return {name: np.stack(column) for name, column in columns.items()}


def _array(value: object, where: str) -> Array:
    import numpy as np

    try:
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        got = reason_of(error)
        raise EdgeqError("EQ0193", "this is no array of numbers", where=where, got=got) from error


def _uneven(where: str, got: object, allowed: object) -> EdgeqError:
    hint = "all samples have one shape, and the same names"
    return EdgeqError("EQ0193", "a sample differs from the first one", where=where, got=got, allowed=allowed, hint=hint)


def _unknown(what: str, value: object, allowed: str) -> EdgeqError:
    return EdgeqError("EQ0193", f"the {what} has another type", where=what, got=type(value).__name__, allowed=allowed)


def state_pairs(states: object) -> tuple[State, ...]:
    """States that are given as ``{output: input}``, or as pairs of an output and an input.

    Raises:
        EdgeqError: EQ0193 they are neither.
    """
    from edgeq.ir import State

    if isinstance(states, Iterable) and not isinstance(states, (str, bytes)):
        pairs = [tuple(pair) for pair in (states.items() if isinstance(states, Mapping) else states)]
        if all(len(pair) == 2 and all(isinstance(name, str) for name in pair) for pair in pairs):
            return tuple(State(name, output) for output, name in pairs)
    raise _unknown("states", states, "a dict of inputs by output, or pairs (output, input)")


def means_folder(model: object, board: str | None) -> bool:
    """Whether a compiled folder is named, not a model: it is one, or nothing is there and no board is named."""
    if not isinstance(model, (str, os.PathLike)):
        return False
    path = Path(model)
    return path.is_dir() or (board is None and not path.exists())


def kernel_pairs(kernels: object) -> tuple[tuple[str, str], ...]:
    """Kernels that are given as ``{node: kernel}``, or as pairs of a node and a kernel.

    Raises:
        EdgeqError: EQ0193 they are neither.
    """
    if isinstance(kernels, Iterable) and not isinstance(kernels, (str, bytes)):
        pairs = [tuple(pair) for pair in (kernels.items() if isinstance(kernels, Mapping) else kernels)]
        if all(len(pair) == 2 and all(isinstance(name, str) for name in pair) for pair in pairs):
            return tuple((node, kernel) for node, kernel in pairs)
    raise _unknown("kernel", kernels, "a dict of kernels by node, or pairs (node, kernel)")


def place_pairs(places: object) -> tuple[tuple[str, str], ...]:
    """Memories that are given as ``{tensor: memory}``, or as pairs of a tensor and a memory.

    Raises:
        EdgeqError: EQ0193 they are neither.
    """
    pairs = _pairs(places)
    if pairs is None or not all(isinstance(name, str) and isinstance(memory, str) for name, memory in pairs):
        raise _unknown("place", places, "a dict of memories by tensor, or pairs (tensor, memory)")
    return tuple((str(name), str(memory)) for name, memory in pairs)


def memory_pairs(limits: object) -> tuple[tuple[str, int], ...]:
    """Bounds of memories that are given as ``{memory: bytes}``, or as pairs of a memory and bytes.

    Raises:
        EdgeqError: EQ0193 they are neither, or a bound is no number of bytes.
    """
    pairs = _pairs(limits)
    if pairs is None or not all(isinstance(name, str) and type(size) is int and size >= 0 for name, size in pairs):
        raise _unknown("memory", limits, "a dict of bytes by memory, or pairs (memory, bytes)")
    return tuple((str(name), int(str(size))) for name, size in pairs)


def _pairs(given: object) -> list[tuple[object, object]] | None:
    """What is given as a mapping or as pairs; None where it is neither."""
    if not isinstance(given, Iterable) or isinstance(given, (str, bytes)):
        return None
    pairs = [tuple(pair) for pair in (given.items() if isinstance(given, Mapping) else given)]
    return [(pair[0], pair[1]) for pair in pairs] if all(len(pair) == 2 for pair in pairs) else None


def check_choice(what: str, value: object, allowed: Sequence[str], code: str = "EQ0193") -> None:
    """Refuse a word that is no choice of an option.

    Raises:
        EdgeqError: `code`.
    """
    if value not in allowed:
        raise EdgeqError(code, f"there is no such {what}", where=what, got=value, allowed=", ".join(allowed))


def check_bytes(where: str, budget: int | None) -> None:
    """Refuse a budget of bytes that is none.

    Raises:
        EdgeqError: EQ0193.
    """
    if budget is not None and (type(budget) is not int or budget < 0):
        raise EdgeqError("EQ0193", "a budget of bytes is no number", where=where, got=budget, allowed="0 or more")


def check_dims(dims: Mapping[str, int]) -> None:
    """Refuse sizes of dimensions that are none.

    Raises:
        EdgeqError: EQ0193.
    """
    for name, size in dims.items():
        if type(size) is not int or size < 1:
            raise EdgeqError(
                "EQ0193", "a dimension has no usable size", where=f"dims: {name}", got=size, allowed="1 or more"
            )


def check_axes(axes: Mapping[str, int]) -> None:
    """Refuse axes that are none.

    Raises:
        EdgeqError: EQ0193.
    """
    for name, axis in axes.items():
        if type(axis) is not int:
            raise EdgeqError("EQ0193", "an axis is no number", where=f"axes: {name}", got=axis, allowed="an integer")


def check_hop(hop: int | None) -> None:
    """Refuse a number of frames that is none.

    Raises:
        EdgeqError: EQ0193.
    """
    if hop is not None and (type(hop) is not int or hop < 1):
        raise EdgeqError("EQ0193", "a step takes no such number of frames", where="hop", got=hop, allowed="1 or more")


def check_model(model: ModelSource) -> None:
    """Refuse a model file that cannot be opened.

    Raises:
        EdgeqError: EQ0201.
    """
    if isinstance(model, Path):
        _check_file(model, "EQ0201", "the model file cannot be read", "an .onnx file")


def check_data(data: DataSource | None) -> None:
    """Refuse a data file that cannot be opened; no data is fine.

    Raises:
        EdgeqError: EQ0110.
    """
    if isinstance(data, Path):
        _check_file(data, "EQ0110", "the data file cannot be read", "a .npz file of numpy arrays")


def check_calibration(path: Path | None) -> None:
    """Refuse a saved calibration that cannot be opened; none is fine.

    Raises:
        EdgeqError: EQ0269.
    """
    if path is not None:
        what = "the saved calibration cannot be read"
        _check_file(path, "EQ0269", what, "a file that --save-calibration wrote")


def check_data_given(model: ModelSource, data: DataSource | None) -> None:
    """Refuse a float model without calibration data, before the compiler is imported.

    A model without any of the words that quantized models are made of is read, which says whether it is a model at all.

    Raises:
        EdgeqError: EQ0106; what reading the model raises.
    """
    if data is not None:
        return
    try:
        with BytesIO(model) if isinstance(model, bytes) else open_regular(model) as file:
            if _is_perhaps_quantized(file):
                return
    except (OSError, ValueError):
        return  # check_model says why
    from edgeq.onnxio import read_model
    from edgeq.sources import shown

    read_model(model)
    raise EdgeqError(
        "EQ0106",
        "a float model needs calibration data",
        where=shown(model),
        hint="pass --data CALIB.npz with a few hundred typical inputs under the key x",
    )


def _is_perhaps_quantized(file: BinaryIO) -> bool:
    if file.seek(0, os.SEEK_END) > _SCANNED_BYTES:
        return True
    file.seek(0)
    before = b""
    while block := file.read(_BLOCK_BYTES):
        if any(word in before + block for word in _QUANTIZED):
            return True
        before = block[-_LONGEST_WORD:]
    return False


def check_board(name: str) -> None:
    """Refuse a board that does not exist or whose file is wrong.

    Raises:
        EdgeqError: EQ0180 to EQ0186.
    """
    from edgeq.target import load_board

    load_board(name)


def _check_file(path: Path, code: str, what: str, allowed: str) -> None:
    try:
        open_regular(path).close()
    except (OSError, ValueError) as error:
        raise EdgeqError(code, what, where=str(path), got=reason_of(error), allowed=allowed) from error
