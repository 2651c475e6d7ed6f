"""The models of the data folder with their data: arrays as the models read them, metrics, schemes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import DATA

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


def files_of(name: str, folder: Path) -> tuple[Path, Path]:
    """Calibration and evaluation data of a model, written into a folder as the model reads them."""
    entry = MODELS[name]
    calibration, evaluation = (folder / f"{name}_{kind}.npz" for kind in ("calib", "eval"))
    for source, target in ((entry.calibration, calibration), (entry.evaluation, evaluation)):
        with np.load(DATA / "data" / f"{source}.npz") as file:
            np.savez(target, **entry.prepare({array: file[array] for array in file.files}))  # type: ignore[arg-type]
    return calibration, evaluation
