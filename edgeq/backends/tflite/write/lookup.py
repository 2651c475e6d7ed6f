"""lookup: TFLite's own unary operator where it surely gives the table's bits, else CAST, ADD, GATHER of the table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import erf, pi, sqrt
from typing import Final

import numpy as np
import numpy.typing as npt

from edgeq.backends.tflite.draft import Draft, Field, Writer, cannot, int32, scalar_quant
from edgeq.ir import DType, Node, Tensor
from edgeq.numerics.array import Array
from edgeq.numerics.scaling import Scaling

Reals = npt.NDArray[np.float64]
Attributes = Mapping[str, int | float | str]
_SPELLED: Final = re.compile(r"(\w+)(?:\((.*)\))?")
# A runtime fills its tables in float32. Its results may be off by a few units in the last place of the argument, the
# value and the steps; closer to a tie than this many of them, nothing is sure.
_UNITS: Final = 2.0**-23
_SIGMOID_RESULT: Final = (1 / 256, -128)


@dataclass(frozen=True)
class Unary:
    """One of TFLite's unary operators.

    Attributes:
        code: its name in the schema.
        version: that takes int8.
        real: the function that a runtime fills its table with; None: it computes integers.
        options: the option table, if it has one.
        result: the only scale and zero point of the result, where there is one.
    """

    code: str
    version: int
    real: Callable[[Reals], Reals] | None = None
    options: tuple[str, Mapping[str, Field]] | None = None
    result: tuple[float, int] | None = None


@dataclass(frozen=True)
class Function:
    """What a lookup's attribute ``function`` says: an ONNX operator and its attributes."""

    name: str
    attributes: Attributes = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> Function:
        """From ``LeakyRelu(alpha=0.25)``; a composition of several is a name that nobody has."""
        match = _SPELLED.fullmatch(text)
        if match is None:
            return cls(text)
        pairs = [word.partition("=")[::2] for word in (match[2] or "").split(", ") if word]
        return cls(match[1], {key: _value(text) for key, text in pairs})


def write_lookup(draft: Draft, node: Node) -> None:
    """The operator that the function names, or the table itself."""
    x, table, result = draft.of(node, "x", "table", "result")
    if x.dtype is not DType.INT8:
        raise cannot(node, "a table of 16-bit values", got=x.dtype.value, allowed="int8", hint="use int8 activations")
    function = Function.read(node.text("function"))
    unary = _unary(function)
    computed = _computed(draft.scaling, unary, function, x, result) if unary is not None else None
    if unary is not None and computed is not None and np.array_equal(computed, table.value()):
        name, fields = unary.options or (None, {})
        draft.append(unary.code, unary.version, (x.name,), result.name, name, **fields)
        return
    signed = draft.between(f"{result.name}.wide", x.shape, x, DType.INT32)
    index = draft.between(f"{result.name}.index", x.shape, x, DType.INT32)
    half = draft.constant(f"{result.name}.half", int32(128))
    entries = draft.constant(table.name, table.value(), result.quant)
    draft.append("CAST", 3, (x.name,), signed, "CastOptions", InDataType="INT8", OutDataType="INT32")
    draft.append("ADD", 1, (signed, half), index, "AddOptions")
    draft.append("GATHER", 2, (entries, index), result.name, "GatherOptions", Axis=0)


def _unary(function: Function) -> Unary | None:
    attributes = function.attributes
    if function.name == "LeakyRelu":
        alpha = float(np.float32(attributes.get("alpha", 0.01)))
        return Unary("LEAKY_RELU", 1, options=("LeakyReluOptions", {"Alpha": alpha}))
    if function.name == "Gelu":
        approximate = attributes.get("approximate", "none") == "tanh"
        real = _gelu_tanh if approximate else _gelu
        return Unary("GELU", 2, real, options=("GeluOptions", {"Approximate": approximate}))
    return _PLAIN.get(function.name)


def _computed(scaling: Scaling, unary: Unary, function: Function, x: Tensor, result: Tensor) -> Array | None:
    """The results for all of int8 as the operator gives them; None where they are not surely known."""
    (in_scale, in_zero), (out_scale, out_zero) = scalar_quant(x), scalar_quant(result)
    if unary.result not in {None, (out_scale, out_zero)}:
        return None
    table = scaling.lookup_table(function.name, function.attributes, in_scale, in_zero, out_scale, out_zero)
    if table is not None or unary.real is None or function.name not in scaling.tabulated:
        return table
    real = in_scale * (np.arange(-128, 128, dtype=np.float64) - in_zero)
    steps = unary.real(real) / out_scale
    unsure = (8 + np.abs(steps) * (8 + np.abs(real)) + np.abs(real) / out_scale) * _UNITS
    found = [np.clip(np.floor(bound + 0.5) + out_zero, -128, 127) for bound in (steps - unsure, steps + unsure)]
    return found[0].astype(np.int8) if np.array_equal(*found) else None


def _sigmoid(x: Reals) -> Reals:
    result: Reals = 1 / (1 + np.exp(-x))
    return result


def _gelu(x: Reals) -> Reals:
    result: Reals = x * (1 + np.array([erf(value / sqrt(2)) for value in x])) / 2
    return result


def _gelu_tanh(x: Reals) -> Reals:
    result: Reals = x * (1 + np.tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2
    return result


def _value(text: str) -> float | str:
    try:
        return float(np.float32(text))
    except ValueError:
        return text


# ELU is left out: the reference kernels have none, so that nobody could check it.
_PLAIN: Final[Mapping[str, Unary]] = {
    "Clip": Unary("RELU6", 2),
    "Exp": Unary("EXP", 2, np.exp),
    "HardSwish": Unary("HARD_SWISH", 1),
    "Relu": Unary("RELU", 2),
    "Sigmoid": Unary("LOGISTIC", 2, _sigmoid, result=_SIGMOID_RESULT),
    "Tanh": Unary("TANH", 2, np.tanh),
}
WRITERS: Final[Mapping[str, Writer]] = {"lookup": write_lookup}
