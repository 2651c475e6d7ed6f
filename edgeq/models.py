"""What :mod:`edgeq.api` returns: compiled and quantized models, with what can be done with them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, wraps
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any, ParamSpec, TypeAlias, TypeVar, cast

from edgeq import budget
from edgeq.arguments import data_source, model_source
from edgeq.writing import disk_problem

if TYPE_CHECKING:
    import numpy.typing as npt
    import onnx

    from edgeq.analysis.emulate import EmulateResult
    from edgeq.analysis.evaluate import EvalResult
    from edgeq.analysis.profile import ProfileResult
    from edgeq.analysis.stream import StreamResult
    from edgeq.analysis.verify import VerifyResult
    from edgeq.data import DataReport
    from edgeq.errors import Problem
    from edgeq.folder import Compiled
    from edgeq.job import CompileResult, Progress, QuantizeResult
    from edgeq.manifest import Manifest
    from edgeq.quant import Report

    Model: TypeAlias = str | os.PathLike[str] | bytes | onnx.ModelProto
    Named: TypeAlias = Mapping[str, npt.ArrayLike]
    States: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]]
    Kernels: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]]
    Data: TypeAlias = str | os.PathLike[str] | npt.ArrayLike | Named | Iterable[npt.ArrayLike | Named]

_F = TypeVar("_F", bound=Callable[..., Any])
_P = ParamSpec("_P")
_R = TypeVar("_R")


def limited(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Give a call a budget of its own where there is none, and a full disk its error code."""

    @wraps(function)
    def inside(*arguments: _P.args, **named: _P.kwargs) -> _R:
        try:
            with budget.ensured():
                return function(*arguments, **named)
        except OSError as error:
            problem = disk_problem(error)
            if problem is None:
                raise
            raise problem from error

    return inside


