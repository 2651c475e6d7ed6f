"""Comparing tensors bit for bit: what an image gave with the reference, and a graph before and after the passes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from edgeq.interp import run
from edgeq.ir import Graph, Node, State, Tensor
from edgeq.numerics.array import Array, comparable
from edgeq.runners.base import ImageSpec, RowsSpec, RunResult


@dataclass(frozen=True)
class Mismatch:
    """The first element that differs: where it is, what the reference has, what was found; of float32 the bits.

    ``step`` is None for an output of the model, and for what the passes change. Where the model has states, ``sample``
    is a sequence and ``time_step`` a run of it. Inside a step that runs in bands of rows, ``band`` counts these from 0,
    and ``rows`` are the first row and the end of what the call gave.
    """

    runner: str
    sample: int
    step: int | None
    tensor: str
    index: tuple[int, ...]
    expected: int
    got: int
    time_step: int | None = None
    band: int | None = None
    rows: tuple[int, int] | None = None

    @classmethod
    def of(
        cls, runner: str, run: int, length: int | None, step: int | None, tensor: str, expected: Array, got: Array
    ) -> Mismatch:
        """The first element that differs between two tensors.

        Args:
            runner: what computed the second one.
            run: its number.
            length: runs of a sequence; None: the model has no states.
            step: of the program.
            tensor: its name.
            expected: as the reference has it.
            got: what was found.
        """
        index = tuple(int(i) for i in np.unravel_index(int(np.argmax(expected != got)), expected.shape))
        sample, time_step = (run, None) if length is None else divmod(run, length)
        return cls(runner, sample, step, tensor, index, int(expected[index]), int(got[index]), time_step)

    def to_json(self) -> dict[str, Any]:
        """The fields by name."""
        return {
            "runner": self.runner,
            "sample": self.sample,
            "time_step": self.time_step,
            "step": self.step,
            "tensor": self.tensor,
            "index": list(self.index),
            "expected": self.expected,
            "got": self.got,
            "band": self.band,
            "rows": list(self.rows) if self.rows is not None else None,
        }


@dataclass
class Comparison:
    """One executor against the reference: how much was compared, and what differed."""

    runner: str
    names: set[str] = field(default_factory=set)
    elements: int = 0
    mismatches: int = 0
    largest: int = 0
    first: Mismatch | None = None
    length: int | None = None

    def compare(self, sample: int, step: int | None, name: str, expected: Array, got: Array) -> None:
        """Compare one tensor element by element; of software float the bits."""
        self.names.add(name)
        self.elements += expected.size
        expected = comparable(expected)
        wanted, found = expected.reshape(-1), comparable(got).reshape(-1)
        if np.array_equal(wanted, found):
            return
        difference = np.abs(wanted.astype(np.int64) - found.astype(np.int64))
        self.mismatches += int(np.count_nonzero(difference))
        self.largest = max(self.largest, int(difference.max()))
        if self.first is None:
            shaped = found.reshape(expected.shape)
            self.first = Mismatch.of(self.runner, sample, self.length, step, name, expected, shaped)

    def compare_rows(self, sample: int, step: int, rows: RowsSpec, whole: Array, got: Array) -> None:
        """Compare what one call gave inside a step of several nodes with those rows of the whole tensor."""
        before = self.first
        self.compare(sample, step, rows.tensor.name, rows.of(whole), got)
        if self.first is not None and before is None:
            index = list(self.first.index)
            index[rows.axis] += rows.first
            self.first = replace(self.first, index=tuple(index), band=rows.band, rows=(rows.first, rows.end))

    def to_json(self) -> dict[str, Any]:
        """The fields by name; ``tensors`` counts different tensors."""
        return {
            "on": self.runner,
            "tensors": len(self.names),
            "elements": self.elements,
            "mismatches": self.mismatches,
            "largest_difference": self.largest,
            "first_mismatch": self.first.to_json() if self.first else None,
        }


def compare_runs(
    result: Comparison, spec: ImageSpec, first_sample: int, expected: Sequence[Mapping[str, Array]], answer: RunResult
) -> None:
    """Compare what an image gave with the reference's tensors.

    Args:
        result: receives the findings.
        spec: the image.
        first_sample: number of the first sample.
        expected: the reference's tensors by name, one mapping a sample.
        answer: what each call of bands gave, and each step's results, copied out before the next one; the outputs as
            they lay in the arena at the end, which no later step may have touched; and the outputs of whole runs, where
            there were any.
    """
    assert answer.steps is not None  # they were asked for
    for number, wanted in enumerate(expected):
        sample = first_sample + number
        if answer.rows is not None:
            for step, (calls, parts) in enumerate(zip(spec.rows, answer.rows[number], strict=True)):
                for rows, array in zip(calls, parts, strict=True):
                    result.compare_rows(sample, step, rows, wanted[rows.tensor.name], array)
        for step, (tensors, arrays) in enumerate(zip(spec.steps, answer.steps[number], strict=True)):
            for tensor, array in zip(tensors, arrays, strict=True):
                result.compare(sample, step, tensor.name, wanted[tensor.name], array)
        whole = (answer.whole or ())[number : number + 1]
        for outputs in (answer.outputs[number], *whole):
            for tensor, array in zip(spec.outputs, outputs, strict=True):
                result.compare(sample, None, tensor.name, wanted[tensor.name], array)


class BeforePasses:
    """The graph as lowering gave it, run beside the graph that the passes made of it.

    Most of its nodes are in both graphs. Such a node is not evaluated again where its operands have the same bits as
    those of its twin: an operator is a function of its attributes and operands.
    """

    def __init__(self, before: Graph, after: Graph) -> None:
        self.before = before
        self.after = after
        self._twins = _twins(before, after)

    def run(self, inputs: Sequence[Array], expected: Mapping[str, Array]) -> dict[str, Array]:
        """All tensors of the graph before the passes.

        Args:
            inputs: of one sample.
            expected: all tensors of the graph after the passes.
        """
        # The states before a run are among its tensors.
        pairs = zip(self.before.states, self.after.whole_states(), strict=True)
        states = {state.input: self._stacked(slabs, [slab.input for slab in slabs], expected) for state, slabs in pairs}
        return run(self.before, inputs, states, known=self._reuse(expected)).tensors

    def _reuse(self, expected: Mapping[str, Array]) -> Callable[[Node, Sequence[Array]], Sequence[Array] | None]:
        def known(node: Node, operands: Sequence[Array]) -> Sequence[Array] | None:
            twin = self._twins.get(node.name)
            if twin is None:
                return None
            theirs = [_value(self.after, expected, name) for name in twin.inputs]
            same = all(_same(mine, other) for mine, other in zip(operands, theirs, strict=True))
            return [expected[name] for name in twin.outputs] if same else None

        return known

    def compare(
        self, result: Comparison, sample: int, values: Mapping[str, Array], expected: Mapping[str, Array]
    ) -> None:
        """Compare tensors of the same ONNX value, or of the same name and shape, before and after the passes.

        Of a tensor that lost channels, those that are left are compared.

        Args:
            result: receives the findings.
            sample: its number.
            values: what :meth:`run` gave.
            expected: all tensors of the graph after the passes.
        """
        in_onnx_layout = {
            tensor.source.name: _in_onnx(tensor, values[tensor.name])
            for tensor in self.before.tensors.values()
            if tensor.source is not None and tensor.name in values
        }
        for name, value in expected.items():
            tensor = self.after.tensors[name]
            if tensor.source is not None and tensor.source.name in in_onnx_layout:
                theirs = tensor.source.take(in_onnx_layout[tensor.source.name])
                result.compare(sample, None, name, theirs, _in_onnx(tensor, value))
            elif name in values and values[name].shape == value.shape:
                result.compare(sample, None, name, values[name], value)
        for old, new in zip(self.before.outputs, self.after.outputs, strict=True):
            result.compare(sample, None, new, values[old], expected[new])
        for one, slabs in zip(self.before.states, self.after.whole_states(), strict=True):
            carried = self._stacked(slabs, [slab.output for slab in slabs], expected)
            result.compare(sample, None, slabs[0].output, values[one.output], carried)

    def _stacked(self, slabs: Sequence[State], names: Sequence[str], values: Mapping[str, Array]) -> Array:
        """One side of a state in ONNX's layout, of the slabs that it is kept in."""
        parts = zip(slabs, names, strict=True)
        found = [_in_onnx(self.after.tensors[slab.input], values[name]) for slab, name in parts]
        return found[0] if len(found) == 1 else np.concatenate(found)


def _in_onnx(tensor: Tensor, value: Array) -> Array:
    """A value in the layout of the ONNX value that its tensor stands for."""
    return value if tensor.source is None else tensor.source.in_onnx(value)


def _same(one: Array, other: Array) -> bool:
    return one is other or (one.dtype == other.dtype and np.array_equal(comparable(one), comparable(other)))


def _value(graph: Graph, values: Mapping[str, Array], name: str) -> Array:
    found = values.get(name)
    return graph.tensors[name].value() if found is None else found


def _twins(before: Graph, after: Graph) -> dict[str, Node]:
    """For nodes of the first graph the node of the second that has the same operator, attributes and sources."""
    named: dict[str, Node] = {}
    for node in after.nodes:
        named.setdefault(node.name, node)
    found = {}
    for node in before.nodes:
        twin = named.get(node.name)
        if twin is None or (twin.op, twin.attrs) != (node.op, node.attrs):
            continue
        if len(twin.inputs) == len(node.inputs):
            found[node.name] = twin
    return found
