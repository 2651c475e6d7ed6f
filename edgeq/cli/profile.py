"""``edgeq profile``: where the instructions and the bytes go."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeq import api
from edgeq.cli.limits import budget_options, show_data
from edgeq.cli.options import common, data_option, folder_argument
from edgeq.cli.problems import show_problems
from edgeq.cli.progress import ProgressLine
from edgeq.cli.talk import VERBOSE, talk
from edgeq.cli.words import Word, runner_words
from edgeq.report.documents import print_document

if TYPE_CHECKING:
    from edgeq.analysis.profile import ProfileResult


@click.command("profile")
@folder_argument
@data_option(what="Inputs; without it extremes and random integers.")
@click.option("--samples", type=click.IntRange(min=1), default=20, show_default=True, help="For the spread.")
@click.option(
    "--on",
    "runner",
    metavar="NAME",
    default="qemu",
    show_default=True,
    type=Word("runner", "EQ0170", runner_words),
    help="qemu, or tvm-qemu for the image of TVM's objects.",
)
@budget_options
@common
def command(folder: Path, data: Path | None, samples: int, runner: str, as_json: bool) -> None:
    """Count the instructions of each layer in DIR on the emulated core. Instructions are not cycles.

    \b
    edgeq profile build/kws
    edgeq profile build/kws --data eval.npz --json
    """
    with ProgressLine() as progress:
        result = api.load(folder).profile(runner, data, samples=samples, progress=progress)
    if as_json:
        print_document("profile", result.to_json())
        show_problems(result.notes, err=True)
        return
    from edgeq.report.tables import Column, first_of, print_table

    show_problems(result.notes, err=False)
    show_data(result.data)
    rows = [
        [
            first_of(layer.name),
            layer.kernel,
            layer.instructions,
            layer.macs,
            layer.instructions / layer.macs if layer.macs and layer.instructions else None,
            layer.output_bytes,
        ]
        for layer in result.layers
    ]
    header = (
        Column("layer", shorten=True),
        Column("kernel"),
        Column("instructions", numeric=True),
        Column("MACs", numeric=True),
        Column("per MAC", numeric=True),
        Column("output bytes", numeric=True, optional=1),
    )
    print_table(result.board, header, rows)
    _show_totals(result)


def _show_totals(result: ProfileResult) -> None:
    if result.instructions is None or result.spread is None:
        click.echo(f"instructions are not counted: {result.uncounted}")
    else:
        low, high = result.spread
        count = f"{result.instructions:,} instructions on the first of {len(result.counts)} inputs"
        click.echo(f"{count}, {low:,} to {high:,} over all")
        if result.float_instructions:
            share = 100 * result.float_instructions / result.instructions
            click.echo(f"{result.float_instructions:,} of them, {share:.0f} %, are software float")
        if talk() == VERBOSE and result.classes:
            from edgeq.report.tables import wrapped

            classes = (f"{name} {count:,}" for name, count in result.classes.items())
            click.echo(wrapped("of these", ", ".join(classes)))
    program = result.program
    if program.arena_bytes is None:
        return
    parts = [f"arena {program.arena_bytes:,} bytes"]
    if program.stack_bytes is not None:
        parts.append(f"stack at most {program.stack_bytes:,}")
    if result.stack_bytes is not None:
        parts.append(f"seen {result.stack_bytes:,}")
    click.echo(f"RAM: {', '.join(parts)}")
    if program.sizes is not None:
        sizes = program.sizes
        click.echo(f"flash: code {sizes.flash_code_bytes:,} bytes, weights {sizes.flash_weight_bytes:,}")
