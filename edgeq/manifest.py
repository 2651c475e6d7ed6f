"""The manifest of a compiled folder: what it holds, of what it was made, how large it is and how to run it.

``manifest.json`` is written from these types and read into them and by nothing else; the annotations are its schema. It
holds no times and no paths outside of the folder: the same for the same inputs. Bytes are bytes of memory or of files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Final, cast

import numpy as np

from edgeq.backends.constants import Blob
from edgeq.backends.names import check_model_name
from edgeq.firmware.facts import Sizes
from edgeq.ir import DType, Quantization, Tensor
from edgeq.json_shape import Natural, Positive, read_as
from edgeq.memory.planner import PLANNERS
from edgeq.memory.rows import row_axis
from edgeq.notes import note
from edgeq.numerics.scaling import MODES, Mode
from edgeq.passes.removed_channels import RemovedChannels
from edgeq.runners.base import RowsSpec, TensorSpec
from edgeq.writing import SCHEMA

_TOLD: Final = 8
_MAX_RANK: Final = 16
_MAX_TENSOR_BYTES: Final = 1 << 32


@dataclass(frozen=True)
class Place:
    """A tensor of the integer graph, and where a program keeps it.

    Attributes:
        tensor: its name.
        dtype: its element type, as numpy names it; ``bool`` is a byte that holds 0 or 1.
        shape: its extents, channels last.
        bytes: its size.
        offset: in the arena; None where the program has none.
    """

    tensor: str
    dtype: str
    shape: tuple[Natural, ...]
    bytes: Natural
    offset: Natural | None

    @property
    def spec(self) -> TensorSpec:
        """The tensor, as runners exchange it."""
        return TensorSpec(self.tensor, DType(self.dtype).numpy.name, self.shape)


@dataclass(frozen=True)
class Endpoint:
    """An input or output of the model.

    Attributes:
        name: in ONNX.
        dtype: of its integers, as numpy names it; ``bool`` is a byte that holds 0 or 1.
        shape: its extents, in ONNX's order.
        scale: real = scale * (integer - zero_point); None: the integers are what the model has, too.
        zero_point: likewise.
    """

    name: str
    dtype: str
    shape: tuple[Natural, ...]
    scale: Positive | None
    zero_point: int | None

    @property
    def quantization(self) -> Quantization | None:
        """The parameters of its integers; None where they stand for themselves."""
        if self.scale is None or self.zero_point is None:
            return None
        return Quantization.per_tensor(DType(self.dtype), self.scale, self.zero_point)


@dataclass(frozen=True)
class StateValue:
    """A value that is kept from one run to the next.

    Attributes:
        input: name in ONNX of the input that reads it.
        output: of the output that the next run reads.
        dtype: of its integers, as numpy names it.
        shape: its extents, as the integer graph has them.
        scale: real = scale * (integer - zero_point); None: the integers are what the model has, too.
        zero_point: likewise; what a reset sets, 0 where it is None.
        rows: first and end of the rows that it holds of ONNX's, along the first axis; None: all.
    """

    input: str
    output: str
    dtype: str
    shape: tuple[Natural, ...]
    scale: Positive | None
    zero_point: int | None
    rows: tuple[Natural, Natural] | None = None


@dataclass(frozen=True)
class RowBands:
    """The rows of a tensor that each band of a step gives, which runs several nodes in bands of rows.

    Attributes:
        tensor: its name.
        first: by band, the first row.
        end: by band, the row behind the last one; equal to ``first`` where the band gives none.
    """

    tensor: str
    first: tuple[Natural, ...]
    end: tuple[Natural, ...]


def calls_of(bands: Sequence[RowBands], tensors: Mapping[str, Tensor]) -> tuple[RowsSpec, ...]:
    """The rows that each call of a step gives, in the order of the calls: band by band, in each node by node.

    Args:
        bands: of the step.
        tensors: of the integer graph.

    Raises:
        ValueError: rows that a tensor does not have.
    """
    found: list[tuple[int, int, RowsSpec]] = []
    for number, each in enumerate(bands):
        tensor = tensors.get(each.tensor)
        if tensor is None or len(tensor.shape) <= (axis := row_axis(tensor.shape)):
            raise ValueError(f"there are no rows of {each.tensor}")
        spec = TensorSpec(tensor.name, tensor.dtype.numpy.name, tensor.shape)
        for band, (first, end) in enumerate(zip(each.first, each.end, strict=True)):
            if first > end or end > tensor.shape[axis]:
                raise ValueError(f"{each.tensor} has no rows {first} to {end}")
            if first < end:
                found.append((band, number, RowsSpec(spec, axis, band, first, end)))
    return tuple(rows for _, _, rows in sorted(found, key=lambda each: each[:2]))


@dataclass(frozen=True)
class Step:
    """One step of a program.

    Attributes:
        name: of the node of the integer graph.
        op: the integer operator.
        kernel: what computes it; None where the backend has no kernels.
        refused: kernel → why it was not taken, for those tried before.
        macs: multiply-accumulates of one inference.
        scratch_bytes: memory that lives for this step only.
        source: the ONNX nodes that became it.
        results: what it computes.
        inner: of several nodes in one step, the tensors between them, which never lie in memory as a whole.
        bands: of such a step, the rows that its nodes give, in their order: those of ``inner``, then the result.
        scratch_offset: where the scratch lies in the arena; None where there is none.
    """

    name: str
    op: str
    kernel: str | None
    refused: Mapping[str, str]
    macs: Natural
    scratch_bytes: Natural
    source: tuple[str, ...]
    results: tuple[Place, ...]
    inner: tuple[str, ...] = ()
    bands: tuple[RowBands, ...] = ()
    scratch_offset: Natural | None = None

    @property
    def label(self) -> str:
        """The ONNX nodes that became it, or its own name."""
        return ", ".join(self.source) or self.name


@dataclass(frozen=True)
class Part:
    """A part of the arena in a further memory of the board.

    Attributes:
        memory: its name.
        offset: of the part among all of the arena, whose first bytes are in the RAM.
        bytes: its size.
    """

    memory: str
    offset: Natural
    bytes: Natural


@dataclass(frozen=True)
class Planning:
    """Who placed tensors in the arena.

    Attributes:
        planner: ``greedy``: first fit; ``solver``: the solver found a smaller arena.
        solver: name and version of the solver that was asked; None where first fit was known to be best, or by choice.
        is_smallest: no arena for these steps is smaller.
        gap_bytes: how far the arena is above what no plan can beat.
    """

    planner: Annotated[str, PLANNERS.__contains__]
    solver: str | None
    is_smallest: bool
    gap_bytes: Natural


@dataclass(frozen=True)
class Program:
    """What one backend made of the model.

    Attributes:
        arithmetic: how requantization rounds.
        inputs: the model's inputs in the arena.
        outputs: the model's outputs.
        steps: in schedule order.
        removed: what layers have lost of their channels.
        weights: where each array of constants lies among them in edgeq's own images, by offset.
        arena_bytes: RAM for everything that changes, states included; None where the backend plans no memory.
        state_bytes: those at its start that are kept from one run to the next; likewise.
        arena_bound_bytes: a lower bound on the arena of any plan; likewise.
        stack_bytes: at most, with one exception frame; None where no compiler has measured it.
        sizes: of the board's image; None where there is none.
        bundle_sha256: of the generated files.
        object_sha256: of the objects that all images share.
        compiler: name and version.
        file_bytes: size of the backend's own file, where it writes one instead of C.
        planning: who placed tensors in the arena; None where the backend plans no memory.
        parts: of the arena, in other memories than the RAM.
    """

    arithmetic: Mode
    inputs: tuple[Place, ...]
    outputs: tuple[Place, ...]
    steps: tuple[Step, ...]
    removed: tuple[RemovedChannels, ...]
    weights: tuple[Blob, ...]
    arena_bytes: Natural | None
    state_bytes: Natural | None
    arena_bound_bytes: Natural | None
    stack_bytes: Natural | None
    sizes: Sizes | None
    bundle_sha256: str | None
    object_sha256: str | None
    compiler: str | None
    file_bytes: Natural | None
    planning: Planning | None = None
    parts: tuple[Part, ...] = ()

    @property
    def ram_arena_bytes(self) -> int | None:
        """The bytes of the arena that are in the RAM; None where the backend plans no memory."""
        return None if self.arena_bytes is None else self.arena_bytes - sum(part.bytes for part in self.parts)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(step.macs for step in self.steps)


@dataclass(frozen=True)
class Options:
    """What the user chose, or what was chosen by default; see :class:`edgeq.job.CompileOptions`.

    ``observer`` and ``scheme`` are None where nothing was calibrated. ``kernels`` are those asked for, by node name.
    """

    mode: Annotated[Mode, MODES.__contains__]
    observer: str | None
    scheme: str | None
    int16: tuple[str, ...]
    allow_float: tuple[str, ...]
    code_bytes: Natural | None
    optimize: str
    arena_bytes: Natural | None
    aligned_loads: bool
    dims: Mapping[str, Natural]
    sources_only: bool
    argmax: bool
    argmax_output: str | None
    kernels: Mapping[str, str]
    planner: Annotated[str, PLANNERS.__contains__] = "greedy"
    memory: Mapping[str, Natural] = field(default_factory=dict)
    place: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sources:
    """SHA-256 of what was compiled; None where no data or no features were given."""

    model_sha256: str
    data_sha256: str | None
    features_sha256: str | None


def tell_of_float(nodes: Sequence[str]) -> None:
    """Note the ONNX nodes of a program that stay in software float, if there are any."""
    if nodes:
        more = len(nodes) - _TOLD
        note(
            "EQ0317",
            "nodes stay in software float, as --allow-float asked: they are slow, and all else is integer",
            got=f"{len(nodes)}: {', '.join(nodes[:_TOLD])}" + f" and {more} more" * (more > 0),
        )


@dataclass(frozen=True)
class Manifest:
    """A compiled folder.

    Attributes:
        edgeq: the version that wrote it.
        name: prefix of the C symbols.
        graph_sha256: of the integer graph with its constants.
        board: its name.
        target: the processor's name.
        backends: what was emitted, sorted.
        main: the backend whose images are the folder's own.
        options: the user's choices.
        sources: what was compiled.
        inputs: the model's inputs.
        outputs: the model's outputs.
        states: what it keeps from one run to the next.
        float_nodes: the ONNX nodes that stay in software float.
        images: every image and module by kind, as a path below the folder.
        programs: by backend.
        quantization: the quantizer's report, as :class:`edgeq.quant.Report` writes it; None where a quantized model was
            compiled.
        files: SHA-256 of every file of the folder; empty until the folder is complete.
    """

    edgeq: str
    name: str
    graph_sha256: str
    board: str
    target: str
    backends: tuple[str, ...]
    main: str
    options: Options
    sources: Sources
    inputs: tuple[Endpoint, ...]
    outputs: tuple[Endpoint, ...]
    states: tuple[StateValue, ...]
    float_nodes: tuple[str, ...]
    images: Mapping[str, str]
    programs: Mapping[str, Program]
    quantization: Mapping[str, Any] | None
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def program(self) -> Program:
        """The folder's own program."""
        return self.programs[self.main]

    def to_text(self) -> str:
        """The contents of ``manifest.json``, before the folder is complete."""
        return json.dumps({"schema": SCHEMA} | asdict(self), indent=1, sort_keys=True) + "\n"


