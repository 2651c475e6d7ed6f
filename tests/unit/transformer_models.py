"""Transformers as exporters write them, with random weights: attention and a feed-forward layer, repeated."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from onnx import NodeProto, TensorProto, helper, numpy_helper

from edgeq.numerics.array import Array
from edgeq.onnxio.reader import read_model_bytes

OPSET = 17


class _Writer:
    """Nodes and constants of one model."""

    def __init__(self, seed: int) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.random = np.random.default_rng(seed)

    def constant(self, array: Array) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def weight(self, *shape: int) -> str:
        return self.constant((self.random.normal(size=shape) / np.sqrt(shape[0])).astype(np.float32))

    def number(self, value: float) -> str:
        return self.constant(np.array(value, np.float32))

    def __call__(self, kind: str, *operands: str, **attributes: Any) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, operands, [name], name=f"n{len(self.nodes)}", **attributes))
        return name

    def dense(self, x: str, inputs: int, outputs: int) -> str:
        bias = self.constant((self.random.normal(size=outputs) * 0.1).astype(np.float32))
        return self("Add", self("MatMul", x, self.weight(inputs, outputs)), bias)

    def norm(self, x: str, width: int) -> str:
        scale = self.constant(self.random.uniform(0.5, 1.5, width).astype(np.float32))
        bias = self.constant((self.random.normal(size=width) * 0.1).astype(np.float32))
        return self("LayerNormalization", x, scale, bias, axis=-1)

    def gelu(self, x: str) -> str:
        inner = self("Erf", self("Div", x, self.number(np.sqrt(2))))
        return self("Mul", self("Mul", x, self("Add", inner, self.number(1))), self.number(0.5))

    def attention(self, x: str, tokens: int, width: int, heads: int, mask: str | None) -> str:
        depth = width // heads
        split = self.constant(np.array([1, tokens, heads, depth]))
        joined = self.constant(np.array([1, tokens, width]))
        q, k, v = (self("Reshape", self.dense(x, width, width), split) for _ in range(3))
        q, v = (self("Transpose", value, perm=[0, 2, 1, 3]) for value in (q, v))
        k = self("Transpose", k, perm=[0, 2, 3, 1])
        factor = self.number(depth**-0.25)
        scores = self("MatMul", self("Mul", q, factor), self("Mul", k, factor))
        if mask is not None:
            scores = self("Add", scores, mask)
        mixed = self("MatMul", self("Softmax", scores, axis=-1), v)
        return self.dense(self("Reshape", self("Transpose", mixed, perm=[0, 2, 1, 3]), joined), width, width)

    def block(self, x: str, tokens: int, width: int, heads: int, mask: str | None = None) -> str:
        x = self("Add", x, self.attention(self.norm(x, width), tokens, width, heads, mask))
        hidden = self.gelu(self.dense(self.norm(x, width), width, 2 * width))
        return self("Add", x, self.dense(hidden, 2 * width, width))

    def model(self, inputs: dict[str, tuple[int, ...]], result: str) -> ir.Model:
        given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()]
        output = helper.make_tensor_value_info(result, TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "transformer", given, [output], self.constants)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
        return read_model_bytes(made.SerializeToString())


def vision_transformer(size: int = 16, patch: int = 4, width: int = 32, heads: int = 4, blocks: int = 2) -> ir.Model:
    """Patches by a convolution, a token for the class, places, blocks, and a classifier of that token."""
    write = _Writer(1)
    count = (size // patch) ** 2
    kernel = write.constant((write.random.normal(size=(width, 3, patch, patch)) * 0.15).astype(np.float32))
    patches = write("Conv", "x", kernel, kernel_shape=[patch, patch], strides=[patch, patch])
    flat = write("Reshape", patches, write.constant(np.array([1, width, count])))
    tokens = write("Transpose", flat, perm=[0, 2, 1])
    first = write.constant(write.random.normal(size=(1, 1, width)).astype(np.float32))
    tokens = write("Concat", first, tokens, axis=1)
    places = write.constant((write.random.normal(size=(1, count + 1, width)) * 0.2).astype(np.float32))
    x = write("Add", tokens, places)
    for _ in range(blocks):
        x = write.block(x, count + 1, width, heads)
    chosen = write("Gather", write.norm(x, width), write.constant(np.array(0)), axis=1)
    return write.model({"x": (1, 3, size, size)}, write.dense(chosen, width, 10))


def causal_encoder(
    tokens: int = 12, width: int = 32, heads: int = 4, blocks: int = 2, mask: float = -np.inf
) -> ir.Model:
    """Blocks whose tokens see no later ones, by a number that is added to scores, and a layer for each token."""
    write = _Writer(2)
    later = np.triu(np.ones((tokens, tokens), np.bool_), 1)
    hidden = write.constant(np.where(later, mask, 0).astype(np.float32))
    x = "x"
    for _ in range(blocks):
        x = write.block(x, tokens, width, heads, hidden)
    return write.model({"x": (1, tokens, width)}, write.dense(write.norm(x, width), width, 8))
