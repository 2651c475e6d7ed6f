"""Reshape and Transpose: one spelling, chains merged, and moved behind elementwise operators.

A chain of the two is a permutation of elements. It is read into atoms — the factors into which the chain cuts its
dimensions — so that any chain comes down to at most Reshape, Transpose, Reshape, and often to nothing. Moving them
behind elementwise operators brings an activation next to the layer that it is fused with, and chains next to each
other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgeq.frontend.edit import (
    Edit,
    Rule,
    Shape,
    ints,
    is_op,
    name_of,
    operand,
    required,
    shape_of,
)

ELEMENTWISE = (
    "Abs", "Ceil", "Clip", "Cos", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Log",
    "Mish", "Neg", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Sin", "Softplus", "Softsign", "Sqrt", "Tanh",
    "ThresholdedRelu", "Celu",
)  # fmt: skip
BINARY = ("Add", "Sub", "Mul", "Div", "Min", "Max", "Pow")
_MAX_SPREAD_CONSTANT = 1 << 20


def use_reshape(node: ir.Node, edit: Edit) -> str | None:
    """Squeeze, Unsqueeze, Flatten and Reshape become a Reshape with a constant full shape."""
    result = node.outputs[0]
    shape = shape_of(result)
    if node.op_type == "Reshape":
        target = edit.array(operand(node, 1))
        plain = target is not None and tuple(int(item) for item in target) == shape
        if plain and not node.attributes.get("allowzero"):
            return "it has a constant full shape"
    if 0 in shape:
        return "the tensor is empty"
    edit.supersede(result, edit.reshape(required(node, 0), shape, base=f"{name_of(result)}_reshape"))
    return None


def state_perm(node: ir.Node, edit: Edit) -> str | None:
    """A Transpose without perm reverses the axes; state it."""
    if "perm" in node.attributes:
        return "perm is stated"
    value, result = required(node, 0), node.outputs[0]
    perm = tuple(reversed(range(len(shape_of(value)))))
    edit.supersede(result, edit.transpose(value, perm, base=f"{name_of(result)}_transpose"))
    return None


# --- chains ----------------------------------------------------------------------------------------------------


@dataclass
class Movement:
    """A permutation of elements: ``atoms`` sizes in input order, ``groups`` the axes now, as lists of atom numbers."""

    atoms: list[int]
    groups: list[list[int]]

    @classmethod
    def of_shape(cls, shape: Shape) -> Movement:
        """Nothing moved yet: one atom an axis."""
        return cls(list(shape), [[axis] for axis in range(len(shape))])

    def transpose(self, perm: Sequence[int]) -> None:
        """Reorder the axes."""
        self.groups = [self.groups[axis] for axis in perm]

    def reshape(self, shape: Shape) -> bool:
        """Regroup the elements, cutting atoms where needed; False when a cut does not divide."""
        queue = [atom for group in self.groups for atom in group]
        groups: list[list[int]] = []
        for dim in shape:
            group: list[int] = []
            need = dim
            while need > 1:
                while self.atoms[queue[0]] == 1:
                    group.append(queue.pop(0))
                atom = queue.pop(0)
                size = self.atoms[atom]
                if need % size == 0:
                    need //= size
                elif size % need == 0:
                    queue.insert(0, self._cut(atom, need, queue, groups, group))
                    need = 1
                else:
                    return False
                group.append(atom)
            groups.append(group)
        if queue and groups:
            groups[-1].extend(queue)  # only atoms of size one are left
        self.groups = groups
        return True

    def _cut(self, atom: int, keep: int, queue: list[int], groups: list[list[int]], group: list[int]) -> int:
        """Split an atom into ``keep`` and the rest, which becomes the next number; returns the rest's number."""
        rest = self.atoms[atom] // keep
        self.atoms[atom] = keep
        self.atoms.insert(atom + 1, rest)
        for listed in (queue, group, *groups):
            listed[:] = [number + 1 if number > atom else number for number in listed]
        return atom + 1

    def order(self) -> list[int]:
        """The atoms larger than one, in output order."""
        return [atom for group in self.groups for atom in group if self.atoms[atom] > 1]


@dataclass(frozen=True)
class Step:
    """One node of a plan: a Reshape to ``shape`` or a Transpose by ``perm``."""

    shape: Shape | None = None
    perm: Shape | None = None


