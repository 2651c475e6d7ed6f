"""Cutting a QDQ model at its quantized activations, so that each step can be run on integers that are given."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from edgeq.numerics.array import Array
from edgeq.onnxio.names import fresh_name

if TYPE_CHECKING:
    import onnx_ir as ir


@dataclass(frozen=True)
class CutValue:
    """A quantized activation of a model that was cut there.

    Attributes:
        integers: name of the QuantizeLinear's result, an output of the cut model; of the model input where that holds
            integers already.
        given: name of the cut model's input that its readers read in its place.
        shape: as ONNX has it.
        dtype: of the integers.
        is_step: computed by an operator of the model; a quantized model input is not.
        node: name of the node that computes the value that is quantized.
    """

    integers: str
    given: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    is_step: bool
    node: str

    def shaped(self, array: Array) -> Array:
        """Integers in this value's shape and type; a type of the other signedness is shifted by half its range."""
        wanted = array.astype(np.int64)
        if self.dtype.kind == "u" and array.dtype.kind == "i":
            wanted = wanted - np.iinfo(array.dtype).min
        if prod(self.shape) != array.size:
            raise ValueError(f"{self.integers}: {array.shape} does not fit {self.shape}")
        return wanted.reshape(self.shape).astype(self.dtype)


def cut_at_quantizers(model: ir.Model, known: Collection[str]) -> tuple[CutValue, ...]:
    """Cut a QDQ model, in place, behind every QuantizeLinear of an activation that is known.

    The result of each QuantizeLinear becomes an output, and whoever read it reads a new input instead. What is left
    between two cuts is one step of the model on its own: DequantizeLinear, the operators, QuantizeLinear.
    Inputs that nobody reads any more are dropped.

    Args:
        model: static shapes; constants are behind DequantizeLinear only.
        known: the results of QuantizeLinear for which integers can be given, by name; others stay inside their step.

    Returns:
        The cut values in the order of the model's nodes, integer inputs of the model first.
    """
    import onnx_ir as ir

    taken = {str(value.name) for node in model.graph for value in node.outputs} | {
        str(value.name) for value in (*model.graph.inputs, *model.graph.initializers.values())
    }
    found = [_integer_input(value) for value in model.graph.inputs if _is_integer(value)]
    inputs = [value for value in model.graph.inputs if _is_integer(value)]
    outputs: list[ir.Value] = []
    dead: list[ir.Node] = []
    model.graph.outputs.clear()
    for node in model.graph:
        real = node.inputs[0] if node.op_type == "QuantizeLinear" else None
        result = node.outputs[0]
        if real is None or real.const_value is not None or result.name not in known:
            continue
        name = fresh_name(f"{result.name}.given", taken)
        given = ir.Value(name=name, shape=result.shape, type=result.type)
        result.replace_all_uses_with(given)
        inputs.append(given)
        producer = real.producer()
        is_step = producer is not None
        found.append(_cut(result, name, is_step, str(producer.name) if producer is not None else ""))
        if is_step:
            outputs.append(result)
        else:
            dead.append(node)
    model.graph.outputs.extend(outputs)
    for node in dead:
        model.graph.remove(node, safe=True)
    unread = [value for value in model.graph.inputs if value not in inputs and value.uses()]
    model.graph.inputs[:] = [*inputs, *unread]
    return tuple(found)


def _is_integer(value: ir.Value) -> bool:
    return value.dtype is not None and value.dtype.numpy().kind in "iu"


def _integer_input(value: ir.Value) -> CutValue:
    return _cut(value, str(value.name), False, "")


def _cut(value: ir.Value, given: str, is_step: bool, node: str) -> CutValue:
    assert value.shape is not None
    assert value.dtype is not None
    shape = tuple(int(size) for size in value.shape.numpy())
    return CutValue(str(value.name), given, shape, np.dtype(value.dtype.numpy()), is_step, node)
