"""Post-training quantization: a float model and calibration data become a QDQ model.

Reading :data:`STEPS` from top to bottom is reading the quantizer. Evaluation data is never looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edgeq.onnxio.qdq_form import QdqPlan
from edgeq.quant.report import Report, report_of
from edgeq.quant.state import Progress, QuantizeOptions, State
from edgeq.quant.step import Step, run_steps
from edgeq.quant.steps import (
    choose_ranges,
    collect_statistics,
    drop_idle_copies,
    invent_statistics,
    measure_layers,
    restore_calibration,
    round_to_nearest,
    save_calibration,
    search_methods,
    separate_scales,
    specify_tensors,
    write_model,
)

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.onnxio.samples import Samples
    from edgeq.quant.saved import SavedCalibration

STEPS: Final[tuple[Step, ...]] = (
    separate_scales.STEP,
    specify_tensors.STEP,
    restore_calibration.STEP,
    collect_statistics.STEP,
    search_methods.STEP,
    measure_layers.STEP,
    save_calibration.STEP,
    drop_idle_copies.STEP,
    write_model.STEP,
)

# Without calibration data: right sizes, meaningless scales.
BLIND_STEPS: Final[tuple[Step, ...]] = (
    separate_scales.STEP,
    specify_tensors.STEP,
    invent_statistics.STEP,
    choose_ranges.STEPS["minmax"],
    round_to_nearest.STEP,
    write_model.STEP,
)


@dataclass(frozen=True)
class Quantized:
    """A QDQ model and how it came about."""

    model: onnx_ir.Model
    report: Report


def quantize(
    model: onnx_ir.Model,
    samples: Samples,
    options: QuantizeOptions,
    progress: Progress = lambda what, done: None,
    given: QdqPlan | None = None,
    saved: SavedCalibration | None = None,
    save: Callable[[bytes], None] | None = None,
) -> Quantized:
    """Quantize a normalized float model to int8.

    Args:
        model: normalized, every operator supported; it is not changed.
        samples: calibration data, a few hundred typical inputs.
        options: the user's choices.
        progress: called with what is being done (``calibrate``, ``search``) and the share of it that is done.
        given: integers that are decided already (a partly quantized import); they are kept.
        saved: a calibration of the same model and samples; nothing that it holds is computed again.
        save: receives the contents of a file that a later call can be given as ``saved``.

    Returns:
        The model in canonical QDQ form, which onnxruntime runs, and the report.

    Raises:
        EdgeqError: EQ0107 no such option value, EQ0330 operators without an integer form, EQ0331 a computed weight,
            EQ0332 NaN or infinity on the calibration data, EQ0269 to EQ0271 what is saved does not fit.
    """
    options.check()
    state = State(model, options, STEPS, samples, given or QdqPlan(), progress, saved, save)
    run_steps(state, STEPS)
    return Quantized(state.result, report_of(state))


def quantize_blindly(model: onnx_ir.Model, options: QuantizeOptions, given: QdqPlan | None = None) -> onnx_ir.Model:
    """A QDQ model of the right form, whose scales mean nothing.

    Args:
        model: normalized float model, every operator supported; it is not changed.
        options: the arithmetic, and what is int16.
        given: integers that are decided already (a partly quantized import); they are kept.

    Raises:
        EdgeqError: EQ0107 no such option value, EQ0179 and EQ0364 what cannot be int16, EQ0330 operators without an
            integer form, EQ0331 a computed weight.
    """
    options.check()
    state = State(model, options, BLIND_STEPS, given=given or QdqPlan())
    run_steps(state, BLIND_STEPS)
    return state.result
