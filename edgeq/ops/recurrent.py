"""Recurrent layers over a sequence of one sample: LSTM, GRU, RNN.

The gates of a layer lie one behind the other in the rows of its weights, in ONNX's order: input, output, forget and
cell of an LSTM; update, reset and hidden of a GRU. The arithmetic is that of :mod:`edgeq.numerics.recurrent`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import prod

import numpy as np

from edgeq.ir import DType, Node, Tensor
from edgeq.numerics.array import Array, matmul_exact, product_max, saturate
from edgeq.numerics.recurrent import (
    BITS,
    CELL_MAX,
    GateFactors,
    cell_tanh,
    preactivation,
    product,
    scaled,
    sigmoid,
    tanh,
)
from edgeq.ops.accumulator import IN_ZERO, RESULT_TYPE, value_of
from edgeq.ops.base import Attribute, Evaluate, OnnxAttribute, OnnxForm, Op, Sample
from edgeq.ops.signature import RESULT, Shape, Signature, Slot, Type, invalid

MAX_STEPS = 1 << 15
"""A cell grows by at most one a step: so many leave it within int32."""
_ONE = 1 << BITS
_TYPES: tuple[tuple[Type, ...], ...] = (("int8", "int8"), ("int8", "int16"), ("int16", "int16"), ("int16", "int8"))
_CONSTANTS = (
    Slot("x", rank=3),
    Slot("weight", "weight", "int8", rank=2),
    Slot("recurrent", "weight", "int8", rank=2),
    Slot("bias", "bias", "int32"),
    Slot("x_multiplier", "factor", "int32"),
    Slot("h_multiplier", "factor", "int32"),
    Slot("table", "table", "int16", shape=(513,)),
)
_HIDDEN = Slot("hidden", type="int16", rank=3, optional=True)
_CELL = Slot("cell", type="int16", rank=3, optional=True)


def _factor(name: str, what: str, *, optional: bool = True) -> Attribute:
    return Attribute(name, "ints", f"multiplier and shift from {what}", 0, optional=optional)


_ATTRIBUTES = (
    RESULT_TYPE,
    Attribute("sequence", "int", "1: the result has every step; 0: the last one", 0, 1),
    Attribute("reverse", "int", "1: from the last step to the first", 0, 1),
    Attribute("shift", "int", "s of the pre-activation", 1, 61),
    IN_ZERO,
    _factor("hidden_out", "the hidden values to the result", optional=False),
    value_of(RESULT, "out_zero", "zero point of the result"),
    _factor("hidden_in", "the state to the hidden values"),
)
_CELL_ATTRIBUTES = (_factor("cell_in", "the state to the cell"), _factor("cell_out", "the cell to the state"))


# --- shapes ----------------------------------------------------------------------------------------------------------


def _shape(gates: int) -> Callable[[Node, Sequence[Tensor]], Shape]:
    def shape(node: Node, operands: Sequence[Tensor]) -> Shape:
        x, weight, recurrent = operands[:3]
        size = recurrent.shape[1]
        if weight.shape != (gates * size, x.shape[2]) or recurrent.shape[0] != gates * size or x.shape[1] != 1:
            shapes = f"x {x.shape} weight {weight.shape} recurrent {recurrent.shape}"
            raise invalid(node, "operand shapes do not match", shapes, f"x[T,1,I] weight[{gates}H,I] recurrent[…,H]")
        if x.shape[0] > MAX_STEPS:
            raise invalid(node, "too many steps", x.shape[0], MAX_STEPS)
        for state in (operand for operand in operands[len(_CONSTANTS) :] if len(operand.shape) == len(x.shape)):
            if state.shape != (1, 1, size):
                raise invalid(node, "a state has another shape", state.shape, (1, 1, size))
        return (x.shape[0], 1, 1, size) if node.integer("sequence") else (1, 1, size)

    return shape


def _cells(node: Node, operands: Sequence[Tensor]) -> list[tuple[Shape, DType]]:
    return [((1, 1, operands[2].shape[1]), DType.INT16)] if "cell_out" in node.attrs else []


def _macs(node: Node, operands: Sequence[Tensor]) -> int:
    return operands[0].shape[0] * (prod(operands[1].shape) + prod(operands[2].shape))


# --- values ----------------------------------------------------------------------------------------------------------


def _given(node: Node, x: Array, weight: Array, bias: Array) -> Array:
    """What the inputs add to the pre-activations of each step: int64 [T, rows]."""
    centred = x[:, 0, :].astype(np.int32) - node.integer("in_zero")
    sums: Array = matmul_exact(centred, weight.T, 2 * product_max(x, weight)) + bias
    return sums


def _product(recurrent: Array, hidden: Array) -> Array:
    """int64 [rows]."""
    return matmul_exact(hidden.reshape(1, -1), recurrent.T, product_max(hidden, recurrent)).reshape(-1)


def _first_hidden(node: Node, states: Sequence[Array], size: int) -> Array:
    if not states:
        return np.zeros(size, np.int16)
    return _int16(scaled(states[0].reshape(size), *node.integers("hidden_in")))


def _steps(node: Node, count: int) -> Iterator[int]:
    return iter(range(count)[:: -1 if node.integer("reverse") else 1])


def _result(node: Node, made: Array, x: Array) -> Array:
    """The hidden values [T, H] of all steps as the result has them."""
    size = made.shape[1]
    last = made[0] if node.integer("reverse") else made[-1]
    read = made.reshape(-1, 1, 1, size) if node.integer("sequence") else last.reshape(1, 1, size)
    dtype = np.dtype(node.text(RESULT)) if RESULT in node.attrs else x.dtype
    limits = np.iinfo(dtype)
    values = scaled(read, *node.integers("hidden_out")) + node.integer("out_zero")
    return saturate(values, limits.min, limits.max, dtype)


def _int16(values: Array) -> Array:
    return saturate(values, -_ONE, _ONE - 1, np.int16)


def _evaluate_lstm(node: Node, arrays: Sequence[Array]) -> list[Array]:
    x, weight, recurrent, bias, x_multiplier, h_multiplier, table, *states = arrays
    size = recurrent.shape[1]
    factors = GateFactors(x_multiplier, h_multiplier, node.integer("shift"))
    given, hidden = _given(node, x, weight, bias), _first_hidden(node, states, size)
    cell = np.zeros(size, np.int64)
    if states:
        cell = np.clip(scaled(states[1].reshape(size), *node.integers("cell_in")), -CELL_MAX, CELL_MAX)
    made = np.zeros((len(x), size), np.int16)
    for step in _steps(node, len(x)):
        i, o, f, c = preactivation(given[step], _product(recurrent, hidden), factors).reshape(4, size)
        kept, added = sigmoid(f, table) * cell, sigmoid(i, table) * tanh(c, table)
        cell = (kept + added + (_ONE >> 1)) >> BITS
        made[step] = hidden = _int16(product(sigmoid(o, table), cell_tanh(cell, table)))
    results = [_result(node, made, x)]
    if "cell_out" in node.attrs:
        results.append(_int16(scaled(cell, *node.integers("cell_out"))).reshape(1, 1, size))
    return results


def _evaluate_gru(node: Node, arrays: Sequence[Array]) -> list[Array]:
    x, weight, recurrent, bias, x_multiplier, h_multiplier, table, recurrent_bias, *states = arrays
    size = recurrent.shape[1]
    factors = GateFactors(x_multiplier, h_multiplier, node.integer("shift"))
    rows = slice(2 * size, None)
    last = GateFactors(x_multiplier[rows], h_multiplier[rows], factors.shift)
    given, hidden = _given(node, x, weight, bias), _first_hidden(node, states, size)
    made = np.zeros((len(x), size), np.int16)
    for step in _steps(node, len(x)):
        sums = _product(recurrent, hidden) + recurrent_bias
        update, reset, _ = preactivation(given[step], sums, factors).reshape(3, size)
        update, reset = sigmoid(update, table), sigmoid(reset, table)
        if node.integer("reset_after"):
            inner = product(reset, sums[rows])
        else:
            inner = _product(recurrent[rows], _int16(product(reset, hidden.astype(np.int64))))
        new = tanh(preactivation(given[step, rows], inner, last), table)
        made[step] = hidden = _int16(((_ONE - update) * new + update * hidden + (_ONE >> 1)) >> BITS)
    return [_result(node, made, x)]


def _evaluate_rnn(node: Node, arrays: Sequence[Array]) -> list[Array]:
    x, weight, recurrent, bias, x_multiplier, h_multiplier, table, *states = arrays
    size = recurrent.shape[1]
    factors = GateFactors(x_multiplier, h_multiplier, node.integer("shift"))
    given, hidden = _given(node, x, weight, bias), _first_hidden(node, states, size)
    made = np.zeros((len(x), size), np.int16)
    for step in _steps(node, len(x)):
        sums = preactivation(given[step], _product(recurrent, hidden), factors)
        made[step] = hidden = _int16(tanh(sums, table))
    return [_result(node, made, x)]


# --- operators -------------------------------------------------------------------------------------------------------


def _form(onnx: str, activations: tuple[int, ...], wide: tuple[int, ...], *further: OnnxAttribute) -> OnnxForm:
    return OnnxForm(
        onnx,
        activations=activations,
        matrices={1: 1, 2: 1},
        constants={1: "weight", 2: "recurrent weight", 3: "bias"},
        wide=wide,
        attributes=(
            OnnxAttribute("hidden_size", "int", low=1),
            OnnxAttribute("direction", "str", ("forward", "reverse")),
            OnnxAttribute("layout", "int", (0,)),
            OnnxAttribute("activations", "strings"),
            OnnxAttribute("activation_alpha", "floats"),
            OnnxAttribute("activation_beta", "floats"),
            OnnxAttribute("clip", "float", ()),
            *further,
        ),
    )


def _samples(onnx: str, gates: int, **attributes: int) -> tuple[Sample, ...]:
    def sample(name: str, steps: int, inputs: int, size: int, **more: str) -> Sample:
        draw = np.random.default_rng([steps, inputs, size])
        constants: dict[int, Shape | Array] = {1: (1, gates * size, inputs), 3: (1, 2 * gates * size)}
        # Small, so that a difference does not grow from step to step.
        constants[2] = draw.normal(0.0, 0.3, (1, gates * size, size)).astype(np.float32)
        stated: dict[str, int | str] = {"hidden_size": size, **attributes, **more}
        # Of a short sequence the results are small, and rounding the bias counts.
        return Sample(name, onnx, ((steps, 1, inputs),), constants, stated, tolerance=2.01)

    label = "".join(f"-{name}" for name, value in attributes.items() if value)
    return (
        sample(f"t1-i1-h1{label}", 1, 1, 1),
        sample(f"t5-i3-h4{label}", 5, 3, 4),
        sample(f"t7-i10-h9{label}", 7, 10, 9),
        sample(f"t4-i17-h20-reverse{label}", 4, 17, 20, direction="reverse"),
        sample(f"t6-i8-h7{label}", 6, 8, 7),
    )


def _op(
    name: str,
    gates: int,
    summary: str,
    evaluate: Evaluate,
    form: OnnxForm,
    samples: tuple[Sample, ...],
    *,
    slots: tuple[Slot, ...] = (),
    attributes: tuple[Attribute, ...] = (),
    cells: bool = False,
    limits: str = "activation Tanh",
) -> Op:
    return Op(
        name=name,
        family="recurrent",
        summary=f"{summary}: x[T,1,I], weight[{gates}H,I], recurrent[{gates}H,H], bias, multipliers, table, (states)",
        signature=Signature((*_CONSTANTS, *slots, _HIDDEN, *((_CELL,) if cells else ())), _TYPES),
        attributes=(*_ATTRIBUTES, *attributes),
        shape=_shape(gates),
        others=_cells if cells else None,
        evaluate=evaluate,
        macs=_macs,
        onnx=(form,),
        samples=samples,
        limits=f"the sums must fit int32; at most {MAX_STEPS} steps; {limits}",
    )


LSTM = _op(
    "lstm",
    4,
    "Long short-term memory",
    _evaluate_lstm,
    _form("LSTM", (0, 5, 6), (1, 2), OnnxAttribute("input_forget", "int", (0,))),
    _samples("LSTM", 4),
    attributes=_CELL_ATTRIBUTES,
    cells=True,
    limits="with peepholes, clipping or other activations than Sigmoid, Tanh, Tanh written out step by step",
)
GRU = _op(
    "gru",
    3,
    "Gated recurrent unit",
    _evaluate_gru,
    _form("GRU", (0, 5), (1,), OnnxAttribute("linear_before_reset", "int", low=0)),
    (*_samples("GRU", 3), *_samples("GRU", 3, linear_before_reset=1)),
    slots=(Slot("recurrent_bias", "bias", "int32"),),
    attributes=(Attribute("reset_after", "int", "1: the reset gate scales the product, not its operand", 0, 1),),
    limits="with clipping or other activations than Sigmoid, Tanh written out step by step",
)
RNN = _op(
    "rnn",
    1,
    "Recurrent layer without gates",
    _evaluate_rnn,
    _form("RNN", (0, 5), (1,)),
    _samples("RNN", 1),
    limits="with clipping or another activation than Tanh written out step by step",
)
OPS = (GRU, LSTM, RNN)
