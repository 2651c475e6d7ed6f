"""What the steps of the quantizer hand on to each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from edgeq.errors import EdgeqError, unknown_name
from edgeq.numerics import DEFAULT_MODE
from edgeq.numerics.scaling import INT16_MODES, MODES, Mode
from edgeq.onnxio.qdq_form import QdqPlan
from edgeq.quant.observers import OBSERVERS
from edgeq.quant.statistics import Histogram, Wanted

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.ir import QuantizedConstant
    from edgeq.onnxio.samples import Samples
    from edgeq.quant.calibration import Calibration
    from edgeq.quant.execution import Execution
    from edgeq.quant.properties import Property
    from edgeq.quant.ranges import Ranges
    from edgeq.quant.saved import SavedCalibration
    from edgeq.quant.specification import Specification
    from edgeq.quant.step import Step

AUTO: Final = "auto"
BIAS_CORRECTION: Final = (AUTO, "off", "on")

SCHEMES: Final[Mapping[str, tuple[str, ...]]] = {"w8a8": (), "w8a16": ("*",)}
"""By scheme, bits of weights and activations, the patterns of the tensors that are int16."""

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class QuantizeOptions:
    """What the user may choose.

    Attributes:
        observer: a name in ``observers.OBSERVERS``, or ``auto``.
        mode: the arithmetic, ``edgeq.numerics.scaling``; decides which operators share scales.
        bias_correction: ``on``, ``off``, or ``auto``: where it helps on calibration data.
        scheme: a key of :data:`SCHEMES`.
        int16: patterns of further tensors that are int16, see ``specification.specify``.
    """

    observer: str = AUTO
    mode: Mode = DEFAULT_MODE
    bias_correction: str = AUTO
    scheme: str = "w8a8"
    int16: tuple[str, ...] = ()

    @property
    def patterns(self) -> tuple[str, ...]:
        """What is int16, by scheme and by name."""
        return (*SCHEMES[self.scheme], *self.int16)

    def check(self) -> None:
        """Refuse words that mean nothing, and what the arithmetic lacks.

        Raises:
            EdgeqError: EQ0107; EQ0364 the arithmetic has no int16.
        """
        for what, flag, got, allowed in (
            ("observer", "--observer", self.observer, (AUTO, *OBSERVERS)),
            ("bias correction", "--bias-correction", self.bias_correction, BIAS_CORRECTION),
            ("mode", "--requantize", self.mode, MODES),
            ("scheme", "--scheme", self.scheme, tuple(SCHEMES)),
        ):
            if got not in allowed:
                raise unknown_name("EQ0107", f"there is no such {what}", got, allowed, where=flag)
        if self.patterns and self.mode not in INT16_MODES:
            raise EdgeqError(
                "EQ0364",
                "this arithmetic has no int16 activations",
                where="--requantize",
                got=self.mode,
                allowed=", ".join(INT16_MODES),
                hint=f"leave out --requantize {self.mode}, or --scheme and --int16",
            )


@dataclass(frozen=True)
class Choice:
    """Which method was chosen, and on what grounds.

    Attributes:
        observer: the observer of the method.
        bias_correction: whether it corrects biases.
        method: its name, ``mse+bias``.
        ratios_db: by method, the signal-to-noise ratio of the outputs in dB, see :class:`Objective`.
    """

    observer: str
    bias_correction: bool
    method: str
    ratios_db: Mapping[str, float]


@dataclass(eq=False, repr=False)
class State:
    """One quantization on its way. What no step has made yet is absent: reading it raises AttributeError.

    Attributes:
        source: the normalized float model, which is not changed.
        model: a copy, which steps may rewrite.
        options: the user's choices.
        given: integers that are decided already (a partly quantized import); they are kept.
        steps: the list that is run.
        progress: called with what is being done and its share done.
        copies: the name of each requantized copy of a value → the value's name.
        specification: what to quantize and what shares a scale.
        calibration: statistics of the values on the calibration data.
        held_out: the fold that the statistics in effect leave out, or None: they are of all samples.
        execution: runs the float model and quantized ones on calibration samples.
        ranges: the range of every group of values that share a scale.
        plan: the integers.
        choice: how the plan came about.
        layer_ratios_db: signal-to-noise ratio of every layer by itself in dB, by node name.
        result: the QDQ model.
        saved: a calibration to continue from, or None.
        save: receives the contents of a file to save, or None.
        restored: properties that came with the saved calibration; steps that ensure them are not run.
        weights: by node name, quantized weights of earlier plans, which are used again where their scales are the
            same; all forks share it.
    """

    source: onnx_ir.Model
    options: QuantizeOptions
    steps: tuple[Step, ...]
    samples: Samples | None = None
    given: QdqPlan = field(default_factory=QdqPlan)
    progress: Progress = lambda what, done: None
    saved: SavedCalibration | None = None
    save: Callable[[bytes], None] | None = None
    held_out: int | None = None
    restored: frozenset[Property] = frozenset()
    weights: dict[str, QuantizedConstant] = field(default_factory=dict)
    model: onnx_ir.Model = field(init=False)
    copies: dict[str, str] = field(init=False)
    specification: Specification = field(init=False)
    calibration: Calibration = field(init=False)
    execution: Execution = field(init=False)
    ranges: Ranges = field(init=False)
    plan: QdqPlan = field(init=False)
    choice: Choice = field(init=False)
    layer_ratios_db: dict[str, float] = field(init=False)
    result: onnx_ir.Model = field(init=False)

    def __post_init__(self) -> None:
        """Copy the model: steps rewrite the copy."""
        self.model = self.source.clone()

    def fork(self, held_out: int | None) -> State:
        """A state that goes its own way from here, on statistics without one fold; everything so far is shared."""
        result = copy(self)
        result.held_out = held_out
        result.restored = frozenset()
        return result

    def wanted(self) -> list[Wanted]:
        """The statistics that any step of the list reads."""
        return list(dict.fromkeys(wanted for step in self.steps for wanted in step.wants(self)))

    def histogram_of(self, name: str) -> Wanted:
        """The histogram of a quantized value; a copy has that of its value."""
        return Wanted(self.copies.get(name, name), Histogram)

    def histogram(self, name: str) -> Histogram:
        """What calibration saw of a quantized value, without the fold that is held out."""
        found = self.calibration.without(self.held_out, self.histogram_of(name))
        assert isinstance(found, Histogram)  # Wanted names the type
        return found
