"""What is said about operators that edgeq does not take: by meaning, for each one of ONNX's."""

from __future__ import annotations

import onnx
import pytest

from edgeq.frontend.rules import CANONICAL, FOLDING, NOT_QUANTIZED, QUANTIZED
from edgeq.frontend.version import MAX_OPSET
from edgeq.onnxio.operators import HINTS, NEVER, hint_for
from edgeq.onnxio.writer import OPSET
from edgeq.ops import OPS, onnx_forms

SCHEMAS = [schema for schema in onnx.defs.get_all_schemas_with_history() if schema.domain == ""]
# Operators newer than the working opset, and what changed in those that it has: element types, and attributes that are
# refused where they say something. A new ONNX package that adds to them has to be read before it is allowed.
NEWER = {
    "Attention", "BitCast", "CausalConvWithState", "CumProd", "LinearAttention", "RMSNormalization", "RotaryEmbedding",
    "SwiGLU", "Swish", "TensorScatter",
}  # fmt: skip
NEWER_ATTRIBUTES = {
    "Cast": {"round_mode"},
    "CastLike": {"round_mode"},
    "DequantizeLinear": {"output_dtype"},
    "QuantizeLinear": {"precision"},
    "Range": {"stash_type"},
    "SpaceToDepth": {"mode"},
}


def test_every_operator_of_onnx_is_supported_or_has_a_hint() -> None:
    known = {schema.name for schema in SCHEMAS} - {"DequantizeLinear", "QuantizeLinear"}
    # A float of an operator that is taken for integers alone may still need a hint.
    plain = {form.type for op in OPS for form in op.onnx if form.plain}
    assert known - set(onnx_forms()) - plain <= set(HINTS) <= known - set(onnx_forms())


def test_operators_that_are_rewritten_are_not_refused_for_good() -> None:
    roots = {root for rule in (*CANONICAL, *FOLDING) for root in rule.roots}
    assert not roots & NEVER


@pytest.mark.parametrize(
    ("domain", "name", "words"),
    [
        ("", "Einsum", "float32"),
        ("", "QLinearConv", "quant_format=QuantFormat.QDQ"),
        ("com.microsoft", "QLinearAdd", "quant_format=QuantFormat.QDQ"),
        ("com.microsoft", "FusedConv", "standard operators only"),
        ("ai.onnx.ml", "ZipMap", "zipmap"),
        ("ai.onnx.ml", "CategoryMapper", "in the application"),
    ],
)
def test_hint_says_what_to_do(domain: str, name: str, words: str) -> None:
    assert words in str(hint_for(domain, name))


def test_names_that_are_no_operator_have_no_meaning() -> None:
    assert hint_for("", "Rellu") is None


def test_newest_opset_changes_nothing_but_what_was_read() -> None:
    newest = onnx.defs.onnx_opset_version()
    assert newest <= MAX_OPSET, "read what the new opset changes, then raise MAX_OPSET"
    added, attributes = set(), {}
    for name in sorted({schema.name for schema in SCHEMAS}):
        if not onnx.defs.has(name, newest, ""):
            continue
        new = onnx.defs.get_schema(name, newest, "")
        if not onnx.defs.has(name, OPSET, ""):
            added.add(name)
            continue
        old = onnx.defs.get_schema(name, OPSET, "")
        assert [item.name for item in new.inputs] == [item.name for item in old.inputs], name
        assert set(old.attributes) <= set(new.attributes), name
        for key, item in old.attributes.items():
            assert str(new.attributes[key].default_value) == str(item.default_value), (name, key)
        more = set(new.attributes) - set(old.attributes)
        if more:
            attributes[name] = more
    assert added == NEWER
    assert attributes == NEWER_ATTRIBUTES


def test_quantized_models_take_every_rule_but_those_named() -> None:
    names = {rule.name for rule in FOLDING}
    assert names >= NOT_QUANTIZED
    assert {rule.name for _, rules in QUANTIZED for rule in rules} >= names - NOT_QUANTIZED
    assert NOT_QUANTIZED.isdisjoint(rule.name for _, rules in QUANTIZED for rule in rules)
