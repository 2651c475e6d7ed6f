"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from edgeq.cli.talk import QUIET, VERBOSE, keep_json, loudness
from edgeq.cli.words import board_words, completing, completing_list, executor_words
from edgeq.errors import unknown_name

Command = TypeVar("Command", bound=Callable[..., Any])
Entry = TypeVar("Entry")


def common(function: Command) -> Command:
    """``--json`` as an argument; ``--quiet``, ``--verbose`` and ``--debug``, which :func:`talk` and main read."""
    json_flag = click.option(
        "--json", "as_json", is_flag=True, callback=keep_json, help="Print one JSON document on stdout."
    )
    return loudness_options(json_flag(function))


def loudness_options(function: Command) -> Command:
    """``--quiet``, ``--verbose`` and ``--debug``."""
    function = click.option("-q", "--quiet", **loudness(QUIET), help="Print no progress.")(function)
    function = click.option("-v", "--verbose", **loudness(VERBOSE), help="Print more, and how long it took.")(function)
    return click.option("--debug", is_flag=True, expose_value=False, help="Show tracebacks.")(function)


def filter_argument(function: Command) -> Command:
    """``[FILTER]``, a part of a name, as ``wanted``."""
    return click.argument("wanted", metavar="[FILTER]", required=False)(function)


def matching(entries: Iterable[Entry], wanted: str | None, words: Callable[[Entry], Iterable[str]]) -> list[Entry]:
    """The entries that have ``wanted`` in one of their words, whatever the case; all of them without it.

    Raises:
        EdgeqError: EQ0101 there is none.
    """
    listed = list(entries)
    if wanted is None:
        return listed
    found = [entry for entry in listed if any(wanted.lower() in word.lower() for word in words(entry))]
    if not found:
        names = [next(iter(words(entry))) for entry in listed]
        raise unknown_name("EQ0101", "nothing in the list matches", wanted, names, where="FILTER")
    return found


def folder_argument(function: Command) -> Command:
    """``DIR``, a compiled folder."""
    return click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))(function)


def model_argument(function: Command) -> Command:
    """``MODEL``, an ONNX file."""
    return click.argument("model", metavar="MODEL", type=click.Path(path_type=Path))(function)


def data_option(required: bool = False, what: str = "Inputs, a .npz file.") -> Callable[[Command], Command]:
    """``--data``."""
    return click.option("--data", metavar="FILE.npz", type=click.Path(path_type=Path), required=required, help=what)


def accept_data_option(function: Command) -> Command:
    """``--accept-data``."""
    text = "Go on where the data is all one value, bytes without a scale, or wrongly labelled."
    return click.option("--accept-data", is_flag=True, help=text)(function)


def force_option(function: Command) -> Command:
    """``--force``."""
    text = "Move what edgeq did not write at the output to OUTPUT.kept-N, instead of refusing."
    return click.option("--force", is_flag=True, help=text)(function)


def board_option(required: bool, text: str) -> Callable[[Command], Command]:
    """``--board``."""
    complete = completing(board_words)
    return click.option("--board", metavar="BOARD", required=required, help=text, shell_complete=complete)


def names_option(default: str) -> Callable[[Command], Command]:
    """``--on A,B``, as a tuple; ``default`` says in words what runs without it."""
    text = f"Executors, separated by commas; by default {default}."
    return click.option(
        "--on",
        metavar="A,B",
        default="",
        callback=names_of,
        help=text,
        shell_complete=completing_list(executor_words),
    )


def names_of(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    """The words of a list with commas."""
    del ctx, parameter
    return tuple(name.strip() for name in value.split(",") if name.strip())
