"""Modules that are loaded on first use: a command loads what it uses and no more."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType


class _Package(ModuleType):
    """A package that looks its exported names up on first use."""

    _module_of: Mapping[str, str]

    def __getattr__(self, name: str) -> object:
        module = self._module_of.get(name) if not name.startswith("_") else None
        if module is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{self.__name__}.{module}"), name)
        setattr(self, name, value)
        return value

    def __setattr__(self, name: str, value: object) -> None:
        """As usual, but a module does not hide the exported function of the same name: `frontend.normalize`."""
        if not (isinstance(value, ModuleType) and name in self._module_of):
            super().__setattr__(name, value)


def export(package: str, module_of: Mapping[str, str]) -> None:
    """Make a package look names up on first use.

    Args:
        package: its ``__name__``.
        module_of: by exported name, the module of the package that defines it.
    """
    module = sys.modules[package]
    vars(module)["_module_of"] = module_of
    module.__class__ = _Package


class _Deferred(ModuleType):
    """Stands for a module until an attribute is asked of it.

    ``importlib.util.LazyLoader`` does not do: in Python 3.11 the import statement itself reads an attribute.
    """

    def __getattr__(self, attribute: str) -> object:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        real = import_module(self.__name__)
        self.__dict__.update(vars(real))
        return getattr(real, attribute)


def defer(*names: str) -> None:
    """Let imports of modules that are not loaded yet give a stand-in, which loads the module on first use.

    It changes what every import in this process gives, so it is for programs of edgeq's own, not for a library.
    """
    for name in names:
        sys.modules.setdefault(name, _Deferred(name))
