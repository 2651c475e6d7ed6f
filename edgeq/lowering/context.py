"""What a lowering rule sees: the canonical QDQ model on one side, the integer graph that grows on the other.

A rule is called for one float operator together with what happens to its result up to the QuantizeLinear that ends it
(:class:`Target`): the fused clamp and the output's scale and zero point. Where the result is integers or truth values,
nothing ends it, and it is plain. The rule reads its operands through the context, which knows which tensor stands
behind every dequantized or plain value, and emits integer nodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.ir import Attr, DType, Graph, Node, Quantization, Source, Tensor
from edgeq.numerics.array import Array
from edgeq.numerics.scaling import Scaling
from edgeq.onnxio.forms import is_plain
from edgeq.ops import BY_NAME

if TYPE_CHECKING:
    import onnx_ir

NHWC_TO_NCHW = (0, 3, 1, 2)
NCHW_TO_NHWC = (0, 2, 3, 1)


@dataclass(frozen=True)
class Target:
    """Where the result of a float operator goes.

    Attributes:
        name: the ONNX name of the float value that is quantized, after the fused activation; of a plain value.
        shape: its shape as ONNX has it.
        params: the result's parameters, per tensor; None: it is plain.
        clamp_min, clamp_max: bounds of the fused activation, in integers; those of the type where there is none.
        plain: of a plain result, the type that ONNX gives it.
        sources: names of the ONNX nodes that this stands for.
    """

    name: str
    shape: tuple[int, ...]
    params: Quantization | None
    clamp_min: int
    clamp_max: int
    sources: tuple[str, ...]
    plain: DType | None = None

    @property
    def declared(self) -> DType:
        """The ONNX type of a plain result."""
        assert self.plain is not None  # rules that have a meaning for plain results only
        return self.plain

    @property
    def quant(self) -> Quantization:
        """The parameters of a quantized result."""
        assert self.params is not None  # rules that have a meaning for plain results do not ask
        return self.params

    @property
    def scale(self) -> float:
        """Output scale."""
        return self.quant.scale[0]

    @property
    def zero(self) -> int:
        """Output zero point."""
        return self.quant.zero_point[0]

    @property
    def dtype(self) -> DType:
        """Type of the result."""
        return self.quant.dtype

    @property
    def is_clamped(self) -> bool:
        """Whether the fused activation does more than saturation."""
        return self.clamp_min > self.quant.q_min or self.clamp_max < self.quant.q_max


@dataclass
class Context:
    """The state of one lowering.

    Attributes:
        graph: the integer graph that grows.
        scaling: the arithmetic.
        activations: tensor by ONNX value.
        constants: what each dequantized constant holds, by ONNX value.
        made: results of the nodes that have several, by ONNX node.
        floats: by tensor, itself in software float.
        ranges: least and largest value of plain tensors, by name, where more is known than their type.
    """

    graph: Graph
    scaling: Scaling
    activations: dict[str, str] = field(default_factory=dict)
    constants: dict[str, Tensor] = field(default_factory=dict)
    made: dict[str, tuple[Tensor, Tensor | None]] = field(default_factory=dict)
    floats: dict[str, str] = field(default_factory=dict)
    ranges: dict[str, tuple[int, int]] = field(default_factory=dict)

    # --- operands ---------------------------------------------------------------------------------------------

    def activation(self, node: onnx_ir.Node, index: int) -> Tensor:
        """The integer tensor behind the activation input ``index``.

        A dequantized or plain constant becomes a constant tensor of the graph.

        Raises:
            EdgeqError: EQ0350 where the input was never quantized.
        """
        value = node.inputs[index]
        name = value.name if value is not None else None
        if name in self.activations:
            return self.graph.tensors[self.activations[name]]
        if name in self.constants:
            constant = self.constants[name]
            if constant.name not in self.graph.tensors:
                self.graph.add_tensor(constant)
            return self.graph.tensors[constant.name]
        if value is not None and value.const_value is not None and is_plain(value):
            return self._plain_constant(str(name), np.asarray(value.const_value.numpy()))
        raise EdgeqError(
            "EQ0350",
            f"input {index} of a {node.op_type} is not quantized",
            where=f"node {node.name}, value {name}",
            allowed="a value behind QuantizeLinear and DequantizeLinear",
            hint="quantize the float model with `edgeq quantize`, or give --data so that it is calibrated",
        )

    def _plain_constant(self, name: str, values: Array) -> Tensor:
        if name not in self.graph.tensors:
            self.graph.add_tensor(plain_constant(name, values))
        return self.graph.tensors[name]

    def constant(self, node: onnx_ir.Node, index: int) -> Tensor:
        """The dequantized constant input ``index`` (weight or bias): int8 or int32 with its scales.

        Raises:
            EdgeqError: EQ0351 where the input is computed, EQ0363 where it is int16.
        """
        value = node.inputs[index] if index < len(node.inputs) else None
        if value is None or value.name not in self.constants:
            raise EdgeqError(
                "EQ0351",
                f"input {index} of a {node.op_type} is not a quantized constant",
                where=f"node {node.name}",
                allowed="an int8 weight or int32 bias initializer behind DequantizeLinear",
                hint="fold the computation of the weight into an initializer before quantization",
            )
        if self.constants[value.name].dtype is DType.INT16:
            raise EdgeqError(
                "EQ0363",
                "weights of this type are not implemented",
                where=f"node {node.name}, input {index}",
                got="int16",
                allowed="int8 or uint8, and int32 for biases",
            )
        return self.constants[value.name]

    def reach_of(self, op: str, x: Tensor, bound: int) -> int:
        """What ``Scaling.choose`` is told of an accumulator: ``bound`` where it may be int64, else 0."""
        return 0 if x.dtype is DType.INT8 or op in self.scaling.int32_sums else bound

    # --- emission ---------------------------------------------------------------------------------------------

    def emit(
        self,
        op: str,
        name: str,
        inputs: Sequence[str],
        attrs: Mapping[str, Attr],
        *,
        quant: Quantization | None,
        sources: tuple[str, ...],
        source: Source | None = None,
        fold: bool = True,
    ) -> Tensor:
        """Append a node with one result; shape and type come from the operator's own inference.

        A node of constants alone is evaluated here instead, unless ``fold`` is false: kernels read the arena, where
        no constant lies.
        """
        result = self.graph.fresh_name(name)
        node = Node(op, result, tuple(inputs), (result,), attrs, sources)
        operands = [self.graph.tensors[operand] for operand in inputs]
        ((shape, dtype),) = BY_NAME[op].infer(node, operands)
        if fold and all(tensor.is_constant for tensor in operands):
            (values,) = BY_NAME[op].evaluate(node, [tensor.value() for tensor in operands])
            return self.graph.tensors[self.graph.add_tensor(Tensor.constant(result, np.asarray(values), quant, dtype))]
        tensor = Tensor(result, shape, dtype, quant=quant, source=source)
        self.graph.add_tensor(tensor)
        self.graph.nodes.append(node)
        return tensor

    def emit_all(
        self,
        op: str,
        results: Sequence[tuple[str, Quantization | None, Source | None]],
        inputs: Sequence[str],
        attrs: Mapping[str, Attr],
        *,
        sources: tuple[str, ...],
    ) -> list[Tensor]:
        """Append a node with several results: name, parameters and source of each, in order."""
        names = [self.graph.fresh_name(name) for name, _, _ in results]
        node = Node(op, names[0], tuple(inputs), tuple(names), attrs, sources)
        inferred = BY_NAME[op].infer(node, [self.graph.tensors[operand] for operand in inputs])
        for name, (shape, dtype), (_, quant, source) in zip(names, inferred, results, strict=True):
            self.graph.add_tensor(Tensor(name, shape, dtype, quant=quant, source=source))
        self.graph.nodes.append(node)
        return [self.graph.tensors[name] for name in names]

    def emit_result(self, op: str, target: Target, inputs: Sequence[str], attrs: Mapping[str, Attr]) -> Tensor:
        """Append the node that computes ``target`` in ONNX's own layout."""
        source = Source(target.name, tuple(range(len(target.shape))), target.shape)
        return self.emit(op, target.name, inputs, attrs, quant=target.params, sources=target.sources, source=source)

    def emit_result_nhwc(self, op: str, target: Target, inputs: Sequence[str], attrs: Mapping[str, Attr]) -> Tensor:
        """Append the node that computes ``target`` in NHWC, and the transpose back to NCHW."""
        source = Source(target.name, NHWC_TO_NCHW, target.shape)
        inner = self.emit(
            op, f"{target.name}.nhwc", inputs, attrs, quant=target.params, sources=target.sources, source=source
        )
        return self.emit_result("transpose", target, (inner.name,), {"perm": NHWC_TO_NCHW})

    def to_nhwc(self, tensor: Tensor) -> Tensor:
        """The NCHW tensor in NHWC, through a transpose that a pass may cancel."""
        return self.transposed(tensor, NCHW_TO_NHWC, "nhwc")

    def transposed(self, tensor: Tensor, perm: tuple[int, ...], label: str) -> Tensor:
        """The tensor transposed by ``perm`` under the name ``tensor.label``."""
        if perm == tuple(range(len(perm))):
            return tensor
        source = None
        if tensor.source is not None and tensor.source.permutation == tuple(range(len(perm))):
            inverse = tuple(int(axis) for axis in np.argsort(perm))
            source = Source(tensor.source.name, inverse, tensor.source.shape)
        return self.emit(
            "transpose",
            f"{tensor.name}.{label}",
            (tensor.name,),
            {"perm": perm},
            quant=tensor.quant,
            sources=(),
            source=source,
        )

    def add_constant(
        self, base: str, values: Array, quant: Quantization | None = None, dtype: DType | None = None
    ) -> str:
        """Add a constant under a fresh name derived from ``base`` and return the name."""
        return self.graph.add_tensor(Tensor.constant(self.graph.fresh_name(base), values, quant, dtype))


