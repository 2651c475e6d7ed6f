"""Softmax over the last axis."""

from __future__ import annotations

from collections.abc import Sequence

from edgeq.ir import DType, Node, Quantization, Tensor
from edgeq.numerics import softmax, tflite_softmax
from edgeq.numerics.array import Array
from edgeq.ops.accumulator import MODES, invalid, mode_of, require_operands
from edgeq.ops.base import Attribute, OnnxAttribute, OnnxForm, Op, Sample, Shape, no_macs

RESULT = Quantization.per_tensor(DType.INT8, softmax.OUTPUT_SCALE, softmax.OUTPUT_ZERO)

# The sum has 12 integer bits in LiteRT's fixed point; from 512 on it shifts by 32, which C does not define.
_TFLITE_ROW_MAX = 511


def _infer(node: Node, operands: Sequence[Tensor]) -> list[tuple[Shape, DType]]:
    x = operands[0]
    if mode_of(node) == "highmul":
        require_operands(node, operands, (DType.INT8, DType.UINT32))
        if operands[1].shape != (256,):
            raise invalid(node, "a table has 256 entries", operands[1].shape, (256,))
    else:
        require_operands(node, operands, (DType.INT8,))
        if x.shape[-1] > _TFLITE_ROW_MAX:
            raise invalid(node, "row too long for mode tflite", x.shape[-1], f"at most {_TFLITE_ROW_MAX}")
    if not x.shape or x.shape[-1] < 1:
        raise invalid(node, "rows must hold something", x.shape, "[..., n]")
    return [(x.shape, DType.INT8)]


def _evaluate(node: Node, arrays: Sequence[Array]) -> list[Array]:
    if mode_of(node) == "highmul":
        return [softmax.softmax(arrays[0], arrays[1])]
    parameters = (node.integer(name) for name in ("input_multiplier", "input_left_shift", "diff_min"))
    return [tflite_softmax.softmax(arrays[0], *parameters)]


def _sample(name: str, shape: Shape, axis: int = -1) -> Sample:
    # 255/256 is the largest result, one whole step below a probability of 1.
    return Sample(name, "Softmax", (shape,), {}, {"axis": axis}, tolerance=1.01)


SOFTMAX = Op(
    name="softmax",
    family="softmax",
    summary="Softmax over the last axis, scale 1/256, zero point -128: x, and in mode highmul table uint32[256]",
    attributes=(
        Attribute(
            "requant",
            "str",
            "highmul: exponentials from a table, one division; tflite: gemmlowp fixed point",
            values=MODES,
        ),
        Attribute("input_multiplier", "int", "factor of the differences", mode="tflite"),
        Attribute("input_left_shift", "int", "exponent of the factor", mode="tflite"),
        Attribute("diff_min", "int", "smaller differences count as zero", mode="tflite"),
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
    limits="highmul: uint32 up to 511 elements per row, uint64 beyond; tflite: rows of at most 511",
)
OPS = (SOFTMAX,)
