"""Small models of a whole window, for the tests of their step form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir
from quant_models import normal, parse

from edgeq.numerics.array import Array


@dataclass(frozen=True)
class WindowModel:
    """A model of a window, and what its step form must be.

    Attributes:
        text: of ONNX.
        constants: its weights.
        hop: frames of a step.
        warm_up: results of each output that are not of the window.
        field: frames of the receptive field, None for all.
        states: elements that are kept.
    """

    text: str
    constants: dict[str, Array] = field(default_factory=dict)
    hop: int = 1
    warm_up: tuple[int, ...] = (0,)
    field: int | None = 1
    states: int = 0

    def model(self) -> ir.Model:
        """The model."""
        return parse(self.text, self.constants)


def _int(*numbers: int) -> Array:
    return np.array(numbers, np.int64)


def tcn(pads: str) -> WindowModel:
    """Two dilated causal blocks with a skip connection, x [1, 3, 12]; padding by Pad nodes, attributes, or cut off."""
    before, attribute, behind = {
        "attribute": (("x", "r1"), ("[2, 0]", "[4, 0]"), ("", "")),
        "node": (("p1", "p2"), ("[0, 0]", "[0, 0]"), ("", "")),
        "chomp": (("x", "r1"), ("[2, 2]", "[4, 4]"), ("a = Slice (c1, zero, twelve, two)",
                                                    "b = Slice (c2, zero, twelve, two)")),
    }[pads]  # fmt: skip
    nodes = ("p1 = Pad (x, pads1)", "p2 = Pad (r1, pads2)") if pads == "node" else ("", "")
    first, second = ("a", "b") if behind[0] else ("c1", "c2")
    text = f"""g (float[1,3,12] x) => (float[1,2,12] y) {{
        {nodes[0]}
        c1 = Conv <pads = {attribute[0]}> ({before[0]}, w1, b1)
        {behind[0]}
        r1 = Relu ({first})
        {nodes[1]}
        c2 = Conv <dilations = [2], pads = {attribute[1]}> ({before[1]}, w2, b2)
        {behind[1]}
        r2 = Relu ({second})
        s = Conv (x, w3, b3)
        sum = Add (r2, s)
        y = Conv (sum, w4, b4)
    }}"""
    constants = {
        "w1": normal(5, 3, 3, seed=1, scale=0.5), "b1": normal(5, seed=2, scale=0.3),
        "w2": normal(4, 5, 3, seed=3, scale=0.5), "b2": normal(4, seed=4, scale=0.3),
        "w3": normal(4, 3, 1, seed=5, scale=0.5), "b3": normal(4, seed=6, scale=0.3),
        "w4": normal(2, 4, 1, seed=7, scale=0.5), "b4": normal(2, seed=8, scale=0.3),
        "pads1": _int(0, 0, 2, 0, 0, 0), "pads2": _int(0, 0, 4, 0, 0, 0), "zero": _int(0), "twelve": _int(12),
        "two": _int(2),
    }  # fmt: skip
    return WindowModel(text, constants, field=7, states=2 * 3 + 4 * 5)


def ds_cnn() -> WindowModel:
    """Two-dimensional layers of stride 2 over [1, 1, 16 frames, 6 bands]: depthwise and pointwise, mean, head."""
    text = """g (float[1,1,16,6] x) => (float[1,3] y) {
        c1 = Conv <strides = [2, 2], pads = [2, 1, 0, 1], kernel_shape = [3, 3]> (x, w1, b1)
        r1 = Relu (c1)
        d = Conv <strides = [2, 1], pads = [2, 1, 0, 1], group = 4> (r1, wd, bd)
        r2 = Relu (d)
        p = Conv (r2, wp, bp)
        r3 = Relu (p)
        m = GlobalAveragePool (r3)
        f = Flatten (m)
        y = Gemm <transB = 1> (f, wh, bh)
    }"""
    constants = {
        "w1": normal(4, 1, 3, 3, seed=1, scale=0.5), "b1": normal(4, seed=2, scale=0.3),
        "wd": normal(4, 1, 3, 3, seed=3, scale=0.5), "bd": normal(4, seed=4, scale=0.3),
        "wp": normal(6, 4, 1, 1, seed=5, scale=0.5), "bp": normal(6, seed=6, scale=0.3),
        "wh": normal(3, 6, seed=7, scale=0.5), "bh": normal(3, seed=8, scale=0.3),
    }  # fmt: skip
    return WindowModel(text, constants, hop=4, warm_up=(3,), field=None, states=-1)


def conv_gru(pads: str = "[2, 0]", frames: int = 12) -> WindowModel:
    """A convolution, a GRU whose every hidden value is read, and a head for each frame."""
    made = frames if pads == "[2, 0]" else frames - 2
    text = f"""g (float[1,3,{frames}] x) => (float[{made},2] y) {{
        c = Conv <pads = {pads}> (x, w1, b1)
        r = Relu (c)
        t = Transpose <perm = [2, 0, 1]> (r)
        h, last = GRU <hidden_size = 4, linear_before_reset = 1> (t, w, v, b)
        f = Reshape (h, rows)
        y = Gemm <transB = 1> (f, w2, b2)
    }}"""
    constants = {
        "w1": normal(5, 3, 3, seed=1, scale=0.5), "b1": normal(5, seed=2, scale=0.3),
        "w": normal(1, 12, 5, seed=3, scale=0.5), "v": normal(1, 12, 4, seed=4, scale=0.5),
        "b": normal(1, 24, seed=5, scale=0.2), "w2": normal(2, 4, seed=6), "b2": normal(2, seed=7),
        "rows": _int(made, 4),
    }  # fmt: skip
    return WindowModel(text, constants, field=None, warm_up=(frames - made,))


def lstm() -> WindowModel:
    """An LSTM over [1, 10, 3], of which the last hidden values are classified."""
    text = """g (float[1,10,3] x) => (float[1,2] y) {
        t = Transpose <perm = [1, 0, 2]> (x)
        h, last, cell = LSTM <hidden_size = 4> (t, w, v, b)
        f = Reshape (last, row)
        z = Gemm <transB = 1> (f, w2, b2)
        y = Softmax (z)
    }"""
    constants = {
        "w": normal(1, 16, 3, seed=3, scale=0.5), "v": normal(1, 16, 4, seed=4, scale=0.5),
        "b": normal(1, 32, seed=5, scale=0.2), "w2": normal(2, 4, seed=6), "b2": normal(2, seed=7), "row": _int(1, 4),
    }  # fmt: skip
    return WindowModel(text, constants, field=None, warm_up=(9,), states=8)


def valid() -> WindowModel:
    """Valid convolutions and pooling without padding, mean over time, head."""
    text = """g (float[1,3,20] x) => (float[1,2] y) {
        c1 = Conv (x, w1, b1)
        r1 = Relu (c1)
        p = MaxPool <kernel_shape = [2], strides = [2]> (r1)
        c2 = Conv <dilations = [2]> (p, w2, b2)
        r2 = Relu (c2)
        m = ReduceMean <keepdims = 0> (r2, last)
        y = Gemm <transB = 1> (m, w3, b3)
    }"""
    constants = {
        "w1": normal(5, 3, 3, seed=1, scale=0.5), "b1": normal(5, seed=2, scale=0.3),
        "w2": normal(4, 5, 3, seed=3, scale=0.5), "b2": normal(4, seed=4, scale=0.3),
        "w3": normal(2, 4, seed=5, scale=0.5), "b3": normal(2, seed=6, scale=0.3), "last": _int(2),
    }  # fmt: skip
    return WindowModel(text, constants, hop=2, warm_up=(9,), field=20)


def flat_head() -> WindowModel:
    """A valid convolution over frames of 6 bands, flattened into a dense layer."""
    text = """g (float[1,10,6] x) => (float[1,2] y) {
        t = Transpose <perm = [0, 2, 1]> (x)
        c = Conv (t, w1, b1)
        r = Relu (c)
        f = Flatten (r)
        y = Gemm <transB = 1> (f, w2, b2)
    }"""
    constants = {
        "w1": normal(4, 6, 3, seed=1, scale=0.5), "b1": normal(4, seed=2, scale=0.3),
        "w2": normal(2, 32, seed=5, scale=0.5), "b2": normal(2, seed=6, scale=0.3),
    }  # fmt: skip
    return WindowModel(text, constants, warm_up=(9,), field=10)


def skips() -> WindowModel:
    """Valid branches of different reach that are added and joined: the shorter ones wait; Sigmoid behind a Pad."""
    text = """g (float[1,3,14] x) => (float[1,7,10] y) {
        a = Conv <dilations = [2]> (x, w1, b1)
        b = Conv (x, w2, b2)
        bc = Slice (b, two, twelve, axis)
        s = Add (a, bc)
        p = Pad (s, pads)
        q = Sigmoid (p)
        c = Conv (q, w3, b3)
        y = Concat <axis = 1> (c, s)
    }"""
    constants = {
        "w1": normal(4, 3, 3, seed=1, scale=0.5), "b1": normal(4, seed=2, scale=0.3),
        "w2": normal(4, 3, 3, seed=3, scale=0.5), "b2": normal(4, seed=4, scale=0.3),
        "w3": normal(3, 4, 2, seed=5, scale=0.5), "b3": normal(3, seed=6, scale=0.3),
        "two": _int(2), "twelve": _int(12), "axis": _int(2), "pads": _int(0, 0, 1, 0, 0, 0),
    }  # fmt: skip
    return WindowModel(text, constants, warm_up=(4,), field=6)


def padded_output() -> WindowModel:
    """A Pad in front of what is given at once: zeros that are results of their own."""
    text = """g (float[1,2,10] x) => (float[1,2,12] y) {
        a = MaxPool <kernel_shape = [2], strides = [1]> (x)
        p = Pad (a, pads)
        y = Neg (p)
    }"""
    return WindowModel(text, {"pads": _int(0, 0, 3, 0, 0, 0)}, warm_up=(0,))


def last_frame() -> WindowModel:
    """A causal convolution of which only the newest result is read."""
    text = """g (float[1,3,12] x) => (float[1,2] y) {
        c = Conv <pads = [4, 0], dilations = [2]> (x, w1, b1)
        r = Relu (c)
        n = Gather <axis = 2> (r, eleven)
        y = Gemm <transB = 1> (n, w2, b2)
    }"""
    constants = {
        "w1": normal(4, 3, 3, seed=1, scale=0.5), "b1": normal(4, seed=2, scale=0.3), "eleven": np.array(11),
        "w2": normal(2, 4, seed=5, scale=0.5), "b2": normal(2, seed=6, scale=0.3),
    }  # fmt: skip
    return WindowModel(text, constants, warm_up=(11,), field=5)


MODELS: dict[str, Callable[[], WindowModel]] = {
    "tcn-attribute": lambda: tcn("attribute"),
    "tcn-node": lambda: tcn("node"),
    "tcn-chomp": lambda: tcn("chomp"),
    "ds-cnn": ds_cnn,
    "conv-gru": conv_gru,
    "valid-conv-gru": lambda: conv_gru("[0, 0]"),
    "lstm": lstm,
    "valid": valid,
    "flat-head": flat_head,
    "skips": skips,
    "last-frame": last_frame,
    "padded-output": padded_output,
}
