"""What a kernel is expected to cost: instructions and cycles, linear in a few sizes of the node, fitted to counts.

``targets/costs.json`` holds the coefficients, by operator, candidate and instruction set, with the error of the fit;
``tests/golden/costs.py`` writes it. A candidate that was not measured has no estimate: nothing is concluded about it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any, Final

from edgeq.backends.c.runtime import COMPACT, Isa
from edgeq.ir import Graph, Node
from edgeq.ops import BY_NAME
from edgeq.resources import targets_dir

TERMS: Final = (
    "step",
    "macs",
    "results",
    "pixels",
    "windows",
    "operands",
    "columns",
    "gathered",
    "rounded",
    "lines",
    "weights",
)
"""What coefficients belong to: one for the call; multiply-accumulates; elements of the results, and by channel;
operands of the multiply-accumulates of one channel; elements of the operands; pixels and windows of all groups; for
"rounded" multiply-accumulates with what fills up vectors and pairs, for "lines" runs along an image's longer side, for
"weights" multiply-accumulates of one pixel."""
_TILES: Final[Mapping[str, tuple[int, int]]] = {
    "eq_conv2d_phases_s8": (2, 2),
    "eq_conv2d_winograd_4x4_s8": (4, 4),
    "eq_conv2d_winograd_s8": (2, 8),
    "eq_conv2d_winograd_wide_s8": (2, 8),
}
"""Rows and columns of results that a kernel computes at once, those beyond the image too."""
_PAIRS: Final = "eq_pointwise_wide_s8"
"""Computes two pixels of a row at once, also where there is one; with stride 1 all pixels are a row."""
_LINE: Final = "eq_conv2d_winograd_line_s8"
"""Computes 16 results of a line at once."""

_VECTOR: Final = 16
_WORD: Final = 4
_IMAGE: Final = 4  # axes


@dataclass(frozen=True)
class Estimate:
    """What a step is expected to cost.

    Attributes:
        instructions: of one run.
        cycles: by the costs of classes of instructions in ``targets/cycles.json``: good to rank kernels, no more.
        mean_error: of instructions, as a share, over the layers that were measured.
        worst_error: likewise, the largest.
        measured: it is no less than the smallest layer that was measured.
    """

    instructions: float
    cycles: float
    mean_error: float
    worst_error: float
    measured: bool = True


def is_unfit(node: Node, graph: Graph, candidate: str) -> bool:
    """Whether a general kernel would run a depthwise convolution: slow, and nothing linear fits that, too."""
    if node.op != "conv2d" or "depthwise" in candidate:
        return False
    return node.integer("group") > 1 and graph.operands(node)[1].shape[3] == 1


def terms_of(node: Node, graph: Graph, candidate: str, isa: Isa) -> tuple[float, ...]:
    """The sizes of :data:`TERMS` for a candidate of a node."""
    results, given = graph.results(node), graph.operands(node)
    shape, tiles = results[0].shape, _TILES.get(candidate.partition(":")[0])
    waste = 1.0
    if tiles is not None:
        waste = prod(-(-size // tile) * tile / size for size, tile in zip(shape[1:3], tiles, strict=True))
    elif candidate.startswith(_PAIRS):
        row = prod(shape[1:3]) if node.integers("strides") == (1, 1) else shape[2]
        waste = -(-row // 2) * 2 / row
    elif candidate == _LINE:
        length = shape[2] if given[1].shape[1] == 1 else shape[1]
        waste = -(-length // 16) * 16 / length
    elements = waste * sum(tensor.elements for tensor in results)
    channels = max(shape[-1], 1) if shape else 1
    macs = waste * BY_NAME[node.op].macs(node, given)
    operands = sum(tensor.elements for tensor in given if not tensor.is_constant)
    groups = node.integer("group") if node.op == "conv2d" else 1
    pixels, windows = elements / channels, macs / channels
    return (
        1.0,
        macs,
        elements,
        pixels,
        windows,
        float(operands),
        pixels * groups,
        windows * groups,
        _rounded(node, graph, pixels, _VECTOR if isa[0] == "mve" else _WORD) if node.op == "conv2d" else macs,
        elements / max(shape[1:3]) if len(shape) == _IMAGE else 0.0,
        macs / pixels if pixels else 0.0,
    )


def _rounded(node: Node, graph: Graph, pixels: float, unit: int) -> float:
    """Multiply-accumulates of a convolution whose innermost loop takes whole words or vectors."""
    out_c, kernel_h, kernel_w, group_c = graph.operands(node)[1].shape
    groups = node.integer("group")
    if groups > 1 and group_c == 1:
        return pixels * -(-out_c // unit) * unit * kernel_h * kernel_w
    rows, length = (kernel_h, kernel_w * group_c) if groups == 1 else (kernel_h * kernel_w, group_c)
    return pixels * groups * 2 * -(-out_c // groups // 2) * rows * -(-length // unit) * unit


def estimate(node: Node, graph: Graph, isa: Isa, candidate: str, *, compact: bool = False) -> Estimate | None:
    """What a candidate of a node is expected to cost; None where it was not measured.

    Args:
        node: of the graph.
        graph: the integer graph.
        isa: instruction sets in search order.
        candidate: name of a binding that takes the node.
        compact: with short loops, in an instance that several layers share.
    """
    found = _fits().get(node.op, {}).get(candidate, {}).get(isa[0] + COMPACT if compact else isa[0])
    if found is None or is_unfit(node, graph, candidate):
        return None
    terms = dict(zip(TERMS, terms_of(node, graph, candidate, isa), strict=True))
    instructions, cycles = (sum(weight * terms[name] for name, weight in found[what].items()) for what in _FIGURES)
    measured = instructions >= found["least"]
    return Estimate(instructions, cycles, found["mean_error"], found["worst_error"], measured)


_FIGURES: Final = ("instructions", "cycles")


@dataclass(frozen=True)
class Total:
    """What a program is expected to cost.

    Attributes:
        instructions: of one run, without steps that have no estimate.
        mean_error: of a layer, as a share, weighted by instructions.
        worst_error: likewise, of the layers that were estimated worst.
        steps: how many have an estimate.
    """

    instructions: int
    mean_error: float
    worst_error: float
    steps: int


def total(estimates: Iterable[Estimate | None]) -> Total | None:
    """The sum over the steps of a program; None where nothing is known."""
    known = [each for each in estimates if each is not None]
    instructions = sum(each.instructions for each in known)
    if not instructions:
        return None
    mean, worst = (
        sum(getattr(each, what) * each.instructions for each in known) / instructions
        for what in ("mean_error", "worst_error")
    )
    return Total(round(instructions), round(mean, 4), round(worst, 4), len(known))


@cache
def _fits() -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
    """By operator, candidate and instruction set."""
    path = targets_dir() / "costs.json"
    found: dict[str, dict[str, dict[str, dict[str, Any]]]] = (
        json.loads(path.read_text("utf-8")) if path.is_file() else {}
    )
    return found
