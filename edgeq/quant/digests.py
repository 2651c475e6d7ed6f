"""What a saved calibration is of: SHA-256 of the float model, and of the samples whatever file they come from."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from edgeq import budget
from edgeq.onnxio.writer import model_bytes

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.numerics.array import Array
    from edgeq.onnxio.qdq_form import QdqPlan
    from edgeq.onnxio.samples import Samples


def model_digest(model: onnx_ir.Model, given: QdqPlan) -> str:
    """SHA-256 of a normalized float model and of the integers that it brings along."""
    total = hashlib.sha256(model_bytes(model))
    for name, quantization in sorted(given.activations.items()):
        total.update(repr((name, quantization.to_json())).encode())
    for key, constant in sorted(given.constants.items(), key=lambda item: item[0]):
        add_array(total, repr((key, constant.quantization.to_json())), constant.values)
    return total.hexdigest()


def data_digest(samples: Samples) -> str:
    """SHA-256 of the contents of the arrays that a model reads, whatever file they come from."""
    total = hashlib.sha256()
    for spec in samples.specs:
        stored, scale = samples.stored[spec.name], samples.integer_scales.get(spec.name)
        total.update(repr((spec.name, stored.dtype.str, stored.shape, scale)).encode())
        for _, block in stored.blocks():
            budget.tick("digest of the data")
            total.update(np.ascontiguousarray(block).tobytes())
    return total.hexdigest()


def add_array(total: hashlib._Hash, name: str, array: Array) -> None:
    """Add an array's name, type, shape and elements to a digest."""
    total.update(repr((name, array.dtype.str, array.shape)).encode())
    total.update(np.ascontiguousarray(array).tobytes())
