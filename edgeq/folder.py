"""The compiled folder: how it is replaced whole, and how commands read it back.

``compile`` fills a fresh folder beside the old one and exchanges them at the end (:mod:`edgeq.writing.replace`), so a
failure or a Ctrl-C leaves the old one whole. Commands on a folder read nothing but the folder.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from edgeq.backends.names import check_model_name
from edgeq.errors import EdgeqError
from edgeq.files import DAMAGE, read_json, reason_of
from edgeq.ir import Graph
from edgeq.ir.serialize import load_graph
from edgeq.ir.verify import verify_graph
from edgeq.json_shape import check_shape, mapping_of, natural, positive
from edgeq.ops import infer
from edgeq.target import Board, load_saved_board
from edgeq.writing import (
    MANIFEST,
    SCHEMA,
    check_replaceable,
    is_as_written,
    is_unedited,
    recover_missing,
    replace_folder,
)

__all__ = ["MANIFEST", "SCHEMA", "Compiled", "check_replaceable", "replace_folder"]

if TYPE_CHECKING:
    import numpy as np
    import onnx_ir

    from edgeq.runners.base import ImageSpec, TensorSpec

BOARD = "board.json"
GRAPH_JSON = "graph.json"
GRAPH_NPZ = "graph.npz"
QDQ_MODEL = "model.qdq.onnx"
FLOAT_MODEL = "float.onnx"
TFLITE_FOLDER = "tflite"
_BROKEN: Final[tuple[type[Exception], ...]] = (*DAMAGE, EdgeqError)
_MAX_RANK: Final = 16
_MAX_TENSOR_BYTES: Final = 1 << 32
_TENSOR: Final = {"tensor": str, "dtype": str, "shape": [natural], "offset": (natural, None), "bytes": natural}
_ENDPOINT: Final = _TENSOR | {"name": str, "scale": positive, "zero_point": int}
_STEP: Final = {
    "name": str,
    "op": str,
    "kernel": (str, None),
    "refused": mapping_of(str),
    "macs": natural,
    "scratch_bytes": natural,
    "source": [str],
    "results": [_TENSOR],
}
_PROGRAM: Final = {
    "steps": [_STEP],
    "arena_bytes": (natural, None),
    "stack_bytes": (natural, None),
    "sizes": (mapping_of((natural, None)), None),
}
_MANIFEST: Final = _PROGRAM | {
    "name": str,
    "board": str,
    "target": str,
    "backends": [str],
    "options": {"mode": ("highmul", "tflite").__contains__, "dims": mapping_of(natural)},
    "inputs": [_ENDPOINT],
    "outputs": [_ENDPOINT],
    "images": mapping_of(str),
    "tvm": (_PROGRAM, None),
    "tflite": ({"bytes": natural}, None),
}


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
            EdgeqError: EQ0104 where it is none, or its manifest was edited; EQ0105 where another version wrote it;
                EQ0125 where it names files outside of itself.
        """
        recover_missing(path)
        try:
            manifest = read_json(path / MANIFEST)
            schema = manifest["schema"]
        except DAMAGE as error:
            raise _not_compiled(path, reason_of(error)) from error
        # The first versions counted.
        if schema != SCHEMA and (isinstance(schema, int) or str(schema).startswith(SCHEMA.rpartition("/")[0])):
            raise EdgeqError(
                "EQ0105",
                "the folder was compiled by another version of edgeq",
                where=str(path),
                got=f"schema {schema}",
                allowed=f"schema {SCHEMA}",
                hint="compile the model again",
            )
        if schema != SCHEMA or "name" not in manifest:
            raise _not_compiled(path, f"{MANIFEST} is another program's")
        if not is_unedited(manifest):
            raise _not_compiled(path, f"{MANIFEST} was edited or is damaged")
        try:
            _check_manifest(manifest)
        except DAMAGE as error:
            raise _not_compiled(path, f"{MANIFEST}: {reason_of(error)}") from error
        for kind, name in manifest["images"].items():
            _check_image_path(path, kind, name)
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
        return load_saved_board(self._own(BOARD))

    @cached_property
    def graph(self) -> Graph:
        """The integer graph."""
        return self._load_graph("")

    @cached_property
    def tflite_graph(self) -> Graph:
        """The integer graph in TFLite's arithmetic, which a .tflite file means whatever mode the folder has."""
        below = f"{TFLITE_FOLDER}/"
        return self._load_graph(below) if (self.path / below / GRAPH_JSON).is_file() else self.graph

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

        return read_model(self._own(QDQ_MODEL))

    @cached_property
    def onnx_types(self) -> dict[str, np.dtype[Any]]:
        """The element types that the quantized ONNX model declares for its inputs and outputs, by name."""
        graph = self.qdq_model().graph
        values = (*graph.inputs, *graph.outputs)
        return {str(value.name): value.dtype.numpy() for value in values if value.dtype is not None}

    def float_model(self) -> onnx_ir.Model | None:
        """The normalized float model, or None where a quantized model was compiled."""
        from edgeq.onnxio import read_model

        return None if self.is_imported else read_model(self._own(FLOAT_MODEL))

    def _own(self, name: str) -> Path:
        """A file of the folder, as it was written.

        Raises:
            EdgeqError: EQ0247.
        """
        if not is_as_written(self.path, self.manifest, name):
            raise EdgeqError(
                "EQ0247",
                "a file of the compiled folder is missing, damaged or edited",
                where=str(self.path / name),
                allowed="the file that compile wrote",
                hint="compile the model again",
            )
        return self.path / name

    def _load_graph(self, below: str) -> Graph:
        """A graph that keeps every rule of integer graphs, whoever wrote it.

        Raises:
            EdgeqError: EQ0240, EQ0247.
        """
        graph = load_graph(self._own(f"{below}{GRAPH_JSON}"), self._own(f"{below}{GRAPH_NPZ}"))
        try:
            verify_graph(graph, infer, after="reading")
        except _BROKEN as error:
            reason = error.problems[0].got if isinstance(error, EdgeqError) else reason_of(error)
            raise EdgeqError(
                "EQ0240",
                "the integer graph of this folder is not valid",
                where=str(self.path / below / GRAPH_JSON),
                got=reason,
                hint="compile the model again",
            ) from error
        return graph


