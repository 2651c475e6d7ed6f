"""Which inputs of a model are states: those that the user names, those that the model carries, and by their names.

Names alone prove nothing, so a pair of names counts only where shapes and types agree too, the data has no array for
the input, and an input that is no state remains. What is taken by its name is told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final

import onnx_ir as ir

from edgeq.errors import EdgeqError, Problem, did_you_mean
from edgeq.frontend.facts import known_shape
from edgeq.ir import State
from edgeq.notes import note
from edgeq.onnxio.limits import shown
from edgeq.onnxio.states import set_states, states_of

# Prefix and suffix of an input, prefix and suffix of the output that carries it on; the first pair that fits counts.
_NAMES: Final = (
    ("", "", "", "_out"),
    ("", "", "", "_output"),
    ("", "", "", "_next"),
    ("", "", "", "_new"),
    ("", "", "next_", ""),
    ("", "", "new_", ""),
    ("", "", "", "N"),
    ("", "_in", "", "_out"),
    ("", "_old", "", "_new"),
    ("", "_prev", "", "_next"),
    ("", "_prev", "", ""),
    ("prev_", "", "next_", ""),
    ("prev_", "", "", ""),
    ("past_", "", "present_", ""),
    ("past_key_values.", "", "present.", ""),
)


def take_states(
    model: ir.Model, asked: Sequence[State] = (), *, recognize: bool = True, given: Collection[str] = ()
) -> None:
    """Decide the states of a model, which carries them from then on.

    Args:
        model: with static shapes; changed in place.
        asked: what the user names; these come first.
        recognize: also take what the model carries already or, where it carries nothing, pairs of names.
        given: the keys of the user's data: an input with an array of its own is not taken by its name.

    Raises:
        EdgeqError: EQ0145 to EQ0147, all states that cannot be; EQ0341 no input would be left.
    """
    carried = states_of(model) if recognize else ()
    named = {state.input for state in asked}
    stated = [*asked, *(state for state in carried if state.input not in named)]
    problems = _problems(model, stated)
    if problems:
        raise EdgeqError.of(problems)
    found = [] if carried or not recognize else _recognized(model, stated, given)
    states = [*stated, *found]
    inputs = _inputs(model)
    if inputs and not inputs.keys() - {state.input for state in states}:
        if not stated:
            return
        raise EdgeqError(
            "EQ0341",
            "every input of the model would be a state",
            where="--state",
            got=", ".join(shown(name) for name in inputs),
            allowed="at least one input that is fed in each time step",
        )
    if found:
        pairs = ", ".join(shown(f"{state.output}={state.input}") for state in found)
        hint = "--no-state leaves them inputs and outputs; --state OUT=IN names states"
        note("EQ0149", "outputs and inputs are taken as states, by their names", got=pairs, hint=hint)
    set_states(model, [state for state in states if inputs[state.input].uses()])


def outputs_of_states(
    model: ir.Model, asked: Sequence[State] = (), *, recognize: bool = True, given: Collection[str] = ()
) -> frozenset[str]:
    """The outputs that :func:`take_states` would take, as far as the model states shapes; nothing is changed or told.

    Args: as there.
    """
    carried = states_of(model) if recognize else ()
    stated = [*asked, *carried]
    found = [] if carried or not recognize else _recognized(model, stated, given)
    return frozenset(state.output for state in (*stated, *found))


def _inputs(model: ir.Model) -> dict[str, ir.Value]:
    return {str(value.name): value for value in model.graph.inputs if not value.is_initializer()}


def _problems(model: ir.Model, states: Sequence[State]) -> list[Problem]:
    inputs, outputs = _inputs(model), {str(value.name): value for value in model.graph.outputs}
    problems: list[Problem] = []
    taken: dict[str, str] = {}
    for state in states:
        where = f"--state {shown(f'{state.output}={state.input}')}"
        unknown = False
        for kind, name, known in (("output", state.output, outputs), ("input", state.input, inputs)):
            if name not in known:
                unknown = True
                allowed, hint = ", ".join(shown(each) for each in known), did_you_mean(name, known)
                problems.append(Problem("EQ0145", f"the model has no {kind} of that name", where, name, allowed, hint))
        if unknown:
            continue
        if taken.setdefault(state.input, state.output) != state.output:
            got = f"{taken[state.input]} and {state.output}"
            problems.append(
                Problem("EQ0147", "two outputs would carry on one input", where, got, "one output for each input")
            )
        mine, theirs = _described(inputs[state.input]), _described(outputs[state.output])
        if mine != theirs:
            problems.append(
                Problem(
                    "EQ0146",
                    "the output of a state has another shape or type than its input",
                    where,
                    theirs,
                    mine,
                    "a state is read in the next time step as it was written",
                )
            )
    return problems


def _described(value: ir.Value) -> str:
    return f"{value.dtype.name if value.dtype is not None else 'unknown'} {list(known_shape(value) or ())}"


def _recognized(model: ir.Model, stated: Sequence[State], given: Collection[str]) -> list[State]:
    outputs = {str(value.name): value for value in model.graph.outputs}
    for state in stated:
        outputs.pop(state.output, None)
    taken = {state.input for state in stated}
    found = []
    for name, value in _inputs(model).items():
        if name in taken or name in given or not value.uses():
            continue
        for candidate in _carrying(name):
            if candidate in outputs and _described(outputs[candidate]) == _described(value):
                del outputs[candidate]
                found.append(State(name, candidate))
                break
    return found


def _carrying(name: str) -> Iterator[str]:
    """The names of outputs that may carry on an input."""
    for before, behind, out_before, out_behind in _NAMES:
        if name.startswith(before) and name.endswith(behind) and len(name) > len(before) + len(behind):
            yield f"{out_before}{name[len(before) : len(name) - len(behind)]}{out_behind}"
