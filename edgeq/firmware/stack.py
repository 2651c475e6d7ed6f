"""A bound on the stack that a model uses, from the compiler's call graphs; no measurement enters it.

gcc writes each function's frame and calls (``-fcallgraph-info=su``), calls that its last passes remove included: those
that the object does not refer to are dropped. gcc knows nothing of pushes in inline assembly: where the pushes of a
function's code are more than its frame, they count. Routines of libgcc come without frames: their bound is the sum of
all pushes in the linked code that they can reach, which no loop repeats. Recursion, calls through pointers
and frames of unknown size are errors, since then there is no bound.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgeq.errors import EdgeqError
from edgeq.firmware.disassembly import Instruction

_NODE = re.compile(r'node: \{ title: "([^"]*)" label: "([^"]*)"')
_EDGE = re.compile(r'edge: \{ sourcename: "([^"]*)" targetname: "([^"]*)"')
_FRAME = re.compile(r"\\n(\d+) bytes \(([a-z,]+)\)")
_INDIRECT = "__indirect_call"
_REGISTERS = re.compile(r"\{([^}]*)\}")
_IMMEDIATE = re.compile(r"#(-?\d+)")
_TARGET = re.compile(r"<([^>+]+)(?:\+0x[0-9a-f]+)?>")


@dataclass
class CallGraph:
    """Frames in bytes and calls, by the compiler's function titles; `frames` lacks what is only called."""

    frames: dict[str, int] = field(default_factory=dict)
    calls: dict[str, set[str]] = field(default_factory=dict)


def read_call_graph(paths: Iterable[Path]) -> CallGraph:
    """Merge the ``.ci`` files of several objects.

    Raises:
        EdgeqError: EQ0506 a function's frame has no fixed size.
    """
    graph = CallGraph()
    for path in paths:
        text = path.read_text(encoding="utf-8")
        for title, label in _NODE.findall(text):
            frame = _FRAME.search(label)
            if frame is None:
                continue
            if frame[2] not in ("static", "dynamic,bounded"):
                raise EdgeqError("EQ0506", "a stack frame has no fixed size", where=title, got=frame[2])
            graph.frames[title] = int(frame[1])
        for source, target in _EDGE.findall(text):
            graph.calls.setdefault(source, set()).add(target)
    return graph


def library_calls(graph: CallGraph) -> tuple[str, ...]:
    """The functions that are called but in none of the call graphs, sorted."""
    called = {target for targets in graph.calls.values() for target in targets}
    return tuple(sorted(called - set(graph.frames) - {_INDIRECT}))


def drop_removed_calls(graph: CallGraph, referenced: Iterable[str]) -> None:
    """Drop the calls out of the call graphs that no object refers to: nothing is left of them.

    Args:
        graph: loses those calls.
        referenced: the names that the objects' relocations refer to.
    """
    removed = set(library_calls(graph)) - set(referenced)
    for called in graph.calls.values():
        called.difference_update(removed)


def add_library(graph: CallGraph, code: Mapping[str, Sequence[Instruction]]) -> None:
    """Add what the call graphs lack, read from linked code.

    Raises:
        EdgeqError: EQ0506 a function is nowhere, or moves the stack in a way that is not understood.
    """
    starts = {instructions[0].address: name for name, instructions in code.items() if instructions}
    for name in library_calls(graph):
        reached: set[str] = set()
        waiting = [name]
        while waiting:
            block = waiting.pop()
            if block not in code:
                raise EdgeqError("EQ0506", "the stack of a function is not known", got=block)
            if block not in reached:
                reached.add(block)
                waiting += _called(code[block])
                waiting += _falls_into(code[block], starts)
        graph.frames[name] = sum(_pushed(item, block) for block in sorted(reached) for item in code[block])


def count_assembly(graph: CallGraph, code: Mapping[str, Sequence[Instruction]]) -> None:
    """Raise the frames of functions whose code pushes more than the compiler knows, which assembly in it does.

    Args:
        graph: the call graphs of an object.
        code: the object's instructions by function.

    Raises:
        EdgeqError: EQ0506 a function moves the stack in a way that is not understood.
    """
    for title, frame in graph.frames.items():
        name = title.rpartition(":")[2]
        graph.frames[title] = max(frame, sum(_pushed(item, name) for item in code.get(name, ())))


