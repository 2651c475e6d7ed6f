"""``edgeq tune``: the best kernel of each layer, found by running them all."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from edgeq import api
from edgeq.api import TuneChoices
from edgeq.arguments import means_folder
from edgeq.cli.choices import choice_options
from edgeq.cli.limits import budget_options
from edgeq.cli.options import board_option, common, data_option, force_option
from edgeq.cli.problems import show_problems
from edgeq.cli.progress import ProgressLine
from edgeq.cli.talk import VERBOSE, talk
from edgeq.report.documents import print_document

if TYPE_CHECKING:
    from edgeq.analysis.tuned import TunedLayer, TuneResult


@click.command("tune")
@click.argument("model", metavar="MODEL|DIR", type=click.Path(path_type=Path))
@data_option(what="Calibration data for a float MODEL; its first sample is what is counted.")
@board_option(required=False, text="`edgeq boards` lists them; by default that of DIR.")
@click.option(
    "-o", "--output", metavar="K.json", type=click.Path(path_type=Path), help="Kernels for `edgeq compile --kernels`."
)
@choice_options(TuneChoices)
@force_option
@budget_options
@common
@click.pass_context
def command(
    context: click.Context,
    /,
    model: Path,
    data: Path | None,
    board: str | None,
    output: Path | None,
    force: bool,
    as_json: bool,
    **choices: Any,  # noqa: ANN401 - those of TuneChoices
) -> None:
    """Run every kernel that could take a layer of MODEL, or of the compiled DIR, in QEMU, and keep the best.

    \b
    edgeq tune build/kws -o kws.kernels.json
    edgeq tune kws.onnx --data calib.npz --board mps2-an386 --optimize speed -o kws.kernels.json
    edgeq compile kws.onnx --data calib.npz --board mps2-an386 -o build/kws --kernels kws.kernels.json
    """
    given: TuneChoices = {  # type: ignore[assignment]  # the keys are those of choice_options
        name: value
        for name, value in choices.items()
        if not means_folder(model, board) or context.get_parameter_source(name) is not ParameterSource.DEFAULT
    }
    with ProgressLine() as progress:
        result = api.tune(model, data, board=board, out=output, force=force, progress=progress, **given)
    if as_json:
        print_document("tune", {**result.to_json(), "output": str(output) if output is not None else None})
        show_problems(result.notes, err=True)
        return
    show_problems(result.notes, err=False)
    _show_layers(result)
    _show_totals(result)
    if output is not None:
        click.echo(f"next: edgeq compile ... --board {shlex.quote(result.board)} --kernels {shlex.quote(str(output))}")


def _show_layers(result: TuneResult) -> None:
    from edgeq.report.tables import Column, print_table

    header = (
        Column("layer", shorten=True),
        Column("kernel"),
        Column("instructions", numeric=True),
        Column("scratch", numeric=True, optional=1),
        Column("code", numeric=True, optional=2),
        Column(""),
    )
    rows = [row for layer in result.layers if layer.has_choice for row in _rows(layer)]
    if rows:
        print_table(f"{result.target}, {result.optimize}: instructions of each candidate", header, rows)
    else:
        click.echo("no layer has a choice of kernels")


def _rows(layer: TunedLayer) -> Iterator[list[object]]:
    from edgeq.report.tables import first_of

    name = first_of(layer.name)
    for trial in layer.trials:
        if trial.refused is not None:
            if talk() == VERBOSE:
                yield [name, trial.kernel, None, None, None, trial.refused]
                name = ""
            continue
        mark = "chosen" if trial.kernel == layer.chosen else "before" if trial.kernel == layer.before else ""
        yield [name, trial.kernel, trial.instructions, trial.scratch_bytes, trial.code_bytes, mark]
        name = ""


def _show_totals(result: TuneResult) -> None:
    before, after = result.before, result.after
    changed = sum(layer.chosen != layer.before for layer in result.layers)
    click.echo(
        f"{changed} layers changed, after {result.runs} images: {before.instructions:,} -> {after.instructions:,} "
        f"instructions, arena {before.ram_bytes:,} -> {after.ram_bytes:,}, weights {before.weight_bytes:,} -> "
        f"{after.weight_bytes:,}, code about {before.code_bytes:,} -> {after.code_bytes:,} bytes"
    )
