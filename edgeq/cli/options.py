"""Options that several commands share, how loud a command is, and the progress line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import click

from edgeq.errors import EdgeqError, did_you_mean

Command = TypeVar("Command", bound=Callable[..., Any])

QUIET: Final = -1
NORMAL: Final = 0
VERBOSE: Final = 1
_TALK: Final = "edgeq.talk"
_PERCENT: Final = 100


def common(function: Command) -> Command:
    """``--json`` as an argument; ``--quiet``, ``--verbose`` and ``--debug``, which :func:`talk` and main read."""
    function = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")(function)
    function = click.option("-q", "--quiet", **_loudness(QUIET), help="Print no progress.")(function)
    function = click.option("-v", "--verbose", **_loudness(VERBOSE), help="Print more, and how long it took.")(function)
    return click.option("--debug", is_flag=True, expose_value=False, help="Show tracebacks.")(function)


def _loudness(level: int) -> dict[str, Any]:
    def keep(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
        del parameter
        if value:
            ctx.meta[_TALK] = level

    return {"is_flag": True, "expose_value": False, "callback": keep}


def talk() -> int:
    """How loud the running command is: QUIET, NORMAL or VERBOSE."""
    level: int = click.get_current_context().meta.get(_TALK, NORMAL)
    return level


class Word(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.5
    """One of some words, listed only when the option is used; a mistyped one gets a guess.

    Args:
        what: what the word names, ``observer``.
        code: the error for another word.
        words: answers all words.
    """

    name = "word"

    def __init__(self, what: str, code: str, words: Callable[[], Iterable[str]]) -> None:
        self.what = what
        self.code = code
        self.words = words

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word.

        Raises:
            EdgeqError: the code of this kind of word, it is none of them.
        """
        del ctx
        known = sorted(self.words())
        if value in known:
            return value
        raise EdgeqError(
            self.code,
            f"there is no {self.what} of that name",
            where=param.opts[0] if param is not None else None,
            got=value,
            allowed=", ".join(known),
            hint=did_you_mean(value, known),
        )


def runner_words(does: str) -> Callable[[], list[str]]:
    """The names of the runners that execute images, or of those that flash them."""

    def words() -> list[str]:
        from edgeq.runners.table import RUNNERS

        return [entry.name for entry in RUNNERS if entry.does == does]

    return words


def folder_argument(function: Command) -> Command:
    """``DIR``, a compiled folder."""
    return click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))(function)


def model_argument(function: Command) -> Command:
    """``MODEL``, an ONNX file."""
    return click.argument("model", metavar="MODEL", type=click.Path(path_type=Path))(function)


def data_option(required: bool = False, what: str = "Inputs, a .npz file.") -> Callable[[Command], Command]:
    """``--data``."""
    return click.option("--data", metavar="FILE.npz", type=click.Path(path_type=Path), required=required, help=what)


def dim_option(function: Command) -> Command:
    """``--dim NAME=N``, repeatable."""
    text = "Size of a named dynamic dimension; may be repeated."
    return click.option("--dim", "dims", metavar="NAME=N", multiple=True, callback=_dims, help=text)(function)


def force_option(function: Command) -> Command:
    """``--force``."""
    text = "Move what edgeq did not write at the output to OUTPUT.kept-N, instead of refusing."
    return click.option("--force", is_flag=True, help=text)(function)


def quantization_options(function: Command) -> Command:
    """``--observer`` and ``--requantize``."""
    function = click.option(
        "--observer",
        default="auto",
        show_default=True,
        metavar="NAME",
        type=Word("observer", "EQ0107", _observers),
        help="How ranges follow from the data; `edgeq methods` lists them.",
    )(function)
    return click.option(
        "--requantize",
        "mode",
        type=click.Choice(["highmul", "tflite"]),
        default="highmul",
        show_default=True,
        help="How requantization rounds.",
    )(function)


def _observers() -> list[str]:
    from edgeq.quant import AUTO, OBSERVERS

    return [AUTO, *OBSERVERS]


def names_option(default: str) -> Callable[[Command], Command]:
    """``--on A,B``, as a tuple; ``default`` says in words what runs without it."""
    text = f"Executors, separated by commas; by default {default}."
    return click.option("--on", metavar="A,B", default="", callback=names_of, help=text)


class ProgressLine:
    """One line on stderr that shows the stage and the share done, while the ``with`` block runs.

    On a terminal the line is overwritten and disappears at the end, also before an error's message; elsewhere each
    stage gets a line. Quiet prints nothing, verbose one line a stage with the seconds it took.
    """

    def __init__(self) -> None:
        level = talk()
        self.live = level == NORMAL and sys.stderr.isatty()
        self.plain = level == NORMAL and not self.live
        self.timed = level == VERBOSE
        self.stage = ""
        self.percent = -1
        self.since = self.last = monotonic()

    def __enter__(self) -> Self:
        """The line itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Remove the line."""
        if self.live and self.stage:
            click.echo("\r\033[K", err=True, nl=False)
        self._tell_time(monotonic())

    def __call__(self, stage: str, done: float | None) -> None:
        """Show a stage and its share done, None where unknown."""
        percent = -1 if done is None else int(done * _PERCENT)
        if self.live and (stage, percent) != (self.stage, self.percent):
            share = "" if done is None else f" {percent} %"
            click.echo(f"\r\033[K{stage}{share}", err=True, nl=False)
        elif self.plain and stage != self.stage:
            click.echo(f"{stage} ...", err=True)
        now = monotonic()
        if stage != self.stage:
            # Without a share a stage begins now; with one, that share has been done since the last call.
            begin = now if done is None else self.last
            self._tell_time(begin)
            self.since = begin
        self.stage, self.percent, self.last = stage, percent, now

    def _tell_time(self, end: float) -> None:
        if self.timed and self.stage:
            click.echo(f"{self.stage}: {end - self.since:.2f} s", err=True)


def _dims(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, int]:
    del ctx, parameter
    found: dict[str, int] = {}
    for value in values:
        name, separator, number = value.rpartition("=")
        usable = separator and name and number.isascii() and number.isdigit() and len(number) <= 9
        if not usable or int(number) < 1:
            raise EdgeqError(
                "EQ0101", "a dimension has no usable size", where="--dim", got=value, allowed="NAME=N, N at least 1"
            )
        if found.setdefault(name, int(number)) != int(number):
            raise EdgeqError("EQ0101", "a dimension has two sizes", where="--dim", got=value, allowed="one size")
    return found


def names_of(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    """The words of a list with commas."""
    del ctx, parameter
    return tuple(name.strip() for name in value.split(",") if name.strip())
