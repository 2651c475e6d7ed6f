"""Softmax over the last axis."""

from __future__ import annotations

from collections.abc import Sequence

from edgeq.ir import DType, Node, Quantization, Tensor
from edgeq.numerics import softmax
from edgeq.numerics.array import Array
from edgeq.ops.accumulator import MODE, invalid, parameters, require_operands, scaling_of
from edgeq.ops.base import OnnxAttribute, OnnxForm, Op, Sample, Shape, no_macs

RESULT = Quantization.per_tensor(DType.INT8, softmax.OUTPUT_SCALE, softmax.OUTPUT_ZERO)


def _infer(node: Node, operands: Sequence[Tensor]) -> list[tuple[Shape, DType]]:
    x = operands[0]
    scaling = scaling_of(node)
    require_operands(node, operands, (DType.INT8, *[DType.UINT32] * scaling.softmax_table))
    if scaling.softmax_table and operands[1].shape != (256,):
        raise invalid(node, "a table has 256 entries", operands[1].shape, (256,))
    longest = scaling.softmax_row_max
    if longest is not None and x.shape[-1] > longest:
        raise invalid(node, f"row too long for {scaling.name}", x.shape[-1], f"at most {longest}")
    if not x.shape or x.shape[-1] < 1:
        raise invalid(node, "rows must hold something", x.shape, "[..., n]")
    return [(x.shape, DType.INT8)]


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
    summary="Softmax over the last axis, scale 1/256, zero point -128: x, and with highmul a table uint32[256]",
    attributes=(
        MODE,
        *parameters(lambda scaling: scaling.softmax_parameters),
    ),
    infer=_infer,
    evaluate=_evaluate,
    macs=no_macs,
    onnx=(
        OnnxForm(
            "Softmax",
            scale="fixed",
            fixed=RESULT,
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
