"""verify, eval, profile, emulate and check on the compiled example, and with executors that err on purpose."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import sleep
from typing import Any

import numpy as np
import pytest

from edgeq.analysis import evaluate, executors, parallel, profile, verify
from edgeq.analysis.check import check_model
from edgeq.analysis.comparison import BeforePasses, Comparison
from edgeq.analysis.emulate import emulate_folder, machine_of
from edgeq.analysis.evaluate import evaluate_folder
from edgeq.analysis.executors import spec_of
from edgeq.analysis.model_values import Inputs, integer_inputs
from edgeq.analysis.parallel import InOrder, shares
from edgeq.analysis.profile import profile_folder
from edgeq.analysis.verify import PASSES, verify_folder
from edgeq.errors import EdgeqError
from edgeq.folder import Compiled
from edgeq.interp import run
from edgeq.job import CompileOptions
from edgeq.numerics.array import Array
from edgeq.runners.base import RunResult
from edgeq.runners.table import runner_entry
from edgeq.target import list_boards, load_board

OPTIONS = CompileOptions("native", "model")


@pytest.fixture
def compiled(compiled_example: Callable[..., Path]) -> Compiled:
    return Compiled.open(compiled_example())


def flipped(array: Array, index: int) -> Array:
    """A copy with one bit of one element the other way."""
    result = np.array(array)
    result.reshape(-1)[index] ^= 1
    return result


def test_verify_counts_every_tensor_and_element(compiled: Compiled) -> None:
    found = verify_folder(compiled, ["native"], 4).to_json()
    spec = spec_of(compiled, "native")
    results = sum(np.prod(tensor.shape) for step in spec.steps for tensor in step)
    outputs = sum(np.prod(tensor.shape) for tensor in spec.outputs)
    native = next(result for result in found["results"] if result["on"] == "native")
    # Every sample step by step, and the first of each share once more as a whole.
    assert native["elements"] == 4 * (results + outputs) + len(shares(4, 1)) * outputs
    assert native["tensors"] == len({tensor.name for step in spec.steps for tensor in step})
    assert found["runners"] == ["native"]
    assert found["tensors"] == native["tensors"]
    assert (found["ok"], found["mismatches"], found["first_mismatch"], found["samples"]) == (True, 0, None, 4)
    assert next(result for result in found["results"] if result["on"] == PASSES)["elements"] > 0


def test_verify_takes_the_reference_for_what_it_is(compiled: Compiled) -> None:
    found = verify_folder(compiled, ["reference", "native"], 2).to_json()
    assert found["runners"] == ["native"]


def test_verify_names_the_first_wrong_element_of_a_step(compiled: Compiled, monkeypatch: pytest.MonkeyPatch) -> None:
    real = executors.execute

    def wrong(folder: Compiled, name: str, inputs: Inputs, **options: Any) -> RunResult:
        found = real(folder, name, inputs, **options)
        if options["first_sample"] == 2:
            assert found.steps is not None
            found.steps[0][1][0] = flipped(flipped(found.steps[0][1][0], 7), 9)
        return found

    monkeypatch.setattr(verify, "execute", wrong)
    found = verify_folder(compiled, ["native"], 3).to_json()
    tensor = spec_of(compiled, "native").steps[1][0]
    expected = run(compiled.graph, integer_inputs(compiled, None, 3).runs[2]).tensors[tensor.name].reshape(-1)[7]
    assert found["mismatches"] == 2
    assert found["first_mismatch"] == {
        "runner": "native",
        "sample": 2,
        "step": 1,
        "tensor": tensor.name,
        "index": [int(i) for i in np.unravel_index(7, tensor.shape)],
        "expected": int(expected),
        "got": int(expected) ^ 1,
        "time_step": None,
        "band": None,
        "rows": None,
    }


@pytest.mark.parametrize("where", ["outputs", "whole"])
def test_verify_sees_an_output_that_a_later_step_spoils(
    where: str, compiled: Compiled, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = executors.execute

    def wrong(folder: Compiled, name: str, inputs: Inputs, **options: Any) -> RunResult:
        found = real(folder, name, inputs, **options)
        spoilt = found.outputs if where == "outputs" else found.whole
        assert spoilt is not None
        if options["first_sample"] == 1:
            spoilt[0][0] = flipped(spoilt[0][0], 0)
        return found

    monkeypatch.setattr(verify, "execute", wrong)
    found = verify_folder(compiled, ["native"], 2).to_json()
    assert (found["ok"], found["mismatches"]) == (False, 1)
    assert (found["first_mismatch"]["sample"], found["first_mismatch"]["step"]) == (1, None)


def test_verify_sees_a_pass_that_changes_values(compiled: Compiled) -> None:
    graph, changed = compiled.graph, compiled.graph.copy()
    (inputs,) = integer_inputs(compiled, None, 4).runs[3:]
    position = next(number for number, node in enumerate(graph.nodes) if "clamp_max" in node.attrs)
    first = graph.nodes[position]
    changed.nodes[position] = first.with_attrs(clamp_max=first.integer("clamp_max") - 100)
    before, expected = BeforePasses(graph, changed), run(changed, inputs).tensors
    values = before.run(inputs, expected)
    assert all(np.array_equal(value, run(graph, inputs).tensors[name]) for name, value in values.items())
    found = Comparison(PASSES)
    before.compare(found, 0, values, expected)
    assert found.mismatches > 0
    assert found.first is not None
    assert found.first.tensor == first.outputs[0]


@pytest.mark.parametrize("number", [1, 2, 7])
def test_verify_is_the_same_whatever_the_number_of_cores(
    number: int, compiled: Compiled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One boot a share, shares that do not depend on the cores, and the first mismatch by number, not by time."""
    real = executors.execute
    calls = []

    def slow_at_first(folder: Compiled, name: str, inputs: Inputs, **options: Any) -> RunResult:
        first = options["first_sample"]
        calls.append((first, len(inputs.runs)))
        found = real(folder, name, inputs, **options)
        if first in {3, 6}:
            found.outputs[0][0] = flipped(found.outputs[0][0], 0)
        sleep(0.2 if first == 3 else 0)
        return found

    monkeypatch.setattr(verify, "execute", slow_at_first)
    monkeypatch.setattr(parallel, "cores", lambda: number)
    found = verify_folder(compiled, ["native"], 9).to_json()
    assert sorted(calls) == [(0, 3), (3, 3), (6, 3)]
    assert (found["mismatches"], found["first_mismatch"]["sample"]) == (2, 3)


