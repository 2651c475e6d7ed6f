"""What kernels cost, fitted to counted instructions: ``targets/costs.json``.

    make costs         # after a change of kernels: a quarter of an hour

Every candidate of every layer of the models below is run in QEMU on four cores, each layer with an instance for its
shape. Coefficients are not negative and minimise the relative error, in which a layer counts by the root of its
instructions; terms that help little are left out. On Cortex-M4 short loops with shared instances are counted, too, as
gcc's -Os makes them: what ``--optimize size`` chooses by. The error
of a candidate is that of each model's layers by coefficients fitted to all other models, where it has two or more.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgeq.analysis.cycles import cycles_of
from edgeq.analysis.model_values import Inputs
from edgeq.analysis.trials import EACH, Counter
from edgeq.backends.c.bind import Step, bind_kernels, bound
from edgeq.backends.c.candidates import candidates_of
from edgeq.backends.c.costs import TERMS, is_unfit, terms_of
from edgeq.backends.c.runtime import COMPACT
from edgeq.frontend import normalize
from edgeq.integers import to_integer_graph
from edgeq.ir import Graph
from edgeq.numerics.array import Array
from edgeq.onnxio import read_model
from edgeq.quant import QuantizeOptions, quantize_blindly
from edgeq.resources import targets_dir
from edgeq.target import load_board
from tests.golden.digests import EXAMPLE, integer_graph
from tests.golden.instructions import random_input

FILE: Final = targets_dir() / "costs.json"
BOARDS: Final = ("mps2-m0", "mps2-an385", "mps2-an386", "mps3-an547")
COMPACT_BOARDS: Final = ("mps2-an386",)
MODELS: Final = (
    "ad_autoencoder",
    "arm_kws_cnn_s",
    "arm_kws_ds_cnn_s",
    "har3_cnn",
    "ic_resnet8",
    "kws_dscnn",
    "sww_ref",
    "vww_mobilenetv1_025",
)
_GAIN: Final = 0.9
"""A further term has to lower the error to this share."""
_MOST: Final = 4
"""Coefficients of a candidate."""


Key = tuple[str, str, str]
"""Operator, candidate, the first of the instruction sets."""


@dataclass(frozen=True)
class Row:
    """One layer with one candidate on one core."""

    model: str
    terms: tuple[float, ...]
    instructions: float
    cycles: float


def rows_of(
    model: str, graph: Graph, board_name: str, *, compact: bool = False
) -> Iterator[tuple[tuple[str, str], Row]]:
    """Every candidate of every step of a graph, counted."""
    board = load_board(board_name)
    isa = board.target.isa
    optimize = "-Os" if compact else "-O2"
    counter = Counter(graph, "model", board, Inputs([random_input(graph)]), optimize, compact=compact)
    steps = bind_kernels(graph, isa)
    usable = [list(_usable(step, graph, isa)) for step in steps]
    for turn in range(max(map(len, usable))):
        tried = [each[min(turn, len(each) - 1)] for each in usable]
        counts = counter.counted(tried, 0 if compact else EACH)
        if counts is None:
            sys.stderr.write(f"{model} on {board_name}: round {turn} does not fit\n")
            continue
        for step, each, found in zip(tried, usable, counts.steps, strict=True):
            if turn < len(each) and not is_unfit(step.node, graph, step.candidate):
                terms = terms_of(step.node, graph, step.candidate, isa)
                yield (
                    (step.node.op, step.candidate),
                    Row(model, terms, found.total, cycles_of(found, board.target.name) or 0),
                )


def _usable(step: Step, graph: Graph, isa: Sequence[str]) -> Iterator[Step]:
    for candidate in candidates_of(step.node, graph, tuple(isa)):
        if candidate.refusal is None:
            yield bound(candidate.binding, step.node, graph, tuple(isa), {})


def fitted(terms: Array, wanted: Array) -> Array:
    """Coefficients that are not negative, of the fewest terms that do: those of one more must lower the error."""
    best, error = np.zeros(terms.shape[1]), np.inf
    for size in range(1, _MOST + 1):
        tried = [_least_squares(terms, wanted, chosen) for chosen in combinations(range(terms.shape[1]), size)]
        found = min(tried, key=lambda weights: _error(terms, wanted, weights))
        now = _error(terms, wanted, found)
        if now > _GAIN * error:
            break
        best, error = found, now
    return best


def _error(terms: Array, wanted: Array, weights: Array) -> float:
    return float(np.sqrt(np.average((terms @ weights / wanted - 1) ** 2, weights=np.sqrt(wanted))))


def _least_squares(terms: Array, wanted: Array, chosen: Sequence[int]) -> Array:
    weights = np.zeros(terms.shape[1])
    share = wanted**0.25 / wanted  # large layers count more
    found, *_ = np.linalg.lstsq(terms[:, list(chosen)] * share[:, None], wanted * share, rcond=None)
    if (found >= 0).all():
        weights[list(chosen)] = found
    return weights


def fit_of(rows: Sequence[Row]) -> dict[str, Any]:
    """The entry of a candidate: coefficients, and the error of instructions."""
    terms = np.array([row.terms for row in rows])
    wanted = np.array([row.instructions for row in rows], np.float64)
    weights = fitted(terms, wanted)
    errors = np.abs(_predicted(rows, terms, wanted, weights) / wanted - 1)
    return {
        "instructions": _named(weights),
        "cycles": _named(fitted(terms, np.array([row.cycles for row in rows], np.float64))),
        "least": int(wanted.min()),
        "layers": len(rows),
        "models": len({row.model for row in rows}),
        "mean_error": round(float((errors * wanted).sum() / wanted.sum()), 4),
        "worst_error": round(float(errors.max()), 4),
    }


def _named(weights: Array) -> dict[str, float]:
    return {name: float(f"{each:.4g}") for name, each in zip(TERMS, weights, strict=True) if each > 0}


def _predicted(rows: Sequence[Row], terms: Array, wanted: Array, weights: Array) -> Array:
    """Each model's layers by the fit of the others; by the whole fit where there is no other."""
    models = np.array([row.model for row in rows])
    found = terms @ weights
    for model in set(models):
        others = models != model
        if len(set(models)) > 1 and others.sum() > len(TERMS):
            found[~others] = terms[~others] @ fitted(terms[others], wanted[others])
    return found


