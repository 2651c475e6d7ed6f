"""Scales that a foreign model does not state: inferred from the neighbours where that changes no number, else reported.

An operator that only moves values gives Q(op(x)) = op(Q(x)), and so do maximum pooling and clamps because rounding is
monotone. So parameters travel backward through them to a value without parameters, and forward; a clamp whose result
is not quantized has its bounds rounded to its operand's steps, by half a step at most. Softmax, Sigmoid and the like
have ranges that are known. Everything else that lacks parameters is a problem of its node.
"""

from __future__ import annotations

from typing import Final

import onnx_ir as ir

from edgeq.errors import Problem
from edgeq.frontend.facts import name_of
from edgeq.frontend.qdq_bounds import bound_made_value
from edgeq.frontend.qdq_read import Recovery
from edgeq.ir import DType, Quantization
from edgeq.onnxio.forms import passes_float
from edgeq.onnxio.limits import shown
from edgeq.onnxio.qdq_form import CLAMPS, REQUANTIZE, fused_activation, mask_of
from edgeq.ops import OnnxForm, onnx_forms

_HINT: Final = "quantize this operator too, or give calibration data"


def infer_scales(found: Recovery) -> None:
    """Give every activation of the float graph its parameters; in place.

    A scale between an operator and the activation that it absorbs vanishes where both are the same. Operators that
    keep their scale get operands at the scale of their result. What stays unknown is noted in ``found.problems``.
    """
    forms = {name: form for name, (_, form) in onnx_forms().items() if name != REQUANTIZE}
    masks = {mask for node in found.edit.graph if (mask := mask_of(node)) is not None}
    masks = {mask for mask in masks if mask.outputs[0] not in found.params}
    nodes = [node for node in found.edit.graph if not node.domain and node not in masks]
    while _fill_backward(found, nodes, forms) or _fill_forward(found, nodes, forms) or bound_made_value(found):
        pass
    absorbed = _merge_activations(found, nodes) | {mask.outputs[0] for mask in masks}
    _report_unknown(found, absorbed)
    for node in list(found.edit.graph):
        form = forms.get(node.op_type)
        if form is not None and form.scale == "same" and not node.domain and node not in masks:
            _equalize(found, node, form)


def _passes_scale(node: ir.Node, forms: dict[str, OnnxForm]) -> bool:
    """Whether an operator's result can be quantized by quantizing its operands."""
    if node.domain or node.op_type not in forms:
        return False
    return forms[node.op_type].scale == "same" or node.op_type in CLAMPS


def _fill_backward(found: Recovery, nodes: list[ir.Node], forms: dict[str, OnnxForm]) -> bool:
    """From results to operands: a value all of whose readers pass their scale on, and agree on it."""
    changed = False
    values = [output for node in nodes for output in node.outputs]
    values += list(found.edit.graph.inputs)
    for value in reversed(values):
        if value in found.params or value.is_graph_output() or not _is_float(value):
            continue
        producer = value.producer()
        if producer is not None and fused_activation(producer) is not None:
            continue
        wanted = set()
        for use in value.uses():
            positions = _activations(use.node, forms.get(use.node.op_type))
            passes = _passes_scale(use.node, forms) and use.idx in positions
            wanted.add(found.params.get(use.node.outputs[0]) if passes else None)
        if len(wanted) == 1 and None not in wanted:
            found.params[value] = next(item for item in wanted if item is not None)
            changed = True
    return changed


def _fill_forward(found: Recovery, nodes: list[ir.Node], forms: dict[str, OnnxForm]) -> bool:
    """From operands to results, and what an operator itself prescribes."""
    changed = False
    for node in nodes:
        form = forms.get(node.op_type)
        result = node.outputs[0]
        if form is None or result in found.params or not _is_float(result):
            continue
        operands = [found.params[value] for value in _computed(found, node, form) if value in found.params]
        fixed = form.fixed_for(operands[0].dtype if operands else DType.INT8)
        if form.scale == "fixed" and fixed is not None:
            found.params[result] = fixed
            changed = True
        elif _passes_scale(node, forms):
            known = {found.params.get(value) for value in _computed(found, node, form)} or _stated(found, node, form)
            if len(known) == 1 and None not in known:
                found.params[result] = next(item for item in known if item is not None)
                changed = True
    return changed


