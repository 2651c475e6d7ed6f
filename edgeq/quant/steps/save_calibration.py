"""What a later quantization of the same model with the same data need not compute again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edgeq.quant.properties import CALIBRATED, CHOSEN, MEASURED, PLANNED
from edgeq.quant.saved import calibration_bytes
from edgeq.quant.step import Step

if TYPE_CHECKING:
    from edgeq.quant.state import State


def save_calibration(state: State) -> None:
    """Hand the contents of the file to whoever asked for them.

    Raises:
        EdgeqError: what the receiver raises.
    """
    if state.save is not None:
        state.save(calibration_bytes(state))


STEP: Final = Step("save_calibration", save_calibration, requires=(CALIBRATED, PLANNED, CHOSEN, MEASURED))
