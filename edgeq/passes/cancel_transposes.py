"""Sink transposes towards the outputs until they meet their inverse, and drop them.

Lowering puts NCHW→NHWC and back around every operator that wants NHWC. An operator that treats axes alike, or names
them, gives the same bits in any layout (``ops.axes``): it is rewritten to read the value before the transpose. Two
transposes in a row become one; one in front of a flattened dense layer is folded into its weight. A transpose that only
moves axes of size 1 is a reshape; a reshape that splits and merges axes does not keep two transposes apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from edgeq.ir import Attr, Graph, Node, Source, Tensor
from edgeq.ops import BY_NAME
from edgeq.ops.axes import Perm
from edgeq.passes import merge_equal_nodes
from edgeq.passes.axis_pieces import join_transposes
from edgeq.passes.base import Pass, Property
from edgeq.passes.rewriting import Rewriter, Rule

_NHWC = (0, 3, 1, 2)


def run(graph: Graph) -> int:
    """Rewrite until nothing changes; return the number of rewrites.

    Only then transposes that move nothing become reshapes, and reshapes are merged; where one goes, transposes may meet
    again.
    """
    # Several convolutions that read one value want it transposed alike.
    changes = Rewriter(graph).run(_SINKING) + merge_equal_nodes.run(graph)
    return changes + Rewriter(graph).run({**_SINKING, **_TURNING})


def _perm_of(rewriter: Rewriter, name: str, rank: int | None = None) -> Perm | None:
    """The permutation of the transpose that computes a tensor; of a higher rank, that of the tensor broadcast to it."""
    node = rewriter.producer(name)
    if node is None or node.op != "transpose":
        return None
    perm = node.integers("perm")
    more = 0 if rank is None else rank - len(perm)
    return (*range(more), *(axis + more for axis in perm))


def _before(rewriter: Rewriter, name: str) -> str:
    """The operand of the transpose that computes a tensor."""
    node = rewriter.producer(name)
    assert node is not None  # _perm_of has found the transpose
    return node.inputs[0]


def _sink(rewriter: Rewriter, node: Node) -> list[Node] | None:
    """op(transpose(x), …) = transpose(op'(x, …)), as far as the axes of the operator allow."""
    op, graph = BY_NAME[node.op], rewriter.graph
    slots = op.signature.slots_of(node, len(node.inputs)).values()
    moving = dict.fromkeys(name for slot, name in zip(slots, node.inputs, strict=True) if slot.role == "activation")
    rank = max(len(graph.tensors[name].shape) for name in moving)
    for perm in dict.fromkeys(_perm_of(rewriter, name, rank) for name in moving):
        exchanged = None if perm is None or op.axes is None else op.axes.exchange(node, perm)
        if perm is None or exchanged is None:
            continue
        reshapes: list[Node] = []
        before = {name: _untransposed(rewriter, name, perm, reshapes) for name in moving}
        if None not in before.values():
            inputs = tuple(before.get(name) or name for name in node.inputs)
            return [*reshapes, *_sunk(graph, node, inputs, *exchanged)]
    return None


def _untransposed(rewriter: Rewriter, name: str, perm: Perm, reshapes: list[Node]) -> str | None:
    """The tensor that ``perm`` transposes to this one, by a new reshape where nothing moves; None if there is none."""
    graph, tensor = rewriter.graph, rewriter.graph.tensors[name]
    if _perm_of(rewriter, name, len(perm)) == perm:
        return _before(rewriter, name)
    if tensor.elements == 1:
        return name
    shape = (1,) * (len(perm) - len(tensor.shape)) + tensor.shape
    inverse = tuple(int(axis) for axis in np.argsort(perm))
    turned = graph.fresh_name(f"{name}.untransposed")
    if tensor.is_constant:
        values = np.ascontiguousarray(tensor.value().reshape(shape).transpose(inverse))
        return graph.add_tensor(Tensor.constant(turned, values, tensor.quant, tensor.dtype))
    if not _moves_nothing(shape, inverse):
        return None
    new = tuple(shape[axis] for axis in inverse)
    reshapes.append(Node("reshape", turned, (name,), (turned,), {"shape": new}))
    return graph.add_tensor(Tensor(turned, new, tensor.dtype, quant=tensor.quant))


def _moves_nothing(shape: tuple[int, ...], perm: Perm) -> bool:
    """Whether a transpose keeps the order of all axes longer than 1."""
    moved = [axis for axis in perm if shape[axis] != 1]
    return moved == sorted(moved)


def _sunk(graph: Graph, node: Node, inputs: tuple[str, ...], attrs: Mapping[str, Attr], perm: Perm) -> list[Node]:
    """The node on untransposed inputs, and the transpose that gives its old result."""
    (old,) = node.outputs
    label = "nhwc" if perm == _NHWC else "untransposed"
    inner = graph.fresh_name(f"{old}.{label}")
    moved = node.with_(name=inner, inputs=inputs, outputs=(inner,)).with_attrs(**attrs)
    ((shape, dtype),) = BY_NAME[node.op].infer(moved, [graph.tensors[name] for name in inputs])
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


def _most_axes(x: Tensor) -> int:
    """How many axes one kernel can move: it has five loops, of which the bytes of larger elements take one."""
    return 5 if x.dtype.size_bytes == 1 else 4


def _sink_past_reshape(rewriter: Rewriter, node: Node) -> list[Node] | None:
    """reshape(transpose(x)) = transpose(reshape'(x)), where the axes that the reshape merges are neighbours in x."""
    graph, (source,), (result,) = rewriter.graph, node.inputs, node.outputs
    perm = _perm_of(rewriter, source)
    if perm is None:
        return None
    x, shape = graph.tensors[_before(rewriter, source)], graph.tensors[result].shape
    if _moves_nothing(x.shape, perm):
        return None  # it becomes a reshape itself
    for way in join_transposes(x.shape, perm, shape, tuple(range(len(shape))), _most_axes(x)):
        if way.ends and way.before is not None:
            inner = x.with_(name=graph.fresh_name(f"{result}.untransposed"), shape=way.before, source=None)
            name = graph.add_tensor(inner)
            reshape = Node("reshape", name, (x.name,), (name,), {"shape": way.before}, node.source)
            return [reshape, Node("transpose", node.name, (name,), (result,), {"perm": way.perm}, node.source)]
    return None


def _join(rewriter: Rewriter, node: Node) -> list[Node] | None:
    """transpose(reshape(transpose(x))) = reshape(transpose(reshape(x))), if nothing else reads the first transpose."""
    graph, (name,), (result,) = rewriter.graph, node.inputs, node.outputs
    reshape = rewriter.producer(name)
    if reshape is None or reshape.op != "reshape":
        return None
    perm = _perm_of(rewriter, reshape.inputs[0])
    if perm is None or not (rewriter.is_private(reshape.inputs[0]) and rewriter.is_private(name)):
        return None
    x = graph.tensors[_before(rewriter, reshape.inputs[0])]
    ways = join_transposes(x.shape, perm, graph.tensors[name].shape, node.integers("perm"), _most_axes(x))
    if not ways:
        return None
    way, nodes, source = ways[0], [], x.name
    if way.before is not None:
        label = graph.fresh_name(f"{name}.pieces")
        source = graph.add_tensor(x.with_(name=label, shape=way.before, source=None))
        nodes.append(Node("reshape", source, (x.name,), (source,), {"shape": way.before}, reshape.source))
    shape = tuple(graph.tensors[source].shape[axis] for axis in way.perm)
    turned = graph.add_tensor(x.with_(name=graph.fresh_name(f"{result}.turned"), shape=shape, source=None))
    nodes.append(Node("transpose", turned, (source,), (turned,), {"perm": way.perm}, node.source))
    attrs = {"shape": graph.tensors[result].shape}
    return [*nodes, Node("reshape", node.name, (turned,), (result,), attrs, node.source)]


def _gather(rewriter: Rewriter, node: Node) -> list[Node] | None:
    """gather(transpose(x)) = transpose(gather'(x)), where a row of indices stands for one axis."""
    x, indices = node.inputs
    perm = _perm_of(rewriter, x)
    if perm is None or len(rewriter.graph.tensors[indices].shape) != 1:
        return None
    attrs = {"axis": perm[node.integer("axis")]}
    return _sunk(rewriter.graph, node, (_before(rewriter, x), indices), attrs, perm)


def _dense(rewriter: Rewriter, node: Node) -> list[Node] | None:
    """dense(reshape(transpose(x))) = dense'(reshape(x)), the columns of the weight permuted."""
    graph = rewriter.graph
    operands = BY_NAME["dense"].signature.bind(node, graph.operands(node))
    x, weight = operands["x"], operands["weight"]
    flat = rewriter.producer(x.name)
    if flat is None or flat.op != "reshape":
        return None
    perm = _perm_of(rewriter, flat.inputs[0])
    if perm is None or x.shape[0] != 1:
        return None
    source = graph.tensors[_before(rewriter, flat.inputs[0])]
    order = np.arange(source.elements).reshape(source.shape).transpose(perm).reshape(-1)
    columns = np.empty_like(weight.value())
    columns[:, order] = weight.value()
    moved = graph.add_tensor(Tensor.constant(graph.fresh_name(f"{weight.name}.nhwc"), columns, weight.quant))
    name = graph.fresh_name(f"{x.name}.nhwc")
    graph.add_tensor(Tensor(name, x.shape, x.dtype, quant=source.quant))
    reshape = Node("reshape", name, (source.name,), (name,), flat.attrs, flat.source)
    return [reshape, node.with_(inputs=(name, moved, *node.inputs[2:]))]


def _turn(rewriter: Rewriter, node: Node) -> list[Node] | str | None:
    """A transpose that moves nothing is a reshape."""
    found = _transpose(rewriter, node) or _join(rewriter, node)
    if found is None and _moves_nothing(rewriter.graph.tensors[node.inputs[0]].shape, node.integers("perm")):
        return [node.with_(op="reshape", attrs={"shape": rewriter.graph.tensors[node.outputs[0]].shape})]
    return found


def _reshape(rewriter: Rewriter, node: Node) -> list[Node] | str | None:
    """reshape(reshape(x)) reads x; a reshape to the same shape goes; a transpose in front may sink."""
    (source,), (result,) = node.inputs, node.outputs
    first = rewriter.producer(source)
    if first is not None and first.op == "reshape":
        return [node.with_(inputs=first.inputs)]
    sunk = _sink_past_reshape(rewriter, node)
    if sunk is not None:
        return sunk
    tensors = rewriter.graph.tensors
    same_shape = tensors[source].shape == tensors[result].shape
    return source if same_shape and rewriter.may_substitute(result, source) else None


_SINKING: Final[Mapping[str, Rule]] = {
    **{name: _sink for name, op in BY_NAME.items() if op.axes is not None},
    "dense": _dense,
    "gather": _gather,
    "reshape": _sink_past_reshape,
    "transpose": _transpose,
}
_TURNING: Final[Mapping[str, Rule]] = {"reshape": _reshape, "transpose": _turn}


def _stand_apart(graph: Graph) -> bool:
    made = {node.outputs[0] for node in graph.nodes if node.op == "transpose"}
    return not any(node.op == "transpose" and node.inputs[0] in made for node in graph.nodes)


NO_TRANSPOSE_PAIR = Property("no transpose of a transpose", _stand_apart)
PASS = Pass("cancel_transposes", run, ensures=(NO_TRANSPOSE_PAIR,))
