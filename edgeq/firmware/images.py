"""From a bundle to images: compile, bound the stack, check the fit, link twice, check, write the formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from edgeq.backends.constants import Constants
from edgeq.errors import EdgeqError
from edgeq.firmware.checks import (
    check_no_float,
    check_no_heap,
    check_steps,
    check_v6m_only,
    referenced_names,
)
from edgeq.firmware.disassembly import disassemble
from edgeq.firmware.facts import ImageFacts, Sizes
from edgeq.firmware.fit import check_fit
from edgeq.firmware.formats import write_formats
from edgeq.firmware.link import (
    Layout,
    Room,
    board_layout,
    emulated_layout,
    link_chip,
    link_host,
    linker_script,
)
from edgeq.firmware.objects import MODEL_OBJECT, SANITIZE, TRACED_OBJECT, WEIGHTS_OBJECT, Objects, compile_all
from edgeq.firmware.sizes import image_sizes, loaded_bytes, total_loaded
from edgeq.firmware.stack import (
    add_library,
    count_assembly,
    drop_removed_calls,
    library_calls,
    read_call_graph,
    stack_bound,
)
from edgeq.firmware.toolchain import Toolchain, find_toolchain
from edgeq.target import Board
from edgeq.writing import scratch_folder

# The harness's own frames, without or with a fault's report on top; a test bounds both.
HARNESS_STACK_BYTES = 256
_PROBE_STACK_BYTES = 1024


@dataclass(frozen=True)
class Images:
    """What was built.

    Attributes:
        board: the board's name.
        files: file names in the output folder by kind: ``image emulated hex bin uf2 map`` or ``native``.
        sizes: bytes by part.
        stack_bytes: bound on the model's stack, exception frame included; None on the host.
        object_digest: SHA-256 of the objects that all links share.
        compiler: name and version.
        warnings: what the compiler said, normally nothing.
    """

    board: str
    files: Mapping[str, str]
    sizes: Sizes
    stack_bytes: int | None
    object_digest: str
    compiler: str
    warnings: str


def build_images(
    bundle_dir: Path,
    out_dir: Path,
    board: Board,
    facts: ImageFacts,
    *,
    constants: Constants | None = None,
    optimize: str = "-O2",
    sanitize: bool = False,
    traced: str | None = None,
) -> Images:
    """Build a board's images from a bundle (``NAME.h NAME.c NAME_weights.h NAME_weights.c``).

    Args:
        bundle_dir: the bundle; nothing is written there.
        out_dir: receives the images; existing files of the same names are replaced.
        board: what to build for.
        facts: about the model.
        constants: the arrays of ``NAME_weights.c``, which is then not compiled; None: it is.
        optimize: gcc's ``-O`` flag.
        sanitize: address and undefined-behaviour sanitizers; host only.
        traced: the text of ``NAME.c`` for images that also answer the rows inside steps that run in bands, which are
            ``native-rows`` and ``emulated-rows``; None: there are none.

    Raises:
        EdgeqError: EQ0401, EQ0402 it does not fit; EQ0501-EQ0510 a tool is missing or refuses, or a check fails.
        ValueError: sanitizers for a chip.
    """
    if sanitize and not board.is_host:
        raise ValueError("sanitizers need the host")
    toolchain = find_toolchain(board.target)
    out_dir.mkdir(parents=True, exist_ok=True)
    with scratch_folder("build") as folder:
        objects = compile_all(
            toolchain,
            board,
            facts,
            bundle_dir,
            folder,
            optimize=optimize,
            sanitize=sanitize,
            constants=constants,
            traced=traced,
        )
        for item in objects.model:
            check_no_heap(folder / item)
        if board.is_hosted:
            return _hosted_program(toolchain, board, facts, objects, out_dir, sanitize)
        return _chip_images(toolchain, board, facts, objects, out_dir)


def _hosted_program(
    toolchain: Toolchain, board: Board, facts: ImageFacts, objects: Objects, out_dir: Path, sanitize: bool
) -> Images:
    """A program of this computer, or of another one: without that one's libraries here, it brings them along."""
    flags: tuple[str, ...] = ()
    if board.is_host:
        name = "native_sanitized" if sanitize else "native"
        files, flags = {"native": name}, SANITIZE if sanitize else ()
    else:
        name = "program"
        files, flags = {"image": name, "emulated": name}, ("-static",)
    link_host(toolchain, objects.folder, [*objects.shared, objects.console], out_dir / name, flags)
    if objects.traced is not None:
        linked = [*objects.traced_model, *objects.harness, objects.console]
        link_host(toolchain, objects.folder, linked, out_dir / f"{name}_rows", flags)
        files["native-rows" if board.is_host else "emulated-rows"] = f"{name}_rows"
    sizes = Sizes(
        flash_code_bytes=total_loaded(objects.folder, objects.code).flash,
        flash_weight_bytes=loaded_bytes(objects.folder / WEIGHTS_OBJECT).flash,
        arena_bytes=facts.arena_bytes,
    )
    return Images(board.name, files, sizes, None, objects.digest(), toolchain.name, objects.warnings)


