"""The program's entry: ``edgeq``, and ``python -m edgeq`` also where its script is not on the path."""

from __future__ import annotations

from edgeq import signals


def main() -> None:
    """Run the command line; Ctrl-C while it is still being loaded ends without a word."""
    signals.quiet()
    from edgeq.cli.main import main as command_line

    command_line()


if __name__ == "__main__":
    main()
