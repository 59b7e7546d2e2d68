"""The HTTP faults on one connection: each request gets its plan when its head is read, its response follows it.

What no fault touches passes byte by byte. A message is kept whole only where its body is to be changed.
"""

import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from driftdrill.stack.faults.network.http_faults import Delay, HttpToxic, Page, Patch, Replace, Status, merge_patch
from driftdrill.stack.faults.network.ledger import Count, draw
from driftdrill.stack.faults.network.messages import (
    MAX_BODY,
    Framer,
    Part,
    headers,
    interim,
    plain_body,
    request_line,
    with_body,
    without,
)
from driftdrill.stack.faults.network.stream import Stream

HttpFaults = Mapping[str, tuple[HttpToxic, Count]]
"""What is in force: name -> fault and its count."""

Edit = tuple[HttpToxic, Count, float]
"""A change of a body: fault, count, and what was drawn for the request."""


@dataclass(slots=True)
class Exchange:
    """One request and its response, and what is to be done to them."""

    pause: float = 0.0
    answer: Status | None = None
    answered: bool = False
    request_edits: list[Edit] = field(default_factory=list)
    response_edits: list[Edit] = field(default_factory=list)
    kept: list[bytes] = field(default_factory=list)
    size: int = 0

    def keep(self, data: bytes) -> None:
        """Part of a message that is rewritten once it is whole."""
        self.kept.append(data)
        self.size += len(data)

    def whole(self) -> tuple[bytes, bytes]:
        """Head and raw body of what was kept."""
        head, body = self.kept[0], b"".join(self.kept[1:])
        self.kept, self.size = [], 0
        return head, body


