"""Says everything in a normalized model that edgeq cannot make integer, at once.

Which operators exist, of which rank, and which of their operands are constant is :func:`edgeq.ops.onnx_forms`; what
they ask beyond that is :data:`edgeq.frontend.constraints.CONSTRAINTS`. Both speak of the normalized form, which
:func:`normalize` makes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.errors import Problem
from edgeq.frontend.constraints import CONSTRAINTS, QDQ, constant_of, is_constant, of_signature, place
from edgeq.frontend.facts import known_shape
from edgeq.onnxio.attributes import attribute_values
from edgeq.onnxio.limits import shown
from edgeq.onnxio.operators import UNSUPPORTED, hint_for
from edgeq.ops import onnx_forms

_MAX_REPORTED: Final = 200


def check_support(model: ir.Model) -> list[Problem]:
    """Every reason why a model cannot become firmware.

    Args:
        model: normalized, float or quantized.

    Returns:
        The problems in the order of the graph, each with node, cause and what to do; empty when all is supported.
    """
    problems = [*_of_inputs_and_outputs(model)]
    supported = {*onnx_forms(), *QDQ}
    for node in model.graph:
        problems.extend(_of_node(node, supported))
        if len(problems) >= _MAX_REPORTED:
            break
    return problems[:_MAX_REPORTED]


def _of_inputs_and_outputs(model: ir.Model) -> Iterator[Problem]:
    """Inputs and outputs of the model, and numbers in its weights that no integer stands for."""
    if not model.graph.inputs:
        yield Problem("EQ0310", "the model has no input", hint="all of it is constant: there is nothing to run")
    for value in model.graph.outputs:
        copied = _copied_to_output(value.producer())
        if copied is not None and copied.dtype not in (None, ir.DataType.FLOAT):
            kind = "an input" if copied.is_graph_input() else "a constant"
            yield Problem(
                "EQ0308",
                f"an output of the model is {kind} that is not float32",
                where=f"output {shown(value.name or '?')}",
                got=copied.dtype.name,
                allowed="FLOAT",
                hint="leave this output out of the model: it says nothing that the application does not know",
            )
    for value in (*model.graph.inputs, *model.graph.outputs):
        shape = known_shape(value)
        if shape is not None and 0 in shape:
            yield Problem(
                "EQ0304", "a tensor is empty", where=f"value {shown(value.name or '?')}", got=str(list(shape))
            )
    for name, value in model.graph.initializers.items():
        tensor = value.const_value
        if tensor is None or tensor.dtype not in (ir.DataType.FLOAT, ir.DataType.DOUBLE, ir.DataType.FLOAT16):
            continue
        if not np.isfinite(tensor.numpy()).all():
            yield Problem(
                "EQ0309",
                "a constant holds NaN or infinity",
                where=f"initializer {shown(name)}",
                hint="mask with -1e4 in place of -inf; else the training diverged, or a fold divided by zero",
            )


def _copied_to_output(node: ir.Node | None) -> ir.Value | None:
    """The constant or input that a node copies to an output of the model (see :func:`make_outputs`), or None."""
    if node is None or node.op_type not in ("Identity", "Reshape") or not node.outputs[0].is_graph_output():
        return None
    value = node.inputs[0]
    if value is None or known_shape(value) != known_shape(node.outputs[0]):
        return None
    return value if value.is_initializer() or value.is_graph_input() else None


def _of_node(node: ir.Node, supported: set[str]) -> Iterator[Problem]:
    if node.domain:
        yield Problem(
            "EQ0301",
            "this operator is not of standard ONNX",
            where=place(node),
            got=f"{shown(node.domain)}.{shown(node.op_type)}",
            hint=hint_for(node.domain, node.op_type),
        )
        return
    if node.op_type not in supported:
        yield Problem("EQ0302", UNSUPPORTED, where=place(node), got=node.op_type, hint=hint_for("", node.op_type))
        return
    if _copied_to_output(node) is not None:
        return
    yield from _of_types(node)
    yield from _of_results(node)
    found = [*of_signature(node), *CONSTRAINTS.get(node.op_type, _anything)(node)]
    yield from found
    if not found:
        yield from _of_attributes(node)


def _of_attributes(node: ir.Node) -> Iterator[Problem]:
    """What the operator's schema does not have; the operator's own constraints, where it has any, say it better."""
    form = onnx_forms().get(node.op_type)
    for name, value, allowed in () if form is None else form[1].refuse(attribute_values(node)):
        got = str(list(value) if isinstance(value, tuple) else value)
        yield Problem("EQ0313", f"{node.op_type} does not support this {name}", place(node), got, allowed)


def _anything(node: ir.Node) -> Iterator[Problem]:
    """Operators without further conditions."""
    del node
    yield from ()


def _of_types(node: ir.Node) -> Iterator[Problem]:
    """Activations are float32; beside QuantizeLinear and DequantizeLinear nothing else computes."""
    if node.op_type in QDQ:
        return
    for index, value in enumerate(node.inputs):
        if value is None or is_constant(value):
            continue
        if value.dtype is not None and value.dtype != ir.DataType.FLOAT:
            yield Problem(
                "EQ0303",
                "an operand is not float32",
                where=f"{place(node)}, input {index}",
                got=f"{value.dtype.name} {shown(value.name or '?')}",
                allowed="FLOAT",
                hint="export the model in float32, and do integer preparation of the inputs in the application",
            )
        shape = known_shape(value)
        if shape is not None and 0 in shape:
            yield Problem("EQ0304", "a tensor is empty", where=f"{place(node)}, input {index}", got=str(list(shape)))
    if all(value is None or constant_of(value) is not None for value in node.inputs) and not is_constant(
        node.outputs[0]
    ):
        yield Problem(
            "EQ0311",
            "a node depends on no input of the model and could not be folded",
            where=place(node),
            got=node.op_type,
            hint="export the model with constants folded",
        )


def _of_results(node: ir.Node) -> Iterator[Problem]:
    """One result, but where the operator has more; further ones may not be read."""
    form = onnx_forms().get(node.op_type)
    for index, value in enumerate(node.outputs):
        if index == 0 or (form is not None and index in form[1].wide):
            continue
        if value.uses() or value.is_graph_output():
            yield Problem(
                "EQ0305", "only the first result of this operator is supported", where=f"{place(node)}, output {index}"
            )
