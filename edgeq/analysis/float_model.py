"""The float model that a compiled folder is judged by: its own, or one that the user names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgeq.analysis.executors import FLOAT
from edgeq.analysis.model_values import ModelValue, model_inputs, model_outputs
from edgeq.errors import EdgeqError
from edgeq.folder import Compiled
from edgeq.ir import State
from edgeq.job import Progress
from edgeq.numerics.array import Array
from edgeq.onnxio.samples import Samples, input_specs
from edgeq.onnxio.states import kept_outputs, states_of
from edgeq.sources import ModelSource, shown

if TYPE_CHECKING:
    import onnx_ir


@dataclass(frozen=True)
class FloatModel:
    """A float model with the inputs and outputs of a compiled folder.

    Attributes:
        model: with static shapes.
        inputs: the folder's inputs.
        names: by the name of each of these, the model's name for it.
    """

    model: onnx_ir.Model
    inputs: tuple[ModelValue, ...]
    names: Mapping[str, str]

    def outputs(self, samples: Samples, count: int, progress: Progress) -> Array:
        """The first output of all runs of the first samples, stacked."""
        from edgeq.onnxio.rolling import Rolling

        rolling = Rolling(self.model, states_of(self.model))
        first = str(self.model.graph.outputs[0].name)
        found = []
        for run in range(runs := count * (samples.length or 1)):
            if run % (samples.length or 1) == 0:
                rolling.reset()
            values = samples.inputs(run)
            feeds = {self.names[each.name]: _real(each, values[each.name]) for each in self.inputs}
            found.append(rolling.run(feeds)[first])
            progress(FLOAT, (run + 1) / runs)
        return np.stack(found)


def _real(into: ModelValue, value: Array) -> Array:
    """What a float model takes where the folder's model takes integers."""
    return into.real(into.quantize(value)) if into.passes_through else value


def float_model_of(compiled: Compiled, source: ModelSource | None) -> FloatModel | None:
    """The named float model, else the folder's own; None where there is neither.

    Raises:
        EdgeqError: EQ0166 the named model is quantized, or has other inputs or outputs; EQ0145 and EQ0146 it has other
            states; EQ02xx it cannot be read.
    """
    inputs = model_inputs(compiled)
    if source is None:
        own = compiled.float_model()
        return FloatModel(own, inputs, {each.name: each.name for each in inputs}) if own is not None else None
    from edgeq import frontend
    from edgeq.onnxio import read_model

    given = read_model(source)
    if frontend.is_quantized(given):
        raise _another(source, "a quantized model", "the float model that it was made from")
    options = compiled.manifest.options
    states = [
        State(*names) for names in dict.fromkeys((state.input, state.output) for state in compiled.manifest.states)
    ]
    if options.argmax:
        given = frontend.give_class(given, options.argmax_output, states, recognize=False)
    used = {str(dim) for value in given.graph.inputs for dim in value.shape or () if not isinstance(dim, int)}
    model = frontend.normalize(given, {name: size for name, size in options.dims.items() if name in used})
    frontend.take_states(model, states, recognize=False)
    return FloatModel(model, inputs, _matched(compiled, model, source))


def _matched(compiled: Compiled, model: onnx_ir.Model, source: ModelSource) -> dict[str, str]:
    """The model's name for each of the folder's inputs: the same, or the only one there is.

    Raises:
        EdgeqError: EQ0166.
    """
    wanted = {each.name: each.shape for each in model_inputs(compiled)}
    found = {spec.name: spec.shape for spec in input_specs(model)}
    names = {name: name for name in wanted}
    if len(wanted) == len(found) == 1:
        names = dict(zip(wanted, found, strict=True))
    if any(found.get(names[name]) != shape for name, shape in wanted.items()) or len(wanted) != len(found):
        raise _another(source, f"inputs {_listed(found)}", f"inputs {_listed(wanted)}")
    results = [each.shape for each in model_outputs(compiled)]
    theirs = [tuple(int(str(dim)) for dim in value.shape or ()) for value in kept_outputs(model)]
    if results != theirs:
        raise _another(source, f"outputs of shape {_shapes(theirs)}", f"outputs of shape {_shapes(results)}")
    return names


def _another(source: ModelSource, got: str, allowed: str) -> EdgeqError:
    return EdgeqError(
        "EQ0166",
        "the float model is not the one that was quantized",
        where=f"--float {shown(source)}",
        got=got,
        allowed=allowed,
        hint="name the float model that the quantized one was made from",
    )


def _listed(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name}{list(shape)}" for name, shape in shapes.items())


def _shapes(shapes: list[tuple[int, ...]]) -> str:
    return ", ".join(str(list(shape)) for shape in shapes)
