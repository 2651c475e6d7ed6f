"""Runner ``native``: the model as an executable of this computer."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from edgeq.runners.base import RunRequest, RunResult, missing_image
from edgeq.runners.hosted import run_hosted
from edgeq.writing import scratch_folder

_START_UP_SECONDS: Final = 30.0
# A tenth of what the plainest kernels reach under both sanitizers on a slow computer.
_MACS_PER_SECOND: Final = 1e6


class NativeRunner:
    """Pipes the harness's protocol through files; counts no instructions and measures no stack."""

    def run(self, request: RunRequest) -> RunResult:
        """Run all samples in one start of the executable.

        Raises:
            EdgeqError: EQ0161 there is no executable, EQ0603 it takes too long, EQ0605 it failed, EQ0604 it answers
                something else than this model's tensors.
        """
        # This computer's instructions say nothing about a Cortex-M: without counting, outputs may need no second run.
        request = replace(request, count=False)
        executable = request.spec.image
        if executable is None or not executable.is_file():
            raise missing_image(
                "executable for this computer",
                executable or request.spec.name,
                "compile again where a C compiler is installed: apt-get install --no-install-recommends gcc libc6-dev",
            )
        limit = request.limit_seconds(_START_UP_SECONDS, _MACS_PER_SECOND)
        with scratch_folder("native") as folder:
            return run_hosted(request, [executable.resolve()], folder, "the native executable", limit)


RUNNER: Final = NativeRunner()