def taking(choices: type) -> Callable[[_F], _F]:
    """:func:`limited`, and a signature that spells out the keywords of a TypedDict; Python refuses all others."""
    keywords = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=..., annotation=kind.__forward_arg__)
        for name, kind in choices.__annotations__.items()
    ]

    def spelled(function: _F) -> _F:
        given = signature(function)
        own = [parameter for parameter in given.parameters.values() if parameter.kind is not Parameter.VAR_KEYWORD]
        shown = given.replace(parameters=[*own, *keywords])

        @limited
        @wraps(function)
        def inside(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - the function's
            shown.bind(*arguments, **named)
            return function(*arguments, **named)

        inside.__signature__ = shown  # type: ignore[attr-defined]  # what help() and inspect read
        return cast(_F, inside)

    return spelled


def names_of(names: str | Sequence[str]) -> tuple[str, ...]:
    """The names of runners or backends; one may be given alone."""
    return (names,) if isinstance(names, str) else tuple(names)


def progress_of(progress: Progress | None) -> Progress:
    """Where progress is told: nowhere, if nobody asks for it."""
    from edgeq.job import silent

    return progress if progress is not None else silent


class CompiledModel:
    """A compiled model: a folder, and what can be done with it.

    Attributes:
        folder: where it is; a temporary folder of :func:`edgeq.compile` lives as long as this object.
        result: what :func:`edgeq.compile` found; None from :func:`edgeq.load`.
    """

    def __init__(self, compiled: Compiled, result: CompileResult | None = None) -> None:
        self.folder = compiled.path
        self.result = result
        self._compiled = compiled

    def __repr__(self) -> str:
        return f"CompiledModel({self.manifest.name!r} for {self.manifest.board!r} in {str(self.folder)!r})"

    @property
    def manifest(self) -> Manifest:
        """What the folder holds: inputs and outputs, and for each backend the steps, bytes of RAM and flash."""
        return self._compiled.manifest

    @property
    def notes(self) -> tuple[Problem, ...]:
        """Notes and warnings of :func:`edgeq.compile`."""
        return self.result.notes if self.result is not None else ()

    @property
    def data(self) -> DataReport | None:
        """What :func:`edgeq.compile` was given as data; None without."""
        return self.result.data if self.result is not None else None

    @property
    def quantization(self) -> Report | None:
        """What the quantizer chose; None where a quantized model was compiled, and from :func:`edgeq.load`."""
        return self.result.quantization if self.result is not None else None

    @limited
    def verify(
        self,
        on: str | Sequence[str] = (),
        data: Data | None = None,
        *,
        samples: int = 20,
        progress: Progress | None = None,
    ) -> VerifyResult:
        """Compare every step's output with the reference, bit for bit.

        Args:
            on: runners: ``native``, ``qemu``, ``tflite``, ``tvm``, ``tvm-qemu``; by default all that the folder holds
                an image for.
            data: inputs; without them extremes and random integers.
            samples: how many inputs.
            progress: see :mod:`edgeq.api`.

        Raises:
            EdgeqError: EQ0108 no sample, EQ011x the data does not fit, EQ0160 to EQ0163 there is no image or nothing to
                compare, EQ0170 an unknown runner, EQ052x and EQ0530 a tool is missing, EQ060x and EQ062x an image
                fails. Different bits are no error: see ``ok``.
        """
        from edgeq.analysis.verify import verify_folder

        given = data_source(data) if data is not None else None
        return verify_folder(self._compiled, names_of(on), samples, given, progress_of(progress))

    @limited
    def eval(
        self,
        data: Data,
        on: str | Sequence[str] = (),
        *,
        metric: str | None = None,
        samples: int | None = None,
        float_model: Model | None = None,
        accept_data: bool = False,
        reduce: str | None = None,
        progress: Progress | None = None,
    ) -> EvalResult:
        """Measure accuracy on labelled data, beside the float model's.

        Args:
            data: inputs with what the metric needs: ``y`` for ``top1``.
            on: ``reference``, which is the default, ``float``, or runners as of :meth:`verify`.
            metric: ``top1``, ``auc``, ``reconstruction_auc``, ``agreement`` or ``mse``; by default what the data's
                names call for.
            samples: the first so many; None: all.
            float_model: to compare with, where a quantized model was compiled.
            accept_data: severe doubts about the data are warnings.
            reduce: what the time steps of a sequence become: ``max``, ``mean`` or ``last``; by default ``max`` for
                ``auc``, ``last`` for ``top1`` and ``agreement``, while the other metrics compare every time step.
            progress: see :mod:`edgeq.api`.

        Raises:
            EdgeqError: EQ0109 metric and data do not fit, EQ0130 to EQ0133 severe doubts about the data, EQ0166 another
                float model; else as :meth:`verify`.
        """
        from edgeq.analysis.evaluate import evaluate_folder

        return evaluate_folder(
            self._compiled,
            data_source(data),
            names_of(on),
            metric,
            samples,
            progress_of(progress),
            accept_data,
            model_source(float_model) if float_model is not None else None,
            reduce,
        )

    @limited
    def profile(
        self, on: str = "qemu", data: Data | None = None, *, samples: int = 20, progress: Progress | None = None
    ) -> ProfileResult:
        """Count the instructions of each layer on the board's emulator. Instructions are not cycles.

        Args:
            on: ``qemu`` or ``tvm-qemu``.
            data: inputs; without them extremes and random integers.
            samples: how many inputs, for the spread.
            progress: see :mod:`edgeq.api`.

        Raises:
            EdgeqError: as :meth:`verify`.
        """
        from edgeq.analysis.profile import profile_folder

        given = data_source(data) if data is not None else None
        return profile_folder(self._compiled, samples, given, on, progress_of(progress))

    @limited
    def emulate(
        self,
        inputs: Data | None = None,
        on: str | None = None,
        *,
        samples: int | None = None,
        progress: Progress | None = None,
    ) -> EmulateResult:
        """Run the image.

        Args:
            inputs: without them the extremes of the model's input.
            on: a runner as of :meth:`verify`; by default the emulator where the board has one.
            samples: the first so many; None: all, or one without inputs.
            progress: see :mod:`edgeq.api`.

        Returns:
            ``outputs``: for each sample, or time step of a model with states, a dict of arrays by the output's name,
            real numbers shaped as in ONNX; the integers, instructions, and bytes of RAM and stack.

        Raises:
            EdgeqError: as :meth:`verify`.
        """
        from edgeq.analysis.emulate import emulate_folder

        given = data_source(inputs) if inputs is not None else None
        return emulate_folder(self._compiled, given, samples, on, progress_of(progress))


class _WrittenModel:
    """A model that edgeq made, with what was found on the way."""

    def __init__(self, result: QuantizeResult | StreamResult) -> None:
        self._written = result

    @cached_property
    def content(self) -> bytes:
        """The model as an ``.onnx`` file holds it."""
        from edgeq.onnxio import model_bytes

        return model_bytes(self._written.model)

    @property
    def model(self) -> onnx.ModelProto:
        """The model; each time another object."""
        from edgeq.onnxio import model_proto

        return model_proto(self._written.model)

    @property
    def notes(self) -> tuple[Problem, ...]:
        """Notes and warnings."""
        return self._written.notes


class QuantizedModel(_WrittenModel):
    """A quantized model, as plain ONNX with QuantizeLinear and DequantizeLinear.

    Attributes:
        result: what the quantizer found.
    """

    def __init__(self, result: QuantizeResult) -> None:
        super().__init__(result)
        self.result = result

    @property
    def report(self) -> Report:
        """What the quantizer chose, and on what grounds."""
        return self.result.report

    @property
    def data(self) -> DataReport:
        """What the calibration data holds."""
        return self.result.data


class StreamedModel(_WrittenModel):
    """The step form of a model, as plain ONNX with its states as inputs and outputs.

    Attributes:
        result: what a step needs beside the whole window.
    """

    def __init__(self, result: StreamResult) -> None:
        super().__init__(result)
        self.result = result
