"""LogMel: what a signal's scale, the window, the bands and the result's scale are in integers."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from edgeq.ir import Attr, Tensor
from edgeq.lowering.attributes import constant_array
from edgeq.lowering.context import Context, Target, result_type, scalar_quant
from edgeq.numerics.log_mel import choose_bands, choose_scale, quantize_window

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.numerics.array import Array


def lower_log_mel(ctx: Context, node: onnx_ir.Node, target: Target, x: Tensor) -> Tensor:
    """Zeros around the window are read by no frame; they move the phase of its spectrum alone."""
    window = _constant(node, 3).astype(np.float64)
    exponent, added, least = (float(_constant(node, index).reshape(-1)[0]) for index in (5, 6, 7))
    used = np.flatnonzero(window)
    start, behind = (int(used[0]), int(used[-1]) + 1) if used.size else (0, 1)
    taps, window_scale = quantize_window(window[start:behind])
    magnitude = exponent == 0.5
    x_scale, x_zero = scalar_quant(x)
    unit = Fraction(x_scale) * window_scale
    floor = least > 0
    weights, bands = choose_bands(_constant(node, 4), unit, len(window), least if floor else added, magnitude=magnitude)
    multiplier, shift = choose_scale(target.scale)
    names = [
        ctx.add_constant(f"{target.name}.{label}", values)
        for label, values in (("window", taps), ("weights", weights), ("bands", bands))
    ]
    attrs: dict[str, Attr] = {
        "frames": target.shape[1],
        "step": int(_constant(node, 2).reshape(-1)[0]),
        "start": start,
        "length": len(window),
        "magnitude": int(magnitude),
        "floor": int(floor),
        "multiplier": multiplier,
        "shift": shift,
        "in_zero": x_zero,
        "out_zero": target.zero,
        "clamp_min": target.clamp_min,
        "clamp_max": target.clamp_max,
        **result_type(x, target.quant),
    }
    return ctx.emit_result("log_mel", target, (x.name, *names), attrs)


def _constant(node: onnx_ir.Node, index: int) -> Array:
    array = constant_array(node, index)
    assert array is not None  # the function has all of its operands
    return array
