"""Which rule lowers the ONNX forms of which operator: one sorted table."""

from __future__ import annotations

from collections.abc import Callable

from edgeq.ir import Tensor
from edgeq.lowering.arithmetic import lower_divide, lower_maximum, lower_minimum, lower_prelu
from edgeq.lowering.conv import lower_conv
from edgeq.lowering.dense import lower_gemm, lower_matmul
from edgeq.lowering.elementwise import lower_add, lower_mul, lower_sub
from edgeq.lowering.gather import (
    lower_gather,
    lower_gather_elements,
    lower_gather_nd,
    lower_scatter_elements,
    lower_scatter_nd,
)
from edgeq.lowering.layout import (
    lower_concat,
    lower_pad,
    lower_reshape,
    lower_slice,
    lower_transpose,
)
from edgeq.lowering.logic import (
    lower_cast,
    lower_compare,
    lower_cum_sum,
    lower_integer,
    lower_running_sum,
    lower_where,
)
from edgeq.lowering.normalize import lower_normalize
from edgeq.lowering.pool import lower_average_pool, lower_max_pool, lower_mean
from edgeq.lowering.recurrent import lower_gru, lower_lstm, lower_rnn
from edgeq.lowering.reduce import (
    lower_fold,
    lower_reduce_l2,
    lower_reduce_log_sum,
    lower_reduce_log_sum_exp,
    lower_reduce_max,
    lower_reduce_min,
    lower_reduce_sum,
)
from edgeq.lowering.resize import lower_resize
from edgeq.lowering.select import lower_arg_max, lower_arg_min, lower_one_hot, lower_top_k
from edgeq.lowering.softmax import lower_softmax
from edgeq.lowering.spectrum import lower_log_mel
from edgeq.lowering.trees import lower_trees
from edgeq.lowering.unary import lower_unary

Rule = Callable[..., Tensor]
"""From context, ONNX node, target and the activations that the node reads, in order, to the result.

Of an operator with several results it is the first one; the rule notes the others in ``Context.activations``.
"""

RULES: dict[str, Rule] = {
    "add": lower_add,
    "arg_max": lower_arg_max,
    "arg_min": lower_arg_min,
    "average_pool": lower_average_pool,
    "compare": lower_compare,
    "concat": lower_concat,
    "conv2d": lower_conv,
    "convert": lower_cast,
    "cum_sum": lower_cum_sum,
    "dense": lower_gemm,
    "divide": lower_divide,
    "fold": lower_fold,
    "gather": lower_gather,
    "gather_elements": lower_gather_elements,
    "gather_nd": lower_gather_nd,
    "integer": lower_integer,
    "gru": lower_gru,
    "log_mel": lower_log_mel,
    "lookup": lower_unary,
    "lstm": lower_lstm,
    "matmul": lower_matmul,
    "max_pool": lower_max_pool,
    "maximum": lower_maximum,
    "mean": lower_mean,
    "minimum": lower_minimum,
    "mul": lower_mul,
    "normalize": lower_normalize,
    "one_hot": lower_one_hot,
    "pad": lower_pad,
    "prelu": lower_prelu,
    "reduce_l2": lower_reduce_l2,
    "reduce_log_sum": lower_reduce_log_sum,
    "reduce_log_sum_exp": lower_reduce_log_sum_exp,
    "reduce_max": lower_reduce_max,
    "reduce_min": lower_reduce_min,
    "reduce_sum": lower_reduce_sum,
    "reshape": lower_reshape,
    "running_sum": lower_running_sum,
    "scatter_elements": lower_scatter_elements,
    "scatter_nd": lower_scatter_nd,
    "rnn": lower_rnn,
    "slice": lower_slice,
    "softmax": lower_softmax,
    "sub": lower_sub,
    "to_integer": lower_cast,
    "top_k": lower_top_k,
    "transpose": lower_transpose,
    "trees": lower_trees,
    "upsample": lower_resize,
    "where": lower_where,
}
