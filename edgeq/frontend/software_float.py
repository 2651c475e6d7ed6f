"""Nodes that the user keeps in software float become calls of functions that say so.

They come before every rule: a rule knows operators of ONNX, and so neither rewrites nor absorbs what is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.errors import EdgeqError, Problem, did_you_mean
from edgeq.frontend.edit import Edit
from edgeq.frontend.facts import shape_of
from edgeq.onnxio.attributes import attribute_values
from edgeq.onnxio.forms import is_plain, stays_float
from edgeq.onnxio.functions import DOMAIN, add_functions
from edgeq.onnxio.limits import shown
from edgeq.ops.float_types import CHAINED, FLOAT_TYPES

FLAG: Final = "--allow-float"
NODE_NAMES: Final = "edgeq.node_names"
"""Where the metadata of a normalized model keeps the names that its nodes had before the rules."""
# What they give is in their operand, and rules remove them.
_TRANSPARENT: Final = ("Dropout", "Identity")
_SHOWN: Final = 4


def keep_float(model: ir.Model, patterns: Sequence[str]) -> None:
    """Replace nodes by calls of functions of edgeq's own domain; in place.

    Args:
        model: static shapes, opset 21, every node named.
        patterns: of names of nodes, as in ``fnmatch``.

    Raises:
        EdgeqError: EQ0153 a pattern that no node has; EQ0316 nodes that cannot stay in software float.
    """
    problems = [*_unknown(model, patterns)]
    edit = Edit(model)
    for node in list(model.graph):
        if not _is_named(node, patterns) or not _computes_floats(node):
            continue
        problem = _refused(node)
        if problem is None:
            _replace(edit, node)
        else:
            problems.append(problem)
    if problems:
        raise EdgeqError.of(problems)


def could_stay_float(node: ir.Node) -> bool:
    """Whether a node of a normalized model could be kept in software float as it is."""
    return _computes_floats(node) and not stays_float(node) and _refused(node) is None


def _is_named(node: ir.Node, patterns: Sequence[str]) -> bool:
    name = str(node.name)
    # Brackets, which many names have, mean something in a pattern.
    return any(name == pattern or fnmatchcase(name, pattern) for pattern in patterns)


def _computes_floats(node: ir.Node) -> bool:
    """Whether floats are computed with, of which some depend on the input."""
    values = [value for value in (*node.inputs, *node.outputs) if value is not None]
    computed = any(value is not None and not value.is_initializer() for value in node.inputs)
    return computed and any(not is_plain(value) for value in values) and node.op_type not in _TRANSPARENT


def _unknown(model: ir.Model, patterns: Sequence[str]) -> list[Problem]:
    nodes = [node for node in model.graph if _computes_floats(node)]
    names = [str(node.name) for node in nodes]
    problems = []
    for pattern in patterns:
        if any(_is_named(node, [pattern]) for node in nodes):
            continue
        near = did_you_mean(pattern, names)
        problems.append(
            Problem(
                "EQ0153",
                "the model has no such node that computes with floats",
                FLAG,
                shown(pattern),
                f"a node of the model, such as {', '.join(shown(name) for name in names[:_SHOWN])}",
                f"{near} " * (near is not None) + "`*` stands for any letters; nodes without a name go by their result",
            )
        )
    return problems


def _refused(node: ir.Node) -> Problem | None:
    """Why a node cannot be kept, or None."""
    kept = FLOAT_TYPES.get(node.op_type) if not node.domain else None
    place, hint = f"node {shown(str(node.name))}", f"leave it out of {FLAG}, or compute it in the application"
    if kept is None:
        got = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
        return Problem(
            "EQ0316", "this operator cannot stay in software float", place, shown(got), ", ".join(FLOAT_TYPES), hint
        )
    wrong = kept.form.refuse(attribute_values(node))
    if wrong:
        name, value, allowed = wrong[0]
        return Problem("EQ0316", f"this {name} has no form in software float", place, str(value), allowed, hint)
    kinds = [*kept.operands.values()]
    kinds += kinds[-1:] * (len(node.inputs) - len(kinds))
    for operand, kind in zip(node.inputs, kinds, strict=False):
        if operand is not None and kind == "float" and is_plain(operand):
            got = f"{operand.dtype.name if operand.dtype is not None else '?'} {shown(operand.name or '?')}"
            return Problem("EQ0316", "an operand is no float", place, got, "float32", hint)
    if any(value.uses() or value.is_graph_output() for value in node.outputs[1:]):
        return Problem("EQ0316", "only the first result can stay in software float", place, None, None, hint)
    return None


def _replace(edit: Edit, node: ir.Node) -> None:
    """A call in the place of a node; of an operator with any number of operands a chain of calls."""
    kept = FLOAT_TYPES[node.op_type]
    add_functions(edit.model, (kept.name,))
    operands = list(node.inputs)
    edit.before(node)
    if node.op_type in CHAINED:
        while len(operands) > len(kept.operands):
            base, shape = f"{node.name}_part", _joined_shape(node, operands[:2])
            attributes = attribute_values(node)
            made = edit.node(kept.name, operands[:2], attributes, base=base, shape=shape, domain=DOMAIN)
            operands[:2] = [made]
    node.domain, node.op_type = DOMAIN, kept.name
    node.resize_outputs(1)
    if len(operands) < len(node.inputs):
        for index, value in enumerate(operands):
            node.replace_input_with(index, value)
        node.resize_inputs(len(operands))


def _joined_shape(node: ir.Node, operands: Sequence[ir.Value | None]) -> tuple[int, ...]:
    """Of the first two operands of a chain."""
    shapes = [shape_of(value) for value in operands if value is not None]
    if node.op_type != "Concat":
        return np.broadcast_shapes(*shapes)
    axis = node.attributes["axis"].as_int() % len(shapes[0])
    return tuple(
        sum(shape[place] for shape in shapes) if place == axis else size for place, size in enumerate(shapes[0])
    )
