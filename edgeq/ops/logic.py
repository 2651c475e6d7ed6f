"""Truth values: comparisons give them, Where reads them. A truth value is a byte, 0 or 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from edgeq.ir import Node, Tensor
from edgeq.numerics.array import Array
from edgeq.numerics.conversion import SHIFT_MAX
from edgeq.numerics.integers import wide
from edgeq.ops.accumulator import value_of
from edgeq.ops.axes import Axes
from edgeq.ops.base import Attribute, OnnxForm, Op, Sample, no_macs, spread
from edgeq.ops.float_types import SAMPLES, forms_of
from edgeq.ops.signature import PLAIN, Shape, Signature, Slot, Type, alike, invalid

RELATIONS: Final = ("equal", "less", "less_or_equal")


def broadcast_shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    """The shape to which all operands are broadcast."""
    try:
        return np.broadcast_shapes(*(tensor.shape for tensor in operands))
    except ValueError:
        got = " and ".join(str(tensor.shape) for tensor in operands)
        raise invalid(node, "shapes do not broadcast", got, "numpy broadcasting") from None


def _evaluate_compare(node: Node, arrays: Sequence[Array]) -> list[Array]:
    a, b = (
        (wide(array) - node.integer(f"{side}_zero"))
        * (node.integer(f"{side}_multiplier") << node.integer(f"{side}_shift"))
        for side, array in zip("ab", arrays, strict=True)
    )
    relation = node.text("relation")
    found = a == b if relation == "equal" else a < b if relation == "less" else a <= b
    return [np.asarray(found).astype(np.int8)]


def _evaluate_where(node: Node, arrays: Sequence[Array]) -> list[Array]:
    condition, a, b = arrays
    return [np.asarray(np.where(condition != 0, a, b), order="C")]


def _comparisons(kind: str) -> tuple[Sample, ...]:
    image = (1, 5, 4, 3)

    def sample(name: str, *inputs: Shape, plain: tuple[str, int, int] | None = None, **constants: Array) -> Sample:
        stated = {int(key[1:]): values for key, values in constants.items()}
        types = dict.fromkeys(range(len(inputs)), plain) if plain is not None else {}
        # Numbers of different scales are as near to each other as float32 tells them apart, or nearer.
        return Sample(name, kind, inputs, stated, {}, plain=types, result="bool")

    return (
        sample("scales", image, image),
        sample("per_channel", image, (1, 5, 1, 1)),
        sample("outer", (1, 6, 1), (1, 1, 9)),
        sample("threshold", image, c1=np.array(0.5, np.float32)),
        sample("threshold-first", (1, 33), c0=np.array(-0.25, np.float32)),
        sample("rank0", (), ()),
        sample("integers", (1, 9, 3), (1, 9, 3), plain=("int64", -3, 3)),
        sample("integers-constant", (1, 17), c1=np.array(2, np.int32), plain=("int32", -5, 5)),
        *(sample(kind, (1, 9), (1, 9), plain=spread(kind)) for kind in PLAIN),
    )


def _compare_forms() -> tuple[OnnxForm, ...]:
    kinds = ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
    return tuple(OnnxForm(kind, activations=None) for kind in kinds)


_COMPARED: Final[tuple[tuple[Type, ...], ...]] = (
    ("int8", "int8", "bool"),
    ("int16", "int16", "bool"),
)
_COMPARED_PLAIN: Final[tuple[tuple[Type, ...], ...]] = tuple((kind, kind, "bool") for kind in PLAIN)
COMPARE: Final = Op(
    name="compare",
    family="logic",
    summary="Whether a is equal to b, less, or not more: (a − zero)·multiplier·2^shift of both, exact",
    signature=Signature((Slot("a"), Slot("b")), _COMPARED, _COMPARED_PLAIN),
    attributes=(
        Attribute("relation", "str", "of a to b", values=RELATIONS),
        value_of("a", "a_zero", "zero point of a"),
        value_of("b", "b_zero", "zero point of b"),
        *(Attribute(f"{side}_multiplier", "int", f"scale of {side}", 1, (1 << 24) - 1) for side in "ab"),
        *(Attribute(f"{side}_shift", "int", f"power of two of {side}", 0, SHIFT_MAX) for side in "ab"),
    ),
    shape=broadcast_shape,
    evaluate=_evaluate_compare,
    macs=no_macs,
    axes=Axes(),
    onnx=_compare_forms(),
    samples=(
        *(
            replace(sample, id=f"{form.type.lower()}-{sample.id}")
            for form in _compare_forms()
            for sample in _comparisons(form.type)
            if form.type in {"Equal", "Greater", "LessOrEqual"} or sample.id in {"scales", "integers"}
            if sample.id != "bool" or form.type == "Equal"  # truth values have no order
        ),
    ),
    limits="of floats the real numbers that integers and float32 scales stand for are compared, without rounding",
)

_CONDITION: Final = ("bool", 0, 1)
WHERE: Final = Op(
    name="where",
    family="logic",
    summary="a where the condition is true, else b, with numpy broadcasting",
    signature=Signature(
        (Slot("condition", type="bool"), Slot("a"), Slot("b")), alike(("int8", "int16", "float32"), 3), alike(PLAIN, 3)
    ),
    attributes=(),
    shape=broadcast_shape,
    evaluate=_evaluate_where,
    macs=no_macs,
    axes=Axes(),
    onnx=(OnnxForm("Where", activations=None, scale="same"), *forms_of("where")),
    samples=(
        Sample("4d", "Where", ((1, 5, 4, 3),) * 3, plain={0: _CONDITION}),
        Sample("mask", "Where", ((1, 1, 4, 3), (1, 5, 4, 3)), {2: np.array(-1.5, np.float32)}, plain={0: _CONDITION}),
        Sample(
            "mask-first", "Where", ((1, 1, 4, 3), (1, 5, 4, 3)), {1: np.array(0, np.float32)}, plain={0: _CONDITION}
        ),
        Sample("per_row", "Where", ((1, 4, 1), (1, 4, 6), (1, 1, 6)), plain={0: _CONDITION}),
        Sample(
            "constant-condition",
            "Where",
            ((1, 2, 3), (1, 2, 3)),
            {0: np.array([[True, False, True], [False, False, True]])},
        ),
        Sample(
            "integers",
            "Where",
            ((1, 7), (1, 7), (1, 7)),
            plain={0: _CONDITION, 1: ("int64", -99, 99), 2: ("int64", -99, 99)},
            result="int64",
        ),
        *(
            Sample(
                kind,
                "Where",
                ((1, 4, 3), (1, 4, 3), (1, 1, 3)),
                plain={0: _CONDITION, 1: spread(kind), 2: spread(kind)},
                result=kind,
            )
            for kind in PLAIN
        ),
        *SAMPLES["where"],
    ),
)
OPS = (COMPARE, WHERE)
