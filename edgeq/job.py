"""One compilation: what the user chose, what the stages hand on to each other, and what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeq.backends.base import Aim, ChainChoice, EmitRequest, Emitted
from edgeq.backends.placement import memories_of
from edgeq.backends.table import entries_of
from edgeq.errors import EdgeqError, Problem
from edgeq.ir import Graph, State
from edgeq.manifest import Manifest
from edgeq.memory.planner import Planner
from edgeq.memory.solver import is_installed
from edgeq.numerics import DEFAULT_MODE
from edgeq.numerics.scaling import Mode
from edgeq.passes.removed_channels import RemovedChannels
from edgeq.sources import DataSource, ModelSource
from edgeq.target import Board

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.data import DataReport, Expectation
    from edgeq.firmware import Images
    from edgeq.frontend import Recovered
    from edgeq.quant import QuantizeOptions, Report

Progress = Callable[[str, float | None], None]


def silent(stage: str, done: float | None) -> None:
    """Progress that nobody watches."""
    del stage, done


@dataclass(frozen=True)
class CompileOptions:
    """What the user may choose.

    Attributes:
        board: name of the board.
        name: prefix of the C symbols.
        requantize: the arithmetic, a name in ``edgeq.numerics.scaling``.
        observer: name of the calibration observer.
        scheme: types of weights and activations, ``w8a8`` or ``w8a16``.
        int16: patterns of the names of further tensors that are int16.
        allow_float: patterns of the names of nodes that stay in software float.
        code_bytes: a budget for the code of kernels; None: by the share of the work.
        optimize: what counts most, one of ``arguments.OPTIMIZE``.
        arena_bytes: the most that the arena may take; None: what follows.
        planner: who may place tensors in the arena; None: the solver where it is installed.
        memory: names of memories of the board, and the most bytes that the arena may take of each.
        place: patterns of names of tensors, and the memory in which these shall lie.
        dims: sizes of named dynamic dimensions.
        backends: what to emit, sorted names of ``backends.table``.
        accept_data: severe doubts about the data are warnings.
        sources_only: make no images, and need no compiler.
        aligned_loads: code for memory that traps unaligned loads.
        require_optimized: no layer that matters may have a portable kernel only.
        calibration: a saved calibration to continue from.
        save_calibration: the file that receives the calibration.
        states: outputs that carry on inputs, by the model's names.
        recognize_states: take states by their names, too.
        features: a model whose results are the model's inputs.
        argmax: the output is the class, the index of the largest score.
        argmax_output: the output with the scores; None: the only one.
        kernel: patterns of names of nodes, and the kernels that these shall have; of several for a node the last.
        kernels: a file of further ones, which come first.
    """

    board: str
    name: str
    requantize: Mode = DEFAULT_MODE
    observer: str = "auto"
    scheme: str = "w8a8"
    int16: tuple[str, ...] = ()
    allow_float: tuple[str, ...] = ()
    code_bytes: int | None = None
    optimize: str = "balanced"
    arena_bytes: int | None = None
    planner: Planner | None = None
    memory: tuple[tuple[str, int], ...] = ()
    place: tuple[tuple[str, str], ...] = ()
    dims: Mapping[str, int] = field(default_factory=dict)
    backends: tuple[str, ...] = ("c",)
    accept_data: bool = False
    sources_only: bool = False
    aligned_loads: bool = False
    require_optimized: bool = False
    calibration: Path | None = None
    save_calibration: Path | None = None
    states: tuple[State, ...] = ()
    recognize_states: bool = True
    features: ModelSource | None = None
    argmax: bool = False
    argmax_output: str | None = None
    kernel: tuple[tuple[str, str], ...] = ()
    kernels: Path | None = None

    @property
    def aim(self) -> Aim:
        """What counts to the C backend: memory or speed."""
        if self.optimize == "ram" or self.arena_bytes is not None:
            return "ram"
        aims: Mapping[str, Aim] = {"speed": "speed", "size": "size"}
        return aims.get(self.optimize, "balanced")

    @property
    def chosen_planner(self) -> Planner:
        """Who may place tensors in the arena here."""
        return self.planner or ("solver" if is_installed() else "greedy")

    def check_backends(self) -> None:
        """Refuse what the C backend alone can do where it is not asked for.

        Raises:
            EdgeqError: EQ0187.
        """
        given = {
            "--optimize ram": self.optimize == "ram",
            "--arena-bytes": self.arena_bytes is not None,
            "--code-bytes": self.code_bytes is not None,
            "--kernel": self.kernel,
            "--kernels": self.kernels is not None,
            "--memory": self.memory,
            "--place": self.place,
        }
        idle = [name for name, value in given.items() if value]
        if idle and "c" not in self.backends:
            raise EdgeqError(
                "EQ0187",
                "the C backend, whose option this is, is not asked for",
                where="--backend",
                got=f"{','.join(self.backends)} with {', '.join(idle)}",
                allowed=f"c,{','.join(self.backends)}, or without these options",
            )

    @property
    def gcc_optimize(self) -> str:
        """gcc's ``-O`` flag."""
        return "-Os" if self.optimize == "size" else "-O2"

    @property
    def main(self) -> str:
        """The backend whose images are the folder's own."""
        return entries_of(self.backends)[0].name

    @property
    def wanted_kernels(self) -> tuple[tuple[str, str], ...]:
        """Those of the file and the others.

        Raises:
            EdgeqError: EQ0157 the file cannot be read.
        """
        from edgeq.backends.c.kernel_file import read_kernels

        return (*(read_kernels(self.kernels) if self.kernels is not None else ()), *self.kernel)

    @property
    def quantization(self) -> QuantizeOptions:
        """What the quantizer reads of it."""
        from edgeq.quant import QuantizeOptions

        return QuantizeOptions(observer=self.observer, mode=self.requantize, scheme=self.scheme, int16=self.int16)


