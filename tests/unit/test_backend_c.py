"""The C that is printed: harmless names, one copy of equal constants, the same bits however it is specialised."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile
from integer_graphs import ADD, Build

from edgeq.backends.c import bind_kernels, emit_c
from edgeq.backends.c.instances import estimated_bytes, special_shapes
from edgeq.backends.c_source import version_of
from edgeq.backends.names import check_model_name, comment, model_name_of
from edgeq.errors import EdgeqError
from edgeq.firmware import ImageFacts, Span, build_images
from edgeq.interp import run
from edgeq.ir import Graph
from edgeq.notes import gathered
from edgeq.runners.base import ImageSpec, RunRequest, TensorSpec
from edgeq.runners.table import load_runner
from edgeq.target import load_board, load_target

WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
HOST = load_target("native")
_EVERY = 1 << 20


def network() -> Graph:
    """Two convolutions of one kind, a residual sum, a reshape and two dense layers."""
    b = Build(1, 6, 5, 4)
    first = b.conv("a", "x", 4, 3, 1)
    second = b.conv("b", first, 4, 3, 2)
    total = b.node("add", "sum", second, "x", **ADD)
    flat = b.node("reshape", "flat", b.lookup("act", total, 3), shape=(1, 120))
    return b.done(b.dense("y", b.dense("hidden", flat, 7, 4), 3, 5))


def names_of(graph: Graph, names: tuple[str, ...]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(n, graph.tensors[n].dtype.value, graph.tensors[n].shape) for n in names)


@pytest.mark.parametrize("code_bytes", [0, None, _EVERY])
def test_native_program_has_the_reference_bits(code_bytes: int | None, tmp_path: Path) -> None:
    graph = network()
    program = emit_c(graph, "net", HOST, code_bytes=code_bytes)
    program.bundle.write(tmp_path)
    offsets = program.plan.offsets

    def spans(names: tuple[str, ...]) -> tuple[Span, ...]:
        return tuple(Span(offsets[name], graph.tensors[name].size_bytes) for name in names)

    steps = tuple(step.node.outputs for step in program.steps)
    facts = ImageFacts(
        "net", spans(graph.inputs), spans(graph.outputs), tuple(spans(s) for s in steps), program.plan.arena_bytes
    )
    images = build_images(tmp_path, tmp_path, load_board("native"), facts, sanitize=True)
    assert images.warnings == ""
    spec = ImageSpec(
        "net",
        names_of(graph, graph.inputs),
        names_of(graph, graph.outputs),
        tuple(names_of(graph, s) for s in steps),
        image=tmp_path / "native_sanitized",
    )
    data = [np.random.default_rng(i).integers(-128, 128, (1, 6, 5, 4)).astype(np.int8) for i in range(5)]
    result = load_runner("native").run(RunRequest(spec, [[x] for x in data], steps=True))
    assert result.steps is not None
    for x, found in zip(data, result.steps, strict=True):
        expected = run(graph, [x]).tensors
        for names, arrays in zip(steps, found, strict=True):
            for name, array in zip(names, arrays, strict=True):
                np.testing.assert_array_equal(array.reshape(-1), expected[name].reshape(-1))


@pytest.mark.parametrize("compiler", [["cc", "-std=c11"], ["c++", "-std=c++17", "-x", "c++"]], ids=["as_c", "as_c++"])
def test_sources_compile_without_a_warning(compiler: list[str], tmp_path: Path) -> None:
    emit_c(network(), "net", HOST).bundle.write(tmp_path)
    for source in ("net.c", "net_weights.c"):
        command = [*compiler, *WARNINGS, "-Iruntime", "-I.", "-c", source, "-o", f"{source}.o"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("compiler", [["cc", "-std=c11"], ["c++", "-std=c++17", "-x", "c++"]], ids=["as_c", "as_c++"])
@pytest.mark.parametrize("code_bytes", [0, _EVERY])
def test_section_of_the_code_is_the_users_choice(compiler: list[str], code_bytes: int, tmp_path: Path) -> None:
    emit_c(network(), "net", HOST, code_bytes=code_bytes).bundle.write(tmp_path)
    flags = ["-O2", *WARNINGS, "-ffunction-sections", "-Iruntime", "-I.", '-DNET_CODE_SECTION=".itcm"']
    subprocess.run([*compiler, *flags, "-c", "net.c", "-o", "net.o"], cwd=tmp_path, check=True)
    with (tmp_path / "net.o").open("rb") as file:
        elf = ELFFile(file)
        placed = elf.get_section_by_name(".itcm")
        assert placed is not None
        others = {
            section.name for section in elf.iter_sections() if section.name.startswith(".text") and section["sh_size"]
        }
        assert others == {".text.net_run", ".text.net_step"}


def test_example_program_builds_from_the_folder_alone(tmp_path: Path) -> None:
    emit_c(network(), "net", HOST).bundle.write(tmp_path)
    (tmp_path / "use.c").write_text('#include "net_quantize.h"\nint main(void);\n')
    sources = ["example/main.c", "net.c", "net_weights.c"]
    command = ["cc", "-std=c11", *WARNINGS, "-Iruntime", "-I.", *sources, "-o", "demo"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert subprocess.run([tmp_path / "demo"], check=False).returncode in range(3)
    subprocess.run(["cc", "-std=c11", *WARNINGS, "-I.", "-c", "use.c"], cwd=tmp_path, check=True, capture_output=True)


def test_two_models_link_together(tmp_path: Path) -> None:
    objects = []
    for name in ("left", "right"):
        folder = tmp_path / name
        emit_c(network(), name, HOST, code_bytes=0).bundle.write(folder)
        for source in (name, f"{name}_weights"):
            objects.append(f"{source}.o")
            command = ["cc", "-Iruntime", "-I.", "-c", f"{source}.c", "-o", str(tmp_path / objects[-1])]
            subprocess.run(command, cwd=folder, check=True)
    (tmp_path / "main.c").write_text(
        "void left_run(void *); void right_run(void *);\n"
        "static _Alignas(16) unsigned char a[65536], b[65536];\n"
        "int main(void) { left_run(a); right_run(b); return 0; }\n"
    )
    subprocess.run(["cc", "main.c", *objects, "-o", "both"], cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "both"], check=False).returncode == 0


def test_equal_constants_are_stored_once() -> None:
    b = Build(1, 8)
    graph = b.done(b.dense("y", b.dense("a", "x", 8, 1), 8, 1))
    weights = emit_c(graph, "net", HOST).bundle.files["net_weights.c"].decode()
    assert weights.count("int8_t net_w") == 1


def test_bundle_is_the_same_every_time() -> None:
    assert emit_c(network(), "net", HOST).bundle.digest == emit_c(network(), "net", HOST).bundle.digest


def test_names_of_a_model_cannot_leave_a_comment() -> None:
    hostile = '*/ } system("rm") /* \\\n ??/ \u202e'
    assert not set('*"\\\n?\u202e') & set(comment(hostile))


@pytest.mark.parametrize("name", ["", "1net", "net-1", "Net", "int", "a" * 41, "né"])
def test_bad_model_name_is_refused(name: str) -> None:
    with pytest.raises(EdgeqError, match="EQ0102"):
        check_model_name(name)


@pytest.mark.parametrize(
    ("stem", "name"), [("kws_dscnn", "kws_dscnn"), ("My Net-2", "my_net_2"), ("9lives", "m_9lives"), ("…", "model")]
)
def test_model_name_follows_from_the_file(stem: str, name: str) -> None:
    assert model_name_of(stem) == name
    check_model_name(name)


def test_c_states_what_it_is() -> None:
    """The model's digest, arithmetic, target and interface in the header; ONNX attributes in the source."""
    graph = network()
    files = emit_c(graph, "net", load_target("cortex-m4"), code_bytes=_EVERY).bundle.files
    header, source = files["net.h"].decode(), files["net.c"].decode()
    assert header.startswith("/* net: generated by edgeq for cortex-m4, arithmetic highmul.\n")
    assert f"   Model {version_of(graph)} (SHA-256 of the integer graph).\n" in header
    assert "#define NET_ABI 1\n" in header
    assert "strides 1x1, pads 1x1x1x1, dilations 1x1, group 1\n" in source


