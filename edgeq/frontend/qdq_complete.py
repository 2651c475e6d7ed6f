"""Fills in what a QDQ model leaves unsaid but implies, and lists what it does not.

Exporters often put no Q behind operators that only move values, or behind the last Softmax. Rounding to a grid commutes
with moving, selecting and clamping, so such values take the grid of their neighbour without changing a bit. An operator
that computes new values needs a scale that only calibration can give.
"""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from edgeq.errors import Problem
from edgeq.onnxio.limits import shown
from edgeq.onnxio.qdq_form import FUSED_ACTIVATIONS, Activation, fused_activation
from edgeq.ops import OnnxForm, onnx_forms

Parameters = dict[ir.Value, Activation]


def complete(graph: ir.Graph, known: Parameters) -> None:
    """Give values the parameters that their neighbours imply, in place, until nothing more follows."""
    forms = {name: form for name, (_, form) in onnx_forms().items()}
    changed = True
    while changed:
        changed = False
        for node in graph:
            changed |= _forward(node, forms, known)
        for node in reversed(list(graph)):
            changed |= _backward(node, forms, known)


def fuse_equal_scales(graph: ir.Graph, known: Parameters) -> None:
    """Drop the parameters before a Relu or Clip that has the same ones behind it and that its producer can absorb.

    Clamping commutes with rounding, so the result has the same bits, and the clamp costs nothing.
    """
    for node in graph:
        reader = fused_activation(node)
        before = node.outputs[0]
        if reader is not None and before in known and known.get(reader.outputs[0]) == known[before]:
            del known[before]


def unquantized(graph: ir.Graph, known: Mapping[ir.Value, Activation]) -> list[Problem]:
    """One problem for each float value that has no scale, in graph order."""
    hint = "export with a QuantizeLinear and DequantizeLinear behind it, or quantize the float model with edgeq"
    problems = [
        Problem("EQ0328", "a model input is not quantized", where=f"input {shown(value.name or '?')}", hint=hint)
        for value in graph.inputs
        if _is_float(value) and value.uses() and value not in known
    ]
    for node in graph:
        for value in node.outputs:
            # Of a layer and the activation that it absorbs, only the latter's result needs a scale.
            if not _is_float(value) or value in known or fused_activation(node) is not None:
                continue
            problems.append(
                Problem(
                    "EQ0328",
                    f"the result of a {node.op_type} is not quantized",
                    where=f"node {shown(node.name or '?')}, value {shown(value.name or '?')}",
                    hint=hint,
                )
            )
    return problems


def _is_float(value: ir.Value) -> bool:
    return value.dtype is None or value.dtype.is_floating_point()


def _moved_inputs(node: ir.Node, forms: Mapping[str, OnnxForm]) -> list[ir.Value] | None:
    """The inputs of an operator whose results are on the grid of its inputs; None for every other operator."""
    form = forms.get(node.op_type)
    if node.domain not in {"", "ai.onnx"} or form is None:
        return None
    if form.scale != "same" and node.op_type not in FUSED_ACTIVATIONS:
        return None
    indices = range(len(node.inputs)) if form.activations is None else form.activations
    return [value for index in indices if (value := node.inputs[index]) is not None]


def _forward(node: ir.Node, forms: Mapping[str, OnnxForm], known: Parameters) -> bool:
    form = forms.get(node.op_type)
    if form is None or all(value in known for value in node.outputs):
        return False
    if form.scale == "fixed" and form.fixed is not None:
        # Everyone's grid for results of a known range; a Q may still follow behind a move.
        known.update(dict.fromkeys(node.outputs, Activation(*form.fixed)))
        return True
    inputs = _moved_inputs(node, forms)
    if not inputs or not all(value in known for value in inputs) or len({known[value] for value in inputs}) != 1:
        return False
    known.update(dict.fromkeys(node.outputs, known[inputs[0]]))
    return True


def _backward(node: ir.Node, forms: Mapping[str, OnnxForm], known: Parameters) -> bool:
    """A value that only this node reads may be rounded before it is moved."""
    inputs = _moved_inputs(node, forms)
    output = node.outputs[0]
    if not inputs or len(inputs) != 1 or output not in known or len(node.outputs) != 1:
        return False
    value = inputs[0]
    producer = value.producer()
    if value in known or value.is_initializer() or value.is_graph_output() or len(value.uses()) != 1:
        return False
    if producer is not None and fused_activation(producer) is node:
        return False
    known[value] = known[output]
    return True
