"""Which values of a normalized float model are quantized, and which of them must share one scale.

All of it follows from the operator table: which inputs of an ONNX operator carry activations, whether its output has a
scale of its own, that of its inputs, or a fixed one. Values that must share are joined by union-find.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from edgeq.errors import EdgeqError, Problem, did_you_mean
from edgeq.ir import DType, Quantization
from edgeq.numerics.scaling import INT16_MODES, SCALINGS
from edgeq.onnxio.forms import form_of, is_plain, passes_float, stays_float
from edgeq.onnxio.qdq_form import REQUANTIZE, fused_activation, mask_of
from edgeq.onnxio.states import states_of
from edgeq.ops import FIXED_INT16, OnnxForm, ScaleRule, onnx_forms
from edgeq.quant.parameters import Headroom, measure_headroom, weight_peaks

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.numerics.array import Array
    from edgeq.onnxio.qdq_form import QdqPlan

Operand = tuple[str, int]

INPUTS: Final = "input"
"""Beside patterns of names, the word for all inputs of the model."""


@dataclass(frozen=True, eq=False)
class Layer:
    """A multiply-accumulate operator: ``x`` and ``y`` name its quantized input and output (behind the activation)."""

    node: onnx_ir.Node
    form: OnnxForm
    weight_index: int
    bias_index: int
    x: str
    y: str

    @cached_property
    def weight_peaks(self) -> Array:
        """max|w| of each output channel, float64."""
        weight = self.node.inputs[self.weight_index]
        assert weight is not None  # specify has looked
        assert weight.const_value is not None
        return weight_peaks(np.asarray(weight.const_value.numpy()), self.form.weight_axis)


@dataclass(frozen=True, eq=False)
class Specification:
    """What to quantize.

    Attributes:
        groups: values that share one scale, in graph order; every quantized value is in exactly one group.
        fixed: parameters that an operator prescribes, by value name; a group has at most one kind.
        operands: (node name, input index) of a constant operand → the constant, and the group whose scale it must
            have, or None where it has its own.
        axes: by constant operand that is a weight beside activations, the axis along which it has scales.
        layers: every operator with a weight, in graph order.
        sources: values whose range is not taken over from other values: model inputs that are no states, and what is
            computed anew.
        dtypes: by group, the type of its integers.
        operand_dtypes: by constant operand, the type of its integers.
        clipped: values and constant operands whose range does not count: whatever reads them saturates at the range of
            the others of their group (``OnnxForm.saturates``).
    """

    groups: tuple[tuple[str, ...], ...]
    fixed: dict[str, Quantization]
    operands: dict[Operand, tuple[onnx_ir.Value, int | None]]
    axes: dict[Operand, int]
    layers: tuple[Layer, ...]
    sources: frozenset[str]
    dtypes: tuple[DType, ...]
    operand_dtypes: dict[Operand, DType]
    clipped: frozenset[str | Operand]

    @cached_property
    def group_of(self) -> dict[str, int]:
        """By value name, the index of its group."""
        return {name: index for index, group in enumerate(self.groups) for name in group}

    @property
    def names(self) -> list[str]:
        """Every quantized activation, in graph order within its group."""
        return [name for group in self.groups for name in group]


@dataclass(frozen=True, eq=False)
class QuantizedNode:
    """What quantization sees of an operator.

    Attributes:
        node: the operator.
        form: its facts.
        rule: how the scale of its outputs comes about in the mode in effect.
        outputs: its quantized results, behind the activation that it absorbs.
        computed: the activations that it reads.
        constants: the constants among its activation operands, by position.
    """

    node: onnx_ir.Node
    form: OnnxForm
    rule: ScaleRule
    outputs: tuple[onnx_ir.Value, ...]
    computed: tuple[onnx_ir.Value, ...]
    constants: tuple[tuple[int, onnx_ir.Value], ...]

    @property
    def matrices(self) -> dict[Operand, tuple[onnx_ir.Value, int]]:
        """The weights beside its activations, each with the axis along which it has scales."""
        given = {
            (str(self.node.name), index): (self.node.inputs[index], axis) for index, axis in self.form.matrices.items()
        }
        return {key: (value, axis) for key, (value, axis) in given.items() if value is not None}

    @property
    def states(self) -> list[onnx_ir.Value]:
        """What the operator carries from one run to the next: results, and the activations that they come back by."""
        results = [self.node.outputs[index] for index in self.form.wide if index < len(self.node.outputs)]
        return [*(value for value in results if value in self.outputs), *(self.computed[1:] if self.form.wide else ())]

    @property
    def adds_values(self) -> bool:
        """Whether its result holds values that are in no computed operand."""
        index = self.form.fill
        fill = self.node.inputs[index] if index is not None and index < len(self.node.inputs) else None
        if fill is None:
            return bool(self.constants)
        return fill.const_value is None or bool(fill.const_value.numpy().any())


def quantized_nodes(model: onnx_ir.Model, mode: str, kept: Collection[str] = ()) -> Iterator[QuantizedNode]:
    """Every operator that gives a quantized value, in graph order; args as :func:`specify`."""
    forms = {name: form for name, (_, form) in onnx_forms().items()} | {REQUANTIZE: OnnxForm(REQUANTIZE)}
    _require_forms(model, forms)
    absorbed = {
        id(node): reader
        for node in model.graph
        if (reader := fused_activation(node)) is not None and node.outputs[0].name not in kept
    }
    followed = {id(reader) for reader in absorbed.values()}
    masks = {id(node): mask for node in model.graph if (mask := mask_of(node)) is not None}
    masks = {key: mask for key, mask in masks.items() if mask.outputs[0].name not in kept}
    passed = followed | {id(mask) for mask in masks.values()}
    for node in model.graph:
        if id(node) in passed:
            continue
        known = None if node.op_type == REQUANTIZE else form_of(node)
        form = forms[node.op_type] if known is None else known[1]
        rule = form.scale_rule(SCALINGS[mode])
        outputs = tuple(value for value in absorbed.get(id(node), node).outputs if value.name and _is_quantized(value))
        computed, constants = _split_inputs(node, form)
        mask = masks.get(id(node))
        if mask is not None and mask.inputs[1] is not None:
            computed = (mask.inputs[1],)
        yield QuantizedNode(node, form, rule, outputs, computed, constants)


def fixed_states(model: onnx_ir.Model, mode: str, kept: Collection[str] = ()) -> dict[str, Quantization]:
    """By state input, the parameters that an operator prescribes for the output that carries it on.

    Args as :func:`specify`.
    """
    found: dict[str, Quantization] = {}
    while states_of(model):
        fixed = dict(found)
        for node in quantized_nodes(model, mode, kept):
            kinds = {fixed.get(str(value.name)) for value in node.computed}
            (kind,) = kinds if len(kinds) == 1 and not node.adds_values else (None,)
            prescribed = {"fixed": node.form.fixed, "same": kind, "own": None}[node.rule]
            if prescribed is not None:
                fixed.update({str(value.name): prescribed for value in node.outputs})
        carried = {state.input: fixed[state.output] for state in states_of(model) if state.output in fixed}
        if carried == found:
            break
        found = carried  # what an output passes on of another state is known one round later
    return found


def specify(model: onnx_ir.Model, mode: str, kept: Collection[str] = (), int16: Collection[str] = ()) -> Specification:
    """Read the specification off a model.

    An input of fixed scale that meets others (Concat) stays apart: lowering changes its scale at the joint. Both sides
    of a state share one scale. A group is int16 where one of its values is asked for in int16.

    Args:
        model: normalized float model.
        mode: the arithmetic, ``edgeq.numerics.scaling``; some share scales in more operators.
        kept: names of values whose quantization is decided already: one between an operator and the activation behind
            it is rounded there, and so the activation is an operator of its own.
        int16: patterns of the names of values that shall be int16, as in ``fnmatch``; :data:`INPUTS` for all inputs.

    Raises:
        EdgeqError: EQ0179 a pattern that no value has; EQ0330 operators without an integer form, all of them; EQ0331 a
            weight that is computed.
    """
    sharing = _Sharing()
    states = states_of(model)
    sharing.fixed.update(fixed_states(model, mode, kept))
    operands: dict[Operand, tuple[onnx_ir.Value, str | None]] = {}
    neighbours: dict[str, list[str]] = {}
    axes: dict[Operand, int] = {}
    always_wide: set[str] = set()
    made_from: dict[str, list[str]] = {}
    spectral: list[str] = []
    layers: list[Layer] = []
    sources: set[str] = set()
    for value in model.graph.inputs:
        if not value.is_initializer() and _is_quantized(value):
            sharing.add(str(value.name))
            sources.add(str(value.name))
    sources -= {state.input for state in states}
    for found in quantized_nodes(model, mode, kept):
        node, form = found.node, found.form
        outputs = [str(value.name) for value in found.outputs]
        inputs = [str(value.name) for value in found.computed]
        neighbours[str(node.name)] = [*inputs, *outputs]
        made_from |= dict.fromkeys(outputs, inputs)
        spectral += inputs if form.wide_operands and mode in INT16_MODES else []
        for name in outputs:
            sharing.add(name)
        if found.rule != "same":
            sources.update(outputs)
        if found.rule == "fixed" and form.fixed is not None:
            sharing.fixed.update(dict.fromkeys(outputs, form.fixed))
        elif found.rule == "same" and outputs:
            sharing.join(outputs, inputs, free=found.adds_values)
        for index, value in found.constants:
            operands[str(node.name), index] = (value, outputs[0] if found.rule == "same" and outputs else None)
        operands |= {key: (value, None) for key, (value, _) in found.matrices.items()}
        axes |= {key: axis for key, (_, axis) in found.matrices.items()}
        always_wide |= {str(value.name) for value in (*found.states, *_compared(found, mode))}
        if form.weight is not None:
            layers.append(_layer(node, form, inputs, outputs))
    for state in states:
        if {state.input, state.output} <= sharing.parent.keys():
            sharing.join([state.input], [state.output], free=False)
    groups = sharing.groups()
    number = {name: index for index, group in enumerate(groups) for name in group}
    placed = {key: (value, None if name is None else number[name]) for key, (value, name) in operands.items()}
    fed = number.keys() - {state.input for state in states}
    given = [str(value.name) for value in model.graph.inputs if str(value.name) in fed]
    prescribed = {*always_wide, *_with_sources(spectral, made_from)}
    wide = {number[name] for name in (*_matching(int16, [*number], given), *sorted(prescribed))}
    dtypes = tuple(DType.INT16 if index in wide else DType.INT8 for index in range(len(groups)))
    fixed = {name: FIXED_INT16 if number[name] in wide else params for name, params in sharing.fixed.items()}
    operand_dtypes = {
        key: DType.INT16 if wide.intersection(number[name] for name in neighbours[key[0]]) else DType.INT8
        for key in placed
    }
    clipped = _clipped(
        list(quantized_nodes(model, mode, kept)), number, {str(value.name) for value in model.graph.outputs}
    )
    return Specification(
        groups, fixed, placed, axes, tuple(layers), frozenset(sources), dtypes, operand_dtypes, clipped
    )


def _compared(found: QuantizedNode, mode: str) -> tuple[onnx_ir.Value, ...]:
    """The values that are int16 whatever the scheme, where the arithmetic mixes types (``OnnxForm.fine``)."""
    return (*found.computed, *found.outputs) if found.form.fine and SCALINGS[mode].mixes_types else ()


def _clipped(
    nodes: Sequence[QuantizedNode], group: Mapping[str, int], results: Collection[str]
) -> frozenset[str | Operand]:
    """``Specification.clipped``, from the last node back: what passes a clipped value on clips its operands."""
    clipped: set[str | Operand] = set()
    counted = set(results)
    for found in reversed(nodes):
        outputs = [str(value.name) for value in found.outputs]
        passes = found.rule == "same" and bool(outputs)
        clips = passes and (found.form.saturates or (clipped - counted).issuperset(outputs))
        for value in found.computed:
            shares = clips and group[str(value.name)] == group[outputs[0]]
            (clipped if shares else counted).add(str(value.name))
        if found.form.saturates:
            clipped.update((str(found.node.name), index) for index, _ in found.constants)
    return frozenset(clipped - counted)


def _with_sources(names: Iterable[str], made_from: Mapping[str, Sequence[str]]) -> set[str]:
    """Values, what they are computed from, and so on up to the inputs of the model.

    Of results that an operator wants in int16, the operands of that operator are no more than what is in them.
    """
    found: set[str] = set()
    pending = [*names]
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += made_from.get(name, ())
    return found


_ALL: Final = "*"


def _matching(patterns: Iterable[str], names: Collection[str], inputs: Collection[str]) -> set[str]:
    """The names that patterns stand for.

    Raises:
        EdgeqError: EQ0179.
    """
    chosen: set[str] = set()
    problems = []
    for pattern in patterns:
        # Brackets, which many names have, mean something in a pattern.
        found = {name for name in names if name == pattern or fnmatchcase(name, pattern)}
        found |= {*inputs} if pattern == INPUTS else set()
        chosen |= found
        if not found and (names or pattern != _ALL):  # all of none is what a model of integers has
            near = did_you_mean(pattern, names)
            hint = f"{near} " * (near is not None) + f"`{INPUTS}` stands for all inputs, `*` for any letters"
            allowed = f"a quantized tensor of the model, such as {', '.join([*dict.fromkeys([*inputs, *names])][:4])}"
            problems.append(Problem("EQ0179", "the model has no such tensor", "--int16", pattern, allowed, hint))
    if problems:
        raise EdgeqError.of(problems)
    return chosen


def headroom_of(layer: Layer, plan: QdqPlan) -> Headroom:
    """The accumulator's headroom of a layer under a plan."""
    name = str(layer.node.name)
    weight, bias = plan.constants[name, layer.weight_index], plan.constants[name, layer.bias_index]
    return measure_headroom(weight, bias, plan.activations[layer.x], plan.activations[layer.y].scale[0])


