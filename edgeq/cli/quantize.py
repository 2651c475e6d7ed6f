"""``edgeq quantize``: the float world only, ONNX in and ONNX out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgeq.cli.options import ProgressLine, common, data_option, dim_option, model_argument, quantization_options


@click.command("quantize")
@model_argument
@data_option(required=True, what="Calibration data.")
@click.option("-o", "--output", required=True, metavar="Q.onnx", type=click.Path(path_type=Path))
@quantization_options
@dim_option
@common
def command(
    model: Path,
    data: Path,
    output: Path,
    observer: str,
    mode: Any,  # noqa: ANN401 - a Literal that click has checked
    dims: dict[str, int],
    as_json: bool,
    quiet: bool,
) -> None:
    """Quantize the float MODEL to int8 and write it as plain ONNX with QuantizeLinear and DequantizeLinear.

    \b
    edgeq quantize kws.onnx --data calib.npz -o kws.qdq.onnx
    edgeq quantize kws.onnx --data calib.npz -o kws.qdq.onnx --observer percentile
    """
    from edgeq.pipeline import quantize_file

    progress = ProgressLine(quiet)
    report = quantize_file(model, data, output, observer=observer, mode=mode, dims=dims, progress=progress)
    progress.clear()
    if as_json:
        from edgeq.report.documents import print_document

        print_document("quantize", {"output": str(output), **report})
        return
    click.echo(f"{output}: observer {report['observer']}, {report['samples']} calibration samples")
    for warning in report["warnings"]:
        click.echo(f"note: {warning}")
