"""Send each case once, see what came back, and whether the service still answers the valid row."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import gevent

from driftdrill.durations import format_duration
from driftdrill.harness.drive.preflight import ask
from driftdrill.harness.edge.cases import Ready, Valid
from driftdrill.harness.edge.traces import Traces
from driftdrill.harness.errors import TargetError
from driftdrill.harness.setup.target import Target
from driftdrill.harness.traffic.http.client import Client
from driftdrill.harness.traffic.http.response import RequestFailed
from driftdrill.harness.traffic.protocols import Protocol, Request, Undecodable
from driftdrill.reports.data.edges import EdgeCase, EdgeFinding

ASKED = 3
"""How often the valid row is asked before the first case, to see whether its prediction is always the same."""

ADVICE = {
    "crashed": "answer 4xx: validate before the model is asked; a 5xx blames the service for its client's mistake",
    "lost": "answer 4xx: see the server's log for a worker that died; bound size and depth before parsing",
    "hung": "bound the size of bodies and the time of one request; one such client holds a worker for good",
    "undecodable": "a 2xx must hold a finite prediction for each row sent: answer 4xx instead",
    "dead": "one request took the service down: see its log; restart it before anything else is sent",
    "poisoned": "one request changed what others are answered: keep no state between requests",
    "left_behind": "restart the service: no rule that reads it works until then; keep such values out of its metrics",
    "nonsense": "refuse it with 4xx: no model can be asked this, and this prediction means nothing",
    "same": "it says what the valid row says: answer the same, or refuse it with 4xx",
}
BY_CASE = {
    "edge.nan": "refuse NaN and infinities before the model (pydantic: FiniteFloat)",
    "edge.wrong_type": "refuse values of another type instead of coercing them (pydantic: strict=True)",
    "edge.duplicate_key": "parse strictly: RFC 8259 leaves open which of two values counts",
    "edge.batch_shape.reordered": "send and read columns by name (V2: named inputs; $columns in the body)",
    "edge.encoding.latin_1": "decode bodies as UTF-8, strictly",
}
"""What to do about an accepted case, where more can be said."""


WORDS = ("crashed", "lost", "hung", "undecodable", "different", "dead", "poisoned", "left_behind")
"""How codes of findings end."""


@dataclass(frozen=True)
class Bounds:
    """What is sent at most: seconds and requests in all, bytes of one body."""

    seconds: float = 120.0
    requests: int = 500
    largest: int = 6_000_000


@dataclass(frozen=True)
class CaseAnswer:
    """One answer: an outcome's word, with the prediction of the first row where there is one."""

    outcome: str
    status: int = 0
    prediction: float | None = None
    note: str = ""


@dataclass
class Prober:
    """Asks one service. ``expected`` is the valid row's prediction, ``spread`` how far it varies by itself.

    ``grace`` is the seconds within which a service that a case took down may come back before it counts as dead.
    """

    client: Client
    protocol: Protocol
    target: Target
    base: Valid
    grace: float = 5.0
    expected: float = 0.0
    spread: float = 0.0
    sent: int = 0
    traces: Traces = field(default_factory=lambda: Traces(lambda: None))
    """What is looked at on the metrics pages; by default nothing."""

    def settle(self) -> None:
        """Ask the valid row a few times. Raises :class:`TargetError` where it gets no prediction."""
        seen: list[float] = []

        def once() -> None:
            seen.append(float(ask(self.client, self.base.request, self.protocol, 1, self.target)[0]))

        self.traces.settle(once, ASKED)
        self.sent += ASKED
        self.expected, self.spread = seen[0], max(seen) - min(seen)
        if not math.isfinite(self.expected):
            raise TargetError(f"{self.client.url} predicts {self.expected} for the valid row")

    def answer(self, request: Request, rows: int) -> CaseAnswer:
        """What the service makes of a request, whose good answer holds ``rows`` predictions."""
        self.sent += 1
        try:
            reply = self.client.post(request)
        except RequestFailed as e:
            return CaseAnswer("hung" if e.kind == "timeout" else "lost", note=self.client.connection.redact(str(e)))
        if reply.status >= 500:
            return CaseAnswer("crashed", reply.status, note=_words(self.client, reply.body))
        if 400 <= reply.status < 500:
            return CaseAnswer("rejected", reply.status, note=_words(self.client, reply.body))
        if not 200 <= reply.status < 300:
            return CaseAnswer("undecodable", reply.status, note="neither an answer nor a refusal")
        try:
            found = self.protocol.decode(reply.body, rows or 1)
        except Undecodable as e:
            return CaseAnswer("undecodable" if rows else "same", reply.status, note=str(e))
        if not rows:
            return CaseAnswer("undecodable", reply.status, note="a prediction, and no row was sent")
        value = float(found[0])
        if not math.isfinite(value):
            return CaseAnswer("undecodable", reply.status, note=f"predicted {value}")
        return CaseAnswer("same" if self.unmoved(value) else "different", reply.status, value)

    def unmoved(self, value: float) -> bool:
        """Whether a prediction is the valid row's, as far as that is always the same."""
        return abs(value - self.expected) <= self.spread + 1e-9 * max(1.0, abs(self.expected))

    def afterwards(self) -> CaseAnswer:
        """What the valid row is answered now: "same", "different" (poisoned), or why it is not ("lost", "hung" …)."""
        deadline = time.monotonic() + self.grace
        while True:
            found = self.answer(self.base.request, 1)
            if found.outcome in ("same", "different") or time.monotonic() > deadline:
                return found
            gevent.sleep(0.2)


