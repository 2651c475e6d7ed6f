"""What an operator is: its facts once, as data and exact code.

An :class:`Op` holds the integer semantics (attributes, shape inference, exact evaluation, cost) and, without importing
onnx, how ONNX spells it (:class:`OnnxForm`) and which cases the conformance tests run (:class:`Sample`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from edgeq.ir import DType, Node, Tensor
from edgeq.numerics.array import Array

Shape = tuple[int, ...]
Infer = Callable[[Node, Sequence[Tensor]], list[tuple[Shape, DType]]]
Evaluate = Callable[[Node, Sequence[Array]], list[Array]]
Macs = Callable[[Node, Sequence[Tensor]], int]
ScaleRule = Literal["own", "same", "fixed"]


@dataclass(frozen=True)
class Attribute:
    """One integer-world attribute of an operator: its name, its kind and what it means."""

    name: str
    kind: Literal["int", "ints", "str"]
    doc: str


@dataclass(frozen=True)
class OnnxForm:
    """How ONNX spells the operator, and how its output scale comes about.

    Attributes:
        type: the ONNX operator type, ``Conv``.
        activations: indices of the inputs that carry quantized activations; None means all of them.
        weight: index of the weight input, or None.
        weight_axis: output-channel axis of the weight.
        bias: index of the bias input (int32, scale s_x*s_w), or None.
        scale: ``own`` = observed; ``same`` = input and output share one scale; ``fixed`` = given below.
        fixed: (scale, zero_point) in int8 where ``scale`` is ``fixed``.
        tflite_scale: the rule where the mode is ``tflite`` and TFLite's own rule differs.
        fill: index of the input whose value the result holds beside the operand's values, or None.
    """

    type: str
    activations: tuple[int, ...] | None = (0,)
    weight: int | None = None
    weight_axis: int = 0
    bias: int | None = None
    scale: ScaleRule = "own"
    fixed: tuple[float, int] | None = None
    tflite_scale: ScaleRule | None = None
    fill: int | None = None


@dataclass(frozen=True)
class Sample:
    """One conformance case, at the level of ONNX: a single operator with the shapes that exercise it.

    Attributes:
        id: readable, ``stride2-pad_same-c3``.
        type: the ONNX operator type.
        inputs: shapes of the activation inputs, by position.
        constants: position → shape of a float weight drawn from a normal distribution with a fixed seed, or the values.
        attributes: ONNX attributes.
        tolerance: allowed difference to onnxruntime's float result, in steps of the output scale, for inputs that lie
            exactly on the input's grid.
    """

    id: str
    type: str
    inputs: tuple[Shape, ...]
    constants: Mapping[int, Shape | Array] = field(default_factory=dict)
    attributes: Mapping[str, int | float | str | tuple[int, ...]] = field(default_factory=dict)
    tolerance: float = 1.0


@dataclass(frozen=True)
class Op:
    """One integer operator."""

    name: str
    family: str
    summary: str
    attributes: tuple[Attribute, ...]
    infer: Infer
    evaluate: Evaluate
    macs: Macs
    onnx: tuple[OnnxForm, ...] = ()
    samples: tuple[Sample, ...] = ()
    limits: str = ""


def no_macs(node: Node, operands: Sequence[Tensor]) -> int:
    """Operators without multiply-accumulates."""
    del node, operands
    return 0
