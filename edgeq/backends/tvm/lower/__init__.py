"""How each integer operator becomes a TVM function: one file a family, as in ``edgeq.ops``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from edgeq.backends.tvm.lower import conv, dense, elementwise, layout, lookup, pool, requantize, softmax
from edgeq.backends.tvm.step import Step

_FAMILIES = (conv, dense, elementwise, layout, lookup, pool, requantize, softmax)

# Each writes the statements that compute a node into the function that is being built.
LOWERINGS: Final[Mapping[str, Callable[[Step], None]]] = {
    op: lower for family in _FAMILIES for op, lower in family.LOWERINGS.items()
}
