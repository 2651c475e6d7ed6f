"""Models in other float types become float32: firmware computes in integers, whatever the model computed in."""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.notes import note
from edgeq.onnxio.limits import shown

_OTHER: Final = frozenset((ir.DataType.BFLOAT16, ir.DataType.DOUBLE, ir.DataType.FLOAT16))
_TYPES_IN_ATTRIBUTES: Final = ("dtype", "output_dtype", "precision", "stash_type", "to")


def use_float32(model: ir.Model) -> bool:
    """Make every float16, bfloat16 and float64 value, constant and type attribute float32; in place, with one note.

    Returns:
        Whether there were any.

    What leaves float32's range becomes infinite, which the support check reports with the constant's name.
    """
    found: set[str] = set()
    for graph in model.graphs():
        for value in (*graph.inputs, *graph.initializers.values()):
            _convert_type(value, found)
        for value in graph.initializers.values():
            if isinstance(value.const_value, ir.TensorProtocol):
                value.const_value = _converted(value.const_value, found)
        for node in graph:
            for value in node.outputs:
                _convert_type(value, found)
            for attribute in list(node.attributes.values()):
                _convert_attribute(node, attribute, found)
    if found:
        note(
            "EQ0233",
            f"the model computes in {', '.join(sorted(found))} and is read as float32",
            hint="inputs and outputs of these types are float32 here; nothing to do",
        )
    return bool(found)


def _convert_type(value: ir.Value, found: set[str]) -> None:
    if isinstance(value.type, ir.TensorType) and value.type.dtype in _OTHER:
        found.add(value.type.dtype.name.lower())
        value.type = ir.TensorType(ir.DataType.FLOAT)


def _converted(tensor: ir.TensorProtocol, found: set[str]) -> ir.TensorProtocol:
    if tensor.dtype not in _OTHER:
        return tensor
    found.add(tensor.dtype.name.lower())
    with np.errstate(over="ignore"):
        return ir.Tensor(np.asarray(tensor.numpy()).astype(np.float32), name=tensor.name)


def _convert_attribute(node: ir.Node, attribute: ir.Attr, found: set[str]) -> None:
    if attribute.type == ir.AttributeType.TENSOR:
        tensor = attribute.as_tensor()
        if tensor.dtype in _OTHER:
            node.attributes.add(ir.AttrTensor(attribute.name, _converted(tensor, found)))
        return
    names_type = attribute.type == ir.AttributeType.INT and attribute.name in _TYPES_IN_ATTRIBUTES
    if names_type and attribute.as_int() in {int(kind) for kind in _OTHER}:
        found.add(ir.DataType(attribute.as_int()).name.lower())
        node.attributes.add(ir.AttrInt64(attribute.name, int(ir.DataType.FLOAT)))


def read_integer_inputs(model: ir.Model) -> None:
    """Inputs of an integer type that the model only casts to float32 become float32 themselves; in place, with a note.

    The numbers are the same, and calibration data that holds integers quantizes them exactly.
    """
    for value in model.graph.inputs:
        casts = [usage.node for usage in value.uses()]
        kind = value.dtype
        if value.is_graph_output() or kind is None or not kind.is_integer() or not casts:
            continue
        if not all(node.op_type == "Cast" and not node.domain and _gives_float(node) for node in casts):
            continue
        value.type = ir.TensorType(ir.DataType.FLOAT)
        note(
            "EQ0234",
            f"the model casts an input from {kind.name.lower()} to float32: it is float32 here",
            where=f"input {shown(value.name or '?')}",
            hint="give calibration data as integers: they stand for the same numbers, and nothing is rounded",
        )


def _gives_float(node: ir.Node) -> bool:
    target = node.attributes.get("to")
    return target is not None and target.as_int() == int(ir.DataType.FLOAT)
