"""What a binding is: how one node of the graph becomes one call of a C kernel.

A :class:`Binding` says whether a kernel fits a node, and why not; the first of a family's tuple that fits wins, so the
special ones come first. A :class:`Call` is what the emitter writes: the record's fields in the order of their C
declaration, with the weights already in the kernel's own order. Nothing here decides about memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edgeq.ir import Graph, Node
from edgeq.numerics.array import Array
from edgeq.ops.accumulator import scaling_of

Isa = tuple[str, ...]
"""Instruction sets in the order in which a build searches ``runtime_c/arch``, ``("mve", "dsp", "generic")``."""

Field = int | str | Array


@dataclass(frozen=True, eq=False)
class Call:
    """One kernel call for one node.

    Attributes:
        kernel: the C function; its header is ``runtime_c/kernels/<kernel>.h``.
        record: the C type of its const record.
        fields: the record in declaration order; an array becomes a named const array and the field its address.
        inputs: the computed tensors that are passed as pointers, in argument order.
        outputs: the tensors it writes, in argument order.
        scratch_bytes: bytes it needs while it runs; 0 = the kernel takes no scratch argument.
        scratch_align: alignment of the scratch in bytes.
        in_place: (input index, output index) pairs that may be at exactly the same address.
    """

    kernel: str
    record: str
    fields: Mapping[str, Field]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    scratch_bytes: int = 0
    scratch_align: int = 4
    in_place: tuple[tuple[int, int], ...] = ()


Matches = Callable[[Node, Graph, Isa], str | None]
Bind = Callable[[Node, Graph, Isa], Call]


@dataclass(frozen=True)
class Binding:
    """A kernel for an operator.

    Attributes:
        op: the operator's name.
        kernel: the C function, for the manifest.
        matches: None where the kernel fits a node that scales by its formula, else the reason why it does not.
        bind: builds the call; only for nodes that match.
        formula: how the kernel scales (``Scaling.formula``); None where it scales nothing.
    """

    op: str
    kernel: str
    matches: Matches
    bind: Bind
    formula: str | None = None

    def refusal(self, node: Node, graph: Graph, isa: Isa) -> str | None:
        """Why the kernel cannot serve a node of its operator, or None."""
        if self.formula is not None:
            found = scaling_of(node).formula(node.op)
            if found != self.formula:
                return f"scales by {self.formula}, not by {found}"
            acc = node.attrs.get("acc", "i32")
            if acc != "i32":
                return f"accumulates in {acc}, not i32"
        return self.matches(node, graph, isa)
