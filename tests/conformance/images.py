"""Images of a zoo's graph: emitted, built and run like a compiled model's, without a folder around them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edgeq.analysis.comparison import Comparison, compare_runs
from edgeq.analysis.executors import with_rows
from edgeq.backends.base import Aim
from edgeq.backends.c import CProgram, emit_c
from edgeq.backends.c.candidates import Wanted
from edgeq.backends.c.chain import Chain
from edgeq.backends.program import Program
from edgeq.describe import image_facts, row_bands
from edgeq.firmware import Images, build_images
from edgeq.interp import run
from edgeq.ir import Graph
from edgeq.manifest import calls_of
from edgeq.numerics.array import Array
from edgeq.runners.base import ImageSpec, RunRequest, TensorSpec
from edgeq.runners.table import load_runner
from edgeq.target import Board, load_board

FEWEST: Final = 0
EVERY: Final = 1 << 20
WAYS: Final[tuple[int | None, ...]] = (FEWEST, None, EVERY)
"""Budgets for the kernels' code: shared instances wherever that is smaller, the default, one for every shape."""


def compare_on(
    board_name: str,
    graph: Graph,
    inputs: Sequence[list[Array]],
    folder: Path,
    *,
    code_bytes: int | None = None,
    sanitize: bool = False,
    tvm: bool = False,
    aim: Aim = "balanced",
    kernels: Sequence[Wanted] = (),
) -> Comparison:
    """Every step's results and the outputs of a graph's image, on a board's emulator or this computer, bit for bit.

    Args:
        board_name: the board to build for; the host's runs natively.
        graph: what to run.
        inputs: one list of arrays a sample.
        folder: an empty one, for sources and images.
        code_bytes: a budget for the kernels' code; one of :data:`WAYS` shows every way of emitting a call.
        sanitize: with address and undefined-behaviour sanitizers; host only.
        tvm: the steps are TVM's functions instead of kernels.
        aim: which kernels are chosen.
        kernels: those that are asked for.
    """
    spec, _ = build_image(
        board_name, graph, folder, code_bytes=code_bytes, sanitize=sanitize, tvm=tvm, aim=aim, kernels=kernels
    )
    runner = load_runner("native" if load_board(board_name).is_host else "qemu")
    request = RunRequest(spec, inputs, steps=True)
    answer = with_rows(runner, request, runner.run(request))
    result = Comparison(board_name)
    compare_runs(result, spec, 0, [run(graph, sample).tensors for sample in inputs], answer)
    return result


def build_image(
    board_name: str,
    graph: Graph,
    folder: Path,
    *,
    code_bytes: int | None = None,
    sanitize: bool = False,
    tvm: bool = False,
    aim: Aim = "balanced",
    kernels: Sequence[Wanted] = (),
) -> tuple[ImageSpec, Images]:
    """A graph's image for a board, with what runners must know of it; arguments as for :func:`compare_on`."""
    board = load_board(board_name)
    program = _emit(graph, board, code_bytes, tvm=tvm, aim=aim, kernels=kernels)
    program.bundle.write(folder)
    facts = image_facts(graph, program, graph.name)
    images = build_images(
        folder,
        folder,
        board,
        facts,
        constants=program.constants,
        optimize="-Os" if aim == "size" else "-O2",
        sanitize=sanitize,
        traced=program.traced if isinstance(program, CProgram) else None,
    )
    assert not images.warnings
    kind = "native" if board.is_host else "emulated"
    rows = images.files.get(f"{kind}-rows")
    assert (rows is None) == (not isinstance(program, CProgram) or program.traced is None)
    return spec_of(graph, program, board, folder / images.files[kind], folder / rows if rows else None), images


def _emit(
    graph: Graph, board: Board, code_bytes: int | None, *, tvm: bool, aim: Aim, kernels: Sequence[Wanted]
) -> Program:
    if not tvm:
        return emit_c(graph, graph.name, board.target, code_bytes=code_bytes, aim=aim, kernels=kernels)
    from edgeq.backends.tvm.board import emit_board

    return emit_board(graph, graph.name, board.target)


def spec_of(graph: Graph, program: Program, board: Board, image: Path, rows_image: Path | None = None) -> ImageSpec:
    """What runners must know of a graph's image."""

    def tensors(names: tuple[str, ...]) -> tuple[TensorSpec, ...]:
        found = [graph.tensors[name] for name in names]
        return tuple(TensorSpec(each.name, each.dtype.numpy.name, each.shape) for each in found)

    return ImageSpec(
        name=graph.name,
        inputs=tensors(graph.inputs),
        outputs=tensors(graph.outputs),
        steps=tuple(tensors(step.node.outputs) for step in program.steps),
        image=image,
        rows=tuple(
            calls_of(tuple(row_bands(step, graph)), graph.tensors) if isinstance(step, Chain) else ()
            for step in program.steps
        ),
        rows_image=rows_image,
        user_mode=board.emulator is not None and board.emulator.machine is None,
        machine=board.emulator.machine if board.emulator else None,
        machine_args=board.emulator.args if board.emulator else (),
        macs=sum(step.macs for step in program.steps),
    )
