"""How each integer operator becomes a TVM function: one file a family, as in ``edgeq.ops``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from edgeq.backends.tvm.lower import (
    arithmetic,
    conv,
    dense,
    elementwise,
    layout,
    lookup,
    pool,
    reduce,
    requantize,
    resize,
    softmax,
)
from edgeq.backends.tvm.step import Step

_FAMILIES = (arithmetic, conv, dense, elementwise, layout, lookup, pool, reduce, requantize, resize, softmax)

# Each writes the statements that compute a node into the function that is being built.
LOWERINGS: Final[Mapping[str, Callable[[Step], None]]] = {
    op: lower for family in _FAMILIES for op, lower in family.LOWERINGS.items()
}
