"""Every model in quantized/ is refused with the message beside it: one for each code of the import and of lowering.

The first kind goes the whole way of a user's model. The second is given to lowering as it is, without the import that
would refuse it before, so that lowering's own checks are tried. To add one: write its builder, run this file as a
program, which writes the ``.onnx`` files, and write down in ``NAME.txt`` the message that the model must give.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, helper, numpy_helper

from edgeq.errors import EdgeqError
from edgeq.frontend import normalize_qdq, normalize_structure
from edgeq.lowering import lower
from edgeq.onnxio import read_model

FOLDER = Path(__file__).resolve().parent / "quantized"
HEADER = '<ir_version: 10, opset_import: ["" : 21]>\n'
IN = "xq = QuantizeLinear(x, s, z)\n xd = DequantizeLinear(xq, s, z)\n "
OUT = "\n yq = QuantizeLinear(r, s, z)\n y = DequantizeLinear(yq, s, z)"
GEMM = "r = Gemm <transB = 1> (xd, wd, bd)"
LINE = "(float[1,4] x) => (float[1,4] y)"
IMAGE = "(float[1,3,4,4] x) => (float[1,3,4,4] y)"
CONSTANTS: dict[str, Any] = {
    "s": np.float32(0.05),
    "z": np.int8(-3),
    "t": np.float32(0.11),
    "w": np.arange(-8, 8, dtype=np.int8).reshape(4, 4),
    "k": np.arange(-5, 4, dtype=np.int8).reshape(3, 3, 1, 1),
    "f": np.linspace(-1, 1, 16, dtype=np.float32).reshape(4, 4),
}


def build(body: str, signature: str = LINE, **more: Any) -> ModelProto:
    """A model from a graph in text form; the constants that it names become initializers."""
    model = onnx.parser.parse_model(f"{HEADER}g {signature} {{ {body} }}")
    known = CONSTANTS | more
    for name in sorted({name for node in model.graph.node for name in node.input} & set(known)):
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(known[name]), name))
    for number, node in enumerate(model.graph.node):
        node.name = f"n{number}_{node.op_type}"
    return onnx.shape_inference.infer_shapes(model)


# --- refused by the import ---------------------------------------------------------------------------------------


def eq0250_operator_without_quantization() -> ModelProto:
    return build(IN + "a = Abs(xd)\n r = Sigmoid(a)" + OUT)


def eq0251_input_without_quantization() -> ModelProto:
    return build("r = Abs(x)" + OUT)


def eq0252_operator_on_integers() -> ModelProto:
    body = "xq = QuantizeLinear(x, s, z)\n q = MatMulInteger(xq, w, z, o)\n c = Cast<to=1>(q)\n r = Relu(c)"
    return build(body + OUT, o=np.int8(0))


def eq0253_scale_of_zero() -> ModelProto:
    return build(IN + "r = Abs(xd)\n yq = QuantizeLinear(r, t, z)\n y = DequantizeLinear(yq, t, z)", t=np.float32(0))


def eq0253_scale_computed() -> ModelProto:
    return build("a = Abs(t)\n xq = QuantizeLinear(x, a, z)\n y = DequantizeLinear(xq, a, z)")


def eq0254_activation_per_channel() -> ModelProto:
    per_channel: dict[str, Any] = {"s": np.full(4, 0.05, np.float32), "z": np.zeros(4, np.int8)}
    return build(IN.replace("xd", "y").rstrip(), **per_channel)


def eq0255_uint16() -> ModelProto:
    return build(IN.replace("xd", "y").rstrip(), z=np.uint16(32768))


def eq0256_scale_of_q_and_dq_differ() -> ModelProto:
    return build("xq = QuantizeLinear(x, s, z)\n y = DequantizeLinear(xq, t, z)")


def eq0257_arithmetic_on_integers() -> ModelProto:
    return build("xq = QuantizeLinear(x, s, z)\n a = Abs(xq)\n y = DequantizeLinear(a, s, z)")


def eq0257_integers_from_nowhere() -> ModelProto:
    body = "i = Cast <to = 3> (x)\n d = DequantizeLinear(i, s, z)\n r = Abs(d)" + OUT
    return build(body)


def eq0259_weights_in_blocks() -> ModelProto:
    body = IN + "wd = DequantizeLinear <axis = 1, block_size = 2> (w, b)\n r = MatMul(xd, wd)" + OUT
    return build(body, b=np.full((4, 2), 0.01, np.float32))


def eq0261_scales_of_another_length() -> ModelProto:
    body = IN + "wd = DequantizeLinear <axis = 1> (w, b)\n r = MatMul(xd, wd)" + OUT
    return build(body, b=np.full(3, 0.01, np.float32))


def eq0261_zero_points_of_another_length() -> ModelProto:
    body = IN + "wd = DequantizeLinear <axis = 1> (w, b, o)\n r = MatMul(xd, wd)" + OUT
    return build(body, b=np.full(4, 0.01, np.float32), o=np.zeros(3, np.int8))


def eq0262_scale_too_large() -> ModelProto:
    return build(IN + "r = Abs(xd)\n yq = QuantizeLinear(r, t, z)\n y = DequantizeLinear(yq, t, z)", t=np.float32(3e38))


def eq0263_variance_negative() -> ModelProto:
    ones = np.ones(3, np.float32)
    return build(IN + "r = BatchNormalization(xd, g, b, m, v)" + OUT, IMAGE, g=ones, b=ones, m=ones, v=-ones)


def eq0312_batch_of_two() -> ModelProto:
    body = IN + "r = MaxPool <kernel_shape = [1,1]> (xd)" + OUT
    return build(body, IMAGE.replace("[1", "[2"))


def eq0313_resize_cubic() -> ModelProto:
    body = IN + 'r = Resize <mode = "cubic"> (xd, , f)' + OUT
    return build(body, "(float[1,3,40,40] x) => (float[1,3,80,80] y)", f=np.array([1, 1, 2, 2], np.float32))


def eq0313_scales_that_give_no_whole_sizes() -> ModelProto:
    body = IN + 'r = Resize <coordinate_transformation_mode = "align_corners"> (xd, , f)' + OUT
    return build(body, "(float[1,3,4,4] x) => (float[1,3,8,8] y)", f=np.array([1, 1, 2.2, 2.2], np.float32))


# --- refused by lowering -----------------------------------------------------------------------------------------


def eq0350_operand_not_quantized() -> ModelProto:
    return build(IN + "r = Add(xd, x)" + OUT)


def eq0350_output_not_quantized() -> ModelProto:
    return build(IN + "y = Abs(xd)")


def eq0350_constant_quantized_at_run_time() -> ModelProto:
    return build(
        IN + "c = QuantizeLinear(f, s, z)\n d = DequantizeLinear(c, s, z)\n r = Add(xd, d)" + OUT,
        "(float[4,4] x) => (float[4,4] y)",
    )


def eq0351_weight_in_float() -> ModelProto:
    body = IN + "bd = DequantizeLinear(b, t)\n r = Gemm <transB = 1> (xd, f, bd)" + OUT
    return build(body, b=np.zeros(4, np.int32))


def eq0352_bounds_computed() -> ModelProto:
    body = IN + "a = Abs(i)\n r = Slice(xd, a, e)" + OUT
    made = build(body, "(float[1,4] x, int64[1] i) => (float[1,4] y)", e=np.array([1]))
    made.graph.value_info.append(helper.make_tensor_value_info("r", onnx.TensorProto.FLOAT, [1, 4]))
    return made


def eq0353_accumulator_leaves_int32() -> ModelProto:
    body = (
        IN + "wd = DequantizeLinear(w, t, o)\n bd = DequantizeLinear(b, t)\n r = Gemm <transB = 1> (xd, wd, bd)" + OUT
    )
    return build(body, b=np.full(4, 2**31 - 1, np.int32), o=np.int8(0))


def eq0353_shifted_accumulator_leaves_int32() -> ModelProto:
    """The bias fits, but not shifted left for the largest factor."""
    body = (
        IN + "wd = DequantizeLinear(w, t, o)\n bd = DequantizeLinear(b, t)\n r = Gemm <transB = 1> (xd, wd, bd)" + OUT
    )
    return build(body, b=np.full(4, 2**28, np.int32), o=np.int8(0), t=np.float32(10))


def eq0354_slice_backwards() -> ModelProto:
    one: dict[str, Any] = {"a": np.array([3]), "b": np.array([-9]), "c": np.array([1]), "d": np.array([-1])}
    return build(IN + "r = Slice(xd, a, b, c, d)" + OUT, **one)


def eq0355_no_integer_form() -> ModelProto:
    return build(IN + "r = Bernoulli(xd)" + OUT)


def eq0356_activation_per_channel() -> ModelProto:
    return eq0254_activation_per_channel()


def eq0356_scale_computed() -> ModelProto:
    return eq0253_scale_computed()


def eq0357_shape_not_known() -> ModelProto:
    return build(IN + "r = Abs(xd)" + OUT, "(float[1,N] x) => (float[1,N] y)")


def eq0358_scales_too_far_apart() -> ModelProto:
    body = IN + "a = Add(xd, xd)\n q = QuantizeLinear(a, t, z)\n y = DequantizeLinear(q, t, z)"
    return build(body, t=np.float32(1e-12))


def eq0359_softmax_row_too_long() -> ModelProto:
    body = IN + "r = Softmax(xd)\n q = QuantizeLinear(r, t, o)\n y = DequantizeLinear(q, t, o)"
    return build(body, "(float[1,600] x) => (float[1,600] y)", t=np.float32(1 / 256), o=np.int8(-128))


def eq0360_pad_reflect() -> ModelProto:
    body = IN + 'r = Pad <mode = "reflect"> (xd, p)' + OUT
    return build(body, "(float[1,3,4,4] x) => (float[1,3,6,6] y)", p=np.array([0, 0, 1, 1, 0, 0, 1, 1]))


def eq0361_pool_over_three_dimensions() -> ModelProto:
    return build(IN + "r = GlobalMaxPool(xd)" + OUT, "(float[1,3,4,4,4] x) => (float[1,3,1,1,1] y)")


def eq0363_uint16() -> ModelProto:
    return eq0255_uint16()


IMPORTED: tuple[Callable[[], ModelProto], ...] = (
    eq0250_operator_without_quantization, eq0251_input_without_quantization, eq0252_operator_on_integers,
    eq0253_scale_computed, eq0253_scale_of_zero, eq0254_activation_per_channel, eq0255_uint16,
    eq0256_scale_of_q_and_dq_differ, eq0257_arithmetic_on_integers, eq0257_integers_from_nowhere,
    eq0259_weights_in_blocks, eq0261_scales_of_another_length, eq0261_zero_points_of_another_length,
    eq0262_scale_too_large, eq0263_variance_negative, eq0312_batch_of_two, eq0313_resize_cubic,
    eq0313_scales_that_give_no_whole_sizes,
)  # fmt: skip
LOWERED: tuple[Callable[[], ModelProto], ...] = (
    eq0350_constant_quantized_at_run_time, eq0350_operand_not_quantized, eq0350_output_not_quantized,
    eq0351_weight_in_float, eq0352_bounds_computed, eq0353_accumulator_leaves_int32,
    eq0353_shifted_accumulator_leaves_int32, eq0354_slice_backwards,
    eq0355_no_integer_form, eq0356_activation_per_channel, eq0356_scale_computed, eq0357_shape_not_known,
    eq0358_scales_too_far_apart, eq0359_softmax_row_too_long, eq0360_pad_reflect, eq0361_pool_over_three_dimensions,
    eq0363_uint16,
)  # fmt: skip
BUILDERS = {builder.__name__: builder for builder in (*IMPORTED, *LOWERED)}


def content(builder: Callable[[], ModelProto]) -> bytes:
    """The bytes of one file."""
    return bytes(builder().SerializeToString(deterministic=True))


def compile_model(name: str) -> None:
    """The way of a user's model, or lowering alone."""
    read = read_model(FOLDER / f"{name}.onnx")
    if BUILDERS[name] in IMPORTED:
        normalize_qdq(normalize_structure(read))
    else:
        lower(read, mode="tflite" if name.startswith("eq0359") else "highmul", name="net")


def message(name: str) -> str:
    """What the model is refused with."""
    with pytest.raises(EdgeqError) as caught:
        compile_model(name)
    return "\n".join(str(problem) for problem in caught.value.problems) + "\n"


@pytest.mark.parametrize("name", BUILDERS)
def test_invalid_quantized_model_gives_its_message(name: str) -> None:
    expected = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    assert message(name) == expected
    assert name[:6].upper() in expected


def test_folder_holds_what_the_builders_make() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.onnx")) == sorted(BUILDERS)
    for name, builder in BUILDERS.items():
        assert (FOLDER / f"{name}.onnx").read_bytes() == content(builder), name


def names_of(builders: Sequence[Callable[[], ModelProto]]) -> list[str]:
    return [builder.__name__ for builder in builders]


def test_builders_are_sorted() -> None:
    for builders in (IMPORTED, LOWERED):
        assert names_of(builders) == sorted(names_of(builders))


def main() -> None:
    """Write all files."""
    for name, builder in BUILDERS.items():
        (FOLDER / f"{name}.onnx").write_bytes(content(builder))


if __name__ == "__main__":
    main()
