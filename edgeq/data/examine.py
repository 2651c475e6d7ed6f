"""The doubts: what is wrong with a data file for a model, each with a code, a cause and a remedy.

Severe doubts stop a command unless the user accepts the data: with them the result would be wrong whatever follows. The
other ones are warnings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edgeq.data.doubts import (
    ACCEPT,
    blank_samples,
    constant_data,
    outlying_values,
    place_of,
    repeated_samples,
    two_keys,
    unused_scale,
    wrong_labels,
)
from edgeq.data.expectation import Drift, Evidence, Expectation, gather_evidence
from edgeq.data.facts import InputFacts, facts_of
from edgeq.errors import EdgeqError, Problem, Severity
from edgeq.onnxio.limits import shown
from edgeq.onnxio.samples import Samples

if TYPE_CHECKING:
    import onnx_ir

    from edgeq.data.ranges import Range

# A factor of 16 is halfway, in logarithms, between data that fits and bytes that should have been divided by 255.
_BYTES_FACTOR: Final = 16.0
# At BatchNormalizations, data of the kind that a model was trained on had 0.44 to 1.35 times the deviation of training,
# and means up to 0.63 deviations off; inverted, standardized or random images 2.5 to 9 times, or 0.8 and more off.
_LARGE_RATIO: Final = 2.5
_SMALL_RATIO: Final = 0.3
_FAR_SHIFT: Final = 0.75
# Deviation over bias, where no BatchNormalization is left. Ten public models with their own data have 0.1 to 60 in the
# first layer and a median of 0.5 to 45 over all; with data 255 times as large 30 to 16 000, and 25 to 10 000.
_BYTES_FIRST: Final = 43.0
_BYTES_LAYERS: Final = 15.0
_LARGE_FIRST: Final = 20.0
_LARGE_LAYERS: Final = 60.0
_SMALL_FIRST: Final = 0.05
# The smallest spread of outputs over a model's own data was 0.08; over data 255 times too small 0.0003 to 0.033.
_SPREAD: Final = 0.04
_ALWAYS: Final = 0.95
_FEWEST: Final = 8  # fewer different samples say nothing about a spread
_BYTE: Final = 255
_WIDE: Final = 64  # integers that span less are no pixels
# Of an evaluation: shares of the samples' values outside of what calibration saw, and how small they may be against it.
_OUTSIDE: Final = 0.05
_NARROW: Final = 1 / 32


@dataclass(frozen=True)
class DataReport:
    """A data file as a model sees it.

    Attributes:
        samples: their number.
        inputs: by model input, what its array holds.
        ignored_keys: arrays of the file that are no model input.
        problems: every doubt that did not stop the command.
    """

    samples: int
    inputs: dict[str, InputFacts]
    ignored_keys: tuple[str, ...]
    problems: tuple[Problem, ...]

    def to_json(self) -> dict[str, Any]:
        """``data`` of a document or of the manifest; no paths."""
        return {
            "samples": self.samples,
            "inputs": {name: facts.to_json() for name, facts in self.inputs.items()},
            "ignored_keys": list(self.ignored_keys),
            "problems": [problem.to_json() for problem in self.problems],
        }

    def lines(self) -> list[str]:
        """A line for each input, and one for the keys that were not used."""
        found = [f"{name}: {facts}" for name, facts in self.inputs.items()]
        return [*found, f"keys not used: {', '.join(self.ignored_keys)}"] if self.ignored_keys else found


def examine_calibration(
    samples: Samples, model: onnx_ir.Model, expected: Expectation, *, accept: bool = False
) -> DataReport:
    """Describe calibration data and doubt it.

    Args:
        samples: the data.
        model: the normalized float model that it will calibrate.
        expected: what the model said before it was normalized.
        accept: severe doubts become warnings.

    Raises:
        EdgeqError: EQ0130 to EQ0133, the severe doubts, all at once and with the warnings behind them.
    """
    facts = facts_of(samples)
    problems = [*two_keys(samples), *constant_data(facts), *wrong_labels(samples, _classes(model))]
    problems += [*unused_scale(samples), *repeated_samples(facts), *blank_samples(facts), *outlying_values(facts)]
    if not any(problem.code == "EQ0130" for problem in problems):
        evidence = gather_evidence(model, samples, expected)
        problems += _scale(samples, facts, evidence)
        if evidence is not None and max(found.distinct for found in facts.values()) >= _FEWEST:
            problems += _outputs(evidence)
    return _report(samples, facts, problems, accept=accept)


def examine_inputs(
    samples: Samples,
    ranges: Mapping[str, Range],
    classes: int | None = None,
    *,
    strict: bool = False,
    accept: bool = False,
) -> DataReport:
    """Describe inputs for a model that is quantized already, and doubt them.

    Args:
        samples: the data.
        ranges: by input, what its integers represent: what calibration saw.
        classes: how many classes the model tells apart, where its output is one number per class.
        strict: the data will be judged (an evaluation), not only run: severe doubts stop the command.
        accept: severe doubts become warnings.

    Raises:
        EdgeqError: EQ0133 always; EQ0130 to EQ0132 where ``strict``.
    """
    facts = facts_of(samples)
    problems = [*two_keys(samples)]
    judged = [*constant_data(facts), *wrong_labels(samples, classes), *_outside(samples, facts, ranges)]
    problems += judged if strict else [_softened(problem) for problem in judged]
    return _report(samples, facts, [*problems, *unused_scale(samples), *outlying_values(facts)], accept=accept)


def _report(samples: Samples, facts: dict[str, InputFacts], problems: Sequence[Problem], *, accept: bool) -> DataReport:
    found = [_softened(problem) for problem in problems] if accept else list(problems)
    severe = [problem for problem in found if problem.severity == "error"]
    if severe:
        raise EdgeqError.of([*severe, *(problem for problem in found if problem.severity != "error")])
    return DataReport(len(samples), facts, tuple(samples.extra), tuple(found))


def _softened(problem: Problem) -> Problem:
    if problem.severity != "error":
        return problem
    hint = problem.hint.replace(f"; {ACCEPT}", "") if problem.hint else None
    return replace(problem, severity="warning", hint=hint)


def _classes(model: onnx_ir.Model) -> int | None:
    """The number of classes, where the only output is one vector of at least two numbers."""
    if len(model.graph.outputs) != 1:
        return None
    shape = model.graph.outputs[0].shape
    dims = [int(str(dim)) for dim in shape] if shape is not None else []
    return dims[-1] if dims and int(np.prod(dims)) == dims[-1] >= 2 else None


def _like_bytes(samples: Samples, found: InputFacts) -> bool:
    """Whether values for a float input look like pixels: 0 to 255, or integers from −128, and the file has no scale."""
    if not found.real or found.key in samples.scaled or found.high - found.low < _WIDE:
        return False
    signed = found.integers == 1 and found.low >= -_BYTE // 2 - 1 and found.high <= _BYTE // 2
    return signed or (found.low >= 0 and found.high <= _BYTE)


def _scale(samples: Samples, facts: Mapping[str, InputFacts], evidence: Evidence | None) -> list[Problem]:
    """Data of another scale than the model's own, by BatchNormalization where there is one, else by the biases."""
    pixels = [found for found in facts.values() if _like_bytes(samples, found)]
    if evidence is None or (not evidence.drifts and evidence.first_layer is None):
        return [_unscaled(found, "the model cannot tell", "warning") for found in pixels if found.integers == 1]
    first, biases = evidence.first_layer or 0.0, evidence.layers or 0.0
    by_biases = f"the first layer's sums vary {first:.3g} times as much as its biases are large"
    if evidence.drifts:
        ratio = evidence.drifts[0].ratio
        doubted, reason = (
            ratio > _BYTES_FACTOR,
            f"deviation {ratio:.3g} times that of training at {_at(evidence.drifts[0])}",
        )
    else:
        doubted, reason = first > _BYTES_FIRST and biases > _BYTES_LAYERS, by_biases
    if pixels and doubted:
        return [_unscaled(found, reason, "error") for found in pixels]
    if evidence.drifts:
        drift = _worst(evidence.drifts)
        return [] if drift is None else [_unlike(facts, _told(drift))]
    if (first > _LARGE_FIRST and biases > _LARGE_LAYERS) or first < _SMALL_FIRST:
        return [_unlike(facts, by_biases)]
    return []


