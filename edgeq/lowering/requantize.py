"""Scale arithmetic shared by every family: multipliers of a node, and the explicit change of scale."""

from __future__ import annotations

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.ir import Attr, DType, Quantization, Tensor
from edgeq.lowering.context import Context, scalar_quant
from edgeq.numerics import highmul, tflite
from edgeq.numerics.array import Array

_INT32 = DType.INT32


def multipliers(
    ctx: Context, name: str, ratio: Array, bound: Array, where: tuple[str, ...]
) -> tuple[tuple[str, ...], dict[str, Attr]]:
    """The constants and attributes by which a node requantizes its int32 accumulator.

    Args:
        ctx: the lowering.
        name: base name of the constants.
        ratio: float64 [C], accumulator scale over output scale, one a channel.
        bound: int64 [C], the largest magnitude that the accumulator of a channel can reach.
        where: names of the ONNX nodes, for messages.

    Returns:
        Names of the constant inputs (multiplier, and exponent in mode ``tflite``), and the attributes ``requant``,
        ``acc``, ``shift``.

    Raises:
        EdgeqError: EQ0353 where the accumulator, shifted, can leave int32.
        ScaleRangeError: the factor is out of range.
    """
    _require_int32(int(bound.max(initial=0)), where)
    if ctx.mode == "tflite":
        quantized, exponents = tflite.quantize_multipliers(ratio)
        names = (ctx.add_constant(f"{name}.multiplier", quantized), ctx.add_constant(f"{name}.exponent", exponents))
        return names, {"requant": "tflite", "acc": "i32", "shift": 0}
    values, shift = highmul.choose_multipliers(ratio)
    _require_int32(int(bound.max(initial=0)) << shift, where)
    return (ctx.add_constant(f"{name}.multiplier", values),), {"requant": "highmul", "acc": "i32", "shift": shift}


def single_product(a_scale: float, b_scale: float) -> np.float64:
    """s_a·s_b rounded to float32: TFLite's product of scales in mul, matmul and dense layers with one weight scale."""
    return np.float64(np.float32(a_scale) * np.float32(b_scale))


def emit_requantize(ctx: Context, tensor: Tensor, quant: Quantization, name: str) -> Tensor:
    """Append an explicit change of scale and zero point.

    Args:
        ctx: the lowering.
        tensor: int8, quantized per tensor.
        quant: the scale and zero point wanted.
        name: the result's name.
    """
    scale, zero = scalar_quant(tensor)
    ratio = np.array([scale / quant.scale[0]])
    inputs, attrs = multipliers(ctx, name, ratio, np.array([255]), (tensor.name,))
    attrs |= {"in_zero": zero, "out_zero": quant.zero_point[0], "clamp_min": -128, "clamp_max": 127}
    return ctx.emit("requantize", name, (tensor.name, *inputs), attrs, quant=quant, sources=())


def at_scale(ctx: Context, tensor: Tensor, quant: Quantization, label: str) -> Tensor:
    """The tensor at the scale and zero point wanted; itself where it has them already."""
    if scalar_quant(tensor) == (quant.scale[0], quant.zero_point[0]):
        return tensor
    return emit_requantize(ctx, tensor, quant, f"{tensor.name}.{label}")


def copy_constant(ctx: Context, tensor: Tensor, name: str) -> Tensor:
    """A constant as a computed tensor: a concatenation of nothing else copies it."""
    assert tensor.quant is not None  # every activation carries its scale
    shape = tensor.shape or (1,)
    flat = ctx.graph.tensors[ctx.add_constant(f"{name}.constant", tensor.value().reshape(shape), tensor.quant)]
    copied = ctx.emit("concat", name, (flat.name,), {"axis": 0}, quant=tensor.quant, sources=(), fold=False)
    if copied.shape == tensor.shape:
        return copied
    return ctx.emit("reshape", name, (copied.name,), {"shape": tensor.shape}, quant=tensor.quant, sources=())


def _require_int32(magnitude: int, where: tuple[str, ...]) -> None:
    if magnitude > _INT32.max:
        raise EdgeqError(
            "EQ0353",
            "an accumulator can leave int32",
            where=f"node {', '.join(where)}",
            got=f"magnitude up to {magnitude}",
            allowed=f"at most {_INT32.max}",
            hint="use a larger output scale for this layer, or split its input channels",
        )
