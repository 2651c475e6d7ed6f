"""What an operator is: its facts once, as data and exact code.

An :class:`Op` holds the integer semantics (attributes, shape inference, exact evaluation, cost) and, without importing
onnx, how ONNX spells it (:class:`OnnxForm`) and which cases the conformance tests run (:class:`Sample`). The attributes
of both sides are schemas: the support check, lowering and the verifier of graphs enforce them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from edgeq.ir import DType, Node, Quantization, Tensor
from edgeq.numerics.array import Array
from edgeq.numerics.scaling import Scaling
from edgeq.ops.axes import Axes
from edgeq.ops.signature import RESULT, Shape, Signature, Type, dtype_of

ML_DOMAIN: Final = "ai.onnx.ml"
"""ONNX's domain of classical models."""

InferOthers = Callable[[Node, Sequence[Tensor]], list[tuple[Shape, DType]]]
InferShape = Callable[[Node, Sequence[Tensor]], Shape]
Evaluate = Callable[[Node, Sequence[Array]], list[Array]]
Macs = Callable[[Node, Sequence[Tensor]], int]
ScaleRule = Literal["own", "same", "fixed"]


Kind = Literal["int", "ints", "str", "float", "strings", "floats", "tensor"]
Value = int | float | str | tuple[int, ...]
_LISTS: Final = frozenset(("strings", "floats", "tensor"))
SampleAttribute = int | float | str | tuple[int, ...] | tuple[float, ...] | tuple[str, ...]


@dataclass(frozen=True)
class Attribute:
    """One attribute of an integer operator.

    Attributes:
        name: as nodes have it.
        kind: type of its value.
        doc: what it means.
        low, high: bounds of the number, or of each.
        values: the words that it may be; None for numbers and for text that is free.
        modes: the arithmetics that have it; empty for all.
        of: the slot of whose type it is a value, or ``result``: that type bounds it.
        optional: a node may be without it.
    """

    name: str
    kind: Literal["int", "ints", "str"]
    doc: str
    low: int | None = None
    high: int | None = None
    values: tuple[str, ...] | None = None
    modes: tuple[str, ...] = ()
    of: str | None = None
    optional: bool = False

    def bounded(self, types: Mapping[str, Type]) -> Attribute:
        """The attribute within the bounds of a node's types (:meth:`Signature.types_of`)."""
        if self.of is None:
            return self
        dtype = dtype_of(types[self.of])
        return replace(self, low=dtype.min, high=dtype.max)

    def allowed(self) -> str:
        """The values that it may have, for a message."""
        return _described(self.kind, self.values, self.low, self.high)

    def accepts(self, value: object) -> bool:
        """Whether it may have this value."""
        return _is_of(self.kind, value) and _is_within(value, self.values, self.low, self.high)


@dataclass(frozen=True)
class OnnxAttribute:
    """One attribute of an ONNX operator in its normalized form, with the values that lowering implements.

    Attributes:
        name: as ONNX has it.
        kind: type of its value; of ``strings``, ``floats`` and ``tensor`` only the default is implemented, which is not
            stated, but for what is ``listed``.
        values: the only ones; None where any of the kind has a meaning.
        low: the smallest of the numbers.
        count: how many numbers; None for any count.
        listed: of a list of words or floats, any is implemented.
    """

    name: str
    kind: Kind
    values: tuple[Value, ...] | None = None
    low: int | None = None
    count: int | None = None
    listed: bool = False

    def allowed(self) -> str:
        """The values that are implemented, for a message."""
        if self.listed:
            return f"a list of {self.kind}"
        words = _described(self.kind, self.values, self.low, None)
        return words if self.count is None else f"{self.count} {words}"

    def accepts(self, value: object) -> bool:
        """Whether lowering implements this value; a list of words or floats comes as the name of its kind."""
        if self.listed:
            return value == self.kind
        if not _is_of(self.kind, value) or (self.count is not None and len(tuple(_each(value))) != self.count):
            return False
        return _is_within(value, self.values, self.low, None)


