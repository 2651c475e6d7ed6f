"""Each step of an imported model against onnxruntime, on its own.

The folder's QDQ model is cut behind every QuantizeLinear, and each piece gets the reference's own integers, so that a
difference belongs to the step where it is seen. onnxruntime computes a step in float32 and rounds once; the integer
step may round the other way where the sum lies near the middle between two steps of the output's scale, so one step of
difference is right, and two are a defect. Integers and truth values that no rounding has a part in are equal. The gates
of recurrent layers are rounded too, which moves a result by less than a step of int8 but by several of int16: those are
not compared. End to end such roundings add up: those figures are shown and decide nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edgeq.analysis.comparison import Mismatch
from edgeq.analysis.metrics import classes, sqnr_db
from edgeq.analysis.model_values import ModelValue
from edgeq.backends.views import step_nodes
from edgeq.ir import Graph, Quantization, Tensor
from edgeq.numerics.array import Array
from edgeq.onnxio import Session
from edgeq.onnxio.cut import cut_at_quantizers
from edgeq.onnxio.rolling import Rolling
from edgeq.onnxio.states import kept_outputs, states_of
from edgeq.ops import BY_NAME, onnx_types

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.onnxio.cut import CutValue

ONNXRUNTIME: Final = "onnxruntime"
# In steps of the output's scale.
TOLERANCE: Final = 1
_RECURRENT: Final = onnx_types(lambda op, form: op.family == "recurrent")


@dataclass
class OnnxruntimeReport:
    """What the comparison with onnxruntime found.

    Attributes:
        steps: how many steps of the model were compared.
        not_compared: for each other step its name, and why it was not.
        elements: how many elements, over all samples.
        different: how many differ, by one step of the output's scale or more.
        wrong: how many differ by more than that.
        largest: the largest difference, in steps of the output's scale.
        first: the first of the wrong elements.
        agreement: end to end, the share of samples with the same arg max; None where the first output is one number.
        sqnr_db: end to end, of the first output against onnxruntime's; None where they are equal.
    """

    steps: int = 0
    not_compared: dict[str, str] = field(default_factory=dict)
    elements: int = 0
    different: int = 0
    wrong: int = 0
    largest: int = 0
    first: Mismatch | None = None
    agreement: float | None = None
    sqnr_db: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The fields by name."""
        return {
            "steps": self.steps,
            "not_compared": self.not_compared,
            "elements": self.elements,
            "different": self.different,
            "wrong": self.wrong,
            "largest_difference": self.largest,
            "tolerance": TOLERANCE,
            "first_mismatch": self.first.to_json() if self.first else None,
            "agreement": self.agreement,
            "sqnr_db": self.sqnr_db,
        }


