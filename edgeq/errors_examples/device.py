"""EQ06xx: boards, emulators, and what runs compiled models."""

from __future__ import annotations

from typing import Final

from edgeq.errors_examples.example import Example

_AGAIN = "edgeq compile kws.qdq.onnx --board microbit-v2 -o build/kws"

DEVICE: Final[dict[str, Example]] = {
    "EQ0601": Example(
        "edgeq flash build/kws with the board unplugged", "the same with a USB cable that has data lines"
    ),
    "EQ0602": Example("an image for another board run on this machine", f"{_AGAIN} && edgeq emulate build/kws"),
    "EQ0603": Example(
        "edgeq eval build/kws --data eval.npz --on qemu", "edgeq eval build/kws --data eval.npz --on qemu --samples 100"
    ),
    "EQ0604": Example("build/kws/emulated.elf, replaced by another program", _AGAIN),
    "EQ0605": Example("build/kws/native without permission to execute", "chmod +x build/kws/native"),
    "EQ0606": Example("a QEMU that does not know the machine microbit", "apt-get install qemu-system-arm"),
    "EQ0607": Example("build/kws/emulated.elf, cut off", _AGAIN),
    "EQ0608": Example("an image linked for other flash addresses", _AGAIN),
    "EQ0609": Example("a target that pyOCD lacks", "pyocd pack install nrf52833"),
    "EQ0610": Example(
        "edgeq flash build/kws --with drive, drive not mounted",
        "edgeq flash build/kws --with drive --drive /media/me/MICROBIT",
    ),
    "EQ0611": Example(
        "edgeq flash build/kws --with drive --drive /tmp",
        "edgeq flash build/kws --with drive --drive /media/me/MICROBIT",
    ),
    "EQ0612": Example(
        "edgeq flash build/kws --with drive    (the board is an STM32VLDISCOVERY)",
        "edgeq flash build/kws --with openocd",
    ),
    "EQ0613": Example(
        "edgeq flash build/kws --with gdb",
        "openocd -f board.cfg & edgeq flash build/kws --with gdb --server localhost:3333",
    ),
    "EQ0621": Example("a folder with TVM's module copied from another computer", f"{_AGAIN} --backend c,tvm"),
    "EQ0622": Example("build/kws/tvm/model.so of another model", f"{_AGAIN} --backend c,tvm"),
    "EQ0623": Example("build/kws/tvm/model.so, damaged", f"{_AGAIN} --backend c,tvm"),
    "EQ0626": Example("build/kws/tflite/model.tflite, cut off", f"{_AGAIN} --backend c,tflite"),
    "EQ0627": Example("build/kws/tflite/model.tflite of another model", f"{_AGAIN} --backend c,tflite"),
    "EQ0628": Example("build/kws/tflite/model.tflite, edited", f"{_AGAIN} --backend c,tflite"),
    "EQ0629": Example("an image that answers 3 GB where its outputs have 10 bytes", _AGAIN),
    "EQ0630": Example("an image that calls SYS_SYSTEM by semihosting", _AGAIN),
}
