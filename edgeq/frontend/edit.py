"""Editing one ONNX graph: constants, new nodes with derived names and known shapes, replacing values.

The rules of :mod:`edgeq.frontend.rules` are written with these few verbs, so that what every rule owes — unique names
derived from the model's own, static shapes, a graph in topological order, output names unchanged — is written once.
onnxscript's pattern language was not taken: its new values are numbered, and most rules here look at shapes and
constants more than at patterns.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from edgeq import budget
from edgeq.errors import EdgeqError
from edgeq.frontend.facts import Shape, shape_of
from edgeq.ir import Quantization, QuantizedConstant
from edgeq.onnxio.limits import shown
from edgeq.onnxio.reader import one_line

AttributeValue = int | float | str | Sequence[int] | Sequence[float] | Sequence[str]
Rewrite = Callable[[ir.Node, "Edit"], str | None]

log = logging.getLogger("edgeq.frontend")


@dataclass(frozen=True)
class Rule:
    """One rewrite.

    Attributes:
        name: verb_noun, for the debug log.
        roots: the operator types of the node that it starts from.
        rewrite: changes the graph and returns None, or returns why the rule does not apply.
    """

    name: str
    roots: tuple[str, ...]
    rewrite: Rewrite


class Edit:
    """The main graph of a model, open for rewriting.

    The float graph of a quantized model has quantization beside it, which no rule can lose: a value with parameters is
    rounded to them, so it is never merged away between its producer and its reader, no value of other parameters takes
    its place, and its parameters move to the value that supersedes it. Constants keep their integers where they are
    moved, cut or multiplied.

    Attributes:
        params: value → the quantization parameters to which it is rounded; empty for a float model.
        integers: initializer of real values → the integers that they stand for; empty for a float model.
    """

    def __init__(self, model: ir.Model) -> None:
        self.params: dict[ir.Value, Quantization] = {}
        self.integers: dict[ir.Value, QuantizedConstant] = {}
        self.model = model
        self.graph = model.graph
        self._values: set[str] = set()
        self._nodes: set[str] = set()
        self._anchor: ir.Node | None = None
        for graph in model.graphs():
            self._values.update(v.name for v in graph.inputs if v.name)
            self._values.update(graph.initializers)
            for node in graph:
                self._nodes.add(node.name or "")
                self._values.update(v.name for v in node.outputs if v.name)

    # --- names -------------------------------------------------------------------------------------------------

    def fresh_value(self, base: str) -> str:
        """A value name that is not taken: ``base``, or that with a number from 2 on behind it."""
        return fresh(base, self._values)

    def fresh_node(self, base: str) -> str:
        """A node name that is not taken."""
        return fresh(base, self._nodes)

    def rename(self, value: ir.Value, name: str) -> None:
        """Give a value a name that was released before or is its own."""
        if value.name and value.name != name:
            self._values.discard(value.name)
        self._values.add(name)
        value.name = name

    # --- reading -----------------------------------------------------------------------------------------------

    @staticmethod
    def array(value: ir.Value | None) -> np.ndarray | None:
        """The constant array of a value, or None where it is computed, an input or absent."""
        if value is None or not value.is_initializer() or value.is_graph_input() or value.const_value is None:
            return None
        return np.asarray(value.const_value.numpy())

    @staticmethod
    def is_computed(value: ir.Value | None) -> bool:
        """True for a value that depends on the model's inputs."""
        return value is not None and not value.is_initializer()

    def only_user(self, value: ir.Value) -> ir.Node | None:
        """The one node that reads the value, once, in the main graph.

        None when there are others, or when the value is an output or rounded.
        """
        uses = list(value.uses())
        if value in self.params or value.is_graph_output() or len(uses) != 1:
            return None
        user = uses[0].node
        return user if user.graph is self.graph else None

    # --- writing -----------------------------------------------------------------------------------------------

    def before(self, node: ir.Node) -> None:
        """New nodes go before this one from now on."""
        self._anchor = node

    def constant(self, array: np.ndarray, base: str) -> ir.Value:
        """A new initializer."""
        name = self.fresh_value(base)
        array = np.array(array, order="C")
        value = ir.Value(
            name=name,
            type=ir.TensorType(ir.DataType.from_numpy(array.dtype)),
            shape=ir.Shape(array.shape),
            const_value=ir.Tensor(array, name=name),
        )
        self.graph.register_initializer(value)
        return value

    def part(self, value: ir.Value, cut: Callable[[np.ndarray], np.ndarray], base: str) -> ir.Value:
        """A new initializer that holds a part of a constant; scales stay with it where their axis is whole in the part.

        Args:
            value: the constant.
            cut: takes the part from an array of the constant's shape; it may drop axes from the first on.
            base: the wanted name.
        """
        array, integers = self.array(value), self.integers.get(value)
        assert array is not None
        kept = cut(array)
        made = self.constant(kept, base)
        if integers is not None:
            axis = None if integers.axis is None else integers.axis - (array.ndim - kept.ndim)
            params = replace(integers.quantization, axis=axis)
            if axis is None or (axis >= 0 and params.fits(kept.shape)):
                self.integers[made] = QuantizedConstant(cut(integers.values), params)
        return made

    def reshaped(self, value: ir.Value, shape: Shape, base: str) -> ir.Value:
        """A constant in another shape; itself where it has that shape already."""
        array, integers = self.array(value), self.integers.get(value)
        assert array is not None
        if array.shape == shape:
            return value
        return self._carried(array.reshape(shape), None if integers is None else integers.reshaped(shape), base)

    def transposed(self, value: ir.Value, perm: Sequence[int], base: str) -> ir.Value:
        """A constant with its axes reordered."""
        array, integers = self.array(value), self.integers.get(value)
        assert array is not None
        return self._carried(array.transpose(perm), None if integers is None else integers.transposed(perm), base)

    def scaled(self, value: ir.Value, factor: np.ndarray | float, base: str) -> ir.Value:
        """A constant times a factor, float64, rounded once: one number, or one for each index of the first axis.

        The integers stay as they are; their scales are multiplied.
        """
        array, integers, factor = self.array(value), self.integers.get(value), np.asarray(factor, np.float64)
        assert array is not None
        with np.errstate(over="ignore"):  # the support check refuses infinity
            product = array.astype(np.float64) * factor.reshape(factor.shape + (1,) * (array.ndim - factor.ndim))
            real = product.astype(array.dtype)
        return self._carried(real, None if integers is None else integers.scaled(factor), base)

    def rearranged(self, value: ir.Value, move: Callable[[np.ndarray], np.ndarray], base: str) -> ir.Value:
        """A constant with its elements elsewhere, or a part of them; scales per channel go along the first axis.

        Args:
            value: the constant.
            move: takes the elements from an array of the constant's shape to their places.
            base: the wanted name.
        """
        array, integers = self.array(value), self.integers.get(value)
        assert array is not None
        moved = None if integers is None else _rearranged(integers, move)
        return self._carried(move(array), moved, base)

    def _carried(self, array: np.ndarray, integers: QuantizedConstant | None, base: str) -> ir.Value:
        made = self.constant(array, base)
        if integers is not None:
            self.integers[made] = integers
        return made

    def node(
        self,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        attributes: Mapping[str, AttributeValue] | None = None,
        *,
        base: str,
        shape: Shape,
        dtype: ir.DataType | None = None,
        domain: str = "",
    ) -> ir.Value:
        """A new node before the current one; its output is called ``base`` or a name derived from it.

        Args:
            op_type: of the default domain, opset 21, or of ``domain``.
            inputs: its operands.
            attributes: its attributes.
            base: the wanted name of the output and, where it is free, of the node.
            shape: static shape of the output.
            dtype: of the output; the first operand's when absent.
            domain: of the operator.
        """
        assert self._anchor is not None
        if dtype is None:
            first = next(value for value in inputs if value is not None)
            dtype = first.dtype
        output = ir.Value(
            name=self.fresh_value(base),
            type=None if dtype is None else ir.TensorType(dtype),
            shape=ir.Shape(shape),
        )
        node = ir.Node(
            domain,
            op_type,
            inputs=list(inputs),
            attributes=[attribute(name, value) for name, value in sorted((attributes or {}).items())],
            outputs=[output],
            name=self.fresh_node(base),
        )
        self.graph.insert_before(self._anchor, node)
        return output

    def results(
        self,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        attributes: Mapping[str, AttributeValue],
        *,
        outputs: Sequence[tuple[str, Shape] | None],
        like: ir.Node,
    ) -> list[ir.Value]:
        """A new node of several results before the current one, each of the type of the first operand.

        Args:
            op_type: of the default domain, opset 21.
            inputs: its operands.
            attributes: its attributes.
            outputs: the wanted name and static shape of each result, None for one that nobody reads.
            like: the node in whose place it comes; it lends its name.
        """
        assert self._anchor is not None
        first = inputs[0]
        assert first is not None
        kind = None if first.dtype is None else ir.TensorType(first.dtype)
        values = [
            ir.Value(name="")
            if wanted is None
            else ir.Value(name=self.fresh_value(wanted[0]), type=kind, shape=ir.Shape(wanted[1]))
            for wanted in outputs
        ]
        stated = [attribute(name, value) for name, value in sorted(attributes.items())]
        name = self.fresh_node(like.name or op_type)
        self.graph.insert_before(self._anchor, ir.Node("", op_type, inputs, stated, outputs=values, name=name))
        return values

    def reshape(self, value: ir.Value, shape: Shape, *, base: str) -> ir.Value:
        """A Reshape with a constant, full target shape."""
        target = self.constant(np.array(shape, dtype=np.int64), f"{base}_shape")
        return self.node("Reshape", [value, target], base=base, shape=shape)

    def transpose(self, value: ir.Value, perm: Sequence[int], *, base: str) -> ir.Value:
        """A Transpose."""
        shape = shape_of(value)
        return self.node(
            "Transpose", [value], {"perm": list(perm)}, base=base, shape=tuple(shape[axis] for axis in perm)
        )

    def can_alias(self, old: ir.Value, new: ir.Value) -> bool:
        """Whether :meth:`replace` may put an already existing value in the place of another.

        A graph output must be a value of its own, made by a node of the main graph. A rounded value gives way only to
        one that is rounded to the same parameters.
        """
        if self.params.get(old) not in {None, self.params.get(new)}:
            return False
        if not old.is_graph_output():
            return True
        producer = new.producer()
        return producer is not None and producer.graph is self.graph and not new.is_graph_output()

    def replace(self, old: ir.Value, new: ir.Value) -> None:
        """Read ``new`` wherever ``old`` was read, and remove the node of ``old`` if nothing else needs it.

        A value made for the purpose takes over the name; an existing one takes it only to keep an output's name.
        """
        producer = old.producer()
        assert producer is not None
        params = self.params.pop(old, None)
        if params is not None:
            self.params.setdefault(new, params)
        takes_name = old.is_graph_output() or new.meta.get("edgeq.new", False)
        name = old.name
        if new.shape is None:
            new.shape = old.shape
        if new.type is None:
            new.type = old.type
        node_name = producer.name
        old.replace_all_uses_with(new, replace_graph_outputs=True)
        if takes_name and name:
            old.name = None
            self.rename(new, name)
        if not any(o.uses() or o.is_graph_output() for o in producer.outputs):
            self.remove(producer)
            maker = new.producer()
            if takes_name and maker is not None and node_name:
                self._nodes.discard(maker.name or "")
                self._nodes.discard(node_name)
                maker.name = self.fresh_node(node_name)

    def supersede(self, old: ir.Value, new: ir.Value) -> None:
        """:meth:`replace` by the output of a node that was made for it: it inherits both names."""
        new.meta["edgeq.new"] = True
        self.replace(old, new)
        new.meta.pop("edgeq.new", None)

    def hand_over(self, node: ir.Node, inner: ir.Value, outer: ir.Value) -> None:
        """Replace a node by one that does its work, ``inner``, and a Reshape or Transpose behind it, ``outer``.

        The result's name goes to ``outer``, the node's name to the one that does the work.
        """
        name = node.name
        self.supersede(node.outputs[0], outer)
        maker, behind = inner.producer(), outer.producer()
        if maker is not None and behind is not None and name and behind.name == name:
            self._nodes.discard(maker.name or "")
            behind.name = self.fresh_node(f"{name}_{behind.op_type.lower()}")
            maker.name = name

    def name_node(self, node: ir.Node, name: str | None) -> None:
        """Give a node a name that its former owner no longer needs."""
        if name and node.name != name:
            self._nodes.discard(node.name or "")
            self._nodes.add(name)
            node.name = name

    def inherit_name(self, value: ir.Value, old: ir.Value) -> None:
        """Remove an initializer that nobody reads any more and give its name to the one that came in its place."""
        name = old.name
        if name and name in self.graph.initializers and not old.uses() and not old.is_graph_output():
            self.graph.initializers.pop(name)
            self.rename(value, name)

    def remove(self, node: ir.Node) -> None:
        """Remove a node that nobody reads."""
        self._nodes.discard(node.name or "")
        for output in node.outputs:
            if output.name:
                self._values.discard(output.name)
        self.graph.remove(node, safe=True)

    def sweep(self) -> None:
        """Remove nodes and initializers that no output depends on."""
        for node in reversed(list(self.graph)):
            if not any(output.uses() or output.is_graph_output() for output in node.outputs):
                self.remove(node)
        for name in list(self.graph.initializers):
            value = self.graph.initializers[name]
            if not value.uses() and not value.is_graph_output() and not value.is_graph_input():
                self.graph.initializers.pop(name)
                self._values.discard(name)