class OnnxruntimeSteps:
    """The QDQ model in onnxruntime, cut into its steps and as a whole; graph optimizations are off in both."""

    def __init__(
        self,
        model: onnx_ir.Model,
        before: Graph,
        tensors: Mapping[str, str],
        after: Graph,
        inputs: Sequence[ModelValue],
        outputs: Sequence[ModelValue],
        length: int | None,
    ) -> None:
        """Prepare the sessions.

        Args:
            model: canonical QDQ; it is cut.
            before: the integer graph as lowering gave it.
            tensors: which of its tensors holds each quantized value of the model, by ONNX name.
            after: the integer graph of the folder, whose steps are counted.
            inputs: the model's inputs.
            outputs: the model's outputs.
            length: runs of a sequence; None: the model has no states.
        """
        self.report = OnnxruntimeReport()
        self._inputs, self._outputs = inputs, outputs
        self._length = length
        self._whole = Rolling(model, states_of(model))
        self._first = str(kept_outputs(model)[0].name)
        self._tensors = tensors
        recurrent = {str(node.name) for node in model.graph if node.op_type in _RECURRENT}
        self._values = cut_at_quantizers(model, tensors.keys())
        self._compared = [
            value
            for value in self._values
            if value.is_step and not (value.node in recurrent and value.dtype == np.int16)
        ]
        self._steps = Session(model)
        self._before = before
        self._count_steps(after)
        self._ends: list[tuple[Array, Array]] = []

    def _count_steps(self, after: Graph) -> None:
        """Say which steps of the folder's graph lie between values that are given and a value that is compared."""
        given = self._holding(after, self._values)
        waiting = [name for name in self._holding(after, self._compared) if name not in after.inputs]
        producers = {name: node for node in after.nodes for name in node.outputs}
        reached: set[str] = set()
        while waiting:
            node = producers.get(waiting.pop())
            if node is not None and node.name not in reached:
                reached.add(node.name)
                waiting += [name for name in node.inputs if name not in given]
        for node in step_nodes(after):
            if node.name in reached:
                self.report.steps += 1
            else:
                label = ", ".join(node.source) or node.name
                reason = f"no value of the QDQ model depends on this {node.op} alone"
                if BY_NAME[node.op].family == "recurrent":
                    reason = f"the gates of this {node.op} are rounded, by more than a step of its int16 result"
                self.report.not_compared[label] = reason

    def _holding(self, graph: Graph, values: Sequence[CutValue]) -> set[str]:
        """The tensors of a graph that hold values of the QDQ model, in whatever layout."""
        found = [self._before.tensors[self._tensors[value.integers]] for value in values]
        names = {tensor.name for tensor in found}
        origins = {_origin(tensor) for tensor in found} - {None}
        holding = {name for name, tensor in graph.tensors.items() if name in names or _origin(tensor) in origins}
        # The passes may leave an output under another name; its place stays.
        pairs = zip(self._before.outputs, graph.outputs, strict=True)
        return holding | {mine for theirs, mine in pairs if theirs in names}

    def compare(self, sample: int, given: Sequence[Array], values: Mapping[str, Array]) -> None:
        """Compare every step on one sample.

        Args:
            sample: its number.
            given: the integers of the model's inputs.
            values: the reference's tensors of the graph as lowering gave it.
        """
        feeds = {value.given: value.shaped(values[self._tensors[value.integers]]) for value in self._values}
        found = self._steps.run(feeds)
        for value in self._compared:
            self._compare_step(sample, value, feeds[value.given], found[value.integers])
        reals = {each.name: each.dequantize(array) for each, array in zip(self._inputs, given, strict=True)}
        if self._length is not None and sample % self._length == 0:
            self._whole.reset()
        theirs = self._whole.run(reals)[self._first]
        mine = self._outputs[0].dequantize(values[self._before.outputs[0]])
        self._ends.append((mine, theirs))

    def _compare_step(self, sample: int, value: CutValue, mine: Array, theirs: Array) -> None:
        report = self.report
        report.elements += mine.size
        if np.array_equal(mine, theirs):
            return
        difference = np.abs(mine.astype(np.int64) - theirs.astype(np.int64)).reshape(-1)
        wrong = difference > (0 if value.is_exact else TOLERANCE)
        report.different += int(np.count_nonzero(difference))
        report.wrong += int(np.count_nonzero(wrong))
        report.largest = max(report.largest, int(difference.max()))
        if report.first is None and wrong.any():
            # Where nothing is wrong, nothing differs.
            within = np.where(wrong.reshape(mine.shape), theirs, mine)
            name = value.node or value.integers
            report.first = Mismatch.of(ONNXRUNTIME, sample, self._length, None, name, within, mine)

    def finish(self) -> OnnxruntimeReport:
        """The report, with the figures end to end."""
        mine, theirs = (np.stack([pair[side] for pair in self._ends]).astype(np.float64) for side in (0, 1))
        if self._outputs[0].quantization is None:
            self.report.agreement = float(np.mean(mine == theirs))
        elif mine[0].size > 1:
            self.report.agreement = float(np.mean(classes(mine) == classes(theirs)))
        self.report.sqnr_db = sqnr_db(mine, theirs)
        return self.report


def _origin(tensor: Tensor) -> tuple[str, Quantization | None] | None:
    if tensor.source is None:
        return None
    return tensor.source.name, tensor.quant
