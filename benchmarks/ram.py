"""RAM of two mobile networks whose figures TinyEngine published, by what is asked for.

Random weights serve: activations follow from shapes. The graphs are MobileNetV2 and ProxylessNAS-Mobile, width 0.3, for
pictures of 64 x 64, as MCUNet's model zoo has them; pictures come with channels last, as cameras give them. RAM is the
arena, scratch included, inputs and outputs inside.

    python benchmarks/ram.py [--board mps2-an386] [--optimize balanced,ram]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Final

from common import edgeq, random_network

PUBLISHED: Final = {"mbv2-w0.3-r64": 61_000, "proxyless-w0.3-r64": 35_000}
"""Bytes of SRAM that TinyEngine needs, by network."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--board", default="mps2-an386")
    parser.add_argument("--optimize", default="balanced,ram")
    chosen = parser.parse_args()
    print("| network | optimize | steps | MACs | RAM | TinyEngine |\n|---|---|---|---|---|---|")
    for name, published in PUBLISHED.items():
        with tempfile.TemporaryDirectory(prefix="edgeq-ram-") as made:
            folder = Path(made)
            model, data = random_network(name, folder)
            edgeq("quantize", model, "--data", data, "-o", folder / "q.onnx")
            for aim in chosen.optimize.split(","):
                options = ("--board", chosen.board, "--optimize", aim, "--sources-only")
                found = edgeq("compile", folder / "q.onnx", *options, "-o", folder / aim)
                print(
                    f"| {name} | {aim} | {found['steps']} | {found['macs']:,} | {found['ram_bytes']:,} "
                    f"| {published:,} |"
                )


if __name__ == "__main__":
    main()
