"""The only place that reads, writes and runs ONNX files.

Names are resolved on first use, because :mod:`edgeq.onnxio.samples` lives here too and must not load onnxruntime.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeq.lazily import export

if TYPE_CHECKING:
    from edgeq.onnxio.reader import read_model, read_model_bytes
    from edgeq.onnxio.session import Session
    from edgeq.onnxio.writer import model_bytes, model_proto, write_model, wrote

__all__ = ["Session", "model_bytes", "model_proto", "read_model", "read_model_bytes", "write_model", "wrote"]

export(
    __name__,
    {
        "Session": "session",
        "model_bytes": "writer",
        "model_proto": "writer",
        "read_model": "reader",
        "read_model_bytes": "reader",
        "write_model": "writer",
        "wrote": "writer",
    },
)
