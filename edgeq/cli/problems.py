"""Errors, warnings and notes on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Final

import click

from edgeq.errors import Problem, Severity
from edgeq.report.colour import Style, paint
from edgeq.report.printable import printable

_STYLES: Final[dict[Severity, Style]] = {"error": "red", "warning": "yellow", "note": "bold"}


def show_problems(problems: Iterable[Problem], *, err: bool) -> None:
    """Print each problem with its code, place and hint; on a terminal its head is coloured.

    Args:
        problems: errors, warnings or notes.
        err: to standard error, else to standard output.
    """
    stream = sys.stderr if err else sys.stdout
    for problem in problems:
        head, colon, rest = printable(str(problem), keep="\n").partition(f"{problem.code}:")
        click.echo(paint(head + colon, _STYLES[problem.severity], stream) + rest, err=err)
