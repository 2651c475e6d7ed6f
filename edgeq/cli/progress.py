"""What a command shows while it works: the stage, the time, the share done and the time left."""

from __future__ import annotations

import sys
from threading import Lock
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import click

from edgeq.cli.talk import NORMAL, VERBOSE, talk
from edgeq.report.colour import is_plain

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_MINUTE: Final = 60
_TENTHS_BELOW: Final = 10


class ProgressLine:
    """The progress of a command on standard error, while the ``with`` block runs.

    On a terminal it is one line with a spinner, the time, and where the share is known a bar and the time left; it
    disappears at the end, also before an error's message. Elsewhere each stage gets a line. Verbose gives each stage a
    line with the seconds it took. Both end in ``done in``. Quiet prints nothing.
    """

    def __init__(self) -> None:
        level = talk()
        self.live = level == NORMAL and not is_plain(sys.stderr)
        self.plain = level == NORMAL and not self.live
        self.timed = level == VERBOSE
        self.stage = ""
        self.begin = self.since = self.last = monotonic()
        self._lock = Lock()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        """The line itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Remove the line, and say how long it took where nothing failed."""
        if self._bar is not None:
            self._bar.stop()
        now = monotonic()
        self._tell_time(now)
        if kind is None and (self.live or self.plain or self.timed):
            click.echo(f"done in {duration(now - self.begin)}", err=True)

    def __call__(self, stage: str, done: float | None) -> None:
        """Show a stage and its share done, None where unknown; any thread may call."""
        with self._lock:
            now = monotonic()
            if self.live:
                self._draw(stage, done)
            if stage != self.stage:
                if self.plain:
                    click.echo(f"{stage} ...", err=True)
                # Without a share a stage begins now; with one, that share has been done since the last call.
                begin = now if done is None else self.last
                self._tell_time(begin)
                self.since = begin
            self.stage, self.last = stage, now

    def _draw(self, stage: str, done: float | None) -> None:
        if self._bar is None:
            self._bar = _bar()
            self._bar.start()
        if stage != self.stage or self._task is None:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task(stage, total=None if done is None else 1.0)
        self._bar.update(self._task, completed=done or 0.0, total=None if done is None else 1.0)

    def _tell_time(self, end: float) -> None:
        if self.timed and self.stage:
            click.echo(f"{self.stage}: {end - self.since:.2f} s", err=True)


def duration(seconds: float) -> str:
    """``0.4 s``, ``12 s``, ``2 min 5 s``."""
    if seconds < _TENTHS_BELOW:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        SpinnerColumn,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    # Every character of spinner and text is ASCII: a terminal without UTF-8 shows it too, and rich draws its bar so.
    columns = (
        SpinnerColumn("line"),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        BarColumn(24),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)
