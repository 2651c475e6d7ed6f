"""Cutting a QDQ model at its quantized and plain values, so that each step can be run on integers that are given."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq.numerics.array import Array
from edgeq.onnxio.forms import is_plain
from edgeq.onnxio.names import fresh_name

if TYPE_CHECKING:
    import onnx_ir as ir


# Their plain results follow from products that onnxruntime rounds to float32.
_ROUNDED: Final = ("Cast", "CastLike", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")


@dataclass(frozen=True)
class CutValue:
    """A quantized activation, or integers or truth values, of a model that was cut there.

    Attributes:
        integers: name of the QuantizeLinear's result or of the plain value, an output of the cut model; of the model
            input where that holds integers already.
        given: name of the cut model's input that its readers read in its place.
        shape: as ONNX has it.
        dtype: of the integers.
        is_step: computed by an operator of the model; a quantized model input is not.
        node: name of the node that computes the value that is quantized, or plain.
        is_exact: a plain value that no rounding has a part in.
    """

    integers: str
    given: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    is_step: bool
    node: str
    is_exact: bool = False

    def shaped(self, array: Array) -> Array:
        """Integers in this value's shape and type; a type of the other signedness is shifted by half its range."""
        wanted = array.astype(np.int64)
        if self.dtype.kind == "u" and array.dtype.kind == "i" and array.dtype.itemsize == self.dtype.itemsize:
            wanted = wanted - np.iinfo(array.dtype).min
        if prod(self.shape) != array.size:
            raise ValueError(f"{self.integers}: {array.shape} does not fit {self.shape}")
        return wanted.reshape(self.shape).astype(self.dtype)


def cut_at_quantizers(model: ir.Model, known: Collection[str]) -> tuple[CutValue, ...]:
    """Cut a QDQ model, in place, behind every QuantizeLinear of an activation, and every plain value, that is known.

    Each such result becomes an output, and whoever read it reads a new input instead. What is left
    between two cuts is one step of the model on its own: DequantizeLinear, the operators, QuantizeLinear.
    Inputs that nobody reads any more are dropped.

    Args:
        model: static shapes; constants are behind DequantizeLinear only.
        known: the values for which integers can be given, by name; others stay inside their step.

    Returns:
        The cut values in the order of the model's nodes, integer inputs of the model first.
    """
    import onnx_ir as ir

    taken = {str(value.name) for node in model.graph for value in node.outputs} | {
        str(value.name) for value in (*model.graph.inputs, *model.graph.initializers.values())
    }
    inputs = [value for value in model.graph.inputs if is_plain(value) and value.name in known]
    found = [_integer_input(value) for value in inputs]
    outputs: list[ir.Value] = []
    dead: list[ir.Node] = []
    model.graph.outputs.clear()
    for node in model.graph:
        for result in node.outputs:
            real = node.inputs[0] if node.op_type == "QuantizeLinear" else None
            if result.name not in known or not is_plain(result) or (real is not None and real.const_value is not None):
                continue
            name = fresh_name(f"{result.name}.given", taken)
            given = ir.Value(name=name, shape=result.shape, type=result.type)
            result.replace_all_uses_with(given)
            inputs.append(given)
            producer = node if real is None else real.producer()
            is_exact = real is None and node.op_type not in _ROUNDED
            found.append(_cut(result, name, producer, is_exact=is_exact))
            if producer is not None:
                outputs.append(result)
            else:
                dead.append(node)
    model.graph.outputs.extend(outputs)
    for node in dead:
        model.graph.remove(node, safe=True)
    unread = [value for value in model.graph.inputs if value not in inputs and value.uses()]
    model.graph.inputs[:] = [*inputs, *unread]
    return tuple(found)


def _integer_input(value: ir.Value) -> CutValue:
    return _cut(value, str(value.name), None)


def _cut(value: ir.Value, given: str, node: ir.Node | None, *, is_exact: bool = False) -> CutValue:
    assert value.shape is not None
    assert value.dtype is not None
    shape = tuple(int(size) for size in value.shape.numpy())
    dtype = np.dtype(value.dtype.numpy())
    return CutValue(
        str(value.name), given, shape, dtype, node is not None, str(node.name) if node is not None else "", is_exact
    )
