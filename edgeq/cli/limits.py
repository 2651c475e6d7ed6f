"""``--max-memory``, ``--max-seconds`` and ``--max-read``: the budget of one command; ``--accept-data``."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Final, cast

import click

from edgeq.budget import MEMORY_PER_MODEL_BYTE, READ_BYTES, SECONDS, Budget
from edgeq.cli.options import Command
from edgeq.cli.talk import VERBOSE, talk
from edgeq.report.printable import printable

if TYPE_CHECKING:
    from edgeq.data import DataReport

_SHIFTS: Final = {"K": 10, "M": 20, "G": 30}


class Size(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.5
    """A number of bytes: ``500M``, ``2G``, ``1.5G``."""

    name = "size"

    def convert(self, value: int | str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number of bytes."""
        if isinstance(value, int):
            return value
        text = value.strip().upper().removesuffix("IB").removesuffix("B")
        shift = _SHIFTS.get(text[-1:], 0)
        try:
            size = float(text[:-1] if shift else text) * (1 << shift)
        except ValueError:
            size = 0
        if not 1 <= size < float(1 << 50):
            self.fail(f"{value!r} is no size such as 500M or 2G", param, ctx)
        return int(size)


def show_data(report: DataReport | None, *, always: bool = False) -> None:
    """What the data file holds, a line for each input; only with ``--verbose`` where not ``always``."""
    if not always and talk() != VERBOSE:
        return
    if report is None:
        return
    from edgeq.report.tables import wrapped

    for line in report.lines():
        click.echo(wrapped("data", printable(line)))


def budget_options(function: Command) -> Command:
    """Run a command with a budget of its own, which the user may raise or lower."""

    @click.option(
        "--max-memory",
        metavar="SIZE",
        type=Size(),
        help=f"Memory to use.  [default: 768M and {MEMORY_PER_MODEL_BYTE} times the model file]",
    )
    @click.option(
        "--max-seconds",
        metavar="N",
        type=click.FloatRange(min=0, min_open=True),
        default=SECONDS,
        help=f"Time to take.  [default: {SECONDS:g}]",
    )
    @click.option("--max-read", metavar="SIZE", type=Size(), default=READ_BYTES, help="Input to read.  [default: 4G]")
    @wraps(function)
    def limited(
        *arguments: Any,  # noqa: ANN401 - any command's
        max_memory: int | None,
        max_seconds: float,
        max_read: int,
        **named: Any,  # noqa: ANN401 - likewise
    ) -> Any:  # noqa: ANN401 - likewise
        with Budget(max_memory, max_seconds, max_read).active():
            return function(*arguments, **named)

    return cast(Command, limited)
