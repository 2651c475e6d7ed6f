"""Says everything in a normalized model that edgeq cannot make integer, at once.

Which operators exist, of which rank, and which of their operands are constant is :func:`edgeq.ops.onnx_forms`; what
they ask beyond that is :data:`edgeq.frontend.constraints.CONSTRAINTS`. Both speak of the normalized form, which
:func:`normalize` makes.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.errors import Problem
from edgeq.frontend.constraints import CONSTRAINTS, QDQ, constant_of, is_constant, of_signature, place
from edgeq.frontend.facts import known_shape, operand, required
from edgeq.frontend.software_float import FLAG, NODE_NAMES, could_stay_float
from edgeq.onnxio.attributes import attribute_values
from edgeq.onnxio.forms import form_of, is_plain
from edgeq.onnxio.limits import shown
from edgeq.onnxio.operators import UNSUPPORTED, hint_for
from edgeq.onnxio.states import states_of
from edgeq.ops import OnnxForm, Op
from edgeq.ops.signature import INTEGERS

_MAX_REPORTED: Final = 200
# What an application can hand over: there are none of 4 bits.
_INTEGERS: Final = tuple(ir.DataType[f"{sign}INT{bits}"] for sign in ("", "U") for bits in (8, 16, 32, 64))
# Outputs that are inputs or constants.
_COPIED: Final = (ir.DataType.FLOAT, *_INTEGERS, ir.DataType.BOOL)


def check_support(model: ir.Model) -> list[Problem]:
    """Every reason why a model cannot become firmware.

    Args:
        model: normalized, float or quantized.

    Returns:
        The problems in the order of the graph, each with node, cause and what to do; empty when all is supported.
    """
    problems = [*_of_inputs_and_outputs(model)]
    names = model.meta.get(NODE_NAMES, frozenset())
    for node in model.graph:
        found = list(_of_node(node))
        name = str(node.name)
        if found and name in names and shown(name) == name and could_stay_float(node):
            found = [_with_float(problem, node) for problem in found]
        problems.extend(found)
        if len(problems) >= _MAX_REPORTED:
            break
    return problems[:_MAX_REPORTED]


def _with_float(problem: Problem, node: ir.Node) -> Problem:
    """The problem of a node with a further way out of it."""
    way = f"{FLAG} {shlex.quote(str(node.name))} keeps this node in software float"
    return replace(problem, hint=f"{problem.hint}; or {way}" if problem.hint else way)


def _of_inputs_and_outputs(model: ir.Model) -> Iterator[Problem]:
    """Inputs and outputs of the model, and numbers in its weights that no integer stands for."""
    if not model.graph.inputs:
        yield Problem("EQ0310", "the model has no input", hint="all of it is constant: there is nothing to run")
    carried = {state.output for state in states_of(model)}
    for value in model.graph.outputs:
        copied = _copied_to_output(value.producer())
        allowed = (ir.DataType.FLOAT,) if value.name in carried else _COPIED
        if copied is not None and copied.dtype is not None and copied.dtype not in allowed:
            copy = "an input" if copied.is_graph_input() else "a constant"
            yield Problem(
                "EQ0308",
                f"an output of the model is {copy} of a type that is not copied",
                where=f"output {shown(value.name or '?')}",
                got=copied.dtype.name,
                allowed=", ".join(kind.name for kind in allowed),
                hint="leave this output out of the model: it says nothing that the application does not know",
            )
    for value in (*model.graph.inputs, *model.graph.outputs):
        shape = known_shape(value)
        if shape is not None and 0 in shape and (value.uses() or value.is_graph_output()):
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


def _of_node(node: ir.Node) -> Iterator[Problem]:
    if node.domain and form_of(node) is None:
        yield Problem(
            "EQ0301",
            "this operator is not of standard ONNX",
            where=place(node),
            got=f"{shown(node.domain)}.{shown(node.op_type)}",
            hint=hint_for(node.domain, node.op_type),
        )
        return
    if node.op_type not in QDQ and form_of(node) is None:
        yield Problem("EQ0302", UNSUPPORTED, where=place(node), got=node.op_type, hint=hint_for("", node.op_type))
        return
    if _copied_to_output(node) is not None:
        return
    yield from _of_types(node)
    yield from _of_results(node)
    form = form_of(node)
    rule = _anything if form is not None and form[1].plain else CONSTRAINTS.get(node.op_type, _anything)
    found = [*of_signature(node), *rule(node)]
    yield from found
    if not found:
        yield from _of_attributes(node)


def _of_attributes(node: ir.Node) -> Iterator[Problem]:
    """What the operator's schema does not have; the operator's own constraints, where it has any, say it better."""
    form = form_of(node)
    for name, value, allowed in () if form is None else form[1].refuse(attribute_values(node)):
        got = str(list(value) if isinstance(value, tuple) else value)
        yield Problem("EQ0313", f"{node.op_type} does not support this {name}", place(node), got, allowed)


def _anything(node: ir.Node) -> Iterator[Problem]:
    """Operators without further conditions."""
    del node
    yield from ()


def _of_types(node: ir.Node) -> Iterator[Problem]:
    """Operands have types that the operator's signature has: floats will be quantized, all else is plain."""
    if node.op_type in QDQ:
        return
    yield from _of_operand_types(node)
    for index, value in enumerate(node.inputs):
        if value is None or is_constant(value):
            continue
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


