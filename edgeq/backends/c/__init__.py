"""The C backend: bind kernels, plan memory, print C."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeq.lazily import export

if TYPE_CHECKING:
    from edgeq.backends.c.bind import Step, bind_kernels, plan_steps
    from edgeq.backends.c.program import CProgram, emit_c

__all__ = ["CProgram", "Step", "bind_kernels", "emit_c", "plan_steps"]

export(
    __name__,
    {
        "CProgram": "program",
        "Step": "bind",
        "bind_kernels": "bind",
        "emit_c": "program",
        "plan_steps": "bind",
    },
)
