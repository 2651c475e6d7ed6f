"""Inputs and outputs of a canonical model that are integers, as the foreign model declared them."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgeq.frontend.qdq_nodes import shift_of
from edgeq.notes import note
from edgeq.onnxio.limits import shown
from edgeq.onnxio.names import fresh_name


class IntegerValues:
    """Changes inputs and outputs of one canonical graph from float to integers, under names that are free."""

    def __init__(self, graph: ir.Graph) -> None:
        self.graph = graph
        self._values = {str(value.name) for value in (*graph.inputs, *graph.initializers.values())}
        self._values |= {str(value.name) for node in graph for value in node.outputs}
        self._nodes = {str(node.name) for node in graph}

    def restore_input(self, value: ir.Value, dtype: ir.DataType) -> None:
        """An input that Q quantizes becomes what Q gives, or in uint8 what a DequantizeLinear before Q reads."""
        quantizers = [use.node for use in value.uses()]
        value.type = ir.TensorType(dtype)
        _tell_of_uint8("input", str(value.name), dtype)
        for quantize in quantizers:
            if not shift_of(dtype):
                quantize.outputs[0].replace_all_uses_with(value, replace_graph_outputs=True)
                self.graph.remove(quantize, safe=True)
                continue
            real = self._node("DequantizeLinear", value, quantize, dtype, f"{value.name}_real", ir.DataType.FLOAT)
            self.graph.insert_before(quantize, real)
            quantize.replace_input_with(0, real.outputs[0])

    def restore_output(self, position: int, output: ir.Value, dtype: ir.DataType) -> None:
        """An output that DQ makes becomes what DQ reads, or in uint8 what a QuantizeLinear behind DQ makes."""
        name, dequantize = str(output.name), output.producer()
        integers = None if dequantize is None else dequantize.inputs[0]
        if dequantize is None or integers is None:
            return
        if not shift_of(dtype):
            self.graph.outputs[position] = integers
            if output.uses():
                output.name = fresh_name(f"{name}_dequantized", self._values)
            else:
                self.graph.remove(dequantize, safe=True)
            integers.name = name
            return
        _tell_of_uint8("output", name, dtype)
        output.name = fresh_name(f"{name}_dequantized", self._values)
        quantize = self._node("QuantizeLinear", output, dequantize, dtype, name, dtype)
        self.graph.insert_after(dequantize, quantize)
        self.graph.outputs[position] = quantize.outputs[0]
        quantize.outputs[0].name = name

    def _node(
        self, kind: str, value: ir.Value, like: ir.Node, dtype: ir.DataType, name: str, result: ir.DataType
    ) -> ir.Node:
        """A Q or DQ with the parameters of another one, whose int8 zero point is shifted to ``dtype``."""
        scale, zero = like.inputs[1], like.inputs[2]
        assert scale is not None
        assert zero is not None
        assert zero.const_value is not None
        shifted = (zero.const_value.numpy().astype(np.int16) + shift_of(dtype)).astype(dtype.numpy())
        base = fresh_name(f"{name}_zero_point_{dtype.name.lower()}", self._values)
        tensor = ir.Tensor(np.asarray(shifted), name=base)
        parameter = ir.Value(name=base, shape=tensor.shape, type=ir.TensorType(dtype), const_value=tensor)
        self.graph.register_initializer(parameter)
        made = ir.Value(name=fresh_name(name, self._values), shape=value.shape, type=ir.TensorType(result))
        return ir.Node(
            "", kind, [value, scale, parameter], outputs=[made], name=fresh_name(f"{name}_{kind}", self._nodes)
        )


def _tell_of_uint8(kind: str, name: str, dtype: ir.DataType) -> None:
    if shift_of(dtype):
        note(
            "EQ0258",
            f"an {kind} of the model is uint8, that of the generated C is int8",
            where=f"{kind} {shown(name)}",
            hint="in C, subtract 128 from inputs and add it to outputs: (uint8_t)(v ^ 0x80)",
        )
