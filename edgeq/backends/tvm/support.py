"""What the TVM backend cannot lower, with the reason; importable without TVM."""

from __future__ import annotations

from typing import Final

from edgeq.ops.float_types import OPERATORS as FLOAT_OPERATORS

_PLAIN: Final = "no integers without a scale, no truth values"
_FLOAT: Final = "software float has C kernels only"

UNSUPPORTED: Final[dict[str, str]] = {
    "arg_max": _PLAIN,
    "arg_min": _PLAIN,
    "compare": _PLAIN,
    "convert": _PLAIN,
    "cum_sum": "no running sums",
    "fold": _PLAIN,
    "from_integer": _PLAIN,
    "gather": _PLAIN,
    "gather_elements": _PLAIN,
    "gather_nd": _PLAIN,
    "integer": _PLAIN,
    "masked_softmax": _PLAIN,
    "one_hot": _PLAIN,
    "running_sum": _PLAIN,
    "scatter_elements": _PLAIN,
    "scatter_nd": _PLAIN,
    "to_integer": _PLAIN,
    "top_k": _PLAIN,
    "where": _PLAIN,
    **dict.fromkeys(("gru", "lstm", "rnn"), "recurrent layers have C kernels only"),
    "log_mel": "spectra have a C kernel only",
    **dict.fromkeys(FLOAT_OPERATORS, _FLOAT),
    "trees": "forests have a C kernel only",
    "normalize": "statistics of rows have a C kernel only",
}
