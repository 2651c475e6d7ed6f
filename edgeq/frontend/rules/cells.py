"""Recurrent layers that no kernel computes, written out step by step: other functions, peepholes, clipping.

The products of all inputs with the weights of a gate are one MatMul in front of the steps; each step adds the product
of its hidden values. The layer is one direction, time first, as :mod:`edgeq.frontend.rules.recurrent` leaves it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import Edit, Rule
from edgeq.frontend.facts import integer, name_of, number, operand, required, shape_of, text
from edgeq.frontend.rules.functions import DEFAULTS, Function, functions_of
from edgeq.frontend.rules.simplify import cut

_TYPES: Final = ("GRU", "LSTM", "RNN")
_GATES: Final = {"GRU": ("update", "reset", "new"), "LSTM": ("input", "output", "forget", "cell"), "RNN": ("new",)}
_PEEPHOLES: Final = ("input", "output", "forget")
_MAX_STEPS: Final = 256
"""Steps of a layer that are written out; each is some twenty nodes."""


def write_out_cells(node: ir.Node, edit: Edit) -> str | None:
    """A layer becomes the operators of its cells, those of one step behind the other."""
    functions = functions_of(node)
    if functions is None or integer(node, "layout", 0) or text(node, "direction", "forward") == "bidirectional":
        return "another rule comes first, or its functions are not ONNX's"
    peepholes = operand(node, 7)
    plain = functions == [Function(name) for name in DEFAULTS[node.op_type]] and not integer(node, "input_forget", 0)
    if plain and peepholes is None and "clip" not in node.attributes:
        return "a kernel computes it"
    arrays = [edit.array(operand(node, index)) for index in (1, 2, 3, 7)]
    absent = [operand(node, index) is None for index in (1, 2, 3, 7)]
    if edit.params or any(array is None and not missing for array, missing in zip(arrays, absent, strict=True)):
        return "a weight is computed, or a quantized model states no scales within its steps"
    if operand(node, 4) is not None or shape_of(required(node, 0))[0] > _MAX_STEPS:
        return f"the lengths differ, or it has more than {_MAX_STEPS} steps"
    weight, recurrent = arrays[0], arrays[1]
    if weight is None or recurrent is None:
        return "it has no weights"
    size = recurrent.shape[2]
    cell = _Cell(edit, node, functions, size, _bias(node, arrays[2], size), arrays[3])
    _replace(node, edit, cell)
    return None


def _bias(node: ir.Node, given: np.ndarray | None, size: int) -> np.ndarray:
    """[2, gates, size]: of the inputs' and of the recurrent product."""
    gates = len(_GATES[node.op_type])
    return np.zeros((2, gates, size), np.float32) if given is None else given.reshape(2, gates, size)


