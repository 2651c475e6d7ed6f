"""edgeq in Python: ``compile``, ``quantize``, ``check``, ``features``, ``stream`` and ``load``.

The command line prints what these return.

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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypedDict, Unpack, cast

from edgeq.arguments import (
    OPTIMIZE,
    check_arguments,
    check_axes,
    check_board,
    check_bytes,
    check_calibration,
    check_choice,
    check_data,
    check_data_given,
    check_dims,
    check_hop,
    check_model,
    data_source,
    kernel_pairs,
    means_folder,
    memory_pairs,
    model_source,
    place_pairs,
    state_pairs,
)
from edgeq.errors import EdgeqError
from edgeq.memory.planner import PLANNERS
from edgeq.models import CompiledModel, QuantizedModel, StreamedModel, limited, names_of, progress_of, taking
from edgeq.writing import check_file

_OF_FOLDERS: Final = frozenset({"aligned_loads", "code_bytes", "kernel", "kernels", "optimize"})
"""What :func:`tune` takes for a folder."""

if TYPE_CHECKING:
    from edgeq.analysis.check import CheckResult
    from edgeq.analysis.fit import FitResult
    from edgeq.analysis.tuned import TuneResult
    from edgeq.job import CompileOptions, Progress
    from edgeq.memory.planner import Planner
    from edgeq.models import Data, Kernels, Model, States
    from edgeq.numerics.scaling import Mode
    from edgeq.onnxio.features import Kind
    from edgeq.sources import DataSource, ModelSource

__all__ = [
    "CheckChoices",
    "CompileChoices",
    "CompiledModel",
    "FeatureChoices",
    "QuantizeChoices",
    "QuantizedModel",
    "StreamedModel",
    "TuneChoices",
    "check",
    "compile",
    "features",
    "fit",
    "load",
    "quantize",
    "stream",
    "tune",
]


class CheckChoices(TypedDict, total=False):
    """Keywords of :func:`check`, :func:`quantize` and :func:`compile`: all that decides on the integer graph's types.

    Attributes:
        requantize: how requantization rounds, and so which runtime's bits; ``edgeq methods`` lists the arithmetics.
        scheme: bits of weights and activations: ``w8a8``, or ``w8a16``, where every activation is int16.
        int16: names or patterns (``conv*``) of tensors that are int16; ``input`` for all inputs of the model.
        allow_float: names or patterns of nodes of a float model that stay in software float: slow, but not quantized.
        dims: sizes of named dynamic dimensions.
        states: outputs that the next time step reads as inputs: ``{output: input}``, or pairs of them.
        features: a model that stands in front, such as ``edgeq features`` writes: its result feeds the model's input of
            the same name, or the only one. Data and the firmware's input are what the features read.
        recognize_states: also take states by their names (``h`` and ``h_out``), where shapes and types agree and the
            data has no array for the input; true by default.
        argmax: the output is the class: a final Softmax or Sigmoid is dropped, and the index of the largest score, an
            int64, is the output ``NAME_class``.
        argmax_output: the same for this output of several.
    """

    requantize: Mode
    scheme: str
    int16: str | Sequence[str]
    allow_float: str | Sequence[str]
    dims: Mapping[str, int] | None
    states: States
    recognize_states: bool
    features: Model | None
    argmax: bool
    argmax_output: str | None


class QuantizeChoices(CheckChoices, total=False):
    """Further keywords of :func:`quantize` and :func:`compile`.

    Attributes:
        observer: how ranges follow from the data, by default ``auto``; ``edgeq methods`` lists them.
        calibration: a file of ``save_calibration`` for the same model and data: what it holds is not computed again.
        save_calibration: the file that receives what calibration found out.
        accept_data: severe doubts about the data are warnings.
    """

    observer: str
    calibration: str | os.PathLike[str] | None
    save_calibration: str | os.PathLike[str] | None
    accept_data: bool


class CompileChoices(QuantizeChoices, total=False):
    """Further keywords of :func:`compile`.

    Attributes:
        backends: what to emit: ``c``, which is the default, ``tflite``, ``tvm``, or several.
        code_bytes: about the bytes that the kernels' code may take: more makes more layers faster; None: layers that do
            much of the work get a kernel of their own.
        optimize: ``balanced``, which is the default; ``speed``: faster kernels that take more RAM; ``size``: the least
            code within 1.3 times the instructions of ``balanced``; ``ram``: layers run in bands of rows where that
            makes the arena smaller.
        arena_bytes: the arena has at most so many bytes; layers run in bands of rows only as far as that needs.
        planner: ``greedy``: first fit alone places tensors in the arena; ``solver``: a solver, too, where first fit may
            have missed the smallest arena; None: ``solver`` where that is installed.
        memory: for boards with several memories the most bytes that the arena may take of one, ``{"ram": 40000}``, by
            default all. The tensors that are accessed most for their size lie in the cheapest memory, while they fit.
        place: the memory of tensors instead: ``{tensor: memory}``, or pairs; a tensor by its name or a pattern.
        aligned_loads: for memory that traps unaligned loads.
        require_optimized: refuse layers of a hundredth of the work or more whose C kernel is not written for the core.
        sources_only: make no images; needs no compiler.
        kernel: C kernels of layers instead of those that edgeq chooses: ``{node: kernel}``, or pairs; a node by its
            name or a pattern (``conv*``). The bits are the same. An unknown one is refused with the candidates.
        kernels: a file of them that :func:`tune` wrote; ``kernel`` goes before it.
    """

    backends: str | Sequence[str]
    code_bytes: int | None
    optimize: str
    arena_bytes: int | None
    planner: Planner | None
    memory: Mapping[str, int] | Sequence[tuple[str, int]]
    place: Mapping[str, str] | Sequence[tuple[str, str]]
    aligned_loads: bool
    require_optimized: bool
    sources_only: bool
    kernel: Kernels
    kernels: str | os.PathLike[str] | None


class TuneChoices(QuantizeChoices, total=False):
    """Further keywords of :func:`tune`; see :class:`CompileChoices`. Of a folder only these count, not those above.

    Attributes:
        code_bytes: the kernels' code stays within it.
        optimize: ``balanced``: the arena stays within the bound of ``compile``, weights within 1.3 times their bytes;
            ``speed``: all of the board's RAM; ``size``: no more code either; ``ram``: the arena does not grow. Layers
            are tried by themselves, never in bands of rows.
        aligned_loads: see there.
        kernel: layers that keep these kernels.
        kernels: a file of them.
    """

    code_bytes: int | None
    optimize: str
    aligned_loads: bool
    kernel: Kernels
    kernels: str | os.PathLike[str] | None


class FeatureChoices(TypedDict, total=False):
    """Keywords of :func:`features`; lengths are in samples.

    Attributes:
        samples: of the signal, or of a window of ``imu``; by default 16000.
        rate: samples a second, by default 16000.
        frame: of a frame, by default 480.
        step: from a frame to the next, by default 320.
        fft: length of the transform, a power of two up to 4096; by default the next one from ``frame`` up.
        window: ``hann``, which is the default, ``hamming``, ``blackman``, all periodic, or ``none``.
        power: 1: bands sum magnitudes, which is the default; 2: powers.
        mels: number of bands, by default 40.
        low: where the first band begins, by default 20 Hz.
        high: where the last one ends, by default 4000 Hz.
        epsilon: what is added before the logarithm, by default 1e-6.
        coefficients: of ``mfcc``, by default 10.
        smooth: share of the newest frame in the smoothed energy of ``pcen``, by default 0.025.
        gain: exponent of the smoothed energy, by default 0.98.
        bias: what is added before the root, by default 2.
        root: exponent of the compression, by default 0.5.
        normalize: ``peak``: the signal over its largest value; by default ``none``.
        axes: of ``imu``, by default 3.
        range: the number that becomes 1 in ``imu``; by default 1.
        center: ``imu`` less its mean over the window.
        bands_first: bands or coefficients before frames, axes before samples.
        shape: of the result; by default [1, frames, bands] or [1, samples, axes].
        result: its name, by default ``features``.
        stream: read ``step`` samples at a time; states keep the samples and rows before, up to ``samples``.
    """

    samples: int
    rate: int
    frame: int
    step: int
    fft: int
    window: str
    power: int
    mels: int
    low: float
    high: float
    epsilon: float
    coefficients: int
    smooth: float
    gain: float
    bias: float
    root: float
    normalize: str
    axes: int
    range: float
    center: bool
    bands_first: bool
    shape: tuple[int, ...]
    result: str
    stream: bool


@taking(CompileChoices)
def compile(  # noqa: A001 - the name of the command
    model: Model,
    data: Data | None = None,
    *,
    board: str,
    out: str | os.PathLike[str] | None = None,
    name: str | None = None,
    force: bool = False,
    progress: Progress | None = None,
    **choices: Unpack[CompileChoices],
) -> CompiledModel:
    """Compile a model all the way to firmware images.

    Args:
        model: float, or quantized (QDQ).
        data: calibration data, a few hundred typical inputs; needed for a float model.
        board: a name of ``edgeq boards``, or a board file.
        out: the folder, which is replaced whole or left whole; None: a temporary one that lives as long as the result.
        name: prefix of the C symbols; by default from the file's name, else ``model``.
        force: move what edgeq did not write at ``out`` to ``OUT.kept-N``, instead of refusing.
        progress: see this module.
        **choices: see :class:`CheckChoices`, :class:`QuantizeChoices` and :class:`CompileChoices`.

    Raises:
        EdgeqError: EQ01xx an argument, the data, or what lies at `out`; EQ02xx the model cannot be read; EQ03xx it is
            not supported; EQ04xx it does not fit the board; EQ05xx a tool is missing.
    """
    from edgeq.backends.names import check_model_name, model_name_of
    from edgeq.backends.table import check_backends

    source, given, options = _checked(
        model,
        data,
        choices,
        partial(check_board, board),
        lambda: check_backends(names_of(choices.get("backends", "c"))),
        partial(check_model_name, name) if name else lambda: None,
        needs_data=True,
    )
    from edgeq.folder import Compiled
    from edgeq.pipeline import compile_model
    from edgeq.writing.scratch import make_scratch, remove_folder

    if isinstance(source, Path):
        name = name or model_name_of(source.name.partition(".")[0])
    options = replace(options, board=board, name=name or options.name)
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


@taking(QuantizeChoices)
def quantize(
    model: Model,
    data: Data,
    *,
    out: str | os.PathLike[str] | None = None,
    force: bool = False,
    progress: Progress | None = None,
    **choices: Unpack[QuantizeChoices],
) -> QuantizedModel:
    """Quantize a float model to int8, or partly or wholly to int16 activations.

    Args:
        model: the float model.
        data: calibration data, a few hundred typical inputs.
        out: an ``.onnx`` file to write; None: none.
        force: move a file at ``out`` that edgeq did not write to ``OUT.kept-N``, instead of refusing.
        progress: see this module.
        **choices: see :class:`CheckChoices` and :class:`QuantizeChoices`.

    Raises:
        EdgeqError: EQ0230 the model is quantized already; else as :func:`compile`.
    """
    output = _path(out)
    checks = [partial(check_file, output, own=True)] if output is not None else []
    source, given, options = _checked(model, data, choices, *checks)
    from edgeq.pipeline import quantize_file

    assert given is not None  # data is no option here
    return QuantizedModel(quantize_file(source, given, output, options, progress_of(progress), force=force))


@taking(TuneChoices)
def tune(
    model: Model,
    data: Data | None = None,
    *,
    board: str | None = None,
    out: str | os.PathLike[str] | None = None,
    force: bool = False,
    progress: Progress | None = None,
    **choices: Unpack[TuneChoices],
) -> TuneResult:
    """Find the best kernel of each layer: every candidate is run in QEMU, compared with the reference, and counted.

    Args:
        model: a model, or the path of a folder of :func:`compile`.
        data: for a float model calibration data; its first sample is what is counted, without it extremes.
        board: a name of ``edgeq boards``, or a board file; by default the folder's.
        out: a file to write for ``kernels`` of :func:`compile`; None: none.
        force: move a file at ``out`` that edgeq did not write to ``OUT.kept-N``, instead of refusing.
        progress: see this module.
        **choices: see :class:`TuneChoices`; of a folder, what it was compiled with is the default.

    Raises:
        EdgeqError: EQ0158 nothing counts instructions on the board; EQ0907 a kernel gives other bits than the
            reference; else as :func:`compile`.
    """
    from edgeq.analysis.tune import tune_model
    from edgeq.backends.c.kernel_file import wrote_kernels
    from edgeq.folder import Compiled

    output = _path(out)
    is_folder = means_folder(model, board)
    check_arguments(
        partial(check_file, output, wrote_kernels(output), force=force) if output is not None else lambda: None,
        partial(check_board, board) if board is not None else lambda: None,
        partial(_check_tuned, board, choices, is_folder=is_folder),
    )
    given = data_source(data) if data is not None else None
    if is_folder:
        compiled = Compiled.open(Path(str(model)))
        kept = compiled.manifest.options
        own = {"optimize": kept.optimize, "code_bytes": kept.code_bytes, "aligned_loads": kept.aligned_loads}
        _, _, options = _checked(b"", None, cast("TuneChoices", {**own, **choices}))
        options = replace(options, board=board or compiled.manifest.board)
        return tune_model(compiled, options, given, output, progress_of(progress), force=force)
    _, _, options = _checked(model, given, choices)
    options = replace(options, board=str(board))
    made = compile(model, given, board=options.board, sources_only=True, progress=progress, **choices)
    return tune_model(Compiled.open(made.folder), options, given, output, progress_of(progress), force=force)


@taking(CheckChoices)
def check(model: Model, *, board: str | None = None, **choices: Unpack[CheckChoices]) -> CheckResult:
    """Say everything that is wrong with a model, and what each layer needs. Needs no data and no compiler.

    Args:
        model: float, quantized, or quantized in part.
        board: also whether it fits this board; ``all`` compares all boards.
        **choices: see :class:`CheckChoices`.

    Returns:
        ``problems``, ``layers`` with bytes and multiply-accumulates, and ``boards``.

    Raises:
        EdgeqError: EQ01xx an argument, EQ0201 the file cannot be opened; everything about the model itself is in
            ``problems``.
    """
    checks = [partial(check_board, board)] if board not in {None, "all"} else []
    source, _, options = _checked(model, None, choices, *checks)
    from edgeq.analysis.check import check_model as checked

    return checked(source, board, options)


@taking(QuantizeChoices)
def fit(
    model: Model,
    data: Data | None = None,
    *,
    board: str,
    progress: Progress | None = None,
    **choices: Unpack[QuantizeChoices],
) -> FitResult:
    """List the ways to compile a model for a board: what each takes of RAM and flash, and its instructions.

    Args:
        model: float, or quantized (QDQ).
        data: calibration data, a few hundred typical inputs; needed for a float model.
        board: a name of ``edgeq boards``, or a board file.
        progress: see this module.
        **choices: see :class:`CheckChoices` and :class:`QuantizeChoices`.

    Raises:
        EdgeqError: as :func:`compile`, but for what does not fit the board.
    """
    source, given, options = _checked(model, data, choices, partial(check_board, board), needs_data=True)
    from edgeq.analysis.fit import fit_model
    from edgeq.writing.scratch import make_scratch, remove_folder

    scratch = make_scratch("fit")
    try:
        # The scratch folder itself is locked by this process; a folder is replaced under a lock of the one above.
        ways = Path(str(scratch), "ways")
        return fit_model(source, given, replace(options, board=board), OPTIMIZE, ways, progress_of(progress))
    finally:
        remove_folder(scratch)


@taking(FeatureChoices)
def features(
    kind: Kind, *, out: str | os.PathLike[str] | None = None, force: bool = False, **choices: Unpack[FeatureChoices]
) -> bytes:
    """Write signal features as an ONNX model of standard operators, for ``features`` of the other calls.

    Args:
        kind: ``logmel``, ``mfcc`` or ``imu``.
        out: an ``.onnx`` file to write; None: none.
        force: move a file at ``out`` that edgeq did not write to ``OUT.kept-N``, instead of refusing.
        **choices: see :class:`FeatureChoices`.

    Returns:
        The model, as the file holds it.

    Raises:
        EdgeqError: EQ0150 choices that contradict each other; EQ0124 what lies at `out` is not edgeq's.
    """
    from edgeq.onnxio import model_bytes, write_model, wrote
    from edgeq.onnxio.features import KINDS, FeatureOptions, feature_model
    from edgeq.onnxio.reader import read_model_bytes
    from edgeq.writing import keep_file

    check_arguments(partial(check_choice, "kind of features", kind, KINDS))
    made = feature_model(kind, FeatureOptions(**choices))
    model = read_model_bytes(made.SerializeToString())
    output = _path(out)
    if output is not None:
        check_file(output, wrote(output), force=force)
        if output.exists() and not wrote(output):
            keep_file(output)
        write_model(model, output)
    return model_bytes(model)


@limited
def stream(
    model: Model,
    *,
    out: str | os.PathLike[str] | None = None,
    axes: Mapping[str, int] | None = None,
    hop: int | None = None,
    dims: Mapping[str, int] | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> StreamedModel:
    """Turn a causal model of a whole window into its step form, whose states keep what a step needs of the past.

    Args:
        model: float, or quantized (QDQ), whose integers and scales stay.
        out: an ``.onnx`` file to write; None: none.
        axes: by input, the axis of time; by default it is found where the layers determine it.
        hop: frames that a step takes; by default the fewest that the strides over time allow.
        dims: sizes of named dynamic dimensions.
        force: move a file at ``out`` that edgeq did not write to ``OUT.kept-N``, instead of refusing.
        progress: see this module.

    Raises:
        EdgeqError: EQ0151 no such input or axis, EQ0152 the hop does not fit, EQ0342 a layer is not causal, EQ0343 one
            mixes times, EQ0344 the axis of time is not known, EQ0346 the model has states already; else as
            :func:`check` says.
    """
    source, output = model_source(model), _path(out)
    check_arguments(
        partial(check_file, output, own=True) if output is not None else lambda: None,
        partial(check_axes, axes or {}),
        partial(check_hop, hop),
        partial(check_dims, dims or {}),
        partial(check_model, source),
    )
    from edgeq.analysis.stream import stream_file

    told = progress_of(progress)
    return StreamedModel(stream_file(source, output, axes=axes, hop=hop, dims=dims, progress=told, force=force))


@limited
def load(folder: str | os.PathLike[str]) -> CompiledModel:
    """Open a folder that :func:`compile` or ``edgeq compile`` wrote.

    Raises:
        EdgeqError: EQ0104 it is none, or was edited, EQ0105 another version wrote it, EQ0125 it names files outside.
    """
    from edgeq.folder import Compiled

    return CompiledModel(Compiled.open(Path(folder)))


def _checked(
    model: Model,
    data: Data | None,
    choices: CheckChoices,
    *checks: Callable[[], object],
    needs_data: bool = False,
) -> tuple[ModelSource, DataSource | None, CompileOptions]:
    """What the stages read of a call's arguments, for the board ``native`` and the name ``model``.

    Raises:
        EdgeqError: everything that is wrong with the arguments, at once: first what ``checks`` find.
    """
    from edgeq.job import CompileOptions

    source, given = model_source(model), data_source(data) if data is not None else None
    stored: dict[str, Callable[[Any], object]] = {
        "allow_float": names_of,
        "backends": lambda names: tuple(sorted({*names_of(names)})),
        "calibration": _path,
        "dims": lambda dims: dims or {},
        "features": lambda features: None if features is None else model_source(features),
        "int16": names_of,
        "kernel": kernel_pairs,
        "kernels": _path,
        "memory": memory_pairs,
        "place": place_pairs,
        "save_calibration": _path,
        "states": state_pairs,
    }
    taken: dict[str, Any] = {key: stored[key](value) if key in stored else value for key, value in choices.items()}
    options = CompileOptions("native", "model", **taken)
    check_arguments(
        *checks,
        options.quantization.check,
        partial(check_bytes, "code_bytes", options.code_bytes),
        partial(check_bytes, "arena_bytes", options.arena_bytes),
        partial(check_choice, "optimize", options.optimize, OPTIMIZE),
        partial(check_choice, "planner", options.planner or PLANNERS[0], PLANNERS),
        partial(check_dims, options.dims),
        partial(check_model, source),
        partial(check_model, options.features) if options.features is not None else lambda: None,
        partial(check_data, given),
        partial(check_data_given, source, given) if needs_data else lambda: None,
        partial(check_calibration, options.calibration),
        lambda: options.wanted_kernels,
    )
    return source, given, options


def _check_tuned(board: str | None, choices: TuneChoices, *, is_folder: bool) -> None:
    """Refuse a model without a board, and what a folder has decided already.

    Raises:
        EdgeqError: EQ0193.
    """
    if not is_folder and board is None:
        raise EdgeqError("EQ0193", "a model needs a board", where="board", got="none", allowed="as for compiling")
    stray = sorted(choices.keys() - _OF_FOLDERS)
    if is_folder and stray:
        raise EdgeqError(
            "EQ0193",
            "the folder was compiled without these choices",
            where=", ".join(stray),
            allowed=", ".join(sorted(_OF_FOLDERS)),
            hint="tune the model itself, or compile it anew",
        )


def _path(path: str | os.PathLike[str] | None) -> Path | None:
    return Path(path) if path is not None else None
