"""What a kernel's header declares: its parameters, the record of its integers, and the bytes of its scratch.

The header is the only place that states them; bindings give values by name, and :class:`~edgeq.backends.c.binding.Call`
compares. Headers of ``runtime_c/kernels`` keep this form, ``eq_X.h`` for the kernel ``eq_X``::

    typedef struct {
      int32_t in_h, in_w;
    } eq_X_t;
    #define EQ_X_SCRATCH(in_w) (2 * EQ_COLUMN_BYTES * (in_w))
    EQ_INLINE void eq_X(int8_t *out, const int8_t *x, void *scratch, const int8_t *weights, const eq_X_t *p) {

The record holds int32_t only. A macro ``EQ_X_SCRATCH`` of fields of the record stands there exactly where there is a
parameter ``scratch``: integers, ``sizeof(void *)``, macros without parameters, ``+``, ``*`` and parentheses. A kernel
may use the record of another header, whose name follows from the record's. Reading these three forms needs no parser of
C, and whatever has another form is refused.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from edgeq.backends.c.runtime import Isa, runtime_headers
from edgeq.resources import runtime_dir

SCRATCH: Final = "scratch"
_COMMENT: Final = re.compile(r"/\*.*?\*/", re.DOTALL)
_PARAMETER: Final = re.compile(r"(const )?(\w+) \*(\w+)")
_FIELDS: Final = re.compile(r"int32_t (\w+(?:, \w+)*)")


@dataclass(frozen=True)
class Parameter:
    """One pointer that a kernel takes.

    Attributes:
        name: as the header calls it.
        type: C type of what it points to, ``int8_t``; ``void`` takes any.
        const: the kernel only reads there.
    """

    name: str
    type: str
    const: bool

    def __str__(self) -> str:
        return f"{'const ' if self.const else ''}{self.type} *{self.name}"


@dataclass(frozen=True)
class Kernel:
    """A kernel as its header declares it.

    Attributes:
        name: the C function.
        parameters: in order, without the record, which is the last one.
        record: the C type of the record.
        fields: the record's members in order, all int32_t.
    """

    name: str
    parameters: tuple[Parameter, ...]
    record: str
    fields: tuple[str, ...]

    @property
    def takes_scratch(self) -> bool:
        """Whether it needs memory while it runs."""
        return any(parameter.name == SCRATCH for parameter in self.parameters)

    @property
    def scratch_macro(self) -> str:
        """The macro that states the bytes of its scratch."""
        return f"{self.name.upper()}_SCRATCH"


@cache
def kernel(name: str) -> Kernel:
    """Read a kernel's header.

    Raises:
        FileNotFoundError: there is no such header.
        ValueError: it has not the form that the module's docstring states.
    """
    found = re.search(rf"EQ_INLINE void {name}\(([^)]*)\) {{", _header(name))
    if found is None:
        raise ValueError(f"{name}.h declares no kernel {name}")
    given = [_PARAMETER.fullmatch(text.strip()) for text in re.sub(r"\s+", " ", found[1]).split(",")]
    parameters = [Parameter(match[3], match[2], match[1] is not None) for match in given if match]
    if len(parameters) < len(given) or not re.fullmatch(r"const eq_\w+_t \*p", str(parameters[-1])):
        raise ValueError(f"{name}.h: the parameters of {name} are not pointers and then a const record")
    record = parameters.pop().type
    read = Kernel(name, tuple(parameters), record, _record_fields(record))
    if read.takes_scratch != (f"#define {read.scratch_macro}(" in _header(name)):
        raise ValueError(f"{name}.h: {read.scratch_macro} must be there exactly where the kernel takes scratch")
    return read


def scratch_bytes(name: str, record: Mapping[str, int], isa: Isa) -> int:
    """Bytes that a kernel needs while it runs, by the macro of its header; 0 where it takes no scratch.

    Args:
        name: the kernel.
        record: values of its record by field.
        isa: the instruction sets of the build.
    """
    if not kernel(name).takes_scratch:
        return 0
    fields, formula = _scratch_formula(name)
    known = dict(numbers(name, isa)) | {field: record[field] for field in fields}
    return _value(ast.parse(formula, mode="eval").body, known)


def scratch_fields(name: str) -> tuple[str, ...]:
    """The fields of the record that a kernel's scratch macro takes, in order."""
    return _scratch_formula(name)[0]


@cache
def _scratch_formula(name: str) -> tuple[tuple[str, ...], str]:
    """Parameters and text of a scratch macro; the text is an expression of Python, too."""
    macro = kernel(name).scratch_macro
    found = re.search(rf"#define {macro}\(([^)]*)\)((?:[^\n]*\\\n)*[^\n]*)", _header(name))
    if found is None:
        raise ValueError(f"{name}.h: {macro} has no parameters")
    text = found[2].replace("\\\n", " ").replace("sizeof(void *)", "POINTER_BYTES").strip()
    return tuple(found[1].split(", ")), text


def _value(expression: ast.expr, known: Mapping[str, int]) -> int:
    match expression:
        case ast.Constant(value=int(value)):
            return value
        case ast.Name(id=name):
            return known[name]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _value(left, known) + _value(right, known)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _value(left, known) * _value(right, known)
    raise ValueError(f"a scratch macro has only integers, names, + and *, not {ast.unparse(expression)}")


@cache
def numbers(name: str, isa: Isa) -> Mapping[str, int]:
    """The macros without parameters that are integers, in all headers that a kernel reaches; and a pointer's bytes."""
    # Only computers have 64-bit pointers, and only they have "generic" and nothing before.
    found = {"POINTER_BYTES": 8 if isa[0] == "generic" else 4}
    for text in runtime_headers((name,), isa).values():
        macros = re.findall(r"^#define (EQ_\w+) (\d+)$", text.decode("utf-8"), re.MULTILINE)
        found |= {macro: int(value) for macro, value in macros}
    return found


@cache
def _header(name: str) -> str:
    """The text of a kernel's header without comments."""
    path = runtime_dir() / "kernels" / f"{name}.h"
    return _COMMENT.sub("", path.read_text(encoding="utf-8"))


def _record_fields(record: str) -> tuple[str, ...]:
    name = record.removesuffix("_t")
    found = re.search(rf"typedef struct {{([^{{}}]*)}} {record};", _header(name))
    members = [] if found is None else [text.strip() for text in found[1].split(";") if text.strip()]
    given = [_FIELDS.fullmatch(text) for text in members]
    fields = tuple(field for match in given if match for field in match[1].split(", "))
    if not given or None in given or len(set(fields)) < len(fields):
        raise ValueError(f"{name}.h: {record} is not a struct of int32_t with different names")
    return fields
