"""The wheel alone, in an environment of its own and another folder, compiles a model."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest


def run(*command: str | Path, cwd: Path, timeout: float = 180) -> subprocess.CompletedProcess[str]:
    """Run a program without this process's Python settings; it must succeed."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "EDGEQ_"))}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without the network: the build backend is in this environment."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, root, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``bin/`` of a fresh environment with the wheel.

    Its dependencies are borrowed from this environment by a path entry, which is quick and needs no network. An
    editable edgeq there stays out of reach: .pth files are not followed from within a path entry.
    """
    folder = tmp_path_factory.mktemp("fresh")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv", cwd=folder)
    python = folder / "venv" / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python)
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=folder)
    places = sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
    (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (site / "borrowed.pth").write_text("\n".join(places) + "\n")
    return python.parent


def test_wheel_holds_package_and_data_folders_only(wheel: Path, root: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for folder in ("targets", "boards", "runtime_c"):
        files = {f"edgeq/_data/{p.relative_to(root)}" for p in (root / folder).rglob("*") if p.is_file()}
        assert sorted(files - names) == []
    assert "edgeq/runners/plugin/count.c" in names
    assert "edgeq/py.typed" in names
    schemas = {path.relative_to(root).as_posix() for path in (root / "edgeq" / "report" / "schemas").glob("*.json")}
    assert schemas
    assert schemas <= names
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"edgeq"}
    assert not any(name.endswith((".onnx", ".npz", ".pyc")) for name in names)


def test_installed_package_is_the_wheels(installed: Path, root: Path, tmp_path: Path) -> None:
    program = "import edgeq.resources as r; print(r.__file__); print(r.data_root())"
    module, data = run(installed / "python", "-c", program, cwd=tmp_path).stdout.split()
    assert Path(module).is_relative_to(installed.parent)
    assert Path(data) == Path(module).parent / "_data"
    assert root not in Path(data).parents


def test_installed_command_shows_help(installed: Path, tmp_path: Path) -> None:
    text = run(installed / "edgeq", "--help", cwd=tmp_path).stdout
    for command in ("compile", "emulate", "flash", "verify"):
        assert command in text


@pytest.mark.parametrize("board", ["native", "mps2-an386"])
def test_installed_command_compiles_from_another_folder(
    installed: Path, root: Path, tmp_path: Path, board: str
) -> None:
    if board != "native" and shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    for name in ("model.onnx", "calib.npz"):
        shutil.copy(root / "examples" / "fashion_mnist" / name, tmp_path / name)
    arguments = ("model.onnx", "--data", "calib.npz", "--board", board, "-o", "out")
    run(installed / "edgeq", "compile", *arguments, cwd=tmp_path)
    out = tmp_path / "out"
    sources = ("model.c", "model.h", "model_weights.c", "model_quantize.h", "example/main.c", "CMakeLists.txt")
    for name in (*sources, "model.qdq.onnx", "float.onnx"):
        assert (out / name).is_file(), name
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    assert manifest
    assert str(root) not in (out / "manifest.json").read_text("utf-8")
