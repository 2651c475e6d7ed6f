"""All models of the data folder: accuracy beside float, differing bits and instructions, on every core.

Each model is compiled by the cheapest scheme that stays near the float model on its evaluation samples, then verified
on this computer and in the emulator. The models and data are not part of the repository: EDGEQ_DATA names their folder
(default ../shared/data).

    EDGEQ_DATA=DATA python benchmarks/models.py [--models NAME,…] [--cores native,M4,M55] [--samples 20]
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mlperf_tiny import BOARDS, ROOT, edgeq

from edgeq.numerics.array import Array

Prepare = Callable[[Mapping[str, Array]], dict[str, Array]]

# Cheapest first; an input of int16 costs a few instructions.
SCHEMES: dict[str, tuple[str, ...]] = {
    "w8a8": ("--scheme", "w8a8"),
    "w8a8, int16 input": ("--scheme", "w8a8", "--int16", "input"),
    "w8a16": ("--scheme", "w8a16"),
}
SILERO_CONTEXT, SILERO_STEP = 64, 512
CALIBRATION_SEQUENCES = 16


@dataclass(frozen=True)
class Entry:
    """A model with its data.

    Attributes:
        calibration, evaluation: files of the data folder without their ending.
        prepare: from a file's arrays to those of the model's inputs, and labels.
        metric: of ``edgeq eval``, with its options; or ``perplexity``.
        allowed: how far below the float model the integers may be; of a perplexity, the share above.
        schemes: names of :data:`SCHEMES` to try.
    """

    calibration: str
    evaluation: str
    metric: tuple[str, ...] = ("top1",)
    allowed: float = 0.01
    prepare: Prepare = dict
    schemes: tuple[str, ...] = tuple(SCHEMES)


def mww_steps(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """96 frames of 40 features → 32 steps of three frames, features first."""
    x = arrays["x"].reshape(-1, 32, 3, 40).transpose(0, 1, 3, 2)[:, :, None]
    return {"input": np.ascontiguousarray(x), **labels(arrays)}


def silero_steps(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """A second of sound → 31 steps of 512 samples behind 64 of the step before; 1 where somebody speaks."""
    x = arrays["x"].astype(np.float32) / 32768
    padded = np.pad(x, ((0, 0), (SILERO_CONTEXT, 0)))
    steps = range(0, x.shape[1] - SILERO_STEP + 1, SILERO_STEP)
    windows = [padded[:, start : start + SILERO_CONTEXT + SILERO_STEP] for start in steps]
    found = {"input": np.stack(windows, 1)[:, :, None]}
    return found | ({"y": (arrays["y"] != SILENCE).astype(np.uint8)} if "y" in arrays else {})


def story_steps(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Texts as sequences of a token and its position."""
    tokens = arrays["tokens"][:CALIBRATION_SEQUENCES].astype(np.int64)
    positions = np.broadcast_to(np.arange(tokens.shape[1]), tokens.shape)
    return {"token": tokens[..., None], "position": np.ascontiguousarray(positions[..., None])}


