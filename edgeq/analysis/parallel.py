"""Work on the cores there are: samples in shares, tasks side by side, results in the order of the tasks.

How samples are divided depends on their number and size only, never on the number of cores, and results are read in
order: a command gives the same document on every computer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

from edgeq.process import cores, worker_pool

Result = TypeVar("Result")

# Samples a program gets at once: few starts, and no more results in memory than these.
MOST_SAMPLES: Final = 64
# What the results of one share may take.
MOST_BYTES: Final = 16 << 20
# So that a few samples keep a few cores busy; a start of QEMU takes 0.05 s.
FEWEST_SHARES: Final = 4


def shares(count: int, sample_bytes: int) -> list[range]:
    """Divide samples into consecutive shares.

    Args:
        count: how many samples.
        sample_bytes: what the results of one sample take.
    """
    size = max(1, min(MOST_SAMPLES, MOST_BYTES // max(1, sample_bytes), -(-count // FEWEST_SHARES)))
    return [range(start, min(start + size, count)) for start in range(0, count, size)]


class InOrder(Iterator[Result], Generic[Result]):
    """Results of tasks that run side by side, in the order of the tasks.

    The first tasks start at once, the others when earlier results are read, so no more than two results more than there
    are workers wait in memory. An exception of a task is raised in its turn. Leaving the ``with`` block drops what has
    not started and waits for what has.
    """

    def __init__(self, tasks: Iterable[Callable[[], Result]], workers: int | None = None) -> None:
        """Start the first tasks.

        Args:
            tasks: functions without arguments, which may run in any thread.
            workers: how many run at once; None: one a core; 0: each runs in the caller's thread, when it is read.
        """
        number = cores() if workers is None else workers
        self._tasks = iter(tasks)
        self._exit = ExitStack()
        self._pool = self._exit.enter_context(worker_pool(number)) if number else None
        self._started: deque[Future[Result]] = deque()
        for _ in range(number + 2 if number else 0):
            self._start_next()

    def _start_next(self) -> None:
        task = next(self._tasks, None)
        if task is not None and self._pool is not None:
            self._started.append(self._pool.submit(task))

    def __next__(self) -> Result:
        """The next task's result."""
        if self._pool is None:
            return next(self._tasks)()
        if not self._started:
            raise StopIteration
        future = self._started.popleft()
        result = future.result()
        self._start_next()
        return result

    def __enter__(self) -> Self:
        """The results themselves."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the workers; Ctrl-C ends the programs that they run, too."""
        if self._pool is not None and error is None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        self._exit.__exit__(kind, error, at)
