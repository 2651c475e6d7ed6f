"""Folds constants with onnxscript's optimizer, within bounds.

Of that optimizer only constant folding is used (it also evaluates shape arithmetic): its rewrite rules number their
results and stop short of the forms that lowering wants. The guard here keeps a model of a few bytes from making
arrays of gigabytes.
"""

from __future__ import annotations

import logging
from typing import Final

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import (
    LiftConstantsToInitializersPass,
    LiftSubgraphInitializersToMainGraphPass,
    RemoveUnusedNodesPass,
    RemoveUnusedOpsetsPass,
)

from edgeq.errors import EdgeqError
from edgeq.frontend.facts import known_shape
from edgeq.frontend.shapes import infer_shapes
from edgeq.onnxio.reader import one_line
from edgeq.ops import onnx_types

MAX_FOLDED_ELEMENTS: Final = 1 << 22
_SMALL: Final = 1 << 13
_ROUNDS: Final = 6

_CHEAP: Final = frozenset(
    {
        "Cast", "ConstantOfShape", "Div", "Equal", "Expand", "Gather", "Greater", "Less", "Max", "Min", "Not", "Pow",
        "Range", "Shape", "Tile", "Where",
        *onnx_types(lambda op, form: op.family in ("elementwise", "layout", "lookup")),
    }
)  # fmt: skip
"""Operators whose cost is about the size of their result."""

_EVALUATED: Final = frozenset(
    {
        "Cast", "CastLike", "ConcatFromSequence", "Constant", "Dropout", "Expand", "Identity", "If", "Loop", "Scan",
        "SequenceAt", "SequenceConstruct", "Shape", "Size", "Split", "SplitToSequence",
    }
)  # fmt: skip
"""Operators that onnxscript's optimizer may replace although an operand is not constant."""

_REFUSED: Final = frozenset(
    {
        "DequantizeLinear", "DynamicQuantizeLinear", "Loop", "QuantizeLinear", "RandomNormal", "RandomUniform", "Scan",
        "SplitToSequence",
    }
)  # fmt: skip


def lift_constants(model: ir.Model) -> None:
    """Constant nodes become initializers of the main graph."""
    _release_constant_outputs(model.graph)
    LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    LiftSubgraphInitializersToMainGraphPass()(model)


def _release_constant_outputs(graph: ir.Graph) -> None:
    """The lifting leaves a Constant alone that is an output of the model: put an Identity between."""
    for index, value in enumerate(list(graph.outputs)):
        node = value.producer()
        if node is None or node.op_type != "Constant" or node.domain:
            continue
        result = ir.Value(name=value.name, type=value.type, shape=value.shape)
        value.name = f"{value.name}_constant"
        while any(value.name == other.name for inner in graph for other in inner.outputs if other is not value):
            value.name += "_"
        graph.append(ir.Node("", "Identity", inputs=[value], outputs=[result], name=f"{result.name}_output"))
        graph.outputs[index] = result


def fold_constants(model: ir.Model) -> None:
    """Evaluate what depends on constants and static shapes only; in place.

    Raises:
        EdgeqError: EQ0227 an operator cannot be evaluated.
    """
    if _may_change(model):
        _fold(model)
    else:
        RemoveUnusedNodesPass()(model)
        lift_constants(model)
    RemoveUnusedOpsetsPass()(model)


def _may_change(model: ir.Model) -> bool:
    """Whether the optimizer could find anything: importing it takes longer than the rest of normalization.

    Constants alone, an operator of :data:`_EVALUATED`, a shape that is not known, a Reshape to the same shape, and a
    Concat of one or of empty operands are all that it looks for.
    """
    if model.functions:
        return True
    for node in model.graph:
        shapes = [known_shape(value) for value in (*node.inputs, *node.outputs) if value is not None]
        computed = [value for value in node.inputs if value is not None and value.const_value is None]
        if node.op_type in _EVALUATED or not computed or None in shapes:
            return True
        if node.op_type == "Reshape" and known_shape(node.inputs[0]) == known_shape(node.outputs[0]):
            return True
        if node.op_type == "Concat" and (len(node.inputs) == 1 or any(0 in (shape or ()) for shape in shapes)):
            return True
    return False


def _fold(model: ir.Model) -> None:
    from onnxscript.optimizer import fold_constants_ir  # heavy: see _may_change

    quiet = logging.getLogger("onnxscript")
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        for _ in range(_ROUNDS):
            with np.errstate(all="ignore"):  # what is not finite is reported by check_support, with its name
                result = fold_constants_ir(
                    model,
                    onnx_shape_inference=True,
                    input_size_limit=_SMALL,
                    output_size_limit=MAX_FOLDED_ELEMENTS,
                    should_fold=_may_fold,
                )
            RemoveUnusedNodesPass()(model)
            lift_constants(model)
            if not result.modified:
                break
            infer_shapes(model, forget=False)
    except (RuntimeError, ValueError, TypeError, ArithmeticError, IndexError, KeyError, AssertionError) as error:
        cause = error.__cause__ or error
        raise EdgeqError("EQ0227", "a constant part of the model cannot be evaluated", got=one_line(cause)) from error
    finally:
        quiet.setLevel(level)


def _may_fold(node: ir.Node) -> bool | None:
    """Whether a node with constant operands may be evaluated: yes, no, or by the optimizer's own judgement."""
    if node.op_type in _REFUSED:
        return False
    total = 0
    for value in node.outputs:
        shape = known_shape(value)
        if shape is None:
            return False
        elements = 1
        for dim in shape:
            elements *= dim
        total += elements
    if total > MAX_FOLDED_ELEMENTS:
        return False
    return True if node.op_type in _CHEAP else None


def clear_annotations(model: ir.Model) -> None:
    """Drop doc strings and per-value metadata: traces and paths of the exporting machine."""
    model.doc_string = None
    for graph in model.graphs():
        graph.doc_string = None
        graph.metadata_props.clear()
        for value in (*graph.inputs, *graph.initializers.values()):
            value.doc_string = None
            value.metadata_props.clear()
        for node in graph:
            node.doc_string = None
            node.metadata_props.clear()
            for value in node.outputs:
                value.doc_string = None
                value.metadata_props.clear()
                value.meta.clear()
