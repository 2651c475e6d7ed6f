"""The demo: compiles the example model, evaluates, verifies and profiles it, and ends with one table.

Everything in the table comes from the ``--json`` documents of the same commands a user types; this script computes
nothing but percentages.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
EXAMPLE: Final = Path("examples/fashion_mnist")
EXIT_GATE: Final = 1


class CommandError(Exception):
    """An edgeq command failed in another way than by a gate; carries its exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exit code {code}")
        self.code = code


def run_json(title: str, *arguments: str) -> dict[str, Any]:
    """Run ``edgeq ARGUMENTS --json`` from the repository's root; its talk on stderr stays visible.

    Raises:
        CommandError: exit code other than 0 and 1 (a gate that failed still prints its document).
    """
    command = [str(Path(sys.executable).with_name("edgeq")), *arguments]
    print(f"\n{title}\n  $ edgeq {' '.join(arguments)}", flush=True)
    started = time.monotonic()
    done = subprocess.run([*command, "--json"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in {0, EXIT_GATE}:
        print(done.stdout, end="", file=sys.stderr)
        raise CommandError(done.returncode)
    print(f"  {time.monotonic() - started:.1f} s", flush=True)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def runs_of(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The results of a document by runner, whether it has one or several."""
    results: list[dict[str, Any]] = document.get("results") or [document]
    return {str(result["on"]): result for result in results}


def summary(evaluation: dict[str, Any], verdict: dict[str, Any], profile: dict[str, Any]) -> list[tuple[str, str]]:
    """The rows of the closing table from the documents of ``eval``, ``verify`` and ``profile``."""
    runs = runs_of(evaluation)
    reference, qemu = runs["reference"], runs["qemu"]
    equal = verdict["mismatches"] == 0
    proof = f"{verdict['elements']:,} elements of {verdict['tensors']} tensors, {verdict['mismatches']} mismatches"
    return [
        ("accuracy float", percent(reference["float_value"])),
        ("accuracy integer", percent(reference["value"])),
        ("accuracy in QEMU", f"{percent(qemu['value'])}  of {qemu['samples']} samples"),
        ("agreement with float", percent(reference["agreement"])),
        ("RAM", f"{profile['ram_bytes']:,} bytes, and {profile['stack_bytes']:,} of stack"),
        (
            "flash",
            f"{profile['flash_code_bytes']:,} bytes of code, {profile['flash_weight_bytes']:,} of weights",
        ),
        ("instructions", f"{profile['instructions']:,} for {profile['macs']:,} multiply-accumulates"),
        ("verify", f"{'the same bits everywhere' if equal else 'DIFFERENT BITS'}: {proof}"),
    ]


def percent(share: float | None) -> str:
    """A share of one with one decimal."""
    return "none" if share is None else f"{100 * share:.1f} %"


def table(rows: list[tuple[str, str]], title: str) -> str:
    """Rows as text in two columns under a title."""
    width = max(len(name) for name, _ in rows)
    lines = [f"  {name:{width}}  {value}" for name, value in rows]
    rule = "─" * max(len(line) for line in [*lines, title])
    return "\n".join([rule, title, rule, *lines, rule])


def main() -> int:
    """Run the four commands; the exit code is the first failure's, 1 when a gate failed."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--board", default="mps2-an386")
    parser.add_argument("-o", "--output", default="build/demo")
    options = parser.parse_args()
    board, output = options.board, options.output
    started = time.monotonic()
    calibration, evaluation = str(EXAMPLE / "calib.npz"), str(EXAMPLE / "eval.npz")
    (ROOT / output).parent.mkdir(parents=True, exist_ok=True)
    try:
        run_json(
            f"1/4  Compile a float ONNX model to firmware for {board}",
            *("compile", str(EXAMPLE / "model.onnx"), "--data", calibration, "--board", board, "-o", output),
        )
        evaluated = run_json(
            "2/4  Accuracy on labelled images: integer reference, C on this computer, firmware in QEMU",
            *("eval", output, "--data", evaluation, "--on", "reference,native,qemu"),
        )
        verdict = run_json("3/4  Compare every step's output, bit for bit", "verify", output, "--on", "native,qemu")
        profile = run_json("4/4  Count instructions", "profile", output)
    except CommandError as error:
        return error.code
    title = f"fashion_mnist on {board}, {time.monotonic() - started:.0f} s"
    print(f"\n{table(summary(evaluated, verdict, profile), title)}")
    values = {result["value"] for result in runs_of(evaluated).values()}
    if len(values) > 1:
        print("the executors disagree about the accuracy", file=sys.stderr)
    return EXIT_GATE if verdict["mismatches"] or len(values) > 1 else 0


if __name__ == "__main__":
    sys.exit(main())
