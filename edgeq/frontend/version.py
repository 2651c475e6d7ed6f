"""Brings a model of opset 7 to 28 to opset 21, the one that the rest of edgeq reads.

Upwards by ONNX's version converter. Downwards there is no converter for most operators; but between 21 and 28 the
operators that edgeq supports gained element types only, so a model is accepted as it is when each node is legal in
opset 21, and refused with the list of nodes otherwise. Swish, which came with 24, is written out; other newer operators
are left to the rules (:data:`WRITTEN_OUT`) or stay, and their model keeps its opset until then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import onnx
import onnx_ir as ir
from onnx import version_converter

from edgeq.errors import EdgeqError, Problem
from edgeq.frontend.classical import is_written_out
from edgeq.frontend.edit import fresh
from edgeq.onnxio.limits import shown
from edgeq.onnxio.operators import UNSUPPORTED, hint_for
from edgeq.onnxio.reader import one_line
from edgeq.onnxio.writer import NEWER, OPSET
from edgeq.ops.base import ML_DOMAIN

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

MIN_OPSET: Final = 7
MAX_OPSET: Final = 28
WRITTEN_OUT: Final = frozenset({"Attention", "CumProd", "RotaryEmbedding", "SwiGLU", "TensorScatter"})
"""Operators newer than opset 21 that rules write with older ones."""
_NEWER_TYPES: Final = ("FLOAT4E2M1", "FLOAT8E8M0", "INT2", "UINT2")
_TYPE_ATTRIBUTES: Final = ("dtype", "output_dtype", "to")

_NEUTRAL: Final = {
    ("DequantizeLinear", "output_dtype"): (0, onnx.TensorProto.FLOAT),
    ("QuantizeLinear", "precision"): (0, onnx.TensorProto.FLOAT),
}
"""Attributes newer than opset 21, and their values that say what opset 21 does anyway."""


_SAME_ELSEWHERE: Final = {("com.microsoft", "DequantizeLinear"), ("com.microsoft", "QuantizeLinear")}
"""Operators that onnxruntime's quantizer writes in its own domain on demand; they mean what ONNX's mean since 13."""
_AXIS_OPSET: Final = 13
_RESIZE_OPSET: Final = 10


def convert_to_working_opset(model: ir.Model) -> ir.Model:
    """The model in opset 21, or in its own where it has newer operators; the one given is not changed.

    Raises:
        EdgeqError: EQ0216 the opset is out of range, EQ0217 a node has no form in opset 21, EQ0218 the converter fails.
    """
    found = model.graph.opset_imports.get("", model.graph.opset_imports.get("ai.onnx"))
    bare = found is None and ML_DOMAIN in model.graph.opset_imports
    found = OPSET if bare else found
    if found is None:
        raise EdgeqError(
            "EQ0216", "the model does not use ONNX's operators", allowed=f"opset {MIN_OPSET} to {MAX_OPSET}"
        )
    if not MIN_OPSET <= found <= MAX_OPSET:
        raise EdgeqError(
            "EQ0216",
            "the model's opset is not supported",
            got=found,
            allowed=f"{MIN_OPSET} to {MAX_OPSET}",
            hint=f"export it again with opset_version={OPSET}",
        )
    try:
        proto = ir.to_proto(model)
    except (ValueError, TypeError, RuntimeError, AttributeError) as error:
        raise EdgeqError("EQ0218", "the model cannot be written out for conversion", got=one_line(error)) from error
    if bare:
        proto.opset_import.add(domain="", version=OPSET)
    _use_short_domain(proto, found)
    _state_defaults(proto)
    _refuse_foreign(proto)
    if found < _AXIS_OPSET:
        _flatten_hardmax(proto.graph)
    if found < _SCAN_OPSET:
        _refuse_old_scans(proto, found)
    if found < OPSET:
        proto = _upgrade(proto, found)
    elif found > OPSET:
        _downgrade(proto, found)
    try:
        return ir.from_proto(proto)
    except (ValueError, TypeError, KeyError, RuntimeError) as error:
        raise EdgeqError("EQ0218", "the converted model is not valid ONNX", got=one_line(error)) from error


def _use_short_domain(proto: ModelProto, found: int) -> None:
    for node in _all_nodes(proto.graph):
        same = found >= _AXIS_OPSET and (node.domain, node.op_type) in _SAME_ELSEWHERE
        if node.domain == "ai.onnx" or same:
            node.domain = ""
    kept = {("" if item.domain == "ai.onnx" else item.domain): item.version for item in proto.opset_import}
    del proto.opset_import[:]
    for domain in sorted(kept):
        proto.opset_import.add(domain=domain, version=kept[domain])


_SCAN_OPSET: Final = 9
_DEFAULTS: Final = {"MeanVarianceNormalization": ("axes", [0, 2, 3]), "STFT": ("onesided", 1)}
"""Attributes without which ONNX's shape inference fails, or goes by another default than the operator has."""


