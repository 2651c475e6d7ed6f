"""The one way to start another program: no shell, its own process group, limits of time and output, no orphans.

Whatever ends edgeq ends its children. An exception, or a signal of :mod:`edgeq.signals`, kills their process groups.
SIGKILL leaves edgeq no time for that; see :mod:`edgeq.guard`.
"""

from __future__ import annotations

import contextlib
import os
import resource
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from edgeq import signals
from edgeq.errors import EdgeqError
from edgeq.guard import GUARDS, MARK
from edgeq.writing import scratch_folder

_TAIL_LINES: Final = 12
TALK_BYTES: Final = 16 << 20
"""The most that a program may print where its text is kept in memory."""
FILE_BYTES: Final = 4 << 30
"""The largest file that a program may write."""
_CHUNK_BYTES: Final = 1 << 16
_TICK_SECONDS: Final = 0.1
# A program that has ended, but whose pipes a process of its own still holds open, is read this long.
_LINGER_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Tool:
    """A program that may be missing.

    Attributes:
        program: its name on the search path.
        code: the error when it is missing.
        purpose: what it is needed for, "to run an image".
        install: the command that installs it.
        other_names: names that do as well.
        of_python: it may also stand beside this Python, in an environment that is not activated.
    """

    program: str
    code: str
    purpose: str
    install: str
    other_names: tuple[str, ...] = ()
    of_python: bool = False

    def find(self) -> str | None:
        """The program's path, or None."""
        for name in (self.program, *self.other_names):
            found = shutil.which(name)
            if found is None and self.of_python:
                found = shutil.which(name, path=str(Path(sys.executable).parent))
            if found is not None:
                return found
        return None

    def reason(self) -> str | None:
        """None when the program is here, else why it cannot be used."""
        return None if self.find() else f"{self.program} is not installed ({self.install})"

    def need(self) -> str:
        """The program's path.

        Raises:
            EdgeqError: the tool's own code, it is missing.
        """
        found = self.find()
        if found is None:
            raise EdgeqError(
                self.code,
                f"{self.program} is needed {self.purpose} and is not installed",
                got="not found in PATH",
                hint=self.install,
            )
        return found


