"""Networks on sequences and vectors: keywords, sensors, text."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import nn
from torch.nn import functional

from tests.e2e.exports.architecture import Architecture
from tests.e2e.exports.torch_blocks import EncoderBlock, conv, head

SENSOR: Final = ((1, 3, 32),)
FRAMES: Final = ((1, 20, 12),)


def mlp() -> nn.Module:
    return nn.Sequential(
        nn.Linear(16, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 32), nn.SELU(), nn.Linear(32, 4), nn.Softmax(1)
    )


def autoencoder() -> nn.Module:
    def layer(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
        return nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU()

    return nn.Sequential(*layer(64, 32), *layer(32, 8), *layer(8, 32), nn.Linear(32, 64))


def ds_cnn() -> nn.Module:
    def separable() -> nn.Sequential:
        return nn.Sequential(conv(16, 16, groups=16), conv(16, 16, 1))

    stem = (nn.Conv2d(1, 16, (10, 4), (2, 2), (5, 1)), nn.BatchNorm2d(16), nn.ReLU(), nn.Dropout(0.2))
    return nn.Sequential(*stem, separable(), separable(), head(16, 12))


class TemporalBlock(nn.Module):
    """The residual block of TC-ResNet: convolutions over time alone."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv1d(inputs, outputs, 9, 2, 4, bias=False), nn.BatchNorm1d(outputs), nn.ReLU())
        self.second = nn.Sequential(nn.Conv1d(outputs, outputs, 9, 1, 4, bias=False), nn.BatchNorm1d(outputs))
        self.skip = nn.Sequential(nn.Conv1d(inputs, outputs, 1, 2, bias=False), nn.BatchNorm1d(outputs), nn.ReLU())

    def forward(self, x: Any) -> Any:
        return torch.relu(self.second(self.first(x)) + self.skip(x))


def tc_resnet() -> nn.Module:
    tail = (nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(24, 12))
    return nn.Sequential(nn.Conv1d(12, 16, 3, 1, 1, bias=False), TemporalBlock(16, 16), TemporalBlock(16, 24), *tail)


class Causal(nn.Module):
    """A dilated convolution padded on the left, as a pad apart."""

    def __init__(self, inputs: int, outputs: int, dilation: int) -> None:
        super().__init__()
        self.padding, self.conv = 2 * dilation, nn.Conv1d(inputs, outputs, 3, dilation=dilation)

    def forward(self, x: Any) -> Any:
        return self.conv(functional.pad(x, (self.padding, 0)))


class ChoppedCausal(nn.Module):
    """The same, padded on both sides and cut on the right."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.cut, self.conv = 2 * dilation, nn.Conv1d(channels, channels, 3, padding=2 * dilation, dilation=dilation)

    def forward(self, x: Any) -> Any:
        return self.conv(x)[:, :, : -self.cut].contiguous()


class TCN(nn.Module):
    """Dilations of 1, 2 and 4 with residuals; the last frame decides."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.layers = Causal(3, 12, 1), nn.ModuleList([Causal(12, 12, 2), ChoppedCausal(12, 4)])
        self.out = nn.Linear(12, 5)

    def forward(self, x: Any) -> Any:
        x = torch.relu(self.first(x))
        for layer in self.layers:
            x = torch.relu(x + layer(x))
        return self.out(x[:, :, -1])


class WaveNet(nn.Module):
    """tanh · sigmoid gates, a residual and a sum of skips."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(3, 8, 1)
        self.filters = nn.ModuleList(Causal(8, 8, d) for d in (1, 2, 4))
        self.gates = nn.ModuleList(Causal(8, 8, d) for d in (1, 2, 4))
        self.residuals = nn.ModuleList(nn.Conv1d(8, 8, 1) for _ in range(3))
        self.out = nn.Sequential(nn.ReLU(), nn.Conv1d(8, 8, 1), nn.ReLU(), nn.Conv1d(8, 4, 1))

    def forward(self, x: Any) -> Any:
        x, skips = self.first(x), 0
        for filters, gates, residual in zip(self.filters, self.gates, self.residuals, strict=True):
            gated = torch.tanh(filters(x)) * torch.sigmoid(gates(x))
            skips = skips + gated
            x = x + residual(gated)
        return self.out(skips)


class CRNN(nn.Module):
    """Convolutions over a picture of text, a bidirectional LSTM over its columns."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(1, 8), nn.MaxPool2d(2), conv(8, 12), nn.MaxPool2d((2, 1)))
        self.lstm, self.out = nn.LSTM(12 * 4, 12, bidirectional=True), nn.Linear(24, 6)

    def forward(self, x: Any) -> Any:
        x = self.body(x)
        batch, channels, height, width = x.shape
        x = x.reshape(batch, channels * height, width).permute(2, 0, 1)
        return functional.log_softmax(self.out(self.lstm(x)[0]), dim=2)


