"""Logarithms of bands of a spectrum, recognized from their parts: one operator that reads frames off the signal.

The chain is STFT, or a window and DFT, of real samples; the squares of both parts, or their root; a product with a
constant matrix; a sum or a maximum with one number; a logarithm. Axes of one element, and transpositions of frames and
frequencies, are followed. Powers have a range that no scale of 16 bits holds, so that the parts never become tensors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import Edit, Rule
from edgeq.frontend.facts import Shape, integer, ints, is_op, name_of, operand, required, scalar, shape_of, text
from edgeq.frontend.rules.pooling import reduced_axes
from edgeq.frontend.rules.signal import frames_of
from edgeq.numerics.fourier import is_length
from edgeq.onnxio.functions import DOMAIN, LOG_MEL, add_functions

_HALF = 0.5
_EXPONENTS = (_HALF, 1.0)


@dataclass
class _Place:
    """A value on the way back from the logarithm.

    Attributes:
        value: read next.
        edit: the graph.
        swapped: whether an odd number of transpositions was stepped over.
    """

    value: ir.Value
    edit: Edit
    swapped: bool = False

    def maker(self, *kinds: str) -> ir.Node | None:
        """The node that makes the value, where it is one of these and nothing rounds the value."""
        node = self.value.producer()
        return node if node is not None and is_op(node, *kinds) and self.value not in self.edit.params else None

    def move(self, kept: int = 0) -> None:
        """Step over nodes that at most transpose the two long axes; the last ``kept`` axes stay where they are."""
        while (node := self.maker("Reshape", "Squeeze", "Transpose", "Unsqueeze")) is not None:
            source, result = shape_of(required(node, 0)), shape_of(self.value)
            if is_op(node, "Transpose"):
                perm = ints(node, "perm", tuple(reversed(range(len(source)))))
                if kept and perm[-1] != len(perm) - 1:
                    return
                long = [axis for axis in perm[: len(perm) - kept] if source[axis] > 1]
                self.swapped ^= long != sorted(long)
            elif _long(source) != _long(result) or (kept and source[-1] != result[-1]):
                return
            self.value = required(node, 0)


@dataclass(frozen=True, eq=False)
class _Frames:
    """What a spectrum is taken of.

    Attributes:
        signal: its samples, in order.
        window: as long as the transform.
        step: samples from a frame to the next.
        count: how many frames.
        padding: zeros behind the signal.
    """

    signal: ir.Value
    window: np.ndarray
    step: int
    count: int
    padding: int = 0


def _long(shape: Shape) -> Shape:
    return tuple(size for size in shape if size > 1)


def recognise_log_mel(node: ir.Node, edit: Edit) -> str | None:
    """The chain that ends in a Log becomes one call of LogMel."""
    place = _Place(required(node, 0), edit)
    place.move()
    numbers = _numbers(place)
    product = place.maker("MatMul")
    if numbers is None or product is None:
        return "it is not of a product, plus one number"
    index = 0 if edit.array(operand(product, 0)) is not None else 1
    matrix = edit.array(operand(product, index))
    if matrix is None or matrix.ndim != 2 or (matrix < 0).any() or not 0 < matrix.sum() < np.inf:
        return "the matrix is not constant, or negative somewhere"
    turned = place.swapped != (index == 0)
    place.value, place.swapped = required(product, 1 - index), False
    place.move()
    exponent = _exponent(place)
    if exponent not in _EXPONENTS:
        return "there are no energies"
    place.move(kept=1)
    frames = _frames(place)
    if isinstance(frames, str):
        return frames
    weights = matrix.T if index == 0 else matrix
    if not is_length(len(frames.window)) or len(weights) != len(frames.window) // 2 + 1:
        return "there is no transform of this length, or the matrix has another one"
    if frames.count > 1 and place.swapped != (index == 0):
        return "the matrix multiplies frames"
    pads = np.array((0, 0, 0, frames.padding), np.int64)
    constants = (pads, np.array(frames.step, np.int64), frames.window, weights, exponent, *numbers)
    _replace(node, edit, frames, constants, turned=turned and min(frames.count, weights.shape[1]) > 1)
    return None


def _replace(
    node: ir.Node, edit: Edit, frames: _Frames, constants: tuple[np.ndarray | float, ...], *, turned: bool
) -> None:
    result = node.outputs[0]
    base = name_of(result)
    signal = frames.signal
    flat = (1, int(np.prod(shape_of(signal))))
    if shape_of(signal) != flat:
        signal = edit.reshape(signal, flat, base=f"{base}_signal")
    labels = ("pads", "step", "window", "weights", "exponent", "added", "least")
    operands = [
        edit.constant(array if array.dtype == np.int64 else array.astype(np.float32), f"{base}_{label}")
        for label, array in zip(labels, map(np.asarray, constants), strict=True)
    ]
    add_functions(edit.model, (LOG_MEL,))
    bands = np.asarray(constants[3]).shape[1]
    made = edit.node(LOG_MEL, [signal, *operands], base=f"{base}_bands", shape=(1, frames.count, bands), domain=DOMAIN)
    maker = made.producer()
    if turned:
        made = edit.transpose(made, (0, 2, 1), base=f"{base}_turned")
    if shape_of(made) != shape_of(result):
        made = edit.reshape(made, shape_of(result), base=f"{base}_reshaped")
    edit.supersede(result, made)
    # A name that survives writing and reading, which expands the call.
    if maker is not None and maker.name != maker.outputs[0].name:
        edit.name_node(maker, edit.fresh_node(name_of(maker.outputs[0])))


def _numbers(place: _Place) -> tuple[float, float] | None:
    """What is added to the sums and what they are at least, of which at most one is not 0."""
    added = least = 0.0
    node = place.maker("Clip", "Max")
    if node is not None:
        bound = scalar(place.edit.array(operand(node, 1)))
        ceiling = operand(node, 2)
        if bound is None or ceiling is not None or len(node.inputs) < 2:
            return None
        least = max(bound, 0.0)
        place.value = required(node, 0)
        place.move()
    node = place.maker("Add")
    if node is not None:
        for index in (0, 1):
            number = scalar(place.edit.array(operand(node, index)))
            if number is not None:
                added, place.value = number, required(node, 1 - index)
        place.move()
    return (added, least) if added >= 0 and min(added, least) == 0 else None


def _exponent(place: _Place) -> float | None:
    """The exponent of powers; leaves the place at the complex numbers, with their parts along the last axis."""
    exponent = 1.0
    while (node := place.maker("Mul", "Pow", "Sqrt")) is not None:
        factor = (
            _HALF if is_op(node, "Sqrt") else 2.0 if is_op(node, "Mul") else scalar(place.edit.array(operand(node, 1)))
        )
        if factor is None or (is_op(node, "Mul") and required(node, 0) is not required(node, 1)):
            return None
        exponent *= factor
        place.value = required(node, 0)
        place.move()
    node = place.maker("Add", "ReduceL2", "ReduceSum", "ReduceSumSquare")
    if node is None:
        return None
    if is_op(node, "Add"):
        parts = [_part(_squared(required(node, index), place.edit), place.edit) for index in (0, 1)]
        if parts[0] is None or parts[1] is None or parts[0][0] is not parts[1][0] or parts[0][1] == parts[1][1]:
            return None
        place.value = parts[0][0]
        return exponent
    source: ir.Value | None = required(node, 0)
    if reduced_axes(node, place.edit) != (len(shape_of(source)) - 1,):
        return None
    if is_op(node, "ReduceSum"):
        source = _squared(required(node, 0), place.edit)
    if source is None or shape_of(source)[-1] != 2:
        return None
    place.value = source
    return exponent * _HALF if is_op(node, "ReduceL2") else exponent


def _squared(value: ir.Value, edit: Edit) -> ir.Value | None:
    """What a value is the square of."""
    node = _Place(value, edit).maker("Mul", "Pow")
    if node is None:
        return None
    square = required(node, 0) is required(node, 1) if is_op(node, "Mul") else scalar(edit.array(operand(node, 1))) == 2
    return required(node, 0) if square else None


def _part(value: ir.Value | None, edit: Edit) -> tuple[ir.Value, int] | None:
    """The complex numbers that a value is a part of, and which of the two."""
    if value is None:
        return None
    place = _Place(value, edit)
    place.move()
    node = place.maker("Gather", "Slice", "Split")
    if node is None or place.swapped:
        return None
    source = required(node, 0)
    last = len(shape_of(source)) - 1
    if shape_of(source)[last] != 2:
        return None
    if is_op(node, "Slice"):
        first, axes = edit.array(operand(node, 1)), edit.array(operand(node, 3))
        if first is None or axes is None or [int(axis) % (last + 1) for axis in axes] != [last]:
            return None
        whole = shape_of(place.value)[last] == 1
        return (source, int(first[0]) % 2) if whole else None
    if integer(node, "axis", 0) % (last + 1) != last:
        return None
    if is_op(node, "Split"):
        return (source, node.outputs.index(place.value)) if len(node.outputs) == 2 else None
    index = scalar(edit.array(operand(node, 1)))
    return None if index is None else (source, int(index) % 2)


def _frames(place: _Place) -> _Frames | str:
    """What the spectrum at a place is taken of, or why it is none."""
    node = place.maker("STFT")
    if node is not None:
        found = frames_of(node, place.edit)
        if isinstance(found, str):
            return found
        step, window = found
        count = shape_of(node.outputs[0])[1]
        signal, padding = _unpadded(required(node, 0), (count - 1) * step + _reach(window), place.edit)
        return _Frames(signal, window, step, count, padding)
    node = place.maker("DFT")
    if node is None or not integer(node, "onesided", 0) or integer(node, "inverse", 0):
        return "there is no transform of real samples"
    return _framed(node, place.edit)


def _reach(window: np.ndarray) -> int:
    """The samples of a window up to the last one that counts."""
    used = np.flatnonzero(window)
    return int(used[-1]) + 1 if used.size else 0


def _unpadded(signal: ir.Value, read: int, edit: Edit) -> tuple[ir.Value, int]:
    """The signal without zeros behind it that meet zeros of the window alone, and how many these are."""
    place = _Place(signal, edit)
    place.move()
    node = place.maker("Pad")
    if node is None or text(node, "mode", "constant") != "constant" or operand(node, 3) is not None:
        return signal, 0
    pads, value = edit.array(operand(node, 1)), edit.array(operand(node, 2))
    source = shape_of(required(node, 0))
    padding = int(np.prod(shape_of(place.value))) - int(np.prod(source))
    if pads is None or (value is not None and value.any()) or pads[: len(source)].any() or len(_long(source)) != 1:
        return signal, 0
    behind = pads[len(source) :]
    fits = behind[source.index(max(source))] == padding >= 0 and read <= max(source)
    return (required(node, 0), padding) if fits else (signal, 0)


def _framed(node: ir.Node, edit: Edit) -> _Frames | str:
    """What a DFT of frames along the axis before the last is taken of."""
    place = _Place(required(node, 0), edit)
    shape = shape_of(place.value)
    given, axis = scalar(edit.array(operand(node, 1))), scalar(edit.array(operand(node, 2)))
    computed = any(operand(node, index) is not None and edit.array(operand(node, index)) is None for index in (1, 2))
    if computed or shape[-1] != 1 or (-2 if axis is None else int(axis)) % len(shape) != len(shape) - 2:
        return "it is no transform of the last axis of real samples"
    samples = shape[-2]
    count = int(np.prod(shape)) // samples
    length = samples if given is None else int(given)
    place.move()
    window = np.ones(samples)
    product = place.maker("Mul")
    if product is not None:
        for index in (0, 1):
            factors = edit.array(operand(product, index))
            if factors is not None:
                rows = np.broadcast_to(factors, shape_of(place.value)).reshape(count, samples)
                if (rows != rows[:1]).any():
                    return "frames have different windows"
                window, place.value = rows[0].astype(np.float64), required(product, 1 - index)
    place.move()
    if place.swapped:
        return "frames are transposed"
    more = max(length - samples, 0)
    return _Frames(place.value, np.pad(window[:length], (0, more)), samples, count, more)


RULES = (Rule("recognise_log_mel", ("Log",), recognise_log_mel),)
