"""Writes models: the same model gives the same bytes, and a file is there whole or not at all."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgeq.errors import EdgeqError
from edgeq.files import open_regular
from edgeq.writing import disk_problem, write_whole

if TYPE_CHECKING:
    import onnx_ir as ir
    from onnx import ModelProto

IR_VERSION: Final = 10
OPSET: Final = 21
NEWER: Final = {"RMSNormalization": 23}
"""Operators that a normalized model may have beyond :data:`OPSET`, and the opset that has them."""
DIGEST_KEY: Final = "edgeq_sha256"
"""The last entry of a written model's ``metadata_props``: the SHA-256 of all bytes before it."""


def model_bytes(model: ir.Model) -> bytes:
    """Serialize a model deterministically, IR version 10, opset 21, or the one that its operators need.

    Raises:
        ValueError: the model is of another opset, which is a mistake of the caller.
    """
    return bytes(model_proto(model).SerializeToString(deterministic=True))


def model_proto(model: ir.Model) -> ModelProto:
    """A model as ONNX's own Python package has it, as :func:`model_bytes` serializes it.

    Raises:
        ValueError: as :func:`model_bytes`.
    """
    import onnx_ir as ir

    opset, needed = model.graph.opset_imports.get(""), needed_opset(model.graph)
    if opset != needed:
        raise ValueError(f"only opset {needed} is written, not {opset}")
    proto = ir.to_proto(model)
    proto.ir_version = IR_VERSION
    proto.producer_name = "edgeq"
    proto.producer_version = ""
    properties = sorted((item.key, item.value) for item in proto.metadata_props if item.key != DIGEST_KEY)
    del proto.metadata_props[:]
    for key, value in properties:
        proto.metadata_props.add(key=key, value=value)
    imports = sorted((item.domain, item.version) for item in proto.opset_import)
    del proto.opset_import[:]
    for domain, version in imports:
        proto.opset_import.add(domain=domain, version=version)
    for function in proto.functions:
        for item in function.opset_import:
            item.version = item.version if item.domain else needed
    return proto


def needed_opset(graph: ir.Graph) -> int:
    """The opset of a normalized model: 21, or a newer one that has its operators."""
    return max(OPSET, *(NEWER.get(node.op_type, 0) for node in graph if not node.domain), 0)


def write_model(model: ir.Model, path: str | Path) -> None:
    """Write a model to a file, replacing an old one in one step. Its end tells :func:`wrote` that edgeq wrote it.

    Raises:
        EdgeqError: EQ0215 the file cannot be written, EQ0120 the disk is full.
    """
    place = Path(path)
    data = model_bytes(model)
    try:
        write_whole(place, data + _seal(data))
    except OSError as error:
        problem = disk_problem(error)
        raise problem or EdgeqError(
            "EQ0215", "the model cannot be written", where=str(place), got=error.strerror
        ) from error


def wrote(path: Path) -> bool:
    """Whether :func:`write_model` wrote the file, and nobody has changed it since."""
    length = len(_seal(b""))
    try:
        with open_regular(path) as file:
            left = os.fstat(file.fileno()).st_size - length
            total = hashlib.sha256()
            while left > 0 and (chunk := file.read(min(left, 1 << 20))):
                total.update(chunk)
                left -= len(chunk)
            return left == 0 and file.read() == _entry(total.hexdigest())
    except OSError:
        return False


def _seal(data: bytes) -> bytes:
    return _entry(hashlib.sha256(data).hexdigest())


def _entry(digest: str) -> bytes:
    """One entry of ``metadata_props`` as it stands in the file: protobuf joins fields wherever they are.

    Written by hand because it must be last, where protobuf's own order puts other fields.
    """
    key, value = DIGEST_KEY.encode(), digest.encode()
    entry = b"\x0a" + bytes([len(key)]) + key + b"\x12" + bytes([len(value)]) + value
    return b"\x72" + bytes([len(entry)]) + entry
