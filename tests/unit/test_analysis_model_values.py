"""Inputs and outputs of a compiled model against onnxruntime's own QuantizeLinear and DequantizeLinear."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from quant_models import parse

from edgeq.analysis.model_values import (
    ModelValue,
    available,
    integer_inputs,
    model_inputs,
    model_outputs,
    open_samples,
    quantized_inputs,
    random_inputs,
)
from edgeq.errors import EdgeqError
from edgeq.folder import Compiled
from edgeq.ir import DType, Quantization
from edgeq.job import CompileOptions
from edgeq.notes import gathered
from edgeq.numerics.array import Array
from edgeq.onnxio import Session
from edgeq.pipeline import compile_model

FLOAT = np.dtype(np.float32)
INT8 = np.dtype(np.int8)


def model_value(
    scale: float, zero: int, count: int, onnx: np.dtype[np.float32] | np.dtype[np.int8] = FLOAT
) -> ModelValue:
    return ModelValue("x", (1, count), Quantization.per_tensor(DType.INT8, scale, zero), onnx)


def onnxruntime(values: Array, scale: float, zero: int) -> tuple[Array, Array]:
    """The integers and what they stand for."""
    text = f"""g (float[1,{values.size}] x) => (int8[1,{values.size}] q, float[1,{values.size}] y) {{
        q = QuantizeLinear(x, s, z)
        y = DequantizeLinear(q, s, z)
    }}"""
    session = Session(parse(text, {"s": np.float32(scale), "z": np.int8(zero)}))
    found = session.run({"x": values.reshape(1, -1)})
    return found["q"], found["y"]


@pytest.mark.parametrize("zero", [-128, -37, 0, 5, 127])
@pytest.mark.parametrize("scale", [0.5, 0.0173, 1 / 256, 3.3])
def test_quantization_is_onnx_with_ties_and_saturation(scale: float, zero: int) -> None:
    ties = (np.arange(-300, 300, dtype=np.float32) / 2) * np.float32(scale)
    others = np.random.default_rng(0).normal(scale=80 * scale, size=400).astype(np.float32)
    values = np.concatenate(
        [ties, np.nextafter(ties, np.float32(1e9)), others, np.array([1e30, -1e30, 0.0], np.float32)]
    )
    integers, real = onnxruntime(values, scale, zero)
    subject = model_value(scale, zero, values.size)
    np.testing.assert_array_equal(subject.quantize(values), integers)
    np.testing.assert_array_equal(subject.dequantize(integers), real)
    assert subject.quantize(values).dtype == np.int8


def test_integers_of_the_model_itself_pass_through() -> None:
    subject = model_value(0.1, 5, 3, INT8)
    values = np.array([[-128, 0, 127]], np.int8)
    np.testing.assert_array_equal(subject.quantize(values), values)
    np.testing.assert_array_equal(subject.dequantize(values), values)


def test_weights_that_are_rounded_again_are_told(tmp_path: Path) -> None:
    text = """g (float[1,4] x) => (float[1,2] y) {
        xq = QuantizeLinear(x, s, z)
        xd = DequantizeLinear(xq, s, z)
        wd = DequantizeLinear(w, t, v)
        r = MatMul(xd, wd)
        yq = QuantizeLinear(r, s, z)
        y = DequantizeLinear(yq, s, z)
    }"""
    weights = np.array([[0, 255], [3, 7], [200, 100], [17, 90]], np.uint8)
    constants = {"s": np.float32(0.05), "z": np.int8(3), "t": np.float32(0.01), "v": np.uint8(101), "w": weights}
    from edgeq.onnxio import write_model

    write_model(parse(text, constants), tmp_path / "m.onnx")
    options = CompileOptions("native", "m", sources_only=True)
    notes = compile_model(tmp_path / "m.onnx", None, tmp_path / "out", options).notes
    assert [(note.code, note.severity) for note in notes] == [("EQ0172", "warning")]
    assert "rounded again to fit int8" in notes[0].what


def test_model_with_integer_borders_takes_and_gives_integers(tmp_path: Path) -> None:
    text = """g (int8[1,4] x) => (int8[1,4] y) {
        a = DequantizeLinear(x, s, z)
        r = Sigmoid(a)
        y = QuantizeLinear(r, t, low)
    }"""
    constants = {"s": np.float32(0.05), "z": np.int8(3), "t": np.float32(1 / 256), "low": np.int8(-128)}
    model, data, out = tmp_path / "m.onnx", tmp_path / "d.npz", tmp_path / "out"
    from edgeq.onnxio import write_model

    write_model(parse(text, constants), model)
    values = np.array([[-128, -1, 0, 127], [3, 4, 5, 6]], np.int8)
    np.savez(data, x=values)
    compile_model(model, None, out, CompileOptions("native", "m"))
    compiled = Compiled.open(out)
    given = np.stack([arrays[0] for arrays in quantized_inputs(compiled, open_samples(compiled, data), 2).runs])
    np.testing.assert_array_equal(given.reshape(2, 4), values)
    assert model_outputs(compiled)[0].passes_through


def test_inputs_without_data_are_corners_then_random_and_always_the_same(compiled_example: Callable[..., Path]) -> None:
    compiled = Compiled.open(compiled_example())
    (entry,) = model_inputs(compiled)
    assert entry.quantization is not None
    first, again = random_inputs(compiled, 5).runs, random_inputs(compiled, 5).runs
    assert [len(sample) for sample in first] == [1] * 5
    for number, value in enumerate((-128, 127, entry.quantization.zero_point[0])):
        assert (first[number][0] == value).all()
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        assert (one[0].shape, one[0].dtype) == (entry.shape, entry.dtype)
    assert not np.array_equal(first[3][0], first[4][0])
    assert len(random_inputs(compiled, 2).runs) == 2


def test_inputs_with_data_are_its_first_samples(compiled_example: Callable[..., Path], example: object) -> None:
    compiled = Compiled.open(compiled_example())
    evaluation: Path = example.evaluation  # type: ignore[attr-defined]
    samples = open_samples(compiled, evaluation)
    (entry,) = model_inputs(compiled)
    found = integer_inputs(compiled, samples, 3).runs
    assert len(found) == 3
    np.testing.assert_array_equal(found[2][0], entry.quantize(samples.inputs(2)[entry.name]))


def test_data_of_another_shape_is_refused(compiled_example: Callable[..., Path], tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros((3, 5), np.float32))
    with pytest.raises(EdgeqError, match="EQ0113"):
        open_samples(Compiled.open(compiled_example()), tmp_path / "d.npz")


def test_fewer_samples_than_asked_for_are_told(compiled_example: Callable[..., Path], example: object) -> None:
    compiled = Compiled.open(compiled_example())
    samples = open_samples(compiled, example.evaluation)  # type: ignore[attr-defined]
    with gathered() as notes:
        assert available(samples, None) == available(samples, len(samples)) == len(samples)
        assert not notes
        assert available(samples, len(samples) + 1) == len(samples)
    assert [(note.code, note.got) for note in notes] == [("EQ0164", f"--samples {len(samples) + 1}")]
    with pytest.raises(EdgeqError, match="EQ0108"):
        available(samples, 0)