def _pushed(item: Instruction, function: str) -> int:
    name = item.mnemonic.removesuffix(".w").removesuffix(".n")
    if name == "push" or (name in ("stmdb", "stmfd") and item.operands.startswith("sp!")):
        return 4 * _register_count(item.operands)
    if name == "vpush":
        # d registers have 8 bytes, s registers 4.
        return (4 if "s" in item.operands else 8) * _register_count(item.operands)
    if item.operands.endswith("]!") and "[sp" in item.operands:
        return max(0, -_immediate(item, function))
    if item.operands.startswith("sp,") and name.startswith("sub"):
        return _immediate(item, function)
    # A frame is given back by adding a number; adding a register may be how a large one is taken.
    harmless = ("add", "cmp", "ldm", "stm", "str") if "#" in item.operands else ("cmp", "ldm", "stm", "str")
    if item.operands.startswith("sp,") and not name.startswith(harmless):
        raise EdgeqError("EQ0506", "the stack of a function is not understood", where=function, got=item.mnemonic)
    return 0


def _register_count(operands: str) -> int:
    match = _REGISTERS.search(operands)
    count = 0
    for part in match[1].split(",") if match else []:
        first, _, last = part.strip().partition("-")
        count += int(last[1:]) - int(first[1:]) + 1 if last else 1
    return count


def _immediate(item: Instruction, function: str) -> int:
    match = _IMMEDIATE.search(item.operands)
    if match is None:
        raise EdgeqError("EQ0506", "the stack of a function is not understood", where=function, got=item.operands)
    return int(match[1])


def _called(code: Sequence[Instruction]) -> list[str]:
    """Where branches lead, calls and jumps alike, by the symbol that holds the place."""
    branches = (item for item in code if item.mnemonic.startswith(("b", "cb")))
    return [name for item in branches for name in _TARGET.findall(item.operands)]


def _falls_into(code: Sequence[Instruction], starts: Mapping[int, str]) -> list[str]:
    """The symbol right behind: hand-written routines run on into the next label."""
    end = code[-1].address + code[-1].length if code else 0
    # Behind the last instruction there may be padding.
    last = next((item for item in reversed(code) if not item.mnemonic.startswith("nop")), None)
    return [starts[end]] if last is not None and end in starts and not _leaves(last) else []


def _leaves(item: Instruction) -> bool:
    return item.mnemonic in ("b", "b.n", "b.w", "bx", "udf") or "pc" in item.operands


def stack_bound(graph: CallGraph, roots: Iterable[str]) -> int:
    """The deepest stack in bytes over all calls from any of the roots, their own frames included.

    Raises:
        EdgeqError: EQ0506 a root is missing, there is recursion, or a call through a pointer.
    """
    deepest: dict[str, int] = {}

    def visit(name: str, path: tuple[str, ...]) -> int:
        if name in path:
            raise EdgeqError("EQ0506", "the model's code is recursive", got=" -> ".join((*path, name)))
        if name not in deepest:
            deepest[name] = _frame(graph, name, path) + _deepest_call(graph, name, (*path, name), visit)
        return deepest[name]

    return max(visit(root, ()) for root in roots)


def _frame(graph: CallGraph, name: str, path: tuple[str, ...]) -> int:
    if name == _INDIRECT:
        raise EdgeqError("EQ0506", "a call through a pointer has no bounded stack", where=path[-1] if path else None)
    if name not in graph.frames:
        raise EdgeqError("EQ0506", "the stack of a function is not known", got=name)
    return graph.frames[name]


def _deepest_call(
    graph: CallGraph, name: str, path: tuple[str, ...], visit: Callable[[str, tuple[str, ...]], int]
) -> int:
    return max((visit(target, path) for target in sorted(graph.calls.get(name, ()))), default=0)
