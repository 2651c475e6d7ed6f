"""``edgeq explain``: the rule behind an error code."""

from __future__ import annotations

import difflib
import textwrap

import click

from edgeq.cli.options import common
from edgeq.errors import EdgeqError, exit_code_of
from edgeq.errors_catalogue import CATALOGUE


@click.command("explain")
@click.argument("code", metavar="CODE")
@common
def command(code: str, as_json: bool) -> None:
    """Explain an error CODE.

    \b
    edgeq explain EQ0401
    edgeq explain 401 --json
    """
    wanted = code.upper() if code.upper().startswith("EQ") else f"EQ{code.zfill(4)}"
    if wanted not in CATALOGUE:
        near = difflib.get_close_matches(wanted, CATALOGUE, 3)
        raise EdgeqError(
            "EQ0101",
            "there is no such error code",
            got=code,
            hint=f"did you mean {' or '.join(near)}?" if near else "codes look like EQ0401",
        )
    title, text = CATALOGUE[wanted]
    if as_json:
        from edgeq.report.documents import print_document

        print_document("explain", {"code": wanted, "title": title, "text": text, "exit_code": exit_code_of(wanted)})
        return
    click.echo(f"{wanted}: {title} (exit code {exit_code_of(wanted)})\n")
    click.echo(textwrap.fill(text, 100))
