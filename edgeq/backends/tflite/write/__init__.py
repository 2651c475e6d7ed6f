"""How each operator of the integer graph is spelled in TFLite: one file a family, mirroring ``ops/``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from edgeq.backends.tflite.draft import Writer
from edgeq.backends.tflite.write import (
    conv,
    dense,
    elementwise,
    layout,
    lookup,
    pool,
    requantize,
    softmax,
)

WRITERS: Final[Mapping[str, Writer]] = dict(
    sorted(
        {
            **conv.WRITERS,
            **dense.WRITERS,
            **elementwise.WRITERS,
            **layout.WRITERS,
            **lookup.WRITERS,
            **pool.WRITERS,
            **requantize.WRITERS,
            **softmax.WRITERS,
        }.items()
    )
)
# Operator → why it has no writer. Empty: each has one, which may still refuse some shapes.
UNSUPPORTED: Final[Mapping[str, str]] = {}
