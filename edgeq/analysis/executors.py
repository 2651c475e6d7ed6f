"""Everything that can execute a compiled model by name: the float model, the reference, and the runners."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from edgeq.analysis.borders import Border, batches, output_borders
from edgeq.backends.program import step_nodes
from edgeq.errors import EdgeqError, did_you_mean
from edgeq.folder import Compiled
from edgeq.interp import run
from edgeq.ir import Graph
from edgeq.numerics.array import Array
from edgeq.runners.base import ImageSpec, RunRequest, RunResult, TensorSpec
from edgeq.runners.table import RUNNERS, load_runner

Progress = Callable[[str, float | None], None]

REFERENCE: Final = "reference"
FLOAT: Final = "float"
EXECUTORS: Final = tuple(entry.name for entry in RUNNERS if entry.does == "executes")
# The kind of file in the manifest that each runner executes; the first that a folder has is what `emulate` runs.
IMAGE_OF: Final = {
    "qemu": "emulated",
    "native": "native",
    "tvm": "tvm",
    "tvm-qemu": "tvm-emulated",
    "tflite": "tflite",
}
# The runners that count instructions.
COUNTING: Final = ("qemu", "tvm-qemu")
# Samples a runner gets at once: few starts, and no more results in memory than these.
BATCH: Final = 64


def silent(stage: str, done: float | None) -> None:
    """Progress that nobody watches."""
    del stage, done


def check_names(names: Sequence[str], allowed: Sequence[str]) -> tuple[str, ...]:
    """The names, each once, if all are allowed.

    Raises:
        EdgeqError: EQ0170 with the nearest name.
    """
    for name in names:
        if name not in allowed:
            raise EdgeqError(
                "EQ0170",
                "there is no runner of that name",
                where="--on",
                got=name,
                allowed=", ".join(allowed),
                hint=did_you_mean(name, allowed),
            )
    return tuple(dict.fromkeys(names))


def default_executors(compiled: Compiled) -> tuple[str, ...]:
    """The runners for which the folder holds an image; an image that has two names is run once."""
    images: dict[str, str] = compiled.manifest["images"]
    first: dict[str, str] = {}
    for name, kind in IMAGE_OF.items():
        if kind in images:
            first.setdefault(images[kind], name)
    return tuple(sorted(first.values()))


def default_executor(compiled: Compiled) -> str:
    """The runner that `emulate` uses: the emulator before this computer, C before TVM before TFLite."""
    images = compiled.manifest["images"]
    return next((name for name, kind in IMAGE_OF.items() if kind in images), "native")


def graph_of(compiled: Compiled, name: str) -> Graph:
    """The integer graph that an executor computes."""
    return compiled.tflite_graph if name == "tflite" else compiled.graph


def spec_of(compiled: Compiled, name: str) -> ImageSpec:
    """What a runner must know: the folder's images, and the steps of the graph that it computes."""
    spec = compiled.spec
    if name == "tvm-qemu":
        return replace(spec, emulated=spec.tvm_emulated)
    if name == "tflite":
        graph = graph_of(compiled, name)
        steps = tuple(tuple(_tensor(graph, result) for result in node.outputs) for node in step_nodes(graph))
        outputs = tuple(_tensor(graph, output) for output in graph.outputs)
        return replace(
            spec, inputs=tuple(_tensor(graph, given) for given in graph.inputs), outputs=outputs, steps=steps
        )
    return spec


def program_of(compiled: Compiled, name: str) -> Mapping[str, Any]:
    """What the manifest says of the program that a runner executes: its arena, steps and sizes."""
    own: dict[str, Any] | None = compiled.manifest["tvm"] if name == "tvm-qemu" else None
    return compiled.manifest if own is None else own


def _tensor(graph: Graph, name: str) -> TensorSpec:
    tensor = graph.tensors[name]
    return TensorSpec(name, tensor.dtype.value, tensor.shape)


def execute(
    compiled: Compiled, name: str, inputs: Sequence[list[Array]], *, steps: bool = False, count: bool = False
) -> RunResult:
    """Run one batch in one start of a runner's image.

    Raises:
        EdgeqError: EQ052x, EQ060x, EQ062x; EQ0607 where the folder holds no image for the runner.
    """
    runner = load_runner(name)
    reason = runner.available()
    if reason is not None:
        raise EdgeqError("EQ0520", f"the runner {name} cannot run here", got=reason)
    return runner.run(RunRequest(spec_of(compiled, name), inputs, steps=steps, count=count))


def outputs_of(
    compiled: Compiled, name: str, inputs: Sequence[list[Array]], progress: Progress = silent
) -> list[list[Array]]:
    """The dequantized outputs of every sample, by the reference or a runner."""
    borders = output_borders(compiled)
    found: list[list[Array]] = []
    for batch in batches(inputs, BATCH):
        if name == REFERENCE:
            raw: list[list[Array]] = [list(run(compiled.graph, sample).outputs) for sample in batch]
        else:
            raw = execute(compiled, name, batch).outputs
        found += [_real(borders, arrays) for arrays in raw]
        progress(name, len(found) / len(inputs))
    return found


def _real(borders: Sequence[Border], arrays: Sequence[Array]) -> list[Array]:
    return [border.dequantize(array) for border, array in zip(borders, arrays, strict=True)]
