"""What the TVM backend cannot lower, with the reason; importable without TVM."""

from __future__ import annotations

from typing import Final

UNSUPPORTED: Final[dict[str, str]] = dict.fromkeys(("gru", "lstm", "rnn"), "recurrent layers have C kernels only")
