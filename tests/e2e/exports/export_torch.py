"""Exports every architecture by PyTorch's exporters: ``python -m tests.e2e.exports.export_torch FOLDER [NAME…]``.

Run it where the packages of ``tests/environments/torch.txt`` are. Weights are random with a fixed seed, and batch
normalizations have seen a few batches. Each model becomes ``NAME-EXPORTER-OPSET.onnx``; ``inputs.json`` has the inputs
of each architecture, ``failed.json`` the exports that an exporter could not write, with its words.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import warnings
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from tests.e2e.exports import torch_images, torch_operators, torch_sequences
from tests.e2e.exports.architecture import Architecture

ARCHITECTURES: Final[dict[str, Architecture]] = {
    **torch_images.ARCHITECTURES,
    **torch_operators.ARCHITECTURES,
    **torch_sequences.ARCHITECTURES,
}
_BATCHES, _BATCH = 4, 16


def example(spec: tuple[Any, ...], batch: int) -> Any:
    """Random values of one input, as many of them as asked."""
    if isinstance(spec[0], str):
        kind, bound, _, *shape = spec
        return torch.randint(0, bound, (batch, *shape), dtype=getattr(torch, kind))
    return torch.randn(batch, *spec[1:])


def prepared(architecture: Architecture) -> nn.Module:
    """The module in its inference form."""
    torch.manual_seed(3)
    module = architecture.make()
    if any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in module.modules()):
        with torch.no_grad():
            for _ in range(_BATCHES):
                module(*(example(spec, _BATCH) for spec in architecture.inputs))
    return module.eval()


def export(module: nn.Module, architecture: Architecture, exporter: str, opset: int, target: Path) -> str | None:
    """Write one model; the exporter's words if it cannot."""
    inputs = tuple(example(spec, 1) for spec in architecture.inputs)
    options: dict[str, Any] = {"opset_version": opset, "dynamo": exporter == "dynamo"}
    options["input_names"] = [f"x{place}" if place else "x" for place in range(len(inputs))]
    if exporter == "dynamo":
        options |= {"external_data": False, "verbose": False}
    try:
        with torch.no_grad(), contextlib.redirect_stdout(io.StringIO()):
            torch.onnx.export(module, inputs, str(target), **options)
    except Exception as error:  # noqa: BLE001 - whatever an exporter raises
        target.unlink(missing_ok=True)
        return (str(error).strip() or type(error).__name__).splitlines()[0]
    return None


def main(folder: Path, names: list[str]) -> None:
    """Write every model, or those named."""
    folder.mkdir(parents=True, exist_ok=True)
    failed = {}
    for name, architecture in ARCHITECTURES.items():
        if names and name not in names:
            continue
        module = prepared(architecture)
        for exporter, opset in architecture.exports.items():
            label = f"{name}-{exporter}-{opset}"
            words = export(module, architecture, exporter, opset, folder / f"{label}.onnx")
            if words is not None:
                failed[label] = words
    inputs = {name: architecture.inputs for name, architecture in ARCHITECTURES.items()}
    (folder / "inputs.json").write_text(json.dumps(inputs), encoding="utf-8")
    (folder / "failed.json").write_text(json.dumps(failed, indent=1), encoding="utf-8")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]), sys.argv[2:])
