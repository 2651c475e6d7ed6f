"""Conv: every attribute stated, a bias always there, one dimension expressed as two."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import AttributeValue, Edit, Rule
from edgeq.frontend.facts import integer, ints, name_of, operand, required, shape_of, text
from edgeq.frontend.rules.spatial import resolved_pads, window_attributes

_SPATIAL_1D_RANK = 3


def _is_explicit(node: ir.Node, kernel: tuple[int, ...]) -> bool:
    return (
        all(name in node.attributes for name in ("kernel_shape", "strides", "dilations", "pads", "group"))
        and ints(node, "kernel_shape", ()) == kernel
        and "auto_pad" not in node.attributes
    )


def make_attributes_explicit(node: ir.Node, edit: Edit) -> str | None:
    """Strides, dilations, pads, group and kernel_shape are stated, auto_pad is resolved."""
    del edit
    x, weight = required(node, 0), required(node, 1)
    kernel = shape_of(weight)[2:]
    if ints(node, "kernel_shape", kernel) != kernel:
        return "kernel_shape contradicts the weight"
    if _is_explicit(node, kernel):
        return "all attributes are stated"
    strides, dilations, pads = window_attributes(node, kernel)
    if text(node, "auto_pad", "NOTSET") != "NOTSET":
        resolved = resolved_pads(node, kernel, shape_of(x)[2:], shape_of(node.outputs[0])[2:])
        if resolved is None:
            return "auto_pad leaves a window without input"
        pads = resolved
    node.attributes.pop("auto_pad", None)
    lists = {"dilations": dilations, "kernel_shape": kernel, "pads": pads, "strides": strides}
    group = integer(node, "group", 1)
    for name in ("dilations", "group", "kernel_shape", "pads", "strides"):
        node.attributes.pop(name, None)
        node.attributes.add(ir.AttrInt64(name, group) if name == "group" else ir.AttrInt64s(name, list(lists[name])))
    return None


def add_bias(node: ir.Node, edit: Edit) -> str | None:
    """A convolution without bias gets one of zeros."""
    if operand(node, 2) is not None:
        return "it has a bias"
    weight = required(node, 1)
    array = edit.array(weight)
    if array is None or array.dtype.kind != "f":
        return "the weight is not a float constant"
    bias = edit.constant(np.zeros(array.shape[0], dtype=array.dtype), f"{name_of(node.outputs[0])}_bias")
    node.resize_inputs(3)
    node.replace_input_with(2, bias)
    return None


def own_bias(node: ir.Node, edit: Edit) -> str | None:
    """A bias that several layers share is copied: quantized, each has a scale of its own."""
    bias = operand(node, 2)
    array = edit.array(bias)
    if bias is None or array is None:
        return "the bias is not constant"
    if len(bias.uses()) == 1 and not bias.is_graph_output():
        return "the bias is its own"
    node.replace_input_with(2, edit.scaled(bias, 1.0, f"{name_of(node.outputs[0])}_bias"))
    return None


def widen_to_2d(node: ir.Node, edit: Edit) -> str | None:
    """A convolution over one dimension becomes one over two, of height one, between Reshapes."""
    x, weight = required(node, 0), edit.array(operand(node, 1))
    if len(shape_of(x)) != _SPATIAL_1D_RANK:
        return "it is not one-dimensional"
    if weight is None:
        return "the weight is not constant"
    if "auto_pad" in node.attributes or "pads" not in node.attributes:
        return "the attributes are not stated yet"
    result = node.outputs[0]
    base = name_of(result)
    batch, channels, length = shape_of(x)
    _, filters, steps = shape_of(result)
    wide = edit.reshape(x, (batch, channels, 1, length), base=f"{base}_input_2d")
    old = required(node, 1)
    kernel = edit.reshaped(old, (*weight.shape[:2], 1, weight.shape[2]), f"{name_of(old)}_2d")
    strides, dilations, pads = window_attributes(node, (weight.shape[2],))
    attributes: dict[str, AttributeValue] = {
        "dilations": (1, dilations[0]),
        "group": integer(node, "group", 1),
        "kernel_shape": (1, weight.shape[2]),
        "pads": (0, pads[0], 0, pads[1]),
        "strides": (1, strides[0]),
    }
    flat = edit.node(
        "Conv", [wide, kernel, *node.inputs[2:3]], attributes, base=f"{base}_2d", shape=(batch, filters, 1, steps)
    )
    edit.hand_over(node, flat, edit.reshape(flat, shape_of(result), base=f"{base}_1d"))
    return None


STRUCTURE_RULES = (Rule("make_attributes_explicit", ("Conv",), make_attributes_explicit),)
BIAS_RULES = (
    Rule("add_bias", ("Conv",), add_bias),
    Rule("own_bias", ("Conv", "Gemm"), own_bias),
)
WIDEN_RULE = Rule("widen_to_2d", ("Conv",), widen_to_2d)
RULES = (*STRUCTURE_RULES, *BIAS_RULES, WIDEN_RULE)
