"""The step model as it emerges: signals of the whole window's values, and the states that remember them.

All that a step needs of the past is one thing: the newest positions of a value beyond those that the step makes. Where
several readers look back, the value has one state that is as long as the longest needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import onnx_ir as ir

from edgeq.errors import Problem
from edgeq.frontend.edit import AttributeValue, attribute, fresh
from edgeq.frontend.facts import Shape, name_of, shape_of
from edgeq.frontend.stream.flow import Flow, Summary
from edgeq.ir import Quantization, QuantizedConstant, State
from edgeq.onnxio.qdq_form import QdqPlan
from edgeq.onnxio.writer import IR_VERSION, OPSET


class Refused(Exception):  # noqa: N818 - what it carries is the problem
    """A node has no step form."""

    def __init__(self, code: str, what: str, *, got: str | None = None, hint: str | None = None) -> None:
        super().__init__(what)
        self.code, self.what, self.got, self.hint = code, what, got, hint


class HopNeeded(Exception):  # noqa: N818 - no error: the pass is made again
    """A step must take a multiple of so many frames."""

    def __init__(self, hop: int) -> None:
        super().__init__(hop)
        self.hop = hop


@dataclass(frozen=True, eq=False)
class Signal:
    """A value of the step model, and what it is of the window's; without a flow it does not depend on time."""

    value: ir.Value
    flow: Flow | Summary | None = None

    @property
    def shape(self) -> Shape:
        """Of the value in the step model."""
        return shape_of(self.value)


@dataclass(eq=False)
class Memory:
    """What one pass finds out that the next one must know.

    Attributes:
        reach: by value, the positions that its state holds.
        stale: a state turned out longer after it was read.
    """

    reach: dict[str, int] = field(default_factory=dict)
    stale: bool = False


