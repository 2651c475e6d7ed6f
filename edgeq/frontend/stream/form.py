"""From a model as it was read to its step form, float or quantized as it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import onnx_ir as ir

from edgeq.errors import EdgeqError
from edgeq.frontend.normalize import confirm_shapes, is_quantized, normalize, normalize_structure
from edgeq.frontend.normalize_qdq import recover_plan, restore_integer_values
from edgeq.frontend.states import take_states
from edgeq.frontend.stream.step import StepModel, make_steps
from edgeq.frontend.support import check_support
from edgeq.ir import State
from edgeq.onnxio.limits import shown
from edgeq.onnxio.qdq_form import QdqPlan, write_qdq
from edgeq.onnxio.states import set_states, states_of


def step_form(
    model: ir.Model,
    dims: Mapping[str, int] | None = None,
    axes: Mapping[str, int] | None = None,
    hop: int | None = None,
) -> StepModel:
    """The step form of a model of a whole window; it carries its states.

    Args:
        model: as read, float or quantized; it is not changed.
        dims: values of dynamic dimensions.
        axes: by input, the axis of time where it is not found.
        hop: frames that a step takes.

    Raises:
        EdgeqError: EQ0346 the model has states already; as :func:`make_steps`; what normalization and the support check
            raise.
    """
    if not is_quantized(model):
        whole = normalize(model, dims)
        _require_window(whole)
        problems = check_support(whole)
        if problems:
            raise EdgeqError.of(problems)
        made = make_steps(whole, QdqPlan(), axes, hop)
        step = made.model
    else:
        structured = normalize_structure(model, dims)
        _require_window(structured)
        found = recover_plan(structured)
        if found.problems:
            raise EdgeqError.of(found.problems)
        made = make_steps(found.model, found.plan, axes, hop)
        step = write_qdq(made.model, made.plan)
        restore_integer_values(step.graph, found)
    confirm_shapes(step)
    set_states(step, [State(name, output) for name, output, _ in made.states])
    return replace(made, model=step)


def _require_window(model: ir.Model) -> None:
    work = model.clone()
    take_states(work)
    states = states_of(work)
    if states:
        raise EdgeqError(
            "EQ0346",
            "the model has states already: it is a step form",
            got=", ".join(shown(f"{state.output}={state.input}") for state in states),
            allowed="a model of a whole window",
            hint="compile it as it is: edgeq compile keeps the states",
        )
