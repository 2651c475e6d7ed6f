"""How far results may trail operands, as the bindings say it, against the real kernels on this computer.

Each kernel runs with its result over an operand at the distance that the order of its call allows, and at larger ones:
every bit is that of buffers that lie apart. A step closer some bits differ for some shape of every kernel, so that no
distance is larger than it must be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from integer_graphs import HIGHMUL, Build

from edgeq.backends import planning
from edgeq.backends.c.bind import Step, bind_kernels
from edgeq.backends.c.bindings import BINDINGS
from edgeq.interp import run
from edgeq.ir import Graph
from edgeq.memory.blocks import task_of, trailing_distance
from edgeq.memory.schedule import Order, Place, Plan, Schedule
from edgeq.numerics.array import Array
from tests.conformance.kernels import TARGET, Kernels, is_here
from tests.conformance.test_images import CORES, check, need_tools
from tests.conformance.zoo import FAMILIES, KINDS, Kind, input_sets, kinds_of, zoo

# What memcpy moves at once must not overlap, but nothing goes wrong where it moves up.
COPIED = {"eq_concat", "eq_resize_nearest", "eq_strided_copy", "eq_upsample"}
# A byte of one operand seldom decides which number is larger, or to which integer a number is rounded.
COARSE = {"eq_compare", "eq_float_compare", "eq_float_quantize"}
FEW = 3
# Families whose images are built each time.
USUAL = ("arithmetic", "conv", "dense", "elementwise", "layout", "pool", "reduce", "resize")
Tensors = Mapping[str, Array]


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    """All kernels that this computer has."""
    return Kernels(
        (binding.kernel for binding in BINDINGS if is_here(binding.kernel)), tmp_path_factory.mktemp("kernels")
    )


def as_bytes(values: Array) -> Array:
    """A flat copy."""
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8).copy()


@dataclass(frozen=True)
class Overlap:
    """A result over an operand."""

    step: Step
    operand: str
    result: str
    order: Order
    distance: int

    def is_right(self, kernels: Kernels, tensors: Tensors, distance: int) -> bool:
        """Run the kernel with the result that many bytes below the operand, all others apart."""
        call = self.step.call
        places = {name: as_bytes(tensors[name]) for name in call.inputs}
        places |= {name: np.zeros_like(as_bytes(tensors[name])) for name in call.outputs}
        size, taken = places[self.result].size, places[self.operand].size
        memory = np.full(4 * (size + taken) + 128, 0x55, np.uint8)
        middle = 2 * (size + taken) + 64
        start = middle - (memory.ctypes.data + middle) % 16
        memory[start : start + taken] = places[self.operand]
        places[self.operand] = memory[start : start + taken]
        places[self.result] = memory[start - distance : start - distance + size]
        kernels.run(call, places)
        return all(np.array_equal(places[name], as_bytes(tensors[name])) for name in call.outputs)


def overlaps(step: Step, tensors: Tensors) -> Iterator[Overlap]:
    """The results of a step that may trail an operand."""
    for source, result, order in step.call.trailing:
        operand = step.call.inputs[source]
        distance = trailing_distance(order, as_bytes(tensors[operand]).size)
        yield Overlap(step, operand, step.call.outputs[result], order, distance)


@pytest.mark.parametrize("family", FAMILIES)
def test_results_are_right_at_their_distance_and_wrong_for_some_shape_below(kernels: Kernels, family: str) -> None:
    wrong: dict[str, list[bool]] = {}
    for kind in kinds_of(family):
        graph = zoo(family, *kind).graph
        tensors = run(graph, input_sets(graph)[-1]).tensors
        for overlap in (each for step in bind_kernels(graph, TARGET.isa) for each in overlaps(step, tensors)):
            name, planes = overlap.step.kernel, overlap.order.planes
            for more in (0, 1, 2, 7):
                assert overlap.is_right(kernels, tensors, overlap.distance + more * planes), overlap.step.node.name
            if overlap.distance - planes > -as_bytes(tensors[overlap.operand]).size:
                is_right = overlap.is_right(kernels, tensors, overlap.distance - planes)
                wrong.setdefault(name, []).append(not is_right)
    # In one or two shapes the byte that is lost may not matter.
    assert not [
        name for name, seen in wrong.items() if len(seen) > FEW and not any(seen) and name not in COPIED | COARSE
    ]


SIZE = st.integers(1, 9)


@st.composite
def windows(draw: st.DrawFn) -> Graph:
    """A convolution of any kind, or a maximum over windows, of any shape, stride, padding and dilation."""
    height, width, channels = draw(SIZE), draw(SIZE), draw(SIZE)
    build = Build(1, height, width, channels)
    kernel = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    dilations = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    kind = draw(st.sampled_from(("general", "pointwise", "depthwise", "maximum")))
    if kind == "pointwise":
        kernel = (1, 1)
    if kind == "maximum":
        dilations = (1, 1)
    spans = [(size - 1) * dilation for size, dilation in zip(kernel, dilations, strict=True)]
    most = [size - 1 for size in kernel] if kind == "maximum" else spans
    pads = tuple(
        draw(st.integers(max(0, span - size + 1 if i < 2 else 0), max(most[i % 2], span - size + 1, 0)))
        for i, (span, size) in enumerate(zip(spans * 2, (height, width) * 2, strict=True))
    )
    geometry: dict[str, tuple[int, ...]] = {"strides": (draw(st.integers(1, 3)), draw(st.integers(1, 3))), "pads": pads}
    if kind == "maximum":
        build.node("max_pool", "y", "x", kernel=kernel, clamp_min=-128, clamp_max=127, **geometry)
        return build.done("y")
    outputs = channels if kind == "depthwise" else draw(SIZE)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    shape = (outputs, *kernel, 1 if kind == "depthwise" else channels)
    constants = (
        build.constant("weight", rng.integers(-127, 128, shape).astype(np.int8)),
        build.constant("bias", rng.integers(-9999, 9999, outputs).astype(np.int32)),
        build.constant("multiplier", rng.integers(1 << 24, 1 << 26, outputs).astype(np.int32)),
    )
    group = channels if kind == "depthwise" else 1
    build.node("conv2d", "y", "x", *constants, dilations=dilations, group=group, pad_value=3, **HIGHMUL, **geometry)
    return build.done("y")


@settings(max_examples=400, deadline=None)
@given(windows(), st.integers(0, 99))
def test_windows_of_any_shape_trail_as_far_as_they_say(kernels: Kernels, graph: Graph, seed: int) -> None:
    x = np.random.default_rng(seed).integers(-128, 128, graph.tensors["x"].shape).astype(np.int8)
    tensors = run(graph, [x]).tensors
    (step,) = bind_kernels(graph, TARGET.isa)
    for overlap in overlaps(step, tensors):
        for more in range(4):
            assert overlap.is_right(kernels, tensors, overlap.distance + more * overlap.order.planes)


def distance_of(graph: Graph) -> int:
    """How far below its operand the result of the only step must begin."""
    (step,) = bind_kernels(graph, TARGET.isa)
    ((_, _, order),) = step.call.trailing
    return trailing_distance(order, graph.tensors["x"].size_bytes)


def test_distances_are_those_of_the_kernels_order() -> None:
    """By hand: a depthwise convolution needs a row and a pixel, a 1x1 convolution in place the channels of a pixel."""
    build = Build(1, 25, 5, 64)
    constants = (
        build.constant("weight", np.ones((64, 3, 3, 1), np.int8)),
        build.constant("bias", np.zeros(64, np.int32)),
        build.constant("multiplier", np.ones(64, np.int32)),
    )
    around: dict[str, int | tuple[int, ...]] = {
        "strides": (1, 1),
        "pads": (1, 1, 1, 1),
        "dilations": (1, 1),
        "pad_value": 0,
    }
    build.node("conv2d", "y", "x", *constants, group=64, **HIGHMUL, **around)
    assert distance_of(build.done("y")) == (5 + 1) * 64
    build = Build(1, 5, 5, 16)
    build.conv("y", "x", 16, 1, 1)
    assert distance_of(build.done("y")) == 2 * 16 - 2
    build = Build(1, 8, 8, 4)
    build.node("max_pool", "y", "x", kernel=(2, 2), strides=(2, 2), pads=(0,) * 4, clamp_min=-128, clamp_max=127)
    assert distance_of(build.done("y")) == 0


def tight(schedule: Schedule) -> Plan:
    """A plan in which every result that may trail an operand does so as close as it may; the size does not matter."""
    task = task_of(schedule)
    ends = dict.fromkeys(task.regions, 0)
    starts: dict[int, tuple[str, int]] = {}
    for (result, operand), distance in task.distances.items():
        home = task.blocks[operand].regions[0]
        if task.blocks[result].regions[0] != home or starts.keys() & {result, operand}:
            continue
        below = distance.between(task.regions[home].align_bytes).least
        starts[result], starts[operand] = (home, ends[home] + max(0, -below)), (home, ends[home] + max(0, below))
        ends[home] = max(starts[each][1] + task.size(each, home) for each in (result, operand))
    for number, block in enumerate(task.blocks):
        home = block.regions[0]
        if number not in starts:
            starts[number] = home, ends[home]
            ends[home] += task.size(number, home)
    places = [(block, Place(*starts[number])) for number, block in enumerate(task.blocks)]
    return Plan(
        {name: place.moved(at) for block, place in places for name, at in block.buffers.items()},
        {block.step: place for block, place in places if block.step is not None},
        ends,
        ends,
    )


@pytest.mark.qemu
@pytest.mark.parametrize(
    ("core", "kind", "family"),
    [
        pytest.param(
            core,
            kind,
            family,
            id="-".join((core, *kind, family)),
            marks=() if kind == KINDS[0] and core != "m0" and family in USUAL else pytest.mark.slow,
        )
        for core in ("m0", "m4", "m55")
        for family in FAMILIES
        for kind in kinds_of(family)
        if kind[0] == "highmul"
    ],
)
def test_cores_are_right_where_results_trail_as_close_as_they_may(
    core: str,
    kind: Kind,
    family: str,
    tmp_path: Path,
    needs_program: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    need_tools(core, needs_program)
    monkeypatch.setattr(planning, "plan_memory", tight)
    check(CORES[core][0], family, kind, tmp_path, None)
