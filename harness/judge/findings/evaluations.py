"""Whether a live Prometheus evaluated the rules at every due tick, and whether they stayed what they were."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from driftdrill.harness.judge.rules.rules import KnownRule

Events = Sequence[Mapping[str, Any]]

MISSED = 0.05
"""Share of a group's evaluations up to which missed ones are an observation."""
OVERDUE = 0.25
"""Share of an interval by which an evaluation may come later than it is due."""


@dataclass(frozen=True)
class Ticks:
    """One group's evaluations, as far as they were polled."""

    group: str
    rules: frozenset[str]
    due: int
    missed: int

    @property
    def too_few(self) -> bool:
        """Whether what its rules answered cannot be told for missed evaluations."""
        return self.missed > MISSED * self.due

    @property
    def said(self) -> str:
        return f"group {self.group!r} missed {self.missed} of {self.due} evaluations"


def reasons(events: Events) -> list[str]:
    """The reasons for INVALID: rules that were changed, or lost their state, in mid-drill."""
    return [str(what) for e in events if e["event"] == "rules_changed" for what in e["what"]]


def observations(events: Events) -> list[str]:
    """Missed evaluations and rules that could not be evaluated at times, with the numbers."""
    missed = [t for t in ticks(events) if t.missed]
    errors = [f"{e.name} could not be evaluated at {e.polls} polls: {e.why}" for e in failed(events)]
    return [*(t.said + (": its rules are not judged" if t.too_few else "") for t in missed), *errors]


def unevaluated(events: Events, known: KnownRule) -> str | None:
    """Why a rule cannot be judged: its group missed more than ``MISSED`` of its evaluations; None where it did not."""
    own = (t for t in ticks(events) if t.group == known.group.name and known.rule.name in t.rules)
    return next((t.said for t in own if t.too_few), None)


def erring(events: Events, known: KnownRule) -> str | None:
    """Why a rule cannot be judged: it was in error at more than ``MISSED`` of the polls; None where it was not."""
    polls = sum(e["event"] == "evaluations" for e in events)
    own = known.group.name, next(i for i, r in enumerate(known.group.rules) if r is known.rule), known.rule.name
    found = (e for e in failed(events) if (e.group, e.at, e.name) == own and e.polls > MISSED * polls)
    return next((f"it could not be evaluated at {e.polls} of {polls} polls: {e.why}" for e in found), None)


@dataclass(frozen=True)
class InError:
    """A rule in its place that was in error at some polls."""

    group: str
    at: int
    """Its place in the group."""
    name: str
    polls: int
    why: str
    """What the engine said last."""


def failed(events: Events) -> list[InError]:
    """The rules that were in error at some polls."""
    groups = _groups(events)
    now: dict[str, str] = {}
    counted: dict[str, tuple[int, str]] = {}
    for e in events:
        if e["event"] == "evaluations":
            now |= e.get("errors", {})
            counted |= {place: (counted.get(place, (0, ""))[0] + 1, why) for place, why in now.items() if why}
    out = []
    for place, (polls, why) in counted.items():
        group, at = map(int, place.split("."))
        out.append(InError(groups[group]["name"], at, groups[group]["rules"][at], polls, why))
    return out


def ticks(events: Events) -> list[Ticks]:
    """Each group's; none where nothing was polled, or where the server does not say when it evaluated."""
    groups = _groups(events)
    polls = [(float(e["at"]), e["last"]) for e in events if e["event"] == "evaluations"]
    if not any(last for _, last in polls):
        return []
    out = []
    for number, group in enumerate(groups):
        if interval := float(group["interval"]):
            seen = list(_seen(polls, str(number)))
            out.append(Ticks(group["name"], frozenset(group["rules"]), *_counted(seen, interval)))
    return out


def _groups(events: Events) -> Sequence[Mapping[str, Any]]:
    found: list[Sequence[Mapping[str, Any]]] = [e["groups"] for e in events if e["event"] == "rule_groups"]
    return found[0] if found else []


def _seen(polls: Sequence[tuple[float, Mapping[str, float]]], number: str) -> Iterator[tuple[float, float | None]]:
    """(poll, the last evaluation that it showed), None before there was one."""
    evaluated = None
    for at, last in polls:
        evaluated = last.get(number, evaluated)
        yield at, evaluated


def _counted(seen: Sequence[tuple[float, float | None]], interval: float) -> tuple[int, int]:
    """(due, missed). A tick was missed where a poll that came after it still showed the one before, and a later poll
    one beyond it; what falls between two polls unseen is taken to have been evaluated."""
    due = missed = 0
    (poll, last), *others = seen
    for at, evaluated in others:
        if last is None:
            poll, last = at, evaluated
            continue
        assert evaluated is not None
        passed = round((evaluated - last) / interval)
        overdue = int((poll - last) / interval - OVERDUE)
        due += passed
        missed += max(0, min(passed - 1, overdue))
        poll, last = at, evaluated
    waiting = int((poll - (seen[0][0] if last is None else last)) / interval - OVERDUE)
    return due + max(0, waiting), missed + max(0, waiting)
