"""A calibration that was saved before replaces the pass over the data, and all that followed under the same options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edgeq.quant.properties import SPECIFIED
from edgeq.quant.step import Step

if TYPE_CHECKING:
    from edgeq.quant.state import State


def restore_calibration(state: State) -> None:
    """Continue from the saved calibration, where one was given.

    Raises:
        EdgeqError: EQ0269, EQ0270 or EQ0271: it is damaged, or does not fit.
    """
    if state.saved is not None:
        state.saved.restore(state)


STEP: Final = Step("restore_calibration", restore_calibration, requires=(SPECIFIED,))
