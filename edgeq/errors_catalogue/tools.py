"""EQ04xx and EQ05xx: what fits into a board, and the programs that build and check images."""

from __future__ import annotations

from typing import Final

_DEFECT = "This is a defect of edgeq, not of your model. Report it with the model or a cut-down one."

TOOLS: Final[dict[str, tuple[str, str]]] = {
    "EQ0401": (
        "Does not fit into RAM",
        (
            "The need is exact: arena, stack bound and harness. A smaller input, fewer channels in the layers at "
            "the peak, or another board helps."
        ),
    ),
    "EQ0402": ("Does not fit into flash", "Code, weights and harness are counted. Try --optimize size, or prune."),
    "EQ0403": (
        "The kernels take more code than their budget",
        "Every kernel needs one instance, and these take more than --code-bytes; nothing is left out.",
    ),
    "EQ0404": (
        "The arena cannot be made so small",
        "What layers read and give at once is more than --arena-bytes, also where they run in bands of rows.",
    ),
    "EQ0501": (
        "ARM compiler missing",
        (
            "For Cortex-M: apt-get install --no-install-recommends gcc-arm-none-eabi libnewlib-arm-none-eabi. For "
            "Linux on 64-bit Arm: gcc-aarch64-linux-gnu libc6-dev-arm64-cross."
        ),
    ),
    "EQ0502": ("Host compiler missing", "apt-get install --no-install-recommends gcc libc6-dev"),
    "EQ0503": ("Compilation failed", "The compiler refuses generated code. " + _DEFECT),
    "EQ0504": ("Linking failed", "The image does not link into the board's memory. " + _DEFECT),
    "EQ0505": ("A tool cannot be run", "`edgeq doctor` says what is missing and how to install it."),
    "EQ0506": ("The stack cannot be bounded", "Code with recursion or dynamic frames has no bound. " + _DEFECT),
    "EQ0507": ("Floating point in the image", "Integer-only is a promise that is checked. " + _DEFECT),
    "EQ0508": ("Instruction beyond Armv6-M", "Code for Cortex-M0 must run on Cortex-M0. " + _DEFECT),
    "EQ0509": ("Heap or printf in the model", "Generated code calls nothing of the C library. " + _DEFECT),
    "EQ0510": (
        "A tool did not finish",
        "It was stopped after its time limit. Try again when the computer is less busy.",
    ),
    "EQ0511": (
        "An image leaves out a step of the model",
        "Every step must be in the linked image and be called; a compiler that drops one is a wrong result prevented.",
    ),
    "EQ0512": (
        "TVM's module cannot be linked",
        "A C compiler links TVM's objects into the shared library for this computer; its own words are in the message.",
    ),
    "EQ0520": (
        "The emulator is missing",
        (
            "apt-get install --no-install-recommends qemu-system-arm; for programs of 64-bit Arm Linux qemu-user "
            "instead."
        ),
    ),
    "EQ0521": (
        "Host compiler missing",
        "The counting plugin is built once with it: apt-get install --no-install-recommends gcc libc6-dev",
    ),
    "EQ0522": (
        "Instructions cannot be counted",
        "The plugin needs QEMU 4.2 or newer. Everything else works without it.",
    ),
    "EQ0523": ("GDB missing", "apt-get install --no-install-recommends gdb-multiarch"),
    "EQ0524": ("pyOCD missing", "pip install 'pyocd>=0.36,<1' into the environment of edgeq."),
    "EQ0525": ("OpenOCD missing", "apt-get install --no-install-recommends openocd"),
    "EQ0526": ("No flasher available", "The message lists what each of the board's flashers lacks."),
    "EQ0527": ("A tool prints without end", "It was stopped. `edgeq doctor` shows which program is used."),
    "EQ0528": (
        "A tool made no file",
        "It ended as if it had succeeded. Is it the tool that its name says? `edgeq doctor` shows which one is used.",
    ),
    "EQ0530": (
        "An optional part is not installed",
        "Backends and runners that need large packages are optional. The message has the pip command for them.",
    ),
    "EQ0531": (
        "QEMU without a sandbox",
        (
            "An image in QEMU can ask for programs of this computer; QEMU's sandbox (seccomp, Linux) denies that, and "
            "edgeq runs no image without it. Distributions build QEMU with it."
        ),
    ),
}
