"""Small integer graphs, built node by node, for tests of passes and backends."""

from __future__ import annotations

import numpy as np

from edgeq.ir import DType, Graph, Node, Quantization, Tensor
from edgeq.numerics.array import Array
from edgeq.ops import infer

QUANT = Quantization.per_tensor(DType.INT8, 0.5, 0)
TO_NHWC, TO_NCHW = (0, 2, 3, 1), (0, 3, 1, 2)
ADD: dict[str, int | str] = {
    "requant": "highmul",
    "a_multiplier": 3,
    "b_multiplier": 5,
    "offset": 4,
    "shift": 3,
    "clamp_min": -128,
    "clamp_max": 127,
}
HIGHMUL: dict[str, int | str] = {
    "requant": "highmul",
    "acc": "i32",
    "shift": 0,
    "out_zero": 1,
    "clamp_min": -128,
    "clamp_max": 127,
}


class Build:
    """A graph with one input ``x``, grown node by node; shapes are inferred."""

    def __init__(self, *shape: int) -> None:
        self.graph = Graph("test", inputs=("x",))
        self.graph.add_tensor(Tensor("x", shape, DType.INT8, quant=QUANT))

    def constant(self, name: str, values: Array) -> str:
        """A constant by name."""
        return self.graph.add_tensor(Tensor.constant(name, values))

    def node(self, op: str, name: str, *inputs: str, **attrs: int | str | tuple[int, ...]) -> str:
        """A node with one result, called like the node."""
        node = Node(op, name, inputs, (name,), attrs, (f"onnx/{name}",))
        ((shape, dtype),) = infer(node, self.graph.operands(node))
        self.graph.add_tensor(Tensor(name, shape, dtype, quant=QUANT))
        self.graph.nodes.append(node)
        return name

    def lookup(self, name: str, x: str, seed: int) -> str:
        """A random table."""
        table = np.random.default_rng(seed).integers(-128, 128, 256).astype(np.int8)
        return self.node("lookup", name, x, self.constant(f"{name}.table", table), function="Random")

    def dense(self, name: str, x: str, outputs: int, seed: int) -> str:
        """A dense layer with random weights."""
        rng = np.random.default_rng(seed)
        depth = self.graph.tensors[x].shape[1]
        constants = (
            self.constant(f"{name}.weight", rng.integers(-127, 128, (outputs, depth)).astype(np.int8)),
            self.constant(f"{name}.bias", rng.integers(-9999, 9999, outputs).astype(np.int32)),
            self.constant(f"{name}.multiplier", rng.integers(1 << 20, 1 << 25, outputs).astype(np.int32)),
        )
        return self.node("dense", name, x, *constants, **HIGHMUL)

    def conv(self, name: str, x: str, outputs: int, kernel: int, seed: int) -> str:
        """A convolution with padding that keeps the size, on NHWC."""
        rng = np.random.default_rng(seed)
        channels = self.graph.tensors[x].shape[3]
        shape = (outputs, kernel, kernel, channels)
        constants = (
            self.constant(f"{name}.weight", rng.integers(-127, 128, shape).astype(np.int8)),
            self.constant(f"{name}.bias", rng.integers(-9999, 9999, outputs).astype(np.int32)),
            self.constant(f"{name}.multiplier", rng.integers(1 << 20, 1 << 25, outputs).astype(np.int32)),
        )
        around = kernel // 2
        geometry: dict[str, int | tuple[int, ...]] = {
            "strides": (1, 1),
            "pads": (around,) * 4,
            "dilations": (1, 1),
            "group": 1,
            "pad_value": 3,
        }
        return self.node("conv2d", name, x, *constants, **HIGHMUL, **geometry)

    def done(self, *outputs: str) -> Graph:
        """The finished graph."""
        self.graph.outputs = outputs
        return self.graph
