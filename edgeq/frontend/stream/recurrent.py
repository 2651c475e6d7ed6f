"""Recurrent layers: their hidden values, and the cells of an LSTM, become states."""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.errors import Problem
from edgeq.frontend.edit import Edit
from edgeq.frontend.facts import integer, name_of, operand, shape_of, text
from edgeq.frontend.stream.build import Build, Refused, Signal
from edgeq.frontend.stream.flow import Flow, Summary
from edgeq.ir import DType, Quantization
from edgeq.numerics import DEFAULT_MODE
from edgeq.numerics.array import saturate
from edgeq.numerics.recurrent import BITS, HIDDEN_SCALE, scaled, scaled_factor
from edgeq.numerics.scaling import SCALINGS
from edgeq.onnxio.limits import shown

_SEQUENCE, _HIDDEN, _CELL = range(3)
_STATES: Final = {"GRU": (5,), "LSTM": (5, 6), "RNN": (5,)}
HIDDEN: Final = Quantization.per_tensor(DType.INT16, HIDDEN_SCALE)
"""Hidden values as the layer has them inside: between steps nothing is rounded."""
CELL: Final = Quantization.per_tensor(DType.INT16, 2.0**-12)
"""Cells are int32 inside, without a bound that is known before data: these hold ±8, where Tanh is flat."""


def recur(build: Build, node: ir.Node) -> None:
    """LSTM, GRU and RNN in their normalized form, forward."""
    if text(node, "direction", "forward") != "forward":
        raise Refused(
            "EQ0342",
            "a layer runs from the newest frame back",
            got=f"direction {text(node, 'direction', 'forward')}",
            hint="train it with one direction, forward",
        )
    x = build.settled(build.flowing(node, 0))
    flow = x.flow
    assert isinstance(flow, Flow)
    if flow.axis != 0:
        raise Refused("EQ0343", "a layer's sequence is another axis than time")
    if flow.late:
        raise Refused("EQ0342", "a layer is not causal: it pads behind the newest frame", got=flow.culprit)
    for index in _STATES[node.op_type]:
        first = operand(node, index)
        array = Edit.array(first)
        if first is not None and (array is None or array.any()):
            raise Refused("EQ0343", "the layer begins with other values than zero", hint="begin with zeros")
    size = integer(node, "hidden_size", 0) or shape_of(node.inputs[2])[-1]
    if flow.lag > 0:
        x = build.whole_steps(x)
        assert isinstance(x.flow, Flow)
        flow = x.flow
    build.mixing.append(str(node.name))
    build.recurrent.append(str(node.name))
    _emit(build, node, x, flow, size)


def _emit(build: Build, node: ir.Node, x: Signal, flow: Flow, size: int) -> None:
    """The layer with its states, and what the model reads of its results."""
    base, one = str(node.name), (1, 1, size)
    quantized = build.params(x.value) is not None
    held = [_state(build, f"{base}_{label}", x.value, one, params) for label, params in _labels(node, quantized)]
    operands = [x.value, *(build.fixed(node, index) for index in range(1, len(node.inputs)))]
    operands = [*operands, *[None] * 5][:5] + [build.begun_state(state, flow) for state in held]
    reads = [index for index, value in enumerate(node.outputs) if value.name and _is_read(value)]
    if _CELL in reads and flow.beyond:
        raise Refused("EQ0343", "the last cell is read in the middle of a step", hint="give --hop 1")
    made = _layer(build, node, operands, (flow.new, *one), sequence=_SEQUENCE in reads or bool(flow.beyond))
    hidden = made[_HIDDEN]
    if not hidden.name:
        last = build.cut(made[_SEQUENCE], 0, flow.new - 1, 1, f"{base}_newest")
        hidden = build.reshape(last, one, f"{base}_hidden_out")
    for state, value in zip(held, (hidden, *made[_CELL:]), strict=True):
        build.kept(state, value)
    result, whole = Flow(0, flow.length, flow.new, flow.rate, flow.lag, None), Summary(flow.steps, None)
    for index in reads:
        old = node.outputs[index]
        if index == _HIDDEN and flow.beyond:
            part = build.recent(Signal(made[_SEQUENCE], result), 1, flow.beyond, f"{base}_last")
            _give(build, old, build.reshape(part, one, f"{base}_last_hidden"), whole)
        elif index == _HIDDEN:
            _give(build, old, hidden, whole)
        else:
            _give(build, old, made[index], result if index == _SEQUENCE else whole)


