"""Several samples in one run: where the model allows it, and how many fit the memory.

A model of batch 1 takes more samples along axis 0 if every operator computes each index of axis 0 alone. A value of n
indices there for one sample (the rows of a matrix product) has n more for the next. That is a question of each
operator's attributes and operands; what is not known to allow it does not, and then samples run one by one. The answers
of both ways are compared on the first samples before the fast one is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq.numerics.array import Array
from edgeq.onnxio.forms import form_of
from edgeq.onnxio.pieces import Pieces

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.onnxio.samples import Samples

# What one run may fetch, what may be alive at once in one (more than the cache holds is slower), and what may be kept
# between runs.
FETCHED_BYTES: Final = 32 << 20
ALIVE_BYTES: Final = 8 << 20
KEPT_BYTES: Final = 128 << 20
MAX_BATCH: Final = 64
_FLOAT_BYTES: Final = 4
_COMPARED: Final = 3
_FEWEST: Final = 2
# Sums in another order differ by far less than this share of the largest value.
_TOLERANCE: Final = 1e-4


@dataclass(frozen=True, eq=False)
class Batching:
    """How the samples of a model are run.

    Attributes:
        pieces: the float model.
        is_batched: whether runs take several samples along axis 0.
        fetching_all: samples in a run of which every value is fetched.
        fetching_few: samples in a run of which a few values are fetched.
    """

    pieces: Pieces
    is_batched: bool
    fetching_all: int = 1
    fetching_few: int = 1


def plan_batches(model: onnx_ir.Model, samples: Samples) -> Batching:
    """Several samples in one run where the model allows it and gives the same answers, else one by one."""
    pieces = Pieces(model)
    batched = pieces.batched()
    if samples.runs < _FEWEST or not allows_batches(model) or not _agrees(model, samples, pieces, batched):
        return Batching(pieces, is_batched=False)
    values = sum(_size(value) for node in model.graph for value in node.outputs)
    limit = min(MAX_BATCH, samples.runs)
    return Batching(
        batched,
        is_batched=True,
        fetching_all=min(limit, max(1, FETCHED_BYTES // max(values * _FLOAT_BYTES, 1))),
        fetching_few=min(limit, affordable(model, ALIVE_BYTES)),
    )


def affordable(model: onnx_ir.Model, bound: int = KEPT_BYTES) -> int:
    """How many samples' activations may be kept at once while a model runs layer by layer; at least 1.

    The float values alive at one step count three times: as they are, as integers, and dequantized.
    """
    last: dict[onnx_ir.Value, int] = {}
    for step, node in enumerate(model.graph):
        last.update((value, step) for value in node.inputs if value is not None)
    alive = peak = sum(_size(value) for value in model.graph.inputs)
    for step, node in enumerate(model.graph):
        alive += sum(_size(value) for value in node.outputs)
        peak = max(peak, alive)
        ending = {value for value in (*node.inputs, *node.outputs) if value is not None and value.const_value is None}
        alive -= sum(_size(value) for value in ending if last.get(value, step) <= step)
    return max(1, bound // max(3 * _FLOAT_BYTES * peak, 1))


def batches(samples: Samples, chosen: Sequence[int], size: int) -> Iterator[dict[str, Array]]:
    """The chosen samples in their order, ``size`` of them along axis 0 of every input; 1 needs no batching."""
    for start in range(0, len(chosen), size):
        parts = [samples.inputs(index) for index in chosen[start : start + size]]
        yield parts[0] if size == 1 else {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def samples_in(inputs: Mapping[str, Array]) -> int:
    """Every input of a normalized model has batch 1, times the samples of a run."""
    first = next(iter(inputs.values()))
    return len(first) if first.ndim else 1


def allows_batches(model: onnx_ir.Model) -> bool:
    """Whether every operator of a normalized model of batch 1 computes each index of axis 0 alone."""
    inputs = [value for value in model.graph.inputs if not value.is_initializer()]
    if not inputs or not all(_rank(value) > 0 and _first(value) == 1 for value in inputs):
        return False
    return all(_rank(value) > 0 for node in model.graph for value in node.outputs) and all(map(_allows, model.graph))


@np.errstate(invalid="ignore")
def _agrees(model: onnx_ir.Model, samples: Samples, pieces: Pieces, batched: Pieces) -> bool:
    names = [str(value.name) for value in model.graph.outputs]
    given = [str(value.name) for value in model.graph.inputs]
    chosen = range(min(_COMPARED, samples.runs))
    single = pieces.piece(names, given)
    apart = [single.run(feeds) for feeds in batches(samples, chosen, 1)]
    (feeds,) = batches(samples, chosen, len(chosen))
    together = batched.piece(names, given).run(feeds)
    for name in names:
        wanted = np.concatenate([found[name] for found in apart])
        if wanted.shape != together[name].shape:
            return False
        limit = _TOLERANCE * np.abs(wanted.astype(np.float64)).max(initial=0.0)
        # Written so that NaN does not agree; what is not finite is reported by the calibration.
        if not (np.abs(wanted.astype(np.float64) - together[name]) <= limit).all():
            return False
    return True


def _size(value: onnx_ir.Value) -> int:
    return 0 if value.shape is None else int(np.prod(value.shape.numpy(), dtype=np.int64))


# --- operators ---------------------------------------------------------------------------------------------------


def _allows(node: onnx_ir.Node) -> bool:
    form = form_of(node)
    if form is None:
        return False
    family = _RULES.get(node.op_type) or _RULES.get(form[0].family)
    return family is not None and family(node)


def _always(node: onnx_ir.Node) -> bool:
    del node
    return True


def _elementwise(node: onnx_ir.Node) -> bool:
    """Computed operands of one rank and size of axis 0; a constant is the same for all samples."""
    rank = _rank(node.outputs[0])
    for value in node.inputs:
        if value is None:
            continue
        if value.const_value is None and (_rank(value) != rank or _first(value) != _first(node.outputs[0])):
            return False
        if value.const_value is not None and len(value.const_value.shape) >= rank and value.const_value.shape[0] != 1:
            return False
    return True


def _layer(node: onnx_ir.Node) -> bool:
    """Conv and Gemm: one computed operand, not transposed."""
    turned = node.attributes.get("transA")
    constant = all(value is None or value.const_value is not None for value in node.inputs[1:])
    return constant and _is_computed(node, 0) and (turned is None or turned.as_int() == 0)


def _matmul(node: onnx_ir.Node) -> bool:
    """A matrix product whose leading axis is no axis of the product itself."""
    if _is_computed(node, 0) and not _is_computed(node, 1):
        return _const_rank(node, 1) == 2
    return all(_is_computed(node, index) and _rank(node.inputs[index]) >= 3 for index in (0, 1)) and (
        _rank(node.inputs[0]) == _rank(node.inputs[1]) and _first(node.inputs[0]) == _first(node.inputs[1])
    )


def _concat(node: onnx_ir.Node) -> bool:
    computed = all(_is_computed(node, index) for index in range(len(node.inputs)))
    return computed and node.attributes["axis"].as_int() % _rank(node.outputs[0]) != 0


def _flatten(node: onnx_ir.Node) -> bool:
    axis = node.attributes.get("axis")
    return axis is None or axis.as_int() == 1


def _reshape(node: onnx_ir.Node) -> bool:
    """Elements keep their order, so that each sample's stay together; the sizes of all axes but 0 give that one."""
    shape = node.outputs[0].shape
    return not _is_computed(node, 1) and shape is not None and 0 not in shape.numpy()


