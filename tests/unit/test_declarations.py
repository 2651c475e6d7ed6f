"""Kernels are what their headers declare: a binding that differs from its header fails when it is called."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from integer_graphs import Build

from edgeq.backends.c import bind_kernels, declarations
from edgeq.backends.c.binding import Call
from edgeq.backends.c.bindings import EVERY
from edgeq.backends.c.declarations import kernel, scratch_bytes, scratch_fields
from edgeq.ir import Graph
from edgeq.resources import runtime_dir

# A part of several kernels, no kernel itself.
PARTS = {"eq_matmul_sums"}
M4 = ("dsp", "generic")
HEADER = """
typedef struct {
  int32_t rows, length; /* of the "input" */
} eq_toy_t;
#define EQ_TOY_SCRATCH(rows) (sizeof(void *) * (rows) + 2 * EQ_TOY_BLOCK)
#define EQ_TOY_BLOCK 16
EQ_INLINE void eq_toy(int8_t *out, const int8_t *x, void *scratch, const int32_t *table,
                      const eq_toy_t *p) {
"""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The header of a kernel eq_toy, alone in a runtime."""
    for folder in ("include", "kernels"):
        (tmp_path / folder).mkdir()
    (tmp_path / "include" / "eq_common.h").write_text("")
    path = tmp_path / "kernels" / "eq_toy.h"
    path.write_text(HEADER)
    for module in ("edgeq.backends.c.declarations", "edgeq.backends.c.runtime"):
        monkeypatch.setattr(f"{module}.runtime_dir", lambda: tmp_path)
    forget()
    yield path
    forget()


def forget() -> None:
    """Headers are read once in a process."""
    for name in ("kernel", "_header", "numbers", "_scratch_formula"):
        getattr(declarations, name).cache_clear()


def a_call() -> tuple[Graph, Call]:
    """A fully connected layer of three outputs."""
    b = Build(1, 8)
    graph = b.done(b.dense("y", "x", 3, 1))
    return graph, bind_kernels(graph, ("v6m", "generic"))[0].call


def test_every_header_is_a_kernel_of_a_binding() -> None:
    headers = {path.stem for path in (runtime_dir() / "kernels").glob("*.h")} - PARTS
    assert headers == {binding.kernel for binding in EVERY}
    for name in headers:
        assert kernel(name).parameters[0].name == "out"
        assert not kernel(name).parameters[0].const
        assert set(scratch_fields(name) if kernel(name).takes_scratch else ()) <= set(kernel(name).fields)


def test_header_is_read(toy: Path) -> None:
    del toy
    found = kernel("eq_toy")
    assert [str(parameter) for parameter in found.parameters] == [
        "int8_t *out",
        "const int8_t *x",
        "void *scratch",
        "const int32_t *table",
    ]
    assert (found.record, found.fields) == ("eq_toy_t", ("rows", "length"))
    assert scratch_bytes("eq_toy", {"rows": 3, "length": 0}, ("dsp", "generic")) == 3 * 4 + 32
    assert scratch_bytes("eq_toy", {"rows": 3, "length": 0}, ("generic",)) == 3 * 8 + 32


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("eq_toy(", "eq_other(", "declares no kernel"),
        ("const int32_t *table", "int32_t table", "not pointers and then a const record"),
        (",\n                      const eq_toy_t *p", "", "not pointers and then a const record"),
        ("int32_t rows", "int16_t rows", "not a struct of int32_t"),
        ("rows, length;", "rows, rows;", "not a struct of int32_t"),
        ("rows, length;", "rows, *length;", "not a struct of int32_t"),
        ("} eq_toy_t;", "} eq_tow_t;", "not a struct of int32_t"),
        ("void *scratch, ", "", "exactly where the kernel takes scratch"),
        ("#define EQ_TOY_SCRATCH", "#define EQ_TOY", "exactly where the kernel takes scratch"),
        ("+ 2 *", "- 2 *", "only integers"),
    ],
)
def test_header_of_another_form_is_refused(old: str, new: str, message: str, toy: Path) -> None:
    assert old in HEADER
    toy.write_text(HEADER.replace(old, new))
    with pytest.raises(ValueError, match=message):
        scratch_bytes("eq_toy", {"rows": 3, "length": 0}, M4)


def test_missing_header_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        kernel("eq_nothing")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"record": {"rows": 1}}, r"missing: \['clamp_max'.*unknown: \[\]"),
        ({"record": {"colour": 1}}, r"unknown: \['colour'\]"),
        ({"record": {"shift": 1 << 31}}, "shift is an int32_t, not 2147483648"),
        ({"constants": {"table": np.zeros(3, np.int8)}}, "reads nothing through a parameter table: x, weights, bias"),
        ({"constants": {"out": np.zeros(3, np.int8)}}, "reads nothing through a parameter out"),
        ({"constants": {"weights": np.zeros(3, np.int16)}}, "weights of eq_dense_s8 is int8_t, not int16"),
        ({"constants": {"x": None}}, "eq_dense_s8 takes int8_t .out, const int8_t .x, "),
        ({"inputs": ("x", "x")}, "eq_dense_s8 takes"),
        ({"outputs": ()}, "eq_dense_s8 takes"),
    ],
    ids=str,
)
def test_call_that_differs_from_the_header_is_refused(changes: dict[str, Any], message: str) -> None:
    call = a_call()[1]
    if "record" in changes:
        added = changes["record"]
        changes = {"record": added if added == {"rows": 1} else {**call.record, **added}}
    if "constants" in changes:
        changes = {"constants": {**call.constants, **changes["constants"]}}
    with pytest.raises(TypeError, match=message):
        replace(call, **changes)


def test_tensor_of_another_type_is_refused() -> None:
    graph, call = a_call()
    call.check_types(graph)
    with pytest.raises(TypeError, match="out of eq_dense_s8 is int8_t, not int32"):
        replace(call, outputs=(next(t.name for t in graph.tensors.values() if t.dtype.value == "int32"),)).check_types(
            graph
        )


def test_names_of_a_call_need_no_order() -> None:
    call = a_call()[1]
    assert replace(call, record=dict(sorted(call.record.items()))).shape == call.shape


def test_manual_of_a_kernel_names_its_scratch() -> None:
    """The comment of each header refers to the macro, not to a second formula."""
    for path in (runtime_dir() / "kernels").glob("*.h"):
        text = path.read_text(encoding="utf-8")
        manual = text[: text.index("#ifndef")]
        for macro in re.findall(r"#define (EQ_\w+_SCRATCH)\(", text):
            assert f"{macro} bytes" in manual
