"""The project's own files: the lock, the set-up script, the bundled example, the demo's table, what --help loads."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest

import edgeq
from edgeq import resources

# What a set-up with nothing to install calls, besides Python and the toolchain.
COREUTILS = ("cat", "dirname", "env", "id", "sha256sum", "sh")
HEAVY = ("onnx", "onnx_ir", "onnxruntime", "onnxscript", "tvm", "torch", "elftools", "pyocd", "google")


def project(root: Path) -> dict[str, Any]:
    """The ``[project]`` table."""
    table: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    return table


def canonical(requirement: str) -> str:
    """The name of a requirement as package indexes spell it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[ <>=!~;\[]", requirement, maxsplit=1)[0]).lower()


def locked(root: Path) -> dict[str, list[str]]:
    """Package → the lines of its entry in requirements.lock."""
    entries: dict[str, list[str]] = {}
    name = ""
    for line in (root / "requirements.lock").read_text("utf-8").splitlines():
        if line and not line.startswith((" ", "#")):
            name = canonical(line)
            entries[name] = []
        if name:
            entries[name].append(line)
    return entries


def test_lock_pins_everything_with_hashes_and_names_no_index(root: Path) -> None:
    entries = locked(root)
    for name, lines in entries.items():
        assert re.match(r"[A-Za-z0-9._-]+==\S+", lines[0]), name
        assert any("--hash=sha256:" in line for line in lines), name
    options = [line for line in (root / "requirements.lock").read_text("utf-8").splitlines() if line.startswith("-")]
    assert options == []
    assert "://" not in (root / "requirements.lock").read_text("utf-8")


def test_lock_holds_every_dependency(root: Path) -> None:
    table = project(root)
    wanted = {canonical(line) for line in [*table["dependencies"], *table["optional-dependencies"]["dev"]]}
    assert sorted(wanted - set(locked(root))) == []


def test_version_comes_from_the_package(root: Path) -> None:
    assert "version" in project(root)["dynamic"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", edgeq.__version__)


def test_data_folders_are_found(root: Path) -> None:
    assert resources.data_root() == root
    for folder in (resources.targets_dir(), resources.boards_dir(), resources.runtime_dir()):
        assert folder.is_dir()


def test_help_loads_nothing_heavy(root: Path) -> None:
    program = (
        "import sys\n"
        "from edgeq.cli.main import main\n"
        "sys.argv = ['edgeq', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_example_is_small_and_as_described(root: Path) -> None:
    folder = root / "examples" / "fashion_mnist"
    assert (folder / "model.onnx").stat().st_size < 100_000
    assert sum((folder / name).stat().st_size for name in ("calib.npz", "eval.npz")) < 2_000_000
    model = onnx.load(folder / "model.onnx", load_external_data=False)
    assert [entry.version for entry in model.opset_import] == [18]
    assert [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim] == [1, 1, 28, 28]
    assert sum(node.op_type == "BatchNormalization" for node in model.graph.node) == 11
    assert not any(node.doc_string for node in model.graph.node)


@pytest.mark.parametrize(("name", "count"), [("calib.npz", 200), ("eval.npz", 1000)])
def test_example_data_is_balanced_bytes(root: Path, name: str, count: int) -> None:
    with np.load(root / "examples" / "fashion_mnist" / name, allow_pickle=False) as data:
        arrays = dict(data)
    assert arrays["x"].shape == (count, 28, 28)
    assert arrays["x"].dtype == np.uint8
    assert arrays["x_scale"] == 1 / 255
    if "y" in arrays:
        assert np.bincount(arrays["y"]).tolist() == [count // 10] * 10
        assert len(arrays["class_names"]) == 10


def sandbox(tmp_path: Path, root: Path, programs: dict[str, str]) -> dict[str, str]:
    """A checkout with only the set-up script's inputs, and a PATH of ``programs`` (name → shell body) and coreutils."""
    (tmp_path / "scripts").mkdir()
    for name in ("scripts/setup.sh", "requirements.lock", "pyproject.toml"):
        shutil.copy(root / name, tmp_path / name)
    path = tmp_path / "bin"
    path.mkdir()
    for name in COREUTILS:
        (path / name).symlink_to(str(shutil.which(name)))
    for name, body in programs.items():
        (path / name).unlink(missing_ok=True)
        (path / name).write_text(f"#!/bin/sh\n{body}\n")
        (path / name).chmod(0o755)
    return {"PATH": str(path)}


TOOLCHAIN = {
    "aarch64-linux-gnu-gcc": "echo /usr/lib/libc.a",
    "arm-none-eabi-gcc": "echo /usr/lib/libc.a",
    "qemu-aarch64": "",
    "qemu-system-arm": "",
    "gdb-multiarch": "",
    "g++": "",
    "cmake": "",
    "make": "",
}
USER = {"id": "echo 1000", "apt-get": 'echo "apt-get ran" >&2; exit 9'}


def run_setup(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The set-up script in a sandbox, without a terminal."""
    return subprocess.run(
        ["/bin/sh", "scripts/setup.sh"],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_setup_without_rights_prints_the_command(tmp_path: Path, root: Path) -> None:
    done = run_setup(tmp_path, sandbox(tmp_path, root, USER))
    assert done.returncode == 5
    assert done.stderr.splitlines()[-1] == (
        "apt-get install --yes --no-install-recommends gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm"
        " gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user gdb-multiarch g++ cmake make python3-venv"
    )
    assert "apt-get ran" not in done.stderr


def test_setup_asks_only_for_what_is_missing(tmp_path: Path, root: Path) -> None:
    programs = USER | TOOLCHAIN | {"python3": "exit 0", "arm-none-eabi-gcc": "echo libc.a"}
    del programs["gdb-multiarch"]
    done = run_setup(tmp_path, sandbox(tmp_path, root, programs))
    assert done.returncode == 5
    assert done.stderr.splitlines()[-1].endswith("--no-install-recommends libnewlib-arm-none-eabi gdb-multiarch")


def test_setup_as_root_installs_and_reports_failure(tmp_path: Path, root: Path) -> None:
    programs = USER | TOOLCHAIN | {"python3": "exit 0", "id": "echo 0"}
    del programs["qemu-system-arm"]
    done = run_setup(tmp_path, sandbox(tmp_path, root, programs))
    assert done.returncode == 5
    assert "apt-get ran" in done.stderr
    assert done.stderr.splitlines()[-1].endswith("--no-install-recommends qemu-system-arm")


def test_setup_makes_the_environment_once(tmp_path: Path, root: Path) -> None:
    # A python3 that "creates" .venv by copying itself there, and notes each call of pip.
    fake = '[ "$2" = venv ] && mkdir -p .venv/bin && cat "$0" >.venv/bin/python && /bin/chmod +x .venv/bin/python'
    log = 'case "$*" in *"pip install"*) echo "$*" >>pip.log;; esac'
    mkdir = {"mkdir": 'exec /bin/mkdir "$@"'}
    programs = TOOLCHAIN | mkdir | {"python3": f"{log}\n{fake}\nexit 0"}
    environment = sandbox(tmp_path, root, programs)
    assert run_setup(tmp_path, environment).returncode == 0
    calls = (tmp_path / "pip.log").read_text().splitlines()
    assert "--require-hashes -r requirements.lock" in calls[0]
    assert "--no-deps --no-build-isolation -e ." in calls[1]

    assert run_setup(tmp_path, environment).stderr == ""
    assert len((tmp_path / "pip.log").read_text().splitlines()) == 2
    with (tmp_path / "requirements.lock").open("a") as lock:
        lock.write("# changed\n")
    assert run_setup(tmp_path, environment).returncode == 0
    assert len((tmp_path / "pip.log").read_text().splitlines()) == 4

    stamp = tmp_path / ".venv" / ".edgeq-setup"
    stamp.write_text("/elsewhere\n" + stamp.read_text().partition("\n")[2])
    assert "creating .venv" in run_setup(tmp_path, environment).stderr


def test_setup_leaves_an_environment_that_is_linked(tmp_path: Path, root: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "kept").write_text("of another checkout\n")
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    (checkout / ".venv").symlink_to(shared)
    done = run_setup(checkout, sandbox(checkout, root, TOOLCHAIN | {"python3": "exit 0"}))
    assert done.returncode == 5
    assert ".venv is a link" in done.stderr
    assert [path.name for path in shared.iterdir()] == ["kept"]


def test_setup_without_python_says_so(tmp_path: Path, root: Path) -> None:
    environment = sandbox(tmp_path, root, USER | TOOLCHAIN | {"python3": "exit 1", "id": "echo 0", "apt-get": ""})
    done = run_setup(tmp_path, environment)
    assert done.returncode == 5
    assert "installing python3-venv" in done.stderr
    assert "no Python 3.11 or newer" in done.stderr


@pytest.mark.parametrize("script", ["scripts/setup.sh", ".ci/run"])
def test_scripts_are_executable_shell(root: Path, script: str) -> None:
    assert os.access(root / script, os.X_OK)
    subprocess.run(["/bin/sh", "-n", str(root / script)], check=True, timeout=10)


@pytest.fixture(scope="module")
def demo(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("demo", root / "scripts" / "demo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_demo_table_shows_every_figure(demo: ModuleType) -> None:
    runs = [
        {"on": on, "metric": "top1", "value": 0.921, "samples": 1000, "float_value": 0.925, "agreement": 0.987}
        for on in ("reference", "native", "qemu")
    ]
    verdict = {"tensors": 14, "elements": 20000, "mismatches": 0, "runners": ["native", "qemu"], "first_mismatch": None}
    profile = {
        "instructions": 1234567, "macs": 345678, "ram_bytes": 4992, "stack_bytes": 312,
        "flash_code_bytes": 5432, "flash_weight_bytes": 15678, "layers": [],
    }  # fmt: skip
    rows = demo.summary(json.loads(json.dumps({"results": runs})), verdict, profile)
    text = demo.table(rows, "title")
    for figure in ("92.5 %", "92.1 %", "98.7 %", "1000 samples", "4,992", "312", "5,432", "15,678", "1,234,567"):
        assert figure in text
    assert "the same bits everywhere: 20,000 elements of 14 tensors, 0 mismatches" in text
    assert dict(demo.summary({"results": runs}, verdict | {"mismatches": 3}, profile))["verify"].startswith("DIFFERENT")
