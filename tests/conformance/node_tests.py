"""ONNX's own node tests, from the installed ``onnx`` package, through the float road.

``python -m tests.campaigns.onnx_nodes`` runs all of them, as they are and with every input but the first as an
initializer, and prints how many passed, were refused (by error code), came out wrong, or ended in an internal error.

A model that is accepted has to keep three promises, which together leave no room for a wrong result:

* The normalized float model, in onnxruntime, gives what the test expects, within the test's own tolerance.
* No tensor saturates on the test's data: the float value of each lies within half a step of what its integers hold,
  but for operands of Max and Min, of which only what lies within the range of the result counts.
* Every step of the integer graph is right by itself: its float subgraph, in onnxruntime, on the numbers that the step
  really read, differs from the step's result by no more than :data:`STEP_BOUND` steps of the result's scale. Half a
  step is the rounding that every result takes; the rest is the multiplier's 31 bits and float32's own rounding.
"""

from __future__ import annotations

import random
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx
import onnx_ir
from onnx import numpy_helper

from edgeq import frontend
from edgeq.errors import EdgeqError
from edgeq.interp import run
from edgeq.ir import Graph, Tensor
from edgeq.lowering import lower
from edgeq.onnxio.reader import read_model_bytes
from edgeq.onnxio.samples import Samples
from edgeq.onnxio.session import start
from edgeq.ops import BY_NAME
from edgeq.passes import PASSES, run_passes
from edgeq.quant import QuantizeOptions, quantize

if TYPE_CHECKING:
    from onnx import ModelProto

    from edgeq.numerics.array import Array

VARIANTS: Final = ("raw", "initializers")
STEP_BOUND: Final = 0.51
_SHUFFLES: Final = 7
_ATTENTION_ROUNDINGS: Final = 4
_ROUNDING: Final = {"bfloat16": 2.0**-7, "float16": 2.0**-9}
# A fault of edgeq, not of the model: what the normalizer says of its own rules.
_INTERNAL: Final = ("EQ0220", "EQ0221", "EQ0229")


@dataclass(frozen=True)
class NodeTest:
    """One model with inputs and the outputs that it must give; ``inputs`` follows the model's inputs."""

    name: str
    model: ModelProto
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    rtol: float
    atol: float


@dataclass(frozen=True)
class Outcome:
    """``kind`` is passed, refused, wrong or internal; ``code`` the first error code; ``detail`` for people."""

    kind: str
    code: str = ""
    detail: str = ""


@cache
def node_tests() -> tuple[NodeTest, ...]:
    """Every node test of the installed package, in the order of their names."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tests compute NaN and infinity on purpose
        found = collect_testcases(None)
    tests = [
        NodeTest(case.name, case.model, _arrays(inputs), _arrays(outputs), case.rtol, case.atol)
        for case in found
        if case.model is not None and case.data_sets
        for inputs, outputs in case.data_sets[:1]
    ]
    return tuple(sorted(tests, key=lambda test: test.name))


def _arrays(values: Iterable[Any]) -> tuple[Any, ...]:
    """The values with numpy's scalars as arrays of rank 0, and messages as arrays."""
    return tuple(
        numpy_helper.to_array(value)
        if isinstance(value, onnx.TensorProto)
        else np.asarray(value)
        if isinstance(value, np.generic)
        else value
        for value in values
    )


def with_initializers(test: NodeTest) -> NodeTest | None:
    """The test with every input but the first as an initializer; None where there is no other that can be one."""
    names = [value.name for value in test.model.graph.input]
    rest = list(zip(names, test.inputs, strict=False))[1:]
    if not rest or not all(isinstance(array, np.ndarray) for _, array in rest):
        return None
    model = type(test.model)()
    model.CopyFrom(test.model)
    del model.graph.input[1:]
    model.ir_version = max(model.ir_version, 4)  # before 4 every initializer had to be an input, too
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in rest)
    return NodeTest(test.name, model, test.inputs[:1], test.outputs, test.rtol, test.atol)


