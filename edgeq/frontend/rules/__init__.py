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

CANONICAL: tuple[Rule, ...] = (
    *simplify.RULES,
    *layout.CANONICAL_RULES,
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

PHASES: tuple[tuple[str, tuple[Rule, ...]], ...] = (("canonical", CANONICAL), ("folding", FOLDING), ("final", FINAL))
"""For float models."""

STRUCTURE: tuple[Rule, ...] = (
    *simplify.STRUCTURE_RULES,
    *layout.CANONICAL_RULES,
    *convolution.STRUCTURE_RULES,
    *pooling.STRUCTURE_RULES,
)
"""For quantized models with Q and DQ: canonical forms only; constants stay, nothing moves past a QuantizeLinear."""

_MOVEMENTS: Final = {"gather_to_slice", "split_to_slices", "widen_to_2d"}
BEFORE_READING: tuple[tuple[str, tuple[Rule, ...]], ...] = (
    (
        "movements",
        (
            *(rule for rule in (*pooling.RULES, *simplify.RULES) if rule.name in _MOVEMENTS),
            *quantization.RULES,
        ),
    ),
    ("casts", quantization.CAST_RULES),
)
"""For quantized models before their Q and DQ are taken out: movements, also of integers, and what is a DQ itself."""

_LAYERS: Final = (
    *convolution.BIAS_RULES,
    *dense.LAYER_RULES,
    affine.CHAIN_RULE,
    convolution.WIDEN_RULE,  # last: its Reshape would stand between a layer and what scales its channels
)
_QUANTIZED: Final = {
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
    "make_axes_explicit",
    "make_pads_explicit",
    "widen_matmul",
}
QUANTIZED: tuple[tuple[str, tuple[Rule, ...]], ...] = (
    ("layers", _LAYERS),
    (
        "folding",
        (
            *dict.fromkeys(rule for rule in FOLDING if rule.name in _QUANTIZED),
            *composed.RULES,
            *_LAYERS,
            *affine.ROUNDED_RULES,
        ),
    ),
)
"""For the float graph of a quantized model: what float models get, but for what would round a constant's integers a
second time and for what moves an operator past a rounding. Layers come first: a division that a normalization takes
back is not rounded to a factor in between."""

__all__ = ["BEFORE_READING", "CANONICAL", "FINAL", "FOLDING", "PHASES", "QUANTIZED", "STRUCTURE"]
