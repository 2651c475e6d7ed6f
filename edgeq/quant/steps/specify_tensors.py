"""What is quantized, which values share one scale, and what has integers already: read off the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edgeq.quant.execution import Execution
from edgeq.quant.properties import SEPARATED, SPECIFIED
from edgeq.quant.specification import specify
from edgeq.quant.step import Step

if TYPE_CHECKING:
    from edgeq.quant.state import State


def specify_tensors(state: State) -> None:
    """Make the specification.

    Raises:
        EdgeqError: EQ0179 int16 is asked for a tensor that there is not, EQ0330 operators without an integer form,
            EQ0331 a computed weight.
    """
    options = state.options
    state.specification = specify(state.model, options.mode, state.given.activations, options.patterns)
    if state.samples is not None:
        state.execution = Execution(state.model, state.samples, state.specification.layers)


STEP: Final = Step("specify_tensors", specify_tensors, requires=(SEPARATED,), ensures=(SPECIFIED,))
