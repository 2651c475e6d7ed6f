"""What a .tflite file will hold, before it becomes bytes: tensors by name, and operators in order.

The families of ``write/`` append to a :class:`Draft`; ``flatbuffer.py`` prints it. Operators and their option tables
are named as TFLite's schema names them, so that only the printer needs the schema. Tensors are those of the integer
graph: a computed one keeps its name, shape, scale and zero point, so that a judge finds it by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.ir import DType, Graph, Node, Quantization, Tensor
from edgeq.numerics.array import Array
from edgeq.numerics.scaling import Scaling
from edgeq.ops import BY_NAME
from edgeq.ops.signature import RESULT

Field = int | float | bool | str | tuple[int, ...]


@dataclass(frozen=True)
class Options:
    """An option table of the schema.

    Attributes:
        table: its name, ``Conv2DOptions``.
        fields: by the schema's names (``StrideW``); words are members of an enumeration of the schema.
    """

    table: str
    fields: Mapping[str, Field] = field(default_factory=dict)


@dataclass(frozen=True)
class Operator:
    """One operator: its code in the schema's spelling, the version of it that is needed, tensors by name, options."""

    code: str
    version: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    options: Options | None


@dataclass
class Draft:
    """Tensors in the order of first use, and operators in the order of execution.

    Attributes:
        graph: what is written.
        scaling: the arithmetic of the runtime that is to read the file.
    """

    graph: Graph
    scaling: Scaling
    tensors: dict[str, Tensor] = field(default_factory=dict)
    operators: list[Operator] = field(default_factory=list)

    def of(self, node: Node, *slots: str) -> list[Tensor]:
        """The tensors in these slots of a node; ``result`` is its result."""
        named = BY_NAME[node.op].signature.bind(node, self.graph.operands(node))
        (named[RESULT],) = self.graph.results(node)
        return [named[slot] for slot in slots]

    def use(self, name: str) -> Tensor:
        """Take over a tensor of the graph, constants with their data; again is the same tensor."""
        if name not in self.tensors:
            self.tensors[name] = self.graph.tensors[name]
        return self.tensors[name]

    def constant(self, base: str, values: Array, quant: Quantization | None = None) -> str:
        """Add a constant and return its name: ``base``, unless that already stands for something else."""
        made = Tensor.constant(base, values, quant)
        for name in self._names(base):
            known = self.tensors.get(name)
            if known is None and (name == base or name not in self.graph.tensors):
                self.tensors[name] = made.with_(name=name)
                return name
            if known is not None and _same_constant(known, made):
                return name
        raise AssertionError("unreachable")

    def between(self, base: str, shape: tuple[int, ...], like: Tensor, dtype: DType | None = None) -> str:
        """Add a computed tensor that the graph does not have, at the scale and zero point of ``like``.

        Args:
            base: the name, or its beginning where it is taken.
            shape: the shape.
            like: gives the type, and scale and zero point.
            dtype: another type; such a tensor is not quantized.
        """
        for name in self._names(base):
            if name not in self.tensors and name not in self.graph.tensors:
                quant = like.quant if dtype is None else None
                self.tensors[name] = Tensor(name, shape, dtype or like.dtype, quant=quant)
                return name
        raise AssertionError("unreachable")

    def append(
        self,
        code: str,
        version: int,
        inputs: tuple[str, ...],
        output: str,
        table: str | None = None,
        **fields: Field,
    ) -> None:
        """Append an operator with one result; tensors of the graph among its operands are taken over.

        Args:
            code: the operator, as the schema names it.
            version: the version needed.
            inputs: operands by name, in the operator's order.
            output: its result.
            table: its option table.
            **fields: what the option table says.
        """
        for name in (*inputs, output):
            self.use(name)
        options = Options(table, fields) if table is not None else None
        self.operators.append(Operator(code, version, inputs, (output,), options))

    @staticmethod
    def _names(base: str) -> Iterator[str]:
        yield base
        yield from (f"{base}.{number}" for number in count(1))


Writer = Callable[[Draft, Node], None]


def cannot(node: Node, reason: str, *, got: object = None, allowed: object = None, hint: str) -> EdgeqError:
    """The error for a node that TFLite has no operator for, or none with the same bits."""
    where = f"node {node.name}" + (f", from {', '.join(node.source)}" if node.source else "")
    return EdgeqError(
        "EQ0390", f"TFLite cannot express {node.op}: {reason}", where=where, got=got, allowed=allowed, hint=hint
    )


def too_many_axes(node: Node, shape: tuple[int, ...], limit: int) -> EdgeqError:
    """The error for a tensor of more dimensions than the reference kernels of all runtimes take."""
    return cannot(
        node,
        "too many dimensions",
        got=f"{len(shape)}: {shape}",
        allowed=f"at most {limit}",
        hint="merge dimensions in the model that need not be apart",
    )


def scalar_quant(tensor: Tensor) -> tuple[float, int]:
    """Scale and zero point of a tensor that is quantized as a whole.

    Raises:
        EdgeqError: EQ0906 where it is not.
    """
    if tensor.quant is None or len(tensor.quant.scale) != 1:
        raise EdgeqError("EQ0906", "a tensor of the TFLite file has no scale", where=tensor.name, allowed="one scale")
    return tensor.quant.scale[0], tensor.quant.zero_point[0]


def by_type(tensor: Tensor, int8: int, int16: int) -> int:
    """The version of an operator that takes activations of the tensor's type."""
    return int16 if tensor.dtype is DType.INT16 else int8


def int32(*values: int) -> Array:
    """Integers as TFLite takes shapes, axes and pads."""
    return np.array(values, np.int32)


def _same_constant(known: Tensor, made: Tensor) -> bool:
    return (
        known.is_constant
        and (known.dtype, known.shape, known.quant) == (made.dtype, made.shape, made.quant)
        and np.array_equal(known.value(), made.value())
    )
