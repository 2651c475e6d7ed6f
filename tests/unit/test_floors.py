"""The package is a staircase: a module imports from floors below its own, and from no other folder of its floor.

No import leads back to where it started, inside a folder either, and every module can be the first that is imported.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

# Lowest first. Names on one line do not import each other.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("numerics", "errors", "errors_catalogue", "errors_examples", "lazily", "resources", "signals", "version"),
    ("budget", "files", "json_shape", "guard", "notes"),
    ("writing", "sources"),
    ("archive", "process"),
    ("ir", "extras"),
    ("memory", "ops"),
    ("target",),
    ("onnxio",),
    ("data",),
    ("interp", "frontend", "quant"),
    ("lowering", "passes"),
    ("backends",),
    ("firmware",),
    ("runners",),
    ("manifest",),
    ("folder", "job"),
    ("integers", "describe"),
    ("build", "emission"),
    ("pipeline",),
    ("analysis",),
    ("report", "arguments"),
    ("models",),
    ("api",),
    ("cli",),
    ("__main__",),
)

# Third-party packages that only these folders may import. A dotted name is a folder within a folder. Imports for type
# checking alone are free: `pipeline` hands models on and names their type, but never touches one.
CONFINED: dict[str, tuple[str, ...]] = {
    "onnx": ("onnxio", "frontend", "quant", "lowering"),
    "onnx_ir": ("onnxio", "frontend", "quant", "lowering"),
    "onnxruntime": ("onnxio", "frontend", "quant", "lowering"),
    "onnxscript": ("onnxio", "frontend", "quant", "lowering"),
    "tvm": ("backends.tvm", "runners.tvm"),
    "tflite": ("backends.tflite",),
    "flatbuffers": ("backends.tflite",),
    "ai_edge_litert": ("runners.tflite",),
    "tflite_runtime": ("runners.tflite",),
    "elftools": ("firmware", "runners"),
    "click": ("cli",),
    "rich": ("cli", "report"),
}

# Nothing that users install for other reasons may be needed by the compiler.
NEVER = ("torch", "pickle", "pytest", "tests")

PACKAGE = "edgeq"


@dataclass(frozen=True)
class Import:
    """One imported module (dotted), where it is written, and by which module of edgeq (dotted, without ``edgeq.``).

    ``names`` are what is taken from it: its attributes, or modules of a package.
    """

    place: str
    by: str
    module: str
    for_types: bool = False
    names: tuple[str, ...] = ()


def imports_of(source: str, by: str, place: str) -> Iterator[Import]:
    """All imports of a file, lazy and type-only ones included; ``from p import m`` counts as p and as p.m."""
    tree = ast.parse(source, place)
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        names: tuple[str, ...] = ()
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            modules = [base if base != PACKAGE else f"{PACKAGE}.{alias.name}" for alias in node.names]
            names = tuple(alias.name for alias in node.names) if base != PACKAGE else ()
        else:
            continue
        for module in modules:
            yield Import(f"{place}:{node.lineno}", by, module, id(node) in for_types, names)


def floor_of(folder: str) -> int | None:
    """The index of the floor a top-level name of the package is on."""
    return next((level for level, names in enumerate(FLOORS) if folder in names), None)


def violation(found: Import) -> str | None:
    """Why an import is not allowed, or None."""
    top, _, rest = found.module.partition(".")
    if not top:
        return "a relative import"
    if top in NEVER:
        return f"{top} is never imported"
    if top != PACKAGE:
        allowed = CONFINED.get(top)
        if allowed is None or found.for_types or any(f"{found.by}.".startswith(f"{folder}.") for folder in allowed):
            return None
        return f"{top} is imported outside of {', '.join(allowed)}"
    mine, theirs = found.by.partition(".")[0], rest.partition(".")[0]
    if theirs == mine:
        return None
    if theirs in {"", "__version__"}:
        return "edgeq itself, which imports the API, is for users"
    my_floor, their_floor = floor_of(mine), floor_of(theirs)
    if their_floor is None:
        return f"{theirs} is on no floor"
    if my_floor is None:
        return f"{mine} is on no floor"
    if their_floor == my_floor:
        return f"{mine} and {theirs} are on one floor"
    return f"{mine} is below {theirs}" if their_floor > my_floor else None


def sources(root: Path) -> dict[str, Path]:
    """The package's files by module (dotted, without ``edgeq.``); the package's own ``__init__`` is left out."""
    package = root / PACKAGE
    found = {}
    for path in sorted(package.rglob("*.py")):
        relative = path.relative_to(package)
        if relative.parts != ("__init__.py",) and relative.parts[0] != "_data":
            found[".".join(relative.with_suffix("").parts).removesuffix(".__init__")] = path
    return found


def violations(root: Path) -> list[str]:
    """Every import of the package that breaks a rule, as ``file:line: reason``."""
    result = []
    for by, path in sources(root).items():
        for found in imports_of(path.read_text("utf-8"), by, str(path.relative_to(root))):
            reason = violation(found)
            if reason is not None:
                result.append(f"{found.place}: {reason} (imports {found.module})")
    return sorted(set(result))


def needs(texts: Mapping[str, str], packages: Iterable[str]) -> dict[str, set[str]]:
    """Which modules each module imports, at once or later.

    Imports for type checking are free, but those of a package, which state what it exports on first use. A module loads
    the packages above what it imports, but its own.

    Args:
        texts: source by module (dotted, without ``edgeq.``).
        packages: those that are an ``__init__``.
    """
    lazy = set(packages)
    found: dict[str, set[str]] = {}
    for by, text in texts.items():
        wanted: set[str] = set()
        for item in imports_of(text, by, by):
            top, _, module = item.module.partition(".")
            if top != PACKAGE or (item.for_types and by not in lazy):
                continue
            inner = {f"{module}.{name}" for name in item.names}
            wanted |= inner & texts.keys()
            if not inner <= texts.keys() or not inner:
                wanted.add(module)
        above = {".".join(name.split(".")[:depth]) for name in wanted for depth in range(1, name.count(".") + 1)}
        wanted |= {name for name in above if not f"{by}.".startswith(f"{name}.")}
        found[by] = (wanted & texts.keys()) - {by}
    return found


def cycle(graph: Mapping[str, set[str]]) -> list[str]:
    """Modules that import each other in a ring, the first again at the end; none where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        ring: list[str] = error.args[1]
        return ring[::-1]
    return []


