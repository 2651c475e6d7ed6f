"""From a model file to an integer graph: the stages of the compiler that need neither folder nor toolchain.

``edgeq check`` runs these alone; :mod:`edgeq.pipeline` lists all stages.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgeq.backends.table import check_states
from edgeq.errors import EdgeqError
from edgeq.ir import Graph
from edgeq.job import CompileOptions, Job
from edgeq.lowering import lower
from edgeq.manifest import tell_of_float
from edgeq.notes import tell
from edgeq.numerics.scaling import Mode
from edgeq.passes import BLIND_PASSES, PASSES, run_passes
from edgeq.passes.removed_channels import RemovedChannels, removed_channels
from edgeq.sources import shown
from edgeq.writing import disk_problem, keep_file, write_whole

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.onnxio.qdq_form import QdqPlan

# What a partly quantized model leaves unsaid, and calibration data can say.
UNSAID: Final = {"EQ0250", "EQ0251"}


def import_model(job: Job) -> None:
    """Read the model safely, and what stands in front of it; make a float model normal, or a quantized one canonical.

    A model that is quantized in part waits for the next stage, where calibration data says the rest.
    """
    from edgeq import frontend
    from edgeq.onnxio import read_model

    model = read_model(job.source)
    if job.options.features is not None:
        model = frontend.join_features(read_model(job.options.features), model)
    if job.options.argmax or job.options.argmax_output is not None:
        model = frontend.give_class(
            model,
            job.options.argmax_output,
            job.options.states,
            recognize=job.options.recognize_states,
            given=_keys(job),
        )
    if not frontend.is_quantized(model):
        if job.calibration is None and not job.blind:
            raise EdgeqError(
                "EQ0106",
                "a float model needs calibration data",
                where=shown(job.source),
                hint="pass --data CALIB.npz with a few hundred typical inputs under the key x",
            )
        if not job.blind:
            from edgeq.data import expectation_of

            job.expected = expectation_of(model)
        job.float_model = frontend.normalize(model, job.options.dims, job.options.allow_float)
        _take_states(job, job.float_model)
        problems = frontend.check_support(job.float_model)
        if problems:
            raise EdgeqError.of(problems)
        return
    if job.options.allow_float:
        raise EdgeqError(
            "EQ0230",
            "the model is quantized already",
            where=shown(job.source),
            got="--allow-float",
            allowed="the nodes that it keeps in software float by itself",
            hint="name nodes where the float model is quantized or compiled: the quantized one remembers them",
        )
    structured = frontend.normalize_structure(model, job.options.dims)
    _take_states(job, structured)
    if job.calibration is not None or job.blind:
        found = frontend.recover_plan(structured)
        if found.problems and {problem.code for problem in found.problems} <= UNSAID:
            job.partly_quantized = found
            return
    job.qdq_model = frontend.normalize_qdq(structured)


def _take_states(job: Job, model: onnx_ir.Model) -> None:
    """Decide which inputs are states, before the data is compared with the rest.

    Raises:
        EdgeqError: EQ0145 to EQ0147, EQ0341; EQ0391 a backend cannot run them.
    """
    from edgeq import frontend
    from edgeq.onnxio.states import states_of

    frontend.take_states(model, job.options.states, recognize=job.options.recognize_states, given=_keys(job))
    if states_of(model):
        check_states(job.options.backends)


def _keys(job: Job) -> Collection[str]:
    """The names of the arrays of the user's data."""
    from edgeq.onnxio.samples import keys_of

    return keys_of(job.calibration) if job.calibration is not None else ()


def quantize_model(job: Job) -> None:
    """Calibrate on the user's data and write scales and integer weights into a QDQ model; keep what it has already."""
    _quantize(job)
    assert job.qdq_model is not None  # just set, or by import_model
    tell_of_float(float_nodes(job.qdq_model))


def float_nodes(model: onnx_ir.Model) -> tuple[str, ...]:
    """The names of the nodes of a quantized model that stay in software float."""
    from edgeq.onnxio.forms import stays_float

    return tuple(str(node.name) for node in model.graph if stays_float(node))


def _quantize(job: Job) -> None:
    partial = job.partly_quantized
    model = partial.model if partial is not None else job.float_model
    if model is None:
        _describe_unneeded_data(job)
        return
    from edgeq import frontend

    given = partial.plan if partial is not None else None
    if job.blind:
        from edgeq.quant import quantize_blindly

        job.qdq_model = quantize_blindly(model, job.options.quantization, given)
    else:
        job.qdq_model = _calibrated(job, model, given)
    if partial is not None:
        frontend.restore_integer_values(job.qdq_model.graph, partial)


