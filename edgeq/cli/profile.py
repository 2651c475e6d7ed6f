"""``edgeq profile``: where the instructions and the bytes go."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgeq import api
from edgeq.cli.limits import budget_options, show_data
from edgeq.cli.options import common, data_option, folder_argument, force_option
from edgeq.cli.problems import show_problems
from edgeq.cli.progress import ProgressLine
from edgeq.cli.talk import VERBOSE, talk
from edgeq.cli.words import Word, runner_words
from edgeq.errors import EdgeqError
from edgeq.report.documents import print_document
from edgeq.report.tables import Column, first_of, print_table

if TYPE_CHECKING:
    from edgeq.analysis.profile import ProfileResult
    from edgeq.analysis.profile_comparison import ProfileComparison


@click.command("profile")
@folder_argument
@data_option(what="Inputs; without it extremes and random integers.")
@click.option("--samples", type=click.IntRange(min=1), default=20, show_default=True, help="For the spread.")
@click.option(
    "--on",
    "runner",
    metavar="NAME",
    default="qemu",
    show_default=True,
    type=Word("runner", "EQ0170", runner_words),
    help="qemu, or tvm-qemu for the image of TVM's objects.",
)
@click.option(
    "--compare",
    "other",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Another folder of the model: its instructions beside these.",
)
@click.option(
    "--svg", metavar="FILE.svg", type=click.Path(path_type=Path), help="Draw layers and classes of instructions."
)
@click.option(
    "--arena",
    metavar="FILE.svg",
    type=click.Path(path_type=Path),
    help="Draw what lies where in the arena, step by step.",
)
@force_option
@budget_options
@common
def command(
    folder: Path,
    data: Path | None,
    samples: int,
    runner: str,
    other: Path | None,
    svg: Path | None,
    arena: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Count the instructions of each layer in DIR on the emulated core. Instructions are not cycles.

    \b
    edgeq profile build/kws
    edgeq profile build/kws --data eval.npz --json
    edgeq profile build/kws --compare build/old --svg kws.svg
    """
    for path, flag in ((svg, "--svg"), (arena, "--arena")):
        if path is not None:
            _check_picture(path, flag, force=force)
    with ProgressLine() as progress:
        result = api.load(folder).profile(runner, data, samples=samples, progress=progress)
        compared = _compared(result, other, data, samples, progress) if other is not None else None
    if svg is not None:
        _draw(result, svg)
    if arena is not None:
        _draw_arena(folder, arena)
    if as_json:
        print_document("profile", {**result.to_json(), "compared": compared.to_json() if compared else None})
        show_problems(result.notes, err=True)
        return
    show_problems(result.notes, err=False)
    show_data(result.data)
    _show_layers(result)
    _show_totals(result)
    if compared is not None:
        _show_comparison(compared)


def _compared(
    result: ProfileResult, other: Path, data: Path | None, samples: int, progress: ProgressLine
) -> ProfileComparison:
    from edgeq.analysis.profile_comparison import ProfileComparison

    before = api.load(other).profile(result.runner, data, samples=samples, progress=progress)
    return ProfileComparison(before, result)


def _check_picture(path: Path, flag: str, *, force: bool) -> None:
    from edgeq.pipeline import make_parent
    from edgeq.report.flame import drew
    from edgeq.writing import check_file

    check_file(path, drew(path), force=force, flag=flag)
    make_parent(path, flag)


def _draw(result: ProfileResult, path: Path) -> None:
    from edgeq.report.profile_picture import profile_svg

    if result.instructions is None:
        click.echo(f"{path} is not drawn: {result.uncounted}", err=True)
        return
    _write(path, profile_svg(result), "--svg")


def _draw_arena(folder: Path, path: Path) -> None:
    from edgeq.analysis.arena import tenants_of
    from edgeq.folder import Compiled
    from edgeq.report.arena_picture import arena_svg

    compiled = Compiled.open(folder)
    program = compiled.manifest.program
    if program.arena_bytes is None:
        click.echo(f"{path} is not drawn: the program plans no memory", err=True)
        return
    title = f"{compiled.name} for {compiled.board.name}: {program.arena_bytes:,} bytes of arena"
    parts = [(part.memory, part.offset) for part in program.parts]
    _write(path, arena_svg(title, program.arena_bytes, len(program.steps), tenants_of(compiled), parts), "--arena")


def _write(path: Path, picture: bytes, flag: str) -> None:
    from edgeq.report.flame import drew
    from edgeq.writing import disk_problem, keep_file, write_whole

    if path.exists() and not drew(path):
        keep_file(path)
    try:
        write_whole(path, picture)
    except OSError as problem:
        raise disk_problem(problem) or EdgeqError(
            "EQ0101", "the picture cannot be written", where=flag, got=f"{path}: {problem.strerror}"
        ) from problem


def _show_layers(result: ProfileResult) -> None:
    rows = [
        [
            first_of(layer.name),
            layer.kernel,
            layer.instructions,
            f"{100 * layer.share:.1f} %" if layer.share is not None else None,
            layer.macs,
            layer.instructions / layer.macs if layer.macs and layer.instructions else None,
            layer.read_bytes,
            layer.written_bytes,
        ]
        for layer in result.layers
    ]
    header = (
        Column("layer", shorten=True),
        Column("kernel"),
        Column("instructions", numeric=True),
        Column("share", numeric=True, optional=3),
        Column("MACs", numeric=True),
        Column("per MAC", numeric=True),
        Column("bytes read", numeric=True, optional=2),
        Column("written", numeric=True, optional=1),
    )
    print_table(result.board, header, rows)


def _show_comparison(compared: ProfileComparison) -> None:
    from edgeq.analysis.profile_comparison import LayerPair

    click.echo("")
    whole = LayerPair("all", compared.before.instructions, compared.after.instructions)
    rows = [[first_of(pair.name), pair.before, pair.after, pair.ratio] for pair in (*compared.layers, whole)]
    header = (
        Column("layer", shorten=True),
        Column("before", numeric=True),
        Column("after", numeric=True),
        Column("ratio", numeric=True),
    )
    print_table(f"{compared.before.board} before, {compared.after.board} after", header, rows)


def _show_totals(result: ProfileResult) -> None:
    if result.instructions is None or result.spread is None:
        click.echo(f"instructions are not counted: {result.uncounted}")
    else:
        low, high = result.spread
        count = f"{result.instructions:,} instructions on the first of {len(result.counts)} inputs"
        click.echo(f"{count}, {low:,} to {high:,} over all")
        if result.float_instructions:
            share = 100 * result.float_instructions / result.instructions
            click.echo(f"{result.float_instructions:,} of them, {share:.0f} %, are software float")
        if talk() == VERBOSE and result.classes:
            from edgeq.report.tables import wrapped

            classes = (f"{name} {count:,}" for name, count in result.classes.items())
            click.echo(wrapped("of these", ", ".join(classes)))
    program = result.program
    if program.arena_bytes is None:
        return
    parts = [f"arena {program.arena_bytes:,} bytes"]
    parts += [f"{part.bytes:,} of them in {part.memory}" for part in program.parts]
    if program.stack_bytes is not None:
        parts.append(f"stack at most {program.stack_bytes:,}")
    if result.stack_bytes is not None:
        parts.append(f"seen {result.stack_bytes:,}")
    click.echo(f"RAM: {', '.join(parts)}")
    if program.sizes is not None:
        sizes = program.sizes
        click.echo(f"flash: code {sizes.flash_code_bytes:,} bytes, weights {sizes.flash_weight_bytes:,}")
