"""Plants faults one at a time and counts those that a test catches.

    make campaign-mutants
    python -m tests.campaigns.mutants [--count 450] [--seed 1] [--workers 2] [--only faults|mutants]

Two sources: a seeded sample of mutants by cosmic-ray over the code that decides bits and bytes, and ``faults.toml``:
faults made by hand in C and Python. For a mutant the tests that execute its line are run, by coverage contexts: first
the most specific ones, then the shortest, then those that share a graph with one of them; each for as long as
:data:`_ROUNDS` allows. For a fault of the list, the tests that the list names. A test that fails without any fault does
not count: those of the first run are left out, those that caught something run once more at the end. A fault survives
when all its tests pass; the survivors are printed. What became of each mutant is kept until a source or test changes:
a campaign that was stopped goes on. Exits with 1 below the goal, or when a fault of the list survives.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from difflib import unified_diff
from functools import partial
from pathlib import Path
from queue import Queue
from typing import Final

from tests.campaigns.warm_pytest import WarmPytest

ROOT: Final = Path(__file__).resolve().parents[2]
HERE: Final = Path(__file__).resolve().parent
FOLDERS: Final = ("numerics", "ops", "lowering", "passes", "quant")
FILES: Final = ("edgeq/backends/c/packing.py",)
GOAL: Final = 0.85
# Seconds of tests in each round; a round runs only where the ones before let a fault live.
_ROUNDS: Final = (8.0, 20.0, 30.0)
# Graphs are built once and shared by many tests, so a line of lowering may belong to none of those that depend on it.
_SHARING: Final = ("tests/conformance/", "tests/golden/")
# Where tests are looked for that run a line. Those that compile and run C see the same faults many times slower.
_QUICK: Final = (
    "tests/unit",
    "tests/quantized",
    "tests/golden",
    "tests/conformance/test_reference.py",
    "tests/conformance/test_tflite.py",
    "tests/conformance/test_edges.py::test_clamps_bind",
    "tests/conformance/test_edges.py::test_kernels_refuse_and_fall_back",
    "tests/conformance/test_edges.py::test_tap_pairs_stay_within_int16",
)
_LEAST_SECONDS: Final = 30.0
_SLOWER: Final = 4.0
_LIST_SECONDS: Final = 900.0
_PLUGIN: Final = "tests.campaigns.outcomes"
_SOME_FAILED: Final = 1  # pytest's exit code
_BUILT: Final = ROOT / "build" / "campaign"
_COVERAGE: Final = _BUILT / "coverage"
_OUTCOMES: Final = _BUILT / "outcomes.json"
_RESULTS: Final = _BUILT / "mutants.jsonl"


@dataclass(frozen=True)
class Fault:
    """One planted fault.

    Attributes:
        path: the file, relative to the root.
        line: where it is.
        text: the whole file with the fault.
        kind: the operator that made it, or the reason why it stands in the list.
        tests: pytest's arguments, in rounds; the next round runs only where the one before passes.
        seconds: the limit of each round in processor time, far above what it takes without a fault.
    """

    path: str
    line: int
    text: str
    kind: str
    tests: tuple[tuple[str, ...], ...]
    seconds: tuple[float, ...]

    @property
    def key(self) -> str:
        """The same for the same fault, whatever tests it meets."""
        return hashlib.sha256(repr((self.path, self.text)).encode()).hexdigest()

    @property
    def met(self) -> str:
        """The same for the same tests."""
        return hashlib.sha256(repr(self.tests).encode()).hexdigest()

    @property
    def change(self) -> str:
        """The changed lines."""
        before = (ROOT / self.path).read_text(encoding="utf-8").splitlines()
        lines = unified_diff(before, self.text.splitlines(), n=0, lineterm="")
        return "\n".join(f"      {line}" for line in lines if not line.startswith(("---", "+++", "@@")))


def main() -> int:
    """Run the campaign and print its score."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--count", type=int, default=450, help="how many mutants")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--workers", type=int, default=2, help="how many run at a time")
    parser.add_argument("--only", choices=["faults", "mutants"], help="only the list, or only the sample")
    chosen = parser.parse_args()
    listed = planted_faults() if chosen.only != "mutants" else []
    sampled: list[Fault] = []
    if chosen.only != "faults":
        measure_coverage(chosen.workers)
        sampled = sample_mutants(chosen.count, chosen.seed)
    alive = run_all(listed, sampled, chosen.workers)
    good = True
    if listed:
        good &= report("faults of the list", listed, alive, 1.0)
    if sampled:
        good &= report("mutants", sampled, alive, GOAL)
    return 0 if good else 1


