"""Let every state be updated in place: its output is written where its input lay.

Firmware keeps a state at one address. Its output may be written there where nothing reads the input any more, or where
the step that computes it may overwrite its operand. Where that is not so, a copy of the output behind all steps is what
the next run reads; where an output is another state as it was, that one is copied before it changes. To keep every
state twice, with two addresses in turn, was decided against: it costs the same bytes, and kernels that get their
addresses at run time.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from edgeq.ir import Attr, Graph, Node
from edgeq.ops import BY_NAME
from edgeq.passes.base import Pass, Property


def run(graph: Graph) -> int:
    """Append the copies that are needed and return the number of nodes."""
    before = len(graph.nodes)
    _copy_old_values(graph)
    for number in range(len(graph.states)):
        if not _in_place(graph, number):
            _copy_output(graph, number)
    return len(graph.nodes) - before


def _copy_old_values(graph: Graph) -> None:
    """Outputs, of the model and of states, that are the input of another state or a view of it become copies."""
    inputs = {state.input for state in graph.states}
    home = _homes(graph)
    graph.outputs = tuple(_copied(graph, name) if home.get(name, name) in inputs else name for name in graph.outputs)
    old = {number: home.get(state.output, state.output) for number, state in enumerate(graph.states)}
    waiting = {number: name for number, name in old.items() if name in inputs - {graph.states[number].input}}
    while waiting:
        # A copy may lie where its state lies, if what lay there has been copied before; in a ring of states one cannot.
        read = {number: set(waiting.values()) - {waiting[number]} for number in waiting}
        number = next((each for each in waiting if graph.states[each].input not in read[each]), min(waiting))
        _copy_output(graph, number)
        del waiting[number]


def _copy_output(graph: Graph, number: int) -> None:
    states = list(graph.states)
    states[number] = replace(states[number], output=_copied(graph, states[number].output))
    graph.states = tuple(states)


def _homes(graph: Graph) -> dict[str, str]:
    """By tensor that shares its bytes with an earlier one, the first of these."""
    found: dict[str, str] = {}
    for node in graph.nodes:
        if node.op == "reshape" and not graph.tensors[node.inputs[0]].is_constant:
            found[node.outputs[0]] = found.get(node.inputs[0], node.inputs[0])
    return found


def _in_place(graph: Graph, number: int) -> bool:
    """Whether the output of a state can be written where its input lies."""
    state, home = graph.states[number], _homes(graph)
    written = home.get(state.output, state.output)
    if written == state.input:
        return True
    earlier = {home.get(each.output, each.output) for each in graph.states[:number]}
    maker = next((step for step, node in enumerate(graph.nodes) if written in node.outputs), None)
    if maker is None or written in earlier:
        return False
    reads = [
        (step, operand)
        for step, node in enumerate(graph.nodes)
        if node.op != "reshape"
        for operand, name in enumerate(node.inputs)
        if home.get(name, name) == state.input
    ]
    overwrites = BY_NAME[graph.nodes[maker].op].overwrites
    return all(step < maker or (step == maker and operand in overwrites) for step, operand in reads)


def _copied(graph: Graph, name: str) -> str:
    """A copy of a tensor, made behind all steps so far: a concatenation of nothing else, which needs an axis."""
    shape = graph.tensors[name].shape
    row = name if shape else _added(graph, "reshape", name, (1,), shape=(1,))
    copied = _added(graph, "concat", row, shape or (1,), axis=0)
    return copied if shape else _added(graph, "reshape", copied, shape, shape=shape)


def _added(graph: Graph, op: str, operand: str, extents: tuple[int, ...], **attrs: Attr) -> str:
    result = graph.tensors[operand].with_(name=graph.fresh_name(f"{operand}.copied"), shape=extents, source=None)
    graph.nodes.append(Node(op, graph.add_tensor(result), (operand,), (result.name,), attrs))
    return result.name


IN_PLACE: Final = Property(
    "states updated in place", lambda graph: all(_in_place(graph, number) for number in range(len(graph.states)))
)
PASS: Final = Pass("place_states", run, ensures=(IN_PLACE,))
