"""The C that programs of every backend share: the header with the interface, and the loop over the steps."""

from __future__ import annotations

import hashlib
import json
import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from edgeq.backends.names import comment
from edgeq.backends.planning import Plan, arena_pointer
from edgeq.ir import DType, Graph, Node, Tensor
from edgeq.ir.serialize import graph_to_json
from edgeq.memory.schedule import ALIGN_BYTES
from edgeq.target import UNALIGNED_FLAG, Target

_WIDTH: Final = 110
# What a compiler defines where it has the instructions of a folder of runtime_c/arch; the first match counts.
_CORE_TESTS: Final = {
    "mve": "defined(__ARM_FEATURE_MVE) && !defined(__ARM_BIG_ENDIAN)",
    "dsp": "defined(__ARM_FEATURE_DSP) && defined(__thumb2__) && !defined(__ARM_BIG_ENDIAN)",
    "v7m": "defined(__ARM_FEATURE_SAT) && defined(__thumb2__)",
    "v6m": "defined(__thumb__)",
}


# The version of the interface in NAME.h: functions, macros and what they mean.
ABI: Final = 1
# The attributes that say what an operator computes; the rest are numbers of its arithmetic, which records hold.
_SHOWN: Final = (
    *("kernel", "strides", "pads", "dilations", "group", "axis", "axes", "perm"),
    *("starts", "ends", "steps", "factors", "function"),
)


def place(tensor: Tensor, plan: Plan) -> str:
    """A tensor in a comment: type, shape, offset, name in ONNX."""
    shape = "x".join(map(str, tensor.shape))
    return f"{tensor.dtype.value} {shape} at {plan.shown(plan.offsets[tensor.name])}: {comment(tensor.name)}"


def step_comment(
    number: int, node: Node, macs: int, reads: Sequence[Tensor], gives: Sequence[Tensor], plan: Plan, *more: str
) -> list[str]:
    """The lines of the comment over a step's function; `more` says what else there is to say."""
    cost = f", {macs} MACs" if macs else ""
    shown = [f"{name} {_shown(node.attrs[name])}" for name in _SHOWN if name in node.attrs]
    return [
        f"/* step {number}: {node.op}{cost}, for {comment(', '.join(node.source) or node.name)}",
        *([f"   {', '.join(shown)}"] if shown else []),
        *(f"   reads {place(tensor, plan)}" for tensor in reads),
        *(f"   gives {place(tensor, plan)}" for tensor in gives),
        *(f"   {line}" for line in more),
        "*/",
    ]


def _shown(value: object) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else comment(str(value))


def step_parameters(plan: Plan) -> str:
    """The parameters of the function of a step: a pointer to each part of the arena."""
    return ", ".join(f"uint8_t *{pointer}" for pointer in plan.pointers)


def with_pointers(lines: Sequence[str], plan: Plan) -> list[str]:
    """The lines of a step's function, and before them what keeps compilers from warning of pointers without a use."""
    text = "\n".join(lines)
    unused = [pointer for pointer in plan.pointers if plan.parts and not re.search(rf"\b{pointer}\b", text)]
    return [*(f"  (void){pointer};" for pointer in unused), *lines]


def run_parameters(plan: Plan) -> str:
    """The parameters of ``NAME_run``."""
    return ", ".join(f"void *{pointer}" for pointer in plan.pointers)


def dispatch(name: str, count: int, plan: Plan) -> list[str]:
    """The lines of ``NAME_step`` and ``NAME_run``."""
    given, passed = run_parameters(plan), ", ".join(plan.pointers)
    cast = ", ".join(f"(uint8_t *){pointer}" for pointer in plan.pointers)
    if not count:  # a loop that compares with 0 would be warned of; such a program has nothing to place elsewhere
        return [
            f"void {name}_step(void *arena, uint32_t step) {{",
            "  (void)arena;",
            "  (void)step;",
            "}",
            "",
            f"void {name}_run(void *arena) {{ (void)arena; }}",
            "",
        ]
    return [
        f"void {name}_step({given}, uint32_t step) {{",
        "  switch (step) {",
        *(f"    case {k}: {name}_step_{k}({cast}); break;" for k in range(count)),
        "    default: (void)arena; break;",
        "  }",
        "}",
        "",
        f"void {name}_run({given}) {{",
        f"  for (uint32_t step = 0; step < {name.upper()}_STEPS; step++) {{",
        f"    {name}_step({passed}, step);",
        "  }",
        "}",
        "",
    ]


