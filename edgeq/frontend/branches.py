"""If whose condition is computed: both branches run, and each result is chosen from one of them.

Branches of ONNX have no effect but their results, so that running the other one changes nothing but the time.
"""

from __future__ import annotations

import onnx_ir as ir

from edgeq.frontend.facts import known_shape, operand
from edgeq.frontend.unroll import MAX_NODES, Names, Place, names_of


def write_out_branches(model: ir.Model) -> bool:
    """Put both branches and a Where for each result in the place of every If of the main graph; in place.

    Args:
        model: constants folded, shapes inferred: an If that is left has a computed condition.

    Returns:
        Whether there was any; shapes of the copies are not inferred then.
    """
    names = Names(model.graph, names_of(model))
    found = False
    for node in list(model.graph):
        if node.op_type == "If" and not node.domain and _fits(node):
            _write(Place(names, model.graph, node))
            found = True
    return found


def _branches(node: ir.Node) -> tuple[ir.Graph, ir.Graph]:
    return node.attributes["then_branch"].as_graph(), node.attributes["else_branch"].as_graph()


def _fits(node: ir.Node) -> bool:
    """Whether the branches give tensors of the same type and static shape, by a condition of one truth value."""
    then, otherwise = _branches(node)
    condition = operand(node, 0)
    if condition is None or condition.is_initializer() or known_shape(condition) not in ((), (1,)):
        return False
    graph = node.graph
    if graph is None or len(graph) + len(then) + len(otherwise) > MAX_NODES:
        return False
    for first, second in zip(then.outputs, otherwise.outputs, strict=True):
        if first.dtype is None or first.dtype != second.dtype:
            return False
        shape = known_shape(first)
        if shape is None or shape != known_shape(second) or (shape == () and known_shape(condition)):
            return False
    return True


def _write(place: Place) -> None:
    node = place.anchor
    base = node.name or next(value.name for value in node.outputs if value.name) or node.op_type
    then, otherwise = _branches(node)
    condition = operand(node, 0)
    assert condition is not None  # it fits
    pairs = zip(place.copy(then, (), f"{base}_then"), place.copy(otherwise, (), f"{base}_else"), strict=True)
    for old, (first, second) in zip(list(node.outputs), list(pairs), strict=True):
        name = old.name or base
        old.name = None
        chosen = place.node("Where", [condition, first, second], name)
        chosen.type, chosen.name = old.type, name
        old.replace_all_uses_with(chosen, replace_graph_outputs=True)
    place.graph.remove(node, safe=True)
