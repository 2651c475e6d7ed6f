"""The keywords that :mod:`edgeq.api` takes as choices, as options of the command line: each is said once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import click

from edgeq.arguments import OPTIMIZE
from edgeq.cli.options import Command, accept_data_option, names_of
from edgeq.cli.words import Word, backend_words, completing_list
from edgeq.errors import EdgeqError
from edgeq.memory.planner import PLANNERS
from edgeq.numerics import DEFAULT_MODE


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


Pairs = tuple[tuple[str, str], ...]


def _pairs(values: Iterable[str], code: str, what: str, option: str, allowed: str, *, last: bool = True) -> Pairs:
    """Values of the form A=B, split at the last = or at the first one."""
    found = []
    for value in values:
        first, separator, second = value.rpartition("=") if last else value.partition("=")
        if not (separator and first and second):
            raise EdgeqError(code, what, where=option, got=value, allowed=allowed)
        found.append((first, second))
    return tuple(found)


def _states(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> Pairs:
    del ctx, parameter
    return _pairs(values, "EQ0145", "a state has no output or no input", "--state", "OUT=IN", last=False)


def _kernels(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> Pairs:
    del ctx, parameter
    # Names of kernels have no =.
    return _pairs(values, "EQ0101", "a kernel has no node or no name", "--kernel", "NODE=KERNEL")


def _memory(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    del ctx, parameter
    found = []
    for value in values:
        name, separator, size = value.partition("=")
        if not (separator and name and size.isascii() and size.isdigit() and len(size) <= 10):
            raise EdgeqError("EQ0101", "a memory has no usable size", where="--memory", got=value, allowed="NAME=BYTES")
        found.append((name, int(size)))
    return tuple(found)


def _places(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> Pairs:
    del ctx, parameter
    return _pairs(values, "EQ0101", "a place has no tensor or no memory", "--place", "TENSOR=MEMORY")


def _observers() -> list[str]:
    from edgeq.quant import AUTO, OBSERVERS

    return [AUTO, *OBSERVERS]


def _schemes() -> Iterable[str]:
    from edgeq.quant import SCHEMES

    return SCHEMES


def _arithmetics() -> Iterable[str]:
    from edgeq.numerics.scaling import MODES

    return MODES


CHOICES: Final[Mapping[str, Callable[[Command], Command]]] = {
    "requantize": click.option(
        "--requantize",
        metavar="NAME",
        type=Word("arithmetic", "EQ0107", _arithmetics),
        default=DEFAULT_MODE,
        show_default=True,
        help="How requantization rounds, and so which runtime's bits: `edgeq methods` lists the arithmetics.",
    ),
    "scheme": click.option(
        "--scheme",
        metavar="NAME",
        type=Word("scheme", "EQ0107", _schemes),
        default="w8a8",
        show_default=True,
        help="Bits of weights and activations: w8a8, or w8a16, where every activation is int16.",
    ),
    "int16": click.option(
        "--int16",
        metavar="NAME",
        multiple=True,
        help="Tensors that are int16, a name or a pattern; `input` for all inputs of the model; may be repeated.",
    ),
    "allow_float": click.option(
        "--allow-float",
        metavar="NODE",
        multiple=True,
        help="Nodes that stay in software float, a name or a pattern: slow, but not quantized; may be repeated.",
    ),
    "observer": click.option(
        "--observer",
        default="auto",
        show_default=True,
        metavar="NAME",
        type=Word("observer", "EQ0107", _observers),
        help="How ranges follow from the data; `edgeq methods` lists them.",
    ),
    "calibration": click.option(
        "--calibration",
        metavar="FILE.npz",
        type=click.Path(path_type=Path),
        help="Continue from a calibration saved before, of the same MODEL and --data.",
    ),
    "save_calibration": click.option(
        "--save-calibration",
        metavar="FILE.npz",
        type=click.Path(path_type=Path),
        help="Save what calibration found out, for --calibration.",
    ),
    "code_bytes": click.option(
        "--code-bytes",
        type=int,
        metavar="N",
        help="Bytes that kernels may take; more is faster. By default layers with over 1/8 of the work get their own.",
    ),
    "optimize": click.option(
        "--optimize",
        type=click.Choice(OPTIMIZE),
        default="balanced",
        show_default=True,
        help="ram: layers in bands of rows; speed: kernels that take more RAM, too; size: less code.",
    ),
    "arena_bytes": click.option(
        "--arena-bytes",
        type=int,
        metavar="N",
        help="The most that the arena may take: layers run in bands of rows as far as that needs.",
    ),
    "planner": click.option(
        "--planner",
        type=click.Choice(PLANNERS),
        help="Who places tensors in the arena: solver may find smaller ones; by default where it is installed.",
    ),
    "memory": click.option(
        "--memory",
        metavar="NAME=BYTES",
        multiple=True,
        callback=_memory,
        help="The most that the arena may take of a memory of the board, `ram` or another one; may be repeated.",
    ),
    "place": click.option(
        "--place",
        metavar="TENSOR=MEMORY",
        multiple=True,
        callback=_places,
        help="Memory of a tensor of the arena, by name or pattern, instead of the choice; may be repeated.",
    ),
    "aligned_loads": click.option(
        "--aligned-loads", is_flag=True, help="For memory that traps unaligned loads; slower on M4, M7, M33."
    ),
    "require_optimized": click.option(
        "--require-optimized", is_flag=True, help="Refuse layers whose C kernel is not written for the core."
    ),
    "kernel": click.option(
        "--kernel",
        metavar="NODE=KERNEL",
        multiple=True,
        callback=_kernels,
        help="C kernel of a layer, by name or pattern, instead of the choice; may be repeated.",
    ),
    "kernels": click.option(
        "--kernels",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Kernels that `edgeq tune` chose; --kernel goes before them.",
    ),
    "backends": click.option(
        "--backend",
        "backends",
        metavar="NAME,...",
        default="c",
        show_default=True,
        callback=names_of,
        shell_complete=completing_list(backend_words),
        help="What to emit: c, tflite, tvm, or several.",
    ),
    "sources_only": click.option("--sources-only", is_flag=True, help="Make no images; needs no compiler."),
    "dims": click.option(
        "--dim",
        "dims",
        metavar="NAME=N",
        multiple=True,
        callback=_dims,
        help="Size of a named dynamic dimension; may be repeated.",
    ),
    "states": click.option(
        "--state",
        "states",
        metavar="OUT=IN",
        multiple=True,
        callback=_states,
        help="Output that the next time step reads as an input; may be repeated.",
    ),
    "features": click.option(
        "--features",
        metavar="F.onnx",
        type=click.Path(path_type=Path),
        help="Model that stands in front, such as `edgeq features` writes: its result feeds MODEL's input.",
    ),
    "argmax": click.option(
        "--argmax",
        is_flag=True,
        help="The output is the class, the index of the largest score; a final Softmax or Sigmoid is dropped.",
    ),
    "argmax_output": click.option("--argmax-output", metavar="NAME", help="As --argmax, for this output of several."),
    "recognize_states": click.option(
        "--no-state",
        "recognize_states",
        is_flag=True,
        callback=lambda ctx, parameter, value: not value,
        help="Take no output as a state by its name, only those of --state.",
    ),
    "accept_data": accept_data_option,
}
"""In the order of ``--help``."""


def choice_options(choices: type) -> Callable[[Command], Command]:
    """An option for each keyword of a TypedDict of :mod:`edgeq.api`."""

    def add(function: Command) -> Command:
        for name in sorted(choices.__annotations__, key=[*CHOICES].index, reverse=True):
            function = CHOICES[name](function)
        return function

    return add
