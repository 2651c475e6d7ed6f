"""edgeq: float ONNX models become integer-only firmware with the same bits on every core."""

import sys
from importlib import import_module
from types import ModuleType

__version__ = "0.1.0"


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


# onnx_ir imports sympy for arithmetic on symbolic dimensions: 0.3 s of each command, for something that edgeq never
# asks of it, because every shape is static before anything is computed from it.
for _name in ("sympy", "onnx_ir._symbolic_shapes"):
    sys.modules.setdefault(_name, _Deferred(_name))
