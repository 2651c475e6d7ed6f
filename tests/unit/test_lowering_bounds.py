"""What lowering refuses at the bounds of its operators, and where it says that they lie."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from quant_models import floats, samples_for

from edgeq.errors import EdgeqError
from edgeq.integers import to_integer_graph
from edgeq.ir import DType, Quantization, Tensor
from edgeq.lowering.context import scalar_quant
from edgeq.quant import QuantizeOptions, quantize

INT16_SUM = 2**31 // (127 * 32767)  # products of int16 inputs and int8 weights that int32 is sure to hold


@pytest.mark.parametrize(
    "quant", [None, Quantization.of(DType.INT8, np.array([0.5, 0.25], np.float32), 0, 0)], ids=["none", "per-channel"]
)
def test_a_scale_of_the_whole_tensor_is_needed(quant: Quantization | None) -> None:
    tensor = Tensor("x", (2, 3), DType.INT8, quant=quant)
    with pytest.raises(ValueError, match="x has no per-tensor scale"):
        scalar_quant(tensor)


def recurrent(inputs: int) -> ir.Model:
    """An RNN of one hidden value, all of whose weights are 1."""
    text = f"g (float[1,1,{inputs}] x) => (float[1,1,1,1] y) {{ y = RNN <hidden_size = 1> (x, w, r) }}"
    return floats(text, {"w": np.ones((1, 1, inputs), np.float32), "r": np.ones((1, 1, 1), np.float32)})


def test_recurrent_sums_stay_within_int32() -> None:
    options = QuantizeOptions(observer="minmax", bias_correction="off", int16=("input",))
    for inputs in (INT16_SUM - 8, INT16_SUM + 8):
        model = recurrent(inputs)
        quantized = quantize(model, samples_for(model, 4), options).model
        if inputs < INT16_SUM:
            to_integer_graph(quantized, "highmul", "net")
            continue
        with pytest.raises(EdgeqError) as caught:
            to_integer_graph(quantized, "highmul", "net")
        (problem,) = caught.value.problems
        assert problem.code == "EQ0353"
        assert "at most 2147483647" in (problem.allowed or "")
