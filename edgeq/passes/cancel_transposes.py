"""Sink transposes towards the outputs until they meet their inverse, and drop them.

Lowering puts NCHW→NHWC and back around every operator that wants NHWC. An element-wise operator gives the same bits
in any layout, so it is rewritten to read the value before the transpose; two transposes in a row become one; one in
front of a flattened dense layer is folded into its weight. A transpose that only moves axes of size 1 is a reshape.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgeq.ir import Graph, Node, Source, Tensor
from edgeq.ops import BY_NAME
from edgeq.passes.base import Pass
from edgeq.passes.rewriting import may_replace_output, producers, replace_uses

Perm = tuple[int, ...]
_NHWC = (0, 3, 1, 2)


def run(graph: Graph) -> int:
    """Rewrite to a fixed point; return the number of rewrites."""
    changes = 0
    while _sink_one(graph):
        changes += 1
    changes += _turn_into_reshapes(graph)
    while _merge_reshapes(graph):
        changes += 1
    return changes


def _sink_one(graph: Graph) -> bool:
    made = producers(graph)
    for position, node in enumerate(graph.nodes):
        rewrite = _REWRITES.get(node.op)
        replacement = rewrite(graph, node, made) if rewrite else None
        if replacement is not None:
            graph.replace_nodes([*graph.nodes[:position], *replacement, *graph.nodes[position + 1 :]])
            _drop_identities(graph)
            _drop_unread(graph)
            return True
    return False


def _perm_of(name: str, made: dict[str, Node]) -> Perm | None:
    node = made.get(name)
    return node.integers("perm") if node is not None and node.op == "transpose" else None


def _before(name: str, made: dict[str, Node]) -> str:
    return made[name].inputs[0]


def _sunk(graph: Graph, node: Node, inputs: tuple[str, ...], perm: Perm, **attrs: int | tuple[int, ...]) -> list[Node]:
    """The node on untransposed inputs, and the transpose that gives its old result."""
    (old,) = node.outputs
    label = "nhwc" if perm == _NHWC else "untransposed"
    inner = graph.fresh_name(f"{old}.{label}")
    moved = node.with_(name=inner, inputs=inputs, outputs=(inner,)).with_attrs(**attrs)
    ((shape, dtype),) = BY_NAME[node.op].infer(moved, graph.operands(moved))
    result = graph.tensors[old]
    source = result.source
    if source is not None and source.permutation == tuple(range(len(perm))):
        source = Source(source.name, perm, source.shape)
    else:
        source = None
    graph.add_tensor(Tensor(inner, shape, dtype, quant=result.quant, source=source))
    return [moved, Node("transpose", old, (inner,), (old,), {"perm": perm}, node.source)]


def _transpose(graph: Graph, node: Node, made: dict[str, Node]) -> list[Node] | None:
    perm = _perm_of(node.inputs[0], made)
    if perm is None:
        return None
    both = tuple(perm[axis] for axis in node.integers("perm"))
    return [node.with_(inputs=(_before(node.inputs[0], made),)).with_attrs(perm=both)]


def _unary(graph: Graph, node: Node, made: dict[str, Node]) -> list[Node] | None:
    perm = _perm_of(node.inputs[0], made)
    if perm is None:
        return None
    return _sunk(graph, node, (_before(node.inputs[0], made), *node.inputs[1:]), perm)


def _binary(graph: Graph, node: Node, made: dict[str, Node]) -> list[Node] | None:
    perms = [_perm_of(name, made) for name in node.inputs[:2]]
    perm = next((found for found in perms if found is not None), None)
    if perm is None:
        return None
    operands = []
    for name, found in zip(node.inputs[:2], perms, strict=True):
        if found == perm:
            operands.append(_before(name, made))
        elif graph.tensors[name].is_constant and len(graph.tensors[name].shape) <= len(perm):
            operands.append(_transposed_constant(graph, graph.tensors[name], perm))
        else:
            return None
    return _sunk(graph, node, (*operands, *node.inputs[2:]), perm)


def _transposed_constant(graph: Graph, constant: Tensor, perm: Perm) -> str:
    """A broadcast constant laid out for operands that are not transposed by ``perm`` yet."""
    if constant.elements == 1:
        return constant.name
    values = constant.value().reshape((1,) * (len(perm) - len(constant.shape)) + constant.shape)
    inverse = tuple(int(axis) for axis in np.argsort(perm))
    name = graph.fresh_name(f"{constant.name}.untransposed")
    return graph.add_tensor(Tensor.constant(name, np.ascontiguousarray(values.transpose(inverse)), constant.quant))


def _concat(graph: Graph, node: Node, made: dict[str, Node]) -> list[Node] | None:
    perms = {_perm_of(name, made) for name in node.inputs}
    perm = next(iter(perms))
    if len(perms) != 1 or perm is None:
        return None
    inputs = tuple(_before(name, made) for name in node.inputs)
    return _sunk(graph, node, inputs, perm, axis=perm[node.integer("axis")])


def _per_axis(*keys: str) -> Callable[[Graph, Node, dict[str, Node]], list[Node] | None]:
    """A rewrite for operators whose attributes ``keys`` hold one or two integers an axis."""

    def rewrite(graph: Graph, node: Node, made: dict[str, Node]) -> list[Node] | None:
        perm = _perm_of(node.inputs[0], made)
        if perm is None:
            return None
        attrs = {key: _permuted(node.integers(key), perm) for key in keys}
        return _sunk(graph, node, (_before(node.inputs[0], made),), perm, **attrs)

    return rewrite


def _permuted(values: tuple[int, ...], perm: Perm) -> tuple[int, ...]:
    inverse = np.argsort(perm)
    blocks = np.asarray(values).reshape(-1, len(perm))
    return tuple(int(item) for item in blocks[:, inverse].reshape(-1))


def _softmax(graph: Graph, node: Node, made: dict[str, Node]) -> list[Node] | None:
    perm = _perm_of(node.inputs[0], made)
    return _unary(graph, node, made) if perm is not None and perm[-1] == len(perm) - 1 else None


def _dense(graph: Graph, node: Node, made: dict[str, Node]) -> list[Node] | None:
    """dense(reshape(transpose(x))) = dense'(reshape(x)), the columns of the weight permuted."""
    flat = made.get(node.inputs[0])
    if flat is None or flat.op != "reshape":
        return None
    perm = _perm_of(flat.inputs[0], made)
    if perm is None or graph.tensors[node.inputs[0]].shape[0] != 1:
        return None
    x = graph.tensors[_before(flat.inputs[0], made)]
    order = np.arange(x.elements).reshape(x.shape).transpose(perm).reshape(-1)
    weight = graph.tensors[node.inputs[1]]
    columns = np.empty_like(weight.value())
    columns[:, order] = weight.value()
    moved = graph.add_tensor(Tensor.constant(graph.fresh_name(f"{weight.name}.nhwc"), columns, weight.quant))
    name = graph.fresh_name(f"{node.inputs[0]}.nhwc")
    graph.add_tensor(Tensor(name, graph.tensors[node.inputs[0]].shape, x.dtype, quant=x.quant))
    reshape = Node("reshape", name, (x.name,), (name,), flat.attrs, flat.source)
    return [reshape, node.with_(inputs=(name, moved, *node.inputs[2:]))]


