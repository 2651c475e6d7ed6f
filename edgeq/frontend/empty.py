"""What follows from shapes alone, and tensors without elements, before anything is refused for them.

Exporters leave empty tensors behind: a part of rotary embeddings that is not rotated, a `like` whose type alone counts,
a cache before its first entry. What is made of them is known: they add nothing to a Concat, and a reduction over
nothing is the neutral element of its operator. Firmware has no empty tensor.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import fresh
from edgeq.frontend.facts import integer, known_shape, operand

_NEUTRAL: Final = {"ReduceL1": 0, "ReduceL2": 0, "ReduceProd": 1, "ReduceSum": 0, "ReduceSumSquare": 0}
"""Reduction -> what it makes of no element; those whose result would be infinite are left out."""
_TRUTH: Final = {"ReduceMax": False, "ReduceMin": True}


def write_known_results(model: ir.Model) -> bool:
    """Make constants of results that follow from shapes, and leave empty operands out; in place.

    Args:
        model: constants lifted to initializers, shapes inferred.

    Returns:
        Whether anything changed; nodes that nobody reads any more are still there.
    """
    graph = model.graph
    taken = {str(value.name) for node in graph.all_nodes() for value in node.outputs}
    taken |= {str(value.name) for value in graph.inputs} | set(graph.initializers)
    changed = False
    for node in list(graph):
        if node.domain or len(node.outputs) != 1:
            continue
        array = _known(node)
        if array is not None:
            _make_constant(graph, node, array, taken)
            changed = True
        elif node.op_type == "Concat":
            changed |= _leave_out_empty(node)
    return changed


def _known(node: ir.Node) -> np.ndarray | None:
    """The result of a node that does not depend on the numbers of its operands."""
    shape, kind = known_shape(node.outputs[0]), node.outputs[0].dtype
    sources = [known_shape(value) for value in node.inputs if value is not None]
    if shape is None or kind is None or 0 in shape or not sources or sources[0] is None:
        return None
    if node.op_type == "EyeLike" and len(shape) == 2:
        return np.eye(*shape, k=integer(node, "k", 0), dtype=kind.numpy())
    if 0 not in sources[0] and (len(sources) < 2 or sources[1] is None or 0 not in sources[1]):
        return None
    if node.op_type == "MatMul":
        return np.zeros(shape, kind.numpy())
    if 0 in sources[0] and node.op_type in _NEUTRAL:
        return np.full(shape, _NEUTRAL[node.op_type], kind.numpy())
    if 0 in sources[0] and node.op_type in _TRUTH and kind == ir.DataType.BOOL:
        return np.full(shape, _TRUTH[node.op_type])
    if 0 in sources[0] and node.op_type == "Pad":
        return _padding(node, shape, kind)
    return None


def _padding(node: ir.Node, shape: tuple[int, ...], kind: ir.DataType) -> np.ndarray | None:
    """The padding around nothing."""
    value = operand(node, 2)
    if value is None:
        return np.zeros(shape, kind.numpy())
    if value.const_value is None or value.is_graph_input():
        return None
    return np.full(shape, value.const_value.numpy().reshape(-1)[0], kind.numpy())


def _make_constant(graph: ir.Graph, node: ir.Node, array: np.ndarray, taken: set[str]) -> None:
    """A constant in the place of a node's result; an output of the model is a copy of one."""
    result = node.outputs[0]
    name = fresh(f"{result.name}_constant", taken)
    value = ir.Value(
        name=name,
        type=ir.TensorType(ir.DataType.from_numpy(array.dtype)),
        shape=ir.Shape(array.shape),
        const_value=ir.Tensor(array, name=name),
    )
    graph.register_initializer(value)
    if result.is_graph_output():
        copy = ir.Value(name=result.name, type=value.type, shape=value.shape)
        result.name = None
        graph.insert_before(node, ir.Node("", "Identity", [value], outputs=[copy], name=str(copy.name)))
        result.replace_all_uses_with(copy, replace_graph_outputs=True)
    else:
        result.replace_all_uses_with(value)
    graph.remove(node, safe=True)


def _leave_out_empty(node: ir.Node) -> bool:
    """Whether a Concat lost operands without elements; one that has no others stays."""
    kept = [value for value in node.inputs if value is None or 0 not in (known_shape(value) or ())]
    if not kept or len(kept) == len(node.inputs):
        return False
    for index, value in enumerate(kept):
        node.replace_input_with(index, value)
    node.resize_inputs(len(kept))
    return True
