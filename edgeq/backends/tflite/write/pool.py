"""average_pool, max_pool: AVERAGE_POOL_2D, MAX_POOL_2D; mean: MEAN."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Final

from edgeq.backends.tflite.draft import Draft, Writer, by_type, cannot, int32, scalar_quant
from edgeq.backends.tflite.exactness import clamped, require_equal, require_factors
from edgeq.backends.tflite.write.layout import append_strided_slice
from edgeq.backends.tflite.write.window import pad_image, padding_scheme
from edgeq.ir import Node


def write_max_pool(draft: Draft, node: Node) -> None:
    """MAX_POOL_2D; where neither SAME nor VALID fits, behind a PAD with the smallest value, which never wins."""
    (x,) = draft.of(node, "x")
    scheme = _scheme(draft, node)
    source = x.name if scheme is not None else pad_image(draft, node, x, x.dtype.min)
    _append_pool(draft, node, "MAX_POOL_2D", source, node.integers("strides"), scheme or "VALID")


def write_average_pool(draft: Draft, node: Node) -> None:
    """AVERAGE_POOL_2D, which counts valid positions as the graph does.

    Where neither SAME nor VALID places the windows so, SAME with strides of 1 holds a window for every pixel, from
    which a slice picks: more work, the same bits.
    """
    x, result = draft.of(node, "x", "result")
    require_equal(node, "scale", scalar_quant(result), scalar_quant(x))
    scheme = _scheme(draft, node)
    if scheme is not None:
        _append_pool(draft, node, "AVERAGE_POOL_2D", x.name, node.integers("strides"), scheme)
        return
    kernel, strides, pads = (node.integers(key) for key in ("kernel", "strides", "pads"))
    starts = tuple((kernel[axis] - 1) // 2 - pads[axis] for axis in (0, 1))
    lasts = tuple(starts[axis] + (result.shape[1 + axis] - 1) * strides[axis] for axis in (0, 1))
    if min(starts) < 0 or any(lasts[axis] >= x.shape[1 + axis] for axis in (0, 1)):
        raise cannot(
            node,
            "a window is centred outside the image, and its mean leaves the padding out",
            got=f"kernel {kernel}, strides {strides}, pads {pads} on {x.shape[1]}x{x.shape[2]}",
            allowed="windows centred on pixels",
            hint="export the pooling with count_include_pad=1, or pad by less",
        )
    every = draft.between(f"{result.name}.every", x.shape, result)
    _append_pool(draft, node, "AVERAGE_POOL_2D", x.name, (1, 1), "SAME", every)
    ends = (x.shape[0], lasts[0] + 1, lasts[1] + 1, x.shape[3])
    append_strided_slice(draft, draft.use(every), result.name, (0, *starts, 0), ends, (1, *strides, 1))


def write_mean(draft: Draft, node: Node) -> None:
    """MEAN; no fused activation."""
    x, result = draft.of(node, "x", "result")
    (in_scale, in_zero), (out_scale, out_zero) = scalar_quant(x), scalar_quant(result)
    require_equal(node, "in_zero", node.integer("in_zero"), in_zero)
    require_equal(node, "out_zero", node.integer("out_zero"), out_zero)
    axes = node.integers("axes")
    count = prod(x.shape[axis] for axis in axes)
    require_factors(draft, node, draft.scaling.choose_mean(in_scale / out_scale, count))
    indices = draft.constant(f"{result.name}.axes", int32(*axes))

    def append(name: str, activation: str) -> None:
        keep = bool(node.integer("keepdims"))
        draft.append("MEAN", by_type(x, 2, 3), (x.name, indices), name, "ReducerOptions", KeepDims=keep)

    clamped(draft, node, append, fuses=False)


def _scheme(draft: Draft, node: Node) -> str | None:
    x, result = draft.of(node, "x", "result")
    height, width = node.integers("kernel")
    return padding_scheme(node, x.shape[1:3], result.shape[1:3], (height, width))  # type: ignore[arg-type]


def _append_pool(
    draft: Draft, node: Node, code: str, source: str, strides: tuple[int, ...], padding: str, result: str | None = None
) -> None:
    height, width = node.integers("kernel")
    version = by_type(draft.of(node, "x")[0], 2, 3)

    def append(name: str, activation: str) -> None:
        draft.append(
            code,
            version,
            (source,),
            name,
            "Pool2DOptions",
            Padding=padding,
            StrideW=strides[1],
            StrideH=strides[0],
            FilterWidth=width,
            FilterHeight=height,
            FusedActivationFunction=activation,
        )

    if result is None:
        clamped(draft, node, append)
    else:
        append(result, "NONE")


WRITERS: Final[Mapping[str, Writer]] = {
    "average_pool": write_average_pool,
    "max_pool": write_max_pool,
    "mean": write_mean,
}
