"""``edgeq check``: every problem at once, what each layer needs, and which boards hold it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from edgeq.api import CheckChoices, check
from edgeq.cli.choices import choice_options
from edgeq.cli.limits import budget_options
from edgeq.cli.options import board_option, common, model_argument
from edgeq.cli.problems import show_problems
from edgeq.cli.talk import VERBOSE, talk
from edgeq.errors import exit_code_of
from edgeq.report.documents import print_document
from edgeq.report.printable import printable

if TYPE_CHECKING:
    from edgeq.analysis.check import CheckResult
    from edgeq.analysis.fits import BoardFit


@click.command("check")
@model_argument
@board_option(required=False, text="Also check that it fits; `all` compares all boards.")
@choice_options(CheckChoices)
@budget_options
@common
def command(model: Path, board: str | None, as_json: bool, **choices: Unpack[CheckChoices]) -> int:
    """Check MODEL: operators, shapes, types, and what each layer needs. Needs no data and no compiler.

    \b
    edgeq check kws.onnx
    edgeq check kws.onnx --board microbit-v1 --json
    edgeq check kws.onnx --board all
    edgeq check kws.onnx --board microbit-v2 --scheme w8a16
    """
    result = check(model, board=board, **choices)
    if as_json:
        print_document("check", result.to_json())
    elif result.layers:
        _show(result, model)
    sys.stdout.flush()
    show_problems((*result.notes, *result.problems), err=True)
    return exit_code_of(result.problems[0].code) if result.problems else 0


def _show(result: CheckResult, model: Path) -> None:
    from edgeq.analysis.check import NOT_COVERED
    from edgeq.report.tables import Column, first_of, print_table

    header = (
        Column("layer", shorten=True),
        Column("op"),
        Column("output", optional=2),
        Column("MACs", numeric=True),
        Column("params", numeric=True),
        Column("flash B", numeric=True, optional=1),
        Column("RAM B", numeric=True),
        *([Column("about instructions", numeric=True, optional=3)] if result.instructions else []),
    )
    rows = [
        [
            first_of(layer.name),
            layer.op,
            "x".join(map(str, layer.shape)),
            layer.macs,
            layer.parameters,
            layer.flash_bytes,
            layer.ram_bytes,
            *([layer.instructions] if result.instructions else []),
        ]
        for layer in result.layers
    ]
    print_table("", header, rows)
    if talk() == VERBOSE:
        print_table("", ["ONNX operator", "nodes"], list(result.operators.items()), numeric=(1,))
    peak = result.peak
    click.echo(f"{printable(model.name)} is supported: {len(result.layers)} steps, {result.total('macs'):,} MACs")
    if peak is not None:
        kept = f", {result.state_bytes:,} of them states" if result.state_bytes else ""
        click.echo(f"RAM:   {result.ram_bytes:,} bytes of arena{kept}; most alive in {printable(first_of(peak.name))}")
    click.echo(f"flash: {result.total('flash_bytes'):,} bytes of weights for {result.total('parameters'):,} parameters")
    unknown = [layer for layer in result.layers if layer.instructions is None]
    if result.instructions is not None and not any(layer.macs for layer in unknown):
        found = result.instructions
        without = f"; {len(unknown)} steps have no estimate" if unknown else ""
        click.echo(
            f"about {found.instructions:,} instructions: estimates of layers are {100 * found.mean_error:.0f} % wrong "
            f"in the mean, {100 * found.worst_error:.0f} % at worst{without}; `edgeq profile` counts"
        )
    for problem in NOT_COVERED:
        click.echo(f"not counted: {problem}")
    if result.boards:
        click.echo()
        _show_boards(result.boards)


def _show_boards(fits: tuple[BoardFit, ...]) -> None:
    from edgeq.report.tables import Column, print_table

    header = (
        Column("board"),
        Column("target", optional=1),
        Column("to buy", optional=2),
        Column("fits"),
        Column("RAM left", numeric=True),
        Column("flash left", numeric=True),
    )
    rows = [
        [
            fit.board,
            fit.target,
            "yes" if fit.sold else "emulated",
            "yes" if fit.fits else "NO",
            fit.ram_left_bytes,
            fit.flash_left_bytes,
        ]
        for fit in fits
    ]
    print_table("", header, rows)
