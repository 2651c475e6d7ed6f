"""One operator as a foreign quantizer writes it: Q and DQ around it, constants as integers behind DequantizeLinear.

The models are written with onnx alone, not with edgeq's own writer, and come in through the import of quantized models.
The truth is onnxruntime without optimizations on the very same model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import onnx
import onnx_ir as ir
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from edgeq.errors import EdgeqError
from edgeq.frontend import check_support, normalize, normalize_qdq, normalize_structure
from edgeq.integers import to_integer_graph
from edgeq.interp import run
from edgeq.ir import DType, Graph, Quantization
from edgeq.numerics.array import Array
from edgeq.numerics.scaling import Mode
from edgeq.onnxio import Session
from edgeq.onnxio.functions import with_functions
from edgeq.onnxio.qdq_parameters import activation_parameters, quantize_constant
from edgeq.onnxio.reader import read_model_bytes
from edgeq.ops import onnx_forms
from edgeq.ops.base import ML_DOMAIN
from edgeq.ops.float_types import BY_FUNCTION
from edgeq.ops.signature import Shape

OPSET: Final = 21
_PLAIN_MAX: Final = 100
CLIP: Final = (-0.4, 1.7)
_SHIFT: Final = {"int8": 0, "uint8": 128}
_TYPES: Final[dict[str, Any]] = {"int8": np.int8, "uint8": np.uint8}


@dataclass(frozen=True)
class Single:
    """One operator.

    Attributes:
        id: readable.
        type: ONNX operator type.
        inputs: shapes of the activations, by position where no constant stands.
        constants: position → values; float32 ones become integers behind DequantizeLinear, but for ``raw``.
        attributes: ONNX attributes.
        raw: positions of float constants that stay as they are (bounds, scales of Resize, a padding value).
        parameters: those of the inputs.
        output: parameters of the output; None: the input's for operators that keep their scale, the fixed ones, or
            what the results on random inputs ask for.
        outputs: number of results.
        kind: type of the activations' integers.
        opset: of the model.
        then: operators that follow, each reads the result before; Relu and Clip without a rounding between, but behind
            software float, which absorbs none.
        tolerance: allowed difference to onnxruntime, in steps of the output.
        full_range: weights reach -128.
        plain: of inputs that are no floats, the ONNX type and the least and largest value.
        result: the ONNX type of the results.
        which: the result that is looked at where there are several; None: all.
    """

    id: str
    type: str
    inputs: tuple[Shape, ...]
    constants: Mapping[int, Array] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    raw: tuple[int, ...] = ()
    parameters: tuple[Quantization, ...] = ()
    output: Quantization | None = None
    outputs: int = 1
    kind: str = "int8"
    opset: int = OPSET
    then: tuple[str, ...] = ()
    tolerance: float = 1.01
    full_range: bool = False
    plain: Mapping[int, tuple[str, int, int]] = field(default_factory=dict)
    result: str = "float"
    which: int | None = None


def domain_of(kind: str) -> str:
    """The domain of ONNX that has an operator."""
    found = onnx_forms().get(kind)
    return "" if found is None else found[1].domain


def float_model(case: Single) -> ModelProto:
    """The operator alone, in float32."""
    names, initializers = [], []
    number = 0
    for position in range(len(case.inputs) + len(case.constants) + 8):
        if position in case.constants:
            names.append(f"c{position}")
            initializers.append(numpy_helper.from_array(np.asarray(case.constants[position]), f"c{position}"))
        elif number < len(case.inputs):
            names.append(f"x{number}")
            number += 1
        else:
            names.append("")
    while names and not names[-1]:
        names.pop()
    results = [f"y{number}" for number in range(case.outputs)]
    first = results if not case.then else ["t0"]
    nodes = [helper.make_node(case.type, names, first, "op", None, domain_of(case.type), **case.attributes)]
    for number, kind in enumerate(case.then):
        result = results[0] if number == len(case.then) - 1 else f"t{number + 1}"
        bounds = _bounds(kind, initializers)
        nodes.append(helper.make_node(kind, [f"t{number}", *bounds], [result], name=f"op{number + 1}"))
    return _model(case, nodes, initializers, _looked_at(case, results))


def _looked_at(case: Single, results: list[str]) -> list[str]:
    return results if case.which is None else [results[case.which]]


def _bounds(kind: str, initializers: list[TensorProto]) -> list[str]:
    """The bounds of a Clip that follows an operator."""
    if kind != "Clip":
        return []
    initializers += [
        numpy_helper.from_array(np.array(bound, np.float32), name) for name, bound in zip("lh", CLIP, strict=True)
    ]
    return ["l", "h"]


def _model(case: Single, nodes: list[NodeProto], initializers: list[TensorProto], outputs: list[str]) -> ModelProto:
    inputs = [
        helper.make_tensor_value_info(f"x{number}", _onnx_type(case.plain.get(number, ("float", 0, 0))[0]), shape)
        for number, shape in enumerate(case.inputs)
    ]
    results = [helper.make_tensor_value_info(name, _onnx_type(case.result), None) for name in outputs]
    graph = helper.make_graph(nodes, "single", inputs, results, initializers)
    opsets = [helper.make_opsetid("", case.opset), helper.make_opsetid(ML_DOMAIN, 3)]
    model = with_functions(helper.make_model(graph, opset_imports=opsets, ir_version=10))
    return onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)


def _onnx_type(kind: str) -> int:
    return int(TensorProto.DataType.Value(kind.upper()))


def parameters_of(case: Single, number: int) -> Quantization:
    """Parameters of an input."""
    if case.parameters:
        return case.parameters[min(number, len(case.parameters) - 1)]
    shares = _form(case) is not None and onnx_forms()[case.type][1].scale == "same"
    scales, zeros = (0.031, 0.0173, 0.0471), (3, -128, -37)
    index = 0 if shares else number % 3
    return Quantization.per_tensor(DType.INT8, float(np.float32(scales[index])), zeros[index])


def _form(case: Single) -> Any:
    found = onnx_forms().get(case.type)
    return None if found is None else found[1]


def quantized_model(case: Single, output: Quantization) -> ModelProto:
    """The operator between QuantizeLinear and DequantizeLinear.

    Args:
        case: the operator.
        output: parameters of its results.
    """
    plain = float_model(case)
    node = plain.graph.node[0]
    nodes: list[NodeProto] = []
    initializers: list[TensorProto] = []
    for number in range(len(case.inputs)):
        if number in case.plain:
            continue
        nodes += _quantized(f"x{number}", f"x{number}.d", parameters_of(case, number), case.kind, initializers)
    form = _form(case)
    for position, array in case.constants.items():
        if array.dtype != np.float32 or position in case.raw:
            initializers.append(numpy_helper.from_array(array, f"c{position}"))
        elif form is not None and position == form.weight:
            axis = 0 if case.type == "Conv" or case.attributes.get("transB") else 1
            nodes += _weight(array, position, axis, initializers, 128 if case.full_range else 127)
        elif form is not None and position in form.matrices:
            nodes += _weight(array, position, form.matrices[position], initializers, 127)
        elif form is not None and position == form.bias:
            nodes += _bias(case, array, position, initializers)
        else:
            shared = parameters_of(case, 0) if form is not None and form.scale == "same" else None
            nodes += _operand(array, position, shared, case.kind, initializers)
    names = []
    for name in node.input:
        constant = name.startswith("c") and any(f"{name}.d" in made.output for made in nodes)
        activation = name.startswith("x") and int(name[1:]) not in case.plain
        names.append(f"{name}.d" if activation or constant else name)
    results = [f"y{number}" for number in range(case.outputs)]
    wholes = [f"{name}.f" for name in results] if case.result == "float" else results
    first = wholes if not case.then else ["t0.f"]
    nodes.append(helper.make_node(case.type, names, first, "op", None, domain_of(case.type), **case.attributes))
    for number, kind in enumerate(case.then):
        source, result = f"t{number}.f", wholes[0] if number == len(case.then) - 1 else f"t{number + 1}.f"
        if kind not in {"Clip", "Relu"} or (number == 0 and case.type in BY_FUNCTION):
            nodes += _quantized(source, f"t{number}", _observed(case, plain, f"t{number}"), case.kind, initializers)
            source = f"t{number}"
        nodes.append(helper.make_node(kind, [source, *_bounds(kind, initializers)], [result], name=f"op{number + 1}"))
    for name in _looked_at(case, results) if case.result == "float" else ():
        nodes += _quantized(f"{name}.f", name, output, case.kind, initializers)
    return _model(case, nodes, initializers, _looked_at(case, results))


def _parameters(name: str, scale: Array, zero: Array, initializers: list[TensorProto]) -> list[str]:
    initializers += [numpy_helper.from_array(scale, f"{name}.s"), numpy_helper.from_array(zero, f"{name}.z")]
    return [f"{name}.s", f"{name}.z"]


def _quantized(
    source: str, result: str, params: Quantization, kind: str, initializers: list[TensorProto]
) -> list[NodeProto]:
    zero = (params.zero_points + _SHIFT[kind]).astype(_TYPES[kind])
    parameters = _parameters(source, params.scales, zero, initializers)
    return [
        helper.make_node("QuantizeLinear", [source, *parameters], [f"{source}.q"], name=f"{source}.Q"),
        helper.make_node("DequantizeLinear", [f"{source}.q", *parameters], [result], name=f"{source}.D"),
    ]


def _weight(array: Array, position: int, axis: int, initializers: list[TensorProto], largest: int) -> list[NodeProto]:
    rest = tuple(other for other in range(array.ndim) if other != axis)
    scale = np.maximum(np.abs(array).max(axis=rest) / largest, 1e-6).astype(np.float32)
    spread = scale.reshape([-1 if other == axis else 1 for other in range(array.ndim)])
    values = np.clip(np.rint(array / spread), -largest, 127).astype(np.int8)
    return _dequantized(position, values, scale, np.zeros(scale.shape, np.int8), initializers, axis=axis)


def _bias(case: Single, array: Array, position: int, initializers: list[TensorProto]) -> list[NodeProto]:
    weight = next(tensor for tensor in initializers if tensor.name == "c1.s")
    scale = parameters_of(case, 0).scales * numpy_helper.to_array(weight)
    steps = np.rint(array.reshape(-1) / scale).astype(np.int32)
    return _dequantized(position, steps, scale, np.zeros(scale.shape, np.int32), initializers, axis=0)


def _operand(
    array: Array, position: int, shared: Quantization | None, kind: str, initializers: list[TensorProto]
) -> list[NodeProto]:
    constant = quantize_constant(array, shared)
    values = (constant.values.astype(np.int64) + _SHIFT[kind]).astype(_TYPES[kind])
    zero = (constant.quantization.zero_points + _SHIFT[kind]).astype(_TYPES[kind])
    return _dequantized(position, values, constant.scales, zero, initializers)


def _dequantized(
    position: int,
    values: Array,
    scale: Array,
    zero: Array,
    initializers: list[TensorProto],
    axis: int | None = None,
) -> list[NodeProto]:
    name = f"c{position}"
    initializers.append(numpy_helper.from_array(values, f"{name}.q"))
    inputs = [f"{name}.q", *_parameters(name, np.asarray(scale, np.float32), zero, initializers)]
    return [helper.make_node("DequantizeLinear", inputs, [f"{name}.d"], name=f"{name}.D", axis=axis)]


def feeds_of(case: Single, count: int = 4) -> list[dict[str, Array]]:
    """Inputs that are exact at their parameters: the two ends, then random ones of a fixed seed."""
    generator = np.random.default_rng(11)
    found = []
    for number in range(count):
        feeds = {}
        for position, shape in enumerate(case.inputs):
            if position in case.plain:
                kind, *ends = case.plain[position]
                # onnxruntime adds and divides large integers as float64; what wraps around has tests of its own.
                low, high = (min(max(end, -_PLAIN_MAX), _PLAIN_MAX) for end in ends)
                drawn = np.asarray(generator.integers(low, high, shape, endpoint=True))
                feeds[f"x{position}"] = drawn.astype(np.bool_ if kind == "bool" else kind)
                continue
            params = parameters_of(case, position)
            steps = generator.integers(-128, 128, shape)
            if number < 2:
                steps = np.full(shape, (-128, 127)[number]) if number else generator.choice([-128, 127], shape)
            # By zero onnxruntime gives what no integer stands for.
            if case.type in {"Div", "FloatDiv", "FloatMod"} and position == 1:
                zero = params.zero_point[0]
                steps = np.where(steps == zero, zero + 1 if zero < 127 else zero - 1, steps)
            feeds[f"x{position}"] = params.dequantize(steps)
        found.append(feeds)
    return found


def output_parameters(case: Single) -> Quantization:
    """Parameters of the results: stated, prescribed by the operator, or what random inputs ask for."""
    if case.output is not None:
        return case.output
    if case.result != "float":
        return parameters_of(case, 0)
    last = case.then[-1] if case.then else case.type
    form = onnx_forms()[last][1] if last in onnx_forms() else None
    if form is not None and form.scale == "fixed":
        assert form.fixed is not None
        return form.fixed
    if form is not None and form.scale == "same" and not case.then:
        return parameters_of(case, 0)
    plain = float_model(case)
    return _observed(case, plain, *(value.name for value in plain.graph.output))


def _observed(case: Single, plain: ModelProto, *names: str) -> Quantization:
    """Parameters that hold some values of the float model on random inputs."""
    session = Session(ir.from_proto(plain), names)
    runs = [session.run(feeds) for feeds in feeds_of(case, 6)[2:]]
    results = [found[name] for found in runs for name in names]
    finite = np.concatenate([array[np.isfinite(array)].reshape(-1) for array in results])
    return activation_parameters(float(finite.min(initial=0.0)), float(finite.max(initial=0.0)))


def float_verdict(case: Single) -> tuple[str, ...]:
    """Codes by which the road of float models refuses the operator; empty where it is taken."""
    try:
        problems = check_support(normalize(read_model_bytes(float_model(case).SerializeToString())))
    except EdgeqError as error:
        problems = list(error.problems)
    return tuple(sorted({problem.code for problem in problems}))


def imported(model: ModelProto, mode: Mode = "highmul") -> Graph:
    """The integer graph of a quantized model.

    Raises:
        EdgeqError: the model is refused.
    """
    return to_integer_graph(
        normalize_qdq(normalize_structure(read_model_bytes(model.SerializeToString()))), mode, "single"
    )


def difference(case: Single, model: ModelProto, graph: Graph, output: Quantization) -> float:
    """The largest distance of edgeq's results from onnxruntime's, in steps of the output."""
    session = Session(ir.from_proto(model))
    worst = 0.0
    for feeds in feeds_of(case):
        expected = session.run(feeds)
        inputs = {}
        for name in graph.inputs:
            if graph.tensors[name].is_plain:
                inputs[name] = feeds[name].astype(graph.tensors[name].dtype.numpy)
                continue
            number = int(name.removeprefix("x"))
            # Integers that the model only casts to float are a float input.
            params = graph.tensors[name].quant if number in case.plain else parameters_of(case, number)
            assert params is not None
            steps = params.quantize(feeds[name])
            inputs[name] = steps.astype(np.int8)
        found = run(graph, inputs).outputs
        for wanted, name, got in zip(expected.values(), graph.outputs, found, strict=True):
            quant = graph.tensors[name].quant
            assert wanted.shape == got.shape, f"shape {got.shape}, onnxruntime gives {wanted.shape}"
            if quant is None:
                worst = max(worst, 0.0 if np.array_equal(wanted, got) else np.inf)
                continue
            real = (got.astype(np.float64) - quant.zero_point[0]) * quant.scale[0]
            worst = max(worst, float(np.abs(real - wanted).max(initial=0.0)) / output.scale[0])
    return worst
