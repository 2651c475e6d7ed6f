"""Caps on what a model file may contain, checked on the parsed message before any other library looks at it.

A model file comes from anywhere. Shape inference, constant folding and deserialization trust sizes that the file
states; here they are compared with what the file holds, in Python integers, which do not overflow.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edgeq.errors import EdgeqError
from edgeq.onnxio.external import HINT, ExternalData

if TYPE_CHECKING:
    from onnx import (
        AttributeProto,
        FunctionProto,
        GraphProto,
        ModelProto,
        NodeProto,
        TensorProto,
        TypeProto,
    )

MAX_FILE_BYTES: Final = 1 << 28
MAX_RANK: Final = 8
MAX_DIM: Final = 1 << 20
MAX_ELEMENTS: Final = 1 << 26
MAX_NESTING: Final = 8
MAX_NODES: Final = 20_000
MAX_EXPANDED_NODES: Final = 4_096  # of models with local functions: naming the copies takes time quadratic in them
MAX_INITIALIZERS: Final = 50_000
MAX_NODE_OPERANDS: Final = 4096
MAX_ATTRIBUTE_ITEMS: Final = 1 << 20
MAX_NAME_CHARS: Final = 16384
MAX_METADATA_CHARS: Final = 1 << 20

_SHOWN_CHARS: Final = 80


def shown(name: str) -> str:
    """A name from a model, safe to print on one line: quoted where needed, escaped, at most 80 characters."""
    text = name if name.isprintable() else ascii(name)[1:-1]
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"


def check_name(name: str, where: str, longest: int = MAX_NAME_CHARS) -> None:
    """A name is text of a sensible length; the parser leaves bytes that are not UTF-8 as bytes.

    Raises:
        EdgeqError: EQ0204 not text, EQ0208 too long.
    """
    if not isinstance(name, str):
        raise EdgeqError("EQ0204", "a name is not UTF-8 text", where=where, hint="the file is damaged: export it again")
    if len(name) > longest:
        raise EdgeqError("EQ0208", "a name is too long", where=where, got=len(name), allowed=f"{longest} characters")


def check_dims(dims: Sequence[int], where: str) -> int:
    """The number of elements of a static shape, within the caps.

    Raises:
        EdgeqError: EQ0207 when rank, one dimension or the product is out of range.
    """
    if len(dims) > MAX_RANK:
        raise EdgeqError("EQ0207", "a tensor has too many dimensions", where=where, got=len(dims), allowed=MAX_RANK)
    for dim in dims:
        if dim < 0:
            raise EdgeqError("EQ0207", "a dimension is negative", where=where, got=dim, allowed=f"0 to {MAX_DIM}")
        if dim > MAX_DIM:
            raise EdgeqError("EQ0207", "a dimension is too large", where=where, got=dim, allowed=f"at most {MAX_DIM}")
    elements = math.prod(dims)
    if elements > MAX_ELEMENTS:
        raise EdgeqError(
            "EQ0207", "a tensor has too many elements", where=where, got=elements, allowed=f"at most {MAX_ELEMENTS}"
        )
    return elements


def check_model(model: ModelProto, external: ExternalData | None = None) -> None:
    """Refuse what is outside the caps, what refers to other files and what is broken in itself.

    Args:
        model: as parsed; tensors with external data are inlined.
        external: the files beside the model; without them external data is refused.

    Raises:
        EdgeqError: EQ0205 to EQ0212, naming the tensor or node.
    """
    if model.training_info:
        raise EdgeqError(
            "EQ0212",
            "the model carries training information",
            got=f"{len(model.training_info)} training graphs",
            hint="export the inference graph alone",
        )
    for name in (model.producer_name, model.producer_version, model.domain):
        check_name(name, "header")
    for opset in model.opset_import:
        check_name(opset.domain, "opset_import")
    for item in model.metadata_props:
        check_name(item.key, "metadata_props")
        check_name(item.value, "metadata_props", MAX_METADATA_CHARS)
    for function in model.functions:
        for name in (function.name, function.domain, function.overload, *function.input, *function.output):
            check_name(name, "a function")
    _check_functions(model)
    _check_names(model.graph)
    budget = _Budget(external)
    _check_graph(model.graph, 0, budget)
    for function in model.functions:
        _check_nodes(function.node, f"function {shown(function.name)}", 0, budget)


def _check_names(graph: GraphProto) -> None:
    """No two inputs and no two outputs have one name."""
    for kind, values in (("inputs", graph.input), ("outputs", graph.output)):
        names = [value.name for value in values]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise EdgeqError("EQ0204", f"two {kind} of the model have the same name", got=shown(twice))


@dataclass
class _Budget:
    """What has been seen so far, over all graphs together."""

    external: ExternalData | None = None
    nodes: int = 0
    initializers: int = 0


def _check_graph(graph: GraphProto, depth: int, budget: _Budget) -> None:
    if depth > MAX_NESTING:
        raise EdgeqError("EQ0209", "subgraphs are nested too deep", got=depth, allowed=MAX_NESTING)
    check_name(graph.name, "graph")
    if graph.sparse_initializer:
        raise EdgeqError(
            "EQ0206",
            "the model has sparse tensors",
            where=f"graph {shown(graph.name)}",
            hint="export the weights as dense initializers",
        )
    budget.initializers += len(graph.initializer)
    if budget.initializers > MAX_INITIALIZERS:
        raise EdgeqError("EQ0208", "the model has too many initializers", allowed=MAX_INITIALIZERS)
    for tensor in graph.initializer:
        check_name(tensor.name, "initializer")
        check_tensor(tensor, f"initializer {shown(tensor.name)}", budget.external)
    for values in (graph.input, graph.output, graph.value_info):
        for value in values:
            check_name(value.name, "value")
            _check_type(value.type, f"value {shown(value.name)}", 0)
    _check_nodes(graph.node, f"graph {shown(graph.name)}", depth, budget)


def _check_nodes(nodes: Sequence[NodeProto], where: str, depth: int, budget: _Budget) -> None:
    budget.nodes += len(nodes)
    if budget.nodes > MAX_NODES:
        raise EdgeqError("EQ0208", "the model has too many nodes", where=where, got=budget.nodes, allowed=MAX_NODES)
    for node in nodes:
        for name in (node.name, node.op_type, node.domain, node.overload, *node.input, *node.output):
            check_name(name, where)
        place = f"node {shown(node.name or node.op_type)}"
        if len(node.input) > MAX_NODE_OPERANDS or len(node.output) > MAX_NODE_OPERANDS:
            raise EdgeqError("EQ0208", "a node has too many inputs or outputs", where=place, allowed=MAX_NODE_OPERANDS)
        _check_split(node, place)
        for attribute in node.attribute:
            check_name(attribute.name, place)
            _check_attribute(attribute, f"{place}, attribute {shown(attribute.name)}", depth, budget)


def _check_split(node: NodeProto, where: str) -> None:
    """The number of parts that a Split states is that of its outputs: onnx's shape inference aborts otherwise."""
    for attribute in node.attribute:
        if node.op_type == "Split" and attribute.name == "num_outputs" and attribute.i != len(node.output):
            raise EdgeqError(
                "EQ0232",
                "a Split has another number of outputs than it states",
                where=where,
                got=len(node.output),
                allowed=attribute.i,
                hint="export the model again",
            )


