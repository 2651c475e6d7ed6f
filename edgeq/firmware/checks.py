"""What an image must not hold (floating point, instructions beyond Armv6-M, the heap, printf), and must: every step.

Each check reads the linked image or the object, never the source, so that nothing a compiler or library adds escapes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import SymbolTableSection

from edgeq.errors import EdgeqError
from edgeq.firmware.disassembly import Instruction

_FLOAT_TYPE = re.compile(r"\.(?:f16|f32|f64|bf16)\b")
_MOVE = re.compile(r"vmov\.f(?:32|64)")
# The run-time ABI's float helpers (IHI 0043, 4.1) and libgcc's own names; __aeabi_idiv and the like stay legal.
_FLOAT_SYMBOL = re.compile(
    r"__aeabi_(?:c?[df][a-z0-9]+|u?[il]2[df]|h2f\w*)|__(?:add|sub|mul|div|neg|cmp|eq|ne|lt|le|gt|ge|unord)[sd]f[23]"
    r"|__(?:fix|fixuns|float|floatun|extend|trunc)\w*[sd]f\w*"
)
_HEAP = ("calloc", "free", "malloc", "realloc")
_PRINT = ("fprintf", "printf", "putchar", "puts", "snprintf", "sprintf", "vprintf", "vsnprintf")
_FORBIDDEN_CALLS = frozenset((*_HEAP, *_PRINT, "abort", "exit"))
# All 32-bit instructions of Armv6-M (DDI 0419, A5.3).
_V6M_WIDE = frozenset(("bl", "dmb", "dsb", "isb", "mrs", "msr", "udf.w"))
_TARGET = re.compile(r"<([^>+]+)>")
_NOT_V6M = re.compile(r"cbn?z(?:\.n)?|it[te]{0,3}")
_SHOWN = 5


def referenced_names(path: Path) -> frozenset[str]:
    """The names that an object's relocations refer to: all that its code and data can reach outside of it.

    Its list of undefined symbols says more, since it keeps calls that the compiler has removed.
    """
    names: set[str] = set()
    with path.open("rb") as file:
        elf = ELFFile(file)
        for section in elf.iter_sections():
            symbols = elf.get_section(section["sh_link"])
            if isinstance(section, RelocationSection) and isinstance(symbols, SymbolTableSection):
                names.update(symbols.get_symbol(item["r_info_sym"]).name for item in section.iter_relocations())
    return frozenset(names - {""})


def check_no_heap(path: Path) -> None:
    """Refuse a model's object that wants the heap, printf or an end of the program.

    Raises:
        EdgeqError: EQ0509.
    """
    wanted = sorted(_FORBIDDEN_CALLS & referenced_names(path))
    if wanted:
        raise EdgeqError(
            "EQ0509", "the model's code calls what firmware must not have", where=path.name, got=", ".join(wanted)
        )


def check_no_float(code: Mapping[str, Sequence[Instruction]], *, helpers: bool = False) -> None:
    """Refuse an image with a floating-point instruction or helper.

    Args:
        code: the image's instructions by function.
        helpers: the user keeps nodes in software float, which calls helpers. Instructions are refused all the same, but
            for moves between registers, which MVE has without floating point.

    Vector loads and moves share names with floating point (VLDR, VMOV), hence the data type decides.

    Raises:
        EdgeqError: EQ0507, with the first places.
    """
    found = [] if helpers else [f"function {name}" for name in code if _FLOAT_SYMBOL.fullmatch(name)]
    for name, instructions in code.items():
        found += [
            f"{item.mnemonic} {item.operands} in {name}"
            for item in instructions
            if _FLOAT_TYPE.search(item.mnemonic) and not (helpers and _MOVE.fullmatch(item.mnemonic))
        ]
    if found:
        shown = "; ".join(found[:_SHOWN])
        raise EdgeqError(
            "EQ0507", f"{len(found)} places of the image use floating point", got=shown, allowed="integers"
        )


def check_v6m_only(code: Mapping[str, Sequence[Instruction]]) -> None:
    """Refuse an image with an instruction that a Cortex-M0 does not have.

    Raises:
        EdgeqError: EQ0508, with the first places.
    """
    found = [
        f"{item.mnemonic} {item.operands} in {name}"
        for name, instructions in code.items()
        for item in instructions
        if _beyond_v6m(item)
    ]
    if found:
        shown = "; ".join(found[:_SHOWN])
        raise EdgeqError("EQ0508", f"{len(found)} instructions are not Armv6-M", got=shown, allowed="Armv6-M only")


def check_steps(code: Mapping[str, Sequence[Instruction]], name: str, steps: int) -> None:
    """Refuse an image that lacks a step, or whose run or single step leaves out a call of one.

    A compiler may drop a call whose effects it has lost sight of, as gcc 12 did before every step was `noipa`.

    Args:
        code: the image's instructions by function.
        name: the C prefix of the model.
        steps: how many it has.

    Raises:
        EdgeqError: EQ0511, with the first steps.
    """
    wanted = [f"{name}_step_{number}" for number in range(steps)]
    single = f"{name}_step"
    found = [f"no function {step}" for step in wanted if not code.get(step)]
    for root in (f"{name}_run", single):
        called = _called(code.get(root, ()))
        if single in called:
            called |= _called(code.get(single, ()))
        found += [f"no call of {step} from {root}" for step in wanted if step not in called]
    if found:
        shown = "; ".join(found[:_SHOWN])
        raise EdgeqError("EQ0511", f"the image leaves out {len(found)} functions or calls", got=shown)


def _called(instructions: Sequence[Instruction]) -> set[str]:
    """The functions to whose first instruction these jump or branch."""
    return {match[1] for item in instructions if (match := _TARGET.search(item.operands))}


def _beyond_v6m(item: Instruction) -> bool:
    wide = item.length == 4 and item.mnemonic not in _V6M_WIDE
    return wide or _NOT_V6M.fullmatch(item.mnemonic) is not None
