"""``edgeq methods``: the choices for quantization."""

from __future__ import annotations

import click

from edgeq.cli.options import common


@click.command("methods")
@common
def command(as_json: bool) -> None:
    """List observers: how the range of a tensor follows from calibration.

    \b
    edgeq methods
    edgeq methods --json
    """
    from edgeq.quant import AUTO, OBSERVERS

    texts = {AUTO: "each observer is tried; what comes closest to the float model on calibration data is taken"}
    for name, observe in sorted(OBSERVERS.items()):
        texts[name] = " ".join((observe.__doc__ or "").split("\n\n")[0].split())
    if as_json:
        from edgeq.report.documents import print_document

        print_document("methods", {"observers": texts})
        return
    from edgeq.report.tables import print_table

    print_table("", ["observer", "what it does"], sorted(texts.items()))
