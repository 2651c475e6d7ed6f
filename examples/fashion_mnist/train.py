"""Trains the example model, exports it to ONNX and writes its two data files.

    pip install 'edgeq[train]'                    (torch 2.13.0)
    apt-get install dataset-fashion-mnist         (the images, 30 MB)
    python examples/fashion_mnist/train.py        (about ten minutes on two cores)

The network is a small depthwise-separable CNN with one residual block. Its widths are set by the smallest board: with
int8 activations every layer's input, output and whatever else is alive stay within ACTIVATION_BUDGET_BYTES, so that
the model runs, stack included, in 8 KiB of RAM. BatchNorm stays in the exported graph, as most exporters leave it:
folding it is the compiler's work. All choices are made on the training set; the test set is read once, at the end.
"""

from __future__ import annotations

import argparse
import gzip
import random
import struct
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

HERE: Final = Path(__file__).resolve().parent
DATASET: Final = Path("/usr/share/datasets/fashion-mnist")
CLASS_NAMES: Final = (
    "t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip
SEED: Final = 20170825  # the day Fashion-MNIST was published
OPSET: Final = 18
SIDE: Final = 28
CALIBRATION_PER_CLASS: Final = 20
EVALUATION_PER_CLASS: Final = 100
HELD_OUT: Final = 5000  # training images that only measure progress, when --held-out is given
ACTIVATION_BUDGET_BYTES: Final = 5 * 1024
MAX_SHIFT: Final = 2  # pixels; larger shifts cut the garments, which fill the frame


def read_idx(path: Path) -> np.ndarray:
    """A gzipped IDX file of unsigned bytes as an array of the stated shape.

    Raises:
        ValueError: it is not such a file.
    """
    data = gzip.decompress(path.read_bytes())
    zeros, kind, rank = struct.unpack(">HBB", data[:4])
    if (zeros, kind) != (0, 0x08):
        raise ValueError(f"{path}: not an IDX file of unsigned bytes")
    shape = struct.unpack(f">{rank}I", data[4 : 4 + 4 * rank])
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def read_dataset(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """``part`` ("train" or "t10k"): images uint8 [N,28,28] and labels int64 [N]."""
    images = read_idx(folder / f"{part}-images-idx3-ubyte.gz")
    labels = read_idx(folder / f"{part}-labels-idx1-ubyte.gz")
    return images, labels.astype(np.int64)


class Separable(nn.Module):
    """Depthwise 3x3 and pointwise 1x1 convolution, each with BatchNorm and ReLU; ``residual`` adds the input."""

    def __init__(self, channels: int, out_channels: int, stride: int = 1, *, residual: bool = False) -> None:
        super().__init__()
        self.residual = residual
        self.depthwise = nn.Conv2d(channels, channels, 3, stride, padding=1, groups=channels, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.pointwise = nn.Conv2d(channels, out_channels, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """X [N,C,H,W] → [N,out,H/stride,W/stride]."""
        y = functional.relu(self.norm1(self.depthwise(x)))
        y = self.norm2(self.pointwise(y))
        return functional.relu(x + y if self.residual else y)


class Garments(nn.Module):
    """Images [N,1,28,28] in 0..1 → ten logits; :meth:`forward` ends in Softmax, which the exported model keeps."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 5, stride=2, padding=2, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.blocks = nn.Sequential(
            Separable(8, 16),
            Separable(16, 32, stride=2),
            Separable(32, 32, residual=True),
            Separable(32, 64),
            Separable(64, 96, stride=2),
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classify = nn.Linear(96, len(CLASS_NAMES))

    def logits(self, x: Tensor) -> Tensor:
        """The class scores before Softmax, [N,10]."""
        y = functional.relu(self.norm(self.stem(x)))
        logits: Tensor = self.classify(torch.flatten(self.pool(self.blocks(y)), 1))
        return logits

    def forward(self, x: Tensor) -> Tensor:
        """The class probabilities, [N,10]."""
        return functional.softmax(self.logits(x), dim=1)


def to_float(images: np.ndarray) -> Tensor:
    """uint8 [N,28,28] → float32 [N,1,28,28] in 0..1, as the data files state it (x_scale = 1/255)."""
    return torch.from_numpy(images.astype(np.float32) / np.float32(255)).unsqueeze(1)


def augment(batch: Tensor, generator: torch.Generator) -> Tensor:
    """Each image shifted by up to MAX_SHIFT pixels and mirrored half of the time. [N,1,28,28] → same shape."""
    count = batch.shape[0]
    padded = functional.pad(batch, [MAX_SHIFT] * 4)
    shifts = torch.randint(0, 2 * MAX_SHIFT + 1, (count, 2), generator=generator)
    mirror = torch.rand(count, generator=generator) < 0.5
    rows = (torch.arange(SIDE) + shifts[:, :1])[:, :, None]
    columns = torch.arange(SIDE).expand(count, SIDE)
    columns = torch.where(mirror[:, None], columns.flip(1), columns) + shifts[:, 1:]
    return padded[torch.arange(count)[:, None, None], 0, rows, columns[:, None, :]].unsqueeze(1)


def batches(count: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Indices of one epoch in random order, full batches only."""
    order = torch.randperm(count, generator=generator)
    return iter(order[: count - count % size].split(size))


def train(model: Garments, images: Tensor, labels: Tensor, epochs: int, held_out: tuple[Tensor, Tensor] | None) -> None:
    """AdamW with one cycle of the learning rate; prints one line an epoch."""
    generator = torch.Generator().manual_seed(SEED)
    size = 128
    steps = epochs * (len(images) // size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=8e-3, total_steps=steps, pct_start=0.2)
    started = time.monotonic()
    for epoch in range(epochs):
        model.train()
        total = torch.zeros(())
        for batch in batches(len(images), size, generator):
            loss = functional.cross_entropy(model.logits(augment(images[batch], generator)), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.detach()
        line = f"epoch {epoch + 1:2}/{epochs}  loss {total.item() / (len(images) // size):.4f}"
        if held_out is not None:
            line += f"  held out {accuracy(model, *held_out):.4f}"
        print(f"{line}  {time.monotonic() - started:.0f} s", flush=True)


@torch.no_grad()
def accuracy(model: Garments, images: Tensor, labels: Tensor) -> float:
    """The share of images whose greatest logit is the label's."""
    model.eval()
    hits = sum(
        int((model.logits(x).argmax(1) == y).sum()) for x, y in zip(images.split(500), labels.split(500), strict=True)
    )
    return hits / len(images)


def print_activations(model: Garments) -> None:
    """Each convolution's int8 input and output bytes, the largest sum checked against the budget.

    The residual's input is alive beside the layers it bypasses: it counts there as a third tensor.

    Raises:
        ValueError: a layer needs more than ACTIVATION_BUDGET_BYTES.
    """
    needs: list[tuple[str, int, int, int]] = []

    def note(name: str, kept: int) -> None:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            needs.append((name, inputs[0].numel(), output.numel(), kept * output.numel()))

        hooks.append(modules[name].register_forward_hook(hook))

    hooks: list[torch.utils.hooks.RemovableHandle] = []
    modules = dict(model.named_modules())
    for name, module in modules.items():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.AdaptiveAvgPool2d):
            block, _, layer = name.rpartition(".")
            note(name, int(layer == "pointwise" and modules[block].residual))
    model.eval()
    model(torch.zeros(1, 1, SIDE, SIDE))
    for handle in hooks:
        handle.remove()
    for name, taken, given, kept in needs:
        print(f"{name:20} in {taken:5}  out {given:5}  kept {kept:5}  sum {taken + given + kept:5} bytes")
    if max(sum(row[1:]) for row in needs) > ACTIVATION_BUDGET_BYTES:
        raise ValueError(f"a layer needs more than {ACTIVATION_BUDGET_BYTES} bytes of activations")


def export(model: Garments, path: Path) -> None:
    """Write the ONNX file: batch 1, BatchNorm kept, no text of this machine inside."""
    model.eval()
    with warnings.catch_warnings():
        # The newer exporter writes this machine's paths and stack traces into the file.
        warnings.filterwarnings("ignore", "You are using the legacy TorchScript", DeprecationWarning)
        torch.onnx.export(
            model,
            (torch.zeros(1, 1, SIDE, SIDE),),
            str(path),
            input_names=["image"],
            output_names=["probabilities"],
            opset_version=OPSET,
            dynamo=False,
            do_constant_folding=False,
            # PRESERVE leaves a model in eval mode as it is; EVAL would fold BatchNorm into the convolutions.
            training=torch.onnx.TrainingMode.PRESERVE,
        )
    proto = onnx.load(path)
    for node in proto.graph.node:
        node.ClearField("doc_string")
    proto.graph.name = "fashion_mnist"
    onnx.checker.check_model(proto, full_check=True)
    path.write_bytes(proto.SerializeToString(deterministic=True))


def first_of_each_class(labels: np.ndarray, count: int) -> np.ndarray:
    """Indices of the first ``count`` samples of every class, in the order of the file."""
    chosen = [np.flatnonzero(labels == label)[:count] for label in range(len(CLASS_NAMES))]
    return np.sort(np.concatenate(chosen))


def write_data(folder: Path, dataset: Path) -> None:
    """calib.npz from the training images and eval.npz, labelled, from the test images.

    numpy writes a zip member with a constant date, so the files are the same bytes each time.
    """
    scale = np.float64(1) / 255
    images, labels = read_dataset(dataset, "train")
    chosen = first_of_each_class(labels, CALIBRATION_PER_CLASS)
    np.savez_compressed(folder / "calib.npz", x=images[chosen], x_scale=scale)
    images, labels = read_dataset(dataset, "t10k")
    chosen = first_of_each_class(labels, EVALUATION_PER_CLASS)
    np.savez_compressed(
        folder / "eval.npz",
        x=images[chosen],
        x_scale=scale,
        y=labels[chosen],
        class_names=np.array(CLASS_NAMES),
    )


def main() -> None:
    """Train, export, write the data files, print the accuracy on the test set."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--dataset", type=Path, default=DATASET, help="folder of the four .gz files")
    parser.add_argument("-o", "--output", type=Path, default=HERE, help="folder to write into")
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--held-out", action="store_true", help=f"keep {HELD_OUT} training images to watch progress")
    parser.add_argument("--data-only", action="store_true", help="write only calib.npz and eval.npz")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    write_data(options.output, options.dataset)
    if options.data_only:
        return

    random.seed(SEED)
    torch.manual_seed(SEED)
    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(mode=True)
    stored, labels = read_dataset(options.dataset, "train")
    images, targets = to_float(stored), torch.from_numpy(labels)
    model = Garments()
    print_activations(model)
    kept = len(images) - HELD_OUT if options.held_out else len(images)
    held_out = (images[kept:], targets[kept:]) if options.held_out else None
    train(model, images[:kept], targets[:kept], options.epochs, held_out)

    test_images, test_labels = read_dataset(options.dataset, "t10k")
    print(f"test accuracy {accuracy(model, to_float(test_images), torch.from_numpy(test_labels)):.4f} of 10000")
    chosen = first_of_each_class(test_labels, EVALUATION_PER_CLASS)
    share = accuracy(model, to_float(test_images[chosen]), torch.from_numpy(test_labels[chosen]))
    print(f"eval.npz accuracy {share:.4f} of {len(chosen)}")
    export(model, options.output / "model.onnx")
    print(f"{options.output / 'model.onnx'}: {(options.output / 'model.onnx').stat().st_size} bytes")


if __name__ == "__main__":
    main()