def plain_type(value: onnx_ir.Value) -> DType:
    """The type that ONNX gives a plain value."""
    assert value.dtype is not None  # a value without a type is no plain one
    return DType(value.dtype.name.lower())


def plain_constant(name: str, values: Array) -> Tensor:
    """A constant of integers or truth values; int64 is held as int32 where it fits."""
    if values.dtype == np.bool_:
        return Tensor.constant(name, values.astype(np.int8), dtype=DType.BOOL)
    fits = values.min(initial=0) >= DType.INT32.min and values.max(initial=0) <= DType.INT32.max
    return Tensor.constant(name, values.astype(np.int32) if values.dtype == np.int64 and fits else values)


def magnitude(tensor: Tensor) -> int:
    """The largest magnitude of an activation less its zero point: 255 in int8, 32768 in int16."""
    return 255 if tensor.dtype is DType.INT8 else -tensor.dtype.min


def result_type(x: Tensor, quant: Quantization) -> dict[str, Attr]:
    """The attribute ``result`` of a node whose result has another type than its operand."""
    return {} if x.dtype is quant.dtype else {"result": quant.dtype.value}


def scalar_quant(tensor: Tensor) -> tuple[float, int]:
    """Scale and zero point of a per-tensor quantized tensor.

    Raises:
        ValueError: the tensor carries no per-tensor quantization.
    """
    if tensor.quant is None or len(tensor.quant.scale) != 1:
        raise ValueError(f"{tensor.name} has no per-tensor scale")
    return tensor.quant.scale[0], tensor.quant.zero_point[0]
