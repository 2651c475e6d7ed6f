"""Small models for the tests of quantization, written in ONNX's text form, with random weights of a fixed seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir

from edgeq.frontend import normalize
from edgeq.numerics.array import Array
from edgeq.onnxio import Session
from edgeq.onnxio.samples import Samples
from edgeq.quant import QuantizeOptions
from edgeq.quant.batching import Batching
from edgeq.quant.calibration import Calibration
from edgeq.quant.state import State
from edgeq.quant.statistics import Wanted
from edgeq.quant.step import Step, run_steps
from edgeq.quant.steps import collect_statistics, separate_scales, specify_tensors

HEADER = '<ir_version: 10, opset_import: ["" : 21]>\n'


def parse(text: str, constants: Mapping[str, Any] | None = None) -> ir.Model:
    """A model from a graph in text form; ``constants`` become initializers."""
    proto = onnx.parser.parse_model(HEADER + text)
    for name, array in (constants or {}).items():
        proto.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(array), name))
    for index, node in enumerate(proto.graph.node):
        node.name = node.name or f"{node.op_type}_{index}"
    return ir.from_proto(onnx.shape_inference.infer_shapes(proto, strict_mode=True))


def normal(*shape: int, seed: int = 0, scale: float = 1.0) -> Array:
    """float32 from a normal distribution."""
    return (np.random.default_rng(seed).normal(size=shape) * scale).astype(np.float32)


def floats(text: str, constants: Mapping[str, Any] | None = None) -> ir.Model:
    """A normalized float model."""
    return normalize(parse(text, constants))


def residual_net() -> ir.Model:
    """Conv, Relu, Clip, residual Add, MaxPool, Concat, AveragePool, Gemm, Softmax."""
    text = """g (float[1,3,8,8] x) => (float[1,5] y) {
        a = Conv <pads = [1,1,1,1]> (x, w1, b1)
        r = Relu(a)
        c = Conv <pads = [1,1,1,1]> (r, w2, b2)
        six = Clip(c, zero, limit)
        s = Add(six, r)
        p = MaxPool <kernel_shape = [2,2], strides = [2,2]> (s)
        q = Conv (p, w3)
        t = Concat <axis = 1> (p, q)
        m = GlobalAveragePool(t)
        f = Flatten(m)
        l = Gemm <transB = 1> (f, w4, b4)
        y = Softmax(l)
    }"""
    constants = {
        "w1": normal(4, 3, 3, 3, seed=1, scale=0.3),
        "b1": normal(4, seed=2),
        "w2": normal(4, 4, 3, 3, seed=3, scale=0.3),
        "b2": normal(4, seed=4),
        "w3": normal(6, 4, 1, 1, seed=5),
        "w4": normal(5, 10, seed=6, scale=0.5),
        "b4": normal(5, seed=7),
        "zero": np.float32(0),
        "limit": np.float32(6),
    }
    return floats(text, constants)


def samples_for(model: ir.Model, count: int = 40, seed: int = 9) -> Samples:
    """Normal samples for a model with one input."""
    value = model.graph.inputs[0]
    assert value.shape is not None
    shape = tuple(int(size) for size in value.shape.numpy())
    return Samples.of({"x": normal(count, *shape[1:], seed=seed)}, model)


def calibration_reader(samples: Samples) -> Any:
    """Samples as onnxruntime's quantizer wants them."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.rest = iter(samples)

        def get_next(self) -> dict[str, Array] | None:
            return next(self.rest, None)

    return Reader()


def outputs(model: ir.Model, samples: Samples) -> Array:
    """The first output of all samples, one row each."""
    session = Session(model)
    return np.stack([np.ravel(next(iter(session.run(inputs).values()))) for inputs in samples])


def sqnr_db(wanted: Array, got: Array) -> float:
    """Signal-to-noise ratio in dB."""
    noise = float(((wanted.astype(np.float64) - got) ** 2).sum())
    return float(10 * np.log10(float((wanted.astype(np.float64) ** 2).sum()) / max(noise, 1e-30)))


def collected(
    model: ir.Model, samples: Samples, wanted: Iterable[Wanted], batching: Batching | None = None
) -> Calibration:
    """What the calibration pass collects for a step that wants some statistics."""
    asking = Step("ask", lambda state: None, wants=lambda state: wanted)
    steps = (separate_scales.STEP, specify_tensors.STEP, collect_statistics.STEP, asking)
    state = State(model, QuantizeOptions(), steps, samples)
    run_steps(state, steps[:2])
    if batching is not None:
        vars(state.execution)["batching"] = batching
    run_steps(state, steps[2:])
    return state.calibration
