"""Elements by their indices: gather and scatter. Indices are plain integers, computed or constant.

An index from −n to −1 counts from the end of an axis of n elements. ONNX leaves open what a larger one means; here it
is the nearest element, so that no index of any input leaves the tensor.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Final

import numpy as np

from edgeq.ir import Node, Tensor
from edgeq.numerics.array import Array
from edgeq.ops.base import Attribute, OnnxAttribute, OnnxForm, Op, Sample, no_macs, spread
from edgeq.ops.signature import PLAIN, Shape, Signature, Slot, Type, alike, invalid

_QUANTIZED: Final[tuple[Type, ...]] = ("int8", "int16")
_X_AND_INDICES: Final = Signature((Slot("x"), Slot("indices", type="int32")), alike(_QUANTIZED, 2), alike(PLAIN, 2))
_SCATTERS: Final = Signature(
    (Slot("x"), Slot("indices", type="int32"), Slot("updates")), alike(_QUANTIZED, 3), alike(PLAIN, 3)
)
_AXIS: Final = Attribute("axis", "int", "the axis that indices stand for", 0)


def places(indices: Array, count: int) -> Array:
    """The places from 0 to ``count`` − 1 that indices stand for, int64."""
    wide = indices.astype(np.int64)
    return np.clip(np.where(wide < 0, wide + count, wide), 0, count - 1)


def _axis_of(node: Node, x: Tensor) -> int:
    axis = node.integer("axis")
    if axis >= len(x.shape) or x.shape[axis] < 1:
        raise invalid(node, "no such axis, or an empty one", axis, f"an axis of {x.shape}")
    return axis


def _gather_shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    x, indices = operands
    axis = _axis_of(node, x)
    return (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])


def _evaluate_gather(node: Node, arrays: Sequence[Array]) -> list[Array]:
    x, indices = arrays
    axis = node.integer("axis")
    return [np.asarray(np.take(x, places(indices, x.shape[axis]), axis), order="C")]


def _along_axis(node: Node, operands: Sequence[Tensor]) -> int:
    return operands[0].shape[node.integer("axis")]


def _elements_shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    x, indices = operands[:2]
    axis = _axis_of(node, x)
    others = [(*tensor.shape[:axis], *tensor.shape[axis + 1 :]) for tensor in (x, indices)]
    if len(x.shape) != len(indices.shape) or others[0] != others[1]:
        raise invalid(node, "shapes do not match", f"{x.shape} and {indices.shape}", "equal but for the axis")
    if len(operands) > 2 and operands[2].shape != indices.shape:
        raise invalid(node, "updates have another shape than indices", operands[2].shape, indices.shape)
    return indices.shape


def _evaluate_gather_elements(node: Node, arrays: Sequence[Array]) -> list[Array]:
    x, indices = arrays
    axis = node.integer("axis")
    return [np.take_along_axis(x, places(indices, x.shape[axis]), axis)]


def _scatter_elements_shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    _elements_shape(node, operands)
    return operands[0].shape


def _evaluate_scatter_elements(node: Node, arrays: Sequence[Array]) -> list[Array]:
    x, indices, updates = arrays
    axis = node.integer("axis")
    at = places(indices, x.shape[axis])
    result = x.copy()
    for place in np.ndindex(*indices.shape):  # in order: of several updates of one element the last one stays
        result[(*place[:axis], at[place], *place[axis + 1 :])] = updates[place]
    return [result]


def _depth(node: Node, x: Tensor, indices: Tensor) -> tuple[int, int]:
    """The number of batch axes, and of axes that an index has a component for."""
    batch = node.integer("batch") if "batch" in node.attrs else 0
    if not indices.shape or len(indices.shape) <= batch or x.shape[:batch] != indices.shape[:batch]:
        raise invalid(node, "batch axes differ", f"{x.shape} and {indices.shape}", f"{batch} equal axes in front")
    depth = indices.shape[-1]
    if not 1 <= depth <= len(x.shape) - batch or 0 in x.shape:
        raise invalid(node, "indices have too many components", depth, f"1 to {len(x.shape) - batch}")
    return batch, depth


def _nd_shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    x, indices = operands[:2]
    batch, depth = _depth(node, x, indices)
    return (*indices.shape[:-1], *x.shape[batch + depth :])


def _flat_rows(node: Node, x: Shape, indices: Array) -> tuple[Array, int]:
    """For each index, the number of the row of x that it stands for, and the elements of a row."""
    batch = node.integer("batch") if "batch" in node.attrs else 0
    depth = indices.shape[-1]
    rows = np.zeros(indices.shape[:-1], np.int64)
    if batch:
        first = np.arange(prod(x[:batch])).reshape((*x[:batch], *(1,) * (rows.ndim - batch)))
        rows += first
    for component in range(depth):
        size = x[batch + component]
        rows = rows * size + places(indices[..., component], size)
    return rows, prod(x[batch + depth :])


def _evaluate_gather_nd(node: Node, arrays: Sequence[Array]) -> list[Array]:
    x, indices = arrays
    rows, inner = _flat_rows(node, x.shape, indices)
    batch, depth = (node.integer("batch"), indices.shape[-1])
    return [x.reshape(-1, inner)[rows].reshape(*rows.shape, *x.shape[batch + depth :])]


def _smallest_axis(node: Node, operands: Sequence[Tensor]) -> int:
    x, indices = operands[:2]
    batch, depth = _depth(node, x, indices)
    return min(x.shape[batch : batch + depth])


def _scatter_nd_shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    x, updates = operands[0], operands[2]
    wanted = _nd_shape(node, operands)
    if updates.shape != wanted:
        raise invalid(node, "updates have a wrong shape", updates.shape, wanted)
    return x.shape


def _evaluate_scatter_nd(node: Node, arrays: Sequence[Array]) -> list[Array]:
    x, indices, updates = arrays
    rows, inner = _flat_rows(node, x.shape, indices)
    result = x.copy().reshape(-1, inner)
    for row, update in zip(rows.reshape(-1), updates.reshape(-1, inner), strict=True):  # in order, as above
        result[row] = update
    return [result.reshape(x.shape)]


def _integers(*values: object) -> Array:
    return np.array(values, np.int64)


def _indexed(name: str, kind: str, x: Shape, indices: Shape, count: int, **attributes: int) -> Sample:
    """Both operands computed."""
    return Sample(name, kind, (x, indices), {}, attributes, plain={1: ("int64", -count, count - 1)})


def _chosen(name: str, kind: str, x: Shape, indices: Array, **attributes: int) -> Sample:
    """Constant indices."""
    return Sample(name, kind, (x,), {1: indices}, attributes)


def _of_integers(name: str, kind: str, type_: Type, x: Shape, indices: Shape, count: int, **attributes: int) -> Sample:
    """Indices and elements are plain."""
    plain = {0: spread(type_), 1: ("int64", -count, count - 1)}
    return Sample(name, kind, (x, indices), {}, attributes, plain=plain, result=type_)


GATHER = Op(
    name="gather",
    family="gather",
    summary="Slices of x by their index along an axis: an embedding, or a choice of channels",
    signature=_X_AND_INDICES,
    attributes=(_AXIS,),
    shape=_gather_shape,
    evaluate=_evaluate_gather,
    macs=no_macs,
    indexed=_along_axis,
    onnx=(OnnxForm("Gather", activations=(0, 1), scale="same", attributes=(OnnxAttribute("axis", "int"),)),),
    samples=(
        Sample("embedding", "Gather", ((1, 7),), {0: (19, 6)}, {"axis": 0}, plain={0: ("int64", -19, 18)}),
        Sample("embedding-int32", "Gather", ((1, 2, 3),), {0: (5, 8)}, {"axis": 0}, plain={0: ("int32", 0, 4)}),
        Sample("embedding-columns", "Gather", ((1, 4),), {0: (3, 11)}, {"axis": 1}, plain={0: ("int64", -11, 10)}),
        _indexed("computed", "Gather", (1, 6, 5), (1, 3), 6, axis=1),
        _indexed("computed-last", "Gather", (1, 4, 9), (1, 5), 9, axis=2),
        _indexed("computed-scalar", "Gather", (1, 4, 9), (), 4, axis=1),
        _chosen("channels_reversed", "Gather", (1, 3, 4, 5), _integers(2, 1, 0), axis=1),
        _chosen("columns-any_order", "Gather", (1, 3, 4, 5), _integers(4, 0, -2, 0, 1), axis=3),
        _chosen("rows-2d", "Gather", (1, 3, 4, 2), _integers([3, 0], [1, -1]), axis=2),
        *(_of_integers(kind, "Gather", kind, (1, 8), (1, 5), 8, axis=1) for kind in PLAIN),
    ),
    limits="an index beyond the axis is its nearest element",
)

GATHER_ELEMENTS = Op(
    name="gather_elements",
    family="gather",
    summary="For each index the element of x at the same place, but for the index along an axis",
    signature=_X_AND_INDICES,
    attributes=(_AXIS,),
    shape=_elements_shape,
    evaluate=_evaluate_gather_elements,
    macs=no_macs,
    indexed=_along_axis,
    onnx=(OnnxForm("GatherElements", activations=(0, 1), scale="same", attributes=(OnnxAttribute("axis", "int"),)),),
    samples=(
        _indexed("columns", "GatherElements", (1, 4, 6), (1, 4, 3), 6, axis=2),
        _indexed("rows", "GatherElements", (1, 5, 6), (1, 2, 6), 5, axis=1),
        _indexed("fewer_columns", "GatherElements", (1, 5, 6), (1, 3, 4), 5, axis=1),
        _chosen("constant", "GatherElements", (1, 2, 3), _integers([[2, 0], [-1, 1]]), axis=-1),
        *(_of_integers(kind, "GatherElements", kind, (1, 3, 4), (1, 3, 2), 4, axis=2) for kind in PLAIN),
    ),
    limits="an index beyond the axis is its nearest element",
)

GATHER_ND = Op(
    name="gather_nd",
    family="gather",
    summary="Rows of x by their indices along the first axes behind those of the batch",
    signature=_X_AND_INDICES,
    attributes=(Attribute("batch", "int", "how many axes in front x and indices share", 0),),
    shape=_nd_shape,
    evaluate=_evaluate_gather_nd,
    macs=no_macs,
    indexed=_smallest_axis,
    onnx=(OnnxForm("GatherND", activations=(0, 1), scale="same", attributes=(OnnxAttribute("batch_dims", "int"),)),),
    samples=(
        _indexed("rows", "GatherND", (1, 4, 6), (1, 3, 1), 1),
        _indexed("elements", "GatherND", (1, 4, 6), (1, 3, 2), 4, batch_dims=1),
        _indexed("rows-batch", "GatherND", (1, 4, 6), (1, 3, 1), 4, batch_dims=1),
        _chosen("constant", "GatherND", (1, 3, 4, 2), _integers([[0, 2, 3], [0, 0, 1], [0, -1, -4]])),
        *(_of_integers(kind, "GatherND", kind, (1, 4, 3), (1, 5, 2), 3, batch_dims=1) for kind in PLAIN),
    ),
    limits="an index beyond its axis is the nearest one; at most 4 components",
)

_REDUCTION: Final = OnnxAttribute("reduction", "str", ("none",))
SCATTER_ELEMENTS = Op(
    name="scatter_elements",
    family="gather",
    summary="x with other elements at the places of indices along an axis; the last update of an element stays",
    signature=_SCATTERS,
    attributes=(_AXIS,),
    shape=_scatter_elements_shape,
    evaluate=_evaluate_scatter_elements,
    macs=no_macs,
    overwrites=(0,),
    indexed=_along_axis,
    onnx=(
        OnnxForm(
            "ScatterElements",
            activations=(0, 1, 2),
            scale="same",
            attributes=(OnnxAttribute("axis", "int"), _REDUCTION),
        ),
    ),
    samples=(
        Sample("constant", "ScatterElements", ((1, 6), (1, 2)), {1: _integers([4, -6])}, {"axis": 1}),
        Sample(
            "constant-rows", "ScatterElements", ((1, 3, 2), (1, 2, 2)), {1: _integers([[2, 0], [0, 1]])}, {"axis": 1}
        ),
        Sample(
            "computed",
            "ScatterElements",
            ((1, 3, 5), (1, 3, 1), (1, 3, 1)),
            {},
            {"axis": 2},
            plain={1: ("int64", -5, 4)},
        ),
        *(
            Sample(
                kind,
                "ScatterElements",
                ((1, 6), (1, 1), (1, 1)),
                {},
                {"axis": 1},
                plain={0: spread(kind), 1: ("int64", -6, 5), 2: spread(kind)},
                result=kind,
            )
            for kind in PLAIN
        ),
    ),
    limits="reductions by constant indices alone; computed ones, and updates, of x's shape but for the axis",
)

SCATTER_ND = Op(
    name="scatter_nd",
    family="gather",
    summary="x with other rows at the places of indices along its first axes; the last update of a row stays",
    signature=_SCATTERS,
    attributes=(),
    shape=_scatter_nd_shape,
    evaluate=_evaluate_scatter_nd,
    macs=no_macs,
    overwrites=(0,),
    indexed=_smallest_axis,
    onnx=(OnnxForm("ScatterND", activations=(0, 1, 2), scale="same", attributes=(_REDUCTION,)),),
    samples=(
        Sample("constant", "ScatterND", ((1, 4, 3), (1, 2, 3)), {1: _integers([[0, 2], [0, 0]])}),
        Sample("constant-elements", "ScatterND", ((1, 4, 3), (1, 2)), {1: _integers([[0, 2, 1], [0, 0, -3]])}),
        Sample("computed", "ScatterND", ((1, 4, 3), (1, 1), (1, 4, 3)), {}, {}, plain={1: ("int64", -1, 0)}),
        *(
            Sample(
                kind,
                "ScatterND",
                ((1, 4), (1, 2), (1,)),
                {},
                {},
                plain={0: spread(kind), 1: ("int64", -1, 0), 2: spread(kind)},
                result=kind,
            )
            for kind in PLAIN
        ),
    ),
    limits="reductions by constant indices alone; at most 4 components of an index",
)
OPS = (GATHER, GATHER_ELEMENTS, GATHER_ND, SCATTER_ELEMENTS, SCATTER_ND)