def _state_defaults(proto: ModelProto) -> None:
    """State the attributes of :data:`_DEFAULTS`."""
    for node in _all_nodes(proto.graph):
        name, value = _DEFAULTS.get(node.op_type, ("", None))
        if name and not any(item.name == name for item in node.attribute):
            node.attribute.append(onnx.helper.make_attribute(name, value))


def _all_nodes(graph: GraphProto) -> Iterator[NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs):
                yield from _all_nodes(inner)


def _refuse_foreign(proto: ModelProto) -> None:
    """Neither the converter nor shape inference knows operators of most other domains; name them all instead.

    Functions that the model still has are those that keep nodes in software float: the reader expands all others.
    """
    kept = {(function.domain, function.name) for function in proto.functions}
    problems = [
        Problem(
            "EQ0301",
            "this operator is not of standard ONNX",
            where=f"node {shown(node.name or (node.output[0] if node.output else '?'))}",
            got=f"{shown(node.domain)}.{shown(node.op_type)}",
            hint=hint_for(node.domain, node.op_type),
        )
        for node in _all_nodes(proto.graph)
        if node.domain and (node.domain, node.op_type) not in kept and not is_written_out(node.domain, node.op_type)
    ]
    if problems:
        raise EdgeqError.of(problems)


def _flatten_hardmax(graph: GraphProto) -> None:
    """Hardmax of opset 12 and below takes all axes from its own on as one row; the converter forgets that."""
    taken = {name for node in _all_nodes(graph) for name in (*node.input, *node.output)}
    for node in list(graph.node):
        if node.op_type != "Hardmax" or node.domain:
            continue
        axis = next((item.i for item in node.attribute if item.name == "axis"), 1)
        x, y = node.input[0], node.output[0]
        flat, marks, shape = (fresh(f"{y}_{label}", taken) for label in ("flat", "marks", "shape"))
        made = [
            onnx.helper.make_node("Flatten", [x], [flat], name=f"{node.name or y}_flatten", axis=axis),
            onnx.helper.make_node("Hardmax", [flat], [marks], name=node.name, axis=1),
            onnx.helper.make_node("Shape", [x], [shape], name=f"{node.name or y}_shape"),
            onnx.helper.make_node("Reshape", [marks, shape], [y], name=f"{node.name or y}_reshape"),
        ]
        _exchange(graph, node, made)


def _exchange(graph: GraphProto, node: NodeProto, made: Sequence[NodeProto]) -> None:
    """Put nodes in the place of one."""
    at = list(graph.node).index(node)
    del graph.node[at]
    for offset, item in enumerate(made):
        graph.node.insert(at + offset, item)


