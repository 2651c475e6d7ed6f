"""Nothing in the tables escapes the conformance cases: operators, ONNX types, kernels, boards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest

from edgeq.backends.c import bind_kernels
from edgeq.backends.c.binding import Call
from edgeq.backends.c.bindings import BINDINGS, EVERY, FASTER, SMALLER, UNSUPPORTED
from edgeq.backends.c.orders import APART
from edgeq.backends.c.runtime import Isa
from edgeq.errors import EdgeqError
from edgeq.ir import DType, Graph, Node, Tensor
from edgeq.lowering.rules import RULES
from edgeq.numerics.scaling import MODES, Mode
from edgeq.ops import BY_NAME, OPS, Op, infer, onnx_forms
from edgeq.target import list_boards, load_board
from tests.conformance.test_images import CORES
from tests.conformance.zoo import FAMILIES, KINDS, all_cases, cases_of, kinds_of, zoo

# A reshape moves nothing: its result lies where its operand does.
WITHOUT_KERNEL = {"reshape"}
# Operators of newer opsets than the one that models are brought to.
BEYOND_OPSET = {"Swish"}


@cache
def bound_kernels() -> Mapping[tuple[str, str], bool]:
    """Every (operator, kernel) that some case uses on some instruction set, and whether it may overlap an operand."""
    isas = {load_board(board).target.isa for board, _ in CORES.values()} | {load_board("native").target.isa}
    graphs = [zoo(family, *kind).graph for family in FAMILIES for kind in kinds_of(family)]
    found: dict[tuple[str, str], bool] = {}
    for graph in graphs:
        for node, call in (each for isa in isas for each in _calls(graph, isa)):
            key = node.op, call.kernel
            found[key] = found.get(key, False) or bool(call.in_place or call.trailing)
    return found


def _calls(graph: Graph, isa: Isa) -> Iterator[tuple[Node, Call]]:
    """What is bound first, and what may stand in for it."""
    for step in bind_kernels(graph, isa):
        yield step.node, step.call
        for binding in (*FASTER, *SMALLER):
            if binding.op == step.node.op and binding.refusal(step.node, graph, isa) is None:
                yield step.node, binding.bind(step.node, graph, isa)


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_operator_appears_in_its_family(op: Op) -> None:
    for mode, types in kinds_of(op.family):
        if types == "s8" and (op.signature.types or (mode, types) == KINDS[0]):
            graph = zoo(op.family, mode).lowered
            assert op.name in {node.op for node in graph.nodes}, f"no case of {op.family} becomes {op.name} in {mode}"


@pytest.mark.parametrize("kind", sorted(set(onnx_forms()) - BEYOND_OPSET))
def test_onnx_type_has_a_case(kind: str) -> None:
    assert kind in {name for family in FAMILIES for case in all_cases(family) for name in case.types}


def test_onnx_type_has_a_rule() -> None:
    assert set(RULES) == {op.name for op in OPS if any(not form.floats for form in op.onnx)}


def test_operator_has_a_kernel_or_a_reason() -> None:
    bound = {binding.op for binding in BINDINGS}
    assert bound <= set(BY_NAME)
    assert not bound & set(UNSUPPORTED)
    assert bound | set(UNSUPPORTED) | WITHOUT_KERNEL == set(BY_NAME)
    assert all(UNSUPPORTED.values())


@pytest.mark.parametrize(
    ("op", "kernel"),
    [pytest.param(item.op, item.kernel, id=f"{item.op}-{item.kernel}") for item in dict.fromkeys(EVERY)],
)
def test_kernel_is_used_by_a_case(op: str, kernel: str) -> None:
    assert (op, kernel) in bound_kernels()


def test_every_kernel_may_overlap_an_operand_or_says_why_not() -> None:
    allowed = {kernel for (_, kernel), overlaps in bound_kernels().items() if overlaps}
    assert set(APART) == {binding.kernel for binding in EVERY} - allowed
    assert all(APART.values())


@pytest.mark.parametrize("mode", MODES)
def test_what_overwrites_its_operand_does_so_in_every_kernel(mode: Mode) -> None:
    for family in dict.fromkeys(op.family for op in OPS if op.overwrites and cases_of(op.family, mode)):
        graph = zoo(family, mode).graph
        for step in bind_kernels(graph, load_board("native").target.isa):
            operands = [step.node.inputs[number] for number in BY_NAME[step.node.op].overwrites]
            elements = graph.tensors[step.call.outputs[0]].elements
            same = {
                (number, 0)
                for number, name in enumerate(step.call.inputs)
                if name in operands and graph.tensors[name].elements == elements
            }
            assert same <= set(step.call.in_place), step.node.name


def test_every_emulated_core_is_covered() -> None:
    tried = {load_board(board).target.isa for board, _ in CORES.values()}
    boards = [load_board(name) for name in list_boards()]
    assert {board.target.isa for board in boards if board.emulator is not None} <= tried


_MORE_THAN_ANY = 16


def nodes_of(mode: Mode) -> Iterator[tuple[Graph, Node]]:
    """One node of each operator."""
    seen = set()
    for family in (family for family in FAMILIES if cases_of(family, mode)):
        graph = zoo(family, mode).lowered
        for node in graph.nodes:
            if node.op not in seen:
                seen.add(node.op)
                yield graph, node


@pytest.mark.parametrize("mode", MODES)
def test_the_verifier_wants_every_attribute_and_no_other(mode: Mode) -> None:
    for graph, node in nodes_of(mode):
        operands = graph.operands(node)
        for name in node.attrs:
            rest = {key: value for key, value in node.attrs.items() if key != name}
            with pytest.raises(EdgeqError, match="EQ0903"):
                infer(node.with_(attrs=rest), operands)
        with pytest.raises(EdgeqError, match="no such attribute"):
            infer(node.with_attrs(surprise=1), operands)


@pytest.mark.parametrize("mode", MODES)
def test_the_verifier_refuses_values_out_of_range(mode: Mode) -> None:
    tried = 0
    for graph, node in nodes_of(mode):
        types = BY_NAME[node.op].signature.types_of(node, graph.operands(node))
        for attribute in (attribute.bounded(types) for attribute in BY_NAME[node.op].attributes):
            if attribute.name not in node.attrs:
                continue
            bad: list[Any] = ["?" if attribute.kind != "str" else 3]
            bad += [] if attribute.values is None else ["sideways"]
            for bound, beyond in ((attribute.low, -1), (attribute.high, 1)):
                value = None if bound is None else bound + beyond
                bad += [] if value is None else [value if attribute.kind == "int" else (value, value)]
            for value in bad:
                tried += 1
                with pytest.raises(EdgeqError, match="EQ0903"):
                    infer(node.with_attrs(**{attribute.name: value}), graph.operands(node))
    assert tried > 100


def test_every_tuple_of_types_has_a_case() -> None:
    found = {
        (node.op, tuple(BY_NAME[node.op].signature.types_of(node, graph.operands(node)).items()))
        for family in FAMILIES
        for kind in kinds_of(family)
        for graph in (zoo(family, *kind).lowered,)
        for node in graph.nodes
    }
    for op in OPS:
        free = [slot.name for slot in op.signature.slots if slot.type is None and not slot.repeated]
        for row in op.signature.rows:
            wanted = {*zip(free, row, strict=False), ("result", row[-1])}
            assert any(name == op.name and wanted <= set(types) for name, types in found), f"{op.name} of {row}"


@pytest.mark.parametrize("mode", MODES)
def test_the_verifier_refuses_other_operands(mode: Mode) -> None:
    for graph, node in nodes_of(mode):
        operands = graph.operands(node)
        slots = BY_NAME[node.op].signature.slots_of(node, len(operands))
        for place, (slot, tensor) in enumerate(zip(slots.values(), operands, strict=True)):
            rows = BY_NAME[node.op].signature.rows
            free = [each.name for each in BY_NAME[node.op].signature.slots if each.type is None]
            taken = {row[free.index(slot.name)] for row in rows} if slot.type is None else {slot.type}
            wrong = next((dtype for dtype in DType if dtype.value not in taken and dtype is not tensor.dtype), None)
            if len(operands) > 1 and wrong is None:  # every type is taken, but all operands have the same
                wrong = DType.UINT16 if tensor.dtype is not DType.UINT16 else DType.UINT8
            if wrong is not None:
                other = Tensor(tensor.name, tensor.shape, wrong)
                with pytest.raises(EdgeqError, match=r"EQ0903.*wrong operand types"):
                    infer(node, [*operands[:place], other, *operands[place + 1 :]])
            if slot.role != "activation":
                computed = tensor.with_(data=None)
                with pytest.raises(EdgeqError, match=r"EQ0903.*is computed"):
                    infer(node, [*operands[:place], computed, *operands[place + 1 :]])
        if "part0" not in slots:
            with pytest.raises(EdgeqError, match=r"EQ0903.*wrong number of operands"):
                infer(node, [*operands, *(operands[:1] * _MORE_THAN_ANY)])
        with pytest.raises(EdgeqError, match="EQ0903"):
            infer(node, operands[:-1] if "part0" not in slots else [])
