"""What each operator asks of operands and attributes in a normalized model: one table by ONNX operator type."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.errors import Problem
from edgeq.frontend.facts import integer, ints, known_shape, operand, text
from edgeq.numerics.resampling import COORDINATES
from edgeq.onnxio.forms import form_of
from edgeq.onnxio.limits import shown

QDQ: Final = ("DequantizeLinear", "QuantizeLinear")
_IMAGE_RANK: Final = 4
_MATRIX_RANK: Final = 2
_SEQUENCE_RANK: Final = 3
_OPTIONAL: Final = {
    4: ("list of lengths", "export for sequences of one length, without sequence_lens"),
    7: ("set of peephole weights", "they must be constant, of at most 256 steps in a float model"),
}
"""Operands of recurrent layers that change what they compute."""

Constraint = Callable[[ir.Node], Iterator[Problem]]


def place(node: ir.Node) -> str:
    """How a problem names a node."""
    return f"node {shown(node.name or '?')}"


def constant_of(value: ir.Value | None) -> np.ndarray | None:
    """The array of an initializer, None for anything else."""
    if value is None or value.const_value is None or value.is_graph_input() or not value.is_initializer():
        return None
    return np.asarray(value.const_value.numpy())


def is_constant(value: ir.Value | None) -> bool:
    """Whether a value is an initializer, or the DequantizeLinear of one."""
    if constant_of(value) is not None:
        return True
    maker = None if value is None else value.producer()
    if maker is None or maker.op_type not in (*QDQ, "Gather", "Reshape", "Transpose"):
        return False
    return all(item is None or is_constant(item) for item in maker.inputs)


def _computed(node: ir.Node, index: int, what: str) -> Iterator[Problem]:
    value = operand(node, index)
    if value is not None and not is_constant(value):
        yield Problem(
            "EQ0306",
            f"the {what} must be constant",
            where=place(node),
            got=f"computed value {shown(value.name or '?')}",
            hint="export the model with its parameters as initializers, in inference mode",
        )


def _batch(node: ir.Node, size: int, hint: str) -> Problem:
    what = "firmware runs one sample at a time"
    return Problem("EQ0312", what, where=place(node), got=f"batch {size}", allowed="batch 1", hint=hint)


def of_signature(node: ir.Node) -> Iterator[Problem]:
    """What the signature of the integer operator asks: rank, one sample, constant operands."""
    found = form_of(node)
    if found is None:
        return
    op, form = found
    shape = known_shape(operand(node, 0))
    if shape is not None and op.rank not in (None, len(shape)):
        what = f"{node.op_type} is supported for rank {op.rank} only"
        yield Problem("EQ0307", what, where=place(node), got=f"shape {list(shape)}")
    elif shape is not None and op.one_sample and shape[0] != 1:
        yield _batch(node, shape[0], "export with batch 1, or set it: --dim INPUT:0=1")
    for index, what in form.constants.items():
        yield from _computed(node, index, what)


def _attribute(node: ir.Node, name: str, got: object, allowed: object, hint: str | None = None) -> Problem:
    return Problem("EQ0313", f"{node.op_type} does not support this {name}", place(node), str(got), str(allowed), hint)


def _misfit(node: ir.Node, *shapes: tuple[int, ...] | None) -> Problem:
    return Problem(
        "EQ0315",
        "input, weight and bias do not fit together",
        where=place(node),
        got=", ".join(str(list(shape)) for shape in shapes if shape is not None),
        hint="the model would not run in onnxruntime either: export it again",
    )


def _conv(node: ir.Node) -> Iterator[Problem]:
    x, weight, bias = (known_shape(operand(node, index)) for index in (0, 1, 2))
    if x is not None and weight is not None and len(x) == len(weight) == _IMAGE_RANK:
        groups = integer(node, "group", 1)
        fits = weight[1] * groups == x[1] and weight[0] % max(groups, 1) == 0
        if not fits or bias not in (None, weight[:1]) or ints(node, "kernel_shape", weight[2:]) != weight[2:]:
            yield _misfit(node, x, weight, bias)
    if text(node, "auto_pad", "NOTSET") != "NOTSET":
        yield _attribute(node, "auto_pad", text(node, "auto_pad", ""), "explicit pads")
    pads = ints(node, "pads", ())
    if any(pad < 0 for pad in pads):
        yield _attribute(node, "padding", list(pads), "0 or more", "crop with Slice")


def _pool(node: ir.Node) -> Iterator[Problem]:
    if node.op_type.startswith("Global"):
        return
    dilations = ints(node, "dilations", ())
    if any(dilation != 1 for dilation in dilations):
        yield _attribute(node, "dilation", list(dilations), 1)
    if integer(node, "ceil_mode", 0):
        yield Problem(
            "EQ0313",
            "a pooling window begins behind the tensor: runtimes disagree on the size of the result",
            where=place(node),
            got=f"ceil_mode 1, kernel {ints(node, 'kernel_shape', ())}, strides {ints(node, 'strides', ())}",
            allowed="windows that begin inside the tensor or its padding",
            hint="set ceil_mode to 0, or choose a stride of at most the kernel",
        )
    kernel, pads = ints(node, "kernel_shape", ()), ints(node, "pads", ())
    if any(pad < 0 or pad >= kernel[i % len(kernel)] for i, pad in enumerate(pads) if kernel):
        yield _attribute(node, "padding", list(pads), f"0 or more and less than the kernel {list(kernel)}")
    if integer(node, "count_include_pad", 0) and any(pads):
        yield _attribute(node, "count_include_pad", 1, 0)


def _gemm(node: ir.Node) -> Iterator[Problem]:
    weight, bias, result = (known_shape(v) for v in (operand(node, 1), operand(node, 2), node.outputs[0]))
    if weight is not None and result is not None and bias not in (None, result[-1:]):
        yield _misfit(node, known_shape(operand(node, 0)), weight, bias)


def _matmul(node: ir.Node) -> Iterator[Problem]:
    a, b = known_shape(operand(node, 0)), known_shape(operand(node, 1))
    for index in (0, 1):
        if is_constant(operand(node, index)):
            yield Problem(
                "EQ0314",
                "a constant operand of MatMul must be one matrix",
                where=f"{place(node)}, input {index}",
                got=f"shape {list(known_shape(operand(node, index)) or ())}",
                hint="write it as one MatMul per matrix",
            )
    if a is not None and b is not None and (len(a) < _MATRIX_RANK or len(b) < _MATRIX_RANK or a[:-2] != b[:-2]):
        yield Problem(
            "EQ0314",
            "MatMul does not broadcast: both operands need equal leading dimensions",
            where=place(node),
            got=f"{list(a)} and {list(b)}",
            hint="expand the smaller operand in the model",
        )


def _softmax(node: ir.Node) -> Iterator[Problem]:
    shape = known_shape(operand(node, 0))
    if shape and integer(node, "axis", -1) % len(shape) != len(shape) - 1:
        yield _attribute(node, "axis", integer(node, "axis", -1), "the last")


def _pad(node: ir.Node) -> Iterator[Problem]:
    mode = text(node, "mode", "constant")
    if mode != "constant":
        yield _attribute(node, "mode", mode, "constant", "pad a float tensor by constant amounts")
    amounts, value = constant_of(operand(node, 1)), constant_of(operand(node, 2))
    if amounts is not None and (amounts < 0).any():
        yield _attribute(node, "padding", amounts.tolist(), "0 or more", "crop with Slice")
    if value is not None and value.size and not math.isfinite(float(value.reshape(-1)[0])):
        yield _attribute(node, "padding value", float(value.reshape(-1)[0]), "a finite number")


def _slice(node: ir.Node) -> Iterator[Problem]:
    steps = constant_of(operand(node, 4))
    if steps is not None and (steps <= 0).any():
        yield _attribute(node, "step", steps.tolist(), "1 or more")


def _resize(node: ir.Node) -> Iterator[Problem]:
    mode, policy = text(node, "mode", "nearest"), text(node, "keep_aspect_ratio_policy", "stretch")
    if mode not in ("linear", "nearest"):
        yield _attribute(
            node, "mode", mode, "linear or nearest", "interpolate linearly: the matrix of another kind is too large"
        )
    if integer(node, "antialias", 0):
        yield _attribute(node, "antialias", 1, 0, "shrink by AveragePool")
    if policy != "stretch":
        yield _attribute(node, "keep_aspect_ratio_policy", policy, "stretch", "state the sizes that come out")
    coordinates = text(node, "coordinate_transformation_mode", "half_pixel")
    if coordinates not in COORDINATES:
        hint = "crop with Slice, and resize what is left"
        yield _attribute(node, "coordinate_transformation_mode", coordinates, ", ".join(COORDINATES), hint)
    source, result = known_shape(operand(node, 0)), known_shape(node.outputs[0])
    if source and result and len(source) == _IMAGE_RANK and source[:2] != result[:2]:
        yield _attribute(node, "size", f"{list(source)} to {list(result)}", "rows and columns only")
    elif source and result and coordinates == "align_corners":
        scales = constant_of(operand(node, 2))
        if scales is not None and scales.size == len(source) and not np.allclose(scales * source, result, atol=1e-4):
            allowed = "scales that give whole sizes: runtimes disagree on the corners of others"
            yield _attribute(node, "list of scales", scales.tolist(), allowed, "state the sizes that come out")


def _indices(node: ir.Node) -> Iterator[Problem]:
    """Constant indices lie within the axis; those of elements have x's shape but for the axis."""
    shape, indices = known_shape(operand(node, 0)), constant_of(operand(node, 1))
    if not shape:
        return
    axis = integer(node, "axis", 0) % len(shape)
    if indices is not None and indices.size and not (-shape[axis] <= indices.min() <= indices.max() < shape[axis]):
        got = int(indices.min() if indices.min() < -shape[axis] else indices.max())
        yield _attribute(node, "index", got, f"{-shape[axis]} to {shape[axis] - 1}")
    if node.op_type == "ScatterElements":
        places = known_shape(operand(node, 1)) or ()
        if (*places[:axis], *places[axis + 1 :]) != (*shape[:axis], *shape[axis + 1 :]):
            hint = "cut x to the shape of the indices, or write it as Concat"
            yield _attribute(node, "shape of indices", list(places), f"{list(shape)} but for axis {axis}", hint)


