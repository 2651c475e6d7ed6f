"""ONNX's own node tests: how many pass, are refused, come out wrong, or end in an internal error.

``python -m tests.campaigns.onnx_nodes`` runs all of them in about two minutes and exits with 1 where anything is wrong
or internal; with ``--sweep``, every operator in every opset in which its definition is new instead. What is compared
stands in ``tests/conformance/node_tests.py``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence

from tests.conformance.node_tests import VARIANTS, NodeTest, chosen, judge, table, variants_of
from tests.conformance.opsets import models, operators, opsets_of


def sweep() -> Iterator[NodeTest]:
    """The models of the opset sweep."""
    for name in operators():
        for opset in opsets_of(name):
            yield from models(name, opset)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tests and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, help="a seeded selection of so many tests; all by default")
    parser.add_argument("--name", help="tests whose name contains this")
    parser.add_argument("--list", choices=("passed", "refused"), help="print the tests of this outcome, too")
    parser.add_argument("--sweep", action="store_true", help="every operator in every opset instead")
    options = parser.parse_args(arguments)
    outcomes = []
    tests = sweep() if options.sweep else chosen(options.count)
    for test in tests:
        if options.name and options.name not in test.name:
            continue
        for variant, one in variants_of(test, ("raw",) if options.sweep else VARIANTS):
            outcome = judge(one)
            outcomes.append((variant, test.name, outcome))
            if outcome.kind == options.list:
                print(f"{outcome.kind} {variant} {test.name} {outcome.code} {outcome.detail}")
    print(table(outcomes))
    return int(any(outcome.kind in {"wrong", "internal"} for _, _, outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
