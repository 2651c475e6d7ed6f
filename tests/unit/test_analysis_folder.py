"""verify, eval, profile, emulate and check on the compiled example, and with executors that err on purpose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeq.analysis import evaluate, executors, profile, verify
from edgeq.analysis.borders import integer_inputs
from edgeq.analysis.check import check_model
from edgeq.analysis.emulate import emulate_folder
from edgeq.analysis.evaluate import evaluate_folder
from edgeq.analysis.profile import profile_folder
from edgeq.analysis.verify import PASSES, Comparison, compare_graphs, verify_folder
from edgeq.errors import EdgeqError
from edgeq.folder import Compiled
from edgeq.interp import run
from edgeq.numerics.array import Array
from edgeq.runners.base import RunResult


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
    spec = compiled.spec
    results = sum(np.prod(tensor.shape) for step in spec.steps for tensor in step)
    outputs = sum(np.prod(tensor.shape) for tensor in spec.outputs)
    native = next(result for result in found["results"] if result["on"] == "native")
    assert native["elements"] == 4 * (results + outputs)
    assert native["tensors"] == len({tensor.name for step in spec.steps for tensor in step})
    assert found["runners"] == ["native", PASSES]
    assert (found["mismatches"], found["first_mismatch"], found["samples"]) == (0, None, 4)
    assert next(result for result in found["results"] if result["on"] == PASSES)["elements"] > 0


def test_verify_takes_the_reference_for_what_it_is(compiled: Compiled) -> None:
    found = verify_folder(compiled, ["reference", "native"], 2).to_json()
    assert found["runners"] == ["native", PASSES]


def test_verify_names_the_first_wrong_element_of_a_step(compiled: Compiled, monkeypatch: pytest.MonkeyPatch) -> None:
    real = executors.execute

    def wrong(folder: Compiled, name: str, inputs: Sequence[list[Array]], **options: bool) -> RunResult:
        found = real(folder, name, inputs, **options)
        if found.steps is not None:
            found.steps[2][1][0] = flipped(flipped(found.steps[2][1][0], 7), 9)
        return found

    monkeypatch.setattr(verify, "execute", wrong)
    found = verify_folder(compiled, ["native"], 3).to_json()
    tensor = compiled.spec.steps[1][0]
    expected = run(compiled.graph, integer_inputs(compiled, None, 3)[2]).tensors[tensor.name].reshape(-1)[7]
    assert found["mismatches"] == 2
    assert found["first_mismatch"] == {
        "runner": "native",
        "sample": 2,
        "step": 1,
        "tensor": tensor.name,
        "index": [int(i) for i in np.unravel_index(7, tensor.shape)],
        "expected": int(expected),
        "got": int(expected) ^ 1,
    }


def test_verify_sees_an_output_that_a_later_step_spoils(compiled: Compiled, monkeypatch: pytest.MonkeyPatch) -> None:
    real = executors.execute

    def wrong(folder: Compiled, name: str, inputs: Sequence[list[Array]], **options: bool) -> RunResult:
        found = real(folder, name, inputs, **options)
        if found.steps is None:
            found.outputs[0][0] = flipped(found.outputs[0][0], 0)
        return found

    monkeypatch.setattr(verify, "execute", wrong)
    found = verify_folder(compiled, ["native"], 2).to_json()
    assert found["mismatches"] == 1
    assert found["first_mismatch"]["step"] is None


def test_verify_sees_a_pass_that_changes_values(compiled: Compiled) -> None:
    graph = compiled.graph
    (inputs,) = integer_inputs(compiled, None, 4)[3:]
    tensors = dict(run(graph, inputs).tensors)
    name = graph.nodes[0].outputs[0]
    tensors[name] = flipped(tensors[name], 3)
    found = Comparison(PASSES)
    compare_graphs(found, 0, graph, graph, inputs, tensors)
    assert found.mismatches == 1
    assert found.first is not None
    assert found.first.tensor == name


def test_verify_in_batches_numbers_the_samples_through(compiled: Compiled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "BATCH", 2)
    real = executors.execute
    calls = []

    def counted(folder: Compiled, name: str, inputs: Sequence[list[Array]], **options: bool) -> RunResult:
        calls.append(len(inputs))
        found = real(folder, name, inputs, **options)
        if len(calls) == 6:  # the ordinary run of the third batch
            found.outputs[0][0] = flipped(found.outputs[0][0], 0)
        return found

    monkeypatch.setattr(verify, "execute", counted)
    found = verify_folder(compiled, ["native"], 5).to_json()
    assert calls == [2, 2, 2, 2, 1, 1]
    assert found["first_mismatch"]["sample"] == 4


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


def test_profile_without_an_emulator_has_sizes_and_no_counts(
    compiled: Compiled, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = replace(compiled.spec, emulated=None)
    monkeypatch.setattr(Compiled, "spec", spec)
    found = profile_folder(compiled, 20).to_json()
    assert found["instructions"] is None
    assert found["uncounted"].endswith("has no image for an emulator")
    assert found["ram_bytes"] == compiled.manifest["arena_bytes"]
    assert [layer["op"] for layer in found["layers"]] == [step["op"] for step in compiled.manifest["steps"]]


@pytest.mark.qemu
def test_profile_counts_layers_within_the_whole(
    compiled: Compiled, monkeypatch: pytest.MonkeyPatch, needs_program: Callable[[str], str]
) -> None:
    needs_program("qemu-system-arm")
    asked = []
    real = executors.execute

    def watched(folder: Compiled, name: str, inputs: Sequence[list[Array]], **options: bool) -> RunResult:
        asked.append((name, len(inputs), options))
        return real(folder, name, inputs, **options)

    monkeypatch.setattr(profile, "execute", watched)
    found = profile_folder(compiled, 3).to_json()
    assert asked == [("qemu", 3, {"count": True})]
    assert found["instructions_min"] <= found["instructions"] <= found["instructions_max"]
    layers = sum(layer["instructions"] for layer in found["layers"])
    assert 0.95 * found["instructions"] < layers <= found["instructions"]
    assert found["stack_measured_bytes"] <= found["stack_bytes"]


def test_emulate_shows_integers_and_what_they_stand_for(compiled: Compiled, example: Any) -> None:
    found = emulate_folder(compiled, example.evaluation, 2, "native").to_json()
    (entry,) = compiled.manifest["outputs"]
    assert (found["on"], found["samples"], found["instructions"]) == ("native", 2, None)
    for sample in found["outputs"]:
        shown = sample[entry["name"]]
        wanted = (np.array(shown["integers"]) - entry["zero_point"]).astype(np.float32) * np.float32(entry["scale"])
        np.testing.assert_array_equal(np.float32(shown["values"]), wanted)


def test_check_gives_the_sizes_that_compile_finds(compiled: Compiled, example: Any) -> None:
    found = check_model(example.model, compiled.manifest["board"], {}).to_json()
    assert found["ok"]
    assert found["ram_bytes"] == compiled.manifest["arena_bytes"]
    assert found["flash_weight_bytes"] == compiled.manifest["sizes"]["flash_weight_bytes"]
    assert found["macs"] == sum(step["macs"] for step in compiled.manifest["steps"])


def test_check_reports_every_unsupported_operator_at_once(root: Path) -> None:
    found = check_model(root / "tests" / "invalid" / "models" / "unsupported_operators.onnx", None, {}).to_json()
    assert not found["ok"]
    assert len(found["problems"]) > 1
    assert found["ram_bytes"] is None
