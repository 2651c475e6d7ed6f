"""Runs float and QDQ models in onnxruntime: the only place that does.

Graph optimizations are off and everything runs in one thread, in order: with them on, quantized models give other
numbers, and sums depend on the number of cores.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.onnxio.limits import shown
from edgeq.onnxio.reader import one_line

if TYPE_CHECKING:
    import onnx_ir as ir
    import onnxruntime as ort

# onnxruntime from 1.31 on reports to Microsoft unless it is told not to before it is first imported; nothing of edgeq
# leaves this computer. Its own switch, disable_telemetry_events(), comes too late: the import writes files already.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

_SEVERITY_ERROR: Final = 3
MAX_IR_VERSION: Final = 10


def start(model: bytes) -> ort.InferenceSession:
    """A session of onnxruntime for a serialized model, with the options that all of edgeq uses.

    Integers of types that it has no kernel for run in a wider one (:mod:`edgeq.onnxio.other_types`).

    Raises:
        EdgeqError: EQ0241 onnxruntime refuses the model.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = _SEVERITY_ERROR
    try:
        return _loaded(model, options)
    except Exception as error:  # onnxruntime's exceptions have no common base but this
        raise EdgeqError("EQ0241", "onnxruntime cannot load the model", got=one_line(error)) from error


def _loaded(model: bytes, options: ort.SessionOptions) -> ort.InferenceSession:
    import onnxruntime as ort

    try:
        return ort.InferenceSession(model, sess_options=options, providers=["CPUExecutionProvider"])
    except ort.capi.onnxruntime_pybind11_state.NotImplemented:
        from edgeq.onnxio.other_types import on_other_types

        other = on_other_types(model)
        if other is None:
            raise
        return ort.InferenceSession(other, sess_options=options, providers=["CPUExecutionProvider"])


def fetch(
    session: ort.InferenceSession, names: Sequence[str], feeds: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Run a session once and return outputs by name.

    Raises:
        EdgeqError: EQ0243 the run fails.
    """
    try:
        found = session.run(list(names), {name: np.asarray(array) for name, array in feeds.items()})
    except Exception as error:  # onnxruntime's exceptions have no common base but this
        raise EdgeqError("EQ0243", "onnxruntime cannot run the model", got=one_line(error)) from error
    return dict(zip(names, map(np.asarray, found), strict=True))


class Session:
    """A model that can be run.

    Attributes:
        inputs: names of the model's inputs, in its order.
        outputs: names of what :meth:`run` gives: the model's outputs, then the extra ones.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def __init__(self, model: ir.Model, extra_outputs: Sequence[str] = ()) -> None:
        """Prepare a model, with further values of it by name as additional outputs.

        Args:
            model: a model of an opset that onnxruntime knows.
            extra_outputs: names of intermediate values, graph inputs or initializers of the main graph.

        Raises:
            EdgeqError: EQ0241 onnxruntime refuses the model, EQ0242 there is no value of that name.
        """
        import onnx_ir as ir

        proto = ir.to_proto(model)
        proto.ir_version = min(proto.ir_version, MAX_IR_VERSION)
        graph_inputs = [value.name for value in proto.graph.input]
        initializers = {tensor.name for tensor in proto.graph.initializer}
        produced = {name for node in proto.graph.node for name in node.output if name}
        named = {value.name for value in proto.graph.output}
        self._fixed: dict[str, np.ndarray] = {}
        for name in dict.fromkeys(extra_outputs):
            if name in produced and name not in named:
                proto.graph.output.add(name=name)
            elif name in initializers:
                tensor = model.graph.initializers[name].const_value
                assert tensor is not None
                self._fixed[name] = np.array(tensor.numpy())
            elif name not in named and name not in graph_inputs:
                raise EdgeqError("EQ0242", "the model has no value of this name", got=shown(name))
        self._initializers = initializers
        self.inputs = tuple(name for name in graph_inputs if name not in initializers)
        self._fetched = tuple(value.name for value in proto.graph.output)
        self.outputs = tuple(dict.fromkeys((*self._fetched, *extra_outputs)))
        self._session = start(proto.SerializeToString())

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run the model once.

        Args:
            feeds: one array per input, in its shape and dtype.

        Returns:
            The arrays of :attr:`outputs`, by name, in that order.

        Raises:
            EdgeqError: EQ0243 an input is missing, unknown or does not fit, or the run fails.
        """
        for name in self.inputs:
            if name not in feeds:
                raise EdgeqError("EQ0243", "an input of the model is missing", where=shown(name))
        unknown = sorted(set(feeds) - set(self.inputs) - self._initializers)
        if unknown:
            raise EdgeqError(
                "EQ0243", "the model has no such input", got=shown(unknown[0]), allowed=", ".join(self.inputs)
            )
        results = fetch(self._session, self._fetched, feeds)
        for name in self.outputs:
            if name not in results:
                results[name] = self._fixed[name] if name in self._fixed else np.asarray(feeds[name])
        return {name: results[name] for name in self.outputs}
