"""Mobile networks with random weights: memory and instructions follow from their shapes.

MobileNetV2 (Sandler et al. 2018) and ProxylessNAS-Mobile (Cai et al. 2019), as MCUNet's model zoo and Keras have them;
pictures come with channels last, as cameras give them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Block = tuple[int, int, int, int]
"""Expansion, kernel, channels at width 1, stride."""

_MOBILENET_V2: Final[tuple[Block, ...]] = (
    (1, 3, 16, 1),
    *(
        (6, 3, channels, stride if first else 1)
        for channels, count, stride in ((24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1))
        for first in (True, *(False,) * (count - 1))
    ),
)
_PROXYLESS: Final[tuple[Block, ...]] = (
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


@dataclass(frozen=True)
class Network:
    """A network's shape.

    Attributes:
        blocks: inverted bottlenecks.
        width: factor of the channels.
        side: height and width of the pictures.
        last: channels of the last 1x1 convolution.
        classes: of the result.
    """

    blocks: tuple[Block, ...]
    width: float
    side: int
    last: int
    classes: int = 1000


def _wide(channels: int, width: float) -> int:
    """Channels at a width: a multiple of 8, at most a tenth less than asked for."""
    asked = channels * width
    found = max(8, int(asked + 4) // 8 * 8)
    return found + 8 if found < 0.9 * asked else found


NETWORKS: Final[Mapping[str, Network]] = {
    "mobilenetv2_035": Network(_MOBILENET_V2, 0.35, 96, 1280, classes=2),
    "mbv2-w0.3-r64": Network(_MOBILENET_V2, 0.3, 64, _wide(1280, 0.3)),
    "proxyless-w0.3-r64": Network(_PROXYLESS, 0.3, 64, _wide(1280, 0.3)),
}


def network_model(name: str) -> onnx.ModelProto:
    """One of :data:`NETWORKS`: float32, input ``picture`` (1, side, side, 3), output ``y`` (1, classes)."""
    return _Builder(NETWORKS[name]).model()


class _Builder:
    def __init__(self, network: Network) -> None:
        self.network = network
        self.random = np.random.default_rng(0)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def wide(self, channels: int) -> int:
        return _wide(channels, self.network.width)

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

    def model(self) -> onnx.ModelProto:
        network = self.network
        self.nodes.append(helper.make_node("Transpose", ["picture"], ["x"], perm=[0, 3, 1, 2]))
        x, channels = self.conv("x", 3, self.wide(32), 3, 2, bound=True), self.wide(32)
        for expansion, kernel, asked, stride in network.blocks:
            outputs, inside = self.wide(asked), channels * expansion
            y = self.conv(x, channels, inside, 1, 1, bound=True) if expansion > 1 else x
            y = self.conv(y, inside, inside, kernel, stride, inside, bound=True)
            y = self.conv(y, inside, outputs, 1, 1, bound=False)
            if stride == 1 and channels == outputs:
                self.nodes.append(helper.make_node("Add", [x, y], [f"{y}.sum"]))
                y = f"{y}.sum"
            x, channels = y, outputs
        x = self.conv(x, channels, network.last, 1, 1, bound=True)
        self.nodes.append(helper.make_node("GlobalAveragePool", [x], ["mean"]))
        self.nodes.append(helper.make_node("Flatten", ["mean"], ["flat"]))
        values = self.random.normal(0, network.last**-0.5, (network.classes, network.last)).astype(np.float32)
        self.weights += [
            numpy_helper.from_array(values, "w"),
            numpy_helper.from_array(np.zeros(network.classes, np.float32), "b"),
            numpy_helper.from_array(np.array(0, np.float32), "zero"),
            numpy_helper.from_array(np.array(6, np.float32), "six"),
        ]
        self.nodes.append(helper.make_node("Gemm", ["flat", "w", "b"], ["y"], transB=1))
        graph = helper.make_graph(
            self.nodes,
            "network",
            [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, network.side, network.side, 3])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, network.classes])],
            self.weights,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
