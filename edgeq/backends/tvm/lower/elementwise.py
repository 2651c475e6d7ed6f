"""Sums and products of two tensors, with numpy broadcasting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from edgeq.backends.tvm.integers import Expression, Variable, i32, i64, loops, scale_twice
from edgeq.backends.tvm.step import Step
from edgeq.ir import DType


def element(step: Step, operand: int, index: Sequence[Expression]) -> Expression:
    """One element of a broadcast operand, as int32."""
    shape = step.operands[operand].shape
    behind = index[len(index) - len(shape) :]
    place = tuple(0 if extent == 1 else at for extent, at in zip(shape, behind, strict=True))
    return i32(step.inputs[operand][place])


def _sum(sign: int) -> Callable[[Step], None]:
    def lower(step: Step) -> None:
        with loops(*step.extents) as index:
            a, b = element(step, 0, index), element(step, 1, index)
            _SUMS[step.formula](step, a, b, sign, index)

    return lower


def _add_highmul(step: Step, a: Expression, b: Expression, sign: int, index: Sequence[Expression]) -> None:
    """``(a·ma ± b·mb + offset) >> shift``, all of it int32, of int16 int64 (``numerics.addition``)."""
    node = step.node
    wide, dtype = (i32, "int32") if step.operands[0].dtype is DType.INT8 else (i64, "int64")
    total = Variable(wide(a) * wide(node.integer("a_multiplier")) + wide(node.integer("offset")), dtype)
    total.add(wide(b) * wide(sign * node.integer("b_multiplier")))
    step.store_clamped(total.value >> wide(node.integer("shift")), *index, dtype=dtype)


def _add_double(step: Step, a: Expression, b: Expression, sign: int, index: Sequence[Expression]) -> None:
    node = step.node

    def scaled(value: Expression, name: str) -> Expression:
        raised = (i64(value) - i64(node.integer(f"{name}_zero"))) << i64(node.integer("left_shift"))
        return scale_twice(raised, i64(node.integer(f"{name}_multiplier")), i64(node.integer(f"{name}_exponent")))

    total = Variable(scaled(a, "a"), "int64")
    total.add(scaled(b, "b") * i64(sign))
    out = scale_twice(total.value, i64(node.integer("out_multiplier")), i64(node.integer("out_exponent")))
    result = Variable(out + i64(node.integer("out_zero")), "int64")
    step.store_clamped(result.value, *index, dtype="int64")


_SUMS: Final = {"double": _add_double, "highmul": _add_highmul}


def _mul(step: Step) -> None:
    with loops(*step.extents) as index:
        a = element(step, 0, index) - step.node.integer("a_zero")
        b = element(step, 1, index) - step.node.integer("b_zero")
        step.store_scaled(a * b, index)


LOWERINGS: Final = {"add": _sum(1), "mul": _mul, "sub": _sum(-1)}