def test_steps_of_one_shape_share_an_instance() -> None:
    """What the records of an instance's steps have in common is constant in it; the rest and pointers are passed."""
    b = Build(1, 8)
    last = b.dense("third", b.dense("second", b.dense("first", "x", 8, 1), 8, 2), 5, 3)
    graph = b.done(b.dense("y", last, 8, 4))
    source = emit_c(graph, "net", HOST, code_bytes=0, complete=False).bundle.files["net.c"].decode()
    assert source.count("EQ_NOINLINE void net_dense_s8(") == 1
    assert "/* rows */ 1,\n" in source
    assert "  int32_t depth;\n  int32_t out_c;\n  const int8_t *weights;\n" in source
    assert "/* out_c */ p->out_c,\n" in source
    source = emit_c(graph, "net", HOST, code_bytes=_EVERY, complete=False).bundle.files["net.c"].decode()
    assert source.count("static EQ_NOINLINE void net_dense_s8_0(") == 1
    assert source.count("  net_dense_s8_0(") == 2
    assert source.count("  eq_dense_s8(") == 3


def test_budget_goes_to_the_shapes_with_most_work() -> None:
    """Within a budget the kernels' code grows with it, the shapes with the most multiply-accumulates come first."""
    b = Build(1, 64)
    deep = b.dense("third", b.dense("second", b.dense("first", "x", 64, 1), 48, 2), 32, 3)
    graph = b.done(b.dense("y", deep, 8, 4))
    steps, isa = bind_kernels(graph, ("dsp", "generic")), ("dsp", "generic")
    macs = {step.call.shape: step.macs for step in steps}
    order = sorted(macs, key=macs.__getitem__, reverse=True)
    sets = [special_shapes(steps, isa, budget) for budget in range(0, 4000, 50)]
    assert [len(found) for found in sets] == sorted(len(found) for found in sets)
    assert {0, len(order)} <= {len(found) for found in sets}
    for budget, found in zip(range(0, 4000, 50), sets, strict=True):
        assert found == set(order[: len(found)])
        assert not found or estimated_bytes(steps, found, isa) <= budget


def test_budget_below_the_fewest_bytes_is_told() -> None:
    with gathered() as notes:
        emit_c(network(), "net", HOST, code_bytes=10)
        emit_c(network(), "net", HOST, code_bytes=0)
        emit_c(network(), "net", HOST, code_bytes=_EVERY)
    assert [problem.code for problem in notes] == ["EQ0403"]
    assert "--code-bytes 10" in str(notes[0])
