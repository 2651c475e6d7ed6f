"""The host modules of backend tvm: bytes, odd graphs, loading without edgeq, the runner's refusals."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from integer_graphs import ADD, Build

pytest.importorskip("tvm", reason="the extra `tvm` is not installed")

from edgeq.backends.tvm import host
from edgeq.backends.tvm.host import DEBUG_MODULE, MODULE, build_host
from edgeq.backends.tvm.load import Module
from edgeq.errors import EdgeqError
from edgeq.interp import run
from edgeq.ir import DType, Graph, State, Tensor
from edgeq.numerics.array import Array
from edgeq.runners.base import ImageSpec, RunRequest, TensorSpec
from edgeq.runners.table import load_runner

FOLDER = Path(host.__file__).parent


def small() -> Graph:
    """A convolution, a reshape, a dense layer."""
    build = Build(1, 4, 3, 2)
    build.conv("c", "x", 4, 3, 1)
    build.node("reshape", "r", "c", shape=(1, 48))
    build.dense("d", "r", 5, 2)
    return build.done("d")


def sample(graph: Graph) -> Array:
    """Random integers for the only input."""
    (name,) = graph.inputs
    return np.random.default_rng(5).integers(-128, 128, graph.tensors[name].shape).astype(np.int8)


def spec_of(graph: Graph, folder: Path) -> ImageSpec:
    """What the runner must know."""

    def tensors(names: tuple[str, ...]) -> tuple[TensorSpec, ...]:
        return tuple(TensorSpec(name, graph.tensors[name].dtype.value, graph.tensors[name].shape) for name in names)

    steps = tuple(tensors(node.outputs) for node in graph.nodes if node.op != "reshape")
    inputs, outputs = tensors(graph.inputs), tensors(graph.outputs)
    return ImageSpec("m", inputs, outputs, steps, image=folder / MODULE, steps_image=folder / DEBUG_MODULE)


def check_outputs(graph: Graph, folder: Path) -> None:
    """Build, load, compare the outputs."""
    build_host(graph, "m").write(folder)
    x = sample(graph)
    expected = run(graph, [x]).outputs
    for got, wanted in zip(Module(folder / MODULE).run(x), expected, strict=True):
        assert got.dtype == wanted.dtype
        np.testing.assert_array_equal(got, wanted)


def test_same_graph_gives_the_same_bytes() -> None:
    first, second = build_host(small(), "m"), build_host(small(), "m")
    assert first.digest == second.digest
    for content in first.files.values():
        assert str(Path.cwd()).encode() not in content
        assert b"edgeq-tvm-" not in content


def test_graph_that_ends_in_a_reshape(tmp_path: Path) -> None:
    build = Build(1, 4, 3, 2)
    build.conv("c", "x", 4, 3, 1)
    check_outputs(build.done(build.node("reshape", "r", "c", shape=(1, 48))), tmp_path)


def test_reshape_of_a_reshape_and_of_the_input(tmp_path: Path) -> None:
    build = Build(1, 6)
    build.node("reshape", "a", "x", shape=(1, 2, 3))
    build.node("reshape", "b", "a", shape=(1, 6))
    check_outputs(build.done("a", build.dense("d", "b", 3, 1)), tmp_path)


def test_output_twice_and_a_step_that_is_also_read(tmp_path: Path) -> None:
    build = Build(1, 6)
    build.lookup("a", "x", 1)
    build.lookup("b", "a", 2)
    check_outputs(build.done("b", "a", "b"), tmp_path)


def test_output_that_is_the_input(tmp_path: Path) -> None:
    build = Build(1, 6)
    check_outputs(build.done("x", build.lookup("a", "x", 1)), tmp_path)


def test_nodes_of_one_name(tmp_path: Path) -> None:
    build = Build(1, 6)
    build.lookup("a", "x", 1)
    graph = build.done(build.lookup("b", "a", 2))
    graph.nodes = [node.with_(name="same") for node in graph.nodes]
    check_outputs(graph, tmp_path)


def test_names_that_are_no_identifiers(tmp_path: Path) -> None:
    build = Build(1, 6)
    check_outputs(build.done(build.lookup('a"; }\n\u00e9/0:int in0', "x", 1)), tmp_path)


def test_states_follow_inputs_and_outputs(tmp_path: Path) -> None:
    build = Build(1, 6)
    build.graph.add_tensor(Tensor("held", (1, 6), DType.INT8))
    graph = build.done(build.node("add", "sum", "x", "held", **ADD))
    graph.states = (State("held", "sum"),)
    build_host(graph, "m").write(tmp_path)
    x, held = sample(graph), np.arange(6, dtype=np.int8).reshape(1, 6)
    expected = run(graph, [x], {"held": held})
    output, after = Module(tmp_path / MODULE).run(x, held)
    np.testing.assert_array_equal(output, expected.outputs[0])
    np.testing.assert_array_equal(after, expected.states["held"])


def test_results_do_not_change_with_the_next_run(tmp_path: Path) -> None:
    graph = small()
    build_host(graph, "m").write(tmp_path)
    module, x = Module(tmp_path / MODULE), sample(graph)
    (first,) = module.run(x)
    before = first.copy()
    module.run(~x)
    np.testing.assert_array_equal(first, before)


def test_module_refuses_a_wrong_number_of_inputs_and_an_unknown_function(tmp_path: Path) -> None:
    build_host(small(), "m").write(tmp_path)
    with pytest.raises(ValueError, match="takes 1 arrays, not 0"):
        Module(tmp_path / MODULE).run()
    with pytest.raises(ValueError, match="has no function steps"):
        Module(tmp_path / MODULE, "steps")


def test_without_a_compiler_the_hint_installs_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EdgeqError) as caught:
        build_host(small(), "m")
    (problem,) = caught.value.problems
    assert problem.code == "EQ0502"
    assert "apt-get install" in str(problem.hint)


def test_a_linker_that_fails_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "_find_linker", lambda: shutil.which("false"))
    with pytest.raises(EdgeqError) as caught:
        build_host(small(), "m")
    assert caught.value.problems[0].code == "EQ0512"


def test_runner_gives_outputs_and_steps(tmp_path: Path) -> None:
    graph = small()
    build_host(graph, "m").write(tmp_path)
    inputs = [[sample(graph)], [~sample(graph)]]
    found = load_runner("tvm").run(RunRequest(spec_of(graph, tmp_path), inputs, steps=True))
    assert found.steps is not None
    for number, given in enumerate(inputs):
        expected = run(graph, given)
        np.testing.assert_array_equal(found.outputs[number][0], expected.outputs[0])
        for (got,), name in zip(found.steps[number], ("c", "d"), strict=True):
            np.testing.assert_array_equal(got, expected.tensors[name])
            assert not got.flags.writeable


def test_runner_refuses_missing_damaged_and_foreign_modules(tmp_path: Path) -> None:
    graph = small()
    build_host(graph, "m").write(tmp_path)
    spec, runner, inputs = spec_of(graph, tmp_path), load_runner("tvm"), [[sample(graph)]]
    damaged = tmp_path / "damaged.so"
    damaged.write_bytes(b"no library")
    wider = (replace(spec.outputs[0], shape=(1, 6)),)
    cases = {
        "EQ0161": RunRequest(replace(spec, image=None), inputs),
        "EQ0621": RunRequest(replace(spec, image=damaged), inputs),
        "EQ0622": RunRequest(replace(spec, outputs=wider), inputs),
        "EQ0623": RunRequest(replace(spec, inputs=(replace(spec.inputs[0], shape=(1, 4, 2, 3)),)), inputs),
    }
    for code, request in cases.items():
        with pytest.raises(EdgeqError) as caught:
            runner.run(request)
        assert caught.value.problems[0].code == code
    with pytest.raises(EdgeqError) as caught:
        runner.run(RunRequest(replace(spec, steps_image=None), inputs, steps=True))
    assert caught.value.problems[0].code == "EQ0161"


def test_runner_without_the_extra_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeq.extras.missing", lambda extra: ("tvm",))
    with pytest.raises(EdgeqError, match="EQ0530") as caught:
        load_runner("tvm").run(RunRequest(spec_of(small(), Path()), []))
    assert "pip install apache-tvm==" in str(caught.value)


def test_loader_needs_nothing_of_edgeq(tmp_path: Path) -> None:
    graph = small()
    build_host(graph, "m").write(tmp_path)
    shutil.copy(FOLDER / "load.py", tmp_path / "copied.py")
    code = (
        "import sys, numpy, copied; y, = copied.Module('model.so').run(numpy.zeros((1, 4, 3, 2), 'int8'));"
        "print(*y.ravel()); assert not any(name.split('.')[0] == 'edgeq' for name in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == zeros_through(graph)


def test_python_of_the_readme(tmp_path: Path) -> None:
    graph = small()
    build_host(graph, "m").write(tmp_path)
    (tmp_path / "sample.py").write_text(readme_block("python"), "utf-8")
    command = [sys.executable, "sample.py", "model.so", "1,4,3,2"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == zeros_through(graph)


@pytest.mark.slow
def test_cpp_of_the_readme(tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    graph = small()
    build_host(graph, "m").write(tmp_path)
    (tmp_path / "run.cc").write_text(readme_block(r"c\+\+"), "utf-8")
    packages = Path(sysconfig.get_path("purelib"))
    command = readme_block("sh").replace("\\\n", " ").splitlines()[1].replace("$P", str(packages)).split()
    built = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    done = subprocess.run(
        ["./run", "./model.so", "1", "4", "3", "2"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == zeros_through(graph)


def readme_block(language: str) -> str:
    """The code of the backend's README in a language."""
    found = re.search(
        rf"^```{language}\n(.*?)^```", (FOLDER / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    assert found is not None
    return found.group(1)


def zeros_through(graph: Graph) -> list[str]:
    """What the reference makes of zeros, as text."""
    (name,) = graph.inputs
    return [str(value) for value in run(graph, [np.zeros(graph.tensors[name].shape, np.int8)]).outputs[0].ravel()]
