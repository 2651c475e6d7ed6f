"""``edgeq profile``: where the instructions and the bytes go."""

from __future__ import annotations

from pathlib import Path

import click

from edgeq.cli.options import ProgressLine, common, data_option, folder_argument


@click.command("profile")
@folder_argument
@data_option(what="Inputs; without it extremes and random integers.")
@click.option("--samples", type=click.IntRange(min=1), default=20, show_default=True, help="For the spread.")
@common
def command(folder: Path, data: Path | None, samples: int, as_json: bool, quiet: bool) -> None:
    """Count the instructions of each layer in DIR on the emulated core. Instructions are not cycles.

    \b
    edgeq profile build/kws
    edgeq profile build/kws --data eval.npz --json
    """
    from edgeq.analysis.profile import profile_folder
    from edgeq.folder import Compiled

    progress = ProgressLine(quiet)
    document = profile_folder(Compiled.open(folder), samples, data, progress).to_json()
    progress.clear()
    if as_json:
        from edgeq.report.documents import print_document

        print_document("profile", document)
        return
    from edgeq.report.tables import print_table

    rows = [
        [
            layer["name"],
            layer["kernel"],
            layer["instructions"],
            layer["macs"],
            f"{layer['instructions'] / layer['macs']:.2f}" if layer["macs"] and layer["instructions"] else None,
            layer["output_bytes"],
        ]
        for layer in document["layers"]
    ]
    header = ["layer", "kernel", "instructions", "MACs", "per MAC", "output bytes"]
    print_table(f"{document['board']}", header, rows, numeric=(2, 3, 4, 5))
    total, low, high = (document[key] for key in ("instructions", "instructions_min", "instructions_max"))
    if total is not None:
        click.echo(f"{total:,} instructions on the first of {document['samples']} inputs, {low:,} to {high:,} over all")
    click.echo(
        f"RAM: arena {document['ram_bytes']:,} bytes; stack at most {document['stack_bytes'] or 0:,}, "
        f"seen {document['stack_measured_bytes'] or 0:,}"
    )
    click.echo(
        f"flash: code {document['flash_code_bytes'] or 0:,} bytes, weights {document['flash_weight_bytes'] or 0:,}"
    )
