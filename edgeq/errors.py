"""The one error shape of edgeq.

Every problem a user can meet has a code in :data:`edgeq.errors_catalogue.CATALOGUE`, and says what, where, got, allowed
and what to do next. The class of the code (its first two digits) fixes the exit code of the command line. Many problems
travel together in one :class:`EdgeqError`, so that a check reports all of them at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Final, Literal, TypedDict, Unpack

EXIT_OK: Final = 0
EXIT_GATE: Final = 1
EXIT_USAGE: Final = 2
EXIT_MODEL: Final = 3
EXIT_FIT: Final = 4
EXIT_TOOL: Final = 5
EXIT_DEVICE: Final = 6
EXIT_INTERNAL: Final = 70
# Ended by a signal: 128 and its number, as shells count.
EXIT_HUNG_UP: Final = 129
EXIT_INTERRUPTED: Final = 130
EXIT_TERMINATED: Final = 143

_EXIT_OF_CLASS: Final = {
    "01": EXIT_USAGE,
    "02": EXIT_MODEL,
    "03": EXIT_MODEL,
    "04": EXIT_FIT,
    "05": EXIT_TOOL,
    "06": EXIT_DEVICE,
    "09": EXIT_INTERNAL,
}


Severity = Literal["error", "warning", "note"]


class Facts(TypedDict, total=False):
    """What a problem says besides its code and sentence, see :class:`Problem`; what is not text becomes text."""

    where: str | None
    got: object
    allowed: object
    hint: str | None


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, or that the user should know.

    Attributes:
        code: a key of the catalogue, ``EQ0301``.
        what: one sentence, without a full stop.
        where: the file, node, tensor, key or option it is about.
        got: what was found.
        allowed: what would have been accepted.
        hint: what to do next.
        severity: an error stops the command; warnings and notes travel with its result (see :mod:`edgeq.notes`).
    """

    code: str
    what: str
    where: str | None = None
    got: str | None = None
    allowed: str | None = None
    hint: str | None = None
    severity: Severity = "error"

    @classmethod
    def of(cls, code: str, what: str, severity: Severity = "error", **facts: Unpack[Facts]) -> Problem:
        """A problem from facts of any type."""
        got, allowed = facts.get("got"), facts.get("allowed")
        return cls(
            code,
            what,
            facts.get("where"),
            None if got is None else str(got),
            None if allowed is None else str(allowed),
            facts.get("hint"),
            severity,
        )

    def __str__(self) -> str:
        prefix = "" if self.severity == "error" else f"{self.severity}: "
        lines = [f"{prefix}{self.code}: {self.what}"]
        for label in ("where", "got", "allowed", "hint"):
            value = getattr(self, label)
            if value:
                lines.append(f"  {label + ':':9}{value}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, str | None]:
        """The fields by name, for ``--json``."""
        return asdict(self)


class EdgeqError(Exception):
    """One or more problems that stop the command; the only exception that users meet."""

    def __init__(self, code: str, what: str, **facts: Unpack[Facts]) -> None:
        problem = Problem.of(code, what, **facts)
        self.problems: tuple[Problem, ...] = (problem,)
        super().__init__(str(problem))

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> EdgeqError:
        """Bundle several problems; the first decides the exit code.

        Raises:
            ValueError: there is no problem to bundle.
        """
        found = tuple(problems)
        if not found:
            raise ValueError("no problem to report")
        first = found[0]
        error = cls(first.code, first.what)
        error.problems = found
        error.args = ("\n".join(str(problem) for problem in found),)
        return error

    @property
    def exit_code(self) -> int:
        """The exit code of the class of the first problem."""
        return exit_code_of(self.problems[0].code)


def exit_code_of(code: str) -> int:
    """The command line's exit code for an error code such as ``EQ0312``."""
    return _EXIT_OF_CLASS.get(code[2:4], EXIT_INTERNAL)


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """A hint for a misspelt name, or None when none of the known ones is near."""
    import difflib

    near = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]}?" if near else None


def unknown_name(
    code: str, what: str, got: str, known: Iterable[str], *, where: str | None = None, hint: str | None = None
) -> EdgeqError:
    """The error for a name that is none of the known ones; its hint names the nearest unless one is given."""
    names = list(known)
    return EdgeqError(code, what, where=where, got=got, allowed=", ".join(names), hint=hint or did_you_mean(got, names))
