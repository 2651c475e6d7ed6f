"""Networks on images: the families that people put on microcontrollers, at a size that a test can afford."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import nn
from torch.nn import functional

from tests.e2e.exports.architecture import Architecture
from tests.e2e.exports.torch_blocks import EncoderBlock, InvertedResidual, Residual, SqueezeExcite, conv, head

RGB: Final = ((1, 3, 16, 16),)
LARGE: Final = ((1, 3, 32, 32),)
GREY: Final = ((1, 1, 28, 28),)


def lenet() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2)),
        *(nn.Flatten(), nn.Linear(400, 84), nn.Tanh(), nn.Linear(84, 10)),
    )


def vgg() -> nn.Module:
    return nn.Sequential(
        *(conv(3, 16), conv(16, 16), nn.MaxPool2d(2), conv(16, 32), conv(32, 32), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(512, 32), nn.ReLU(), nn.Dropout(), nn.Linear(32, 10), nn.LogSoftmax(dim=1)),
    )


def resnet8() -> nn.Module:
    return nn.Sequential(conv(3, 16), Residual(16, 16), Residual(16, 24, 2), Residual(24, 32, 2), head(32))


def mobilenet_v1() -> nn.Module:
    def separable(inputs: int, outputs: int, stride: int) -> nn.Sequential:
        return nn.Sequential(conv(inputs, inputs, 3, stride, groups=inputs), conv(inputs, outputs, 1))

    return nn.Sequential(conv(3, 8, 3, 2), separable(8, 16, 1), separable(16, 32, 2), separable(32, 32, 1), head(32))


def mobilenet_v2() -> nn.Module:
    blocks = (InvertedResidual(8, 8), InvertedResidual(8, 16, 2), InvertedResidual(16, 16))
    return nn.Sequential(conv(3, 8, 3, 2, act=nn.ReLU6), *blocks, conv(16, 32, 1, act=nn.ReLU6), head(32))


def mobilenet_v3() -> nn.Module:
    act, gate = nn.Hardswish, nn.Hardsigmoid
    blocks = (
        InvertedResidual(8, 8, act=nn.ReLU, gate=gate),
        InvertedResidual(8, 16, 2, kernel=5, act=act, gate=gate),
        InvertedResidual(16, 16, kernel=5, act=act, gate=gate),
    )
    tail = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 32), nn.Hardswish(), nn.Linear(32, 10))
    return nn.Sequential(conv(3, 8, 3, 2, act=act), *blocks, conv(16, 32, 1, act=act), *tail)


class ShuffleUnit(nn.Module):
    """Half the channels pass; all are interleaved behind it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.branch = nn.Sequential(conv(half, half, 1), conv(half, half, groups=half, act=None), conv(half, half, 1))

    def forward(self, x: Any) -> Any:
        first, second = x.chunk(2, dim=1)
        x = torch.cat((first, self.branch(second)), dim=1)
        batch, channels, height, width = x.shape
        x = x.view(batch, 2, channels // 2, height, width).transpose(1, 2).contiguous()
        return x.view(batch, channels, height, width)


def shufflenet() -> nn.Module:
    return nn.Sequential(conv(3, 16, 3, 2), ShuffleUnit(16), ShuffleUnit(16), conv(16, 32, 1), head(32))


class Fire(nn.Module):
    """The block of SqueezeNet."""

    def __init__(self, inputs: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.one, self.three = nn.Conv2d(squeezed, expanded, 1), nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Any) -> Any:
        x = torch.relu(self.squeeze(x))
        return torch.cat([torch.relu(self.one(x)), torch.relu(self.three(x))], 1)


def squeezenet() -> nn.Module:
    pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
    body = (nn.Conv2d(3, 16, 3, 2), nn.ReLU(), pool, Fire(16, 8, 16), Fire(32, 8, 16))
    return nn.Sequential(*body, nn.Conv2d(32, 10, 1), nn.ReLU(), nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten())


class DenseBlock(nn.Module):
    """Normalization first; every layer reads all before it."""

    def __init__(self, channels: int, growth: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm2d(channels + i * growth),
                nn.ReLU(),
                nn.Conv2d(channels + i * growth, growth, 3, padding=1, bias=False),
            )
            for i in range(layers)
        )

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            x = torch.cat([x, layer(x)], 1)
        return x


def densenet() -> nn.Module:
    transition = (nn.BatchNorm2d(32), nn.ReLU(), nn.Conv2d(32, 16, 1), nn.AvgPool2d(2))
    tail = (nn.BatchNorm2d(32), nn.ReLU(), head(32))
    return nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), DenseBlock(8, 8, 3), *transition, DenseBlock(16, 8, 2), *tail)


