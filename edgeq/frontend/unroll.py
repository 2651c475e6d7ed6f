"""Loop and Scan of a fixed number of steps become that many copies of their bodies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import fresh
from edgeq.frontend.facts import integer, ints, known_shape, operand

MAX_NODES: Final = 20_000
"""Operators that a graph may have in which loops are written out; larger loops stay, and are refused by name."""


def unroll_loops(model: ir.Model) -> bool:
    """Write out every loop whose number of steps is constant; in place.

    Args:
        model: of the working opset, constants lifted to initializers of the main graph, shapes inferred.

    Returns:
        Whether there was any; shapes of the copies are not inferred then.
    """
    names, found = names_of(model), False
    while _unroll(Names(model.graph, names), model.graph):  # the condition of an inner loop is often the outer one's
        found = True
    return found


def names_of(model: ir.Model) -> set[str]:
    """The names that values of a model have."""
    names = {value.name or "" for graph in model.graphs() for node in graph for value in node.outputs}
    names.update(value.name or "" for graph in model.graphs() for value in graph.inputs)
    names.update(model.graph.initializers)
    return names


@dataclass(frozen=True)
class Names:
    """Where constants go, and the names that values of the model have."""

    main: ir.Graph
    taken: set[str]

    def constant(self, array: np.ndarray, base: str) -> ir.Value:
        """An initializer of the main graph."""
        name = fresh(base, self.taken)
        kind = ir.TensorType(ir.DataType.from_numpy(array.dtype))
        value = ir.Value(name=name, type=kind, shape=ir.Shape(array.shape), const_value=ir.Tensor(array, name=name))
        self.main.register_initializer(value)
        return value


@dataclass
class Place:
    """New nodes go in front of a node of a graph."""

    names: Names
    graph: ir.Graph
    anchor: ir.Node

    def node(self, op_type: str, inputs: Sequence[ir.Value], base: str, attributes: Sequence[ir.Attr] = ()) -> ir.Value:
        """The result of a new node."""
        result = ir.Value(name=fresh(base, self.names.taken), type=inputs[0].type)
        self.graph.insert_before(self.anchor, ir.Node("", op_type, list(inputs), attributes, outputs=[result]))
        return result

    def copy(self, body: ir.Graph, given: Sequence[ir.Value], prefix: str) -> list[ir.Value]:
        """The results of a copy of the body that reads the given values."""
        made = body.clone(allow_outer_scope_values=True)
        results = [given[made.inputs.index(value)] if value in made.inputs else value for value in made.outputs]
        for formal, actual in zip(made.inputs, given, strict=True):
            formal.replace_all_uses_with(actual)
        made.outputs.clear()
        for node in list(made):
            made.remove(node)
            node.name = f"{prefix}_{node.name or node.op_type}"
            for value in node.outputs:
                if value.name:
                    value.name = fresh(f"{prefix}_{value.name}", self.names.taken)
            self.graph.insert_before(self.anchor, node)
        return results


@dataclass
class _Steps:
    """What a loop comes to.

    Attributes:
        count: of steps.
        given: the body's operands in a step, by its number and the values carried into it.
        carried: the values carried into the first step.
        skipped: results of the body in front of those that are carried on.
        axes: for each result that is collected, the axis and whether the last step comes first.
    """

    count: int
    given: Callable[[int, Sequence[ir.Value]], list[ir.Value]]
    carried: list[ir.Value]
    skipped: int = 0
    axes: list[tuple[int, bool]] = field(default_factory=list)


def _unroll(names: Names, graph: ir.Graph) -> bool:
    found = False
    for node in list(graph):
        for attribute in node.attributes.values():
            if attribute.type == ir.AttributeType.GRAPH:
                found |= _unroll(names, attribute.as_graph())
        if node.domain or node.op_type not in {"Loop", "Scan"}:
            continue
        place, body = Place(names, graph, node), node.attributes["body"].as_graph()
        steps = _loop(place, body) if node.op_type == "Loop" else _scan(place, body)
        if steps is None or len(graph) + steps.count * len(body) > MAX_NODES or (steps.axes and not steps.count):
            continue
        _write(place, body, steps)
        found = True
    return found


def _write(place: Place, body: ir.Graph, steps: _Steps) -> None:
    """Copies of the body in the place of the loop."""
    node, carried = place.anchor, steps.carried
    base = node.name or next(value.name for value in node.outputs if value.name) or node.op_type
    collected: list[list[ir.Value]] = [[] for _ in steps.axes]
    for number in range(steps.count):
        results = place.copy(body, steps.given(number, carried), f"{base}_{number}")[steps.skipped :]
        carried = results[: len(carried)]
        for values, value in zip(collected, results[len(carried) :], strict=True):
            values.append(value)
    results = [*carried]
    for values, (axis, backwards) in zip(collected, steps.axes, strict=True):
        over = place.names.constant(np.array([axis], np.int64), f"{base}_axis")
        parts = [place.node("Unsqueeze", [value, over], f"{value.name}_step") for value in values]
        parts = parts[::-1] if backwards else parts
        results.append(place.node("Concat", parts, f"{base}_steps", [ir.AttrInt64("axis", axis)]))
    for old, value in zip(node.outputs, results, strict=True):
        result = value
        if old.is_graph_output():
            # An output of the graph keeps its name, and is made by a node of its own.
            name, old.name = old.name, None
            result = place.node("Identity", [value], base)
            result.name = name
        old.replace_all_uses_with(result, replace_graph_outputs=True)
    place.graph.remove(node, safe=True)


def _array(value: ir.Value | None) -> np.ndarray | None:
    if value is None or value.const_value is None or value.is_graph_input():
        return None
    return np.asarray(value.const_value.numpy())


def _loop(place: Place, body: ir.Graph) -> _Steps | None:
    """A Loop with a constant trip count and a condition that stays true; None for any other."""
    node = place.anchor
    trips, condition = _array(operand(node, 0)), operand(node, 1)
    holds = np.array(True) if condition is None else _array(condition)
    if trips is None or holds is None or not _stays_true(body):
        return None
    count = max(0, int(trips.reshape(-1)[0])) if bool(holds.reshape(-1)[0]) else 0
    names, carried = place.names, [value for value in node.inputs[2:] if value is not None]
    true = names.constant(np.array(True), "loop_condition")
    collected = len(node.outputs) - len(carried)

    def given(number: int, values: Sequence[ir.Value]) -> list[ir.Value]:
        return [names.constant(np.array(number, np.int64), f"step_{number}"), true, *values]

    return _Steps(count, given, carried, skipped=1, axes=[(0, False)] * collected)


def _stays_true(body: ir.Graph) -> bool:
    """Whether the condition that a body gives is the one that it got, or constant and true."""
    value: ir.Value | None = body.outputs[0]
    while value is not None and (node := value.producer()) is not None and node.op_type == "Identity":
        value = node.inputs[0]
    array = _array(value)
    return value is body.inputs[1] or (array is not None and bool(array.all()))


def _scan(place: Place, body: ir.Graph) -> _Steps | None:
    """A Scan over an axis of known size; None for any other."""
    node = place.anchor
    number = integer(node, "num_scan_inputs", 0)
    inputs = [value for value in node.inputs if value is not None]
    carried, scanned = inputs[: len(inputs) - number], inputs[len(inputs) - number :]
    shapes = [known_shape(value) for value in scanned]
    if not number or any(shape is None for shape in shapes):
        return None
    ranks = [len(shape or ()) for shape in shapes]
    stated = ints(node, "scan_input_axes", (0,) * number)
    axes = [axis % rank for axis, rank in zip(stated, ranks, strict=True)]
    backwards = ints(node, "scan_input_directions", (0,) * number)
    count = (shapes[0] or ())[axes[0]]
    collected = len(node.outputs) - len(carried)
    out_axes = ints(node, "scan_output_axes", (0,) * collected)
    out_backwards = ints(node, "scan_output_directions", (0,) * collected)

    def given(step: int, values: Sequence[ir.Value]) -> list[ir.Value]:
        parts = []
        for value, axis, reverse in zip(scanned, axes, backwards, strict=True):
            index = place.names.constant(np.array(count - 1 - step if reverse else step, np.int64), f"step_{step}")
            part = place.node("Gather", [value, index], f"{value.name}_{step}", [ir.AttrInt64("axis", axis)])
            parts.append(part)
        return [*values, *parts]

    return _Steps(
        count, given, carried, axes=[(axis, bool(back)) for axis, back in zip(out_axes, out_backwards, strict=True)]
    )
