"""Pieces of C that steps are printed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgeq.backends.c.bind import Step
from edgeq.backends.c.declarations import scratch_fields


def fields_of(values: Mapping[str, int | str], names: Sequence[str]) -> list[str]:
    """The members of an initializer, each behind its name."""
    return [f"/* {name} */ {values[name]}" for name in names]


def braces(members: Sequence[str], indent: str = "") -> str:
    """An initializer."""
    return "".join([f"{{\n{indent}    ", f",\n{indent}    ".join(members), f",\n{indent}}}"])


def scratch_check(where: str, step: Step) -> list[str]:
    """The header's own formula against what was planned: sizes of pointers are the compiler's, not edgeq's."""
    call = step.call
    if not call.declaration.takes_scratch:
        return []
    values = ", ".join(str(call.record[field]) for field in scratch_fields(call.kernel))
    need = f"{call.declaration.scratch_macro}({values})"
    return [f'EQ_STATIC_ASSERT({need} <= {step.scratch_bytes}, "scratch of {where}");']