def plan_movement(movement: Movement, source: Shape, target: Shape) -> list[Step]:
    """The shortest list of steps that does a movement."""
    order = movement.order()
    if order == sorted(order):
        return [] if source == target else [Step(shape=target)]
    owners_in = _owners(source, movement.atoms)
    perm = _perm_of_axes(owners_in, order, len(source))
    if perm is not None:
        moved = tuple(source[axis] for axis in perm)
        swapped = _with_ones_as(source, target, perm)
        if swapped is not None:
            return [Step(perm=swapped)]
        return [Step(perm=perm)] + ([] if moved == target else [Step(shape=target)])
    back = _perm_to_axes(movement, target)
    if back is not None:
        inverse = tuple(int(axis) for axis in np.argsort(back))
        before = tuple(target[axis] for axis in inverse)
        return ([] if before == source else [Step(shape=before)]) + [Step(perm=back)]
    blocks = _blocks(order)
    before = tuple(math.prod(movement.atoms[atom] for atom in block) for block in sorted(blocks))
    perm = tuple(sorted(blocks).index(block) for block in blocks)
    after = tuple(before[axis] for axis in perm)
    plan = [] if before == source else [Step(shape=before)]
    return [*plan, Step(perm=perm)] + ([] if after == target else [Step(shape=target)])


def _owners(shape: Shape, atoms: Sequence[int]) -> list[list[int]]:
    """For each input axis the atoms larger than one that it is made of."""
    owners: list[list[int]] = []
    position = 0
    for dim in shape:
        owned: list[int] = []
        need = dim
        while need > 1:
            if atoms[position] > 1:
                owned.append(position)
                need //= atoms[position]
            position += 1
        owners.append(owned)
    return owners


def _perm_of_axes(owners: list[list[int]], order: list[int], rank: int) -> Shape | None:
    """A permutation of the input's axes that gives the order of atoms, axes of size one staying in front of the next."""
    starts = {owned[0]: axis for axis, owned in enumerate(owners) if owned}
    perm: list[int] = []
    position = 0
    while position < len(order):
        axis = starts.get(order[position])
        if axis is None or order[position : position + len(owners[axis])] != owners[axis]:
            return None
        perm.append(axis)
        position += len(owners[axis])
    ones = [axis for axis in range(rank) if not owners[axis]]
    return tuple(ones + perm)


def _with_ones_as(source: Shape, target: Shape, perm: Shape) -> Shape | None:
    """The same permutation with the axes of size one placed as the target has them, or None where that is impossible."""
    large = [axis for axis in perm if source[axis] > 1]
    ones = [axis for axis in range(len(source)) if source[axis] == 1]
    if len(source) != len(target) or [source[axis] for axis in large] != [dim for dim in target if dim > 1]:
        return None
    return tuple(large.pop(0) if dim > 1 else ones.pop(0) for dim in target)


def _perm_to_axes(movement: Movement, target: Shape) -> Shape | None:
    """A permutation whose result has the target's axes: each axis made of consecutive atoms."""
    heads: list[tuple[int, int]] = []
    for axis, group in enumerate(movement.groups):
        atoms = [atom for atom in group if movement.atoms[atom] > 1]
        large = [atom for atom in range(len(movement.atoms)) if movement.atoms[atom] > 1]
        if atoms:
            first = large.index(atoms[0])
            if large[first : first + len(atoms)] != atoms:
                return None
            heads.append((atoms[0], axis))
        else:
            heads.append((-1, axis))
    before = [axis for _, axis in sorted(heads)]
    return tuple(before.index(axis) for axis in range(len(target)))


def _blocks(order: list[int]) -> list[tuple[int, ...]]:
    """Runs of atoms that stay next to each other."""
    rank = {atom: index for index, atom in enumerate(sorted(order))}
    blocks: list[list[int]] = []
    for atom in order:
        if blocks and rank[blocks[-1][-1]] + 1 == rank[atom]:
            blocks[-1].append(atom)
        else:
            blocks.append([atom])
    return [tuple(block) for block in blocks]


def merge_chain(node: ir.Node, edit: Edit) -> str | None:
    """The longest chain of Reshape and Transpose that ends here, done in fewer nodes."""
    follower = edit.only_user(node.outputs[0])
    if follower is not None and is_op(follower, "Reshape", "Transpose"):
        return "the chain goes on"
    chain = [node]
    while (before := required(chain[0], 0).producer()) is not None and is_op(before, "Reshape", "Transpose"):
        if before.graph is not edit.graph:
            break
        chain.insert(0, before)
    for first in range(len(chain)):
        part = chain[first:]
        steps = _plan_of(part)
        if steps is not None and _cost(steps) < _cost_of_nodes(_removable(part, edit)):
            return _apply(part, steps, edit)
    return "nothing to gain"


def _plan_of(chain: list[ir.Node]) -> list[Step] | None:
    source = shape_of(chain[0].inputs[0])
    if 0 in source:
        return None
    movement = Movement.of_shape(source)
    for node in chain:
        if node.op_type == "Transpose":
            movement.transpose(ints(node, "perm", tuple(reversed(range(len(movement.groups))))))
        elif not movement.reshape(shape_of(node.outputs[0])):
            return None
    return plan_movement(movement, source, shape_of(chain[-1].outputs[0]))


