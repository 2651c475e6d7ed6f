"""The only place that reads, writes and runs ONNX files.

Names are resolved on first use, because :mod:`edgeq.onnxio.samples` lives here too and must not load onnxruntime.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from edgeq.onnxio.reader import read_model, read_model_bytes
    from edgeq.onnxio.session import Session
    from edgeq.onnxio.writer import model_bytes, write_model

__all__ = ["Session", "model_bytes", "read_model", "read_model_bytes", "write_model"]

_MODULE_OF: Final = {
    "Session": "session",
    "model_bytes": "writer",
    "read_model": "reader",
    "read_model_bytes": "reader",
    "write_model": "writer",
}


def __getattr__(name: str) -> object:
    """Load the module that defines ``name``."""
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{module}"), name)
