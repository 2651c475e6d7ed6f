"""Every board's images, run: start-up, consoles, measurement, fault reports, on each emulated machine."""

from __future__ import annotations

import hashlib
import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from firmware_toy import FACTS, INPUT_BYTES, toy_answers, write_toy

from edgeq.errors import EXIT_FIT, EXIT_TOOL, EdgeqError
from edgeq.firmware import ImageFacts, Span, build_images, find_toolchain
from edgeq.firmware.images import HARNESS_STACK_BYTES, Images
from edgeq.firmware.objects import compile_all
from edgeq.firmware.stack import library_calls, read_call_graph, stack_bound
from edgeq.runners.symbols import read_symbols
from edgeq.target import Board, list_boards, load_board

SAMPLES = [bytes((7 * i + 31 * k) & 255 for i in range(INPUT_BYTES)) for k in range(3)]
COMMANDS = b"".join(b"R" + x for x in SAMPLES) + b"V" + SAMPLES[0] + b"S"
# The last step's result is the output.
ANSWERS = b"".join(toy_answers(x)[1] for x in SAMPLES) + b"".join(toy_answers(SAMPLES[0])) + toy_answers(SAMPLES[0])[1]
CHIPS = [name for name in list_boards() if not load_board(name).is_hosted]
TWINS = [name for name in CHIPS if (emulator := load_board(name).emulator) and emulator.board == name]
TIMEOUT = 60
EXIT_FAULT, EXIT_INPUT, EXIT_COMMAND = 97, 98, 99

needs_arm = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is missing")
needs_qemu = pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="qemu-system-arm is missing")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy(tmp_path_factory.mktemp("bundle"))


def qemu(board: Board, image: str, *extra: str) -> list[str]:
    assert board.emulator is not None
    assert board.emulator.machine is not None
    plain = ["qemu-system-arm", "-M", board.emulator.machine, "-nographic", "-monitor", "none", "-kernel", image]
    return [*plain, *board.emulator.args, *extra]


def emulate(board: Board, folder: Path, commands: bytes) -> subprocess.CompletedProcess[bytes]:
    (folder / "edgeq.in").write_bytes(commands)
    command = qemu(board, "emulated.elf", "-serial", "null", "-semihosting-config", "enable=on,target=native")
    return subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=False
    )


def check_stack(images: Images, answer: bytes, board: Board) -> None:
    used, size = struct.unpack("<2I", answer)
    assert images.stack_bytes is not None
    assert size == images.stack_bytes + HARNESS_STACK_BYTES
    assert 0 < used <= images.stack_bytes - board.target.exception_frame_bytes


@needs_arm
@needs_qemu
@pytest.mark.parametrize("name", CHIPS)
def test_emulated_image_answers(name: str, bundle: Path, tmp_path: Path) -> None:
    board = load_board(name)
    images = build_images(bundle, tmp_path, board, FACTS)
    assert images.warnings == ""
    assert images.sizes.arena_bytes == FACTS.arena_bytes
    done = emulate(board, tmp_path, COMMANDS + b"Q")
    assert done.returncode == 0, done.stderr
    answer = (tmp_path / "edgeq.out").read_bytes()
    assert answer[:-8] == ANSWERS
    check_stack(images, answer[-8:], board)


@needs_arm
@needs_qemu
@pytest.mark.parametrize("name", TWINS)
def test_serial_console_answers(name: str, bundle: Path, tmp_path: Path) -> None:
    board = load_board(name)
    images = build_images(bundle, tmp_path, board, FACTS)
    banner = b"edgeq toy\r\n"
    command = qemu(board, "image.elf", "-serial", "stdio")
    with subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert process.stdout.read(len(banner)) == banner
            process.stdin.write(COMMANDS)
            process.stdin.flush()
            answer = process.stdout.read(len(ANSWERS) + 8)
        finally:
            process.kill()
    assert answer[:-8] == ANSWERS
    check_stack(images, answer[-8:], board)


@needs_arm
@pytest.mark.parametrize("name", ["microbit-v1", "mps2-an505"])
def test_harness_stack_bounded(name: str, bundle: Path, tmp_path: Path) -> None:
    board = load_board(name)
    objects = compile_all(find_toolchain(board.target), board, FACTS, bundle, tmp_path, optimize="-O2", sanitize=False)
    for console in (objects.console, str(objects.emulator_console)):
        graph = read_call_graph((tmp_path / file).with_suffix(".ci") for file in (*objects.harness, console))
        # the run-time library, which gcc gives no frames for
        library = dict.fromkeys(library_calls(graph), 32)
        graph.frames.update(library)
        bound = stack_bound(graph, ("eq_reset",)) + 32 + stack_bound(graph, ("eq_report_fault",))
        assert bound <= HARNESS_STACK_BYTES


