"""Errors, warnings and notes on the terminal."""

from __future__ import annotations

from collections.abc import Iterable

import click

from edgeq.errors import Problem
from edgeq.report.printable import printable


def show_problems(problems: Iterable[Problem], *, err: bool) -> None:
    """Print each problem with its code, place and hint.

    Args:
        problems: errors, warnings or notes.
        err: to standard error, else to standard output.
    """
    for problem in problems:
        click.echo(printable(str(problem), keep="\n"), err=err)
