"""Ctrl-C and SIGTERM: what they do to a drill, and that none is lost."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

from driftdrill.harness.errors import Interrupted

if TYPE_CHECKING:  # judging loads nothing that drives
    from driftdrill.harness.drive.plan import Steering

SOON = 0.01
"""Seconds after which an interruption that was swallowed is raised again."""


def raise_again_what_is_swallowed() -> None:
    """From now on a KeyboardInterrupt that came while a finalizer ran is raised once more, after it.

    Python drops whatever a ``__del__`` or a callback of a weak reference raises. Libraries close their connections
    there, so that one Ctrl-C in a few did nothing.
    """
    if sys.unraisablehook is _again:
        return
    signal.signal(signal.SIGALRM, _as_ctrl_c)
    sys.unraisablehook = _again


def _again(dropped: "sys.UnraisableHookArgs", /) -> None:
    if issubclass(dropped.exc_type, KeyboardInterrupt):
        signal.setitimer(signal.ITIMER_REAL, SOON)
    else:
        sys.__unraisablehook__(dropped)


def _as_ctrl_c(number: int, frame: FrameType | None) -> None:
    handler = signal.getsignal(signal.SIGINT)
    assert callable(handler)
    handler(number, frame)


@contextlib.contextmanager
def signals(steering: "Steering") -> Iterator[None]:
    """While held, Ctrl-C and SIGTERM raise :class:`Interrupted` in this greenlet.

    A drive is told, and ends between two blocks; whatever else runs (preflight, judging) is interrupted at once,
    and a second signal interrupts anything.
    """
    import gevent

    from driftdrill.harness.drive.plan import KEPT

    here = gevent.getcurrent()

    def asked(number: int, _: object) -> None:
        first = not steering.stop
        if number != signal.SIGALRM:
            steering.stop = f"interrupted by {signal.Signals(number).name}"
        if steering.driving and first:
            # Not print: this may run in the middle of one.
            os.write(2, f"{steering.stop}: the drill is ending; once more ends it at once\n".encode())
            return
        if gevent.getcurrent() is here:
            raise KeyboardInterrupt
        gevent.kill(here, KeyboardInterrupt)

    raise_again_what_is_swallowed()
    before = {n: signal.signal(n, asked) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt as e:
        raise Interrupted(steering.stop, hint=KEPT if steering.recording else None) from e
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
