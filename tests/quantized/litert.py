"""A .tflite file run by LiteRT's reference kernels, beside edgeq's integer graph in mode ``tflite``: every tensor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgeq.interp import run
from edgeq.ir import Graph, Tensor
from edgeq.numerics.array import Array
from tests.quantized.tflite_to_qdq import Converted


@dataclass
class Judgement:
    """What was compared.

    Attributes:
        elements: how many results, over all inputs and tensors.
        mismatches: tensor name → how many differ; empty where all are equal.
        missing: names of tensors that LiteRT computes and the integer graph does not have.
        removed: results in channels that the integer graph no longer computes: they are constant, or nobody reads them.
    """

    elements: int = 0
    removed: int = 0
    mismatches: dict[str, int] = field(default_factory=dict)
    missing: tuple[str, ...] = ()


def reference_interpreter(path: Path) -> Any:
    """LiteRT with reference kernels only, keeping every tensor."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_path=str(path),
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    return interpreter


def judge(path: Path, converted: Converted, graph: Graph, samples: Iterable[Mapping[str, Array]]) -> Judgement:
    """Run both on the same int8 inputs and compare every tensor that LiteRT computes.

    Args:
        path: the file as it was published.
        converted: the same file as ONNX, which names the tensors.
        graph: lowered in mode ``tflite``.
        samples: real-valued inputs by name.
    """
    interpreter = reference_interpreter(path)
    source = converted.source
    numbers = {tensor.name: _number(converted, tensor) for tensor in graph.tensors.values()}
    numbers |= dict(zip(graph.outputs, source.outputs, strict=True))
    numbers |= dict(zip(graph.inputs, source.inputs, strict=True))
    computed = {index for op in source.ops for index in op.outputs}
    found = Judgement()
    found.missing = tuple(source.tensors[index].name for index in sorted(computed - set(numbers.values())))
    for feeds in samples:
        inputs = {}
        for name, index in zip(graph.inputs, source.inputs, strict=True):
            inputs[name] = quantized(graph.tensors[name], feeds[source.tensors[index].name])
            interpreter.set_tensor(index, inputs[name])
        interpreter.invoke()
        for name, array in run(graph, inputs).tensors.items():
            number = numbers.get(name)
            if number is None or number not in computed:
                continue
            whole = interpreter.get_tensor(number)
            got, wanted = _laid_out(graph.tensors[name], array, whole, nhwc=number in converted.nchw)
            assert got.shape == wanted.shape, name
            found.elements += got.size
            found.removed += whole.size - got.size
            different = int((got != wanted).sum())
            if different:
                found.mismatches[name] = found.mismatches.get(name, 0) + different
    return found


def quantized(tensor: Tensor, real: Array) -> Array:
    """QuantizeLinear of an input."""
    assert tensor.quant is not None
    steps = np.rint((real / np.float32(tensor.quant.scale[0])).astype(np.float64)) + tensor.quant.zero_point[0]
    codes: Array = np.clip(steps, -128, 127).astype(np.int8)
    return codes


def _number(converted: Converted, tensor: Tensor) -> int | None:
    if tensor.source is None or tensor.is_constant:
        return None
    return converted.tensors.get(tensor.source.name)


def _laid_out(tensor: Tensor, array: Array, wanted: Array, *, nhwc: bool) -> tuple[Array, Array]:
    """A tensor of the integer graph, and of the file's the channels that it holds, both as ONNX has them."""
    if tensor.source is None:
        return array, wanted
    if nhwc and wanted.ndim == 4:
        wanted = wanted.transpose(0, 3, 1, 2)
    assert wanted.shape == tensor.source.shape, tensor.name
    return tensor.source.in_onnx(array), tensor.source.take(wanted)