def labels(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The labels, where there are some."""
    return {"y": arrays["y"]} if "y" in arrays else {}


SILENCE = 10
AUC = ("auc", "--reduce", "max")
ARM = ("arm_mfcc490_calib", "arm_mfcc490_eval")
MODELS: dict[str, Entry] = {
    "kws_dscnn": Entry("kws_calib", "kws_eval"),
    "vww_mobilenetv1_025": Entry("vww_calib", "vww_eval"),
    "ic_resnet8": Entry("ic_calib", "ic_eval"),
    "ic_resnet_large": Entry("ic_calib", "ic_eval"),
    "ad_autoencoder": Entry("ad_calib", "ad_eval", ("reconstruction_auc",), 0.005),
    "sww_ref": Entry("sww_unlabelled", "sww_labelled45", allowed=1 / 45),
    "har3_cnn": Entry("har3_calib", "har3_eval"),
    "mnist_lstm": Entry("mnist_calib", "mnist_eval"),
    "arm_kws_ds_cnn_s": Entry(*ARM),
    "arm_kws_cnn_s": Entry(*ARM),
    "arm_kws_dnn_s": Entry("arm_mfcc250_calib", "arm_mfcc250_eval"),
    "arm_kws_basic_lstm_s": Entry(*ARM),
    "mww_vad_stream": Entry("mww_features_calib", "mww_vad_eval", AUC, 0.005, mww_steps),
    "silero_vad_16k_static": Entry("kws_audio_calib", "kws_audio_eval", AUC, 0.005, silero_steps),
    "stories260k_window64": Entry("stories260k_calib", "stories260k_eval", ("perplexity",), 0.02, dict, ("w8a16",)),
    "stories260k_step128": Entry("stories260k_calib", "stories260k_calib", (), 0, story_steps, ("w8a16",)),
}
COLUMNS = "model samples metric float integer scheme core instructions RAM flash mismatches".split()


def write(source: Path, target: Path, entry: Entry) -> Path:
    """The arrays of a file as the model reads them."""
    with np.load(source) as file:
        np.savez(target, **entry.prepare({name: file[name] for name in file.files}))  # type: ignore[arg-type]
    return target


def perplexity(logits: Array, tokens: Array) -> float:
    """exp of the mean negative log likelihood of the next tokens."""
    shifted = logits - logits.max(-1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return float(np.exp(-np.take_along_axis(logs, tokens[..., None], -1).mean()))


def perplexities(model: Path, folder: Path, data: Path, samples: int) -> tuple[float, float]:
    """Of the float model and of the integers, on the first texts."""
    import edgeq as product
    from edgeq.onnxio import Session, read_model

    with np.load(data) as file:
        tokens, wanted = (file[name][:samples].astype(np.int64) for name in ("tokens", "y"))
    session = Session(read_model(model))
    reals = np.concatenate([session.run({"tokens": row[None]})["logits"] for row in tokens])
    found = product.load(folder).emulate({"tokens": tokens}, "native").outputs
    integers = np.stack([np.asarray(outputs["logits"]).reshape(reals.shape[1:]) for outputs in found])
    return perplexity(reals, wanted), perplexity(integers, wanted)


def judged(model: Path, folder: Path, data: Path, entry: Entry, samples: int) -> tuple[float, float, int]:
    """The metric of the float model and of the integers, and how many samples it is of."""
    if not entry.metric:
        return float("nan"), float("nan"), 0
    if entry.metric == ("perplexity",):
        return *perplexities(model, folder, data, samples), samples
    found = edgeq("eval", folder, "--data", data, "--on", "native", "--metric", *entry.metric)
    return found["float_value"], found["results"][0]["value"], found["samples"]


def is_near(entry: Entry, real: float, integer: float) -> bool:
    """Whether the integers are as good as allowed; without a metric any are."""
    if not entry.metric:
        return True
    if entry.metric == ("perplexity",):
        return integer <= real * (1 + entry.allowed)
    return integer >= real - entry.allowed - 1e-9


def rows_of(name: str, data: Path, scratch: Path, options: argparse.Namespace) -> list[list[str]]:
    """A model's rows of the table: one for each core."""
    entry, model = MODELS[name], data / "models" / f"{name}.onnx"
    calibration, evaluation = (
        write(data / "data" / f"{file}.npz", scratch / f"{name}_{kind}.npz", entry)
        for kind, file in (("calib", entry.calibration), ("eval", entry.evaluation))
    )
    for scheme in entry.schemes:
        common: list[str | Path] = [model, "--data", calibration, *SCHEMES[scheme]]
        folder = scratch / f"{name}_{scheme.replace(', ', '_').replace(' ', '_')}"
        edgeq("compile", *common, "--board", "native", "-o", folder)
        real, integer, count = judged(model, folder, evaluation, entry, options.texts)
        near = is_near(entry, real, integer)
        if near or scheme == entry.schemes[-1]:
            label = scheme if near else f"{scheme} (not near)"
            start = [name, str(count), " ".join(entry.metric[:1]) or "–", f"{real:.4f}", f"{integer:.4f}", label]
            return [
                [*start, core, *on_core(common, folder, evaluation, core, options.samples)]
                for core in options.cores.split(",")
            ]
    return []


def on_core(common: Sequence[str | Path], native: Path, data: Path, core: str, samples: int) -> Sequence[str]:
    """Instructions, RAM, flash and differing elements; the model is compiled for the core."""
    folder = native
    if core != "native":
        folder = native.with_name(f"{native.name}_{core}")
        edgeq("compile", *common, "--board", BOARDS[core], "-o", folder)
    differing = str(edgeq("verify", folder, "--data", data, "--samples", str(samples))["mismatches"])
    if core == "native":
        return "–", "–", "–", differing
    found: dict[str, Any] = edgeq("profile", folder, "--data", data, "--samples", "1")
    flash = found["flash_code_bytes"] + found["flash_weight_bytes"]
    return f"{found['instructions']:,}", f"{found['ram_bytes']:,}", f"{flash:,}", differing


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--cores", default="native,M4,M55")
    parser.add_argument("--samples", type=int, default=2, help="inputs or sequences that are compared bit for bit")
    parser.add_argument("--texts", type=int, default=24, help="texts of a perplexity")
    options = parser.parse_args()
    data = Path(os.environ.get("EDGEQ_DATA", ROOT.parent / "shared" / "data"))
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}", flush=True)
    with tempfile.TemporaryDirectory(prefix="edgeq-models-") as scratch:
        for name in options.models.split(","):
            for row in rows_of(name, data, Path(scratch), options):
                print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
