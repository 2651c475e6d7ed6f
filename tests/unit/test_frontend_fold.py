"""Where constant folding is skipped, the optimizer would have changed nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from quant_models import parse

from edgeq.frontend import fold
from edgeq.frontend.normalize import _static, normalize
from edgeq.onnxio import model_bytes, read_model
from tests.conformance.zoo import FAMILIES, zoo

if TYPE_CHECKING:
    import onnx_ir

FOLDABLE = {
    "constant operands": "g (float[1,4] x) => (float[1,4] y) <float[1] c = {1}> { d = Neg(c)\n y = Add(x, d) }",
    "an identity": "g (float[1,4] x) => (float[1,4] y) { i = Identity(x)\n y = Relu(i) }",
    "a shape": "g (float[1,4] x) => (float[1,4] y) { s = Shape(x)\n r = Relu(x)\n y = Reshape(r, s) }",
    "a reshape": "g (float[1,4] x) => (float[1,4] y) <int64[2] s = {1, 4}> { r = Relu(x)\n y = Reshape(r, s) }",
    "a concat of one": "g (float[1,4] x) => (float[1,4] y) { c = Concat<axis = 1>(x)\n y = Relu(c) }",
    "no operands": "g (float[1,4] x) => (float[1,4] y) { c = Constant<value_float = 2.0>()\n y = Mul(x, c) }",
}


def normalized(model: onnx_ir.Model, monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, bytes]:
    """The normalized model as it is made, and with the optimizer run in any case."""
    usual = model_bytes(normalize(model))
    monkeypatch.setattr(fold, "_may_change", lambda model: True)
    return usual, model_bytes(normalize(model))


# Spectra are left out: their operator is one that normalization writes, not one that it reads.
@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "spectrum"])
def test_what_is_skipped_would_not_have_changed(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    usual, folded = normalized(zoo(family, "highmul").float_model, monkeypatch)
    assert usual == folded


def test_the_example_is_skipped_and_would_not_have_changed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = read_model(root / "examples" / "fashion_mnist" / "model.onnx")
    assert not fold._may_change(_static(model, {}))
    usual, folded = normalized(model, monkeypatch)
    assert usual == folded


@pytest.mark.parametrize("text", FOLDABLE.values(), ids=FOLDABLE)
def test_what_can_be_folded_is_not_skipped(text: str) -> None:
    assert fold._may_change(parse(text))
