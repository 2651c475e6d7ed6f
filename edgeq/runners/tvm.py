"""Runner ``tvm``: the shared libraries that TVM compiled, through its runtime, in this process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgeq.errors import EdgeqError
from edgeq.extras import require
from edgeq.runners.base import Array, RunRequest, RunResult, TensorSpec, missing_image

if TYPE_CHECKING:
    from edgeq.backends.tvm.load import Module


class TvmRunner:
    """One module for all samples; counts no instructions and measures no stack."""

    def run(self, request: RunRequest) -> RunResult:
        """Run all samples; steps come from the debug module, outputs always from the other.

        Raises:
            EdgeqError: EQ0530 TVM is not installed, EQ0161 there is no module, EQ0621 TVM does not load it, EQ0622 it
                gives other tensors than this model's, EQ0623 a run failed.
        """
        require("tvm")
        spec = request.spec
        whole = _open(spec.image, "main", spec.name)
        stepped = _open(spec.steps_image, "steps", spec.name) if request.steps else None
        flat = [tensor for step in spec.steps for tensor in step]
        outputs, steps = [], []
        for number, sample in enumerate(request.inputs, request.first_sample):
            given = [tensor.shaped(array) for array, tensor in zip(sample, spec.inputs, strict=True)]
            outputs.append(_run(whole, given, spec.outputs, number))
            if stepped is not None:
                results = iter(_run(stepped, given, flat, number))
                steps.append([[next(results) for _ in step] for step in spec.steps])
        return RunResult(outputs, steps if request.steps else None)


def _open(path: Path | None, function: str, name: str) -> Module:
    if path is None or not path.is_file():
        raise missing_image("TVM module for this computer", path or name, "compile again with --backend c,tvm")
    from edgeq.backends.tvm.load import Module

    try:
        return Module(path.resolve(), function)
    except (OSError, RuntimeError, ValueError) as problem:
        raise EdgeqError(
            "EQ0621",
            "TVM does not load the module",
            where=str(path),
            got=problem,
            hint="compile again with --backend tvm: a module belongs to one version of TVM and one kind of computer",
        ) from problem


def _run(
    module: Module, given: list[Array], wanted: tuple[TensorSpec, ...] | list[TensorSpec], sample: int
) -> list[Array]:
    try:
        results: list[Array] = list(module.run(*given))
    except (RuntimeError, TypeError, ValueError) as problem:
        raise EdgeqError("EQ0623", "the TVM module failed", where=f"sample {sample}", got=problem) from problem
    got = [f"{array.dtype}{list(array.shape)}" for array in results]
    allowed = [f"{tensor.dtype}{list(tensor.shape)}" for tensor in wanted]
    if got != allowed:
        raise EdgeqError(
            "EQ0622",
            "the TVM module is not of this model",
            got=", ".join(got),
            allowed=", ".join(allowed),
            hint="compile the model again with --backend tvm",
        )
    for array in results:
        array.setflags(write=False)
    return results


RUNNER: Final = TvmRunner()