class ConvGRU(nn.Module):
    """Convolution over time, a GRU, its last state."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.gru = nn.Conv1d(3, 12, 5, padding=2), nn.GRU(12, 16, batch_first=True)
        self.out = nn.Linear(16, 5)

    def forward(self, x: Any) -> Any:
        x = torch.relu(self.conv(x)).transpose(1, 2)
        return self.out(self.gru(x)[0][:, -1, :])


class BiLSTM(nn.Module):
    """Two bidirectional layers over embedded words, the final states of both directions."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(40, 10)
        self.lstm, self.out = nn.LSTM(10, 12, num_layers=2, bidirectional=True, batch_first=True), nn.Linear(24, 3)

    def forward(self, words: Any) -> Any:
        _, (hidden, _) = self.lstm(self.embedding(words))
        return self.out(torch.cat((hidden[-2], hidden[-1]), dim=1))


class Recurrent(nn.Module):
    """nn.RNN, all frames, batch second."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.out = nn.RNN(12, 16, nonlinearity="tanh"), nn.Linear(16, 3)

    def forward(self, x: Any) -> Any:
        return self.out(self.rnn(x.transpose(0, 1))[0]).mean(0)


class AttentionPooling(nn.Module):
    """A GRU whose frames are weighed by a learned score."""

    def __init__(self) -> None:
        super().__init__()
        self.gru, self.score, self.out = nn.GRU(12, 16, batch_first=True), nn.Linear(16, 1), nn.Linear(16, 4)

    def forward(self, x: Any) -> Any:
        frames, _ = self.gru(x)
        weights = torch.softmax(self.score(torch.tanh(frames)), dim=1)
        return self.out((weights * frames).sum(dim=1))


class Encoder(nn.Module):
    """Positions added to projected frames, two blocks, an average over time."""

    def __init__(self) -> None:
        super().__init__()
        self.project, self.places = nn.Linear(12, 24), nn.Parameter(torch.randn(20, 24) * 0.3)
        self.blocks, self.out = nn.Sequential(EncoderBlock(24, 4), EncoderBlock(24, 4)), nn.Linear(24, 6)

    def forward(self, x: Any) -> Any:
        return self.out(self.blocks(self.project(x) + self.places).mean(dim=1))


class Spectrogram(nn.Module):
    """Windows by a convolution with the Fourier basis, power, logarithm, a small network."""

    def __init__(self) -> None:
        super().__init__()
        n = torch.arange(32.0)
        window = torch.hann_window(32)
        angles = 2 * torch.pi * torch.arange(17.0)[:, None] * n / 32
        basis = torch.cat((torch.cos(angles) * window, -torch.sin(angles) * window))
        self.register_buffer("basis", basis[:, None, :])
        self.body = nn.Sequential(conv(1, 8, 3, 2), conv(8, 12, 3, 2), head(12, 4))

    def forward(self, x: Any) -> Any:
        spectrum = functional.conv1d(x, self.basis, stride=16)
        real, imaginary = spectrum.chunk(2, dim=1)
        power = real**2 + imaginary**2
        return self.body(torch.log(power + 1e-2).unsqueeze(1))


class OneDimensional(nn.Module):
    """A vector that becomes a signal of one channel and a vector again."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv1d(1, 8, 5, 2), nn.Conv1d(8, 12, 3, 2)
        self.pool, self.out = nn.MaxPool1d(2), nn.Linear(12, 4)

    def forward(self, x: Any) -> Any:
        x = torch.relu(self.first(x.unsqueeze(1)))
        x = self.pool(torch.relu(self.second(x)))
        return self.out(functional.adaptive_avg_pool1d(x, 1).squeeze(-1))


class Bag(nn.Module):
    """The mean of word vectors and a dense layer, as fastText classifies."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.out = nn.Embedding(50, 16, padding_idx=0), nn.Linear(16, 4)

    def forward(self, words: Any) -> Any:
        return self.out(self.embedding(words).mean(dim=1))


ARCHITECTURES: Final = {
    "attention_pooling": Architecture(AttentionPooling, FRAMES, 14, 18),
    "autoencoder": Architecture(autoencoder, ((1, 64),), 11, 18),
    "bag_of_words": Architecture(Bag, (("int64", 50, 1, 12),), 12, 18),
    "bilstm": Architecture(BiLSTM, (("int64", 40, 1, 12),), 16, 20),
    "conv_gru": Architecture(ConvGRU, SENSOR, 13, 18),
    "crnn": Architecture(CRNN, ((1, 1, 16, 24),), 14, 18),
    "ds_cnn": Architecture(ds_cnn, ((1, 1, 49, 10),), 12, 20),
    "encoder": Architecture(Encoder, FRAMES, 15, 20),
    "mlp": Architecture(mlp, ((1, 16),), 11, 20),
    "rnn": Architecture(Recurrent, FRAMES, 13, 18),
    "spectrogram": Architecture(Spectrogram, ((1, 1, 256),), 13, 20),
    "squeezed_1d": Architecture(OneDimensional, ((1, 64),), 12, 18),
    "tc_resnet": Architecture(tc_resnet, ((1, 12, 32),), 18, 18),
    "tcn": Architecture(TCN, SENSOR, 11, 20),
    "wavenet": Architecture(WaveNet, SENSOR, 19, 18),
}