def planted_faults() -> list[Fault]:
    """The faults of ``faults.toml``.

    Raises:
        ValueError: an entry's text does not stand exactly once in its file: the code has changed, the entry has not.
    """
    entries = tomllib.loads((HERE / "faults.toml").read_text(encoding="utf-8"))["fault"]
    faults = []
    for entry in entries:
        source = (ROOT / entry["file"]).read_text(encoding="utf-8")
        if source.count(entry["find"]) != 1:
            raise ValueError(f"{entry['file']}: {entry['find']!r} stands there {source.count(entry['find'])} times")
        line = source[: source.index(entry["find"])].count("\n") + 1
        text = source.replace(entry["find"], entry["replace"])
        faults.append(Fault(entry["file"], line, text, entry["why"], (tuple(entry["tests"]),), (_LIST_SECONDS,)))
    return faults


def measure_coverage(workers: int) -> None:
    """Run the quick tests once, noting which test runs which line.

    What was measured is kept until a source or test is newer.
    """
    newest = max(path.stat().st_mtime for folder in ("edgeq", "tests") for path in (ROOT / folder).rglob("*.py"))
    if _OUTCOMES.is_file() and _OUTCOMES.stat().st_mtime > newest:
        return
    _COVERAGE.parent.mkdir(parents=True, exist_ok=True)
    _RESULTS.unlink(missing_ok=True)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        f"-n{workers}",
        "--cov=edgeq",
        "--cov-context=test",
        "--cov-report=",
        "-p",
        _PLUGIN,
        *_QUICK,
    ]
    places = {"COVERAGE_FILE": str(_COVERAGE), "EDGEQ_OUTCOMES": str(_OUTCOMES)}
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **places}, check=False)
    if done.returncode not in {0, _SOME_FAILED}:
        raise SystemExit("the tests could not run")  # a test that fails is left out later


def sample_mutants(count: int, seed: int) -> list[Fault]:
    """A sample of mutants, each with the tests that run its line."""
    from coverage import CoverageData

    python = os.environ.get("EDGEQ_COSMIC_RAY_PYTHON")
    if not python:
        raise SystemExit("EDGEQ_COSMIC_RAY_PYTHON names no Python with cosmic-ray: use `make campaign-mutants`")
    paths = [
        *(str(path.relative_to(ROOT)) for name in FOLDERS for path in sorted((ROOT / "edgeq" / name).rglob("*.py"))),
        *FILES,
    ]
    command = [python, str(HERE / "list_mutants.py"), str(count), str(seed), *paths]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    data = CoverageData(str(_COVERAGE))
    data.read()
    lines_of = {path: data.contexts_by_lineno(str(ROOT / path)) for path in paths}
    breadth: Counter[str] = Counter()
    for path in data.measured_files():
        for contexts in data.contexts_by_lineno(path).values():
            breadth.update(contexts)
    outcomes = json.loads(_OUTCOMES.read_text(encoding="utf-8"))
    seconds = {name: taken for name, taken in outcomes["seconds"].items() if name not in set(outcomes["failed"])}
    faults = []
    for entry in map(json.loads, listed.splitlines()):
        running = contexts_of(ROOT / entry["path"], entry["line"], lines_of[entry["path"]])
        rounds = _rounds(_specific(running, breadth), seconds)
        limits = tuple(_LEAST_SECONDS + _SLOWER * sum(seconds[name] for name in names) for names in rounds)
        faults.append(Fault(entry["path"], entry["line"], entry["mutated"], entry["operator"], rounds, limits))
    return faults


