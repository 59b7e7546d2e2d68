"""The guardian's child process: holds one fault of a process, and undoes it when its control channel closes.

Run as ``python -m`` this module, FD and PARENT. Its first question holds the :class:`GuardianSettings`.
"""

import math
import os
import sys
import time

import psutil

from driftdrill.stack.child import POLL, serve
from driftdrill.stack.errors import StackError
from driftdrill.stack.faults.process.effects import Effect, effect
from driftdrill.stack.faults.process.journal import Claim, Note, claim
from driftdrill.stack.faults.process.orders import GuardianOrder, GuardianReport, GuardianSettings
from driftdrill.stack.faults.process.undo import Nothing


class Guardian:
    """One fault in force."""

    def __init__(self, settings: GuardianSettings) -> None:
        self._fault = settings.fault
        self._effect: Effect = effect(settings.fault, settings.target)
        self._claim: Claim | None = claim(self._effect.place)
        self._failure: Exception | None = None
        self._heard, self._withdrawn = time.monotonic(), False
        self._noted: Note | None = None
        self._touched = False
        self._note()

    @property
    def place(self) -> str:
        """What is held."""
        return self._effect.place

    def _note(self) -> None:
        """Keep on file how to undo, from before anything is done."""
        note = Note(self._fault.type, self.place, os.getpid(), self._effect.undo if self._touched else Nothing())
        if note != self._noted and self._claim is not None:
            self._claim.write(note)
            self._noted = note

    def obey(self, order: GuardianOrder | None) -> GuardianReport | str:
        """Carry out an order; without one, the place. Raises :class:`StackError`."""
        self._heard = time.monotonic()
        if order is None:
            return self.place
        try:
            return self._obey(order)
        except psutil.Error as e:
            raise StackError(f"{self._fault.type} on {self.place}: {e}") from e

    def _obey(self, order: GuardianOrder) -> GuardianReport:
        if order.do == "release":
            self.release()
            return GuardianReport()
        if order.do == "set":
            if self._claim is None:
                raise StackError(f"{self._fault.type} on {self.place} was undone: its time to live had run out")
            self._failure, self._touched = None, self._touched or order.strength > 0
            self._note()
            self._effect.set(order.strength)
            self._note()
            return GuardianReport(pids=self._effect.pids())
        if self._withdrawn:
            return GuardianReport(f"expected {self._fault.type} in force; seen: undone, its time to live had run out")
        wrong = str(self._failure) if self._failure else self._effect.check()
        self._note()
        return GuardianReport(wrong, self._effect.pids())

    def work(self) -> float:
        """Do what is due, and undo where nobody was heard of for too long; seconds until something is due."""
        if self._claim is None:
            return math.inf
        left = self._heard + self._fault.ttl - time.monotonic()
        if left <= 0:
            self._withdrawn = True
            try:
                self.release()
            except StackError as e:  # the drill may yet ask, and its end tries again
                self._failure, self._heard = e, time.monotonic()
            return POLL
        if self._failure is not None:
            return left
        try:
            due = self._effect.work()
            self._note()
            return min(left, due)
        except (StackError, psutil.Error) as e:
            self._failure = e
            return left

    def release(self) -> None:
        """Undo, once. Raises :class:`StackError`; the note stays then, for whoever tries again."""
        if self._claim is not None:
            self._effect.end()
            self._claim.release()
            self._claim = None


if __name__ == "__main__":
    sys.exit(serve(sys.argv, GuardianSettings, GuardianOrder, Guardian))
