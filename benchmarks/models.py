"""All models of the data folder: accuracy beside float, differing bits and instructions, on every core.

Each model is compiled by the cheapest scheme that stays near the float model on its evaluation samples, then verified
on this computer and in the emulator. The models and data are not part of the repository: EDGEQ_DATA names their folder
(default ../shared/data).

    EDGEQ_DATA=DATA python benchmarks/models.py [--models NAME,…] [--cores native,M4,M55] [--samples 20]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from common import BOARDS, DATA, edgeq, print_header, print_row
from entries import MODELS, SCHEMES, Entry, files_of

from edgeq.numerics.array import Array

COLUMNS = "model samples metric float integer scheme core instructions RAM flash mismatches".split()


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


def rows_of(name: str, scratch: Path, options: argparse.Namespace) -> list[list[str]]:
    """A model's rows of the table: one for each core."""
    entry, model = MODELS[name], DATA / "models" / f"{name}.onnx"
    calibration, evaluation = files_of(name, scratch)
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
    print_header(COLUMNS)
    with tempfile.TemporaryDirectory(prefix="edgeq-models-") as scratch:
        for name in options.models.split(","):
            for row in rows_of(name, Path(scratch), options):
                print_row(row)


if __name__ == "__main__":
    main()
