"""A pytest plugin: writes how each test ended, and how long it took, into the JSON file that EDGEQ_OUTCOMES names."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

_failed: set[str] = set()
_seconds: dict[str, float] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note a failure in set-up, call or tear-down, and the time of all three."""
    _seconds[report.nodeid] = _seconds.get(report.nodeid, 0.0) + report.duration
    if report.failed:
        _failed.add(report.nodeid)


def pytest_sessionfinish() -> None:
    """Write the outcomes, in the process that hears of every test."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    found = {"failed": sorted(_failed), "seconds": {name: round(value, 3) for name, value in sorted(_seconds.items())}}
    Path(os.environ["EDGEQ_OUTCOMES"]).write_text(json.dumps(found, indent=1), encoding="utf-8")
