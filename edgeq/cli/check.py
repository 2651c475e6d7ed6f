"""``edgeq check``: every problem at once."""

from __future__ import annotations

from pathlib import Path

import click

from edgeq.cli.limits import budget_options
from edgeq.cli.options import VERBOSE, common, dim_option, model_argument, talk
from edgeq.cli.problems import show_problems
from edgeq.errors import exit_code_of
from edgeq.report.printable import printable


@click.command("check")
@model_argument
@click.option("--board", metavar="BOARD", help="Also check that it fits.")
@dim_option
@budget_options
@common
def command(model: Path, board: str | None, dims: dict[str, int], as_json: bool) -> int:
    """Check MODEL: operators, shapes, types, and the fit on a board. Needs no data and no compiler.

    \b
    edgeq check kws.onnx
    edgeq check kws.onnx --board microbit-v1 --json
    """
    from edgeq.analysis.check import check_model

    report = check_model(model, board, dims)
    if as_json:
        from edgeq.report.documents import print_document

        print_document("check", report.to_json())
    show_problems(report.problems, err=True)
    if report.problems:
        return exit_code_of(report.problems[0].code)
    if not as_json:
        weights, arena = report.flash_weight_bytes, report.ram_bytes
        place = f" and fits {board} before its code is counted" if board else ""
        click.echo(f"{printable(model.name)} is supported{place}: {report.macs:,} multiply-accumulates,")
        click.echo(f"an arena of {arena:,} bytes and {weights:,} bytes of weights")
        if talk() == VERBOSE:
            from edgeq.report.tables import print_table

            print_table("", ["ONNX operator", "nodes"], sorted(report.operators.items()), numeric=(1,))
    return 0