def _worst(drifts: Sequence[Drift]) -> Drift | None:
    """The first BatchNormalization where the data is far from training's, or None."""
    for drift in drifts:
        if not _SMALL_RATIO <= drift.ratio <= _LARGE_RATIO or drift.shift > _FAR_SHIFT:
            return drift
    return None


def _told(drift: Drift) -> str:
    return (
        f"deviation {drift.ratio:.3g} times that of training, means {drift.shift:.3g} deviations off, at {_at(drift)}"
    )


def _at(drift: Drift) -> str:
    return f"the BatchNormalization of {shown(drift.tensor)}"


def _unlike(facts: Mapping[str, InputFacts], reason: str) -> Problem:
    first = next(iter(facts.values()))
    return Problem(
        "EQ0135",
        "the data is unlike what the model was trained on",
        where=place_of(first.key),
        got=f"{first.low:.4g} to {first.high:.4g}: {reason}",
        hint="prepare the samples as in training: scale, offset, order",
        severity="warning",
    )


def _unscaled(found: InputFacts, reason: str, severity: Severity) -> Problem:
    key, values = found.key, "integers" if found.integers == 1 else "values"
    severe = severity == "error"
    otherwise = ACCEPT if severe else f"{key}_scale=1 says that they are meant"
    return Problem(
        "EQ0131",
        f"{values} from {found.low:.4g} to {found.high:.4g} without {key}_scale"
        + (", and the model expects others" if severe else " are taken as they are"),
        where=place_of(key),
        got=reason,
        allowed=f"samples as in training, or integers with {key}_scale and {key}_offset",
        hint=f"for a model trained on 0 to 1: numpy.savez(path, {key}={key}, {key}_scale=1 / 255); {otherwise}",
        severity=severity,
    )


