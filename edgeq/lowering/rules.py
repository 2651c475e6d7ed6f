"""Which rule lowers the ONNX forms of which operator: one sorted table."""

from __future__ import annotations

from collections.abc import Callable

from edgeq.ir import Tensor
from edgeq.lowering.arithmetic import lower_divide, lower_maximum, lower_minimum, lower_prelu
from edgeq.lowering.conv import lower_conv
from edgeq.lowering.dense import lower_gemm, lower_matmul
from edgeq.lowering.elementwise import lower_add, lower_mul, lower_sub
from edgeq.lowering.layout import (
    lower_concat,
    lower_pad,
    lower_reshape,
    lower_slice,
    lower_transpose,
)
from edgeq.lowering.pool import lower_average_pool, lower_max_pool, lower_mean
from edgeq.lowering.recurrent import lower_gru, lower_lstm, lower_rnn
from edgeq.lowering.reduce import (
    lower_reduce_l2,
    lower_reduce_log_sum,
    lower_reduce_log_sum_exp,
    lower_reduce_max,
    lower_reduce_min,
    lower_reduce_sum,
)
from edgeq.lowering.resize import lower_resize
from edgeq.lowering.softmax import lower_softmax
from edgeq.lowering.unary import lower_unary

Rule = Callable[..., Tensor]
"""From context, ONNX node, target and the activations that the node reads, in order, to the result."""

RULES: dict[str, Rule] = {
    "add": lower_add,
    "average_pool": lower_average_pool,
    "concat": lower_concat,
    "conv2d": lower_conv,
    "dense": lower_gemm,
    "divide": lower_divide,
    "gru": lower_gru,
    "lookup": lower_unary,
    "lstm": lower_lstm,
    "matmul": lower_matmul,
    "max_pool": lower_max_pool,
    "maximum": lower_maximum,
    "mean": lower_mean,
    "minimum": lower_minimum,
    "mul": lower_mul,
    "pad": lower_pad,
    "prelu": lower_prelu,
    "reduce_l2": lower_reduce_l2,
    "reduce_log_sum": lower_reduce_log_sum,
    "reduce_log_sum_exp": lower_reduce_log_sum_exp,
    "reduce_max": lower_reduce_max,
    "reduce_min": lower_reduce_min,
    "reduce_sum": lower_reduce_sum,
    "reshape": lower_reshape,
    "rnn": lower_rnn,
    "slice": lower_slice,
    "softmax": lower_softmax,
    "sub": lower_sub,
    "transpose": lower_transpose,
    "upsample": lower_resize,
}