def _removable(chain: list[ir.Node], edit: Edit) -> list[ir.Node]:
    """The nodes that disappear when the end of the chain is made another way."""
    gone = [chain[-1]]
    for node in reversed(chain[:-1]):
        if edit.only_user(node.outputs[0]) is None:
            break
        gone.append(node)
    return gone


def _cost(steps: list[Step]) -> tuple[int, int]:
    return sum(step.perm is not None for step in steps), len(steps)


def _cost_of_nodes(nodes: list[ir.Node]) -> tuple[int, int]:
    return sum(node.op_type == "Transpose" for node in nodes), len(nodes)


def _apply(chain: list[ir.Node], steps: list[Step], edit: Edit) -> str | None:
    value, result = required(chain[0], 0), chain[-1].outputs[0]
    if not steps:
        if edit.can_alias(result, value):
            edit.replace(result, value)
            return None
        if len(_removable(chain, edit)) == 1 and chain[-1].op_type == "Reshape":
            return "an output needs a value of its own"
        steps = [Step(shape=shape_of(result))]
    for index, step in enumerate(steps):
        base = f"{name_of(result)}_{'transpose' if step.perm is not None else 'reshape'}_{index}"
        if step.perm is not None:
            value = edit.transpose(value, step.perm, base=base)
        else:
            value = edit.reshape(value, step.shape or (), base=base)
    edit.supersede(result, value)
    return None


# --- moving behind elementwise operators -----------------------------------------------------------------------


def _layout_before(value: ir.Value | None, edit: Edit) -> ir.Node | None:
    """The Reshape or Transpose that makes a value for one reader only."""
    node = None if value is None else value.producer()
    if value is None or node is None or node.graph is not edit.graph or not is_op(node, "Reshape", "Transpose"):
        return None
    return node if edit.only_user(value) is not None else None


def _again(layout: ir.Node, value: ir.Value, result: ir.Value, edit: Edit) -> ir.Value:
    """The same Reshape or Transpose on another value of the same shape."""
    base = f"{name_of(result)}_{layout.op_type.lower()}"
    if layout.op_type == "Transpose":
        return edit.transpose(value, ints(layout, "perm", ()), base=base)
    return edit.reshape(value, shape_of(layout.outputs[0]), base=base)


def sink_past_unary(node: ir.Node, edit: Edit) -> str | None:
    """f(Reshape(x)) becomes Reshape(f(x))."""
    layout = _layout_before(operand(node, 0), edit)
    if layout is None:
        return "no Reshape or Transpose of its own before it"
    if any(value is not None and edit.array(value) is None for value in node.inputs[1:]):
        return "a bound is computed"
    value, result = required(layout, 0), node.outputs[0]
    inner = edit.node(
        node.op_type,
        [value, *node.inputs[1:]],
        base=f"{name_of(result)}_inner",
        shape=shape_of(value),
        dtype=result.dtype,
    )
    maker = inner.producer()
    if maker is not None:
        for attribute in node.attributes.values():
            maker.attributes.add(attribute)
    edit.hand_over(node, inner, _again(layout, inner, result, edit))
    return None


def sink_past_binary(node: ir.Node, edit: Edit) -> str | None:
    """Reshape(x) + c becomes Reshape(x + c'), and Reshape(a) + Reshape(b) becomes Reshape(a + b)."""
    result = node.outputs[0]
    left, right = _layout_before(operand(node, 0), edit), _layout_before(operand(node, 1), edit)
    if left is not None and right is not None:
        return _sink_both(node, left, right, edit)
    side = 0 if left is not None else 1
    layout = left or right
    constant = edit.array(operand(node, 1 - side))
    if layout is None or constant is None:
        return "no Reshape or Transpose beside a constant"
    if shape_of(layout.outputs[0]) != shape_of(result):
        return "the constant makes the tensor larger"
    value = required(layout, 0)
    moved = _constant_before(constant, layout, shape_of(value))
    if moved is None:
        return "the constant does not fit before the Reshape"
    other = edit.constant(moved, f"{name_of(result)}_operand") if moved is not constant else required(node, 1 - side)
    operands = [value, other] if side == 0 else [other, value]
    inner = edit.node(
        node.op_type, operands, base=f"{name_of(result)}_inner", shape=shape_of(value), dtype=result.dtype
    )
    edit.hand_over(node, inner, _again(layout, inner, result, edit))
    return None


