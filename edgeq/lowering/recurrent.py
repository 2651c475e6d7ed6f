"""GRU, LSTM and RNN: the constants of their gates, and the two results that one node may have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.ir import Attr, Quantization, Source, Tensor
from edgeq.lowering.attributes import constant_array, integer, text
from edgeq.lowering.context import Context, Target, magnitude, result_type, scalar_quant
from edgeq.lowering.parameters import quantizer_parameters
from edgeq.lowering.requantize import at_scale, widened
from edgeq.numerics.array import INT32_MAX, Array
from edgeq.numerics.recurrent import (
    HIDDEN_SCALE,
    SIGMOID_SCALE,
    TANH_SCALE,
    gate_factors,
    scaled_factor,
    tanh_table,
)

if TYPE_CHECKING:
    import onnx_ir

_SEQUENCE, _LAST, _CELL = range(3)
_STATES = ("hidden", "cell")
_STEPS = {
    "gru": (SIGMOID_SCALE, SIGMOID_SCALE, TANH_SCALE),
    "lstm": (SIGMOID_SCALE, SIGMOID_SCALE, SIGMOID_SCALE, TANH_SCALE),
    "rnn": (TANH_SCALE,),
}
"""The scale of each gate's pre-activation."""


def lower_gru(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor, *states: Tensor) -> Tensor:
    """A GRU in its normalized form, see :func:`_lower`."""
    return _lower(ctx, "gru", node, target, (x, *states))


def lower_lstm(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor, *states: Tensor) -> Tensor:
    """An LSTM in its normalized form, see :func:`_lower`."""
    return _lower(ctx, "lstm", node, target, (x, *states))


def lower_rnn(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor, *states: Tensor) -> Tensor:
    """A recurrent layer without gates in its normalized form, see :func:`_lower`."""
    return _lower(ctx, "rnn", node, target, (x, *states))


def _lower(ctx: Context, op: str, node: onnx_ir.Node, target: Target, operands: tuple[Tensor, ...]) -> Tensor:
    """A layer of one direction; of the sequence and its last step one is read.

    Called once for each result that is read; the node is made with the first one.
    """
    made = ctx.made.get(str(node.name)) or _emit(ctx, op, node, *operands)
    ctx.made[str(node.name)] = made
    first, cell = made
    if _position(node, target.name) != _CELL:
        return first
    assert cell is not None  # it is read
    return at_scale(ctx, cell, target.quant, "state")


def _emit(ctx: Context, op: str, node: onnx_ir.Node, x: Tensor, *states: Tensor) -> tuple[Tensor, Tensor | None]:
    first = _SEQUENCE if _is_read(node, _SEQUENCE) else _LAST
    result, cell = _quant_of(node, first), _quant_of(node, _CELL)
    assert result is not None  # the normalized form keeps what is read
    constants, attrs = _gates(ctx, op, node, x)
    names = [ctx.add_constant(f"{node.name}.{name}", np.array(values)) for name, values in constants.items()]
    attrs |= {
        "sequence": int(first == _SEQUENCE),
        "reverse": int(text(node, "direction", "forward") == "reverse"),
        "hidden_out": scaled_factor(HIDDEN_SCALE / result.scale[0]),
        "out_zero": result.zero_point[0],
        **result_type(x, result),
    }
    for name, state in zip(_STATES, states, strict=False):
        assert state.quant is not None  # every activation carries its scale
        wide = at_scale(ctx, state, widened(state.quant), name)
        attrs[f"{name}_in"] = scaled_factor(scalar_quant(wide)[0] / HIDDEN_SCALE)
        names.append(wide.name)
    outputs = {first: result}
    if cell is not None:
        outputs[_CELL] = widened(cell)
        attrs["cell_out"] = scaled_factor(HIDDEN_SCALE / outputs[_CELL].scale[0])
    results = [_result(node, index, quant) for index, quant in outputs.items()]
    tensors = ctx.emit_all(op, results, (x.name, *names), attrs, sources=(str(node.name),))
    return tensors[0], tensors[1] if cell is not None else None


