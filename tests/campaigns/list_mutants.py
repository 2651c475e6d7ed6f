"""Prints a seeded sample of mutants of Python files, a JSON object a line. Runs in the environment of cosmic-ray.

    python tests/campaigns/list_mutants.py COUNT SEED FILE ...

A site is a position that some operator can change; each site gives at most one mutant, so that operators with many
replacements do not crowd out the others. Left out, since no test can tell them from the source: annotations (they are
not evaluated) and the imports that only they need, decorators, `is` against `==`, the star before keyword-only
parameters, the -1 of a reshape (any negative number is the unknown size), and the operators' samples and the functions
that make them, which are the tests' own data.

Which sites are chosen depends on their lines alone, not on their number or place: a change elsewhere keeps the sample.
"""

from __future__ import annotations

import ast
import json
import random
import sys
from collections import defaultdict
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

_LEFT_OUT = ("RemoveDecorator", "_Is", "_IsNot", "VariableReplacer", "VariableInserter")

Span = tuple[tuple[int, int], tuple[int, int]]


def main() -> None:
    """Print the sample."""
    count, seed, *paths = sys.argv[1:]
    sites: dict[tuple[str, Span], list[tuple[str, int]]] = defaultdict(list)
    for path in sorted(paths):
        for span, name, occurrence in mutations(Path(path).read_text(encoding="utf-8")):
            sites[path, span].append((name, occurrence))
    text = {path: Path(path).read_text(encoding="utf-8").splitlines() for path in paths}

    def label(site: tuple[str, Span]) -> str:
        path, ((line, column), end) = site
        return f"{seed} {path} {text[path][line - 1]} {column} {end[1]}"

    chosen = sorted(sites, key=lambda site: (sha256(label(site).encode()).digest(), site))[: int(count)]
    for path, span in sorted(chosen):
        name, occurrence = random.Random(label((path, span))).choice(sites[path, span])
        source = Path(path).read_text(encoding="utf-8")
        mutated = mutate_code(source, get_operator(name)(), occurrence)
        print(
            json.dumps({"path": path, "line": span[0][0], "operator": name.partition("/")[2], "mutated": mutated}),
        )


def mutations(source: str) -> Iterator[tuple[Span, str, int]]:
    """Each mutation that a test could see: where, by which operator, and which occurrence of it."""
    unseen = list(unseen_lines(source))
    lines = source.splitlines()
    tree = get_ast(source)
    nodes = list(ast_nodes(tree))
    for name in operator_names():
        if any(part in name for part in _LEFT_OUT):
            continue
        operator = get_operator(name)()
        spans = (span for node in nodes for span in operator.mutation_positions(node))
        for occurrence, span in enumerate(spans):
            if _is_keyword_star(lines[span[0][0] - 1][span[0][1] :]):
                continue
            if not any(start <= span[0] and span[1] <= end for start, end in unseen):
                yield span, name, occurrence


def _is_keyword_star(rest: str) -> bool:
    return rest.startswith("*,") or rest == "*"


def unseen_lines(source: str) -> Iterator[Span]:
    """Where a change has no effect that a test could see: annotations, decorators, samples."""
    tree = ast.parse(source)
    makers = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and _makes_samples(node)}
    for node in ast.walk(tree):
        parts: list[ast.expr | ast.FunctionDef | None] = []
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            parts += node.decorator_list
        if isinstance(node, ast.FunctionDef):
            parts.append(node if node.name in makers else node.returns)
        if isinstance(node, ast.arg | ast.AnnAssign):
            parts.append(node.annotation)
        if isinstance(node, ast.keyword) and node.arg == "samples":
            parts.append(node.value)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"Sample", *makers}:
            parts.append(node)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            parts.append(node.test)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "reshape":
            parts += [argument for argument in node.args if isinstance(argument, ast.UnaryOp)]
        for part in parts:
            if part is not None and part.end_lineno is not None and part.end_col_offset is not None:
                yield (part.lineno, part.col_offset), (part.end_lineno, part.end_col_offset)


def _makes_samples(node: ast.FunctionDef) -> bool:
    names = ast.walk(node.returns) if node.returns is not None else ()
    return any(isinstance(name, ast.Name) and name.id == "Sample" for name in names)


if __name__ == "__main__":
    main()