def _each(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else (value,)


def _is_of(kind: Kind, value: object) -> bool:
    if kind in _LISTS:
        return False  # no list of these is implemented: the default goes without saying
    if kind == "ints":
        return isinstance(value, tuple) and all(type(item) is int for item in value)
    return type(value) is {"int": int, "str": str, "float": float}[kind]


def _is_within(value: object, values: tuple[Value, ...] | None, low: int | None, high: int | None) -> bool:
    if values is not None:
        return value in values
    numbers = [item for item in _each(value) if isinstance(item, int)]
    return all((low is None or item >= low) and (high is None or item <= high) for item in numbers)


def _described(kind: Kind, values: tuple[Value, ...] | None, low: int | None, high: int | None) -> str:
    if values is not None:
        return " or ".join(str(list(value)) if isinstance(value, tuple) else str(value) for value in values)
    if kind in _LISTS:
        return "the default, not stated"
    words = {"int": "a whole number", "ints": "whole numbers", "str": "a word", "float": "a number"}[kind]
    if low is not None and high is not None:
        return f"{words} from {low} to {high}"
    return words if low is None else f"{words} from {low} up"


FIXED_INT16 = Quantization.per_tensor(DType.INT16, 2.0**-15)
"""Of every result of fixed scale, all of which lie within [−1, 1]."""


@dataclass(frozen=True)
class OnnxForm:
    """How ONNX spells the operator, and how its output scale comes about.

    Attributes:
        type: the ONNX operator type, ``Conv``.
        domain: ONNX's domain that has it; ``edgeq`` for functions that models bring along.
        plain: it is the operator's meaning for integers and truth values alone; another operator has it for floats.
        activations: indices of the inputs that fill the operator's slots for activations, in their order; None means
            all of them. Floats among them are quantized.
        weight: index of the weight input, or None.
        weight_axis: output-channel axis of the weight.
        bias: index of the bias input (int32, scale s_x*s_w), or None.
        scale: ``own`` = observed; ``same`` = input and output share one scale; ``fixed`` = given below.
        fixed: the output's parameters where ``scale`` is ``fixed``.
        average: it is an average pool, which some arithmetics compute without a change of scale.
        fill: index of the input whose value the result holds beside the operand's values, or None.
        constants: what the inputs that must be constant are, by index, weight and bias included.
        saturates: what of an operand lies beyond the range of the result changes no result, so that the range that a
            result shares with its operands is its own.
        matrices: further constant weights, int8 with a scale for each index of an axis: that axis by the input's index.
        wide: indices of the results that are states of the operator, int16 whatever the scheme, as are the activations
            behind the first that they come back by.
        wide_operands: its operands, and what they are computed from, are int16 whatever the scheme, but for arithmetics
            without int16.
        fine: its operand and result are int16 whatever the scheme, where the arithmetic mixes types: small differences
            decide, and int16 takes no longer.
        fuses_clamp: a Relu or Clip right behind it is the clamp of its result.
        clamps: it is such a Relu or Clip.
        means: every result lies between the smallest and the largest of its operand, as it does with scale ``same``.
        nonnegative: no result is negative.
        floats: it stays in software float: constants stay what they are, and what passes from one such node to another
            has no scale.
        attributes: everything that ONNX lets the operator say, and what of it lowering implements.
    """

    type: str
    plain: bool = False
    activations: tuple[int, ...] | None = (0,)
    weight: int | None = None
    weight_axis: int = 0
    bias: int | None = None
    scale: ScaleRule = "own"
    fixed: Quantization | None = None
    average: bool = False
    fill: int | None = None
    constants: Mapping[int, str] = field(default_factory=dict)
    saturates: bool = False
    matrices: Mapping[int, int] = field(default_factory=dict)
    wide: tuple[int, ...] = ()
    wide_operands: bool = False
    domain: str = ""
    fine: bool = False
    fuses_clamp: bool = False
    clamps: bool = False
    means: bool = False
    nonnegative: bool = False
    floats: bool = False
    attributes: tuple[OnnxAttribute, ...] = ()

    @property
    def passes_range(self) -> bool:
        """Whether every result lies within the range of the operands."""
        return self.fill is None and (self.means or self.scale == "same")

    def fixed_for(self, dtype: DType) -> Quantization | None:
        """The output's parameters where ``scale`` is ``fixed``: in int8 as given, in int16 :data:`FIXED_INT16`."""
        return self.fixed if dtype is DType.INT8 or self.fixed is None else FIXED_INT16

    def scale_rule(self, scaling: Scaling) -> ScaleRule:
        """How the output scale comes about in an arithmetic."""
        return "same" if self.average and scaling.averages_integers else self.scale

    def refuse(self, attributes: Mapping[str, Value]) -> list[tuple[str, Value, str]]:
        """The attributes of a node that lowering does not implement: name, value, what is allowed."""
        known = {attribute.name: attribute for attribute in self.attributes}
        found = []
        for name, value in attributes.items():
            if name not in known:
                found.append((name, value, ", ".join(known) or "no attribute"))
            elif not known[name].accepts(value):
                found.append((name, value, known[name].allowed()))
        return found


@dataclass(frozen=True)
class Sample:
    """One conformance case, at the level of ONNX: a single operator with the shapes that exercise it.

    Attributes:
        id: readable, ``stride2-pad_same-c3``.
        type: the ONNX operator type.
        inputs: shapes of the activation inputs, by position.
        constants: position → shape of a float weight drawn from a normal distribution with a fixed seed, or the values.
        attributes: ONNX attributes.
        tolerance: allowed difference to onnxruntime's float result, in steps of the output scale, for inputs that are
            exact multiples of the input's scale.
        positive: positions of activation inputs that are never negative, and above zero on calibration data.
        plain: of inputs that are no floats, by number in ``inputs``: the ONNX type and the least and largest value.
        result: the ONNX type of the result.
        results: how many results the ONNX operator has.
        output: which of them is looked at.
    """

    id: str
    type: str
    inputs: tuple[Shape, ...]
    constants: Mapping[int, Shape | Array] = field(default_factory=dict)
    attributes: Mapping[str, SampleAttribute] = field(default_factory=dict)
    tolerance: float = 1.0
    positive: tuple[int, ...] = ()
    plain: Mapping[int, tuple[str, int, int]] = field(default_factory=dict)
    result: str = "float"
    results: int = 1
    output: int = 0


def spread(kind: Type) -> tuple[str, int, int]:
    """All values of a plain type, as :attr:`Sample.plain` has them."""
    dtype = dtype_of(kind)
    return kind, dtype.min, dtype.max


@dataclass(frozen=True)
class Op:
    """One integer operator.

    Attributes:
        signature: its operands and their types, which give the type of the result.
        shape: the shape of its result, and what it asks of its operands' shapes beyond the signature.
        others: shapes and types of its results behind the first; None where there is one result.
        axes: what it does to the axes of its activations; None where their order is fixed.
        overwrites: numbers of the operands over which every kernel may write its result, if they have as many elements.
        one_sample: the backends have it for one sample only, a first axis of 1.
        indexed: of an operator with a slot ``indices``, how many elements these tell apart: n for −n to n − 1.
    """

    name: str
    family: str
    summary: str
    signature: Signature
    attributes: tuple[Attribute, ...]
    shape: InferShape
    evaluate: Evaluate
    macs: Macs
    others: InferOthers | None = None
    axes: Axes | None = None
    onnx: tuple[OnnxForm, ...] = ()
    samples: tuple[Sample, ...] = ()
    limits: str = ""
    overwrites: tuple[int, ...] = ()
    one_sample: bool = False
    indexed: Callable[[Node, Sequence[Tensor]], int] | None = None

    @property
    def rank(self) -> int | None:
        """The rank of its first operand, which is that of the ONNX operator's; None for any."""
        return self.signature.slots[0].rank

    def infer(self, node: Node, operands: Sequence[Tensor]) -> list[tuple[Shape, DType]]:
        """Shape and type of each result.

        Raises:
            EdgeqError: EQ0903 for operands that the operator does not take.
        """
        types = self.signature.types_of(node, operands)
        self.signature.require_shapes(node, operands)
        others = [] if self.others is None else self.others(node, operands)
        return [(self.shape(node, operands), dtype_of(types[RESULT])), *others]


def no_macs(node: Node, operands: Sequence[Tensor]) -> int:
    """Operators without multiply-accumulates."""
    return 0


def same_shape(node: Node, operands: Sequence[Tensor]) -> Shape:
    """Operators whose result has the shape of the first operand."""
    return operands[0].shape
