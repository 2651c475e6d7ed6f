"""Small models with states, for the tests of what is kept from one run to the next."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from quant_models import normal, parse

from edgeq.numerics.array import Array

FRAMES, CHANNELS, TIME_STEPS = 2, 4, 12


def streaming_net() -> ir.Model:
    """A ring of frames, a recurrent layer, a running mean: three states, of which `--state` must name the last.

    x is [1, 4, 2], two frames of four channels; `ring` and `h` are recognized by their names, `level` is carried on by
    `loudness`.
    """
    text = f"""g (float[1,{CHANNELS},{FRAMES}] x, float[1,{CHANNELS},3] ring, float[1,6] h_prev, float[1,6] level)
        => (float[1,1] y, float[1,{CHANNELS},3] ring_out, float[1,6] h_next, float[1,6] loudness) {{
        t = Concat <axis = 2> (ring, x)
        ring_out = Slice (t, two, five, last)
        c = Conv (t, w1, b1)
        r = Relu (c)
        f = Flatten (r)
        a = Gemm <transB = 1> (f, w2, b2)
        b = Gemm <transB = 1> (h_prev, w3, b3)
        s = Add (a, b)
        h_next = Tanh (s)
        slow = Mul (level, keep)
        part = Mul (f, take)
        loudness = Add (slow, part)
        both = Concat <axis = 1> (h_next, loudness)
        z = Gemm <transB = 1> (both, w4, b4)
        y = Sigmoid (z)
    }}"""
    constants = {
        "two": np.array([2]),
        "five": np.array([5]),
        "last": np.array([2]),
        "w1": normal(6, CHANNELS, 5, seed=1, scale=0.4),
        "b1": normal(6, seed=2, scale=0.3),
        "w2": normal(6, 6, seed=3, scale=0.5),
        "b2": normal(6, seed=4, scale=0.2),
        "w3": normal(6, 6, seed=5, scale=0.5),
        "b3": normal(6, seed=6, scale=0.2),
        "w4": normal(1, 12, seed=7),
        "b4": normal(1, seed=8),
        "keep": np.float32(0.75),
        "take": np.float32(0.25),
    }
    return parse(text, constants)


def sequences(count: int, seed: int = 11, steps: int = TIME_STEPS) -> dict[str, Array]:
    """Frames [N, steps * 2, 4] as a microphone gives them, and labels: in the sequences of class 1 they grow."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    x = generator.normal(size=(count, steps * FRAMES, CHANNELS))
    x *= 1 + labels[:, None, None] * np.linspace(0, 1.5, steps * FRAMES)[:, None]
    return {"x": x.astype(np.float32), "y": labels.astype(np.uint8)}
