"""The functions of recurrent layers: their names, parameters and defaults, and the nodes that compute them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan
from typing import Final

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import AttributeValue, Edit
from edgeq.frontend.facts import shape_of, text

DEFAULTS: Final = {
    "GRU": ("Sigmoid", "Tanh"),
    "LSTM": ("Sigmoid", "Tanh", "Tanh"),
    "RNN": ("Tanh",),
}
"""The functions of one direction where none are stated."""
_PARAMETERS: Final[dict[str, tuple[float | None, float | None]]] = {
    "Affine": (nan, nan),
    "Elu": (1.0, None),
    "HardSigmoid": (0.2, 0.5),
    "LeakyRelu": (0.01, None),
    "Relu": (None, None),
    "ScaledTanh": (nan, nan),
    "Sigmoid": (None, None),
    "Softplus": (None, None),
    "Softsign": (None, None),
    "Tanh": (None, None),
    "ThresholdedRelu": (nan, None),
}
"""Function → the default of its alpha and of its beta; None for those that it does not have, and no number where they
must be stated: ONNX's definition and onnxruntime disagree."""
_BY_NAME: Final = {name.lower(): name for name in _PARAMETERS}


@dataclass(frozen=True)
class Function:
    """One function of a recurrent layer.

    Attributes:
        name: as ONNX has it.
        alpha, beta: its parameters; None where it has none.
    """

    name: str
    alpha: float | None = None
    beta: float | None = None

    def applied(self, edit: Edit, x: ir.Value, base: str) -> ir.Value:
        """The function of a value."""
        shape = shape_of(x)

        def by(kind: str, value: ir.Value, number: float | None, label: str) -> ir.Value:
            constant = edit.constant(np.array(number, np.float32), f"{base}_{label}")
            return edit.node(kind, [value, constant], base=f"{base}_{label}_of", shape=shape)

        if self.name == "Affine":
            return by("Add", by("Mul", x, self.alpha, "alpha"), self.beta, "beta")
        if self.name == "ScaledTanh":
            inner = edit.node("Tanh", [by("Mul", x, self.beta, "beta")], base=f"{base}_tanh", shape=shape)
            return by("Mul", inner, self.alpha, "alpha")
        stated: dict[str, AttributeValue] = {
            key: number for key, number in (("alpha", self.alpha), ("beta", self.beta)) if number is not None
        }
        return edit.node(self.name, [x], stated, base=base, shape=shape)


def functions_of(node: ir.Node) -> list[Function] | None:
    """The functions of a layer, direction by direction.

    None where a name is not ONNX's, their number is wrong, or a parameter is not stated that has no default. As in
    onnxruntime a parameter is taken from its list by the functions that have it, in their order.
    """
    directions = 2 if text(node, "direction", "forward") == "bidirectional" else 1
    stated = node.attributes.get("activations")
    words = list(DEFAULTS[node.op_type]) * directions if stated is None else list(stated.as_strings())
    names = [_BY_NAME.get(word.lower()) for word in words]
    if len(names) != len(DEFAULTS[node.op_type]) * directions or None in names:
        return None
    lists = [
        [] if (given := node.attributes.get(f"activation_{key}")) is None else list(given.as_floats())
        for key in ("alpha", "beta")
    ]
    found = []
    for name in names:
        assert name is not None
        alpha, beta = (
            default if default is None or not left else left.pop(0)
            for default, left in zip(_PARAMETERS[name], lists, strict=True)
        )
        found.append(Function(name, alpha, beta))
    known = all(number is None or not isnan(number) for each in found for number in (each.alpha, each.beta))
    return found if known else None


def attributes_of(kind: str, functions: Sequence[Function]) -> dict[str, AttributeValue]:
    """The attributes that state functions; none where they are the default of a layer of a kind."""
    if all(function == Function(name) for function, name in zip(functions, DEFAULTS[kind] * 2, strict=False)):
        return {}
    stated: dict[str, AttributeValue] = {"activations": [function.name for function in functions]}
    alphas = [float(function.alpha) for function in functions if function.alpha is not None]
    betas = [float(function.beta) for function in functions if function.beta is not None]
    if alphas:
        stated["activation_alpha"] = alphas
    if betas:
        stated["activation_beta"] = betas
    return stated
