"""Signals that end edgeq: SIGINT, SIGTERM and SIGHUP stop every child process and unwind the stack like Ctrl-C.

Python raises ``KeyboardInterrupt`` for SIGINT alone, and its default for SIGTERM and SIGHUP ends the process without
removing temporary folders or stopping children. :func:`install` gives all three one handler. Code that must not be cut
in two (making or removing a folder) runs inside :func:`shield`, which delays the exception, never the end of children.

The kernel may give a signal to any thread, and Python runs its handler in the main thread, when that next runs Python
code: a main thread that waits for a lock (for threads that wait for gcc) may sleep on. So a thread of its own reads the
numbers of signals from a pipe, ends the children at once, and sends the main thread the signal until it has seen it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

ENDING: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
_WAKE_SECONDS: Final = 0.1
_NAMES: Final = {signal.SIGHUP: "hung up", signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


class _State:
    """What the handler has seen; one for the process, written by the main thread alone."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self.raised = False
        self.shields = 0
        self.actions: list[Callable[[], None]] = []


_STATE: Final = _State()


def quiet() -> None:
    """End at once on Ctrl-C, without Python's traceback, until :func:`install`: there is nothing to unwind yet."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def install() -> None:
    """Handle the signals of :data:`ENDING`; one that the parent process ignores (nohup) stays ignored."""
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _handle)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reader,), name="signals", daemon=True).start()


def uninstall() -> None:
    """End at once on these signals: for the time after clean-up, when a second Ctrl-C has nothing to unwind."""
    signal.set_wakeup_fd(-1)
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def on_end(action: Callable[[], None]) -> None:
    """Call `action` when a signal arrives, before the exception is raised; it must be quick and must not fail."""
    _STATE.actions.append(action)


def ending() -> bool:
    """Whether a signal has arrived: threads start nothing any more."""
    return _STATE.received is not None


def check() -> None:
    """Raise in a thread of our own what the handler raises in the main thread.

    Raises:
        KeyboardInterrupt: a signal has arrived.
    """
    if ending():
        raise KeyboardInterrupt


def exit_code() -> int:
    """128 and the signal's number, as shells count: 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP."""
    return 128 + (_STATE.received or signal.SIGINT)


def name() -> str:
    """One word for people."""
    return _NAMES[_STATE.received or signal.SIGINT]


@contextmanager
def shield() -> Iterator[None]:
    """Delay the exception until the block has ended. Only the main thread receives it, so only there this counts.

    Raises:
        KeyboardInterrupt: a signal arrived inside the block.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _STATE.shields += 1
    try:
        yield
    finally:
        _STATE.shields -= 1
        _raise_once()


def _handle(number: int, frame: FrameType | None) -> None:
    """Only the first signal counts: a second one must not cut the clean-up short."""
    _begin(number)
    if not _importing(frame):
        _raise_once()


def _importing(frame: FrameType | None) -> bool:
    """Whether a module is being imported: an exception there leaves extension modules half made, or crashes them.

    :func:`_watch` sends the signal again, until the import has ended.
    """
    while frame is not None:
        if frame.f_code.co_name == "_find_and_load" and frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _begin(number: int) -> None:
    if _STATE.received is None:
        _STATE.received = signal.Signals(number)
        for action in _STATE.actions:
            action()


def _watch(reader: int) -> None:
    """Wait for a signal, then wake the main thread until it has raised the exception."""
    main = threading.main_thread().ident
    number = 0
    while number not in ENDING:
        number = os.read(reader, 1)[0]
    _begin(number)
    while main is not None and not _STATE.raised:
        with contextlib.suppress(ProcessLookupError):
            signal.pthread_kill(main, number)
        time.sleep(_WAKE_SECONDS)


def _raise_once() -> None:
    if _STATE.received is not None and not _STATE.raised and not _STATE.shields:
        _STATE.raised = True
        raise KeyboardInterrupt
