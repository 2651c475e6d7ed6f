"""Activations: clamps merged, composed forms recognised, and put right behind the layer that they belong to."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import AttributeValue, Edit, Rule
from edgeq.frontend.facts import (
    integer,
    is_op,
    known_shape,
    made_by,
    name_of,
    number,
    operand,
    required,
    scalar,
    shape_of,
)
from edgeq.onnxio.forms import is_plain
from edgeq.ops import onnx_forms, onnx_types

_LOWEST = float(np.finfo(np.float32).min)
_HIGHEST = float(np.finfo(np.float32).max)
_NONNEGATIVE = onnx_types(lambda op, form: form.nonnegative)
_KEEPS_SIGN = onnx_types(lambda op, form: form.passes_range)
_MAX_LOOK_BACK = 8
_CLOSE = 1e-5


def is_nonnegative(value: ir.Value | None, edit: Edit, depth: int = 0) -> bool:
    """Whether a value is proven never to be negative."""
    node = None if value is None else value.producer()
    if node is None or depth > _MAX_LOOK_BACK or node.domain:
        return False
    if node.op_type in _NONNEGATIVE:
        return True
    if node.op_type == "Clip":
        low = scalar(edit.array(operand(node, 1)))
        return low is not None and low >= 0
    if node.op_type in _KEEPS_SIGN:
        _, form = onnx_forms()[node.op_type]
        filling = node.inputs if form.activations is None else [operand(node, index) for index in form.activations]
        values = [item for item in filling if item is not None and not is_plain(item)]
        return all(is_nonnegative(item, edit, depth + 1) for item in values)
    return False


def clamp_bounds(node: ir.Node, edit: Edit) -> tuple[float, float] | None:
    """The interval that a Relu or Clip clamps to; None where it is computed."""
    if node.op_type == "Relu":
        return 0.0, math.inf
    bounds = []
    for index, default in ((1, -math.inf), (2, math.inf)):
        value = operand(node, index)
        if value is None:
            bounds.append(default)
            continue
        number_ = scalar(edit.array(value))
        if number_ is None or math.isnan(number_):
            return None
        bounds.append(default if number_ <= _LOWEST or number_ >= _HIGHEST else number_)
    return bounds[0], bounds[1]


def _clamp(edit: Edit, result: ir.Value, x: ir.Value, low: float, high: float) -> None:
    """Make a result by Relu or Clip of a value, or by the value itself."""
    base, shape = name_of(result), shape_of(result)
    if (low, high) == (0.0, math.inf):
        edit.supersede(result, edit.node("Relu", [x], base=f"{base}_relu", shape=shape))
        return
    operands: list[ir.Value | None] = [x, None, None]
    for index, (label, bound) in enumerate((("min", low), ("max", high)), start=1):
        if math.isfinite(bound):
            operands[index] = edit.constant(np.array(bound, dtype=np.float32), f"{base}_{label}")
    while operands[-1] is None:
        operands.pop()
    edit.supersede(result, edit.node("Clip", operands, base=f"{base}_clip", shape=shape))


def merge_clamps(node: ir.Node, edit: Edit) -> str | None:
    """Relu and Clip behind Relu and Clip become one; Clip from zero up is Relu; without bounds it is nothing."""
    x, result = required(node, 0), node.outputs[0]
    if x.dtype != ir.DataType.FLOAT:
        return "not float"
    bounds = clamp_bounds(node, edit)
    if bounds is None:
        return "a bound is computed"
    low, high = bounds
    if low > high:
        return "the interval is empty"
    if low <= 0 and high == math.inf and is_nonnegative(x, edit):
        low = -math.inf
    if (low, high) == (-math.inf, math.inf):
        if not edit.can_alias(result, x):
            return "an output needs a value of its own"
        edit.replace(result, x)
        return None
    before = x.producer()
    if before is not None and is_op(before, "Relu", "Clip") and edit.only_user(x) is not None:
        inner = clamp_bounds(before, edit)
        if inner is not None and max(low, inner[0]) <= min(high, inner[1]):
            _clamp(edit, result, required(before, 0), max(low, inner[0]), min(high, inner[1]))
            return None
    if node.op_type == "Relu" or _is_spelled(node, low, high, edit):
        return "it is the only clamp"
    _clamp(edit, result, x, low, high)
    return None


def _is_spelled(node: ir.Node, low: float, high: float, edit: Edit) -> bool:
    """Whether a Clip states exactly its finite bounds, as scalars."""
    if (low, high) == (0.0, math.inf):
        return False
    for index, bound in ((1, low), (2, high)):
        array = edit.array(operand(node, index))
        if (array is not None) != math.isfinite(bound) or (array is not None and array.ndim):
            return False
    return True


def extreme_to_clip(node: ir.Node, edit: Edit) -> str | None:
    """Min and Max with a constant number become Clip."""
    values = [value for value in node.inputs if value is not None]
    if len(values) != 2:
        return "not two operands"
    for x, other in (values, values[::-1]):
        bound = scalar(edit.array(other))
        if bound is None or not edit.is_computed(x) or x.dtype != ir.DataType.FLOAT:
            continue
        if known_shape(x) != known_shape(node.outputs[0]) or not math.isfinite(bound):
            continue
        low, high = (bound, math.inf) if node.op_type == "Max" else (-math.inf, bound)
        _clamp(edit, node.outputs[0], x, low, high)
        return None
    return "no constant number"


def _is_close(value: float | None, wanted: float) -> bool:
    return value is not None and abs(value - wanted) <= _CLOSE


def recognise_hard_sigmoid(node: ir.Node, edit: Edit) -> str | None:
    """Clip(x + 3, 0, 6) / 6 becomes HardSigmoid, with any slope and offset that give 0 to 1."""
    slope, clip = scalar(edit.array(operand(node, 1))), required(node, 0).producer()
    if slope is None or clip is None or not is_op(clip, "Clip") or edit.only_user(required(node, 0)) is None:
        return "not a clamp times a number"
    bounds, add = clamp_bounds(clip, edit), required(clip, 0).producer()
    if bounds is None or add is None or not is_op(add, "Add") or edit.only_user(required(clip, 0)) is None:
        return "not a clamp of a sum"
    offset = scalar(edit.array(operand(add, 1)))
    if offset is None or bounds[0] != 0 or not _is_close(bounds[1] * slope, 1.0):
        return "the result is not between 0 and 1"
    result = node.outputs[0]
    attributes: dict[str, AttributeValue] = {"alpha": float(slope), "beta": float(offset * slope)}
    edit.supersede(
        result,
        edit.node(
            "HardSigmoid", [required(add, 0)], attributes, base=f"{name_of(result)}_hard", shape=shape_of(result)
        ),
    )
    return None


def recognise_hard_swish(node: ir.Node, edit: Edit) -> str | None:
    """x · HardSigmoid(x) becomes HardSwish; so does x · Clip(x + 3, 0, 6) · 1/6 in any order."""
    result = node.outputs[0]
    for x, other in (node.inputs, tuple(node.inputs)[::-1]):
        gate = None if other is None else other.producer()
        if gate is None or x is None or other is None or edit.only_user(other) is None:
            continue
        if is_op(gate, "HardSigmoid") and required(gate, 0) is x:
            if _is_close(number(gate, "alpha", 0.2), 1 / 6) and _is_close(number(gate, "beta", 0.5), 0.5):
                _swish(edit, result, x)
                return None
        elif is_op(gate, "Clip") and (scaled := edit.only_user(result)) is not None and is_op(scaled, "Mul"):
            factor = scalar(edit.array(operand(scaled, 1)))
            if _is_close(factor, 1 / 6) and _is_six_clamp_of_shifted(gate, x, edit):
                _swish(edit, scaled.outputs[0], x)
                return None
    return "not x times a hard sigmoid of x"


def _is_six_clamp_of_shifted(clip: ir.Node, x: ir.Value, edit: Edit) -> bool:
    """Clip(x + 3, 0, 6)."""
    add = required(clip, 0).producer()
    if add is None or not is_op(add, "Add") or required(add, 0) is not x or clamp_bounds(clip, edit) != (0.0, 6.0):
        return False
    return scalar(edit.array(operand(add, 1))) == 3.0


def _swish(edit: Edit, result: ir.Value, x: ir.Value) -> None:
    edit.supersede(result, edit.node("HardSwish", [x], base=f"{name_of(result)}_swish", shape=shape_of(result)))


def recognise_gelu(node: ir.Node, edit: Edit) -> str | None:
    """x · (1 + erf(x/sqrt(2))) · 0.5 becomes Gelu, its factors in any order; so does the form with tanh."""
    factors, half = _factors(node, edit), 1.0
    sums = [(factor, add) for factor in factors if (add := made_by(factor, "Add")) is not None]
    found = next(((factor, add) for factor, add in sums if scalar(edit.array(operand(add, 1))) == 1), None)
    if found is None or found[0] in edit.params:
        return "not times 1 and something"
    rest = [factor for factor in factors if factor is not found[0]]
    computed = [factor for factor in rest if edit.is_computed(factor)]
    for factor in rest:
        if not edit.is_computed(factor):
            half *= scalar(edit.array(factor)) or 0.0
    if len(computed) != 1 or half != 0.5:
        return "not a half of one value"
    x, result = computed[0], node.outputs[0]
    approximate = _gelu_form(required(found[1], 0), x, edit)
    if approximate is None or shape_of(x) != shape_of(result):
        return "not of its error function or tanh"
    attributes: dict[str, AttributeValue] = {"approximate": approximate}
    edit.supersede(result, edit.node("Gelu", [x], attributes, base=f"{name_of(result)}_gelu", shape=shape_of(result)))
    return None


def _factors(node: ir.Node, edit: Edit, depth: int = 2) -> list[ir.Value]:
    """The factors of a product of products; an inner one has no other reader."""
    found: list[ir.Value] = []
    for value in (required(node, 0), required(node, 1)):
        inner = made_by(value, "Mul")
        if inner is not None and depth and edit.only_user(value) is not None:
            found += _factors(inner, edit, depth - 1)
        else:
            found.append(value)
    return found


def _gelu_form(value: ir.Value, x: ir.Value, edit: Edit) -> str | None:
    """What is added to 1: ``none`` for erf(x / sqrt(2)), ``tanh`` for tanh(sqrt(2/pi) · (x + 0.044715 · x³))."""
    erf, tanh = made_by(value, "Erf"), made_by(value, "Tanh")
    inner = made_by(None if erf is None else required(erf, 0), "Mul")
    if value in edit.params:
        return None
    if erf is not None:
        scaled = inner is not None and required(inner, 0) is x and required(erf, 0) not in edit.params
        factor = None if inner is None else scalar(edit.array(operand(inner, 1)))
        return "none" if scaled and _is_close(factor, math.sqrt(0.5)) else None
    inner = made_by(None if tanh is None else required(tanh, 0), "Mul")
    added = None if inner is None else made_by(required(inner, 0), "Add")
    if inner is None or added is None or not _is_close(scalar(edit.array(operand(inner, 1))), math.sqrt(2 / math.pi)):
        return None
    cube = next((other for other in added.inputs if other is not x), None)
    product = made_by(cube, "Mul")
    if x not in added.inputs or cube is None or product is None:
        return None
    factors = _factors(product, edit, 3)
    numbers = [scalar(edit.array(factor)) for factor in factors if not edit.is_computed(factor)]
    powers = [factor for factor in factors if edit.is_computed(factor)]
    power = made_by(powers[0], "Pow") if len(powers) == 1 else None
    cubed = powers == [x, x, x] or (
        power is not None and required(power, 0) is x and scalar(edit.array(operand(power, 1))) == 3
    )
    rounded = any(part in edit.params for part in (cube, added.outputs[0], inner.outputs[0], *powers) if part is not x)
    return "tanh" if cubed and not rounded and len(numbers) == 1 and _is_close(numbers[0], 0.044715) else None


def move_factor_off_operand(node: ir.Node, edit: Edit) -> str | None:
    """(x · Clip(x + 3, 0, 6)) may be written (x · 1/6) · Clip(x + 3, 0, 6); the number goes last."""
    for side in (0, 1):
        value, other = required(node, side), required(node, 1 - side)
        factor, gate = value.producer(), other.producer()
        if factor is None or gate is None or not is_op(factor, "Mul") or not is_op(gate, "Clip"):
            continue
        if scalar(edit.array(operand(factor, 1))) is None or edit.only_user(value) is None:
            continue
        if not _is_six_clamp_of_shifted(gate, required(factor, 0), edit):
            continue
        result = node.outputs[0]
        base, shape = name_of(result), shape_of(result)
        product = edit.node("Mul", [required(factor, 0), other], base=f"{base}_product", shape=shape)
        scaled = edit.node("Mul", [product, required(factor, 1)], base=f"{base}_scaled", shape=shape)
        edit.supersede(result, scaled)
        return None
    return "no number on one side of a gate"


def prelu_to_leaky(node: ir.Node, edit: Edit) -> str | None:
    """PRelu with one slope for all becomes LeakyRelu; LeakyRelu of slope zero becomes Relu."""
    x, result = required(node, 0), node.outputs[0]
    if node.op_type == "LeakyRelu":
        slope: float | None = number(node, "alpha", 0.01)
        if slope != 0:
            return "the slope is not zero"
    else:
        array = edit.array(operand(node, 1))
        if array is None or not array.size or (array != array.reshape(-1)[0]).any():
            return "the slopes differ"
        slope = float(array.reshape(-1)[0])
    kind = "Relu" if slope == 0 else "LeakyRelu"
    attributes: dict[str, AttributeValue] = {} if slope == 0 else {"alpha": float(slope)}
    edit.supersede(result, edit.node(kind, [x], attributes, base=f"{name_of(result)}_leaky", shape=shape_of(result)))
    return None


def lift_clamp_over_maxpool(node: ir.Node, edit: Edit) -> str | None:
    """Relu(MaxPool(Conv)) becomes MaxPool(Relu(Conv)): the same numbers, and the clamp is part of the convolution."""
    pool = required(node, 0).producer()
    if pool is None or not is_op(pool, "MaxPool", "GlobalMaxPool") or edit.only_user(required(node, 0)) is None:
        return "no max pooling of its own before it"
    x, result = required(pool, 0), node.outputs[0]
    layer = x.producer()
    if len(pool.outputs) > 1 or layer is None or not is_op(layer, "Conv") or edit.only_user(x) is None:
        return "the pooling is not right behind a convolution"
    if clamp_bounds(node, edit) is None:
        return "a bound is computed"
    base = name_of(result)
    clamped = edit.node(node.op_type, [x, *node.inputs[1:]], base=f"{base}_clamped", shape=shape_of(x))
    pooled = edit.node(pool.op_type, [clamped], base=f"{base}_pool", shape=shape_of(result))
    maker, inner, pool_name = pooled.producer(), clamped.producer(), pool.name
    if maker is not None:
        for attribute in pool.attributes.values():
            maker.attributes.add(attribute)
    name = node.name
    edit.supersede(result, pooled)
    edit.sweep()
    if maker is not None and inner is not None:
        edit.name_node(maker, pool_name)
        edit.name_node(inner, name)
    return None


# --- Softmax ---------------------------------------------------------------------------------------------------


def softmax_last(node: ir.Node, edit: Edit) -> str | None:
    """Softmax over another axis than the last goes between Transposes, or Reshapes where the axes behind are 1."""
    x, result = required(node, 0), node.outputs[0]
    shape = shape_of(x)
    axis = integer(node, "axis", -1) % max(len(shape), 1)
    last = len(shape) - 1
    base = name_of(result)
    if axis == last:
        if "axis" in node.attributes and integer(node, "axis", -1) == last:
            return "it is over the last axis"
        edit.supersede(result, edit.node("Softmax", [x], {"axis": last}, base=f"{base}_softmax", shape=shape))
        return None
    if all(dim == 1 for dim in shape[axis + 1 :]):
        flat = edit.reshape(x, shape[: axis + 1], base=f"{base}_flat")
        inner = edit.node("Softmax", [flat], {"axis": axis}, base=f"{base}_inner", shape=shape[: axis + 1])
        edit.hand_over(node, inner, edit.reshape(inner, shape, base=f"{base}_reshape"))
        return None
    perm = [*(other for other in range(len(shape)) if other != axis), axis]
    turned = edit.transpose(x, perm, base=f"{base}_operand")
    inner = edit.node("Softmax", [turned], {"axis": last}, base=f"{base}_inner", shape=shape_of(turned))
    edit.hand_over(node, inner, edit.transpose(inner, [int(i) for i in np.argsort(perm)], base=f"{base}_transpose"))
    return None


COMPOSED_RULES = (
    Rule("extreme_to_clip", ("Max", "Min"), extreme_to_clip),
    Rule("merge_clamps", ("Clip", "Relu"), merge_clamps),
    Rule("move_factor_off_operand", ("Mul",), move_factor_off_operand),
    Rule("recognise_gelu", ("Mul",), recognise_gelu),
    Rule("recognise_hard_sigmoid", ("Mul",), recognise_hard_sigmoid),
    Rule("recognise_hard_swish", ("Mul",), recognise_hard_swish),
    Rule("prelu_to_leaky", ("LeakyRelu", "PRelu"), prelu_to_leaky),
)
"""Before constants fold into layers: afterwards the composed forms are no longer to be seen."""

RULES = (
    Rule("merge_clamps", ("Clip", "Relu"), merge_clamps),
    Rule("lift_clamp_over_maxpool", ("Clip", "Relu"), lift_clamp_over_maxpool),
    Rule("softmax_last", ("Softmax",), softmax_last),
)