_REWRITES: dict[str, Callable[[Graph, Node, dict[str, Node]], list[Node] | None]] = {
    "add": _binary,
    "concat": _concat,
    "dense": _dense,
    "lookup": _unary,
    "mul": _binary,
    "pad": _per_axis("pads"),
    "requantize": _unary,
    "slice": _per_axis("starts", "ends", "steps"),
    "softmax": _softmax,
    "sub": _binary,
    "transpose": _transpose,
}


def _drop_identities(graph: Graph) -> None:
    same = {}
    for node in graph.nodes:
        if _moves_nothing(node) and may_replace_output(graph, node.outputs[0], node.inputs[0]):
            same[node.outputs[0]] = node.inputs[0]
    if same:
        replace_uses(graph, same)


def _moves_nothing(node: Node) -> bool:
    return node.op == "transpose" and list(node.integers("perm")) == sorted(node.integers("perm"))


def _drop_unread(graph: Graph) -> None:
    read = {name for node in graph.nodes for name in node.inputs} | set(graph.sinks())
    graph.replace_nodes(node for node in graph.nodes if read.intersection(node.outputs))


def _turn_into_reshapes(graph: Graph) -> int:
    """A transpose that keeps the order of all axes longer than 1 moves nothing."""
    changes, nodes = 0, []
    for node in graph.nodes:
        if node.op == "transpose":
            shape = graph.tensors[node.inputs[0]].shape
            moved = [axis for axis in node.integers("perm") if shape[axis] != 1]
            if moved == sorted(moved):
                node = node.with_(op="reshape", attrs={"shape": graph.tensors[node.outputs[0]].shape})  # noqa: PLW2901
                changes += 1
        nodes.append(node)
    graph.nodes = nodes
    return changes


def _merge_reshapes(graph: Graph) -> bool:
    """reshape(reshape(x)) reads x; a reshape to the same shape goes."""
    made = producers(graph)
    for position, node in enumerate(graph.nodes):
        if node.op != "reshape":
            continue
        (source,), (result,) = node.inputs, node.outputs
        first = made.get(source)
        if first is not None and first.op == "reshape":
            graph.nodes[position] = node.with_(inputs=first.inputs)
            _drop_unread(graph)
            return True
        same_shape = graph.tensors[source].shape == graph.tensors[result].shape
        if same_shape and may_replace_output(graph, result, source):
            replace_uses(graph, {result: source})
            _drop_unread(graph)
            return True
    return False


PASS = Pass("cancel_transposes", run, ensures=("no transpose that an inverse cancels",))
