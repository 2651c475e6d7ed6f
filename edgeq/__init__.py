"""edgeq: float ONNX models become integer-only firmware with the same bits on every core.

``edgeq.compile``, ``edgeq.quantize``, ``edgeq.check``, ``edgeq.features``, ``edgeq.fit``, ``edgeq.stream``,
``edgeq.tune`` and ``edgeq.load`` are described in :mod:`edgeq.api`; they are loaded on first use, so that
``import edgeq`` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeq.lazily import export
from edgeq.version import __version__

if TYPE_CHECKING:
    from edgeq.api import check, compile, features, fit, load, quantize, stream, tune  # noqa: A004 - as in edgeq.api
    from edgeq.budget import Budget
    from edgeq.errors import EdgeqError, Problem
    from edgeq.models import CompiledModel, QuantizedModel, StreamedModel

__all__ = [
    "Budget",
    "CompiledModel",
    "EdgeqError",
    "Problem",
    "QuantizedModel",
    "StreamedModel",
    "__version__",
    "check",
    "compile",
    "features",
    "fit",
    "load",
    "quantize",
    "stream",
    "tune",
]

export(
    __name__,
    {
        "Budget": "budget",
        "CompiledModel": "models",
        "EdgeqError": "errors",
        "Problem": "errors",
        "QuantizedModel": "models",
        "StreamedModel": "models",
        "check": "api",
        "compile": "api",
        "features": "api",
        "fit": "api",
        "load": "api",
        "quantize": "api",
        "stream": "api",
        "tune": "api",
    },
)
