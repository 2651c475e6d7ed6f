"""A quantized model whose integers are fed with every run: what candidates are judged with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from edgeq.onnxio.pieces import Pieces
from edgeq.onnxio.qdq_form import QdqNames, QdqPlan, write_qdq

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.numerics.array import Array


class Candidate:
    """One QDQ model, written and serialized once for all plans of the same float model.

    Args:
        model: the normalized float model.
        plan: any plan of it.
        is_batched: whether several samples are run at once.

    Attributes:
        pieces: the QDQ model; the integers of a plan are fed.
        nodes: its nodes by name; those of the float model keep their names.
        outputs: names of its outputs.
    """

    def __init__(self, model: onnx_ir.Model, plan: QdqPlan, *, is_batched: bool) -> None:
        self._names = QdqNames()
        written = write_qdq(model, plan, self._names)
        fed = dict(self._names.values(plan))
        pieces = Pieces(written, fed)
        self.pieces: Final = pieces.batched() if is_batched else pieces
        self.nodes: Final = {str(node.name): node for node in written.graph}
        self.outputs: Final = [str(value.name) for value in written.graph.outputs]

    def fed(self, plan: QdqPlan) -> Mapping[str, Array]:
        """The integers and scales of a plan by the name of their initializer."""
        return dict(self._names.values(plan))