class Ghost(nn.Module):
    """Half the maps are made from the other half by cheap filters."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.outputs, half = outputs, (outputs + 1) // 2
        self.primary, self.cheap = conv(inputs, half, 1), conv(half, half, groups=half)

    def forward(self, x: Any) -> Any:
        first = self.primary(x)
        return torch.cat([first, self.cheap(first)], dim=1)[:, : self.outputs, :, :]


def ghostnet() -> nn.Module:
    return nn.Sequential(conv(3, 8, 3, 2), Ghost(8, 15), SqueezeExcite(15, nn.Hardsigmoid), Ghost(15, 32), head(32))


def efficientnet() -> nn.Module:
    blocks = (
        InvertedResidual(8, 8, act=nn.SiLU, gate=nn.Sigmoid),
        InvertedResidual(8, 16, 2, kernel=5, act=nn.SiLU, gate=nn.Sigmoid),
    )
    return nn.Sequential(conv(3, 8, 3, 2, act=nn.SiLU), *blocks, conv(16, 32, 1, act=nn.SiLU), head(32))


class ConvNeXtBlock(nn.Module):
    """A large depthwise filter, LayerNorm and a perceptron over channels, channels last."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise, self.norm = nn.Conv2d(width, width, 7, padding=3, groups=width), nn.LayerNorm(width, eps=1e-6)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.scale = nn.Parameter(torch.rand(width) + 0.5)

    def forward(self, x: Any) -> Any:
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.scale * self.down(functional.gelu(self.up(y)))
        return x + y.permute(0, 3, 1, 2)


def convnext() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 16, 4, 4), ConvNeXtBlock(16), ConvNeXtBlock(16), head(16))


def mcunet() -> nn.Module:
    blocks = (
        InvertedResidual(8, 8, 2, expand=4, kernel=7),
        InvertedResidual(8, 8, expand=5, kernel=3),
        InvertedResidual(8, 16, 2, expand=4, kernel=5),
    )
    return nn.Sequential(conv(3, 16, 3, 2, act=nn.ReLU6), conv(16, 8, 1, act=None), *blocks, head(16))


class UNet(nn.Module):
    """Down twice, up by a transposed convolution and by bilinear interpolation, with skips."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.three = conv(3, 8), conv(8, 16), conv(16, 24)
        self.up, self.four = nn.ConvTranspose2d(24, 16, 2, 2), conv(32, 16)
        self.five, self.out = conv(24, 8), nn.Conv2d(8, 2, 1)

    def forward(self, x: Any) -> Any:
        one = self.one(x)
        two = self.two(functional.max_pool2d(one, 2))
        three = self.three(functional.max_pool2d(two, 2))
        four = self.four(torch.cat([self.up(three), two], 1))
        larger = functional.interpolate(four, scale_factor=2, mode="bilinear", align_corners=True)
        return torch.sigmoid(self.out(self.five(torch.cat([larger, one], 1))))


class FCN(nn.Module):
    """Class scores at an eighth, brought back to the image's size, and the class of each point."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.score = nn.Sequential(conv(3, 8, 3, 2), conv(8, 16, 3, 2)), nn.Conv2d(16, 4, 1)

    def forward(self, x: Any) -> Any:
        scores = self.score(self.body(x))
        return functional.interpolate(scores, size=x.shape[-2:], mode="bilinear", align_corners=False)


class SSD(nn.Module):
    """Two scales; boxes and classes of every anchor, scale after scale."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Sequential(conv(3, 8, 3, 2), conv(8, 16, 3, 2)), conv(16, 24, 3, 2)
        self.boxes = nn.ModuleList([nn.Conv2d(16, 8, 3, padding=1), nn.Conv2d(24, 8, 3, padding=1)])
        self.classes = nn.ModuleList([nn.Conv2d(16, 6, 3, padding=1), nn.Conv2d(24, 6, 3, padding=1)])

    def forward(self, x: Any) -> Any:
        boxes, classes = [], []
        for stage, box, kind in zip((self.first, self.second), self.boxes, self.classes, strict=True):
            x = stage(x)
            boxes.append(box(x).permute(0, 2, 3, 1).reshape(x.shape[0], -1, 4))
            classes.append(kind(x).permute(0, 2, 3, 1).reshape(x.shape[0], -1, 3))
        return torch.cat(boxes, 1), torch.cat(classes, 1).softmax(-1)


class YOLO(nn.Module):
    """A grid of anchors, decoded: centres by sigmoid and grid, sizes by exp and anchors."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(3, 8, 3, 2, act=nn.SiLU), conv(8, 16, 3, 2, act=nn.SiLU), nn.Conv2d(16, 16, 1))
        y, x = torch.meshgrid(torch.arange(4.0), torch.arange(4.0), indexing="ij")
        self.register_buffer("grid", torch.stack((x, y), 2).reshape(1, 1, 4, 4, 2))
        self.register_buffer("anchors", torch.tensor([[1.0, 2.0], [2.0, 1.5]]).reshape(1, 2, 1, 1, 2))

    def forward(self, x: Any) -> Any:
        raw = self.body(x)
        raw = raw.view(raw.shape[0], 2, 8, 4, 4).permute(0, 1, 3, 4, 2).contiguous()
        centre, size, rest = raw.sigmoid().split((2, 2, 4), 4)
        centre = (centre * 2 + self.grid - 0.5) * 4
        size = (size * 2) ** 2 * self.anchors
        return torch.cat((centre, size, rest), 4).view(x.shape[0], -1, 8)


