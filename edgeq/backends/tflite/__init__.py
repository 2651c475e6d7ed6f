"""From the integer graph to a .tflite file that has the same bits; see README.md beside this file."""

from __future__ import annotations

from edgeq.backends.tflite.emit import emit_tflite
from edgeq.backends.tflite.write import UNSUPPORTED, WRITERS

__all__ = ["UNSUPPORTED", "WRITERS", "emit_tflite"]
