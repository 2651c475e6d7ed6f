"""Samples at places that are constant, as products with constant matrices: RoiAlign, DeformConv, and AffineGrid's grid.

A sample between pixels is a sum of the four around it; where none moves, all samples are one matrix.
"""

from __future__ import annotations

from math import prod
from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import AttributeValue, Edit, Rule
from edgeq.frontend.facts import Shape, integer, name_of, operand, required, shape_of, text
from edgeq.frontend.rules.sampling import MAX_MATRIX, result_of
from edgeq.frontend.rules.simplify import cut
from edgeq.frontend.rules.spatial import window_attributes

_IMAGE_RANK: Final = 4


def grid_by_matrix(node: ir.Node, edit: Edit) -> str | None:
    """AffineGrid of a computed matrix: its rows times the constant coordinates of all pixels."""
    theta, size, result = required(node, 0), edit.array(operand(node, 1)), node.outputs[0]
    corners = bool(integer(node, "align_corners", 0))
    if size is None or (corners and 1 in size[2:]):
        return "the size is computed, or corners are aligned along an axis of one pixel, where runtimes disagree"
    base, image = name_of(result), [int(item) for item in size[2:]]
    samples, rows, columns = shape_of(theta)
    coordinates = [np.linspace(-1, 1, count) if corners else (2 * np.arange(count) + 1) / count - 1 for count in image]
    along = np.meshgrid(*coordinates, indexing="ij")[::-1]  # x is the last axis
    matrix = np.stack([*(item.reshape(-1) for item in along), np.ones(prod(image))]).astype(np.float32)
    flat = edit.reshape(theta, (samples * rows, columns), base=f"{base}_rows")
    constant = edit.constant(matrix, f"{base}_pixels")
    made = edit.node("MatMul", [flat, constant], base=f"{base}_product", shape=(samples * rows, prod(image)))
    split = edit.reshape(made, (samples, rows, prod(image)), base=f"{base}_split")
    turned = edit.transpose(split, (0, 2, 1), base=f"{base}_turned")
    edit.hand_over(node, made, edit.reshape(turned, shape_of(result), base=f"{base}_grid"))
    return None


def align_by_matrix(node: ir.Node, edit: Edit) -> str | None:
    """RoiAlign of constant regions, by averages: what onnxruntime makes of images of one pixel each."""
    x, result = required(node, 0), node.outputs[0]
    regions, samples = edit.array(operand(node, 1)), edit.array(operand(node, 2))
    if regions is None or samples is None or shape_of(x)[0] != 1 or text(node, "mode", "avg") != "avg":
        return "the regions are computed, there are several images, or it is no average"
    (_, channels, height, width), (count, _, rows, columns) = shape_of(x), shape_of(result)
    pixels, points = height * width, count * rows * columns
    if pixels * points > MAX_MATRIX:
        return "the matrix is too large"
    units = np.eye(pixels, dtype=np.float32).reshape(1, pixels, height, width)
    matrix = result_of(node, units, {1: regions, 2: samples}).transpose(1, 0, 2, 3).reshape(pixels, points)
    base = name_of(result)
    flat = edit.reshape(x, (channels, pixels), base=f"{base}_pixels")
    constant = edit.constant(matrix, f"{base}_matrix")
    made = edit.node("MatMul", [flat, constant], base=f"{base}_product", shape=(channels, points))
    split = edit.reshape(made, (channels, count, rows, columns), base=f"{base}_split")
    edit.hand_over(node, made, edit.transpose(split, (1, 0, 2, 3), base=f"{base}_regions"))
    return None