def _rearranged(integers: QuantizedConstant, move: Callable[[np.ndarray], np.ndarray]) -> QuantizedConstant | None:
    """The integers elsewhere; None where a channel of the result has several scales."""
    params, values = integers.quantization, move(integers.values)
    if params.block is not None:
        return None
    if params.axis is None:
        return QuantizedConstant(values, params)
    shape = [-1 if axis == params.axis else 1 for axis in range(integers.values.ndim)]
    channel = np.broadcast_to(np.arange(len(params.scale)).reshape(shape), integers.values.shape)
    rows = move(channel).reshape(len(values), -1)
    if (rows != rows[:, :1]).any():
        return None
    first = rows[:, 0].tolist()
    zeros = tuple(params.zero_point[index] for index in first) if len(params.zero_point) > 1 else params.zero_point
    scales = tuple(params.scale[index] for index in first)
    return QuantizedConstant(values, replace(params, scale=scales, zero_point=zeros, axis=0))


def fresh(base: str, taken: set[str]) -> str:
    """A name that is not taken, and is from now on: ``base``, or that with a number from 2 on behind it."""
    name, number = base, 1
    while not name or name in taken:
        number += 1
        name = f"{base}_{number}"
    taken.add(name)
    return name


def attribute(name: str, value: AttributeValue) -> ir.Attr:
    """An attribute of the type that its value has."""
    if isinstance(value, bool | int):
        return ir.AttrInt64(name, int(value))
    if isinstance(value, float):
        return ir.AttrFloat32(name, value)
    if isinstance(value, str):
        return ir.AttrString(name, value)
    numbers = [item for item in value if not isinstance(item, str)]
    names = [item for item in value if isinstance(item, str)]
    if names:
        return ir.AttrStrings(name, names)
    if numbers and all(isinstance(item, float) for item in numbers):
        return ir.AttrFloat32s(name, [float(item) for item in numbers])
    return ir.AttrInt64s(name, [int(item) for item in numbers])


