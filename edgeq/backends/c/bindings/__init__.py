"""Every binding of an operator to a C kernel, in the order in which they are tried: the first that matches wins."""

from __future__ import annotations

from edgeq.backends.c.binding import Binding
from edgeq.backends.c.bindings import (
    arithmetic,
    conv,
    conv_dsp,
    conv_mve,
    conv_panel,
    conv_short,
    conv_winograd,
    conv_winograd_line,
    dense,
    dense_mve,
    elementwise,
    floating,
    gather,
    int16,
    layout,
    logic,
    lookup,
    normalize,
    pool,
    recurrent,
    reduce,
    resize,
    select,
    softmax,
    spectrum,
    trees,
)

BINDINGS: tuple[Binding, ...] = (
    *conv_dsp.BINDINGS,
    *conv_mve.BINDINGS,
    *conv_panel.BINDINGS,
    *conv.BINDINGS,
    *dense_mve.BINDINGS,
    *dense.BINDINGS,
    *int16.BINDINGS,
    *elementwise.BINDINGS,
    *floating.BINDINGS,
    *arithmetic.BINDINGS,
    *pool.BINDINGS,
    *reduce.BINDINGS,
    *resize.BINDINGS,
    *recurrent.BINDINGS,
    *normalize.BINDINGS,
    *lookup.BINDINGS,
    *select.BINDINGS,
    *softmax.BINDINGS,
    *spectrum.BINDINGS,
    *trees.BINDINGS,
    *layout.BINDINGS,
    *gather.BINDINGS,
    *logic.BINDINGS,
)

FASTER: tuple[Binding, ...] = (
    *conv_winograd.BINDINGS,
    *conv_winograd_line.BINDINGS,
    *conv_dsp.FASTER,
    *conv_panel.FASTER,
)
"""What may stand in for a kernel of ``BINDINGS`` where memory allows it, the fastest of an operator first."""

SMALLER: tuple[Binding, ...] = conv_short.BINDINGS
"""What may stand in for them where code bytes count: kernels for several kinds of layers."""

EVERY: tuple[Binding, ...] = (*BINDINGS, *FASTER, *SMALLER)

# Operators without any kernel, with the reason. Whatever is neither here nor above is a mistake that a test finds.
UNSUPPORTED: dict[str, str] = {"reshape": "moves nothing: both names share their bytes"}

__all__ = ["BINDINGS", "EVERY", "FASTER", "SMALLER", "UNSUPPORTED"]
