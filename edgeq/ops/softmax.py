"""Softmax over the last axis."""

from __future__ import annotations

from collections.abc import Sequence

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
    overwrites=True,
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
OPS = (SOFTMAX,)
