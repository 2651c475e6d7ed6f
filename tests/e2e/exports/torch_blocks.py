"""Blocks that several architectures are made of, as their papers and model libraries write them."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional


def conv(
    inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1, act: Any = nn.ReLU, dilation: int = 1
) -> nn.Sequential:
    """Convolution that keeps the extents, batch normalization, activation; ``act`` None leaves it out."""
    padding = dilation * (kernel - 1) // 2
    layers = [
        nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([] if act is None else [act()]))


def head(inputs: int, classes: int = 10) -> nn.Sequential:
    """Global average, flatten, dense."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, classes))


class Residual(nn.Module):
    """The block of ResNet v1."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(inputs, outputs, 3, stride), conv(outputs, outputs, act=None))
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else conv(inputs, outputs, 1, stride, act=None)

    def forward(self, x: Any) -> Any:
        return torch.relu(self.body(x) + self.shortcut(x))


class SqueezeExcite(nn.Module):
    """Channels weighed by a gate of their averages."""

    def __init__(self, channels: int, gate: Any = nn.Sigmoid) -> None:
        super().__init__()
        self.reduce, self.expand = nn.Conv2d(channels, channels // 4, 1), nn.Conv2d(channels // 4, channels, 1)
        self.gate = gate()

    def forward(self, x: Any) -> Any:
        mean = functional.adaptive_avg_pool2d(x, 1)
        return x * self.gate(self.expand(functional.relu(self.reduce(mean))))


class InvertedResidual(nn.Module):
    """The block of MobileNetV2, V3, MCUNet and EfficientNet."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        stride: int = 1,
        expand: int = 3,
        kernel: int = 3,
        act: Any = nn.ReLU6,
        gate: Any = None,
    ) -> None:
        super().__init__()
        wide = inputs * expand
        self.keeps = stride == 1 and inputs == outputs
        self.body = nn.Sequential(
            conv(inputs, wide, 1, act=act),
            conv(wide, wide, kernel, stride, groups=wide, act=act),
            *([] if gate is None else [SqueezeExcite(wide, gate)]),
            conv(wide, outputs, 1, act=None),
        )

    def forward(self, x: Any) -> Any:
        return x + self.body(x) if self.keeps else self.body(x)


class SelfAttention(nn.Module):
    """Heads written out by reshape, transpose, matmul and softmax."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.qkv, self.out = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Any) -> Any:
        batch, count, width = x.shape
        parts = self.qkv(x).reshape(batch, count, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = parts.unbind(0)
        weights = torch.softmax(q @ k.transpose(-2, -1) * (width // self.heads) ** -0.5, dim=-1)
        return self.out((weights @ v).transpose(1, 2).reshape(batch, count, width))


class EncoderBlock(nn.Module):
    """Normalization first, attention, GELU."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.first, self.second, self.attention = nn.LayerNorm(width), nn.LayerNorm(width), SelfAttention(width, heads)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Any) -> Any:
        x = x + self.attention(self.first(x))
        return x + self.mlp(self.second(x))
