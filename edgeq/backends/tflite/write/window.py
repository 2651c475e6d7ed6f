"""TFLite's two ways of padding a window, and the explicit operator for all others."""

from __future__ import annotations

from edgeq.backends.tflite.draft import Draft, by_type, int32
from edgeq.ir import Node, Tensor

Pair = tuple[int, int]


def padding_scheme(node: Node, sizes: Pair, outputs: Pair, reach: Pair) -> str | None:
    """``SAME`` or ``VALID`` where it places the windows as the node's pads do, else None.

    Where windows start decides; padding behind the last window that is used has no effect. With SAME, TFLite pads
    max((out - 1)·stride + reach - size, 0) in all, the smaller half in front.

    Args:
        node: has ``strides`` and ``pads``.
        sizes: height and width of the input.
        outputs: of the output.
        reach: of the window, dilation included.
    """
    fitting = {"SAME", "VALID"}
    for axis in (0, 1):
        stride, before = node.integers("strides")[axis], node.integers("pads")[axis]
        size, out = sizes[axis], outputs[axis]
        around = max((out - 1) * stride + reach[axis] - size, 0)
        if out != -(-size // stride) or before != around // 2:
            fitting.discard("SAME")
        if before or size < reach[axis] or out != (size - reach[axis]) // stride + 1:
            fitting.discard("VALID")
    return max(fitting, default=None)


def pad_image(draft: Draft, node: Node, x: Tensor, value: int) -> str:
    """``x`` [N,H,W,C] with the node's pads around it, all of one value; the name of the result."""
    top, left, bottom, right = node.integers("pads")
    batch, height, width, channels = x.shape
    shape = (batch, height + top + bottom, width + left + right, channels)
    padded = draft.between(f"{node.outputs[0]}.padded", shape, x)
    append_pad(draft, x, padded, ((0, 0), (top, bottom), (left, right), (0, 0)), value)
    return padded


def append_pad(draft: Draft, x: Tensor, result: str, around: tuple[Pair, ...], value: int) -> None:
    """PAD, which fills with the zero point, or PADV2, which takes any integer of the tensor."""
    version = 4 if len(x.shape) > 4 else by_type(x, 2, 3)
    amounts = draft.constant(f"{result}.amounts", int32(*(count for pair in around for count in pair)).reshape(-1, 2))
    if x.quant is not None and value == x.quant.zero_point[0]:
        draft.append("PAD", version, (x.name, amounts), result, "PadOptions")
        return
    filling = draft.constant(f"{result}.value", int32(value).astype(x.dtype.numpy), x.quant)
    draft.append("PADV2", version, (x.name, amounts, filling), result, "PadV2Options")
