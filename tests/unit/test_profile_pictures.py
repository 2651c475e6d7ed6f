"""Pictures and comparisons of profiles: bars as wide as their counts, layers by their names, files that are kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

import pytest

from edgeq.analysis.arena import tenants_of
from edgeq.analysis.profile_comparison import LayerPair, ProfileComparison
from edgeq.folder import Compiled
from edgeq.report.arena_picture import arena_svg
from edgeq.report.flame import Bar, drew, flame_svg

SPACE: Final = "{http://www.w3.org/2000/svg}"
BARS: Final = Bar("all", 200, [Bar("a <b> & \x1b[2J", 50, [Bar("alu", 50)]), Bar("c", 150, colour=1), Bar("d", 0)])


def parsed(content: bytes) -> ET.Element:
    return ET.fromstring(content)  # noqa: S314 - edgeq's own file


def rectangles(content: bytes) -> dict[str, dict[str, str]]:
    """The attributes of each bar by what pointing at it shows."""
    found = {}
    for group in parsed(content).iter(f"{SPACE}g"):
        title, rectangle = group.find(f"{SPACE}title"), group.find(f"{SPACE}rect")
        assert title is not None
        assert rectangle is not None
        found[str(title.text)] = rectangle.attrib
    return found


def test_bars_are_as_wide_as_their_share_and_stand_below_each_other() -> None:
    found = rectangles(flame_svg("title", BARS, "steps"))
    assert [(text, float(at["x"]), float(at["width"]), int(at["y"]) // 22) for text, at in found.items()] == [
        ("all: 200 steps, 100.0 %", 0, 1200, 1),
        ("a <b> & \\x1b[2J: 50 steps, 25.0 %", 0, 300, 2),
        ("alu: 50 steps, 25.0 %", 0, 300, 3),
        ("c: 150 steps, 75.0 %", 300, 900, 2),
    ]


def test_picture_knows_its_own_files(tmp_path: Path) -> None:
    path = tmp_path / "run.svg"
    assert not drew(path)
    content = flame_svg("title", BARS, "steps")
    path.write_bytes(content)
    assert drew(path)
    path.write_bytes(content.replace(b"title", b"tItle", 1))
    assert not drew(path)
    path.write_bytes(b"")
    assert not drew(path)
    parsed(flame_svg("nothing", Bar("all", 0), "steps"))


def test_arena_shows_each_tensor_where_and_while_it_lies(compiled_example: Callable[..., Path]) -> None:
    compiled = Compiled.open(compiled_example())
    program = compiled.manifest.program
    assert program.arena_bytes is not None
    found = tenants_of(compiled)
    assert {tenant.kind for tenant in found} == {"input", "inner", "output", "scratch"}
    assert max(tenant.offset + tenant.size_bytes for tenant in found) <= program.arena_bytes
    count = len(program.steps)
    assert all(-1 <= tenant.first <= tenant.last <= count for tenant in found)
    assert [tenant.last for tenant in found if tenant.kind == "output"] == [count]
    blocks = rectangles(arena_svg("arena", program.arena_bytes, count, found))
    assert len(blocks) == len(found)
    for at in blocks.values():
        assert 30 - 0.01 <= float(at["y"]) <= 630
        assert float(at["y"]) + float(at["height"]) <= 630.6


@pytest.mark.qemu
def test_layers_are_compared_by_their_names(compiled_example: Callable[..., Path]) -> None:
    import edgeq

    result = edgeq.load(compiled_example()).profile(samples=1)
    compared = ProfileComparison(result, result)
    assert [pair.name for pair in compared.layers] == list(dict.fromkeys(layer.name for layer in result.layers))
    assert {pair.ratio for pair in compared.layers} == {1.0}
    assert sum(pair.before or 0 for pair in compared.layers) == sum(layer.instructions or 0 for layer in result.layers)
    assert sum(layer.share or 0 for layer in result.layers) == pytest.approx(1, abs=0.01)
    assert all(layer.read_bytes and layer.written_bytes for layer in result.layers)
    assert LayerPair("new", None, 5).ratio is None
    assert LayerPair("gone", 5, None).ratio is None


@pytest.mark.qemu
def test_command_draws_and_compares(
    run_edgeq: Callable[..., Any], compiled_example: Callable[..., Path], tmp_path: Path
) -> None:
    folder, svg = compiled_example(), tmp_path / "new" / "run.svg"
    command = ("profile", folder, "--samples", "1", "--svg", svg)
    done = run_edgeq(*command, "--compare", folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split()[0] == "all"
    assert float(done.stdout.splitlines()[-1].split()[-1]) == 1
    assert drew(svg)
    assert run_edgeq(*command).returncode == 0
    svg.write_text("mine")
    assert run_edgeq(*command).returncode == 2
    assert svg.read_text() == "mine"
    assert run_edgeq(*command, "--force").returncode == 0
    assert (svg.parent / "run.svg.kept-1").read_text() == "mine"
