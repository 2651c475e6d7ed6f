"""JSON documents: one a command on stdout, each with the name and number of its schema.

The schemas are files of this package, ``schemas/COMMAND.json``.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from typing import Any

from edgeq.notes import current

SCHEMA_NUMBER = 1


def print_document(command: str, content: Mapping[str, Any]) -> None:
    """Print a command's document; NaN and infinity, which JSON does not have, are null.

    Every document has ``schema``, ``ok`` (true unless the content says otherwise) and ``notes``: those of the content
    and those gathered while the command ran. The text is ASCII, so that it is valid whatever the encoding of stdout.
    """
    notes = [*content.get("notes", ()), *(note.to_json() for note in current())]
    document = {"schema": f"edgeq/{command}/{SCHEMA_NUMBER}", "ok": True, **content, "notes": notes}
    sys.stdout.write(json.dumps(_clean(document), indent=1, allow_nan=False) + "\n")


def _clean(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(item) for item in value]
    return value
