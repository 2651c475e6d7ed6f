"""What a binding is: how one node of the graph becomes one call of a C kernel.

A :class:`Binding` says whether a kernel fits a node, and why not; the first of a family's tuple that fits wins, so the
special ones come first. A :class:`Call` gives values by the names that the kernel's header declares, with the weights
already in the kernel's own order. Nothing here decides about memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from edgeq.backends.c.declarations import SCRATCH, Kernel, Parameter, kernel
from edgeq.backends.c.runtime import Isa
from edgeq.ir import DType, Graph, Node
from edgeq.memory.schedule import Order
from edgeq.numerics.array import Array
from edgeq.ops import BY_NAME
from edgeq.ops.signature import scaling_of

Shape = tuple[str, tuple[int | None, ...], tuple[str, ...]]
"""What makes an instance of a kernel: the kernel, its record, and the constants that are not NULL.

A field of the record without a number has several: a node that runs in bands has records of different heights."""
_INT32 = np.iinfo(np.int32)


@dataclass(frozen=True, eq=False)
class Call:
    """One kernel call for one node.

    Attributes:
        kernel: the C function; its header is ``runtime_c/kernels/<kernel>.h``.
        record: value by field of its record.
        inputs: the computed tensors that are passed as pointers, in the order of the header.
        outputs: the tensors it writes, in the order of the header.
        constants: array by parameter; None passes NULL, also for a result that is not asked for.
        in_place: (input index, output index) pairs that may be at exactly the same address.
        trailing: (input index, output index, order) of results that may overlap an operand from below, see ``orders``.

    Raises:
        TypeError: the header declares other names or other types.
    """

    kernel: str
    record: Mapping[str, int]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    constants: Mapping[str, Array | None] = field(default_factory=dict)
    in_place: tuple[tuple[int, int], ...] = ()
    trailing: tuple[tuple[int, int, Order], ...] = ()

    def __post_init__(self) -> None:
        declared = self.declaration
        _same_names(f"{declared.record} has the fields", declared.fields, self.record)
        for name, value in self.record.items():
            if not _INT32.min <= value <= _INT32.max:
                raise TypeError(f"{declared.record}.{name} is an int32_t, not {value!r}")
        readable = {parameter.name: parameter.type for parameter in declared.parameters if parameter.const}
        every = {parameter.name for parameter in declared.parameters}
        for name, array in self.constants.items():
            if name not in (every if array is None else readable):
                raise TypeError(f"{self.kernel} reads nothing through a parameter {name}: {', '.join(readable)}")
            if array is not None and readable[name] not in {"void", DType.of(array).c_name}:
                raise TypeError(f"{name} of {self.kernel} is {readable[name]}, not {array.dtype.name}")
        if (len(self.inputs), len(self.outputs)) != (len(self._computed(const=True)), len(self._computed(const=False))):
            raise TypeError(f"{self.kernel} takes {', '.join(map(str, declared.parameters))}")

    @property
    def declaration(self) -> Kernel:
        """What the kernel's header says."""
        return kernel(self.kernel)

    @property
    def arguments(self) -> tuple[tuple[Parameter, str | None], ...]:
        """The kernel's parameters in order, with the tensor for those that point into the arena."""
        tensors = dict(zip((parameter.name for parameter in self._computed(const=True)), self.inputs, strict=True))
        tensors |= dict(zip((parameter.name for parameter in self._computed(const=False)), self.outputs, strict=True))
        return tuple((parameter, tensors.get(parameter.name)) for parameter in self.declaration.parameters)

    @property
    def passed(self) -> tuple[Parameter, ...]:
        """The parameters that point to constants, without those that are NULL."""
        return tuple(p for p in self.declaration.parameters if self.constants.get(p.name) is not None)

    @property
    def shape(self) -> Shape:
        """Everything but where the data lies."""
        record = tuple(self.record[name] for name in self.declaration.fields)
        return self.kernel, record, tuple(parameter.name for parameter in self.passed)

    def check_types(self, graph: Graph) -> None:
        """Compare the types of the tensors with those that the header declares.

        Raises:
            TypeError: they differ.
        """
        for parameter, tensor in self.arguments:
            if tensor is not None and parameter.type not in {"void", graph.tensors[tensor].dtype.c_name}:
                found = graph.tensors[tensor].dtype.value
                raise TypeError(f"{parameter.name} of {self.kernel} is {parameter.type}, not {found}")

    def _computed(self, *, const: bool) -> list[Parameter]:
        """The parameters for tensors in the arena, those that are read or those that are written."""
        return [
            parameter
            for parameter in self.declaration.parameters
            if parameter.const is const and parameter.name not in {SCRATCH, *self.constants}
        ]


def _same_names(what: str, declared: tuple[str, ...], given: Mapping[str, int]) -> None:
    if set(declared) != given.keys():
        missing, unknown = sorted(set(declared) - given.keys()), sorted(given.keys() - set(declared))
        raise TypeError(f"{what} {', '.join(declared)}; missing: {missing}, unknown: {unknown}")


Matches = Callable[[Node, Graph, Isa], str | None]
Bind = Callable[[Node, Graph, Isa], Call]


@dataclass(frozen=True)
class Binding:
    """A kernel for an operator.

    Attributes:
        op: the operator's name.
        kernel: the C function, for the manifest.
        matches: None where the kernel fits a node of its types that scales by its formula, else the reason why it does
            not; None for all of them.
        bind: builds the call; only for nodes that match.
        formula: how the kernel scales (``Scaling.formula``); None where it scales nothing.
        accumulators: the types of the node's accumulator that the kernel has.
        variant: tells bindings of one kernel to one operator apart.
    """

    op: str
    kernel: str
    matches: Matches | None
    bind: Bind
    formula: str | None = None
    accumulators: tuple[str, ...] = ("i32",)
    variant: str = ""

    @property
    def name(self) -> str:
        """What users call it: the kernel, with ``:VARIANT`` where it has several."""
        return f"{self.kernel}:{self.variant}" if self.variant else self.kernel

    def refusal(self, node: Node, graph: Graph, isa: Isa) -> str | None:
        """Why the kernel cannot serve a node of its operator, or None."""
        if self.formula is not None:
            found = scaling_of(node).formula(node.op)
            if found != self.formula:
                return f"scales by {self.formula}, not by {found}"
            acc = node.attrs.get("acc", "i32")
            if acc not in self.accumulators:
                return f"accumulates in {acc}, not {' or '.join(self.accumulators)}"
        other = self._other_type(node, graph)
        return other if other is not None or self.matches is None else self.matches(node, graph, isa)

    def _other_type(self, node: Node, graph: Graph) -> str | None:
        """Which operand or result has another type than the kernel's parameter of its name, if any."""
        declared = {parameter.name: parameter.type for parameter in kernel(self.kernel).parameters}
        bound = BY_NAME[node.op].signature.bind(node, graph.operands(node)) | {"out": graph.results(node)[0]}
        for name, tensor in bound.items():
            if declared.get(name, "void") not in {"void", tensor.dtype.c_name}:
                return f"{tensor.name} is {tensor.dtype.c_name}, not {declared[name]}"
        return None
