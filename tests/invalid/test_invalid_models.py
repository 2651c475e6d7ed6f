"""Every model in models/ is refused with the message that stands beside it, never with a traceback.

Each has one fault and a few hundred bytes, made by a builder below. To add one: write its builder, run this file as a
program, which writes the ``.onnx`` files, and write down in ``NAME.txt`` the message that the model must give.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from onnx import (
    FunctionProto,
    GraphProto,
    ModelProto,
    NodeProto,
    SparseTensorProto,
    StringStringEntryProto,
    TensorProto,
    TrainingInfoProto,
    helper,
    numpy_helper,
)

from edgeq.errors import EXIT_MODEL, EdgeqError, exit_code_of
from edgeq.frontend import check_support, normalize
from edgeq.onnxio import read_model

FOLDER = Path(__file__).resolve().parent / "models"
node = helper.make_node


def model(
    nodes: Sequence[NodeProto],
    tensors: Sequence[TensorProto] = (),
    *,
    shape: Sequence[int | str | None] | None = (1, 4),
    out: Sequence[int | str | None] = (1, 4),
    opset: int = 17,
    kind: int = TensorProto.FLOAT,
    extra_opsets: Sequence[str] = (),
) -> ModelProto:
    """A model with input x and output y."""
    graph = helper.make_graph(
        list(nodes),
        "invalid",
        [helper.make_tensor_value_info("x", kind, None if shape is None else list(shape))],
        [helper.make_tensor_value_info("y", kind, list(out))],
        list(tensors),
    )
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in extra_opsets)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def const(name: str, *shape: int, value: float = 0.5) -> TensorProto:
    """A float32 initializer of one value."""
    return numpy_helper.from_array(np.full(shape, value, dtype=np.float32), name)


def ints(name: str, *items: int) -> TensorProto:
    """An int64 vector."""
    return numpy_helper.from_array(np.array(items, dtype=np.int64), name)


def shell(name: str, dims: Sequence[int], raw: bytes = b"") -> TensorProto:
    """A float32 tensor with a shape of any kind and data that need not fit."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, raw_data=raw)
    tensor.dims.extend(dims)
    return tensor


def with_weight(tensor: TensorProto) -> ModelProto:
    """x + w."""
    return model([node("Add", ["x", "w"], ["y"], name="plus")], [tensor])


