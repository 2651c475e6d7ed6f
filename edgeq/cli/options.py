"""Options that several commands share, and the progress line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from edgeq.errors import EdgeqError

Command = TypeVar("Command", bound=Callable[..., Any])
_PERCENT = 100


def common(function: Command) -> Command:
    """``--json``, ``--quiet`` and ``--debug``."""
    function = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")(function)
    function = click.option("-q", "--quiet", is_flag=True, help="Print no progress.")(function)
    return click.option("--debug", is_flag=True, expose_value=False, help="Show tracebacks.")(function)


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


def quantization_options(function: Command) -> Command:
    """``--observer`` and ``--requantize``."""
    function = click.option(
        "--observer",
        default="auto",
        show_default=True,
        metavar="NAME",
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


def names_option(function: Command) -> Command:
    """``--on A,B``, as a tuple."""
    return click.option("--on", metavar="A,B,…", default="", callback=_names, help="Executors, separated by commas.")(
        function
    )


class ProgressLine:
    """One line on stderr that shows the stage and the share done; nothing where nobody watches."""

    def __init__(self, quiet: bool) -> None:
        self.live = not quiet and sys.stderr.isatty()
        self.plain = not quiet and not self.live
        self.stage = ""
        self.percent = -1

    def __call__(self, stage: str, done: float | None) -> None:
        """Show a stage; plain lines where stderr is no terminal."""
        percent = -1 if done is None else int(done * _PERCENT)
        if self.live and (stage, percent) != (self.stage, self.percent):
            share = "" if done is None else f" {percent} %"
            click.echo(f"\r\033[K{stage}{share}", err=True, nl=False)
        elif self.plain and stage != self.stage:
            click.echo(f"{stage} …", err=True)
        self.stage, self.percent = stage, percent

    def clear(self) -> None:
        """Remove the line."""
        if self.live:
            click.echo("\r\033[K", err=True, nl=False)


def _dims(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, int]:
    del ctx, parameter
    found = {}
    for value in values:
        name, separator, number = value.rpartition("=")
        if not separator or not name or not number.isdigit() or int(number) < 1:
            raise EdgeqError(
                "EQ0101", "a dimension has no usable size", where="--dim", got=value, allowed="NAME=N, N at least 1"
            )
        found[name] = int(number)
    return found


def _names(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    del ctx, parameter
    return tuple(name.strip() for name in value.split(",") if name.strip())
