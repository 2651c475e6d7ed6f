"""What ``edgeq tune`` answers: each layer's candidates with what they cost, and the best of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgeq.backends.c.kernel_file import kernels_text
from edgeq.errors import Problem


@dataclass(frozen=True)
class Trial:
    """One candidate of a layer.

    Attributes:
        kernel: its name.
        refused: why it was not run; None where it was.
        instructions: of the layer; None where it was not run.
        scratch_bytes: memory that lives for the layer only; likewise.
        code_bytes: about the bytes of an instance for its shape; likewise.
        weight_bytes: of its constants; likewise.
    """

    kernel: str
    refused: str | None = None
    instructions: int | None = None
    scratch_bytes: int | None = None
    code_bytes: int | None = None
    weight_bytes: int | None = None


@dataclass(frozen=True)
class TunedLayer:
    """One step of the program.

    Attributes:
        node: its name in the integer graph.
        name: the ONNX nodes that became it.
        op: the integer operator.
        macs: multiply-accumulates.
        before: the kernel that ``compile`` chooses.
        chosen: the one that is best here.
        trials: every candidate, in the order in which ``compile`` tries them.
    """

    node: str
    name: str
    op: str
    macs: int
    before: str
    chosen: str
    trials: tuple[Trial, ...]

    @property
    def has_choice(self) -> bool:
        """Whether more than one candidate takes the node."""
        return sum(trial.refused is None for trial in self.trials) > 1

    def trial(self, kernel: str) -> Trial:
        """The candidate of that name."""
        return next(trial for trial in self.trials if trial.kernel == kernel)


@dataclass(frozen=True)
class Totals:
    """One program as a whole: instructions, counted; bytes of arena and weights; about those of the kernels' code."""

    instructions: int
    ram_bytes: int
    weight_bytes: int
    code_bytes: int


@dataclass(frozen=True)
class TuneResult:
    """The best kernels.

    Attributes:
        board: its name.
        target: the processor's.
        optimize: what counts.
        layers: in schedule order.
        before: the program as ``compile`` makes it.
        after: with the chosen kernels.
        runs: how many images were run.
        notes: notes and warnings.
    """

    board: str
    target: str
    optimize: str
    layers: tuple[TunedLayer, ...]
    before: Totals
    after: Totals
    runs: int
    notes: tuple[Problem, ...] = ()

    @property
    def kernels(self) -> dict[str, str]:
        """The chosen kernels of all layers that have a choice, by name of the node."""
        return {layer.node: layer.chosen for layer in self.layers if layer.has_choice}

    @property
    def file_text(self) -> str:
        """The contents of the file that ``--kernels`` takes."""
        return kernels_text(self.target, self.kernels)

    def to_json(self) -> dict[str, Any]:
        """The document of ``edgeq tune``."""
        return {
            "ok": True,
            "board": self.board,
            "target": self.target,
            "optimize": self.optimize,
            "before": vars(self.before),
            "after": vars(self.after),
            "images": self.runs,
            "kernels": self.kernels,
            "layers": [{**vars(layer), "trials": [vars(trial) for trial in layer.trials]} for layer in self.layers],
            "notes": [problem.to_json() for problem in self.notes],
        }
