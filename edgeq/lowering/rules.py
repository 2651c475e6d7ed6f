"""Which rule lowers which ONNX operator: one sorted table."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from edgeq.ir import Tensor
from edgeq.lowering.context import Context, Target
from edgeq.lowering.conv import lower_conv
from edgeq.lowering.dense import lower_gemm, lower_matmul
from edgeq.lowering.elementwise import lower_add, lower_mul, lower_sub
from edgeq.lowering.layout import (
    lower_concat,
    lower_pad,
    lower_reshape,
    lower_resize,
    lower_slice,
    lower_transpose,
)
from edgeq.lowering.pool import lower_average_pool, lower_max_pool, lower_mean
from edgeq.lowering.softmax import lower_softmax
from edgeq.lowering.unary import lower_unary
from edgeq.ops import BY_NAME

if TYPE_CHECKING:
    import onnx_ir

Rule = Callable[[Context, "onnx_ir.Node", Target], Tensor]

RULES: dict[str, Rule] = {
    **dict.fromkeys((form.type for form in BY_NAME["lookup"].onnx), lower_unary),
    "Add": lower_add,
    "AveragePool": lower_average_pool,
    "Concat": lower_concat,
    "Conv": lower_conv,
    "Flatten": lower_reshape,
    "Gemm": lower_gemm,
    "GlobalAveragePool": lower_average_pool,
    "GlobalMaxPool": lower_max_pool,
    "Identity": lower_reshape,
    "MatMul": lower_matmul,
    "MaxPool": lower_max_pool,
    "Mul": lower_mul,
    "Pad": lower_pad,
    "ReduceMean": lower_mean,
    "Reshape": lower_reshape,
    "Resize": lower_resize,
    "Slice": lower_slice,
    "Softmax": lower_softmax,
    "Squeeze": lower_reshape,
    "Sub": lower_sub,
    "Transpose": lower_transpose,
    "Unsqueeze": lower_reshape,
}
