"""From a file to a model that quantization (float) or lowering (quantized) can take."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import onnx_ir as ir

from edgeq.errors import EdgeqError
from edgeq.frontend.normalize import normalize, normalize_structure
from edgeq.onnxio.reader import read_model

_QUANTIZED = frozenset(
    ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger")
)


def load(path: str | Path, dims: Mapping[str, int] | None = None) -> ir.Model:
    """Read and normalize a float model.

    Args:
        path: the ``.onnx`` file.
        dims: values of dynamic dimensions by name.

    Raises:
        EdgeqError: EQ0201 to EQ0229 when it cannot be read or normalized, EQ0230 when it is quantized.
    """
    model = read_model(path)
    if is_quantized(model):
        raise EdgeqError(
            "EQ0230",
            "the model is quantized already",
            where=str(path),
            allowed="a float model",
            hint="compile takes a QDQ model directly",
        )
    return normalize(model, dims)


def load_quantized(path: str | Path, dims: Mapping[str, int] | None = None) -> ir.Model:
    """Read a quantized model; shapes become static and the spelling uniform, scales and constants stay as they are.

    Args:
        path: the ``.onnx`` file.
        dims: values of dynamic dimensions by name.

    Raises:
        EdgeqError: EQ0201 to EQ0229 when it cannot be read, EQ0231 when nothing in it is quantized.
    """
    model = read_model(path)
    if not is_quantized(model):
        raise EdgeqError("EQ0231", "the model is not quantized", where=str(path), allowed="a QDQ model")
    return normalize_structure(model, dims)


def is_quantized(model: ir.Model) -> bool:
    """Whether the model carries quantization: QuantizeLinear, DequantizeLinear or an operator on integers."""
    return any(node.op_type in _QUANTIZED for node in model.graph.all_nodes())
