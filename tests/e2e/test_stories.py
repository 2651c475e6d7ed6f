"""A language model in its step form tells the story of the float model, on every runner."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import stories

TOKENS = 100
# A wrong sign, scale or place of the caches shows within a few tokens; so does a rounding where two tokens are close.
LEAST_EQUAL = 0.9


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.qemu
@pytest.mark.parametrize("board", stories.BOARDS)
def test_a_hundred_tokens_are_told(board: str, data_dir: Path, tmp_path: Path) -> None:
    wanted = stories.float_story(data_dir, TOKENS)
    compiled = stories.compile_step(data_dir, board, tmp_path / "stories")
    told = stories.integer_story(compiled, TOKENS)
    assert np.mean(np.equal(told[1:], wanted[1:])) >= LEAST_EQUAL
    pieces = stories.vocabulary(data_dir / "data" / "stories260k_tokenizer.bin")
    assert stories.text_of(pieces, told).startswith("Once upon a time, there was a little girl named Lily.")
    assert stories.tells(compiled, told, "native")
    assert stories.tells(compiled, told, "qemu")
    assert {state.rows for state in compiled.manifest.states} == {(layer, layer + 1) for layer in range(5)}
