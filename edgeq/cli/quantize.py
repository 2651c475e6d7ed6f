"""``edgeq quantize``: the float world only, ONNX in and ONNX out."""

from __future__ import annotations

from pathlib import Path

import click

from edgeq.cli.limits import accept_data_option, budget_options, show_data
from edgeq.cli.options import (
    calibration_options,
    common,
    data_option,
    dim_option,
    force_option,
    model_argument,
    quantization_options,
    state_options,
)
from edgeq.cli.problems import show_problems
from edgeq.cli.progress import ProgressLine


@click.command("quantize")
@model_argument
@data_option(required=True, what="Calibration data.")
@click.option("-o", "--output", required=True, metavar="Q.onnx", type=click.Path(path_type=Path))
@quantization_options
@calibration_options
@dim_option
@state_options
@accept_data_option
@force_option
@budget_options
@common
def command(
    model: Path,
    data: Path,
    output: Path,
    observer: str,
    scheme: str,
    int16: tuple[str, ...],
    mode: str,
    calibration: Path | None,
    save_calibration: Path | None,
    dims: dict[str, int],
    states: tuple[tuple[str, str], ...],
    no_state: bool,
    accept_data: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Quantize the float MODEL to int8 and write it as plain ONNX with QuantizeLinear and DequantizeLinear.

    \b
    edgeq quantize kws.onnx --data calib.npz -o kws.qdq.onnx
    edgeq quantize kws.onnx --data calib.npz -o kws.qdq.onnx --save-calibration kws.calibration.npz
    edgeq quantize kws.onnx --data calib.npz -o kws.qdq.onnx --int16 input
    edgeq quantize kws.onnx --data calib.npz -o kws.qdq.onnx --scheme w8a16
    """
    from edgeq import api

    with ProgressLine() as progress:
        result = api.quantize(
            model,
            data,
            out=output,
            observer=observer,
            scheme=scheme,
            int16=int16,
            requantize=mode,
            dims=dims,
            states=states,
            recognize_states=not no_state,
            accept_data=accept_data,
            force=force,
            calibration=calibration,
            save_calibration=save_calibration,
            progress=progress,
        ).result
    if as_json:
        from edgeq.report.documents import print_document

        print_document("quantize", {"output": str(output), **result.to_json()})
        show_problems(result.notes, err=True)
        return
    click.echo(f"{output}: observer {result.report.observer}, {result.report.samples} calibration samples")
    show_data(result.data, always=True)
    show_problems(result.notes, err=False)
    click.echo(f"next: edgeq compile {output} --board BOARD -o DIR")
