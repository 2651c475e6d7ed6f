"""Features before a model: scaled, normalized, chosen, filled in, joined, or as one of several."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from edgeq.errors import EdgeqError
from edgeq.frontend.classical.parts import (
    FLOAT,
    INDEX,
    binary,
    cast,
    exceeds,
    features,
    floats,
    refused,
    rows,
    tell_of_names,
    words,
    write_index,
    write_scores,
)
from edgeq.frontend.constraints import place
from edgeq.frontend.edit import Edit
from edgeq.frontend.facts import integer, ints, name_of, number, required, shape_of, text
from edgeq.onnxio.limits import shown


def write_scaler(node: ir.Node, edit: Edit) -> None:
    """Scaler: (x − offset) · scale, one of each or one for each feature."""
    base, x = name_of(node.outputs[0]), features(node, edit)
    offset, scale = floats(node, "offset"), floats(node, "scale")
    value = x
    if offset.size and offset.any():
        value = binary(edit, "Sub", value, offset.reshape(1, -1), f"{base}_moved")
    if (scale.size and (scale != 1).any()) or value is x:
        value = binary(edit, "Mul", value, scale.reshape(1, -1) if scale.size else 1.0, f"{base}_scaled")
    write_scores(node, edit, value, 0)


def write_normalizer(node: ir.Node, edit: Edit) -> None:
    """Normalizer: x over a norm of its row; rows of zeros stay zeros."""
    base, x, norm = name_of(node.outputs[0]), features(node, edit), text(node, "norm", "MAX")
    if norm in {"L1", "L2"}:
        attributes = {"axis": 1, "p": 1 if norm == "L1" else 2}
        value = edit.node("LpNormalization", [x], attributes, base=f"{base}_normal", shape=shape_of(x))
    elif norm == "MAX":
        axes = edit.constant(np.array([1], np.int64), f"{base}_axes")
        one = (shape_of(x)[0], 1)
        largest = edit.node("ReduceMax", [x, axes], {"keepdims": 1}, base=f"{base}_largest", shape=one)
        value = edit.node("Div", [x, largest], base=f"{base}_normal", shape=shape_of(x))
    else:
        raise refused(node, "norm", norm, "MAX, L1 or L2")
    write_scores(node, edit, value, 0)


def write_binarizer(node: ir.Node, edit: Edit) -> None:
    """Binarizer: 1 where x > threshold, else 0."""
    base, x = name_of(node.outputs[0]), required(node, 0)
    if x.dtype != FLOAT:
        x = cast(edit, x, FLOAT, f"{base}_features")
    write_scores(node, edit, exceeds(edit, x, number(node, "threshold", 0.0), FLOAT, f"{base}_ones"), 0)


def write_imputer(node: ir.Node, edit: Edit) -> None:
    """Imputer: other values where x is the one to be replaced; firmware knows no NaN."""
    base, x = name_of(node.outputs[0]), rows(node)
    if x.dtype == FLOAT:
        marker = number(node, "replaced_value_float", 0.0)
        if math.isnan(marker):
            write_scores(node, edit, binary(edit, "Mul", x, 1.0, f"{base}_same"), 0)
            return
        kept, wanted = np.float32(marker), floats(node, "imputed_value_floats").astype(np.float32)
    else:
        kind = ir.DataType.INT64.numpy() if x.dtype is None else x.dtype.numpy()
        kept = kind.type(integer(node, "replaced_value_int64", 0))
        wanted = np.array(ints(node, "imputed_value_int64s", ()), kind)
    shape = shape_of(x)
    constant = edit.constant(np.array(kept), f"{base}_replaced")
    found = edit.node("Equal", [x, constant], base=f"{base}_missing", shape=shape, dtype=ir.DataType.BOOL)
    filling = edit.constant(np.broadcast_to(wanted.reshape(1, -1), shape), f"{base}_imputed")
    write_scores(
        node, edit, edit.node("Where", [found, filling, x], base=f"{base}_filled", shape=shape, dtype=x.dtype), 0
    )


def write_vectorizer(node: ir.Node, edit: Edit) -> None:
    """FeatureVectorizer: all operands side by side, as float32."""
    base = name_of(node.outputs[0])
    parts = [features(node, edit, index) for index in range(len(node.inputs))]
    sizes = ints(node, "inputdimensions", tuple(shape_of(part)[1] for part in parts))
    if any(size != shape_of(part)[1] for size, part in zip(sizes, parts, strict=True)):
        got = [shape_of(part)[1] for part in parts]
        raise refused(node, "list of inputdimensions", list(sizes), f"the sizes of the operands, {got}")
    shape = (shape_of(parts[0])[0], sum(sizes))
    write_scores(node, edit, edit.node("Concat", parts, {"axis": 1}, base=f"{base}_joined", shape=shape), 0)


def write_extractor(node: ir.Node, edit: Edit) -> None:
    """ArrayFeatureExtractor: the columns of x that indices name.

    Where x is a list of words, which exporters look a label up in, the index stands for the word.
    """
    x, indices, result = required(node, 0), required(node, 1), node.outputs[0]
    base, places = name_of(result), math.prod(shape_of(indices))
    flat = edit.reshape(indices, (places,), base=f"{base}_flat") if edit.is_computed(indices) else indices
    if edit.array(indices) is not None:
        flat = edit.constant(np.asarray(edit.array(indices)).reshape(-1), f"{base}_indices")
    if x.dtype == ir.DataType.STRING:
        names = None if x.const_value is None else np.asarray(x.const_value.numpy()).reshape(-1)
        if names is None:
            raise _no_words(node, x)
        tell_of_names(result, [item.decode() if isinstance(item, bytes) else str(item) for item in names.tolist()])
        write_index(edit, result, edit.reshape(flat, (1, places), base=f"{base}_index"))
        return
    shape = shape_of(x) if len(shape_of(x)) > 1 else (1, *shape_of(x))
    source = x if shape == shape_of(x) else edit.reshape(x, shape, base=f"{base}_row")
    array = edit.array(x)
    if array is not None:
        source = edit.constant(array.reshape(shape), f"{base}_row")
    columns = (*shape[:-1], places)
    attributes = {"axis": len(shape) - 1}
    write_scores(node, edit, edit.node("Gather", [source, flat], attributes, base=f"{base}_columns", shape=columns), 0)


def _no_words(node: ir.Node, x: ir.Value) -> EdgeqError:
    return EdgeqError(
        "EQ0303",
        f"{node.op_type} reads words that are computed",
        where=place(node),
        got=f"STRING {shown(x.name or '?')}",
        allowed="numbers, or a constant list of words",
        hint="look words up in the application",
    )


def write_one_hot(node: ir.Node, edit: Edit) -> None:
    """OneHotEncoder of numbers: one element for each category along a new last axis, 1 where x is it."""
    base, x, categories = name_of(node.outputs[0]), required(node, 0), ints(node, "cats_int64s", ())
    if words(node, "cats_strings") or not categories:
        raise refused(node, "list of categories", "words", "whole numbers", "map words to numbers in the application")
    if not integer(node, "zeros", 1):
        hint = "export it with zeros=1: a category that is none of the list has zeros only"
        raise refused(node, "value of zeros", 0, 1, hint)
    whole = x if x.dtype is not None and x.dtype.is_integer() else cast(edit, x, INDEX, f"{base}_whole")
    shape = (*shape_of(x), len(categories))
    apart = edit.reshape(whole, (*shape_of(x), 1), base=f"{base}_apart")
    kind = INDEX.numpy() if whole.dtype is None else whole.dtype.numpy()
    listed = edit.constant(np.array(categories, kind), f"{base}_categories")
    equal = edit.node("Equal", [apart, listed], base=f"{base}_equal", shape=shape, dtype=ir.DataType.BOOL)
    write_scores(node, edit, cast(edit, equal, FLOAT, f"{base}_ones"), 0)
