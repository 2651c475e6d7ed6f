"""add, sub, mul and requantize.

A difference is a sum whose second multiplier is negated (highmul), or whose second sign is -1 (double): one kernel
serves both. A constant operand is the kernel's `b`, whichever side of the operator it stands on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from edgeq.backends.c import orders
from edgeq.backends.c.binding import Binding, Call
from edgeq.backends.c.bindings.scaling import (
    centred_limit,
    clamp_fields,
    formula_of,
    scalar,
    scalar_fields,
)
from edgeq.backends.c.bindings.strides import broadcast_fields, broadcast_refusal
from edgeq.backends.c.runtime import Isa
from edgeq.ir import Graph, Node, Tensor

Fields = dict[str, int]
Side = str  # "a" or "b": the node's operand


@dataclass(frozen=True)
class _Operands:
    """The two operands in the order in which the kernel takes them: an activation first."""

    first: Side
    second: Side
    tensors: tuple[Tensor, Tensor]

    @property
    def constant(self) -> Tensor | None:
        """The constant operand, always the second one."""
        return self.tensors[1] if self.tensors[1].is_constant else None


def _operands(node: Node, graph: Graph) -> _Operands:
    a, b = graph.operands(node)[:2]
    return _Operands("b", "a", (b, a)) if a.is_constant else _Operands("a", "b", (a, b))


def _binary_refusal(node: Node, graph: Graph, isa: Isa) -> str | None:
    found = _operands(node, graph)
    if found.tensors[0].is_constant:
        return "both operands are constants"
    return broadcast_refusal(graph.results(node)[0].shape, *(tensor.shape for tensor in found.tensors))


def _loop_fields(node: Node, graph: Graph, found: _Operands) -> Fields:
    return broadcast_fields(
        graph.results(node)[0].shape, dict(zip("ab", (each.shape for each in found.tensors), strict=True))
    )


def _call(kernel: str, node: Node, graph: Graph, found: _Operands, fields: Fields) -> Call:
    passed = [tensor for tensor in found.tensors if not tensor.is_constant]
    out = graph.results(node)[0]
    return Call(
        kernel=kernel,
        record=fields,
        inputs=tuple(tensor.name for tensor in passed),
        outputs=node.outputs,
        constants={} if found.constant is None else {"b": found.constant.value()},
        in_place=tuple((index, 0) for index, tensor in enumerate(passed) if tensor.elements == out.elements),
        trailing=orders.broadcasts(fields, dict(zip("ab", found.tensors, strict=True)), out),
    )


def _sum_highmul(kernel: str, node: Node, graph: Graph) -> Call:
    found = _operands(node, graph)
    fields = _sum_fields(node, graph, found) | {"offset": node.integer("offset")}
    return _call(kernel, node, graph, found, fields | clamp_fields(node))


def _sum_int16(kernel: str, node: Node, graph: Graph) -> Call:
    """Without zero points the offset is the rounding alone, which the kernel knows."""
    found = _operands(node, graph)
    return _call(kernel, node, graph, found, _sum_fields(node, graph, found) | clamp_fields(node))


def _sum_fields(node: Node, graph: Graph, found: _Operands) -> Fields:
    multipliers = {"a": node.integer("a_multiplier"), "b": node.integer("b_multiplier")}
    if node.op == "sub":
        multipliers["b"] = -multipliers["b"]
    return _loop_fields(node, graph, found) | {
        "a_multiplier": multipliers[found.first],
        "b_multiplier": multipliers[found.second],
        "shift": node.integer("shift"),
    }


def _sum_double(kernel: str, node: Node, graph: Graph) -> Call:
    found = _operands(node, graph)
    signs = {"a": 1, "b": -1 if node.op == "sub" else 1}
    fields = _loop_fields(node, graph, found) | {"left_shift": node.integer("left_shift")}
    for side, source in (("a", found.first), ("b", found.second)):
        fields |= {f"{side}_{key}": node.integer(f"{source}_{key}") for key in ("zero", "multiplier", "exponent")}
        fields[f"{side}_sign"] = signs[source]
    fields |= {key: node.integer(key) for key in ("out_multiplier", "out_exponent", "out_zero")}
    return _call(kernel, node, graph, found, fields | clamp_fields(node))


def _product_fields(node: Node, graph: Graph, found: _Operands) -> Fields:
    zeros = {"a_zero": node.integer(f"{found.first}_zero"), "b_zero": node.integer(f"{found.second}_zero")}
    return _loop_fields(node, graph, found) | zeros


def _product(kernel: str, node: Node, graph: Graph) -> Call:
    found = _operands(node, graph)
    fields = _product_fields(node, graph, found)
    fields |= scalar_fields(node, graph, centred_limit(node.integer("a_zero")) * centred_limit(node.integer("b_zero")))
    return _call(kernel, node, graph, found, fields | clamp_fields(node))


def _product_int16(kernel: str, node: Node, graph: Graph) -> Call:
    found = _operands(node, graph)
    fields = _loop_fields(node, graph, found) | clamp_fields(node)
    fields |= {"multiplier": scalar(node, graph, "multiplier"), "shift": node.integer("shift")}
    return _call(kernel, node, graph, found, fields)


def _binary(op: str, kernel: str, formula: str, bind: Callable[[str, Node, Graph], Call]) -> Binding:
    return Binding(
        op,
        kernel,
        _binary_refusal,
        lambda node, graph, isa: bind(kernel, node, graph),
        formula,
    )


def _requantize(node: Node, graph: Graph, isa: Isa) -> Call:
    kernel = _REQUANTIZE[formula_of(node)]
    in_zero = node.integer("in_zero")
    fields: Fields = {"elements": graph.results(node)[0].elements, "in_zero": in_zero}
    fields |= scalar_fields(node, graph, centred_limit(in_zero)) | clamp_fields(node)
    return Call(kernel, fields, node.inputs[:1], node.outputs, in_place=((0, 0),))


def _requantize_widths(node: Node, graph: Graph, isa: Isa) -> Call:
    x, out = graph.operands(node)[0], graph.results(node)[0]
    fields: Fields = {"elements": out.elements, "x_bytes": x.dtype.size_bytes, "out_bytes": out.dtype.size_bytes}
    fields |= {key: node.integer(key) for key in ("in_zero", "shift", "out_zero")} | clamp_fields(node)
    fields["multiplier"] = scalar(node, graph, "multiplier")
    trailing, same = orders.by_element(x, out), ((0, 0),) if x.dtype is out.dtype else ()
    return Call("eq_requantize_s16", fields, node.inputs[:1], node.outputs, in_place=same, trailing=trailing)


_SUMS: Final = (
    ("eq_add_s8", "highmul", _sum_highmul),
    ("eq_add_tflite_s8", "double", _sum_double),
    ("eq_add_s16", "highmul", _sum_int16),
)
_PRODUCTS: Final = (
    ("eq_mul_s8", "highmul", _product),
    ("eq_mul_tflite_s8", "double", _product),
    ("eq_mul_s16", "highmul", _product_int16),
)
_REQUANTIZE: Final = {"highmul": "eq_requantize_s8", "double": "eq_requantize_tflite_s8"}
BINDINGS: tuple[Binding, ...] = (
    *(_binary(op, *each) for op, kernels in (("add", _SUMS), ("sub", _SUMS), ("mul", _PRODUCTS)) for each in kernels),
    *(Binding("requantize", kernel, None, _requantize, formula) for formula, kernel in _REQUANTIZE.items()),
    Binding("requantize", "eq_requantize_s16", None, _requantize_widths, "highmul"),
)
