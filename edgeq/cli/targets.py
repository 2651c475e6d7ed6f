"""``edgeq targets``."""

from __future__ import annotations

import click

from edgeq.cli.options import common
from edgeq.report.documents import print_document
from edgeq.target import list_targets, load_target


@click.command("targets")
@common
def command(as_json: bool) -> None:
    """List the processors.

    \b
    edgeq targets
    edgeq targets --json
    """
    targets = [load_target(name) for name in list_targets()]
    if as_json:
        entries = [
            {"name": t.name, "description": t.description, "cpu": t.cpu, "flags": list(t.flags), "isa": list(t.isa)}
            for t in targets
        ]
        print_document("targets", {"targets": entries})
        return
    from edgeq.report.tables import Column, print_table

    rows = [[t.name, " ".join(t.gcc_flags), ", ".join(t.isa), t.description] for t in targets]
    header = (Column("target"), Column("compiler flags", optional=1), Column("instruction sets"), Column("description"))
    print_table("", header, rows)
