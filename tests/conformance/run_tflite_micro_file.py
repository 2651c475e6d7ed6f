"""Outputs of a .tflite file by TFLite Micro's interpreter, for the Python of tests/environments/tflite-micro.txt.

Usage: run_tflite_micro_file.py MODEL.tflite INPUTS.npz RESULTS.npz; inputs and results are [samples, ...] under the
number of the input or output, "0", "1", ….
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import numpy as np

_ARENA_BYTES = 1 << 26


def main(model: str, inputs: str, results: str) -> None:
    """Run every sample with the reference kernels and store the outputs."""
    runtime = import_module("tflite_micro.python.tflite_micro.runtime")
    interpreter = runtime.Interpreter.from_file(model, arena_size=_ARENA_BYTES)
    with np.load(inputs, allow_pickle=False) as given:
        arrays = [given[str(number)] for number in range(len(given.files))]
    outputs = 0
    found: dict[str, list[np.ndarray]] = {}
    for sample in range(len(arrays[0])):
        for number, array in enumerate(arrays):
            interpreter.set_input(array[sample], number)
        interpreter.invoke()
        if not outputs:
            outputs = _count(interpreter)
        for number in range(outputs):
            found.setdefault(str(number), []).append(np.array(interpreter.get_output(number)))
    stacked = {name: np.stack(kept) for name, kept in found.items()}
    np.savez(results, **stacked)  # type: ignore[arg-type]  # names as keywords


def _count(interpreter: Any) -> int:
    """The number of outputs: the first number that is none."""
    number = 0
    while True:
        try:
            interpreter.get_output_details(number)
        except (IndexError, RuntimeError, ValueError):
            return number
        number += 1


if __name__ == "__main__":
    main(*sys.argv[1:])
