"""Instructions, RAM and flash of real models on every core, and what other tools need beside them.

The four MLPerf Tiny models, and with ``--models all`` the other models of the data folder and MobileNetV2 0.35 with
random weights. Each is compiled with the default options (a language model with int16 activations), compared with the
reference bit for bit, and counted in QEMU. Instructions are not cycles. ``baselines.toml`` has the other tools'
figures. What grows fails ``tests/golden/test_instructions.py`` and ``tests/e2e/test_mlperf_tiny.py``.

    EDGEQ_DATA=DATA python benchmarks/speed.py [--models all|NAME,…] [--cores M4,M55] [--optimize AIM,…] [--layers]
"""

from __future__ import annotations

import argparse
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common import BOARDS, DATA, ROOT, edgeq, print_header, print_row, random_network
from entries import MODELS, SCHEMES, files_of

MLPERF_TINY = ("kws_dscnn", "vww_mobilenetv1_025", "ic_resnet8", "ad_autoencoder")
RANDOM = "mobilenetv2_035"
ALL = (*MODELS, RANDOM)
COLUMNS = [
    *("model", "core", "optimize", "instructions", "per MAC", "other tool", "its instructions", "ratio"),
    *("arena", "its arena", "stack", "code", "weights", "mismatches"),
]
LAYER_COLUMNS = ["layer", "kernel", "instructions", "MACs", "per MAC", "share"]
_BASELINES = tomllib.loads((ROOT / "benchmarks" / "baselines.toml").read_text(encoding="utf-8"))


def material_of(name: str, folder: Path) -> tuple[Path, Path, Path, tuple[str, ...]]:
    """Model, calibration data, evaluation data, and options of the scheme."""
    if name == RANDOM:
        model, data = random_network(name, folder)
        return model, data, data, ()
    entry = MODELS[name]
    return DATA / "models" / f"{name}.onnx", *files_of(name, folder), SCHEMES[entry.schemes[0]]


def row_of(name: str, core: str, aim: str, found: Mapping[str, Any], mismatches: int) -> list[str]:
    """A model on a core, beside the other tool where one was measured."""
    other = _BASELINES.get(name, {}).get(core, {})
    instructions, rival = found["instructions"], other.get("instructions")
    return [
        *(name, core, aim, f"{instructions:,}", f"{instructions / found['macs']:.3f}"),
        *(other.get("tool", "–"), f"{rival:,}" if rival else "–", f"{instructions / rival:.2f}" if rival else "–"),
        *(f"{found['ram_bytes']:,}", f"{other['ram_bytes']:,}" if "ram_bytes" in other else "–"),
        *(f"{found[what]:,}" for what in ("stack_bytes", "flash_code_bytes", "flash_weight_bytes")),
        str(mismatches),
    ]


def layer_rows(found: Mapping[str, Any]) -> list[list[str]]:
    """The layers of a profile, by their order."""
    return [
        [
            *(layer["name"], layer["kernel"], f"{layer['instructions']:,}", f"{layer['macs']:,}"),
            f"{layer['instructions'] / layer['macs']:.3f}" if layer["macs"] else "–",
            f"{layer['instructions'] / found['instructions']:.1%}",
        ]
        for layer in found["layers"]
    ]


def main() -> None:
    """Print the table as Markdown; with ``--layers`` one of layers below each row."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", default=",".join(MLPERF_TINY), help=f"all, or some of {', '.join(ALL)}")
    parser.add_argument("--cores", default=",".join(BOARDS))
    parser.add_argument("--optimize", default="balanced", help="some of speed, balanced, size, ram")
    parser.add_argument("--samples", type=int, default=20, help="inputs that are compared bit for bit")
    parser.add_argument("--layers", action="store_true", help="also each layer's instructions")
    options = parser.parse_args()
    names = ALL if options.models == "all" else options.models.split(",")
    print_header(COLUMNS)
    for name in names:
        with tempfile.TemporaryDirectory(prefix="edgeq-speed-") as made:
            scratch = Path(made)
            model, calibration, evaluation, scheme = material_of(name, scratch)
            for core in options.cores.split(","):
                for aim in options.optimize.split(","):
                    folder = scratch / f"{core}-{aim}"
                    choice = ("--board", BOARDS[core], "--optimize", aim)
                    edgeq("compile", model, "--data", calibration, *scheme, *choice, "-o", folder)
                    verdict = edgeq("verify", folder, "--data", evaluation, "--samples", str(options.samples))
                    found = edgeq("profile", folder, "--data", evaluation)
                    print_row(row_of(name, core, aim, found, verdict["mismatches"]))
                    if options.layers:
                        print()
                        print_header(LAYER_COLUMNS)
                        for row in layer_rows(found):
                            print_row(row)
                        print()


if __name__ == "__main__":
    main()