def _listed_axes(position: int) -> Callable[[onnx_ir.Node], bool]:
    """Axes as a constant operand (or attribute), none of which is axis 0."""

    def allows(node: onnx_ir.Node) -> bool:
        axes = _constant(node, position)
        if axes is None or axes.size == 0:
            return False
        rank = max(_rank(node.inputs[0]), _rank(node.outputs[0]))
        return bool(((axes % rank) != 0).all())

    return allows


def _pad(node: onnx_ir.Node) -> bool:
    pads, rank = _constant(node, 1), _rank(node.outputs[0])
    stated = len(node.inputs) < 4 or node.inputs[3] is None
    return stated and pads is not None and pads.size == 2 * rank and pads[0] == 0 and pads[rank] == 0


def _resize(node: onnx_ir.Node) -> bool:
    """By factors; sizes would state the number of samples."""
    scales = _constant(node, 2)
    return scales is not None and scales.size == _rank(node.outputs[0]) and scales[0] == 1


def _normalization(node: onnx_ir.Node) -> bool:
    """Rows that begin behind axis 0."""
    if node.op_type not in {"LayerNormalization", "LpNormalization"}:
        return True
    axis, rank = node.attributes.get("axis"), _rank(node.outputs[0])
    return (-1 if axis is None else axis.as_int()) % rank != 0


def _softmax(node: onnx_ir.Node) -> bool:
    axis, rank = node.attributes.get("axis"), _rank(node.outputs[0])
    return (-1 if axis is None else axis.as_int()) % rank != 0


def _arg(node: onnx_ir.Node) -> bool:
    """A search along another axis than the samples'."""
    axis = node.attributes.get("axis")
    return (0 if axis is None else axis.as_int()) % _rank(node.inputs[0]) != 0


def _transpose(node: onnx_ir.Node) -> bool:
    perm = node.attributes.get("perm")
    return perm is not None and perm.as_ints()[0] == 0


def _rank(value: onnx_ir.Value | None) -> int:
    return 0 if value is None or value.shape is None else len(value.shape)


def _first(value: onnx_ir.Value | None) -> int:
    """The size of axis 0 for one sample; values have static shapes."""
    return -1 if value is None or value.shape is None else int(value.shape.numpy()[0])


def _is_computed(node: onnx_ir.Node, index: int) -> bool:
    value = node.inputs[index] if index < len(node.inputs) else None
    return value is not None and value.const_value is None


def _constant(node: onnx_ir.Node, index: int) -> Array | None:
    value = node.inputs[index] if index < len(node.inputs) else None
    return None if value is None or value.const_value is None else np.asarray(value.const_value.numpy())


def _const_rank(node: onnx_ir.Node, index: int) -> int:
    value = _constant(node, index)
    return -1 if value is None else value.ndim


# By operator, else by family of the operator table.
_RULES: Final[Mapping[str, Callable[[onnx_ir.Node], bool]]] = {
    "Concat": _concat,
    "Conv": _layer,
    "Flatten": _flatten,
    "Gemm": _layer,
    "Identity": _always,
    "MatMul": _matmul,
    "Pad": _pad,
    "ReduceMean": _listed_axes(1),
    "Reshape": _reshape,
    "Resize": _resize,
    "Slice": _listed_axes(3),
    "Softmax": _softmax,
    "Squeeze": _listed_axes(1),
    "Transpose": _transpose,
    "Unsqueeze": _listed_axes(1),
    "arithmetic": _elementwise,
    "elementwise": _elementwise,
    "integer": _elementwise,
    "logic": _elementwise,
    "lookup": _always,
    "normalize": _normalization,
    "pool": _always,
    "reduce": _listed_axes(1),
    "select": _arg,
    "spectrum": _always,
}
