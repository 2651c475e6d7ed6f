"""``edgeq boards``."""

from __future__ import annotations

from typing import Any

import click

from edgeq.cli.options import common, filter_argument, matching
from edgeq.report.documents import print_document
from edgeq.target import Board, list_boards, load_board


@click.command("boards")
@filter_argument
@common
def command(wanted: str | None, as_json: bool) -> None:
    """List the boards, or those whose name, processor or description holds FILTER.

    \b
    edgeq boards
    edgeq boards nrf52
    edgeq boards cortex-m0 --json
    """
    boards = [load_board(name) for name in list_boards()]
    boards = matching(boards, wanted, lambda board: (board.name, board.target.name, board.description))
    if as_json:
        print_document("boards", {"boards": [_entry(board) for board in boards]})
        return
    from edgeq.report.tables import Column, print_table

    rows = [
        [
            board.name,
            board.target.name,
            board.flash.app_size_bytes if board.flash else None,
            board.ram.app_size_bytes if board.ram else None,
            (board.emulator.machine or board.emulator.program) if board.emulator else None,
            ", ".join(board.flash_with.methods),
            board.description,
        ]
        for board in boards
    ]
    header = (
        Column("board"),
        Column("target"),
        Column("flash bytes", numeric=True),
        Column("RAM bytes", numeric=True),
        Column("emulated by", optional=2),
        Column("flash with", optional=1),
        Column("description"),
    )
    print_table("", header, rows)


def _entry(board: Board) -> dict[str, Any]:
    return {
        "name": board.name,
        "description": board.description,
        "target": board.target.name,
        "clock_hz": board.clock_hz,
        "flash_bytes": board.flash.app_size_bytes if board.flash else None,
        "flash_address": board.flash.app_base_address if board.flash else None,
        "ram_bytes": board.ram.app_size_bytes if board.ram else None,
        "ram_address": board.ram.app_base_address if board.ram else None,
        "memories": [
            {
                "name": bank.name,
                "address": bank.base_address,
                "bytes": bank.size_bytes,
                "wait_cycles": bank.wait_cycles,
                "source": bank.source,
            }
            for bank in board.memories
        ],
        "machine": board.emulator.machine if board.emulator else None,
        "emulator": board.emulator.program if board.emulator else None,
        "flash_with": list(board.flash_with.methods),
    }
