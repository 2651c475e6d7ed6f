"""From the whole window's model to the step's: every node in turn, along the axis of time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import product as combinations
from math import prod
from typing import Final

import onnx_ir as ir

from edgeq import budget
from edgeq.errors import EdgeqError, Problem, did_you_mean
from edgeq.frontend.facts import Shape, name_of, shape_of
from edgeq.frontend.stream import positions, recurrent, windows
from edgeq.frontend.stream.build import Build, HopNeeded, Memory, Refused, Signal, not_causal
from edgeq.frontend.stream.flow import Flow, Summary
from edgeq.onnxio.limits import shown
from edgeq.onnxio.operators import hint_for
from edgeq.onnxio.qdq_form import QdqPlan

_MOST_PASSES: Final = 64
_MOST_CHOICES: Final = 256
_FIRST_PROBLEMS: Final = 20

_RULES: Final[Mapping[str, Callable[[Build, ir.Node], None]]] = {
    **dict.fromkeys(positions.ELEMENTWISE, positions.elementwise),
    **dict.fromkeys(positions.REDUCING, positions.reduce),
    **dict.fromkeys(("AveragePool", "Conv", "MaxPool"), windows.slide),
    **dict.fromkeys(("GRU", "LSTM", "RNN"), recurrent.recur),
    **dict.fromkeys(("Gemm", "MatMul"), positions.product),
    **dict.fromkeys(("InstanceNormalization", "LayerNormalization", "LpNormalization", "Softmax"), positions.normalize),
    "Concat": positions.along,
    "Gather": positions.gather,
    "Pad": windows.pad,
    "Reshape": positions.shape,
    "Resize": positions.resize,
    "Slice": windows.cut,
    "Transpose": positions.turn,
}


@dataclass(frozen=True)
class StepOutput:
    """An output of the step model.

    Attributes:
        name: as in the whole model.
        axis: of time; None where each step gives one value for the whole window.
        warm_up_steps: steps that give nothing of the window, in whole or in part.
        warm_up: results at the beginning of the stream that are not of the window: positions of the axis of time, or
            the steps until the first window is complete.
        receptive_field: frames that a result depends on; None for all that came before.
    """

    name: str
    axis: int | None
    warm_up_steps: int
    warm_up: int
    receptive_field: int | None


@dataclass(frozen=True)
class StepModel:
    """The step form of a model.

    Attributes:
        model: a float graph; its states are not carried yet.
        plan: its quantization, empty for a float model.
        states: input and output of each, with its shape.
        axes: by input, the axis of time; None for one that is none's.
        hop: frames that a step takes.
        frames: of the whole window.
        outputs: in the order of the model.
        doubts: notes on bits that may differ from those of the window.
    """

    model: ir.Model
    plan: QdqPlan
    states: tuple[tuple[str, str, Shape], ...]
    axes: Mapping[str, int | None]
    hop: int
    frames: int
    outputs: tuple[StepOutput, ...]
    doubts: tuple[Problem, ...]


def make_steps(
    whole: ir.Model, plan: QdqPlan, axes: Mapping[str, int] | None = None, hop: int | None = None
) -> StepModel:
    """Turn a model of a whole window into that of one step.

    Args:
        whole: a normalized float graph; it is not changed.
        plan: its quantization, empty for a float model.
        axes: by input, the axis of time, those of other inputs are found; negative ones count from the end.
        hop: frames that a step takes; None: the fewest that its strides allow.

    Raises:
        EdgeqError: EQ0151 there is no such input or axis, EQ0152 the hop does not fit, EQ0342 a layer is not causal,
            EQ0343 one mixes times, EQ0344 the axis of time is not known.
    """
    given = _given(whole, axes or {})
    tried: list[_Tried] = []
    for choice in _choices(whole, given):
        budget.tick("stream")
        tried.append(_tried(whole, plan, choice, hop))
    good = [each for each in tried if not each.build.problems and each.build.mixing]
    for better in (
        [each for each in good if each.build.recurrent],
        [each for each in good if None not in each.axes.values()],
    ):
        good = better or good
    if len(good) == 1:
        return good[0].finished()
    if good:
        raise EdgeqError(
            "EQ0344",
            "several axes could be time",
            got=" or ".join(_named(each.axes) for each in good),
            allowed="one axis",
            hint="say which: --axis INPUT:AXIS",
        )
    # What is most likely meant: most layers slide along it, and the least stands against it.
    best = max(tried, key=lambda each: (len(each.build.recurrent), len(each.build.mixing), -len(each.build.problems)))
    if not best.build.problems:
        raise EdgeqError(
            "EQ0344",
            "nothing in the model goes along an axis of time",
            got=", ".join(f"{name}{list(shape_of(value))}" for name, value in _inputs(whole).items()),
            allowed="a convolution or pool that slides along it, or a recurrent layer",
            hint="a model of single frames is its own step form: compile it as it is",
        )
    hint = f"time was taken to be {_named(best.axes)}; --axis INPUT:AXIS names another axis"
    problems = list(best.build.problems)[:_FIRST_PROBLEMS]
    if not given:
        problems[-1] = replace(problems[-1], hint="; ".join(filter(None, (problems[-1].hint, hint))))
    raise EdgeqError.of(problems)


def _inputs(whole: ir.Model) -> dict[str, ir.Value]:
    return {name_of(value): value for value in whole.graph.inputs if not value.is_initializer() and value.uses()}


def _named(axes: Mapping[str, _Axis | None]) -> str:
    return ", ".join(f"{shown(name)}:{axis.axis}" for name, axis in axes.items() if axis is not None)


def _given(whole: ir.Model, axes: Mapping[str, int]) -> dict[str, int]:
    inputs, found, problems = _inputs(whole), {}, []
    for name, axis in axes.items():
        where = f"--axis {shown(name)}:{axis}"
        if name not in inputs:
            hint = did_you_mean(name, inputs)
            allowed = ", ".join(map(shown, inputs))
            problems.append(Problem("EQ0151", "the model has no such input", where, name, allowed, hint))
            continue
        shape = shape_of(inputs[name])
        if not -len(shape) <= axis < len(shape):
            allowed = f"-{len(shape)} to {len(shape) - 1}, of {list(shape)}"
            problems.append(Problem("EQ0151", "the input has no such axis", where, str(axis), allowed))
            continue
        found[name] = axis % len(shape)
    if problems:
        raise EdgeqError.of(problems)
    return found


@dataclass(frozen=True)
class _Axis:
    """An axis of an input that may be time: so many frames, each of ``block`` elements."""

    axis: int
    frames: int
    block: int = 1


def _frames_on(value: ir.Value, axis: int) -> list[_Axis]:
    """The axis as it is, and as the Reshapes that read it take it apart: time, and what belongs to a frame."""
    shape = shape_of(value)
    found = [_Axis(axis, shape[axis])]
    for use in value.uses():
        target = shape_of(use.node.outputs[0]) if use.node.op_type == "Reshape" else ()
        for place, size in enumerate(target):
            outer = prod(target[:place]) == prod(shape[:axis])
            if outer and 1 < size < shape[axis] and shape[axis] % size == 0:
                found.append(_Axis(axis, size, shape[axis] // size))
    return list(dict.fromkeys(found))


def _choices(whole: ir.Model, given: Mapping[str, int]) -> list[dict[str, _Axis | None]]:
    """Axes that may be time, of all inputs together."""
    inputs = _inputs(whole)
    options: list[list[_Axis | None]] = []
    for name, value in inputs.items():
        shape = shape_of(value)
        axes = [given[name]] if name in given else [axis for axis, size in enumerate(shape) if size > 1]
        listed: list[_Axis | None] = [each for axis in axes for each in _frames_on(value, axis)]
        if name not in given and (len(inputs) > 1 or not axes):
            listed.append(None)
        options.append(listed)
    if prod(map(len, options)) > _MOST_CHOICES:
        raise EdgeqError(
            "EQ0344",
            "the model has too many inputs to find the axis of time",
            got=", ".join(map(shown, inputs)),
            hint="say which: --axis INPUT:AXIS, once for each input",
        )
    made = [dict(zip(inputs, choice, strict=True)) for choice in combinations(*options)]
    return [choice for choice in made if any(axis is not None for axis in choice.values())] or made[:1]


@dataclass(eq=False)
class _Tried:
    """A pass over the model with an axis of time for each input."""

    build: Build
    axes: Mapping[str, _Axis | None]
    frames: int
    outputs: list[StepOutput]

    def finished(self) -> StepModel:
        model = self.build.model()
        shapes = {name_of(value): shape_of(value) for value in model.graph.inputs}
        states = tuple((state.input, state.output, shapes[state.input]) for state in self.build.states)
        axes = {name: None if axis is None else axis.axis for name, axis in self.axes.items()}
        return StepModel(
            model,
            self.build.plan,
            states,
            axes,
            self.build.hop,
            self.frames,
            tuple(self.outputs),
            tuple(self.build.doubts),
        )


def _tried(whole: ir.Model, plan: QdqPlan, axes: Mapping[str, _Axis | None], hop: int | None) -> _Tried:
    """Passes over the model until the hop fits its strides and every state is as long as its readers need."""
    frames = _frames(axes)
    memory, taken = Memory(), hop or 1
    for _ in range(_MOST_PASSES):
        build = Build(whole, plan, taken, memory)
        if frames is None:
            build.problems.append(Problem("EQ0344", "inputs differ in their number of frames", got=_named(axes)))
            return _Tried(build, axes, 0, [])
        try:
            outputs = _pass(build, axes)
        except HopNeeded as needed:
            if hop is not None:
                raise EdgeqError(
                    "EQ0152",
                    "a step of so many frames does not fit the model's strides",
                    where="--hop",
                    got=hop,
                    allowed=f"a multiple of {needed.hop // hop * hop if needed.hop % hop == 0 else needed.hop}",
                ) from None
            taken, memory = needed.hop, Memory()
            continue
        if not memory.stale:
            return _Tried(build, axes, frames, outputs)
        memory.stale = False
    raise EdgeqError("EQ0344", "the states of the model do not come to an end", hint="please report the model")


def _frames(axes: Mapping[str, _Axis | None]) -> int | None:
    sizes = {axis.frames for axis in axes.values() if axis is not None}
    return sizes.pop() if len(sizes) == 1 else None


def _pass(build: Build, axes: Mapping[str, _Axis | None]) -> list[StepOutput]:
    """Every node in turn; what is wrong with one is noted, and nothing that reads it is looked at."""
    for value in build.whole.graph.inputs:
        if value.is_initializer():
            continue
        axis = axes.get(name_of(value))
        shape = shape_of(value)
        if axis is None:
            build.signals[value] = Signal(build.input(name_of(value), value, shape))
            continue
        flow = Flow(axis.axis, axis.frames, build.hop, block=axis.block)
        made = build.input(
            name_of(value), value, (*shape[: axis.axis], build.hop * axis.block, *shape[axis.axis + 1 :])
        )
        build.signals[value] = Signal(made, flow)
    for node in build.whole.graph:
        inputs = [value for value in node.inputs if value is not None]
        if any(not value.is_initializer() and value not in build.signals for value in inputs):
            continue
        try:
            _place(build, node)
        except Refused as refused:
            where = windows.name_of_node(node)
            got = f"{node.op_type}: {shown(refused.got)}" if refused.got else node.op_type
            build.problems.append(Problem(refused.code, refused.what, where, got, hint=refused.hint))
    return _outputs(build)


def _place(build: Build, node: ir.Node) -> None:
    """One node in its step form."""
    signals = [signal for signal in map(build.signal, node.inputs) if signal is not None]
    flows = {signal.flow for signal in signals if signal.flow is not None}
    summaries = [flow for flow in flows if isinstance(flow, Summary)]
    if not flows:
        build.copy(node, build.operands(node), [None] * len(node.outputs))
        return
    if not summaries:
        rule = _RULES.get(node.op_type)
        if rule is None or node.domain:
            hint = hint_for(node.domain, node.op_type) or "leave it out, or use a causal convolution in its place"
            raise Refused("EQ0343", "this operator has no step form", hint=hint)
        rule(build, node)
        return
    if len(summaries) < len(flows):
        raise Refused(
            "EQ0343",
            "what sums up the whole window acts on each of its times",
            hint="no frame can wait for the end of the window: leave out squeeze-and-excitation over time",
        )
    if len({summary.steps for summary in summaries}) > 1:
        raise Refused("EQ0343", "two summaries of the window are complete at different steps", hint="give --hop 1")
    fields = [summary.field for summary in summaries]
    field = None if None in fields else max(item for item in fields if item is not None)
    build.copy(node, build.operands(node), [Summary(summaries[0].steps, field)] * len(node.outputs))


def _outputs(build: Build) -> list[StepOutput]:
    found, made = [], []
    for output in build.whole.graph.outputs:
        signal = build.signals.get(output)
        if signal is None:
            continue  # what it depends on has a problem
        try:
            value, told = _output(build, output, signal)
        except Refused as refused:
            where = f"output {shown(name_of(output))}"
            build.problems.append(Problem(refused.code, refused.what, where, refused.got, hint=refused.hint))
            continue
        made.append(value)
        found.append(told)
    build.outputs[:0] = made
    return found


def _output(build: Build, output: ir.Value, signal: Signal) -> tuple[ir.Value, StepOutput]:
    name = name_of(output)
    signal = build.settled(signal)
    value, flow = signal.value, signal.flow
    if isinstance(flow, Flow) and flow.late:
        raise not_causal(flow.culprit)
    kept = {name_of(each) for each in build.outputs}
    if name_of(value) != name or name in kept:
        value = build.named_copy(value, output)
    if isinstance(flow, Flow):
        steps = -(-flow.lag // flow.new)
        return value, StepOutput(name, flow.axis, steps, flow.lag, flow.field)
    if flow is None:
        return value, StepOutput(name, None, 0, 0, 0)
    return value, StepOutput(name, None, flow.steps - 1, flow.steps - 1, flow.field)
