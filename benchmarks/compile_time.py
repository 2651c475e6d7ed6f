"""User CPU seconds of ``edgeq compile``: one checkout against another, and growth with layers and with weights.

Two checkouts run on the same machine, one after the other, so that their ratio means something where the seconds do
not. Children count (compilers, linkers). Models of chained convolutions and of two dense layers are made here; of the
MLPerf Tiny models those are run that EDGEQ_DATA (default ../shared/data) holds.

    python benchmarks/compile_time.py --before OLD_CHECKOUT
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

Array = np.ndarray
ROOT = Path(__file__).resolve().parent.parent
LAYERS = (5, 20, 100, 500)
MODEL_BYTES = (10_000, 100_000, 1_000_000, 5_200_000, 50_000_000)
RATIO_LAYERS = 100
RATIO_WEIGHTS = 1_300_000
SAMPLES = 64
MLPERF = {"kws": "kws_dscnn", "vww": "vww_mobilenetv1_025"}
_COMMAND = "import sys; from edgeq.cli.main import main; sys.exit(main())"


@dataclass(frozen=True)
class Case:
    """A model with its calibration data, and the board that has room for it."""

    name: str
    model: Path
    data: Path
    board: str = "native"


def save(
    folder: Path, name: str, nodes: list[onnx.NodeProto], weights: dict[str, np.ndarray], shape: list[int]
) -> Case:
    """Write a model of input ``x``, whose output has the same shape, and calibration data."""
    values = [helper.make_tensor_value_info(key, onnx.TensorProto.FLOAT, shape) for key in ("x", nodes[-1].output[0])]
    constants = [numpy_helper.from_array(array.astype(np.float32), key) for key, array in weights.items()]
    graph = helper.make_graph(nodes, name, values[:1], values[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    case = Case(name, folder / f"{name}.onnx", folder / f"{name}.npz")
    onnx.save(model, case.model)
    np.savez(case.data, x=np.random.default_rng(1).normal(size=(SAMPLES, *shape[1:])).astype(np.float32))
    return case


def chain(folder: Path, layers: int) -> Case:
    """Convolutions 3x3 of 4 channels on 8x8, each with its Relu."""
    generator = np.random.default_rng(0)
    nodes, weights, value = [], {}, "x"
    for number in range(layers):
        weights[f"w{number}"] = generator.normal(size=(4, 4, 3, 3)) * np.sqrt(2 / 36)
        weights[f"b{number}"] = np.zeros(4)
        operands = [value, f"w{number}", f"b{number}"]
        nodes.append(helper.make_node("Conv", operands, [f"c{number}"], f"conv{number}", pads=[1] * 4))
        nodes.append(helper.make_node("Relu", [f"c{number}"], [value := f"r{number}"], f"relu{number}"))
    return save(folder, f"{layers} layers", nodes, weights, [1, 4, 8, 8])


def dense(folder: Path, name: str, weights: int) -> Case:
    """Two square dense layers with that many weights together."""
    generator, side = np.random.default_rng(0), round((weights / 2) ** 0.5)
    nodes, arrays, value = [], {}, "x"
    for number in range(2):
        arrays[f"w{number}"] = generator.normal(size=(side, side)) / np.sqrt(side)
        arrays[f"b{number}"] = np.zeros(side)
        operands = [value, f"w{number}", f"b{number}"]
        nodes.append(helper.make_node("Gemm", operands, [value := f"y{number}"], f"dense{number}", transB=1))
    return save(folder, name, nodes, arrays, [1, side])


def mlperf() -> list[Case]:
    """The models and data that are on this machine."""
    data = Path(os.environ.get("EDGEQ_DATA", str(ROOT.parent / "shared" / "data")))
    cases = [
        Case(name, data / "models" / f"{stem}.onnx", data / "data" / f"{name}_calib.npz", "mps2-an386")
        for name, stem in MLPERF.items()
    ]
    return [case for case in cases if case.model.exists()]


def user_seconds(checkout: Path, case: Case) -> float:
    """User CPU seconds of compiling a case with a checkout, children included."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = [str(case.model), "--data", str(case.data), "--board", case.board, "-o", f"{folder}/out", "--quiet"]
        command = [sys.executable, "-c", _COMMAND, "compile", *arguments]
        environment = os.environ | {"PYTHONPATH": str(checkout)}
        before = os.times().children_user
        done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{checkout}: {case.name}: {done.stderr}")
        return os.times().children_user - before


def print_ratios(before: Path, cases: Sequence[Case], runs: int) -> None:
    """A row for each case: the best of some runs with each checkout."""
    print("| model | before, s | after, s | ratio |\n|---|---|---|---|")
    for case in cases:
        old, new = (min(user_seconds(checkout, case) for _ in range(runs)) for checkout in (before, ROOT))
        print(f"| {case.name} | {old:.2f} | {new:.2f} | {old / new:.1f} |", flush=True)


def print_growth(what: str, cases: Sequence[tuple[float, Case]]) -> None:
    """A row for each size: seconds, and seconds a unit beyond those of the smallest."""
    print(f"\n| {what} | seconds | ms per {what} beyond the row above |\n|---|---|---|")
    last: tuple[float, float] | None = None
    for size, case in cases:
        seconds = user_seconds(ROOT, case)
        slope = "" if last is None else f"{1000 * (seconds - last[1]) / (size - last[0]):.2f}"
        print(f"| {size:g} | {seconds:.2f} | {slope} |", flush=True)
        last = size, seconds


def main() -> None:
    """Read the command line and print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--before", type=Path, help="a checkout to compare with")
    parser.add_argument("--runs", type=int, default=1, help="runs of which the fastest counts")
    parser.add_argument("--no-growth", action="store_true", help="ratios only")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.before is not None:
            own = [chain(folder, RATIO_LAYERS), dense(folder, "1.3 M weights", RATIO_WEIGHTS)]
            print_ratios(options.before.resolve(), [*mlperf(), *own], options.runs)
        if not options.no_growth:
            print_growth("layer", [(layers, chain(folder, layers)) for layers in LAYERS])
            sizes = [(size / 1e6, dense(folder, f"{size} bytes", size // 4)) for size in MODEL_BYTES]
            print_growth("MB", sizes)


if __name__ == "__main__":
    main()
