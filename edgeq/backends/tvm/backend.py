"""The TVM backend, as the compiler sees it."""

from __future__ import annotations

from typing import Final

from edgeq.backends.base import EmitRequest, Emitted
from edgeq.backends.tvm.board import emit_board
from edgeq.backends.tvm.host import DEBUG_MODULE, MODULE, build_host


class TvmBackend:
    """Modules for this computer, and a program of TVM's objects for the board."""

    def emit(self, request: EmitRequest) -> Emitted:
        """See :class:`edgeq.backends.base.Backend`."""
        program = emit_board(request.graph, request.name, request.target, request.outputs, request.planner)
        if not request.modules:
            return Emitted(program)
        return Emitted(program, build_host(request.graph, request.name), {"tvm": MODULE, "tvm-debug": DEBUG_MODULE})


BACKEND: Final = TvmBackend()
