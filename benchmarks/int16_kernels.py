"""Instructions per multiply-accumulate or element of the int8 and int16 kernels, and CMSIS-NN's s16 beside them.

Each layer is a graph of one node with random weights, built as for firmware, counted in QEMU on random inputs, a whole
call. CMSIS-NN (July 2026, the better of -O2 and -Ofast, gcc 12.2) was counted with a plugin of the same kind on
the same shapes. Instructions are not cycles.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from edgeq.ir import DType, Graph, Node, Quantization, Tensor  # noqa: E402
from edgeq.numerics.array import Array  # noqa: E402
from edgeq.runners.base import RunRequest  # noqa: E402
from edgeq.runners.table import load_runner  # noqa: E402
from tests.conformance.images import build_image  # noqa: E402

CORES = {"M0": "mps2-m0", "M3": "mps2-an385", "M4": "mps2-an386", "M55": "mps3-an547"}
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """One row: how to build it for a type, what its instructions are divided by, and CMSIS-NN's figures by core."""

    name: str
    build: Callable[[Network], int]
    cmsis: dict[str, float]


class Network:
    """A graph of one node over activations of one type."""

    def __init__(self, dtype: DType) -> None:
        self.graph = Graph("bench", inputs=())
        self.dtype = dtype
        self._random = np.random.default_rng(16)

    def activation(self, name: str, shape: Shape) -> str:
        """An input, or the output."""
        quant = Quantization.per_tensor(self.dtype, 0.5, 0)
        return self.graph.add_tensor(Tensor(name, shape, self.dtype, quant=quant))

    def constant(self, name: str, values: Array) -> str:
        """A constant by name."""
        return self.graph.add_tensor(Tensor.constant(name, values))

    def sample(self) -> list[Array]:
        """Uniform inputs."""
        tensors = [self.graph.tensors[name] for name in self.graph.inputs]
        return [self._random.integers(t.dtype.min, t.dtype.max, t.shape, t.dtype.numpy, endpoint=True) for t in tensors]

    def node(self, op: str, shapes: list[Shape], out: Shape, *constants: str, **attrs: object) -> None:
        """The node; its requantization saturates nothing in particular."""
        inputs = tuple(self.activation(f"x{index}", shape) for index, shape in enumerate(shapes))
        self.activation("y", out)
        clamp = {"clamp_min": self.dtype.min, "clamp_max": self.dtype.max}
        both: dict[str, Any] = {**clamp, **attrs}
        self.graph.nodes.append(Node(op, "y", (*inputs, *constants), ("y",), both, ("y",)))
        self.graph.inputs, self.graph.outputs = inputs, ("y",)

    def layer(self, op: str, x: Shape, weight: Shape, out: Shape, *, wide: bool = False, **attrs: object) -> int:
        """A convolution or dense layer; its multiply-accumulates."""
        constants = (
            self.constant("weight", self._random.integers(-40, 41, weight).astype(np.int8)),
            self.constant("bias", self._random.integers(-9999, 9999, weight[0]).astype(np.int32)),
            self.constant("multiplier", self._random.integers(1 << 20, 1 << 25, weight[0]).astype(np.int32)),
        )
        is_wide = wide and self.dtype is DType.INT16
        acc: dict[str, object] = {
            "requant": "highmul",
            "acc": "i64" if is_wide else "i32",
            "shift": -2 if is_wide else 0,
            "out_zero": 0,
        }
        self.node(op, [x], out, *constants, **acc, **attrs)
        return prod(out) * prod(weight[1:])


