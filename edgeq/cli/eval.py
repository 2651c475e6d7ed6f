"""``edgeq eval``: accuracy, never without the float model's."""

from __future__ import annotations

from pathlib import Path

import click

from edgeq import api
from edgeq.cli.limits import budget_options, show_data
from edgeq.cli.options import accept_data_option, common, data_option, folder_argument, names_option
from edgeq.cli.problems import show_problems
from edgeq.cli.progress import ProgressLine
from edgeq.cli.words import Word
from edgeq.report.documents import print_document
from edgeq.report.printable import printable


def _metrics() -> list[str]:
    from edgeq.analysis.metrics import METRICS

    return list(METRICS)


def _reductions() -> list[str]:
    from edgeq.analysis.metrics import REDUCTIONS

    return list(REDUCTIONS)


@click.command("eval")
@folder_argument
@data_option(required=True, what="Labelled inputs.")
@names_option("the reference")
@click.option(
    "--metric",
    metavar="NAME",
    type=Word("metric", "EQ0109", _metrics),
    help="top1, auc, reconstruction_auc, agreement or mse; by default what the data's keys call for.",
)
@click.option(
    "--float",
    "float_model",
    metavar="MODEL",
    type=click.Path(path_type=Path),
    help="Float ONNX model to compare with, for a DIR that a quantized model was compiled into.",
)
@click.option(
    "--reduce",
    metavar="NAME",
    type=Word("reduction", "EQ0109", _reductions),
    help="What the time steps of a sequence become: max, mean or last; by default max for auc, last for top1.",
)
@click.option("--samples", type=click.IntRange(min=1), help="Only the first so many.")
@accept_data_option
@budget_options
@common
def command(
    folder: Path,
    data: Path,
    on: tuple[str, ...],
    metric: str | None,
    float_model: Path | None,
    reduce: str | None,
    samples: int | None,
    accept_data: bool,
    as_json: bool,
) -> None:
    """Evaluate DIR on labelled data: by the reference, as C on this computer, in the emulator.

    \b
    edgeq eval build/kws --data eval.npz
    edgeq eval build/kws --data eval.npz --on reference,native,qemu,float --samples 200
    edgeq eval build/kws --data eval.npz --float kws.onnx
    """
    with ProgressLine() as progress:
        result = api.load(folder).eval(
            data,
            on,
            metric=metric,
            samples=samples,
            float_model=float_model,
            accept_data=accept_data,
            reduce=reduce,
            progress=progress,
        )
    if as_json:
        print_document("eval", result.to_json())
        show_problems(result.notes, err=True)
        return
    from edgeq.report.tables import print_table

    show_problems(result.notes, err=False)
    show_data(result.data)
    if result.unused_keys:
        click.echo(f"keys of the data file that are not used: {printable(', '.join(result.unused_keys))}")
    rows = [[r.on, r.value, result.float_value, r.agreement, r.sqnr_db] for r in result.results]
    sequences = f"sequences of {result.time_steps} time steps, {result.reduce or 'all'} of each"
    title = f"{result.metric} of {result.samples} {'samples' if result.time_steps is None else sequences}"
    print_table(title, ["on", result.metric, "float", "agreement", "SQNR dB"], rows, numeric=(1, 2, 3, 4))