def variants_of(test: NodeTest, variants: Sequence[str] = VARIANTS) -> Iterator[tuple[str, NodeTest]]:
    """The test by the name of each variant that it has."""
    if "raw" in variants:
        yield "raw", test
    if "initializers" in variants and (other := with_initializers(test)) is not None:
        yield "initializers", other


def judge(test: NodeTest) -> Outcome:
    """Run one test through reader, normalizer, quantizer, lowering, passes and reference."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = _mistake(test)
    except EdgeqError as error:
        code = error.problems[0].code
        internal = code.startswith("EQ09") or code in _INTERNAL
        return Outcome("internal" if internal else "refused", code, str(error.problems[0]).replace("\n", " "))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is an internal error
        return Outcome("internal", type(error).__name__, str(error)[:300])
    return Outcome("passed") if found is None else Outcome("wrong", "", found)


def _mistake(test: NodeTest) -> str | None:
    """What is wrong with the result of an accepted model, or None.

    Raises:
        EdgeqError: the model is refused.
    """
    model = read_model_bytes(test.model.SerializeToString(), where=test.name)
    if frontend.is_quantized(model):
        qdq = frontend.normalize_qdq(frontend.normalize_structure(model))
        return _integer_mistake(qdq, None, _feeds(qdq, test))
    normal = frontend.normalize(model)
    problems = frontend.check_support(normal)
    if problems:
        raise EdgeqError.of(problems)
    feeds = _feeds(normal, test)
    wrong = float_mistake(normal, feeds, test)
    if wrong is not None:
        return wrong
    options = QuantizeOptions(observer="minmax", bias_correction="off")
    qdq = quantize(normal, samples_of(normal, feeds), options).model
    return _integer_mistake(qdq, normal, feeds)


def _feeds(model: onnx_ir.Model, test: NodeTest) -> dict[str, Array]:
    """The test's arrays by the name of the model's input; an input that is constant in the model is left out."""
    names = [value.name for value in test.model.graph.input]
    given = dict(zip(names, test.inputs, strict=False))
    return {
        str(value.name): np.asarray(given[str(value.name)]).astype(value.dtype.numpy() if value.dtype else np.float32)
        for value in model.graph.inputs
    }


def samples_of(model: onnx_ir.Model, feeds: Mapping[str, Array]) -> Samples:
    """The test's own input, and shuffled copies of it: more samples over the same numbers, so inside every domain."""
    generator = np.random.default_rng(0)
    arrays = {}
    for name, array in feeds.items():
        copies = [generator.permutation(array.reshape(-1)).reshape(array.shape) for _ in range(_SHUFFLES)]
        arrays[name] = np.stack([array, *copies])
    return Samples.of(arrays, model)


def float_mistake(model: onnx_ir.Model, feeds: Mapping[str, Array], test: NodeTest) -> str | None:
    """Where the normalized model differs from what the test expects."""
    got = run_float(onnx_ir.to_proto(model), feeds)
    for value, array, wanted in zip(model.graph.outputs, got, test.outputs, strict=True):
        expected = np.asarray(wanted)
        if array.shape != expected.shape:
            return f"output {value.name}: shape {array.shape} for {expected.shape}"
        # What the test expects was rounded to its own type.
        rtol = max(test.rtol, _roundings(test) * _ROUNDING.get(expected.dtype.name, 0.0))
        # Sums hold the roundings of their largest terms, in what the test expects as well.
        finite = (
            np.abs(expected[np.isfinite(expected)].astype(np.float64)) if expected.dtype.kind == "f" else np.zeros(0)
        )
        atol = max(test.atol, float(np.finfo(np.float32).eps) * float(finite.max(initial=0.0)))
        close = np.isclose(array.astype(np.float64), expected.astype(np.float64), rtol, atol, equal_nan=True)
        if not close.all():
            index = tuple(int(i) for i in np.argwhere(~close)[0])
            return f"output {value.name}{list(index)}: float {array[index]} for {expected[index]}"
    return None


