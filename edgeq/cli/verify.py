"""``edgeq verify``: the proof of equal bits."""

from __future__ import annotations

from pathlib import Path

import click

from edgeq.cli.limits import budget_options
from edgeq.cli.options import ProgressLine, common, data_option, folder_argument, names_option
from edgeq.errors import EXIT_GATE
from edgeq.report.printable import printable


@click.command("verify")
@folder_argument
@names_option("all that the folder holds an image for")
@data_option(what="Inputs; without it extremes and random integers.")
@click.option("--samples", type=click.IntRange(min=1), default=20, show_default=True, help="How many inputs.")
@budget_options
@common
def command(folder: Path, on: tuple[str, ...], data: Path | None, samples: int, as_json: bool) -> int:
    """Compare every step's output in DIR with the reference, bit for bit, on every executor.

    \b
    edgeq verify build/kws
    edgeq verify build/kws --on native,qemu --data eval.npz --samples 50
    """
    from edgeq.analysis.verify import verify_folder
    from edgeq.folder import Compiled

    with ProgressLine() as progress:
        report = verify_folder(Compiled.open(folder), on, samples, data, progress)
    document = report.to_json()
    if as_json:
        from edgeq.report.documents import print_document

        print_document("verify", document)
    else:
        from edgeq.report.tables import print_table

        rows = [[r["on"], r["tensors"], r["elements"], r["mismatches"]] for r in document["results"]]
        print_table(f"{report.samples} inputs", ["on", "tensors", "elements", "mismatches"], rows, numeric=(1, 2, 3))
        first = document["first_mismatch"]
        if first:
            click.echo(
                f"first mismatch on {first['runner']}: sample {first['sample']}, step {first['step']}, "
                f"{printable(first['tensor'])}{first['index']}: {first['got']}, not {first['expected']}"
            )
        else:
            click.echo("the same bits everywhere")
    return EXIT_GATE if report.mismatches else 0
