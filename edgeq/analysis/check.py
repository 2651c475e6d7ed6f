"""Everything that is wrong with a model for a board, at once, before any toolchain and without data.

The fit is exact where it can be: the model is quantized on random data, which changes no size, then lowered, bound and
planned like any other. Only the code's size needs a compiler.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeq.backends.c import CProgram, emit_c
from edgeq.errors import EdgeqError, Problem
from edgeq.firmware import check_fit
from edgeq.pipeline import to_integer_graph
from edgeq.target import Board, load_board

if TYPE_CHECKING:
    import onnx_ir

_SAMPLES = 8
# A guess for the first message only: `compile` knows the bound. Every model of the examples stays below.
_STACK_GUESS_BYTES = 512


@dataclass(frozen=True)
class CheckReport:
    """What is wrong, and what the model needs; the needs are None where it could not be lowered."""

    problems: tuple[Problem, ...]
    board: str | None
    operators: dict[str, int]
    macs: int | None
    ram_bytes: int | None
    flash_weight_bytes: int | None

    def to_json(self) -> dict[str, Any]:
        """The document of ``edgeq check``."""
        return {
            "ok": not self.problems,
            "problems": [problem.to_json() for problem in self.problems],
            "board": self.board,
            "operators": self.operators,
            "macs": self.macs,
            "ram_bytes": self.ram_bytes,
            "flash_weight_bytes": self.flash_weight_bytes,
        }


def check_model(model: Path, board: str | None, dims: Mapping[str, int]) -> CheckReport:
    """Check a model's operators, shapes and types, and its fit where a board is named.

    Args:
        model: ONNX file, float or QDQ.
        board: a board's name, or None.
        dims: sizes of named dynamic dimensions.

    Raises:
        EdgeqError: EQ0184 for an unknown board; everything about the model itself is in the report.
    """
    chosen = load_board(board) if board is not None else None
    operators: dict[str, int] = {}
    try:
        program = _program(model, chosen or load_board("native"), dims, operators)
    except EdgeqError as error:
        return CheckReport(error.problems, board, operators, None, None, None)
    weights = sum(
        value.nbytes for step in program.steps for value in step.call.fields.values() if isinstance(value, np.ndarray)
    )
    problems = _fit(chosen, program.plan.arena_bytes, weights) if chosen is not None else ()
    macs = sum(step.macs for step in program.steps)
    return CheckReport(problems, board, operators, macs, program.plan.arena_bytes, weights)


def _program(model: Path, board: Board, dims: Mapping[str, int], operators: dict[str, int]) -> CProgram:
    from edgeq import frontend
    from edgeq.onnxio import read_model
    from edgeq.quant import QuantizeOptions, quantize

    found = read_model(model)
    if frontend.is_quantized(found):
        qdq = frontend.normalize_qdq(frontend.normalize_structure(found, dims))
        _count(qdq, operators)
    else:
        normal = frontend.normalize(found, dims)
        _count(normal, operators)
        problems = frontend.check_support(normal)
        if problems:
            raise EdgeqError.of(problems)
        options = QuantizeOptions(observer="minmax", bias_correction="off")
        qdq = quantize(normal, _random_samples(normal), options).model
    return emit_c(to_integer_graph(qdq, "highmul", "checked"), "checked", board.target, "hot", complete=False)


def _random_samples(model: onnx_ir.Model) -> Any:  # noqa: ANN401 - onnxio.samples.Samples, imported lazily
    from edgeq.onnxio.samples import Samples, input_specs

    generator = np.random.default_rng(0)
    specs = input_specs(model)
    arrays = {spec.name: generator.standard_normal((_SAMPLES, *spec.shape)).astype(np.float32) for spec in specs}
    return Samples.of(arrays, model)


def _count(model: onnx_ir.Model, operators: dict[str, int]) -> None:
    for node in model.graph:
        operators[node.op_type] = operators.get(node.op_type, 0) + 1


def _fit(board: Board, ram_bytes: int, weight_bytes: int) -> tuple[Problem, ...]:
    if board.is_hosted:
        return ()
    try:
        check_fit(board, ram_bytes=ram_bytes, stack_bytes=_STACK_GUESS_BYTES, flash_bytes=weight_bytes)
    except EdgeqError as error:
        return error.problems
    return ()
