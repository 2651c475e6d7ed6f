"""A quantized model whose integers are fed with every run: one set of sessions for every plan that is tried."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from edgeq.onnxio.pieces import Piece, Pieces
from edgeq.onnxio.qdq_form import QdqNames, QdqPlan, write_qdq

if TYPE_CHECKING:
    import onnx
    import onnx_ir

    from edgeq.numerics.array import Array


class FedModel:
    """One QDQ model, written and serialized once for all plans of the same float model.

    Args:
        model: the normalized float model.
        plan: any plan of it.
        is_batched: whether several samples are run at once.

    Attributes:
        nodes: its nodes by name; those of the float model keep their names.
        outputs: names of its outputs.
    """

    def __init__(self, model: onnx_ir.Model, plan: QdqPlan, *, is_batched: bool) -> None:
        self._names = QdqNames()
        written = write_qdq(model, plan, self._names)
        pieces = Pieces(written, self.fed(plan))
        self._pieces: Final = pieces.batched() if is_batched else pieces
        self._made: dict[tuple[tuple[str, ...], frozenset[str]], Piece] = {}
        self.nodes: Final = {str(node.name): node for node in written.graph}
        self.outputs: Final = [str(value.name) for value in written.graph.outputs]

    def fed(self, plan: QdqPlan) -> Mapping[str, Array]:
        """The integers and scales of a plan by the name of their initializer."""
        return dict(self._names.values(plan))

    def piece(self, outputs: Sequence[str], given: Iterable[str]) -> Piece:
        """The part that computes some values from others and from the integers fed; it is made once.

        Raises:
            EdgeqError: EQ0241 onnxruntime refuses it.
        """
        key = tuple(outputs), frozenset(given)
        if key not in self._made:
            self._made[key] = self._pieces.piece(*key)
        return self._made[key]

    @property
    def onnx_nodes(self) -> Sequence[onnx.NodeProto]:
        """The nodes as they are serialized, in order."""
        return self._pieces.nodes

    def makers(self, outputs: Iterable[str], given: Iterable[str]) -> list[int]:
        """The indices in :attr:`onnx_nodes` of what computes some values from others and from constants."""
        return self._pieces.makers(outputs, given)
