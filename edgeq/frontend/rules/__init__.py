"""The rewrite rules of the frontend, one file a family, in the order in which they are tried.

Each phase runs to its end before the next one starts, so a rule may count on what earlier phases left: constants
second, attributes stated, composed activations recognised before their constants fold into layers.
"""

from __future__ import annotations

from edgeq.frontend.edit import Rule
from edgeq.frontend.rules import activation, affine, convolution, dense, layout, padding, pooling, simplify, sinking

SPELLING: tuple[Rule, ...] = (
    *simplify.RULES,
    *layout.SPELLING_RULES,
    *convolution.STRUCTURE_RULES,
    *padding.RULES[:1],
    *pooling.RULES,
    *activation.COMPOSED_RULES,
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

__all__ = ["FINAL", "FOLDING", "PHASES", "SPELLING", "STRUCTURE"]
