"""A copy of a value that turned out to need no other scale than the value's own is none: its readers read the value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edgeq.onnxio.qdq_form import QdqPlan
from edgeq.quant.properties import PLANNED, TIDY
from edgeq.quant.step import Step

if TYPE_CHECKING:
    from edgeq.quant.state import State


def drop_idle_copies(state: State) -> None:
    """Remove the copies that have the parameters of their value from the model and from the plan."""
    plan = QdqPlan(dict(state.plan.activations), state.plan.constants)
    for node in list(state.model.graph):
        copy = str(node.outputs[0].name)
        if copy in state.copies and plan.activations.get(copy) == plan.activations.get(state.copies[copy]):
            source = node.inputs[0]
            assert source is not None  # separate_scales gave it one
            node.outputs[0].replace_all_uses_with(source)
            state.model.graph.remove(node, safe=True)
            plan.activations.pop(copy, None)
    state.plan = plan


STEP: Final = Step("drop_idle_copies", drop_idle_copies, requires=(PLANNED,), ensures=(TIDY,))
