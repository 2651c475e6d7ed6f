"""``graph.json`` and ``graph.npz``: the integer graph at rest.

JSON holds structure and integers, the npz the constants under their tensor names (never pickled). Both are written
byte for byte the same for the same graph: sorted keys, fixed zip dates, no compression level that a library may change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any, Final

from edgeq.archive import Archive, npz_bytes
from edgeq.errors import EdgeqError
from edgeq.files import DAMAGE, read_json, reason_of
from edgeq.ir.dtype import DType
from edgeq.ir.graph import Graph, Node, State
from edgeq.ir.quantization import Quantization
from edgeq.ir.tensor import Source, Tensor
from edgeq.json_shape import check_shape, mapping_of, natural, positive
from edgeq.numerics.array import Array

SCHEMA = 1
_BROKEN: Final[tuple[type[Exception], ...]] = (*DAMAGE, EdgeqError)


def save_graph(graph: Graph, json_path: Path, npz_path: Path) -> None:
    """Write a graph as ``graph.json`` (structure) and ``graph.npz`` (constants)."""
    json_path.write_text(json.dumps(graph_to_json(graph), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    npz_path.write_bytes(constants_to_npz(graph))


def load_graph(json_path: Path, npz_path: Path) -> Graph:
    """Read a graph back.

    Raises:
        EdgeqError: EQ0240 where a file is missing, damaged or of another schema.
    """
    try:
        document = read_json(json_path)
        schema = document["schema"]
        if schema == SCHEMA:
            _check_document(document)
            return _graph_from_json(document, _read_constants(document, npz_path))
    except _BROKEN as error:
        raise EdgeqError(
            "EQ0240",
            "the integer graph of this folder cannot be read",
            where=f"{json_path.name}, {npz_path.name}",
            got=_reason(error),
            hint="compile the model again",
        ) from error
    raise EdgeqError(
        "EQ0240",
        "the integer graph was written by another version of edgeq",
        where=json_path.name,
        got=f"schema {schema}",
        allowed=f"schema {SCHEMA}",
        hint="compile the model again",
    )


def _reason(error: BaseException) -> str:
    return error.problems[0].got or error.problems[0].what if isinstance(error, EdgeqError) else reason_of(error)


def _read_constants(document: Mapping[str, Any], path: Path) -> dict[str, Array]:
    """The constants that the document names; an array is read only where its header says what the document says."""
    archive = Archive(path)
    arrays: dict[str, Array] = {}
    for record in document["tensors"]:
        if not record.get("constant"):
            continue
        name = record["name"]
        header = archive.headers[name]
        if list(header.shape) != record["shape"] or header.dtype != DType(record["dtype"]).numpy:
            raise ValueError(f"constant {name} is {header.dtype}{list(header.shape)} in {path.name}")
        arrays[name] = archive.whole(name)
    return arrays


def graph_to_json(graph: Graph) -> dict[str, Any]:
    """The structure of a graph as JSON values; constants appear by type and shape only."""
    return {
        "schema": SCHEMA,
        "name": graph.name,
        "inputs": list(graph.inputs),
        "outputs": list(graph.outputs),
        "states": [[state.input, state.output, *(state.slab or ())] for state in graph.states],
        "tensors": [_tensor_to_json(tensor) for tensor in graph.tensors.values()],
        "nodes": [
            {
                "op": node.op,
                "name": node.name,
                "inputs": list(node.inputs),
                "outputs": list(node.outputs),
                "attrs": {key: list(value) if isinstance(value, tuple) else value for key, value in node.attrs.items()},
                "source": list(node.source),
            }
            for node in graph.nodes
        ],
    }


def constants_to_npz(graph: Graph) -> bytes:
    """The constants of a graph as the bytes of an npz archive."""
    return npz_bytes({tensor.name: tensor.value() for tensor in graph.constants()})


def _tensor_to_json(tensor: Tensor) -> dict[str, Any]:
    record: dict[str, Any] = {"name": tensor.name, "shape": list(tensor.shape), "dtype": tensor.dtype.value}
    if tensor.is_constant:
        record["constant"] = True
    if tensor.quant is not None:
        record["quant"] = {key: value for key, value in tensor.quant.to_json().items() if key != "dtype"}
    if tensor.source is not None:
        record["source"] = {
            "name": tensor.source.name,
            "permutation": list(tensor.source.permutation),
            "shape": list(tensor.source.shape),
        }
        if tensor.source.kept is not None:
            record["source"]["kept"] = list(tensor.source.kept)
    return record


def _is_state(value: object) -> bool:
    """Names of its input and output; perhaps first row and end of its slab."""
    kinds = (str, str, int, int)
    return isinstance(value, list) and len(value) in {2, 4} and all(map(isinstance, value, kinds))


_DOCUMENT: Final = {
    "name": str,
    "inputs": [str],
    "outputs": [str],
    "states": [_is_state],
    "tensors": [{"name": str, "shape": [natural], "dtype": str}],
    "nodes": [
        {
            "op": str,
            "name": str,
            "inputs": [str],
            "outputs": [str],
            "attrs": mapping_of((int, str, [int])),
            "source": [str],
        }
    ],
}
_OPTIONAL: Final = {
    "constant": bool,
    "quant": ({"scale": [positive], "zero_point": [int], "axis": (natural, None)}, None),
    "source": ({"name": str, "permutation": [natural], "shape": [natural]}, None),
}
_OPTIONAL_OF_SOURCE: Final = {"kept": [natural]}
_OPTIONAL_OF_QUANT: Final = {"bits": natural, "block": natural, "codebook": [int]}


def _check_document(document: Mapping[str, Any]) -> None:
    """Compare a document with the shape that :func:`graph_to_json` gives it.

    Raises:
        TypeError: it has another one.
        ValueError: a tensor's ONNX layout is not one of its own.
    """
    check_shape(document, _DOCUMENT)
    for record in document["tensors"]:
        check_shape(record, {key: shape for key, shape in _OPTIONAL.items() if key in record})
        quant = record.get("quant") or {}
        check_shape(quant, {key: shape for key, shape in _OPTIONAL_OF_QUANT.items() if key in quant})
        source = record.get("source")
        if source:
            check_shape(source, {key: shape for key, shape in _OPTIONAL_OF_SOURCE.items() if key in source})
            if not _fits_source(record["shape"], _source_from_json(source)):
                raise ValueError(f"tensor {record['name']} does not fit its ONNX value")


def _fits_source(shape: list[int], source: Source) -> bool:
    """Whether a tensor of this shape can hold an ONNX value, or the channels of it that are kept."""
    if sorted(source.permutation) != list(range(len(shape))):
        return False
    kept = source.kept
    if kept is not None:
        if not shape or len(source.shape) != len(shape):
            return False
        if list(kept) != sorted(set(kept)) or max(kept, default=0) >= source.shape[source.channel_axis]:
            return False
    return prod(source.taken(source.shape)) == prod(shape)


def _tensor_from_json(record: Mapping[str, Any], arrays: Mapping[str, Array]) -> Tensor:
    quant, source = record.get("quant"), record.get("source")
    return Tensor(
        name=record["name"],
        shape=tuple(record["shape"]),
        dtype=DType(record["dtype"]),
        data=arrays[record["name"]] if record.get("constant") else None,
        quant=Quantization.from_json({"dtype": record["dtype"], **quant}) if quant else None,
        source=_source_from_json(source) if source else None,
    )


def _source_from_json(fields: Mapping[str, Any]) -> Source:
    kept = fields.get("kept")
    return Source(
        fields["name"],
        tuple(fields["permutation"]),
        tuple(fields["shape"]),
        None if kept is None else tuple(kept),
    )


def _state_from_json(read: str, written: str, *slab: int) -> State:
    return State(read, written, (slab[0], slab[1]) if slab else None)


def _graph_from_json(document: Mapping[str, Any], arrays: Mapping[str, Array]) -> Graph:
    return Graph(
        name=document["name"],
        tensors={record["name"]: _tensor_from_json(record, arrays) for record in document["tensors"]},
        nodes=[
            Node(
                record["op"],
                record["name"],
                tuple(record["inputs"]),
                tuple(record["outputs"]),
                {key: tuple(value) if isinstance(value, list) else value for key, value in record["attrs"].items()},
                tuple(record["source"]),
            )
            for record in document["nodes"]
        ],
        inputs=tuple(document["inputs"]),
        outputs=tuple(document["outputs"]),
        states=tuple(_state_from_json(*record) for record in document["states"]),
    )
