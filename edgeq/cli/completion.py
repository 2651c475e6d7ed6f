"""``edgeq completion``: the script that lets a shell complete commands, options, boards, files, metrics and codes."""

from __future__ import annotations

from typing import Final

import click

from edgeq.cli.options import common
from edgeq.report.documents import print_document

SHELLS: Final = ("bash", "zsh", "fish")
_VARIABLE: Final = "_EDGEQ_COMPLETE"


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@common
def command(shell: str, as_json: bool) -> None:
    """Print the completion script for SHELL.

    \b
    source <(edgeq completion bash)
    edgeq completion zsh > ~/.zfunc/_edgeq
    edgeq completion fish > ~/.config/fish/completions/edgeq.fish
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None  # click has all of SHELLS
    root = click.get_current_context().find_root().command
    completion = found(root, {}, "edgeq", _VARIABLE)
    # Not completion.source(): for bash that starts a bash, to warn where it is older than the running shell may be.
    script = completion.source_template % completion.source_vars()
    if as_json:
        print_document("completion", {"shell": shell, "script": script})
        return
    click.echo(script)
