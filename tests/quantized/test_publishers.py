"""Publishers' int8 .tflite files through ONNX QDQ.

Every number is kept, every tensor has LiteRT's bits in mode ``tflite``, and every layer is within one step of
onnxruntime in the default mode.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from edgeq.analysis.verify import verify_folder
from edgeq.folder import Compiled
from edgeq.interp import run
from edgeq.job import CompileOptions
from edgeq.numerics.array import Array
from edgeq.onnxio import Session
from edgeq.pipeline import compile_model
from tests.quantized.agreement import compare_layers, missing_parameters, quantizers, table
from tests.quantized.litert import judge, quantized
from tests.quantized.publishers import FILES, FOUR, Published, open_published

pytestmark = [pytest.mark.data]

# onnxruntime's mean is a float sum, rounded half to even: of 64 values one sum in 64 ends in a half.
_SHARE_OF_TIES = 1 / 64
# Files with channels that are constant or that nobody reads.
DEAD_CHANNELS = {"vww_mobilenetv1_025_int8", "ic_resnet_large_int8"}


@pytest.fixture(scope="module")
def published(data_dir: Path) -> Mapping[str, Published]:
    return {name: open_published(name, data_dir) for name in FILES}


@pytest.mark.parametrize("name", FILES)
def test_every_number_of_the_file_is_kept(name: str, published: Mapping[str, Published]) -> None:
    model = published[name]
    source = model.converted.source
    layers = [op for op in source.ops if op.code in {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}]
    nodes = [node for node in model.canonical.graph if node.op_type in {"Conv", "Gemm"}]
    for op, node in zip(layers, nodes, strict=True):
        weight, bias = source.tensors[op.inputs[1]], source.tensors[op.inputs[2]]
        assert weight.data is not None
        assert bias.data is not None
        # [O, H, W, I] (depthwise [1, H, W, O]) in the file, [O, I, H, W] in ONNX.
        order = {"CONV_2D": (0, 3, 1, 2), "DEPTHWISE_CONV_2D": (3, 0, 1, 2), "FULLY_CONNECTED": (0, 1)}[op.code]
        for index, stated, values in ((1, weight, weight.data.transpose(order)), (2, bias, bias.data)):
            integers, scale = (_constant(node, index, part) for part in (0, 1))
            assert np.array_equal(integers, values), (name, stated.name)
            assert stated.scale is not None
            assert scale.size == stated.scale.size
            # Some files state biases at the product of the scales in float64, rounded.
            assert np.allclose(scale.reshape(-1), stated.scale, rtol=1e-7 if index == 2 else 0, atol=0)
    for mode in ("highmul", "tflite"):
        assert not missing_parameters(model.foreign, model.graph("highmul" if mode == "highmul" else "tflite"))
    computed = {index for op in source.ops for index in op.outputs}
    wanted = {(float(source.tensors[index].scale[0]), int(source.tensors[index].zero[0])) for index in computed}  # type: ignore[index]
    assert wanted <= {(codes.scale, codes.zero) for several in quantizers(model.foreign).values() for codes in several}


def _constant(node: ir.Node, index: int, part: int) -> Array:
    """Integers (0) or scales (1) of a constant operand of a canonical model."""
    operand = node.inputs[index]
    dequantize = None if operand is None else operand.producer()
    assert dequantize is not None
    value = dequantize.inputs[part]
    assert value is not None
    assert value.const_value is not None
    return np.asarray(value.const_value.numpy())


def check_litert(model: Published, count: int) -> None:
    pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed (extra: tflite)")
    found = judge(model.path, model.converted, model.graph("tflite"), islice(iter(model.samples), count))
    assert found.mismatches == {}
    assert found.missing == ()
    assert bool(found.removed) == (model.path.stem in DEAD_CHANNELS)
    assert found.elements + found.removed >= count * sum(
        int(np.prod(model.converted.source.tensors[op.outputs[0]].shape)) for op in model.converted.source.ops
    )


@pytest.mark.parametrize("name", FILES)
def test_every_tensor_has_litert_bits(name: str, published: Mapping[str, Published]) -> None:
    check_litert(published[name], 10)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_every_tensor_has_litert_bits_on_many_inputs(name: str, published: Mapping[str, Published]) -> None:
    check_litert(published[name], 50 if name == "ic_large" else 200)


@pytest.mark.parametrize("name", FILES)
def test_every_layer_is_within_one_step_of_onnxruntime(name: str, published: Mapping[str, Published]) -> None:
    model = published[name]
    graph = model.graph("highmul")
    layers = compare_layers(model.foreign, graph, islice(iter(model.samples), 10))
    print(table(name, layers))  # noqa: T201 - the shares are a result
    assert all(layer.elements for layer in layers)
    assert max(layer.largest for layer in layers) <= 1
    for layer in layers:
        # 1e-4: of 10^4 layer results one may lie so close to the middle between two steps that float32 decides.
        assert layer.share <= (2 * _SHARE_OF_TIES if layer.op == "average_pool" else 1e-4), layer


@pytest.mark.parametrize("name", FILES)
def test_verify_finds_every_step_within_one_of_onnxruntime(
    name: str, published: Mapping[str, Published], tmp_path: Path
) -> None:
    """As users see it: the folder's own comparison, on the integers of the reference, with no step left out."""
    onnx.save(published[name].converted.model, tmp_path / "published.onnx")
    compile_model(tmp_path / "published.onnx", None, tmp_path / "out", CompileOptions("native", "net"))
    compiled = Compiled.open(tmp_path / "out")
    report = verify_folder(compiled, ["native"], 3, published[name].data)
    found = report.onnxruntime
    assert report.ok
    assert found is not None
    assert (found.steps, found.not_compared) == (len(compiled.manifest.program.steps), {})
    results = [result for step in compiled.manifest.program.steps for result in step.results]
    assert found.elements >= 3 * sum(int(np.prod(result.shape)) for result in results)
    assert found.largest <= 1
    assert found.different <= 1e-4 * found.elements