def convolve_samples(node: ir.Node, edit: Edit) -> str | None:
    """DeformConv by constant offsets: the samples of all windows side by side, and a convolution of 1x1 over them."""
    x, weight, offsets = required(node, 0), edit.array(operand(node, 1)), edit.array(operand(node, 2))
    bias, mask, result = edit.array(operand(node, 3)), edit.array(operand(node, 4)), node.outputs[0]
    missing = [operand(node, index) is not None and array is None for index, array in ((3, bias), (4, mask))]
    if weight is None or offsets is None or any(missing):
        return "weights, offsets or the mask are computed"
    if len(shape_of(x)) != _IMAGE_RANK or shape_of(x)[0] != 1 or edit.params:
        return "it is no image of one sample, or a quantized model states no scale of the samples"
    kernel, (_, channels, height, width) = weight.shape[2:], shape_of(x)
    target, groups, taps = shape_of(result)[2:], integer(node, "offset_group", 1), prod(weight.shape[2:])
    if height * width * taps * prod(target) * groups > MAX_MATRIX:
        return "the matrices are too large"
    moved = offsets.reshape(groups, *kernel, 2, *target).astype(np.float64)
    share = np.ones((groups, *kernel, *target)) if mask is None else mask.reshape(groups, *kernel, *target)
    base, parts, own = name_of(result), [], channels // groups
    for group in range(groups):
        label = base if groups == 1 else f"{base}_{group}"
        matrix = _samples(node, moved[group], share[group], (height, width), target)
        part = x if groups == 1 else cut(edit, x, 1, (group * own, (group + 1) * own), f"{label}_channels")
        flat = edit.reshape(part, (own, height * width), base=f"{label}_pixels")
        constant = edit.constant(matrix, f"{label}_matrix")
        parts.append(edit.node("MatMul", [flat, constant], base=f"{label}_samples", shape=(own, matrix.shape[1])))
    shape = (channels, taps * prod(target))
    whole = parts[0] if groups == 1 else edit.node("Concat", parts, {"axis": 0}, base=f"{base}_all", shape=shape)
    image = edit.reshape(whole, (1, channels * taps, *target), base=f"{base}_windows")
    flattened = weight.reshape(weight.shape[0], weight.shape[1] * taps, 1, 1)
    zeros = np.zeros(weight.shape[0], weight.dtype)
    inputs = [
        image,
        edit.constant(flattened, f"{base}_weight"),
        edit.constant(zeros if bias is None else bias, f"{base}_bias"),
    ]
    attributes: dict[str, AttributeValue] = {
        "dilations": (1, 1),
        "group": integer(node, "group", 1),
        "kernel_shape": (1, 1),
        "pads": (0, 0, 0, 0),
        "strides": (1, 1),
    }
    edit.supersede(result, edit.node("Conv", inputs, attributes, base=f"{base}_conv", shape=shape_of(result)))
    return None


def _samples(node: ir.Node, moved: np.ndarray, share: np.ndarray, source: Shape, target: Shape) -> np.ndarray:
    """[pixels, taps · outputs]: by how much each pixel counts in each sample; what is outside of the image is zero.

    Args:
        node: DeformConv.
        moved: offsets [KH, KW, 2, OH, OW], of rows and columns.
        share: the mask [KH, KW, OH, OW].
        source: rows and columns of the image.
        target: those of the result.
    """
    kernel = moved.shape[:2]
    strides, dilations, pads = window_attributes(node, kernel)
    places = []
    for axis in range(2):
        tap, step = [1] * 4, [1] * 4
        tap[axis], step[2 + axis] = kernel[axis], target[axis]
        plain = (np.arange(kernel[axis]) * dilations[axis]).reshape(tap)
        plain = plain + (np.arange(target[axis]) * strides[axis] - pads[axis]).reshape(step)
        places.append((plain + moved[:, :, axis]).reshape(-1))
    matrix = np.zeros((prod(source), len(places[0])))
    first = [np.floor(at).astype(np.int64) for at in places]
    for corner in np.ndindex(2, 2):
        at = [begin + side for begin, side in zip(first, corner, strict=True)]
        near = [1 - np.abs(place - pixel) for place, pixel in zip(places, at, strict=True)]
        inside = (at[0] >= 0) & (at[0] < source[0]) & (at[1] >= 0) & (at[1] < source[1])
        column = np.flatnonzero(inside)
        matrix[(at[0] * source[1] + at[1])[inside], column] += (near[0] * near[1] * share.reshape(-1))[inside]
    return matrix.astype(np.float32)


RULES = (
    Rule("grid_by_matrix", ("AffineGrid",), grid_by_matrix),
    Rule("align_by_matrix", ("RoiAlign",), align_by_matrix),
    Rule("convolve_samples", ("DeformConv",), convolve_samples),
)
