"""How close a quantized model comes to the float model on calibration samples: what choices are decided by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq.numerics.array import Array
from edgeq.onnxio import Session

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.onnxio.samples import Samples

# Enough samples to rank candidates, few enough to stay quick and to keep the reference in memory.
JUDGED: Final = 64
_LIMIT_DB: Final = 120.0


class Judge:
    """The float model's answers on a fixed subset of the samples, to compare candidates with.

    Where the model ends in Softmax its input is compared, without the mean over the classes (which Softmax ignores):
    probabilities saturate and hide differences.
    """

    def __init__(self, model: onnx_ir.Model, samples: Samples) -> None:
        self.samples = samples
        self.chosen = [int(index) for index in np.unique(np.linspace(0, len(samples) - 1, JUDGED).round())]
        self.readers: tuple[str | None, ...] = tuple(_softmax_of(value) for value in model.graph.outputs)
        self.reference = self._answers(model)

    def ratio_db(self, candidate: onnx_ir.Model) -> float:
        """Signal-to-noise ratio of a candidate's outputs in dB, the outputs weighted alike; at most 120."""
        total = 0.0
        for wanted, got in zip(self.reference, self._answers(candidate), strict=True):
            signal = sum(float((array * array).sum()) for array in wanted)
            noise = sum(float(((a - b) ** 2).sum()) for a, b in zip(wanted, got, strict=True))
            total += noise / signal if signal > 0 else float(noise > 0)
        share = total / max(len(self.reference), 1)
        return round(float(-10 * np.log10(max(share, 10 ** (-_LIMIT_DB / 10)))), 2)

    def _answers(self, model: onnx_ir.Model) -> list[list[Array]]:
        """Per output, per sample: what is compared, float64."""
        nodes = {node.name: node for node in model.graph}
        names = []
        for value, reader in zip(model.graph.outputs, self.readers, strict=True):
            source = nodes[reader].inputs[0] if reader is not None else value
            names.append(str(source.name if source is not None else value.name))
        session = Session(model, tuple(dict.fromkeys(names)))
        answers: list[list[Array]] = [[] for _ in names]
        for index in self.chosen:
            results: Mapping[str, Array] = session.run(self.samples.inputs(index))
            for kept, name, reader in zip(answers, names, self.readers, strict=True):
                array = results[name].astype(np.float64)
                kept.append(array - array.mean(axis=-1, keepdims=True) if reader is not None else array)
        return answers


def _softmax_of(value: onnx_ir.Value) -> str | None:
    """The name of the Softmax over the last axis that computes an output, or None."""
    node = value.producer()
    if node is None or node.op_type != "Softmax" or value.shape is None or len(value.shape) == 0:
        return None
    axis = node.attributes.get("axis")
    last = axis is None or axis.as_int() in {-1, len(value.shape) - 1}
    return str(node.name) if last else None
