"""Every reader of a user's file ends at once, with a code, on what is no regular file, too large or damaged."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from edgeq.archive import IN_MEMORY_BYTES, Archive
from edgeq.budget import Budget
from edgeq.cli.main import run
from edgeq.errors import EdgeqError
from edgeq.files import MAX_JSON_BYTES, MAX_TOML_BYTES, read_json
from edgeq.folder import MANIFEST, Compiled
from edgeq.frontend import normalize
from edgeq.ir.serialize import load_graph
from edgeq.onnxio import read_model, read_model_bytes
from edgeq.onnxio.samples import InputSpec, Samples
from edgeq.target import load_board
from edgeq.target.saved import load_saved_board
from edgeq.writing.owned import seal

ROW = 2048
LARGE = IN_MEMORY_BYTES // (4 * ROW) + 3


def _open_compiled(path: Path) -> object:
    (path.parent / "folder").mkdir()
    (path.parent / "folder" / MANIFEST).symlink_to(path)
    return Compiled.open(path.parent / "folder")


def _open_graph(path: Path) -> object:
    return load_graph(path, path)


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "model": ("EQ0201", read_model),
    "data": ("EQ0110", lambda path: Samples.open(path, [InputSpec("x", (1, 2), np.dtype(np.float32))])),
    "board": ("EQ0180", load_board),
    "folder": ("EQ0104", _open_compiled),
    "saved board": ("EQ0104", load_saved_board),
    "graph": ("EQ0240", _open_graph),
}


def named_pipe(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def endless_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def local_socket(path: Path) -> None:
    # The path of a socket is at most 108 bytes long.
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(here)


def nothing(path: Path) -> None:
    del path


@pytest.mark.parametrize("make", [named_pipe, folder, endless_device, local_socket, nothing])
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, reader: str, make: Callable[[Path], None]) -> None:
    code, read = READERS[reader]
    path = tmp_path / "input.toml"
    make(path)
    with pytest.raises(EdgeqError) as caught:
        read(path)
    assert caught.value.problems[0].code == code
    assert "None" not in str(caught.value)


@pytest.mark.parametrize(
    ("reader", "size_bytes", "code"),
    [("model", (1 << 28) + 1, "EQ0202"), ("board", MAX_TOML_BYTES + 1, "EQ0180"), ("saved board", 1 << 40, "EQ0104")],
)
def test_a_file_beyond_its_limit_is_not_read(tmp_path: Path, reader: str, size_bytes: int, code: str) -> None:
    path = tmp_path / "input.toml"
    with path.open("wb") as file:
        file.truncate(size_bytes)
    with pytest.raises(EdgeqError, match=code):
        READERS[reader][1](path)


def test_json_nested_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deep.json"
    path.write_text("[" * 200_000, encoding="utf-8")
    with pytest.raises(ValueError, match="nested too deep"):
        read_json(path)
    assert MAX_JSON_BYTES < 1 << 26


def rows(count: int = LARGE) -> np.ndarray:
    return np.arange(count * ROW, dtype=np.float32).reshape(count, ROW) % 1009


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("order", ["<", ">"])
def test_rows_of_a_large_array_are_read_without_the_others(
    tmp_path: Path, save: Callable[..., None], order: str
) -> None:
    x = rows()
    save(tmp_path / "d.npz", x=x.astype(f"{order}f4"), y=np.arange(LARGE))
    archive = Archive(tmp_path / "d.npz")
    stored = archive.array("x")
    del archive
    for index in (LARGE - 1, 0, 17):
        assert np.array_equal(stored.row(index), x[index])
    assert stored.dtype == np.dtype(np.float32)
    assert np.array_equal(np.concatenate([block for _, block in stored.blocks()]), x)
    assert np.array_equal(stored.first(5).rows(3, 5), x[3:5])


def test_a_large_array_that_is_no_input_is_not_held(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.ones((3, 2), np.float32), other=rows())
    samples = Samples.open(tmp_path / "d.npz", [InputSpec("x", (1, 2), np.dtype(np.float32))])
    assert list(samples.extra) == ["other"]
    with pytest.raises(EdgeqError, match="EQ0111"):
        samples.extra["other"]


def test_asking_for_a_name_reads_no_data(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.ones((3, 2), np.float32), other=rows())
    samples = Samples.open(tmp_path / "d.npz", [InputSpec("x", (1, 2), np.dtype(np.float32))])
    assert "other" in samples.extra
    assert "x" not in samples.extra


def test_a_large_array_in_fortran_order_is_refused_with_the_remedy(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.asfortranarray(rows()))
    with pytest.raises(EdgeqError, match="ascontiguousarray"):
        Archive(tmp_path / "d.npz").array("x")


def test_a_large_array_with_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    np.savez(path, x=rows())
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(EdgeqError, match="EQ0110"):
        Archive(path).array("x")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compression_that_numpy_does_not_write_is_refused(tmp_path: Path, method: int) -> None:
    raw = io.BytesIO()
    np.save(raw, np.ones((3, 2)))
    with zipfile.ZipFile(tmp_path / "d.npz", "w", method) as archive:
        archive.writestr("x.npy", raw.getvalue())
    with pytest.raises(EdgeqError, match="EQ0110"):
        Archive(tmp_path / "d.npz")


def test_shapes_are_compared_before_data_is_read(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    np.savez(path, x=rows())
    data = path.read_bytes()
    # All that follows the header is gone, and the directory is kept: only the header can have been looked at.
    start = data.index(b"\n") + 1
    path.write_bytes(data[:start] + bytes(4 * ROW * LARGE) + data[start + 4 * ROW * LARGE :])
    with pytest.raises(EdgeqError, match="EQ0113"):
        Samples.open(path, [InputSpec("x", (1, 7), np.dtype(np.float32))])


def test_bytes_of_input_are_counted(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "d.npz", x=rows())
    with Budget(read_bytes=IN_MEMORY_BYTES).active(), pytest.raises(EdgeqError, match="EQ0246"):
        Archive(tmp_path / "d.npz").array("x")


def test_time_and_memory_are_bounded() -> None:
    with pytest.raises(EdgeqError, match="EQ0245"):
        Budget(seconds=0).tick("here")
    budget = Budget(memory_bytes=1 << 20)
    budget.need(1 << 20, "a step")
    with pytest.raises(EdgeqError, match=r"2 MiB(.|\n)*1 MiB(.|\n)*--max-memory"):
        budget.need(2 << 20, "a step")
    held = np.ones(128 << 20, np.uint8)
    with pytest.raises(EdgeqError, match="EQ0244"):
        budget.tick()
    assert held.size


# The peak since exec: ru_maxrss would count the process that forked it.
_PEAK = """
import sys
import numpy as np
from edgeq.onnxio.samples import InputSpec, Samples
from edgeq.data.facts import facts_of
samples = Samples.open(sys.argv[1], [InputSpec("x", (1, 1 << 16), np.dtype(np.float32))])
facts_of(samples)
for sample in samples:
    pass
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, save: Callable[..., None]) -> None:
    peaks = []
    for count in (80, 640):
        x = np.broadcast_to(np.arange(1 << 16, dtype=np.float32) % 1013, (count, 1 << 16)).copy()
        x[:, 0] = np.arange(count)
        save(tmp_path / f"{count}.npz", x=x)
        command = [sys.executable, "-c", _PEAK, str(tmp_path / f"{count}.npz")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout))
    # The larger file has 147 MB more; KiB.
    assert peaks[1] - peaks[0] < 16_000


