"""Softmax over the last axis, of all positions or of those that a mask names."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from edgeq.ir import DType, Node, Quantization, Tensor
from edgeq.numerics import softmax
from edgeq.numerics.array import Array
from edgeq.numerics.scaling import SCALINGS
from edgeq.ops.accumulator import MODE, parameters
from edgeq.ops.axes import Axes
from edgeq.ops.base import OnnxAttribute, OnnxForm, Op, Sample, no_macs
from edgeq.ops.signature import Shape, Signature, Slot, invalid, scaling_of

_TABULATING = tuple(name for name, scaling in SCALINGS.items() if scaling.softmax_table)
RESULT = Quantization.per_tensor(DType.INT8, softmax.OUTPUT_SCALE, softmax.OUTPUT_ZERO)


def _shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    shape, scaling = operands[0].shape, scaling_of(node)
    if not shape or shape[-1] < 1:
        raise invalid(node, "rows must hold something", shape, "[..., n]")
    if scaling.softmax_table:
        entries = (256,) if operands[0].dtype is DType.INT8 else (512,)
        if operands[1].shape != entries:
            raise invalid(node, "the table has a wrong size", operands[1].shape, entries)
    longest = scaling.softmax_row_max if operands[0].dtype is DType.INT8 else softmax.ROW_MAX_INT16
    if longest is not None and shape[-1] > longest:
        raise invalid(node, f"row too long for {scaling.name}", shape[-1], f"at most {longest}")
    return shape


def _evaluate(node: Node, arrays: Sequence[Array]) -> list[Array]:
    scaling = scaling_of(node)
    constants = {each.name: node.integer(each.name) for each in scaling.softmax_parameters}
    return [scaling.apply_softmax(arrays[0], arrays[1] if scaling.softmax_table else None, constants)]


def _sample(name: str, shape: Shape, axis: int = -1) -> Sample:
    # 255/256 is the largest result, one whole step below a probability of 1.
    return Sample(name, "Softmax", (shape,), {}, {"axis": axis}, tolerance=1.01)


SOFTMAX = Op(
    name="softmax",
    family="softmax",
    summary="Softmax over the last axis, scale 1/256, zero point -128; of int16 1/32768 and 0: x, with highmul a table",
    signature=Signature(
        (Slot("x"), Slot("table", "table", modes=_TABULATING)),
        (("int8", "uint32", "int8"), ("int16", "uint16", "int16")),
    ),
    attributes=(MODE, *parameters(lambda scaling: scaling.softmax_parameters)),
    shape=_shape,
    evaluate=_evaluate,
    macs=no_macs,
    axes=Axes(fixed=1),
    overwrites=(0,),
    onnx=(
        OnnxForm(
            "Softmax",
            scale="fixed",
            fixed=RESULT,
            nonnegative=True,
            attributes=(OnnxAttribute("axis", "int"),),
        ),
    ),
    samples=(
        _sample("n1", (1, 1)),
        _sample("n2", (1, 2)),
        _sample("n10", (1, 10)),
        _sample("n12", (1, 12)),
        _sample("n257", (1, 257)),
        _sample("n511", (1, 511)),
        _sample("n512", (1, 512)),
        _sample("n600", (1, 600)),
        _sample("rows4-n7", (1, 4, 7)),
        _sample("heads2-rows3-n5", (1, 2, 3, 5)),
    ),
    limits="highmul: uint32 up to 511 elements per row, uint64 beyond; tflite and tflm: rows of at most 511",
)


def mask_rows(x: Shape, mask: Shape) -> tuple[int, int] | None:
    """How the rows of a mask go with those of x: row r of x has row r // repeat % period of the mask.

    Returns:
        repeat and period; None where the mask does not broadcast to x, or its axes of size 1 lie between others.
    """
    if not x or not mask or len(mask) > len(x) or mask[-1] != x[-1]:
        return None
    full, given = x[:-1], (1,) * (len(x) - len(mask)) + mask[:-1]
    if any(size not in {1, whole} for size, whole in zip(given, full, strict=True)):
        return None
    varying = [axis for axis, size in enumerate(given) if size > 1]
    if not varying:
        return max(prod(full), 1), 1
    first, last = varying[0], varying[-1]
    if given[first : last + 1] != full[first : last + 1]:
        return None
    return prod(full[last + 1 :]), prod(full[first : last + 1])


def _masked_shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    x, mask, table = operands
    if mask_rows(x.shape, mask.shape) is None:
        raise invalid(node, "the mask does not go with the rows", mask.shape, f"rows of {x.shape}")
    entries = (256,) if x.dtype is DType.INT8 else (512,)
    if table.shape != entries:
        raise invalid(node, "the table has a wrong size", table.shape, entries)
    if x.dtype is DType.INT16 and x.shape[-1] > softmax.ROW_MAX_INT16:
        raise invalid(node, "row too long", x.shape[-1], f"at most {softmax.ROW_MAX_INT16}")
    return x.shape


def _evaluate_masked(node: Node, arrays: Sequence[Array]) -> list[Array]:
    x, mask, table = arrays
    return [softmax.masked_softmax(x, np.broadcast_to(mask != 0, x.shape), table)]


MASKED_SOFTMAX = Op(
    name="masked_softmax",
    family="softmax",
    summary="Softmax over the positions whose mask is true, exactly 0 elsewhere: x, mask, table as softmax has it",
    signature=Signature(
        (Slot("x"), Slot("mask", type="bool"), Slot("table", "table", rank=1)),
        (("int8", "uint32", "int8"), ("int16", "uint16", "int16")),
    ),
    attributes=(),
    shape=_masked_shape,
    evaluate=_evaluate_masked,
    macs=no_macs,
    limits="of a row without a true position all are equal; the same in every arithmetic",
)
OPS = (MASKED_SOFTMAX, SOFTMAX)
