"""Statistics without calibration data: right sizes, meaningless scales.

`edgeq check` needs the integer graph of a float model, whose shapes, kernels and bytes do not depend on the scales. To
run the model on invented data would take longer, and could fail where the user's data would not: Log of a negative
number is NaN. So every activation is given one range, and nothing runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq.quant.calibration import Calibration
from edgeq.quant.properties import CALIBRATED, SPECIFIED
from edgeq.quant.step import Step

if TYPE_CHECKING:
    from edgeq.quant.state import State

_RANGE: Final = (-8.0, 8.0)
# Requantizes are steps of the graph only where the scales differ, as they nearly always do.
_RANGE_OF_COPIES: Final = (-16.0, 16.0)


def invent_statistics(state: State) -> None:
    """Give every value one histogram, and every copy of a value a wider one."""
    copies, state.copies = state.copies, {}  # a copy has statistics of its own here
    state.calibration = Calibration.empty((state.histogram_of(name) for name in state.specification.names), samples=1)
    for wanted, statistic in state.calibration.folds[0].items():
        statistic.update(np.array(_RANGE_OF_COPIES if wanted.value in copies else _RANGE))


STEP: Final = Step("invent_statistics", invent_statistics, requires=(SPECIFIED,), ensures=(CALIBRATED,))
