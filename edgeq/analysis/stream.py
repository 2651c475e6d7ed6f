"""What ``edgeq stream`` does: the step form of a window's model, and what a step saves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeq import budget
from edgeq.integers import import_model, lower_model, quantize_model
from edgeq.ir import Graph
from edgeq.job import CompileOptions, Job, Progress, silent
from edgeq.notes import gathered, tell
from edgeq.ops import BY_NAME
from edgeq.pipeline import make_parent
from edgeq.sources import path_of
from edgeq.target import load_board
from edgeq.writing import check_apart, check_file, keep_file, told_reads

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.errors import Problem
    from edgeq.frontend.stream import StepOutput
    from edgeq.sources import ModelSource


@dataclass(frozen=True)
class KeptState:
    """A state of the step model.

    Attributes:
        input, output: by which the model reads and writes it.
        shape: in ONNX.
        dtype: in firmware.
        bytes: in firmware.
    """

    input: str
    output: str
    shape: tuple[int, ...]
    dtype: str
    bytes: int


@dataclass(frozen=True)
class StreamResult:
    """The step form of a model, and what it needs beside the whole window.

    Attributes:
        model: the step form, which carries its states.
        quantized: it has the integers of the model given.
        axes: by input, the axis of time; None for one that is none's.
        hop: frames that a step takes.
        frames: of the whole window.
        outputs: of the step model that are outputs of the window's.
        states: what is kept from step to step.
        macs: multiply-accumulates of a step.
        window_macs: those of the whole window, which without states would be run in each step.
        notes: notes and warnings.
    """

    model: onnx_ir.Model
    quantized: bool
    axes: Mapping[str, int | None]
    hop: int
    frames: int
    outputs: tuple[StepOutput, ...]
    states: tuple[KeptState, ...]
    macs: int
    window_macs: int
    notes: tuple[Problem, ...] = ()

    @property
    def state_bytes(self) -> int:
        """All states, without what aligns them."""
        return sum(state.bytes for state in self.states)

    @property
    def saved(self) -> float | None:
        """The share of the window's multiply-accumulates that a step does not make; None where the window has none."""
        return 1 - self.macs / self.window_macs if self.window_macs else None

    @cached_property
    def receptive_field(self) -> int | None:
        """Frames that the outputs depend on; None where it is all that came before."""
        fields = [output.receptive_field for output in self.outputs]
        return None if None in fields else max((field for field in fields if field is not None), default=0)

    def to_json(self) -> dict[str, Any]:
        """The document of ``edgeq stream``."""
        return {
            "quantized": self.quantized,
            "axes": dict(self.axes),
            "hop": self.hop,
            "frames": self.frames,
            "receptive_field": self.receptive_field,
            "outputs": [asdict(output) for output in self.outputs],
            "states": [asdict(state) for state in self.states],
            "state_bytes": self.state_bytes,
            "macs": self.macs,
            "window_macs": self.window_macs,
            "saved": self.saved,
            "notes": [note.to_json() for note in self.notes],
        }


def stream_file(
    source: ModelSource,
    output: Path | None,
    *,
    axes: Mapping[str, int] | None = None,
    hop: int | None = None,
    dims: Mapping[str, int] | None = None,
    progress: Progress = silent,
    force: bool = False,
) -> StreamResult:
    """Turn a model of a whole window into that of a step.

    Args:
        source: an ONNX model, float or quantized.
        output: the file to write; it appears whole or not at all. None: no file is written.
        axes: by input, the axis of time where it is not found by itself.
        hop: frames that a step takes; None: the fewest that its strides allow.
        dims: sizes of named dynamic dimensions.
        progress: called with a stage's name and its share done.
        force: a file at `output` that edgeq did not write is moved to ``OUTPUT.kept-N`` instead of being refused.

    Raises:
        EdgeqError: EQ0123 and EQ0124 where writing would lose a file; EQ0151, EQ0152 and EQ0342 to EQ0346 there is no
            step form; what `edgeq check` says of either model.
    """
    from edgeq import frontend
    from edgeq.frontend.stream import step_form
    from edgeq.onnxio import model_bytes, read_model, write_model, wrote

    if output is not None:
        check_file(output, wrote(output), force=force, inputs={"the model": path_of(source)})
        make_parent(output, "-o")
    with budget.ensured(), gathered() as notes:
        with told_reads() as read:
            progress("import", None)
            model = read_model(source)
            if output is not None:
                check_apart(output, {f"weights of the model, {path.name}": path for path in read})
            made = step_form(model, dims, axes, hop)
        progress("lower", None)
        # What stops either model from becoming firmware is told now; their notes are those of later commands.
        whole, step = _graph(source, dims), _graph(model_bytes(made.model), {})
        tell(*made.doubts)
        if output is not None:
            check_file(output, wrote(output), force=force)
            if output.exists() and not wrote(output):
                keep_file(output)
            write_model(made.model, output)
    return StreamResult(
        made.model,
        frontend.is_quantized(model),
        made.axes,
        made.hop,
        made.frames,
        made.outputs,
        tuple(
            KeptState(name, kept, shape, step.tensors[name].dtype.value, step.tensors[name].size_bytes)
            for name, kept, shape in made.states
        ),
        _macs(step),
        _macs(whole),
        tuple(notes),
    )


def _graph(source: ModelSource, dims: Mapping[str, int] | None) -> Graph:
    """The integer graph of a model; of a float one with scales that mean nothing."""
    with gathered():
        options = CompileOptions("native", "model", dims=dims or {})
        job = Job(source, None, options, load_board("native"), Path(), silent, True)
        for stage in (import_model, quantize_model, lower_model):
            stage(job)
    assert job.graph is not None  # lower_model has set it
    return job.graph


def _macs(graph: Graph) -> int:
    return sum(BY_NAME[node.op].macs(node, graph.operands(node)) for node in graph.nodes)
