"""Damaged models, data files and folders are answered with a code: a seeded selection of ``make campaign-input``."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.campaigns.damage import (
    DATA_DAMAGE,
    MODEL_DAMAGE,
    compile_example,
    judge_calibration,
    judge_input,
    judge_model,
)

PARTS = 4
MODELS = 20
INPUTS = 10


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_example(tmp_path_factory.mktemp("example"))


@pytest.mark.filterwarnings("default")  # they would be Python's words on the user's terminal; the verdict finds them
@pytest.mark.parametrize("part", range(PARTS))
def test_damaged_models_are_answered_with_a_code(tmp_path: Path, part: int) -> None:
    verdicts = [judge_model(seed, tmp_path) for seed in range(part * MODELS, (part + 1) * MODELS)]
    assert [verdict for verdict in verdicts if verdict.wrong] == []
    assert {verdict.kind for verdict in verdicts} == set(MODEL_DAMAGE)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("part", range(PARTS))
def test_damaged_files_are_answered_with_a_code(tmp_path: Path, compiled: Path, part: int) -> None:
    verdicts = [judge_input(seed, tmp_path, compiled) for seed in range(part * INPUTS, (part + 1) * INPUTS)]
    assert [verdict for verdict in verdicts if verdict.wrong] == []
    assert {verdict.kind for verdict in verdicts} & set(DATA_DAMAGE)


@pytest.mark.filterwarnings("default")
def test_damaged_calibrations_are_answered_with_a_code(tmp_path: Path, compiled: Path) -> None:
    verdicts = [judge_calibration(random.Random(seed), tmp_path, compiled) for seed in range(6)]
    assert [verdict for verdict in verdicts if verdict.wrong] == []
    assert {verdict.kind for verdict in verdicts} == {"calibration"}
