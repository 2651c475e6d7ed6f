"""What slides along time: convolutions and pools, with the Pads and Slices around them."""

from __future__ import annotations

from dataclasses import replace
from math import gcd

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import Edit
from edgeq.frontend.facts import integer, ints, name_of, operand, required, scalar, shape_of, text
from edgeq.frontend.rules.activation import is_nonnegative
from edgeq.frontend.stream.build import Build, HopNeeded, Refused, Signal
from edgeq.frontend.stream.flow import Flow, Summary, Window
from edgeq.onnxio.limits import shown

_SPATIAL = 2


def slide(build: Build, node: ir.Node) -> None:
    """Conv, AveragePool and MaxPool."""
    x = build.flowing(node, 0)
    flow = x.flow
    assert isinstance(flow, Flow)
    operands = [x.value, *(build.fixed(node, index) for index in range(1, len(node.inputs)))]
    if flow.axis == 0:
        build.copy(node, operands, [flow])
        return
    if flow.axis < _SPATIAL:
        raise Refused("EQ0343", "a layer reads all of time as its channels", hint="convolve along time")
    axis, rank = flow.axis - _SPATIAL, len(shape_of(node.inputs[0])) - _SPATIAL
    kernel = ints(node, "kernel_shape", shape_of(node.inputs[1])[_SPATIAL:] if node.op_type == "Conv" else ())
    strides, dilations = ints(node, "strides", [1] * rank), ints(node, "dilations", [1] * rank)
    pads = list(ints(node, "pads", [0] * (2 * rank)))
    front, behind = pads[axis], pads[axis + rank]
    window = Window((kernel[axis] - 1) * dilations[axis], strides[axis], front)
    if front or behind:
        _check_padding(build, node, front)
    culprit = f"{name_of_node(node)} with pads {[front, behind]} along time"
    value, result = sliding(build, x, window, shape_of(node.outputs[0])[flow.axis], culprit, node)
    pads[axis] = pads[axis + rank] = 0
    changed = {"pads": pads, **({"kernel_shape": kernel} if "kernel_shape" in node.attributes else {})}
    build.copy(node, [value, *operands[1:]], [result, *[result] * (len(node.outputs) - 1)], changed)


def _check_padding(build: Build, node: ir.Node, front: int) -> None:
    """States begin as zeros, so that is what padding in front must be."""
    if node.op_type == "AveragePool" and integer(node, "count_include_pad", 0) == 0:
        raise Refused(
            "EQ0343",
            "a mean over time counts fewer frames where the window begins",
            hint="set count_include_pad=1, or pool without padding along time",
        )
    if front and node.op_type == "MaxPool" and not is_nonnegative(required(node, 0), Edit(build.whole)):
        raise Refused(
            "EQ0343",
            "a maximum over time leaves out the padding, and states begin as zeros",
            hint="put a Relu in front of it, or pool without padding along time",
        )