def array_of(value: onnx_ir.Value) -> Array:
    """The array of a constant."""
    assert value.const_value is not None  # the specification lists constants only
    return np.asarray(value.const_value.numpy())


class _Sharing:
    """Union-find over value names; the root of a group is its first member in graph order."""

    def __init__(self) -> None:
        self.parent: dict[str, str] = {}
        self.order: dict[str, int] = {}
        self.fixed: dict[str, Quantization] = {}

    def add(self, name: str) -> None:
        self.parent.setdefault(name, name)
        self.order.setdefault(name, len(self.order))

    def root(self, name: str) -> str:
        while self.parent[name] != name:
            self.parent[name] = self.parent[self.parent[name]]
            name = self.parent[name]
        return name

    def join(self, outputs: Iterable[str], inputs: Iterable[str], *, free: bool) -> None:
        """Outputs and inputs share one scale, but for inputs of fixed scale where the inputs disagree on it.

        ``free`` says that there are constant operands too, whose range is their own.
        """
        roots = list(dict.fromkeys(self.root(name) for name in inputs))
        kinds = {self.fixed.get(root) for root in roots} | ({None} if free else set())
        if len(kinds) > 1:
            roots = [root for root in roots if root not in self.fixed]
        members = list(dict.fromkeys([*roots, *(self.root(name) for name in outputs)]))
        # Roots keep graph order, because a fixed scale is noted under the root.
        first = min(members, key=self.order.__getitem__)
        for member in members:
            self.parent[member] = first

    def groups(self) -> tuple[tuple[str, ...], ...]:
        found: dict[str, list[str]] = {}
        for name in self.parent:
            found.setdefault(self.root(name), []).append(name)
        return tuple(tuple(group) for group in found.values())


