"""The four MLPerf Tiny models on every core: instructions, RAM, flash, and TFLM with CMSIS-NN beside them.

The models and data are not part of the repository: EDGEQ_DATA names their folder (default ../shared/data). Figures of
TFLM and CMSIS-NN (July 2026, -O2; on M55 -Ofast) were counted with a plugin of the same kind in QEMU 7.2 and
gcc 12.2, on the same int8 models' shapes. Instructions are not cycles.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MODELS = {"kws": "kws_dscnn", "vww": "vww_mobilenetv1_025", "ic": "ic_resnet8", "ad": "ad_autoencoder"}
BOARDS = {
    "M0": "mps2-m0",
    "M3": "mps2-an385",
    "M4": "mps2-an386",
    "M7": "mps2-an500",
    "M33": "mps2-an505",
    "M55": "mps3-an547",
}
TFLM_INSTRUCTIONS = {
    "M0": {"kws": 28_993_293, "vww": 86_903_073, "ic": 97_562_849, "ad": 1_763_222},
    "M3": {"kws": 10_531_554, "vww": 31_958_736, "ic": 41_848_783, "ad": 955_937},
    "M4": {"kws": 7_696_778, "vww": 24_101_547, "ic": 29_865_120, "ad": 582_875},
    "M55": {"kws": 1_784_867, "vww": 6_433_866, "ic": 4_813_114, "ad": 285_443},
}
TFLM_ARENA_BYTES = {
    "M4": {"kws": 22_820, "vww": 100_708, "ic": 54_996, "ad": 2_580},
    "M55": {"kws": 27_300, "vww": 100_756, "ic": 54_996, "ad": 5_172},
}


def edgeq(*arguments: str | Path) -> dict[str, Any]:
    """Run a command and return its JSON document; a failed gate is still a document."""
    command = [sys.executable, "-m", "edgeq.cli.main", *map(str, arguments), "--json", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode not in {0, 1}:
        raise SystemExit(done.stderr)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def measure(data: Path, name: str, board: str, folder: Path, samples: int) -> dict[str, Any]:
    """Compile, verify and profile one model for one board."""
    model = data / "models" / f"{MODELS[name]}.onnx"
    calibration, evaluation = (data / "data" / f"{name}_{kind}.npz" for kind in ("calib", "eval"))
    edgeq("compile", model, "--data", calibration, "--board", board, "-o", folder)
    verdict = edgeq("verify", folder, "--data", evaluation, "--samples", str(samples))
    return edgeq("profile", folder, "--data", evaluation) | {"mismatches": verdict["mismatches"]}


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--cores", default=",".join(BOARDS))
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--samples", type=int, default=20, help="inputs that are compared bit for bit")
    options = parser.parse_args()
    data = Path(os.environ.get("EDGEQ_DATA", ROOT.parent / "shared" / "data"))
    header = "model core instructions TFLM ratio arena TFLM-arena stack code weights mismatches".split()
    print(f"| {' | '.join(header)} |\n|{'---|' * len(header)}")
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.models.split(","):
            for core in options.cores.split(","):
                found = measure(data, name, BOARDS[core], Path(scratch) / f"{name}_{core}", options.samples)
                foil = TFLM_INSTRUCTIONS.get(core, {}).get(name)
                row = [
                    name,
                    core,
                    f"{found['instructions']:,}",
                    f"{foil:,}" if foil else "–",
                    f"{found['instructions'] / foil:.2f}" if foil else "–",
                    f"{found['ram_bytes']:,}",
                    f"{TFLM_ARENA_BYTES[core][name]:,}" if core in TFLM_ARENA_BYTES else "–",
                    str(found["stack_bytes"]),
                    f"{found['flash_code_bytes']:,}",
                    f"{found['flash_weight_bytes']:,}",
                    str(found["mismatches"]),
                ]
                print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
