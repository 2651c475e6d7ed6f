"""``edgeq compile``: the first of the three verbs."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click

from edgeq.cli.arguments import check_arguments, check_board, check_data_file, check_data_given, check_model_file
from edgeq.cli.limits import accept_data_option, budget_options, show_data
from edgeq.cli.options import (
    board_option,
    common,
    data_option,
    dim_option,
    force_option,
    model_argument,
    names_of,
    quantization_options,
)
from edgeq.cli.problems import show_problems
from edgeq.cli.progress import ProgressLine
from edgeq.cli.talk import VERBOSE, talk
from edgeq.cli.words import backend_words, completing_list
from edgeq.report.printable import printable
from edgeq.target import Board, load_board


@click.command("compile")
@model_argument
@data_option(what="Calibration data; needed for a float model.")
@board_option(required=True, text="`edgeq boards` lists them.")
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
@click.option("--aligned-loads", is_flag=True, help="For memory that traps unaligned loads; slower on M4, M7, M33.")
@click.option(
    "--backend",
    "backends",
    metavar="NAME,...",
    default="c",
    show_default=True,
    callback=names_of,
    shell_complete=completing_list(backend_words),
    help="What to emit: c, tflite, tvm, or several.",
)
@click.option("--sources-only", is_flag=True, help="Make no images; needs no compiler.")
@dim_option
@accept_data_option
@force_option
@budget_options
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
    aligned_loads: bool,
    backends: tuple[str, ...],
    sources_only: bool,
    dims: dict[str, int],
    accept_data: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Compile MODEL, float or QDQ ONNX, into DIR: sources, images, manifest.

    \b
    edgeq compile kws.onnx --data calib.npz --board mps2-an386 -o build/kws
    edgeq compile kws.qdq.onnx --board microbit-v2 -o build/kws --specialize all
    edgeq compile kws.qdq.onnx --board mps2-an386 -o build/kws --backend c,tvm,tflite
    """
    from edgeq.backends.names import check_model_name, model_name_of
    from edgeq.backends.table import check_backends

    check_arguments(
        partial(check_board, board),
        partial(check_backends, backends),
        partial(check_model_name, name) if name else lambda: None,
        partial(check_model_file, model),
        partial(check_data_file, data),
        partial(check_data_given, model, data),
    )
    from edgeq.job import CompileOptions
    from edgeq.pipeline import compile_model

    options = CompileOptions(
        board=board,
        name=check_model_name(name) if name else model_name_of(model.name.partition(".")[0]),
        mode=mode,
        observer=observer,
        specialize=specialize,
        optimize=optimize,
        aligned_loads=aligned_loads,
        dims=dims,
        backends=check_backends(backends),
        accept_data=accept_data,
        sources_only=sources_only,
    )
    with ProgressLine() as progress:
        manifest = compile_model(model, data, output, options, progress, force=force)
    if as_json:
        from edgeq.report.documents import print_document

        print_document("compile", summary(manifest, str(output)))
        show_problems(manifest["notes"], err=True)
        return
    show(manifest, output, load_board(board))
    if talk() == VERBOSE:
        show_steps(manifest)


def summary(manifest: Mapping[str, Any], folder: str) -> dict[str, Any]:
    """The figures of a compilation that machines ask for first."""
    sizes = manifest["sizes"] or {}
    return {
        "folder": folder,
        "board": manifest["board"],
        "name": manifest["name"],
        "backends": manifest["backends"],
        "ram_bytes": manifest["arena_bytes"],
        "stack_bytes": manifest["stack_bytes"],
        "flash_code_bytes": sizes.get("flash_code_bytes"),
        "flash_weight_bytes": sizes.get("flash_weight_bytes"),
        "macs": sum(step["macs"] for step in manifest["steps"]),
        "steps": len(manifest["steps"]),
        "images": manifest["images"],
        "tflite_bytes": (manifest["tflite"] or {}).get("bytes"),
        "bundle_sha256": manifest["bundle_sha256"],
        "object_sha256": manifest["object_sha256"],
        "observer": (manifest["quantization"] or {}).get("observer"),
        "sqnr_db": (manifest["quantization"] or {}).get("sqnr_db"),
        "worst_layers": (manifest["quantization"] or {}).get("worst_layers", []),
        "data": manifest["data"].to_json() if manifest["data"] is not None else None,
        "notes": [note.to_json() for note in manifest["notes"]],
    }


