"""How closely an imported model's integer graph follows onnxruntime, layer by layer.

Teacher-forced: every step gets onnxruntime's own integers (ORT_DISABLE_ALL, on the foreign model as it was published)
and only its own result is judged. So an early difference does not hide a later one, and the share of differing elements
of a layer says how its rounding differs, not what it was given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgeq.ir import Graph, Tensor
from edgeq.numerics.array import Array
from edgeq.onnxio import Session
from edgeq.ops import BY_NAME


@dataclass
class Layer:
    """One step of the integer graph over all samples.

    Attributes:
        name: the ONNX value that it computes.
        op: the integer operator.
        elements, different: how many results were compared, how many differ.
        largest: the largest difference, in steps of the output scale.
    """

    name: str
    op: str
    elements: int = 0
    different: int = 0
    largest: int = 0

    @property
    def share(self) -> float:
        """The share of differing elements."""
        return self.different / max(self.elements, 1)


@dataclass(frozen=True)
class Codes:
    """Where onnxruntime's integers of a tensor come from: a value of the foreign model, and the parameters in int8.

    The value holds integers, ``shift`` above int8's, or real numbers (``shift`` None) that are quantized here.
    """

    output: str
    scale: float
    zero: int
    shift: int | None

    def integers(self, array: Array) -> Array:
        """The value as int8; QuantizeLinear's definition for real numbers."""
        if self.shift is not None:
            stated: Array = (array.astype(np.int64) - self.shift).astype(np.int8)
            return stated
        steps = np.rint((array / np.float32(self.scale)).astype(np.float64)) + self.zero
        codes: Array = np.clip(steps, -128, 127).astype(np.int8)
        return codes


def quantizers(model: ir.Model) -> dict[str, list[Codes]]:
    """Every QuantizeLinear of an activation, by the name of the value that it quantizes (a model output: its name)."""
    found: dict[str, list[Codes]] = {}
    for node in model.graph:
        value = node.inputs[0] if node.op_type == "QuantizeLinear" else None
        if value is None or value.const_value is not None or value.is_initializer():
            continue
        scale, zero = _array(node, 1), _array(node, 2)
        if scale.size != 1:
            continue
        shift = 128 if zero.dtype == np.uint8 else 0
        codes = Codes(str(node.outputs[0].name), float(scale.reshape(-1)[0]), int(zero.reshape(-1)[0]) - shift, shift)
        names = [str(value.name)]
        names += [
            str(use.node.outputs[0].name) for use in node.outputs[0].uses() if use.node.outputs[0].is_graph_output()
        ]
        names += [names[0]] if node.outputs[0].is_graph_output() else []
        for name in dict.fromkeys(names):
            found.setdefault(name, []).append(codes)
    return found


def _array(node: ir.Node, index: int) -> Array:
    """A scale or zero point: an initializer, a Constant, or either behind an Identity; absent it is uint8 zero."""
    value = node.inputs[index] if index < len(node.inputs) else None
    if value is None:
        return np.zeros((), np.uint8)
    if value.const_value is not None:
        return np.asarray(value.const_value.numpy())
    producer = value.producer()
    assert producer is not None
    if producer.op_type == "Identity":
        return _array(producer, 0)
    return np.asarray(producer.attributes["value"].as_tensor().numpy())


def codes_of(tensor: Tensor, known: Mapping[str, list[Codes]], reals: frozenset[str]) -> Codes | None:
    """The foreign integers that a tensor of the integer graph holds.

    Where the foreign model rounds a value later or not at all (between a layer and a pool, at an output that was
    completed with data), its real numbers are quantized as the tensor is.
    """
    if tensor.source is None or tensor.quant is None or tensor.is_constant:
        return None
    names = (tensor.source.name, tensor.source.name.removesuffix("_float"))
    wanted = tensor.quant.scale[0], tensor.quant.zero_point[0]
    for name in names:
        for codes in known.get(name, ()):
            if (codes.scale, codes.zero) == wanted:
                return codes
    return next((Codes(name, *wanted, None) for name in names if name in reals), None)


