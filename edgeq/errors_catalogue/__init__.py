"""Every error code of edgeq, with what it means and what helps: the text behind ``edgeq explain``.

The message of an error says what happened where; an entry here explains the rule behind it. One file per class of
codes, each a table sorted by code; a test keeps their union equal to the codes that the sources use.
"""

from __future__ import annotations

from typing import Final

from edgeq.errors_catalogue.device import DEVICE
from edgeq.errors_catalogue.internal import INTERNAL
from edgeq.errors_catalogue.model import MODEL
from edgeq.errors_catalogue.operators import OPERATORS
from edgeq.errors_catalogue.tools import TOOLS
from edgeq.errors_catalogue.usage import USAGE

CATALOGUE: Final[dict[str, tuple[str, str]]] = USAGE | MODEL | OPERATORS | TOOLS | DEVICE | INTERNAL

__all__ = ["CATALOGUE"]