def _calibrated(job: Job, model: onnx_ir.Model, given: QdqPlan | None) -> onnx_ir.Model:
    from edgeq.data import Expectation, dead_layers, examine_calibration
    from edgeq.onnxio.rolling import with_rolled_states
    from edgeq.onnxio.samples import Samples
    from edgeq.quant import SavedCalibration, quantize

    assert job.calibration is not None  # import_model has looked
    samples = with_rolled_states(model, Samples.open(job.calibration, model))
    accept = job.options.accept_data
    job.data = examine_calibration(samples, model, job.expected or Expectation(), accept=accept)
    tell(*job.data.problems)
    saved, target = job.options.calibration, job.options.save_calibration
    quantized = quantize(
        model,
        samples,
        job.options.quantization,
        progress=job.progress,
        given=given,
        saved=SavedCalibration.open(saved) if saved is not None else None,
        save=partial(_save_calibration, target) if target is not None else None,
    )
    job.quantization = quantized.report
    seen = {name: (tensor.low, tensor.high) for name, tensor in quantized.report.tensors.items()}
    tell(*dead_layers(model, seen))
    tell(*quantized.report.warnings)
    return quantized.model


def _save_calibration(path: Path, data: bytes) -> None:
    """Write a calibration whole or not at all; a file that edgeq did not write is moved aside."""
    from edgeq.quant import wrote_calibration

    try:
        if os.path.lexists(path) and not wrote_calibration(path):
            keep_file(path)
        write_whole(path, data)
    except OSError as error:
        raise disk_problem(error) or EdgeqError(
            "EQ0272", "the calibration cannot be written", where=str(path), got=error.strerror
        ) from error


def _describe_unneeded_data(job: Job) -> None:
    """A model that is quantized already keeps its types and ranges; data given all the same is held against them.

    Raises:
        EdgeqError: EQ0230 something else is asked for.
    """
    options = job.options
    asked = {
        "--calibration": options.calibration is not None,
        "--save-calibration": options.save_calibration is not None,
        "--int16": bool(options.int16),
        f"--scheme {options.scheme}": options.scheme != CompileOptions.scheme,
    }
    if any(asked.values()):
        flags = ", ".join(flag for flag, given in asked.items() if given)
        raise EdgeqError(
            "EQ0230",
            "the model is quantized already",
            where=shown(job.source),
            got=flags,
            allowed="the types and ranges that it has",
            hint=f"leave out {flags}, or take the float model",
        )
    if job.calibration is None or job.qdq_model is None:
        return
    from edgeq.data import examine_inputs, input_ranges
    from edgeq.onnxio.samples import Samples

    samples = Samples.open(job.calibration, job.qdq_model)
    accept = job.options.accept_data
    job.data = examine_inputs(samples, input_ranges(job.qdq_model), strict=True, accept=accept)
    tell(*job.data.problems)


def lower_model(job: Job) -> None:
    """Cross into the integer world, and rewrite the integer graph."""
    assert job.qdq_model is not None  # import_model or quantize_model has set it
    # Scales of a model that was quantized blindly say nothing of what its channels can be.
    blind = job.blind and (job.float_model is not None or job.partly_quantized is not None)
    options = job.options
    job.graph, job.removed = rewritten_graph(job.qdq_model, options.requantize, options.name, blind=blind)


def rewritten_graph(
    model: onnx_ir.Model, mode: Mode, name: str, *, blind: bool = False
) -> tuple[Graph, tuple[RemovedChannels, ...]]:
    """Lower a canonical QDQ model and run every pass, verifying the graph after each.

    Args:
        model: canonical QDQ.
        mode: the arithmetic.
        name: the graph's name.
        blind: its scales mean nothing: passes that read them are left out.

    Returns:
        The graph, and what its layers have lost.
    """
    lowered = lower(model, mode=mode, name=name)
    graph = lowered.copy()
    run_passes(graph, BLIND_PASSES if blind else PASSES)
    return graph, removed_channels(lowered, graph)


def to_integer_graph(model: onnx_ir.Model, mode: Mode, name: str, *, blind: bool = False) -> Graph:
    """The graph of :func:`rewritten_graph` alone."""
    return rewritten_graph(model, mode, name, blind=blind)[0]