def _require_forms(model: onnx_ir.Model, forms: Mapping[str, OnnxForm]) -> None:
    problems = [
        Problem(
            "EQ0330",
            f"{node.op_type} has no integer form",
            where=f"node {node.name}",
            got=f"{node.domain}.{node.op_type}" if node.domain else node.op_type,
            hint="`edgeq ops` lists what has one",
        )
        for node in model.graph
        if form_of(node) is None and (node.domain not in {"", "ai.onnx"} or node.op_type not in forms)
    ]
    if problems:
        raise EdgeqError.of(problems)


def _is_quantized(value: onnx_ir.Value) -> bool:
    """Whether a value is to be quantized: integers, truth values and what is in software float stay what they are."""
    return not is_plain(value) and not passes_float(value)


def _split_inputs(
    node: onnx_ir.Node, form: OnnxForm
) -> tuple[tuple[onnx_ir.Value, ...], tuple[tuple[int, onnx_ir.Value], ...]]:
    """The computed activations of a node, and its constant ones by position."""
    computed: list[onnx_ir.Value] = []
    constant: list[tuple[int, onnx_ir.Value]] = []
    for index in range(len(node.inputs)) if form.activations is None else form.activations:
        value = node.inputs[index] if index < len(node.inputs) else None
        if value is None or is_plain(value) or (form.floats and _is_in_float(value)):
            continue
        if value.const_value is not None:
            constant.append((index, value))
        else:
            computed.append(value)
    return tuple(computed), tuple(constant)


def _is_in_float(value: onnx_ir.Value) -> bool:
    """Whether a node in software float reads a value as it is: a constant, or what another such node gives."""
    return value.const_value is not None or stays_float(value.producer())


def _layer(node: onnx_ir.Node, form: OnnxForm, inputs: list[str], outputs: list[str]) -> Layer:
    indices = [index for index in (form.weight, form.bias) if index is not None]
    for index in indices:
        value = node.inputs[index] if index < len(node.inputs) else None
        if value is None or value.const_value is None:
            raise EdgeqError(
                "EQ0331",
                f"input {index} of a {node.op_type} is not a constant",
                where=f"node {node.name}",
                got="absent" if value is None else f"computed value {value.name}",
                allowed="weights and biases as initializers",
            )
    # Every operator of the table that has a weight has a bias.
    return Layer(node, form, indices[0], indices[-1], inputs[0], outputs[0])
