"""``edgeq flash``: the third of the three verbs."""

from __future__ import annotations

from pathlib import Path

import click

from edgeq.cli.options import common, folder_argument
from edgeq.cli.talk import QUIET, talk
from edgeq.cli.words import Word, flasher_words
from edgeq.report.documents import print_document


@click.command("flash")
@folder_argument
@click.option(
    "--with",
    "flasher",
    metavar="NAME",
    type=Word("flasher", "EQ0170", flasher_words),
    help="pyocd, openocd, drive or gdb; by default the board's first that is installed.",
)
@click.option("--dry-run", is_flag=True, help="Only print the command.")
@click.option("--drive", metavar="PATH", type=click.Path(path_type=Path), help="Where the board's drive is mounted.")
@click.option("--server", metavar="HOST:PORT", help="A GDB server that runs already.")
@common
def command(
    folder: Path,
    flasher: str | None,
    dry_run: bool,
    drive: Path | None,
    server: str | None,
    as_json: bool,
) -> None:
    """Write the image in DIR into its board, and print the command that does it.

    \b
    edgeq flash build/kws
    edgeq flash build/kws --with pyocd --dry-run
    """
    from edgeq.analysis.executors import board_image
    from edgeq.folder import Compiled
    from edgeq.runners.base import FlashRequest
    from edgeq.runners.flash import flash, shell_line

    compiled = Compiled.open(folder)
    # A board that cannot be flashed is named as such, whatever the folder holds.
    image = board_image(compiled) if compiled.board.flash_with.methods else compiled.path / "image.elf"
    request = FlashRequest(image.parent, compiled.board, drive=drive, server=server)
    result = flash(request, flasher, dry_run=dry_run)
    if as_json:
        content = {
            "with": result.runner,
            "command": list(result.command),
            "server_command": list(result.server_command),
            "image": str(result.image),
            "dry_run": result.dry_run,
            "verified": result.verified,
            "detail": result.detail,
        }
        print_document("flash", content)
        return
    if result.server_command:
        click.echo(f"$ {shell_line(result.server_command)}")
    click.echo(f"$ {shell_line(result.command)}")
    if result.dry_run:
        return
    if talk() != QUIET and result.detail:
        click.echo(result.detail)
    click.echo("written and compared" if result.verified else "written; the tool does not read back")
