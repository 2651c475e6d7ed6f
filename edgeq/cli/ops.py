"""``edgeq ops``: the table of what is supported, generated from the operators and bindings themselves."""

from __future__ import annotations

from typing import Any

import click

from edgeq.cli.options import common


@click.command("ops")
@click.option("--markdown", is_flag=True, help="As a table for a README.")
@common
def command(markdown: bool, as_json: bool) -> None:
    """List the integer operators, the ONNX operators that become them, and their C kernels.

    \b
    edgeq ops
    edgeq ops --markdown
    """
    entries = support_table()
    if as_json:
        from edgeq.report.documents import print_document

        print_document("ops", {"ops": entries})
        return
    from edgeq.report.tables import markdown_table, print_table

    header = ["operator", "ONNX", "C kernels", "limits"]
    rows = [[e["op"], ", ".join(e["onnx"]), ", ".join(e["kernels"]), e["limits"]] for e in entries]
    if markdown:
        click.echo(markdown_table(header, rows), nl=False)
    else:
        print_table("", header, rows)


def support_table() -> list[dict[str, Any]]:
    """One entry an integer operator, sorted by name."""
    from edgeq.backends.c.bindings import BINDINGS, UNSUPPORTED
    from edgeq.ops import OPS

    return [
        {
            "op": op.name,
            "summary": op.summary,
            "onnx": [form.type for form in op.onnx],
            "kernels": list(dict.fromkeys(binding.kernel for binding in BINDINGS if binding.op == op.name)),
            "limits": op.limits or UNSUPPORTED.get(op.name, ""),
        }
        for op in OPS
    ]
