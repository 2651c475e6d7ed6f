"""Doubts that the samples raise by themselves: constant, repeated, blank or outlying values, keys and labels."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Final

import numpy as np

from edgeq.data.facts import InputFacts
from edgeq.errors import Problem
from edgeq.onnxio.samples import Samples

_BLANK: Final = 0.1
_REPEATED: Final = 2  # distinct samples below 1/2 of all
ACCEPT: Final = "or pass --accept-data to use it as it is"


def place_of(key: str) -> str:
    """How a doubt names an array."""
    return f"data key {key}"


def two_keys(samples: Samples) -> list[Problem]:
    """Both ``x`` and the input's name are there."""
    return [
        Problem(
            "EQ0133",
            "two arrays of the data file could be the model's input",
            where=f"input {name}",
            got=f"{samples.keys[name]} and {rival}, both of its shape",
            allowed="one of them",
            hint=f"leave one out of the file; {ACCEPT} ({samples.keys[name]} is taken)",
        )
        for name, rival in samples.rivals.items()
    ]


def constant_data(facts: Mapping[str, InputFacts]) -> list[Problem]:
    """Inputs that never change. One of several may be meant so (a state that starts at zero)."""
    flat = [found for found in facts.values() if found.low == found.high]
    severe = len(flat) == len(facts)
    return [
        Problem(
            "EQ0130",
            "every value of the data is zero" if found.low == 0 else "every value of the data is the same",
            where=place_of(found.key),
            got=f"{found.low:.6g} in all of {found.samples} samples",
            allowed="typical inputs",
            hint="look at how the file was written" + (f"; {ACCEPT}" if severe else ""),
            severity="error" if severe else "warning",
        )
        for found in flat
    ]


def repeated_samples(facts: Mapping[str, InputFacts]) -> list[Problem]:
    """Fewer than half of the samples are different."""
    # Inputs belong together: a sample repeats only where all of them do, of which the most varied one is the bound.
    varied = max(facts.values(), key=lambda found: found.distinct, default=None)
    if varied is None or varied.low == varied.high or varied.distinct * _REPEATED > varied.samples:
        return []
    if varied.samples == 1:
        return []
    got = "all of them are the same" if varied.distinct == 1 else f"{varied.distinct} different ones"
    return [
        Problem(
            "EQ0136",
            "samples are repeated: they say no more than the different ones among them",
            where=place_of(varied.key),
            got=f"{got}, of {varied.samples} samples",
            hint="give different typical inputs",
            severity="warning",
        )
    ]


def blank_samples(facts: Mapping[str, InputFacts]) -> list[Problem]:
    """Many samples are one value throughout."""
    return [
        Problem(
            "EQ0142",
            "samples are blank: one value throughout",
            where=place_of(found.key),
            got=f"{found.blank} of {found.samples} samples",
            hint="leave them out, unless the device sees such inputs as often",
            severity="warning",
        )
        for found in facts.values()
        if found.low != found.high and found.blank > _BLANK * found.samples
    ]


def unused_scale(samples: Samples) -> list[Problem]:
    """A scale that the file states and that does not count."""
    return [
        Problem(
            "EQ0141",
            f"{key}_scale and {key}_offset do not count: they are for integers that stand for real numbers",
            where=place_of(key),
            got=f"{key} of type {next(samples.stored[name].dtype for name, own in samples.keys.items() if own == key)}",
            hint=f"store the integers, or scale {key} itself and leave {key}_scale out",
            severity="warning",
        )
        for key in sorted(samples.unscaled)
    ]


def outlying_values(facts: Mapping[str, InputFacts]) -> list[Problem]:
    """Single values, or one that stands for something missing, far outside the rest."""
    problems = []
    for found in facts.values():
        out = found.outliers
        if out is None or not found.real:
            continue
        always = out.repeated == out.count
        times = f"{out.count} times" if out.count > 1 else "once"
        which = f"{out.value:.7g}" if always else f"{out.count} values such as {out.value:.7g}"
        problems.append(
            Problem(
                "EQ0137",
                "a value lies far outside the rest"
                + (": it may stand for something that is missing" if always and out.count > 1 else ""),
                where=f"{place_of(found.key)}, first in sample {out.first}",
                got=f"{which}{f' {times}' if always else ''}, in {out.samples} of {found.samples} samples "
                f"({out.samples / found.samples:.1%})",
                allowed=f"{out.low:.6g} to {out.high:.6g}, as the rest",
                hint="such values cost the others resolution: remove them where the device will not see them",
                severity="warning",
            )
        )
    return problems


def wrong_labels(samples: Samples, classes: int | None) -> list[Problem]:
    """Labels that are none of the model's classes; None says that it has none."""
    header = samples.extra_headers.get("y")
    if classes is None or header is None or "group" in samples.extra or prod(header.shape) != len(samples):
        return []
    labels = samples.extra["y"] if header.dtype.kind in "biuf" else np.zeros(0)
    if (labels != np.rint(labels)).any():
        return []  # of another task; a metric that counts classes refuses them
    wrong = (labels < 0) | (labels >= classes)
    if not wrong.any():
        return []
    flat = wrong.reshape(-1)
    return [
        Problem(
            "EQ0132",
            "labels are no classes of the model",
            where="data key y",
            got=f"{labels.min():g} to {labels.max():g}; {int(flat.sum())} of {labels.size} do not fit, "
            f"the first in sample {int(flat.argmax())}",
            allowed=f"whole numbers from 0 to {classes - 1}",
            hint=f"number the classes as the model's output does, from 0; {ACCEPT}",
        )
    ]
