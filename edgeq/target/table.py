"""Reading a TOML file strictly: inheritance, typed keys, and an error with ``file:key`` for everything else.

A child's key replaces its parent's key whole, tables and lists included: what a file says is what holds, and nobody has
to know two files to understand one list. A schema library was decided against: the files have twenty keys between them,
and the errors must name the file that wrote the key, which may be a parent.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import cast

from edgeq.errors import EdgeqError, unknown_name
from edgeq.files import DAMAGE, MAX_TOML_BYTES, read_limited, reason_of
from edgeq.resources import data_root

_MAX_PARENTS = 8
_REQUIRED = object()


class Table:
    """The keys of one TOML table; every key must be taken before :meth:`finish`.

    Args:
        values: the keys and their values.
        origin: the file that wrote each key.
        prefix: the table's own name with a dot, for messages.
    """

    def __init__(self, values: Mapping[str, object], origin: Mapping[str, Path], prefix: str = "") -> None:
        self._values = dict(values)
        self._origin = origin
        self._prefix = prefix
        self._known: list[str] = []

    def where(self, key: str) -> str:
        """``file:key`` for messages."""
        path = self._origin.get(key) or next(iter(self._origin.values()), Path("?"))
        return f"{_short(path)}:{self._prefix}{key}"

    def fail(self, key: str, what: str, allowed: str | None = None) -> EdgeqError:
        """The error for a value that has the right type and is still wrong."""
        got = _shown(self._values[key]) if key in self._values else None
        return EdgeqError("EQ0182", what, where=self.where(key), got=got, allowed=allowed)

    def _take(self, key: str, default: object, check: Callable[[object], bool], kind: str) -> object:
        self._known.append(key)
        if key not in self._values:
            if default is _REQUIRED:
                raise EdgeqError("EQ0182", "a required key is missing", where=self.where(key), allowed=kind)
            return default
        value = self._values[key]
        if not check(value):
            raise self.fail(key, "the value has the wrong type", kind)
        return value

    def text(self, key: str, default: object = _REQUIRED) -> str:
        """A non-empty string."""
        return cast(str, self._take(key, default, lambda v: isinstance(v, str) and v != "", "a non-empty string"))

    def optional_text(self, key: str) -> str | None:
        """A non-empty string, or None when absent."""
        return cast("str | None", self._take(key, None, lambda v: isinstance(v, str) and v != "", "a non-empty string"))

    def one_of(self, key: str, allowed: Iterable[str]) -> str:
        """One of the given words."""
        words = sorted(allowed)
        value = self.text(key)
        if value not in words:
            raise unknown_name("EQ0182", "the value is not known", _shown(value), words, where=self.where(key))
        return value

    def number(self, key: str, default: object = _REQUIRED, *, low: int = 0, high: int = 0xFFFFFFFF) -> int:
        """An integer in [low, high]."""
        kind = f"an integer from {low:#x} to {high:#x}"
        return cast(int, self._take(key, default, lambda v: _is_int(v) and low <= cast(int, v) <= high, kind))

    def optional_number(self, key: str, *, low: int = 0) -> int | None:
        """An integer of 32 bits from ``low`` up, or None when absent."""
        if key not in self._values:
            self._known.append(key)
            return None
        return self.number(key, low=low)

    def flag(self, key: str, default: bool = False) -> bool:
        """A truth value."""
        return cast(bool, self._take(key, default, lambda v: isinstance(v, bool), "true or false"))

    def texts(self, key: str, default: object = _REQUIRED) -> tuple[str, ...]:
        """A list of non-empty strings."""

        def check(value: object) -> bool:
            return isinstance(value, list) and all(isinstance(item, str) and item for item in value)

        return tuple(cast("list[str]", self._take(key, default, check, "a list of non-empty strings")))

    def number_rows(self, key: str, width: int) -> tuple[tuple[int, ...], ...]:
        """A list of lists of `width` unsigned 32-bit integers; empty when absent."""

        def is_row(row: object) -> bool:
            return (
                isinstance(row, list)
                and len(row) == width
                and all(_is_int(item) and 0 <= item < 1 << 32 for item in row)
            )

        def check(value: object) -> bool:
            return isinstance(value, list) and all(is_row(row) for row in value)

        rows = self._take(key, [], check, f"a list of lists of {width} unsigned 32-bit integers")
        return tuple(tuple(row) for row in cast("list[list[int]]", rows))

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys, in the order of the file."""
        return tuple(self._values)

    def table(self, key: str) -> Table | None:
        """A sub-table, or None when absent."""
        value = self._take(key, None, lambda v: isinstance(v, dict), "a table")
        if value is None:
            return None
        path = self._origin[key]
        values = cast("dict[str, object]", value)
        return Table(values, dict.fromkeys([*values, ""], path), f"{self._prefix}{key}.")

    def finish(self) -> None:
        """Refuse every key that nobody took.

        Raises:
            EdgeqError: EQ0181, the key is unknown.
        """
        for key in self._values:
            if key not in self._known:
                raise unknown_name("EQ0181", "the key is unknown", key, sorted(self._known), where=self.where(key))


def read_table(path: Path, locate: Callable[[str], Path]) -> Table:
    """Read a TOML file and the files it inherits from.

    Args:
        path: the file.
        locate: from the name in ``inherits`` to that file.

    Raises:
        EdgeqError: EQ0180 the file cannot be read, EQ0183 a parent is missing or the chain of parents is a circle.
    """
    values: dict[str, object] = {}
    origin: dict[str, Path] = {}
    chain: list[Path] = []
    current: Path | None = path
    while current is not None:
        if current in chain or len(chain) >= _MAX_PARENTS:
            shown = " -> ".join(_short(item) for item in [*chain, current])
            raise EdgeqError("EQ0183", "the inheritance is a circle", where=f"{_short(chain[-1])}:inherits", got=shown)
        chain.append(current)
        own = _read(current)
        parent = own.pop("inherits", None)
        for key, value in own.items():
            if key not in values:
                values[key], origin[key] = value, current
        current = _parent(current, parent, locate)
    return Table(values, origin | {"": path})


def _parent(path: Path, name: object, locate: Callable[[str], Path]) -> Path | None:
    if name is None:
        return None
    where = f"{_short(path)}:inherits"
    if not isinstance(name, str):
        raise EdgeqError("EQ0182", "the value has the wrong type", where=where, got=_shown(name), allowed="a name")
    parent = locate(name)
    if not parent.is_file():
        raise EdgeqError("EQ0183", "the file that is inherited from does not exist", where=where, got=name)
    return parent


def _read(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(read_limited(path, MAX_TOML_BYTES).decode("utf-8"))
    except DAMAGE as problem:
        reason = reason_of(problem)
        raise EdgeqError("EQ0180", "the file cannot be read as TOML", where=_short(path), got=reason) from problem


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _shown(value: object) -> str:
    """A value as TOML spells it, or nearly so: text in double quotes, true and false."""
    return json.dumps(value, ensure_ascii=False, default=str)


def _short(path: Path) -> str:
    """A file of the user as the path that was given; one of edgeq's own by its name."""
    if not path.is_relative_to(data_root()):
        return str(path)
    return path.name if path.name != "board.toml" else f"{path.parent.name}/{path.name}"
