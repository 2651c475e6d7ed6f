"""Editing a recovered float graph, whose values carry quantization parameters beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import Edit
from edgeq.ir import Quantization, QuantizedConstant


class QuantizedEdit(Edit):
    """An :class:`Edit` under which a rule of float models cannot lose a rounding.

    A value with parameters is rounded to them. So it is never merged away between its producer and its reader, no value
    of other parameters takes its place, and its parameters move to the value that supersedes it.
    """

    def __init__(self, model: ir.Model) -> None:
        super().__init__(model)
        self.params: dict[ir.Value, Quantization] = {}
        self.constants: dict[ir.Value, QuantizedConstant] = {}

    def only_user(self, value: ir.Value) -> ir.Node | None:
        """As :meth:`Edit.only_user`; None too for a value that is rounded."""
        return None if value in self.params else super().only_user(value)

    def can_alias(self, old: ir.Value, new: ir.Value) -> bool:
        """As :meth:`Edit.can_alias`; False too where ``old`` is rounded to parameters that ``new`` does not have."""
        stated = self.params.get(old)
        return super().can_alias(old, new) and stated in {None, self.params.get(new)}

    def part(self, value: ir.Value, cut: Callable[[np.ndarray], np.ndarray], base: str) -> ir.Value:
        """As :meth:`Edit.part`; the integers of the constant are cut as well."""
        made = super().part(value, cut, base)
        integers = self.constants.get(value)
        if integers is not None:
            rank = integers.values.ndim
            # A matrix has the last two axes of the constant.
            axis = None if integers.axis is None else integers.axis - (rank - 2)
            if axis is None or axis >= 0:
                params = replace(integers.quantization, axis=axis)
                self.constants[made] = QuantizedConstant(cut(integers.values), params)
        return made

    def replace(self, old: ir.Value, new: ir.Value) -> None:
        """As :meth:`Edit.replace`; the parameters move along."""
        stated = self.params.pop(old, None)
        if stated is not None:
            self.params.setdefault(new, stated)
        super().replace(old, new)
