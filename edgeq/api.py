"""edgeq in Python: ``compile``, ``quantize``, ``check`` and ``load``; the command line prints what these return.

**Models** are a path, ``bytes``, or an ``onnx.ModelProto`` with its weights inside.

**Data** is a path to an ``.npz`` file, an array, a dict of arrays, or an iterable of samples. Arrays have the samples
on axis 0, ``(N, *input)`` with the input's shape without its leading ones, in any integer or float type. They go by the
input's name, or by ``x`` where the model has one input; an array alone is ``x``. Integers mean ``x * x_scale +
x_offset`` where the data has these numbers. ``y`` are labels, one integer a sample. A sample of an iterable is an
array, or a dict. A sample of a model with states is a sequence: ``(N, steps, *input)``, or ``(N, steps*k, C)`` for an
input ``[1, C, k]``.

Nothing is printed. Results carry notes and warnings in ``notes``; what stops a call is an :class:`EdgeqError` with the
codes of ``edgeq explain``. Each call has the command line's limits of memory, time and input, unless it stands in a
``with edgeq.Budget(...).active():`` block. ``progress`` is called with a stage's name and its share done, or None.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.arguments import (
    OPTIMIZE,
    check_arguments,
    check_board,
    check_calibration,
    check_choice,
    check_code_bytes,
    check_data,
    check_data_given,
    check_dims,
    check_model,
    data_source,
    model_source,
    state_pairs,
)
from edgeq.models import CompiledModel, QuantizedModel, limited, names_of, progress_of
from edgeq.numerics import DEFAULT_MODE
from edgeq.writing import check_file

if TYPE_CHECKING:
    from edgeq.analysis.check import CheckResult
    from edgeq.job import Progress
    from edgeq.models import Data, Model, States
    from edgeq.numerics.scaling import Mode

__all__ = ["CompiledModel", "QuantizedModel", "check", "compile", "load", "quantize"]


@limited
def compile(  # noqa: A001 - the name of the command
    model: Model,
    data: Data | None = None,
    *,
    board: str,
    out: str | os.PathLike[str] | None = None,
    name: str | None = None,
    observer: str = "auto",
    scheme: str = "w8a8",
    int16: str | Sequence[str] = (),
    requantize: Mode = DEFAULT_MODE,
    backends: str | Sequence[str] = ("c",),
    code_bytes: int | None = None,
    optimize: str = "-O2",
    aligned_loads: bool = False,
    sources_only: bool = False,
    dims: Mapping[str, int] | None = None,
    accept_data: bool = False,
    force: bool = False,
    calibration: str | os.PathLike[str] | None = None,
    save_calibration: str | os.PathLike[str] | None = None,
    states: States = (),
    recognize_states: bool = True,
    progress: Progress | None = None,
) -> CompiledModel:
    """Compile a model all the way to firmware images.

    Args:
        model: float, or quantized (QDQ).
        data: calibration data, a few hundred typical inputs; needed for a float model.
        board: a name of ``edgeq boards``, or a board file.
        out: the folder, which is replaced whole or left whole; None: a temporary one that lives as long as the result.
        name: prefix of the C symbols; by default from the file's name, else ``model``.
        observer: how ranges follow from the data; ``edgeq methods`` lists them.
        scheme: bits of weights and activations: ``w8a8``, or ``w8a16``, where every activation is int16.
        int16: names or patterns (``conv*``) of tensors that are int16; ``input`` for all inputs of the model.
        requantize: how requantization rounds, and so which runtime's bits; ``edgeq methods`` lists the arithmetics.
        backends: what to emit: ``c``, ``tflite``, ``tvm``, or several.
        code_bytes: about the bytes that the kernels' code may take: more makes more layers faster; None: layers that do
            much of the work get a kernel of their own.
        optimize: for gcc: ``-O2``, ``-O3`` or ``-Os``.
        aligned_loads: for memory that traps unaligned loads.
        sources_only: make no images; needs no compiler.
        dims: sizes of named dynamic dimensions.
        accept_data: severe doubts about the data are warnings.
        force: move what edgeq did not write at ``out`` to ``OUT.kept-N``, instead of refusing.
        calibration: a file of ``save_calibration`` for the same model and data: what it holds is not computed again.
        save_calibration: the file that receives what calibration found out.
        states: outputs that the next time step reads as inputs: ``{output: input}``, or pairs of them.
        recognize_states: also take states by their names (``h`` and ``h_out``), where shapes and types agree and the
            data has no array for the input.
        progress: see this module.

    Raises:
        EdgeqError: EQ01xx an argument, the data, or what lies at `out`; EQ02xx the model cannot be read; EQ03xx it is
            not supported; EQ04xx it does not fit the board; EQ05xx a tool is missing.
    """
    from edgeq.backends.names import check_model_name, model_name_of
    from edgeq.backends.table import check_backends

    source, given = model_source(model), data_source(data) if data is not None else None
    carried = state_pairs(states)
    saved, save = _path(calibration), _path(save_calibration)
    asked = names_of(backends)
    check_arguments(
        partial(check_board, board),
        partial(check_backends, asked),
        partial(check_model_name, name) if name else lambda: None,
        partial(_check_quantization, observer, requantize, scheme),
        partial(check_code_bytes, code_bytes),
        partial(check_choice, "optimize", optimize, OPTIMIZE),
        partial(check_dims, dims or {}),
        partial(check_model, source),
        partial(check_data, given),
        partial(check_data_given, source, given),
        partial(check_calibration, saved),
    )
    from edgeq.folder import Compiled
    from edgeq.job import CompileOptions
    from edgeq.pipeline import compile_model
    from edgeq.writing.scratch import make_scratch, remove_folder

    options = CompileOptions(
        board=board,
        name=name or (model_name_of(source.name.partition(".")[0]) if isinstance(source, Path) else "model"),
        mode=requantize,
        observer=observer,
        scheme=scheme,
        int16=names_of(int16),
        code_bytes=code_bytes,
        optimize=optimize,
        aligned_loads=aligned_loads,
        dims=dims or {},
        backends=check_backends(asked),
        accept_data=accept_data,
        sources_only=sources_only,
        calibration=saved,
        save_calibration=save,
        states=carried,
        recognize_states=recognize_states,
    )
    # The scratch folder itself is locked by this process; a folder is replaced under a lock of the one above.
    scratch = make_scratch("compiled") if out is None else None
    folder = Path(out) if out is not None else Path(str(scratch), "out", options.name)
    try:
        result = compile_model(source, given, folder, options, progress_of(progress), force=force)
        compiled = CompiledModel(Compiled.open(folder), result)
    except BaseException:
        if scratch is not None:
            remove_folder(scratch)
        raise
    if scratch is not None:
        weakref.finalize(compiled, remove_folder, scratch)
    return compiled


@limited
def quantize(
    model: Model,
    data: Data,
    *,
    out: str | os.PathLike[str] | None = None,
    observer: str = "auto",
    scheme: str = "w8a8",
    int16: str | Sequence[str] = (),
    requantize: Mode = DEFAULT_MODE,
    dims: Mapping[str, int] | None = None,
    accept_data: bool = False,
    force: bool = False,
    calibration: str | os.PathLike[str] | None = None,
    save_calibration: str | os.PathLike[str] | None = None,
    states: States = (),
    recognize_states: bool = True,
    progress: Progress | None = None,
) -> QuantizedModel:
    """Quantize a float model to int8, or partly or wholly to int16 activations.

    Args:
        model: the float model.
        data: calibration data, a few hundred typical inputs.
        out: an ``.onnx`` file to write; None: none.
        observer: as of :func:`compile`, as all that follows.
        scheme: bits of weights and activations.
        int16: names or patterns of tensors that are int16.
        requantize: the rounding that the model will be compiled for.
        dims: sizes of named dynamic dimensions.
        accept_data: severe doubts about the data are warnings.
        force: move a file at ``out`` that edgeq did not write to ``OUT.kept-N``, instead of refusing.
        calibration: a file of ``save_calibration`` for the same model and data: what it holds is not computed again.
        save_calibration: the file that receives what calibration found out.
        states: outputs that the next time step reads as inputs: ``{output: input}``, or pairs of them.
        recognize_states: also take states by their names (``h`` and ``h_out``), where shapes and types agree and the
            data has no array for the input.
        progress: see this module.

    Raises:
        EdgeqError: EQ0230 the model is quantized already; else as :func:`compile`.
    """
    source, given, carried = model_source(model), data_source(data), state_pairs(states)
    output, saved, save = _path(out), _path(calibration), _path(save_calibration)
    check_arguments(
        partial(check_file, output, own=True) if output is not None else lambda: None,
        partial(_check_quantization, observer, requantize, scheme),
        partial(check_dims, dims or {}),
        partial(check_model, source),
        partial(check_data, given),
        partial(check_calibration, saved),
    )
    from edgeq.pipeline import quantize_file

    return QuantizedModel(
        quantize_file(
            source,
            given,
            output,
            observer=observer,
            scheme=scheme,
            int16=names_of(int16),
            mode=requantize,
            dims=dims or {},
            progress=progress_of(progress),
            accept_data=accept_data,
            force=force,
            calibration=saved,
            save_calibration=save,
            states=carried,
            recognize_states=recognize_states,
        )
    )


@limited
def check(
    model: Model,
    *,
    board: str | None = None,
    dims: Mapping[str, int] | None = None,
    states: States = (),
    recognize_states: bool = True,
) -> CheckResult:
    """Say everything that is wrong with a model, and what each layer needs. Needs no data and no compiler.

    Args:
        model: float, quantized, or quantized in part.
        board: also whether it fits this board; ``all`` compares all boards.
        dims: sizes of named dynamic dimensions.
        states: as of :func:`compile`.
        recognize_states: likewise.

    Returns:
        ``problems``, ``layers`` with bytes and multiply-accumulates, and ``boards``.

    Raises:
        EdgeqError: EQ0201 the file cannot be opened, EQ0180 to EQ0186 the board; everything about the model itself is
            in ``problems``.
    """
    source, carried = model_source(model), state_pairs(states)
    check_arguments(
        partial(check_board, board) if board not in {None, "all"} else lambda: None,
        partial(check_dims, dims or {}),
        partial(check_model, source),
    )
    from edgeq.analysis.check import check_model as checked

    return checked(source, board, dims or {}, carried, recognize_states=recognize_states)


@limited
def load(folder: str | os.PathLike[str]) -> CompiledModel:
    """Open a folder that :func:`compile` or ``edgeq compile`` wrote.

    Raises:
        EdgeqError: EQ0104 it is none, or was edited, EQ0105 another version wrote it, EQ0125 it names files outside.
    """
    from edgeq.folder import Compiled

    return CompiledModel(Compiled.open(Path(folder)))


def _path(path: str | os.PathLike[str] | None) -> Path | None:
    return Path(path) if path is not None else None


def _check_quantization(observer: str, requantize: str, scheme: str) -> None:
    from edgeq.numerics.scaling import MODES
    from edgeq.quant import AUTO, OBSERVERS, SCHEMES

    check_choice("observer", observer, (AUTO, *OBSERVERS), "EQ0107")
    check_choice("scheme", scheme, tuple(SCHEMES), "EQ0107")
    check_choice("arithmetic", requantize, MODES, "EQ0107")