def test_no_import_leads_back(root: Path) -> None:
    files = sources(root)
    packages = [name for name, path in files.items() if path.name == "__init__.py"]
    assert cycle(needs({name: path.read_text("utf-8") for name, path in files.items()}, packages)) == []


@pytest.mark.parametrize(
    "texts",
    [
        {"a": "from edgeq.b import f", "b": "from edgeq import a"},
        {"a.x": "import edgeq.a.y", "a.y": "def f():\n    from edgeq.a import x"},
        {
            "a": "if TYPE_CHECKING:\n    from edgeq.a.x import X",
            "a.x": "from edgeq.b import f",
            "b": "import edgeq.a.y",
        },
    ],
)
def test_a_ring_of_imports_is_found(texts: dict[str, str]) -> None:
    ring = cycle(needs(texts, ["a"]))
    assert ring[0] == ring[-1]
    assert set(ring) == set(texts)


@pytest.mark.parametrize(
    "texts",
    [
        {"a": "from edgeq.a.x import f", "a.x": "from edgeq.a.y import f", "a.y": ""},
        {"a.x": "from edgeq.a import y", "a.y": "if TYPE_CHECKING:\n    from edgeq.a import x"},
    ],
)
def test_modules_of_one_folder_may_import_each_other(texts: dict[str, str]) -> None:
    assert cycle(needs(texts, ["a"])) == []


# Imports each module with nothing of edgeq loaded, and prints what fails.
_ALONE = """
import sys
from importlib import import_module
for name in sys.argv[1:]:
    for loaded in [loaded for loaded in sys.modules if loaded.partition(".")[0] == "edgeq"]:
        del sys.modules[loaded]
    try:
        import_module(name)
    except BaseException as error:
        print(f"{name}: {error!r}")
"""


@pytest.mark.slow
def test_every_module_can_be_imported_first(root: Path) -> None:
    names = [f"{PACKAGE}.{name}" for name in sources(root) if name != "__main__"]
    done = subprocess.run(
        [sys.executable, "-c", _ALONE, *names], cwd=root, capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stdout == ""


def test_imports_stay_on_their_floors(root: Path) -> None:
    found = violations(root)
    assert not found, "\n" + "\n".join(found)


def test_every_module_has_a_floor(root: Path) -> None:
    package = root / PACKAGE
    names = {p.stem for p in package.glob("*.py") if p.stem != "__init__"}
    names |= {p.name for p in package.iterdir() if p.is_dir() and any(p.rglob("*.py"))}
    assert sorted(name for name in names if floor_of(name) is None) == []


@pytest.mark.parametrize(
    ("by", "line", "reason"),
    [
        ("ir.graph", "from edgeq.ops import conv", "ir is below ops"),
        ("frontend.fold", "import edgeq.quant.qdq", "frontend and quant are on one floor"),
        ("passes.base", "from edgeq import lowering", "passes and lowering are on one floor"),
        (
            "interp.execute",
            "def f():\n    import onnx",
            "onnx is imported outside of onnxio, frontend, quant, lowering",
        ),
        ("analysis.search", "def f():\n    from rich import box", "rich is imported outside of cli, report"),
        ("ops.conv", "from .base import Op", "a relative import"),
        ("cli.main", "import pickle", "pickle is never imported"),
        ("cli.main", "from edgeq import helpers", "helpers is on no floor"),
        ("cli.main", "from edgeq import __version__", "edgeq itself, which imports the API, is for users"),
        ("cli.main", "import edgeq", "edgeq itself, which imports the API, is for users"),
    ],
)
def test_a_broken_rule_is_named(by: str, line: str, reason: str) -> None:
    assert [violation(found) for found in imports_of(line, by, "x.py")] == [reason]


@pytest.mark.parametrize(
    ("by", "line"),
    [
        ("ops.conv", "from edgeq.numerics import highmul"),
        ("ops.conv", "from edgeq.ops.base import Op"),
        ("backends.tvm.load", "import tvm.relax"),
        ("cli.main", "from edgeq.version import __version__"),
        ("quant.qdq", "from onnx_ir import Model"),
        ("pipeline", "if TYPE_CHECKING:\n    import onnx_ir"),
    ],
)
def test_an_allowed_import_passes(by: str, line: str) -> None:
    assert [violation(found) for found in imports_of(line, by, "x.py")] == [None]
