"""The rewrite rules of the frontend, one file a family, in the order in which they are tried.

Each phase runs to its end before the next one starts, so a rule may count on what earlier phases left: constants
second, attributes stated, composed activations recognised before their constants fold into layers.
"""

from __future__ import annotations

from typing import Final

from edgeq.frontend.edit import Rule
from edgeq.frontend.rules import (
    activation,
    affine,
    composed,
    convolution,
    dense,
    layout,
    padding,
    pooling,
    quantization,
    simplify,
    sinking,
)

SPELLING: tuple[Rule, ...] = (
    *simplify.RULES,
    *layout.SPELLING_RULES,
    *convolution.STRUCTURE_RULES,
    *padding.RULES[:1],
    *pooling.RULES,
    *activation.COMPOSED_RULES,
    *composed.RULES,
)
FOLDING: tuple[Rule, ...] = (
    *simplify.RULES,
    *layout.RULES,
    *sinking.RULES,
    *convolution.RULES,
    *dense.RULES,
    *affine.RULES,
    *padding.RULES,
    *pooling.RULES,
    *activation.COMPOSED_RULES,
    *activation.RULES,
    *composed.RULES,
)
FINAL: tuple[Rule, ...] = (*FOLDING, *affine.LAST_RULES)

PHASES: tuple[tuple[str, tuple[Rule, ...]], ...] = (("spelling", SPELLING), ("folding", FOLDING), ("final", FINAL))
"""For float models."""

STRUCTURE: tuple[Rule, ...] = (
    *simplify.STRUCTURE_RULES,
    *layout.SPELLING_RULES,
    *convolution.STRUCTURE_RULES,
    *pooling.STRUCTURE_RULES,
)
"""For quantized models: spelling only, no constant changes and nothing moves past a QuantizeLinear."""

_UNREAD: Final = {"gather_to_slice", "split_to_slices", "widen_to_2d"}
UNREAD: tuple[Rule, ...] = (
    *(rule for rule in (*pooling.RULES, *simplify.RULES) if rule.name in _UNREAD),
    *quantization.RULES,
)
"""For quantized models before their Q and DQ are taken out: movements, also of integers, and what is a DQ itself."""

UNREAD_LAST: tuple[Rule, ...] = quantization.CAST_RULES
"""After :data:`UNREAD` has come to its end."""

_LAYERS: Final = (
    *(rule for rule in convolution.LAYER_RULES if rule.name != "widen_to_2d"),
    *dense.LAYER_RULES,
    affine.CHAIN_RULE,  # before a Reshape of widen_to_2d stands between a layer and what scales its channels
    *(rule for rule in convolution.LAYER_RULES if rule.name == "widen_to_2d"),
)
_RECOVERED: Final = {
    "divide_by_multiplying",
    "extreme_to_clip",
    "merge_clamps",
    "move_factor_off_operand",
    "pool_globally",
    "prelu_to_leaky",
    "recognise_hard_sigmoid",
    "recognise_hard_swish",
    "remove_cast",
    "remove_neutral",
    "remove_unchanged",
    "softmax_last",
    "split_computed_gemm",
    "split_constant_stack",
    "split_sum",
    "square_by_multiplying",
    "state_axes",
    "state_pads",
    "widen_matmul",
}
RECOVERED: tuple[tuple[str, tuple[Rule, ...]], ...] = (
    ("layers", _LAYERS),
    (
        "folding",
        (
            *dict.fromkeys(rule for rule in FOLDING if rule.name in _RECOVERED),
            *composed.RULES,
            *_LAYERS,
            *affine.ROUNDED_RULES,
        ),
    ),
)
"""For the float graph of a quantized model: what float models get, but for what would round a constant's integers a
second time and for what moves an operator past a rounding. Layers come first: a division that a normalization takes
back is not rounded to a factor in between."""

__all__ = ["FINAL", "FOLDING", "PHASES", "RECOVERED", "SPELLING", "STRUCTURE", "UNREAD", "UNREAD_LAST"]