def state_functions(graph: Graph, plan: Plan, name: str) -> list[str]:
    """The lines of ``NAME_state_reset``, ``_save`` and ``_restore``; nothing for a model without states."""
    if not graph.states:
        return []
    size = f"{name.upper()}_STATE_BYTES"
    fills: list[tuple[int, int, int]] = []  # first byte, end, value
    for start, zero, end in sorted(_state_bytes(graph, plan)):
        if fills and fills[-1][2] == zero:
            start, _, _ = fills.pop()  # noqa: PLW2901 - what lies between two states may be anything
        fills.append((start, end, zero))
    return [
        f"void {name}_state_reset(void *arena) {{",
        "  uint8_t *const state = (uint8_t *)arena;",
        *(f"  for (uint32_t i = {start}u; i < {end}u; i++) state[i] = {zero}u;" for start, end, zero in fills),
        "}",
        "",
        f"void {name}_state_save(const void *arena, void *saved) {{",
        "  const uint8_t *const from = (const uint8_t *)arena;",
        "  uint8_t *const to = (uint8_t *)saved;",
        f"  for (uint32_t i = 0; i < {size}; i++) to[i] = from[i];",
        "}",
        "",
        f"void {name}_state_restore(void *arena, const void *saved) {{",
        "  const uint8_t *const from = (const uint8_t *)saved;",
        "  uint8_t *const to = (uint8_t *)arena;",
        f"  for (uint32_t i = 0; i < {size}; i++) to[i] = from[i];",
        "}",
        "",
    ]


def _state_bytes(graph: Graph, plan: Plan) -> Iterator[tuple[int, int, int]]:
    """By state its first byte, the byte that its zeros consist of, and its end.

    Raises:
        ValueError: zero has several bytes that differ: types wider than a byte are symmetric.
    """
    for state in graph.states:
        tensor = graph.tensors[state.input]
        (zero,) = set((tensor.zero & ((1 << 8 * tensor.dtype.size_bytes) - 1)).to_bytes(tensor.dtype.size_bytes))
        yield plan.offsets[tensor.name], zero, plan.offsets[tensor.name] + tensor.size_bytes


def isa_check(name: str, target: Target) -> list[str]:
    """Lines that stop a compiler which builds for another core, with the reason and the remedy."""
    needs = next((test for isa, test in _CORE_TESTS.items() if isa in target.isa), None)
    flags = " ".join(target.gcc_flags)
    if needs is None:
        return []
    remedy = f"build it with {flags}, or compile the model for this core with edgeq compile --board (see edgeq boards)"
    lines = [f"#if !({needs})", f'#error "{name} was compiled for {target.name}: {remedy}"', "#endif"]
    if target.aligned_loads:
        lines += [
            "#if defined(__ARM_FEATURE_UNALIGNED)",
            f'#error "{name} was compiled with --aligned-loads: build it with {UNALIGNED_FLAG}"',
            "#endif",
        ]
    return [*lines, ""]