@pytest.mark.parametrize("sanitize", [False, True], ids=["plain", "sanitized"])
def test_native_program_answers(sanitize: bool, bundle: Path, tmp_path: Path) -> None:
    images = build_images(bundle, tmp_path, load_board("native"), FACTS, sanitize=sanitize)
    program = tmp_path / images.files["native"]
    done = subprocess.run([str(program)], input=COMMANDS + b"Q", capture_output=True, timeout=TIMEOUT, check=True)
    assert done.stdout == ANSWERS + bytes(8)
    for commands, code in ((b"", 0), (b"R123", EXIT_INPUT), (b"x", EXIT_COMMAND)):
        done = subprocess.run([str(program)], input=commands, capture_output=True, timeout=TIMEOUT, check=False)
        assert done.returncode == code


def test_native_sanitizer_catches_a_write_behind_the_arena(tmp_path: Path) -> None:
    bundle = write_toy(tmp_path / "bundle", "((volatile uint8_t *)arena)[48] = 1;")
    images = build_images(bundle, tmp_path, load_board("native"), FACTS, sanitize=True)
    program = tmp_path / images.files["native"]
    done = subprocess.run([str(program)], input=COMMANDS, capture_output=True, timeout=TIMEOUT, check=False)
    assert done.returncode != 0
    assert b"AddressSanitizer" in done.stderr


OVERFLOW = '__asm__ volatile("1: push {r0, r1}\\n\\tb 1b");'
UNALIGNED = '__asm__ volatile("ldmia %0!, {r2, r3}" : : "r"((uintptr_t)arena + 1u) : "r2", "r3");'
# The Thumb bit is clear, as in a null pointer to a function.
NULL_CALL = '__asm__ volatile("movs r3, #0\\n\\tblx r3" : : : "r3", "lr");'
FAULTS = [
    ("microbit-v1", '__asm__ volatile("udf #1");', "hard fault at pc"),
    ("microbit-v1", OVERFLOW, "stack overflow"),
    ("mps2-m0", "*(volatile uint32_t *)((uintptr_t)arena + 1u) = 5u;", "hard fault at pc"),
    ("stm32vldiscovery", OVERFLOW, "stack overflow"),
    ("netduinoplus2", UNALIGNED, "unaligned access"),
    ("mps2-an505", '__asm__ volatile("udf #1");', "undefined instruction"),
    ("mps3-an547", OVERFLOW, "stack overflow"),
    *((name, NULL_CALL, "a jump to address 0") for name in ("microbit-v1", "mps2-an385", "mps3-an547")),
]


@needs_arm
@needs_qemu
@pytest.mark.parametrize(("name", "body", "report"), FAULTS, ids=[f"{f[0]}-{f[2].replace(' ', '_')}" for f in FAULTS])
def test_fault_reported(name: str, body: str, report: str, tmp_path: Path) -> None:
    board = load_board(name)
    build_images(write_toy(tmp_path / "bundle", body), tmp_path, board, FACTS)
    done = emulate(board, tmp_path, COMMANDS)
    text = (done.stdout + done.stderr).decode()
    assert done.returncode == EXIT_FAULT
    assert report in text
    assert ("stack overflow" in text) == (report == "stack overflow")
    if " at pc " in text and body != NULL_CALL:
        pc = int(text.split(" at pc ")[1].split(",")[0], 16)
        assert read_symbols(tmp_path / "emulated.elf").locate(pc).startswith("toy_step_0")


@needs_arm
@needs_qemu
@pytest.mark.parametrize(
    ("commands", "code"), [(b"", 0), (b"R123", EXIT_INPUT), (b"x", EXIT_COMMAND)], ids=["end", "short", "unknown"]
)
def test_exit_codes(commands: bytes, code: int, bundle: Path, tmp_path: Path) -> None:
    board = load_board("mps2-an386")
    build_images(bundle, tmp_path, board, FACTS)
    assert emulate(board, tmp_path, commands).returncode == code


