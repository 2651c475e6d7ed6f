"""EQ09xx: defects of edgeq. No input of the user is wrong; the right example is what to do."""

from __future__ import annotations

from typing import Final

from edgeq.errors_examples.example import Example

_REPORT = "report it with the model, the command and the output of --debug"

INTERNAL: Final[dict[str, Example]] = {
    "EQ0900": Example("any command that ends in an exception nobody expected", _REPORT),
    "EQ0901": Example("a pass that leaves a tensor without its producer", _REPORT),
    "EQ0902": Example("the reference computes another shape than the integer graph states", _REPORT),
    "EQ0903": Example("lowering makes a convolution with a scale of the wrong length", _REPORT),
    "EQ0904": Example("the reference is given an int16 array for an int8 input", _REPORT),
    "EQ0905": Example("a plan in which two live tensors share bytes", _REPORT),
    "EQ0906": Example("a TFLite file whose scales give other multipliers than the graph's", _REPORT),
    "EQ0907": Example("a kernel whose last tile of channels is wrong", _REPORT),
}
