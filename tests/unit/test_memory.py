"""The memory planner against a checker that shares nothing with it, and against the bound that no plan can beat."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import accumulate, repeat
from math import gcd

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from work import is_linear

from edgeq.backends.planning import StepMemory, checked_plan
from edgeq.errors import EdgeqError
from edgeq.ir import DType, Graph, Node, Tensor
from edgeq.memory.blocks import trailing_distance
from edgeq.memory.check import _last_uses, _Memory, check_plan
from edgeq.memory.plan import plan_memory
from edgeq.memory.schedule import Buffer, Order, Place, Plan, Region, Schedule, Step, Trailing, View

# What the kernels of every core may rely on: the widest load of MVE is 16 bytes.
ALIGN_BYTES = 16
RAM = ("ram",)
KINDS = ("view", "view", "in_place", "trailing", "plain", "two", "concat")


def rows(row_bytes: int, count: int, ahead: int) -> Order:
    """Rows of one size, of which ``ahead`` more are read for the last time than are written."""
    row = np.arange(count, dtype=np.int64)
    return Order((row + 1) * row_bytes, np.clip(row + ahead, 0, count) * row_bytes)


@st.composite
def trailings(draw: st.DrawFn, operand: str, operand_bytes: int, result: str) -> tuple[Trailing, int]:
    """How a result of some units trails an operand, in planes where that has them; and the result's size."""
    planes = gcd(operand_bytes, draw(st.integers(1, 6)))
    units = draw(st.integers(1, 8))
    written = np.cumsum(draw(st.lists(st.integers(1, 40), min_size=units, max_size=units)), dtype=np.int64)
    unread = np.sort(draw(st.lists(st.integers(0, operand_bytes // planes), min_size=units, max_size=units)))
    return Trailing(operand, result, Order(written, unread.astype(np.int64), planes)), int(written[-1]) * planes


def _joinable(buffers: Mapping[str, Buffer], reads: Sequence[str], barred: AbstractSet[str]) -> tuple[str, ...]:
    """Of what a step reads, two or more buffers that can lie one behind the other; nothing where there are none."""
    found = [name for name in reads if name not in barred and buffers[name].regions == buffers[reads[0]].regions]
    aligned = [name for name in found if buffers[name].size_bytes % ALIGN_BYTES == 0]
    found = [*aligned, *[name for name in found if name not in aligned][:1]]
    return tuple(found) if len(found) > 1 else ()


@st.composite
def schedules(draw: st.DrawFn, *, plain: bool = False) -> Schedule:
    """A random program: each step reads one to three earlier buffers.

    Unless it is to be plain, some steps move nothing, some may write in place, some results may trail an operand; there
    are a state, whose two sides lie at one place, a second memory, and pinned inputs and outputs in a third.
    """
    buffers = {"x": Buffer(draw(st.integers(1, 300)), RAM)}
    steps: list[Step] = []
    given_names = ["x"]
    if not plain:
        buffers["io"] = Buffer(draw(st.integers(1, 100)), ("shared",), offset=0)
        buffers["state"] = Buffer(draw(st.integers(1, 100)), draw(st.sampled_from([RAM, ("kept",)])))
        given_names += ["io", "state"]
    names = list(given_names)
    pieces: set[str] = set()
    for number in range(draw(st.integers(1, 12))):
        reads = tuple(draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)))
        name, first = f"t{number}", reads[0]
        kind = "plain" if plain else draw(st.sampled_from(KINDS))
        memories = RAM if plain else draw(st.sampled_from([RAM, ("fast", "ram"), ("ram", "fast")]))
        scratch = Buffer(draw(st.integers(1, 100)), memories) if draw(st.booleans()) else None
        size = draw(st.integers(1, 300) | st.integers(1, 10).map(lambda units: ALIGN_BYTES * units))
        step = Step(name, reads, (name,), scratch=scratch)
        if kind == "view" and first != "state":  # whose bytes are written again
            whole, memories = buffers[first].size_bytes, buffers[first].regions
            offset = ALIGN_BYTES * draw(st.integers(0, (whole - 1) // ALIGN_BYTES))
            size = draw(st.just(whole - offset) | st.integers(1, whole - offset))
            step = Step(name, (first,), (name,), views=(View(first, name, offset),))
            pieces.update((first, name))
        elif kind == "concat" and (parts := _joinable(buffers, reads, {*given_names, *pieces})):
            offsets = [0, *accumulate(buffers[each].size_bytes for each in parts)]
            size, memories = offsets.pop(), buffers[parts[0]].regions
            step = Step(name, parts, (name,), views=tuple(map(View, repeat(name), parts, offsets)))
            pieces.update((name, *parts))
        elif kind == "in_place":
            size = buffers[first].size_bytes
            step = replace(step, in_place=tuple((operand, name) for operand in reads))
        elif kind == "trailing":
            found, size = draw(trailings(first, buffers[first].size_bytes, name))
            step = replace(step, trailing=(found,))
        elif kind == "two":
            buffers[f"{name}.more"] = Buffer(draw(st.integers(1, 300)), memories)
            step = replace(step, writes=(name, f"{name}.more"))
        buffers[name] = Buffer(size, memories)
        steps.append(step)
        names.append(name)
    kept = tuple(dict.fromkeys([names[-1], draw(st.sampled_from([name for name in names if name != "state"]))]))
    regions = [Region("ram", align_bytes=ALIGN_BYTES)]
    if plain:
        return Schedule(tuple(regions), buffers, tuple(given_names), kept, tuple(steps))
    regions += [Region("fast", draw(st.integers(0, 400)), 4), Region("shared", 128), Region("kept")]
    # The next value of the state is written behind all its readers, or by the last of them.
    buffers["next"] = buffers["state"]
    last = Step("next", (names[-1],), ("next",))
    if draw(st.booleans()):
        last = replace(last, reads=tuple(dict.fromkeys((names[-1], "state"))), in_place=(("state", "next"),))
    steps.append(last)
    return Schedule(tuple(regions), buffers, tuple(given_names), (*kept, "next"), tuple(steps), (("state", "next"),))


@settings(max_examples=200, deadline=None)
@given(schedules())
def test_plan_is_valid_and_not_below_the_bound(schedule: Schedule) -> None:
    plan = plan_memory(schedule)
    check_plan(schedule, plan)
    for region in schedule.regions:
        assert plan.used_bytes[region.name] >= plan.bound_bytes[region.name]
    assert set(plan.scratch) == {step.name for step in schedule.steps if step.scratch is not None}


def lifetimes(schedule: Schedule) -> dict[str, tuple[int, int]]:
    """First and last step of every buffer of a plain program."""
    found = {}
    for name in schedule.buffers:
        used = [number for number, step in enumerate(schedule.steps) if name in (*step.reads, *step.writes)]
        used += [-1] * (name in schedule.given) + [len(schedule.steps)] * (name in schedule.kept)
        found[name] = (min(used), max(used))
    return found


@settings(max_examples=150, deadline=None)
@given(schedules(plain=True), st.data())
def test_checker_refuses_any_two_live_buffers_that_overlap(schedule: Schedule, data: st.DataObject) -> None:
    alive = lifetimes(schedule)
    pairs = [
        (one, other)
        for one, (first, last) in alive.items()
        for other, (start, end) in alive.items()
        if one != other and first <= end and start <= last
    ]
    assume(pairs)
    one, other = data.draw(st.sampled_from(pairs))
    places = {name: Place("ram", 512 * number) for number, name in enumerate(schedule.buffers)}
    scratch = {
        step.name: Place("ram", 512 * (len(places) + number))
        for number, step in enumerate(schedule.steps)
        if step.scratch
    }
    plan = Plan(places, scratch, {"ram": 512 * (len(places) + len(schedule.steps))}, {"ram": 0})
    check_plan(schedule, plan)
    moved = places[other].offset + data.draw(st.integers(0, (schedule.buffers[other].size_bytes - 1) // 16)) * 16
    with pytest.raises(EdgeqError, match="EQ0905"):
        check_plan(schedule, replace(plan, places=places | {one: Place("ram", moved)}))


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 200), st.data())
def test_trailing_distance_is_the_smallest_that_the_checker_accepts(operand_bytes: int, data: st.DataObject) -> None:
    trailing, result_bytes = data.draw(trailings("x", operand_bytes, "y"))
    buffers = {"x": Buffer(operand_bytes, RAM), "y": Buffer(result_bytes, RAM)}
    schedule = Schedule(
        (Region("ram", None, 1),), buffers, ("x",), ("y",), (Step("s", ("x",), ("y",), trailing=(trailing,)),)
    )
    distance, planes = trailing_distance(trailing.order, operand_bytes), trailing.order.planes

    def played(below: int) -> Plan:
        places = {"x": Place("ram", 2000), "y": Place("ram", 2000 - below)}
        return Plan(places, {}, {"ram": 5000}, {"ram": 0})

    for more in range(3):
        check_plan(schedule, played(distance + more * planes))
    if distance > -operand_bytes:
        with pytest.raises(EdgeqError, match=r"byte .* of y is written over x too early"):
            check_plan(schedule, played(distance - planes))


def test_planes_that_do_not_lie_on_each_other_are_refused() -> None:
    """One plane after the other: the first would be written over what is read of the second."""
    order = Order(np.array([1, 2, 3]), np.array([1, 2, 3]), 2)
    step = Step("s", ("x",), ("y",), trailing=(Trailing("x", "y", order),))
    schedule = Schedule((Region("ram", None, 1),), {"x": Buffer(6, RAM), "y": Buffer(6, RAM)}, ("x",), ("y",), (step,))
    for below, fits in ((0, True), (1, False), (2, True), (3, False), (4, True), (6, True)):
        plan = Plan({"x": Place("ram", 6), "y": Place("ram", 6 - below)}, {}, {"ram": 12}, {"ram": 0})
        if fits:
            check_plan(schedule, plan)
        else:
            with pytest.raises(EdgeqError, match="is written over x too early"):
                check_plan(schedule, plan)


def chain(*steps: Step, size: int = 64, kept: str = "b") -> Schedule:
    """x → a → b, all of one size; by default with scratch of 32 bytes in the first step."""
    found = steps or (Step("a", ("x",), ("a",), scratch=Buffer(32, RAM)), Step("b", ("a",), ("b",)))
    return Schedule((Region("ram"),), {name: Buffer(size, RAM) for name in "xab"}, ("x",), (kept,), found)


def test_chain_needs_two_buffers_and_scratch() -> None:
    assert plan_memory(chain()).used_bytes == {"ram": 64 + 64 + 32}


def test_in_place_chain_needs_one_buffer() -> None:
    schedule = chain(
        Step("a", ("x",), ("a",), in_place=(("x", "a"),)), Step("b", ("a",), ("b",), in_place=(("a", "b"),))
    )
    plan = plan_memory(schedule)
    check_plan(schedule, plan)
    assert plan.used_bytes == {"ram": 64}


def test_in_place_is_refused_while_the_operand_is_still_read() -> None:
    schedule = chain(Step("a", ("x",), ("a",), in_place=(("x", "a"),)), Step("b", ("a", "x"), ("b",)))
    plan = plan_memory(schedule)
    check_plan(schedule, plan)
    assert plan.places["a"] != plan.places["x"]


def test_a_result_that_trails_shares_all_but_the_distance() -> None:
    """Windows of three rows: a row of the result may take the place of the row before the last that is read."""
    window = Trailing("x", "a", rows(16, 10, 0))
    schedule = chain(Step("a", ("x",), ("a",), trailing=(window,)), Step("b", ("a",), ("b",)), size=160)
    schedule = replace(schedule, buffers={**schedule.buffers, "b": Buffer(16, RAM)})
    plan = plan_memory(schedule)
    check_plan(schedule, plan)
    assert trailing_distance(window.order, 160) == 16
    assert plan.places["x"].offset - plan.places["a"].offset == 16
    assert plan.used_bytes == plan.bound_bytes == {"ram": 176}


def test_a_second_name_of_an_operand_forbids_to_write_over_it() -> None:
    """A step that reads one buffer by two names may write over it only if it allows that for both."""
    steps = (
        Step("a", ("x",), ("a",), views=(View("x", "a", 0),)),
        Step("b", ("x", "a"), ("b",), in_place=(("a", "b"),)),
    )
    for step in (steps[1], replace(steps[1], in_place=(), trailing=(Trailing("a", "b", rows(1, 64, 1)),))):
        schedule = chain(steps[0], step)
        plan = plan_memory(schedule)
        check_plan(schedule, plan)
        assert plan.used_bytes == {"ram": 128}


def test_a_slice_lies_in_its_operand_and_a_concatenation_around_what_it_joins() -> None:
    """x is computed, y and z are halves of it; a and b are computed from those, and are halves of what is kept."""
    sizes = {"in": 16, "x": 64, "y": 32, "z": 32, "a": 48, "b": 16, "both": 64}
    steps = (
        Step("x", ("in",), ("x",)),
        Step("y", ("x",), ("y",), views=(View("x", "y", 0),)),
        Step("z", ("x",), ("z",), views=(View("x", "z", 32),)),
        Step("a", ("y",), ("a",)),
        Step("b", ("z", "a"), ("b",), in_place=(("z", "b"),)),
        Step("both", ("a", "b"), ("both",), views=(View("both", "a", 0), View("both", "b", 48))),
    )
    buffers = {name: Buffer(size, RAM) for name, size in sizes.items()}
    schedule = Schedule((Region("ram"),), buffers, ("in",), ("both",), steps)
    plan = plan_memory(schedule)
    check_plan(schedule, plan)
    at = {name: place.offset for name, place in plan.places.items()}
    assert (at["y"] - at["x"], at["z"] - at["x"]) == (0, 32)
    assert (at["a"] - at["both"], at["b"] - at["both"]) == (0, 48)
    assert plan.used_bytes == plan.bound_bytes == {"ram": 128}
    for name, message in (("z", "z does not lie in x"), ("b", "b does not lie in both")):
        moved = {**plan.places, name: Place("ram", at[name] + 16)}
        with pytest.raises(EdgeqError, match=message):
            check_plan(schedule, replace(plan, places=moved, used_bytes={"ram": 144}))
    gap = replace(buffers["a"], size_bytes=32)
    with pytest.raises(EdgeqError, match="both is not put together of a, b"):
        check_plan(replace(schedule, buffers={**buffers, "a": gap}), plan)


def test_what_is_computed_into_a_whole_does_not_take_the_place_of_a_longer_operand() -> None:
    """The bytes of x behind those of a would lie on b."""
    steps = (
        Step("b", ("in",), ("b",)),
        Step("x", ("in",), ("x",)),
        Step("t", ("x",), ("t",), in_place=(("x", "t"),)),
        Step("a", ("t",), ("a",), views=(View("t", "a", 0),)),
        Step("both", ("a", "b"), ("both",), views=(View("both", "a", 0), View("both", "b", 16))),
    )
    sizes = {"in": 16, "b": 32, "x": 64, "t": 16, "a": 16, "both": 48}
    buffers = {name: Buffer(size, RAM) for name, size in sizes.items()}
    schedule = Schedule((Region("ram"),), buffers, ("in",), ("both",), steps)
    check_plan(schedule, plan_memory(schedule))


def test_a_result_trails_a_piece_as_far_as_it_trails_a_buffer() -> None:
    """The piece begins 32 bytes into its whole; interleaved planes keep their distance."""
    window = Trailing("y", "a", rows(16, 10, 0))
    for planes, shared in ((1, True), (3, False)):
        order = replace(window.order, planes=planes)
        steps = (
            Step("x", ("in",), ("x",)),
            Step("y", ("x",), ("y",), views=(View("x", "y", 32),)),
            Step("a", ("y",), ("a",), trailing=(replace(window, order=order),)),
        )
        size = 160 * planes
        buffers = {"in": Buffer(16, RAM), "x": Buffer(32 + size, RAM), "y": Buffer(size, RAM), "a": Buffer(size, RAM)}
        schedule = Schedule((Region("ram"),), buffers, ("in",), ("a",), steps)
        plan = plan_memory(schedule)
        check_plan(schedule, plan)
        apart = plan.places["y"].offset - plan.places["a"].offset
        assert (16 <= apart < size) == shared


def test_a_result_does_not_trail_an_operand_that_is_read_again() -> None:
    step = Step("a", ("x",), ("a",), trailing=(Trailing("x", "a", rows(16, 10, 0)),))
    schedule = chain(step, Step("b", ("a", "x"), ("b",)), size=160)
    plan = plan_memory(schedule)
    check_plan(schedule, plan)
    assert plan.used_bytes == {"ram": 480}


def test_what_does_not_fit_into_the_first_memory_lies_in_the_next() -> None:
    buffers = {"x": Buffer(64, ("fast", "ram")), "a": Buffer(96, ("fast", "ram")), "b": Buffer(32, ("fast",))}
    steps = (Step("a", ("x",), ("a",)), Step("b", ("a",), ("b",)))
    schedule = Schedule((Region("fast", 128, 4), Region("ram")), buffers, ("x",), ("b",), steps)
    plan = plan_memory(schedule)
    check_plan(schedule, plan)
    assert {name: place.region for name, place in plan.places.items()} == {"x": "ram", "a": "fast", "b": "fast"}
    assert plan.used_bytes == {"fast": 128, "ram": 64}
    small = replace(schedule, regions=(Region("fast", 100, 4), Region("ram", 32)))
    with pytest.raises(EdgeqError, match="EQ0401"):
        plan_memory(small)


def test_nothing_lies_on_a_state_or_a_pinned_buffer() -> None:
    buffers = {
        "state": Buffer(16, RAM),
        "next": Buffer(16, RAM),
        "x": Buffer(16, RAM, offset=16),
        "a": Buffer(48, RAM),
        "y": Buffer(16, RAM, offset=0),
    }
    steps = (
        Step("a", ("x", "state"), ("a",)),
        Step("y", ("a", "state"), ("y", "next"), in_place=(("state", "next"),)),
    )
    schedule = Schedule((Region("ram"),), buffers, ("x", "state"), ("y", "next"), steps, (("state", "next"),))
    plan = plan_memory(schedule)
    check_plan(schedule, plan)
    offsets = {"x": 16, "y": 0, "a": 32, "state": 80, "next": 80}
    assert {name: place.offset for name, place in plan.places.items()} == offsets


def test_an_alias_of_buffers_that_cannot_share_an_address_is_refused() -> None:
    schedule = chain(Step("a", ("x",), ("a",), views=(View("x", "a", 0),)), Step("b", ("a",), ("b",)))
    buffers = dict(schedule.buffers) | {"x": Buffer(64, RAM, offset=0), "a": Buffer(64, RAM, offset=64)}
    with pytest.raises(ValueError, match="a cannot lie in x at 0"):
        plan_memory(replace(schedule, buffers=buffers))
    plan = plan_memory(replace(schedule, buffers=buffers | {"a": Buffer(64, RAM)}))
    assert plan.places["a"] == plan.places["x"]


ALIASED = chain(Step("a", ("x",), ("a",), views=(View("x", "a", 0),)), Step("b", ("a",), ("b",)))
PINNED = replace(chain(), buffers=dict(chain().buffers) | {"x": Buffer(64, RAM, offset=0)})
STATE = replace(chain(), states=(("x", "b"),))
TWO = replace(chain(Step("a", ("x",), ("a", "b"))), kept=("a", "b"))
SMALL = replace(chain(), regions=(Region("ram", 128),))
APART = {"x": 0, "a": 64, "b": 128}


@pytest.mark.parametrize(
    ("schedule", "offsets", "scratch", "message"),
    [
        (chain(), {"a": 0}, 192, "a overlaps x, which its kernel does not allow"),
        (chain(), {"b": 80}, 192, "b overlaps a, which its kernel does not allow"),
        (chain(), {"x": 1 << 20}, 192, "x.*lie outside"),
        (chain(), {"a": -16}, 192, "lie outside"),
        (chain(), {"a": 72}, 192, "offset 72 is not a multiple of 16"),
        (chain(), {}, 0, r"a \(scratch\)\n.*x was overwritten"),
        (chain(), {}, 96, "a result overlaps the scratch"),
        (chain(), {}, 304, "lie outside"),
        (chain(Step("a", ("x",), ("a",)), Step("b", ("a", "x"), ("b",)), kept="x"), {"b": 0}, None, "b overlaps x"),
        (replace(chain(), kept=("x", "b")), {"b": 0}, 192, "the end\n.*x was overwritten"),
        (ALIASED, {}, None, "a does not lie in x at 0"),
        (PINNED, {"x": 192}, 256, r"it lies at ram \+ 192, not at ram \+ 0"),
        (STATE, {}, 192, "b does not lie where the next run reads x"),
        (replace(STATE, kept=("x", "b")), {"b": 0}, 192, "the end\n.*x was overwritten"),
        (TWO, {"b": 64}, None, r"a \(results overlap\)"),
        (SMALL, {}, 192, "320 bytes are used of ram, which has 128"),
    ],
    ids=[
        "over_the_input",
        "over_a_part_of_its_operand",
        "outside",
        "below",
        "misaligned",
        "scratch_over_an_operand",
        "result_over_its_scratch",
        "scratch_outside",
        "over_what_is_kept",
        "over_an_output",
        "moved_alias",
        "moved_pin",
        "state_elsewhere",
        "state_over_an_output",
        "two_results",
        "too_large",
    ],
)
def test_checker_refuses_a_damaged_plan(
    schedule: Schedule, offsets: dict[str, int], scratch: int | None, message: str
) -> None:
    places = {name: Place("ram", offset) for name, offset in (APART | offsets).items()}
    found = Plan(places, {} if scratch is None else {"a": Place("ram", scratch)}, {"ram": 320}, {"ram": 0})
    with pytest.raises(EdgeqError, match=f"(?s)EQ0905.*{message}"):
        check_plan(schedule, found)


def test_checker_refuses_a_memory_that_is_not_allowed() -> None:
    schedule = replace(chain(), regions=(Region("ram"), Region("fast")))
    plan = plan_memory(schedule)
    moved = replace(plan, places={**plan.places, "b": Place("fast", 0)}, used_bytes={"ram": 160, "fast": 64})
    with pytest.raises(EdgeqError, match="it lies in fast, not in ram"):
        check_plan(schedule, moved)


def test_checker_refuses_to_read_what_nobody_has_written() -> None:
    schedule = chain(Step("a", ("x",), ("a",)), Step("b", ("b",), ("b",), in_place=(("b", "b"),)))
    with pytest.raises(EdgeqError, match="b was overwritten before it was read"):
        check_plan(schedule, Plan({name: Place("ram", offset) for name, offset in APART.items()}, {}, {"ram": 192}, {}))


def test_checker_frees_bytes_when_their_last_name_is_read_for_the_last_time() -> None:
    steps = (
        Step("a", ("x",), ("a",), views=(View("x", "a", 0),)),
        Step("b", ("a",), ("b",)),
        Step("c", ("x", "b"), ("c",)),
    )
    buffers = {name: Buffer(16, RAM) for name in "xabc"}
    schedule = Schedule((Region("ram"),), buffers, ("x",), ("c",), steps)
    assert _last_uses(schedule) == [[], [], ["b", "x"]]
    memory = _Memory(schedule, plan_memory(schedule))
    memory.write("x")
    memory.release("x")
    with pytest.raises(EdgeqError, match="x was overwritten before it was read"):
        memory.require("x", "c")


def test_sizes_are_rounded_up_to_sixteen_bytes() -> None:
    steps = (Step("y", ("x",), ("y",), scratch=Buffer(3, RAM)),)
    schedule = Schedule((Region("ram"),), {"x": Buffer(17, RAM), "y": Buffer(1, RAM)}, ("x",), ("y",), steps)
    plan = plan_memory(schedule)
    assert (plan.used_bytes, plan.bound_bytes) == ({"ram": 64}, {"ram": 64})
    assert sorted(place.offset for place in (*plan.places.values(), *plan.scratch.values())) == [0, 32, 48]


def test_a_graph_is_planned_with_reshapes_as_aliases() -> None:
    graph = Graph("g", inputs=("x",), outputs=("y",))
    for name, shape in (("x", (1, 40)), ("r", (4, 10)), ("y", (4, 10))):
        graph.add_tensor(Tensor(name, shape, DType.INT8))
    graph.nodes = [Node("reshape", "r", ("x",), ("r",), {"shape": (4, 10)}), Node("lookup", "y", ("r",), ("y",))]
    plan = checked_plan(graph, {"y": StepMemory(8, (("r", "y"),))})
    assert plan.offsets == {"x": 0, "r": 0, "y": 0}
    assert plan.scratch == {"y": 48}
    assert plan.arena_bytes == plan.bound_bytes == 64


def long_chain(layers: int) -> Callable[[], object]:
    """Layers of ten sizes, every second in place, one in five skipping ahead by two."""
    graph = Graph("long", inputs=("t0",))
    graph.add_tensor(Tensor("t0", (100,), DType.INT8))
    needs = {}
    for step in range(1, layers + 1):
        name, operands = f"t{step}", (f"t{step - 1}",) if step < 3 or step % 5 else (f"t{step - 1}", f"t{step - 3}")
        shape = graph.tensors[operands[0]].shape if step % 2 else (64 + 37 * (step % 10),)
        graph.add_tensor(Tensor(name, shape, DType.INT8))
        graph.nodes.append(Node("lookup", name, operands, (name,)))
        needs[name] = StepMemory(step % 3 * 50, ((operands[0], name),) if step % 2 else ())
    graph.outputs = (f"t{layers}",)
    return lambda: checked_plan(graph, needs)


def test_the_time_to_plan_and_check_is_linear_in_the_layers() -> None:
    assert is_linear(long_chain)
