"""Operators of edgeq's own in ONNX models: functions of standard operators, which the model brings along.

Where a chain of ONNX operators is one integer operator, its float form is a call of a function of the domain
:data:`DOMAIN`. The model holds the function's body, so that every runtime executes it and nothing has to know edgeq.
Reading expands the calls, and the frontend recognizes the chains again.

A node that stays in software float is a call, too, of a function of one operator (:mod:`edgeq.ops.float_types`). These
calls say what the user allowed, and reading leaves them as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from edgeq.onnxio.writer import OPSET
from edgeq.ops.float_types import BY_FUNCTION

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
def function_protos() -> dict[str, onnx.FunctionProto]:
    """The functions by name, in opset 21."""
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
    log_mel = helper.make_function(DOMAIN, LOG_MEL, list(LOG_MEL_OPERANDS), ["y"], body, imports)
    return {LOG_MEL: log_mel} | {name: _of_one_operator(name) for name in BY_FUNCTION}


def _of_one_operator(name: str) -> onnx.FunctionProto:
    """A function that calls an operator of ONNX with its own operands and attributes."""
    from onnx import AttributeProto, helper

    kept = BY_FUNCTION[name]
    node = helper.make_node(kept.type, kept.inputs, ["y"])
    for attribute in kept.attributes:
        kind = AttributeProto.AttributeType.Value({"str": "STRING"}.get(attribute.kind, attribute.kind.upper()))
        node.attribute.add(name=attribute.name, ref_attr_name=attribute.name, type=kind)
    imports = [helper.make_opsetid("", OPSET)]
    names = [attribute.name for attribute in kept.attributes]
    return helper.make_function(DOMAIN, name, list(kept.inputs), ["y"], [node], imports, attributes=names)


def says_what_we_say(function: onnx.FunctionProto) -> bool:
    """Whether a function of a model is one of those that keep a node in software float, with the same body."""
    return function.name in BY_FUNCTION and _meaning(function) == _meaning(function_protos()[function.name])


def _meaning(function: onnx.FunctionProto) -> object:
    nodes = [
        (
            node.domain,
            node.op_type,
            list(node.input),
            list(node.output),
            sorted((item.name, item.ref_attr_name, item.type) for item in node.attribute),
        )
        for node in function.node
    ]
    attributes = sorted((*function.attribute, *(item.name for item in function.attribute_proto)))
    return function.domain, list(function.input), list(function.output), attributes, nodes


def add_functions(model: ir.Model, names: Iterable[str]) -> None:
    """Give a model functions of these names, for calls of them; in place."""
    import onnx_ir as ir

    model.graph.opset_imports[DOMAIN] = VERSION
    for name in names:
        function = ir.serde.deserialize_function(function_protos()[name])
        model.functions.setdefault(function.identifier(), function)


def with_functions(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with calls in place of nodes of the functions' names, and with the functions; in place."""
    from onnx import helper

    by_name = function_protos()
    called = [node for node in model.graph.node if node.op_type in by_name]
    for node in called:
        node.domain = DOMAIN
    if called:
        model.functions.extend(by_name[name] for name in dict.fromkeys(node.op_type for node in called))
        model.opset_import.append(helper.make_opsetid(DOMAIN, VERSION))
    return model
