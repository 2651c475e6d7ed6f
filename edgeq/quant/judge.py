"""How close a quantized model comes to the float model on samples that it was not made with: what decides choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq.numerics.array import Array
from edgeq.onnxio.pieces import Piece, Pieces
from edgeq.onnxio.qdq_form import QdqPlan

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.quant.candidate import Candidate

_LIMIT_DB: Final = 120.0

Feeds = Sequence[Mapping[str, Array]]


class Judge:
    """The float model's answers on a few samples of every fold, to compare candidates with.

    Where the model ends in Softmax its input is compared, without the mean over the classes (which Softmax ignores):
    probabilities saturate and hide differences.

    Args:
        model: the normalized float model.
        pieces: the same.
        folds: by fold, the inputs of its samples, one entry a run.
    """

    def __init__(self, model: onnx_ir.Model, pieces: Pieces, folds: Sequence[Feeds]) -> None:
        self.folds = folds
        self.inputs = [str(value.name) for value in model.graph.inputs]
        self.readers: tuple[str | None, ...] = tuple(_softmax_of(value) for value in model.graph.outputs)
        nodes = {str(node.name): node for node in model.graph}
        names = self._compared(nodes, [str(value.name) for value in model.graph.outputs])
        piece = pieces.piece(list(dict.fromkeys(names)), self.inputs)
        self.reference = [self._answers(piece, names, feeds, None) for feeds in folds]
        self._judged: tuple[Candidate, Piece] | None = None

    def ratio_db(self, candidate: Candidate, plans: Sequence[QdqPlan]) -> float:
        """Signal-to-noise ratio of a candidate's outputs in dB, the outputs weighted alike; at most 120.

        Args:
            candidate: the quantized model.
            plans: by fold, the integers that are judged on it.
        """
        names = self._compared(candidate.nodes, candidate.outputs)
        if self._judged is None or self._judged[0] is not candidate:
            self._judged = candidate, candidate.pieces.piece(list(dict.fromkeys(names)), self.inputs)
        signal, noise = np.zeros(len(names)), np.zeros(len(names))
        for feeds, wanted, plan in zip(self.folds, self.reference, plans, strict=True):
            answers = self._answers(self._judged[1], names, feeds, candidate.fed(plan))
            for index, got in enumerate(answers):
                signal[index] += sum(float((array * array).sum()) for array in wanted[index])
                noise[index] += sum(float(((a - b) ** 2).sum()) for a, b in zip(wanted[index], got, strict=True))
        return decibel([_share(*pair) for pair in zip(noise, signal, strict=True)])

    def _compared(self, nodes: Mapping[str, onnx_ir.Node], outputs: Sequence[str]) -> list[str]:
        """By output, the name of what is compared."""
        names = []
        for output, reader in zip(outputs, self.readers, strict=True):
            source = nodes[reader].inputs[0] if reader is not None else None
            names.append(str(source.name) if source is not None else output)
        return names

    def _answers(
        self, piece: Piece, names: Sequence[str], feeds: Feeds, fed: Mapping[str, Array] | None
    ) -> list[list[Array]]:
        """Per output, per run: what is compared, float64."""
        answers: list[list[Array]] = [[] for _ in names]
        for inputs in feeds:
            results = piece.run(inputs, fed)
            for kept, name, reader in zip(answers, names, self.readers, strict=True):
                array = results[name].astype(np.float64)
                kept.append(array - array.mean(axis=-1, keepdims=True) if reader is not None else array)
        return answers


def decibel(shares: Sequence[float]) -> float:
    """The mean of noise-to-signal shares as a signal-to-noise ratio in dB, at most 120."""
    mean = sum(shares) / max(len(shares), 1)
    return round(float(-10 * np.log10(max(mean, 10 ** (-_LIMIT_DB / 10)))), 2)


def _share(noise: float, signal: float) -> float:
    return noise / signal if signal > 0 else float(noise > 0)


def _softmax_of(value: onnx_ir.Value) -> str | None:
    """The name of the Softmax over the last axis that computes an output, or None."""
    node = value.producer()
    if node is None or node.op_type != "Softmax" or value.shape is None or len(value.shape) == 0:
        return None
    axis = node.attributes.get("axis")
    last = axis is None or axis.as_int() in {-1, len(value.shape) - 1}
    return str(node.name) if last else None