def _scatter(node: ir.Node) -> Iterator[Problem]:
    """Updates replace elements where the indices are computed."""
    kind = text(node, "reduction", "none")
    if kind != "none":
        allowed = "none, or constant indices within the tensor"
        yield _attribute(node, "reduction", kind, allowed, "add or compare updates that were scattered into zeros")
    elif node.op_type == "ScatterElements":
        yield from _indices(node)


def _div(node: ir.Node) -> Iterator[Problem]:
    divisor = constant_of(operand(node, 1))
    if divisor is not None:
        yield _attribute(
            node, "constant divisor", divisor.reshape(-1)[:4].tolist(), "numbers whose reciprocals are finite"
        )


def _of_one_number(what: str) -> Constraint:
    """A second operand that is one number, so that the operator is a function of one value."""

    def check(node: ir.Node) -> Iterator[Problem]:
        array, shape = constant_of(operand(node, 1)), known_shape(operand(node, 0))
        if array is None:
            return
        if array.size != 1 or known_shape(node.outputs[0]) != shape:
            yield _attribute(
                node, what, f"shape {list(array.shape)}", "one number", "split the tensor, one node a number"
            )
        elif not math.isfinite(float(array.reshape(-1)[0])):
            yield _attribute(node, what, float(array.reshape(-1)[0]), "a finite number")
        elif node.op_type == "Mod" and not integer(node, "fmod", 0):
            yield _attribute(node, "fmod", 0, 1, "floating-point remainders have the sign of the dividend")

    return check


