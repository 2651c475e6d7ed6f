"""The compiled folder: how it is replaced whole, and how commands read it back.

``compile`` fills a fresh folder beside the old one and swaps them at the end, so a failure or a Ctrl-C leaves the old
one whole. Commands on a folder read nothing but the folder.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeq.errors import EdgeqError
from edgeq.files import DAMAGE, read_json, reason_of
from edgeq.ir import Graph
from edgeq.ir.serialize import load_graph
from edgeq.target import Board, load_saved_board

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.runners.base import ImageSpec, TensorSpec

MANIFEST = "manifest.json"
BOARD = "board.json"
GRAPH_JSON = "graph.json"
GRAPH_NPZ = "graph.npz"
QDQ_MODEL = "model.qdq.onnx"
FLOAT_MODEL = "float.onnx"
TFLITE_FOLDER = "tflite"
SCHEMA = 2


@dataclass(frozen=True)
class Compiled:
    """A folder that ``edgeq compile`` wrote.

    Attributes:
        path: the folder.
        manifest: the contents of manifest.json.
    """

    path: Path
    manifest: dict[str, Any]

    @classmethod
    def open(cls, path: Path) -> Compiled:
        """Read a compiled folder.

        Raises:
            EdgeqError: EQ0104 where it is none, EQ0105 where another version wrote it.
        """
        hint = "compile a model into it: edgeq compile MODEL --data CALIB.npz --board BOARD -o DIR"
        try:
            manifest = read_json(path / MANIFEST)
            schema = manifest["schema"]
        except DAMAGE as error:
            raise EdgeqError(
                "EQ0104", "this is not a folder that edgeq compiled", where=str(path), got=reason_of(error), hint=hint
            ) from error
        if schema != SCHEMA:
            raise EdgeqError(
                "EQ0105",
                "the folder was compiled by another version of edgeq",
                where=str(path),
                got=f"schema {schema}",
                allowed=f"schema {SCHEMA}",
                hint="compile the model again",
            )
        return cls(path, manifest)

    @property
    def name(self) -> str:
        """Prefix of the C symbols."""
        return str(self.manifest["name"])

    @property
    def is_imported(self) -> bool:
        """Whether a quantized model was compiled: the folder holds no float model."""
        return not (self.path / FLOAT_MODEL).is_file()

    @cached_property
    def board(self) -> Board:
        """The board that the folder was compiled for, as it was then."""
        return load_saved_board(self.path / BOARD)

    @cached_property
    def graph(self) -> Graph:
        """The integer graph."""
        return load_graph(self.path / GRAPH_JSON, self.path / GRAPH_NPZ)

    @cached_property
    def tflite_graph(self) -> Graph:
        """The integer graph in TFLite's arithmetic, which a .tflite file means whatever mode the folder has."""
        below = self.path / TFLITE_FOLDER
        return load_graph(below / GRAPH_JSON, below / GRAPH_NPZ) if (below / GRAPH_JSON).is_file() else self.graph

    @property
    def spec(self) -> ImageSpec:
        """What runners must know of the images."""
        from edgeq.runners.base import ImageSpec

        images: dict[str, str] = self.manifest["images"]
        emulator = self.board.emulator

        def image(kind: str) -> Path | None:
            return self.path / images[kind] if kind in images else None

        return ImageSpec(
            name=self.name,
            inputs=tuple(_tensor(entry) for entry in self.manifest["inputs"]),
            outputs=tuple(_tensor(entry) for entry in self.manifest["outputs"]),
            steps=tuple(tuple(_tensor(entry) for entry in step["results"]) for step in self.manifest["steps"]),
            native=image("native"),
            emulated=image("emulated"),
            user_mode=emulator is not None and emulator.machine is None,
            tvm=image("tvm"),
            tvm_debug=image("tvm-debug"),
            tvm_emulated=image("tvm-emulated"),
            tflite=image("tflite"),
            machine=emulator.machine if emulator else None,
            machine_args=emulator.args if emulator else (),
            macs=sum(step["macs"] for step in self.manifest["steps"]),
        )

    def qdq_model(self) -> onnx_ir.Model:
        """The quantized ONNX model."""
        from edgeq.onnxio import read_model

        return read_model(self.path / QDQ_MODEL)

    def float_model(self) -> onnx_ir.Model | None:
        """The normalized float model, or None where a quantized model was compiled."""
        from edgeq.onnxio import read_model

        path = self.path / FLOAT_MODEL
        return read_model(path) if path.is_file() else None


def _tensor(entry: dict[str, Any]) -> TensorSpec:
    from edgeq.runners.base import TensorSpec

    return TensorSpec(entry["tensor"], entry["dtype"], tuple(entry["shape"]))


@contextmanager
def replace_folder(out: Path) -> Iterator[Path]:
    """A fresh folder to fill; on success it takes the place of ``out``, on any failure ``out`` stays as it was.

    Raises:
        EdgeqError: EQ0103 where ``out`` holds something that edgeq did not write, or cannot be created.
    """
    check_replaceable(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".part", dir=out.parent))
    except OSError as error:
        raise EdgeqError(
            "EQ0103", "the output folder cannot be created", where=str(out), got=str(error), hint="choose another -o"
        ) from error
    try:
        yield fresh
        # mkdtemp gives 0700; the result gets the usual permissions.
        mask = os.umask(0)
        os.umask(mask)
        fresh.chmod(0o777 & ~mask)
        old = fresh.with_suffix(".old")
        if out.exists():
            out.rename(old)
        fresh.rename(out)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def check_replaceable(out: Path) -> None:
    """Refuse to replace anything but a compiled folder or an empty one.

    Raises:
        EdgeqError: EQ0103.
    """
    if not out.exists() and not out.is_symlink():
        return
    if out.is_dir() and not out.is_symlink() and ((out / MANIFEST).is_file() or not any(out.iterdir())):
        return
    raise EdgeqError(
        "EQ0103",
        "the output folder holds something that edgeq did not write",
        where=str(out),
        allowed="a folder that does not exist, is empty, or was compiled by edgeq",
        hint="choose another -o, or move what is there",
    )
