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
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

Row = Callable[[Path, str, str, Path, int], list[str]]
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


def row_of(data: Path, name: str, core: str, folder: Path, samples: int) -> list[str]:
    """Compile, verify and profile one model for one board."""
    model = data / "models" / f"{MODELS[name]}.onnx"
    calibration, evaluation = (data / "data" / f"{name}_{kind}.npz" for kind in ("calib", "eval"))
    edgeq("compile", model, "--data", calibration, "--board", BOARDS[core], "-o", folder)
    verdict = edgeq("verify", folder, "--data", evaluation, "--samples", str(samples))
    found = edgeq("profile", folder, "--data", evaluation)
    foil = TFLM_INSTRUCTIONS.get(core, {}).get(name)
    return [
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
        str(verdict["mismatches"]),
    ]


def print_table(description: str, cores: Iterable[str], header: Sequence[str], row_of: Row) -> None:
    """Read the command line and print a table as Markdown, a row for each model and core."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--cores", default=",".join(cores))
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--samples", type=int, default=20, help="inputs that are compared bit for bit")
    options = parser.parse_args()
    data = Path(os.environ.get("EDGEQ_DATA", ROOT.parent / "shared" / "data"))
    print(f"| {' | '.join(header)} |\n|{'---|' * len(header)}")
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.models.split(","):
            for core in options.cores.split(","):
                row = row_of(data, name, core, Path(scratch) / f"{name}_{core}", options.samples)
                print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    columns = "model core instructions TFLM ratio arena TFLM-arena stack code weights mismatches".split()
    print_table(str(__doc__), BOARDS, columns, row_of)
