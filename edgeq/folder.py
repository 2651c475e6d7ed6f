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

from edgeq.backends.table import entries_of
from edgeq.errors import EdgeqError
from edgeq.files import DAMAGE, below, read_json, reason_of
from edgeq.ir import Graph
from edgeq.ir.serialize import load_graph
from edgeq.ir.verify import verify_graph
from edgeq.manifest import Manifest, Step, calls_of, read_manifest
from edgeq.ops import infer
from edgeq.runners.base import ImageSpec, RowsSpec
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

BOARD = "board.json"
GRAPH_JSON = "graph.json"
GRAPH_NPZ = "graph.npz"
QDQ_MODEL = "model.qdq.onnx"
FLOAT_MODEL = "float.onnx"
_BROKEN: Final[tuple[type[Exception], ...]] = (*DAMAGE, EdgeqError)


@dataclass(frozen=True)
class Compiled:
    """A folder that ``edgeq compile`` wrote.

    Attributes:
        path: the folder.
        manifest: what it holds.
    """

    path: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: Path) -> Compiled:
        """Read a compiled folder.

        Raises:
            EdgeqError: EQ0104 where it is none, or its manifest was edited; EQ0105 where another version wrote it;
                EQ0125 where it names files outside of itself.
        """
        recover_missing(path)
        try:
            document = read_json(path / MANIFEST)
            schema = document["schema"]
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
        if schema != SCHEMA or "name" not in document:
            raise _not_compiled(path, f"{MANIFEST} is another program's")
        if not is_unedited(document):
            raise _not_compiled(path, f"{MANIFEST} was edited or is damaged")
        try:
            manifest = read_manifest(document)
        except DAMAGE as error:
            raise _not_compiled(path, f"{MANIFEST}: {reason_of(error)}") from error
        for kind, name in manifest.images.items():
            _check_image_path(path, kind, name)
        return cls(path, manifest)

    @property
    def name(self) -> str:
        """Prefix of the C symbols."""
        return self.manifest.name

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

    def graph_of(self, backend: str) -> Graph:
        """The integer graph that a backend's files compute: another one where the backend has an arithmetic of its own.

        Args:
            backend: one of those that were emitted.
        """
        if self.manifest.programs[backend].arithmetic == self.manifest.options.mode:
            return self.graph
        return self._graphs[backend]

    @cached_property
    def _graphs(self) -> dict[str, Graph]:
        """By backend that has one, its own graph."""
        return {
            entry.name: self._load_graph(entry.folder)
            for entry in entries_of(self.manifest.backends)
            if self.manifest.programs[entry.name].arithmetic != self.manifest.options.mode
        }

    def spec_of(
        self, backend: str, image: str, steps_image: str | None = None, rows_image: str | None = None
    ) -> ImageSpec:
        """What a runner must know of an image.

        Args:
            backend: whose program it is.
            image: its kind in the manifest.
            steps_image: the kind of the file that gives every step's results, where that is another one.
            rows_image: the kind of the file that also gives the rows inside steps that run in bands.
        """
        program, emulator = self.manifest.programs[backend], self.board.emulator
        rows = tuple(self._rows(step, backend) for step in program.steps)
        return ImageSpec(
            name=self.name,
            inputs=tuple(place.spec for place in program.inputs),
            outputs=tuple(place.spec for place in program.outputs),
            steps=tuple(tuple(place.spec for place in step.results) for step in program.steps),
            image=self.image(image),
            steps_image=self.image(steps_image) if steps_image is not None else None,
            rows=rows,
            rows_image=self.image(rows_image) if rows_image is not None and any(rows) else None,
            machine=emulator.machine if emulator else None,
            machine_args=emulator.args if emulator else (),
            user_mode=emulator is not None and emulator.machine is None,
            macs=program.macs,
        )

    def _rows(self, step: Step, backend: str) -> tuple[RowsSpec, ...]:
        """What the calls of a step give that runs in bands, in the order of its calls.

        Raises:
            EdgeqError: EQ0104, the integer graph has other tensors.
        """
        if not step.bands:
            return ()
        try:
            return calls_of(step.bands, self.graph_of(backend).tensors)
        except ValueError as error:
            raise _not_compiled(self.path, f"{MANIFEST}: {reason_of(error)}") from error

    def image(self, kind: str) -> Path | None:
        """The image or module of a kind, which need not exist any more; None where none was made."""
        name = self.manifest.images.get(kind)
        return self.path / name if name is not None else None

    def qdq_model(self) -> onnx_ir.Model:
        """The quantized ONNX model."""
        from edgeq.onnxio import read_model

        return read_model(self._own(QDQ_MODEL), keep_own=True)

    @cached_property
    def onnx_types(self) -> dict[str, np.dtype[Any]]:
        """The element types that the quantized ONNX model declares for its inputs and outputs, by name."""
        graph = self.qdq_model().graph
        values = (*graph.inputs, *graph.outputs)
        return {str(value.name): value.dtype.numpy() for value in values if value.dtype is not None}

    def float_model(self) -> onnx_ir.Model | None:
        """The normalized float model, or None where a quantized model was compiled."""
        from edgeq.onnxio import read_model

        return None if self.is_imported else read_model(self._own(FLOAT_MODEL), keep_own=True)

    def _own(self, name: str) -> Path:
        """A file of the folder, as it was written.

        Raises:
            EdgeqError: EQ0247.
        """
        if not is_as_written(self.path, self.manifest.files, name):
            raise EdgeqError(
                "EQ0247",
                "a file of the compiled folder is missing, damaged or edited",
                where=str(self.path / name),
                allowed="the file that compile wrote",
                hint="compile the model again",
            )
        return self.path / name

    def _load_graph(self, folder: str) -> Graph:
        """A graph that keeps every rule of integer graphs, whoever wrote it.

        Raises:
            EdgeqError: EQ0240, EQ0247.
        """
        path = self._own(below(folder, GRAPH_JSON))
        graph = load_graph(path, self._own(below(folder, GRAPH_NPZ)))
        try:
            verify_graph(graph, infer, after="reading")
        except _BROKEN as error:
            reason = error.problems[0].got if isinstance(error, EdgeqError) else reason_of(error)
            raise EdgeqError(
                "EQ0240",
                "the integer graph of this folder is not valid",
                where=str(path),
                got=reason,
                hint="compile the model again",
            ) from error
        return graph


def _not_compiled(path: Path, got: str) -> EdgeqError:
    hint = "compile a model into it: edgeq compile MODEL --data CALIB.npz --board BOARD -o DIR"
    return EdgeqError("EQ0104", "this is not a folder that edgeq compiled", where=str(path), got=got, hint=hint)


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
