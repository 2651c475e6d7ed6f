"""XᵀX of what a layer reads: the Hessian, but for a factor, of the squared error of its outputs in its weights.

A row of X is what one output element of a channel is computed from: a row of the operand of a matrix product, or the
patch under the kernel of a convolution, in the order of the weight's elements (channel within the group, then kernel
positions), zeros where it lies on the padding.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from edgeq.numerics.array import Array
from edgeq.quant.statistics.base import Field, Options, Statistic, Wanted

if TYPE_CHECKING:
    import onnx_ir


class Gram(Statistic):
    """XᵀX over all samples, for each group of a convolution apart.

    Args:
        channels: input channels.
        group: into how many groups they are split; 1 for a matrix product.
        kernel: sizes of the kernel; empty for a matrix product.
        strides: one for each size.
        dilations: one for each size.
        pads: zeros in front of every axis, then behind every axis.

    Attributes:
        matrix: float64 [group, k, k], k = channels / group · product of the kernel's sizes.
        rows: the number of rows of X.
    """

    kind: ClassVar[str] = "gram"

    def __init__(
        self,
        channels: int,
        group: int = 1,
        kernel: tuple[int, ...] = (),
        strides: tuple[int, ...] = (),
        dilations: tuple[int, ...] = (),
        pads: tuple[int, ...] = (),
    ) -> None:
        self.options = (channels, group, kernel, strides, dilations, pads)
        self.matrix = np.zeros(self.layout(*self.options)["matrix"].shape)
        self.rows = 0

    @staticmethod
    def layout(channels: int, group: int = 1, kernel: tuple[int, ...] = (), *windows: object) -> Mapping[str, Field]:
        """The matrix of each group, and the number of rows."""
        del windows
        side = channels // group * int(np.prod(kernel, dtype=np.int64))
        return {"matrix": Field(np.float64, (group, side, side)), "rows": Field(np.int64, (1,))}

    def update(self, values: Array) -> None:
        """Add the operand of some samples: [N, channels, …] of a convolution, […, channels] of a matrix product."""
        channels, _, kernel, *_ = self.options
        # The patches of a convolution are k times as large as its operand: one sample at a time.
        flat = values if kernel else values.reshape(1, -1, channels)
        for index in range(len(flat)):
            rows = self._rows(flat[index : index + 1].astype(np.float64))
            self.matrix += rows.transpose(0, 2, 1) @ rows
            self.rows += rows.shape[1]

    def _rows(self, values: Array) -> Array:
        """[group, rows, k]."""
        channels, group, kernel, strides, dilations, pads = self.options
        if not kernel:
            return values
        rank = len(kernel)
        axes = tuple(range(2, 2 + rank))
        padded = np.pad(values, [(0, 0), (0, 0), *zip(pads[:rank], pads[rank:], strict=True)])
        spans = tuple((size - 1) * step + 1 for size, step in zip(kernel, dilations, strict=True))
        windows = np.lib.stride_tricks.sliding_window_view(padded, spans, axes)
        every = [slice(None, None, step) for step in (*strides, *dilations)]
        windows = windows[(slice(None), slice(None), *every)]
        # [N, C, positions …, kernel …] → [group, N · positions, C / group · kernel]
        count = len(windows) * int(np.prod(windows.shape[2 : 2 + rank], dtype=np.int64))
        grouped = windows.reshape(len(windows), group, channels // group, *windows.shape[2:])
        order = (1, 0, *range(3, 3 + rank), 2, *range(3 + rank, 3 + 2 * rank))
        return grouped.transpose(order).reshape(group, count, -1)

    def merged(self, other: Self) -> Self:
        """The sum of both."""
        result = type(self)(*self.options)
        result.matrix, result.rows = self.matrix + other.matrix, self.rows + other.rows
        return result

    def arrays(self) -> dict[str, Array]:
        """The arrays of :meth:`layout`."""
        return {"matrix": self.matrix, "rows": np.array([self.rows])}

    @classmethod
    def restored(cls, arrays: Mapping[str, Array], options: Options) -> Self:
        """The inverse of :meth:`arrays`.

        Raises:
            ValueError: a matrix is not finite, not symmetric, or has a negative diagonal.
        """
        result = cls(*options)  # type: ignore[arg-type]  # Wanted has them from a step
        result.matrix, result.rows = arrays["matrix"], int(arrays["rows"][0])
        turned = result.matrix.transpose(0, 2, 1)
        sound = np.isfinite(result.matrix).all() and np.allclose(result.matrix, turned)
        if not sound or result.rows < 0 or (np.diagonal(result.matrix, axis1=1, axis2=2) < 0).any():
            raise ValueError("a matrix is none of the form X'X")
        return result


def gram_of(node: onnx_ir.Node, value: str) -> Wanted:
    """XᵀX of a layer.

    Args:
        node: a Conv, Gemm or MatMul of a normalized model.
        value: name of its operand in the float model.

    Raises:
        ValueError: it is no product of its operand and a constant matrix.
    """
    weight = node.inputs[1] if len(node.inputs) > 1 else None
    if node.op_type not in {"Conv", "Gemm", "MatMul"} or weight is None or weight.const_value is None:
        raise ValueError(f"{node.op_type} {node.name} is no product of its operand and a constant matrix")
    shape = np.shape(weight.const_value.numpy())
    if node.op_type != "Conv":
        turned = node.attributes.get("transB")
        return Wanted(value, Gram, (shape[-1] if turned is not None and turned.as_int() else shape[-2],))

    def numbers(name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        found = node.attributes.get(name)
        return default if found is None else tuple(int(number) for number in found.as_ints())

    group = node.attributes.get("group")
    groups = 1 if group is None else group.as_int()
    kernel = shape[2:]
    ones = (1,) * len(kernel)
    windows = numbers("strides", ones), numbers("dilations", ones), numbers("pads", (0,) * (2 * len(kernel)))
    return Wanted(value, Gram, (shape[1] * groups, groups, kernel, *windows))
