"""One pass over the graph: every node is written by its family, and all that cannot be is reported together."""

from __future__ import annotations

from collections.abc import Sequence

from edgeq.backends.program import batch_problems
from edgeq.backends.tflite.draft import Draft, cannot
from edgeq.backends.tflite.exactness import require_arithmetic
from edgeq.backends.tflite.write import UNSUPPORTED, WRITERS
from edgeq.errors import EdgeqError
from edgeq.extras import require
from edgeq.ir import Graph, Node
from edgeq.numerics.scaling import Scaling
from edgeq.numerics.scaling.tflite import TFLite

_INEXPRESSIBLE = "EQ0390"


def emit_tflite(graph: Graph, outputs: Sequence[str], scaling: Scaling | None = None) -> bytes:
    """The graph as the bytes of a .tflite file: the same graph, the same bytes.

    Tensors have the graph's names, scales and zero points; inputs and outputs are its integers. The signature
    ``serving_default`` names inputs as the graph does.

    Args:
        graph: the integer graph.
        outputs: the names that the signature gives the graph's outputs, in order.
        scaling: the arithmetic that the graph was lowered for: of the
            runtime that is to give the same bits; None: LiteRT's.

    Raises:
        EdgeqError: EQ0362, EQ0390 for all that TFLite cannot express; EQ0530 where the optional part is not
            installed; EQ0906 where the file would compute something else than the graph.
    """
    require("tflite")
    draft = draft_of(graph, scaling)
    from edgeq.backends.tflite.flatbuffer import serialize

    named = {name: name for name in graph.inputs}
    return serialize(draft, named, dict(zip(outputs, graph.outputs, strict=True)))


def draft_of(graph: Graph, scaling: Scaling | None = None) -> Draft:
    """The file's tensors and operators; arguments as :func:`emit_tflite`.

    Raises:
        EdgeqError: as :func:`emit_tflite`.
    """
    draft = Draft(graph, scaling or TFLite())
    for name in graph.inputs:
        draft.use(name)
    problems = batch_problems(graph, "tflite")
    for node in graph.nodes:
        try:
            _write(draft, node)
        except EdgeqError as error:
            if error.problems[0].code != _INEXPRESSIBLE:
                raise
            problems.extend(error.problems)
    if problems:
        raise EdgeqError.of(dict.fromkeys(problems))
    return draft


def _write(draft: Draft, node: Node) -> None:
    writer = WRITERS.get(node.op)
    if writer is None:
        reason = UNSUPPORTED.get(node.op, "there is no writer for it")
        raise cannot(node, reason, hint="compile with --backend c for this model")
    require_arithmetic(draft, node)
    writer(draft, node)