def _merge_activations(found: Recovery, nodes: list[ir.Node]) -> set[ir.Value]:
    """Values between an operator and its absorbed activation; parameters equal on both sides are dropped.

    Q(p) → DQ → Relu → Q(p) is a clamp of integers, which the operator does itself.
    """
    between = set()
    for node in nodes:
        activation = fused_activation(node)
        if activation is None:
            continue
        value, result = node.outputs[0], activation.outputs[0]
        if value in found.params and found.params[value] == found.params.get(result):
            del found.params[value]
        if value not in found.params:
            between.add(value)
    return between


def _report_unknown(found: Recovery, absorbed: set[ir.Value]) -> None:
    for value in found.edit.graph.inputs:
        if _is_float(value) and value.uses() and value not in found.params:
            reader = next(iter(value.uses())).node
            found.problems.append(
                Problem(
                    "EQ0251",
                    "a model input is not quantized before it is used",
                    where=f"input {shown(name_of(value))}, node {shown(reader.name or reader.op_type)}",
                    got=reader.op_type,
                    hint="quantize the input itself, or move this operator out of the model",
                )
            )
    for node in found.edit.graph:
        missing = [
            value
            for value in node.outputs
            if value not in found.params and value not in absorbed and _is_float(value) and _is_read(value)
        ]
        if missing:
            where = f"node {shown(node.name or node.op_type)}, value {shown(name_of(missing[0]))}"
            what = "an operator is left without quantization on its output"
            found.problems.append(Problem("EQ0250", what, where=where, got=node.op_type, hint=_HINT))


def _equalize(found: Recovery, node: ir.Node, form: OnnxForm) -> None:
    """Operands at another scale than the result's are requantized first: the same numbers as behind the operator."""
    params = found.params.get(node.outputs[0])
    if params is None:
        return
    found.edit.before(node)
    for index in _activations(node, form):
        value = node.inputs[index] if index < len(node.inputs) else None
        if value is not None and found.params.get(value, params) != params:
            node.replace_input_with(index, found.requantized(value, params))


def _activations(node: ir.Node, form: OnnxForm | None) -> range | tuple[int, ...]:
    """The positions of a node's activation operands."""
    if form is None or form.activations is None:
        return range(len(node.inputs))
    return form.activations


def _computed(found: Recovery, node: ir.Node, form: OnnxForm) -> list[ir.Value]:
    """A node's float operands that are no constants."""
    values = [node.inputs[index] for index in _activations(node, form) if index < len(node.inputs)]
    return [value for value in values if value is not None and found.edit.is_computed(value) and _is_float(value)]


def _stated(found: Recovery, node: ir.Node, form: OnnxForm) -> set[Quantization | None]:
    """The parameters of the constants of a node that reads no other floats: of the table of an embedding."""
    values = [node.inputs[index] for index in _activations(node, form) if index < len(node.inputs)]
    constants = [found.edit.integers[value] for value in values if value is not None and value in found.edit.integers]
    known = {constant.quantization for constant in constants}
    usable = all(each.axis is None and each.bits is None and each.dtype is not DType.INT32 for each in known)
    return {*known} if usable else set()


def _is_float(value: ir.Value) -> bool:
    """Whether a value needs parameters: between nodes in software float there are none."""
    if passes_float(value):
        return False
    return value.dtype is None or value.dtype.is_floating_point()


def _is_read(value: ir.Value) -> bool:
    return bool(value.name) and (bool(value.uses()) or value.is_graph_output())