def model_header(
    graph: Graph,
    steps: int,
    plan: Plan,
    name: str,
    target: Target,
    onnx_outputs: Sequence[str] = (),
) -> str:
    """``NAME.h``: sizes, places and quantization parameters of inputs and outputs, and the two functions.

    Args:
        graph: the integer graph.
        steps: how many steps the program has.
        plan: where everything lies in the arena.
        name: prefix of every C symbol.
        target: the processor, for what its memory must allow.
        onnx_outputs: the ONNX names of the outputs; none: the tensors' own names.
    """
    upper, digest, floats = name.upper(), version_of(graph), graph.software_float()
    needs = "only its states need" if graph.states else "it needs no"
    lines = [
        f"/* {name}: generated by edgeq for {target.name}, arithmetic {arithmetic_of(graph)}.",
        f"   Model {digest} (SHA-256 of the integer graph).",
        "",
        f"   The arena holds everything that changes; {needs} initialisation. Write the inputs at their offsets,",
        f"   call {name}_run, read the outputs at theirs: a run may overwrite its inputs. {name}_run calls {name}_step",
        "   for each step in order; an application that must get the CPU back calls the steps itself. No heap, no",
        f"   {'state' if floats else 'float, no state'} outside the arena; two arenas may be used in turn.",
        "",
        *_float_comment(floats),
        *_state_comment(graph, name),
        *_parts_comment(plan, name),
        *_memory_comment(target),
        "*/",
        f"#ifndef {upper}_H",
        f"#define {upper}_H",
        "#include <stdint.h>",
        "",
        "/* Names the network: models with one version compute the same bits on every core. */",
        f"#define {upper}_VERSION 0x{digest[:8]}u",
        "/* The version of this interface: what the macros and functions below are called and do. */",
        f"#define {upper}_ABI {ABI}",
        "",
        f"#define {upper}_ARENA_BYTES {plan.first_bytes}",
        *(f"#define {upper}_{arena_pointer(part.memory).upper()}_BYTES {part.bytes}" for part in plan.parts),
        f"#define {upper}_ARENA_ALIGN {ALIGN_BYTES}",
        *([f"#define {upper}_STATE_BYTES {plan.state_bytes}"] if graph.states else []),
        stack_line(name),
        f"#define {upper}_STEPS {steps}u",
        f"#define {upper}_INPUTS {len(graph.inputs)}",
        f"#define {upper}_OUTPUTS {len(graph.outputs)}",
        "",
        f"/* static {upper}_ALIGNED uint8_t arena[{upper}_ARENA_BYTES]; */",
        f"#define {upper}_ALIGNED __attribute__((aligned({upper}_ARENA_ALIGN)))",
    ]
    states = [state.input for state in graph.states]
    for kind, names, shown in (
        ("INPUT", graph.inputs, graph.inputs),
        ("OUTPUT", graph.outputs, onnx_outputs or graph.outputs),
        ("STATE", states, states),
    ):
        for index, (tensor_name, onnx_name) in enumerate(zip(names, shown, strict=True)):
            lines += ["", *_border(graph.tensors[tensor_name], onnx_name, plan, f"{upper}_{kind}_{index}")]
    lines += [
        "",
        "#ifdef __cplusplus",
        'extern "C" {',
        "#endif",
        f"void {name}_run({run_parameters(plan)});",
        f"void {name}_step({run_parameters(plan)}, uint32_t step);",
        *(state_declarations(name) if graph.states else []),
        "#ifdef __cplusplus",
        "}",
        "#endif",
        "#endif",
        "",
    ]
    return "\n".join(lines)


def arithmetic_of(graph: Graph) -> str:
    """The names of the arithmetics that the graph's nodes requantize by; ``none`` where no node does."""
    return ", ".join(sorted({node.text("requant") for node in graph.nodes if "requant" in node.attrs})) or "none"


def version_of(graph: Graph) -> str:
    """SHA-256 of the integer graph with its constants, as hexadecimal digits."""
    digest = hashlib.sha256(json.dumps(graph_to_json(graph), sort_keys=True).encode())
    for tensor in sorted(graph.constants(), key=lambda item: item.name):
        digest.update(tensor.value().tobytes())
    return digest.hexdigest()


def stack_line(name: str, stack_bytes: int | None = None, compiler: str = "") -> str:
    """The line of ``NAME.h`` that states the stack of a run; it is known only after the program was built."""
    upper = name.upper()
    if stack_bytes is None:
        return f"/* {upper}_STACK_BYTES is not known: no compiler for a chip has measured it. */"
    return f"#define {upper}_STACK_BYTES {stack_bytes} /* {compiler}; at most, with one exception frame on top */"