def test_a_legal_model_of_huge_tensors_is_refused_before_anything_is_made() -> None:
    size = 64 << 20
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["x"], ["y"])],
        "g",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 64, 1024, 1024])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 64, 1024, 1024])],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    read = read_model_bytes(model.SerializeToString())
    with Budget().active(), pytest.raises(EdgeqError, match="EQ0244") as caught:
        normalize(read)
    assert f"{size} elements" in str(caught.value)
    assert "--max-memory" in str(caught.value)
    with Budget(memory_bytes=8 << 30).active():
        normalize(read)


@pytest.mark.parametrize("verb", ["check", "compile", "quantize", "eval", "emulate", "verify", "profile", "stream"])
def test_every_command_that_reads_takes_a_budget(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([verb, "--help"]) == 0
    said = capsys.readouterr().out
    assert {"--max-memory", "--max-seconds", "--max-read"} <= set(said.split())
    assert ("--accept-data" in said) == (verb in {"compile", "quantize", "eval"})


def test_a_budget_on_the_command_line_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str], example: Any) -> None:
    command = ["quantize", str(example.model), "--data", str(example.calibration), "-o", str(tmp_path / "q.onnx"), "-q"]
    for option, value, code in (
        ("--max-seconds", "0.000001", "EQ0245"),
        ("--max-read", "1000", "EQ0246"),
        ("--max-memory", "100K", "EQ0244"),
    ):
        assert run([*command, option, value]) == 3
        assert code in capsys.readouterr().err
    assert run([*command, "--max-memory", "many"]) == 2


def _set(*path: Any) -> Callable[[Any], None]:
    *keys, last, value = path

    def change(document: Any) -> None:
        for key in keys:
            document = document[key]
        document[last] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        _set("tensors", 0, "source", "permutation", 0, None),
        _set("tensors", 0, "source", "permutation", [0, 0, 0, 0]),
        _set("tensors", 0, "source", "shape", [7]),
        _set("tensors", 0, "quant", "scale", [0]),
        _set("tensors", 0, "dtype", "int9"),
        _set("tensors", 0, "shape", [-1]),
        _set("nodes", 0, "op", "nonsense"),
        _set("nodes", 0, "attrs", {}),
        _set("nodes", 0, "attrs", {"strides": [1.5]}),
        _set("nodes", 0, "inputs", ["nothing"]),
        _set("nodes", []),
        _set("inputs", 3),
        _set("outputs", ["nothing"]),
        _set("states", [["a", "b", "c"]]),
    ],
)
def test_a_graph_that_breaks_a_rule_is_refused(
    tmp_path: Path, compiled_example: Any, change: Callable[[Any], None]
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(compiled_example("native"), folder)
    document = json.loads((folder / "graph.json").read_text("utf-8"))
    change(document)
    (folder / "graph.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(EdgeqError, match="EQ0247"):
        _ = Compiled.open(folder).graph
    seal(folder)
    with pytest.raises(EdgeqError, match="EQ0240"):
        _ = Compiled.open(folder).graph