def test_error_of_the_first_share_is_the_one_that_is_told(compiled: Compiled, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(folder: Compiled, name: str, inputs: Inputs, **options: Any) -> RunResult:
        first = options["first_sample"]
        sleep(0.2 if first == 0 else 0)
        raise EdgeqError("EQ0605", "the native executable failed", where=f"sample {first}")

    monkeypatch.setattr(verify, "execute", failing)
    with pytest.raises(EdgeqError, match="sample 0"):
        verify_folder(compiled, ["native"], 8)


def changed_folder(compiled: Compiled, folder: Path, **changes: Any) -> Compiled:
    """A copy of the compiled folder with other entries in its manifest."""
    shutil.copytree(compiled.path, folder)
    return Compiled(folder, replace(compiled.manifest, **changes))


COMMANDS: dict[str, Callable[[Compiled, str], object]] = {
    "emulate": lambda compiled, name: emulate_folder(compiled, None, 1, name),
    "profile": lambda compiled, name: profile_folder(compiled, 1, None, name),
    "verify": lambda compiled, name: verify_folder(compiled, [name], 1),
}
WITHOUT = [(command, name) for command in COMMANDS for name in ("qemu", "tvm-qemu")]
WITHOUT += [(command, name) for command in ("emulate", "verify") for name in ("native", "tflite", "tvm")]


@pytest.mark.parametrize(("command", "name"), WITHOUT)
def test_folder_without_the_image_is_named(command: str, name: str, compiled: Compiled, tmp_path: Path) -> None:
    bare = changed_folder(compiled, tmp_path / "bare", images={})
    with pytest.raises(EdgeqError) as caught:
        COMMANDS[command](bare, name)
    problem = caught.value.problems[0]
    assert (problem.code, problem.where, caught.value.exit_code) == ("EQ0160", str(bare.path), 2)
    backend = {"tflite": "tflite", "tvm": "tvm", "tvm-qemu": "tvm"}.get(name)
    assert (f"--backend c,{backend}" if backend else "edgeq doctor") in str(problem.hint)


@pytest.mark.parametrize(("command", "name"), [(command, name) for command, name in WITHOUT if "t" not in name])
def test_missing_image_is_named_with_its_path(command: str, name: str, compiled: Compiled, tmp_path: Path) -> None:
    bare = changed_folder(compiled, tmp_path / "bare")
    gone = bare.path / bare.manifest.images[runner_entry(name).image]
    gone.unlink()
    with pytest.raises(EdgeqError) as caught:
        COMMANDS[command](bare, name)
    assert (caught.value.problems[0].code, caught.value.problems[0].where) == ("EQ0161", str(gone))
    assert caught.value.exit_code == 2


def test_verify_of_nothing_is_an_error(compiled: Compiled, tmp_path: Path) -> None:
    bare = changed_folder(compiled, tmp_path / "bare", images={})
    for folder, runners, samples, code in (
        (bare, [], 1, "EQ0160"),
        (compiled, ["reference"], 1, "EQ0162"),
        (compiled, ["native"], 0, "EQ0108"),
    ):
        with pytest.raises(EdgeqError) as caught:
            verify_folder(folder, runners, samples)
        assert (caught.value.problems[0].code, caught.value.exit_code) == (code, 2)


def test_verify_without_every_step_is_an_error(compiled: Compiled, tmp_path: Path) -> None:
    spec = spec_of(compiled, "native")
    for steps, outputs in (((), spec.outputs), (spec.steps[1:], spec.outputs), (spec.steps, ())):
        shorter = replace(spec, steps=steps, outputs=outputs)
        found = Comparison("native")
        names = [tensor.name for step in shorter.steps for tensor in step] + [output.name for output in outputs]
        for name in names[: -1 if not outputs else None]:
            found.compare(0, 0, name, np.zeros(1, np.int8), np.zeros(1, np.int8))
        with pytest.raises(EdgeqError, match="EQ0163"):
            verify.check_complete(compiled, found)


@pytest.mark.parametrize("name", ["quemu", "drive", ""])
def test_unknown_runner_is_refused_with_the_nearest_name(compiled: Compiled, name: str) -> None:
    with pytest.raises(EdgeqError, match="EQ0170") as caught:
        verify_folder(compiled, [name], 1)
    if name == "quemu":
        assert "did you mean qemu?" in str(caught.value)


def test_eval_gives_one_value_where_executors_agree(compiled: Compiled, example: Any) -> None:
    found = evaluate_folder(compiled, example.evaluation, ["reference", "native", "float"], None, 60).to_json()
    assert (found["metric"], found["samples"], found["on"]) == ("top1", 60, ["reference", "native", "float"])
    by_name = {result["on"]: result for result in found["results"]}
    assert by_name["reference"]["value"] == by_name["native"]["value"] == found["value"]
    assert by_name["float"]["value"] == found["float_value"]
    assert by_name["float"]["agreement"] == 1.0
    assert found["agreement"] == by_name["reference"]["agreement"]


def test_eval_gives_null_where_executors_differ(
    compiled: Compiled, example: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = executors.outputs_of

    def wrong(folder: Compiled, name: str, *rest: Any) -> list[list[Array]]:
        found = real(folder, name, *rest)
        return [[-arrays[0]] for arrays in found] if name == "native" else found

    monkeypatch.setattr(evaluate, "outputs_of", wrong)
    found = evaluate_folder(compiled, example.evaluation, ["reference", "native"], None, 20).to_json()
    assert found["value"] is None
    assert found["agreement"] is None
    assert len({result["value"] for result in found["results"]}) == 2


def test_eval_by_mse_gives_decibels_and_no_agreement(compiled: Compiled, example: Any) -> None:
    found = evaluate_folder(compiled, example.evaluation, ["reference"], "mse", 20).to_json()
    assert found["agreement"] is None
    assert found["sqnr_db"] > 15
    assert found["float_value"] == 0


@pytest.mark.qemu
def test_profile_counts_layers_within_the_whole(
    compiled: Compiled, monkeypatch: pytest.MonkeyPatch, needs_program: Callable[[str], str]
) -> None:
    needs_program("qemu-system-arm")
    asked = []
    real = executors.execute_all

    def watched(folder: Compiled, name: str, inputs: Inputs, **options: Any) -> RunResult:
        asked.append((name, len(inputs.runs), options["count"]))
        return real(folder, name, inputs, **options)

    monkeypatch.setattr(profile, "execute_all", watched)
    found = profile_folder(compiled, 3).to_json()
    assert asked == [("qemu", 3, True)]
    assert found["samples"] == 3
    assert found["instructions_min"] <= found["instructions"] <= found["instructions_max"]
    layers = sum(layer["instructions"] for layer in found["layers"])
    assert 0.95 * found["instructions"] < layers <= found["instructions"]
    assert found["stack_measured_bytes"] <= found["stack_bytes"]


def test_emulate_shows_integers_and_what_they_stand_for(compiled: Compiled, example: Any) -> None:
    found = emulate_folder(compiled, example.evaluation, 2, "native").to_json()
    (entry,) = compiled.manifest.outputs
    assert (found["on"], found["samples"], found["instructions"]) == ("native", 2, None)
    assert found["machine"] == "this computer"
    assert found["arg_max"] == [int(np.argmax(sample[entry.name]["integers"])) for sample in found["outputs"]]
    for sample in found["outputs"]:
        shown = sample[entry.name]
        wanted = (np.array(shown["integers"]) - entry.zero_point).astype(np.float32) * np.float32(entry.scale)
        np.testing.assert_array_equal(np.float32(shown["values"]), wanted)


def test_check_gives_the_sizes_that_compile_finds(compiled: Compiled, example: Any) -> None:
    found = check_model(example.model, compiled.manifest.board, OPTIONS).to_json()
    assert found["ok"]
    assert found["ram_bytes"] == compiled.manifest.program.arena_bytes
    assert compiled.manifest.program.sizes is not None
    assert found["flash_weight_bytes"] == compiled.manifest.program.sizes.flash_weight_bytes
    assert found["macs"] == compiled.manifest.program.macs


def test_check_counts_each_layer(example: Any, compiled: Compiled) -> None:
    report = check_model(example.model, compiled.manifest.board, OPTIONS)
    assert [layer.macs for layer in report.layers] == [step.macs for step in compiled.manifest.program.steps]
    assert report.peak is not None
    assert report.peak.ram_bytes == max(layer.ram_bytes for layer in report.layers)
    # Results that trail their operands leave some bytes between them, so that the fullest step is not all of the arena.
    assert report.ram_bytes is not None
    assert 0.9 * report.ram_bytes < report.peak.ram_bytes <= report.ram_bytes


def test_check_compares_all_boards_those_that_are_sold_first(example: Any) -> None:
    boards = check_model(example.model, "all", OPTIONS).boards
    names = [fit.board for fit in boards]
    assert sorted(names) == sorted(name for name in list_boards() if load_board(name).ram is not None)
    assert [fit.sold for fit in boards] == sorted((fit.sold for fit in boards), reverse=True)
    sold = [fit for fit in boards if fit.sold]
    assert [fit.fits for fit in sold] == sorted((fit.fits for fit in sold), reverse=True)
    left = [fit.ram_left_bytes for fit in sold if fit.fits]
    assert left == sorted(left)
    for fit in boards:
        assert fit.fits == (fit.ram_bytes <= fit.ram_available_bytes and fit.flash_bytes <= fit.flash_available_bytes)


def test_check_says_by_how_much_a_board_is_too_small(data_dir: Path) -> None:
    report = check_model(data_dir / "models" / "ic_resnet8.onnx", "microbit-v1", OPTIONS)
    (fit,) = report.boards
    assert not fit.fits
    assert [problem.code for problem in report.problems] == ["EQ0401"]
    assert f"{-fit.ram_left_bytes} too many" in str(report.problems[0].got)
    assert report.layers


def test_check_needs_no_data_where_compile_does(root: Path) -> None:
    """A Log is fine for the user's data; invented data would make it NaN."""
    report = check_model(root / "tests" / "regression" / "log.onnx", None, OPTIONS)
    assert report.problems == ()


def test_check_reports_every_unsupported_operator_at_once(root: Path) -> None:
    found = check_model(root / "tests" / "invalid" / "models" / "unsupported_operators.onnx", None, OPTIONS).to_json()
    assert not found["ok"]
    assert len(found["problems"]) > 1
    assert found["ram_bytes"] is None


def test_shares_bound_samples_and_bytes_and_keep_the_order() -> None:
    assert [len(part) for part in shares(200, 1)] == [50, 50, 50, 50]
    assert [len(part) for part in shares(20, 1)] == [5, 5, 5, 5]
    assert [len(part) for part in shares(1, 1)] == [1]
    assert shares(0, 1) == []
    assert {len(part) for part in shares(1000, 1)} == {64, 40}
    assert {len(part) for part in shares(10, 1 << 30)} == {1}
    assert [sample for part in shares(777, 100_000) for sample in part] == list(range(777))


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_results_come_in_the_order_of_the_tasks_with_few_waiting(workers: int) -> None:
    started: list[int] = []

    def task(number: int) -> int:
        started.append(number)
        sleep(0.001 * (number % 3))
        return number

    with InOrder((lambda n=number: task(n) for number in range(20)), workers) as results:  # type: ignore[misc]
        assert next(results) == 0
        sleep(0.05)
        assert len(started) <= workers + 3
        assert list(results) == list(range(1, 20))


def test_machine_and_class_names_are_shown(compiled: Compiled, example: Any, tmp_path: Path) -> None:
    arrays = dict(np.load(example.evaluation))
    names = [f"class {number}" for number in range(10)]
    np.savez(tmp_path / "named.npz", **arrays | {"class_names": np.array(names)})
    np.savez(tmp_path / "short.npz", **arrays | {"class_names": np.array(names[:9])})
    found = emulate_folder(compiled, tmp_path / "named.npz", 3, "native").to_json()
    assert found["classes"] == [names[index] for index in found["arg_max"]]
    short = emulate_folder(compiled, tmp_path / "short.npz", 3, "native")
    assert short.to_json()["classes"] == [None] * 3
    assert [note.code for note in short.notes] == ["EQ0165"]
    assert "mps2-an386" in machine_of(compiled, "qemu")
    assert "cortex-m4" in machine_of(compiled, "qemu")


def test_verify_says_in_words_what_the_document_says(
    compiled_example: Callable[..., Path], run_edgeq: Callable[..., Any]
) -> None:
    arguments = ("verify", compiled_example(), "--on", "native", "--samples", "2")
    text, document = run_edgeq(*arguments), json.loads(run_edgeq(*arguments, "--json").stdout)
    assert text.returncode == 0
    assert f"native agrees with the reference in {document['tensors']} tensors, 2 samples" in text.stdout
    (native, passes) = document["results"]
    assert (document["runners"], document["ok"], document["samples"]) == (["native"], True, 2)
    assert document["tensors"] == native["tensors"] == len({row["tensor"] for row in results_of(compiled_example())})
    assert document["elements"] == native["elements"] + passes["elements"]
    assert f"{native['elements']:,}" in text.stdout


def results_of(folder: Path) -> list[dict[str, Any]]:
    """Every result that the manifest lists."""
    manifest = json.loads((folder / "manifest.json").read_text())
    return [result for step in manifest["programs"]["c"]["steps"] for result in step["results"]]
