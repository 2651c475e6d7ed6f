"""Damaged models, data files and folders: each must be answered with a code, in 20 s and 1 GiB.

    make campaign-input
    python -m tests.campaigns.damaged_input [--models 2000] [--inputs 200] [--seed 1] [--only KIND/SEED]

Workers run the commands in their own process, one case after the other; a worker that dies or hangs is the fault of the
case it was at, and is replaced. A table by kind and code is printed; exits with 1 where anything was wrong.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import Final

from tests.campaigns.damage import BYTES, ROOT, SECONDS, Verdict, compile_example, judge_input, judge_model

Case = tuple[str, int]
_KIB: Final = 1024
_PATIENCE: Final = 3 * SECONDS


def _judge(case: Case, folder: Path, compiled: Path) -> Verdict:
    group, seed = case
    return judge_model(seed, folder) if group == "model" else judge_input(seed, folder, compiled)


def serve(compiled: Path) -> None:
    """A worker: cases on stdin, verdicts on stdout, one JSON value a line."""
    answers, sys.stdout = sys.stdout, sys.stderr
    with tempfile.TemporaryDirectory(prefix="edgeq-campaign-") as folder:
        for line in sys.stdin:
            group, seed = json.loads(line)
            verdict = _judge((group, seed), Path(folder), compiled)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB
            answers.write(json.dumps([vars(verdict), peak]) + "\n")
            answers.flush()


def _work(cases: Sequence[Case], compiled: Path) -> Iterator[tuple[Case, Verdict, int]]:
    """Judge cases in worker processes, one at a time: each with the peak of its worker's memory, in bytes."""
    worker: subprocess.Popen[str] | None = None
    before = 0
    for case in cases:
        if worker is None:
            command = [sys.executable, "-m", "tests.campaigns.damaged_input", "--serve", str(compiled)]
            worker = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT
            )
            before = 0
        assert worker.stdin is not None and worker.stdout is not None  # noqa: PT018 - both are pipes
        worker.stdin.write(json.dumps(case) + "\n")
        worker.stdin.flush()
        with DefaultSelector() as selector:
            selector.register(worker.stdout, EVENT_READ)
            line = worker.stdout.readline() if selector.select(_PATIENCE) else ""
        if not line:
            why = "died" if worker.poll() is not None else "hung"
            worker.kill()
            worker.wait()
            worker = None
            yield case, Verdict(case[0], why, wrong=True, seconds=_PATIENCE), 0
            continue
        fields, peak = json.loads(line)
        verdict = Verdict(**fields)
        if peak > BYTES and peak > before:
            verdict = Verdict(verdict.kind, "memory", True, verdict.seconds, f"{verdict.code}, {peak >> 20} MiB")
            # The peak is the process's for ever: the next case gets a new one.
            worker.kill()
            worker.wait()
            worker = None
        before = peak
        yield case, verdict, peak
    if worker is not None and worker.stdin is not None:
        worker.stdin.close()
        worker.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the campaign and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=2000)
    parser.add_argument("--inputs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", help="one case, as printed: model/17 or input/3; in this process")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve:
        serve(options.serve)
        return 0
    with tempfile.TemporaryDirectory(prefix="edgeq-campaign-") as folder:
        compiled = compile_example(Path(folder))
        if options.only:
            group, seed = options.only.split("/")
            verdict = _judge((group, int(seed)), Path(folder), compiled)
            print(verdict.kind, verdict.code, f"{verdict.seconds:.2f} s", verdict.detail, sep="\n")
            return int(verdict.wrong)
        base = options.seed * 1_000_000
        cases: list[Case] = [("model", base + number) for number in range(options.models)]
        cases += [("input", base + number) for number in range(options.inputs)]
        parts = [cases[start :: options.workers] for start in range(options.workers)]
        with ThreadPoolExecutor(options.workers) as pool:
            found = [item for part in pool.map(lambda part: list(_work(part, compiled)), parts) for item in part]
    return _report(found)


def _report(found: Sequence[tuple[Case, Verdict, int]]) -> int:
    table = Counter((verdict.kind, verdict.code) for _, verdict, _ in found)
    for (kind, code), count in sorted(table.items()):
        print(f"{kind:24} {code:24} {count:5}")
    wrong = [(case, verdict) for case, verdict, _ in sorted(found, key=lambda item: item[0]) if verdict.wrong]
    for (group, seed), verdict in wrong:
        lines = verdict.detail.strip().splitlines() or [""]
        print(f"WRONG {group}/{seed} {verdict.kind}: {verdict.code}; {' | '.join(lines[:8])[:600]}")
    slowest = max((verdict.seconds for _, verdict, _ in found), default=0.0)
    largest = max((peak for _, _, peak in found), default=0) >> 20
    print(f"{len(found)} cases, {len(wrong)} wrong, slowest {slowest:.1f} s, largest process {largest} MiB")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