def show(manifest: Mapping[str, Any], folder: Path, board: Board) -> None:
    """Bars of RAM and flash against the board, and the notes."""
    from edgeq.report.tables import bar

    sizes = manifest["sizes"] or {}
    macs = sum(step["macs"] for step in manifest["steps"])
    click.echo(f"{manifest['name']} for {board.name}: {len(manifest['steps'])} steps, {macs:,} multiply-accumulates")
    show_data(manifest["data"], always=True)
    ram = {
        "arena": manifest["arena_bytes"],
        "stack at most": manifest["stack_bytes"],
        "harness": sizes.get("harness_ram_bytes"),
    }
    flash = {
        "code": sizes.get("flash_code_bytes"),
        "weights": sizes.get("flash_weight_bytes"),
        "harness": sizes.get("harness_flash_bytes"),
    }
    for label, parts, memory in (("RAM", ram, board.ram), ("flash", flash, board.flash)):
        # What no compiler has measured is not shown as zero.
        known = {name: size for name, size in parts.items() if size is not None}
        if known:
            detail = ", ".join(f"{name} {size:,}" for name, size in known.items())
            click.echo(bar(label, sum(known.values()), memory.app_size_bytes if memory else None, detail))
    if manifest["tvm"] and manifest["main"] != "tvm":
        click.echo(f"TVM: {folder / manifest['images']['tvm']}, arena {manifest['tvm']['arena_bytes']:,} on the board")
    if manifest["tflite"]:
        click.echo(f"TFLite: {folder / manifest['images']['tflite']}, {manifest['tflite']['bytes']:,} bytes")
    show_accuracy(manifest["quantization"])
    show_problems(manifest["notes"], err=False)
    if manifest["options"]["sources_only"]:
        click.echo("no images were made: --sources-only")
        return
    verbs = ("verify", "emulate") if board.is_hosted or manifest["main"] is None else ("verify", "emulate", "flash")
    click.echo("next: " + "\n      ".join(shlex.join(["edgeq", verb, str(folder)]) for verb in verbs))


def show_accuracy(report: Mapping[str, Any] | None) -> None:
    """How far the quantized model is from the float one, and the layers that add most of it."""
    from edgeq.report.tables import figure, wrapped

    if report is None or report.get("sqnr_db") is None:
        return
    click.echo(
        f"quantized with observer {report['observer']} on {report['samples']:,} samples: "
        f"SQNR {figure(report['sqnr_db'])} dB"
    )
    worst = [f"{printable(entry['layer'])} {figure(entry['sqnr_db'])} dB" for entry in report.get("worst_layers", ())]
    if worst:
        click.echo(wrapped("worst layers", ", ".join(worst)))


def show_steps(manifest: Mapping[str, Any]) -> None:
    """Each step with its kernel, and why the kernels before it in the list were refused."""
    from edgeq.report.tables import Column, first_of, print_table, wrapped

    rows = [
        [
            number,
            first_of(", ".join(step["source"]) or step["name"]),
            step["kernel"] or step["op"],
            step["macs"],
            step["scratch_bytes"],
            "; ".join(f"{kernel}: {reason}" for kernel, reason in step["refused"].items()),
        ]
        for number, step in enumerate(manifest["steps"])
    ]
    header = (
        Column("step", numeric=True),
        Column("layer", shorten=True),
        Column("kernel"),
        Column("MACs", numeric=True),
        Column("scratch", numeric=True, optional=1),
    )
    print_table("", header, [row[:5] for row in rows])
    for number, _, kernel, _, _, refused in rows:
        if refused:
            click.echo(wrapped(f"step {number} has {kernel}, not", str(refused)))
