"""Everything that can execute a compiled model by name: the float model, the reference, and the runners."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from edgeq.analysis.borders import Border, output_borders
from edgeq.analysis.parallel import InOrder, shares
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
_EXECUTED: Final = {
    "qemu": "emulated",
    "native": "native",
    "tvm": "tvm",
    "tvm-qemu": "tvm-emulated",
    "tflite": "tflite",
}
# The name here of what `edgeq flash` writes, which no runner executes.
BOARD: Final = "board"
IMAGE_OF: Final = {**_EXECUTED, BOARD: "image"}
# What has to be emitted for an image that the C backend does not make.
BACKEND_OF: Final = {"tvm": "tvm", "tvm-qemu": "tvm", "tflite": "tflite"}
# The runners that count instructions.
COUNTING: Final = ("qemu", "tvm-qemu")


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


def no_image(compiled: Compiled, name: str | None = None) -> EdgeqError:
    """The error for a folder without the image that a runner executes, or without any image."""
    images: Mapping[str, str] = compiled.manifest["images"]
    user = {BOARD: "the board", None: "any runner"}.get(name, f"the runner {name}")
    return EdgeqError(
        "EQ0160",
        f"the folder holds no image for {user}",
        where=str(compiled.path),
        got=", ".join(f"{kind}: {file}" for kind, file in sorted(images.items())) or "no images",
        allowed=", ".join([IMAGE_OF[name]] if name is not None else list(_EXECUTED.values())),
        hint=_how_to_get(compiled, name),
    )


def _how_to_get(compiled: Compiled, name: str | None) -> str:
    """What brings the image: another option, another board, or a toolchain."""
    backend = BACKEND_OF.get(name or "")
    if backend is not None and backend not in compiled.manifest["backends"]:
        return f"compile again with --backend {','.join(sorted({*compiled.manifest['backends'], backend}))}"
    if name in COUNTING and compiled.board.emulator is None:
        return f"{compiled.board.name} has no emulator; `edgeq boards` lists the boards that have one"
    if compiled.manifest["options"].get("sources_only"):
        return "it was compiled with --sources-only: compile again without it"
    return "compile again where the compilers are installed; `edgeq doctor` says what is missing"


def require_image(compiled: Compiled, name: str) -> None:
    """Check that the folder holds the image that a runner executes, or that is written into the board.

    Raises:
        EdgeqError: EQ0160 it was never made, EQ0161 its file is gone.
    """
    file = compiled.manifest["images"].get(IMAGE_OF[name])
    if file is None:
        raise no_image(compiled, name)
    if not (compiled.path / file).is_file():
        raise EdgeqError(
            "EQ0161",
            f"the image for {'the board' if name == BOARD else f'the runner {name}'} is missing",
            where=str(compiled.path / file),
            got="there is no such file",
            hint="the manifest lists it: compile the model again",
        )


def default_executors(compiled: Compiled) -> tuple[str, ...]:
    """The runners for which the folder holds an image; an image that has two names is run once."""
    images: dict[str, str] = compiled.manifest["images"]
    first: dict[str, str] = {}
    for name, kind in _EXECUTED.items():
        if kind in images:
            first.setdefault(images[kind], name)
    return tuple(sorted(first.values()))


def default_executor(compiled: Compiled) -> str:
    """The runner that `emulate` uses: the emulator before this computer, C before TVM before TFLite.

    Raises:
        EdgeqError: EQ0160, the folder holds no image.
    """
    images = compiled.manifest["images"]
    found = next((name for name, kind in _EXECUTED.items() if kind in images), None)
    if found is None:
        raise no_image(compiled)
    return found


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


def runs_beside(name: str) -> bool:
    """Whether a runner is a process of its own, of which several may run at once."""
    return load_runner(name).own_process


def execute(
    compiled: Compiled,
    name: str,
    inputs: Sequence[list[Array]],
    *,
    steps: bool = False,
    count: bool = False,
    first_sample: int = 0,
) -> RunResult:
    """Run some samples in one start of a runner's image.

    Args:
        compiled: the folder.
        name: of the runner.
        inputs: one list of arrays a sample.
        steps: answer every step's results.
        count: count instructions, where the runner can.
        first_sample: the number of the first sample, for messages.

    Raises:
        EdgeqError: EQ0160, EQ0161 no image; EQ052x, EQ0530 a tool is missing; EQ060x, EQ062x the image fails.
    """
    require_image(compiled, name)
    request = RunRequest(spec_of(compiled, name), inputs, steps=steps, count=count, first_sample=first_sample)
    return load_runner(name).run(request)


def execute_all(
    compiled: Compiled, name: str, inputs: Sequence[list[Array]], *, count: bool = False, progress: Progress = silent
) -> RunResult:
    """Run all samples, on the cores there are where the runner is a process of its own.

    Raises:
        EdgeqError: as :func:`execute`.
    """
    require_image(compiled, name)
    parts = shares(len(inputs), sum(tensor.nbytes for tensor in spec_of(compiled, name).outputs))
    tasks = (
        partial(execute, compiled, name, inputs[part.start : part.stop], count=count, first_sample=part.start)
        for part in parts
    )
    found: list[RunResult] = []
    progress(name, 0.0)
    with InOrder(tasks, None if runs_beside(name) else 0) as answers:
        for part, answer in zip(parts, answers, strict=True):
            found.append(answer)
            progress(name, part.stop / len(inputs))
    return joined(found)


def joined(parts: Sequence[RunResult]) -> RunResult:
    """The results of several starts as those of one; a figure that one of them lacks is None."""
    counts = [part.instructions for part in parts]
    programs = [part.program_instructions for part in parts]
    stacks = [part.stack_bytes for part in parts]
    return RunResult(
        outputs=[outputs for part in parts for outputs in part.outputs],
        instructions=None if None in counts else tuple(run for runs in counts for run in runs or ()),
        program_instructions=None if None in programs else sum(number or 0 for number in programs),
        stack_bytes=None if None in stacks else max((number or 0 for number in stacks), default=None),
        stack_size_bytes=parts[0].stack_size_bytes if parts else None,
    )


def outputs_of(
    compiled: Compiled, name: str, inputs: Sequence[list[Array]], progress: Progress = silent
) -> list[list[Array]]:
    """What the outputs of every sample stand for, by the reference or a runner."""
    borders = output_borders(compiled)
    if name != REFERENCE:
        raw = execute_all(compiled, name, inputs, progress=progress).outputs
        return [_real(borders, arrays) for arrays in raw]
    found: list[list[Array]] = []
    for sample in inputs:
        found.append(_real(borders, run(compiled.graph, sample).outputs))
        progress(name, len(found) / len(inputs))
    return found


def _real(borders: Sequence[Border], arrays: Sequence[Array]) -> list[Array]:
    return [border.real(array) for border, array in zip(borders, arrays, strict=True)]
