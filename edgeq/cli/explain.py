"""``edgeq explain``: the rule behind an error code, with an example; without a code, the list of codes."""

from __future__ import annotations

import difflib
import textwrap
from typing import Any, Final

import click

from edgeq.cli.options import common
from edgeq.cli.words import code_words, completing
from edgeq.errors import EdgeqError, exit_code_of
from edgeq.errors_catalogue import CATALOGUE
from edgeq.errors_examples import EXAMPLES
from edgeq.report.documents import print_document

_WIDTH: Final = 80
_INDENT: Final = 9


@click.command("explain")
@click.argument("code", metavar="[CODE]", required=False, shell_complete=completing(code_words))
@common
def command(code: str | None, as_json: bool) -> None:
    """Explain an error CODE; without CODE, list all codes.

    \b
    edgeq explain
    edgeq explain EQ0401
    edgeq explain 401 --json
    """
    if code is None:
        _list(as_json)
        return
    found = _entry(_full(code))
    if as_json:
        print_document("explain", {"codes": [found]})
        return
    click.echo(f"{found['code']}: {found['title']} (exit code {found['exit_code']})\n")
    click.echo(textwrap.fill(found["text"], _WIDTH) + "\n")
    for label in ("wrong", "right"):
        for line in found[label].splitlines():
            click.echo(f"{label + ':' if line == found[label].splitlines()[0] else '':{_INDENT}}{line}")


def _full(code: str) -> str:
    """``EQ0401`` for ``401``, ``0401``, ``eq0401`` and ``eq401``.

    Raises:
        EdgeqError: EQ0177 there is no such code.
    """
    digits = code.upper().removeprefix("EQ")
    wanted = f"EQ{digits.zfill(4)}"
    if wanted in CATALOGUE:
        return wanted
    near = difflib.get_close_matches(wanted, CATALOGUE, 3)
    raise EdgeqError(
        "EQ0177",
        "there is no such error code",
        where="CODE",
        got=code,
        hint=f"did you mean {' or '.join(near)}? " * bool(near) + "`edgeq explain` lists the codes",
    )


def _list(as_json: bool) -> None:
    entries = [_entry(code) for code in CATALOGUE]
    if as_json:
        print_document("explain", {"codes": entries})
        return
    from edgeq.report.tables import Column, print_table

    header = (Column("code"), Column("exit", numeric=True), Column("meaning"))
    print_table("", header, [[entry["code"], entry["exit_code"], entry["title"]] for entry in entries])


def _entry(code: str) -> dict[str, Any]:
    title, text = CATALOGUE[code]
    wrong, right = EXAMPLES[code]
    return {
        "code": code,
        "title": title,
        "text": text,
        "exit_code": exit_code_of(code),
        "wrong": wrong,
        "right": right,
    }
