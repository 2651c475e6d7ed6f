"""The C backend: bind kernels, plan memory, print C."""

from __future__ import annotations

from dataclasses import dataclass

from edgeq.backends.bundle import Bundle
from edgeq.backends.c.bind import Step, bind_kernels, plan_steps
from edgeq.backends.c.binding import Isa
from edgeq.backends.c.emit import Specialize, emit_sources
from edgeq.backends.c.examples import cmake, main_c, quantize_header
from edgeq.backends.c.runtime import runtime_headers
from edgeq.ir import Graph
from edgeq.passes.plan_memory import Plan

__all__ = ["CProgram", "Specialize", "Step", "bind_kernels", "emit_c", "plan_steps"]


@dataclass(frozen=True)
class CProgram:
    """What the C backend makes of a graph: the files, and the facts that firmware and reports need."""

    bundle: Bundle
    steps: tuple[Step, ...]
    plan: Plan


def emit_c(graph: Graph, name: str, isa: Isa, specialize: Specialize) -> CProgram:
    """Bind, plan and print a graph.

    Raises:
        EdgeqError: EQ0380 where a node has no kernel.
    """
    steps = bind_kernels(graph, isa)
    plan = plan_steps(graph, steps)
    sources = emit_sources(graph, steps, plan, name, specialize)
    texts = {
        "CMakeLists.txt": cmake(name),
        "main.c": main_c(name),
        "model.c": sources.model_c,
        "model.h": sources.model_h,
        "model_quantize.h": quantize_header(graph, name),
        "weights.c": sources.weights_c,
        "weights.h": sources.weights_h,
    }
    files = {path: text.encode("utf-8") for path, text in texts.items()}
    headers = runtime_headers((step.call.kernel for step in steps), isa)
    files |= {f"runtime/{header}": content for header, content in headers.items()}
    return CProgram(Bundle(files), tuple(steps), plan)
