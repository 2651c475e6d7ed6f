"""Resampling that no kernel does, as products with constant matrices: GridSample, and Resize of any other kind.

Where each pixel of a result comes from is constant, so the operator is linear: its matrix is what onnxruntime makes of
images of one pixel each. Rows and columns of a Resize are taken apart where that is less work.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import AttributeValue, Edit, Rule
from edgeq.frontend.facts import Shape, integer, name_of, operand, required, shape_of, text
from edgeq.numerics.resampling import COORDINATES
from edgeq.onnxio.attributes import attribute_values
from edgeq.onnxio.session import Session
from edgeq.onnxio.writer import IR_VERSION, OPSET

_IMAGE_RANK: Final = 4
MAX_MATRIX: Final = 1 << 18
"""Entries of one matrix: bytes of flash at 8 bits."""
_WHOLE: Final = 1 << 12
"""Entries up to which rows and columns are not taken apart: one rounding instead of two."""


def sample_by_matrix(node: ir.Node, edit: Edit) -> str | None:
    """GridSample by a constant grid."""
    x, result = required(node, 0), node.outputs[0]
    grid = edit.array(operand(node, 1))
    if grid is None or shape_of(x)[0] != 1:
        return "the grid is computed, or there are several samples"
    return _whole(node, edit, x, result, {1: grid})


def resize_by_matrix(node: ir.Node, edit: Edit) -> str | None:
    """Resize of an image by cubic interpolation, with antialias, from a region, or keeping the aspect ratio."""
    x, result = required(node, 0), node.outputs[0]
    source, target = shape_of(x), shape_of(result)
    if len(source) != _IMAGE_RANK or source[0] != 1 or source[:2] != target[:2]:
        return "it is no image of one sample"
    given = {index: edit.array(operand(node, index)) for index in (1, 2, 3)}
    constants = {index: array for index, array in given.items() if array is not None and array.size}
    if 2 not in constants and 3 not in constants:
        return "scales and sizes are computed"
    if _is_kernel(node, source, target, constants.get(2)):
        return "a kernel does it"
    if _has_odd_corners(node, source, target, constants.get(2)):
        return "runtimes disagree on the corners of sizes that are not whole"
    regional = text(node, "coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize"
    if regional and 1 not in constants:
        return "its region is computed"
    stretched = text(node, "keep_aspect_ratio_policy", "stretch") == "stretch"
    small = prod(source[2:]) * prod(target[2:]) <= _WHOLE
    # Between rows and columns a quantized model states no scale.
    if regional or not stretched or "axes" in node.attributes or small or edit.params:
        return _whole(node, edit, x, result, constants)
    if max(source[2] * target[2], source[3] * target[3]) > MAX_MATRIX:
        return "the matrix is too large"
    base, image = name_of(result), x
    for axis in (3, 2):
        image = _along(node, edit, image, axis, target[axis], constants, base)
    edit.supersede(result, image)
    return None


def _is_kernel(node: ir.Node, source: Shape, target: Shape, scales: np.ndarray | None) -> bool:
    """Whether the integer operator takes the Resize."""
    coordinates = text(node, "coordinate_transformation_mode", "half_pixel")
    plain = text(node, "mode", "nearest") in ("linear", "nearest") and not integer(node, "antialias", 0)
    if not plain or coordinates not in COORDINATES or text(node, "keep_aspect_ratio_policy", "stretch") != "stretch":
        return False
    return not _has_odd_corners(node, source, target, scales)


def _has_odd_corners(node: ir.Node, source: Shape, target: Shape, scales: np.ndarray | None) -> bool:
    """Whether corners are aligned by scales that give no whole sizes."""
    if text(node, "coordinate_transformation_mode", "half_pixel") != "align_corners" or scales is None:
        return False
    return scales.size != len(source) or not np.allclose(scales * source, target, atol=1e-4)


def _whole(node: ir.Node, edit: Edit, x: ir.Value, result: ir.Value, constants: Mapping[int, np.ndarray]) -> str | None:
    """All pixels of an image times one matrix, with what the operator makes of a black image added."""
    source, target, base = shape_of(x), shape_of(result), name_of(result)
    pixels = prod(source[2:])
    if pixels * prod(target[2:]) > MAX_MATRIX:
        return "the matrix is too large"
    units = np.eye(pixels, dtype=np.float32).reshape(1, pixels, *source[2:])
    black = result_of(node, np.zeros((1, 1, *source[2:]), np.float32), _of_channels(constants, source, 1)).reshape(-1)
    matrix = result_of(node, units, _of_channels(constants, source, pixels)).reshape(pixels, -1) - black
    if not np.isfinite(matrix).all():
        return "the result is not finite"
    rows = edit.reshape(x, (*source[:2], pixels), base=f"{base}_pixels")
    shape = (*source[:2], matrix.shape[1])
    made = edit.node("MatMul", [rows, edit.constant(matrix, f"{base}_matrix")], base=f"{base}_product", shape=shape)
    inner = made
    if black.any():
        made = edit.node("Add", [made, edit.constant(black, f"{base}_border")], base=f"{base}_filled", shape=shape)
    edit.hand_over(node, inner, edit.reshape(made, target, base=f"{base}_image"))
    return None


def _of_channels(constants: Mapping[int, np.ndarray], source: Shape, channels: int) -> dict[int, np.ndarray]:
    """The constants of a Resize for an image of so many channels: sizes of all axes name them."""
    found = dict(constants)
    if 3 in found and found[3].size == len(source):
        found[3] = np.array([1, channels, *found[3][2:]], found[3].dtype)
    return found


def _along(
    node: ir.Node,
    edit: Edit,
    x: ir.Value,
    axis: int,
    size: int,
    constants: Mapping[int, np.ndarray],
    base: str,
) -> ir.Value:
    """The image resized along one axis; x itself where its size stays."""
    shape = list(shape_of(x))
    length = shape[axis]
    if size == length:
        return x
    units = np.eye(length, dtype=np.float32)[np.newaxis, np.newaxis]
    # The image of units is as wide as the axis is long; only its rows are resized.
    one = {
        index: np.array([1, 1, array[axis], 1 if array.dtype.kind == "f" else length], array.dtype)
        for index, array in constants.items()
        if index > 1
    }
    matrix = np.ascontiguousarray(result_of(node, units, one)[0, 0].T)
    label = "rows" if axis == 2 else "columns"
    shape[axis] = size
    if axis == 3:
        weight = edit.constant(matrix, f"{base}_{label}_matrix")
        return edit.node("MatMul", [x, weight], base=f"{base}_{label}", shape=tuple(shape))
    turned = edit.transpose(x, (0, 1, 3, 2), base=f"{base}_turned")
    weight = edit.constant(matrix, f"{base}_{label}_matrix")
    made = edit.node("MatMul", [turned, weight], base=f"{base}_{label}", shape=(*shape[:2], shape[3], shape[2]))
    return edit.transpose(made, (0, 1, 3, 2), base=f"{base}_back")


def result_of(node: ir.Node, x: np.ndarray, constants: Mapping[int, np.ndarray]) -> np.ndarray:
    """What onnxruntime makes of an image with the node's attributes and some of its operands."""
    image = ir.Value(name="x", type=ir.TensorType(ir.DataType.FLOAT), shape=ir.Shape(x.shape))
    operands: list[ir.Value | None] = [image]
    fixed = []
    for index in range(1, max(constants, default=0) + 1):
        if index not in constants:
            operands.append(None)
            continue
        tensor = ir.Tensor(np.ascontiguousarray(constants[index]), name=f"c{index}")
        value = ir.Value(name=tensor.name, type=ir.TensorType(tensor.dtype), shape=tensor.shape, const_value=tensor)
        operands.append(value)
        fixed.append(value)
    stated: dict[str, AttributeValue] = dict(attribute_values(node))
    attributes = [ir.convenience.convert_attribute(name, value) for name, value in stated.items()]
    made = ir.Node("", node.op_type, operands, attributes, outputs=[ir.Value(name="y")])
    graph = ir.Graph([image], made.outputs, nodes=[made], initializers=fixed, opset_imports={"": OPSET}, name="one")
    return Session(ir.Model(graph, ir_version=IR_VERSION)).run({"x": x})["y"]


RULES = (
    Rule("sample_by_matrix", ("GridSample",), sample_by_matrix),
    Rule("resize_by_matrix", ("Resize",), resize_by_matrix),
)
