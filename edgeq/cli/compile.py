"""``edgeq compile``: the first of the three verbs."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import click

from edgeq import api
from edgeq.api import CompileChoices
from edgeq.cli.choices import choice_options
from edgeq.cli.limits import budget_options, show_data
from edgeq.cli.options import board_option, common, data_option, force_option, model_argument
from edgeq.cli.problems import show_problems
from edgeq.cli.progress import ProgressLine
from edgeq.cli.talk import VERBOSE, talk
from edgeq.report.documents import print_document
from edgeq.report.printable import printable
from edgeq.target import Board, load_board

if TYPE_CHECKING:
    from edgeq.job import CompileResult
    from edgeq.manifest import Program
    from edgeq.passes.removed_channels import RemovedChannels
    from edgeq.quant import Report


@click.command("compile")
@model_argument
@data_option(what="Calibration data; needed for a float model.")
@board_option(required=True, text="`edgeq boards` lists them.")
@click.option("-o", "--output", required=True, metavar="DIR", type=click.Path(path_type=Path), help="Replaced whole.")
@click.option("--name", metavar="WORD", help="Prefix of the C symbols; by default from the file's name.")
@choice_options(CompileChoices)
@force_option
@budget_options
@common
def command(
    model: Path,
    data: Path | None,
    board: str,
    output: Path,
    name: str | None,
    force: bool,
    as_json: bool,
    **choices: Unpack[CompileChoices],
) -> None:
    """Compile MODEL, float or QDQ ONNX, into DIR: sources, images, manifest.

    \b
    edgeq compile kws.onnx --data calib.npz --board mps2-an386 -o build/kws
    edgeq compile kws.qdq.onnx --board microbit-v2 -o build/kws --code-bytes 12000
    edgeq compile kws.qdq.onnx --board mps2-an386 -o build/kws --backend c,tvm,tflite
    """
    with ProgressLine() as progress:
        compiled = api.compile(
            model, data, board=board, out=output, name=name, force=force, progress=progress, **choices
        )
    result = compiled.result
    assert result is not None  # it was compiled just now
    if as_json:
        print_document("compile", result.to_json())
        show_problems(result.notes, err=True)
        return
    show(result, load_board(board))
    if talk() == VERBOSE:
        show_removed_by_layer(result.manifest.program.removed)
        show_steps(result.manifest.program)


def show(result: CompileResult, board: Board) -> None:
    """Bars of RAM and flash against the board, and the notes."""
    from edgeq.backends.table import entries_of
    from edgeq.report.tables import bar

    manifest, program = result.manifest, result.manifest.program
    sizes = program.sizes
    click.echo(f"{manifest.name} for {board.name}: {len(program.steps)} steps, {program.macs:,} multiply-accumulates")
    show_removed(program)
    show_data(result.data, always=True)
    ram = {
        "arena": program.ram_arena_bytes - (program.state_bytes or 0) if program.ram_arena_bytes is not None else None,
        "states": program.state_bytes or None,
        "stack at most": program.stack_bytes,
        "harness": sizes.harness_ram_bytes if sizes is not None else None,
    }
    flash = {
        "code": sizes.flash_code_bytes if sizes is not None else None,
        "weights": sizes.flash_weight_bytes if sizes is not None else None,
        "harness": sizes.harness_flash_bytes if sizes is not None else None,
    }
    for label, parts, memory in (("RAM", ram, board.ram), ("flash", flash, board.flash)):
        # What no compiler has measured is not shown as zero.
        known = {name: size for name, size in parts.items() if size is not None}
        if known:
            detail = ", ".join(f"{name} {size:,}" for name, size in known.items())
            click.echo(bar(label, sum(known.values()), memory.app_size_bytes if memory else None, detail))
    for part in program.parts:
        room = next((bank.size_bytes for bank in board.memories if bank.name == part.memory), None)
        click.echo(bar(part.memory, part.bytes, room, f"arena {part.bytes:,}"))
    show_planning(program)
    for entry in entries_of(manifest.backends):
        other = manifest.programs[entry.name]
        size = (
            f"{other.file_bytes:,} bytes"
            if other.file_bytes is not None
            else f"arena {other.arena_bytes:,} on the board"
        )
        if entry.name != manifest.main or other.file_bytes is not None:
            file = manifest.images.get(entry.name, entry.folder)
            click.echo(f"{entry.title}: {result.folder / file}, {size}")
    show_accuracy(result.quantization)
    show_problems(result.notes, err=False)
    if manifest.options.sources_only:
        click.echo("no images were made: --sources-only")
        return
    flashed = "image" in manifest.images and not board.is_hosted
    verbs = ("verify", "emulate", "flash") if flashed else ("verify", "emulate")
    click.echo("next: " + "\n      ".join(shlex.join(["edgeq", verb, str(result.folder)]) for verb in verbs))


def show_planning(program: Program) -> None:
    """Who found the arena, and how far it may be from the smallest; nothing where first fit is known to have it."""
    planning = program.planning
    if planning is None or (planning.is_smallest and planning.solver is None):
        return
    whose = "first fit's arena" if planning.planner == "greedy" else "the arena"
    asked = "no solver was asked (--planner solver)" if planning.solver is None else planning.solver
    proven = "none is smaller" if planning.is_smallest else f"at most {planning.gap_bytes:,} bytes above the smallest"
    click.echo(f"{whose}: {proven}; {asked}")


def show_accuracy(report: Report | None) -> None:
    """How far the quantized model is from the float one, and the layers that add most of it."""
    from edgeq.report.tables import figure, wrapped

    if report is None:
        return
    click.echo(
        f"quantized with observer {report.observer} on {report.samples:,} samples: SQNR {figure(report.sqnr_db)} dB"
    )
    worst = [f"{printable(entry['layer'])} {figure(entry['sqnr_db'])} dB" for entry in report.worst_layers]
    if worst:
        click.echo(wrapped("worst layers", ", ".join(worst)))


def show_removed(program: Program) -> None:
    """By how much the program has become smaller through channels that were dead."""
    layers = program.removed
    if not layers:
        return
    before = program.macs + sum(layer.macs.before - layer.macs.after for layer in layers)
    fewer = sum(layer.weight_bytes.before - layer.weight_bytes.after for layer in layers)
    click.echo(
        f"{len(layers)} layers lost dead channels, and every result keeps its bits: {before:,} -> {program.macs:,} "
        f"multiply-accumulates, {fewer:,} fewer bytes of weights"
    )


def show_removed_by_layer(layers: Sequence[RemovedChannels]) -> None:
    """Channels, multiply-accumulates and bytes of weights of each layer that lost channels, before and after."""
    from edgeq.report.tables import Column, first_of, print_table

    if not layers:
        return
    names = ("inputs", "outputs", "MACs", "weight bytes")
    header = (Column("layer", shorten=True), *(Column(name, numeric=True) for name in names))
    rows = []
    for layer in layers:
        changes = (layer.inputs, layer.outputs, layer.macs, layer.weight_bytes)
        rows.append([first_of(layer.label), *(f"{change.before:,} -> {change.after:,}" for change in changes)])
    print_table("", header, rows)


def show_steps(program: Program) -> None:
    """Each step with its kernel, and why the kernels before it in the list were refused."""
    from edgeq.report.tables import Column, first_of, print_table, wrapped

    header = (
        Column("step", numeric=True),
        Column("layer", shorten=True),
        Column("kernel"),
        Column("MACs", numeric=True),
        Column("scratch", numeric=True, optional=1),
    )
    rows = [
        [number, first_of(step.label), step.kernel or step.op, step.macs, step.scratch_bytes]
        for number, step in enumerate(program.steps)
    ]
    print_table("", header, rows)
    for number, step in enumerate(program.steps):
        refused = "; ".join(f"{kernel}: {reason}" for kernel, reason in step.refused.items())
        if refused:
            click.echo(wrapped(f"step {number} has {step.kernel}, not", refused))
