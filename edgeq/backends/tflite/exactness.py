"""The proof that a .tflite file has the graph's bits: TFLite derives its integers from float scales, edgeq states them.

What a reference kernel computes from the scales in the file is computed here again, in the same float types, and must
give the very multipliers, exponents and bounds of the node.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgeq.backends.tflite.draft import Draft, scalar_quant
from edgeq.errors import EdgeqError
from edgeq.ir import Node, Tensor
from edgeq.numerics.scaling import Factors

# What CalculateActivationRange makes of each fused activation: real bounds, None where the type's own bound holds.
_ACTIVATIONS: tuple[tuple[str, float | None, float | None], ...] = (
    ("NONE", None, None),
    ("RELU", 0.0, None),
    ("RELU_N1_TO_1", -1.0, 1.0),
    ("RELU6", 0.0, 6.0),
)


def require_arithmetic(draft: Draft, node: Node) -> None:
    """Make sure that the node scales as the file's runtime does.

    Raises:
        EdgeqError: EQ0906 where it was lowered for another arithmetic.
    """
    wanted = draft.scaling.name
    if node.attrs.get("requant", wanted) != wanted:
        raise _differs(node, "requantization", node.text("requant"), wanted)


def require_factors(draft: Draft, node: Node, factors: Factors) -> None:
    """Compare the factors of a node with what the runtime derives.

    Args:
        draft: holds the graph.
        node: the node.
        factors: derived; one, or one a channel.

    Raises:
        EdgeqError: EQ0906 where they differ.
    """
    for factor, wanted in zip(draft.of(node, *factors.operands), factors.operands.values(), strict=True):
        stated = factor.value()
        if not np.array_equal(np.broadcast_to(stated, wanted.shape), wanted):
            channel = int(np.argmax(np.broadcast_to(stated, wanted.shape) != wanted))
            raise _differs(node, f"{factor.name}[{channel}]", stated[min(channel, stated.size - 1)], wanted[channel])


def require_equal(node: Node, what: str, stated: object, derived: object) -> None:
    """Compare integers of a node with what TFLite derives.

    Raises:
        EdgeqError: EQ0906 where they differ.
    """
    if stated != derived:
        raise _differs(node, what, stated, derived)


def fused_activation(tensor: Tensor, low: int, high: int) -> str | None:
    """The fused activation whose bounds at the tensor's scale and zero point are exactly these, or None."""
    scale, zero = scalar_quant(tensor)

    def bound(real: float) -> int:
        # As TFLite: float32 division, half away from zero.
        steps = float(np.float32(real) / np.float32(scale))
        return zero + int(np.sign(steps) * np.floor(abs(steps) + 0.5))

    for name, real_low, real_high in _ACTIVATIONS:
        lowest = tensor.dtype.min if real_low is None else max(tensor.dtype.min, bound(real_low))
        highest = tensor.dtype.max if real_high is None else min(tensor.dtype.max, bound(real_high))
        if (lowest, highest) == (low, high):
            return name
    return None


def clamped(draft: Draft, node: Node, append: Callable[[str, str], None], *, fuses: bool = True) -> None:
    """Append the operator of a node, and behind it what its clamp needs beyond a fused activation.

    Args:
        draft: receives the operators.
        node: has one result, and ``clamp_min`` and ``clamp_max``.
        append: called with the name of the operator's result and its fused activation.
        fuses: whether the operator takes a fused activation.
    """
    result = draft.graph.tensors[node.outputs[0]]
    low, high = node.integer("clamp_min"), node.integer("clamp_max")
    activation = fused_activation(result, low, high)
    if activation is not None and (fuses or activation == "NONE"):
        append(result.name, activation)
        return
    # Bounds are integers at the tensor's own scale, so that a maximum and a minimum of integers are the clamp.
    bounds = [("MAXIMUM", low)] if low > result.dtype.min else []
    bounds += [("MINIMUM", high)] if high < result.dtype.max else []
    name = draft.between(f"{result.name}.unclamped", result.shape, result)
    append(name, "NONE")
    for number, (code, bound) in enumerate(bounds):
        last = number == len(bounds) - 1
        target = result.name if last else draft.between(f"{result.name}.low", result.shape, result)
        limit = draft.constant(f"{result.name}.{code.lower()}", np.full(1, bound, result.dtype.numpy), result.quant)
        version = 4 if result.dtype.size_bytes == 2 else 3 if len(result.shape) > 4 else 2
        draft.append(code, version, (name, limit), target, "MaximumMinimumOptions")
        name = target


def _differs(node: Node, what: str, stated: object, derived: object) -> EdgeqError:
    return EdgeqError(
        "EQ0906",
        f"the TFLite file would not have the integer graph's bits: {what}",
        where=node.name,
        got=f"{stated} in the graph",
        allowed=f"{derived}, which TFLite derives from the scales",
        hint="this is a defect of edgeq: report it with the model",
    )
