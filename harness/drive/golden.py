"""Golden requests: rows whose answers are known, asked apart from the load, one at a time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from driftdrill.harness.errors import ScenarioError, TargetError
from driftdrill.harness.scenario.canary import MOST_ROWS
from driftdrill.harness.scenario.fault import Batch
from driftdrill.harness.scenario.measure import is_text
from driftdrill.harness.scenario.scenario import Scenario
from driftdrill.harness.setup.target import Target
from driftdrill.harness.traffic.blocks import batch_of, checked_rows, truth_of
from driftdrill.harness.traffic.http.client import Client
from driftdrill.harness.traffic.http.response import RequestFailed
from driftdrill.harness.traffic.protocols import Protocol, Undecodable

FEW = 8
"""Rows that stand in for golden ones where a scenario has none."""


class NoAnswer(Exception):
    """A golden request that got no prediction."""


@dataclass
class Golden:
    """Bodies and the answers that are known of them."""

    clients: Sequence[Client]
    spoken: Protocol
    bodies: Sequence[bytes]
    known: Sequence[float | str]
    labels: bool = False
    """Whether the answers are labels; one that is not the known one deviates by 1."""
    answered: int = 0
    """How many were answered: the target's own counters have them, too."""

    def ask(self, number: int) -> float | str:
        """The answer to the golden request of that number, counted on and on. Raises :class:`NoAnswer`."""
        try:
            reply = self.clients[number % len(self.clients)].post(self.bodies[number % len(self.bodies)])
        except RequestFailed as e:
            raise NoAnswer(str(e)) from e
        self.answered += 1
        if not 200 <= reply.status < 300:
            raise NoAnswer(f"HTTP {reply.status}")
        try:
            return (self.spoken.decode(reply.body, 1, True) if self.labels else self.spoken.decode(reply.body, 1))[0]
        except Undecodable as e:
            raise NoAnswer(str(e)) from e

    def close(self) -> None:
        """Close the idle connections."""
        for client in self.clients:
            client.close()

    def deviation(self, number: int) -> float:
        """abs(answer - known) of a golden request; NaN where the answer is. Raises :class:`NoAnswer`."""
        found, known = self.ask(number), self.known[number % len(self.known)]
        if isinstance(found, str) or isinstance(known, str):
            return float(found != known)
        return abs(found - known)

    def changed(self) -> bool:
        """Whether any golden request is answered otherwise than known, or no longer answered."""
        for number in range(len(self.bodies)):
            try:
                deviation = self.deviation(number)
            except NoAnswer:
                return True
            if math.isnan(deviation) or deviation > 0:
                return True
        return False


def golden(scenario: Scenario, target: Target, spoken: Protocol) -> Golden:
    """The scenario's golden requests; a few of its rows, if it has no canary, their answers asked now.

    Raises :class:`ScenarioError` for rows that cannot be, :class:`TargetError` where one gets no answer.
    """
    canary = scenario.canary
    batch, known = _rows(scenario)
    clients = [Client(c, spoken.path, spoken.content_type) for c in target.all]
    found = Golden(clients, spoken, spoken.encode(batch, 1), known, _are_labels(scenario, known))
    if canary is None or canary.answer is None:
        try:
            found.known = [found.ask(number) for number in range(len(found.bodies))]
        except NoAnswer as e:
            raise TargetError(f"a golden request got no answer before the drill: {e}", hint="try it with curl") from e
    return found


def _are_labels(scenario: Scenario, known: Sequence[float | str]) -> bool:
    """Whether the model answers labels: as the known answers are, or, where there are none, the truth."""
    if known or scenario.truth is None:
        return any(isinstance(answer, str) for answer in known)
    return is_text(truth_of(scenario, checked_rows(scenario)))


def _rows(scenario: Scenario) -> tuple[Batch, Sequence[float | str]]:
    """What is sent, and the known answers; none where they are still to be asked."""
    canary = scenario.canary
    if canary is None:
        few = {name: column[:FEW] for name, column in checked_rows(scenario).items() if name != scenario.truth}
        return few, []
    batch = batch_of(canary.rows, "Canary: rows")
    if (rows := len(next(iter(batch.values())))) > MOST_ROWS:
        raise ScenarioError(f"Canary: rows must answer at most {MOST_ROWS} golden rows, not {rows}")
    if canary.answer is None:
        return batch, []
    if canary.answer not in batch:
        raise ScenarioError(f"Canary: rows have no column {canary.answer!r} (answer); they have {sorted(batch)}")
    answers = batch.pop(canary.answer)
    if is_text(answers):
        return batch, [str(answer) for answer in answers.tolist()]
    return batch, np.asarray(answers, dtype=np.float64).tolist()
