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
    attention,
    cells,
    classes,
    composed,
    convolution,
    dense,
    einsum,
    integers,
    layout,
    masking,
    normalization,
    padding,
    places,
    pooling,
    quantization,
    recurrent,
    regions,
    resizing,
    sampling,
    scattering,
    signal,
    simplify,
    sinking,
    spectra,
    transposed,
    transposed_volume,
    windows,
)

CANONICAL: tuple[Rule, ...] = (
    *spectra.RULES,
    *simplify.RULES,
    *layout.CANONICAL_RULES,
    *recurrent.RULES[:3],
    *cells.RULES,
    *recurrent.RULES[3:],
    *convolution.STRUCTURE_RULES,
    *resizing.RULES,
    *sampling.RULES,
    *regions.RULES,
    *scattering.RULES,
    *padding.RULES[:1],
    *places.RULES,
    *pooling.RULES,
    *windows.RULES,
    *activation.COMPOSED_RULES,
    *normalization.RULES,
    *composed.RULES,
    *classes.RULES,
    *einsum.RULES,
    *integers.RULES,
    *attention.RULES,
    *masking.RULES,
)
FOLDING: tuple[Rule, ...] = (
    *simplify.RULES,
    *normalization.FOLDING_RULES,
    *layout.RULES,
    *recurrent.RULES[:3],
    *cells.RULES,
    *recurrent.RULES[3:],
    *signal.RULES,
    *sinking.RULES,
    *convolution.RULES,
    *transposed.RULES,
    *transposed_volume.RULES,
    *resizing.RULES,
    *sampling.RULES,
    *regions.RULES,
    *scattering.RULES,
    *dense.RULES,
    *affine.RULES,
    *padding.RULES,
    *places.RULES,
    *pooling.RULES,
    *windows.RULES,
    *activation.COMPOSED_RULES,
    *activation.RULES,
    *normalization.RULES,
    *composed.RULES,
    *classes.RULES,
    *einsum.RULES,
    *integers.RULES,
    *attention.RULES,
    *masking.RULES,
)
FINAL: tuple[Rule, ...] = (*FOLDING, *affine.LAST_RULES)

PHASES: tuple[tuple[str, tuple[Rule, ...]], ...] = (
    ("spectra", spectra.RULES),
    ("canonical", CANONICAL),
    ("folding", FOLDING),
    ("final", FINAL),
)
"""For float models."""

STRUCTURE: tuple[Rule, ...] = (
    *spectra.RULES,
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
NOT_QUANTIZED: Final = {
    # An Identity there means requantize.
    "remove_identity",
    # They would round the integers of a constant a second time.
    "fold_into_layer_behind",
    "merge_constants",
    "multiply_before_adding",
    "negate_by_multiplying",
    "subtract_by_adding",
    # They move an operator past a rounding, or change where padding is rounded.
    "clamp_fill",
    "fold_into_window",
    "lift_clamp_over_maxpool",
    "lift_over_transpose",
    "lift_past_pad",
    "merge_chain",
    "sink_past_elementwise",
    # Two roundings where the model states one: batchnorm_to_depthwise comes in its place.
    "batchnorm_to_affine",
    # The order of operands is the model's own.
    "put_constant_second",
}
QUANTIZED: tuple[tuple[str, tuple[Rule, ...]], ...] = (
    ("layers", _LAYERS),
    ("folding", (*(rule for rule in FOLDING if rule.name not in NOT_QUANTIZED), *affine.ROUNDED_RULES)),
)
"""For the float graph of a quantized model, whose constants carry their integers: what float models get, with the
exceptions above. Layers come first: a division that a normalization takes back is not rounded to a factor in between.
"""

__all__ = ["BEFORE_READING", "CANONICAL", "FINAL", "FOLDING", "NOT_QUANTIZED", "PHASES", "QUANTIZED", "STRUCTURE"]
