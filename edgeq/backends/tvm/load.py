"""Running a compiled module from Python: numpy and TVM's runtime, nothing else of edgeq.

The file may be copied out of edgeq and used on its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tvm
from tvm import relax

Array = npt.NDArray[Any]


class Module:
    """A shared library that ``edgeq compile --backend tvm`` made.

    Attributes:
        function: ``main`` of model.so, ``steps`` of model_debug.so.
        inputs: the number of arrays that :meth:`run` takes.
    """

    def __init__(self, path: str | Path, function: str = "main") -> None:
        """Load a library.

        Raises:
            ValueError: it has no such function.
        """
        library = tvm.runtime.load_module(str(path))
        self._machine = relax.VirtualMachine(library, tvm.cpu())
        self.function = function
        try:
            self._call = self._machine[function]
            self.inputs = int(self._machine.module["get_function_arity"](function))
        except (AttributeError, KeyError, ValueError, RuntimeError) as error:
            raise ValueError(f"{path} has no function {function}") from error

    def run(self, *arrays: Array) -> list[Array]:
        """Run once.

        Args:
            arrays: one integer array an input, of the model's shapes and types; NHWC.

        Returns:
            One array a result, each a copy of its own.

        Raises:
            ValueError: the number of arrays is wrong.
        """
        if len(arrays) != self.inputs:
            raise ValueError(f"{self.function} takes {self.inputs} arrays, not {len(arrays)}")
        given = [tvm.runtime.tensor(np.asarray(array, order="C")) for array in arrays]
        return [np.array(result.numpy()) for result in self._call(*given)]
