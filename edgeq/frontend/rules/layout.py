"""Reshape and Transpose: one form, and chains merged."""

from __future__ import annotations

import onnx_ir as ir

from edgeq.frontend.edit import Edit, Rule
from edgeq.frontend.facts import ints, is_op, name_of, operand, required, shape_of
from edgeq.frontend.rules.movement import Movement, Step, plan_movement


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


def make_perm_explicit(node: ir.Node, edit: Edit) -> str | None:
    """A Transpose without perm reverses the axes; state it."""
    if "perm" in node.attributes:
        return "perm is stated"
    value, result = required(node, 0), node.outputs[0]
    perm = tuple(reversed(range(len(shape_of(value)))))
    edit.supersede(result, edit.transpose(value, perm, base=f"{name_of(result)}_transpose"))
    return None


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
    target = shape_of(chain[-1].outputs[0])
    if all(node.op_type == "Reshape" for node in chain):
        return [] if source == target else [Step(shape=target)]
    movement = Movement.of_shape(source)
    for node in chain:
        if node.op_type == "Transpose":
            movement.transpose(ints(node, "perm", tuple(reversed(range(len(movement.groups))))))
        elif not movement.reshape(shape_of(node.outputs[0])):
            return None
    return plan_movement(movement, source, target)


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


CANONICAL_RULES = (
    Rule("use_reshape", ("Reshape", "Squeeze", "Unsqueeze", "Flatten"), use_reshape),
    Rule("make_perm_explicit", ("Transpose",), make_perm_explicit),
)
"""One form; changes no meaning, so quantized models take it too."""

RULES = (*CANONICAL_RULES, Rule("merge_chain", ("Reshape", "Transpose"), merge_chain))
