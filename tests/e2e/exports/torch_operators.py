"""Small networks around one thing that exporters write in a form of its own."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import nn
from torch.nn import functional

from tests.e2e.exports.architecture import Architecture
from tests.e2e.exports.torch_blocks import conv, head

MAPS: Final = ((1, 4, 12, 12),)
RGB: Final = ((1, 3, 16, 16),)
VECTOR: Final = ((1, 16),)
FRAMES: Final = ((1, 20, 12),)


class Between(nn.Module):
    """A convolution, a function of its maps, another convolution."""

    def __init__(self, function: Any, inputs: int = 4, maps: int = 8, behind: int = 8) -> None:
        super().__init__()
        self.first, self.function = conv(inputs, maps), function
        self.last = nn.Conv2d(behind, 4, 3, padding=1)

    def forward(self, x: Any) -> Any:
        return self.last(self.function(self.first(x)))


def pixel_shuffle() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 12, 3, padding=1), nn.PixelShuffle(2))


def pixel_unshuffle() -> nn.Module:
    return Between(nn.PixelUnshuffle(2), behind=32)


def instance_norm() -> nn.Module:
    return Between(nn.InstanceNorm2d(8, affine=True))


def group_norm() -> nn.Module:
    return Between(nn.GroupNorm(4, 8))


def reflect() -> nn.Module:
    return Between(nn.ReflectionPad2d((1, 2, 2, 1)))


def replicate() -> nn.Module:
    return Between(nn.ReplicationPad2d(2))


def fractional_resize() -> nn.Module:
    return Between(lambda x: functional.interpolate(x, scale_factor=1.75, mode="bilinear", align_corners=False))


def nearest_resize() -> nn.Module:
    return Between(lambda x: functional.interpolate(x, size=(20, 17), mode="nearest"))


def prelu() -> nn.Module:
    return Between(nn.PReLU(8))


def response_norm() -> nn.Module:
    return Between(nn.LocalResponseNorm(5, alpha=0.1, k=1.0))


def flip() -> nn.Module:
    return Between(lambda x: x + torch.flip(x, dims=(3,)))


def tile() -> nn.Module:
    return Between(lambda x: x.repeat(1, 2, 1, 2), behind=16)


def expand() -> nn.Module:
    return Between(lambda x: torch.cat((x, x.mean((2, 3), keepdim=True).expand(-1, -1, 12, 12)), 1), behind=16)


def channel_maximum() -> nn.Module:
    def gate(x: Any) -> Any:
        parts = (x.mean(1, keepdim=True), x.max(dim=1, keepdim=True)[0])
        return x * torch.sigmoid(torch.cat(parts, 1).sum(1, keepdim=True))

    return Between(gate)


def two_extremes() -> nn.Module:
    return Between(lambda x: torch.cat((torch.maximum(x[:, :4], x[:, 4:]), torch.minimum(x[:, :4], x[:, 4:])), 1))


def where() -> nn.Module:
    return Between(lambda x: torch.where(x > x.mean(dim=(2, 3), keepdim=True), x, 0.1 * x))


def masked() -> nn.Module:
    return Between(lambda x: x.masked_fill(x < 0.2, 0.0))


def roll() -> nn.Module:
    return Between(lambda x: torch.roll(x, (2, -3), (2, 3)))


def windows() -> nn.Module:
    def shifted(x: Any) -> Any:
        y = x.view(-1, 8, 3, 4, 3, 4).permute(0, 2, 4, 3, 5, 1).reshape(-1, 9, 16, 8)
        y = y - y.mean(dim=2, keepdim=True)
        return y.view(-1, 3, 3, 4, 4, 8).permute(0, 5, 1, 3, 2, 4).reshape(-1, 8, 12, 12)

    return Between(shifted)


def unfold() -> nn.Module:
    return Between(lambda x: functional.unfold(x, 3, padding=1).view(-1, 72, 12, 12), behind=72)


class Quotient(nn.Module):
    """A division of two results, a sum and an L2 norm."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.out = nn.Linear(16, 12), nn.Linear(16, 12), nn.Linear(12, 4)

    def forward(self, x: Any) -> Any:
        a, b = torch.relu(self.a(x)), self.b(x)
        share = a / (torch.abs(b) + 1.0)
        return self.out(share / (share.norm(dim=1, keepdim=True) + 0.1)) + share.sum(1, keepdim=True) * 0.1


