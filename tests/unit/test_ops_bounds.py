"""The bounds of attributes, stated a second time: kernels rely on each, and a graph beyond them is refused."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from edgeq.ops import OPS
from edgeq.ops.reduce import ROW_MAX_EXPONENTIALS

Bounds = tuple[int | None, int | None]
_INT32: Final = 2**31 - 1
_FROM_0: Final = (0, None)
_FROM_1: Final = (1, None)
_FLAG: Final = (0, 1)
_FREE: Final = (None, None)
_INT8: Final = (-128, 127)

# By name, and by operator where operators differ.
BOUNDS: Final[dict[str, Bounds | dict[str, Bounds]]] = {
    **dict.fromkeys(("axes", "axis", "batch", "ends", "epsilon", "pads", "perm", "shape", "start", "starts"), _FROM_0),
    **dict.fromkeys(("cell_in", "cell_out", "hidden_in", "hidden_out"), _FROM_0),
    **dict.fromkeys(("counts", "depth", "dilations", "factors", "frames", "group", "inner", "k", "kernel"), _FROM_1),
    **dict.fromkeys(("step", "steps", "strides"), _FROM_1),
    **dict.fromkeys(("centred", "exclusive", "floor", "keepdims", "largest", "last", "magnitude"), _FLAG),
    **dict.fromkeys(("reset_after", "reverse", "saturate", "sequence"), _FLAG),
    **dict.fromkeys(("a_zero", "b_zero", "out_zero"), _INT8),
    **dict.fromkeys(("a_exponent", "b_exponent", "out_exponent", "out_multiplier", "offset"), _FREE),
    **dict.fromkeys(("diff_min", "input_left_shift", "input_multiplier"), _FREE),
    "a_multiplier": {"add": _FREE, "sub": _FREE, "compare": (1, 2**24 - 1)},
    "b_multiplier": {"add": _FREE, "sub": _FREE, "compare": (1, 2**24 - 1)},
    "a_shift": (0, 20),
    "b_shift": (0, 20),
    "bits": {"normalize": (1, 29), "resize_linear": (0, 16)},
    "left_shift": (0, 20),
    "length": {"log_mel": (16, 4096), "normalize": _FROM_1},
    "multiplier": {
        **dict.fromkeys(("cum_sum", "from_integer", "log_mel", "to_integer"), (1, _INT32)),
        **dict.fromkeys(("reduce_l2", "reduce_log_sum", "reduce_log_sum_exp"), (0, _INT32)),
    },
    # The bits of a float32.
    **dict.fromkeys(("alpha", "beta", "scale"), (-(2**31), _INT32)),
    "raised": (0, 16),
    "shift": {
        # Of a sum of 32 bits, before it is multiplied.
        **dict.fromkeys(("average_pool", "conv2d", "dense", "matmul", "mean"), (-31, 31)),
        **dict.fromkeys(("mul", "reduce_sum", "requantize"), (-31, 31)),
        # Of products of 64 bits, behind which half a step is added.
        **dict.fromkeys(("cum_sum", "from_integer", "log_mel", "normalize"), (1, 62)),
        **dict.fromkeys(("reduce_log_sum", "reduce_log_sum_exp"), (1, 62)),
        **dict.fromkeys(("gru", "lstm", "rnn"), (1, 61)),
        "reduce_l2": (1, 63),
        "to_integer": (0, 62),
        "divide": (1, 46),
        **dict.fromkeys(("add", "sub", "trees"), (0, 30)),
        "prelu": (0, 31),
    },
    "slope": (0, _INT32),
}


def test_every_number_has_the_bounds_that_kernels_take() -> None:
    found: dict[str, dict[str, Bounds]] = defaultdict(dict)
    for op in OPS:
        for attribute in op.attributes:
            if attribute.of is None and attribute.kind != "str":
                found[attribute.name][op.name] = attribute.low, attribute.high
    assert set(found) == set(BOUNDS)
    for name, by_op in found.items():
        wanted = BOUNDS[name]
        assert by_op == (wanted if isinstance(wanted, dict) else dict.fromkeys(by_op, wanted)), name


def test_a_sum_of_exponentials_has_room_for_as_many_as_stated() -> None:
    # Each of them is at most 2^15.
    assert ROW_MAX_EXPONENTIALS << 15 == 1 << 31