def _refuse_old_scans(proto: ModelProto, found: int) -> None:
    """Scan had an axis for the batch before opset 9, which the converter leaves where it was."""
    problems = [
        Problem(
            "EQ0217",
            f"a node has no form in opset {OPSET}",
            where=f"node {shown(node.name or (node.output[0] if node.output else '?'))}",
            got=f"Scan of opset {found}",
            hint=f"export it again with opset_version={OPSET}",
        )
        for node in _all_nodes(proto.graph)
        if node.op_type == "Scan"
    ]
    if problems:
        raise EdgeqError.of(problems)


def _upgrade(proto: ModelProto, found: int) -> ModelProto:
    before = {name for node in _all_nodes(proto.graph) for name in node.output}
    before |= {tensor.name for tensor in proto.graph.initializer} | {value.name for value in proto.graph.input}
    try:
        converted = version_converter.convert_version(proto, OPSET)
    except Exception as error:  # the converter raises RuntimeError, ConvertError and C++ assertions alike
        raise EdgeqError(
            "EQ0218",
            f"the model cannot be converted from opset {found} to {OPSET}",
            got=one_line(error),
            hint=f"export it again with opset_version={OPSET}",
        ) from error
    _name_after_users(converted.graph, before)
    if found <= _RESIZE_OPSET:
        _state_coordinates(converted.graph)
    return converted


def _state_coordinates(graph: GraphProto) -> None:
    """Resize of opset 10 and Upsample count from corners, and the nearest pixel is below, or above where they shrink.

    The converter leaves the modes to the defaults of later opsets.

    Raises:
        EdgeqError: EQ0217 one that shrinks an axis and stretches another, for which later opsets have no mode.
    """
    arrays = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in _all_nodes(graph):
        if node.op_type != "Resize" or any(item.name == "coordinate_transformation_mode" for item in node.attribute):
            continue
        scales = arrays.get(node.input[2]) if len(node.input) > 2 else None
        shrinks = scales is not None and bool((scales < 1).any())
        if shrinks and scales is not None and (scales > 1).any() and _is_nearest(node):
            raise EdgeqError(
                "EQ0217",
                f"a node has no form in opset {OPSET}",
                where=f"node {shown(node.name or node.output[0])}",
                got=f"Resize of opset {_RESIZE_OPSET} by {scales.tolist()}, to the nearest pixel",
                hint="resize one axis after the other",
            )
        node.attribute.append(onnx.helper.make_attribute("coordinate_transformation_mode", "asymmetric"))
        node.attribute.append(onnx.helper.make_attribute("nearest_mode", "ceil" if shrinks else "floor"))


def _is_nearest(node: NodeProto) -> bool:
    mode = next((item.s for item in node.attribute if item.name == "mode"), b"nearest")
    return mode == b"nearest"


def _name_after_users(graph: GraphProto, before: set[str]) -> None:
    """The converter numbers its new values; name them after the node that reads them instead."""
    taken = set(before) | {name for node in graph.node for name in node.output} | {t.name for t in graph.initializer}
    new_names: dict[str, str] = {}
    for node in graph.node:
        base = node.output[0] if node.output else node.name
        for index, name in enumerate(node.input):
            if name and name not in before and name not in new_names:
                wanted = f"{base}_{node.op_type.lower()}_{index}"
                while wanted in taken:
                    wanted += "_"
                taken.add(wanted)
                new_names[name] = wanted
    for node in graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name in new_names:
                    names[index] = new_names[name]
    for tensor in graph.initializer:
        tensor.name = new_names.get(tensor.name, tensor.name)
    for value in graph.value_info:
        value.name = new_names.get(value.name, value.name)


def _downgrade(proto: ModelProto, found: int) -> None:
    _check_types(proto)
    _write_out_swish(proto.graph)
    problems = list(_newer_types(proto)) or [
        problem for node in _all_nodes(proto.graph) if (problem := _illegal(node, found)) is not None
    ]
    if problems:
        raise EdgeqError.of(problems)
    if any(_stays(node) for node in _all_nodes(proto.graph)):
        return
    for item in proto.opset_import:
        if item.domain == "":
            item.version = OPSET