class Normalized(nn.Module):
    """functional.normalize, as embeddings end."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(3, 8, 3, 2), head(8, 12))

    def forward(self, x: Any) -> Any:
        return functional.normalize(self.body(x), dim=1)


class Flipped(nn.Module):
    """BGR to RGB and the mean of each channel taken away, in the model."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(3, 8, 3, 2), conv(8, 12, 3, 2), head(12, 5))
        self.register_buffer("mean", torch.tensor([0.1, -0.2, 0.3]).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor([0.9, 1.1, 0.7]).view(1, 3, 1, 1))

    def forward(self, x: Any) -> Any:
        return self.body((x[:, [2, 1, 0]] - self.mean) / self.deviation)


class Bytes(nn.Module):
    """Pixels of a camera, uint8 and channels last."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(3, 8, 3, 2), conv(8, 12, 3, 2), head(12, 5))

    def forward(self, x: Any) -> Any:
        return self.body(x.float().div(255.0).permute(0, 3, 1, 2))


class SignedBytes(nn.Module):
    """Samples of a microphone, int8."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv1d(1, 8, 9, 4), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 14, 4))

    def forward(self, x: Any) -> Any:
        return self.body(x.to(torch.float32) / 128.0)


class Segments(nn.Module):
    """The class of each point."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(3, 8), nn.Conv2d(8, 4, 1))

    def forward(self, x: Any) -> Any:
        return self.body(x).argmax(dim=1)


class Einsum(nn.Module):
    """Attention of two heads by einsum."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Parameter(torch.randn(2, 12, 8) * 0.3) for _ in range(3))
        self.out = nn.Parameter(torch.randn(2, 8, 6) * 0.3)

    def forward(self, x: Any) -> Any:
        q, k, v = (torch.einsum("btc,hcd->bhtd", x, weight) for weight in (self.q, self.k, self.v))
        weights = torch.softmax(torch.einsum("bhqd,bhkd->bhqk", q, k) * 8**-0.5, -1)
        return torch.einsum("bhqk,bhkd,hdo->bqo", weights, v, self.out)


class Accumulated(nn.Module):
    """A running sum over time."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.out = nn.Linear(12, 8), nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        return self.out(torch.cumsum(torch.tanh(self.first(x)), dim=1) / 20.0)


class Volume(nn.Module):
    """A convolution over space and time."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv3d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool3d((1, 2, 2)), nn.Conv3d(4, 6, 3))
        self.out = nn.Linear(6, 3)

    def forward(self, x: Any) -> Any:
        return self.out(torch.relu(self.body(x)).mean(dim=(2, 3, 4)))


class Indexed(nn.Module):
    """Points picked by two lists of indices, and values put back into a row."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.out = conv(3, 8), nn.Linear(8 * 5, 4)
        self.register_buffer("rows", torch.tensor([0, 3, 7, 11, 15]))
        self.register_buffer("columns", torch.tensor([1, 2, 8, 9, 14]))

    def forward(self, x: Any) -> Any:
        points = self.first(x)[:, :, self.rows, self.columns]
        return self.out(points.flatten(1))


class Written(nn.Module):
    """An assignment to a slice, which becomes a scatter."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.out = nn.Linear(16, 12), nn.Linear(12, 4)

    def forward(self, x: Any) -> Any:
        y = torch.relu(self.first(x))
        z = torch.zeros_like(y)
        z[:, 2:10:2] = y[:, 1:9:2] * 2.0
        return self.out(z + y)


