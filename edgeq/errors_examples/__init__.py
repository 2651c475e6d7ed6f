"""For each error code an example that is wrong and one that is right; ``edgeq explain CODE`` prints both.

One file per class of codes, each a table sorted by code; a test keeps their union equal to the catalogue. The examples
are command lines, lines of Python or TOML, or a description of the model or computer where no line shows the cause.
"""

from __future__ import annotations

from typing import Final

from edgeq.errors_examples.device import DEVICE
from edgeq.errors_examples.example import Example
from edgeq.errors_examples.internal import INTERNAL
from edgeq.errors_examples.model import MODEL
from edgeq.errors_examples.operators import OPERATORS
from edgeq.errors_examples.tools import TOOLS
from edgeq.errors_examples.usage import USAGE

EXAMPLES: Final[dict[str, Example]] = USAGE | MODEL | OPERATORS | TOOLS | DEVICE | INTERNAL

__all__ = ["EXAMPLES", "Example"]
