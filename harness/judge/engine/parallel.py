"""Work on several recordings in parallel processes, which end with this one, whatever ends it."""

import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_parallel(work: Callable[[T], R], things: Sequence[T]) -> list[R]:
    """``[work(thing) for thing in things]``, in as many processes as there are cores; the first error is raised.

    Processes are forked, so ``work`` may be any function; what it answers must be picklable. Ctrl-C and SIGTERM here
    end them in order, as does the end of this process.
    """
    count = min(len(things), cores())
    if count < 2:
        return [work(thing) for thing in things]
    tempfile.gettempdir()  # found once, by writing a file: one of many processes might be ended in the middle of that
    ours, control = os.pipe()
    with open(ours, "rb"), open(control, "wb") as end:
        pool = multiprocessing.get_context("fork").Pool(count, _begin, (work, ours, control))
        try:
            answers = list(pool.imap(_one, things))
            pool.close()
            pool.join()
        except BaseException:
            end.close()
            pool.terminate()
            pool.join()
            raise
        return answers


_PATIENCE = 10.0
"""Seconds in which work that is given up may unwind: a promtool under way is ended, its folder removed."""

_work: list[Callable[[Any], Any]] = []
"""In a process of the pool, what it does: inherited by the fork, since a function need not be picklable."""


def _one(thing: Any) -> Any:
    return _work[0](thing)


def _begin(work: Callable[[Any], Any], ours: int, control: int) -> None:
    """Ctrl-C in a terminal reaches every process: the first one decides. SIGTERM unwinds what is under way."""
    _work[:] = [work]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _unwind)
    os.close(control)
    threading.Thread(target=_end_with_parent, args=(ours,), daemon=True).start()


def _unwind(number: int, _: object) -> None:
    """Once: the pool and the end of the pipe both send one, and a second would break off what the first cleans up."""
    signal.signal(number, signal.SIG_IGN)
    sys.exit(130)


def _end_with_parent(ours: int) -> None:
    """A signal that comes just before a call that waits is handled after it only: what does not end by it is ended."""
    os.read(ours, 1)  # nothing is ever written; it ends when the last control end is closed
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_PATIENCE)
    os._exit(130)
