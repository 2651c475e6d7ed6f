"""The C backend, as the compiler sees it."""

from __future__ import annotations

from typing import Final

from edgeq.backends.base import EmitRequest, Emitted
from edgeq.backends.c.choose import Memory
from edgeq.backends.c.program import emit_c


class CBackend:
    """Prints C11 with fixed-point kernels."""

    def emit(self, request: EmitRequest) -> Emitted:
        """See :class:`edgeq.backends.base.Backend`."""
        return Emitted(
            emit_c(
                request.graph,
                request.name,
                request.target,
                code_bytes=request.code_bytes,
                onnx_outputs=request.outputs,
                complete=request.complete,
                aim=request.aim,
                memory=Memory(request.ram_bytes, request.flash_bytes),
                memories=request.memories,
                arena_bytes=request.arena_bytes,
                chains=request.chains,
                kernels=request.kernels,
                planner=request.planner,
            )
        )


BACKEND: Final = CBackend()