def _check_attribute(attribute: AttributeProto, where: str, depth: int, budget: _Budget) -> None:
    if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
        raise EdgeqError("EQ0206", "the model has sparse tensors", where=where, hint="export them as dense tensors")
    if max(len(attribute.ints), len(attribute.floats), len(attribute.strings)) > MAX_ATTRIBUTE_ITEMS:
        raise EdgeqError("EQ0208", "an attribute has too many values", where=where, allowed=MAX_ATTRIBUTE_ITEMS)
    check_name(attribute.ref_attr_name, where)
    for raw in (attribute.s, *attribute.strings):
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise EdgeqError("EQ0204", "a text attribute is not UTF-8", where=where) from error
    if attribute.HasField("t"):
        check_tensor(attribute.t, where, budget.external)
    for tensor in attribute.tensors:
        check_tensor(tensor, where, budget.external)
    if attribute.HasField("tp"):
        _check_type(attribute.tp, where, 0)
    for item in attribute.type_protos:
        _check_type(item, where, 0)
    for graph in _graphs_of(attribute):
        _check_graph(graph, depth + 1, budget)


def all_nodes(model: ModelProto) -> Iterator[NodeProto]:
    """The nodes of a checked model, its subgraphs and its functions."""
    yield from _nodes_below(model.graph.node)
    for function in model.functions:
        yield from _nodes_below(function.node)


