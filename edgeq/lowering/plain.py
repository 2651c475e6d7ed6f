"""Plain values: the type that holds each, and between which numbers it lies.

A value has the type that ONNX gives it. Exporters declare int64 for everything that counts or indexes, so that an int64
is held as int32 wherever it is proven to fit: what it is computed from says how large it can be.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq.ir import DType, Tensor
from edgeq.lowering.context import Context, Target
from edgeq.numerics.intervals import INTERVALS, Interval, joined, within
from edgeq.onnxio.forms import form_of
from edgeq.ops import Op

if TYPE_CHECKING:
    import onnx_ir

# Operators whose results hold nothing but elements of their operands.
_MOVES: Final = frozenset(
    {
        *("concat", "gather", "gather_elements", "gather_nd", "max_pool", "one_hot", "reshape", "scatter_elements"),
        *("scatter_nd", "slice", "transpose", "where"),
    }
)
_INT32: Final = (DType.INT32.min, DType.INT32.max)


def bounds_of(dtype: DType) -> Interval:
    """All values of a type."""
    return dtype.min, dtype.max


def range_of(ctx: Context, tensor: Tensor) -> Interval:
    """An interval in which a plain value lies."""
    if tensor.data is not None and tensor.data.size:
        return int(tensor.data.min()), int(tensor.data.max())
    return ctx.ranges.get(tensor.name, bounds_of(tensor.dtype))


def bounded(ctx: Context, tensor: Tensor, interval: Interval) -> Tensor:
    """The tensor, of which an interval is known."""
    ctx.ranges[tensor.name] = interval
    return tensor


def held(declared: DType, interval: Interval) -> DType:
    """The type that holds a value of a declared type."""
    return DType.INT32 if declared is DType.INT64 and within(interval, _INT32) else declared


def in_type(ctx: Context, tensor: Tensor, dtype: DType, *, saturate: bool = False) -> Tensor:
    """A plain value in another type, wrapped around or saturated; it is converted once for all that read it."""
    if tensor.dtype is dtype:
        return tensor
    name = f"{tensor.name}.{'nearest_' if saturate else ''}{dtype.value}"
    made = ctx.graph.tensors.get(name)
    if made is not None and made.dtype is dtype and made.is_plain:
        return made
    low, high = range_of(ctx, tensor)
    attrs = {"saturate": int(saturate), "result": dtype.value}
    result = ctx.emit("convert", name, (tensor.name,), attrs, quant=None, sources=(tensor.name,))
    if within((low, high), bounds_of(dtype)):
        return bounded(ctx, result, (low, high))
    return result


def fitted(ctx: Context, op: Op, operands: Sequence[Tensor]) -> list[Tensor]:
    """Operands of an operator in types that go together: indices in int32, others of one ONNX type in one type.

    An index beyond int32 is beyond its axis, too, where it stands for the nearest element.
    """
    slots = [slot for slot in op.signature.slots if slot.role == "activation"]
    pairs = [(tensor, slots[min(number, len(slots) - 1)]) for number, tensor in enumerate(operands)]
    free = {tensor.dtype for tensor, slot in pairs if tensor.is_plain and slot.type is None}
    wide = free == {DType.INT32, DType.INT64}
    found = []
    for tensor, slot in pairs:
        if tensor.is_plain and slot.type == "int32":
            found.append(in_type(ctx, tensor, DType.INT32, saturate=True))
        elif tensor.is_plain and slot.type is None and wide:
            found.append(in_type(ctx, tensor, DType.INT64))
        else:
            found.append(tensor)
    return found


def note_range(ctx: Context, op: Op, operands: Sequence[Tensor], result: Tensor) -> None:
    """What moves elements has results between those of its operands."""
    if op.name not in _MOVES or result.name in ctx.ranges or not result.is_plain:
        return
    slots = [slot for slot in op.signature.slots if slot.role == "activation"]
    moved = [tensor for number, tensor in enumerate(operands) if slots[min(number, len(slots) - 1)].type is None]
    ctx.ranges[result.name] = joined(*(range_of(ctx, tensor) for tensor in moved))


def emit_function(
    ctx: Context, target: Target, declared: DType, function: str, a: Tensor, b: Tensor, inner: str | None = None
) -> Tensor:
    """A function of two values of one declared type; ``inner`` names one that is not yet the target's value."""
    found = INTERVALS[function](range_of(ctx, a), range_of(ctx, b))
    fits = found is not None and within(found, bounds_of(declared))
    interval = found if found is not None and fits else bounds_of(declared)
    dtype = held(declared, joined(interval, *(range_of(ctx, each) for each in (a, b))))
    if DType.INT64 in {a.dtype, b.dtype}:
        dtype = declared
    names = tuple(in_type(ctx, each, dtype).name for each in (a, b))
    attrs = {"function": function}
    if inner is None:
        return bounded(ctx, ctx.emit_result("integer", target, names, attrs), interval)
    name = f"{target.name}.{inner}"
    return bounded(ctx, ctx.emit("integer", name, names, attrs, quant=None, sources=target.sources), interval)


def magnitude_of(ctx: Context, target: Target, x: Tensor, inner: str | None = None) -> Tensor:
    """The larger of x and −x; of unsigned types x itself."""
    if range_of(ctx, x)[0] >= 0:
        return x if inner is not None else ctx.emit_result("reshape", target, (x.name,), {"shape": target.shape})
    negative = emit_function(ctx, target, target.declared, "subtract", constant_like(ctx, target, x, 0), x, "negative")
    return emit_function(ctx, target, target.declared, "max", x, negative, inner)


def constant_like(ctx: Context, target: Target, like: Tensor, value: int) -> Tensor:
    """A number of the type of another value."""
    values = np.array(value, like.dtype.numpy)
    return ctx.graph.tensors[ctx.add_constant(f"{target.name}.constant", values, dtype=like.dtype)]


def input_type(value: onnx_ir.Value, declared: DType, states: Collection[str]) -> DType:
    """The type that holds a plain input: int64 that is nothing but an index is int32."""
    narrow = declared is DType.INT64 and value.name not in states and _only_indexes(value, {})
    return DType.INT32 if narrow else declared


def _only_indexes(value: onnx_ir.Value, known: dict[onnx_ir.Value, bool]) -> bool:
    """Whether every reader takes a value for an index, or moves it to where it is one."""
    if value not in known:
        known[value] = not value.is_graph_output() and all(
            _reads_index(usage.node, usage.idx, known) for usage in value.uses()
        )
    return known[value]


def _reads_index(node: onnx_ir.Node, index: int, known: dict[onnx_ir.Value, bool]) -> bool:
    found = form_of(node)
    if found is None:
        return False
    op, form = found
    filling = list(range(len(node.inputs))) if form.activations is None else list(form.activations)
    if index not in filling:
        return False
    slots = [slot for slot in op.signature.slots if slot.role == "activation"]
    if slots[min(filling.index(index), len(slots) - 1)].type == "int32":
        return True
    result = node.outputs[0]
    whole = op.name == "convert" and result.dtype is not None and result.dtype.name in {"INT32", "INT64"}
    return (op.name in _MOVES or whole) and _only_indexes(result, known)
