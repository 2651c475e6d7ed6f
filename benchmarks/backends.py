"""The backends side by side: the same integer graph by our kernels, by TVM's, and as a TFLite file.

The four MLPerf Tiny models, compiled with `--backend c,tvm,tflite`. Every step is compared with the reference on every
runner; instructions of C and of TVM are counted by the same plugin in the same harness. TVM's loops are lowered plainly
and left to LLVM, without a schedule of ours. Sizes of TensorFlow's own int8 files stand beside those of our files.
"""

from __future__ import annotations

from pathlib import Path

from mlperf_tiny import BOARDS, MODELS, edgeq, print_table

CORES = {"M4": BOARDS["M4"], "M55": BOARDS["M55"], "A53": "linux-aarch64"}


def row_of(data: Path, name: str, core: str, folder: Path, samples: int) -> list[str]:
    """Compile, verify and profile one model for one board."""
    model = data / "models" / f"{MODELS[name]}.onnx"
    calibration, evaluation = (data / "data" / f"{name}_{kind}.npz" for kind in ("calib", "eval"))
    compiled = edgeq(
        *("compile", model, "--data", calibration, "--board", CORES[core]),
        *("--backend", "c,tvm,tflite", "-o", folder),
    )
    verdict = edgeq("verify", folder, "--data", evaluation, "--samples", str(samples))
    c, tvm = (edgeq("profile", folder, "--data", evaluation, "--on", runner) for runner in ("qemu", "tvm-qemu"))
    theirs = (data / "models" / f"{MODELS[name]}_int8.tflite").stat().st_size
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


if __name__ == "__main__":
    columns = [
        *("model", "core", "mismatches", "instructions C", "TVM", "ratio", "arena C", "TVM", "code C", "TVM"),
        *(".tflite", "TensorFlow's"),
    ]
    print_table(str(__doc__), CORES, columns, row_of)