def _gates(ctx: Context, op: str, node: onnx_ir.Node, x: Tensor) -> tuple[dict[str, Array], dict[str, Attr]]:
    """The constants of the gates by operand, and the attributes that belong to them."""
    weight, recurrent = ctx.constant(node, 1), ctx.constant(node, 2)
    (x_scale, x_zero), size = scalar_quant(x), recurrent.shape[-1]
    x_scales, h_scales = x_scale * _row_scales(weight), HIDDEN_SCALE * _row_scales(recurrent)
    steps = np.repeat(_STEPS[op], size)
    factors = gate_factors(x_scales / steps, h_scales / steps)
    given, inner = _biases(ctx, node, len(steps))
    reset_after = integer(node, "linear_before_reset", 0) != 0
    # Behind a reset gate the recurrent bias of the last gate is scaled with the product; elsewhere both are one.
    apart = np.zeros(len(steps), bool)
    apart[-size:] = op == "gru" and reset_after
    bias = np.rint(np.where(apart, given, given + inner) / x_scales)
    recurrent_bias = np.rint(np.where(apart, inner, 0.0) / h_scales)
    _require_sums(node, _row_sums(weight) * magnitude(x) + np.abs(bias))
    _require_sums(node, _row_sums(recurrent) * (1 << 15) + np.abs(recurrent_bias))
    constants = {
        "weight": weight.value()[0],
        "recurrent": recurrent.value()[0],
        "bias": bias.astype(np.int32),
        "x_multiplier": factors.x,
        "h_multiplier": factors.h,
        "table": tanh_table(),
    }
    attrs: dict[str, Attr] = {"shift": factors.shift, "in_zero": x_zero}
    if op == "gru":
        constants["recurrent_bias"] = recurrent_bias.astype(np.int32)
        attrs["reset_after"] = int(reset_after)
    return constants, attrs


def _result(node: onnx_ir.Node, index: int, quant: Quantization) -> tuple[str, Quantization, Source | None]:
    """Name, parameters and source of a result; it stands for the value itself where nothing rounds it again."""
    value = node.outputs[index]
    if quant != _quant_of(node, index):
        return f"{value.name}.int16", quant, None
    assert value.shape is not None  # shapes are static
    shape = tuple(int(size) for size in value.shape.numpy())
    return str(value.name), quant, Source(str(value.name), tuple(range(len(shape))), shape)


def _position(node: onnx_ir.Node, name: str) -> int:
    return next(index for index, value in enumerate(node.outputs) if value.name == name)


def _is_read(node: onnx_ir.Node, index: int) -> bool:
    return index < len(node.outputs) and bool(node.outputs[index].uses())


def _quant_of(node: onnx_ir.Node, index: int) -> Quantization | None:
    """The parameters to which a result is rounded; None where nothing reads it."""
    uses = node.outputs[index].uses() if index < len(node.outputs) else ()
    found = [use.node for use in uses if use.node.op_type == "QuantizeLinear"]
    return quantizer_parameters(found[0]) if found else None


def _row_scales(weight: Tensor) -> Array:
    """float64 [rows] of a weight [1, rows, columns] with one scale or one for each row."""
    assert weight.quant is not None  # a dequantized constant
    return np.broadcast_to(np.array(weight.quant.scale, np.float64), weight.shape[1:2])


def _row_sums(weight: Tensor) -> Array:
    """float64 [rows], Σ|w| of each row."""
    sums: Array = np.abs(weight.value()[0].astype(np.float64)).sum(axis=1)
    return sums


def _biases(ctx: Context, node: onnx_ir.Node, rows: int) -> tuple[Array, Array]:
    """The biases of the inputs' and of the recurrent product: float64 [rows] each."""
    value = node.inputs[3] if len(node.inputs) > 3 else None
    if value is None:
        return np.zeros(rows), np.zeros(rows)
    known = ctx.constants.get(str(value.name))
    if known is not None and known.quant is not None:
        real = (known.value().astype(np.float64) - known.quant.zero_point[0]) * np.array(known.quant.scale)
    else:
        real = np.asarray(constant_array(node, 3), np.float64)
    given, inner = real.reshape(2, rows)
    return given, inner


def _require_sums(node: onnx_ir.Node, bound: Array) -> None:
    """Refuse sums that can leave int32."""
    reached = int(bound.max(initial=0))
    if reached > INT32_MAX:
        raise EdgeqError(
            "EQ0353",
            "an accumulator can leave int32",
            where=f"node {node.name}",
            got=f"magnitude up to {reached}",
            allowed=f"at most {INT32_MAX}",
            hint="split the layer: fewer hidden values, or fewer inputs of int16",
        )
