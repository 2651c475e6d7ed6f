"""``edgeq ops``: the table of what is supported, generated from the operators and bindings themselves."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import click

from edgeq.cli.options import common, filter_argument, matching
from edgeq.report.documents import print_document
from edgeq.report.tables import WIDTH


@click.command("ops")
@filter_argument
@click.option("--markdown", is_flag=True, help="As a table for a README.")
@common
def command(wanted: str | None, markdown: bool, as_json: bool) -> None:
    """List the integer operators, or those whose name or ONNX name holds FILTER: their kernels and limits.

    \b
    edgeq ops
    edgeq ops conv
    edgeq ops Softmax --json
    edgeq ops --markdown
    """
    entries = matching(support_table(), wanted, lambda entry: (entry["op"], *entry["onnx"]))
    if as_json:
        print_document("ops", {"ops": entries})
        return
    from edgeq.report.tables import markdown_table

    if markdown:
        click.echo(markdown_table(HEADER, rows(entries)), nl=False)
    else:
        _show(entries)


def _show(entries: Sequence[Mapping[str, Any]]) -> None:
    """One block an operator: its lists are too long for the cells of a table."""
    for entry in entries:
        lines = {
            "ONNX": ", ".join(entry["onnx"]) or "-",
            "types": "; ".join(entry["types"]),
            "C kernels": ", ".join(entry["kernels"]) or "none needed",
            "TVM": entry["tvm"] or "yes",
            "TFLite": entry["tflite"] or "yes",
            "limits": entry["limits"],
        }
        click.echo(entry["op"])
        for label, text in lines.items():
            if text:
                start = f"  {label + ':':11}"
                click.echo(textwrap.fill(text, WIDTH, initial_indent=start, subsequent_indent=" " * len(start)))


HEADER = ("operator", "ONNX", "activations", "C kernels", "TVM", "TFLite", "limits")


def rows(entries: Sequence[Mapping[str, Any]]) -> list[list[object]]:
    """The lines of the table under :data:`HEADER`."""
    from edgeq.ops import BY_NAME

    return [
        [
            entry["op"],
            ", ".join(entry["onnx"]),
            "; ".join(BY_NAME[entry["op"]].signature.activation_types),
            ", ".join(entry["kernels"]),
            entry["tvm"] or "yes",
            entry["tflite"] or "yes",
            entry["limits"],
        ]
        for entry in entries
    ]


def support_table() -> list[dict[str, Any]]:
    """One entry an integer operator, sorted by name; ``tvm`` and ``tflite`` are empty, or say why they cannot."""
    from edgeq.backends import tflite
    from edgeq.backends.c.bindings import BINDINGS, UNSUPPORTED
    from edgeq.backends.tvm import support
    from edgeq.ops import OPS

    return [
        {
            "op": op.name,
            "summary": op.summary,
            "onnx": [form.type for form in op.onnx],
            "types": op.signature.described(),
            "kernels": list(dict.fromkeys(binding.kernel for binding in BINDINGS if binding.op == op.name)),
            "tvm": support.UNSUPPORTED.get(op.name, ""),
            "tflite": tflite.UNSUPPORTED.get(op.name, ""),
            "limits": op.limits or UNSUPPORTED.get(op.name, ""),
        }
        for op in OPS
    ]
