"""Gives every output of a model a node that makes it: a copy, where the output is an input or a constant."""

from __future__ import annotations

import onnx_ir as ir


def make_outputs(model: ir.Model) -> None:
    """Put an Identity in front of outputs that are inputs or initializers; in place.

    An output that is a constant keeps its name, and the constant gets another. An output that is an input cannot: the
    input keeps the name, the output is called ``NAME_output``.
    """
    graph = model.graph
    taken = {value.name for node in graph.all_nodes() for value in node.outputs}
    taken |= {value.name for value in graph.inputs} | set(graph.initializers)
    for index, value in enumerate(list(graph.outputs)):
        if value.producer() is not None:
            continue
        name = value.name or "output"
        if value.is_graph_input():
            copied = _fresh(f"{name}_output", taken)
        else:
            copied = name
            _rename_initializer(graph, value, _fresh(f"{name}_constant", taken))
        result = ir.Value(name=copied, type=value.type, shape=value.shape)
        graph.append(ir.Node("", "Identity", inputs=[value], outputs=[result], name=copied))
        graph.outputs[index] = result


def _fresh(base: str, taken: set[str | None]) -> str:
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base}_{number}"
    taken.add(name)
    return name


def _rename_initializer(graph: ir.Graph, value: ir.Value, name: str) -> None:
    if value.name in graph.initializers:
        graph.initializers.pop(str(value.name))
    value.name = name
    graph.initializers[name] = value