def _tensor(entry: dict[str, Any]) -> TensorSpec:
    from edgeq.runners.base import TensorSpec

    return TensorSpec(entry["tensor"], entry["dtype"], tuple(entry["shape"]))


def _not_compiled(path: Path, got: str) -> EdgeqError:
    hint = "compile a model into it: edgeq compile MODEL --data CALIB.npz --board BOARD -o DIR"
    return EdgeqError("EQ0104", "this is not a folder that edgeq compiled", where=str(path), got=got, hint=hint)


def _check_manifest(manifest: dict[str, Any]) -> None:
    """Check what names files and symbols, and what sizes arrays are cut to; the folder may come from anywhere.

    Raises:
        EdgeqError: EQ0102 the model's name is none.
        LookupError: a key is missing.
        TypeError: a value has another type.
        ValueError: a value is out of range.
    """
    check_shape(manifest, _MANIFEST)
    check_model_name(manifest["name"])
    steps = manifest["steps"]
    entries = [*manifest["inputs"], *manifest["outputs"], *(entry for step in steps for entry in step["results"])]
    for entry in entries:
        tensor = _tensor(entry)
        if tensor.numpy_dtype.kind not in "biuf":
            raise ValueError("a tensor has no number type")
        if len(tensor.shape) > _MAX_RANK or not all(type(extent) is int and extent >= 0 for extent in tensor.shape):
            raise ValueError("a tensor has no shape")
        if tensor.nbytes > _MAX_TENSOR_BYTES:
            raise ValueError("a tensor is larger than any memory of a microcontroller")


def _check_image_path(folder: Path, kind: str, name: str) -> None:
    """Refuse a path that leads out of the folder, as it is written or through links.

    Raises:
        EdgeqError: EQ0125.
    """
    top = Path(os.path.realpath(folder))
    written = PurePosixPath(name)
    plain = name and not written.is_absolute() and ".." not in written.parts and "\0" not in name
    if not plain or top not in Path(os.path.realpath(folder / name)).parents:
        raise EdgeqError(
            "EQ0125",
            "the compiled folder names a file outside of itself",
            where=f"{folder / MANIFEST}: images.{kind}",
            got=name,
            allowed="a path below the folder",
            hint="where does this folder come from? Compile the model again",
        )