def apply_rules(edit: Edit, rules: Sequence[Rule], *, fuel: int | None = None) -> int:
    """Apply rules until none matches, in the order of the graph and then of the list.

    Returns:
        The number of rewrites.

    Raises:
        EdgeqError: EQ0221 the rules do not come to an end.
    """
    limit = 64 * edit.graph.num_nodes() + 4096 if fuel is None else fuel
    total = 0
    reasons: dict[tuple[str, str], str] = {}
    while True:
        budget.tick("normalization")
        changed = _one_sweep(edit, rules, reasons, limit - total)
        edit.sweep()
        total += changed
        if not changed:
            break
        if total >= limit:
            raise EdgeqError("EQ0221", "normalization does not come to an end", got=f"{total} rewrites")
    if log.isEnabledFor(logging.DEBUG):
        for (rule, node), reason in reasons.items():
            log.debug("%s not at %s: %s", rule, node, reason)
    return total


def _one_sweep(edit: Edit, rules: Sequence[Rule], reasons: dict[tuple[str, str], str], fuel: int) -> int:
    """Visit each node once; a node that a rule removed or made is left to the next sweep."""
    changed = 0
    for node in list(edit.graph):
        for rule in rules:
            if changed >= fuel or node.graph is not edit.graph:
                break
            if node.op_type not in rule.roots or node.domain not in ("", "ai.onnx"):
                continue
            label = node.name or ""
            edit.before(node)
            reason = _tried(rule, node, edit)
            if reason is None:
                changed += 1
                log.debug("%s at %s", rule.name, label)
                reasons.pop((rule.name, label), None)
            else:
                reasons[(rule.name, label)] = reason
    return changed


def _tried(rule: Rule, node: ir.Node, edit: Edit) -> str | None:
    """A rule's verdict; operands that contradict each other surface in it as an error of numpy."""
    try:
        with np.errstate(all="ignore"):  # what is not finite is reported by check_support, with its name
            return rule.rewrite(node, edit)
    except (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise EdgeqError(
            "EQ0232",
            "the operands or attributes of a node do not fit together",
            where=f"node {shown(node.name or '?')}",
            got=f"{node.op_type}: {one_line(error)} (rule {rule.name})",
            hint="check the exported model with onnx.checker and in onnxruntime",
        ) from error