def _roundings(test: NodeTest) -> int:
    """How often what a test expects was rounded to its own type: in Attention queries, scores and shares were, too."""
    return _ATTENTION_ROUNDINGS if test.name.startswith("test_attention") else 1


def run_float(proto: ModelProto, feeds: Mapping[str, Array], outputs: Sequence[str] | None = None) -> list[Array]:
    """The outputs of a model in onnxruntime, as it stands and in one thread."""
    proto.ir_version = min(proto.ir_version, 10)
    session = start(proto.SerializeToString())
    taken = {item.name for item in session.get_inputs()}
    return [
        np.asarray(item) for item in session.run(outputs, {k: np.asarray(v) for k, v in feeds.items() if k in taken})
    ]


def _integer_mistake(qdq: onnx_ir.Model, normal: onnx_ir.Model | None, feeds: Mapping[str, Array]) -> str | None:
    """Where the integer graph differs from the float model: a tensor that saturates, or a step that is wrong."""
    lowered = lower(qdq, mode="highmul", name="node")
    graph = lowered.copy()
    run_passes(graph, PASSES)
    inputs = {name: integers_of(lowered.tensors[name], feeds[name]) for name in lowered.inputs}
    before, after = run(lowered, inputs), run(graph, inputs)
    for name, one, other in zip(lowered.outputs, before.outputs, after.outputs, strict=True):
        if not np.array_equal(one, other):
            return f"output {name}: the passes changed its bits"
    for value, name in zip(qdq.graph.outputs, lowered.outputs, strict=True):
        declared = tuple(int(dim) for dim in value.shape or () if isinstance(dim, int))
        if lowered.tensors[name].shape != declared:
            return f"output {name}: integer shape {lowered.tensors[name].shape} for {declared}"
    if normal is not None and (wrong := _saturation(normal, lowered, feeds)) is not None:
        return wrong
    return step_mistake(qdq, lowered, before.tensors)


def integers_of(tensor: Tensor, real: Array) -> Array:
    """QuantizeLinear, from its definition; what is an integer already stays."""
    if tensor.is_plain:
        return real.astype(tensor.dtype.numpy)
    if real.dtype.kind in "iu":
        return real.astype(np.int8) if real.dtype == np.int8 else (real.astype(np.int32) - 128).astype(np.int8)
    assert tensor.quant is not None
    steps = np.rint(real.astype(np.float32) / np.float32(tensor.quant.scale[0])) + tensor.quant.zero_point[0]
    result: Array = np.clip(steps, tensor.dtype.min, tensor.dtype.max).astype(tensor.dtype.numpy)
    return result


def reals_of(tensor: Tensor, integers: Array) -> Array:
    """DequantizeLinear, from its definition, in the layout that ONNX has."""
    assert tensor.quant is not None
    real = (integers.astype(np.int32) - tensor.quant.zero_point[0]).astype(np.float32)
    real = real * np.float32(tensor.quant.scale[0])
    if tensor.source is not None:
        real = real.transpose(tensor.source.permutation).reshape(tensor.source.shape)
    return real


def _by_source(graph: Graph) -> dict[str, Tensor]:
    """The tensor that holds each ONNX value."""
    return {
        tensor.source.name: tensor
        for tensor in graph.activations()
        if tensor.source is not None and not tensor.is_plain
    }


