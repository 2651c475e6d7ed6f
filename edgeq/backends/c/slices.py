"""Some rows of an operator as an operator of its own, which the bindings serve like any other.

A convolution over rows 4 to 9 of a picture is a convolution of a picture of five rows, without padding above it. So
kernels need to know nothing of bands: their records have other heights and other padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from edgeq.backends.c.bind import Step, bound
from edgeq.backends.c.binding import Binding
from edgeq.backends.c.bindings import BINDINGS
from edgeq.backends.c.costs import estimate
from edgeq.backends.c.declarations import scratch_bytes
from edgeq.backends.c.runtime import Isa
from edgeq.ir import Graph, Node, Tensor
from edgeq.memory.bands import Piece, RowStep, Window
from edgeq.memory.rows import row_axis

_RANK: Final = 4
_BY_ELEMENT: Final = frozenset({"add", "lookup", "mul", "requantize", "sub"})
_SIZES: Final = {"eq_conv2d_tile_s8": ("in_h", "in_w", "out_h", "out_w", "pad_top", "pad_left")}
"""Kernels whose bindings pack weights as the size suggests, and the fields in which pieces of a node must differ."""
_ALIGN: Final = 4
"""Bytes of a word."""


def rows_of(tensor: Tensor) -> int:
    """How many rows a tensor has."""
    return tensor.shape[row_axis(tensor.shape)]


def row_step(node: Node, graph: Graph) -> RowStep | None:
    """How a node reads rows; None where it cannot be done in bands."""
    results = graph.results(node)
    if len(results) != 1 or not _has_rows(results[0]):
        return None
    axis = row_axis(results[0].shape)
    window = _window(node, graph, axis - 1)
    if window is None:
        return None
    reads: list[tuple[str, Window]] = []
    for tensor in graph.operands(node):
        if tensor.is_constant:
            if node.op in _BY_ELEMENT and len(tensor.shape) == _RANK and tensor.shape[axis] > 1:
                return None
            continue
        if not _has_rows(tensor) or row_axis(tensor.shape) != axis:
            return None
        if node.op in _BY_ELEMENT and (tensor.shape != results[0].shape or not has_aligned_rows(tensor)):
            return None
        reads.append((tensor.name, window))
    return RowStep(tuple(dict.fromkeys(reads)), results[0].name) if reads else None


def _has_rows(tensor: Tensor) -> bool:
    return len(tensor.shape) == _RANK and tensor.shape[0] == 1 and rows_of(tensor) > 1


def has_aligned_rows(tensor: Tensor) -> bool:
    """Whether all rows begin where words may be loaded, as kernels do that take a tensor as one run of elements.

    Kernels of windows load words where pixels are a multiple of words, and then rows are, too.
    """
    return tensor.size_bytes // rows_of(tensor) % _ALIGN == 0


def _window(node: Node, graph: Graph, side: int) -> Window | None:
    """The rows under one of the result; ``side`` 0: of the height, 1: of the width."""
    if node.op in _BY_ELEMENT:
        return Window()
    if node.op == "conv2d":
        reach = (graph.operands(node)[1].shape[1 + side] - 1) * node.integers("dilations")[side] + 1
    elif node.op in {"average_pool", "max_pool"}:
        reach = node.integers("kernel")[side]
    else:
        return None
    return Window(reach, node.integers("strides")[side], node.integers("pads")[side])


def slice_of(node: Node, graph: Graph, piece: Piece, step: RowStep) -> tuple[Node, Graph]:
    """The node that makes the rows of a piece, in a graph that holds it alone; tensors keep their names."""
    rows = {name: found for (name, _), found in zip(step.reads, piece.reads, strict=True)}
    rows[step.writes] = piece.rows

    def part(tensor: Tensor) -> Tensor:
        if tensor.is_constant:
            return tensor
        shape = list(tensor.shape)
        shape[row_axis(tensor.shape)] = len(rows[tensor.name])
        return replace(tensor, shape=tuple(shape), source=None)

    tensors = {tensor.name: part(tensor) for tensor in (*graph.operands(node), *graph.results(node))}
    made = node
    if "pads" in node.attrs:
        (_, window), read = step.reads[0], piece.reads[0]
        before = max(0, window.pad - piece.rows.first * window.stride)
        reach = (len(piece.rows) - 1) * window.stride + window.reach
        side = row_axis(graph.results(node)[0].shape) - 1
        pads = list(node.integers("pads"))
        pads[side], pads[side + 2] = before, max(0, reach - before - len(read))
        made = node.with_attrs(pads=tuple(pads))
    return made, Graph(graph.name, tensors, [made])


def bind_slices(
    node: Node,
    graph: Graph,
    step: RowStep,
    pieces: Sequence[Piece],
    isa: Isa,
    preferred: Binding | None = None,
) -> list[Step] | None:
    """A call for each of the pieces, the most frequent of which stands first; None where a piece has no kernel.

    All have the kernel of the first one, but for those that it refuses: the preferred one where it serves that piece
    and is not expected to cost more there than the one that is bound first.
    """
    slices = [slice_of(node, graph, piece, step) for piece in pieces]
    known = [binding for binding in BINDINGS if binding.op == node.op]
    if preferred is not None and preferred.refusal(*slices[0], isa) is None:
        first = next((binding for binding in known if binding.refusal(*slices[0], isa) is None), None)
        if first is None or not _is_dearer(preferred, first, slices[0], isa):
            known.insert(0, preferred)
    found: list[Step] = []
    for each in slices:
        taken = next((binding for binding in known if binding.refusal(*each, isa) is None), None)
        if taken is None:
            return None
        if not found:
            known.insert(0, taken)
        found.append(_bound(taken, each, isa))
    return _alike(found, slices, isa)


def _alike(steps: list[Step], slices: list[tuple[Node, Graph]], isa: Isa) -> list[Step]:
    """The same calls with one packing of the weights, where the kernel has any for all sizes."""
    fields = _SIZES.get(steps[0].kernel)
    if fields is None or any(step.kernel != steps[0].kernel for step in steps):
        return steps
    most = steps[0].call
    found = []
    for step, (_, graph) in zip(steps, slices, strict=True):
        record = dict(most.record) | {field: step.call.record[field] for field in fields}
        call = replace(step.call, record=record, constants=most.constants)
        call.check_types(graph)
        found.append(replace(step, call=call, scratch_bytes=scratch_bytes(call.kernel, record, isa)))
    return found


def _is_dearer(binding: Binding, first: Binding, piece: tuple[Node, Graph], isa: Isa) -> bool:
    """Whether a piece is expected to cost more by the one than by the other, as far as both were measured."""
    expected, own = (estimate(*piece, isa, each.name) for each in (binding, first))
    return expected is not None and own is not None and expected.instructions > own.instructions


def _bound(binding: Binding, piece: tuple[Node, Graph], isa: Isa) -> Step:
    return bound(binding, *piece, isa, {})


def signature_of(piece: Piece, step: RowStep) -> tuple[object, ...]:
    """What the call of a piece depends on: heights and padding; where the rows lie does not matter."""
    window = step.reads[0][1]
    top = max(0, window.pad - piece.rows.first * window.stride)
    return len(piece.rows), tuple(len(each) for each in piece.reads), top
