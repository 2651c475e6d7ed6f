"""Every tensor of a .tflite file, by the interpreter of the Python that runs this script, which need not have edgeq.

Usage: run_tflite_file.py MODEL.tflite INPUTS.npz RESULTS.npz; inputs and results are [samples, ...] by tensor name.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec

import numpy as np


def main(model: str, inputs: str, results: str) -> None:
    """Run every sample with the reference kernels and store all int8 and int16 tensors that are computed."""
    package = "ai_edge_litert" if find_spec("ai_edge_litert") else "tflite_runtime"
    module = import_module(f"{package}.interpreter")
    interpreter = module.Interpreter(
        model_path=model,
        num_threads=1,
        experimental_op_resolver_type=module.OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    details = interpreter.get_tensor_details()
    index = {entry["name"]: entry["index"] for entry in details if entry["dtype"] in {np.int8, np.int16}}
    found: dict[str, list[np.ndarray]] = {name: [] for name in index if name}
    with np.load(inputs, allow_pickle=False) as given:
        arrays = {name: given[name] for name in given.files}
    for sample in range(len(next(iter(arrays.values())))):
        for name, array in arrays.items():
            interpreter.set_tensor(index[name], array[sample])
        interpreter.invoke()
        for name, kept in found.items():
            kept.append(np.array(interpreter.get_tensor(index[name])))
    stacked = {name: np.stack(kept) for name, kept in found.items()}
    np.savez(results, **stacked)  # type: ignore[arg-type]  # names as keywords


if __name__ == "__main__":
    main(*sys.argv[1:])
