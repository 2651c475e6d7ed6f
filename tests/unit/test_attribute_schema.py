"""The schemas of attributes: complete, and enforced in the support check, in lowering and by the graph's verifier."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from quant_models import normal, parse

from edgeq.backends.c import emit_c
from edgeq.backends.program import batch_problems
from edgeq.errors import EdgeqError
from edgeq.frontend import check_support, normalize_qdq, normalize_structure
from edgeq.ir import Attr, DType, Graph, Node, Quantization, Source, Tensor
from edgeq.ir.verify import verify_graph
from edgeq.lowering import lower
from edgeq.ops import BY_NAME, OnnxAttribute, infer, onnx_forms
from edgeq.target import load_target

OPSET = 21
# Values that no schema takes for an attribute that is restricted to some.
BAD: dict[str, Any] = {
    "str": ir.AttrString("?", "sideways"),
    "int": ir.AttrInt64("?", 77),
    "float": ir.AttrFloat32("?", 0.375),
}
SQUARE = "(float[1,4,6,6] x) => (float[1,4,{0},{0}] y)"
MODELS = {
    "AveragePool": ("AveragePool <kernel_shape = [2,2], strides = [2,2]> (xd)", SQUARE.format(3)),
    "Conv": ("Conv <group = 4> (xd, w)", SQUARE.format(4)),
    "GlobalAveragePool": ("GlobalAveragePool(xd)", SQUARE.format(1)),
    "MaxPool": ("MaxPool <kernel_shape = [2,2], strides = [2,2]> (xd)", SQUARE.format(3)),
    "Pad": ("Pad(xd, pads)", SQUARE.format(8)),
    "Resize": (
        'Resize <coordinate_transformation_mode = "asymmetric", nearest_mode = "floor"> (xd, , , sizes)',
        SQUARE.format(12),
    ),
    "Gemm": ("Gemm <transB = 1> (xd, m)", "(float[1,6] x) => (float[1,5] y)"),
    "Gelu": ("Gelu(xd)", "(float[1,6] x) => (float[1,6] y)"),
    "Relu": ("Relu(xd)", "(float[1,6] x) => (float[1,6] y)"),
}
CONSTANTS = {
    "s": np.float32(0.05),
    "z": np.int8(-3),
    "w": normal(4, 1, 3, 3),
    "m": normal(5, 6),
    "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
    "sizes": np.array([1, 4, 12, 12]),
}


def canonical(kind: str) -> ir.Model:
    """A small model around one operator, in canonical QDQ form."""
    body, signature = MODELS[kind]
    words = set(body.replace("(", " ").replace(")", " ").replace(",", " ").split())
    known = {name: array for name, array in CONSTANTS.items() if name in {"s", "z"} | words}
    text = f"""g {signature} {{
        xq = QuantizeLinear(x, s, z)
        xd = DequantizeLinear(xq, s, z)
        r = {body}
        rq = QuantizeLinear(r, s, z)
        y = DequantizeLinear(rq, s, z)
    }}"""
    return normalize_qdq(normalize_structure(parse(text, known)))


def only(model: ir.Model, kind: str) -> ir.Node:
    (node,) = [node for node in model.graph if node.op_type == kind]
    return node


# Operators that the working opset does not have yet.
NEWER = {"RMSNormalization": 23, "Swish": 24}


@pytest.mark.parametrize("kind", sorted(name for name, (_, form) in onnx_forms().items() if form.domain != "edgeq"))
def test_schema_knows_every_attribute_that_onnx_has(kind: str) -> None:
    domain = onnx_forms()[kind][1].domain
    version = 3 if domain else NEWER.get(kind, OPSET)
    stated = onnx.defs.get_schema(kind, version, domain).attributes
    ours = {attribute.name: attribute for attribute in onnx_forms()[kind][1].attributes}
    assert set(ours) == set(stated)
    names = {"INT": "int", "INTS": "ints", "FLOAT": "float", "STRING": "str", "STRINGS": "strings", "FLOATS": "floats"}
    names["TENSOR"] = "tensor"
    for name, attribute in stated.items():
        assert ours[name].kind == names[str(attribute.type).rpartition(".")[2]]


def restricted() -> Iterator[tuple[str, OnnxAttribute]]:
    for kind in MODELS:
        for attribute in onnx_forms()[kind][1].attributes:
            if attribute.values is not None or attribute.count is not None:
                yield kind, attribute


@pytest.mark.parametrize(
    ("kind", "attribute"), [pytest.param(*item, id=f"{item[0]}-{item[1].name}") for item in restricted()]
)
def test_what_lowering_does_not_implement_is_refused_by_lowering_and_by_the_check(
    kind: str, attribute: OnnxAttribute
) -> None:
    model = canonical(kind)
    assert lower(model, mode="highmul", name="net").nodes
    value = ir.AttrInt64s(attribute.name, [1, 2, 3]) if attribute.kind == "ints" else BAD[attribute.kind]
    only(model, kind).attributes.add(ir.Attr(attribute.name, value.type, value.value))
    with pytest.raises(EdgeqError) as caught:
        lower(model, mode="highmul", name="net")
    assert {problem.code for problem in caught.value.problems} == {"EQ0360"}
    (problem,) = caught.value.problems
    assert attribute.name in problem.what
    assert problem.allowed == attribute.allowed()
    contradicts_weight = (kind, attribute.name) == ("Conv", "kernel_shape")
    assert {problem.code for problem in check_support(model)} == {"EQ0315" if contradicts_weight else "EQ0313"}


@pytest.mark.parametrize("kind", MODELS)
def test_unknown_attributes_are_refused(kind: str) -> None:
    model = canonical(kind)
    only(model, kind).attributes.add(ir.AttrInt64("surprise", 1))
    with pytest.raises(EdgeqError, match=r"EQ0360.*surprise"):
        lower(model, mode="highmul", name="net")
    assert [problem.code for problem in check_support(model)] == ["EQ0313"]


def test_a_fused_activation_is_checked_too() -> None:
    text = """g (float[1,6] x) => (float[1,6] y) {
        xq = QuantizeLinear(x, s, z)
        xd = DequantizeLinear(xq, s, z)
        a = Add(xd, xd)
        r = Relu(a)
        rq = QuantizeLinear(r, s, z)
        y = DequantizeLinear(rq, s, z)
    }"""
    model = parse(text, {"s": CONSTANTS["s"], "z": CONSTANTS["z"]})
    only(model, "Relu").attributes.add(ir.AttrFloat32("alpha", 0.5))
    with pytest.raises(EdgeqError, match=r"EQ0360.*alpha of a Relu"):
        lower(model, mode="highmul", name="net")


def test_another_rank_than_the_integer_form_has_is_refused() -> None:
    text = """g (float[1,4,5,5,5] x) => (float[1,4,4,4,4] y) {
        xq = QuantizeLinear(x, s, z)
        xd = DequantizeLinear(xq, s, z)
        a = MaxPool <kernel_shape = [2,2,2]> (xd)
        aq = QuantizeLinear(a, s, z)
        y = DequantizeLinear(aq, s, z)
    }"""
    with pytest.raises(EdgeqError) as caught:
        lower(parse(text, {"s": CONSTANTS["s"], "z": CONSTANTS["z"]}), mode="highmul", name="net")
    assert "EQ0361" in {problem.code for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("coordinates", "rounding", "op"),
    [
        ("asymmetric", "floor", "upsample"),
        ("half_pixel", "round_prefer_ceil", "upsample"),
        ("asymmetric", "round_prefer_floor", "resize_nearest"),
        ("half_pixel", "floor", "resize_nearest"),
    ],
)
def test_modes_of_resize_are_read_as_a_pair(coordinates: str, rounding: str, op: str) -> None:
    model = canonical("Resize")
    node = only(model, "Resize")
    node.attributes.add(ir.AttrString("coordinate_transformation_mode", coordinates))
    node.attributes.add(ir.AttrString("nearest_mode", rounding))
    assert op in {each.op for each in lower(model, mode="highmul", name="net").nodes}


# --- the integer graph -------------------------------------------------------------------------------------------


def test_what_is_allowed_is_said_in_words() -> None:
    assert OnnxAttribute("pads", "ints", low=0, count=4).allowed() == "4 whole numbers from 0 up"
    assert OnnxAttribute("axis", "int").allowed() == "a whole number"
    assert OnnxAttribute("mode", "str", ("linear", "nearest")).allowed() == "linear or nearest"
    assert OnnxAttribute("keys", "strings").allowed() == "the default, not stated"
    assert OnnxAttribute("keys", "strings", listed=True).allowed() == "a list of strings"


def test_a_shape_that_is_not_onnx_s_is_an_internal_error_that_names_the_node() -> None:
    quant = Quantization.per_tensor(DType.INT8, 0.5, 0)
    graph = Graph("net", inputs=("x",), outputs=("y",))
    graph.add_tensor(Tensor("x", (1, 3, 4, 5), DType.INT8, quant=quant))
    graph.add_tensor(
        Tensor("y", (1, 4, 5, 3), DType.INT8, quant=quant, source=Source("out", (0, 3, 1, 2), (1, 3, 4, 5)))
    )
    graph.nodes.append(Node("transpose", "turn", ("x",), ("y",), {"perm": (0, 2, 3, 1)}, ("onnx_node",)))
    verify_graph(graph, infer)
    for permutation, shape in (((0, 3, 1, 2), (1, 3, 5, 4)), ((0, 1, 2, 3), (1, 3, 4, 5)), ((0, 3, 1, 2), (61,))):
        graph.tensors["y"] = graph.tensors["y"].with_(source=Source("out", permutation, shape))
        with pytest.raises(EdgeqError, match=r"EQ0901(.|\n)*onnx_node(.|\n)*out"):
            verify_graph(graph, infer)


def test_two_nodes_of_one_name_are_an_internal_error() -> None:
    graph = batched()
    graph.add_tensor(graph.tensors["y"].with_(name="z"))
    graph.nodes.append(graph.nodes[0].with_(outputs=("z",)))
    with pytest.raises(EdgeqError, match=r"EQ0901(.|\n)*two nodes are called pool"):
        verify_graph(graph, infer)


# --- backends ----------------------------------------------------------------------------------------------------


def batched() -> Graph:
    graph = Graph("net", inputs=("x",), outputs=("y",))
    quant = Quantization.per_tensor(DType.INT8, 0.5, 0)
    graph.add_tensor(Tensor("x", (2, 4, 4, 3), DType.INT8, quant=quant))
    graph.add_tensor(Tensor("y", (2, 2, 2, 3), DType.INT8, quant=quant))
    attrs: dict[str, Attr] = {
        "kernel": (2, 2),
        "strides": (2, 2),
        "pads": (0,) * 4,
        "clamp_min": -128,
        "clamp_max": 127,
    }
    graph.nodes.append(Node("max_pool", "pool", ("x",), ("y",), attrs, ("onnx_pool",)))
    verify_graph(graph, infer)
    return graph


def test_the_c_backend_refuses_several_samples() -> None:
    with pytest.raises(EdgeqError, match=r"EQ0362(.|\n)*onnx_pool"):
        emit_c(batched(), "net", load_target("native"))


def test_the_tflite_backend_refuses_several_samples() -> None:
    pytest.importorskip("tflite")
    from edgeq.backends.tflite.emit import draft_of

    with pytest.raises(EdgeqError, match="EQ0362"):
        draft_of(batched())


def test_the_tvm_backend_refuses_several_samples() -> None:
    pytest.importorskip("tvm")
    from edgeq.backends.tvm.steps import lower_steps

    with pytest.raises(EdgeqError, match="EQ0362"):
        lower_steps(batched(), "net", "tensors")


def test_windows_images_signals_and_forests_are_run_one_by_one_and_the_rest_is_not() -> None:
    windows = {"average_pool", "conv2d", "max_pool"}
    images = {"resize_linear", "resize_nearest", "upsample"}
    assert {op.name for op in BY_NAME.values() if op.one_sample} == windows | images | {"log_mel", "trees"}
    graph = batched()
    graph.nodes = [Node("reshape", "flat", ("x",), ("y",), {"shape": (2, 48)})]
    assert not batch_problems(graph, "c")
