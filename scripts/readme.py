"""Write the generated table of README.md anew: what is between the OPS marks is `edgeq ops --markdown`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Replace the table in place."""
    command = [sys.executable, "-m", "edgeq.cli.main", "ops", "--markdown"]
    table = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    path = ROOT / "README.md"
    text = path.read_text(encoding="utf-8")
    marked = f"<!-- OPS -->\n{table}<!-- /OPS -->"
    path.write_text(
        re.sub(r"<!-- OPS -->\n.*?<!-- /OPS -->", lambda _: marked, text, flags=re.DOTALL), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
