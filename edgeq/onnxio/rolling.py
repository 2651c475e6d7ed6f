"""Runs float models with states over sequences: what a state output holds is what the next time step reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq import budget
from edgeq.numerics.array import Array
from edgeq.onnxio.session import Session
from edgeq.onnxio.states import states_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx_ir

    from edgeq.ir import State
    from edgeq.onnxio.samples import Samples

# What the states of a calibration may take; of more, every second, third … run counts.
_KEPT_BYTES: Final = 64 << 20


class Rolling:
    """A model that keeps its states from one run to the next.

    Attributes:
        states: what the next run reads, by input.
    """

    def __init__(self, model: onnx_ir.Model, states: Sequence[State]) -> None:
        """Prepare a model.

        Args:
            model: with static shapes.
            states: by the names of its inputs and outputs.

        Raises:
            EdgeqError: EQ0241 onnxruntime refuses it.
        """
        self._pairs: Final = tuple(states)
        self._session: Final = Session(model)
        values = {str(value.name): value for value in model.graph.inputs}
        self._zeros: Final[dict[str, Array]] = {}
        for state in states:
            value = values[state.input]
            assert value.shape is not None  # shapes are static
            assert value.dtype is not None
            self._zeros[state.input] = np.zeros(value.shape.numpy(), value.dtype.numpy())
        self.states: dict[str, Array] = dict(self._zeros)

    @property
    def state_bytes(self) -> int:
        """What the states of one run take."""
        return sum(array.nbytes for array in self._zeros.values())

    def reset(self) -> None:
        """Begin a sequence: all states are zero."""
        self.states = dict(self._zeros)

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """One time step: the model's outputs by name.

        Args:
            feeds: the inputs that are no states.

        Raises:
            EdgeqError: EQ0243 the run fails.
        """
        found = self._session.run({**feeds, **self.states})
        self.states = {state.input: found[state.output] for state in self._pairs}
        return found


def with_rolled_states(model: onnx_ir.Model, samples: Samples) -> Samples:
    """The runs of a float model over sequences, each with what the states held then; other samples as they are.

    Raises:
        EdgeqError: EQ0241 and EQ0243 from onnxruntime.
    """
    states = states_of(model)
    if not states or samples.length is None:
        return samples
    rolling = Rolling(model, states)
    every = -(-samples.runs * rolling.state_bytes // _KEPT_BYTES) or 1
    kept: dict[str, list[Array]] = {name: [] for name in rolling.states}
    chosen = []
    for run in range(samples.runs):
        budget.tick("states of the float model")
        sample, step = divmod(run, samples.length)
        if step == 0:
            rolling.reset()
        # Another share of the time steps from one sequence to the next, so that all of them count.
        if (sample + step) % every == 0:
            chosen.append(run)
            for name, array in rolling.states.items():
                kept[name].append(array)
        rolling.run(samples.inputs(run))
    return samples.with_states({name: np.stack(arrays) for name, arrays in kept.items()}, np.array(chosen))