def _saturation(normal: onnx_ir.Model, graph: Graph, feeds: Mapping[str, Array]) -> str | None:
    proto = onnx_ir.to_proto(normal)
    known = {name for node in proto.graph.node for name in node.output} | {value.name for value in proto.graph.input}
    held = {name: tensor for name, tensor in _by_source(graph).items() if name in known}
    made = [name for name in held if name not in feeds]
    have = {value.name for value in proto.graph.output}
    proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in made if name not in have)
    values = dict(feeds) | (dict(zip(made, run_float(proto, feeds, made), strict=True)) if made else {})
    for name, tensor in held.items():
        if _is_clipped(graph, tensor.name):
            continue
        assert tensor.quant is not None
        (scale,), (zero,) = tensor.quant.scale, tensor.quant.zero_point
        real = values[name].astype(np.float64)
        low, high = (tensor.dtype.min - zero) * scale, (tensor.dtype.max - zero) * scale
        # A fixed scale ends one step below 1: that is the one value which the format itself leaves out.
        room = scale * (1.001 if (scale, zero) in {(1 / 256, -128), (1 / 128, 0), (2**-15, 0)} else 0.501)
        if real.size and (real.min() < low - room or real.max() > high + room):
            return f"{name}: float {real.min()} to {real.max()} saturates in {low} to {high}"
    return None


def _is_clipped(graph: Graph, name: str) -> bool:
    """Whether all that reads a tensor is a comparison with the larger or the smaller, or moves it to one."""
    readers = [node for node in graph.nodes if name in node.inputs]
    if name in graph.outputs or not readers:
        return False
    return all(
        node.op in {"maximum", "minimum"}
        or (node.op in {"reshape", "requantize", "transpose"} and _is_clipped(graph, node.outputs[0]))
        for node in readers
    )


def step_mistake(qdq: onnx_ir.Model, graph: Graph, integers: Mapping[str, Array]) -> str | None:
    """The first QuantizeLinear whose float subgraph, on the numbers really read, disagrees with the integer graph."""
    proto = onnx_ir.to_proto(qdq)
    held = _by_source(graph)
    plain = _plain_mistake(proto, graph, integers)
    if plain is not None:
        return plain
    makers = {name: node for node in proto.graph.node for name in node.output}
    constants = {tensor.name: tensor for tensor in proto.graph.initializer}
    values: dict[str, Array] = {}
    for node in proto.graph.node:
        quantized = makers.get(node.input[0]) if node.op_type == "DequantizeLinear" else None
        if quantized is not None and quantized.op_type == "QuantizeLinear" and quantized.input[0] in held:
            tensor = held[quantized.input[0]]
            values[node.output[0]] = reals_of(tensor, integers[tensor.name])
    for node in proto.graph.node:
        name = node.input[0] if node.op_type == "QuantizeLinear" else ""
        if name not in held or name not in makers or name in values:
            continue
        part = _subgraph(proto, name, makers, set(values), constants)
        if part is None:
            continue
        (real,) = run_float(part, values)
        tensor = held[name]
        assert tensor.quant is not None
        (scale,), (zero,) = tensor.quant.scale, tensor.quant.zero_point
        wanted = np.clip(real.astype(np.float64) / scale + zero, tensor.dtype.min, tensor.dtype.max)
        got = np.round(reals_of(tensor, integers[tensor.name]).astype(np.float64) / scale) + zero
        if got.shape != wanted.shape:
            return f"{name}: shape {got.shape} for {wanted.shape}"
        apart = np.where(np.isfinite(wanted), np.abs(wanted - got), 0)
        # A value that is rounded once more inside, to a scale that its reader asks for, may stand between two steps.
        inner = any(one.op_type == "QuantizeLinear" for one in part.graph.node)
        if apart.size and apart.max() > STEP_BOUND + inner + of_gates(graph):
            return f"{name}: {apart.max():.3f} steps from its own float subgraph"
    return None


def of_gates(graph: Graph, prefix: str = "") -> float:
    """How far the gates of a recurrent layer move its result, in steps, in the nodes whose names begin so; 0 without.

    A pre-activation is rounded to half of 2^-11, a line between entries of the table lies up to 2^-13 from Tanh, and
    the bias is half a step s_x·s_w off; all of it comes back through the state, up to 4 times in these cases.
    """
    found = 0.0
    for node in graph.nodes:
        if BY_NAME[node.op].family == "recurrent" and node.name.startswith(prefix):
            x, weight, result = (graph.tensors[name].quant for name in (*node.inputs[:2], node.outputs[0]))
            assert x is not None
            assert result is not None
            bias = x.scale[0] * max(weight.scale) / 2 if weight is not None else 0.0
            found = 4 * (2**-12 + 2**-13 + bias) / result.scale[0]
    return found


