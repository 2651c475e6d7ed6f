"""The float model and the plan become one QDQ model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edgeq.onnxio.qdq_form import write_qdq
from edgeq.quant.properties import PLANNED, WRITTEN
from edgeq.quant.step import Step

if TYPE_CHECKING:
    from edgeq.quant.state import State


def write_model(state: State) -> None:
    """Write the canonical QDQ form."""
    state.result = write_qdq(state.model, state.plan)


STEP: Final = Step("write_model", write_model, requires=(PLANNED,), ensures=(WRITTEN,))