def read_manifest(document: object) -> Manifest:
    """Read the contents of ``manifest.json``, which may come from anywhere.

    What names files and symbols, and what sizes arrays are cut to, is in range afterwards; whether images lie below the
    folder is for who knows the folder.

    Raises:
        EdgeqError: EQ0102 the model's name is none.
        TypeError: a value is missing or has another type.
        ValueError: a value is out of range.
    """
    manifest = cast(Manifest, read_as(Manifest, document))
    check_model_name(manifest.name)
    if set(manifest.programs) != set(manifest.backends) or manifest.main not in manifest.programs:
        raise ValueError("it lists other backends than programs")
    for program in manifest.programs.values():
        for place in (
            *program.inputs,
            *program.outputs,
            *(result for step in program.steps for result in step.results),
        ):
            _check_tensor(place.spec)
    for endpoint in (*manifest.inputs, *manifest.outputs):
        _check_tensor(TensorSpec(endpoint.name, DType(endpoint.dtype).numpy.name, endpoint.shape))
    return manifest


def _check_tensor(tensor: TensorSpec) -> None:
    if np.dtype(tensor.dtype).kind not in "biuf":
        raise ValueError("a tensor has no number type")
    if len(tensor.shape) > _MAX_RANK:
        raise ValueError("a tensor has no shape")
    if tensor.nbytes > _MAX_TENSOR_BYTES:
        raise ValueError("a tensor is larger than any memory of a microcontroller")
