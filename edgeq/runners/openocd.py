"""Flasher ``openocd``: OpenOCD with the board's configuration files; writes, reads back, resets."""

from __future__ import annotations

from typing import Final

from edgeq.errors import EdgeqError
from edgeq.process import Tool
from edgeq.runners.base import FlashPlan, FlashRequest, FlashResult
from edgeq.runners.probe import flash_by_probe, image_file, not_for_board

OPENOCD: Final = Tool("openocd", "EQ0525", "to flash with it", "apt-get install --no-install-recommends openocd")
# What OpenOCD 0.12 prints for CMSIS-DAP, ST-Link and FTDI adapters that are not there.
_NO_PROBE: Final = ("unable to find a matching", "Error: open failed", "Error: no device found", "unable to open ftdi")
_VERIFIED: Final = "** Verified OK **"


class OpenocdFlasher:
    """Loads the ELF: it carries its addresses, whatever the family."""

    name = "openocd"

    def available(self, request: FlashRequest) -> str | None:
        """None when OpenOCD is installed and the board names its configuration."""
        return OPENOCD.reason() if request.board.flash_with.openocd else "the board file names no configuration"

    def plan(self, request: FlashRequest) -> FlashPlan:
        """See :class:`edgeq.runners.base.Flasher`."""
        configuration = request.board.flash_with.openocd
        if not configuration:
            raise not_for_board(self.name, request.board)
        image = image_file(request, "elf")
        files = [part for name in configuration for part in ("-f", name)]
        # Braces are Tcl's quotes: a path with spaces stays one word.
        script = f"program {{{image}}} verify reset exit"
        return FlashPlan((OPENOCD.find() or OPENOCD.program, *files, "-c", script), image)

    def flash(self, request: FlashRequest) -> FlashResult:
        """See :class:`edgeq.runners.base.Flasher`."""
        plan = self.plan(request)
        if set("{}\\") & set(str(plan.image)):
            raise EdgeqError(
                "EQ0609", "OpenOCD cannot take this path", where=str(plan.image), allowed="a path without { } and \\"
            )
        done = flash_by_probe(self.name, OPENOCD, plan, request, _NO_PROBE, failed="** OpenOCD init failed **")
        if _VERIFIED not in done.text:
            raise EdgeqError("EQ0608", "OpenOCD did not confirm the contents", where=str(plan.image), got=done.tail)
        return FlashResult(self.name, plan.command, plan.image, verified=True, detail="written, verified and reset")


FLASHER: Final = OpenocdFlasher()