class Picked(nn.Module):
    """The frames that a gather of indices selects along time."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.out = nn.Linear(12, 8), nn.Linear(8, 3)
        self.register_buffer("order", torch.tensor([4, 0, 19, 7]))

    def forward(self, x: Any) -> Any:
        y = torch.tanh(self.first(x))
        z = torch.index_select(y, 1, self.order)
        return self.out(z), torch.gather(y, 1, self.order.view(1, 4, 1).expand(1, -1, 8))


class Best(nn.Module):
    """The three best scores and their classes."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(16, 24), nn.ReLU(), nn.Linear(24, 10))

    def forward(self, x: Any) -> Any:
        values, _ = torch.topk(self.body(x), 3, dim=1)
        return values


class Bilinear(nn.Module):
    """Features of two images multiplied pair by pair, signed root, norm."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.out = conv(3, 6, 3, 2), nn.Linear(36, 4)

    def forward(self, x: Any) -> Any:
        maps = self.body(x).flatten(2)
        pairs = torch.bmm(maps, maps.transpose(1, 2)) / 64.0
        flat = pairs.flatten(1)
        return self.out(functional.normalize(torch.sign(flat) * torch.sqrt(torch.abs(flat) + 1e-2)))


ARCHITECTURES: Final = {
    "argmax": Architecture(Segments, RGB, 12, 18),
    "bilinear_pool": Architecture(Bilinear, RGB, 13, 18),
    "bytes_int8": Architecture(SignedBytes, (("int8", 128, 1, 1, 64),), 16, 18),
    "bytes_uint8": Architecture(Bytes, (("uint8", 256, 1, 16, 16, 3),), 13, 20),
    "channel_maximum": Architecture(channel_maximum, MAPS, 11, 18),
    "conv3d": Architecture(Volume, ((1, 1, 6, 8, 8),), 12, 18),
    "cumulative_sum": Architecture(Accumulated, FRAMES, 11, 18),
    "einsum": Architecture(Einsum, FRAMES, 12, 20),
    "expand": Architecture(expand, MAPS, 11, 18),
    "flip": Architecture(flip, MAPS, 13, 20),
    "flip_channels": Architecture(Flipped, RGB, 11, 18),
    "fractional_resize": Architecture(fractional_resize, MAPS, 13, 20),
    "group_norm": Architecture(group_norm, MAPS, 18, 20),
    "indexed": Architecture(Indexed, RGB, 11, 18),
    "instance_norm": Architecture(instance_norm, MAPS, 12, 18),
    "masked": Architecture(masked, MAPS, 14, 18),
    "nearest_resize": Architecture(nearest_resize, MAPS, 11, 18),
    "normalized": Architecture(Normalized, RGB, 11, 20),
    "picked": Architecture(Picked, FRAMES, 13, 18),
    "pixel_shuffle": Architecture(pixel_shuffle, RGB, 11, 18),
    "pixel_unshuffle": Architecture(pixel_unshuffle, MAPS, 13, 18),
    "prelu": Architecture(prelu, MAPS, 16, 18),
    "quotient": Architecture(Quotient, VECTOR, 13, 18),
    "reflect": Architecture(reflect, MAPS, 11, 20),
    "replicate": Architecture(replicate, MAPS, 18, 18),
    "response_norm": Architecture(response_norm, MAPS, 13, 18),
    "roll": Architecture(roll, MAPS, 15, 18),
    "tile": Architecture(tile, MAPS, 12, 20),
    "top_k": Architecture(Best, VECTOR, 11, 18),
    "two_extremes": Architecture(two_extremes, MAPS, 12, 18),
    "unfold": Architecture(unfold, MAPS, 18, 18),
    "where": Architecture(where, MAPS, 11, 20),
    "windows": Architecture(windows, MAPS, 17, 18),
    "written": Architecture(Written, VECTOR, 11, 18),
}