class Build:
    """The step model under construction.

    Attributes:
        signals: by value of the whole model, what it is in the step model.
        plan: the quantization of the whole model, to which that of new values is added; empty for a float model.
        states: in the order in which they came about.
        mixing: nodes that read several positions.
        recurrent: those of them that are recurrent layers.
        problems: of nodes that have no step form.
        counted_to: steps that are told apart from the beginning of a sequence.
        doubts: why the bits of a quantized model may differ from those of the window.
    """

    def __init__(self, whole: ir.Model, plan: QdqPlan, hop: int, memory: Memory) -> None:
        self.whole, self.hop, self.memory = whole, hop, memory
        self.plan = QdqPlan(dict(plan.activations), dict(plan.constants))
        self.signals: dict[ir.Value, Signal] = {}
        self.states: list[State] = []
        self.mixing: list[str] = []
        self.recurrent: list[str] = []
        self.problems: list[Problem] = []
        self.doubts: list[Problem] = []
        self.inputs: list[ir.Value] = []
        self.outputs: list[ir.Value] = []
        self._nodes: list[ir.Node] = []
        self._constants: dict[str, ir.Value] = {}
        self._buffers: dict[str, ir.Value] = {}
        self._count: ir.Value | None = None
        self.counted_to = 0
        graph = whole.graph
        self._taken = {str(value.name) for value in (*graph.inputs, *graph.initializers.values())}
        self._taken |= {str(value.name) for node in graph for value in node.outputs}
        self._named = {str(node.name) for node in graph}

    # --- values --------------------------------------------------------------------------------------------------

    def signal(self, value: ir.Value | None) -> Signal | None:
        """What a value of the whole model is here; constants are taken over."""
        if value is None:
            return None
        if value not in self.signals and value.is_initializer():
            self.signals[value] = Signal(self._adopted(value))
        return self.signals.get(value)

    def flowing(self, node: ir.Node, index: int) -> Signal:
        """An operand that must be the one with an axis of time.

        Raises:
            Refused: EQ0343 it is not.
        """
        signal = self.signal(node.inputs[index])
        if signal is None or not isinstance(signal.flow, Flow):
            raise Refused("EQ0343", "an operand that should be constant changes from frame to frame")
        return signal

    def fixed(self, node: ir.Node, index: int) -> ir.Value | None:
        """An operand that must not depend on time.

        Raises:
            Refused: EQ0343 it does.
        """
        signal = self.signal(node.inputs[index])
        if signal is not None and signal.flow is not None:
            raise Refused("EQ0343", "an operand that should be constant changes from frame to frame")
        return None if signal is None else signal.value

    def operands(self, node: ir.Node) -> list[ir.Value | None]:
        """All operands of a node as they are in the step model."""
        signals = [self.signal(value) for value in node.inputs]
        return [None if signal is None else signal.value for signal in signals]

    def _adopted(self, value: ir.Value) -> ir.Value:
        made = ir.Value(name=value.name, type=value.type, shape=value.shape, const_value=value.const_value)
        self._constants[name_of(value)] = made
        return made

    def constant(self, array: np.ndarray, base: str) -> ir.Value:
        """A new initializer."""
        name = fresh(base, self._taken)
        kind = ir.TensorType(ir.DataType.from_numpy(array.dtype))
        made = ir.Value(name=name, type=kind, shape=ir.Shape(array.shape), const_value=ir.Tensor(array, name=name))
        self._constants[name] = made
        return made

    def input(self, name: str, like: ir.Value, shape: Shape) -> ir.Value:
        """An input of the step model."""
        made = ir.Value(name=name, type=like.type, shape=ir.Shape(shape))
        self.inputs.append(made)
        return made

    def params(self, value: ir.Value) -> Quantization | None:
        """To what a value is rounded; None in a float model."""
        return self.plan.activations.get(name_of(value))

    # --- nodes ---------------------------------------------------------------------------------------------------

    def copy(
        self,
        node: ir.Node,
        operands: Sequence[ir.Value | None],
        flows: Sequence[Flow | Summary | None],
        attributes: Mapping[str, AttributeValue] | None = None,
    ) -> None:
        """The node of the whole model here, under its names.

        Args:
            node: of the whole model.
            operands: in the step model.
            flows: of its results.
            attributes: those that differ.
        """
        results = []
        for old, flow in zip(node.outputs, flows, strict=True):
            shape = shape_of(old) if old.name else ()
            if isinstance(flow, Flow):
                shape = (*shape[: flow.axis], flow.new * flow.block, *shape[flow.axis + 1 :])
            made = ir.Value(name=old.name, type=old.type, shape=ir.Shape(shape))
            self.signals[old] = Signal(made, flow)
            results.append(made)
        changed = attributes or {}
        kept = [item for name, item in node.attributes.items() if name not in changed]
        kept += [attribute(name, value) for name, value in sorted(changed.items())]
        self._nodes.append(ir.Node("", node.op_type, list(operands), kept, outputs=results, name=node.name))

    def add(
        self,
        op_type: str,
        operands: Sequence[ir.Value | None],
        attributes: Mapping[str, AttributeValue] | None = None,
        *,
        base: str,
        shape: Shape,
        params: Quantization | None,
        dtype: ir.DataType | None = None,
    ) -> ir.Value:
        """A new node of one result, of the first operand's type and of the parameters given."""
        first = operands[0]
        assert first is not None
        kind = first.type if dtype is None else ir.TensorType(dtype)
        made = ir.Value(name=fresh(base, self._taken), type=kind, shape=ir.Shape(shape))
        if params is not None:
            self.plan.activations[name_of(made)] = params
        stated = [attribute(name, value) for name, value in sorted((attributes or {}).items())]
        node = ir.Node("", op_type, list(operands), stated, outputs=[made], name=fresh(base, self._named))
        self._nodes.append(node)
        return made

    def results(
        self, node: ir.Node, operands: Sequence[ir.Value | None], results: Sequence[tuple[str, Shape] | None]
    ) -> list[ir.Value]:
        """The node of the whole model here, with other results: name and shape of each, None for one without reader."""
        first = operands[0]
        assert first is not None
        made = [
            ir.Value(name="")
            if wanted is None
            else ir.Value(name=wanted[0], type=first.type, shape=ir.Shape(wanted[1]))
            for wanted in results
        ]
        self._nodes.append(
            ir.Node("", node.op_type, list(operands), list(node.attributes.values()), outputs=made, name=node.name)
        )
        return made

    def free_name(self, base: str) -> str:
        """A name that no value has."""
        return fresh(base, self._taken)

    def cut(self, value: ir.Value, axis: int, start: int, count: int, base: str, step: int = 1) -> ir.Value:
        """A Slice of one axis; the value itself where all of it is taken."""
        shape = shape_of(value)
        if (start, count, step) == (0, shape[axis], 1):
            return value
        numbers = (("starts", start), ("ends", start + (count - 1) * step + 1), ("axes", axis), ("steps", step))
        operands = [self.constant(np.array([number], np.int64), f"{base}_{name}") for name, number in numbers]
        kept = (*shape[:axis], count, *shape[axis + 1 :])
        return self.add("Slice", [value, *operands], base=base, shape=kept, params=self.params(value))

    def reshape(self, value: ir.Value, shape: Shape, base: str) -> ir.Value:
        """A Reshape with a constant, full target shape."""
        target = self.constant(np.array(shape, np.int64), f"{base}_shape")
        return self.add("Reshape", [value, target], base=base, shape=shape, params=self.params(value))

    def named_copy(self, value: ir.Value, output: ir.Value) -> ir.Value:
        """A value under the name of an output of the whole model, which another one gives up where it has it."""
        for holder in (made for node in self._nodes for made in node.outputs if made.name == output.name):
            params = self.params(holder)
            holder.name = self.free_name(f"{name_of(output)}_early")
            if params is not None:
                self.plan.activations[holder.name] = params
        target = self.constant(np.array(shape_of(value), np.int64), f"{name_of(output)}_copy_shape")
        made = ir.Value(name=output.name, type=value.type, shape=value.shape)
        name = fresh(f"{name_of(output)}_copy", self._named)
        self._nodes.append(ir.Node("", "Reshape", [value, target], outputs=[made], name=name))
        return made

    def keep(self, name: str, like: ir.Value, shape: Shape) -> ir.Value:
        """A state: the input that holds it; :meth:`kept` says what it becomes."""
        made = self.input(fresh(name, self._taken), like, shape)
        params = self.params(like)
        if params is not None:
            self.plan.activations[name_of(made)] = params
        return made

    def kept(self, state: ir.Value, value: ir.Value) -> None:
        """What a state is in the next step, a value that is read by nothing else as an output."""
        self.states.append(State(name_of(state), name_of(value)))
        self.outputs.append(value)

    # --- the past ------------------------------------------------------------------------------------------------

    def recent(self, signal: Signal, count: int, tail: int, base: str) -> ir.Value:
        """The newest positions of a value, but for some at the end.

        Args:
            signal: a flow.
            count: positions wanted.
            tail: newer ones that are left out.
            base: name of the result where it is a part.
        """
        value, flow = signal.value, signal.flow
        assert isinstance(flow, Flow)
        past, block = count + tail - flow.new, flow.block
        if past <= 0:
            return self.cut(value, flow.axis, -past * block, count * block, base)
        name = name_of(value)
        reach = max(self.memory.reach.get(name, 0), past)
        if self.memory.reach.get(name, 0) < reach:
            self.memory.reach[name] = reach
            self.memory.stale |= name in self._buffers
        if name not in self._buffers:
            self._buffers[name] = self._buffer(value, flow, reach)
        buffer = self._buffers[name]
        held = shape_of(buffer)[flow.axis] // block
        return self.cut(buffer, flow.axis, max(held - tail - count, 0) * block, count * block, base)

    def _buffer(self, value: ir.Value, flow: Flow, reach: int) -> ir.Value:
        """State and new positions, one behind the other."""
        name, shape, axis = name_of(value), shape_of(value), flow.axis
        if value.dtype == ir.DataType.BOOL:
            raise Refused("EQ0343", "truth values of earlier steps cannot be kept", hint="compare behind, not in front")
        held = (*shape[:axis], reach * flow.block, *shape[axis + 1 :])
        state = self.keep(f"{name}_state", value, held)
        joined = (*shape[:axis], held[axis] + shape[axis], *shape[axis + 1 :])
        buffer = self.add(
            "Concat", [state, value], {"axis": axis}, base=f"{name}_recent", shape=joined, params=self.params(value)
        )
        self.kept(state, self.cut(buffer, axis, shape[axis], held[axis], f"{name_of(state)}_out"))
        return buffer

    def delayed(self, signal: Signal, lag: int) -> Signal:
        """The signal so many positions late in all."""
        flow = signal.flow
        assert isinstance(flow, Flow)
        if lag == flow.lag:
            return signal
        value = self.recent(signal, flow.new, lag - flow.lag, f"{name_of(signal.value)}_delayed")
        return Signal(value, replace(flow, lag=lag))

    def settled(self, signal: Signal) -> Signal:
        """The signal with zeros in front of it as positions of their own, where a Pad is not read yet."""
        return self.delayed(signal, 0) if isinstance(signal.flow, Flow) and signal.flow.lag < 0 else signal

    def window(self, signal: Signal, first: int, count: int, base: str) -> tuple[ir.Value, Summary]:
        """Positions of the whole window, once all of its positions are there."""
        flow = signal.flow
        assert isinstance(flow, Flow)
        if first + count > flow.length - flow.late:
            raise not_causal(flow.culprit)
        tail = flow.beyond + flow.length - first - count
        field_ = None if flow.field is None else flow.field + (count - 1) * flow.rate
        return self.recent(signal, count, tail, base), Summary(flow.steps, field_)

    # --- the beginning of a stream -------------------------------------------------------------------------------

    def whole_steps(self, signal: Signal) -> Signal:
        """The signal so late that its first position of the window begins a step."""
        flow = signal.flow
        assert isinstance(flow, Flow)
        return self.delayed(signal, -(-flow.lag // flow.new) * flow.new)

    def begun(self, signal: Signal) -> Signal:
        """The signal with zeros in place of what comes from before the window, which steps cannot know."""
        signal = self.whole_steps(signal)
        flow = signal.flow
        assert isinstance(flow, Flow)
        value = self._zero_before(signal.value, flow.lag // flow.new)
        return Signal(value, flow)

    def begun_state(self, state: ir.Value, flow: Flow) -> ir.Value:
        """The state of a layer that begins with the window's first position, however late that comes."""
        return state if flow.lag <= 0 else self._zero_before(state, flow.lag // flow.new + 1)

    def _zero_before(self, value: ir.Value, steps: int) -> ir.Value:
        """Zeros in the first steps of a sequence, the value from then on."""
        name, params = name_of(value), self.params(value)
        begun = self.add(
            "GreaterOrEqual",
            [self._counted(), self.constant(np.array([steps], np.int64), f"{name}_first_step")],
            base=f"{name}_begun",
            shape=(1,),
            params=None,
            dtype=ir.DataType.BOOL,
        )
        zero = self.constant(np.zeros(1, np.float32), f"{name}_before")
        operands = [begun, value, zero]
        base = f"{name}_from_{steps}"
        made = self.add("Where", operands, base=base, shape=shape_of(value), params=params, dtype=value.dtype)
        self.counted_to = max(self.counted_to, steps)
        if params is not None:
            integers = np.full(1, params.zero_point[0], params.dtype.numpy)
            producer = made.producer()
            assert producer is not None
            self.plan.constants[str(producer.name), 2] = QuantizedConstant(integers, params)
        return made

    def _counted(self) -> ir.Value:
        """How many steps there were before this one, an integer."""
        if self._count is None:
            self._count = ir.Value(
                name=fresh("steps_before", self._taken), type=ir.TensorType(ir.DataType.INT64), shape=ir.Shape((1,))
            )
            self.inputs.append(self._count)
        return self._count

    def _count_on(self) -> None:
        """The counter in the next step; it stays where nothing asks for more."""
        count = self._count
        if count is None:
            return
        one = self.constant(np.array([1], np.int64), "one_step")
        most = self.constant(np.array([self.counted_to], np.int64), "most_steps")
        more = self.add("Add", [count, one], base="steps_counted", shape=(1,), params=None)
        self.kept(count, self.add("Min", [more, most], base="steps_before_out", shape=(1,), params=None))

    # --- the end -------------------------------------------------------------------------------------------------

    def model(self) -> ir.Model:
        """The step model, with its states behind the inputs and outputs of the window's."""
        self._count_on()
        used = {value for node in self._nodes for value in node.inputs if value is not None}
        constants = [value for value in self._constants.values() if value in used]
        graph = ir.Graph(
            self.inputs,
            self.outputs,
            nodes=self._nodes,
            initializers=constants,
            opset_imports={"": OPSET},
            name=self.whole.graph.name,
        )
        return ir.Model(graph, ir_version=IR_VERSION)


def not_causal(culprit: str) -> Refused:
    """What depends on frames of the future is read."""
    return Refused(
        "EQ0342",
        "a layer is not causal: it pads behind the newest frame",
        got=culprit,
        hint="train it causally, with all padding in front of time: Conv pads [(kernel - 1) * dilation, 0]; or without "
        "padding along time",
    )
