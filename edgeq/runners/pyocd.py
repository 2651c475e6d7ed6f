"""Flasher ``pyocd``: pyOCD with the board's target name.

It runs as a program of its own: importing it takes two seconds, and its session must not outlive a failure.
"""

from __future__ import annotations

from typing import Final

from edgeq.errors import EdgeqError
from edgeq.extras import install_command
from edgeq.process import Tool
from edgeq.runners.base import FlashPlan, FlashRequest, FlashResult
from edgeq.runners.probe import flash_by_probe, image_file, not_for_board

PYOCD: Final = Tool("pyocd", "EQ0524", "to flash with it", install_command("flash"), of_python=True)
_NO_PROBE: Final = ("No connected debug probes", "No available debug probes", "No target device available")
_NO_TARGET: Final = "not recognized"


class PyocdFlasher:
    """Loads the HEX image. pyOCD does not read back what it wrote, so nothing is claimed to be verified."""

    name = "pyocd"

    def available(self, request: FlashRequest) -> str | None:
        """None when pyOCD is installed and the board names its target."""
        return PYOCD.reason() if request.board.flash_with.pyocd else "the board file names no pyOCD target"

    def plan(self, request: FlashRequest) -> FlashPlan:
        """See :class:`edgeq.runners.base.Flasher`."""
        target = request.board.flash_with.pyocd
        if not target:
            raise not_for_board(self.name, request.board)
        image = image_file(request, "hex")
        # --no-wait: without a probe, say so at once.
        program = PYOCD.find() or PYOCD.program
        return FlashPlan((program, "load", "--no-wait", "--target", target, "--format", "hex", str(image)), image)

    def flash(self, request: FlashRequest) -> FlashResult:
        """See :class:`edgeq.runners.base.Flasher`."""
        plan = self.plan(request)
        try:
            flash_by_probe(self.name, PYOCD, plan, request, _NO_PROBE)
        except EdgeqError as problem:
            if _NO_TARGET in str(problem.problems[0].got):
                target = request.board.flash_with.pyocd
                raise EdgeqError(
                    "EQ0609",
                    "pyOCD does not know the board's chip",
                    where=request.board.name,
                    got=target,
                    hint=f"pyocd pack install {target}",
                ) from problem
            raise
        return FlashResult(self.name, plan.command, plan.image, detail="written and reset; pyOCD does not read back")


FLASHER: Final = PyocdFlasher()