def _plain_mistake(proto: ModelProto, graph: Graph, integers: Mapping[str, Array]) -> str | None:
    """The first output of integers or truth values that onnxruntime computes otherwise from the model's inputs."""
    for value, name in zip(proto.graph.output, graph.outputs, strict=True):
        if not graph.tensors[name].is_plain or any(not graph.tensors[given].is_plain for given in graph.inputs):
            continue
        kinds = {item.name: item.type.tensor_type.elem_type for item in proto.graph.input}
        feeds = {
            given: integers[given].astype(onnx.helper.tensor_dtype_to_np_dtype(kinds[given])) for given in graph.inputs
        }
        feeds |= {  # which nobody reads
            item.name: np.zeros(
                [dim.dim_value for dim in item.type.tensor_type.shape.dim],
                onnx.helper.tensor_dtype_to_np_dtype(kinds[item.name]),
            )
            for item in proto.graph.input
            if item.name not in feeds
        }
        (wanted,) = run_float(proto, feeds, [value.name])
        if not np.array_equal(wanted.astype(np.int64), integers[name].astype(np.int64)):
            return f"{value.name}: integers differ"
    return None


def _subgraph(
    proto: ModelProto, target: str, makers: Mapping[str, Any], known: set[str], constants: Mapping[str, Any]
) -> ModelProto | None:
    """The nodes between dequantized values and a target, as a model; None where there are none."""
    wanted, nodes, inputs = [target], dict[str, Any](), set()
    initializers = set()
    while wanted:
        name = wanted.pop()
        if name in known and name != target:
            inputs.add(name)
        elif name in constants:
            initializers.add(name)
        elif name in makers:
            nodes.update((output, makers[name]) for output in makers[name].output if output)
            wanted += [item for item in makers[name].input if item]
        else:
            return None
    part = type(proto)()
    part.ir_version = proto.ir_version
    part.opset_import.extend(proto.opset_import)
    part.graph.name = "part"
    order = [node for node in proto.graph.node if not nodes.keys().isdisjoint(node.output)]
    part.graph.node.extend(order)
    part.graph.initializer.extend(constants[name] for name in sorted(initializers))
    for name in sorted(inputs):
        part.graph.input.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    part.graph.output.append(onnx.helper.make_tensor_value_info(target, onnx.TensorProto.FLOAT, None))
    return part


def chosen(count: int | None, seed: int = 0) -> tuple[NodeTest, ...]:
    """All tests, or a seeded selection of them."""
    tests = node_tests()
    return tests if count is None else tuple(random.Random(seed).sample(tests, count))


def table(outcomes: Iterable[tuple[str, str, Outcome]]) -> str:
    """Figures by variant: passed, refused by code, wrong, internal; wrong and internal ones by name."""
    counts: Counter[tuple[str, str]] = Counter()
    codes: Counter[tuple[str, str]] = Counter()
    faults = []
    for variant, name, outcome in outcomes:
        counts[variant, outcome.kind] += 1
        if outcome.kind == "refused":
            codes[variant, outcome.code] += 1
        elif outcome.kind != "passed":
            faults.append(f"{outcome.kind:9}{variant:13}{name}: {outcome.code} {outcome.detail}")
    lines = [f"{'variant':13}{'passed':>8}{'refused':>9}{'wrong':>7}{'internal':>10}"]
    for variant in VARIANTS:
        got = [counts[variant, kind] for kind in ("passed", "refused", "wrong", "internal")]
        lines.append(f"{variant:13}{got[0]:8}{got[1]:9}{got[2]:7}{got[3]:10}")
    for variant in VARIANTS:
        listed = sorted((code, number) for (of, code), number in codes.items() if of == variant)
        lines.append(f"refused {variant}: " + ", ".join(f"{code} {number}" for code, number in listed))
    return "\n".join([*lines, *faults])
