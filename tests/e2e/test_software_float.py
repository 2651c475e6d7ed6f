"""The head of the example in software float, from its model to an emulated core and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import edgeq

NODES = ("/classify/Gemm", "/Softmax")


@pytest.fixture
def model(root: Path) -> Path:
    return root / "examples" / "fashion_mnist" / "model.onnx"


def compiled(model: Path, board: str, nodes: tuple[str, ...], *, sources_only: bool = False) -> edgeq.CompiledModel:
    data = model.with_name("calib.npz")
    return edgeq.compile(model, data, board=board, allow_float=nodes, observer="mse", sources_only=sources_only)


@pytest.mark.qemu
@pytest.mark.parametrize("board", ["mps2-m0", "mps2-an386", "mps3-an547"])
def test_head_in_float_has_the_reference_bits(board: str, model: Path, needs_program: Callable[[str], str]) -> None:
    for program in ("arm-none-eabi-gcc", "qemu-system-arm"):
        needs_program(program)
    made = compiled(model, board, NODES)
    assert made.manifest.float_nodes == NODES
    assert "EQ0317" in {note.code for note in made.notes}
    checked = made.verify(samples=3)
    assert checked.ok
    assert checked.float_nodes == NODES
    counted = made.profile(samples=1)
    assert counted.instructions is not None
    assert counted.float_instructions is not None
    assert 0 < counted.float_instructions < counted.instructions


def test_accuracy_is_that_of_the_integer_head_or_better(model: Path) -> None:
    found = [
        compiled(model, "native", nodes, sources_only=True).eval(model.with_name("eval.npz"), samples=200).value
        for nodes in ((), NODES)
    ]
    integer, floating = found
    assert integer is not None
    assert floating is not None
    assert floating >= integer - 0.01


def test_without_the_option_nothing_is_float(model: Path) -> None:
    checked = edgeq.check(model)
    assert checked.float_nodes == ()
    assert not [layer for layer in checked.layers if layer.op.startswith("float")]