@dataclass
class Product:
    """What one backend made of the model.

    Attributes:
        mode: the arithmetic.
        graph: the integer graph in it.
        removed: what layers of the graph have lost.
        emitted: the files.
        images: the board's images, once they are built.
    """

    mode: Mode
    graph: Graph
    removed: tuple[RemovedChannels, ...]
    emitted: Emitted
    images: Images | None = None


@dataclass
class Job:
    """One compilation on its way; each stage fills in what the next one reads.

    Attributes:
        source: the model that the user gave.
        calibration: the data that the user gave; None where there is none.
        options: the user's choices.
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
        removed: what its layers have lost.
        products: by backend.
        files: every image and module by kind, as a path below the folder.
        notes: notes and warnings for the user.
        manifest: the last stage's.
    """

    source: ModelSource
    calibration: DataSource | None
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
    quantization: Report | None = None
    graph: Graph | None = None
    removed: tuple[RemovedChannels, ...] = ()
    products: dict[str, Product] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    notes: list[Problem] = field(default_factory=list)
    manifest: Manifest | None = None

    def request_of(
        self, graph: Graph, board: Board | None = None, chains: tuple[ChainChoice, ...] | None = None
    ) -> EmitRequest:
        """What a backend is asked for: everything for the job's board, or for another one what an image needs.

        Args:
            graph: the integer graph.
            board: the other board; None: the job's.
            chains: for another one, which nodes run in bands for the job's.
        """
        from edgeq.onnxio.states import kept_outputs

        assert self.qdq_model is not None  # the stages before have set it
        return EmitRequest(
            graph,
            self.options.name,
            (board or self.board).target,
            tuple(str(value.name) for value in kept_outputs(self.qdq_model)),
            self.options.code_bytes,
            complete=board is None,
            modules=board is None and not self.options.sources_only,
            aim=self.options.aim,
            ram_bytes=self.board.ram_bytes,
            flash_bytes=self.board.flash_bytes,
            arena_bytes=self.options.arena_bytes,
            chains=chains,
            planner=self.options.chosen_planner,
            memories=None if board is not None else memories_of(self.board, self.options.memory, self.options.place),
            kernels=self.options.wanted_kernels if board is None else (),
        )


@dataclass(frozen=True)
class CompileResult:
    """A compiled folder.

    Attributes:
        folder: where it is.
        manifest: what it holds.
        quantization: the quantizer's report; None where a quantized model was compiled.
        data: what the data file holds; None without one.
        notes: notes and warnings.
    """

    folder: Path
    manifest: Manifest
    quantization: Report | None
    data: DataReport | None
    notes: tuple[Problem, ...]

    def to_json(self) -> dict[str, Any]:
        """The document of ``edgeq compile``: the figures that machines ask for first."""
        manifest, program, report = self.manifest, self.manifest.program, self.quantization
        tflite = manifest.programs.get("tflite")
        return {
            "folder": str(self.folder),
            "board": manifest.board,
            "name": manifest.name,
            "backends": list(manifest.backends),
            "ram_bytes": program.arena_bytes,
            "state_bytes": program.state_bytes,
            "stack_bytes": program.stack_bytes,
            "flash_code_bytes": program.sizes.flash_code_bytes if program.sizes else None,
            "flash_weight_bytes": program.sizes.flash_weight_bytes if program.sizes else None,
            "macs": program.macs,
            "removed_channels": [layer.to_json() for layer in program.removed],
            "float_nodes": list(manifest.float_nodes),
            "steps": len(program.steps),
            "images": dict(manifest.images),
            "tflite_bytes": tflite.file_bytes if tflite is not None else None,
            "bundle_sha256": program.bundle_sha256,
            "object_sha256": program.object_sha256,
            "observer": report.observer if report is not None else None,
            "sqnr_db": report.sqnr_db if report is not None else None,
            "worst_layers": report.worst_layers if report is not None else [],
            "data": self.data.to_json() if self.data is not None else None,
            "notes": [note.to_json() for note in self.notes],
        }


@dataclass(frozen=True)
class QuantizeResult:
    """A quantized model.

    Attributes:
        model: in canonical QDQ form.
        report: what the quantizer chose, and on what grounds.
        data: what the calibration data holds.
        notes: notes and warnings.
        float_nodes: the nodes that stay in software float.
    """

    model: onnx_ir.Model
    report: Report
    data: DataReport
    notes: tuple[Problem, ...]
    float_nodes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The fields of the document of ``edgeq quantize``, which also names the file."""
        return {
            **self.report.to_json(),
            "data": self.data.to_json(),
            "float_nodes": list(self.float_nodes),
            "notes": [note.to_json() for note in self.notes],
        }