class Exchanges:
    """See the module. ``faults`` gives what is in force now; ``counted(requests, forwarded)`` keeps the ledger."""

    def __init__(
        self, seed: int, faults: Callable[[], HttpFaults], up: Stream, down: Stream, counted: Callable[[int, int], None]
    ) -> None:
        self._seed, self._faults, self._up, self._down, self._counted = seed, faults, up, down, counted
        self._requests, self._responses = Framer(), Framer(responses=True)
        self._open: deque[Exchange] = deque()
        self._now = Exchange()
        self._interim = False

    @property
    def opaque(self) -> bool:
        """Whether this connection turned out to carry something other than HTTP/1.x."""
        return self._requests.opaque or self._responses.opaque

    def request(self, data: bytes) -> None:
        """Bytes from the client."""
        passing: list[bytes] = []
        for kind, piece in self._requests.feed(data):
            if kind == "head":
                self._begin(piece, passing)
            now = self._now
            if now.answer is None and not now.request_edits:
                passing.append(without(piece, "accept-encoding") if kind == "head" and now.response_edits else piece)
            elif kind == "end":
                self._flush(self._up, passing)
                self._complete(now)
            elif now.answer is None or kind == "head":  # the body of a request that is answered here is of no use
                now.keep(piece)
                if now.size > MAX_BODY:
                    _skip(now.request_edits)
                    passing += now.kept
                    now.request_edits, now.kept = [], []
        self._flush(self._up, passing)

    def response(self, data: bytes) -> None:
        """Bytes from the server."""
        self._respond(self._responses.feed(data))
        if self._responses.opaque and not self._requests.opaque:  # upgraded: the client's bytes are no HTTP either
            self._requests.give_up()

    def response_end(self) -> None:
        """The server has sent all that it will."""
        self._respond(self._responses.eof())
        if self._open and self._open[0].kept:  # cut off within a body
            self._down.push(b"".join(self._open.popleft().kept))

    def request_end(self) -> None:
        """The client has sent all that it will."""
        rest = b"".join(self._now.kept) + b"".join(piece for _, piece in self._requests.eof())
        if rest and self._now.answer is None:
            self._up.push(rest)

    def _flush(self, stream: Stream, passing: list[bytes]) -> None:
        if data := b"".join(passing):
            stream.push(data)
        passing.clear()

    def _begin(self, head: bytes, passing: list[bytes]) -> None:
        """Make the plan for the request of this head."""
        self._now = now = Exchange()
        self._open.append(now)
        faults = self._faults()
        if faults:
            self._plan(now, head, faults)
        forwarded = now.answer is None
        if forwarded:
            if now.pause:
                self._flush(self._up, passing)
                self._up.pause(now.pause)
            self._responses.methods.append(head[:5].split(b" ", 1)[0].decode("latin-1"))
        if (now.answer or now.request_edits) and b"100-continue" in head.lower():
            self._down.push(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._counted(1, int(forwarded))

    def _plan(self, now: Exchange, head: bytes, faults: HttpFaults) -> None:
        method, path = request_line(head)
        fields = headers(head)
        given = next((v for n, v in fields if n == "x-request-id" and v.isdecimal()), None)
        for key, (fault, count) in faults.items():
            count.passed += 1
            if not fault.selects(method, path, fields):
                continue
            index = int(given) if given is not None else count.matched
            count.matched += 1
            drawn = draw(self._seed, key, index)
            if drawn >= fault.share:
                continue
            edit = (fault, count, drawn)
            match fault:
                case Delay():
                    jitter = fault.jitter * Random(f"{self._seed}/{key}/{index}").uniform(-1, 1)
                    now.pause += max(0.0, fault.delay + jitter) / 1000
                    count.touched += 1
                case Status():
                    now.answer = fault
                    count.touched += 1
                case Page() if fault.fault.delay_at(fault.strength):
                    now.pause += fault.fault.delay_at(fault.strength)
                    count.touched += 1
                case Patch(on="request") | Replace(on="request"):
                    now.request_edits.append(edit)
                case _:
                    now.response_edits.append(edit)

    def _complete(self, now: Exchange) -> None:
        """A kept request is whole: rewrite it, or answer it."""
        head, raw = now.whole()
        if now.answer is not None:
            now.answered = True
            self._answer()
            return
        if now.response_edits:
            head = without(head, "accept-encoding")
        self._up.push(_rewritten(head, raw, now.request_edits))

    def _answer(self) -> None:
        """Answers wait until the responses before them have gone out."""
        while self._open and self._open[0].answered:
            done = self._open.popleft()
            assert done.answer is not None
            if done.pause:
                self._down.pause(done.pause)
            self._down.push(done.answer.answer())

    def _respond(self, parts: list[Part]) -> None:
        passing: list[bytes] = []
        for kind, piece in parts:
            front = self._open[0] if self._open else Exchange()
            if kind == "head":
                self._interim = interim(piece)
            if self._interim or not front.response_edits:
                passing.append(piece)
            elif kind != "end":
                front.keep(piece)
                if front.size > MAX_BODY:
                    _skip(front.response_edits)
                    passing += front.kept
                    front.response_edits, front.kept = [], []
            else:
                passing.append(_rewritten(*front.whole(), front.response_edits))
            if kind == "end" and not self._interim and self._open:
                self._open.popleft()
                self._flush(self._down, passing)
                self._answer()
        self._flush(self._down, passing)


def _skip(edits: list[Edit]) -> None:
    for _, count, _ in edits:
        count.skipped += 1


def _rewritten(head: bytes, raw: bytes, edits: list[Edit]) -> bytes:
    """The message after all edits; one that none of them can change stays as it is, byte by byte."""
    body, content_type, changed = plain_body(head, raw), None, False
    for fault, count, drawn in edits:
        new = _edited(fault, body, count, drawn)
        if new is None or not raw:
            count.skipped += 1
            continue
        body, changed = new, True
        content_type = fault.content_type if isinstance(fault, Replace) else content_type
        count.touched += 1
    return with_body(head, body, content_type) if changed else head + raw


def _edited(fault: HttpToxic, body: bytes, count: Count, drawn: float) -> bytes | None:
    """The changed body, or None where this fault cannot change it."""
    if isinstance(fault, Replace):
        return fault.body.encode()
    if isinstance(fault, Page):
        import numpy as np

        if count.begun is None or count.begun[0] != fault.fault:
            count.begun = (fault.fault, fault.fault.starting(body))
        page: bytes = count.begun[1](body, fault.strength, np.random.default_rng(int(drawn * 2**53)))
        return page
    if not isinstance(fault, Patch):
        return None
    try:
        return json.dumps(merge_patch(json.loads(body), fault.patch), separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        return None
