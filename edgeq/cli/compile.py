"""``edgeq compile``: the first of the three verbs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from edgeq.cli.options import ProgressLine, common, data_option, dim_option, model_argument, quantization_options


@click.command("compile")
@model_argument
@data_option(what="Calibration data; needed for a float model.")
@click.option("--board", required=True, metavar="BOARD", help="`edgeq boards` lists them.")
@click.option("-o", "--output", required=True, metavar="DIR", type=click.Path(path_type=Path), help="Replaced whole.")
@click.option("--name", metavar="WORD", help="Prefix of the C symbols; by default from the file's name.")
@quantization_options
@click.option(
    "--specialize",
    type=click.Choice(["none", "hot", "all"]),
    default="hot",
    show_default=True,
    help="Which layers get a kernel of their own: more is faster and larger.",
)
@click.option("--optimize", type=click.Choice(["-O2", "-O3", "-Os"]), default="-O2", show_default=True, help="For gcc.")
@click.option("--backend", type=click.Choice(["c"]), default="c", show_default=True, help="What to emit.")
@dim_option
@common
def command(
    model: Path,
    data: Path | None,
    board: str,
    output: Path,
    name: str | None,
    observer: str,
    mode: Any,  # noqa: ANN401 - a Literal that click has checked
    specialize: Any,  # noqa: ANN401 - likewise
    optimize: str,
    backend: str,
    dims: dict[str, int],
    as_json: bool,
    quiet: bool,
) -> None:
    """Compile MODEL, float or QDQ ONNX, into DIR: C sources, images, manifest.

    \b
    edgeq compile kws.onnx --data calib.npz --board mps2-an386 -o build/kws
    edgeq compile kws.qdq.onnx --board microbit-v2 -o build/kws --specialize all
    """
    from edgeq.backends.c.names import check_model_name, model_name_of
    from edgeq.pipeline import CompileOptions, compile_model

    del backend  # the only one so far
    options = CompileOptions(
        board=board,
        name=check_model_name(name) if name else model_name_of(model.name.partition(".")[0]),
        mode=mode,
        observer=observer,
        specialize=specialize,
        optimize=optimize,
        dims=dims,
    )
    progress = ProgressLine(quiet)
    manifest = compile_model(model, data, output, options, progress)
    progress.clear()
    if as_json:
        from edgeq.report.documents import print_document

        print_document("compile", summary(manifest, str(output)))
        for note in manifest["notes"]:
            click.echo(f"note: {note}", err=True)
    else:
        show(manifest, output)


def summary(manifest: Mapping[str, Any], folder: str) -> dict[str, Any]:
    """The figures of a compilation that machines ask for first."""
    sizes = manifest["sizes"] or {}
    return {
        "folder": folder,
        "board": manifest["board"],
        "name": manifest["name"],
        "ram_bytes": manifest["arena_bytes"],
        "stack_bytes": manifest["stack_bytes"],
        "flash_code_bytes": sizes.get("flash_code_bytes"),
        "flash_weight_bytes": sizes.get("flash_weight_bytes"),
        "macs": sum(step["macs"] for step in manifest["steps"]),
        "steps": len(manifest["steps"]),
        "images": manifest["images"],
        "bundle_sha256": manifest["bundle_sha256"],
        "object_sha256": manifest["object_sha256"],
        "observer": (manifest["quantization"] or {}).get("observer"),
        "notes": manifest["notes"],
    }


def show(manifest: Mapping[str, Any], folder: Path) -> None:
    """Bars of RAM and flash against the board, and the notes."""
    from edgeq.report.tables import bar
    from edgeq.target import load_board

    board = load_board(manifest["board"])
    sizes = manifest["sizes"] or {}
    macs = sum(step["macs"] for step in manifest["steps"])
    click.echo(f"{manifest['name']} for {board.name}: {len(manifest['steps'])} steps, {macs:,} multiply-accumulates")
    arena, stack = manifest["arena_bytes"], manifest["stack_bytes"] or 0
    harness = sizes.get("harness_ram_bytes") or 0
    ram = board.ram.app_size_bytes if board.ram else None
    detail = f"arena {arena:,}, stack at most {stack:,}, harness {harness:,}"
    click.echo(bar("RAM", arena + stack + harness, ram, detail))
    code, weights = sizes.get("flash_code_bytes"), sizes.get("flash_weight_bytes")
    if code is not None and weights is not None:
        rest = sizes.get("harness_flash_bytes") or 0
        flash = board.flash.app_size_bytes if board.flash else None
        detail = f"code {code:,}, weights {weights:,}, harness {rest:,}"
        click.echo(bar("flash", code + weights + rest, flash, detail))
    for note in manifest["notes"]:
        click.echo(f"note: {note}")
    click.echo(f"next: edgeq verify {folder}; edgeq emulate {folder}; edgeq flash {folder}")
