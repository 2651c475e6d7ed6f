"""The states of an ONNX model: outputs that the next time step reads as inputs.

ONNX has no word for them. A model carries them as an entry of ``metadata_props``, so that a quantized model that edgeq
wrote is compiled with the states that it was calibrated with.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from edgeq.errors import EdgeqError
from edgeq.ir import State
from edgeq.json_shape import check_shape

if TYPE_CHECKING:
    import onnx_ir

KEY: Final = "edgeq_states"
"""Its value is a JSON list of ``[input, output]``."""


def states_of(model: onnx_ir.Model) -> tuple[State, ...]:
    """The states that a model carries, by the names of its inputs and outputs.

    Raises:
        EdgeqError: EQ0340 the entry is damaged.
    """
    text = model.metadata_props.get(KEY)
    if text is None:
        return ()
    try:
        pairs = json.loads(text)
        check_shape(pairs, [[str]])
        return tuple(State(*pair) for pair in pairs)
    except (ValueError, TypeError) as error:
        raise EdgeqError(
            "EQ0340",
            "the model's entry of states cannot be read",
            where=f"metadata_props, {KEY}",
            got=text[:80],
            allowed='[["INPUT", "OUTPUT"], ...]',
        ) from error


def set_states(model: onnx_ir.Model, states: Sequence[State]) -> None:
    """Let a model carry these states and no others; in place."""
    model.metadata_props.pop(KEY, None)
    if states:
        model.metadata_props[KEY] = json.dumps([[state.input, state.output] for state in states])


def kept_outputs(model: onnx_ir.Model) -> list[onnx_ir.Value]:
    """The outputs that are outputs of the firmware too: those of states are not, but for the model's first output."""
    states = {state.output for state in states_of(model)}
    return [value for number, value in enumerate(model.graph.outputs) if number == 0 or value.name not in states]