def _of_operand_types(node: ir.Node) -> Iterator[Problem]:
    """Operands that fill slots have types that go together; any other one is a constant, or float32."""
    found = form_of(node)
    if found is None:
        return
    op, form = found
    filling = range(len(node.inputs)) if form.activations is None else form.activations
    filled = {index: value for index in filling if (value := operand(node, index)) is not None}
    rows = op.signature.activation_kinds(len(filled))
    got = tuple(_type_of(value) for value in filled.values())
    if not any(all(map(_is_of, got, row)) for row in rows) and not all(map(is_constant, filled.values())):
        alien = (number for number, kind in enumerate(got) if not any(_is_of(kind, row[number]) for row in rows))
        yield _wrong_type(node, [*filled][next(alien, 0)], _described(rows))
    for index, value in enumerate(node.inputs):
        if index not in filled and value is not None and not is_constant(value) and kind_of(value) != "float":
            yield _wrong_type(node, index, "a constant")


def _type_of(value: ir.Value) -> str:
    """``float``, or the name of any other type."""
    return "float" if value.dtype in (None, ir.DataType.FLOAT) else str(value.dtype).lower()


def _is_of(type_: str, allowed: str) -> bool:
    return type_ == allowed or (allowed == "integer" and type_ in INTEGERS)


def _described(rows: Sequence[tuple[str, ...]]) -> str:
    """The rows for people: those that differ in the type of integers alone are one, where every type is among them."""
    alike = {row: tuple("integer" if kind in INTEGERS else kind for kind in row) for row in rows}
    whole = {
        words
        for words in alike.values()
        if set(INTEGERS) <= {kind for row, other in alike.items() if other == words for kind in row}
    }
    return " or ".join(dict.fromkeys(", ".join(alike[row] if alike[row] in whole else row) for row in rows))


def _wrong_type(node: ir.Node, index: int, allowed: str) -> Problem:
    value = required(node, index)
    return Problem(
        "EQ0303",
        f"{node.op_type} has no integer form for operands of these types",
        where=f"{place(node)}, input {index}",
        got=f"{value.dtype.name if value.dtype is not None else '?'} {shown(value.name or '?')}",
        allowed=allowed,
        hint="put a Cast to float32 in front, or do this part in the application; `edgeq ops` lists the types"
        if kind_of(value) in {"float", "integer", "bool"}
        else "values are float32, integers of 8 to 64 bits, or BOOL: cast them in the application",
    )


def kind_of(value: ir.Value) -> str:
    """What a value holds: ``float``, ``integer``, ``bool``, or a type that nothing computes with."""
    if value.dtype in (None, ir.DataType.FLOAT):
        return "float"
    if value.dtype == ir.DataType.BOOL:
        return "bool"
    return "integer" if value.dtype in _INTEGERS else str(value.dtype).lower()


def _is_result(op: Op, form: OnnxForm, index: int, value: ir.Value) -> bool:
    """Whether an operator has a result behind its first: a state of its own, or integers beside floats."""
    return index in form.wide or (op.others is not None and is_plain(value))


def _of_results(node: ir.Node) -> Iterator[Problem]:
    """One result, but where the operator has more; further ones may not be read."""
    found = form_of(node)
    for index, value in enumerate(node.outputs):
        if index == 0 or (found is not None and _is_result(*found, index, value)):
            continue
        if value.uses() or value.is_graph_output():
            yield Problem(
                "EQ0305", "this result of the operator is not supported", where=f"{place(node)}, output {index}"
            )
