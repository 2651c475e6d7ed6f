"""Accuracy of int16 activations: w8a8, an int16 input only, and w8a16, beside the float model on the same samples.

The models and data are those of the folder that EDGEQ_DATA names; integers are run by the reference executor. The
signal-to-noise ratio is that of the logits, whose mean over classes is removed from each sample.

    EDGEQ_DATA=DATA python benchmarks/int16_activations.py [MODEL ...] [--samples N]
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir

from edgeq import api
from edgeq.analysis.metrics import METRICS, Material
from edgeq.errors import EdgeqError
from edgeq.integers import to_integer_graph
from edgeq.interp import run
from edgeq.ir import Graph
from edgeq.numerics import DEFAULT_MODE
from edgeq.numerics.array import Array
from edgeq.onnxio import Session, read_model
from edgeq.onnxio.samples import Samples

VARIANTS: Mapping[str, dict[str, Any]] = {"w8a8": {}, "int16 input": {"int16": "input"}, "w8a16": {"scheme": "w8a16"}}


def main() -> None:
    """Print one line a model and variant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*")
    parser.add_argument("--samples", type=int, default=None, help="of the evaluation data; by default all")
    given = parser.parse_args()
    folder = Path(os.environ["EDGEQ_DATA"])
    for entry in json.loads((folder / "index.json").read_text()):
        if (given.models and entry["name"] not in given.models) or entry.get("metric") not in METRICS:
            continue
        print(f"{entry['name']}", flush=True)
        for variant, value, ratio in figures(folder, entry, given.samples):
            print(f"  {variant:12} {entry['metric']} {value:.4f}  {ratio}", flush=True)


def figures(folder: Path, entry: Mapping[str, Any], count: int | None) -> Iterator[tuple[str, float, str]]:
    """The metric and the ratio of the float model and of each variant."""
    path, calibration = folder / entry["model"], folder / entry["calib"]
    wanted: Array | None = None
    for variant, options in VARIANTS.items():
        try:
            quantized = api.quantize(path, calibration, accept_data=True, **options).result.model
            graph = to_integer_graph(quantized, DEFAULT_MODE, "net")
        except EdgeqError as error:
            yield variant, float("nan"), str(error.problems[0])
            continue
        model = read_model(path)
        samples = Samples.open(folder / entry["eval"], model)
        chosen = range(min(count or len(samples), len(samples)))
        if wanted is None:
            outputs, wanted = float_results(model, samples, chosen)
            yield "float", measured(entry["metric"], outputs, samples, chosen), ""
        outputs, got = integer_results(graph, samples, chosen)
        yield variant, measured(entry["metric"], outputs, samples, chosen), f"{ratio_db(wanted, got):.1f} dB"


def float_results(model: onnx_ir.Model, samples: Samples, chosen: range) -> tuple[Array, Array]:
    """Outputs and logits, one row a sample."""
    output = model.graph.outputs[0]
    producer = output.producer()
    logits = producer.inputs[0] if producer is not None and producer.op_type == "Softmax" else output
    assert logits is not None
    session = Session(model, [str(logits.name)])
    found = [session.run(samples.inputs(index)) for index in chosen]
    return tuple(  # type: ignore[return-value]
        np.stack([np.ravel(result[str(value.name)]) for result in found]) for value in (output, logits)
    )


def integer_results(graph: Graph, samples: Samples, chosen: range) -> tuple[Array, Array]:
    """As :func:`float_results`, dequantized."""
    maker = next((node for node in graph.nodes if graph.outputs[0] in node.outputs), None)
    logits = maker.inputs[0] if maker is not None and maker.op == "softmax" else graph.outputs[0]
    rows: dict[str, list[Array]] = {graph.outputs[0]: [], logits: []}
    for index in chosen:
        inputs = {}
        for name, array in samples.inputs(index).items():
            tensor = graph.tensors[name]
            assert tensor.quant is not None
            inputs[name] = tensor.quant.quantize(array).reshape(tensor.shape)
        values = run(graph, inputs).tensors
        for name, row in rows.items():
            quant = graph.tensors[name].quant
            assert quant is not None
            row.append(np.ravel(quant.dequantize(values[name])))
    return np.stack(rows[graph.outputs[0]]), np.stack(rows[logits])


def measured(metric: str, outputs: Array, samples: Samples, chosen: range) -> float:
    """A metric of the table of ``edgeq eval``."""
    inputs = np.stack([np.ravel(next(iter(samples.inputs(index).values()))) for index in chosen])
    return METRICS[metric](Material(outputs, inputs, None, samples.extra, len(samples), accept=True))


def ratio_db(wanted: Array, got: Array) -> float:
    """Signal-to-noise ratio of rows less their means."""
    signal, noise = (each - each.mean(axis=1, keepdims=True) for each in (wanted.astype(np.float64), wanted - got))
    return float(10 * np.log10((signal**2).sum() / (noise**2).sum()))


if __name__ == "__main__":
    main()