def elsewhere(name: str) -> TensorProto:
    """A tensor whose data is in another file."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    tensor.dims.extend([1, 4])
    tensor.external_data.append(StringStringEntryProto(key="location", value="../../../etc/passwd"))
    return tensor


def external_data() -> ModelProto:
    return with_weight(elsewhere("w"))


def external_data_in_attribute() -> ModelProto:
    constant = NodeProto(op_type="Constant", name="hidden", output=["w"])
    constant.attribute.add(name="value", type=4).t.CopyFrom(elsewhere(""))
    return model([constant, node("Add", ["x", "w"], ["y"])])


def sparse_weight() -> ModelProto:
    made = model([node("Add", ["x", "w"], ["y"])])
    sparse = SparseTensorProto(values=const("w", 1), indices=ints("", 2), dims=[4])
    made.graph.sparse_initializer.append(sparse)
    return made


def rank_9() -> ModelProto:
    return with_weight(shell("w", [1] * 9, bytes(4)))


def dimension_2_to_40() -> ModelProto:
    return with_weight(shell("w", [1 << 40]))


def dimension_negative() -> ModelProto:
    return with_weight(shell("w", [-4], bytes(16)))


def elements_2_to_40() -> ModelProto:
    return with_weight(shell("w", [1 << 20, 1 << 20]))


def input_elements_2_to_40() -> ModelProto:
    return model([node("Relu", ["x"], ["y"])], shape=[1 << 20, 1 << 20], out=[1 << 20, 1 << 20])


def weight_cut_off() -> ModelProto:
    return with_weight(shell("w", [1, 4], bytes(12)))


def weight_stated_twice() -> ModelProto:
    tensor = shell("w", [1, 4], bytes(16))
    tensor.float_data.extend([1.0, 2.0, 3.0, 4.0])
    return with_weight(tensor)


def weight_in_wrong_field() -> ModelProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT)
    tensor.dims.extend([1, 4])
    tensor.int64_data.extend([1, 2, 3, 4])
    return with_weight(tensor)


def nested_10_deep() -> ModelProto:
    inner = helper.make_graph(
        [node("Relu", ["x"], ["leaf"])], "leaf", [], [helper.make_tensor_value_info("leaf", 1, [1, 4])]
    )
    for level in range(10):
        name = f"level{level}"
        branch = node("If", ["flag"], [name], then_branch=inner, else_branch=inner)
        inner = helper.make_graph([branch], name, [], [helper.make_tensor_value_info(name, 1, [1, 4])])
        inner.node[0].attribute[1].g.ClearField("node")
    made = model([node("If", ["flag"], ["y"], then_branch=inner, else_branch=inner)])
    made.graph.initializer.append(numpy_helper.from_array(np.array(True), "flag"))
    return made


def _function(name: str, callee: str, calls: int) -> FunctionProto:
    body = [node(callee, ["a" if i == 0 else f"t{i - 1}"], [f"t{i}"], domain="local") for i in range(calls)]
    body.append(node("Relu", [f"t{calls - 1}"], ["b"]))
    return helper.make_function(
        "local", name, ["a"], ["b"], body, [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    )


def function_recursive() -> ModelProto:
    made = model([node("F", ["x"], ["y"], domain="local")], extra_opsets=["local"])
    made.functions.extend([_function("F", "G", 1), _function("G", "F", 1)])
    return made


def function_explosion() -> ModelProto:
    made = model([node("F0", ["x"], ["y"], domain="local")], extra_opsets=["local"])
    made.functions.extend(_function(f"F{i}", f"F{i + 1}", 10) for i in range(20))
    made.functions.append(
        helper.make_function("local", "F20", ["a"], ["b"], [node("Relu", ["a"], ["b"])], [helper.make_opsetid("", 17)])
    )
    return made


def training_graph() -> ModelProto:
    made = model([node("Relu", ["x"], ["y"])])
    made.training_info.append(TrainingInfoProto())
    return made


def truncated() -> bytes:
    return bytes(with_weight(const("w", 1, 4)).SerializeToString()[:-25])


def empty() -> bytes:
    return b""


def tflite() -> bytes:
    return b"\x1c\x00\x00\x00TFL3" + bytes(24)


def torch_zip() -> bytes:
    return b"PK\x03\x04" + bytes(26)


def text_file() -> bytes:
    return b"this is not a network\n"


def no_graph() -> ModelProto:
    return ModelProto(ir_version=8)


def no_output() -> ModelProto:
    made = model([node("Relu", ["x"], ["y"])])
    made.graph.ClearField("output")
    return made


def operator_misspelled() -> ModelProto:
    return model([node("Sigmoyd", ["x"], ["y"], name="act")])


def operator_foreign() -> ModelProto:
    nodes = [
        node("FusedConv", ["x"], ["a"], name="stem", domain="com.microsoft"),
        node("Relu", ["a"], ["b"]),
        node("QLinearAdd", ["b"], ["y"], domain="com.microsoft"),
    ]
    return model(nodes, extra_opsets=["com.microsoft"])


def opset_6() -> ModelProto:
    return model([node("Relu", ["x"], ["y"])], opset=6)


def opset_25_new_attribute() -> ModelProto:
    return model([node("Cast", ["x"], ["y"], to=TensorProto.FLOAT, round_mode="down", name="cast")], opset=25)


def opset_999() -> ModelProto:
    return model([node("Relu", ["x"], ["y"])], opset=999)


def opset_26_new_operator() -> ModelProto:
    bits = node("BitCast", ["x"], ["bits"], name="bits", to=TensorProto.INT32)
    real = node("Cast", ["bits"], ["y"], name="real", to=TensorProto.FLOAT)
    return model([bits, real], shape=[1, 2, 4, 4], out=[1, 2, 4, 4], opset=26)


def graph_cycle() -> ModelProto:
    return model([node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]), node("Relu", ["b"], ["y"])])


def value_made_twice() -> ModelProto:
    return model([node("Relu", ["x"], ["a"]), node("Tanh", ["x"], ["a"]), node("Relu", ["a"], ["y"])])


def dimension_open() -> ModelProto:
    return model([node("Relu", ["x"], ["y"])], shape=["N", "time", None], out=["N", "time", None])


def rank_open() -> ModelProto:
    return model([node("Relu", ["x"], ["y"])], shape=None)


def batch_8() -> ModelProto:
    return model(
        [node("Conv", ["x", "w"], ["y"], name="stem")], [const("w", 2, 3, 1, 1)], shape=[8, 3, 4, 4], out=[8, 2, 4, 4]
    )


def channels_differ() -> ModelProto:
    return model(
        [node("Conv", ["x", "w"], ["y"], name="stem")], [const("w", 2, 5, 3, 3)], shape=[1, 3, 8, 8], out=[1, 2, 6, 6]
    )


def batchnorm_of_other_size() -> ModelProto:
    bn = node("BatchNormalization", ["x", "p", "p", "p", "q"], ["y"], name="bn")
    return model([bn], [const("p", 3), const("q", 5)], shape=[1, 4, 2, 2], out=[1, 4, 2, 2])


def input_sequence() -> ModelProto:
    made = model([node("SequenceLength", ["x"], ["n"]), node("Cast", ["n"], ["y"], to=TensorProto.FLOAT)], out=[])
    inner = helper.make_tensor_type_proto(TensorProto.FLOAT, [1, 4])
    made.graph.input[0].type.CopyFrom(helper.make_sequence_type_proto(inner))
    return made


def shape_from_data() -> ModelProto:
    nodes = [node("NonZero", ["x"], ["i"], name="where"), node("Cast", ["i"], ["y"], to=TensorProto.FLOAT)]
    return model(nodes, out=[2, "found"])


def constant_bomb() -> ModelProto:
    nodes = [node("ConstantOfShape", ["s"], ["c"], name="bomb"), node("Add", ["x", "c"], ["y"])]
    return model(nodes, [ints("s", 1 << 19, 1 << 19, 4)], out=["a", "b", 4])


def range_bomb() -> ModelProto:
    nodes = [node("Range", ["a", "b", "c"], ["r"], name="bomb"), node("Add", ["x", "r"], ["y"])]
    tensors = [numpy_helper.from_array(np.array(v, dtype=np.float32), n) for n, v in (("a", 0), ("b", 1e12), ("c", 1))]
    return model(nodes, tensors, shape=[1, 1], out=[1, "many"])


def doubling_bomb() -> ModelProto:
    nodes = [node("Shape", ["x"], ["s0"])]
    nodes += [node("Concat", [f"s{i}", f"s{i}"], [f"s{i + 1}"], axis=0, name=f"double{i}") for i in range(60)]
    nodes += [node("Cast", ["s60"], ["y"], to=TensorProto.FLOAT)]
    return model(nodes, out=["many"])


def unsupported_operators() -> ModelProto:
    nodes = [
        node("Bernoulli", ["x"], ["a"], name="winner"),
        node("Pad", ["a", "pads"], ["b"], mode="reflect", name="mirror"),
        node("RandomNormalLike", ["b"], ["c"], name="noise"),
        node("MaxPool", ["c"], ["d"], kernel_shape=[2, 2], dilations=[2, 2], name="pool"),
        node("PRelu", ["d", "slopes"], ["y"], name="act"),
    ]
    slopes = numpy_helper.from_array(np.array([0.1, 0.2], dtype=np.float32).reshape(2, 1, 1), "slopes")
    tensors = [ints("pads", 0, 0, 1, 1, 0, 0, 1, 1), slopes]
    return model(nodes, tensors, shape=[1, 2, 4, 4], out=[1, 2, "h", "w"])


def weight_computed() -> ModelProto:
    nodes = [node("Relu", ["x"], ["w"]), node("Conv", ["x", "w"], ["y"], name="dynamic")]
    return model(nodes, shape=[1, 3, 2, 2], out=[1, 1, 1, 1])


def weight_not_a_number() -> ModelProto:
    return with_weight(const("w", 1, 4, value=float("nan")))


def text_input() -> ModelProto:
    return model([node("Identity", ["x"], ["y"])], kind=TensorProto.STRING)


def output_constant() -> ModelProto:
    constant = helper.make_tensor("w", TensorProto.INT4, [2], [1, 4])
    return model([node("Identity", ["w"], ["y"])], [constant], kind=TensorProto.INT4, out=(2,), opset=21)


def branch_on_data() -> ModelProto:
    def branch(op: str, size: int) -> GraphProto:
        return helper.make_graph([node(op, ["x"], [op])], op, [], [helper.make_tensor_value_info(op, 1, [1, size])])

    nodes = [
        node("ReduceMax", ["x"], ["m"], keepdims=0),
        node("Cast", ["m"], ["flag"], to=TensorProto.BOOL),
        node("If", ["flag"], ["y"], then_branch=branch("Relu", 4), else_branch=branch("ReduceMax", 1), name="choose"),
    ]
    return model(nodes)


def name_hostile() -> ModelProto:
    return model(
        [node("Det", ["x"], ["y"], name='*/ } system("rm");\n\u202e\x1b[31m' + "a" * 300)], shape=[4, 4], out=[]
    )


BUILDERS: tuple[Callable[[], ModelProto | bytes], ...] = (
    batch_8, batchnorm_of_other_size, branch_on_data, channels_differ, constant_bomb, dimension_2_to_40,
    dimension_negative, dimension_open, doubling_bomb, elements_2_to_40, empty, external_data,
    external_data_in_attribute, function_explosion, function_recursive, graph_cycle,
    input_elements_2_to_40, input_sequence, name_hostile, nested_10_deep, no_graph, no_output, operator_foreign,
    operator_misspelled, opset_25_new_attribute, opset_26_new_operator, opset_6, opset_999, output_constant,
    range_bomb, rank_9,
    rank_open, shape_from_data, sparse_weight, text_file, text_input, tflite, torch_zip, training_graph, truncated,
    unsupported_operators, value_made_twice, weight_computed, weight_cut_off, weight_in_wrong_field,
    weight_not_a_number, weight_stated_twice,
)  # fmt: skip
"""Every invalid model of the folder, sorted by name."""


def content(builder: Callable[[], ModelProto | bytes]) -> bytes:
    """The bytes of one file."""
    made = builder()
    return made if isinstance(made, bytes) else bytes(made.SerializeToString(deterministic=True))


NAMES = [builder.__name__ for builder in BUILDERS]


def message(path: Path) -> str:
    """What reading, normalizing and checking a model reports, with the folder left out."""
    try:
        problems = tuple(check_support(normalize(read_model(path))))
    except EdgeqError as error:
        problems = error.problems
    assert {exit_code_of(problem.code) for problem in problems} == {EXIT_MODEL}
    return "\n".join(str(problem) for problem in problems).replace(f"{path.parent}/", "") + "\n"


@pytest.mark.parametrize("name", NAMES)
def test_invalid_model_gives_its_message(name: str) -> None:
    assert message(FOLDER / f"{name}.onnx") == (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


def test_folder_holds_what_the_builders_make() -> None:
    assert sorted(NAMES) == NAMES
    assert sorted(path.stem for path in FOLDER.glob("*.onnx")) == NAMES
    for builder in BUILDERS:
        path = FOLDER / f"{builder.__name__}.onnx"
        assert path.read_bytes() == content(builder), path.name


def main() -> None:
    """Write all files."""
    for builder in BUILDERS:
        (FOLDER / f"{builder.__name__}.onnx").write_bytes(content(builder))


if __name__ == "__main__":
    main()