@dataclass(eq=False)
class _Cell:
    """One layer, with what its steps share.

    Attributes:
        edit: the graph.
        node: the layer.
        functions: of the gates, of the new values, of the cell.
        size: number of hidden values.
        bias: float32 [2, gates, size].
        peepholes: float32 [1, 3·size] in the order input, output, forget.
        given: by gate the inputs' part of all steps, [T, N, size].
        constants: by gate and purpose what steps read.
    """

    edit: Edit
    node: ir.Node
    functions: list[Function]
    size: int
    bias: np.ndarray
    peepholes: np.ndarray | None
    given: dict[str, ir.Value] = field(default_factory=dict)
    constants: dict[tuple[str, str], ir.Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.base = name_of(next(value for value in self.node.outputs if value.name))
        self.reset_after = bool(integer(self.node, "linear_before_reset", 0))
        self.clip = number(self.node, "clip", 0.0) if "clip" in self.node.attributes else None
        gates, x = _GATES[self.node.op_type], required(self.node, 0)
        steps, batch, inputs = shape_of(x)
        weight, recurrent = (self.edit.array(operand(self.node, index)) for index in (1, 2))
        assert weight is not None
        assert recurrent is not None  # the rule looked
        rows = self.edit.reshape(x, (steps * batch, inputs), base=f"{self.base}_inputs")
        for index, gate in enumerate(gates):
            part, label = slice(index * self.size, (index + 1) * self.size), f"{self.base}_{gate}"
            apart = self.reset_after and gate == "new"
            bias = self.bias[0, index] if apart else self.bias.sum(axis=0)[index]
            matrix = self.edit.constant(weight[0, part].T, f"{label}_weight")
            shape = (steps * batch, self.size)
            value = self.edit.node("MatMul", [rows, matrix], base=f"{label}_product", shape=shape)
            if bias.any():
                offset = self.edit.constant(bias, f"{label}_bias")
                value = self.edit.node("Add", [value, offset], base=f"{label}_biased", shape=shape)
            self.given[gate] = self.edit.reshape(value, (steps, batch, self.size), base=f"{label}_given")
            self.constants[gate, "recurrent"] = self.edit.constant(recurrent[0, part].T, f"{label}_recurrent")
            if apart and self.bias[1, index].any():
                self.constants[gate, "bias"] = self.edit.constant(self.bias[1, index], f"{label}_recurrent_bias")
        if self.peepholes is not None:
            for gate, values in zip(_PEEPHOLES, self.peepholes.reshape(3, -1), strict=True):
                if values.any():
                    self.constants[gate, "peephole"] = self.edit.constant(values, f"{self.base}_{gate}_peephole")
        if self.clip is not None:
            for label, bound in (("low", -self.clip), ("high", self.clip)):
                self.constants[label, "bound"] = self.edit.constant(np.array(bound, np.float32), f"{self.base}_{label}")

    def _node(self, kind: str, *inputs: ir.Value, base: str) -> ir.Value:
        return self.edit.node(kind, inputs, base=base, shape=shape_of(inputs[0]))

    def _product(self, gate: str, hidden: ir.Value, base: str) -> ir.Value:
        """The recurrent product of a gate, with the bias that belongs to it alone."""
        found = self.edit.node(
            "MatMul", [hidden, self.constants[gate, "recurrent"]], base=f"{base}_recurrent", shape=shape_of(hidden)
        )
        bias = self.constants.get((gate, "bias"))
        return found if bias is None else self._node("Add", found, bias, base=f"{base}_recurrent_biased")

    def _function(self, which: int, x: ir.Value, base: str) -> ir.Value:
        if self.clip is not None:
            bounds = self.constants["low", "bound"], self.constants["high", "bound"]
            x = self._node("Clip", x, *bounds, base=f"{base}_clipped")
        return self.functions[which].applied(self.edit, x, base)

    def _sum(self, gate: str, step: int, other: ir.Value | None, base: str) -> ir.Value:
        """The inputs' part of a step and another one."""
        given = self.given[gate]
        part = cut(self.edit, given, 0, (step, step + 1), f"{base}_step") if shape_of(given)[0] > 1 else given
        part = self.edit.reshape(part, shape_of(given)[1:], base=f"{base}_given")
        return part if other is None else self._node("Add", part, other, base=f"{base}_sum")

    def _gate(
        self, gate: str, step: int, hidden: ir.Value | None, cell: ir.Value | None, *, which: int = 0
    ) -> ir.Value:
        base = f"{self.base}_{step}_{gate}"
        value = self._sum(gate, step, None if hidden is None else self._product(gate, hidden, base), base)
        peephole = self.constants.get((gate, "peephole"))
        if peephole is not None and cell is not None:
            seen = self._node("Mul", cell, peephole, base=f"{base}_peep")
            value = self._node("Add", value, seen, base=f"{base}_peeped")
        return self._function(which, value, base)

    def step(self, step: int, hidden: ir.Value | None, cell: ir.Value | None) -> tuple[ir.Value, ir.Value | None]:
        """Hidden values and cell behind a step; None before the first for zeros."""
        if self.node.op_type == "LSTM":
            return self._lstm(step, hidden, cell)
        return (self._gru(step, hidden) if self.node.op_type == "GRU" else self._rnn(step, hidden)), None

    def _lstm(self, step: int, hidden: ir.Value | None, cell: ir.Value | None) -> tuple[ir.Value, ir.Value]:
        base = f"{self.base}_{step}"
        inner = self._gate("input", step, hidden, cell)
        new = self._node("Mul", inner, self._gate("cell", step, hidden, None, which=1), base=f"{base}_added")
        if cell is not None:
            if integer(self.node, "input_forget", 0):
                one = self.edit.constant(np.array(1, np.float32), f"{base}_one")
                forget = self.edit.node("Sub", [one, inner], base=f"{base}_forget", shape=shape_of(inner))
            else:
                forget = self._gate("forget", step, hidden, cell)
            new = self._node("Add", self._node("Mul", forget, cell, base=f"{base}_kept"), new, base=f"{base}_state")
        out = self._gate("output", step, hidden, new)
        seen = self.functions[2].applied(self.edit, new, f"{base}_seen")
        return self._node("Mul", out, seen, base=f"{base}_hidden"), new

    def _gru(self, step: int, hidden: ir.Value | None) -> ir.Value:
        base = f"{self.base}_{step}"
        update = self._gate("update", step, hidden, None)
        other: ir.Value | None = None
        if hidden is not None and self.reset_after:
            other = self._node(
                "Mul",
                self._gate("reset", step, hidden, None),
                self._product("new", hidden, f"{base}_new"),
                base=f"{base}_new_reset",
            )
        elif hidden is not None:
            kept = self._node("Mul", self._gate("reset", step, hidden, None), hidden, base=f"{base}_reset_hidden")
            other = self._product("new", kept, f"{base}_new")
        elif ("new", "bias") in self.constants:
            bias = self.constants["new", "bias"]
            other = self._node("Mul", self._gate("reset", step, None, None), bias, base=f"{base}_new_reset")
        new = self._function(1, self._sum("new", step, other, f"{base}_new"), f"{base}_new")
        # (1 − update)·new + update·hidden, with one product less
        if hidden is None:
            return self._node("Sub", new, self._node("Mul", update, new, base=f"{base}_left"), base=f"{base}_hidden")
        change = self._node("Sub", hidden, new, base=f"{base}_change")
        kept = self._node("Mul", update, change, base=f"{base}_kept")
        return self._node("Add", new, kept, base=f"{base}_hidden")

    def _rnn(self, step: int, hidden: ir.Value | None) -> ir.Value:
        return self._gate("new", step, hidden, None)


def _replace(node: ir.Node, edit: Edit, cell: _Cell) -> None:
    """The results of a layer from those of its steps."""
    steps, batch, _ = shape_of(required(node, 0))
    states: list[ir.Value | None] = []
    for index in (5, 6):
        value = operand(node, index)
        one = None if value is None else edit.reshape(value, (batch, cell.size), base=f"{cell.base}_first_{index}")
        states.append(one)
    hidden, inner = states
    made: dict[int, ir.Value] = {}
    order = range(steps)[:: -1 if text(node, "direction", "forward") == "reverse" else 1]
    for step in order:
        hidden, inner = cell.step(step, hidden, inner)
        made[step] = hidden
    results: dict[int, ir.Value] = {}
    for index, value in enumerate(node.outputs):
        if not (value.uses() or value.is_graph_output()):
            continue
        if index == 0:
            parts = [
                edit.reshape(made[step], (1, 1, batch, cell.size), base=f"{cell.base}_{step}_part")
                for step in range(steps)
            ]
            shape = (steps, 1, batch, cell.size)
            results[0] = (
                parts[0]
                if len(parts) == 1
                else edit.node("Concat", parts, {"axis": 0}, base=f"{name_of(value)}_steps", shape=shape)
            )
        else:
            last = hidden if index == 1 else inner
            assert last is not None  # there is a step
            results[index] = edit.reshape(last, shape_of(value), base=f"{name_of(value)}_last")
    old = {index: node.outputs[index] for index in results}
    for index, value in results.items():
        edit.supersede(old[index], value)


RULES = (Rule("write_out_cells", _TYPES, write_out_cells),)
