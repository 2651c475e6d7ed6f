"""What an operator takes and gives, as data: named operands, and the types that go together.

A further type of an operator is a further tuple of its :class:`Signature`: the inference of types, the bounds of its
attributes, the support table and the conformance tests read the tuples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from edgeq.errors import EdgeqError
from edgeq.ir import DType, Node, Tensor
from edgeq.numerics.scaling import MODES, SCALINGS, Scaling

Shape = tuple[int, ...]
Type = Literal["bool", "int4", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32"]
Role = Literal["activation", "weight", "bias", "table", "factor"]
RESULT = "result"
QUANTIZED: Final = frozenset(("int8", "int16"))
"""Types of activations that have a scale; float32 is for software float."""
INTEGERS: Final[tuple[Type, ...]] = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
"""Types of plain integers, which are those of ONNX."""
PLAIN: Final[tuple[Type, ...]] = (*INTEGERS, "bool")
"""Types of all plain values."""


def alike(kinds: Sequence[Type], count: int) -> tuple[tuple[Type, ...], ...]:
    """For each type the tuple that has it ``count`` times."""
    return tuple((kind,) * count for kind in kinds)


_T = TypeVar("_T")


@dataclass(frozen=True)
class Slot:
    """One named operand.

    Attributes:
        name: by which lowering, passes and backends ask for it.
        role: what it is. Activations are computed, or constants beside a computed one; all others are constants, and a
            ``factor`` is one that the arithmetic scales accumulators by: one value, or one for each output channel.
        type: its only type; None where the type tuples say it.
        rank: its number of axes; None for any.
        shape: its only shape; None for any.
        modes: the arithmetics that have it; empty for all.
        optional: a node may be without it and those behind it.
        repeated: one operand or more, called ``name0``, ``name1``, …; only the last slot can be.
    """

    name: str
    role: Role = "activation"
    type: Type | None = None
    rank: int | None = None
    shape: Shape | None = None
    modes: tuple[str, ...] = ()
    optional: bool = False
    repeated: bool = False


@dataclass(frozen=True)
class Signature:
    """The operands of an operator and the types that they may have.

    Attributes:
        slots: in the order in which nodes have them.
        types: each tuple holds a type for every slot that has none of its own, then the type of the result. Of several
            tuples for the same operands a node's attribute ``result`` chooses; without it the first one holds.
        plain: as ``types``, of plain values. The arithmetic is the same where a tuple is in both.
    """

    slots: tuple[Slot, ...]
    types: tuple[tuple[Type, ...], ...] = ()
    plain: tuple[tuple[Type, ...], ...] = ()

    @property
    def rows(self) -> tuple[tuple[Type, ...], ...]:
        """The type tuples of quantized and of plain values, each once."""
        return tuple(dict.fromkeys((*self.types, *self.plain)))

    def described(self) -> list[str]:
        """The type tuples for people: ``x int8, weight int8, bias int32 -> int8``."""
        free = [f"{slot.name}.." if slot.repeated else slot.name for slot in self.slots if slot.type is None]
        return [
            ", ".join(f"{name} {type_}" for name, type_ in zip(free, row, strict=False)) + f" -> {row[-1]}"
            for row in self.rows
        ]

    @property
    def activation_types(self) -> list[str]:
        """The tuples without what is constant: ``int8``, or ``int16 -> int8`` where operands and result differ."""
        free = [slot for slot in self.slots if slot.type is None]
        results: dict[str, list[Type]] = {}
        for *operands, result in self.types:
            kinds = {kind for slot, kind in zip(free, operands, strict=True) if slot.role == "activation"}
            kinds |= {slot.type for slot in self.slots if slot.type is not None and slot.role == "activation"}
            results.setdefault(", ".join(sorted(kinds)), []).append(result)
        found = []
        for words, kinds_of_result in results.items():
            if set(INTEGERS) <= set(kinds_of_result):
                found.append(f"{words} -> integers")
                continue
            found += [result if words == result else f"{words} -> {result}" for result in kinds_of_result]
        if self.plain:
            first, last = (_listed({row[place] for row in self.plain}) for place in (0, -1))
            same = all(row[0] == row[-1] for row in self.plain)
            found.append(first if same else f"{first} -> {last}")
        return list(dict.fromkeys(found))

    @property
    def mixes_activations(self) -> bool:
        """Whether quantized operands and a quantized result may have different widths."""
        free = [slot for slot in self.slots if slot.type is None]
        rows = [row for row in self.types if row[-1] in QUANTIZED]
        wide = [{kind for slot, kind in zip(free, row, strict=False) if slot.role == "activation"} for row in rows]
        return any((kinds & QUANTIZED) - {row[-1]} for kinds, row in zip(wide, rows, strict=True))

    def activation_kinds(self, count: int) -> tuple[tuple[str, ...], ...]:
        """By tuple of types, what the first ``count`` activations of a node are in ONNX: float, integer or a type.

        A quantized value is a float there, a state of fixed type as well, and an index an integer of any type.
        """
        free = [slot.name for slot in self.slots if slot.type is None]
        found = []
        for rows, quantized in ((self.types, True), (self.plain, False)):
            for row in rows:
                by_slot = dict(zip(free, row, strict=False))
                kinds = [
                    _in_onnx(slot, by_slot.get(slot.name), quantized=quantized)
                    for slot in self.slots
                    if slot.role == "activation"
                ]
                found.append(tuple([*kinds, *kinds[-1:] * (count - len(kinds))][:count]))
        return tuple(dict.fromkeys(found))

    def slots_of(self, node: Node, count: int) -> dict[str, Slot]:
        """The slots that a node of ``count`` operands has in its arithmetic, by name, in order.

        Raises:
            EdgeqError: EQ0903 where the arithmetic is unknown or the number of operands is wrong.
        """
        mode = scaling_of(node).name if "requant" in node.attrs else None
        found = {slot.name: slot for slot in self.slots if not slot.modes or mode in slot.modes}
        last = self.slots[-1]
        if last.repeated:
            del found[last.name]
            found |= {f"{last.name}{number}": last for number in range(max(1, count - len(found)))}
        while len(found) > count and next(reversed(found.values())).optional:
            found.popitem()
        if len(found) != count:
            raise invalid(node, "wrong number of operands", count, f"{len(found)}: {', '.join(found)}")
        return found

    def bind(self, node: Node, operands: Sequence[_T]) -> dict[str, _T]:
        """What stands in each slot of a node.

        Raises:
            EdgeqError: EQ0903 as :meth:`slots_of`.
        """
        return dict(zip(self.slots_of(node, len(operands)), operands, strict=True))

    def types_of(self, node: Node, operands: Sequence[Tensor]) -> dict[str, Type]:
        """The type of each operand by the name of its slot, and that of the result as ``result``.

        Raises:
            EdgeqError: EQ0903 as :meth:`slots_of`, or the types are not among the tuples.
        """
        slots = self.slots_of(node, len(operands))
        got, result = [type_of(tensor) for tensor in operands], node.attrs.get(RESULT)
        free = [slot.name for slot in self.slots if slot.type is None]
        allowed = []
        for row in self.rows:
            by_slot = dict(zip(free, row, strict=False))
            wanted: list[Type] = [slot.type or by_slot[slot.name] for slot in slots.values()]
            if got == wanted and result in {None, row[-1]}:
                return dict(zip(slots, wanted, strict=True)) | {RESULT: row[-1]}
            allowed.append(", ".join(wanted) + f" to {row[-1]}")
        words = ", ".join(got) + (f" to {result}" if result else "")
        raise invalid(node, "wrong operand types", words, " or ".join(dict.fromkeys(allowed)))

    def require_constants(self, node: Node, operands: Sequence[Tensor]) -> None:
        """Check that only activations are computed.

        Raises:
            EdgeqError: EQ0903.
        """
        for slot, tensor in zip(self.slots_of(node, len(operands)).values(), operands, strict=True):
            if slot.role != "activation" and not tensor.is_constant:
                raise invalid(node, f"the {slot.role} {tensor.name} is computed", "no data", "a constant")

    def require_shapes(self, node: Node, operands: Sequence[Tensor]) -> None:
        """Check what the slots say of shapes; a bias and factors follow the first axis of the weight.

        Raises:
            EdgeqError: EQ0903.
        """
        slots = self.slots_of(node, len(operands)).values()
        weights = [tensor for slot, tensor in zip(slots, operands, strict=True) if slot.role == "weight"]
        for slot, tensor in zip(slots, operands, strict=True):
            if slot.rank is not None and len(tensor.shape) != slot.rank:
                raise invalid(node, f"{tensor.name} has a wrong rank", tensor.shape, f"{slot.rank} dimensions")
            channels = weights[0].shape[:1] if weights else (1,)
            allowed = {"bias": (channels,), "factor": (channels, (1,))}.get(slot.role, ())
            if slot.shape is not None:
                allowed = (slot.shape,)
            if allowed and tensor.shape not in allowed:
                words = " or ".join(str(list(shape)) for shape in dict.fromkeys(allowed))
                raise invalid(node, f"{slot.role} {tensor.name} has a wrong shape", tensor.shape, words)


def _in_onnx(slot: Slot, chosen: Type | None, *, quantized: bool) -> str:
    """What an operand is in ONNX, in a tuple of types that gives its slot one where it has none of its own."""
    if slot.type == "int32":
        return "integer"
    if slot.type in QUANTIZED or (slot.type is None and quantized):
        return "float"
    found = slot.type or chosen
    assert found is not None  # a tuple has a type for each slot without one
    return found


def _listed(kinds: set[Type]) -> str:
    """Plain types for people."""
    if not set(INTEGERS) <= kinds:
        return ", ".join(kind for kind in PLAIN if kind in kinds)
    return "integers, bool" if "bool" in kinds else "integers"


def slots_of_modes(names: Callable[[Scaling], Sequence[str]]) -> tuple[Slot, ...]:
    """A slot of role ``factor`` and type int32 for each of the names, with the arithmetics that have it."""
    every = dict.fromkeys(name for scaling in SCALINGS.values() for name in names(scaling))
    return tuple(
        Slot(name, "factor", "int32", modes=tuple(mode for mode in MODES if name in names(SCALINGS[mode])))
        for name in every
    )


WEIGHTED: tuple[tuple[Type, ...], ...] = (
    ("int8", "int8", "int32", "int8"),
    ("int8", "int8", "int32", "int16"),
    ("int16", "int8", "int32", "int16"),
    ("int16", "int8", "int32", "int8"),
)
"""Types of x, weight, bias and result of a layer with constant weights."""

FACTORS = slots_of_modes(lambda scaling: scaling.operands)
"""What an arithmetic scales an accumulator by, behind the other operands."""


def type_of(tensor: Tensor) -> str:
    """The type of a tensor's values: a weight of 4 bits is ``int4``, although int8 holds it."""
    return tensor.dtype.value if tensor.bits is None else f"int{tensor.bits}"


def dtype_of(type_: Type) -> DType:
    """The element type that holds values of a type."""
    return DType.INT8 if type_ == "int4" else DType(type_)


def invalid(node: Node, what: str, got: object, allowed: object) -> EdgeqError:
    """The internal error for operands or attributes that lowering or a pass should never have produced."""
    return EdgeqError(
        "EQ0903",
        f"{node.op}: {what}",
        where=node.name,
        got=got,
        allowed=allowed,
        hint="this is a defect of edgeq: report it with the model",
    )


def scaling_of(node: Node) -> Scaling:
    """The arithmetic of a node.

    Raises:
        EdgeqError: EQ0903 where there is none of that name.
    """
    mode = node.text("requant")
    if mode not in SCALINGS:
        raise invalid(node, "unknown requantization", mode, " or ".join(MODES))
    return SCALINGS[mode]