def _state_comment(graph: Graph, name: str) -> list[str]:
    if not graph.states:
        return []
    return [
        "   It is a streaming model: a run is one time step, which leaves in the states what the next one reads. These",
        f"   are the first {name.upper()}_STATE_BYTES bytes of the arena; the others may be used between two runs.",
        f"   Call {name}_state_reset before the first time step of a sequence.",
        f"   {name}_state_save and {name}_state_restore copy the states to and from as many bytes of yours.",
        "",
    ]


def state_declarations(name: str) -> list[str]:
    """The lines of ``NAME.h`` that declare what :func:`state_functions` defines."""
    return [
        f"void {name}_state_reset(void *arena);",
        f"void {name}_state_save(const void *arena, void *saved);",
        f"void {name}_state_restore(void *arena, const void *saved);",
    ]


def _parts_comment(plan: Plan, name: str) -> list[str]:
    if not plan.parts:
        return []
    named = ", ".join(f"{arena_pointer(part.memory)} ({part.bytes} bytes)" for part in plan.parts)
    return [
        f"   The arena has parts in other memories of the board, which {name}_run takes, too: {named}.",
        "   Inputs, outputs and what the offsets below count from lie in the first one.",
        "",
    ]


def _float_comment(nodes: Sequence[str]) -> list[str]:
    if not nodes:
        return []
    names = textwrap.wrap(", ".join(comment(node) for node in nodes), _WIDTH, break_long_words=False)
    return [
        "   These nodes are computed in software float, as --allow-float asked; IEEE arithmetic without -ffast-math is",
        "   all that they need of the compiler:",
        *(f"     {line}" for line in names),
        "",
    ]


def _memory_comment(target: Target) -> list[str]:
    if target.is_hosted:
        return ["   Built for a computer: memory there allows every load."]
    if "v6m" in target.isa:
        return ["   It makes no unaligned load or store: this core has none."]
    if target.aligned_loads:
        return [
            f"   Compiled with --aligned-loads: built with {UNALIGNED_FLAG} it makes no unaligned load or store.",
            "   The memcpy, memmove and memset that are linked with it must make none either.",
        ]
    return [
        "   The arena and the weights must lie in memory that allows unaligned loads: memory of type Normal, while",
        "   CCR.UNALIGN_TRP is clear, as it is after reset. Memory of type Device (external SDRAM at 0xC0000000",
        "   without an MPU region) traps them: compile the model with --aligned-loads for it.",
    ]


def _border(tensor: Tensor, onnx_name: str, plan: Plan, macro: str) -> list[str]:
    shape = "x".join(map(str, tensor.shape))
    order = list(tensor.source.permutation) if tensor.source is not None else []
    # A state may be kept in another order of axes.
    layout = "laid out as in the ONNX model" if order == sorted(order) else f"ONNX's axes are {order} of these"
    lines = [
        f"/* {comment(onnx_name)}: {tensor.dtype.value} {shape}, {layout} */",
        f"#define {macro}_TYPE {tensor.dtype.c_name}",
        f"#define {macro}_OFFSET {plan.offsets[tensor.name]}",
        f"#define {macro}_BYTES {tensor.size_bytes}",
        f"#define {macro}_ELEMENTS {tensor.elements}",
    ]
    if tensor.quant is not None:
        lines += [
            f"/* real = (q - ({tensor.quant.zero_point[0]})) * {tensor.quant.scale[0]!r} */",
            f"#define {macro}_SCALE {tensor.quant.scale[0]!r}f",
            f"#define {macro}_ZERO_POINT ({tensor.quant.zero_point[0]})",
        ]
    elif tensor.dtype is DType.BOOL:
        lines.append("/* truth values: 0 is false, 1 is true */")
    else:
        lines.append("/* integers as the ONNX model has them, int64 in int32_t where it fits; they have no scale */")
    return lines
