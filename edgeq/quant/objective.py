"""What a method is to bring up: the signal-to-noise ratio of the model's outputs on samples of another fold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq.numerics.array import Array
from edgeq.onnxio.forms import is_plain
from edgeq.onnxio.pieces import Piece

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.onnxio.qdq_form import QdqPlan
    from edgeq.quant.execution import Execution, Feeds

_LIMIT_DB: Final = 120.0


@dataclass(frozen=True)
class _End:
    """A value that is compared.

    Attributes:
        name: of an output of the model, the same in a quantized one.
        reader: name of a node that reads the value, under whatever name; None: it is the output itself.
        index: which of the reader's operands it is.
        is_centred: the mean over the last axis says nothing.
    """

    name: str
    reader: str | None = None
    index: int = 0
    is_centred: bool = False


class Objective:
    """The float model's outputs on a few samples of every fold, to compare quantized models with.

    Where the model ends in Softmax its input is compared, without the mean over the classes (which Softmax ignores):
    probabilities saturate and hide differences. In place of an output of integers or truth values (an ArgMax) the float
    values are compared of which it is made.

    Args:
        execution: runs the models.
    """

    def __init__(self, execution: Execution) -> None:
        model = execution.model
        self.execution: Final = execution
        self.inputs = [str(value.name) for value in model.graph.inputs]
        ends = [end for value in model.graph.outputs for end in _ends_of(value)]
        self.ends: Final = tuple(dict.fromkeys(ends)) or tuple(_End(name) for name in self.inputs[:1])
        nodes = {str(node.name): node for node in model.graph}
        names = self._compared(nodes)
        piece = execution.batching.pieces.piece(list(dict.fromkeys(names)), self.inputs)
        self.reference = [self._results(piece, names, feeds, None) for feeds in execution.feeds]

    def ratio_db(self, plans: Sequence[QdqPlan]) -> float:
        """Signal-to-noise ratio of a quantized model's outputs in dB, the outputs weighted alike; at most 120.

        Args:
            plans: by fold, the integers that are measured on it.
        """
        fed_model = self.execution.fed_model(plans[0])
        names = self._compared(fed_model.nodes)
        piece = fed_model.piece(list(dict.fromkeys(names)), self.inputs)
        signal, noise = np.zeros(len(names)), np.zeros(len(names))
        for feeds, wanted, plan in zip(self.execution.feeds, self.reference, plans, strict=True):
            results = self._results(piece, names, feeds, fed_model.fed(plan))
            for index, got in enumerate(results):
                signal[index] += sum(float((array * array).sum()) for array in wanted[index])
                noise[index] += sum(float(((a - b) ** 2).sum()) for a, b in zip(wanted[index], got, strict=True))
        return decibel([_share(*pair) for pair in zip(noise, signal, strict=True)])

    def _compared(self, nodes: Mapping[str, onnx_ir.Node]) -> list[str]:
        """The names of what is compared, in one of the models."""
        names = []
        for end in self.ends:
            source = nodes[end.reader].inputs[end.index] if end.reader is not None else None
            names.append(str(source.name) if source is not None else end.name)
        return names

    def _results(
        self, piece: Piece, names: Sequence[str], feeds: Feeds, fed: Mapping[str, Array] | None
    ) -> list[list[Array]]:
        """For each of the names, per run: what is compared, float64."""
        results: list[list[Array]] = [[] for _ in names]
        for inputs in feeds:
            found = piece.run(inputs, fed)
            for kept, name, end in zip(results, names, self.ends, strict=True):
                array = found[name].astype(np.float64)
                kept.append(array - array.mean(axis=-1, keepdims=True) if end.is_centred else array)
        return results


def decibel(shares: Sequence[float]) -> float:
    """The mean of noise-to-signal shares as a signal-to-noise ratio in dB, at most 120."""
    mean = sum(shares) / max(len(shares), 1)
    return round(float(-10 * np.log10(max(mean, 10 ** (-_LIMIT_DB / 10)))), 2)


def _share(noise: float, signal: float) -> float:
    return noise / signal if signal > 0 else float(noise > 0)


def _ends_of(value: onnx_ir.Value) -> Iterator[_End]:
    """What is compared in place of an output."""
    reader = _softmax_of(value)
    if reader is not None:
        yield _End("", reader, is_centred=True)
    elif not is_plain(value):
        yield _End(str(value.name))
    else:
        yield from _behind(value, set())


def _behind(value: onnx_ir.Value, seen: set[onnx_ir.Value]) -> Iterator[_End]:
    """The computed floats of which a plain value is made."""
    node = value.producer()
    if node is None or value in seen:
        return
    seen.add(value)
    for index, operand in enumerate(node.inputs):
        if operand is None or operand.const_value is not None:
            continue
        reader = _softmax_of(operand)
        if reader is not None:
            yield _End("", reader, is_centred=True)
        elif is_plain(operand):
            yield from _behind(operand, seen)
        else:
            yield _End("", str(node.name), index)


def _softmax_of(value: onnx_ir.Value) -> str | None:
    """The name of the Softmax over the last axis that computes an output, or None."""
    node = value.producer()
    if node is None or node.op_type != "Softmax" or value.shape is None or len(value.shape) == 0:
        return None
    axis = node.attributes.get("axis")
    last = axis is None or axis.as_int() in {-1, len(value.shape) - 1}
    return str(node.name) if last else None
