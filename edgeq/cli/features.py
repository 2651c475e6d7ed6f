"""``edgeq features``: signal features as an ONNX model, written once for calibration, evaluation and firmware."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Unpack

import click

from edgeq import api
from edgeq.api import FeatureChoices
from edgeq.cli.options import Command, common, force_option
from edgeq.cli.words import Word
from edgeq.errors import EdgeqError
from edgeq.onnxio.features import KINDS, NORMALIZATIONS, WINDOWS, FeatureOptions, Kind
from edgeq.report.documents import print_document

_DEFAULTS: Final = FeatureOptions()


def _shape(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[int, ...]:
    del ctx, parameter
    try:
        sizes = tuple(int(size) for size in value.split(",")) if value else ()
    except ValueError:
        sizes = (0,)
    if any(size < 1 for size in sizes):
        raise EdgeqError("EQ0101", "a shape is no list of sizes", where="--shape", got=value, allowed="1,49,10,1")
    return sizes


_HELP: Final[Mapping[str, str]] = {
    "samples": "Of the signal; of a window of imu.",
    "rate": "Samples a second.",
    "frame": "Samples of a frame.",
    "step": "Samples from a frame to the next.",
    "fft": "Length of the transform, a power of two; 0: the next one from the frame up.",
    "power": "1: bands sum magnitudes; 2: powers.",
    "mels": "Bands on the mel scale.",
    "low": "Hertz where the first band begins.",
    "high": "Hertz where the last band ends.",
    "epsilon": "What is added before the logarithm.",
    "coefficients": "Of mfcc.",
    "smooth": "Share of the newest frame in pcen's smoothed energy.",
    "gain": "Exponent of pcen's smoothed energy.",
    "bias": "What pcen adds before the root.",
    "root": "Exponent of pcen's compression.",
    "axes": "Of a sample of imu.",
    "range": "The number that becomes 1 in imu.",
    "result": "Name of the result; the model's input has it, or is the only one.",
}
_FLAGS: Final[Mapping[str, str]] = {
    "center": "imu less its mean over the window.",
    "stream": "Read one step of samples at a time; states keep what came before.",
    "bands_first": "Bands or coefficients before frames, axes before samples.",
}


def _options(function: Command) -> Command:
    """An option for each keyword of :class:`FeatureChoices`."""
    made: dict[str, Callable[[Command], Command]] = {
        name: click.option(f"--{name}", default=getattr(_DEFAULTS, name), show_default=True, help=text)
        for name, text in _HELP.items()
    }
    made |= {
        name: click.option(f"--{name.replace('_', '-')}", is_flag=True, help=text) for name, text in _FLAGS.items()
    }
    words = {
        "window": (Word("window", "EQ0150", lambda: WINDOWS), "hann, hamming, blackman or none; periodic."),
        "normalize": (Word("normalization", "EQ0150", lambda: NORMALIZATIONS), "none; peak: over the largest value."),
    }
    for name, (kind, text) in words.items():
        default = getattr(_DEFAULTS, name)
        made[name] = click.option(f"--{name}", type=kind, default=default, show_default=True, metavar="NAME", help=text)
    made["shape"] = click.option("--shape", default="", metavar="N,N", callback=_shape, help="Of the result.")
    for name in sorted(FeatureChoices.__annotations__, key=[*FeatureChoices.__annotations__].index, reverse=True):
        function = made[name](function)
    return function


@click.command("features")
@click.argument("kind", metavar="KIND", type=Word("kind of features", "EQ0150", lambda: KINDS))
@click.option("-o", "--output", required=True, metavar="F.onnx", type=click.Path(path_type=Path))
@_options
@force_option
@common
def command(kind: Kind, output: Path, force: bool, as_json: bool, **choices: Unpack[FeatureChoices]) -> None:
    """Write the features KIND (logmel, mfcc, pcen or imu) as an ONNX model that onnxruntime runs and edgeq compiles.

    \b
    edgeq features mfcc --normalize peak --shape 1,49,10,1 -o f.onnx
    edgeq features logmel --frame 512 --step 256 --mels 64 --high 8000 --power 2 -o f.onnx
    edgeq features pcen --smooth 0.04 --power 2 -o f.onnx
    edgeq features imu --samples 260 --range 4000 -o f.onnx
    """
    api.features(kind, out=output, force=force, **choices)
    from edgeq.onnxio import read_model

    graph = read_model(output).graph
    shapes = [[int(str(dim)) for dim in value.shape or ()] for value in (graph.inputs[0], graph.outputs[0])]
    names = [str(value.name) for value in (graph.inputs[0], graph.outputs[0])]
    if as_json:
        document = {"input": names[0], "input_shape": shapes[0], "result": names[1], "shape": shapes[1], "notes": []}
        print_document("features", {"output": str(output), "kind": kind, **document})
        return
    click.echo(f"{output}: {names[0]} {shapes[0]} to {names[1]} {shapes[1]}")
    click.echo(f"next: edgeq compile MODEL --features {output} --data SIGNALS.npz --board BOARD -o DIR")