@dataclass
class CaseProgress:
    """What was sent so far; kept where something ends it early."""

    cases: list[EdgeCase] = field(default_factory=list)
    findings: list[EdgeFinding] = field(default_factory=list)
    why: str = ""


def probe(
    prober: Prober, ready: Sequence[Ready], bounds: Bounds, progress: CaseProgress, tell: Callable[[int, int], None]
) -> None:
    """Send every case and fill ``progress``; stop where the service is dead or a bound is reached."""
    begun = time.monotonic()
    for i, case in enumerate(ready):
        tell(i, len(ready))
        if case.request is None:
            progress.cases.append(_unsent(case, "not_applicable", case.why_not))
        elif len(case.request.body) > bounds.largest:
            progress.cases.append(_unsent(case, "not_applicable", f"above the largest body, {bounds.largest:,} bytes"))
        elif progress.why or (why := _bound(prober, bounds, time.monotonic() - begun)):
            progress.why = progress.why or why
            progress.cases.append(_unsent(case, "not_sent", ""))
        else:
            _send(prober, case, case.request, progress)
    if not progress.why.startswith("DEAD"):
        _still(prober, ready, progress)


def _still(prober: Prober, ready: Sequence[Ready], progress: CaseProgress) -> None:
    """Counters that stand still since a case, and do so when the valid row is asked again."""
    known = {case.case.code: case for case in ready}
    for code, series in prober.traces.still(lambda: prober.answer(prober.base.request, 1), ASKED).items():
        progress.findings.append(_left(known[code], "stands still since", series))


def _left(ready: Ready, what: str, series: Sequence[str]) -> EdgeFinding:
    more = f" and {len(series) - 1} more" if len(series) > 1 else ""
    seen = f"{ready.case.what}: {series[0].strip()}{more} {what}"
    return EdgeFinding(f"{ready.case.code}.left_behind", ready.column, seen, ADVICE["left_behind"])


def _bound(prober: Prober, bounds: Bounds, seconds: float) -> str:
    if seconds > bounds.seconds:
        return f"not all cases were sent: {format_duration(bounds.seconds)} are over (--seconds)"
    if prober.sent + 2 > bounds.requests:
        return f"not all cases were sent: {bounds.requests} requests are (--most)"
    return ""


def _unsent(ready: Ready, outcome: str, note: str) -> EdgeCase:
    return EdgeCase(ready.case.code, ready.column, ready.case.what, outcome, note=note)


def _send(prober: Prober, ready: Ready, request: Request, progress: CaseProgress) -> None:
    case, begun = ready.case, time.monotonic()
    found = prober.answer(request, ready.rows)
    seconds = time.monotonic() - begun
    progress.cases.append(
        EdgeCase(
            case.code,
            ready.column,
            case.what,
            found.outcome,
            found.status,
            round(seconds, 3),
            len(request.body),
            found.prediction,
            found.note,
        )
    )

    def finding(word: str, seen: str, advice: str) -> None:
        progress.findings.append(EdgeFinding(f"{case.code}.{word}", ready.column, f"{case.what}: {seen}", advice))

    if found.outcome in ("crashed", "lost", "hung", "undecodable"):
        finding(found.outcome, _seen(found), ADVICE[found.outcome])
    elif found.outcome == "different" and case.means != "other":
        seen = f"{_seen(found)}; the valid row's is {prober.expected:.6g}"
        finding("different", seen, BY_CASE.get(case.code) or BY_CASE.get(case.id) or ADVICE[case.means])
    after = prober.afterwards()
    if after.outcome == "different":
        finding("poisoned", f"afterwards the valid row is predicted {after.prediction:.6g}", ADVICE["poisoned"])
    elif after.outcome != "same":
        finding("dead", f"the service no longer answers the valid row: {_seen(after)}", ADVICE["dead"])
        progress.why = f"DEAD: since {case.code} the service no longer answers the valid row; nothing more was sent"
    if nan := prober.traces.after(case.code):
        progress.findings.append(_left(ready, "is NaN since", nan))


def _seen(found: CaseAnswer) -> str:
    if found.prediction is not None:
        return f"predicted {found.prediction:.6g}"
    status = f"status {found.status}" if found.status else found.outcome
    return f"{status}{found.note and ', ' + found.note}"


def _words(client: Client, body: bytes) -> str:
    """The beginning of an error page, without our credentials."""
    text = " ".join(client.connection.redact(body[:400].decode("utf-8", "replace")).split())
    return text[:120] + ("…" if len(text) > 120 else "")