class Stopped(Exception):  # noqa: N818 - not the program's error: edgeq killed it
    """A program was killed because it exceeded a limit.

    Attributes:
        reason: what it did: "it did not end within 60 s".
        time: the limit was that of time, else that of output.
        text: what it had printed.
    """

    def __init__(self, reason: str, *, time: bool, text: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.time = time
        self.text = text


@dataclass(frozen=True)
class Finished:
    """A program that ended by itself.

    Attributes:
        code: its exit code; negative: the signal that ended it.
        text: what it printed; standard error is part of it unless it was kept apart.
        errors: its standard error, where that was kept apart.
    """

    code: int
    text: str
    errors: str = ""

    @property
    def tail(self) -> str:
        """The last lines that it printed."""
        return "\n".join(self.text.strip().splitlines()[-_TAIL_LINES:])


def run_program(
    command: Sequence[str | Path],
    *,
    timeout_seconds: float,
    cwd: Path | None = None,
    stdin: Path | None = None,
    stdout: Path | None = None,
    apart: bool = False,
    talk_bytes: int = TALK_BYTES,
    file_bytes: int = FILE_BYTES,
    watched: Path | None = None,
) -> Finished:
    """Run a program to its end. It speaks English (``LC_ALL``) and has a temporary folder of its own (``TMPDIR``).

    Args:
        command: the program's path and its arguments.
        timeout_seconds: after this it is killed.
        cwd: its working folder; None: an empty temporary one.
        stdin: a file that it reads; None: nothing.
        stdout: a file that its standard output goes to; None: kept.
        apart: keep standard error apart from standard output.
        talk_bytes: the most that it may print; a file of `stdout` does not count.
        file_bytes: the largest file that it may write, `stdout` included: beyond it gets SIGXFSZ. Kept by Linux only,
            and from a moment after the start on: a limit set before would hold for edgeq's own files as well.
        watched: a file that it writes; once that has `file_bytes`, it is killed, for some programs (QEMU) block the
            signal and go on.

    Raises:
        Stopped: it was killed at a limit of time or of output.
        OSError: it does not start.
        KeyboardInterrupt: a signal has arrived that ends edgeq.
    """
    with scratch_folder("run") as own, contextlib.ExitStack() as stack:
        source = stack.enter_context((stdin or Path(os.devnull)).open("rb"))
        sink = subprocess.PIPE if stdout is None else stack.enter_context(stdout.open("wb"))
        merged = stdout is None and not apart
        child = stack.enter_context(
            started(
                command,
                cwd=cwd or own,
                environment={"TMPDIR": str(own)},
                stdin=source,
                stdout=sink,
                stderr=subprocess.STDOUT if merged else subprocess.PIPE,
                file_bytes=file_bytes,
            )
        )
        pipes = [pipe for pipe in (child.stdout, child.stderr) if pipe is not None]
        talk = _collect(child, pipes, _Limits(timeout_seconds, talk_bytes, file_bytes, watched))
        code = _ended(child)
        texts = [data.decode("utf-8", errors="replace") for data in talk]
    return Finished(code, *texts)


@contextmanager
def started(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
    stderr: int | IO[bytes] = subprocess.STDOUT,
    environment: Mapping[str, str] | None = None,
    file_bytes: int = FILE_BYTES,
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs beside the block; its process group is killed after it.

    Args:
        command: the program's path and its arguments.
        cwd: its working folder.
        stdin: as for subprocess.
        stdout: likewise.
        stderr: likewise.
        environment: variables besides edgeq's own.
        file_bytes: the largest file that it may write.

    Raises:
        OSError: it does not start.
        KeyboardInterrupt: a signal has arrived that ends edgeq.
    """
    signals.check()
    variables = {**os.environ, "LC_ALL": "C.UTF-8", MARK: GUARDS.mark(), **(environment or {})}
    child: subprocess.Popen[bytes] | None = None
    try:
        with signals.shield():
            child = subprocess.Popen(
                [str(part) for part in command],
                cwd=cwd,
                env=variables,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                process_group=0,
            )
            _RUNNING.add(child)
        if hasattr(resource, "prlimit"):
            with contextlib.suppress(OSError):  # it has ended already
                resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
        # A signal that arrived between the first check and the entry in the list has not killed this child.
        signals.check()
        yield child
    finally:
        if child is not None:
            _end(child)


def cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def worker_pool(workers: int | None = None) -> Iterator[ThreadPoolExecutor]:
    """Threads that run programs; an exception in the block drops what waits, and Ctrl-C kills the programs too.

    Args:
        workers: how many; None: one for each core.
    """
    pool = ThreadPoolExecutor(max_workers=workers or cores())
    try:
        yield pool
        pool.shutdown()
    except BaseException as error:
        if not isinstance(error, Exception):
            kill_all()
        # The threads' folders are removed next: none of them may still write there.
        with signals.shield():
            pool.shutdown(cancel_futures=True)
        raise


def kill_all() -> None:
    """Kill every program that runs, with all that it has started."""
    for child in list(_RUNNING):
        _kill(child)


_RUNNING: Final[set[subprocess.Popen[bytes]]] = set()
signals.on_end(kill_all)


@dataclass(frozen=True)
class _Limits:
    """What :func:`run_program` allows."""

    seconds: float
    talk_bytes: int
    file_bytes: int
    watched: Path | None

    def exceeded(self, elapsed: float, talk_bytes: int) -> tuple[str, bool] | None:
        """Which limit is exceeded, and whether it is that of time."""
        if elapsed >= self.seconds:
            return f"it did not end within {self.seconds:.0f} s", True
        if talk_bytes > self.talk_bytes:
            return f"it printed more than {self.talk_bytes >> 20} MiB", False
        if self.watched is not None and self.watched.exists() and self.watched.stat().st_size >= self.file_bytes:
            return f"it wrote {self.file_bytes} bytes or more", False
        return None


def _collect(child: subprocess.Popen[bytes], pipes: Sequence[IO[bytes]], limits: _Limits) -> list[bytearray]:
    """What a program prints into each pipe, until it has ended and the pipes are closed."""
    talk = {pipe: bytearray() for pipe in pipes}
    begin, lingering = time.monotonic(), None
    with selectors.DefaultSelector() as selector:
        for pipe in pipes:
            selector.register(pipe, selectors.EVENT_READ, pipe)
        while selector.get_map() or not _has_ended(child):
            signals.check()
            now = time.monotonic()
            exceeded = limits.exceeded(now - begin, sum(map(len, talk.values())))
            if exceeded is not None:
                raise Stopped(exceeded[0], time=exceeded[1], text=_text(talk))
            pause = min(begin + limits.seconds - now, _TICK_SECONDS)
            if selector.get_map() and _has_ended(child):
                lingering = lingering or now + _LINGER_SECONDS
                if now >= lingering:
                    break
            if not selector.get_map():
                _await(child, pause)
                continue
            for key, _ in selector.select(pause):
                data = os.read(key.fd, _CHUNK_BYTES)
                if not data:
                    selector.unregister(key.fileobj)
                talk[key.data] += data
    return list(talk.values())


def _text(talk: Mapping[IO[bytes], bytearray]) -> str:
    return b"".join(bytes(data[-_CHUNK_BYTES:]) for data in talk.values()).decode("utf-8", errors="replace")


def _has_ended(child: subprocess.Popen[bytes]) -> bool:
    """Whether it has ended; it stays a zombie, so that its number, which is its group's, is not given to another."""
    return child.returncode is not None or (
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
    )


def _await(child: subprocess.Popen[bytes], seconds: float) -> None:
    end, pause = time.monotonic() + seconds, 0.0005
    while not _has_ended(child) and time.monotonic() < end:
        time.sleep(pause)
        pause = min(2 * pause, 0.02)


def _ended(child: subprocess.Popen[bytes]) -> int:
    """The exit code of a program that has ended; what it left running in its group is killed."""
    _end(child)
    return child.returncode


def _end(child: subprocess.Popen[bytes]) -> None:
    with signals.shield():
        _kill(child)
        child.wait()
        _RUNNING.discard(child)
        for pipe in (child.stdin, child.stdout, child.stderr):
            if pipe is not None:
                pipe.close()


def _kill(child: subprocess.Popen[bytes]) -> None:
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
