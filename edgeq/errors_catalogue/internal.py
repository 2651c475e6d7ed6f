"""EQ09xx: defects of edgeq. No input of the user is wrong; the right example is what to do."""

from __future__ import annotations

from typing import Final

_DEFECT = "This is a defect of edgeq, not of your model. Report it with the model or a cut-down one."

INTERNAL: Final[dict[str, tuple[str, str]]] = {
    "EQ0900": ("Internal error", _DEFECT),
    "EQ0901": ("The integer graph is not valid", _DEFECT),
    "EQ0902": ("The reference contradicts the graph", _DEFECT),
    "EQ0903": ("An operator got what it does not accept", _DEFECT),
    "EQ0904": ("The reference got wrong inputs", _DEFECT),
    "EQ0905": ("The memory plan is not valid", _DEFECT),
    "EQ0906": ("A TFLite file would not have the graph's bits", _DEFECT),
    "EQ0907": ("A kernel gives other bits than the reference", _DEFECT),
}
