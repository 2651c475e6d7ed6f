"""EQ06xx: boards, emulators, and what runs compiled models."""

from __future__ import annotations

from typing import Final

_DEFECT = "This is a defect of edgeq, not of your model. Report it with the model or a cut-down one."

DEVICE: Final[dict[str, tuple[str, str]]] = {
    "EQ0601": ("No probe found", "Check the cable, the board's power, and the permissions of the USB device (udev)."),
    "EQ0602": ("The image faulted", "The message names the fault, the function and the sample. " + _DEFECT),
    "EQ0603": (
        "Time is up",
        "The image or tool did not finish within its limit. Run fewer samples, or free the computer.",
    ),
    "EQ0604": ("Wrong answer of the image", "The harness and this edgeq differ: compile the model again."),
    "EQ0605": ("The program failed, here or in QEMU", "It did not start or crashed. " + _DEFECT),
    "EQ0606": ("QEMU gave up", "The message has QEMU's own words."),
    "EQ0607": ("Image damaged", "Compile the model again."),
    "EQ0608": ("The board holds something else", "What was read back is not what was written. Flash again."),
    "EQ0609": ("Flashing failed", "The message has the tool's own words."),
    "EQ0610": ("The drive is not mounted", "Plug the board in, wait until its drive appears, or pass --drive PATH."),
    "EQ0611": ("Not the board's drive", "The folder lacks the file by which such boards are known, or is read-only."),
    "EQ0612": ("The board has no such flasher", "`edgeq boards --json` lists each board's flashers."),
    "EQ0613": ("No GDB server", "Start one (QEMU with -gdb, OpenOCD, pyocd gdbserver) or pass --server HOST:PORT."),
    "EQ0621": (
        "TVM does not load the module",
        "A module belongs to one version of TVM and one kind of computer: compile the folder again here.",
    ),
    "EQ0622": ("The TVM module is not of this model", "Compile the folder again."),
    "EQ0623": ("A run of the TVM module failed", "TVM's own words are in the message."),
    "EQ0626": (
        "The interpreter does not accept the TFLite file",
        "The file was changed, or the installed LiteRT is too old for it.",
    ),
    "EQ0627": (
        "The TFLite file is not of this model",
        "A tensor is missing, or has another type or shape: compile the folder again.",
    ),
    "EQ0628": ("A TFLite run failed", "LiteRT's own words are in the message."),
    "EQ0629": (
        "The image answers without end",
        "More bytes came than its outputs have, or it printed megabytes. The image does not belong to this model.",
    ),
    "EQ0630": (
        "An image tried to run a program of this computer",
        "QEMU's sandbox stopped it. No image that edgeq builds does this; do not trust the folder it comes from.",
    ),
}