def sliding(build: Build, x: Signal, window: Window, length: int, culprit: str, node: ir.Node) -> tuple[ir.Value, Flow]:
    """What a window reads in a step, without padding, and the flow of its results.

    Raises:
        HopNeeded: a step makes too few positions.
        Refused: EQ0343 padding in front of positions that come from before the window.
    """
    flow = x.flow
    assert isinstance(flow, Flow)
    unmerged(flow)
    if flow.new % window.stride:
        raise HopNeeded(build.hop * window.stride // gcd(flow.new, window.stride))
    if window.front > 0 and flow.lag > 0:
        x = build.begun(x)
        assert isinstance(x.flow, Flow)
        flow = x.flow
    result = window.result(flow, length, culprit)
    if window.reach or window.stride > 1:
        build.mixing.append(str(node.name))
    base = f"{name_of(node.outputs[0])}_window"
    needed, tail = window.needed(result), window.tail(flow, result)
    if tail < window.stride and not integer(node, "ceil_mode", 0) and node.op_type != "Slice":
        needed, tail = needed + tail, 0  # too few for a further result
    return build.recent(x, needed, tail, base), result


def pad(build: Build, node: ir.Node) -> None:
    """Pad: in front of time it is what states begin with."""
    x = build.flowing(node, 0)
    flow = x.flow
    assert isinstance(flow, Flow)
    amounts, fill = Edit.array(operand(node, 1)), scalar(Edit.array(operand(node, 2)))
    rank = len(shape_of(node.inputs[0]))
    if amounts is None or amounts.size != 2 * rank:
        raise Refused("EQ0343", "the amounts of padding are not constant")
    front, behind = int(amounts[flow.axis]), int(amounts[flow.axis + rank])
    if front or behind:
        unmerged(flow)
        if text(node, "mode", "constant") != "constant" or (front and fill not in (0.0, None)):
            raise Refused("EQ0343", "time is padded with other values than zero", hint="pad time with zeros")
        if front > 0 and flow.lag > 0:
            x = build.begun(x)
            assert isinstance(x.flow, Flow)
            flow = x.flow
        culprit = f"{name_of_node(node)} with {behind} frames behind" if behind else flow.culprit
        late = flow.late + behind
        padded = flow.length + front + behind
        flow = replace(flow, lag=flow.lag - front, length=padded, late=late, culprit=culprit)
    others = amounts.copy()
    others[[flow.axis, flow.axis + rank]] = 0
    if not others.any():
        build.signals[node.outputs[0]] = Signal(x.value, flow)
        return
    kept = build.constant(others, f"{name_of(node.outputs[0])}_pads")
    build.copy(node, [x.value, kept, *(build.fixed(node, index) for index in range(2, len(node.inputs)))], [flow])


def cut(build: Build, node: ir.Node) -> None:
    """Slice: fewer positions, or one of them."""
    x = build.flowing(node, 0)
    flow = x.flow
    assert isinstance(flow, Flow)
    arrays = [Edit.array(operand(node, index)) for index in range(1, 5)]
    if arrays[0] is None or arrays[1] is None:
        raise Refused("EQ0343", "what a Slice takes is not constant")
    rank, count = len(shape_of(node.inputs[0])), len(arrays[0])
    axes = [int(axis) % rank for axis in (range(count) if arrays[2] is None else arrays[2])]
    steps = [1] * count if arrays[3] is None else [int(step) for step in arrays[3]]
    if flow.axis not in axes:
        build.copy(node, build.operands(node), [flow])
        return
    place = axes.index(flow.axis)
    taken = range(flow.length * flow.block)[slice(int(arrays[0][place]), int(arrays[1][place]), steps[place])]
    value, result = _taken(build, x, taken, node)
    others = [index for index in range(count) if index != place]
    if not others:
        build.signals[node.outputs[0]] = Signal(value, result)
        return
    numbers = (arrays[0], arrays[1], np.array(axes), np.array(steps))
    listed = [
        build.constant(np.asarray(array, np.int64)[others], f"{name_of(node.outputs[0])}_{name}")
        for name, array in zip(("starts", "ends", "axes", "steps"), numbers, strict=True)
    ]
    build.copy(node, [value, *listed], [result])


def _taken(build: Build, x: Signal, taken: range, node: ir.Node) -> tuple[ir.Value, Flow | Summary]:
    flow, base = x.flow, name_of(node.outputs[0])
    assert isinstance(flow, Flow)
    if (len(taken), taken.start, taken.step) == (flow.length * flow.block, 0, 1):
        return x.value, flow
    unmerged(flow)
    if taken.step < 0:
        raise Refused("EQ0343", "time is turned round", hint="keep the order of time")
    if len(taken) == 1:
        return build.window(x, taken.start, 1, f"{base}_last")
    window = Window(0, taken.step, -taken.start)
    value, result = sliding(build, x, window, len(taken), flow.culprit, node)
    return build.cut(value, flow.axis, 0, result.new, f"{base}_every", taken.step), result


def unmerged(flow: Flow) -> None:
    """Refuse an axis on which time is merged with another one."""
    if flow.block != 1:
        raise Refused("EQ0343", "time is merged with another axis where a layer slides over it")


def name_of_node(node: ir.Node) -> str:
    """How a message names a node."""
    return f"node {shown(node.name or node.op_type)}"
