"""EQ04xx and EQ05xx: what fits into a board, and the programs that build and check images."""

from __future__ import annotations

from typing import Final

from edgeq.errors_examples.example import Example

_APT = "apt-get install --no-install-recommends"
_ARM = f"{_APT} gcc-arm-none-eabi libnewlib-arm-none-eabi"
_HOST = f"{_APT} gcc libc6-dev"
_REPORTED = "the same model, after the defect was reported and mended"

TOOLS: Final[dict[str, Example]] = {
    "EQ0401": Example(
        "edgeq compile resnet8.onnx --data calib.npz --board microbit-v1 -o build/ic",
        "edgeq check resnet8.onnx --board all    (and a board that it fits)",
    ),
    "EQ0402": Example(
        "edgeq compile mobilenet.onnx --data calib.npz --board microbit-v1 -o build/vww",
        "edgeq check mobilenet.onnx --board all    (and a board that it fits)",
    ),
    "EQ0403": Example(
        "edgeq compile kws.onnx --data calib.npz --board microbit-v1 -o build/kws --code-bytes 100",
        "edgeq compile kws.onnx --data calib.npz --board microbit-v1 -o build/kws --code-bytes 4000",
    ),
    "EQ0404": Example(
        "edgeq compile kws.onnx --data calib.npz --board microbit-v1 -o build/kws --arena-bytes 100",
        "edgeq fit kws.onnx --data calib.npz --board microbit-v1    (and one of the arenas that it lists)",
    ),
    "EQ0501": Example("a computer without arm-none-eabi-gcc", _ARM),
    "EQ0502": Example("a computer without gcc or cc", _HOST),
    "EQ0503": Example("generated code that gcc refuses", _REPORTED),
    "EQ0504": Example("an image that does not link", _REPORTED),
    "EQ0505": Example("a toolchain without objcopy", f"{_APT} --reinstall binutils-arm-none-eabi"),
    "EQ0506": Example("generated code that calls itself", _REPORTED),
    "EQ0507": Example("an image with a floating-point instruction", _REPORTED),
    "EQ0508": Example("an image for Cortex-M0 with an instruction of Armv7-M", _REPORTED),
    "EQ0509": Example("generated code that calls malloc", _REPORTED),
    "EQ0510": Example("a compiler that hangs on a computer under load", "the same command when the computer is free"),
    "EQ0511": Example("an image whose compiler dropped a step", _REPORTED),
    "EQ0512": Example("a computer whose C compiler cannot link shared libraries", _HOST),
    "EQ0520": Example("a computer without qemu-system-arm", f"{_APT} qemu-system-arm"),
    "EQ0521": Example("edgeq profile on a computer without gcc", _HOST),
    "EQ0522": Example("a QEMU that is built without plugins", "QEMU 7.2, as Debian 12 has it"),
    "EQ0523": Example("edgeq flash build/kws --with gdb, without GDB", f"{_APT} gdb-multiarch"),
    "EQ0524": Example("edgeq flash build/kws --with pyocd, without pyOCD", "pip install pyocd"),
    "EQ0525": Example("edgeq flash build/kws --with openocd, without OpenOCD", f"{_APT} openocd"),
    "EQ0526": Example("edgeq flash build/kws on a computer without flashers", "pip install pyocd"),
    "EQ0527": Example("EDGEQ_GCC=yes edgeq compile ...", "EDGEQ_GCC=arm-none-eabi-gcc edgeq compile ..."),
    "EQ0528": Example("EDGEQ_GCC=true edgeq compile ...", "EDGEQ_GCC=arm-none-eabi-gcc edgeq compile ..."),
    "EQ0530": Example(
        "edgeq compile kws.onnx --backend tflite, without flatbuffers", "pip install tflite flatbuffers ai-edge-litert"
    ),
    "EQ0531": Example("a QEMU built with --disable-seccomp", f"{_APT} qemu-system-arm"),
}