class VisionTransformer(nn.Module):
    """Patches, a class token, positions, two blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.blocks = nn.Conv2d(3, 24, 4, 4), nn.Sequential(EncoderBlock(24, 3), EncoderBlock(24, 3))
        self.token, self.places = nn.Parameter(torch.randn(1, 1, 24)), nn.Parameter(torch.randn(1, 17, 24) * 0.2)
        self.norm, self.out = nn.LayerNorm(24), nn.Linear(24, 10)

    def forward(self, x: Any) -> Any:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        tokens = torch.cat((self.token.expand(x.shape[0], -1, -1), tokens), 1) + self.places
        return self.out(self.norm(self.blocks(tokens))[:, 0])


class MixerBlock(nn.Module):
    """A perceptron over patches, one over channels."""

    def __init__(self, width: int, patches: int) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.tokens = nn.Sequential(nn.Linear(patches, 32), nn.GELU(), nn.Linear(32, patches))
        self.channels = nn.Sequential(nn.Linear(width, 48), nn.GELU(), nn.Linear(48, width))

    def forward(self, x: Any) -> Any:
        x = x + self.tokens(self.first(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channels(self.second(x))


class Mixer(nn.Module):
    """MLP-Mixer of two blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.blocks = nn.Conv2d(3, 24, 4, 4), nn.Sequential(MixerBlock(24, 16), MixerBlock(24, 16))
        self.norm, self.out = nn.LayerNorm(24), nn.Linear(24, 10)

    def forward(self, x: Any) -> Any:
        tokens = self.blocks(self.patches(x).flatten(2).transpose(1, 2))
        return self.out(self.norm(tokens).mean(dim=1))


class ChannelsLast(nn.Module):
    """The image as cameras give it, turned in the model."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(3, 8), conv(8, 8, 3, 2), nn.Conv2d(8, 4, 1))

    def forward(self, x: Any) -> Any:
        return self.body(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class Siamese(nn.Module):
    """Two images through one body; the cosine of their embeddings."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(1, 8, 3, 2), conv(8, 16, 3, 2), head(16, 16))

    def forward(self, a: Any, b: Any) -> Any:
        return functional.cosine_similarity(self.body(a), self.body(b), dim=1)


class VAE(nn.Module):
    """The mean, and the decoder behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(conv(1, 8, 3, 2), conv(8, 16, 3, 2), nn.Flatten(), nn.Linear(16 * 49, 16))
        self.mean, self.log_variance = nn.Linear(16, 4), nn.Linear(16, 4)
        self.start, self.decoder = (
            nn.Linear(4, 8 * 49),
            nn.Sequential(
                nn.ConvTranspose2d(8, 8, 3, 2, 1, output_padding=1), nn.ReLU(), nn.ConvTranspose2d(8, 1, 4, 2, 1)
            ),
        )

    def forward(self, x: Any) -> Any:
        hidden = torch.relu(self.encoder(x))
        mean = self.mean(hidden)
        return mean, self.decoder(torch.relu(self.start(mean)).view(-1, 8, 7, 7))


ARCHITECTURES: Final = {
    "channels_last": Architecture(ChannelsLast, ((1, 16, 16, 3),), 12, 20),
    "convnext": Architecture(convnext, RGB, 17, 18),
    "densenet": Architecture(densenet, RGB, 11, 20),
    "efficientnet": Architecture(efficientnet, RGB, 14, 18),
    "fcn": Architecture(FCN, RGB, 13, 18),
    "ghostnet": Architecture(ghostnet, RGB, 16, 20),
    "lenet": Architecture(lenet, GREY, 11, 18),
    "mcunet": Architecture(mcunet, LARGE, 18, 20),
    "mixer": Architecture(Mixer, RGB, 15, 18),
    "mobilenet_v1": Architecture(mobilenet_v1, RGB, 12, 20),
    "mobilenet_v2": Architecture(mobilenet_v2, RGB, 11, 18),
    "mobilenet_v3": Architecture(mobilenet_v3, RGB, 14, 20),
    "resnet8": Architecture(resnet8, RGB, 13, 18),
    "shufflenet": Architecture(shufflenet, RGB, 11, 18),
    "siamese": Architecture(Siamese, ((1, 1, 16, 16),) * 2, 16, 18),
    "squeezenet": Architecture(squeezenet, LARGE, 11, 18),
    "ssd": Architecture(SSD, RGB, 12, 18),
    "unet": Architecture(UNet, RGB, 11, 20),
    "vae": Architecture(VAE, GREY, 15, 20),
    "vgg": Architecture(vgg, RGB, 19, 20),
    "vit": Architecture(VisionTransformer, RGB, 20, 18),
    "yolo": Architecture(YOLO, RGB, 17, 20),
}
