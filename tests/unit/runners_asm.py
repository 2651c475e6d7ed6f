"""Hand-written images whose instruction counts are known by reading, for the tests of the counting plugin."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

RUNS = 3
LOOP = 100
IDLE_LOOP = 50

# Step 2 is entered by falling into it: its marker lies inside a translation block. 0xbf00 is nop, which the assembler
# writes as a move on a Cortex-M0.
_COMMON = f"""
    .syntax unified
    .thumb
    .global t_run, t_step_0, t_step_1, t_step_2, eq_run_end
    .section .vectors, "a"
    .word stack_top, reset + 1
    .rept 14
    .word hang + 1
    .endr
    .text
    .thumb_func
hang: b hang
    .thumb_func
reset:
    @prepare@
    movs r5, #{RUNS}
    bl t_step_0
again:
    bl t_run
eq_run_end:
    movs r0, #{IDLE_LOOP}
1:  subs r0, #1
    bne 1b
    subs r5, #1
    bne again
    ldr r1, =exit_argument
    movs r0, #0x20
    bkpt 0xab
    b hang
    .thumb_func
    .type t_run, %function
t_run:
    push {{r4, lr}}
    bl t_step_0
    bl t_step_1
    pop {{r4, pc}}
    .thumb_func
    .type t_step_0, %function
t_step_0:
    movs r0, #{LOOP}
1:  subs r0, #1
    bne 1b
    bx lr
    .thumb_func
    .type t_step_1, %function
t_step_1:
    ldr r1, =buffer
    movs r2, #7
    muls r2, r1, r2
    ldr r3, [r1]
    str r3, [r1]
    @body@
    .thumb_func
    .type t_step_2, %function
t_step_2:
    .inst.n 0xbf00
    .inst.n 0xbf00
    bx lr
    .ltorg
    .align 2
exit_argument: .word 0x20026, 0
    .bss
    .align 4
buffer: .space 64
    .space 256
stack_top:
"""

_ENABLE_VECTORS = """
    ldr r0, =0xe000ed88
    ldr r1, =0x00f00000
    str r1, [r0]
    dsb
    isb
"""

# 40 elements in vectors of 16: three rounds.
_VECTOR_LOOP = """
    mov r12, lr
    movs r0, #40
    dlstp.8 lr, r0
1:  vldrb.u8 q0, [r1], #16
    vadd.i8 q0, q0, q0
    letp lr, 1b
    mov lr, r12
"""

# An instruction that its IT block skips takes a cycle, and counts.
_IT_BLOCK = """
    cmp r1, #0
    it eq
    moveq r3, r2
"""


@dataclass(frozen=True)
class Machine:
    """One QEMU machine and where it has its memory."""

    name: str
    cpu: str
    flash: int
    ram: int


MACHINES = (
    Machine("microbit", "cortex-m0", 0, 0x20000000),
    Machine("mps2-an385", "cortex-m3", 0, 0x20000000),
    Machine("stm32vldiscovery", "cortex-m3", 0x08000000, 0x20000000),
    Machine("lm3s6965evb", "cortex-m3", 0, 0x20000000),
    Machine("mps2-an386", "cortex-m4", 0, 0x20000000),
    Machine("netduinoplus2", "cortex-m4", 0x08000000, 0x20000000),
    Machine("mps2-an500", "cortex-m7", 0, 0x20000000),
    Machine("mps2-an505", "cortex-m33", 0x10000000, 0x38000000),
    Machine("mps3-an547", "cortex-m55", 0, 0x20000000),
)

# load, store, mac, alu, branch, vector, other; see classes.h
BEFORE = (0, 1, 0, 0, 1, 0, 0)
STEP_0 = (0, 0, 0, 1 + LOOP, LOOP + 2, 0, 0)
STEP_2 = (0, 0, 0, 0, 2, 0, 2)
_STEP_1 = (2, 1, 1, 1, 0, 0, 0)
_BODIES = {
    "cortex-m0": ("", (0,) * 7),
    "cortex-m55": (_VECTOR_LOOP, (0, 0, 0, 3, 1 + 3, 6, 0)),
}
# Bytes read and written.
BEFORE_BYTES = (0, 8)
STEP_2_BYTES = (8, 0)
_PREPARE = {"cortex-m55": (_ENABLE_VECTORS, 5)}


def step_1(cpu: str) -> tuple[int, ...]:
    """What step 1 executes on a CPU."""
    _, extra = _BODIES.get(cpu, (_IT_BLOCK, (0, 0, 0, 2, 0, 0, 1)))
    return tuple(a + b for a, b in zip(_STEP_1, extra, strict=True))


def step_1_bytes(cpu: str) -> tuple[int, int]:
    """What step 1 reads, an address beside the code included, and writes; the last vector of its loop is cut short."""
    return 8 + (40 if cpu == "cortex-m55" else 0), 4


def program_instructions(cpu: str) -> int:
    """All instructions from reset to the exit call, that one included."""
    run = sum(BEFORE) + sum(STEP_0) + sum(step_1(cpu)) + sum(STEP_2)
    # Before the loop: r5, bl, step 0 (STEP_0 holds the bl after it). Each round: bl, r0, the idle loop, subs, bne.
    start = _PREPARE.get(cpu, ("", 0))[1] + 1 + sum(STEP_0)
    return start + RUNS * (run + 2 + 2 * IDLE_LOOP + 2) + 3


def build(machine: Machine, folder: Path) -> Path:
    """Assemble and link the image for a machine."""
    body, _ = _BODIES.get(machine.cpu, (_IT_BLOCK, ()))
    prepare, _ = _PREPARE.get(machine.cpu, ("", 0))
    source = folder / f"{machine.name}.s"
    source.write_text(_COMMON.replace("@body@", body).replace("@prepare@", prepare), encoding="ascii")
    image = folder / f"{machine.name}.elf"
    script = folder / f"{machine.name}.ld"
    script.write_text(
        f"SECTIONS {{ . = {machine.flash:#x}; .text : {{ *(.vectors) *(.text) }}\n"
        f". = {machine.ram:#x}; .bss (NOLOAD) : {{ *(.bss) }} }}\n",
        encoding="ascii",
    )
    command = ["arm-none-eabi-gcc", f"-mcpu={machine.cpu}", "-mthumb", "-nostdlib", "-x", "assembler", str(source)]
    subprocess.run([*command, "-Wl,-T," + str(script), "-o", str(image)], check=True, capture_output=True, timeout=60)
    return image