def ladder(channels: Sequence[int], size: int) -> onnx.ModelProto:
    """Convolutions of all kinds with channels that real models do not have."""
    draw = np.random.default_rng(7)
    nodes, initializers = [], []
    x, depth = "x", channels[0]

    def conv(name: str, out: int, kernel: int, stride: int, group: int = 1) -> None:
        nonlocal x, depth
        weights = draw.normal(size=(out, depth // group, kernel, kernel)).astype(np.float32)
        weights /= np.float32(np.sqrt(weights[0].size))
        initializers.append(numpy_helper.from_array(weights, f"{name}_w"))
        pads = [kernel // 2] * 4
        nodes.append(
            helper.make_node(
                "Conv", [x, f"{name}_w"], [f"{name}_c"], name, pads=pads, strides=[stride, stride], group=group
            )
        )
        nodes.append(helper.make_node("Relu", [f"{name}_c"], [name], f"{name}_r"))
        x, depth = name, out

    for number, out in enumerate(channels[1:]):
        conv(f"c{number}", out, 3, 1 + number % 2)
        conv(f"e{number}", out, 3, 1)
        conv(f"d{number}", out, 3 if number % 2 else 5, 1, out)
        conv(f"p{number}", out + 4, 1, 1)
        before = x
        conv(f"q{number}", out + 4, 1, 1)
        nodes.append(helper.make_node("Add", [before, x], [f"a{number}"], f"a{number}"))
        x = f"a{number}"
    nodes.append(helper.make_node("GlobalAveragePool", [x], ["y"], "pool"))
    graph = helper.make_graph(
        nodes,
        "ladder",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, channels[0], size, size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, depth, 1, 1])],
        initializers,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def sequence(channels: Sequence[int], length: int) -> onnx.ModelProto:
    """Convolutions with three taps along one axis."""
    draw = np.random.default_rng(8)
    nodes, initializers = [], []
    x = "x"
    for number, (depth, out) in enumerate(pairwise(channels)):
        weights = draw.normal(size=(out, depth, 1, 3)).astype(np.float32) / np.float32(np.sqrt(3 * depth))
        initializers.append(numpy_helper.from_array(weights, f"w{number}"))
        nodes.append(helper.make_node("Conv", [x, f"w{number}"], [f"c{number}"], f"c{number}", pads=[0, 1, 0, 1]))
        x = f"r{number}"
        nodes.append(helper.make_node("Relu", [f"c{number}"], [x], x))
    graph = helper.make_graph(
        nodes,
        "sequence",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, channels[0], 1, length])],
        [helper.make_tensor_value_info(x, TensorProto.FLOAT, [1, channels[-1], 1, length])],
        initializers,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def graphs(models: Path) -> Iterator[tuple[str, Graph]]:
    """The models, quantized blindly."""
    yield EXAMPLE, integer_graph(EXAMPLE, "highmul", None)
    for name, proto in (
        ("ladder", ladder((3, 8, 16, 28, 40), 32)),
        ("ladder of few", ladder((1, 4, 10, 20), 24)),
        ("ladder of many", ladder((8, 36, 64, 96), 12)),
        ("sequence", sequence((4, 8, 16, 20, 32, 64, 64, 12), 64)),
        ("short sequence", sequence((8, 12, 24, 32, 48, 96), 25)),
    ):
        yield name, _blind(proto.SerializeToString())
    for name in MODELS:
        yield name, _blind(models / f"{name}.onnx")


def _blind(source: Path | bytes) -> Graph:
    model = quantize_blindly(normalize(read_model(source), {}), QuantizeOptions())
    return to_integer_graph(model, "highmul", "model", blind=True)


def main() -> int:
    """Count and fit."""
    models = Path(sys.argv[1])
    rows: defaultdict[Key, list[Row]] = defaultdict(list)
    for name, graph in graphs(models):
        for board in BOARDS:
            sys.stderr.write(f"{name} on {board}\n")
            isa = load_board(board).target.isa[0]
            for key, row in rows_of(name, graph, board):
                rows[(*key, isa)].append(row)
        for board in COMPACT_BOARDS:
            sys.stderr.write(f"{name} on {board}, short loops\n")
            isa = load_board(board).target.isa[0]
            for key, row in rows_of(name, graph, board, compact=True):
                rows[(*key, isa + COMPACT)].append(row)
    FILE.write_text(text_of(rows), encoding="utf-8")
    return 0


def text_of(rows: Mapping[Key, Sequence[Row]]) -> str:
    """The file: an entry for each operator and candidate, by instruction set, of which there are rows."""
    found: defaultdict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for (op, candidate, isa), counted in sorted(rows.items()):
        found[op].setdefault(candidate, {})[isa] = fit_of(counted)
    blocks = [
        f" {json.dumps(op)}: {{\n"
        + ",\n".join(
            f"  {json.dumps(each)}: {json.dumps(fits, sort_keys=True)}" for each, fits in sorted(kernels.items())
        )
        + "\n }"
        for op, kernels in found.items()
    ]
    return "{\n" + ",\n".join(blocks) + "\n}\n"


if __name__ == "__main__":
    sys.exit(main())
