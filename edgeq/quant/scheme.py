"""Which values of a normalized float model are quantized, and which of them must share one scale.

All of it follows from the operator table: which inputs of an ONNX operator carry activations, whether its output has a
scale of its own, that of its input, or a fixed one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edgeq.onnxio.qdq_form import Activation, fused_activation
from edgeq.ops import OnnxForm, onnx_forms

if TYPE_CHECKING:
    import onnx_ir


@dataclass
class Scheme:
    """What to quantize.

    Attributes:
        groups: values that share one scale, in graph order; a value is in one group.
        fixed: parameters that an operator prescribes, by value name.
        operands: (node, input index, value) of every constant operand that is an activation to its operator.
        layers: (node, form) of every operator with a weight.
    """

    groups: list[list[str]] = field(default_factory=list)
    fixed: dict[str, Activation] = field(default_factory=dict)
    operands: list[tuple[onnx_ir.Node, int]] = field(default_factory=list)
    layers: list[tuple[onnx_ir.Node, OnnxForm]] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """Every quantized activation."""
        return [name for group in self.groups for name in group]


def plan_scheme(model: onnx_ir.Model, mode: str) -> Scheme:
    """Read the scheme off a model.

    Args:
        model: normalized float model, every operator of which is supported.
        mode: ``highmul`` or ``tflite``; TFLite shares scales in more operators.
    """
    scheme = Scheme()
    forms = onnx_forms()
    group_of: dict[str, list[str]] = {}

    def join(name: str) -> list[str]:
        if name not in group_of:
            group_of[name] = [name]
            scheme.groups.append(group_of[name])
        return group_of[name]

    for value in model.graph.inputs:
        if not value.is_initializer():
            join(str(value.name))
    absorbed = {id(reader) for node in model.graph if (reader := fused_activation(node)) is not None}
    for node in model.graph:
        _, form = forms[node.op_type]
        if form.weight is not None:
            scheme.layers.append((node, form))
        indices = range(len(node.inputs)) if form.activations is None else form.activations
        activations = []
        for index in indices:
            operand = node.inputs[index]
            if operand is not None and operand.const_value is not None:
                scheme.operands.append((node, index))
            elif operand is not None:
                activations.append(str(operand.name))
        if fused_activation(node) is not None:
            continue
        output = str(node.outputs[0].name)
        group = join(output)
        if id(node) in absorbed:
            continue
        rule = form.tflite_scale if mode == "tflite" and form.tflite_scale else form.scale
        if rule == "fixed" and form.fixed is not None:
            scheme.fixed[output] = Activation(*form.fixed)
        if rule == "same":
            _share(scheme, group_of, group, activations)
    return scheme


def _share(scheme: Scheme, group_of: dict[str, list[str]], group: list[str], activations: list[str]) -> None:
    """Put an output into the group of its inputs.

    With several inputs a group of fixed scale stays apart, and lowering requantizes that input.
    """
    for name in activations:
        other = group_of[name]
        if other is group or (len(activations) > 1 and any(member in scheme.fixed for member in other)):
            continue
        scheme.groups = [kept for kept in scheme.groups if kept is not group]
        other += group
        for member in group:
            group_of[member] = other
        group = other
