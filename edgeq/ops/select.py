"""Which elements of an axis are extreme, and what an axis is searched for: ArgMax, TopK, OneHot.

Places are plain integers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from edgeq.ir import DType, Node, Tensor
from edgeq.numerics.array import Array
from edgeq.numerics.integers import wide
from edgeq.ops.axes import Axes
from edgeq.ops.base import Attribute, Evaluate, OnnxAttribute, OnnxForm, Op, Sample, no_macs, spread
from edgeq.ops.signature import INTEGERS, PLAIN, Shape, Signature, Slot, alike, invalid

_ARG_FORM: Final = (
    OnnxAttribute("axis", "int"),
    OnnxAttribute("keepdims", "int", (0, 1)),
    OnnxAttribute("select_last_index", "int", (0, 1)),
)


def _arg_shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    x, axis = operands[0], node.integer("axis")
    if axis >= len(x.shape) or x.shape[axis] < 1:
        raise invalid(node, "no such axis, or an empty one", axis, f"an axis of {x.shape}")
    return (*x.shape[:axis], 1, *x.shape[axis + 1 :])


def _evaluate_arg(find: Callable[..., Array]) -> Evaluate:
    def evaluate(node: Node, arrays: Sequence[Array]) -> list[Array]:
        x, axis = arrays[0], node.integer("axis")
        if not node.integer("last"):
            return [find(x, axis=axis, keepdims=True).astype(np.int32)]
        backwards = find(np.flip(x, axis), axis=axis, keepdims=True)
        return [(x.shape[axis] - 1 - backwards).astype(np.int32)]

    return evaluate


def _arg_samples(kind: str) -> tuple[Sample, ...]:
    def sample(name: str, x: Shape, plain: tuple[str, int, int] | None = None, **attributes: int) -> Sample:
        types = {0: plain} if plain is not None else {}
        return Sample(name, kind, (x,), {}, attributes, plain=types, result="int64")

    return (
        sample("2d-last", (1, 12), axis=-1, keepdims=0),
        sample("2d-last-keepdims", (1, 12), axis=1),
        sample("2d-last_index", (1, 40), axis=1, select_last_index=1),
        sample("4d-channels", (1, 5, 4, 3), axis=1, keepdims=0),
        sample("4d-rows-last_index", (1, 5, 4, 3), axis=2, select_last_index=1),
        sample("4d-columns", (1, 5, 4, 7), axis=3),
        sample("first-of-one", (1, 6), axis=0),
        sample("integers", (1, 3, 31), ("int32", -9, 9), axis=1, keepdims=0),
        sample("integers-last_index", (1, 3, 31), ("int32", -9, 9), axis=2, select_last_index=1),
        *(sample(kind, (1, 3, 7), spread(kind), axis=2) for kind in INTEGERS),
    )


def _arg_op(name: str, onnx: str, extreme: str, find: Callable[..., Array]) -> Op:
    return Op(
        name=name,
        family="select",
        summary=f"Index of the {extreme} element along an axis, which stays with size 1",
        signature=Signature(
            (Slot("x"),), (("int8", "int32"), ("int16", "int32")), tuple((kind, "int32") for kind in INTEGERS)
        ),
        attributes=(
            Attribute("axis", "int", "the axis", 0),
            Attribute("last", "int", "1: of equal elements the last one counts, 0: the first", 0, 1),
        ),
        shape=_arg_shape,
        evaluate=_evaluate_arg(find),
        macs=no_macs,
        axes=Axes(named="axis"),
        onnx=(OnnxForm(onnx, attributes=_ARG_FORM),),
        samples=_arg_samples(onnx),
    )


ARG_MAX = _arg_op("arg_max", "ArgMax", "largest", np.argmax)
ARG_MIN = _arg_op("arg_min", "ArgMin", "smallest", np.argmin)


def _top_shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    x, axis, count = operands[0], node.integer("axis"), node.integer("k")
    if axis >= len(x.shape) or count > x.shape[axis]:
        raise invalid(node, "an axis has too few elements", f"{count} of {x.shape}", f"axis {axis}")
    return (*x.shape[:axis], count, *x.shape[axis + 1 :])


def _evaluate_top(node: Node, arrays: Sequence[Array]) -> list[Array]:
    x, axis, count = arrays[0], node.integer("axis"), node.integer("k")
    keys = -wide(x) if node.integer("largest") else wide(x)
    order = np.argsort(keys, axis=axis, kind="stable").take(range(count), axis=axis)
    return [np.take_along_axis(x, order, axis), order.astype(np.int32)]


def _top(
    name: str, x: Shape, k: int, plain: tuple[str, int, int] | None = None, output: int = 0, **attributes: int
) -> Sample:
    types = {0: plain} if plain is not None else {}
    result = "int64" if output else plain[0] if plain is not None else "float"
    constants = {1: np.array([k], np.int64)}
    return Sample(name, "TopK", (x,), constants, attributes, plain=types, result=result, results=2, output=output)


TOP_K = Op(
    name="top_k",
    family="select",
    summary="The k largest or smallest elements along an axis in order, and their indices; of equal ones the first",
    signature=Signature(
        (Slot("x"),),
        alike(("int8", "int16"), 2),
        alike(INTEGERS, 2),
    ),
    attributes=(
        Attribute("axis", "int", "the axis", 0),
        Attribute("k", "int", "how many", 1),
        Attribute("largest", "int", "1: the largest, 0: the smallest", 0, 1),
    ),
    shape=_top_shape,
    others=lambda node, operands: [(_top_shape(node, operands), DType.INT32)],
    evaluate=_evaluate_top,
    macs=no_macs,
    onnx=(
        OnnxForm(
            "TopK",
            scale="same",
            constants={1: "number of elements"},
            attributes=(
                OnnxAttribute("axis", "int"),
                OnnxAttribute("largest", "int", (0, 1)),
                OnnxAttribute("sorted", "int", (0, 1)),
            ),
        ),
    ),
    samples=(
        _top("2d", (1, 30), 5),
        _top("2d-smallest", (1, 30), 4, largest=0),
        _top("4d-channels", (1, 9, 3, 2), 3, axis=1),
        _top("3d-all", (1, 4, 6), 6, axis=-1),
        _top("integers", (1, 3, 12), 4, ("int32", -9, 9)),
        *(_top(kind, (1, 3, 9), 3, spread(kind)) for kind in INTEGERS),
        _top("indices", (1, 30), 5, output=1),
        _top("indices-smallest", (1, 9, 3, 2), 4, output=1, axis=1, largest=0),
        _top("indices-of_integers", (1, 3, 12), 4, ("int32", -9, 9), output=1),
    ),
    limits="sorted, also where ONNX would not",
)


def _one_hot_shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    indices, axis = operands[0], node.integer("axis")
    if axis > len(indices.shape):
        raise invalid(node, "no such axis", axis, f"at most {len(indices.shape)}")
    return (*indices.shape[:axis], node.integer("depth"), *indices.shape[axis:])


def _evaluate_one_hot(node: Node, arrays: Sequence[Array]) -> list[Array]:
    indices, values = arrays
    axis, depth = node.integer("axis"), node.integer("depth")
    wide = np.expand_dims(indices.astype(np.int64), axis)
    places = np.arange(depth).reshape([-1 if other == axis else 1 for other in range(wide.ndim)])
    return [np.where(np.where(wide < 0, wide + depth, wide) == places, values[1], values[0])]


def _one_hot(name: str, indices: Shape, depth: int, values: Array, result: str = "float", axis: int = -1) -> Sample:
    return Sample(
        name,
        "OneHot",
        (indices,),
        {1: np.array(depth, np.int64), 2: values},
        {"axis": axis},
        plain={0: ("int64", -depth, depth - 1)},
        result=result,
    )


ONE_HOT = Op(
    name="one_hot",
    family="select",
    summary="values[1] at the place that an index stands for along a new axis, values[0] elsewhere",
    signature=Signature(
        (Slot("indices", type="int32"), Slot("values", shape=(2,))),
        alike(("int8", "int16"), 2),
        alike(PLAIN, 2),
    ),
    attributes=(
        Attribute("axis", "int", "the new axis", 0),
        Attribute("depth", "int", "its size", 1),
    ),
    shape=_one_hot_shape,
    evaluate=_evaluate_one_hot,
    macs=no_macs,
    indexed=lambda node, _: node.integer("depth"),
    onnx=(
        OnnxForm(
            "OneHot",
            activations=(0, 2),
            scale="same",
            constants={1: "depth", 2: "pair of values"},
            attributes=(OnnxAttribute("axis", "int"),),
        ),
    ),
    samples=(
        _one_hot("last", (1, 5), 7, np.array([0, 1], np.float32)),
        _one_hot("axis1-values", (1, 3, 2), 4, np.array([-0.5, 2], np.float32), axis=-3),
        _one_hot("integers", (1, 5), 7, np.array([3, -4], np.int64), "int64"),
        *(_one_hot(kind, (1, 2), 4, np.array(spread(kind)[1:], kind), kind) for kind in PLAIN),
    ),
)
OPS = (ARG_MAX, ARG_MIN, ONE_HOT, TOP_K)
