"""Operators of edgeq's own in ONNX models: functions of standard operators, which the model brings along.

Where a chain of ONNX operators is one integer operator, its float form is a call of a function of the domain
:data:`DOMAIN`. The model holds the function's body, so that every runtime executes it and nothing has to know edgeq.
Reading expands the calls, and the frontend recognizes the chains again.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from edgeq.onnxio.writer import OPSET

if TYPE_CHECKING:
    import onnx
    import onnx_ir as ir

DOMAIN: Final = "edgeq"
VERSION: Final = 1
LOG_MEL: Final = "LogMel"
LOG_MEL_OPERANDS: Final = ("x", "pads", "step", "window", "weights", "exponent", "added", "least")
"""Signal [1, samples]; int64 pads [4] of zeros behind it; int64 step; window [length]; weights [frequencies, bands];
and numbers: the exponent of powers, what is added to the sums, and their least value."""


@lru_cache(maxsize=1)
def function_protos() -> tuple[onnx.FunctionProto, ...]:
    """The functions, in opset 21."""
    from onnx import helper

    node = helper.make_node
    body = [
        node("Pad", ["x", "pads"], ["padded"]),
        node("STFT", ["padded", "step", "window"], ["spectrum"], onesided=1),
        node("Constant", [], ["last"], value_ints=[-1]),
        node("ReduceSumSquare", ["spectrum", "last"], ["power"], keepdims=0),
        node("Pow", ["power", "exponent"], ["amplitude"]),
        node("MatMul", ["amplitude", "weights"], ["bands"]),
        node("Add", ["bands", "added"], ["sums"]),
        node("Max", ["sums", "least"], ["bounded"]),
        node("Log", ["bounded"], ["y"]),
    ]
    imports = [helper.make_opsetid("", OPSET)]
    return (helper.make_function(DOMAIN, LOG_MEL, list(LOG_MEL_OPERANDS), ["y"], body, imports),)


def add_functions(model: ir.Model) -> None:
    """Give a model the functions, for a call of one; in place."""
    import onnx_ir as ir

    model.graph.opset_imports[DOMAIN] = VERSION
    for proto in function_protos():
        function = ir.serde.deserialize_function(proto)
        model.functions.setdefault(function.identifier(), function)


def with_functions(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with calls in place of nodes of the functions' names, and with the functions; in place."""
    from onnx import helper

    by_name = {proto.name: proto for proto in function_protos()}
    called = [node for node in model.graph.node if node.op_type in by_name]
    for node in called:
        node.domain = DOMAIN
    if called:
        model.functions.extend(by_name[name] for name in dict.fromkeys(node.op_type for node in called))
        model.opset_import.append(helper.make_opsetid(DOMAIN, VERSION))
    return model
