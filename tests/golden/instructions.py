"""Instructions per step, code and arena bytes of fixed models, as budgets that no change may exceed.

    make golden        # write instructions.json anew, after a change that is meant

One seeded random input each; the models are quantized as in ``digests``. QEMU counts instructions, not cycles, and so
do the budgets; they hold for the compilers that the file names.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgeq.errors import EdgeqError
from edgeq.ir import Graph, Node
from edgeq.numerics.array import Array
from edgeq.runners.base import RunRequest
from edgeq.runners.table import load_runner
from tests.conformance.images import build_image
from tests.golden.digests import EXAMPLE, HERE, REAL, integer_graph

FILE: Final = HERE / "instructions.json"
M0, M3, M4, M55, A53 = "mps2-m0", "mps2-an385", "mps2-an386", "mps3-an547", "linux-aarch64"
BOARDS: Final = (M0, M3, M4, M55, A53)
OTHER_REAL: Final = (
    *("arm_kws_basic_lstm_s", "arm_kws_cnn_s", "arm_kws_dnn_s", "arm_kws_ds_cnn_s", "har3_cnn", "ic_resnet_large"),
    *("mnist_lstm", "mww_vad_stream", "silero_vad_16k_static", "stories260k_step128", "sww_ref"),
)
RANDOM: Final = "mobilenetv2_035"
MODELS: Final = {
    **dict.fromkeys((EXAMPLE, *REAL), BOARDS),
    **dict.fromkeys((*OTHER_REAL, RANDOM), (M4, M55)),
}
"""Boards by model: MLPerf Tiny on all, others of the folder of real models and a network with random weights on two."""
CODE: Final = "flash_code_bytes"
ARENA: Final = "arena_bytes"
COMPILERS: Final = "compilers"
_SEED: Final = 20

Costs = dict[str, int]


def costs_of(name: str, board: str, models: Path | None, folder: Path) -> tuple[Costs, str]:
    """Instructions by step (``NUMBER OPERATOR ONNX-NODES``), :data:`CODE` and :data:`ARENA`; and the compiler's name.

    Args:
        name: one of :data:`MODELS`.
        board: one of :data:`BOARDS`.
        models: folder of the real models; needed for those alone.
        folder: an empty one, for sources and images.
    """
    graph = integer_graph(name, "highmul", models)
    spec, images = build_image(board, graph, folder)
    result = load_runner("qemu").run(RunRequest(spec, [random_input(graph)], count=True))
    assert result.instructions is not None, "this QEMU takes no plugins"
    (counts,) = result.instructions
    made_by = {name: node for node in graph.nodes for name in node.outputs}
    named = [(made_by[made[0].name], count) for made, count in zip(spec.steps, counts.steps, strict=True)]
    found = {_key(number, node): count.total for number, (node, count) in enumerate(named)}
    return found | {CODE: images.sizes.flash_code_bytes, ARENA: images.sizes.arena_bytes}, images.compiler


def needs_models(name: str) -> bool:
    """Whether a model lies in the folder of real models."""
    return name not in {EXAMPLE, RANDOM}


def random_input(graph: Graph) -> list[Array]:
    """One sample of uniform integers."""
    draw = np.random.default_rng(_SEED)
    found = []
    for name in graph.inputs:
        tensor = graph.tensors[name]
        limits = np.iinfo(tensor.dtype.value)
        found.append(draw.integers(limits.min, limits.max, tensor.shape, tensor.dtype.value, endpoint=True))
    return found


def _key(number: int, node: Node) -> str:
    return f"{number:02} {node.op} {', '.join(node.source) or node.name}"


def exceeded(found: Costs, budget: Costs) -> list[str]:
    """What costs more than its budget, or has none."""
    return [f"{key}: {budget.get(key)} -> {cost}" for key, cost in found.items() if cost > budget.get(key, -1)]


def main() -> int:
    """Write the budgets anew; without the real models, theirs stay."""
    models = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    kept: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8")) if FILE.is_file() else {}
    for name, boards in MODELS.items():
        if models is None and needs_models(name):
            continue
        for board in boards:
            with tempfile.TemporaryDirectory(prefix="edgeq-golden-") as folder:
                try:
                    found, kept.setdefault(COMPILERS, {})[board] = costs_of(name, board, models, Path(folder))
                except EdgeqError as error:
                    raise SystemExit(f"{name} on {board}: {error}") from error
            before = kept.setdefault(name, {}).get(board, {})
            for key in sorted(before.keys() | found.keys()):
                if before.get(key) != found.get(key):
                    print(f"{name} {board} {key}: {before.get(key)} -> {found.get(key)}")
            kept[name][board] = found
    FILE.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
