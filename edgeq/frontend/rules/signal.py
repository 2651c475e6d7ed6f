"""Discrete Fourier transforms outside the chains that are one operator: products with constant matrices.

Sines and cosines become weights, so that the transform is a dense layer, or a convolution over the frames of a signal.
Weights have the bits of the scheme, and results one scale for all frequencies.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import AttributeValue, Edit, Rule
from edgeq.frontend.facts import Shape, integer, name_of, operand, required, scalar, shape_of

_MAX_PRODUCT = 1 << 20
_COMPLEX = 2


def fourier_matrix(
    taken: int, length: int, bins: int, *, inverse: bool = False, parts: int = 1, window: np.ndarray | None = None
) -> np.ndarray:
    """The matrix of a transform, float64 [taken * parts, bins * 2]: real and imaginary parts beside each other.

    Args:
        taken: how many samples it reads; those behind count as zero.
        length: of the transform.
        bins: how many frequencies it gives.
        inverse: whether the exponent is positive, and results are divided by the length.
        parts: 1 for real samples, 2 for complex ones.
        window: factors of the samples, [taken].
    """
    turns = np.outer(np.arange(taken), np.arange(bins)) % length
    angle = 2 * np.pi / length * turns * (1 if inverse else -1)
    cosine, sine = np.cos(angle), np.sin(angle)
    rows = [np.stack([cosine, sine], axis=-1), np.stack([-sine, cosine], axis=-1)][:parts]
    matrix = np.stack(rows, axis=1) / (length if inverse else 1)  # [taken, parts, bins, 2]
    if window is not None:
        matrix = matrix * window.reshape(-1, 1, 1, 1)
    return matrix.reshape(taken * parts, bins * _COMPLEX)


def real_inverse_matrix(taken: int, length: int) -> np.ndarray:
    """The matrix of an inverse transform of half a spectrum, float64 [taken * 2, length]: its samples are real.

    Every frequency but the first, and the last of an even length, stands for its conjugate, too.

    Args:
        taken: how many frequencies it reads, at most half of the length and one; those behind count as zero.
        length: of the transform, and samples that it gives.
    """
    whole = fourier_matrix(taken, length, length, inverse=True, parts=_COMPLEX)
    real = whole.reshape(taken, _COMPLEX, length, _COMPLEX)[..., 0]
    share = np.full(taken, 2.0)
    share[0] = 1.0
    if length % 2 == 0 and taken == length // 2 + 1:
        share[-1] = 1.0
    matrix: np.ndarray = (real * share.reshape(-1, 1, 1)).reshape(taken * _COMPLEX, length)
    return matrix


def multiply_by_fourier_matrix(node: ir.Node, edit: Edit) -> str | None:
    """DFT along an axis becomes a MatMul with that axis, and the parts of complex numbers, last."""
    x, result = required(node, 0), node.outputs[0]
    shape, target = shape_of(x), shape_of(result)
    inverse, onesided = bool(integer(node, "inverse", 0)), bool(integer(node, "onesided", 0))
    given = scalar(edit.array(operand(node, 1)))
    stated = scalar(edit.array(operand(node, 2)))
    if (operand(node, 1) is not None and given is None) or (operand(node, 2) is not None and stated is None):
        return "its length or axis is computed"
    parts, rank = shape[-1], len(shape)
    axis = (-2 if stated is None else int(stated)) % rank
    halved = onesided and inverse
    if axis == rank - 1 or parts not in (1, _COMPLEX) or (onesided and inverse != (parts == _COMPLEX)):
        return "it is no transform of samples"
    whole = 2 * (shape[axis] - 1) if halved else shape[axis]
    length, made = whole if given is None else int(given), 1 if halved else _COMPLEX
    taken, bins = min(length // 2 + 1 if halved else length, shape[axis]), target[axis]
    if taken * bins > _MAX_PRODUCT or (halved and (bins != length or target[-1] != 1)):
        return "the matrix is too large, or the result has another shape"
    base = name_of(result)
    order = [item for item in range(rank) if item not in (axis, rank - 1)]
    perm = (*order, axis, rank - 1)
    moved = x if perm == tuple(range(rank)) else edit.transpose(x, perm, base=f"{base}_samples")
    kept = tuple(shape[item] for item in order)
    if taken < shape[axis]:
        bounds = [
            edit.constant(np.array([number]), f"{base}_{label}") for label, number in (("first", 0), ("end", taken))
        ]
        moved = edit.node(
            "Slice",
            [moved, *bounds, edit.constant(np.array([rank - 2]), f"{base}_axis")],
            base=f"{base}_cut",
            shape=(*kept, taken, parts),
        )
    rows = edit.reshape(moved, (*kept, taken * parts), base=f"{base}_rows")
    if halved:
        matrix = real_inverse_matrix(taken, length)
    else:
        matrix = fourier_matrix(taken, length, bins, inverse=inverse, parts=parts)
    product = edit.node(
        "MatMul",
        [rows, edit.constant(matrix.astype(np.float32), f"{base}_matrix")],
        base=f"{base}_product",
        shape=(*kept, bins * made),
    )
    spectrum = edit.reshape(product, (*kept, bins, made), base=f"{base}_parts")
    if perm != tuple(range(rank)):
        spectrum = edit.transpose(spectrum, [perm.index(item) for item in range(rank)], base=f"{base}_back")
    edit.supersede(result, spectrum)
    return None


def convolve_with_fourier_matrix(node: ir.Node, edit: Edit) -> str | None:
    """STFT of a real signal becomes a convolution with a channel for each part of each frequency."""
    found = frames_of(node, edit)
    if isinstance(found, str):
        return found
    step, window = found
    x, result = required(node, 0), node.outputs[0]
    samples = shape_of(x)[1]
    frames, bins = shape_of(result)[1:3]
    length = len(window)
    if length * bins > _MAX_PRODUCT:
        return "the matrix is too large"
    base = name_of(result)
    matrix = fourier_matrix(length, length, bins, window=window).astype(np.float32)
    image = edit.reshape(x, (1, 1, 1, samples), base=f"{base}_signal")
    weight = edit.constant(matrix.T.reshape(bins * _COMPLEX, 1, 1, length), f"{base}_matrix")
    attributes: dict[str, AttributeValue] = {"kernel_shape": (1, length), "strides": (1, step)}
    shape: Shape = (1, bins * _COMPLEX, 1, frames)
    product = edit.node("Conv", [image, weight], attributes, base=f"{base}_frames", shape=shape)
    rows = edit.transpose(product, (0, 2, 3, 1), base=f"{base}_rows")
    edit.supersede(result, edit.reshape(rows, (1, frames, bins, _COMPLEX), base=f"{base}_parts"))
    return None


def frames_of(node: ir.Node, edit: Edit) -> tuple[int, np.ndarray] | str:
    """The step and the window, float64, of an STFT of one real signal, or why there are none."""
    shape = shape_of(required(node, 0))
    step, window, length = (edit.array(operand(node, index)) for index in (1, 2, 3))
    if step is None or (operand(node, 2) is not None and window is None):
        return "its step or window is computed"
    if operand(node, 3) is not None and length is None:
        return "its length is computed"
    if shape[0] != 1 or len(shape) not in (2, 3) or shape[2:] not in ((), (1,)):
        return "it is no real signal of one sample"
    if window is None:
        if length is None:
            return "neither window nor length is stated"
        return int(step.reshape(-1)[0]), np.ones(int(length.reshape(-1)[0]))
    if length is not None and int(length.reshape(-1)[0]) != window.size:
        return "its window has another length than its frames"
    return int(step.reshape(-1)[0]), window.reshape(-1).astype(np.float64)


RULES = (
    Rule("multiply_by_fourier_matrix", ("DFT",), multiply_by_fourier_matrix),
    Rule("convolve_with_fourier_matrix", ("STFT",), convolve_with_fourier_matrix),
)
