"""From a graph to TVM functions, one a node.

A function has one of two forms. With *tensors* as parameters it can be called from Relax and from any TVM runtime,
which passes DLTensors and checks them. With *pointers* it is a plain C function: a device needs nothing of TVM.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from tvm.script.ir_builder import IRBuilder
from tvm.tirx.script import builder

from edgeq.backends.program import batch_problems
from edgeq.backends.tvm.integers import Buffer
from edgeq.backends.tvm.lower import LOWERINGS
from edgeq.backends.tvm.step import Step
from edgeq.backends.tvm.support import UNSUPPORTED
from edgeq.backends.views import step_nodes
from edgeq.errors import EdgeqError, Problem
from edgeq.ir import Graph, Node, Tensor
from edgeq.ops import BY_NAME

Form = Literal["tensors", "pointers"]
# A function that no packed-call wrapper is made for.
_PLAIN_CALLING_CONVENTION: Final = 2


@dataclass(frozen=True)
class TvmStep:
    """One node as a function of TVM.

    Attributes:
        node: the node.
        symbol: the function's name.
        function: a ``tirx.PrimFunc``.
        operands: names of the tensors that are its first parameters, constants included.
        results: names of those that follow.
        macs: multiply-accumulates of the node.
    """

    node: Node
    symbol: str
    function: Any
    operands: tuple[str, ...]
    results: tuple[str, ...]
    macs: int

    @property
    def kernel(self) -> str:
        """What reports call it."""
        return "tvm"

    @property
    def refused(self) -> Mapping[str, str]:
        """There is one lowering an operator, so nothing was refused."""
        return {}

    @property
    def scratch_bytes(self) -> int:
        """Functions keep their few variables in registers and on the stack."""
        return 0


def lower_steps(graph: Graph, name: str, form: Form) -> tuple[TvmStep, ...]:
    """A function ``NAME_step_K_tvm`` for every node that is a step.

    Raises:
        EdgeqError: EQ0362, EQ0385, all nodes without a lowering.
    """
    nodes = step_nodes(graph)
    problems = batch_problems(graph, "tvm") + [
        Problem(
            "EQ0385",
            f"backend tvm cannot express this {node.op}",
            where=f"node {', '.join(node.source) or node.name}",
            got=UNSUPPORTED.get(node.op, "the operator has no lowering"),
            hint="use backend c, or leave it out of --backend",
        )
        for node in nodes
        if node.op not in LOWERINGS
    ]
    if problems:
        raise EdgeqError.of(problems)
    return tuple(_lower(graph, node, f"{name}_step_{number}_tvm", form) for number, node in enumerate(nodes))


def _lower(graph: Graph, node: Node, symbol: str, form: Form) -> TvmStep:
    operands, results = graph.operands(node), graph.results(node)
    with IRBuilder() as function, builder.prim_func():
        builder.func_name(symbol)
        attributes: dict[str, object] = {"global_symbol": symbol, "tirx.noalias": True}
        if form == "pointers":
            attributes["calling_conv"] = _PLAIN_CALLING_CONVENTION
        builder.func_attr(attributes)
        # A name of a model is never a name in the function: operands and results are numbered.
        given = [(f"in{number}", tensor) for number, tensor in enumerate(operands)]
        wanted = [(f"out{number}", tensor) for number, tensor in enumerate(results)]
        buffers = _parameters([*given, *wanted], form)
        inputs, outputs = buffers[: len(operands)], buffers[len(operands) :]
        LOWERINGS[node.op](Step(node, operands, inputs, outputs, results[0].dtype.numpy.name))
    macs = BY_NAME[node.op].macs(node, operands)
    return TvmStep(node, symbol, function.get(), node.inputs, node.outputs, macs)


def _parameters(tensors: list[tuple[str, Tensor]], form: Form) -> list[Buffer]:
    if form == "tensors":
        return [builder.arg(name, builder.buffer(tensor.shape, tensor.dtype.numpy.name)) for name, tensor in tensors]
    pointers = [builder.arg(name, builder.handle(tensor.dtype.numpy.name, "global")) for name, tensor in tensors]
    return [
        builder.decl_buffer(tensor.shape, tensor.dtype.numpy.name, data=pointer)
        for (_, tensor), pointer in zip(tensors, pointers, strict=True)
    ]