def _sink_both(node: ir.Node, left: ir.Node, right: ir.Node, edit: Edit) -> str | None:
    a, b, result = required(left, 0), required(right, 0), node.outputs[0]
    same = left.op_type == right.op_type and shape_of(a) == shape_of(b) and left is not right
    if not same or shape_of(left.outputs[0]) != shape_of(right.outputs[0]):
        return "the two operands are laid out differently"
    if left.op_type == "Transpose" and ints(left, "perm", ()) != ints(right, "perm", ()):
        return "the two operands are transposed differently"
    inner = edit.node(node.op_type, [a, b], base=f"{name_of(result)}_inner", shape=shape_of(a), dtype=result.dtype)
    edit.hand_over(node, inner, _again(left, inner, result, edit))
    return None


def _constant_before(constant: np.ndarray, layout: ir.Node, source: Shape) -> np.ndarray | None:
    """The constant that, combined before the layout change, does what it did behind it."""
    if constant.size == 1:
        return constant if constant.ndim <= len(source) else constant.reshape(())
    target = shape_of(layout.outputs[0])
    if layout.op_type == "Transpose":
        full = constant.reshape((1,) * (len(target) - constant.ndim) + constant.shape)
        return np.transpose(full, np.argsort(ints(layout, "perm", ())))
    if math.prod(target) > _MAX_SPREAD_CONSTANT:
        return None
    return narrowed(np.broadcast_to(constant, target).reshape(source))


def narrowed(array: np.ndarray) -> np.ndarray:
    """Axes along which nothing changes become 1."""
    for axis in range(array.ndim):
        first = np.take(array, [0], axis=axis)
        if array.shape[axis] > 1 and (array == first).all():
            array = first
    return array


def sink_past_concat(node: ir.Node, edit: Edit) -> str | None:
    """Concat of equal Transposes becomes the Transpose of a Concat."""
    layouts = [_layout_before(value, edit) for value in node.inputs]
    found = [layout for layout in layouts if layout is not None and layout.op_type == "Transpose"]
    if len(found) != len(layouts) or len(layouts) < 2 or len(set(map(id, found))) != len(found):  # noqa: PLR2004
        return "not all operands are transposed"
    perm = ints(found[0], "perm", ())
    if any(ints(layout, "perm", ()) != perm for layout in found):
        return "the operands are transposed differently"
    result = node.outputs[0]
    axis = perm[node.attributes["axis"].as_int() % len(perm)]
    shape = [shape_of(result)[list(perm).index(old)] for old in range(len(perm))]
    values = [required(layout, 0) for layout in found]
    inner = edit.node("Concat", values, {"axis": axis}, base=f"{name_of(result)}_inner", shape=tuple(shape))
    edit.hand_over(node, inner, edit.transpose(inner, perm, base=f"{name_of(result)}_transpose"))
    return None


def lift_past_pad(node: ir.Node, edit: Edit) -> str | None:
    """Transpose(Pad(x)) becomes Pad(Transpose(x)), next to the layer that takes the padding in."""
    pad = required(node, 0).producer()
    if pad is None or not is_op(pad, "Pad") or edit.only_user(required(node, 0)) is None:
        return "no Pad of its own before it"
    pads = edit.array(operand(pad, 1))
    value, result = required(pad, 0), node.outputs[0]
    rank = len(shape_of(value))
    if pads is None or pads.size != 2 * rank or operand(pad, 3) is not None:
        return "the pads are not constant"
    perm = ints(node, "perm", ())
    moved = np.concatenate([pads[list(perm)], pads[[axis + rank for axis in perm]]]).astype(np.int64)
    turned = edit.transpose(value, perm, base=f"{name_of(result)}_transpose")
    amounts = edit.constant(moved, f"{name_of(result)}_pads")
    padded = edit.node(
        "Pad", [turned, amounts, *pad.inputs[2:3]], base=f"{name_of(result)}_pad", shape=shape_of(result)
    )
    maker = padded.producer()
    if maker is not None:
        for attribute in pad.attributes.values():
            maker.attributes.add(attribute)
    edit.supersede(result, padded)
    return None


SPELLING_RULES = (
    Rule("use_reshape", ("Reshape", "Squeeze", "Unsqueeze", "Flatten"), use_reshape),
    Rule("state_perm", ("Transpose",), state_perm),
)
"""One spelling; changes no meaning, so quantized models take it too."""

RULES = (
    *SPELLING_RULES,
    Rule("merge_chain", ("Reshape", "Transpose"), merge_chain),
    Rule("sink_past_unary", ELEMENTWISE, sink_past_unary),
    Rule("sink_past_binary", BINARY, sink_past_binary),
    Rule("sink_past_concat", ("Concat",), sink_past_concat),
    Rule("lift_past_pad", ("Transpose",), lift_past_pad),
)
