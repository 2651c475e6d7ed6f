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

import numpy as np
import onnx
from mlperf_tiny import edgeq
from onnx import TensorProto, helper, numpy_helper

Block = tuple[int, int, int, int]
"""Expansion, kernel, channels at width 1, stride."""

_WIDTH: Final = 0.3
_SIDE: Final = 64
_CLASSES: Final = 1000
MOBILENET_V2: Final[tuple[Block, ...]] = (
    (1, 3, 16, 1),
    *(
        (6, 3, channels, stride if first else 1)
        for channels, count, stride in ((24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1))
        for first in (True, *(False,) * (count - 1))
    ),
)
PROXYLESS: Final[tuple[Block, ...]] = (
    (1, 3, 16, 1),
    (3, 5, 32, 2),
    (3, 3, 32, 1),
    (3, 7, 40, 2),
    (3, 3, 40, 1),
    (3, 5, 40, 1),
    (3, 5, 40, 1),
    (6, 7, 80, 2),
    (3, 5, 80, 1),
    (3, 5, 80, 1),
    (3, 5, 80, 1),
    (6, 5, 96, 1),
    (3, 5, 96, 1),
    (3, 5, 96, 1),
    (3, 5, 96, 1),
    (6, 7, 192, 2),
    (6, 7, 192, 1),
    (3, 7, 192, 1),
    (3, 7, 192, 1),
    (6, 7, 320, 1),
)
NETWORKS: Final = {"mbv2-w0.3-r64": (MOBILENET_V2, 61_000), "proxyless-w0.3-r64": (PROXYLESS, 35_000)}
"""By name the blocks, and the bytes of SRAM that TinyEngine needs."""


def wide(channels: int) -> int:
    """Channels at the networks' width: a multiple of 8, at most a tenth less than asked for."""
    asked = channels * _WIDTH
    found = max(8, int(asked + 4) // 8 * 8)
    return found + 8 if found < 0.9 * asked else found


class _Network:
    def __init__(self) -> None:
        self.random = np.random.default_rng(0)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def conv(self, x: str, inputs: int, outputs: int, kernel: int, stride: int, group: int = 1, *, bound: bool) -> str:
        name = f"c{len(self.nodes)}"
        depth = inputs // group * kernel * kernel
        values = self.random.normal(0, (2 / depth) ** 0.5, (outputs, inputs // group, kernel, kernel))
        self.weights.append(numpy_helper.from_array(values.astype(np.float32), f"{name}.w"))
        self.weights.append(numpy_helper.from_array(np.zeros(outputs, np.float32), f"{name}.b"))
        pads = [kernel // 2] * 4
        self.nodes.append(
            helper.make_node(
                "Conv", [x, f"{name}.w", f"{name}.b"], [name], strides=[stride] * 2, pads=pads, group=group
            )
        )
        if bound:
            self.nodes.append(helper.make_node("Clip", [name, "zero", "six"], [f"{name}.r"]))
        return f"{name}.r" if bound else name

    def model(self, blocks: tuple[Block, ...]) -> onnx.ModelProto:
        self.nodes.append(helper.make_node("Transpose", ["picture"], ["x"], perm=[0, 3, 1, 2]))
        x, channels = self.conv("x", 3, wide(32), 3, 2, bound=True), wide(32)
        for expansion, kernel, asked, stride in blocks:
            outputs, inside = wide(asked), channels * expansion
            y = self.conv(x, channels, inside, 1, 1, bound=True) if expansion > 1 else x
            y = self.conv(y, inside, inside, kernel, stride, inside, bound=True)
            y = self.conv(y, inside, outputs, 1, 1, bound=False)
            if stride == 1 and channels == outputs:
                self.nodes.append(helper.make_node("Add", [x, y], [f"{y}.sum"]))
                y = f"{y}.sum"
            x, channels = y, outputs
        last = wide(1280)
        x = self.conv(x, channels, last, 1, 1, bound=True)
        self.nodes.append(helper.make_node("GlobalAveragePool", [x], ["mean"]))
        self.nodes.append(helper.make_node("Flatten", ["mean"], ["flat"]))
        values = self.random.normal(0, last**-0.5, (_CLASSES, last)).astype(np.float32)
        self.weights += [
            numpy_helper.from_array(values, "w"),
            numpy_helper.from_array(np.zeros(_CLASSES, np.float32), "b"),
            numpy_helper.from_array(np.array(0, np.float32), "zero"),
            numpy_helper.from_array(np.array(6, np.float32), "six"),
        ]
        self.nodes.append(helper.make_node("Gemm", ["flat", "w", "b"], ["y"], transB=1))
        graph = helper.make_graph(
            self.nodes,
            "network",
            [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, _SIDE, _SIDE, 3])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, _CLASSES])],
            self.weights,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def write(name: str, folder: Path) -> tuple[Path, Path]:
    """A network and data for it."""
    model, data = folder / "network.onnx", folder / "data.npz"
    onnx.save(_Network().model(NETWORKS[name][0]), model)
    x = np.random.default_rng(1).normal(0, 1, (16, _SIDE, _SIDE, 3)).astype(np.float32)
    np.savez(data, x=x)
    return model, data


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--board", default="mps2-an386")
    parser.add_argument("--optimize", default="balanced,ram")
    chosen = parser.parse_args()
    print("| network | optimize | steps | MACs | RAM | TinyEngine |\n|---|---|---|---|---|---|")
    for name, (_, published) in NETWORKS.items():
        with tempfile.TemporaryDirectory(prefix="edgeq-ram-") as made:
            folder = Path(made)
            model, data = write(name, folder)
            edgeq("quantize", model, "--data", data, "-o", folder / "q.onnx")
            for aim in chosen.optimize.split(","):
                out = folder / aim
                found = edgeq(
                    "compile",
                    folder / "q.onnx",
                    "--board",
                    chosen.board,
                    "-o",
                    out,
                    "--optimize",
                    aim,
                    "--sources-only",
                )
                print(
                    f"| {name} | {aim} | {found['steps']} | {found['macs']:,} | {found['ram_bytes']:,} "
                    f"| {published:,} |"
                )


if __name__ == "__main__":
    main()