def _chip_images(toolchain: Toolchain, board: Board, facts: ImageFacts, objects: Objects, out_dir: Path) -> Images:
    linked = [*objects.shared, objects.console]
    model_stack = _model_stack(toolchain, board, facts, objects.folder, linked, (MODEL_OBJECT,))
    stack = model_stack + HARNESS_STACK_BYTES
    model = total_loaded(objects.folder, objects.model)
    harness = total_loaded(objects.folder, [*objects.harness, objects.console])
    check_fit(
        board,
        ram_bytes=facts.arena_bytes,
        stack_bytes=stack,
        flash_bytes=model.flash,
        harness_ram_bytes=harness.ram - facts.arena_bytes - facts.further_bytes + model.ram,
        harness_flash_bytes=harness.flash,
    )
    links: list[tuple[str, Layout, str]] = [("image", board_layout(board), objects.console)]
    if board.emulator is not None and objects.emulator_console is not None:
        links.append(("emulated", emulated_layout(board), objects.emulator_console))
    files: dict[str, str] = {}
    for name, layout, console in links:
        elf = out_dir / f"{name}.elf"
        script = linker_script(layout, facts, stack)
        link_chip(toolchain, board, objects.folder, [*objects.shared, console], script, elf)
        code = disassemble(toolchain, elf)
        check_steps(code, facts.name, facts.steps)
        check_no_float(code, helpers=facts.software_float)
        if "v6m" in board.target.isa:
            check_v6m_only(code)
        files[name] = elf.name
    if objects.traced is not None and board.emulator is not None:
        files |= _traced_image(toolchain, board, facts, objects, out_dir)
    for name in ("emulated.map", "emulated_rows.map"):
        (out_dir / name).unlink(missing_ok=True)
    image = out_dir / files["image"]
    files |= {"map": "image.map"} | write_formats(image, board.flash_with.uf2_family)
    sizes = image_sizes(objects, image)
    return Images(board.name, files, sizes, model_stack, objects.digest(), toolchain.name, objects.warnings)


def _traced_image(
    toolchain: Toolchain, board: Board, facts: ImageFacts, objects: Objects, out_dir: Path
) -> dict[str, str]:
    """The image for the emulator that also answers the rows inside steps; none where it exceeds the board's memory."""
    assert objects.emulator_console is not None  # there is an emulator
    console, name = objects.emulator_console, "emulated_rows.elf"
    linked = [*objects.traced_model, *objects.harness, console]
    stack = _model_stack(toolchain, board, facts, objects.folder, linked, (TRACED_OBJECT, console))
    script = linker_script(emulated_layout(board), facts, stack + HARNESS_STACK_BYTES)
    try:
        link_chip(toolchain, board, objects.folder, linked, script, out_dir / name)
    except EdgeqError as error:
        if {problem.code for problem in error.problems} <= {"EQ0401", "EQ0402"}:
            return {}
        raise
    return {"emulated-rows": name}


def _model_stack(
    toolchain: Toolchain,
    board: Board,
    facts: ImageFacts,
    folder: Path,
    linked: Sequence[str],
    parts: tuple[str, ...],
) -> int:
    """The bound on the model's stack with an exception frame on top, rounded up to 8 bytes.

    Args:
        toolchain: the ARM compiler.
        board: for its target.
        facts: for the model's name.
        folder: of the objects.
        linked: the objects of an image.
        parts: those of them that the model's functions reach, its own first.
    """
    compiled = [folder / name for name in (*parts, "memory.o")]
    graph = read_call_graph(path.with_suffix(".ci") for path in compiled)
    count_assembly(graph, disassemble(toolchain, compiled[0]))
    drop_removed_calls(graph, chain.from_iterable(referenced_names(path) for path in compiled))
    if library_calls(graph):
        probe = folder / "probe" / "probe.elf"
        probe.parent.mkdir(exist_ok=True)
        rooms = (Room(part.name, (3 << 28) + number * (1 << 24), 1 << 24) for number, part in enumerate(facts.further))
        huge = Layout(0, 1 << 28, 1 << 29, 1 << 28, tuple(rooms))
        script = linker_script(huge, facts, _PROBE_STACK_BYTES)
        link_chip(toolchain, board, folder, linked, script, probe)
        add_library(graph, disassemble(toolchain, probe))
    bound = stack_bound(graph, (f"{facts.name}_run", f"{facts.name}_step"))
    return -(-(bound + board.target.exception_frame_bytes) // 8) * 8