def _outputs(evidence: Evidence) -> list[Problem]:
    if evidence.certain >= _ALWAYS and evidence.classes == 1:
        what, got = "the float model gives one class with certainty 1", "on all samples that were tried"
    elif evidence.spread < _SPREAD:
        what = "the float model's outputs hardly depend on the sample"
        got = f"they vary by {evidence.spread:.2%} of the largest"
    else:
        return []
    return [
        Problem(
            "EQ0139",
            what,
            where="model outputs",
            got=f"{got} ({evidence.samples})",
            hint="compare the samples with the model's preprocessing: scale, layout, order",
            severity="warning",
        )
    ]


def _outside(samples: Samples, facts: Mapping[str, InputFacts], ranges: Mapping[str, Range]) -> list[Problem]:
    problems = []
    for name, found in facts.items():
        known = ranges.get(name)
        if known is None or found.low == found.high:
            continue
        width = known.high - known.low
        outside = known.share_outside(samples, name)
        if outside > _OUTSIDE and _like_bytes(samples, found) and found.high > _BYTES_FACTOR * known.high:
            problems.append(
                _unscaled(found, f"{outside:.0%} lie outside of {known.low:.4g} to {known.high:.4g}", "error")
            )
        elif outside > _OUTSIDE or (found.samples >= _FEWEST and found.high - found.low < _NARROW * width):
            got = f"{outside:.0%} of the values outside" if outside > _OUTSIDE else "a small part of that range"
            problems.append(
                Problem(
                    "EQ0140",
                    "the data is unlike what the model was calibrated on",
                    where=place_of(found.key),
                    got=f"{found.low:.4g} to {found.high:.4g}: {got}",
                    allowed=f"{known.low:.4g} to {known.high:.4g}",
                    hint="scale the samples as the calibration data, or calibrate on such data",
                    severity="warning",
                )
            )
    return problems