def contexts_of(path: Path, line: int, lines: Mapping[int, Sequence[str]]) -> set[str]:
    """The contexts of coverage in which a line runs, or what it defines is used.

    A line that runs when the module is imported, by no test in particular, belongs to the tests of the function whose
    head it is, or else to those of the whole module.

    Args:
        path: the file.
        line: the line's number.
        lines: contexts by line.
    """
    found = set(lines.get(line, ())) - {""}
    if found:
        return found
    tree = ast.parse(path.read_text(encoding="utf-8"))
    heads = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    head = next((node for node in heads if node.lineno <= line < node.body[0].lineno), None)
    last = head.end_lineno if head is not None else None
    within = range(head.lineno, last + 1) if head is not None and last is not None else lines
    return {context for number in within for context in lines.get(number, ())} - {""}


def _specific(contexts: Iterable[str], breadth: Counter[str]) -> list[str]:
    """Names of tests, those that run the fewest lines first."""
    names = {context.partition("|")[0] for context in contexts if context}
    return sorted(names, key=lambda name: (breadth[f"{name}|run"], name))


def _rounds(specific: Sequence[str], seconds: Mapping[str, float]) -> tuple[tuple[str, ...], ...]:
    """The tests of each round, as many as fit.

    Args:
        specific: the tests that run the line, the most specific first.
        seconds: what each test takes; those that are missing count for nothing.
    """
    known = [name for name in specific if name in seconds]
    made = {_makes(name) for name in known}
    shortest = sorted(known, key=lambda name: (seconds[name], name))
    net = sorted((name for name in seconds if _makes(name) in made), key=lambda name: (seconds[name], name))
    slowest: dict[str, float] = defaultdict(float)
    for name, taken in seconds.items():
        slowest[_makes(name)] = max(slowest[_makes(name)], taken)
    rounds: list[tuple[str, ...]] = []
    for tests, budget in zip((known, shortest, net), _ROUNDS, strict=True):
        chosen: list[str] = []
        there: set[str] = set()
        for name in tests:
            cost = seconds[name] if _makes(name) in there else slowest[_makes(name)]
            if cost <= budget and not any(name in names for names in rounds):
                budget -= cost  # noqa: PLW2901 - what is left of it
                chosen.append(name)
                there.add(_makes(name))
        rounds.append(tuple(chosen))
    return tuple(names for names in rounds if names)


def _makes(name: str) -> str:
    """What a test needs first, which others in its process share: the graph of a family in an arithmetic.

    The first to need it takes its time, so the longest test of those that share it tells how long that is.
    """
    file, _, test = name.partition("::")
    if not file.startswith(_SHARING):
        return name
    parameters = test.partition("[")[2].partition("[")[0].rstrip("]")
    return f"{file}::{sorted(parameters.split('-')[:3])}"


def run_all(listed: Sequence[Fault], sampled: Sequence[Fault], workers: int) -> set[Fault]:
    """Those that no test catches.

    Raises:
        SystemExit: tests of the list fail without a fault.
    """
    with tempfile.TemporaryDirectory(prefix="edgeq-mutants-") as name, ExitStack() as stack:
        trees = [Tree(_copy(Path(name) / str(number))) for number in range(workers)]
        for tree in trees:
            stack.callback(tree.pytest.close)
        for tests in sorted({tests for fault in listed for tests in fault.tests}):
            if trees[0].run(tests, _LIST_SECONDS)[0] != 0:
                raise SystemExit(f"fails without a fault, or runs no test: {' '.join(tests)}")
        free: Queue[Tree] = Queue()
        for tree in trees:
            free.put(tree)
        caught = kept_results(sampled)
        for fault, failed in caught.items():
            tell(fault, failed)
        every = [*listed, *(fault for fault in sampled if fault not in caught)]
        with ThreadPoolExecutor(workers) as pool:
            for number, (fault, failed) in enumerate(pool.map(partial(_one, free), every), start=1):
                caught[fault] = failed
                if fault not in listed:
                    keep_result(fault, failed)
                tell(fault, failed)
                if number % 50 == 0:
                    alive = sum(one is None for one in caught.values())
                    print(f"{number} of {len(every)}, {alive} survive", flush=True)
        doubtful = _failing(trees[0], {name for failed in caught.values() for name in failed or ()})
    killed = sum(failed is not None and not failed for failed in caught.values())
    print(f"{killed} were caught by no failing test: their run ended early or exceeded its limit")
    for fault, failed in caught.items():
        if failed and failed <= doubtful:
            print(f"doubtful, its tests fail without a fault, too: {fault.path}:{fault.line} {sorted(failed)}")
            caught[fault] = None
    return {fault for fault, failed in caught.items() if failed is None}


