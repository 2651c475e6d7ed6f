"""``edgeq quantize``: the float world only, ONNX in and ONNX out."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

import click

from edgeq.api import QuantizeChoices, quantize
from edgeq.cli.choices import choice_options
from edgeq.cli.limits import budget_options, show_data
from edgeq.cli.options import common, data_option, force_option, model_argument
from edgeq.cli.problems import show_problems
from edgeq.cli.progress import ProgressLine
from edgeq.report.documents import print_document


@click.command("quantize")
@model_argument
@data_option(required=True, what="Calibration data.")
@click.option("-o", "--output", required=True, metavar="Q.onnx", type=click.Path(path_type=Path))
@choice_options(QuantizeChoices)
@force_option
@budget_options
@common
def command(
    model: Path, data: Path, output: Path, force: bool, as_json: bool, **choices: Unpack[QuantizeChoices]
) -> None:
    """Quantize the float MODEL to int8 and write it as plain ONNX with QuantizeLinear and DequantizeLinear.

    \b
    edgeq quantize kws.onnx --data calib.npz -o kws.qdq.onnx
    edgeq quantize kws.onnx --data calib.npz -o kws.qdq.onnx --save-calibration kws.calibration.npz
    edgeq quantize kws.onnx --data calib.npz -o kws.qdq.onnx --int16 input
    edgeq quantize kws.onnx --data calib.npz -o kws.qdq.onnx --scheme w8a16
    """
    with ProgressLine() as progress:
        result = quantize(model, data, out=output, force=force, progress=progress, **choices).result
    if as_json:
        print_document("quantize", {"output": str(output), **result.to_json()})
        show_problems(result.notes, err=True)
        return
    click.echo(f"{output}: observer {result.report.observer}, {result.report.samples} calibration samples")
    show_data(result.data, always=True)
    show_problems(result.notes, err=False)
    click.echo(f"next: edgeq compile {output} --board BOARD -o DIR")
