"""What the compiler makes of fixed models, as digests: the net below every change of structure.

    make golden        # write digests.json anew, after a change that is meant

A digest covers the integer graph behind the passes, or the C files that are generated for one core. The models carry
their scales: the bundled example as a QDQ file, the others quantized blindly, so that nothing depends on how a
processor adds floats. The runtime's headers are not part of it: what they do is verified bit for bit elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import onnx_ir

from edgeq.backends.c import emit_c
from edgeq.errors import EdgeqError
from edgeq.frontend import normalize, normalize_qdq, normalize_structure
from edgeq.integers import to_integer_graph
from edgeq.ir import Graph
from edgeq.numerics.scaling import MODES, Mode
from edgeq.onnxio import read_model
from edgeq.onnxio.qdq_form import REQUANTIZE
from edgeq.quant import QuantizeOptions, quantize_blindly
from edgeq.target import load_target
from tests.conformance import zoo
from tests.conformance.images import WAYS
from tests.networks import NETWORKS, network_model

HERE: Final = Path(__file__).resolve().parent
FILE: Final = HERE / "digests.json"
EXAMPLE: Final = "fashion_mnist"
# MLPerf Tiny, from the folder of real models.
REAL: Final = ("ad_autoencoder", "ic_resnet8", "kws_dscnn", "vww_mobilenetv1_025")
CORES: Final = ("cortex-m0", "cortex-m3", "cortex-m4", "cortex-m55", "native")
Digests = dict[str, dict[str, str]]


def digests_of(name: str, models: Path | None) -> dict[str, str]:
    """Digests of one model or operator family: ``MODE graph`` and ``MODE CORE BUDGET`` → SHA-256, shortened.

    Args:
        name: :data:`EXAMPLE`, one of :data:`REAL`, or a family of operators.
        models: folder of the real models; needed for those alone.
    """
    found = {}
    budgets = WAYS if name == EXAMPLE else (None,)
    for mode in MODES if name not in zoo.FAMILIES else (mode for mode in MODES if zoo.cases_of(name, mode)):
        graph = integer_graph(name, mode, models)
        found[f"{mode} graph"] = _short("\n".join(graph_lines(graph)).encode())
        for core in CORES:
            for budget in budgets:
                bundle = emit_c(graph, "model", load_target(core), code_bytes=budget).bundle
                files = {path: text for path, text in bundle.files.items() if not path.startswith("runtime/")}
                text = b"".join(f"{path}\0".encode() + files[path] for path in sorted(files))
                found[f"{mode} {core} {budget}"] = _short(text)
    return found


def graph_lines(graph: Graph) -> Iterator[str]:
    """All that a graph says, independent of how it is stored; scales and zero points with as many bits as they have."""
    yield f"{graph.name} {graph.inputs} {graph.outputs} {[(state.input, state.output) for state in graph.states]}"
    for tensor in sorted(graph.tensors.values(), key=lambda tensor: tensor.name):
        held = "" if tensor.data is None else hashlib.sha256(tensor.data.tobytes()).hexdigest()
        quant = tensor.quant
        scale = () if quant is None else ([value.hex() for value in quant.scale], list(quant.zero_point), quant.axis)
        source = tensor.source
        kept = () if source is None or source.kept is None else (source.kept,)
        origin = () if source is None else (source.name, source.permutation, source.shape, *kept)
        yield f"{tensor.name} {tensor.shape} {tensor.dtype.value} {tensor.bits} {held} {scale} {origin}"
    for node in graph.nodes:
        yield f"{node.op} {node.name} {node.inputs} {node.outputs} {sorted(node.attrs.items())} {node.source}"


def integer_graph(name: str, mode: Mode, models: Path | None) -> Graph:
    """The graph of a model, random network or operator family; what scales tell is left out where they mean nothing."""
    return to_integer_graph(quantized_model(name, mode, models), mode, "model", blind=name != EXAMPLE)


def _short(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:24]


def quantized_model(name: str, mode: Mode, models: Path | None) -> onnx_ir.Model:
    if name == EXAMPLE:
        return normalize_qdq(normalize_structure(read_model(HERE / f"{EXAMPLE}.qdq.onnx"), {}))
    if name not in zoo.FAMILIES:
        model = onnx_ir.from_proto(network_model(name)) if name in NETWORKS else _real_model(name, models)
        return quantize_blindly(normalize(model, {}), QuantizeOptions(mode=mode))
    cases = zoo.cases_of(name, mode)
    given = zoo.given_parameters(cases)
    model = zoo.float_model(name, cases, given)
    normal = model if REQUANTIZE in cases[0].types else normalize(model)
    return quantize_blindly(normal, QuantizeOptions(mode=mode), given)


def _real_model(name: str, models: Path | None) -> onnx_ir.Model:
    assert models is not None  # the test has looked
    return read_model(models / f"{name}.onnx")


def main() -> int:
    """Write the digests anew; without the real models, theirs stay."""
    models = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    kept: Digests = json.loads(FILE.read_text(encoding="utf-8")) if FILE.is_file() else {}
    names = (EXAMPLE, *zoo.FAMILIES, *(REAL if models is not None else ()))
    found: Digests = {}
    for name in names:
        try:
            found[name] = digests_of(name, models)
        except EdgeqError as error:
            raise SystemExit(f"{name}: {error}") from error
        for key, value in found[name].items():
            if kept.get(name, {}).get(key) != value:
                print(f"changed: {name} {key}")
    FILE.write_text(json.dumps(kept | found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
