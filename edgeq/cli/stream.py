"""``edgeq stream``: from the model of a whole window to that of one step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeq import api
from edgeq.cli.choices import CHOICES
from edgeq.cli.limits import budget_options
from edgeq.cli.options import common, force_option, model_argument
from edgeq.cli.problems import show_problems
from edgeq.cli.progress import ProgressLine
from edgeq.errors import EdgeqError
from edgeq.report.documents import print_document
from edgeq.report.printable import printable

if TYPE_CHECKING:
    from edgeq.analysis.stream import StreamResult
    from edgeq.frontend.stream import StepOutput


def _axes(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, int]:
    del ctx, parameter
    found: dict[str, int] = {}
    for value in values:
        name, separator, number = value.rpartition(":")
        digits = number.removeprefix("-")
        if not (separator and name and digits.isascii() and digits.isdigit() and len(digits) <= 2):
            raise EdgeqError("EQ0151", "an axis of time is not said", where="--axis", got=value, allowed="INPUT:AXIS")
        if found.setdefault(name, int(number)) != int(number):
            raise EdgeqError("EQ0151", "an input has two axes of time", where="--axis", got=value, allowed="one axis")
    return found


@click.command("stream")
@model_argument
@click.option("-o", "--output", required=True, metavar="STEP.onnx", type=click.Path(path_type=Path))
@click.option(
    "--axis",
    "axes",
    metavar="INPUT:AXIS",
    multiple=True,
    callback=_axes,
    help="Axis of time of an input, where it is not found by itself; may be repeated.",
)
@click.option(
    "--hop",
    type=click.IntRange(min=1),
    metavar="N",
    help="Frames that a step takes; by default the fewest that the strides over time allow.",
)
@CHOICES["dims"]
@force_option
@budget_options
@common
def command(
    model: Path,
    output: Path,
    axes: dict[str, int],
    hop: int | None,
    dims: dict[str, int],
    force: bool,
    as_json: bool,
) -> None:
    """Turn MODEL, causal and of a whole window, into the model of one step, with states for what came before.

    The concatenated steps of a quantized model give the same bits as the window.

    \b
    edgeq stream tcn.qdq.onnx -o step.qdq.onnx
    edgeq stream kws.onnx -o step.onnx --axis x:2
    edgeq stream kws.onnx -o step.onnx --hop 4
    """
    with ProgressLine() as progress:
        made = api.stream(model, out=output, axes=axes, hop=hop, dims=dims, force=force, progress=progress)
    result = made.result
    if as_json:
        print_document("stream", {"output": str(output), **result.to_json()})
        show_problems(result.notes, err=True)
        return
    _show(result, output)
    show_problems(result.notes, err=False)
    data = "" if result.quantized else " --data SEQUENCES.npz"
    click.echo(f"next: edgeq compile {output}{data} --board BOARD -o DIR")


def _show(result: StreamResult, output: Path) -> None:
    from edgeq.report.tables import Column, print_table

    rows = [[state.input, "x".join(map(str, state.shape)), state.dtype, state.bytes] for state in result.states]
    header = (Column("state", shorten=True), Column("shape"), Column("type"), Column("bytes", numeric=True))
    if rows:
        print_table("", header, rows)
    axes = ", ".join(f"{printable(name)}:{axis}" for name, axis in result.axes.items() if axis is not None)
    click.echo(f"{output}: time is {axes}; a step takes {_frames(result.hop)}, the window has {result.frames}")
    field = "all frames since the reset" if result.receptive_field is None else _frames(result.receptive_field)
    click.echo(f"receptive field: {field}")
    click.echo(f"states: {result.state_bytes:,} bytes")
    saved = "" if result.saved is None else f", {100 * result.saved:.1f} % saved"
    click.echo(f"work:   {result.macs:,} MACs a step beside {result.window_macs:,} of the window{saved}")
    for each in result.outputs:
        click.echo(f"{printable(each.name)}: {_beginning(each)}")


def _frames(number: int) -> str:
    return f"{number:,} frame{'' if number == 1 else 's'}"


def _beginning(output: StepOutput) -> str:
    """From when on the results of an output are those of the window."""
    if output.axis is None:
        step = f"that of the window that ends with the step, from step {output.warm_up_steps + 1} on"
        return step if output.warm_up_steps else "that of the window, in every step"
    if not output.warm_up:
        return f"the window's, one part of axis {output.axis} after the other"
    return f"the window's along axis {output.axis}, behind {output.warm_up} that come from before it"
