"""A consumer's scale is its own business: operators that want equal scales never widen what others read.

Concat (and every operator whose result takes the scale of its operands) needs its operands at one scale. Where an
operand has other readers, a node that means *requantize* goes in front of the operator, so that the operand keeps the
scale that its own range needs. An operand that nothing else reads takes the operator's scale: one rounding less.

A state stays as it is where the operator's result goes back into it: what is written into a cache is at its scale, and
the cache is not rewritten at another one for each reader.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import onnx_ir as ir

from edgeq.ir import Quantization
from edgeq.onnxio.qdq_form import REQUANTIZE
from edgeq.onnxio.states import kept_outputs, states_of
from edgeq.quant.properties import SEPARATED
from edgeq.quant.specification import fixed_states, quantized_nodes
from edgeq.quant.step import Step

if TYPE_CHECKING:
    from edgeq.quant.specification import QuantizedNode
    from edgeq.quant.state import State

_OUTPUT: Final = "output"


@dataclass
class _Run:
    """Values that have one scale because each passes it on to the next.

    Attributes:
        readers: how many times each node from outside reads a value of the run; :data:`_OUTPUT` for model outputs.
        fixed: the scale that an operator prescribes.
        is_decided: whether integers of one of the values are decided already.
        states: outputs of the model that carry one of the values on to the next time step.
        joined: the run that this one has become a part of.
    """

    readers: Counter[Hashable] = field(default_factory=Counter)
    fixed: Quantization | None = None
    is_decided: bool = False
    states: set[ir.Value] = field(default_factory=set)
    joined: _Run | None = None

    def whole(self) -> _Run:
        """The run that this one belongs to by now."""
        run = self
        while run.joined is not None:
            run.joined = run.joined.joined or run.joined
            run = run.joined
        return run

    def is_read_by(self, node: ir.Node) -> bool:
        """Whether nothing but this node reads the run."""
        return not self.is_decided and set(+self.readers) == {id(node)}


def separate_scales(state: State) -> None:
    """Insert a requantize in front of operators that would widen an operand that others read.

    An operand of fixed scale stays as it is: lowering changes its scale at the joint.
    """
    state.copies = insert_copies(state.model, state.options.mode, state.given.activations)


def insert_copies(model: ir.Model, mode: str, decided: Collection[str] = ()) -> dict[str, str]:
    """Rewrite a model in place.

    Args:
        model: normalized float model.
        mode: the arithmetic, ``edgeq.numerics.scaling``.
        decided: names of values whose integers are decided already.

    Returns:
        The name of each copy → the name of the value that it copies.
    """
    runs: dict[ir.Value, _Run] = {}
    copies: dict[str, str] = {}
    names = {str(value.name) for node in model.graph for value in node.outputs} | set(model.graph.initializers)
    names |= {str(value.name) for value in model.graph.inputs}
    fixed = fixed_states(model, mode, decided)
    partners = _partners(model)
    results = {str(value.name) for value in kept_outputs(model)}

    def new_run(value: ir.Value) -> _Run:
        """Who reads one side of a state reads the integers of the other."""
        sides = [value, *partners.get(value, ())]
        readers: Counter[Hashable] = Counter(id(use.node) for side in sides for use in side.uses())
        if any(side.is_graph_output() and side.name in results for side in sides):
            readers[_OUTPUT] += 1
        carried = {side for side in partners.get(value, ()) if side.is_graph_output()}
        return _Run(readers, fixed.get(str(value.name)), value.name in decided, carried)

    for value in model.graph.inputs:
        runs[value] = new_run(value)
    every = list(quantized_nodes(model, mode, decided))
    passed_on = _passed_on(every)
    for found in every:
        for value in found.outputs:
            runs[value] = new_run(value)
            if found.rule == "fixed" and found.form.fixed:
                runs[value].fixed = found.form.fixed
        operands = list(dict.fromkeys(found.computed))
        if found.rule != "same" or not found.outputs or not operands:
            continue
        parts = {id(runs[value].whole()) for value in operands}
        if len(parts) > 1 or found.adds_values:
            for position, value in enumerate(operands):
                run = runs[value].whole()
                keeps = run.fixed is not None or _returns(found.outputs[0], run.states, passed_on)
                if not keeps and not run.is_read_by(found.node):
                    copy = _insert_copy(model, found.node, value, names)
                    copies[str(copy.name)] = str(value.name)
                    runs[copy] = new_run(copy)
                    operands[position] = copy
        _join(runs[found.outputs[0]], [runs[value].whole() for value in operands], found)
    return copies


def _passed_on(nodes: Sequence[QuantizedNode]) -> dict[ir.Value, list[ir.Value]]:
    """By value, the results that take its scale."""
    found: dict[ir.Value, list[ir.Value]] = {}
    for node in nodes:
        for value in node.computed if node.rule == "same" else ():
            found.setdefault(value, []).extend(node.outputs)
    return found


def _returns(value: ir.Value, states: set[ir.Value], passed_on: Mapping[ir.Value, Sequence[ir.Value]]) -> bool:
    """Whether a value goes into one of the states, by operators that pass its scale on."""
    waiting, seen = [value], set[ir.Value]()
    while states and waiting:
        value = waiting.pop()
        if value in states:
            return True
        if value not in seen:
            seen.add(value)
            waiting += passed_on.get(value, ())
    return False


def _partners(model: ir.Model) -> dict[ir.Value, list[ir.Value]]:
    """By each side of a state, the other ones."""
    values = {str(value.name): value for value in (*model.graph.inputs, *model.graph.outputs)}
    found: dict[ir.Value, list[ir.Value]] = {}
    for state in states_of(model):
        source, result = values[state.input], values[state.output]
        found.setdefault(source, []).append(result)
        found.setdefault(result, []).append(source)
    return found


def _join(result: _Run, operands: Sequence[_Run], found: QuantizedNode) -> None:
    """The result takes the scale of its operands, but for those of a fixed scale that others do not have."""
    parts = list({id(run): run for run in operands}.values())
    kinds = {run.fixed for run in parts} | ({None} if found.adds_values else set())
    joined = [run for run in parts if len(kinds) == 1 or run.fixed is None]
    if not joined:
        return
    # The one with the most readers takes in the others, so that a reader is counted anew only a few times.
    whole, *rest = sorted([*joined, result], key=lambda run: -len(run.readers))
    for run in rest:
        whole.readers.update(run.readers)
        whole.states |= run.states
        run.joined = whole
    whole.fixed = joined[0].fixed
    whole.is_decided = any(run.is_decided for run in [*joined, result])
    del whole.readers[id(found.node)]


def _insert_copy(model: ir.Model, node: ir.Node, value: ir.Value, names: set[str]) -> ir.Value:
    """A requantize of a value in front of a node, which reads the copy from now on."""
    base = name = f"{value.name}_requantized"
    number = 1
    while name in names:
        number += 1
        name = f"{base}_{number}"
    names.add(name)
    copy = ir.Value(name=name, shape=value.shape, type=value.type)
    model.graph.insert_before(node, ir.Node("", REQUANTIZE, [value], outputs=[copy], name=f"{name}_{REQUANTIZE}"))
    for index, operand in enumerate(node.inputs):
        if operand is value:
            node.replace_input_with(index, copy)
    return copy


STEP: Final = Step("separate_scales", separate_scales, ensures=(SEPARATED,))
