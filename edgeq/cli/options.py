"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from edgeq.cli.talk import QUIET, VERBOSE, keep_json, loudness
from edgeq.cli.words import Word, board_words, completing, completing_list, executor_words
from edgeq.errors import EdgeqError, unknown_name
from edgeq.numerics import DEFAULT_MODE

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


def dim_option(function: Command) -> Command:
    """``--dim NAME=N``, repeatable."""
    text = "Size of a named dynamic dimension; may be repeated."
    return click.option("--dim", "dims", metavar="NAME=N", multiple=True, callback=_dims, help=text)(function)


def state_options(function: Command) -> Command:
    """``--state OUT=IN``, repeatable, and ``--no-state``."""
    function = click.option(
        "--no-state", is_flag=True, help="Take no output as a state by its name, only those of --state."
    )(function)
    text = "Output that the next time step reads as an input; may be repeated."
    return click.option("--state", "states", metavar="OUT=IN", multiple=True, callback=_states, help=text)(function)


def _states(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    del ctx, parameter
    found = []
    for value in values:
        output, separator, name = value.partition("=")
        if not (separator and output and name):
            raise EdgeqError(
                "EQ0145", "a state has no output or no input", where="--state", got=value, allowed="OUT=IN"
            )
        found.append((output, name))
    return tuple(found)


def force_option(function: Command) -> Command:
    """``--force``."""
    text = "Move what edgeq did not write at the output to OUTPUT.kept-N, instead of refusing."
    return click.option("--force", is_flag=True, help=text)(function)


def quantization_options(function: Command) -> Command:
    """``--observer``, ``--scheme``, ``--int16`` and ``--requantize``."""
    function = click.option(
        "--observer",
        default="auto",
        show_default=True,
        metavar="NAME",
        type=Word("observer", "EQ0107", _observers),
        help="How ranges follow from the data; `edgeq methods` lists them.",
    )(function)
    function = click.option(
        "--int16",
        metavar="NAME",
        multiple=True,
        help="Tensors that are int16, a name or a pattern; `input` for all inputs of the model; may be repeated.",
    )(function)
    function = click.option(
        "--scheme",
        metavar="NAME",
        type=Word("scheme", "EQ0107", _schemes),
        default="w8a8",
        show_default=True,
        help="Bits of weights and activations: w8a8, or w8a16, where every activation is int16.",
    )(function)
    return click.option(
        "--requantize",
        "mode",
        metavar="NAME",
        type=Word("arithmetic", "EQ0107", _arithmetics),
        default=DEFAULT_MODE,
        show_default=True,
        help="How requantization rounds, and so which runtime's bits: `edgeq methods` lists the arithmetics.",
    )(function)


def _arithmetics() -> Iterable[str]:
    from edgeq.numerics.scaling import MODES

    return MODES


def calibration_options(function: Command) -> Command:
    """``--calibration`` and ``--save-calibration``."""
    function = click.option(
        "--save-calibration",
        metavar="FILE.npz",
        type=click.Path(path_type=Path),
        help="Save what calibration found out, for --calibration.",
    )(function)
    return click.option(
        "--calibration",
        metavar="FILE.npz",
        type=click.Path(path_type=Path),
        help="Continue from a calibration saved before, of the same MODEL and --data.",
    )(function)


def _schemes() -> Iterable[str]:
    from edgeq.quant import SCHEMES

    return SCHEMES


def _observers() -> list[str]:
    from edgeq.quant import AUTO, OBSERVERS

    return [AUTO, *OBSERVERS]


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