def _stays(node: NodeProto) -> bool:
    """Whether a node of a newer opset is left to the rules."""
    return not node.domain and (node.op_type in WRITTEN_OUT or node.op_type in NEWER)


def _newer_types(proto: ModelProto) -> Iterator[Problem]:
    """Values of element types that came behind opset 21."""
    named = {int(getattr(onnx.TensorProto, name)): name for name in _NEWER_TYPES}
    graph = proto.graph
    kinds = [(value.name, value.type.tensor_type.elem_type) for value in (*graph.input, *graph.output)]
    kinds += [(tensor.name, tensor.data_type) for tensor in graph.initializer]
    for node in _all_nodes(graph):
        where = node.output[0] if node.output else node.name
        kinds += [(where, item.i) for item in node.attribute if item.name in _TYPE_ATTRIBUTES]
        kinds += [(where, item.t.data_type) for item in node.attribute if item.HasField("t")]
    for name, kind in dict.fromkeys(kinds):
        if kind in named:
            yield Problem(
                "EQ0303",
                "a value has an element type that is not read",
                where=f"value {shown(name)}",
                got=named[kind],
                allowed="float32, float16, bfloat16 and float64, and integers of 4 bits or more",
                hint="export the model in float32",
            )


def _check_types(proto: ModelProto) -> None:
    """Types and attributes of a model in its own opset: some element types are not legal in opset 21.

    Raises:
        EdgeqError: EQ0225 operands do not fit together.
    """
    try:
        onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=False, data_prop=False)
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError, TypeError) as error:
        raise EdgeqError("EQ0225", "the types of the model do not fit together", got=one_line(error)) from error


def _write_out_swish(graph: GraphProto) -> None:
    """Swish(x) becomes x · Sigmoid(alpha · x)."""
    taken = {name for node in _all_nodes(graph) for name in (*node.input, *node.output)}
    taken |= {tensor.name for tensor in graph.initializer}
    for node in list(graph.node):
        if node.op_type != "Swish" or node.domain:
            continue
        x, y = node.input[0], node.output[0]
        alpha = next((item.f for item in node.attribute if item.name == "alpha"), 1.0)
        gate, scaled, made = fresh(f"{y}_gate", taken), x, []
        if alpha != 1.0:
            factor, scaled = fresh(f"{y}_alpha", taken), fresh(f"{y}_scaled", taken)
            graph.initializer.append(onnx.helper.make_tensor(factor, onnx.TensorProto.FLOAT, [], [alpha]))
            made.append(onnx.helper.make_node("Mul", [x, factor], [scaled], name=f"{node.name or y}_scaled"))
        made += [
            onnx.helper.make_node("Sigmoid", [scaled], [gate], name=f"{node.name or y}_gate"),
            onnx.helper.make_node("Mul", [x, gate], [y], name=node.name),
        ]
        _exchange(graph, node, made)


def _illegal(node: NodeProto, found: int) -> Problem | None:
    """Why a node of a newer opset has no form in opset 21; drops attributes that say nothing new."""
    if node.domain or _stays(node):
        return None
    where = f"node {shown(node.name or (node.output[0] if node.output else '?'))}"
    try:
        schema = onnx.defs.get_schema(node.op_type, OPSET, "")
    except onnx.defs.SchemaError:
        return Problem("EQ0302", UNSUPPORTED, where=where, got=node.op_type, hint=hint_for("", node.op_type))
    for attribute in list(node.attribute):
        if attribute.name in schema.attributes:
            continue
        if attribute.i in _NEUTRAL.get((node.op_type, attribute.name), ()):
            node.attribute.remove(attribute)
            continue
        return Problem(
            "EQ0217",
            f"this attribute of opset {found} has no meaning in opset {OPSET}",
            where=where,
            got=f"{node.op_type}.{shown(attribute.name)}",
            hint=f"export the model with opset_version={OPSET}",
        )
    return None