@needs_arm
@pytest.mark.parametrize("name", ["microbit-v2", "native"])
def test_same_bytes_from_another_folder(name: str, tmp_path: Path) -> None:
    digests = []
    for place in ("one", "another/longer/place"):
        out = tmp_path / place / "out"
        images = build_images(write_toy(tmp_path / place / "bundle"), out, load_board(name), FACTS)
        files = {kind: hashlib.sha256((out / file).read_bytes()).hexdigest() for kind, file in images.files.items()}
        digests.append((images.object_digest, files))
    assert digests[0] == digests[1]


@needs_arm
def test_image_formats_hold_the_same_bytes(bundle: Path, tmp_path: Path) -> None:
    import bincopy

    images = build_images(bundle, tmp_path, load_board("microbit-v2"), FACTS)
    data = (tmp_path / "image.bin").read_bytes()
    assert len(data) == images.sizes.image_flash_bytes
    assert bytes(bincopy.BinFile(str(tmp_path / "image.hex")).as_binary()) == data
    uf2 = (tmp_path / "image.uf2").read_bytes()
    blocks = [uf2[at : at + 512] for at in range(0, len(uf2), 512)]
    assert b"".join(block[32:288] for block in blocks)[: len(data)] == data
    assert [struct.unpack_from("<8I", block)[3:] for block in blocks] == [
        (256 * i, 256, i, len(blocks), 0x621E937A) for i in range(len(blocks))
    ]


def map_sections(path: Path) -> dict[str, tuple[int, int, int]]:
    """The linker map's output sections of at least one byte: address, address in flash, size."""
    text = path.read_text(encoding="utf-8").partition("Linker script and memory map")[2]
    pattern = r"^(\.\w+)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)(?: load address 0x([0-9a-f]+))?$"
    found = {}
    for name, address, size, load in re.findall(pattern, text, re.MULTILINE):
        if int(size, 16) and name != ".ARM":
            found[name] = (int(address, 16), int(load or address, 16), int(size, 16))
    return found


# Three ends of .text, so that some gap in front of .rodata, which wants 16 bytes, is not 0; .boot_vectors on pinetime.
@needs_arm
@pytest.mark.parametrize("name", ["mps2-an386", "pinetime", "stm32vldiscovery", "microbit-v1"])
@pytest.mark.parametrize("body", ["", "x += y[0];", "y[0] = (int8_t)(x[0] * x[1] - x[2]);"])
def test_sizes_are_the_linker_maps_to_the_byte(name: str, body: str, tmp_path: Path) -> None:
    images = build_images(write_toy(tmp_path / "b", body), tmp_path, load_board(name), FACTS)
    sizes, sections = images.sizes, map_sections(tmp_path / "image.map")
    in_ram = (".stack", ".arena", ".data", ".bss")
    in_flash = [item for key, item in sections.items() if key not in {".stack", ".arena", ".bss"}]
    first, last = min(in_flash, key=lambda item: item[1]), max(in_flash, key=lambda item: item[1])
    assert sizes.image_flash_bytes == last[1] + last[2] - first[1] == (tmp_path / "image.bin").stat().st_size
    ram = [item for key, item in sections.items() if key in in_ram]
    assert sizes.image_ram_bytes == max(item[0] + item[2] for item in ram) - min(item[0] for item in ram)
    assert sizes.harness_flash_bytes is not None
    assert sizes.harness_ram_bytes is not None
    assert images.stack_bytes is not None
    stack = images.stack_bytes + HARNESS_STACK_BYTES
    assert stack == sections[".stack"][2]
    assert sizes.harness_ram_bytes + sizes.arena_bytes + stack == sizes.image_ram_bytes
    model = sizes.flash_code_bytes + sizes.flash_weight_bytes
    assert sizes.harness_flash_bytes + model == sizes.image_flash_bytes


@needs_arm
def test_pinetime_boots_behind_the_header(bundle: Path, tmp_path: Path) -> None:
    build_images(bundle, tmp_path, load_board("pinetime"), FACTS)
    data = (tmp_path / "image.bin").read_bytes()
    stack, reset = struct.unpack_from("<2I", data)
    assert 0x20000000 < stack <= 0x20010000
    assert reset & 1
    table = 0x8080 - 0x8020
    assert struct.unpack_from("<2I", data, table) == (stack, reset)


