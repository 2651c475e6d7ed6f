"""Which steps run on loops that are written for their core, and which fall to the portable ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

from edgeq.backends.c.bind import Step
from edgeq.backends.c.chain import Chain
from edgeq.backends.c.runtime import Isa, runtime_headers
from edgeq.errors import EdgeqError, Problem
from edgeq.resources import runtime_dir

PORTABLE: Final = "generic"
_FINISHING: Final = frozenset({"eq_high.h", "eq_requantize.h", "eq_requantize_tflite.h"})
"""What is done once a result; a kernel is written for a core when its inner loop is."""
SHARE: Final = 0.01
"""Of a model's multiply-accumulates: steps below it do not matter."""


@cache
def is_optimized(kernel: str, isa: Isa) -> bool:
    """Whether the loops of a kernel have a form for the instruction sets, of which the portable C is the last.

    Args:
        kernel: the C function.
        isa: folders of ``runtime_c/arch`` in search order.
    """
    own = [runtime_dir() / "arch" / name for name in isa if name != PORTABLE]
    headers = runtime_headers([kernel], isa).keys() - _FINISHING
    return any((folder / header).is_file() for folder in own for header in headers)


def check_optimized(steps: Sequence[Step | Chain], isa: Isa, target: str) -> None:
    """Refuse a program that does much of its work in portable loops.

    Args:
        steps: the bound nodes.
        isa: as of :func:`is_optimized`.
        target: the processor's name, for the message.

    Raises:
        EdgeqError: EQ0382, every step with a hundredth or more of the multiply-accumulates whose kernel is portable.
    """
    single = [each for step in steps for each in ((step,) if isinstance(step, Step) else step.singles)]
    whole = sum(step.macs for step in single)
    heavy = [step for step in single if step.macs and step.macs >= SHARE * whole]
    problems = [
        Problem(
            "EQ0382",
            f"{step.node.op} has no kernel for {target}, only the portable one",
            where=f"node {', '.join(step.node.source) or step.node.name}",
            got="; ".join(
                [
                    f"{step.kernel}, {100 * step.macs / whole:.0f} % of the multiply-accumulates",
                    *(f"not {kernel}: {why}" for kernel, why in step.refused.items()),
                ]
            ),
            hint="change the layer so that another kernel takes it, choose another core, or leave out the option",
        )
        for step in heavy
        if not is_optimized(step.kernel, isa)
    ]
    if problems:
        raise EdgeqError.of(problems)
