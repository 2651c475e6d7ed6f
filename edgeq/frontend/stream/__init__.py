"""Turns the model of a whole window into that of one step, with states for what a step must know of the past.

It reads and writes the normalized float graph, with its quantization beside it, so that a quantized model keeps its
integers and its scales: states are rounded as the values that they hold, and the steps give the bits of the window.
Decided against: patching each convolution in place, which cannot say how streams of different delay go together, and
unrolling the window into one state of all frames, which saves nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeq.lazily import export

if TYPE_CHECKING:
    from edgeq.frontend.stream.form import step_form
    from edgeq.frontend.stream.step import StepModel, StepOutput, make_steps

__all__ = ["StepModel", "StepOutput", "make_steps", "step_form"]

export(__name__, {"StepModel": "step", "StepOutput": "step", "make_steps": "step", "step_form": "form"})