def compare_layers(foreign: ir.Model, graph: Graph, samples: Iterable[Mapping[str, Array]]) -> list[Layer]:
    """Judge every step of an integer graph on onnxruntime's integers.

    Args:
        foreign: the model as published; it is run as it is.
        graph: what edgeq made of it.
        samples: inputs by name.

    Returns:
        The steps in order. One whose result the foreign model does not have (a transposed copy, a change of scale that
        edgeq makes explicit) has 0 elements; its result goes on to the next step.
    """
    known = quantizers(foreign)
    reals = frozenset(
        str(value.name)
        for node in foreign.graph
        for value in node.outputs
        if node.op_type not in {"Constant", "Identity", "QuantizeLinear"}
    )
    reals |= {str(value.name) for value in foreign.graph.inputs}
    found = {name: codes_of(tensor, known, reals) for name, tensor in graph.tensors.items()}
    for name, value in zip(graph.outputs, foreign.graph.outputs, strict=True):
        found[name] = found[name] or next(iter(known.get(str(value.name), ())), None)
    session = Session(foreign, sorted({codes.output for codes in found.values() if codes is not None}))
    layers = [Layer(_label(graph, node.outputs[0]), node.op) for node in graph.nodes]
    for feeds in samples:
        results = session.run(feeds)
        values: dict[str, Array] = {}
        for name in graph.inputs:
            values[name] = _forced(graph.tensors[name], found[name], results)
        for layer, node in zip(layers, graph.nodes, strict=True):
            operands = [values[name] if name in values else graph.tensors[name].value() for name in node.inputs]
            (result,) = BY_NAME[node.op].evaluate(node, operands)
            output = node.outputs[0]
            codes = found[output]
            if codes is None:
                values[output] = result
                continue
            wanted = _forced(graph.tensors[output], codes, results)
            values[output] = wanted
            distance = np.abs(result.astype(np.int64) - wanted)
            layer.elements += distance.size
            layer.different += int((distance > 0).sum())
            layer.largest = max(layer.largest, int(distance.max()))
    return layers


def _label(graph: Graph, name: str) -> str:
    source = graph.tensors[name].source
    return name if source is None else source.name


def _forced(tensor: Tensor, codes: Codes | None, results: Mapping[str, Array]) -> Array:
    """onnxruntime's integers in the layout of the integer graph."""
    assert codes is not None, f"the foreign model does not quantize {tensor.name}"
    array = codes.integers(results[codes.output])
    if tensor.source is not None:
        array = tensor.source.take(array.reshape(tensor.source.shape))
    permutation = tuple(range(len(tensor.shape))) if tensor.source is None else tensor.source.permutation
    inverse = np.argsort(permutation)
    laid_out = [tensor.shape[axis] for axis in permutation]
    return np.ascontiguousarray(array.reshape(laid_out).transpose(inverse))


def missing_parameters(foreign: ir.Model, graph: Graph) -> list[str]:
    """Activations of the foreign model whose scale and zero point no tensor of the integer graph has."""
    present = {
        (tensor.quant.scale[0], tensor.quant.zero_point[0])
        for tensor in graph.tensors.values()
        if tensor.quant is not None and not tensor.is_constant
    }
    return [
        name
        for name, several in quantizers(foreign).items()
        if any((codes.scale, codes.zero) not in present for codes in several)
    ]


def table(title: str, layers: Sequence[Layer]) -> str:
    """The layers as text, for a test's output."""
    lines = [f"{title}: step, operator, elements, share that differs, largest difference"]
    for number, layer in enumerate(layers):
        share = "-" if not layer.elements else f"{100 * layer.share:.4f} %"
        lines.append(f"{number:3} {layer.op:12} {layer.elements:9} {share:>10} {layer.largest:2}  {layer.name[-60:]}")
    elements, different = sum(layer.elements for layer in layers), sum(layer.different for layer in layers)
    lines.append(f"    all          {elements:9} {100 * different / max(elements, 1):8.4f} %")
    return "\n".join(lines)
