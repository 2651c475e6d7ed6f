"""``edgeq fit``: the ways to compile a model for a board, and what each takes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import edgeq
from edgeq.errors import EdgeqError


@pytest.fixture(scope="module")
def quantized(compiled_example: Callable[..., Path]) -> Path:
    return compiled_example() / "model.qdq.onnx"


@pytest.mark.qemu
def test_fit_lists_ways_with_ram_flash_and_instructions(quantized: Path, tmp_path: Path) -> None:
    found = edgeq.fit(quantized, board="mps2-an386")
    assert found.ok
    by_options = {way.options: way for way in found.ways}
    balanced, smallest = by_options["--optimize", "balanced"], by_options["--optimize", "ram"]
    assert smallest.arena_bytes < balanced.arena_bytes
    assert smallest.chains
    assert smallest.arena_bytes == min(way.arena_bytes for way in found.ways)
    assert all(way.fits and way.instructions and way.flash_bytes for way in found.ways)
    assert smallest.is_best
    # What is listed is what compiling gives.
    made = edgeq.compile(quantized, board="mps2-an386", out=tmp_path / "ram", optimize="ram")
    assert made.manifest.program.arena_bytes == smallest.arena_bytes
    assert made.verify(samples=2).ok
    between = edgeq.compile(quantized, board="mps2-an386", out=tmp_path / "b", arena_bytes=balanced.arena_bytes - 1)
    assert between.manifest.program.arena_bytes is not None
    assert between.manifest.program.arena_bytes < balanced.arena_bytes
    assert between.verify(samples=2).ok


def test_fit_tells_by_its_exit_code_that_nothing_fits(
    quantized: Path, tmp_path: Path, root: Path, run_edgeq: Callable[..., Any]
) -> None:
    board = tmp_path / "board.toml"
    text = (root / "boards" / "microbit-v1" / "board.toml").read_text("utf-8")
    board.write_text(text.replace("size_bytes = 0x4000 }", "size_bytes = 0x900 }"), "utf-8")
    done = run_edgeq("fit", quantized, "--board", board, "--json")
    assert done.returncode == 4, done.stderr
    assert not any(way["fits"] for way in json.loads(done.stdout)["ways"])


def test_an_arena_that_is_too_small_is_refused_with_the_smallest(quantized: Path, tmp_path: Path) -> None:
    with pytest.raises(EdgeqError, match="EQ0404") as caught:
        edgeq.compile(quantized, board="mps2-an386", out=tmp_path / "out", arena_bytes=100, sources_only=True)
    smallest = edgeq.compile(quantized, board="mps2-an386", out=tmp_path / "out", optimize="ram", sources_only=True)
    assert str(smallest.manifest.program.arena_bytes) in str(caught.value)
