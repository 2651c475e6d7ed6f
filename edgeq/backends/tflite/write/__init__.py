"""How each operator of the integer graph is spelled in TFLite: one file a family, mirroring ``ops/``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from edgeq.backends.tflite.draft import Writer
from edgeq.backends.tflite.write import (
    arithmetic,
    conv,
    dense,
    elementwise,
    layout,
    lookup,
    pool,
    reduce,
    requantize,
    softmax,
)
from edgeq.ops.float_types import OPERATORS as FLOAT_OPERATORS

WRITERS: Final[Mapping[str, Writer]] = dict(
    sorted(
        {
            **arithmetic.WRITERS,
            **conv.WRITERS,
            **dense.WRITERS,
            **elementwise.WRITERS,
            **layout.WRITERS,
            **lookup.WRITERS,
            **pool.WRITERS,
            **reduce.WRITERS,
            **requantize.WRITERS,
            **softmax.WRITERS,
        }.items()
    )
)
_PLAIN: Final = "no integers without a scale, no truth values"
# Operator → why it has no writer. Those that have one may still refuse some shapes.
UNSUPPORTED: Final[Mapping[str, str]] = {
    "arg_max": _PLAIN,
    "arg_min": _PLAIN,
    "compare": _PLAIN,
    "convert": _PLAIN,
    "cum_sum": "no running sums",
    "divide": "LiteRT divides float32 and uint8 only",
    "fold": _PLAIN,
    "from_integer": _PLAIN,
    "gather": _PLAIN,
    "gather_elements": _PLAIN,
    "gather_nd": _PLAIN,
    "integer": _PLAIN,
    "masked_softmax": _PLAIN,
    "one_hot": _PLAIN,
    "prelu": "LiteRT quantizes slopes with one scale for all of them, and rounds twice",
    "reduce_l2": "TFLite has no norms",
    "reduce_log_sum": "TFLite has no logarithm of int8",
    "reduce_log_sum_exp": "TFLite has no logarithm of int8",
    "reduce_sum": "LiteRT's SUM scales in another arithmetic",
    "resize_linear": "LiteRT's RESIZE_BILINEAR rounds its weights otherwise",
    "resize_nearest": "LiteRT finds the nearest pixels by float32 products of its own",
    "running_sum": _PLAIN,
    "scatter_elements": _PLAIN,
    "scatter_nd": _PLAIN,
    "to_integer": _PLAIN,
    **dict.fromkeys(FLOAT_OPERATORS, "the file would compute in LiteRT's own float, with other bits"),
    "top_k": _PLAIN,
    "trees": "TFLite has no forests",
    "where": _PLAIN,
    "log_mel": "TFLite's transforms are of float32",
    "normalize": "TFLite has no operator that normalizes rows of integers to scales of their own",
    **dict.fromkeys(("gru", "lstm", "rnn"), "its recurrent layers have other integers"),
}
