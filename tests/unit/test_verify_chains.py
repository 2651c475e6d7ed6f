"""`edgeq verify` on steps that run several nodes in bands of rows: every tensor between them is compared, and named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

from edgeq.analysis import executors, verify
from edgeq.analysis.comparison import Comparison
from edgeq.analysis.executors import spec_of
from edgeq.analysis.verify import verify_folder
from edgeq.backends.c import emit_c
from edgeq.backends.views import step_nodes
from edgeq.cli.verify import command, show
from edgeq.describe import image_facts
from edgeq.errors import EdgeqError
from edgeq.firmware import images
from edgeq.firmware.link import link_chip
from edgeq.folder import Compiled
from edgeq.ir import DType, Tensor
from edgeq.manifest import RowBands, calls_of
from edgeq.runners.base import RunResult


@pytest.fixture
def compiled(compiled_example: Callable[..., Path]) -> Compiled:
    found = Compiled.open(compiled_example("mps2-an386", "--optimize", "ram"))
    assert any(step.inner for step in found.manifest.program.steps)
    return found


def tensors_of(compiled: Compiled) -> set[str]:
    return {name for node in step_nodes(compiled.graph) for name in node.outputs}


@pytest.mark.qemu
def test_verify_compares_what_lies_inside_chains(compiled: Compiled, needs_program: Callable[[str], str]) -> None:
    needs_program("qemu-system-arm")
    found = verify_folder(compiled, [], 3)
    assert found.ok
    assert [result.runner for result in found.results] == ["native", "qemu"]
    for result in found.results:
        assert result.names == tensors_of(compiled)


def test_wrong_row_is_named_with_its_band(
    compiled: Compiled, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = spec_of(compiled, "native")
    step = next(number for number, calls in enumerate(spec.rows) if calls)
    call = next(at for at, each in enumerate(spec.rows[step]) if each.band == 2)
    rows = spec.rows[step][call]
    real = executors.with_rows

    def wrong(*arguments: Any) -> RunResult:
        found = real(*arguments)
        assert found.rows is not None
        changed = np.array(found.rows[0][step][call])
        changed[0, 1, 2, 3] ^= 1
        found.rows[0][step][call] = changed
        return found

    monkeypatch.setattr(executors, "with_rows", wrong)
    found = verify_folder(compiled, ["native"], 1)
    assert found.mismatches == 1
    (first,) = [result.first for result in found.results]
    assert first is not None
    assert (first.step, first.tensor, first.band) == (step, rows.tensor.name, 2)
    assert first.tensor in compiled.manifest.program.steps[step].inner
    assert first.index == (0, rows.first + 1, 2, 3)
    assert first.rows == (rows.first, rows.end)
    with click.Context(command):
        show(found)
    told = f"{list(first.index)} (rows {rows.first} to {rows.end - 1} of band 2): {first.got}, not {first.expected}"
    assert told in " ".join(capsys.readouterr().out.split())


def test_rows_that_were_left_out_are_no_proof(compiled: Compiled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "with_rows", lambda _runner, _request, answer: answer)
    with pytest.raises(EdgeqError, match="EQ0163") as caught:
        verify_folder(compiled, ["native"], 1)
    inner = {name for step in compiled.manifest.program.steps for name in step.inner}
    assert any(name in str(caught.value) for name in inner)


def test_runner_without_an_image_for_rows_answers_the_rest(compiled: Compiled) -> None:
    images = {kind: file for kind, file in compiled.manifest.images.items() if kind != "native-rows"}
    lacking = Compiled(compiled.path, replace(compiled.manifest, images=images))
    inner = {name for step in compiled.manifest.program.steps for name in step.inner}
    assert verify.not_answered(lacking, "native") == inner
    assert verify.not_answered(compiled, "native") == set()
    found = verify_folder(lacking, ["native"], 1)
    assert found.results[0].names == tensors_of(compiled) - inner


def test_rows_that_are_computed_twice_are_compared_twice() -> None:
    tensor = Tensor("x", (1, 6, 2, 2), DType.INT8)
    calls = calls_of([RowBands("x", (0, 2), (4, 6))], {"x": tensor})
    whole = np.arange(24, dtype=np.int8).reshape(tensor.shape)
    found = Comparison("native")
    for rows in calls:
        got = np.array(rows.of(whole))
        assert got.shape == rows.part.shape
        if rows.band == 1:
            got[0, 1, 0, 1] = 99
        found.compare_rows(0, 0, rows, whole, got)
    assert (found.elements, found.mismatches) == (32, 1)
    assert found.first is not None
    assert (found.first.index, found.first.band, found.first.rows) == ((0, 3, 0, 1), 1, (2, 6))


def test_rows_over_time_lie_along_the_width() -> None:
    tensors = {name: Tensor(name, (1, 1, 6, 2), DType.INT8) for name in ("x", "y")}
    calls = calls_of([RowBands("x", (0, 0, 3), (3, 0, 6)), RowBands("y", (0, 1, 2), (1, 2, 3))], tensors)
    assert [(each.tensor.name, each.band, each.axis, each.first) for each in calls] == [
        ("x", 0, 2, 0),
        ("y", 0, 2, 0),
        ("y", 1, 2, 1),
        ("x", 2, 2, 3),
        ("y", 2, 2, 2),
    ]
    assert [each.part.nbytes for each in calls] == [6, 2, 2, 6, 2]


@pytest.mark.parametrize(("name", "first", "end"), [("z", 0, 1), ("x", 3, 2), ("x", 0, 7)])
def test_rows_that_no_tensor_has_are_refused(name: str, first: int, end: int) -> None:
    with pytest.raises(ValueError, match="no rows"):
        calls_of([RowBands(name, (first,), (end,))], {"x": Tensor("x", (1, 6, 2, 2), DType.INT8)})


def test_board_without_room_for_traces_has_no_image_for_rows(
    tmp_path: Path, compiled: Compiled, monkeypatch: pytest.MonkeyPatch, needs_program: Callable[[str], str]
) -> None:
    needs_program("arm-none-eabi-gcc")
    link = link_chip

    def tight(*arguments: Any) -> None:
        if arguments[-1].name == "emulated_rows.elf":
            raise EdgeqError("EQ0402", "the image exceeds the flash")
        link(*arguments)

    monkeypatch.setattr(images, "link_chip", tight)
    graph, board = compiled.graph, compiled.board
    program = emit_c(graph, compiled.name, board.target, aim="ram")
    program.bundle.write(tmp_path / "sources")
    facts = image_facts(graph, program, compiled.name)
    made = images.build_images(
        tmp_path / "sources", tmp_path, board, facts, constants=program.constants, traced=program.traced
    )
    assert {"image", "emulated"} <= made.files.keys()
    assert "emulated-rows" not in made.files
