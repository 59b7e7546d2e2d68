"""The guardian's child process: holds one fault of a process, and undoes it when its control channel closes.

Run as ``python -m stack.process_faults.guardian FD PARENT``. Its first question holds the :class:`Settings`.
"""

import math
import os
import select
import signal
import socket
import sys
import time

from stack.child import answer, channel, decode
from stack.errors import StackError
from stack.process_faults.effects import Effect, effect
from stack.process_faults.journal import Claim, Note, claim
from stack.process_faults.orders import Order, Report, Settings

POLL = 0.5


class Guardian:
    """One fault in force."""

    def __init__(self, settings: Settings) -> None:
        self._fault = settings.fault
        self._effect: Effect = effect(settings.fault, settings.target)
        self._claim: Claim | None = claim(self._effect.place)
        self._failure: StackError | None = None
        self._heard, self._withdrawn = time.monotonic(), False
        self._noted: Note | None = None
        self._note()

    @property
    def place(self) -> str:
        """What is held."""
        return self._effect.place

    def _note(self) -> None:
        """Keep on file how to undo."""
        note = Note(self._fault.type, self.place, os.getpid(), self._effect.undo)
        if note != self._noted and self._claim is not None:
            self._claim.write(note)
            self._noted = note

    def obey(self, order: Order) -> Report:
        """Carry out an order. Raises :class:`StackError`."""
        self._heard = time.monotonic()
        if order.do == "release":
            self.release()
            return Report()
        if order.do == "set":
            if self._claim is None:
                raise StackError(f"{self._fault.type} on {self.place} was undone: its time to live had run out")
            self._failure = None
            self._effect.set(order.strength)
            self._note()
            return Report(pid=self._effect.pid())
        if self._withdrawn:
            return Report(f"expected {self._fault.type} in force; seen: undone, its time to live had run out")
        wrong = str(self._failure) if self._failure else self._effect.check()
        return Report(wrong, self._effect.pid())

    def work(self) -> float:
        """Do what is due, and undo where nobody was heard of for too long; seconds until something is due."""
        if self._claim is None:
            return math.inf
        left = self._heard + self._fault.ttl - time.monotonic()
        if left <= 0:
            self._withdrawn = True
            self.release()
            return math.inf
        if self._failure is not None:
            return left
        try:
            due = self._effect.work()
            self._note()
            return min(left, due)
        except StackError as e:
            self._failure = e
            return left

    def release(self) -> None:
        """Undo, once. Raises :class:`StackError`; the note stays then, for whoever tries again."""
        if self._claim is not None:
            self._effect.end()
            self._claim.release()
            self._claim = None


def _serve(control: socket.socket, parent: int) -> int:
    guardian: Guardian | None = None
    buffer = b""
    try:
        while os.getppid() == parent:
            due = guardian.work() if guardian is not None else math.inf
            if not select.select([control], [], [], min(POLL, due))[0]:
                continue
            data = control.recv(1 << 16)
            if not data:
                break
            buffer += data
            while b"\n" in buffer:
                line, _, buffer = buffer.partition(b"\n")
                number = 0
                try:
                    if guardian is None:
                        number, settings = decode(line, Settings)
                        guardian = Guardian(settings)
                        reply = answer(number, guardian.place)
                    else:
                        number, order = decode(line, Order)
                        reply = answer(number, guardian.obey(order))
                except StackError as e:
                    reply = answer(number, failure=e)
                control.sendall(reply)
    except (OSError, _Asked):
        pass  # the parent is gone, or somebody ended us: both mean undo
    return _undo(guardian)


def _undo(guardian: Guardian | None) -> int:
    for asked in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(asked, signal.SIG_IGN)
    try:
        if guardian is not None:
            guardian.release()
    except StackError as e:
        print(f"\nFAULT NOT UNDONE: {e}\nDO BY HAND: {e.hint}\n", file=sys.stderr, flush=True)
        return 2
    return 0


class _Asked(Exception):
    """A signal asked us to end."""


def _ask(*_: object) -> None:
    raise _Asked


if __name__ == "__main__":
    for _signal in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(_signal, _ask)
    sys.exit(_serve(*channel(sys.argv)))
