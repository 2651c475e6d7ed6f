"""``edgeq verify``: the proof of equal bits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeq import api
from edgeq.cli.limits import budget_options, show_data
from edgeq.cli.options import common, data_option, folder_argument, names_option
from edgeq.cli.problems import show_problems
from edgeq.cli.progress import ProgressLine
from edgeq.errors import EXIT_GATE
from edgeq.report.colour import paint
from edgeq.report.documents import print_document
from edgeq.report.printable import printable

if TYPE_CHECKING:
    from edgeq.analysis.comparison import Mismatch
    from edgeq.analysis.onnxruntime_steps import OnnxruntimeReport
    from edgeq.analysis.verify import VerifyResult


@click.command("verify")
@folder_argument
@names_option("all that the folder holds an image for")
@data_option(what="Inputs; without it extremes and random integers.")
@click.option("--samples", type=click.IntRange(min=1), default=20, show_default=True, help="How many inputs.")
@budget_options
@common
def command(folder: Path, on: tuple[str, ...], data: Path | None, samples: int, as_json: bool) -> int:
    """Compare every step's output in DIR with the reference, bit for bit, on every executor.

    Each step of an imported quantized model is also compared with onnxruntime, within one step of its output's scale.

    \b
    edgeq verify build/kws
    edgeq verify build/kws --on native,qemu --data eval.npz --samples 50
    """
    with ProgressLine() as progress:
        result = api.load(folder).verify(on, data, samples=samples, progress=progress)
    if as_json:
        print_document("verify", result.to_json())
        show_problems(result.notes, err=True)
    else:
        show(result)
    return 0 if result.ok else EXIT_GATE


def show(result: VerifyResult) -> None:
    """What was compared, and what it gave."""
    from edgeq.report.tables import print_table

    show_problems(result.notes, err=False)
    show_data(result.data)
    rows = [
        [entry.runner, len(entry.names), entry.elements, entry.mismatches] for entry in (*result.results, result.passes)
    ]
    print_table(counted(result.samples, "input"), ["on", "tensors", "elements", "mismatches"], rows, numeric=(1, 2, 3))
    names = [entry.runner for entry in result.results]
    if not result.mismatches:
        agree = "agree" if len(names) > 1 else "agrees"
        compared = f"{counted(result.tensors, 'tensor')}, {counted(result.samples, 'sample')}"
        click.echo(f"{_listed(names)} {agree} with the reference in {compared}")
    for entry in (*result.results, result.passes):
        if entry.first is not None:
            differ = paint(f"{entry.mismatches:,} elements differ from the reference.", "red")
            click.echo(f"{differ} {_first(entry.first)}")
    if result.onnxruntime is not None:
        _show_onnxruntime(result.onnxruntime)


def _show_onnxruntime(found: OnnxruntimeReport) -> None:
    from edgeq.analysis.onnxruntime_steps import TOLERANCE

    near = 100 * (found.different - found.wrong) / max(found.elements, 1)
    click.echo(
        f"onnxruntime, {counted(found.steps, 'step')} alone: {found.wrong:,} of {found.elements:,} elements differ "
        f"by more than {TOLERANCE} step of the output's scale, {near:.3g} % by {TOLERANCE}"
    )
    if found.first is not None:
        click.echo(_first(found.first))
    for name, reason in found.not_compared.items():
        click.echo(f"  not compared: {printable(name)}: {reason}")
    agreement = (
        f"arg max agrees in {100 * found.agreement:.4g} % of the samples, " if found.agreement is not None else ""
    )
    sqnr = f"SQNR {found.sqnr_db:.1f} dB" if found.sqnr_db is not None else "outputs are equal"
    click.echo(f"onnxruntime, end to end (no gate): {agreement}{sqnr}")


def counted(number: int, noun: str) -> str:
    """``1 tensor``, ``17 tensors``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _first(found: Mismatch) -> str:
    step = f"step {found.step}, " if found.step is not None else ""
    place = f"{printable(found.tensor)}{list(found.index)}"
    sample = f"sample {found.sample}"
    if found.time_step is not None:
        sample = f"sequence {found.sample}, time step {found.time_step}"
    if found.rows is not None:
        first, end = found.rows
        last = f" to {end - 1}" if end - first > 1 else ""
        place += f" (row{'s' if last else ''} {first}{last} of band {found.band})"
    return f"first on {found.runner}: {sample}, {step}{place}: {found.got}, not {found.expected}"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
