"""Transformers from ONNX to firmware: the reference's bits in C, close to the float model, masks and all."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from quant_models import normal, sqnr_db
from transformer_models import causal_encoder, vision_transformer

import edgeq
from edgeq.frontend import normalize
from edgeq.onnxio import Session, model_bytes, read_model

MODELS = {
    "vision": (vision_transformer, (3, 16, 16), 20.0),
    "causal": (causal_encoder, (12, 32), 20.0),
}


TORCH_BOUND = 20.0
TORCH_PYTHON = "EDGEQ_TORCH_PYTHON"
EXPORTS = tuple(
    f"{name}-{exporter}"
    for name in ("causal", "encoder", "padded", "vision")
    for exporter in ("dynamo-18", "dynamo-20", "dynamo-23", "legacy-17", "legacy-20")
    if (name, exporter) != ("padded", "dynamo-23")  # onnxruntime wants the mask of an Attention for each query
)


def written(model: ir.Model) -> bytes:
    return bytes(ir.to_proto(model).SerializeToString())


@pytest.mark.qemu
@pytest.mark.parametrize("name", MODELS)
def test_a_transformer_has_the_reference_bits_and_is_close_to_the_float_model(name: str, tmp_path: Path) -> None:
    make, shape, bound = MODELS[name]
    model = make()
    compiled = edgeq.compile(written(model), normal(48, *shape, seed=3), board="mps2-an386", out=tmp_path / "net")
    kernels = {step.op for step in compiled.manifest.program.steps}
    assert {"normalize", "matmul", "masked_softmax" if name == "causal" else "softmax"} <= kernels
    assert compiled.verify(["native", "qemu"], samples=2).ok
    inputs = normal(24, *shape, seed=9)
    session = Session(model)
    wanted = np.stack([next(iter(session.run({"x": x[np.newaxis]}).values())) for x in inputs])
    got = np.stack([next(iter(found.values())) for found in compiled.emulate(inputs, "native").outputs])
    assert sqnr_db(wanted, got.reshape(wanted.shape)) > bound


@pytest.mark.parametrize("mask", [-np.inf, -1e9, -1e4])
def test_the_number_that_masks_has_no_part_in_the_integers(mask: float, tmp_path: Path) -> None:
    found = model_bytes(normalize(causal_encoder(blocks=1, mask=mask)))
    assert found == model_bytes(normalize(causal_encoder(blocks=1, mask=-np.inf)))


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which PyTorch has written its models."""
    python = os.environ.get(TORCH_PYTHON)
    if not python:
        pytest.skip(f"set {TORCH_PYTHON} to a Python that has what tests/environments/torch.txt names")
    folder = tmp_path_factory.mktemp("torch")
    script = Path(__file__).with_name("make_torch_transformers.py")
    subprocess.run([python, str(script), str(folder)], check=True, timeout=900, capture_output=True)
    return folder


def torch_samples(name: str, count: int, seed: int) -> dict[str, np.ndarray]:
    """Inputs of an exported model; of a padded one the last tokens are not seen."""
    shape = (3, 16, 16) if name.startswith("vision") else (12, 32)
    found: dict[str, np.ndarray] = {"x": normal(count, *shape, seed=seed)}
    if name.startswith("padded"):
        lengths = np.random.default_rng(seed).integers(1, 13, count)
        found["seen"] = (np.arange(12) < lengths[:, np.newaxis]).reshape(count, 1, 1, 12)
    return found


@pytest.mark.slow
@pytest.mark.qemu
@pytest.mark.parametrize("name", EXPORTS)
def test_what_torch_exports_has_the_reference_bits(name: str, exports: Path, tmp_path: Path) -> None:
    path = exports / f"{name}.onnx"
    compiled = edgeq.compile(path, torch_samples(name, 48, 3), board="mps2-an386", out=tmp_path / "net")
    steps = [step.op for step in compiled.manifest.program.steps]
    assert steps.count("softmax" if name.startswith("vision") else "masked_softmax") >= 1
    assert "where" not in steps
    assert compiled.verify(["native", "qemu"], samples=2).ok
    inputs = torch_samples(name, 24, 9)
    session = Session(read_model(path))
    rows = [{key: value[index][np.newaxis] for key, value in inputs.items()} for index in range(24)]
    # A mask has its leading 1 of its own.
    rows = [{key: row.reshape((1, 1, 1, 12)) if key == "seen" else row for key, row in each.items()} for each in rows]
    wanted = np.stack([session.run(each)["y"] for each in rows])
    got = np.stack([found["y"] for found in compiled.emulate(inputs, "native").outputs])
    assert sqnr_db(wanted, got.reshape(wanted.shape)) > TORCH_BOUND
