"""The counting plugin: exact, the same every time, on every machine; its classes against the assembler's opcodes."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import runners_asm as asm

from edgeq.errors import EdgeqError
from edgeq.runners import counting
from edgeq.runners.base import CLASSES, Counts, RunCounts
from edgeq.runners.qemu import machine_command

TOOLS = ("arm-none-eabi-gcc", "qemu-system-arm", "gcc")
MISSING = [name for name in TOOLS if shutil.which(name) is None]
needs_tools = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

THUMB = {
    "load": "ldrd r0,r1,[r2];ldr r0,[r1];ldrb r0,[r1,r2];ldrsb.w r0,[r1];ldr.w r0,[r1,#400];ldrex r0,[r1];lda r0,[r1];"
    "pop {r0,r1};ldmia r0!,{r1,r2};pop.w {r4,r8};vldr s0,[r0];vpop {s0-s3};ldrsh r0,[r1,r2];ldr r0,[sp,#4]",
    "store": "strd r0,r1,[r2],#8;str r0,[r1];strb r0,[r1,r2];str.w r0,[r1,#400];strex r0,r1,[r2];stl r0,[r1];"
    "push {r0,lr};push.w {r4,r8};stmdb r0!,{r1,r2};vpush {s0-s3};vstr s0,[r0];strh r0,[r1,#2];str r0,[sp,#4]",
    "mac": "muls r0,r1,r0;mul r0,r8,r2;mla r0,r1,r2,r3;mls r0,r1,r2,r3;smlad r0,r1,r2,r3;smlabb r0,r1,r2,r3;"
    "smmlar r0,r1,r2,r3;smmulr r0,r1,r2;smlal r0,r1,r2,r3;smull r0,r1,r2,r3;umaal r0,r1,r2,r3;smlald r0,r1,r2,r3",
    "alu": "adds r0,#1;mov r8,r7;mov r7,pc;sdiv r0,r1,r2;udiv r0,r1,r2;usad8 r0,r1,r2;ssat r0,#8,r1;sxtb16 r0,r1;"
    "sadd16 r0,r1,r2;qadd r0,r1,r2;pkhbt r0,r1,r2,lsl #16;sel r0,r1,r2;clz r0,r1;csel r0,r1,r2,eq;lsll r0,r1,#3;"
    "sqrshr r0,r1;movw r0,#5;add sp,#8;uxtb r0,r1;rev r0,r1;ubfx r0,r1,#3,#4;cmp r0,r1;cmp r8,r9;add r0,sp,#4",
    "branch": "b .;beq .;bl .;b.w .;beq.w .;bx lr;blx r3;mov pc,r0;add pc,r0;pop {r0,pc};pop.w {r4,r8,pc};ldr pc,[r0];"
    "tbb [pc,r0];cbz r0,.+4;cbnz r0,.+4;dls lr,r0;wls lr,r0,.+8;le lr,.-8;dlstp.8 lr,r0;letp lr,.-8;lctp",
    "vector": "vctp.8 r0;vldrw.u32 q0,[r0];vstrb.8 q0,[r0],#16;vld20.8 {q0,q1},[r0];vmladava.s8 r0,q0,q1;"
    "vrmulh.s32 q0,q1,q2;vmov r0,r1,q0[2],q0[0];vmov.8 q0[1],r0;vmov.s8 r0,q0[1];vdup.8 q0,r0;vadd.i32 q0,q1,q2;"
    "vcmp.i32 eq,q0,q1;vpsel q0,q0,q1;vcadd.i32 q0,q1,q2,#90;vmlas.s32 q0,q1,r2;vidup.u8 q0,r0,#1;vshr.s32 q0,q1,#3;"
    "vqshrnb.s32 q0,q1,#3;vqmovnb.s32 q0,q1;vmov.i32 q0,#1;vand q0,q1,q2;vaddv.s32 r0,q1;vmaxv.s8 r0,q1;"
    "vldrb.u32 q0,[r0,q1];vqadd.s16 q0,q1,r2;vmlaldav.s32 r0,r1,q0,q1",
    "other": "nop;nop.w;.inst.n 0xbf08;dmb;isb;msr basepri,r0;mrs r0,primask;svc 1;bkpt 0xab;cpsid i;pld [r0];"
    "clrm {r0,r1};vadd.f32 s0,s1,s2;vmov s0,r0;vmov r0,r1,d0;vmrs r0,fpscr;vmaxnm.f32 s0,s1,s2",
}
A64 = {
    "load": "ldr x0,[x1];ldr w0,[x1,#8]!;ldrb w0,[x1,x2];ldrsb x0,[x1],#1;ldrsw x0,[x1,x2,lsl #2];ldur x0,[x1,#-1];"
    "ldp x0,x1,[x2];ldp x29,x30,[sp],#16;ldpsw x0,x1,[x2];ldr x0,.;ldrsw x0,.;ldxr w0,[x1];ldar x0,[x1];ldrsh w0,[x1]",
    "store": "str x0,[x1];str w0,[x1,#8]!;strb w0,[x1,x2];strb w0,[x1],#1;strh w0,[x1,x2,lsl #1];stur x0,[x1,#-1];"
    "stp x0,x1,[x2];stp x29,x30,[sp,#-16]!;stxr w0,w1,[x2];stlr x0,[x1];str xzr,[sp,#8]",
    "mac": "mul w0,w1,w2;madd x0,x1,x2,x3;msub w0,w1,w2,w3;mneg w0,w1,w2;smull x0,w1,w2;smaddl x0,w1,w2,x3;"
    "umull x0,w1,w2;umsubl x0,w1,w2,x3;smulh x0,x1,x2;umulh x0,x1,x2",
    "alu": "add w0,w1,#1;add x0,x1,x2,lsl #3;add x0,x1,w2,sxtw;sub sp,sp,#32;subs w0,w1,w2;cmp w0,#3;mov w0,#5;"
    "movk x0,#5,lsl #16;mov x0,x1;adr x0,.;adrp x0,.;and w0,w1,#255;orr x0,x1,x2;eor w0,w1,w2;lsl w0,w1,w2;"
    "asr x0,x1,#31;sxtb w0,w1;ubfx w0,w1,#3,#4;extr w0,w1,w2,#3;csel w0,w1,w2,eq;cset w0,lt;ccmp w0,#1,#0,ne;"
    "sdiv w0,w1,w2;udiv x0,x1,x2;clz w0,w1;rev w0,w1;rbit x0,x1;adc x0,x1,x2",
    "branch": "b .;bl .;b.eq .;cbz w0,.;cbnz x0,.;tbz w0,#3,.;tbnz x0,#40,.;br x0;blr x1;ret",
    "vector": "ldr q0,[x1];str d0,[x1],#8;ldp q0,q1,[x2];ldr s0,.;ld1 {v0.16b},[x0];st2 {v0.8h,v1.8h},[x0];"
    "ld1r {v0.4s},[x0];add v0.4s,v1.4s,v2.4s;smull v0.8h,v1.8b,v2.8b;smlal2 v0.4s,v1.8h,v2.8h;"
    "mla v0.4s,v1.4s,v2.s[1];sadalp v0.4s,v1.8h;sqrdmulh v0.4s,v1.4s,v2.4s;sqxtn v0.4h,v1.4s;addv s0,v1.4s;"
    "dup v0.4s,w0;umov w0,v0.s[1];ins v0.s[0],w1;movi v0.4s,#1;sshll v0.8h,v1.8b,#0;add d0,d1,d2;"
    "tbl v0.16b,{v1.16b},v2.16b;ext v0.16b,v1.16b,v2.16b,#3;zip1 v0.8h,v1.8h,v2.8h",
    "other": "nop;hint #34;dmb ish;isb;mrs x0,nzcv;msr nzcv,x0;svc #0;brk #1;prfm pldl1keep,[x0];prfm pldl1keep,.;"
    "fadd s0,s1,s2;fmadd d0,d1,d2,d3;fmov w0,s0;fcmp s0,s1;scvtf s0,w0;fcvtzs w0,s0",
}
ISAS = {
    "thumb": (
        THUMB,
        "arm-none-eabi-",
        ["-mcpu=cortex-m55", "-mfloat-abi=hard", "-mthumb"],
        ".syntax unified\n.thumb\n",
    ),
    "a64": (A64, "aarch64-linux-gnu-", ["-mcpu=cortex-a53"], ""),
}


BUILD = ("-std=c11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden")


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One cache for all tests of this session, not the user's."""
    folder = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setenv("EDGEQ_CACHE", str(folder))
    return folder


