"""Bytes of the instances of each kernel, which the C backend reckons a budget with.

    make code-bytes                     # write edgeq/backends/c/code_bytes.json anew: some minutes
    make code-bytes FAMILIES=recurrent  # only the kernels of some families of operators

Measured with gcc -O2 over the models of ``digests`` and the operator families, for each instruction set: the median of
the instances for one shape, and of those that several share; and of the functions beside them. With the DSP extension
also with short loops, as ``--optimize size`` has them, and gcc's -Os.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Final

import edgeq.backends.c
from edgeq.backends.c import Step, bind_kernels, plan_steps
from edgeq.backends.c.bindings import FASTER, SMALLER
from edgeq.backends.c.choose import steps_with
from edgeq.backends.c.emit import model_source
from edgeq.backends.c.instances import functions_beside, instances_of
from edgeq.backends.c.runtime import COMPACT, Isa, runtime_headers
from edgeq.backends.c_source import model_header
from edgeq.backends.constants import Constants, weights_header
from edgeq.firmware.toolchain import Toolchain, find_toolchain
from edgeq.ir import Graph
from edgeq.numerics.scaling import MODES
from edgeq.target import Target, load_target
from tests.conformance import zoo
from tests.golden.digests import EXAMPLE, REAL, integer_graph

FILE: Final = Path(edgeq.backends.c.__file__).with_name("code_bytes.json")
# By the first of a target's instruction sets; plain C is measured on a core without any of the others.
_M3: Final = load_target("cortex-m3")
TARGETS: Final = {target.isa[0]: target for target in (load_target(f"cortex-m{n}") for n in (0, 3, 4, 55))} | {
    "generic": replace(_M3, isa=("generic",))
}
COMPACT_TARGETS: Final = {f"dsp{COMPACT}": TARGETS["dsp"]}
_SYMBOL: Final = re.compile(r"^\w+ (?P<bytes>\w+) \w (?P<name>\w+)$", re.MULTILINE)
Bytes = dict[str, dict[str, tuple[int, int]]]


def measure(models: Path, families: Sequence[str] = ()) -> Bytes:
    """Bytes of an instance for one shape and of a shared one, by kernel and instruction set.

    Args:
        models: folder of the real models.
        families: of operators, whose conformance samples alone are measured; empty for everything.
    """
    own: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    shared: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    in_models: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for graph, is_model in _graphs(models, families):
        for isa, target in (*TARGETS.items(), *COMPACT_TARGETS.items()):
            for steps in _programs(graph, target.isa):
                for special in (False, True):
                    compact = isa in COMPACT_TARGETS
                    for kernel, varies, size in sizes_of(graph, steps, target, special=special, compact=compact):
                        (shared if varies else own)[kernel, isa].append(size)
                        if varies and is_model:
                            in_models[kernel, isa].append(size)
    result: Bytes = {}
    for (kernel, isa), sizes in sorted(own.items()):
        alone = round(median(sizes))
        # Samples of one operator differ in every field, layers of a model in few. Where no program had two shapes,
        # two instances cost twice as much.
        several = in_models[kernel, isa] or shared[kernel, isa] or [2 * alone]
        result.setdefault(kernel, {})[isa] = (alone, round(median(several)))
    return result


def _programs(graph: Graph, isa: Isa) -> Iterator[list[Step]]:
    """The steps as they are bound first, and with each kernel that may stand in wherever it serves."""
    steps = bind_kernels(graph, isa)
    yield steps
    others = (*FASTER, *SMALLER)
    for kernel in dict.fromkeys(binding.kernel for binding in others):
        fast = [[each for each in steps_with(others, step, graph, isa) if each.kernel == kernel] for step in steps]
        if any(fast):
            yield [(each or [step])[0] for each, step in zip(fast, steps, strict=True)]


def _graphs(models: Path, families: Sequence[str]) -> Iterator[tuple[Graph, bool]]:
    """Graphs, and whether they are models."""
    for mode in MODES:
        for name in families or (EXAMPLE, *REAL, *zoo.FAMILIES):
            if name in zoo.FAMILIES and not zoo.cases_of(name, mode):
                continue
            yield integer_graph(name, mode, models), name not in zoo.FAMILIES
    for family in families or zoo.FAMILIES:
        yield from ((zoo.zoo(family, *kind).graph, False) for kind in zoo.kinds_of(family) if kind[1] != "s8")


def sizes_of(
    graph: Graph, steps: Sequence[Step], target: Target, *, special: bool, compact: bool = False
) -> Iterator[tuple[str, bool, int]]:
    """Kernel, whether several shapes share it, and bytes of each instance of a program, and of the functions beside."""
    shapes = {step.call.shape for step in steps if special}
    constants, plan = Constants("model"), plan_steps(graph, list(steps))
    files = {
        "model.c": model_source(graph, steps, plan, "model", target, shapes, constants, compact=compact).encode(),
        "model.h": model_header(graph, len(steps), plan, "model", target, ()).encode(),
        "model_weights.h": weights_header("model", constants).encode(),
        **runtime_headers((step.kernel for step in steps), target.isa),
    }
    with tempfile.TemporaryDirectory(prefix="edgeq-code-bytes-") as folder:
        for name, content in files.items():
            Path(folder, name).write_bytes(content)
        sizes = _compiled(find_toolchain(target), target, folder, "-Os" if compact else "-O2")
    beside: dict[str, bool] = {}
    for instance in instances_of(steps, shapes, "model"):
        kernel = steps[instance.steps[0]].kernel
        yield kernel, bool(instance.varying), sizes[instance.function or f"model_step_{instance.steps[0]}"]
        for name in functions_beside(kernel, target.isa):
            beside[name] = beside.get(name, False) or bool(instance.varying)
    yield from ((name, varies, sizes.get(name, 0)) for name, varies in beside.items())


def _compiled(toolchain: Toolchain, target: Target, folder: str, optimize: str) -> dict[str, int]:
    """Bytes by symbol."""
    flags = [f"-mcpu={target.cpu}", *target.flags, "-std=c11", optimize]
    subprocess.run([toolchain.gcc, *flags, "-I.", "-c", "model.c"], cwd=folder, check=True)
    listed = subprocess.run(
        [toolchain.binutil("nm"), "--print-size", "model.o"], cwd=folder, capture_output=True, text=True, check=True
    ).stdout
    return {found["name"]: int(found["bytes"], 16) for found in _SYMBOL.finditer(listed)}


def main() -> int:
    """Write the estimates anew, those of kernels that are not measured as they are."""
    models, *families = sys.argv[1:]
    kept = json.loads(FILE.read_text(encoding="utf-8")) if families else {}
    found = kept | measure(Path(models), families)
    lines = (f" {json.dumps(kernel)}: {json.dumps(sizes, sort_keys=True)}" for kernel, sizes in sorted(found.items()))
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
