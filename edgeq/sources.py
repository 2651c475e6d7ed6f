"""What is compiled, and the data that goes with it: a file, or its contents in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np

from edgeq.files import open_regular
from edgeq.numerics.array import Array

ModelSource: TypeAlias = Path | bytes
"""An ONNX file, or what one holds."""
DataSource: TypeAlias = Path | Mapping[str, Array]
"""A ``.npz`` file, or the arrays that one holds, by name."""


def path_of(source: ModelSource | DataSource | None) -> Path | None:
    """The file; None for contents in memory, and where there is no source."""
    return source if isinstance(source, Path) else None


def shown(source: ModelSource | DataSource) -> str:
    """The source in a message."""
    if isinstance(source, Path):
        return str(source)
    return "the model" if isinstance(source, bytes) else "the data"


def sha256_of(source: ModelSource | DataSource) -> str:
    """SHA-256 of a file, of a model's bytes, or of arrays with their names, types and shapes, in hexadecimal digits."""
    if isinstance(source, Path):
        with open_regular(source) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    total = hashlib.sha256()
    for name, array in sorted(source.items()):
        total.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()
