"""What is asked of a backend, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from edgeq.backends.bundle import Bundle
from edgeq.backends.placement import Memories
from edgeq.backends.program import Program
from edgeq.ir import Graph
from edgeq.memory.bands import Way
from edgeq.memory.planner import Planner
from edgeq.target import Target

Aim = Literal["balanced", "speed", "size", "ram"]
"""``balanced``: faster kernels may take memory up to a bound; ``speed``: as much as they like; ``size``: none, and the
fewest instances of kernels (``c/choose.py``).
``ram``: the arena shall be smallest, or within a bound (``c/chain_search.py``)."""


@dataclass(frozen=True)
class ChainChoice:
    """Nodes that run in bands of rows, as one step.

    Attributes:
        nodes: their names, in schedule order.
        height: rows of the last result that a band makes.
        way: how rows between the nodes are held.
    """

    nodes: tuple[str, ...]
    height: int
    way: Way


@dataclass(frozen=True)
class EmitRequest:
    """A graph to be made into files.

    Attributes:
        graph: the integer graph, in an arithmetic that the backend supports.
        name: prefix of every C symbol and file, checked before.
        target: the processor.
        outputs: the ONNX names of the graph's outputs.
        code_bytes: a budget for the code of kernels; None: what the backend finds best.
        complete: with everything that a user's project needs, else only what edgeq's own images are built from.
        modules: also make what runners load on this computer; it may need a compiler.
        aim: what counts where a faster kernel takes memory.
        ram_bytes: of the board, for everything; None: as much as it needs.
        flash_bytes: likewise.
        arena_bytes: the most that the arena may take, for the aim ``ram``; None: as little as possible.
        chains: which nodes run in bands, for the aim ``ram``: those of another program of the model, whose steps this
            one's are compared with. None: the backend chooses.
        planner: who may place the arena's tensors.
        memories: in which the arena may lie; None: in one piece.
        kernels: patterns of names of nodes, and the kernels that these shall have (``c/candidates.py``).
    """

    graph: Graph
    name: str
    target: Target
    outputs: tuple[str, ...]
    code_bytes: int | None = None
    complete: bool = True
    modules: bool = True
    aim: Aim = "balanced"
    ram_bytes: int | None = None
    flash_bytes: int | None = None
    arena_bytes: int | None = None
    chains: tuple[ChainChoice, ...] | None = None
    planner: Planner = "greedy"
    memories: Memories | None = None
    kernels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Emitted:
    """What a backend made.

    Attributes:
        program: C files that firmware can build, with their memory plan; None where the backend writes none.
        modules: files that runners load on this computer.
        kinds: these by kind, as runners ask for them: ``tvm-debug`` → ``model_debug.so``.
    """

    program: Program | None = None
    modules: Bundle = field(default_factory=lambda: Bundle({}))
    kinds: Mapping[str, str] = field(default_factory=dict)


class Backend(Protocol):
    """Makes files of an integer graph; what it supports stands in :data:`edgeq.backends.table.BACKENDS`."""

    def emit(self, request: EmitRequest) -> Emitted:
        """The files.

        Raises:
            EdgeqError: EQ0362, EQ038x, EQ039x for all nodes that the backend cannot express; EQ0530 where an optional
                part is not installed.
        """
