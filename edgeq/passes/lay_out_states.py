"""Keep states in the layout in which the steps around them work.

Nobody outside sees a state, so that its axes may stand in any order: a ring of frames whose readers want channels last
is kept so, and what shifts it moves whole rows. A state takes another order where fewer bytes are transposed then.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from edgeq.ir import Graph, Node, Source, Tensor
from edgeq.passes import cancel_transposes
from edgeq.passes.base import Pass

Perm = tuple[int, ...]
# By rank, the order in which a state with channels last is read as ONNX has it.
_CHANNELS_LAST: Final[dict[int, Perm]] = {3: (0, 2, 1), 4: (0, 3, 1, 2)}


def run(graph: Graph) -> int:
    """Choose the layout of every state, in place; return how many changed."""
    changes, fewest = 0, _moved_bytes(graph)
    for number, state in enumerate(graph.states):
        perm = _CHANNELS_LAST.get(len(graph.tensors[state.input].shape))
        if perm is None or state.input == state.output:
            continue
        trial = graph.copy()
        _turn(trial, number, perm)
        moved = _moved_bytes(trial)
        if moved < fewest:
            graph.nodes, graph.tensors, graph.states = trial.nodes, trial.tensors, trial.states
            changes, fewest = changes + 1, moved
    return changes


def _moved_bytes(graph: Graph) -> int:
    """What is transposed when every transpose that can has been cancelled."""
    trial = graph.copy()
    cancel_transposes.run(trial)
    return sum(trial.tensors[node.outputs[0]].size_bytes for node in trial.nodes if node.op == "transpose")


def _turn(graph: Graph, number: int, perm: Perm) -> None:
    """Keep a state turned, between transposes that give its readers and take from its writer what they have now."""
    state = graph.states[number]
    inverse = tuple(int(axis) for axis in np.argsort(perm))
    old = graph.tensors[state.input]
    read = old.with_(name=graph.fresh_name(f"{state.input}.turned"))
    graph.add_tensor(read)
    shape = tuple(old.shape[axis] for axis in inverse)
    graph.tensors[state.input] = old.with_(shape=shape, source=Source(state.input, perm, old.shape))
    nodes = [Node("transpose", read.name, (state.input,), (read.name,), {"perm": perm})]
    for node in graph.nodes:
        moved = node.with_(inputs=tuple(read.name if name == state.input else name for name in node.inputs))
        nodes += _joined(graph, moved, read.name, perm, inverse) if node.op == "concat" else [moved]
    written = _transposed(graph, state.output, inverse)
    nodes.append(Node("transpose", written, (state.output,), (written,), {"perm": inverse}))
    graph.nodes = nodes
    states = list(graph.states)
    states[number] = replace(state, output=written)
    graph.states = tuple(states)


def _joined(graph: Graph, node: Node, read: str, perm: Perm, inverse: Perm) -> list[Node]:
    """A concatenation with the state, of turned operands, and its result turned back."""
    if read not in node.inputs:
        return [node]
    nodes, operands = [], []
    for name in node.inputs:
        operands.append(_transposed(graph, name, inverse))
        if not graph.tensors[name].is_constant:
            nodes.append(Node("transpose", operands[-1], (name,), (operands[-1],), {"perm": inverse}))
    inner = _transposed(graph, node.outputs[0], inverse)
    axis = perm[node.integer("axis")]
    nodes.append(node.with_(name=inner, inputs=tuple(operands), outputs=(inner,)).with_attrs(axis=axis))
    nodes.append(Node("transpose", node.name, (inner,), node.outputs, {"perm": perm}, node.source))
    return nodes


def _transposed(graph: Graph, name: str, perm: Perm) -> str:
    """The name of a new tensor for another one transposed."""
    tensor, turned = graph.tensors[name], graph.fresh_name(f"{name}.turned")
    if tensor.is_constant:
        return graph.add_tensor(Tensor.constant(turned, tensor.value().transpose(perm), tensor.quant, tensor.dtype))
    shape = tuple(tensor.shape[axis] for axis in perm)
    return graph.add_tensor(tensor.with_(name=turned, shape=shape, source=None))


PASS: Final = Pass("lay_out_states", run)
