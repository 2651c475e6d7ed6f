"""Makes the fixtures that come out of PyTorch: three ways from its quantization to ONNX with Q and DQ.

Run it where torch, torchao and onnxscript are installed: ``python -m tests.quantized.make_torch_fixtures [FOLDER]``.
The nets are small and trained on the bundled example's evaluation images, for a few steps: they show how numbers are
spelled, not how well a model can be.

``torch_pt2e``      PT2E after training: int8 throughout, weights per channel, every result quantized; dynamo exporter.
``torch_pt2e_qat``  PT2E in training with torchao's X86InductorQuantizer: uint8, only the inputs of layers and sums are
                    quantized, so the last result is float and the import completes it with calibration data.
``torch_fx_qat``    FX fake quantization in training: float weights that are quantized by a node, batch normalizations
                    behind a division, uint8, scales of shape [1]; TorchScript exporter.

What gives no ONNX with Q and DQ (torch 2.13): FakeQuantize modules through the dynamo exporter (their observers branch
on data), and models converted to quantized kernels by ``convert_fx`` through either (quantized::conv2d has no form).
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = Path(__file__).resolve().parent / "fixtures"
OPSET: Final = 17
_BATCH: Final = 50
_EPOCHS: Final = 3


def images() -> tuple[Any, Any]:
    """Images float32 [1000, 1, 28, 28] in 0..1 and labels of the bundled example, as torch tensors."""
    import torch

    with np.load(ROOT / "examples" / "fashion_mnist" / "eval.npz") as data:
        x = (data["x"].astype(np.float32) * np.float32(data["x_scale"]))[:, np.newaxis]
        return torch.from_numpy(x), torch.from_numpy(data["y"].astype(np.int64))


def make_net(channels: int) -> Any:
    """Convolutions, some normalized, one depthwise; ReLU, ReLU6, a residual sum, a pool, a dense layer."""
    import torch
    from torch import nn

    def build(self: Any) -> None:
        nn.Module.__init__(self)
        self.stem = nn.Conv2d(1, channels, 3, stride=2, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(channels)
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.depthwise_norm = nn.BatchNorm2d(channels)
        self.pointwise = nn.Conv2d(channels, 2 * channels, 1)
        self.pool = nn.MaxPool2d(2)
        self.dense = nn.Linear(2 * channels * 49, 10)

    def forward(self: Any, x: Any) -> Any:
        x = torch.relu(self.stem_norm(self.stem(x)))
        x = x + torch.nn.functional.relu6(self.depthwise_norm(self.depthwise(x)))
        x = self.pool(torch.relu(self.pointwise(x)))
        return self.dense(torch.flatten(x, 1))

    # Without torch its classes have no type, and a class statement could not be checked.
    return type("Net", (nn.Module,), {"__init__": build, "forward": forward})()


def train(model: Any, x: Any, y: Any, epochs: int, rate: float) -> None:
    """Adam on batches in order; no augmentation."""
    import torch

    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    for _ in range(epochs):
        for start in range(0, len(x), _BATCH):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(x[start : start + _BATCH]), y[start : start + _BATCH])
            loss.backward()
            optimizer.step()


def make_int8_quantizer() -> Any:
    """A PT2E quantizer of everything: int8 activations, int8 weights per channel; clamps and moves share scales."""
    pt2e = importlib.import_module("torchao.quantization.pt2e")
    spec = importlib.import_module("torchao.quantization.pt2e.quantizer")
    import torch

    activation = spec.QuantizationSpec(
        dtype=torch.int8,
        quant_min=-128,
        quant_max=127,
        qscheme=torch.per_tensor_affine,
        observer_or_fake_quant_ctr=pt2e.MinMaxObserver.with_args(eps=2**-12),
    )
    weight = spec.QuantizationSpec(
        dtype=torch.int8,
        quant_min=-127,
        quant_max=127,
        qscheme=torch.per_channel_symmetric,
        ch_axis=0,
        observer_or_fake_quant_ctr=pt2e.PerChannelMinMaxObserver.with_args(eps=2**-12),
    )
    aten = torch.ops.aten
    layers, clamps = {aten.conv2d.default, aten.linear.default}, {aten.relu.default, aten.relu6.default}
    moves = {aten.max_pool2d.default, aten.flatten.using_ints}

    def annotate(self: Any, model: Any) -> Any:
        for node in model.graph.nodes:
            if node.op != "call_function":
                continue
            given: dict[Any, Any] = {}
            result: Any = activation
            if node.target in layers:
                given = {node.args[0]: activation, node.args[1]: weight}
                if [user.target in clamps for user in node.users] == [True]:
                    result = None
            elif node.target in moves:
                given = {node.args[0]: activation}
                result = spec.SharedQuantizationSpec((node.args[0], node))
            elif node.target not in clamps:
                given = {value: activation for value in node.args if hasattr(value, "target")}
            node.meta["quantization_annotation"] = spec.QuantizationAnnotation(
                input_qspec_map=given, output_qspec=result, _annotated=True
            )
        return model

    return type("Int8Quantizer", (spec.Quantizer,), {"annotate": annotate, "validate": lambda self, model: None})()


def make_pt2e(path: Path) -> None:
    """Quantized after training."""
    import torch

    process = importlib.import_module("torchao.quantization.pt2e.quantize_pt2e")
    x, y = images()
    net = make_net(8)
    train(net, x, y, _EPOCHS, 2e-3)
    exported = torch.export.export(net.eval(), (x[:1],)).module()
    prepared = process.prepare_pt2e(exported, make_int8_quantizer())
    for start in range(200):
        prepared(x[start : start + 1])
    _export(process.convert_pt2e(prepared), x[:1], path)


def make_pt2e_qat(path: Path) -> None:
    """Quantized while training."""
    import torch

    pt2e = importlib.import_module("torchao.quantization.pt2e")
    process = importlib.import_module("torchao.quantization.pt2e.quantize_pt2e")
    x86 = importlib.import_module("torchao.quantization.pt2e.quantizer.x86_inductor_quantizer")
    x, y = images()
    net = make_net(6)
    train(net, x, y, _EPOCHS, 2e-3)
    quantizer = x86.X86InductorQuantizer().set_global(x86.get_default_x86_inductor_quantization_config(is_qat=True))
    # The batch size is free while training and one in the exported model.
    batch = torch.export.Dim("batch", min=1, max=1024)
    exported = torch.export.export(net.train(), (x[:2],), dynamic_shapes=({0: batch},)).module()
    prepared = process.prepare_qat_pt2e(exported, quantizer)
    train(prepared, x, y, 1, 1e-3)
    converted = process.convert_pt2e(prepared)
    pt2e.move_exported_model_to_eval(converted)
    _export(converted, x[:1], path)


def make_fx_qat(path: Path) -> None:
    """Fake quantization in training, exported as it is."""
    import torch

    quantization = importlib.import_module("torch.ao.quantization")
    fx = importlib.import_module("torch.ao.quantization.quantize_fx")
    activation = quantization.FakeQuantize.with_args(
        observer=quantization.MovingAverageMinMaxObserver, quant_min=0, quant_max=255, dtype=torch.quint8
    )
    weight = quantization.FakeQuantize.with_args(
        observer=quantization.MovingAveragePerChannelMinMaxObserver,
        quant_min=-128,
        quant_max=127,
        dtype=torch.qint8,
        qscheme=torch.per_channel_symmetric,
    )
    mapping = quantization.QConfigMapping().set_global(quantization.QConfig(activation=activation, weight=weight))
    x, y = images()
    net = make_net(7)
    train(net, x, y, _EPOCHS, 2e-3)
    prepared = fx.prepare_qat_fx(net.train(), mapping, (x[:1],))
    train(prepared, x, y, 1, 1e-3)
    prepared.eval().apply(quantization.disable_observer)
    names = {"input_names": ["x"], "output_names": ["y"]}
    torch.onnx.export(prepared, (x[:1],), str(path), dynamo=False, opset_version=OPSET, **names)


def _export(model: Any, x: Any, path: Path) -> None:
    import torch

    names = {"input_names": ["x"], "output_names": ["y"]}
    program = torch.onnx.export(model, (x,), dynamo=True, opset_version=18, verbose=False, **names)
    program.save(str(path), external_data=False)


MAKERS: Final = {"torch_fx_qat": make_fx_qat, "torch_pt2e": make_pt2e, "torch_pt2e_qat": make_pt2e_qat}


def main(folder: Path) -> None:
    """Make all of them, each from the same seed."""
    import torch

    torch.set_num_threads(1)
    for name, make in MAKERS.items():
        torch.manual_seed(0)
        make(folder / f"{name}.onnx")
        _strip(folder / f"{name}.onnx")


def _strip(path: Path) -> None:
    """Take out what the exporter notes about the machine it ran on: stack traces with the paths of files."""
    model = onnx.load(path)
    for item in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.initializer):
        del item.metadata_props[:]
        item.doc_string = ""
    for value in (*model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    onnx.save(model, path)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
