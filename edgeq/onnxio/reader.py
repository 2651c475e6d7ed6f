"""Reads an ONNX file that nobody vouches for.

The order is the guard: size of the file, what kind of file it is, parsing with the C++ based parser only, caps on
what the message states (:mod:`edgeq.onnxio.limits`), ONNX's own checker, and only then the object model. Every
failure is an :class:`EdgeqError`; models come out without local functions, which are expanded here.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgeq import budget
from edgeq.errors import EdgeqError, Problem, did_you_mean
from edgeq.files import FileTooLargeError, read_limited, reason_of
from edgeq.onnxio import limits
from edgeq.onnxio.external import ExternalData
from edgeq.onnxio.functions import DOMAIN, says_what_we_say
from edgeq.onnxio.maps import open_maps
from edgeq.onnxio.operators import HINTS, hint_for
from edgeq.sources import ModelSource, shown

if TYPE_CHECKING:
    import onnx_ir as ir
    from onnx import FunctionProto, ModelProto, TypeProto

# What onnx_ir has to say about a model is an error here; without a handler it would go to stderr as well.
logging.getLogger("onnx_ir").addHandler(logging.NullHandler())

MIN_IR_VERSION: Final = 3
DEFAULT_DOMAINS: Final = ("", "ai.onnx")

_MAGIC: Final = (
    (0, b"PK\x03\x04", "a zip archive (PyTorch .pt, Keras .keras or .npz)", "export the network to ONNX first"),
    (0, b"\x80\x02", "a Python pickle (PyTorch .pt or .pkl)", "export it with torch.onnx.export"),
    (0, b"\x80\x04", "a Python pickle", "export the network to ONNX first"),
    (0, b"\x89HDF", "an HDF5 file (Keras .h5)", "convert it with tf2onnx"),
    (4, b"TFL3", "a TFLite model", "convert it with tf2onnx --tflite"),
    (4, b"ORTM", "an ORT format model", "use the .onnx file that it was made from"),
    (0, b"\x1f\x8b", "a gzip file", "unpack it first"),
    (0, b"\x7fELF", "an ELF program", None),
    (0, b"\x93NUMPY", "a numpy array", None),
    (0, b"GGUF", "a GGUF model", None),
    (0, b"version https://git-lfs", "a Git LFS pointer", "fetch the real file with git lfs pull"),
)
_SNIFFED_BYTES: Final = 512

# What libraries written in C++ put into their messages: tags, status codes, places and signatures, and what they mean.
_CPP: Final = (
    (r"\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : ", ""),
    (r"\[(\w+Error|\w+)\]:? ", ""),
    (r"(Load model from \S+ failed:|Status Message:|Exception during \w+:)", ""),
    (r"\S*\.(cc|cpp|h|hpp|cu):\d+:?( [\w:~]+(<[^>]*>)?\([^)]*\)( const)?)?", ""),
    (r"\(::(\w+):\d+\)", r" of \1"),
    (r"==> Context:.*", ""),
    (r"\(op_type:", "("),
    (r"\b(std|onnx|onnxruntime)::[\w:]+(<[^>]*>)?(\([^)]*\))?", ""),
)


def read_model(source: str | ModelSource, *, keep_own: bool = False) -> ir.Model:
    """Read a model.

    Args:
        source: an ``.onnx`` file, with all weights inside or in files below its folder, or what such a file holds,
            with all weights inside.
        keep_own: calls of edgeq's own functions stay calls, as in the models that edgeq writes.

    Returns:
        The model, local functions expanded, otherwise as in the file.

    Raises:
        EdgeqError: EQ0201 not readable, EQ0202 too large, EQ0203 another format, EQ0204 not parseable,
            EQ0205 to EQ0213 content that is refused.
    """
    if isinstance(source, bytes):
        budget.take_model(len(source), shown(source))
        return read_model_bytes(source, where=shown(source), keep_own=keep_own)
    place = Path(source)
    try:
        data = read_limited(place, limits.MAX_FILE_BYTES)
    except FileTooLargeError as error:
        raise EdgeqError("EQ0202", "the model file is too large", where=str(place), got=reason_of(error)) from error
    except (OSError, ValueError) as error:
        raise EdgeqError("EQ0201", "the model file cannot be read", where=str(place), got=reason_of(error)) from error
    budget.take_model(len(data), str(place))
    return read_model_bytes(data, where=str(place), folder=place.parent, keep_own=keep_own)


def read_model_bytes(
    data: bytes, *, where: str = "model", folder: Path | None = None, keep_own: bool = False
) -> ir.Model:
    """Read a model from memory, with the files beside it where a folder is given; as :func:`read_model`."""
    if len(data) > limits.MAX_FILE_BYTES:
        raise EdgeqError("EQ0202", "the model is too large", where=where, allowed=f"{limits.MAX_FILE_BYTES} bytes")
    _sniff(data, where)
    try:
        proto = _parse(data, where)
        limits.check_model(proto, ExternalData(folder) if folder is not None else None)
        _check(proto, where)
        return _deserialize(proto, where, keep_own=keep_own)
    except EdgeqError as error:
        raise _placed(error, where) from error
    except (MemoryError, RecursionError) as error:
        raise EdgeqError("EQ0213", "the model needs more memory than it may", where=where) from error


def _placed(error: EdgeqError, where: str) -> EdgeqError:
    """The same error, with the file named in front of the tensor or node."""
    from dataclasses import replace

    placed = [
        replace(p, where=where if not p.where else p.where if p.where.startswith(where) else f"{where}: {p.where}")
        for p in error.problems
    ]
    return EdgeqError.of(placed)


def _sniff(data: bytes, where: str) -> None:
    """Name a file of another format, so that the message says more than that parsing failed."""
    if not data:
        raise EdgeqError("EQ0203", "the model file is empty", where=where)
    for offset, magic, kind, hint in _MAGIC:
        if data[offset : offset + len(magic)] == magic:
            raise EdgeqError("EQ0203", "this is not an ONNX model", where=where, got=kind, hint=hint)
    head = data[:_SNIFFED_BYTES]
    try:
        text = head.decode("utf-8", errors="ignore" if len(data) > len(head) else "strict")
    except UnicodeDecodeError:
        return
    if all(char.isprintable() or char in "\r\n\t" for char in text):
        kind = "JSON" if _is_json(head, data) else "text"
        raise EdgeqError("EQ0203", "this is not an ONNX model", where=where, got=kind, allowed="a binary .onnx file")


def _is_json(head: bytes, data: bytes) -> bool:
    if not head.lstrip().startswith((b"{", b"[")):
        return False
    if len(data) > len(head):
        return True
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


def _parse(data: bytes, where: str) -> ModelProto:
    import onnx
    from google.protobuf.internal import api_implementation
    from google.protobuf.message import DecodeError

    if api_implementation.Type() != "upb":
        # The pure-Python parser recurses as deep as the file says.
        raise EdgeqError(
            "EQ0213",
            "protobuf runs without its C parser",
            got=api_implementation.Type(),
            allowed="upb",
            hint="unset PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION, or reinstall protobuf",
        )
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(data)
    except (DecodeError, UnicodeDecodeError, ValueError) as error:
        raise EdgeqError(
            "EQ0204",
            "the file cannot be parsed as an ONNX model",
            where=where,
            hint="it is damaged, cut off, nested too deep, or another format",
        ) from error
    if not proto.HasField("graph") or not proto.opset_import or not proto.ir_version:
        raise EdgeqError(
            "EQ0204", "the file holds no ONNX graph", where=where, hint="it may be another protobuf format"
        )
    return proto


def _check(proto: ModelProto, where: str) -> None:
    """The structure of the model by ONNX's checker: names, types of attributes, order of nodes."""
    import onnx

    newest = onnx.defs.onnx_opset_version()
    for opset in proto.opset_import:
        if opset.domain in DEFAULT_DOMAINS and not 1 <= opset.version <= newest:
            raise EdgeqError("EQ0214", "the model's opset is unknown", got=opset.version, allowed=f"7 to {newest}")
    if not MIN_IR_VERSION <= proto.ir_version <= onnx.IR_VERSION:
        raise EdgeqError(
            "EQ0214",
            "the model's ONNX format version is unknown",
            got=proto.ir_version,
            allowed=f"{MIN_IR_VERSION} to {onnx.IR_VERSION}",
        )
    if not proto.graph.output:
        raise EdgeqError("EQ0204", "the model has no output")
    open_maps(proto)
    refused = [*_no_tensors(proto), *_unknown_operators(proto)]
    if refused:
        raise EdgeqError.of(refused)
    with _shapes_of_outputs(proto):
        try:
            onnx.checker.check_model(proto)
        except (onnx.checker.ValidationError, ValueError, RuntimeError, TypeError) as error:
            raise EdgeqError(
                "EQ0204", "the model is not valid ONNX", where=where, got=one_line(error), hint="export it again"
            ) from error