def count(machine: asm.Machine, folder: Path, built: Path | None = None) -> tuple[counting.Tally, bytes]:
    """Run the hand-written image with a plugin, as a rule edgeq's; the counts, parsed and raw."""
    image = asm.build(machine, folder)
    counting.write_markers(folder / "markers.txt", image, "t", 3)
    plugin = f"{built or counting.build_plugin()},markers=markers.txt,out=counts.txt"
    command = machine_command("qemu-system-arm", machine.name)
    command += ["-semihosting-config", "enable=on,target=native", "-kernel", str(image), "-plugin", plugin]
    done = subprocess.run(command, cwd=folder, capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return counting.read_tally(folder / "counts.txt"), (folder / "counts.txt").read_bytes()


@needs_tools
@pytest.mark.parametrize("machine", asm.MACHINES, ids=lambda machine: machine.name)
def test_counts_are_exact(machine: asm.Machine, tmp_path: Path) -> None:
    tally, _ = count(machine, tmp_path)
    assert_exact(tally, machine)


def assert_exact(tally: counting.Tally, machine: asm.Machine) -> None:
    steps = (
        Counts(asm.STEP_0),
        Counts(asm.step_1(machine.cpu), *asm.step_1_bytes(machine.cpu)),
        Counts(asm.STEP_2, *asm.STEP_2_BYTES),
    )
    assert tally.runs == (RunCounts(Counts(asm.BEFORE, *asm.BEFORE_BYTES), steps),) * asm.RUNS
    assert tally.program.total == asm.program_instructions(machine.cpu)


@needs_tools
@pytest.mark.parametrize("machine", [asm.MACHINES[0], asm.MACHINES[-1]], ids=lambda machine: machine.name)
@pytest.mark.parametrize("interface", [2, 3])
def test_counts_through_newer_interfaces_are_exact(interface: int, machine: asm.Machine, tmp_path: Path) -> None:
    flags = [*BUILD, f"-DEQ_INTERFACE={interface}", "-Dqemu_plugin_version=newer_version"]
    if interface == 3:
        flags.append("-Dqemu_plugin_insn_data=newer_insn_data")
    subprocess.run(["gcc", *flags, "-c", counting.PLUGIN_DIR / "count.c"], cwd=tmp_path, check=True, timeout=60)
    newer = Path(__file__).with_name("runners_interface.c")
    built = tmp_path / "newer.so"
    subprocess.run(["gcc", *BUILD, newer, "count.o", "-o", built], cwd=tmp_path, check=True, timeout=60)
    assert_exact(count(machine, tmp_path, built)[0], machine)


@pytest.mark.parametrize(
    ("told", "interface"),
    [
        ("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)", 1),
        ("QEMU emulator version 8.2.2 (Debian 1:8.2.2+ds-0ubuntu1)", 1),
        ("QEMU emulator version 9.0.4", 2),
        ("qemu-aarch64 version 9.1.0", 3),
        ("QEMU emulator version 10.0.3 (Debian 1:10.0.3+ds-0+deb13u1)", 3),
        ("something else", 1),
    ],
)
def test_interface_is_that_of_the_emulator(told: str, interface: int, tmp_path: Path) -> None:
    program = tmp_path / "qemu"
    program.write_text(f"#!/bin/sh\necho '{told}'\n")
    program.chmod(0o755)
    assert counting.interface_of(str(program)) == interface
    assert counting.interface_of(str(tmp_path / "absent")) == 1


@needs_tools
def test_counts_repeat_to_the_byte(tmp_path: Path) -> None:
    machine = asm.MACHINES[-1]
    assert count(machine, tmp_path)[1] == count(machine, tmp_path)[1]


@needs_tools
@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("isa", ISAS)
def test_class_of_each_instruction(isa: str, kind: str, tmp_path: Path, needs_program: Callable[[str], str]) -> None:
    """The assembler's opcodes, not a copy of the decoder's tables."""
    table, prefix, flags, head = ISAS[isa]
    needs_program(f"{prefix}gcc")
    lines = table[kind].split(";")
    # A label after each instruction gives its size.
    labelled = "".join(f"{line}\nmarker_{index}:\n" for index, line in enumerate(lines))
    (tmp_path / "list.s").write_text(head + labelled, encoding="ascii")

    def run(program: str, *arguments: str) -> str:
        done = subprocess.run(
            [program, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True, timeout=60
        )
        return done.stdout

    run(f"{prefix}gcc", *flags, "-c", "-x", "assembler", "list.s", "-o", "list.o")
    run(f"{prefix}objcopy", "-O", "binary", "list.o", "list.bin")
    listed = run(f"{prefix}nm", "-n", "list.o")
    ends = [int(row.split()[0], 16) for row in listed.splitlines() if "marker_" in row]
    code = (tmp_path / "list.bin").read_bytes()
    (tmp_path / "class.c").write_text(
        f'#include "classify_{isa}.h"\nint classify(const uint8_t *c, unsigned n);\n'
        f"int classify(const uint8_t *c, unsigned n) {{ return eq_classify_{isa}(c, n); }}\n"
    )
    warnings = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
    run("gcc", "-std=c11", *warnings, "-fPIC", "-shared", f"-I{counting.PLUGIN_DIR}", "class.c", "-o", "class.so")
    classify = ctypes.CDLL(str(tmp_path / "class.so")).classify
    starts = [0, *ends[:-1]]
    found = {
        line: CLASSES[classify(code[start:end], end - start)]
        for line, start, end in zip(lines, starts, ends, strict=True)
    }
    assert found == dict.fromkeys(lines, kind)


@needs_tools
@pytest.mark.parametrize("interface", [interface for *_, interface in counting.INTERFACES])
def test_plugin_builds_without_warnings(interface: int, tmp_path: Path) -> None:
    flags = [*BUILD, f"-DEQ_INTERFACE={interface}", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
    source = str(counting.PLUGIN_DIR / "count.c")
    subprocess.run(["gcc", *flags, source, "-o", str(tmp_path / "count.so")], check=True, timeout=60)


@needs_tools
def test_plugin_is_built_once(cache: Path) -> None:
    first = counting.build_plugin()
    stamp = first.stat().st_mtime_ns
    assert counting.build_plugin() == first
    assert first.stat().st_mtime_ns == stamp
    assert [entry.name for entry in cache.iterdir()] == [first.name]


@pytest.mark.parametrize("changed", counting.SOURCES)
def test_plugin_is_built_again_when_any_of_its_files_changes(
    changed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEQ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(counting, "_compile", lambda target, flags: target.touch())
    before = counting.build_plugin().name
    copies = tmp_path / "plugin"
    shutil.copytree(counting.PLUGIN_DIR, copies)
    monkeypatch.setattr(counting, "PLUGIN_DIR", copies)
    assert counting.build_plugin().name == before
    with (copies / changed).open("a", encoding="utf-8") as file:
        file.write("/* changed */\n")
    assert counting.build_plugin().name != before


def test_plugin_list_names_every_file_that_is_included() -> None:
    included = {
        name
        for path in counting.PLUGIN_DIR.glob("*.[ch]")
        for name in re.findall(r'#include "(\w+\.h)"', path.read_text())
    }
    assert included | {"count.c"} == set(counting.SOURCES)


def test_plugin_without_compiler_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEQ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EdgeqError) as caught:
        counting.build_plugin()
    problem = caught.value.problems[0]
    assert (problem.code, caught.value.exit_code) == ("EQ0521", 5)
    assert problem.hint == "apt-get install --no-install-recommends gcc libc6-dev"


@pytest.mark.parametrize("text", ["", "run 0\nbefore 1 2 3 4 5 6 7 8 9\n", "program 1 2\n"])
def test_cut_counts_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "counts.txt").write_text(text)
    with pytest.raises(EdgeqError, match="EQ0522"):
        counting.read_tally(tmp_path / "counts.txt")
