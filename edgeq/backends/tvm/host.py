"""The graph as shared libraries for this computer: a Relax program over the steps' functions, compiled by LLVM.

``model.so`` maps inputs to outputs; ``model_debug.so`` gives every step's results, which is how ``verify`` sees inside.
Both hold their weights and need nothing but TVM's runtime. The target is plain x86-64 (or whatever this computer is)
without extensions, so that the library runs on every such computer; integers have the same bits either way.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import tvm
from tvm import relax

from edgeq.backends.bundle import Bundle
from edgeq.backends.tvm.steps import TvmStep, lower_steps
from edgeq.errors import EdgeqError
from edgeq.ir import Graph, Node, Tensor
from edgeq.process import Stopped, run_program
from edgeq.writing import scratch_folder

MODULE: Final = "model.so"
DEBUG_MODULE: Final = "model_debug.so"
MAIN: Final = "main"
STEPS: Final = "steps"

# TVM's default list without what it does not need here (nothing is left to legalize or to dispatch), and without
# RewriteDataflowReshape, which refuses functions of plain loops; our reshapes are Relax's own already.
_PASSES: Final = (
    relax.transform.ToNonDataflow,
    relax.transform.RemovePurityChecking,
    relax.transform.CallTIRRewrite,
    relax.transform.StaticPlanBlockMemory,
    relax.transform.LowerAllocTensor,
    relax.transform.KillAfterLastUse,
    relax.transform.LowerRuntimeBuiltin,
    relax.transform.ComputePrimValue,
    relax.transform.VMShapeLower,
    relax.transform.AttachGlobalSymbol,
)
_LINKERS: Final = ("cc", "gcc", "clang")
_LINK_SECONDS: Final = 300


def build_host(graph: Graph, name: str) -> Bundle:
    """Compile a graph for this computer.

    The functions take the graph's inputs, then what its states hold, and give a tuple of arrays: ``main`` the outputs,
    then what the states hold next; ``steps`` every step's results in schedule order.

    Args:
        graph: a valid graph.
        name: prefix of the functions' symbols.

    Returns:
        ``model.so`` (function ``main``) and ``model_debug.so`` (function ``steps``); the same bytes each time.

    Raises:
        EdgeqError: EQ0502 no C compiler, whose linker is needed; EQ0512 linking failed; EQ0385 from the lowering.
    """
    linker = _find_linker()
    steps = lower_steps(graph, name, "tensors")
    results = [result for step in steps for result in step.results]
    return Bundle(
        {
            MODULE: _compile(_program(graph, steps, MAIN, graph.sinks()), linker),
            DEBUG_MODULE: _compile(_program(graph, steps, STEPS, results), linker),
        }
    )


def _program(graph: Graph, steps: Sequence[TvmStep], function: str, wanted: Sequence[str]) -> Any:  # noqa: ANN401
    """One Relax function over the steps that gives the wanted tensors, as an IRModule."""
    builder = relax.BlockBuilder()
    symbols = {step.symbol: builder.add_func(step.function, step.symbol) for step in steps}
    # A name of a model is never a name in the program: parameters are numbered.
    parameters = [relax.Var(f"in{number}", _type(graph.tensors[name])) for number, name in enumerate(graph.sources())]
    values: dict[str, Any] = dict(zip(graph.sources(), parameters, strict=True))
    for tensor in graph.constants():
        # Without the type, relax.const narrows int64 to int32.
        values[tensor.name] = relax.const(tensor.value(), tensor.dtype.numpy.name)
    # Nodes may share a name, results may not.
    by_results = {step.results: step for step in steps}
    with builder.function(function, parameters):
        with builder.dataflow():
            for node in graph.nodes:
                _emit(builder, graph, node, by_results.get(node.outputs), symbols, values)
            result = builder.emit_output(relax.Tuple([values[name] for name in wanted]))
        builder.emit_func_output(result)
    return builder.get()


def _emit(
    builder: Any,  # noqa: ANN401 - TVM publishes no types
    graph: Graph,
    node: Node,
    step: TvmStep | None,
    symbols: dict[str, Any],
    values: dict[str, Any],
) -> None:
    """Bind a node's results; a node that is no step is a reshape, which Relax does without a copy."""
    if step is None:
        values[node.outputs[0]] = builder.emit(relax.op.reshape(values[node.inputs[0]], node.integers("shape")))
        return
    operands = [values[name] for name in step.operands]
    types = [_type(graph.tensors[name]) for name in step.results]
    call = builder.emit(relax.call_tir(symbols[step.symbol], operands, types if len(types) > 1 else types[0]))
    for number, name in enumerate(step.results):
        values[name] = builder.emit(relax.TupleGetItem(call, number)) if len(types) > 1 else call


def _type(tensor: Tensor) -> Any:  # noqa: ANN401 - TVM publishes no types
    return relax.TensorType(tensor.shape, tensor.dtype.numpy.name)


def _compile(program: Any, linker: str) -> bytes:  # noqa: ANN401 - TVM publishes no types
    passes = tvm.transform.Sequential([make() for make in _PASSES])
    executable = relax.build(program, target=tvm.target.Target("llvm"), relax_pipeline=passes)
    with scratch_folder("tvm") as folder:
        library = folder / "model.so"

        def link(output: str, files: Sequence[str], options: Sequence[str] = ()) -> None:
            # TVM passes options where it wrote a C file: without any function there is no object.
            _link(linker, output, [*options, *files])

        executable.export_library(str(library), fcompile=link, workspace_dir=str(folder))
        return library.read_bytes()


def _find_linker() -> str:
    for name in _LINKERS:
        found = shutil.which(name)
        if found is not None:
            return found
    raise EdgeqError(
        "EQ0502",
        "TVM's module for this computer needs a C compiler, whose linker makes the shared library",
        got=f"none of {', '.join(_LINKERS)} on the PATH",
        hint="apt-get install --no-install-recommends gcc libc6-dev",
    )


def _link(linker: str, output: str, files: Sequence[str]) -> None:
    """Link objects into a shared library that says nothing of where or when it was made."""
    command = [linker, "-shared", "-fPIC", "-Wl,--build-id=none", "-o", output, *files]
    hint = "apt-get install --no-install-recommends gcc libc6-dev"
    try:
        done = run_program(command, timeout_seconds=_LINK_SECONDS)
    except (Stopped, OSError) as problem:
        got = problem.reason if isinstance(problem, Stopped) else problem.strerror
        raise EdgeqError("EQ0512", "the linker cannot be run", where=linker, got=got, hint=hint) from problem
    if done.code != 0 or not Path(output).is_file():
        raise EdgeqError(
            "EQ0512",
            "TVM's objects could not be linked into a shared library",
            where=linker,
            got=done.tail or f"exit code {done.code}, and no library",
            hint=hint,
        )
