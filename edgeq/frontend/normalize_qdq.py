"""From any static QDQ model to edgeq's canonical form.

A quantized model is a float graph and a plan of integers. The foreign Q and DQ are removed (:mod:`qdq_read`), the rules
of float models are applied while constants carry their integers (:class:`edgeq.frontend.edit.Edit`), the support check
of float models follows, missing scales are inferred (:mod:`qdq_scales`), and the code that writes edgeq's own plans
writes the result. Decided against: patching the foreign model in place, which would have to undo every exporter's
placement of Q and DQ one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.errors import EdgeqError, Problem
from edgeq.frontend.edit import Edit, apply_rules
from edgeq.frontend.facts import is_op
from edgeq.frontend.floats import read_integer_inputs
from edgeq.frontend.integer_values import IntegerValues
from edgeq.frontend.normalize import confirm_shapes
from edgeq.frontend.qdq_constants import layer_constants, operand_of, weight_of
from edgeq.frontend.qdq_nodes import place_of
from edgeq.frontend.qdq_read import Recovery, integer_operators, read_quantization
from edgeq.frontend.qdq_scales import infer_scales
from edgeq.frontend.rules import BEFORE_READING, QUANTIZED
from edgeq.frontend.rules.affine import VARIANCE, normalization
from edgeq.frontend.support import check_support
from edgeq.ir import DType, QuantizedConstant
from edgeq.numerics.array import Array
from edgeq.onnxio.qdq_form import QdqPlan, fused_activation, mask_of, write_qdq
from edgeq.ops import OnnxForm, onnx_forms

# Damage that the import explains better than what follows from it.
_CAUSES: Final = frozenset(f"EQ0{number}" for number in (252, 253, 254, 255, 256, 257, 259, 261, 262, 263))


@dataclass(frozen=True)
class Recovered:
    """A foreign quantized model, taken apart.

    Attributes:
        model: its float graph, normalized; constants hold the values that their integers stand for.
        plan: the integers that it states.
        problems: why the plan is not complete; empty for a model that can be lowered.
        integer_inputs, integer_outputs: model inputs and outputs that are integers themselves, by name.
    """

    model: ir.Model
    plan: QdqPlan
    problems: tuple[Problem, ...]
    integer_inputs: Mapping[str, ir.DataType]
    integer_outputs: Mapping[str, ir.DataType]


def normalize_qdq(model: ir.Model) -> ir.Model:
    """The canonical form of a quantized model.

    Scales, zero points and integers are those of the model wherever the canonical form can hold them: uint8 is shifted
    to int8, a bias that is not at the scale s_x·s_w is rounded to it, factors and offsets per channel between a layer
    and its quantization go into weight scales and biases. Canonical models come out as they are.

    Args:
        model: static shapes, opset 21; it is not changed.

    Returns:
        A new model that lowering takes.

    Raises:
        EdgeqError: EQ0250 to EQ0263 and EQ03xx, all problems of the model at once; EQ0229 the result contradicts
            ONNX's shapes, a fault of edgeq.
    """
    found = recover_plan(model)
    if found.problems:
        raise EdgeqError.of(found.problems)
    result = write_qdq(found.model, found.plan)
    restore_integer_values(result.graph, found)
    confirm_shapes(result)
    return result


@np.errstate(over="ignore", invalid="ignore")  # the support check refuses constants that are no numbers
def recover_plan(model: ir.Model) -> Recovered:
    """Take a quantized model apart, also one that is quantized in part.

    Args:
        model: as :func:`normalize_qdq`.

    Returns:
        What :func:`edgeq.quant.quantize` needs to complete it with calibration data.

    Raises:
        EdgeqError: EQ0252 the model computes on integers itself.
    """
    refused = integer_operators(model)
    if refused:
        raise EdgeqError.of(refused)
    work = model.clone()
    for _, rules in BEFORE_READING:
        apply_rules(Edit(work), rules)
    read_integer_inputs(work)
    found = read_quantization(work)
    for _, rules in QUANTIZED:
        apply_rules(found.edit, rules)
    found.problems += _bad_variances(found.edit)
    infer_scales(found)
    unsupported = check_support(found.edit.model)
    plan = QdqPlan({str(value.name): found.params[value] for value in _activations(found) if value in found.params})
    if not unsupported:
        _plan_constants(found, plan)
    return Recovered(
        found.edit.model,
        plan,
        _told_once(unsupported, found.problems),
        found.integer_inputs,
        found.integer_outputs,
    )


def _bad_variances(edit: Edit) -> Iterator[Problem]:
    """Normalizations that no rule takes because they divide by no number."""
    for node in edit.graph:
        if is_op(node, "BatchNormalization") and normalization(node, edit) == VARIANCE:
            hint = "the training diverged, or the export is at fault: look at the variances"
            yield Problem("EQ0263", "a variance is not positive", place_of(node), node.op_type, hint=hint)


def _told_once(unsupported: Sequence[Problem], found: Sequence[Problem]) -> tuple[Problem, ...]:
    """The problems of the float graph, then those of its quantization, with one cause for each node.

    What the import says of a damaged quantization explains what the support check finds there. What is not supported
    has no need of a scale.
    """
    causes = {_node_of(problem) for problem in found if problem.code in _CAUSES}
    kept = [problem for problem in unsupported if _node_of(problem) not in causes]
    places = {_node_of(problem) for problem in kept}
    rest = [problem for problem in found if problem.code in _CAUSES or _node_of(problem) not in places]
    return tuple(dict.fromkeys((*kept, *rest)))


def _node_of(problem: Problem) -> str:
    """The part of a place that names the node."""
    parts = (problem.where or "").split(", ")
    return next((part for part in parts if part.startswith("node ")), parts[0])


def _activations(found: Recovery) -> Iterator[ir.Value]:
    """Every value of the float graph that is given or computed."""
    yield from found.edit.graph.inputs
    for node in found.edit.graph:
        yield from (output for output in node.outputs if output.name)


def _plan_constants(found: Recovery, plan: QdqPlan) -> None:
    """The integers of every constant operand."""
    forms = {name: form for name, (_, form) in onnx_forms().items()}
    masks = {mask for node in found.edit.graph if (mask := mask_of(node)) is not None}
    for node in found.edit.graph:
        form = forms.get(node.op_type)
        if form is None or node.domain or (node in masks and node.outputs[0] not in found.params):
            continue
        for index, axis in form.matrices.items():
            matrix = _constant(found, node, index)
            if matrix is not None:
                plan.constants[str(node.name), index] = weight_of(matrix, axis, f"node {node.name}")
        if form.weight is not None and form.bias is not None:
            _plan_layer(found, plan, node, form)
            continue
        for index in range(len(node.inputs)) if form.activations is None else form.activations:
            constant = _constant(found, node, index)
            if constant is not None:
                values = (*node.inputs, *node.outputs)
                types = {found.params[value].dtype for value in values if value in found.params}
                dtype = DType.INT16 if DType.INT16 in types else DType.INT8
                plan.constants[str(node.name), index] = operand_of(constant, dtype)


def _plan_layer(found: Recovery, plan: QdqPlan, node: ir.Node, form: OnnxForm) -> None:
    assert form.weight is not None
    assert form.bias is not None
    x = node.inputs[0]
    weight, bias = _constant(found, node, form.weight), _constant(found, node, form.bias)
    if weight is None or bias is None:
        return  # reported already, or by the support check
    name, params = str(node.name), None if x is None else found.params.get(x)
    rounded = weight_of(weight, form.weight_axis, f"node {name}")
    if params is None:
        if isinstance(weight, QuantizedConstant):  # calibration finds the input's scale, and with it the bias
            plan.constants[name, form.weight] = rounded
        return
    activation = fused_activation(node)
    quantized = found.params.get(node.outputs[0])
    if quantized is None and activation is not None:
        quantized = found.params.get(activation.outputs[0])
    kernel, offsets = layer_constants(rounded, bias, params, quantized, form.weight_axis)
    plan.constants[name, form.weight], plan.constants[name, form.bias] = kernel, offsets


def _constant(found: Recovery, node: ir.Node, index: int) -> QuantizedConstant | Array | None:
    """A constant float operand, as integers where the model gave them."""
    value = node.inputs[index] if index < len(node.inputs) else None
    array = found.edit.array(value)
    if value is None or array is None or not np.issubdtype(array.dtype, np.floating):
        return None
    return found.edit.integers.get(value, array)


def restore_integer_values(graph: ir.Graph, found: Recovered) -> None:
    """Inputs and outputs that were integers are integers again, of the type that they had; in place.

    For int8 and int16 the Q behind an input and the DQ before an output go. uint8 is a DQ or Q more, around int8.
    """
    edit = IntegerValues(graph)
    for value in graph.inputs:
        dtype = found.integer_inputs.get(str(value.name))
        if dtype is not None:
            edit.restore_input(value, dtype)
    for position, output in enumerate(list(graph.outputs)):
        dtype = found.integer_outputs.get(str(output.name))
        if dtype is not None:
            edit.restore_output(position, output, dtype)
    for name in [name for name, value in graph.initializers.items() if not value.uses()]:
        del graph.initializers[name]
