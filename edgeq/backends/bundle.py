"""A bundle: the compiler's product as inert files with one digest. Running tools on it is another step."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Bundle:
    """Relative path → contents."""

    files: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        """SHA-256 over the sorted paths and contents."""
        total = hashlib.sha256()
        for path, content in sorted(self.files.items()):
            total.update(f"{path}\0{len(content)}\0".encode())
            total.update(content)
        return total.hexdigest()

    def write(self, folder: Path) -> None:
        """Write every file below a folder, which need not exist."""
        for path, content in self.files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