def convolution(
    height: int, width: int, inputs: int, outputs: int, kernel: int, *, group: int = 1, wide: bool = False
) -> Callable[[Network], int]:
    """Stride 1, padding that keeps the size."""

    def build(network: Network) -> int:
        attrs = {"strides": (1, 1), "pads": (kernel // 2,) * 4, "dilations": (1, 1), "group": group, "pad_value": 0}
        weight = (outputs, kernel, kernel, inputs // group)
        x, out = (1, height, width, inputs), (1, height, width, outputs)
        return network.layer("conv2d", x, weight, out, wide=wide, **attrs)

    return build


def dense(depth: int, outputs: int) -> Callable[[Network], int]:
    """One row."""
    return lambda network: network.layer("dense", (1, depth), (outputs, depth), (1, outputs))


def addition(network: Network) -> int:
    """Two tensors of one shape."""
    shift = 30 if network.dtype is DType.INT16 else 20
    factors = {"a_multiplier": 3 << shift - 2, "b_multiplier": 1 << shift - 2, "shift": shift}
    network.node("add", [(4096,)] * 2, (4096,), requant="highmul", offset=1 << shift - 1, **factors)
    return 4096


def product(network: Network) -> int:
    """Two tensors of one shape."""
    zeros = {"a_zero": 0, "b_zero": 0, "out_zero": 0}
    multiplier = network.constant("multiplier", np.array([1 << 17], np.int32))
    network.node("mul", [(4096,)] * 2, (4096,), multiplier, requant="highmul", acc="i32", shift=0, **zeros)
    return 4096


def softmax(length: int) -> Callable[[Network], int]:
    """One row."""

    def build(network: Network) -> int:
        wide = network.dtype is DType.INT16
        differences = np.array([*range(0, 1 << 16, 256), *range(256)] if wide else range(256), np.float64)
        table = np.rint(65535 * np.exp(-1e-4 * differences)).astype(np.uint16 if wide else np.uint32)
        network.node("softmax", [(1, length)], (1, length), network.constant("table", table), requant="highmul")
        return length

    return build


def lookup(network: Network) -> int:
    """A function of one value."""
    entries = 513 if network.dtype is DType.INT16 else 256
    table = np.linspace(network.dtype.min, network.dtype.max, entries).astype(network.dtype.numpy)
    network.node("lookup", [(4096,)], (4096,), network.constant("table", table), function="Sigmoid")
    return 4096


def pool(op: str, size: int, kernel: int) -> Callable[[Network], int]:
    """Windows beside each other over sixteen channels, per element of the input."""

    def build(network: Network) -> int:
        shape, pooled = (1, size, size, 16), (1, size // kernel, size // kernel, 16)
        attrs = {"kernel": (kernel, kernel), "strides": (kernel, kernel), "pads": (0,) * 4}
        if op == "max_pool":
            network.node(op, [shape], pooled, **attrs)
        else:
            scale = network.constant("multiplier", np.array([(1 << 31) // kernel**2], np.int32))
            scaling = {"requant": "highmul", "acc": "i32", "shift": 1, "in_zero": 0, "out_zero": 0}
            network.node(op, [shape], pooled, scale, **attrs, **scaling, counts=(kernel**2,))
        return prod(shape)

    return build


def matmul(network: Network) -> int:
    """Two computed matrices."""
    wide = network.dtype is DType.INT16
    zeros = {"a_zero": 0, "b_zero": 0, "out_zero": 0}
    acc = {"acc": "i64" if wide else "i32", "shift": -6 if wide else 0}
    multiplier = network.constant("multiplier", np.array([1 << 20], np.int32))
    network.node("matmul", [(64, 64)] * 2, (64, 64), multiplier, requant="highmul", **acc, **zeros)
    return 64**3


LAYERS = (
    Layer("conv 1x1 64→64, 25x5", convolution(25, 5, 64, 64, 1), {"M4": 2.55, "M55": 0.556}),
    Layer("conv 3x3 16→16, 32x32", convolution(32, 32, 16, 16, 3), {"M4": 2.38, "M55": 0.545}),
    Layer("conv 3x3 64→64, 8x8", convolution(8, 8, 64, 64, 3), {"M4": 1.92, "M55": 0.348}),
    Layer("conv 1x1 64→64, 25x5, int64", convolution(25, 5, 64, 64, 1, wide=True), {"M4": 2.67, "M55": 0.855}),
    Layer("conv 3x3 64→64, 8x8, int64", convolution(8, 8, 64, 64, 3, wide=True), {"M4": 2.12, "M55": 0.747}),
    Layer("depthwise 3x3 64, 25x5", convolution(25, 5, 64, 64, 3, group=64), {"M4": 12.18, "M55": 5.64}),
    Layer("dense 640→128", dense(640, 128), {"M4": 2.69, "M55": 1.51}),
    Layer("dense 512→128", dense(512, 128), {"M4": 2.48, "M55": 0.88}),
    Layer("add", addition, {"M4": 78.4, "M55": 7.5}),
    Layer("mul", product, {"M4": 27.0, "M55": 3.25}),
    Layer("max pool 2x2", pool("max_pool", 32, 2), {}),
    Layer("average pool 2x2", pool("average_pool", 32, 2), {}),
    Layer("average pool 8x8", pool("average_pool", 8, 8), {}),
    Layer("softmax 12", softmax(12), {"M4": 62, "M55": 64}),
    Layer("softmax 64", softmax(64), {"M4": 55, "M55": 50}),
    Layer("softmax 1001", softmax(1001), {"M4": 53, "M55": 47}),
    Layer("sigmoid, tanh", lookup, {"M4": 25, "M55": 23}),
    Layer("matmul 64x64x64", matmul, {"M4": 2.56, "M55": 1.29}),
)


def count(layer: Layer, dtype: DType, core: str) -> float:
    """Instructions of one call, divided."""
    network = Network(dtype)
    unit = layer.build(network)
    with tempfile.TemporaryDirectory() as folder:
        spec, _ = build_image(CORES[core], network.graph, Path(folder))
        result = load_runner("qemu").run(RunRequest(spec, [network.sample()], count=True))
    assert result.instructions is not None, "this QEMU takes no plugins"
    return result.instructions[0].steps[0].total / unit


def main() -> int:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cores", default="M4,M55")
    parser.add_argument("--layers", default="", help="only those whose name contains this")
    options = parser.parse_args()
    print("| layer | core | int8 | int16 | int16/int8 | CMSIS-NN s16 | int16/CMSIS-NN |\n|---|---|---|---|---|---|---|")
    for layer in (layer for layer in LAYERS if options.layers in layer.name):
        for core in options.cores.split(","):
            narrow, wide = (count(layer, dtype, core) for dtype in (DType.INT8, DType.INT16))
            foil = layer.cmsis.get(core)
            ratio = f"{foil:g} | {wide / foil:.2f}" if foil else "– | –"
            print(f"| {layer.name} | {core} | {narrow:.3f} | {wide:.3f} | {wide / narrow:.2f} | {ratio} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
