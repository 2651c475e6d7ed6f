"""Words that the shell completes, and that a mistyped one is compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

from edgeq.errors import unknown_name

Words = Callable[[], Iterable[str]]


class Word(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.5
    """One of some words, listed only when the option is used; a mistyped one gets a guess.

    Args:
        what: what the word names, ``observer``.
        code: the error for another word.
        words: answers all words.
    """

    name = "word"

    def __init__(self, what: str, code: str, words: Words) -> None:
        self.what = what
        self.code = code
        self.words = words

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word.

        Raises:
            EdgeqError: the code of this kind of word, it is none of them.
        """
        del ctx
        known = sorted(self.words())
        if value in known:
            return value
        where = param.opts[0] if param is not None else None
        raise unknown_name(self.code, f"there is no {self.what} of that name", value, known, where=where)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The words that begin so."""
        return completing(self.words)(ctx, param, incomplete)


def completing(words: Words) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """A completion of one word."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        del ctx, param
        return [CompletionItem(word) for word in sorted(words()) if word.startswith(incomplete)]

    return complete


def completing_list(words: Words) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """A completion of a list with commas: of its last word, of those that are not in it yet."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        del ctx, param
        before, comma, last = incomplete.rpartition(",")
        given = set(before.split(","))
        rest = [word for word in sorted(words()) if word.startswith(last) and word not in given]
        return [CompletionItem(before + comma + word) for word in rest]

    return complete


def board_words() -> list[str]:
    """The names of all boards."""
    from edgeq.target import list_boards

    return list(list_boards())


def backend_words() -> list[str]:
    """The names of all backends."""
    from edgeq.backends.table import BACKENDS

    return [entry.name for entry in BACKENDS]


def code_words() -> list[str]:
    """All error codes."""
    from edgeq.errors_catalogue import CATALOGUE

    return list(CATALOGUE)


def runner_words() -> list[str]:
    """The names of the runners that execute images."""
    from edgeq.runners.table import RUNNERS

    return [entry.name for entry in RUNNERS]


def flasher_words() -> list[str]:
    """The names of the flashers."""
    from edgeq.runners.table import FLASHERS

    return [entry.name for entry in FLASHERS]


def executor_words() -> list[str]:
    """What ``--on`` takes: runners, the reference, and the float model."""
    return ["float", "reference", *runner_words()]
