"""``edgeq eval``: accuracy, never without the float model's."""

from __future__ import annotations

from pathlib import Path

import click

from edgeq.cli.limits import accept_data_option, budget_options, show_data
from edgeq.cli.options import common, data_option, folder_argument, names_option
from edgeq.cli.problems import show_problems
from edgeq.cli.progress import ProgressLine
from edgeq.cli.words import Word
from edgeq.report.printable import printable


def _metrics() -> list[str]:
    from edgeq.analysis.metrics import METRICS

    return list(METRICS)


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
    "float_path",
    metavar="MODEL",
    type=click.Path(path_type=Path),
    help="Float ONNX model to compare with, for a DIR that a quantized model was compiled into.",
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
    float_path: Path | None,
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
    from edgeq.analysis.evaluate import evaluate_folder
    from edgeq.folder import Compiled

    with ProgressLine() as progress:
        report = evaluate_folder(Compiled.open(folder), data, on, metric, samples, progress, accept_data, float_path)
    if as_json:
        from edgeq.report.documents import print_document

        print_document("eval", report.to_json())
        show_problems(report.notes, err=True)
        return
    from edgeq.report.tables import print_table

    show_problems(report.notes, err=False)
    show_data(report.data)
    if report.unused_keys:
        click.echo(f"keys of the data file that are not used: {printable(', '.join(report.unused_keys))}")
    rows = [[r.on, r.value, report.float_value, r.agreement, r.sqnr_db] for r in report.results]
    title = f"{report.metric} of {report.samples} samples"
    print_table(title, ["on", report.metric, "float", "agreement", "SQNR dB"], rows, numeric=(1, 2, 3, 4))