def _layer(
    build: Build, node: ir.Node, operands: list[ir.Value | None], shape: tuple[int, ...], *, sequence: bool
) -> list[ir.Value]:
    """The node; quantized, it gives the sequence or its last step, of which the other one is a part."""
    first = operands[0]
    assert first is not None
    base, quantized = str(node.name), build.params(first) is not None
    results: list[tuple[str, tuple[int, ...]] | None] = [
        (build.free_name(f"{base}_sequence"), shape) if sequence else None,
        (build.free_name(f"{base}_hidden_out"), shape[1:]) if not (sequence and quantized) else None,
    ]
    if len(_STATES[node.op_type]) > 1:
        results.append((build.free_name(f"{base}_cell_out"), shape[1:]))
    made = build.results(node, operands, results)
    for value, params in zip(made, (HIDDEN, HIDDEN, CELL), strict=False):
        if quantized and value.name:
            build.plan.activations[name_of(value)] = params
    return made


def _labels(node: ir.Node, quantized: bool) -> list[tuple[str, Quantization | None]]:
    """What a layer keeps, and to what it is rounded."""
    kept = (("hidden", HIDDEN), ("cell", CELL))[: len(_STATES[node.op_type])]
    return [(label, params if quantized else None) for label, params in kept]


def _state(build: Build, name: str, like: ir.Value, shape: tuple[int, ...], params: Quantization | None) -> ir.Value:
    state = build.keep(name, like, shape)
    if params is not None:
        build.plan.activations[name_of(state)] = params
        if params is CELL:
            build.doubts.append(_doubt(state, "cells are int32 in the layer, int16 from step to step"))
    return state


def _give(build: Build, old: ir.Value, value: ir.Value, flow: Flow | Summary) -> None:
    """A result of the layer under its own name, rounded as in the whole model."""
    shape = shape_of(value)
    params = build.params(old)
    if params is None or params == build.params(value):
        build.signals[old] = Signal(value, flow)
        return
    # An Identity of a quantized model changes the scale.
    if not _same_rounding(params):
        build.doubts.append(_doubt(old, "hidden values are rounded once more than in the window"))
    made = build.add("Identity", [value], base=f"{name_of(old)}_rounded", shape=shape, params=params)
    build.signals[old] = Signal(made, flow)


def _same_rounding(params: Quantization) -> bool:
    """Whether every hidden value becomes the same integer by a requantize as in the layer itself."""
    hidden, ratio, zero = np.arange(-(1 << BITS), 1 << BITS), HIDDEN_SCALE / params.scale[0], params.zero_point[0]
    dtype = params.dtype.numpy
    inside = saturate(scaled(hidden, *scaled_factor(ratio)) + zero, params.q_min, params.q_max, dtype)
    scaling = SCALINGS[DEFAULT_MODE]
    factors = scaling.choose(np.array([ratio]))
    operands = list(factors.operands.values())
    behind = scaling.apply("requantize", hidden, operands, factors.shift, zero, params.q_min, params.q_max, dtype)
    return bool((inside == behind).all())


def _doubt(value: ir.Value, why: str) -> Problem:
    return Problem(
        "EQ0345",
        "the steps may differ from the window in the last bit",
        where=f"value {shown(name_of(value))}",
        got=why,
        hint="compare both on data of yours: edgeq eval",
        severity="note",
    )


def _is_read(value: ir.Value) -> bool:
    return bool(value.uses()) or value.is_graph_output()
