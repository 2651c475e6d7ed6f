"""``edgeq emulate``: the second of the three verbs."""

from __future__ import annotations

from pathlib import Path

import click

from edgeq import api
from edgeq.cli.limits import budget_options, show_data
from edgeq.cli.options import common, folder_argument
from edgeq.cli.problems import show_problems
from edgeq.cli.progress import ProgressLine
from edgeq.cli.words import Word, runner_words
from edgeq.report.documents import print_document
from edgeq.report.printable import printable

_SHOWN = 12


@click.command("emulate")
@folder_argument
@click.option("--input", "data", metavar="X.npz", type=click.Path(path_type=Path), help="Inputs; else corners.")
@click.option("--samples", type=click.IntRange(min=1), help="Only the first so many.")
@click.option(
    "--on",
    "runner",
    metavar="NAME",
    type=Word("runner", "EQ0170", runner_words),
    help="qemu, native, tvm, tvm-qemu or tflite; by default qemu where the board has an emulator.",
)
@budget_options
@common
def command(folder: Path, data: Path | None, samples: int | None, runner: str | None, as_json: bool) -> None:
    """Run the image in DIR and print its outputs, instructions, RAM and stack.

    \b
    edgeq emulate build/kws
    edgeq emulate build/kws --input eval.npz --samples 5
    """
    with ProgressLine() as progress:
        result = api.load(folder).emulate(data, runner, samples=samples, progress=progress)
    if as_json:
        print_document("emulate", result.to_json())
        show_problems(result.notes, err=True)
        return
    show_problems(result.notes, err=False)
    show_data(result.data)
    from edgeq.report.tables import wrapped

    for run, (sample, index) in enumerate(zip(result.real, result.arg_max, strict=True)):
        steps = result.time_steps
        number = str(run) if steps is None else f"{run // steps}.{run % steps}"  # sequence and time step
        for name, values in zip(result.names, sample, strict=True):
            flat = values.reshape(-1)
            shown = ", ".join(f"{value:.3g}" for value in flat[:_SHOWN])
            more = f", ... ({flat.size})" if flat.size > _SHOWN else ""
            click.echo(wrapped(f"{number}  {printable(name)}", f"{shown}{more}"))
        if index is not None:
            label = result.class_of(index)
            click.echo(f"{number}  arg max {index}" + (f": {printable(label)}" if label is not None else ""))
    click.echo(f"run by {result.machine}")
    instructions = f"{result.instructions:,} instructions; " if result.instructions is not None else ""
    stack = f", {result.stack_bytes:,} of stack used" if result.stack_bytes is not None else ""
    arena = f"arena {result.ram_bytes:,} bytes" if result.ram_bytes is not None else ""
    if instructions or arena or stack:
        click.echo(f"{instructions}{arena}{stack}")
