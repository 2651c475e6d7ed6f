"""TVM against the reference: every step of every case in this computer's module, bit for bit.

One module holds a family, as one image does elsewhere. Mode tflite is slow: its functions differ from those of highmul
in the requantization alone, but compiling them takes as long again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("tvm", reason="the extra `tvm` is not installed")

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from edgeq.analysis.comparison import Comparison, compare_runs
from edgeq.backends.tvm.host import DEBUG_MODULE, MODULE, build_host
from edgeq.backends.tvm.lower import LOWERINGS
from edgeq.backends.tvm.support import UNSUPPORTED
from edgeq.folder import Compiled
from edgeq.interp import run
from edgeq.ir import Graph
from edgeq.numerics.array import Array
from edgeq.ops import BY_NAME, OPS
from edgeq.runners.base import ImageSpec, RunRequest, TensorSpec
from edgeq.runners.table import load_runner
from tests.conformance.zoo import FAMILIES, NETWORK, ONE_TYPE, Kind, build, cases_of, input_sets, kinds_of, network, zoo

# A family with a missing lowering has nothing else.
GRAPHS = (
    *(family for family in FAMILIES if family not in {op.family for op in OPS if op.name in UNSUPPORTED}),
    NETWORK,
)
PAIRS = [(kind, family) for family in GRAPHS for kind in kinds_of(family)]
MODELS = {"ad": "ad_autoencoder", "ic": "ic_resnet8", "kws": "kws_dscnn", "vww": "vww_mobilenetv1_025"}
SAMPLES = 20


def compare_on_tvm(graph: Graph, inputs: list[list[Array]], folder: Path) -> Comparison:
    """Every step's results and the outputs of a graph's modules."""
    build_host(graph, graph.name).write(folder)

    def tensors(names: tuple[str, ...]) -> tuple[TensorSpec, ...]:
        return tuple(TensorSpec(name, graph.tensors[name].dtype.value, graph.tensors[name].shape) for name in names)

    spec = ImageSpec(
        graph.name,
        tensors(graph.inputs),
        tensors(graph.outputs),
        tuple(tensors(node.outputs) for node in graph.nodes if node.op != "reshape"),
        image=folder / MODULE,
        steps_image=folder / DEBUG_MODULE,
    )
    runner = load_runner("tvm")
    answer = runner.run(RunRequest(spec, inputs, steps=True))
    result = Comparison("tvm")
    compare_runs(result, spec, 0, [run(graph, sample).tensors for sample in inputs], answer)
    return result


def check(graph: Graph, inputs: list[list[Array]], folder: Path) -> None:
    """Build the modules and compare them."""
    found = compare_on_tvm(graph, inputs, folder)
    assert found.first is None, f"{found.mismatches} of {found.elements} elements differ"
    assert found.names >= set(graph.outputs)
    for name in (MODULE, DEBUG_MODULE):
        with (folder / name).open("rb") as file:
            table = ELFFile(file).get_section_by_name(".dynsym")
            assert isinstance(table, SymbolTableSection)
            symbols = {symbol.name for symbol in table.iter_symbols()}
        # A board has no allocator: no function may ask for memory of its own.
        assert not [symbol for symbol in symbols if "Workspace" in symbol]


def tvm_graph(family: str, kind: Kind) -> Graph:
    """Of a family without plain values and software float, which TVM lacks, or of the small network."""
    if family == NETWORK:
        return network(*kind)
    cases = cases_of(family, *kind)
    kept = [case for case in cases if not case.is_plain and not case.is_float]
    return zoo(family, *kind).graph if len(kept) == len(cases) else build(family, kept, *kind).graph


@pytest.mark.parametrize(
    ("kind", "family"),
    [
        # Where types are mixed, the functions are those of one type with a change of scale between; those of int16
        # convolutions, which differ from the others in their types alone, take a minute to compile.
        pytest.param(
            *pair,
            marks=() if pair[0] in ONE_TYPE and pair != (ONE_TYPE[1], "conv") else pytest.mark.slow,
            id=f"{'-'.join(pair[0])}-{pair[1]}",
        )
        for pair in PAIRS
    ],
)
def test_module_has_the_reference_bits(kind: Kind, family: str, tmp_path: Path) -> None:
    graph = tvm_graph(family, kind)
    check(graph, input_sets(graph), tmp_path)


def test_operator_has_a_lowering_or_a_reason() -> None:
    assert set(LOWERINGS) <= set(BY_NAME)
    assert not set(LOWERINGS) & set(UNSUPPORTED)
    # A reshape moves nothing: it is no step.
    assert set(LOWERINGS) | set(UNSUPPORTED) | {"reshape"} == set(BY_NAME)
    assert all(UNSUPPORTED.values())


@pytest.mark.data
@pytest.mark.parametrize(
    "model", [pytest.param(name, marks=pytest.mark.slow) if name == "vww" else name for name in MODELS]
)
def test_real_model_has_the_reference_bits(
    model: str, data_dir: Path, tmp_path: Path, run_edgeq: Callable[..., object]
) -> None:
    from edgeq.analysis.model_values import integer_inputs, open_samples

    folder, calibration = tmp_path / "compiled", data_dir / "data" / f"{model}_calib.npz"
    source = data_dir / "models" / f"{MODELS[model]}.onnx"
    run_edgeq("compile", source, "--data", calibration, "--board", "native", "-o", folder, timeout=300)
    compiled = Compiled.open(folder)
    inputs = integer_inputs(compiled, open_samples(compiled, data_dir / "data" / f"{model}_eval.npz"), SAMPLES).runs
    assert len(inputs) == SAMPLES
    check(compiled.graph, [*inputs], tmp_path / "modules")
