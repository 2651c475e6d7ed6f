"""``edgeq methods``: the choices for quantization and its arithmetic."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Final

import click

from edgeq.cli.options import common
from edgeq.report.documents import print_document

_REFERENCE: Final = re.compile(r":data:`(\w+)`")


@click.command("methods")
@common
def command(as_json: bool) -> None:
    """List observers (how the range of a tensor follows from calibration) and arithmetics (how results are rounded).

    \b
    edgeq methods
    edgeq methods --json
    """
    from edgeq.numerics.scaling import SCALINGS
    from edgeq.quant import AUTO, OBSERVERS

    texts = {AUTO: "each observer is tried on held-out calibration data; minmax stays unless another is clearly closer"}
    for name, observe in sorted(OBSERVERS.items()):
        summary = " ".join((observe.__doc__ or "").split("\n\n")[0].split())
        # A docstring may name a constant of its module, :data:`NAME`; its value says more here.
        values = vars(import_module(observe.__module__))
        for constant in _REFERENCE.findall(summary):
            summary = summary.replace(f":data:`{constant}`", f"{values[constant]:g}")
        texts[name] = summary
    arithmetics = {name: scaling.summary for name, scaling in SCALINGS.items()}
    if as_json:
        print_document("methods", {"observers": texts, "arithmetics": arithmetics})
        return
    from edgeq.report.tables import Column, print_table

    print_table("", [Column("observer"), Column("what it does")], sorted(texts.items()))
    print_table("", [Column("arithmetic"), Column("how it rounds")], list(arithmetics.items()))