def _nodes_below(nodes: Sequence[NodeProto]) -> Iterator[NodeProto]:
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for graph in _graphs_of(attribute):
                yield from _nodes_below(graph.node)


def _graphs_of(attribute: AttributeProto) -> Iterator[GraphProto]:
    if attribute.HasField("g"):
        yield attribute.g
    yield from attribute.graphs


def _check_type(kind: TypeProto, where: str, depth: int) -> None:
    if depth > MAX_NESTING:
        raise EdgeqError("EQ0209", "a type is nested too deep", where=where, allowed=MAX_NESTING)
    which = kind.WhichOneof("value")
    if which == "tensor_type":
        for dim in kind.tensor_type.shape.dim:
            check_name(dim.dim_param, where)
            if dim.dim_value == -1:  # how some exporters write an open dimension
                dim.ClearField("dim_value")
        check_dims([dim.dim_value for dim in kind.tensor_type.shape.dim if dim.HasField("dim_value")], where)
        if len(kind.tensor_type.shape.dim) > MAX_RANK:
            check_dims([0] * len(kind.tensor_type.shape.dim), where)
    elif which == "sparse_tensor_type":
        raise EdgeqError("EQ0206", "the model has sparse tensors", where=where)
    elif which == "sequence_type":
        _check_type(kind.sequence_type.elem_type, where, depth + 1)
    elif which == "optional_type":
        _check_type(kind.optional_type.elem_type, where, depth + 1)
    elif which == "map_type":
        _check_type(kind.map_type.value_type, where, depth + 1)


_TYPED_FIELDS: Final = ("float_data", "int32_data", "string_data", "int64_data", "double_data", "uint64_data")


def check_tensor(tensor: TensorProto, where: str, external: ExternalData | None = None) -> None:
    """A tensor holds its data inside the file, and exactly as much as its shape says.

    Raises:
        EdgeqError: EQ0205 external data, EQ0206 an unusable storage, EQ0207 the shape, EQ0210 the amount of data.
    """
    from onnx import TensorProto

    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        if external is None:
            raise EdgeqError(
                "EQ0205", "the model keeps weights in another file, and has no folder", where=where, hint=HINT
            )
        external.inline(tensor, _raw_bytes(tensor, check_dims(tensor.dims, where), where), where)
    if tensor.HasField("segment"):
        raise EdgeqError("EQ0206", "the tensor is stored in segments", where=where)
    elements = check_dims(tensor.dims, where)
    fields = [name for name in _TYPED_FIELDS if len(getattr(tensor, name))]
    if tensor.HasField("raw_data") and fields:
        raise EdgeqError("EQ0206", "the tensor states its data twice", where=where, got=f"raw_data and {fields[0]}")
    if len(fields) > 1:
        raise EdgeqError("EQ0206", "the tensor states its data twice", where=where, got=" and ".join(fields))
    if tensor.HasField("raw_data"):
        want, have, unit = _raw_bytes(tensor, elements, where), len(tensor.raw_data), "bytes"
    else:
        field, want = _typed_items(tensor, elements, where)
        if fields and fields[0] != field:
            raise EdgeqError(
                "EQ0206", "the tensor's data is in the wrong field", where=where, got=fields[0], allowed=field
            )
        have, unit = len(getattr(tensor, field)), "values"
    if want != have:
        raise EdgeqError(
            "EQ0210",
            "the tensor does not hold what its shape says",
            where=where,
            got=f"{have} {unit}",
            allowed=f"{want} {unit} for shape {list(tensor.dims)}",
            hint="the file is damaged or cut off: export it again",
        )


def _type_name(tensor: TensorProto, where: str) -> str:
    from onnx import TensorProto

    if tensor.data_type not in TensorProto.DataType.values() or tensor.data_type == TensorProto.UNDEFINED:
        raise EdgeqError("EQ0206", "the tensor has an unknown data type", where=where, got=tensor.data_type)
    return str(TensorProto.DataType.Name(tensor.data_type))


