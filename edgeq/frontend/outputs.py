"""Gives every output of a model a node that makes it: a copy, where the output is an input or a constant."""

from __future__ import annotations

import onnx_ir as ir

from edgeq.frontend.edit import fresh


def make_outputs(model: ir.Model) -> None:
    """Put an Identity in front of outputs that are inputs or initializers; in place.

    An output that is a constant keeps its name, and the constant gets another. An output that is an input cannot: the
    input keeps the name, the output is called ``NAME_output``.
    """
    graph = model.graph
    taken = {str(value.name) for node in graph.all_nodes() for value in node.outputs}
    taken |= {str(value.name) for value in graph.inputs} | set(graph.initializers)
    for index, value in enumerate(list(graph.outputs)):
        if value.producer() is not None:
            continue
        name = value.name or "output"
        if value.is_graph_input():
            copied = fresh(f"{name}_output", taken)
        else:
            copied = name
            _rename_initializer(graph, value, fresh(f"{name}_constant", taken))
        result = ir.Value(name=copied, type=value.type, shape=value.shape)
        graph.append(ir.Node("", "Identity", inputs=[value], outputs=[result], name=copied))
        graph.outputs[index] = result


def _rename_initializer(graph: ir.Graph, value: ir.Value, name: str) -> None:
    if value.name in graph.initializers:
        graph.initializers.pop(str(value.name))
    value.name = name
    graph.initializers[name] = value
