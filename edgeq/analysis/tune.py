"""Which kernel is best for each layer: every candidate is run in the emulator, counted and compared.

The candidates are run in rounds, one of each layer in an image, each with an instance for its own shape. The best are
taken in falling order of what they spare, as long as arena, weights and code stay within their bounds. The program that
results is counted as it would be compiled; a layer that costs more in it than before (its instance is shared now, or
the other way round) gets its first kernel back.

Bands of rows (``--optimize ram``) are not tried: which nodes they join depends on what lies in the arena beside them,
so that a trial would be a whole program and no layer, and they are chosen for bytes, which are exact without a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edgeq import budget
from edgeq.analysis.cycles import cycles_of
from edgeq.analysis.model_values import Inputs, integer_inputs, open_samples
from edgeq.analysis.trials import EACH, Counter, check_counting
from edgeq.analysis.tuned import Totals, Trial, TunedLayer, TuneResult
from edgeq.backends.c.bind import Step, bind_kernels, bound, plan_steps
from edgeq.backends.c.candidates import candidates_of, forced_kernels
from edgeq.backends.c.choose import Bounds, bounds_of, choose_kernels, memory_of, weight_bytes
from edgeq.backends.c.choose_size import fewest_bytes
from edgeq.backends.c.instances import estimated_bytes, special_shapes
from edgeq.backends.c.kernel_file import wrote_kernels
from edgeq.errors import EdgeqError
from edgeq.folder import Compiled
from edgeq.ir import Graph
from edgeq.job import CompileOptions, Progress, silent
from edgeq.notes import gathered
from edgeq.pipeline import make_parent
from edgeq.runners.base import RunCounts
from edgeq.sources import DataSource
from edgeq.target import Board, load_board
from edgeq.writing import check_file, disk_problem, keep_file, write_whole


def tune_model(
    compiled: Compiled,
    options: CompileOptions,
    data: DataSource | None = None,
    output: Path | None = None,
    progress: Progress = silent,
    *,
    force: bool = False,
) -> TuneResult:
    """Find the best kernels for a compiled folder's graph.

    Args:
        compiled: the folder; only its graph and inputs are read.
        options: the user's choices; layers of ``wanted_kernels`` are not searched.
        data: a data file whose first sample is run; without it extremes.
        output: the file of kernels to write; it appears whole or not at all. None: no file is written.
        progress: called with the share of the images done.
        force: a file at `output` that edgeq did not write is moved to ``OUTPUT.kept-N`` instead of being refused.

    Raises:
        EdgeqError: EQ0158 nothing counts instructions on the board; EQ0155, EQ0156, EQ0383 a kernel that is asked for
            does not fit; EQ0907 a kernel gives other bits than the reference; EQ05xx a tool is missing; EQ06xx an image
            fails.
    """
    board = load_board(options.board)
    if options.aligned_loads:
        board = replace(board, target=board.target.with_aligned_loads())
    check_counting(board)
    if output is not None:
        make_parent(output, "-o")
    with budget.ensured(), gathered() as notes:
        found = open_samples(compiled, data) if data is not None else None
        inputs = integer_inputs(compiled, found, 1)
        result = _Tuning(compiled.graph, compiled.name, options, board, inputs, progress).result()
    if output is not None:
        _write(output, result.file_text, force=force)
    return replace(result, notes=tuple(notes))


def _write(output: Path, text: str, *, force: bool) -> None:
    check_file(output, wrote_kernels(output), force=force)
    if output.exists() and not wrote_kernels(output):
        keep_file(output)
    try:
        write_whole(output, text.encode())
    except OSError as error:
        raise disk_problem(error) or EdgeqError(
            "EQ0101", "the file of kernels cannot be written", where="-o", got=f"{output}: {error.strerror}"
        ) from error


class _Tuning:
    """The search over one graph."""

    def __init__(
        self, graph: Graph, name: str, options: CompileOptions, board: Board, inputs: Inputs, progress: Progress
    ) -> None:
        self._graph, self._options, self._board = graph, options, board
        self._compact = options.aim == "size"
        self._counter = Counter(graph, name, board, inputs, options.gcc_optimize, compact=self._compact)
        self._progress = progress
        self._isa = board.target.isa
        self._memory = memory_of(board)
        self._cycles: dict[tuple[int, str], float | None] = {}
        self._forced = forced_kernels(graph, self._isa, options.wanted_kernels)

    def result(self) -> TuneResult:
        """Try, choose, confirm."""
        options = self._options
        steps = bind_kernels(self._graph, self._isa, self._forced)
        if options.aim == "size":
            steps, _ = fewest_bytes(self._graph, self._isa, self._memory, self._forced)
        elif options.aim != "ram":
            steps, _ = choose_kernels(self._graph, self._isa, options.aim, self._memory, self._forced)
        bounds = self._bounds(steps, plan_steps(self._graph, steps).arena_bytes)
        offered = [self._offered(step, steps, bounds) for step in steps]
        trials = self._counted_trials(steps, offered)
        chosen = self._best(steps, trials, bounds)
        before, after, chosen = self._confirmed(steps, chosen, bounds)
        layers = [
            TunedLayer(
                step.node.name,
                ", ".join(step.node.source) or step.node.name,
                step.node.op,
                step.macs,
                step.candidate,
                best.candidate,
                tuple(tried),
            )
            for step, best, tried in zip(steps, chosen, trials, strict=True)
        ]
        board = self._board
        return TuneResult(
            board.name, board.target.name, options.optimize, tuple(layers), before, after, self._counter.runs
        )

    # --- what is tried ------------------------------------------------------------------------------------------

    def _bounds(self, steps: Sequence[Step], arena: int) -> Bounds:
        """What the rule allows, never less than what the compiler's own choice takes; code as the user says."""
        options = self._options
        direct = bind_kernels(self._graph, self._isa, self._forced)
        plan = plan_steps(self._graph, direct)
        aim = "balanced" if options.aim == "ram" else options.aim
        found = bounds_of(self._graph, self._isa, direct, plan, aim, self._memory)
        if options.aim == "ram":
            found = replace(found, arena_bytes=plan.arena_bytes)
        return Bounds(
            None if found.arena_bytes is None else max(arena, found.arena_bytes),
            None if found.weight_bytes is None else max(weight_bytes(steps), found.weight_bytes),
            options.code_bytes if options.optimize != "size" else self._code(steps),
        )

    def _offered(self, step: Step, steps: Sequence[Step], bounds: Bounds) -> list[tuple[Trial, Step | None]]:
        """Each candidate of a step, and the step with it where it is to be run."""
        found: list[tuple[Trial, Step | None]] = []
        for candidate in candidates_of(step.node, self._graph, self._isa):
            name, refusal = candidate.binding.name, candidate.refusal
            if refusal is None and step.node.name in self._forced and name != step.candidate:
                refusal = "another one is asked for"
            if refusal is not None:
                found.append((Trial(name, refusal), None))
                continue
            other = bound(candidate.binding, step.node, self._graph, self._isa, step.refused)
            needs = self._arena([other if each is step else each for each in steps])
            if bounds.arena_bytes is not None and (needs is None or needs > bounds.arena_bytes):
                why = f"the arena would need {needs} bytes" if needs is not None else "the arena has no plan"
                found.append((Trial(name, f"{why}, of {bounds.arena_bytes}"), None))
                continue
            found.append((self._trial(other), other))
        return found

    def _trial(self, step: Step) -> Trial:
        return Trial(
            step.candidate,
            None,
            None,
            step.scratch_bytes,
            estimated_bytes([step], {step.call.shape}, self._isa),
            weight_bytes([step]),
        )

    def _arena(self, steps: Sequence[Step]) -> int | None:
        try:
            return plan_steps(self._graph, steps).arena_bytes
        except EdgeqError:
            return None

    def _code(self, steps: Sequence[Step]) -> int:
        compact, code_bytes = self._compact, self._options.code_bytes
        budget = 0 if compact and code_bytes is None else code_bytes
        special = special_shapes(steps, self._isa, budget, compact=compact)
        return estimated_bytes(steps, special, self._isa, compact=compact)

    # --- counting -----------------------------------------------------------------------------------------------

    def _counted_trials(
        self, steps: Sequence[Step], offered: Sequence[Sequence[tuple[Trial, Step | None]]]
    ) -> list[list[Trial]]:
        """The candidates with what they cost, in as many images as the layer with the most candidates has."""
        usable = [[number for number, (_, step) in enumerate(tried) if step is not None] for tried in offered]
        trials = [[trial for trial, _ in tried] for tried in offered]
        rounds = max(map(len, usable))
        for turn in range(rounds):
            self._progress("count", turn / (rounds + 2))
            picked = [numbers[min(turn, len(numbers) - 1)] for numbers in usable]
            chosen = [tried[number][1] or step for step, tried, number in zip(steps, offered, picked, strict=True)]
            counts = self._counter.counted(chosen, EACH)
            for place, number in enumerate(picked):
                if counts is not None:
                    found = counts.steps[place]
                    trials[place][number] = replace(trials[place][number], instructions=found.total)
                    self._cycles[place, trials[place][number].kernel] = cycles_of(found, self._board.target.name)
        return trials

    # --- choosing -----------------------------------------------------------------------------------------------

    def _best(self, steps: Sequence[Step], trials: Sequence[Sequence[Trial]], bounds: Bounds) -> list[Step]:
        """The steps with the fewest instructions that the bounds allow; the layer that spares the most goes first."""
        chosen = list(steps)
        better = [self._better(place, step, trials[place]) for place, step in enumerate(steps)]
        for place in sorted(
            range(len(steps)), key=lambda number: -max((spared for spared, _ in better[number]), default=0)
        ):
            for _, name in better[place]:
                step = self._with(chosen[place], name)
                tried = [*chosen[:place], step, *chosen[place + 1 :]]
                if self._allowed(tried, chosen, bounds):
                    chosen = tried
                    break
        return chosen

    def _better(self, place: int, step: Step, trials: Sequence[Trial]) -> list[tuple[int, str]]:
        """The candidates that need fewer instructions than a step's own, and no more cycles: what they spare, names."""
        own, cycles = next(trial.instructions for trial in trials if trial.kernel == step.candidate), self._cycles
        if own is None:
            return []
        found = []
        for trial in trials:
            theirs, mine = cycles.get((place, trial.kernel)), cycles.get((place, step.candidate))
            slower = theirs is not None and mine is not None and theirs >= mine
            if trial.instructions is not None and trial.instructions < own and not slower:
                found.append((own - trial.instructions, trial.kernel))
        return sorted(found, key=lambda each: -each[0])  # the best first

    def _with(self, step: Step, name: str) -> Step:
        """The step with another candidate."""
        for candidate in candidates_of(step.node, self._graph, self._isa):
            if candidate.binding.name == name:
                return bound(candidate.binding, step.node, self._graph, self._isa, step.refused)
        raise KeyError(name)

    def _allowed(self, tried: Sequence[Step], chosen: Sequence[Step], bounds: Bounds) -> bool:
        """Whether a choice keeps the bounds, or exceeds them no further than the one before."""
        arena = self._arena(tried)
        if arena is None or (bounds.arena_bytes is not None and arena > bounds.arena_bytes):
            return False
        if bounds.weight_bytes is not None and weight_bytes(tried) > bounds.weight_bytes:
            return False
        return bounds.code_bytes is None or self._code(tried) <= max(bounds.code_bytes, self._code(chosen))

    def _confirmed(
        self, steps: Sequence[Step], chosen: Sequence[Step], bounds: Bounds
    ) -> tuple[Totals, Totals, list[Step]]:
        """Both programs as they are compiled, and the choice without what costs more there."""
        code_bytes, first = self._options.code_bytes, list(steps)
        counted = self._counter.counted(first, code_bytes)
        if counted is None:
            raise EdgeqError(
                "EQ0401",
                "the model does not fit the board with any kernels",
                where=self._board.name,
                hint="`edgeq check MODEL --board BOARD` says what it needs",
            )
        before, taken = self._totals(first, counted), list(chosen)
        while [step.candidate for step in taken] != [step.candidate for step in first]:
            found = self._counter.counted(taken, code_bytes) if self._allowed(taken, taken, bounds) else None
            if found is None:
                break
            dearer = [
                place
                for place, (now, then) in enumerate(zip(found.steps, counted.steps, strict=True))
                if now.total >= then.total and taken[place].candidate != first[place].candidate
            ]
            if not dearer and found.total < counted.total:
                return before, self._totals(taken, found), taken
            if not dearer:
                break
            for place in dearer:
                taken[place] = first[place]
        return before, before, first

    def _totals(self, steps: Sequence[Step], counts: RunCounts) -> Totals:
        arena = self._arena(steps)
        assert arena is not None  # an image was built with it
        return Totals(counts.total, arena, weight_bytes(steps), self._code(steps))
