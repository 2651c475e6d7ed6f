"""Images of a graph with given kernels: built, run in the emulator, compared with the reference, and counted."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edgeq import budget
from edgeq.analysis.comparison import Comparison, compare_runs
from edgeq.analysis.model_values import Inputs
from edgeq.backends.base import Aim
from edgeq.backends.c.bind import Step
from edgeq.backends.c.program import CProgram, emit_c
from edgeq.describe import image_facts
from edgeq.errors import EdgeqError
from edgeq.ir import Graph
from edgeq.runners.base import ImageSpec, RunCounts, RunRequest, RunResult, TensorSpec
from edgeq.runners.table import load_runner
from edgeq.target import Board
from edgeq.writing import scratch_folder

EACH: Final = 1 << 20
"""A budget of code in which every shape has an instance for itself."""
_TOO_LARGE: Final = frozenset({"EQ0401", "EQ0402"})
"""What a build says of an image that is beyond its board."""
_RUNNER: Final = "qemu"


def check_counting(board: Board) -> None:
    """Refuse a board whose instructions nothing counts.

    Raises:
        EdgeqError: EQ0158.
    """
    if board.is_hosted or board.emulator is None:
        raise EdgeqError(
            "EQ0158",
            "nothing counts instructions on this board",
            where="--board",
            got=board.name,
            allowed="a board with a machine of QEMU's: `edgeq boards` lists them",
        )


class Counter:
    """Runs programs of one graph on one board.

    Args:
        graph: the integer graph.
        name: prefix of the C symbols.
        board: one that :func:`check_counting` lets pass.
        inputs: what is run; the first run is counted.
        optimize: gcc's ``-O`` flag.
        compact: loops are short, as for ``--optimize size``.
    """

    def __init__(
        self,
        graph: Graph,
        name: str,
        board: Board,
        inputs: Inputs,
        optimize: str = "-O2",
        *,
        compact: bool = False,
    ) -> None:
        self._graph, self._name, self._board, self._inputs, self._optimize = graph, name, board, inputs, optimize
        self._aim: Aim = "size" if compact else "balanced"
        self._expected = [execution.tensors for execution in inputs.executed(graph)]
        self.runs = 0
        """How many images were run."""

    def counted(self, steps: Sequence[Step], code_bytes: int | None) -> RunCounts | None:
        """What each step costs in a program of these kernels; None where it is beyond the board.

        Args:
            steps: every step, bound.
            code_bytes: as for compiling; :data:`EACH` for kernels that are compared.

        Raises:
            EdgeqError: EQ0158 the QEMU counts nothing, EQ0907 other bits than the reference's.
        """
        from edgeq.firmware import build_images

        budget.tick("tune")
        program = self._program(steps, code_bytes)
        with scratch_folder("tune") as folder:
            program.bundle.write(folder)
            facts = image_facts(self._graph, program, self._name)
            board, optimize = self._board, self._optimize
            try:
                images = build_images(folder, folder, board, facts, constants=program.constants, optimize=optimize)
            except EdgeqError as error:
                if {problem.code for problem in error.problems} <= _TOO_LARGE:
                    return None
                raise
            spec = self._spec(program, folder / images.files["emulated"])
            inputs = self._inputs
            answer = load_runner(_RUNNER).run(
                RunRequest(spec, inputs.runs, steps=True, count=True, length=inputs.length)
            )
        self.runs += 1
        self._compare(program, spec, answer)
        if not answer.instructions:
            raise EdgeqError("EQ0158", "this QEMU takes no plugins: nothing is counted", where=_RUNNER)
        return answer.instructions[0]

    def _compare(self, program: CProgram, spec: ImageSpec, answer: RunResult) -> None:
        compared = Comparison(_RUNNER, length=self._inputs.length)
        compare_runs(compared, spec, 0, self._expected, answer)
        first = compared.first
        if first is None:
            return
        step = program.steps[first.step] if first.step is not None else None
        raise EdgeqError(
            "EQ0907",
            "a kernel gives other bits than the reference",
            where=f"{step.candidate}, node {', '.join(step.node.source) or step.node.name}" if step else first.tensor,
            got=f"{first.got} in element {list(first.index)}",
            allowed=str(first.expected),
            hint="please report the model",
        )

    def _program(self, steps: Sequence[Step], code_bytes: int | None) -> CProgram:
        """The program of exactly these kernels."""
        wanted = [(glob.escape(step.node.name), step.candidate) for step in steps]
        target = self._board.target
        return emit_c(
            self._graph, self._name, target, code_bytes=code_bytes, complete=False, aim=self._aim, kernels=wanted
        )

    def _spec(self, program: CProgram, image: Path) -> ImageSpec:
        emulator = self._board.emulator
        assert emulator is not None  # _check_counting has looked
        graph = self._graph

        def tensors(names: Sequence[str]) -> tuple[TensorSpec, ...]:
            found = [graph.tensors[name] for name in names]
            return tuple(TensorSpec(each.name, each.dtype.numpy.name, each.shape) for each in found)

        return ImageSpec(
            name=self._name,
            inputs=tensors(graph.inputs),
            outputs=tensors(graph.outputs),
            steps=tuple(tensors(step.node.outputs) for step in program.steps),
            image=image,
            machine=emulator.machine,
            machine_args=emulator.args,
            macs=sum(step.macs for step in program.steps),
        )
