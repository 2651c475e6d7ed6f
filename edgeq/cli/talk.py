"""How loud the running command is, from ``-q`` and ``-v`` before or after the verb."""

from __future__ import annotations

from typing import Any, Final

import click

QUIET: Final = -1
NORMAL: Final = 0
VERBOSE: Final = 1
_TALK: Final = "edgeq.talk"
_JSON: Final = "edgeq.json"


def loudness(level: int) -> dict[str, Any]:
    """The settings of an option that sets the level."""

    def keep(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
        del parameter
        if value:
            ctx.meta[_TALK] = level

    return {"is_flag": True, "expose_value": False, "callback": keep}


def keep_json(ctx: click.Context, parameter: click.Parameter, value: bool) -> bool:
    """The callback of ``--json``: true where it stands before or after the verb."""
    del parameter
    ctx.meta[_JSON] = value or ctx.meta.get(_JSON, False)
    return bool(ctx.meta[_JSON])


def talk() -> int:
    """QUIET, NORMAL or VERBOSE."""
    level: int = click.get_current_context().meta.get(_TALK, NORMAL)
    return level
