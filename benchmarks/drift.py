"""Whether integer states drift: a streaming network over 10 000 steps, beside the float network's own states.

silero_vad listens to the keyword clips one behind the other, without ever being reset. Both networks keep their states
from the first step to the last; the table compares what they say, a thousand steps at a time.

    EDGEQ_DATA=DATA python benchmarks/drift.py [--steps 10000] [--scheme w8a8 ...]
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Final

import numpy as np
from entries import silero_steps

import edgeq
from edgeq.numerics.array import Array
from edgeq.onnxio import Session, read_model

BLOCK: Final = 1000
MODEL: Final = "silero_vad_16k_static"


def stream_of(data: Path, steps: int) -> Array:
    """The inputs of so many steps: float32 [steps, 1, 576]."""
    with np.load(data / "data" / "kws_audio_eval.npz") as file:
        heard = file["x"].reshape(1, -1)
    found = silero_steps({"x": heard})["input"][0]
    return np.resize(found, (steps, *found.shape[1:]))


def float_answers(model: Path, inputs: Array) -> Array:
    """What the float model says at each step, float32 [steps]."""
    session, state, found = Session(read_model(model)), np.zeros((2, 1, 128), np.float32), []
    for row in inputs:
        answers = session.run({"input": row, "state": state})
        state = answers["stateN"]
        found.append(float(answers["output"].item()))
    return np.array(found)


def main() -> None:
    """Print a row for each thousand steps."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--steps", type=int, default=10 * BLOCK)
    parser.add_argument("--scheme", action="append", help="by default w8a8 and w8a16")
    given = parser.parse_args()
    data = Path(os.environ["EDGEQ_DATA"])
    model, inputs = data / "models" / f"{MODEL}.onnx", stream_of(data, given.steps)
    wanted = float_answers(model, inputs)
    with np.load(data / "data" / "kws_audio_calib.npz") as file:
        samples = silero_steps({"x": file["x"]})
    print("| scheme | steps | SQNR dB | mean difference | largest | same answer at .5 |\n|---|---|---|---|---|---|")
    for scheme in given.scheme or ("w8a8", "w8a16"):
        with tempfile.TemporaryDirectory(prefix="edgeq-drift-") as folder:
            compiled = edgeq.compile(model, samples, board="native", scheme=scheme, out=Path(folder) / "vad")
            answers = compiled.emulate({"input": inputs[None]}, "native").outputs
        got = np.array([float(np.asarray(outputs["output"]).item()) for outputs in answers])
        for start in range(0, given.steps, BLOCK):
            block = slice(start, start + BLOCK)
            print(f"| {scheme} | {start}–{min(start + BLOCK, given.steps)} | {row_of(wanted[block], got[block])} |")


def row_of(wanted: Array, got: Array) -> str:
    """Of one block: how far the integers are from the float model."""
    apart = got - wanted
    ratio = 10 * np.log10((wanted**2).sum() / max((apart**2).sum(), 1e-30))
    same = ((wanted > 0.5) == (got > 0.5)).mean()
    return f"{ratio:.1f} | {apart.mean():+.4f} | {np.abs(apart).max():.3f} | {same:.3f}"


if __name__ == "__main__":
    main()
