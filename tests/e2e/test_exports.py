"""What PyTorch and Keras export, as firmware: the bits of the reference, close to the float model, few transposes."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.exports.keras_models import MODELS
from tests.e2e.exports.measured import board_of, measure

TORCH_PYTHON: Final = "EDGEQ_TORCH_PYTHON"
SCRIPTS: Final = Path(__file__).with_name("exports")
EXPECTED: Final[dict[str, Any]] = tomllib.loads((SCRIPTS / "expected.toml").read_text(encoding="utf-8"))
EQUAL: Final = 0.97  # of classes: those of points whose scores are about equal may differ


@pytest.fixture(scope="session")
def exports(root: Path) -> Path:
    """The folder of what PyTorch has exported; kept below build/ until a script or the requirements change."""
    python = os.environ.get(TORCH_PYTHON)
    if not python:
        pytest.skip(f"set {TORCH_PYTHON} to a Python that has what tests/environments/torch.txt names")
    sources = [*sorted(SCRIPTS.glob("*torch*.py")), SCRIPTS / "architecture.py", root / "tests/environments/torch.txt"]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    place = root / "build/exports"
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several workers ask
        if not (place / digest).is_dir():
            for old in place.iterdir():
                if old.is_dir():
                    shutil.rmtree(old)
            made = place / "unfinished"
            program = [python, "-W", "ignore", "-m", "tests.e2e.exports.export_torch", str(made)]
            subprocess.run(program, check=True, timeout=1800, capture_output=True, cwd=root)
            made.rename(place / digest)
    return place / digest


def judge(label: str, model: bytes, specs: Any, folder: Path) -> None:
    """Compare with the table of expectations."""
    expected = EXPECTED["exports"][label]
    found = measure(model, specs, board_of(label), folder, expected["sqnr_db"])
    figures = f"{found.sqnr_db:.1f} dB, {found.equal:.3f} equal, {len(found.transposes)} transposes"
    print(f"{label}: {figures}")  # noqa: T201 - they are a result
    assert found.mismatches == 0
    assert found.sqnr_db >= expected["sqnr_db"], f"most is lost at {found.worst}"
    assert found.equal >= EQUAL
    assert len(found.transposes) <= expected["transposes"], found.transposes


def architecture(label: str) -> str:
    """The architecture of an export."""
    return label.rsplit("-", 2)[0]


def test_transposes_that_are_left_have_their_reasons() -> None:
    moving = {architecture(label) for label, each in EXPECTED["exports"].items() if each["transposes"]}
    assert moving == set(EXPECTED["transposes_why"])


@pytest.mark.slow
@pytest.mark.qemu
@pytest.mark.parametrize("label", sorted(label for label in EXPECTED["exports"] if "-keras-" not in label))
def test_what_torch_exports_is_firmware(label: str, exports: Path, tmp_path: Path) -> None:
    specs = json.loads((exports / "inputs.json").read_text(encoding="utf-8"))
    judge(label, (exports / f"{label}.onnx").read_bytes(), specs[architecture(label)], tmp_path)


@pytest.mark.slow
def test_every_export_is_expected(exports: Path) -> None:
    assert json.loads((exports / "failed.json").read_text(encoding="utf-8")) == {}
    found = {path.stem for path in exports.glob("*.onnx")}
    assert found == {label for label in EXPECTED["exports"] if "-keras-" not in label}


@pytest.mark.slow
@pytest.mark.qemu
@pytest.mark.parametrize("name", sorted(MODELS))
def test_what_keras_exports_is_firmware(name: str, tmp_path: Path) -> None:
    model = MODELS[name]()
    specs = [[dim.dim_value or 1 for dim in each.type.tensor_type.shape.dim] for each in model.graph.input]
    label = f"{name}-keras-{model.opset_import[0].version}"
    judge(label, model.SerializeToString(), specs, tmp_path)
