"""Plants faults one at a time and counts those that a test catches.

    make campaign-mutants
    python tests/campaigns/mutants.py [--count 450] [--seed 1] [--workers 2] [--only faults|mutants]

Two sources: a seeded sample of mutants by cosmic-ray over the code that decides bits and bytes, and ``faults.toml``:
faults made by hand in C and Python. For a mutant the tests that execute its line are run, the most specific first, by
coverage contexts; for a fault of the list, the tests that the list names. A test that fails without any fault is left
out. A fault survives when all its tests pass; the survivors are printed. Exits with 1 below the goal, or when a fault
of the list survives.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from difflib import unified_diff
from functools import partial
from pathlib import Path
from queue import Queue
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
HERE: Final = Path(__file__).resolve().parent
FOLDERS: Final = ("numerics", "ops", "lowering", "passes", "quant")
FILES: Final = ("edgeq/backends/c/packing.py",)
GOAL: Final = 0.85
# The most specific tests come first; the second round runs only where the first lets a fault live.
_ROUNDS: Final = (40, 200)
_SECONDS: Final = (150.0, 300.0)
_LIST_SECONDS: Final = 900.0
_BASELINE_SECONDS: Final = 3600.0
_COVERAGE: Final = ROOT / "build" / "campaign" / "coverage"


@dataclass(frozen=True)
class Fault:
    """One planted fault.

    Attributes:
        path: the file, relative to the root.
        line: where it is.
        text: the whole file with the fault.
        kind: the operator that made it, or the reason why it stands in the list.
        tests: pytest's arguments, in rounds; the next round runs only where the one before passes.
        seconds: the limit of each round, far above what it takes without a fault.
    """

    path: str
    line: int
    text: str
    kind: str
    tests: tuple[tuple[str, ...], ...]
    seconds: tuple[float, ...]

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
    """Run the normal tests once, noting which test runs which line; kept until a source or test is newer."""
    newest = max(path.stat().st_mtime for folder in ("edgeq", "tests") for path in (ROOT / folder).rglob("*.py"))
    if _COVERAGE.is_file() and _COVERAGE.stat().st_mtime > newest:
        return
    _COVERAGE.parent.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        f"-n{workers}",
        "--cov=edgeq",
        "--cov-context=test",
        "--cov-report=",
    ]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "COVERAGE_FILE": str(_COVERAGE)}, check=True)


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
    faults = []
    for entry in map(json.loads, listed.splitlines()):
        lines = lines_of[entry["path"]]
        tests = _specific(lines.get(entry["line"], []), breadth)
        # What runs at import, or in a process of its own, has no test of its own: any test of the file may see it.
        tests = tests or _specific({name for names in lines.values() for name in names}, breadth)
        rounds = (tests[: _ROUNDS[0]], tests[_ROUNDS[0] : _ROUNDS[1]])
        faults.append(Fault(entry["path"], entry["line"], entry["mutated"], entry["operator"], rounds, _SECONDS))
    return faults


def _specific(contexts: Iterable[str], breadth: Counter[str]) -> tuple[str, ...]:
    """Names of tests, those that run the fewest lines first."""
    names = {context.partition("|")[0] for context in contexts if context}
    return tuple(sorted(names, key=lambda name: (breadth[f"{name}|run"], name)))


def run_all(listed: Sequence[Fault], sampled: Sequence[Fault], workers: int) -> set[Fault]:
    """Those that no test catches.

    Raises:
        SystemExit: tests of the list fail without a fault.
    """
    with tempfile.TemporaryDirectory(prefix="edgeq-mutants-") as name:
        trees: Queue[Path] = Queue()
        for number in range(workers):
            trees.put(_copy(Path(name) / str(number)))
        first = trees.queue[0]
        for tests in sorted({tests for fault in listed for tests in fault.tests}):
            if _pytest(first, tests, _BASELINE_SECONDS) != 0:
                raise SystemExit(f"fails without a fault, or runs no test: {' '.join(tests)}")
        used = {test for fault in sampled for tests in fault.tests for test in tests}
        broken = _failing(first, used, workers)
        alive: set[Fault] = set()
        with ThreadPoolExecutor(workers) as pool:
            every = [*listed, *sampled]
            for number, (fault, caught) in enumerate(pool.map(partial(_one, trees, broken), every), start=1):
                if number % 50 == 0:
                    print(f"{number} of {len(every)}, {len(alive)} survive", flush=True)
                if not caught:
                    alive.add(fault)
                    print(f"survives: {fault.path}:{fault.line} {fault.kind}\n{fault.change}", flush=True)
    return alive


def _copy(tree: Path) -> Path:
    """A copy of the checkout's files, so that a fault never stands in the checkout."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        source = ROOT / name
        if source.is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, tree / name)
    subprocess.run(["git", "init", "-q"], cwd=tree, check=True)
    return tree


def _one(trees: Queue[Path], broken: set[str], fault: Fault) -> tuple[Fault, bool]:
    tree = trees.get()
    path = tree / fault.path
    original = path.read_text(encoding="utf-8")
    try:
        path.write_text(fault.text, encoding="utf-8")
        rounds = zip(fault.tests, fault.seconds, strict=True)
        chosen = (([test for test in tests if test not in broken], seconds) for tests, seconds in rounds)
        return fault, any(_pytest(tree, tests, seconds) != 0 for tests, seconds in chosen if tests)
    finally:
        path.write_text(original, encoding="utf-8")
        trees.put(tree)


def _failing(tree: Path, tests: set[str], workers: int) -> set[str]:
    """The tests that fail in a copy without a fault; they would catch everything."""
    if not tests:
        return set()
    report = tree.parent / "baseline.json"
    plugin = "tests.campaigns.failed_tests"
    _pytest(tree, [f"-n{workers}", "-p", plugin, *sorted(tests)], _BASELINE_SECONDS, stop=False, report=report)
    failed = set(json.loads(report.read_text(encoding="utf-8")))
    for name in sorted(failed):
        print(f"left out, fails without a fault: {name}", flush=True)
    return failed


def _pytest(
    tree: Path, arguments: Sequence[str], seconds: float, *, stop: bool = True, report: Path | None = None
) -> int:
    """Pytest's exit code; a run beyond its time is a failure too (the fault made a loop endless)."""
    known = {"EDGEQ_DATA": str(ROOT.parent / "shared" / "data"), **os.environ}
    environment = {**known, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    if report is not None:
        environment["EDGEQ_FAILED_TESTS"] = str(report)
    options = ["-x"] if stop else []
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n0",
        "-p",
        "no:cacheprovider",
        "-m",
        "slow or not slow",
        *options,
    ]
    with subprocess.Popen(
        [*command, *arguments],
        cwd=tree,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return -1


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
