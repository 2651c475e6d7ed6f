"""Sink transposes towards the outputs until they meet their inverse, and drop them.

Lowering puts NCHW→NHWC and back around every operator that wants NHWC. An element-wise operator gives the same bits
in any layout, so it is rewritten to read the value before the transpose; two transposes in a row become one; one in
front of a flattened dense layer is folded into its weight. A transpose that only moves axes of size 1 is a reshape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from edgeq.ir import Graph, Node, Source, Tensor
from edgeq.ops import BY_NAME
from edgeq.passes.base import Pass, Property
from edgeq.passes.rewriting import Rewriter, Rule

Perm = tuple[int, ...]
_NHWC = (0, 3, 1, 2)


def run(graph: Graph) -> int:
    """Rewrite to a fixed point; return the number of rewrites.

    A second sweep is for transposes that meet only where a reshape between them has gone.
    """
    total = 0
    while changes := _sweep(graph):
        total += changes
    return total


def _sweep(graph: Graph) -> int:
    changes = Rewriter(graph).run(_REWRITES)
    changes += _turn_into_reshapes(graph)
    return changes + Rewriter(graph).run({"reshape": _reshape})


def _perm_of(rewriter: Rewriter, name: str) -> Perm | None:
    node = rewriter.producer(name)
    return node.integers("perm") if node is not None and node.op == "transpose" else None


def _before(rewriter: Rewriter, name: str) -> str:
    """The operand of the transpose that computes a tensor."""
    node = rewriter.producer(name)
    assert node is not None  # _perm_of has found the transpose
    return node.inputs[0]


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


def _transpose(rewriter: Rewriter, node: Node) -> list[Node] | str | None:
    """Two transposes in a row are one; one that keeps the order of the axes goes."""
    (source,), (result,) = node.inputs, node.outputs
    perm = _perm_of(rewriter, source)
    if perm is not None:
        both = tuple(perm[axis] for axis in node.integers("perm"))
        return [node.with_(inputs=(_before(rewriter, source),)).with_attrs(perm=both)]
    ordered = list(node.integers("perm")) == sorted(node.integers("perm"))
    return source if ordered and rewriter.may_substitute(result, source) else None


def _unary(rewriter: Rewriter, node: Node) -> list[Node] | None:
    perm = _perm_of(rewriter, node.inputs[0])
    if perm is None:
        return None
    return _sunk(rewriter.graph, node, (_before(rewriter, node.inputs[0]), *node.inputs[1:]), perm)


def _binary(rewriter: Rewriter, node: Node) -> list[Node] | None:
    perms = [_perm_of(rewriter, name) for name in node.inputs[:2]]
    perm = next((found for found in perms if found is not None), None)
    if perm is None:
        return None
    graph, operands = rewriter.graph, []
    for name, found in zip(node.inputs[:2], perms, strict=True):
        if found == perm:
            operands.append(_before(rewriter, name))
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


def _concat(rewriter: Rewriter, node: Node) -> list[Node] | None:
    perms = {_perm_of(rewriter, name) for name in node.inputs}
    perm = next(iter(perms))
    if len(perms) != 1 or perm is None:
        return None
    inputs = tuple(_before(rewriter, name) for name in node.inputs)
    return _sunk(rewriter.graph, node, inputs, perm, axis=perm[node.integer("axis")])


def _per_axis(*keys: str) -> Callable[[Rewriter, Node], list[Node] | None]:
    """A rewrite for operators whose attributes ``keys`` hold one or two integers an axis."""

    def rewrite(rewriter: Rewriter, node: Node) -> list[Node] | None:
        perm = _perm_of(rewriter, node.inputs[0])
        if perm is None:
            return None
        attrs = {key: _permuted(node.integers(key), perm) for key in keys}
        return _sunk(rewriter.graph, node, (_before(rewriter, node.inputs[0]),), perm, **attrs)

    return rewrite


def _permuted(values: tuple[int, ...], perm: Perm) -> tuple[int, ...]:
    inverse = np.argsort(perm)
    blocks = np.asarray(values).reshape(-1, len(perm))
    return tuple(int(item) for item in blocks[:, inverse].reshape(-1))


def _softmax(rewriter: Rewriter, node: Node) -> list[Node] | None:
    perm = _perm_of(rewriter, node.inputs[0])
    return _unary(rewriter, node) if perm is not None and perm[-1] == len(perm) - 1 else None


def _dense(rewriter: Rewriter, node: Node) -> list[Node] | None:
    """dense(reshape(transpose(x))) = dense'(reshape(x)), the columns of the weight permuted."""
    graph = rewriter.graph
    flat = rewriter.producer(node.inputs[0])
    if flat is None or flat.op != "reshape":
        return None
    perm = _perm_of(rewriter, flat.inputs[0])
    if perm is None or graph.tensors[node.inputs[0]].shape[0] != 1:
        return None
    x = graph.tensors[_before(rewriter, flat.inputs[0])]
    order = np.arange(x.elements).reshape(x.shape).transpose(perm).reshape(-1)
    weight = graph.tensors[node.inputs[1]]
    columns = np.empty_like(weight.value())
    columns[:, order] = weight.value()
    moved = graph.add_tensor(Tensor.constant(graph.fresh_name(f"{weight.name}.nhwc"), columns, weight.quant))
    name = graph.fresh_name(f"{node.inputs[0]}.nhwc")
    graph.add_tensor(Tensor(name, graph.tensors[node.inputs[0]].shape, x.dtype, quant=x.quant))
    reshape = Node("reshape", name, (x.name,), (name,), flat.attrs, flat.source)
    return [reshape, node.with_(inputs=(name, moved, *node.inputs[2:]))]


_REWRITES: Final[Mapping[str, Rule]] = {
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


def _reshape(rewriter: Rewriter, node: Node) -> list[Node] | str | None:
    """reshape(reshape(x)) reads x; a reshape to the same shape goes."""
    (source,), (result,) = node.inputs, node.outputs
    first = rewriter.producer(source)
    if first is not None and first.op == "reshape":
        return [node.with_(inputs=first.inputs)]
    tensors = rewriter.graph.tensors
    same_shape = tensors[source].shape == tensors[result].shape
    return source if same_shape and rewriter.may_substitute(result, source) else None


def _stand_apart(graph: Graph) -> bool:
    made = {node.outputs[0] for node in graph.nodes if node.op == "transpose"}
    return not any(node.op == "transpose" and node.inputs[0] in made for node in graph.nodes)


NO_TRANSPOSE_PAIR = Property("no transpose of a transpose", _stand_apart)
PASS = Pass("cancel_transposes", run, ensures=(NO_TRANSPOSE_PAIR,))
