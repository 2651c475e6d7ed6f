"""From any float ONNX model to the one form that quantization and lowering read.

The stages are listed in :func:`normalize`; reading it is reading the frontend. What the form is, in short: opset 21,
batch 1, static shapes on every value, one form of each operator, constants folded, unique names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.errors import EdgeqError
from edgeq.frontend.branches import write_out_branches
from edgeq.frontend.classical import write_out_classical
from edgeq.frontend.edit import Edit, apply_rules
from edgeq.frontend.empty import write_known_results
from edgeq.frontend.facts import known_shape
from edgeq.frontend.fitting import check_fitting
from edgeq.frontend.floats import read_integer_inputs, use_float32
from edgeq.frontend.fold import clear_annotations, fold_constants, lift_constants
from edgeq.frontend.memory import check_memory
from edgeq.frontend.outputs import make_outputs
from edgeq.frontend.qoperator import INTEGER_OPERATORS, write_out_integer_operators
from edgeq.frontend.rules import PHASES, STRUCTURE
from edgeq.frontend.shapes import (
    drop_constant_inputs,
    infer_shapes,
    infer_shapes_of_input,
    pin_inputs,
    require_static,
)
from edgeq.frontend.software_float import NODE_NAMES, keep_float
from edgeq.frontend.stated_shapes import fix_stated_shape
from edgeq.frontend.unroll import unroll_loops
from edgeq.frontend.version import WRITTEN_OUT, convert_to_working_opset
from edgeq.notes import note
from edgeq.onnxio.limits import shown
from edgeq.onnxio.writer import IR_VERSION, OPSET, needed_opset

_OPEN_SHAPES: Final = ("EQ0226", "EQ0302")
"""What a model is refused with whose shapes are not static."""
_QUANTIZED: Final = INTEGER_OPERATORS | {"QuantizeLinear", "DequantizeLinear"}


def is_quantized(model: ir.Model) -> bool:
    """Whether the model carries quantization: QuantizeLinear, DequantizeLinear or an operator on integers."""
    return any(node.op_type in _QUANTIZED for node in model.graph.all_nodes())


@np.errstate(over="ignore", invalid="ignore")  # the support check refuses constants that are no numbers
def normalize(model: ir.Model, dims: Mapping[str, int] | None = None, allow_float: Sequence[str] = ()) -> ir.Model:
    """The normalized form of a float model.

    Args:
        model: as read; it is not changed.
        dims: values of dynamic dimensions, see :func:`edgeq.frontend.shapes.pin_inputs`.
        allow_float: patterns of the names of nodes that stay in software float.

    Returns:
        A new model that computes the same, in float32 rounding apart.

    Raises:
        EdgeqError: EQ0216 to EQ0229, EQ0301: the model cannot be brought to opset 21 or to static shapes; EQ0153,
            EQ0316: nodes cannot stay in software float.
    """
    try:
        work = _folded(model, dims or {})
    except EdgeqError as error:
        if error.problems[0].code not in _OPEN_SHAPES:
            raise
        fixed = fix_stated_shape(model, lambda bound: _folded(bound, dims or {}))
        if fixed is None:
            raise
        work = fixed
    check_memory(work)
    _name_everything(work)
    work.meta[NODE_NAMES] = frozenset(str(node.name) for node in work.graph)
    keep_float(work, allow_float)
    for _, rules in PHASES:
        apply_rules(Edit(work), rules)
    return _finished(work)


def _folded(model: ir.Model, dims: Mapping[str, int]) -> ir.Model:
    """A copy of static shapes, in which nothing is left that depends on constants and shapes alone."""
    work = _static(model, dims)
    read_integer_inputs(work)
    fold_constants(work)
    if unroll_loops(work):  # those whose number of steps is arithmetic of shapes
        infer_shapes(work, forget=True)
        fold_constants(work)
    while write_out_branches(work):  # those of an If within an If are of the main graph then
        infer_shapes(work, forget=True)
        fold_constants(work)
    if write_known_results(work):
        fold_constants(work)
        infer_shapes(work, forget=False)
    make_outputs(work)
    infer_shapes(work, forget=False)
    write_out_classical(work)  # those whose shapes only folding has found
    require_static(work)
    check_fitting(work)
    return work


def normalize_structure(model: ir.Model, dims: Mapping[str, int] | None = None) -> ir.Model:
    """Static shapes and canonical forms for a quantized model; constants stay, nothing moves past a QuantizeLinear.

    Args and errors as :func:`normalize`; EQ0255 too, for values that are quantized to int16 and the like.
    """
    from edgeq.frontend.qdq_read import unknown_integers  # a float model needs none of that

    written = model.clone()
    write_out_integer_operators(written)
    problems = unknown_integers(written)
    if problems:
        raise EdgeqError.of(problems)
    work = _static(written, dims or {})
    make_outputs(work)
    require_static(work)
    check_fitting(work)
    check_memory(work)
    _name_everything(work)
    apply_rules(Edit(work), STRUCTURE)
    return _finished(work)


def _static(model: ir.Model, dims: Mapping[str, int]) -> ir.Model:
    """A copy in opset 21, of float32, with constants as initializers and every shape inferred from pinned inputs."""
    newer = model.graph.opset_imports.get("", 0) > OPSET
    work = convert_to_working_opset(model)
    work.ir_version = IR_VERSION
    clear_annotations(work)
    drop_constant_inputs(work)
    # Types that do not fit together are seen before, not behind the conversion that would make them fit. Those of newer
    # opsets were looked at in their own opset.
    converted = use_float32(work) if newer else False
    lift_constants(work)
    pin_inputs(work, dims)
    infer_shapes_of_input(work)
    if not converted and use_float32(work):
        infer_shapes_of_input(work)
    write_out_classical(work)
    if unroll_loops(work):
        infer_shapes_of_input(work)
    return work


def _name_everything(model: ir.Model) -> None:
    """Nodes without a name, or with one that is taken, are called after their first result.

    Raises:
        EdgeqError: EQ0228 an input or output of the model has no name.
    """
    graph = model.graph
    for value in (*graph.inputs, *graph.outputs):
        if not value.name:
            raise EdgeqError("EQ0228", "an input or output of the model has no name")
    taken: set[str] = set()
    for node in graph:
        base = node.name or next((value.name for value in node.outputs if value.name), "") or node.op_type
        name, number = base, 1
        while name in taken:
            number += 1
            name = f"{base}_{number}"
        taken.add(name)
        node.name = name


def _finished(work: ir.Model) -> ir.Model:
    """Sweep, order the initializers by first use, and check the result against a fresh inference.

    Raises:
        EdgeqError: EQ0229 the rules left a model that is not consistent; a fault of edgeq.
    """
    edit = Edit(work)
    edit.sweep()
    work.graph.sort()
    clear_annotations(work)
    _order_initializers(work)
    if not any(node.op_type in WRITTEN_OUT and not node.domain for node in work.graph):
        work.graph.opset_imports[""] = needed_opset(work.graph)
    for domain in [name for name in work.graph.opset_imports if name and not _uses(work, name)]:
        work.graph.opset_imports.pop(domain)
    confirm_shapes(work)
    for value in work.graph.inputs:
        if not value.uses() and not value.is_graph_output():
            note(
                "EQ0264",
                "nothing reads an input of the model: the firmware does not have it",
                where=f"input {shown(value.name or '?')}",
            )
    return work


def confirm_shapes(work: ir.Model) -> None:
    """Compare every stated shape with what ONNX infers afresh; in place, for values of unknown shape take the latter.

    Raises:
        EdgeqError: EQ0229 they differ, a fault of edgeq; EQ0207 a shape is beyond the caps.
    """
    stated = {value.name: known_shape(value) for node in work.graph for value in node.outputs}
    try:
        infer_shapes(work, forget=True)
    except EdgeqError as error:
        if error.problems[0].code == "EQ0207":
            raise  # a rule needed more than the caps allow
        raise EdgeqError("EQ0229", "normalization broke the model", got=error.problems[0].got) from error
    for node in work.graph:
        for value in node.outputs:
            if value.name and known_shape(value) is None:
                value.shape = ir.Shape(stated[value.name] or ())
            if value.name and known_shape(value) != stated[value.name]:
                raise EdgeqError(
                    "EQ0229",
                    "normalization broke a shape",
                    where=f"value {shown(value.name)}",
                    got=known_shape(value),
                    allowed=stated[value.name],
                    hint="please report the model",
                )


def _uses(model: ir.Model, domain: str) -> bool:
    return any(node.domain == domain for graph in model.graphs() for node in graph)


def _order_initializers(model: ir.Model) -> None:
    """Initializers in the order of first use: independent of the order in which rules made them."""
    graph = model.graph
    first: dict[str, ir.Value] = {}
    for node in graph.all_nodes():
        for value in node.inputs:
            if value is not None and value.name and graph.initializers.get(value.name) is value:
                first.setdefault(value.name, value)
    for name, value in graph.initializers.items():
        first.setdefault(name, value)
    graph.initializers.clear()
    for name, value in first.items():
        graph.initializers[name] = value
