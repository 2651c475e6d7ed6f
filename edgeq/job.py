"""One compilation: what the user chose, and what the stages hand on to each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edgeq.errors import Problem
from edgeq.ir import Graph
from edgeq.lowering import Mode
from edgeq.target import Board

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.backends.c import Specialize
    from edgeq.backends.program import Program
    from edgeq.data import DataReport, Expectation
    from edgeq.firmware import Images
    from edgeq.frontend import Recovered

Progress = Callable[[str, float | None], None]

# Where everything of TVM lies in the folder.
TVM_FOLDER: Final = "tvm"


@dataclass(frozen=True)
class CompileOptions:
    """What the user may choose.

    Attributes:
        board: name of the board.
        name: prefix of the C symbols.
        mode: rounding of requantization.
        observer: name of the calibration observer.
        specialize: which steps get an instance of their kernel.
        optimize: gcc's ``-O`` flag.
        dims: sizes of named dynamic dimensions.
        backends: what to emit, sorted names of ``backends.table``.
        accept_data: severe doubts about the data are warnings.
        sources_only: make no images, and need no compiler.
        aligned_loads: code for memory that traps unaligned loads.
    """

    board: str
    name: str
    mode: Mode = "highmul"
    observer: str = "auto"
    specialize: Specialize = "hot"
    optimize: str = "-O2"
    dims: Mapping[str, int] = field(default_factory=dict)
    backends: tuple[str, ...] = ("c",)
    accept_data: bool = False
    sources_only: bool = False
    aligned_loads: bool = False


@dataclass
class Job:
    """One compilation on its way; each stage fills in what the next one reads.

    Attributes:
        model_path: what the user gave.
        data_path: likewise.
        options: likewise.
        board: as its file describes it.
        folder: receives the results.
        blind: sizes are wanted, no firmware: a float model needs no calibration data and gets meaningless scales.
        progress: called with a stage's name and its share done (None where unknown).
        expected: what the float model said of its inputs before it was normalized.
        data: what the data file holds.
        float_model: the normalized model, where a float one was given.
        partly_quantized: what a foreign model says of its scales, where it leaves some unsaid.
        qdq_model: the canonical quantized model.
        quantization: the quantizer's report.
        graph: the integer graph.
        programs: by backend, C files that firmware can build.
        images: by backend, the board's images.
        files: every image and module by kind, as a path below the folder.
        notes: notes and warnings for the user.
        manifest: the last stage's.
    """

    model_path: Path
    data_path: Path | None
    options: CompileOptions
    board: Board
    folder: Path
    progress: Progress
    blind: bool = False
    expected: Expectation | None = None
    data: DataReport | None = None
    float_model: onnx_ir.Model | None = None
    partly_quantized: Recovered | None = None
    qdq_model: onnx_ir.Model | None = None
    quantization: dict[str, Any] | None = None
    graph: Graph | None = None
    programs: dict[str, Program] = field(default_factory=dict)
    images: dict[str, Images] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    notes: list[Problem] = field(default_factory=list)
    manifest: dict[str, Any] = field(default_factory=dict)

    @property
    def main(self) -> str | None:
        """The backend whose images are the folder's own: C where it was asked for, else TVM; TFLite has none."""
        return next((name for name in ("c", "tvm") if name in self.programs), None)
