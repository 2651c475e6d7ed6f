"""The file of kernels by node that ``edgeq tune`` writes and ``--kernels`` reads: JSON, no dates, no figures."""

from __future__ import annotations

import glob
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from edgeq.errors import EdgeqError
from edgeq.files import DAMAGE, read_json, reason_of
from edgeq.json_shape import check_shape, mapping_of

SCHEMA: Final = "edgeq/kernels/1"


def kernels_text(target: str, kernels: Mapping[str, str]) -> str:
    """The contents of a file.

    Args:
        target: the processor's name, for readers.
        kernels: candidate by node name, in the order of the steps.
    """
    return json.dumps({"schema": SCHEMA, "target": target, "kernels": dict(kernels)}, indent=1) + "\n"


def read_kernels(path: Path) -> tuple[tuple[str, str], ...]:
    """Nodes, as patterns that match one name alone, and their kernels.

    Raises:
        EdgeqError: EQ0157 it cannot be read or is another file.
    """
    try:
        document = _document(path)
    except DAMAGE as error:
        raise EdgeqError(
            "EQ0157",
            "the file of kernels cannot be read",
            where=f"--kernels {path}",
            got=reason_of(error),
            allowed="a file that `edgeq tune` wrote",
        ) from error
    return tuple((glob.escape(node), kernel) for node, kernel in document["kernels"].items())


def wrote_kernels(path: Path) -> bool:
    """Whether a file is one of kernels; those that were edited are, too, since they hold nothing else."""
    try:
        _document(path)
    except DAMAGE:
        return False
    return True


def _document(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = read_json(path)
    check_shape(document, {"schema": SCHEMA.__eq__, "target": str, "kernels": mapping_of(str)})
    return document