@needs_arm
def test_too_big_names_need_have_and_help(tmp_path: Path) -> None:
    bundle = write_toy(tmp_path / "bundle")
    header = bundle / "toy.h"
    header.write_text(header.read_text(encoding="utf-8").replace("BYTES 48", "BYTES 8192"), encoding="utf-8")
    facts = ImageFacts("toy", FACTS.inputs, FACTS.outputs, FACTS.results, 8192)
    with pytest.raises(EdgeqError) as caught:
        build_images(bundle, tmp_path, load_board("stm32vldiscovery"), facts)
    problem = caught.value.problems[0]
    assert (problem.code, caught.value.exit_code) == ("EQ0401", EXIT_FIT)
    assert problem.allowed == "8192 bytes"
    assert "arena 8192 + stack " in str(problem.got)
    assert "it fits microbit-v1" in str(problem.hint)


REFUSED = {
    "float": ("mps2-an386", "volatile float f = 1.5f; f = f * f + (float)x[0]; y[0] = (int8_t)f;", "EQ0507"),
    "double_on_m55": ("mps3-an547", "volatile double f = 1.5; f = f * f; y[0] = (int8_t)f;", "EQ0507"),
    "heap": ("mps2-an386", "extern void *malloc(unsigned); *(volatile int *)malloc(4) = 1;", "EQ0509"),
    "pointer_call": ("mps2-an386", "void (*volatile f)(uint8_t *) = (void (*)(uint8_t *))0; f(arena);", "EQ0506"),
    "unbounded_frame": (
        "mps2-an386",
        "volatile int8_t v[x[0] & 63]; for (int i = 0; i < (x[0] & 63); ++i) v[i] = 1;",
        "EQ0506",
    ),
    "recursion": ("mps2-an386", "if (x[0] > 3) toy_step(arena + 1, 0);", "EQ0506"),
    "not_v6m": ("mps2-m0", '__asm__ volatile(".arch armv7-m\\n\\tsdiv r0, r0, r0" : : : "r0");', "EQ0508"),
    "syntax": ("mps2-an386", "this is no C", "EQ0503"),
    "undefined": ("mps2-an386", "extern void nowhere(void); nowhere();", "EQ0504"),
}


@needs_arm
@pytest.mark.parametrize("case", sorted(REFUSED))
def test_bundle_refused(case: str, tmp_path: Path) -> None:
    name, body, code = REFUSED[case]
    with pytest.raises(EdgeqError) as caught:
        build_images(write_toy(tmp_path / "bundle", body), tmp_path, load_board(name), FACTS)
    assert caught.value.problems[0].code == code, caught.value
    assert caught.value.exit_code == EXIT_TOOL


def test_missing_compiler_says_how_to_install(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEQ_GCC", "no-such-gcc")
    with pytest.raises(EdgeqError, match="EQ0501") as caught:
        build_images(bundle, tmp_path, load_board("mps2-an386"), FACTS)
    assert "apt-get install" in str(caught.value.problems[0].hint)


def test_missing_linux_compiler_says_how_to_install(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EdgeqError, match="EQ0501") as caught:
        build_images(bundle, tmp_path, load_board("linux-aarch64"), FACTS)
    assert "gcc-aarch64-linux-gnu" in str(caught.value.problems[0].hint)


def test_span_outside_the_arena_refused() -> None:
    with pytest.raises(ValueError, match="outside the arena"):
        ImageFacts("toy", (Span(40, 16),), (), (), 48)


@needs_arm
@needs_qemu
@pytest.mark.parametrize("name", ["microbit-v1", "mps2-an386", "mps3-an547"])
def test_stack_is_that_of_the_deepest_step(name: str, tmp_path: Path) -> None:
    """Steps of known depth: 64 bytes more are measured as 64 bytes more, whichever step ran last."""
    board = load_board(name)
    found = []
    for number, depth in enumerate((64, 128)):
        body = f'__asm__ volatile("sub sp, #{depth}\\n\\tstr r0, [sp]\\n\\tadd sp, #{depth}" : : : "memory");'
        folder = tmp_path / str(number)
        build_images(write_toy(folder / "bundle", body), folder, board, FACTS)
        done = emulate(board, folder, b"V" + bytes(16) + b"SQ")
        assert done.returncode == 0, done.stderr
        found.append(struct.unpack("<2I", (folder / "edgeq.out").read_bytes()[-8:])[0])
    assert found[1] - found[0] == 64
    assert found[0] >= 64
