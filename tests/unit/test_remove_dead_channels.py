"""Dead channels go, and nothing else changes: every output and every channel that is left keeps its bits."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import onnx_ir
import pytest
from dead_channels import kill_channels, passes_with
from integer_graphs import ADD, HIGHMUL, Build

from edgeq.analysis.comparison import BeforePasses, Comparison
from edgeq.errors import EdgeqError
from edgeq.frontend import normalize_qdq, normalize_structure
from edgeq.interp import run
from edgeq.ir import DType, Graph, Node, Source, State, Tensor
from edgeq.ir.serialize import load_graph, save_graph
from edgeq.ir.verify import verify_graph
from edgeq.lowering import lower
from edgeq.numerics.array import Array
from edgeq.numerics.scaling import MODES
from edgeq.ops import BY_NAME, infer
from edgeq.passes import (
    BLIND_PASSES,
    PASSES,
    channel_needs,
    channel_ranges,
    remove_dead_channels,
    remove_dead_nodes,
    run_passes,
)
from edgeq.passes.removed_channels import Change, removed_channels
from tests.conformance.zoo import input_sets
from tests.quantized.random_models import RandomModel

DEAD = 3
ZERO = 3  # the value of padding in Build.conv


class Layers(Build):
    """Graphs of layers on images, NHWC, with channels that are constant."""

    def kill(self, layer: str, rows: slice, value: int | None = None) -> None:
        """Make rows of a layer constant; their result is `value`, or what their bias gives."""
        weight, bias = (self.graph.tensors[f"{layer}.{part}"] for part in ("weight", "bias"))
        values, start = weight.value().copy(), bias.value().copy()
        values[rows] = 0
        if value is not None:
            multiplier = self.graph.tensors[f"{layer}.multiplier"].value().astype(np.float64)
            start[rows] = np.rint((value - int(HIGHMUL["out_zero"])) * 2.0**32 / multiplier[rows])
        self.graph.tensors[weight.name] = weight.with_(data=values)
        self.graph.tensors[bias.name] = bias.with_(data=start)

    def depthwise(self, name: str, x: str, seed: int, multiplier: int = 1, kernel: int = 3) -> str:
        """A convolution of each channel for itself, padded by values of 3."""
        rng = np.random.default_rng(seed)
        group = self.graph.tensors[x].shape[3]
        outputs = group * multiplier
        constants = (
            self.constant(f"{name}.weight", rng.integers(-127, 128, (outputs, kernel, kernel, 1)).astype(np.int8)),
            self.constant(f"{name}.bias", rng.integers(-9999, 9999, outputs).astype(np.int32)),
            self.constant(f"{name}.multiplier", rng.integers(1 << 22, 1 << 25, outputs).astype(np.int32)),
        )
        geometry: dict[str, int | tuple[int, ...]] = {
            "strides": (1, 1),
            "pads": (kernel // 2,) * 4,
            "dilations": (1, 1),
            "group": group,
            "pad_value": ZERO,
        }
        return self.node("conv2d", name, x, *constants, **HIGHMUL, **geometry)

    def pool(self, name: str, x: str) -> str:
        """The largest of windows of 2 x 2."""
        window: dict[str, int | tuple[int, ...]] = {"kernel": (2, 2), "strides": (1, 1), "pads": (0,) * 4}
        return self.node("max_pool", name, x, **window, clamp_min=-128, clamp_max=127)


def layers(count: int, value: int | None = None, seed: int = 1) -> tuple[Layers, str]:
    """A graph with a layer of so many channels, of which the last three are constant."""
    b = Layers(1, 4, 5, 6)
    first = b.conv("first", "x", count, 1, seed)
    b.kill("first", slice(count - DEAD, count), value)
    return b, first


def checked(before: Graph, multiple: int = remove_dead_channels.MULTIPLE) -> Graph:
    """The graph without dead channels, after a comparison of every tensor on random inputs."""
    verify_graph(before, infer)
    after = before.copy()
    run_passes(after, passes_with(multiple))
    compared, found = BeforePasses(before, after), Comparison("passes")
    for number, sample in enumerate(input_sets(after)):
        values = run(after, sample)
        expected = compared.run(sample, values.tensors)
        compared.compare(found, number, expected, values.tensors)
    assert found.first is None
    assert found.elements > 0
    return after


def channels(graph: Graph, name: str) -> int:
    return graph.tensors[name].shape[-1]


def test_a_constant_channel_goes_into_the_bias() -> None:
    b, first = layers(16)
    after = checked(b.done(b.conv("y", first, 6, 1, 2)))
    assert channels(after, "first") == 16  # 13 are rounded up
    b, first = layers(15)
    after = checked(b.done(b.conv("y", first, 6, 1, 2)))
    assert channels(after, "first") == 12


@pytest.mark.parametrize(("value", "left"), [(ZERO, 8), (ZERO + 1, 11)])
def test_padding_of_another_value_keeps_a_constant_channel(value: int, left: int) -> None:
    b, first = layers(11, value)
    after = checked(b.done(b.conv("y", first, 6, 3, 2)))
    assert channels(after, "first") == left


@pytest.mark.parametrize(("value", "left"), [(ZERO, 8), (100, 11)])
def test_a_padded_depthwise_layer_hands_on_constants_of_its_padding(value: int, left: int) -> None:
    b, first = layers(11, value)
    after = checked(b.done(b.conv("y", b.depthwise("d", first, 3), 6, 1, 2)))
    assert channels(after, "first") == channels(after, "d") == left
    depthwise = after.producer("d")
    assert depthwise is not None
    assert depthwise.integer("group") == left


def test_a_block_of_depthwise_outputs_goes_as_a_whole() -> None:
    b, first = layers(11, ZERO)
    wide = b.depthwise("d", first, 3, multiplier=2)
    after = checked(b.done(b.conv("y", wide, 6, 1, 2)))
    assert (channels(after, "first"), channels(after, "d")) == (8, 16)
    b, first = layers(11, ZERO)
    wide = b.depthwise("d", first, 3, multiplier=2)
    last = b.graph.tensors[b.conv("y", wide, 6, 1, 2) + ".weight"]
    values = last.value().copy()
    values[..., ::2] = 0  # one of two outputs is read
    b.graph.tensors[last.name] = last.with_(data=values)
    after = checked(b.done("y"))
    assert (channels(after, "first"), channels(after, "d")) == (8, 16)


def test_channels_without_readers_go_though_they_are_not_constant() -> None:
    b = Layers(1, 4, 5, 6)
    first = b.conv("first", "x", 12, 1, 1)
    b.conv("y", b.lookup("t", first, 4), 6, 1, 2)
    weight = b.graph.tensors["y.weight"]
    values = weight.value().copy()
    values[..., 4:8] = 0
    b.graph.tensors[weight.name] = weight.with_(data=values)
    after = checked(b.done("y"))
    assert channels(after, "first") == channels(after, "t") == 8


def test_both_sides_of_a_sum_keep_what_one_of_them_needs() -> None:
    b, first = layers(11)
    other = b.conv("other", "x", 11, 1, 5)
    after = checked(b.done(b.conv("y", b.node("add", "sum", first, other, **ADD), 6, 1, 2)))
    assert channels(after, "first") == 11  # a constant and what varies give what varies
    b, first = layers(11)
    other = b.conv("other", "x", 11, 1, 5)
    b.kill("other", slice(8, 11))
    after = checked(b.done(b.conv("y", b.node("add", "sum", first, other, **ADD), 6, 1, 2)))
    assert {channels(after, name) for name in ("first", "other", "sum")} == {8}


def test_one_reader_of_several_keeps_a_channel() -> None:
    b, first = layers(11, 50)
    narrow = b.conv("narrow", first, 6, 1, 2)
    after = checked(b.done(narrow, b.conv("wide", first, 6, 3, 3)))
    assert channels(after, "first") == 11


def test_a_constant_operand_loses_the_same_channels() -> None:
    b, first = layers(11)
    constant = b.constant("k", np.arange(11, dtype=np.int8))
    after = checked(b.done(b.conv("y", b.node("add", "sum", first, constant, **ADD), 6, 1, 2)))
    assert channels(after, "sum") == 8


def test_outputs_inputs_and_states_keep_all_channels() -> None:
    b, first = layers(11)
    after = checked(b.done(b.conv("y", first, 6, 1, 2), first))
    assert channels(after, "first") == 11
    b = Layers(1, 4, 5, 6)
    b.conv("y", b.lookup("t", "x", 1), 6, 1, 2)
    b.kill("y", slice(0, 6))
    after = checked(b.done("y"))
    assert (channels(after, "x"), channels(after, "y")) == (6, 6)
    b, first = layers(11)
    b.graph.add_tensor(b.graph.tensors["x"].with_(name="h", shape=(1, 4, 5, 11)))
    total = b.node("add", "sum", first, "h", **ADD)
    b.graph.states = (State("h", first),)
    graph = b.done(b.conv("y", total, 6, 1, 2))
    assert remove_dead_channels.run(graph) == 0


def test_parts_of_a_concatenation_lose_their_own() -> None:
    b, first = layers(11)
    other = b.conv("other", "x", 8, 1, 5)
    b.kill("other", slice(0, 4))
    constant = b.constant("k", np.zeros((1, 4, 5, 4), np.int8))
    joined = b.node("concat", "j", first, constant, other, axis=3)
    after = checked(b.done(b.conv("y", joined, 6, 1, 2)))
    assert [channels(after, name) for name in ("first", "other", "j")] == [8, 4, 12]


def test_slices_and_pads_along_channels_move() -> None:
    b, first = layers(11)
    part = b.node("slice", "s", first, starts=(0, 0, 1, 2), ends=(1, 4, 5, 10), steps=(1, 1, 1, 1))
    padded = b.node("pad", "p", part, pads=(0, 0, 0, 3, 0, 1, 0, 2), value=7)
    after = checked(b.done(b.conv("y", padded, 6, 1, 2)))
    assert channels(after, "first") == 8
    assert channels(after, "p") < channels(b.graph, "p")


def test_a_flattened_image_loses_columns_of_the_dense_layer() -> None:
    b, first = layers(11)
    flat = b.node("reshape", "f", b.pool("m", first), shape=(1, 132))
    after = checked(b.done(b.dense("y", flat, 5, 4)))
    assert (channels(after, "m"), channels(after, "f")) == (8, 96)


def test_a_layer_without_live_inputs_keeps_some() -> None:
    b = Layers(1, 4, 5, 6)
    first = b.conv("first", "x", 9, 1, 1)
    b.kill("first", slice(0, 9))
    after = checked(b.done(b.conv("y", first, 6, 1, 2)))
    assert channels(after, "first") == 4


def test_groups_keep_their_channels() -> None:
    b, first = layers(12)
    rng = np.random.default_rng(4)
    constants = (
        b.constant("g.weight", rng.integers(-127, 128, (6, 1, 1, 4)).astype(np.int8)),
        b.constant("g.bias", np.zeros(6, np.int32)),
        b.constant("g.multiplier", np.full(6, 1 << 22, np.int32)),
    )
    sizes: dict[str, int | tuple[int, ...]] = {"strides": (1, 1), "pads": (0,) * 4, "dilations": (1, 1)}
    b.node("conv2d", "g", first, *constants, **HIGHMUL, **sizes, group=3, pad_value=0)
    assert channels(checked(b.done(b.conv("y", "g", 6, 1, 2))), "first") == 12


@pytest.mark.parametrize("multiple", [1, 2, 4, 16])
def test_counts_are_rounded_up(multiple: int) -> None:
    b, first = layers(21)
    after = checked(b.done(b.conv("y", b.lookup("t", first, 4), 6, 1, 2)), multiple)
    assert channels(after, "first") == channels(after, "t") == min(-(-18 // multiple) * multiple, 21)


def test_a_bias_that_would_leave_int32_is_not_folded() -> None:
    """The accumulator of int16 is int64; its bias is int32 all the same."""
    graph = wide_layers(bias=(1 << 31) - 2000)
    assert remove_dead_channels.run(graph) == 0
    assert channels(checked(wide_layers(bias=0)), "first") == 4


def wide_layers(bias: int) -> Graph:
    """Two dense layers of int16, of which the first has four constant channels."""
    b = Build(1, 4)
    b.graph.tensors["x"] = Tensor("x", (1, 4), DType.INT16)
    attrs = HIGHMUL | {"acc": "i64", "shift": -8, "out_zero": 0, "clamp_min": -32768, "clamp_max": 32767}

    def dense(name: str, x: str, weight: Array, start: Array) -> str:
        constants = (
            b.constant(f"{name}.weight", weight.astype(np.int8)),
            b.constant(f"{name}.bias", start.astype(np.int32)),
            b.constant(f"{name}.multiplier", np.full(len(weight), 1 << 30, np.int32)),
        )
        node = Node("dense", name, (x, *constants), (name,), attrs)
        b.graph.add_tensor(Tensor(name, (1, len(weight)), DType.INT16))
        b.graph.nodes.append(node)
        return name

    first = dense("first", "x", np.eye(8, 4), np.where(np.arange(8) < 4, 0, 1 << 23))
    return b.done(dense("y", first, np.full((2, 8), 127), np.full(2, bias)))


def random_model(seed: int) -> Graph:
    """A random network as it is lowered, in one of the arithmetics, with dead channels."""
    model = normalize_qdq(normalize_structure(onnx_ir.from_proto(RandomModel(seed).model)))
    lowered = lower(model, mode=MODES[seed % len(MODES)], name="g")
    return kill_channels(lowered, np.random.default_rng(seed))


def random_layers(seed: int) -> Graph:
    """Layers, and operators that keep channels apart, with branches that meet again."""
    draw = np.random.default_rng(seed)
    b = Layers(1, 4, 5, 6)
    values = [b.conv("c", "x", int(draw.integers(5, 12)), 1, seed)]
    for number in range(int(draw.integers(4, 10))):
        name, x = f"n{number}", values[-1] if draw.random() < 0.7 else str(draw.choice(values))
        partners = [value for value in values if b.graph.tensors[value].shape == b.graph.tensors[x].shape]
        partner = str(draw.choice(partners))
        rows = b.graph.tensors[x].shape[1]
        choice = int(draw.integers(9))
        if choice <= 2:
            values.append(b.conv(name, x, int(draw.integers(5, 12)), int(draw.choice([1, 3])), number))
        elif choice == 3:
            values.append(b.depthwise(name, x, number, int(draw.integers(1, 3))))
        elif choice == 4:
            values.append(b.lookup(name, x, number))
        elif choice == 5:
            values.append(b.node("add", name, x, partner, **ADD))
        elif choice == 6:
            values.append(b.node("concat", name, x, partner, axis=int(draw.integers(1, 4))))
        elif choice == 7 and rows > 2:
            values.append(b.pool(name, x))
        else:
            pads = tuple(map(int, draw.integers(0, 2, 8) * (0, 1, 1, 1, 0, 1, 1, 1)))
            values.append(b.node("pad", name, x, pads=pads, value=ZERO))
    last = values[-1]
    flat = b.node("reshape", "flat", last, shape=(1, b.graph.tensors[last].elements))
    outputs = [b.dense("y", flat, 5, seed)]
    outputs += [value for value in values if draw.random() < 0.1]
    graph = b.done(*outputs)
    run_passes(graph, (remove_dead_nodes.PASS,))
    return kill_channels(graph, draw)


RANDOM = [*(partial(random_model, seed) for seed in range(9)), *(partial(random_layers, seed) for seed in range(60))]


@pytest.mark.parametrize("number", range(len(RANDOM)))
@pytest.mark.parametrize("multiple", [1, 4])
def test_random_networks_keep_every_bit(number: int, multiple: int) -> None:
    before = RANDOM[number]()
    checked(before, multiple)


def test_random_networks_lose_channels() -> None:
    lost = {1: 0, 4: 0}
    for multiple in lost:
        for make in RANDOM[9:]:
            before = make()
            after = before.copy()
            run_passes(after, passes_with(multiple))
            lost[multiple] += bool(removed_channels(before, after))
    assert lost[1] >= 40
    assert lost[4] >= 20


@pytest.mark.parametrize("number", range(len(RANDOM)))
def test_every_value_lies_in_the_range_of_its_channel(number: int) -> None:
    graph = RANDOM[number]()
    run_passes(graph, BLIND_PASSES)
    ranges = channel_ranges.channel_ranges(graph)
    for sample in input_sets(graph):
        for name, value in run(graph, sample).tensors.items():
            rows = value.astype(np.int64).reshape(-1, value.shape[-1] if value.shape else 1)
            assert bool((rows >= ranges[name].low).all()), name
            assert bool((rows <= ranges[name].high).all()), name


def test_layers_that_lost_channels_are_told() -> None:
    b, first = layers(11)
    before = b.done(b.conv("y", first, 6, 1, 2))
    after = checked(before)
    first_layer, last = removed_channels(before, after)
    assert (first_layer.name, first_layer.label) == ("first", "onnx/first")
    assert (first_layer.inputs, first_layer.outputs) == (Change(6, 6), Change(11, 8))
    assert (last.inputs, last.outputs) == (Change(11, 8), Change(6, 6))
    assert last.macs == Change(4 * 5 * 11 * 6, 4 * 5 * 8 * 6)
    assert last.weight_bytes == Change(66, 48)
    assert last.to_json()["macs"] == {"before": 1320, "after": 960}
    assert removed_channels(before, before) == ()


def test_a_tensor_tells_which_channels_of_its_source_it_holds(tmp_path: Path) -> None:
    b, first = layers(11)
    tensor = b.graph.tensors[first]
    b.graph.tensors[first] = tensor.with_(source=Source("onnx", (0, 3, 1, 2), (1, 11, 4, 5)))
    after = checked(b.done(b.conv("y", first, 6, 1, 2)))
    source = after.tensors[first].source
    assert source == Source("onnx", (0, 3, 1, 2), (1, 11, 4, 5), tuple(range(8)))
    save_graph(after, tmp_path / "g.json", tmp_path / "g.npz")
    assert load_graph(tmp_path / "g.json", tmp_path / "g.npz").tensors[first].source == source


@pytest.mark.parametrize("kept", ["[0, 0, 1, 2, 3, 4, 5, 6]", "[4, 5, 6, 7, 8, 9, 10, 11]", '"all"', "[]"])
def test_damaged_channels_of_a_source_are_refused(kept: str, tmp_path: Path) -> None:
    test_a_tensor_tells_which_channels_of_its_source_it_holds(tmp_path)
    text = (tmp_path / "g.json").read_text(encoding="utf-8")
    start = text.index("[", text.index('"kept"'))
    end = text.index("]", start) + 1
    (tmp_path / "g.json").write_text(text[:start] + kept + text[end:], encoding="utf-8")
    with pytest.raises(EdgeqError, match="EQ0240"):
        load_graph(tmp_path / "g.json", tmp_path / "g.npz")


def test_a_proof_that_does_not_hold_is_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remove_dead_channels, "accumulator_limit", lambda shift: 0)
    b, first = layers(11)
    with pytest.raises(EdgeqError, match="EQ0901: an accumulator leaves int32 when dead channels are removed"):
        run_passes(b.done(b.conv("y", first, 6, 1, 2)), PASSES)


def test_operators_that_are_told_of_exist() -> None:
    assert set(channel_needs._RULES) <= set(BY_NAME)
    assert set(channel_ranges._RULES) <= set(channel_needs._RULES)
    assert set(remove_dead_channels._RULES) <= set(channel_needs._RULES)
