"""Operators on integers of types that onnxruntime has no kernel for run all the same, and give numpy's numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from quant_models import parse

from edgeq.errors import EdgeqError
from edgeq.numerics.array import Array
from edgeq.onnxio import Session

SHORT = ("int16", "uint16")
LONG = ("uint32", "uint64")
Wanted = Callable[[Array, Array], Array]
MODELS: dict[str, tuple[tuple[str, ...], str, str, Wanted]] = {
    "ArgMax": ((*SHORT, *LONG), "int64[1,1] y", "y = ArgMax<axis = 1>(a)", lambda a, _: a.argmax(1)[:, None]),
    "BitShift": (("uint16",), "", 'y = BitShift<direction = "LEFT">(a, n)', lambda a, _: a << 3),
    "Clip": (SHORT, "", "y = Clip(a, n, m)", lambda a, _: a.clip(3, 1000)),
    "CumSum": (LONG, "", "y = CumSum(a, axis)", lambda a, _: a.cumsum(1, dtype=a.dtype)),
    "Max": (SHORT, "", "y = Max(a, b)", np.maximum),
    "Min": (SHORT, "", "y = Min(a, b)", np.minimum),
    "Pad": (
        SHORT,
        "{kind}[1,8] y",
        "y = Pad(a, pads, m)",
        lambda a, _: np.pad(a, ((0, 0), (1, 1)), constant_values=1000),
    ),
    # onnxruntime's smallest of several int64 is wrong.
    "ReduceMin": (LONG[:1], "{kind}[1,1] y", "y = ReduceMin(a, axes)", lambda a, _: a.min(1, keepdims=True)),
    "ReduceSum": (LONG, "{kind}[1,1] y", "y = ReduceSum(a, axes)", lambda a, _: a.sum(1, keepdims=True, dtype=a.dtype)),
    "TopK": (
        ("uint16", *LONG),
        "{kind}[1,3] y, int64[1,3] i",
        "y, i = TopK<axis = 1>(a, k)",
        lambda a, _: np.sort(a)[:, :-4:-1],
    ),
    "Where": ((*SHORT, *LONG), "", "y = Where(c, a, b)", lambda a, b: np.where(np.arange(6) % 2 == 0, a, b)),
}
CASES = [(name, kind) for name, (kinds, *_) in MODELS.items() for kind in kinds]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_type_without_a_kernel_runs_as_a_wider_one(name: str, kind: str) -> None:
    _, outputs, body, wanted = MODELS[name]
    results = (outputs or "{kind}[1,6] y").replace("{kind}", kind)
    constants = {
        "n": np.array(3, kind),
        "m": np.array(1000, kind),
        "axis": np.array(1),
        "axes": np.array([1]),
        "pads": np.array([0, 1, 0, 1]),
        "k": np.array([3]),
        "c": np.arange(6)[None] % 2 == 0,
    }
    used = {
        key: value
        for key, value in constants.items()
        if key in body.replace("(", " ").replace(",", " ").replace(")", " ").split()
    }
    model = parse(f"g ({kind}[1,6] a, {kind}[1,6] b) => ({results}) {{ {body} }}", used)
    limits, draw = np.iinfo(kind), np.random.default_rng(4)
    a, b = (draw.integers(limits.min, limits.max, (1, 6), np.dtype(kind), endpoint=True) for _ in "ab")
    a[0, :2] = limits.max, limits.min
    if name == "ReduceSum":
        a >>= np.array(limits.bits // 4, kind)  # onnxruntime adds up in float64
    found = Session(model).run({"a": a, "b": b})["y"]
    assert found.tolist() == wanted(a, b).tolist()


def test_truth_values_are_chosen_from() -> None:
    model = parse("g (bool[1,2] c, bool[1,2] a, bool[1,2] b) => (bool[1,2] y) { y = Where(c, a, b) }")
    values = {"c": np.array([[True, False]]), "a": np.array([[True, True]]), "b": np.array([[True, False]])}
    assert Session(model).run(values)["y"].tolist() == [[True, False]]


def test_what_lacks_more_is_refused_as_before() -> None:
    model = parse("g (int16[1,1,2,2] x) => (int16[1,4,1,1] y) { y = SpaceToDepth<blocksize = 2>(x) }")
    with pytest.raises(EdgeqError, match="EQ0241"):
        Session(model)
