"""A pytest plugin: writes the names of the tests that fail into the JSON file that EDGEQ_FAILED_TESTS names."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

_failed: set[str] = set()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note a failure in set-up, call or tear-down."""
    if report.failed:
        _failed.add(report.nodeid)


def pytest_sessionfinish() -> None:
    """Write the list, in the process that hears of every test."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    Path(os.environ["EDGEQ_FAILED_TESTS"]).write_text(json.dumps(sorted(_failed)), encoding="utf-8")
