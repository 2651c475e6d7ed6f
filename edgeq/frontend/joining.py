"""Features in front of a model: two ONNX models become one, whose input is the signal.

The results of the first feed inputs of the second, by name, or the one result the one input. Shapes must agree: what
stands between, a Transpose or a Reshape, is written into the features.
"""

from __future__ import annotations

from collections.abc import Iterable

import onnx_ir as ir

from edgeq.errors import EdgeqError, Problem
from edgeq.frontend.edit import fresh
from edgeq.frontend.shapes import infer_shapes
from edgeq.frontend.version import convert_to_working_opset
from edgeq.ir import State
from edgeq.onnxio.limits import shown
from edgeq.onnxio.states import set_states, states_of

_WHERE = "--features"


def join_features(features: ir.Model, model: ir.Model) -> ir.Model:
    """The model behind the features; neither is changed.

    Args:
        features: as read.
        model: as read, float or quantized.

    Returns:
        A model in opset 21 with the features' inputs in place of those that they feed.

    Raises:
        EdgeqError: EQ0238 a result of the features feeds no input, EQ0239 one that it does not fit; EQ0216 to EQ0218
            one of them cannot be brought to opset 21.
    """
    front, work = convert_to_working_opset(features), convert_to_working_opset(model)
    infer_shapes(front, forget=False)
    pairs = _pairs(front, work)
    problems = [problem for made, read in pairs for problem in _misfits(made, read)]
    if problems:
        raise EdgeqError.of(problems)
    values = {str(value.name): value for value in (*front.graph.inputs, *front.graph.outputs)}
    carried = [(values[state.input], values[state.output]) for state in states_of(front)]
    _release_names(front, work, {str(read.name) for _, read in pairs})
    _move(front, work)
    for made, read in pairs:
        read.replace_all_uses_with(made, replace_graph_outputs=True)
    fed = {read for _, read in pairs}
    inputs = list(front.graph.inputs)
    front.graph.inputs.clear()
    work.graph.inputs[:] = [*inputs, *(value for value in work.graph.inputs if value not in fed)]
    work.graph.outputs.extend(output for _, output in carried)
    before = [State(str(given.name), str(output.name)) for given, output in carried]
    set_states(work, [*before, *states_of(work)])
    return work


def _given(model: ir.Model) -> list[ir.Value]:
    """The inputs that the application gives: no initializers, no states."""
    states = {state.input for state in states_of(model)}
    return [value for value in model.graph.inputs if not value.is_initializer() and value.name not in states]


def _pairs(front: ir.Model, work: ir.Model) -> list[tuple[ir.Value, ir.Value]]:
    """Each result of the features with the input that it feeds."""
    states = {state.output for state in states_of(front)}
    results = [value for value in front.graph.outputs if value.name not in states]
    inputs = _given(work)
    by_name = {value.name: value for value in inputs}
    if len(results) == len(inputs) == 1 and results[0].name not in by_name:
        return [(results[0], inputs[0])]
    pairs = [(value, by_name[value.name]) for value in results if value.name in by_name]
    if not pairs or len(pairs) < len(results):
        raise EdgeqError(
            "EQ0238",
            "the features do not say which input of the model they feed",
            where=_WHERE,
            got=f"results {_listed(results)}",
            allowed=f"names of the model's inputs: {_listed(inputs)}; or one result, and a model with one input",
            hint="name the features' results after the inputs: `edgeq features KIND --result NAME`",
        )
    return pairs


def _misfits(made: ir.Value, read: ir.Value) -> Iterable[Problem]:
    got, wanted = _dims(made), _dims(read)
    fits = wanted is None or (
        got is not None
        and len(got) == len(wanted)
        and all(not isinstance(size, int) or size == have for have, size in zip(got, wanted, strict=True))
    )
    if not fits:
        yield Problem(
            "EQ0239",
            "the features have another shape than the input that they feed",
            where=f"{_WHERE}, result {shown(made.name or '?')}, input {shown(read.name or '?')}",
            got="unknown" if got is None else _text(got),
            allowed=_text(wanted or ()),
            hint="`edgeq features KIND --shape N,N,N` reshapes, --bands-first transposes; or change what they compute",
        )
    if made.dtype is not None and read.dtype not in (None, made.dtype):
        yield Problem(
            "EQ0239",
            "the features have another type than the input that they feed",
            where=f"{_WHERE}, result {shown(made.name or '?')}, input {shown(read.name or '?')}",
            got=made.dtype.name,
            allowed=str(read.dtype and read.dtype.name),
            hint="put a Cast behind the features",
        )


def _dims(value: ir.Value) -> list[int | str] | None:
    if value.shape is None:
        return None
    return [dim if isinstance(dim, int) else str(dim.value or "?") for dim in value.shape]


def _text(dims: Iterable[int | str]) -> str:
    return f"[{', '.join(map(str, dims))}]"


def _listed(values: Iterable[ir.Value]) -> str:
    return ", ".join(shown(value.name or "?") for value in values) or "none"


def _release_names(front: ir.Model, work: ir.Model, fed: set[str]) -> None:
    """Names in the features that the model has, too, get another one; those of inputs that are fed are free."""
    values = {str(value.name) for value in work.graph.inputs} | set(work.graph.initializers)
    nodes = set()
    for node in work.graph.all_nodes():
        values |= {str(value.name) for value in node.outputs}
        nodes.add(node.name or "")
    free = fed - {str(value.name) for value in front.graph.outputs}
    values -= free
    renamed = [*front.graph.inputs, *(value for node in front.graph.all_nodes() for value in node.outputs)]
    taken = values | {str(value.name) for value in renamed}
    for value in renamed:
        if value.name in values:
            value.name = fresh(f"features_{value.name}", taken)
    for name, value in list(front.graph.initializers.items()):
        if name in values:
            front.graph.initializers.pop(name)
            value.name = fresh(f"features_{name}", taken)
            front.graph.register_initializer(value)
    for node in front.graph.all_nodes():
        if node.name and node.name in nodes:
            node.name = fresh(f"features_{node.name}", nodes)


def _move(front: ir.Model, work: ir.Model) -> None:
    """Nodes and constants of the features, in front of the model's."""
    front.graph.outputs.clear()
    nodes = list(front.graph)
    for node in nodes:
        front.graph.remove(node)
    first = next(iter(work.graph), None)
    if first is None:
        work.graph.extend(nodes)
    else:
        work.graph.insert_before(first, nodes)
    for value in list(front.graph.initializers.values()):
        front.graph.initializers.pop(str(value.name))
        work.graph.register_initializer(value)
