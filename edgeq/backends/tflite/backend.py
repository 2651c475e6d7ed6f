"""The TFLite backend, as the compiler sees it."""

from __future__ import annotations

from typing import Final

from edgeq.backends.base import EmitRequest, Emitted
from edgeq.backends.bundle import Bundle
from edgeq.backends.tflite.emit import emit_tflite

FILE: Final = "model.tflite"


class TfliteBackend:
    """Writes one file, which an interpreter runs."""

    def emit(self, request: EmitRequest) -> Emitted:
        """See :class:`edgeq.backends.base.Backend`."""
        content = emit_tflite(request.graph, request.outputs)
        return Emitted(modules=Bundle({FILE: content}), kinds={"tflite": FILE})


BACKEND: Final = TfliteBackend()
