"""What an exported model becomes: its bits on two executors, its distance from the float model, its transposes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from quant_models import sqnr_db

import edgeq
from edgeq.analysis.model_values import model_inputs
from edgeq.interp import run
from edgeq.ir import Graph
from edgeq.models import CompiledModel
from edgeq.numerics.array import Array
from edgeq.onnxio import Session

BOARDS: Final = ("mps2-m0", "mps2-an386", "mps3-an547")
"""Cortex-M0, M4 and M55; :func:`board_of` gives each export one."""
_AT_ENDS: Final = frozenset(("gather", "pad", "requantize", "reshape", "slice", "to_integer"))
_CALIBRATION, _SAMPLES = 64, 24


@dataclass(frozen=True)
class Measured:
    """The figures of one model.

    Attributes:
        mismatches: of every step's results, on this computer and in the emulator, with the reference.
        sqnr_db: of the output of real numbers that is farthest from what onnxruntime computes on the model as it was
            exported; at most 120.
        equal: the share of integers, such as classes, that are onnxruntime's; 1 where no output has integers.
        transposes: steps that move values and stand neither behind an input nor before an output.
        worst: the value that loses most, where the ratio is below the bound.
    """

    mismatches: int
    sqnr_db: float
    equal: float
    transposes: tuple[str, ...]
    worst: str | None


def board_of(label: str) -> str:
    """One of the boards, the same for a name at any time."""
    return BOARDS[sum(label.encode()) % len(BOARDS)]


def drawn(specs: Sequence[Sequence[Any]], count: int, seed: int) -> dict[str, Array]:
    """Samples of each input: normal numbers, or integers below a bound, as the example inputs were made."""
    draw = np.random.default_rng(seed)
    found: dict[str, Array] = {}
    for place, spec in enumerate(specs):
        name = f"x{place}" if place else "x"
        if isinstance(spec[0], str):
            kind, bound, _, *shape = spec
            found[name] = draw.integers(0, bound, (count, *shape)).astype(kind)
        else:
            found[name] = draw.normal(size=(count, *spec[1:])).astype(np.float32)
    return found


def measure(model: bytes, specs: Sequence[Sequence[Any]], board: str, folder: Path, bound_db: float) -> Measured:
    """Compile a model, compare its bits, run it on samples of its own; below a ratio, find out where it is lost."""
    session = onnxruntime.InferenceSession(model)
    names = [given.name for given in session.get_inputs()]

    def samples(count: int, seed: int) -> dict[str, Array]:
        return dict(zip(names, drawn(specs, count, seed).values(), strict=True))

    compiled = edgeq.compile(model, samples(_CALIBRATION, 1), board=board, out=folder / "net")
    verified = compiled.verify(["native", "qemu"], samples=2)
    inputs = samples(_SAMPLES, 2)
    found = compiled.emulate(inputs, "native").outputs
    wanted = [session.run(None, {n: x[i : i + 1] for n, x in inputs.items()}) for i in range(_SAMPLES)]
    ratios, equal = [120.0], [1.0]
    for place, output in enumerate(session.get_outputs()):
        mine = np.stack([np.asarray(each[output.name]) for each in found])
        theirs = np.stack([each[place] for each in wanted]).reshape(mine.shape)
        if theirs.dtype.kind == "f":
            ratios.append(sqnr_db(theirs, mine))
        else:
            equal.append(float((theirs == mine).mean()))
    return Measured(
        mismatches=verified.mismatches,
        sqnr_db=min(ratios),
        equal=min(equal),
        transposes=inner_transposes(compiled._compiled.graph),
        worst=losing_most(compiled, inputs) if min(ratios) < bound_db else None,
    )


def inner_transposes(graph: Graph) -> tuple[str, ...]:
    """Transposes between steps that compute: not of an input or a piece of it, not before an output."""
    makers = {name: node for node in graph.nodes for name in node.outputs}
    readers: dict[str, list[Any]] = {}
    for node in graph.nodes:
        for name in node.inputs:
            readers.setdefault(name, []).append(node)

    def from_input(name: str) -> bool:
        node = makers.get(name)
        return node is None or (node.op in _AT_ENDS and from_input(node.inputs[0]))

    def to_output(name: str) -> bool:
        return name in graph.outputs or any(
            node.op in _AT_ENDS and to_output(node.outputs[0]) for node in readers.get(name, [])
        )

    return tuple(
        node.name
        for node in graph.nodes
        if node.op == "transpose" and not from_input(node.inputs[0]) and not to_output(node.outputs[0])
    )


def losing_most(compiled: CompiledModel, inputs: Mapping[str, Array]) -> str:
    """The value whose ratio lies farthest below the worst of the values that it is computed from."""
    opened = compiled._compiled
    graph, model = opened.graph, opened.float_model()
    assert model is not None
    known = {value.name for node in model.graph for value in node.outputs}
    traced = {t.name: t for t in graph.tensors.values() if t.source and t.quant and t.source.name in known}
    session = Session(model, [t.source.name for t in traced.values() if t.source])
    errors = dict.fromkeys(traced, 0.0)
    powers = dict.fromkeys(traced, 0.0)
    for sample in range(8):
        row = {name: values[sample : sample + 1] for name, values in inputs.items()}
        real = session.run({n: x.astype(np.float32) for n, x in row.items()})
        integers = [value.quantize(row[value.name][0]) for value in model_inputs(opened)]
        tensors = run(graph, integers).tensors
        for name, tensor in traced.items():
            assert tensor.source is not None
            assert tensor.quant is not None
            mine = tensor.quant.dequantize(tensors[name]).transpose(tensor.source.permutation)
            theirs = real[tensor.source.name]
            errors[name] += float(((mine.reshape(theirs.shape) - theirs) ** 2).sum())
            powers[name] += float((theirs.astype(np.float64) ** 2).sum())
    ratio = {name: 10 * np.log10(max(powers[name], 1e-30) / max(errors[name], 1e-30)) for name in traced}
    reached: dict[str, float] = {}
    losses: dict[str, float] = {}
    for node in graph.nodes:
        before = min(
            (reached.get(name, 120.0) for name in node.inputs if not graph.tensors[name].is_constant), default=120.0
        )
        for name in node.outputs:
            reached[name] = min(120.0, float(ratio.get(name, before)))
            losses[name] = before - reached[name] if before < 120.0 else 0.0
    return max(losses, key=lambda name: losses[name])