def _prelu(node: ir.Node) -> Iterator[Problem]:
    x, slopes = known_shape(operand(node, 0)), known_shape(operand(node, 1))
    if x is not None and slopes is not None and known_shape(node.outputs[0]) != x:
        yield _misfit(node, x, slopes)


def _recurrent(node: ir.Node) -> Iterator[Problem]:
    x = known_shape(operand(node, 0))
    if x is not None and len(x) == _SEQUENCE_RANK and x[1] != 1:
        yield _batch(node, x[1], "export with batch 1; with batch_first it is the first axis of the input")
    for index, what in _OPTIONAL.items():
        if operand(node, index) is not None:
            yield _attribute(node, what[0], "an operand", "none", what[1])
    written_out = "the default, or others of constant weights and at most 256 steps in a float model"
    if "clip" in node.attributes:
        yield _attribute(node, "clip", node.attributes["clip"].as_float(), written_out.replace("the default", "none"))
    activations = node.attributes.get("activations")
    if activations is not None:
        hint = "state alpha and beta of Affine, ScaledTanh and ThresholdedRelu"
        yield _attribute(node, "list of activations", list(activations.as_strings()), written_out, hint)
    if integer(node, "input_forget", 0):
        yield _attribute(node, "input_forget", 1, written_out.replace("the default", "0"))


def _quantization(node: ir.Node) -> Iterator[Problem]:
    yield from _computed(node, 1, "scale")
    yield from _computed(node, 2, "zero point")


CONSTRAINTS: Final[Mapping[str, Constraint]] = MappingProxyType(
    {
        "AveragePool": _pool,
        "Conv": _conv,
        "DequantizeLinear": _quantization,
        "Div": _div,
        "Gather": _indices,
        "GatherElements": _indices,
        "GRU": _recurrent,
        "Gemm": _gemm,
        "GlobalAveragePool": _pool,
        "GlobalMaxPool": _pool,
        "LSTM": _recurrent,
        "MatMul": _matmul,
        "MaxPool": _pool,
        "Mod": _of_one_number("divisor"),
        "PRelu": _prelu,
        "Pad": _pad,
        "Pow": _of_one_number("exponent"),
        "QuantizeLinear": _quantization,
        "RNN": _recurrent,
        "Resize": _resize,
        "ScatterElements": _scatter,
        "ScatterND": _scatter,
        "Slice": _slice,
        "Softmax": _softmax,
    }
)
"""Operator type → the problems of a node. Those not listed take any float32 operands."""