@contextmanager
def _shapes_of_outputs(proto: ModelProto) -> Iterator[None]:
    """Give outputs without a type or shape one of any kind for the checker, which asks for it, and take it away again.

    Inference finds the shapes; other runtimes read such models, too.
    """
    from onnx import TensorProto

    bare = [value for value in proto.graph.output if not value.type.WhichOneof("value")]
    for value in bare:
        value.type.tensor_type.elem_type = TensorProto.FLOAT
    open_ones = [
        value.type.tensor_type
        for value in proto.graph.output
        if value.type.HasField("tensor_type") and not value.type.tensor_type.HasField("shape")
    ]
    for tensor_type in open_ones:
        tensor_type.shape.SetInParent()
    try:
        yield
    finally:
        for tensor_type in open_ones:
            tensor_type.ClearField("shape")
        for value in bare:
            value.ClearField("type")


def _no_tensors(proto: ModelProto) -> Iterator[Problem]:
    """Inputs and outputs of the model that are sequences, maps or optional values."""
    makers = {name: node for node in proto.graph.node for name in node.output}
    for kind, values in (("input", proto.graph.input), ("output", proto.graph.output)):
        for value in values:
            if value.type.WhichOneof("value") in {None, "tensor_type"}:
                continue
            maker = makers.get(value.name)
            hint = hint_for(maker.domain, maker.op_type) if maker is not None else None
            yield Problem(
                "EQ0235",
                f"an {kind} of the model is no tensor",
                where=f"{kind} {limits.shown(value.name or '?')}",
                got=_type_text(value.type),
                allowed="a tensor",
                hint=hint or "export the model with tensors of fixed shape as inputs and outputs",
            )