def kept_results(faults: Iterable[Fault]) -> dict[Fault, set[str] | None]:
    """What became of those that ran before, as :func:`run_all` has it; a survivor meets tests that are new to it."""
    if not _RESULTS.is_file():
        return {}
    rows = [json.loads(line) for line in _RESULTS.read_text(encoding="utf-8").splitlines()]
    caught = {row["fault"]: set(row["failed"]) for row in rows if row["failed"] is not None}
    alive = {(row["fault"], row["tests"]) for row in rows if row["failed"] is None}
    found: dict[Fault, set[str] | None] = {fault: caught[fault.key] for fault in faults if fault.key in caught}
    return found | {fault: None for fault in faults if fault not in found and (fault.key, fault.met) in alive}


def tell(fault: Fault, failed: set[str] | None) -> None:
    """Print a fault that survives."""
    if failed is None:
        print(f"survives: {fault.path}:{fault.line} {fault.kind}\n{fault.change}", flush=True)


def keep_result(fault: Fault, failed: set[str] | None) -> None:
    """Note what became of a mutant."""
    row = {"fault": fault.key, "tests": fault.met, "failed": None if failed is None else sorted(failed)}
    with _RESULTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


class Tree:
    """A copy of the checkout, in which a fault is planted."""

    def __init__(self, folder: Path) -> None:
        """Start its pytest."""
        self.folder = folder
        self.outcomes = folder / "build" / "outcomes.json"
        self.outcomes.parent.mkdir(exist_ok=True)
        known = {"EDGEQ_DATA": str(ROOT.parent / "shared" / "data"), **os.environ}
        self.pytest = WarmPytest(folder, {**known, "EDGEQ_OUTCOMES": str(self.outcomes)})

    def run(self, tests: Sequence[str], seconds: float, *options: str) -> tuple[int, set[str]]:
        """Pytest's exit code, and the tests that failed; none where the run was killed."""
        self.outcomes.unlink(missing_ok=True)
        plugins = ["-p", "no:cacheprovider", "-p", _PLUGIN]
        code = self.pytest.run(["-q", "-n0", *plugins, "-m", "slow or not slow", *options, *tests], seconds)
        if not self.outcomes.is_file():
            return code, set()
        return code, set(json.loads(self.outcomes.read_text(encoding="utf-8"))["failed"])


def _copy(folder: Path) -> Path:
    """A copy of the checkout's files, so that a fault never stands in the checkout."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        source = ROOT / name
        if source.is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / name)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    return folder


def _one(free: Queue[Tree], fault: Fault) -> tuple[Fault, set[str] | None]:
    """The tests that fail with the fault, perhaps unnamed; None where all pass."""
    tree = free.get()
    path = tree.folder / fault.path
    original = path.read_text(encoding="utf-8")
    try:
        path.write_text(fault.text, encoding="utf-8")
        for tests, seconds in zip(fault.tests, fault.seconds, strict=True):
            code, failed = tree.run(tests, seconds, "-x")
            if code != 0:
                return fault, failed
        return fault, None
    finally:
        path.write_text(original, encoding="utf-8")
        free.put(tree)


def _failing(tree: Tree, tests: set[str]) -> set[str]:
    """Those that fail without a fault, or no longer run."""
    if not tests:
        return set()
    code, failed = tree.run(sorted(tests), _LIST_SECONDS)
    return tests if code not in {0, _SOME_FAILED} else failed


def report(title: str, faults: Sequence[Fault], alive: set[Fault], goal: float) -> bool:
    """Print a row a folder; whether the share caught reaches the goal."""
    rows: dict[str, list[bool]] = defaultdict(list)
    for fault in faults:
        rows[str(Path(fault.path).parent)].append(fault not in alive)
    for folder, caught in sorted(rows.items()):
        print(f"{folder:30} {sum(caught):4} of {len(caught):4}")
    total, found = len(faults), sum(map(sum, rows.values()))
    print(f"{title}: {found} of {total} caught ({100 * found / max(total, 1):.1f} %, goal {100 * goal:.0f} %)")
    return found >= goal * total


if __name__ == "__main__":
    sys.exit(main())
