"""What the benchmarks share: the command, boards by core, the data folder, random networks, tables as Markdown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from tests.networks import NETWORKS, network_model  # noqa: E402

BOARDS = {
    "M0": "mps2-m0",
    "M3": "mps2-an385",
    "M4": "mps2-an386",
    "M7": "mps2-an500",
    "M33": "mps2-an505",
    "M55": "mps3-an547",
}
DATA = Path(os.environ.get("EDGEQ_DATA", ROOT.parent / "shared" / "data"))


def edgeq(*arguments: str | Path) -> dict[str, Any]:
    """Run a command and return its JSON document; a failed gate is still a document."""
    command = [sys.executable, "-m", "edgeq.cli.main", *map(str, arguments), "--json", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode not in {0, 1}:
        raise SystemExit(done.stderr)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def random_network(name: str, folder: Path) -> tuple[Path, Path]:
    """One of :data:`tests.networks.NETWORKS` and 16 pictures of noise for it, as files."""
    model, data, side = folder / "network.onnx", folder / "data.npz", NETWORKS[name].side
    onnx.save(network_model(name), model)
    np.savez(data, x=np.random.default_rng(1).normal(0, 1, (16, side, side, 3)).astype(np.float32))
    return model, data


def print_row(cells: Sequence[str]) -> None:
    """One row, at once."""
    print(f"| {' | '.join(cells)} |", flush=True)


def print_header(columns: Sequence[str]) -> None:
    """The row of names and the line below."""
    print_row(columns)
    print(f"|{'---|' * len(columns)}", flush=True)