def _type_text(kind: TypeProto, depth: int = 0) -> str:
    """A type as ONNX writes it: ``optional(sequence(tensor))``."""
    which = kind.WhichOneof("value") or "nothing"
    inner = getattr(kind, which, None) if depth < limits.MAX_NESTING else None
    name = which.removesuffix("_type")
    for key in ("elem_type", "value_type"):
        if name in {"sequence", "optional", "map"} and inner is not None and key in inner.DESCRIPTOR.fields_by_name:
            return f"{name}({_type_text(getattr(inner, key), depth + 1)})"
    return name


def _unknown_operators(proto: ModelProto) -> Iterator[Problem]:
    """Nodes of ONNX's own domain whose operator ONNX does not have, or not yet in the model's opset."""
    import onnx

    version = next((item.version for item in proto.opset_import if item.domain in DEFAULT_DOMAINS), None)
    if version is None:
        return
    schemas = [schema for schema in onnx.defs.get_all_schemas_with_history() if schema.domain == ""]
    known = {schema.name for schema in schemas}
    local = {function.name for function in proto.functions if function.domain in DEFAULT_DOMAINS}
    for node in limits.all_nodes(proto):
        if node.domain not in DEFAULT_DOMAINS or node.op_type in local:
            continue
        if onnx.defs.has(node.op_type, version, ""):
            continue
        if node.op_type in known:
            first = min(schema.since_version for schema in schemas if schema.name == node.op_type)
            came = f"export the model with opset_version={first}, with which it came"
            hint = came if version < first else HINTS.get(node.op_type, "export the model again, with its successor")
        else:
            hint = did_you_mean(node.op_type, sorted(known)) or "operators of other makers need their domain"
        yield Problem(
            "EQ0219",
            f"ONNX opset {version} has no operator of this name",
            where=f"node {limits.shown(node.name or (node.output[0] if node.output else '?'))}",
            got=limits.shown(node.op_type),
            hint=hint,
        )


def _deserialize(proto: ModelProto, where: str, *, keep_own: bool) -> ir.Model:
    import onnx_ir as ir
    from onnx_ir.passes.common import (
        InlinePass,
        RemoveUnusedFunctionsPass,
        RemoveUnusedOpsetsPass,
    )

    try:
        model = ir.from_proto(proto)
        if model.functions and not (keep_own and {function.domain for function in proto.functions} == {DOMAIN}):
            # Unused ones first: the inliner would expand them too, and limits counted only what is called.
            RemoveUnusedFunctionsPass()(model)  # type: ignore[no-untyped-call]
            _check_function_opsets(model)
            kept = _taken_out(model, [item for item in proto.functions if says_what_we_say(item)])
            InlinePass()(model)
            RemoveUnusedFunctionsPass()(model)  # type: ignore[no-untyped-call]
            if model.functions:
                raise EdgeqError("EQ0211", "a local function could not be expanded")
            model.functions.update(kept)
            RemoveUnusedFunctionsPass()(model)  # type: ignore[no-untyped-call]
            RemoveUnusedOpsetsPass()(model)
    except (ValueError, TypeError, KeyError, RuntimeError, AttributeError, NotImplementedError) as error:
        raise EdgeqError("EQ0204", "the model is not valid ONNX", where=where, got=one_line(error)) from error
    return model


def _taken_out(model: ir.Model, functions: Collection[FunctionProto]) -> dict[tuple[str, str, str], ir.Function]:
    """Take functions out of a model, so that calls of them stay calls; in place."""
    keys = {(item.domain, item.name, item.overload) for item in functions}
    kept = {key: function for key, function in model.functions.items() if key in keys}
    for key in kept:
        del model.functions[key]
    return kept


def _check_function_opsets(model: ir.Model) -> None:
    have = model.graph.opset_imports.get("")
    for function in model.functions.values():
        want = function.opset_imports.get("")
        if want is not None and have is not None and want != have:
            raise EdgeqError(
                "EQ0211",
                "a local function uses another opset than the model",
                where=f"function {limits.shown(function.name)}",
                got=want,
                allowed=have,
            )


def one_line(error: BaseException, limit: int = 200) -> str:
    """The first sentence of a library's message in plain words, for the ``got`` field of an error.

    Names of C++ sources and functions, tags in brackets and status codes are left out; what Python says of its own
    objects means that a part of the model is missing or of another kind than the reader expects.
    """
    if isinstance(error, (AttributeError, IndexError, KeyError, TypeError)):
        return "a part is missing, or has another type or shape than the operator wants"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = " ".join(lines[:2])
    for pattern, plain in _CPP:
        text = re.sub(pattern, plain, text)
    text = " ".join(text.split()) or "no reason was given"
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= limit else text[: limit - 1] + "…"
