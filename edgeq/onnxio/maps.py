"""Maps of scores by class, which classifiers of scikit-learn give by default, as the tensors that they are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeq.notes import note
from edgeq.onnxio import limits
from edgeq.ops.base import ML_DOMAIN

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_SHOWN: int = 8


def open_maps(proto: ModelProto) -> None:
    """Outputs that ZipMap makes become the scores that it reads, float32 [N, classes]; in place, with a note each."""
    from onnx import TensorProto

    outputs = {value.name: value for value in proto.graph.output}
    read = {name for node in proto.graph.node for name in node.input}
    for node in proto.graph.node:
        if node.domain != ML_DOMAIN or node.op_type != "ZipMap" or len(node.input) != 1 or len(node.output) != 1:
            continue
        value = outputs.get(node.output[0])
        if value is None or value.name in read:
            continue
        classes = _classes(node)
        value.type.Clear()
        value.type.tensor_type.elem_type = TensorProto.FLOAT
        node.op_type, node.domain = "Identity", ""
        del node.attribute[:]
        more = len(classes) - _SHOWN
        note(
            "EQ0237",
            "an output that maps classes to scores is a tensor of the scores here",
            where=f"output {limits.shown(value.name)}",
            got=f"classes {', '.join(classes[:_SHOWN])}" + (f" and {more} more" if more > 0 else ""),
            hint="scores stand in the order of the classes; export with zipmap=False to get the same everywhere",
        )


def _classes(node: NodeProto) -> list[str]:
    found: list[str] = []
    for attribute in node.attribute:
        if attribute.name == "classlabels_int64s":
            found += [str(item) for item in attribute.ints]
        elif attribute.name == "classlabels_strings":
            found += [limits.shown(item.decode("utf-8", "replace")) for item in attribute.strings]
    return found
