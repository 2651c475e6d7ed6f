"""``edgeq fit``: the ways in which a model fits a board."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from edgeq import api
from edgeq.api import QuantizeChoices
from edgeq.cli.choices import choice_options
from edgeq.cli.limits import budget_options
from edgeq.cli.options import board_option, common, data_option, model_argument
from edgeq.cli.problems import show_problems
from edgeq.cli.progress import ProgressLine
from edgeq.errors import exit_code_of
from edgeq.report.documents import print_document

if TYPE_CHECKING:
    from edgeq.analysis.fit import FitResult


@click.command("fit")
@model_argument
@data_option(what="Calibration data; needed for a float model.")
@board_option(required=True, text="`edgeq boards` lists them.")
@choice_options(QuantizeChoices)
@budget_options
@common
def command(model: Path, data: Path | None, board: str, as_json: bool, **choices: Unpack[QuantizeChoices]) -> int:
    """List the ways to compile MODEL for a board: RAM, flash and instructions of each. All give the same bits.

    \b
    edgeq fit kws.onnx --data calib.npz --board mps2-an386
    edgeq fit kws.qdq.onnx --board microbit-v2 --json
    """
    with ProgressLine() as progress:
        result = api.fit(model, data, board=board, progress=progress, **choices)
    if as_json:
        print_document("fit", result.to_json())
    else:
        _show(result)
    sys.stdout.flush()
    show_problems(result.notes, err=as_json)
    return 0 if result.ok else exit_code_of("EQ0401")


def _show(result: FitResult) -> None:
    from edgeq.report.tables import Column, print_table

    header = (
        Column("edgeq compile …"),
        Column("fits"),
        Column("RAM", numeric=True),
        Column("arena", numeric=True, optional=2),
        Column("flash", numeric=True),
        Column("code", numeric=True, optional=1),
        Column("instructions", numeric=True),
        Column("MACs", numeric=True, optional=3),
        Column(""),
    )
    rows = [
        [
            " ".join(way.options),
            "yes" if way.fits else "NO",
            way.ram_bytes,
            way.arena_bytes,
            way.flash_bytes,
            way.flash_code_bytes,
            way.instructions,
            way.macs,
            "*" if way.is_best else "",
        ]
        for way in result.ways
    ]
    print_table(result.board, header, rows)
    click.echo("* no other way takes as little of everything")
    if result.ram_available_bytes is not None and result.flash_available_bytes is not None:
        has = f"{result.ram_available_bytes:,} bytes of RAM, {result.flash_available_bytes:,} of flash"
        click.echo(f"{result.board} has {has}")
