"""Reductions over neighbouring axes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from tvm import tirx

from edgeq.backends.tvm.integers import Expression, Variable, i32, i64, loops, saturate, scale_highmul, when
from edgeq.backends.tvm.step import Step
from edgeq.ir import DType
from edgeq.numerics.reduction import LOGARITHM_BITS, ROOT_BITS

Along = Callable[[], AbstractContextManager[Expression]]


@contextmanager
def reduced(step: Step) -> Iterator[tuple[Sequence[Expression], Along]]:
    """The loops over the results: where each is, and the loops over the elements of x, int32, that it is made of."""
    node, shape, axes = step.node, step.shape, step.node.integers("axes")
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    with loops(*(shape[axis] for axis in kept)) as outer:
        at = dict(zip(kept, outer, strict=True))
        # An axis that was reduced stays as one element where the node keeps it.
        index = [at.get(axis, 0) for axis in range(len(shape)) if axis in at or node.integer("keepdims")]

        @contextmanager
        def along() -> Iterator[Expression]:
            with loops(*(shape[axis] for axis in axes)) as inner:
                place = at | dict(zip(axes, inner, strict=True))
                yield i32(step.inputs[0][tuple(place[axis] for axis in range(len(shape)))])

        yield index, along


def _extreme(
    choose: Callable[[Expression, Expression], Expression], worst: Callable[[DType], int]
) -> Callable[[Step], None]:
    def lower(step: Step) -> None:
        with reduced(step) as (index, along):
            best = Variable(i32(worst(step.operands[0].dtype)))
            with along() as x:
                best.set(choose(best.value, x))
            step.store(step.cast(best.value), *index)

    return lower


def _total(step: Step, along: Along, term: str) -> Variable:
    """The sum of terms of x less its zero point, int64."""
    total = Variable(i64(0), "int64")
    with along() as x:
        value = Variable(i64(x) - i64(step.node.integer("in_zero")), "int64").value
        terms = {"magnitude": tirx.max(value, i64(0) - value), "square": value * value, "value": value}
        total.add(terms[term])
    return total


def _sum(step: Step) -> None:
    shift = step.node.integer("shift")
    with reduced(step) as (index, along):
        total = _total(step, along, step.node.text("term")).value
        narrow = total if shift < 0 else tirx.Cast("int32", total)
        scaled = scale_highmul(narrow, step.buffers["multiplier"][0], shift)
        result = Variable(scaled + i64(step.node.integer("out_zero")), "int64")
        step.store_clamped(result.value, *index, dtype="int64")


def _l2(step: Step) -> None:
    """``numerics.reduction.scaled_root``: the root digit by digit."""
    node = step.node
    with reduced(step) as (index, along):
        total = _total(step, along, "square")
        result, shift = Variable(i64(0), "int64"), Variable(i64(node.integer("shift")), "int64")
        with when(total.value > i64(0)):
            with loops(ROOT_BITS // 2), when(total.value < i64(1 << (ROOT_BITS - 2))):
                total.set(total.value << i64(2))
                shift.add(i64(1))
            root = Variable(i64(0), "int64")
            with loops(ROOT_BITS // 2) as (digit,):
                bit = Variable(i64(1 << (ROOT_BITS - 2)) >> (i64(2) * i64(digit)), "int64").value
                trial = Variable(root.value + bit, "int64").value
                root.set(root.value >> i64(1))
                with when(total.value >= trial):
                    total.set(total.value - trial)
                    root.add(bit)
            with when(shift.value <= i64(ROOT_BITS)):
                half = i64(1) << (shift.value - i64(1))
                result.set((root.value * i64(node.integer("multiplier")) + half) >> shift.value)
        result.add(i64(node.integer("out_zero")))
        step.store_clamped(result.value, *index, dtype="int64")


def _logarithm(total: Variable) -> Variable:
    """``numerics.reduction.logarithm`` of a positive value, which is lost."""
    found = Variable(i64(ROOT_BITS - 1), "int64")
    with loops(ROOT_BITS), when(total.value < i64(1 << (ROOT_BITS - 1))):
        total.set(total.value << i64(1))
        found.add(i64(-1))
    x = Variable(tirx.Cast("uint64", total.value >> i64(30)), "uint64")
    with loops(LOGARITHM_BITS):
        x.set((x.value * x.value) >> tirx.const(31, "uint64"))
        bit = Variable(x.value >> tirx.const(32, "uint64"), "uint64").value
        x.set(x.value >> bit)
        found.set(i64(2) * found.value + i64(bit))
    return found


def _scaled_logarithm(step: Step, total: Variable, linear: Expression | None) -> Expression:
    node = step.node
    scaled = Variable(_logarithm(total).value * i64(node.integer("multiplier")), "int64")
    if linear is not None:
        scaled.add(linear * i64(node.integer("slope")))
    shifted = (scaled.value + i64(node.integer("offset"))) >> i64(node.integer("shift"))
    return saturate(shifted, node.integer("clamp_min"), node.integer("clamp_max"), "int64")


def _log_sum(step: Step) -> None:
    with reduced(step) as (index, along):
        total = _total(step, along, "value")
        result = Variable(i64(step.node.integer("clamp_min")), "int64")
        with when(total.value > i64(0)):
            result.set(_scaled_logarithm(step, total, None))
        step.store(step.cast(result.value), *index)


def _log_sum_exp(step: Step) -> None:
    dtype, table = step.operands[0].dtype, step.buffers["table"]
    with reduced(step) as (index, along):
        largest = Variable(i32(dtype.min))
        with along() as x:
            largest.set(tirx.max(largest.value, x))
        total = Variable(i64(0), "int64")
        with along() as x:
            d = Variable(largest.value - x).value
            if dtype is DType.INT8:
                total.add(i64(table[d]))
            else:
                product = i64(table[d >> i32(8)]) * i64(table[i32(256) + (d & i32(255))])
                total.add((product + i64(1 << 15)) >> i64(16))
        linear = Variable(i64(largest.value) - i64(step.node.integer("in_zero")), "int64")
        step.store(step.cast(_scaled_logarithm(step, total, linear.value)), *index)


LOWERINGS: Final = {
    "reduce_l2": _l2,
    "reduce_log_sum": _log_sum,
    "reduce_log_sum_exp": _log_sum_exp,
    "reduce_max": _extreme(tirx.max, lambda dtype: dtype.min),
    "reduce_min": _extreme(tirx.min, lambda dtype: dtype.max),
    "reduce_sum": _sum,
}