@pytest.mark.parametrize("name", FILES)
def test_canonical_model_computes_what_the_converted_file_does(name: str, published: Mapping[str, Published]) -> None:
    model = published[name]
    theirs, mine = Session(model.foreign), Session(model.canonical)
    assert (theirs.inputs, theirs.outputs) == (mine.inputs, mine.outputs)
    for feeds in islice(iter(model.samples), 5):
        wanted, got = theirs.run(feeds), mine.run(feeds)
        assert all(np.array_equal(wanted[output], got[output]) for output in theirs.outputs)


@pytest.mark.slow
@pytest.mark.parametrize("name", FOUR)
def test_answers_agree_with_onnxruntime(name: str, published: Mapping[str, Published]) -> None:
    model = published[name]
    graph = model.graph("highmul")
    session = Session(model.foreign)
    same, noise, signal, count = 0, 0.0, 0.0, 0
    for feeds in islice(iter(model.samples), 200):
        (wanted,) = session.run(feeds).values()
        ((input_name, real),) = feeds.items()
        (result,) = run(graph, {input_name: quantized(graph.tensors[input_name], real)}).outputs
        quant = graph.tensors[graph.outputs[0]].quant
        assert quant is not None
        got = (result.astype(np.float64) - quant.zero_point[0]) * quant.scale[0]
        same += int(wanted.argmax() == got.argmax())
        noise += float(((wanted - got) ** 2).sum())
        signal += float((wanted.astype(np.float64) ** 2).sum())
        count += 1
    ratio = 10 * np.log10(signal / max(noise, 1e-30))
    print(f"{name}: top-1 as onnxruntime on {same} of {count} samples, outputs {ratio:.1f} dB")  # noqa: T201
    # An autoencoder has no classes; its outputs follow onnxruntime's to within a fraction of a step.
    assert same >= 0.99 * count if name != "ad" else ratio >= 50
