"""Runner ``tflite``: the .tflite file through LiteRT's reference kernels, in this process.

Only the reference kernels define TFLite's bits: XNNPACK and the optimized kernels, which an interpreter takes by
default, round some results differently. ``tflite-runtime``, LiteRT's predecessor, has the same kernels and interface
and is taken where it is what is installed; it needs numpy 1.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.extras import not_installed
from edgeq.runners.base import Array, ImageSpec, RunRequest, RunResult, TensorSpec, missing_image

_LITERT: Final = "ai_edge_litert"
_RUNTIME: Final = "tflite_runtime"


class TfliteRunner:
    """One interpreter for all samples, on one thread; counts no instructions and measures no stack."""

    def run(self, request: RunRequest) -> RunResult:
        """Run all samples through one interpreter.

        Raises:
            EdgeqError: EQ0530 no interpreter is installed, EQ0161 there is no file, EQ0626 the interpreter refuses it,
                EQ0627 it holds other tensors than the model, EQ0628 a run failed.
        """
        interpreter = _open(request.spec)
        details = {entry["name"]: entry for entry in interpreter.get_tensor_details()}
        given = [_find(details, tensor) for tensor in request.spec.inputs]
        wanted = [_find(details, tensor) for tensor in request.spec.outputs]
        watched = [[_find(details, tensor) for tensor in step] for step in request.spec.steps] if request.steps else []
        outputs, steps = [], []
        for number, sample in enumerate(request.inputs, request.first_sample):
            for index, tensor, array in zip(given, request.spec.inputs, sample, strict=True):
                interpreter.set_tensor(index, tensor.shaped(array))
            try:
                interpreter.invoke()
            except (RuntimeError, ValueError) as problem:
                raise EdgeqError(
                    "EQ0628", "the TFLite interpreter failed", where=f"sample {number}", got=problem
                ) from problem
            outputs.append([_read(interpreter, index) for index in wanted])
            steps.append([[_read(interpreter, index) for index in results] for results in watched])
        return RunResult(outputs, steps if request.steps else None)


def _package() -> str | None:
    if find_spec(_LITERT) is not None:
        return _LITERT
    # Built against numpy 1: with a newer one it is imported, and fails at the first interpreter.
    if find_spec(_RUNTIME) is not None and np.lib.NumpyVersion(np.__version__) < "2.0.0":
        return _RUNTIME
    return None


def _open(spec: ImageSpec) -> Any:  # noqa: ANN401 - either package's Interpreter, and neither is typed
    package = _package()
    if package is None:
        raise not_installed("tflite", [_LITERT])
    path = spec.image
    if path is None or not path.is_file():
        raise missing_image("TFLite file", path or spec.name, "compile again with --backend c,tflite")
    module = import_module(f"{package}.interpreter")
    try:
        interpreter = module.Interpreter(
            model_content=path.read_bytes(),
            num_threads=1,
            experimental_op_resolver_type=module.OpResolverType.BUILTIN_REF,
            experimental_preserve_all_tensors=True,
        )
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as problem:
        raise EdgeqError(
            "EQ0626", "the TFLite interpreter does not accept the file", where=str(path), got=problem
        ) from problem
    return interpreter


def _find(details: dict[str, dict[str, Any]], tensor: TensorSpec) -> int:
    """The index of a tensor by its name, if type and shape are the model's.

    Raises:
        EdgeqError: EQ0627.
    """
    found = details.get(tensor.name)
    allowed = f"{tensor.dtype}{list(tensor.shape)}"
    got = (
        f"{np.dtype(found['dtype'])}{[int(size) for size in found['shape']]}" if found is not None else "no such tensor"
    )
    if found is None or got != allowed:
        raise EdgeqError(
            "EQ0627",
            "the TFLite file is not of this model",
            where=tensor.name,
            got=got,
            allowed=allowed,
            hint="compile the model again with --backend tflite",
        )
    return int(found["index"])


def _read(interpreter: Any, index: int) -> Array:  # noqa: ANN401 - as above
    array: Array = np.array(interpreter.get_tensor(index))
    array.setflags(write=False)
    return array


RUNNER: Final = TfliteRunner()
