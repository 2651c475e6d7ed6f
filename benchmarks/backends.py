"""The backends side by side: the same integer graph by our kernels, by TVM's, and as a TFLite file.

The four MLPerf Tiny models, compiled with `--backend c,tvm,tflite`. Every step is compared with the reference on every
runner; instructions of C and of TVM are counted by the same plugin in the same harness. TVM's loops are lowered plainly
and left to LLVM, without a schedule of ours. Sizes of TensorFlow's own int8 files stand beside those of our files.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from common import BOARDS, DATA, edgeq, print_header, print_row
from entries import MODELS
from speed import MLPERF_TINY

CORES = {"M4": BOARDS["M4"], "M55": BOARDS["M55"], "A53": "linux-aarch64"}


def row_of(name: str, core: str, folder: Path, samples: int) -> list[str]:
    """Compile, verify and profile one model for one board."""
    model, entry = DATA / "models" / f"{name}.onnx", MODELS[name]
    calibration, evaluation = (DATA / "data" / f"{file}.npz" for file in (entry.calibration, entry.evaluation))
    compiled = edgeq(
        *("compile", model, "--data", calibration, "--board", CORES[core]),
        *("--backend", "c,tvm,tflite", "-o", folder),
    )
    verdict = edgeq("verify", folder, "--data", evaluation, "--samples", str(samples))
    c, tvm = (edgeq("profile", folder, "--data", evaluation, "--on", runner) for runner in ("qemu", "tvm-qemu"))
    theirs = (DATA / "models" / f"{name}_int8.tflite").stat().st_size
    return [
        name,
        core,
        ", ".join(f"{result['on']} {result['mismatches']}" for result in verdict["results"]),
        f"{c['instructions']:,}",
        f"{tvm['instructions']:,}",
        f"{tvm['instructions'] / c['instructions']:.2f}",
        f"{c['ram_bytes']:,}",
        f"{tvm['ram_bytes']:,}",
        f"{c['flash_code_bytes']:,}",
        f"{tvm['flash_code_bytes']:,}",
        f"{compiled['tflite_bytes']:,}",
        f"{theirs:,}",
    ]


def main() -> None:
    """Print the table as Markdown."""
    columns = [
        *("model", "core", "mismatches", "instructions C", "TVM", "ratio", "arena C", "TVM", "code C", "TVM"),
        *(".tflite", "TensorFlow's"),
    ]
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", default=",".join(MLPERF_TINY))
    parser.add_argument("--cores", default=",".join(CORES))
    parser.add_argument("--samples", type=int, default=20, help="inputs that are compared bit for bit")
    options = parser.parse_args()
    print_header(columns)
    with tempfile.TemporaryDirectory(prefix="edgeq-backends-") as scratch:
        for name in options.models.split(","):
            for core in options.cores.split(","):
                print_row(row_of(name, core, Path(scratch) / f"{name}_{core}", options.samples))


if __name__ == "__main__":
    main()