_BITS: Final = {
    "FLOAT": 32, "UINT8": 8, "INT8": 8, "UINT16": 16, "INT16": 16, "INT32": 32, "INT64": 64, "BOOL": 8,
    "FLOAT16": 16, "DOUBLE": 64, "UINT32": 32, "UINT64": 64, "COMPLEX64": 64, "COMPLEX128": 128, "BFLOAT16": 16,
    "FLOAT8E4M3FN": 8, "FLOAT8E4M3FNUZ": 8, "FLOAT8E5M2": 8, "FLOAT8E5M2FNUZ": 8, "FLOAT8E8M0": 8,
    "UINT4": 4, "INT4": 4, "FLOAT4E2M1": 4, "UINT2": 2, "INT2": 2,
}  # fmt: skip


def _raw_bytes(tensor: TensorProto, elements: int, where: str) -> int:
    name = _type_name(tensor, where)
    bits = _BITS.get(name)
    if bits is None:
        raise EdgeqError("EQ0206", "a tensor of this type cannot be raw bytes", where=where, got=name)
    return (elements * bits + 7) // 8


def _typed_items(tensor: TensorProto, elements: int, where: str) -> tuple[str, int]:
    """Which repeated field holds the data of the tensor's type, and how many items it needs."""
    name = _type_name(tensor, where)
    if name in ("FLOAT", "COMPLEX64"):
        return "float_data", elements * (2 if name == "COMPLEX64" else 1)
    if name in ("DOUBLE", "COMPLEX128"):
        return "double_data", elements * (2 if name == "COMPLEX128" else 1)
    if name == "INT64":
        return "int64_data", elements
    if name in ("UINT32", "UINT64"):
        return "uint64_data", elements
    if name == "STRING":
        return "string_data", elements
    bits = _BITS.get(name)
    if bits is None:
        raise EdgeqError("EQ0206", "the tensor has an unknown data type", where=where, got=name)
    return "int32_data", (elements * bits + 7) // 8 if bits < 8 else elements


def _check_functions(model: ModelProto) -> None:
    """Local functions form no cycle, and calling them out in full stays within the cap on nodes."""
    table = {(f.domain, f.name, f.overload): f for f in model.functions}
    if len(table) != len(model.functions):
        raise EdgeqError("EQ0211", "two local functions have the same name")
    sizes: dict[tuple[str, str, str], int] = {}
    for key in table:
        _size_of(key, table, sizes)
    total = _expanded(model.graph.node, table, sizes, 0)
    if table and total > MAX_EXPANDED_NODES:
        raise EdgeqError(
            "EQ0208",
            "the model's local functions expand to too many nodes",
            got=total if total <= MAX_DIM else f"more than {MAX_DIM}",
            allowed=MAX_EXPANDED_NODES,
            hint="export it without local functions",
        )


_Key = tuple[str, str, str]


def _size_of(key: _Key, table: dict[_Key, FunctionProto], sizes: dict[_Key, int]) -> int:
    """Nodes of one function with all calls expanded, by an explicit stack: the depth of calls is the file's choice."""
    stack: list[tuple[_Key, bool]] = [(key, False)]
    open_keys: set[_Key] = set()
    while stack:
        current, leaving = stack.pop()
        if leaving:
            open_keys.discard(current)
            sizes[current] = _expanded(table[current].node, table, sizes, 0)
            continue
        if current in sizes:
            continue
        if current in open_keys:
            raise EdgeqError("EQ0211", "a local function calls itself", where=f"function {shown(current[1])}")
        open_keys.add(current)
        stack.append((current, True))
        called = sorted({k for k in _calls(table[current].node, 0) if k in table})
        for callee in called:
            if callee in open_keys:
                raise EdgeqError("EQ0211", "a local function calls itself", where=f"function {shown(callee[1])}")
            stack.append((callee, False))
    return sizes[key]


def _calls(nodes: Sequence[NodeProto], depth: int) -> Iterator[_Key]:
    if depth > MAX_NESTING:
        raise EdgeqError("EQ0209", "subgraphs are nested too deep", got=depth, allowed=MAX_NESTING)
    for node in nodes:
        yield (node.domain, node.op_type, node.overload)
        for attribute in node.attribute:
            for graph in _graphs_of(attribute):
                yield from _calls(graph.node, depth + 1)


def _expanded(nodes: Sequence[NodeProto], table: dict[_Key, FunctionProto], sizes: dict[_Key, int], depth: int) -> int:
    return sum(sizes[key] if key in table else 1 for key in _calls(nodes, depth))
