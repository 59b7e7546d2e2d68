"""On the wall clock: what the rules are and when each group was evaluated, asked twice an interval."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from driftdrill.harness.recording.writer import Writer
from driftdrill.stack.errors import StackError
from driftdrill.stack.prometheus.api import LoadedGroup, LoadedRule, Server, rules, started_at

Place = tuple[str, str]
"""(file, group)."""


@dataclass
class RulePolls:
    """Each :meth:`step` that is due appends what changed since the last one.

    Event ``rule_groups``, once: ``groups``, each with name, file, interval and names of rules. Event ``evaluations``,
    at each poll: ``last``, number of a group -> scenario second of its last evaluation, of those that moved;
    ``errors``, "group.rule" -> what the engine said, "" once it is well again. Event
    ``rules_changed``: ``what``, a sentence each.
    """

    server: Server
    clock_zero: float
    """Unix time of scenario second 0."""
    names: frozenset[str]
    """The groups that belong to the drill."""
    every: float = 0.0
    at: float = -1e9
    groups: dict[Place, LoadedGroup] = field(default_factory=dict)
    numbers: dict[Place, int] = field(default_factory=dict)
    last: dict[int, float] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    started: str = ""

    def step(self, writer: Writer, at: float) -> None:
        """Ask the server, if half an interval has passed. Raises :class:`StackError`."""
        if at - self.at < self.every - 0.01:
            return
        found = {(g.file, g.name): g for g in rules(self.server) if g.name in self.names}
        if not self.numbers:
            self._begin(writer, at, found)
        what = [*self._restarted(), *(s for place in self.numbers for s in self._changed(place, found.get(place)))]
        if what:
            writer.event("rules_changed", at, what=what)
        self.groups |= {place: group for place, group in found.items() if place in self.numbers}
        moved = dict(self._evaluated(found))
        said = {k: e for k, e in self._errors(found) if self.errors.get(k, "") != e}
        self.errors |= said
        writer.event(
            "evaluations", at, last={str(i): t for i, t in moved.items()}, **({"errors": said} if said else {})
        )
        self.at = at

    def _begin(self, writer: Writer, at: float, found: dict[Place, LoadedGroup]) -> None:
        self.groups, self.numbers = dict(found), {place: i for i, place in enumerate(found)}
        # Twice an interval: of two evaluations between two polls nobody would see the first.
        self.every = min((g.interval for g in found.values() if g.interval), default=15.0) / 2
        told = [
            {"name": g.name, "file": g.file, "interval": g.interval, "rules": [r.name for r in g.rules]}
            for g in found.values()
        ]
        writer.event("rule_groups", at, groups=told)

    def _restarted(self) -> Iterator[str]:
        with contextlib.suppress(StackError):  # not every server says when it began
            began = started_at(self.server)
            if self.started and began != self.started:
                yield "Prometheus was started anew in mid-drill: the state of its alerts is lost"
            self.started = began

    def _changed(self, place: Place, now: LoadedGroup | None) -> Iterator[str]:
        before = self.groups[place]
        if now is None:
            if self.last.pop(self.numbers[place], None) is not None:
                yield f"group {before.name!r} was taken out in mid-drill: the state of its rules is lost"
            return
        if now.interval != before.interval:
            yield f"group {before.name!r} had an interval of {before.interval:g}s, and has {now.interval:g}s since"
        old, new = [_text(r) for r in before.rules], [_text(r) for r in now.rules]
        for name, text in old:
            if (name, text) not in new:
                other = next((t for n, t in new if n == name and (n, t) not in old), None)
                is_now = "is gone" if other is None else f"is {other!r}"
                yield f"rule {name!r} of group {before.name!r} was changed in mid-drill: {text!r} {is_now}"
        yield from (f"rule {n!r} of group {before.name!r} was added in mid-drill" for n in _added(old, new))
        if self.last.get(self.numbers[place]) is not None and now.evaluated_at is None:
            self.last.pop(self.numbers[place])
            yield f"group {before.name!r} was loaded anew in mid-drill: the state of its rules is lost"

    def _evaluated(self, found: dict[Place, LoadedGroup]) -> Iterator[tuple[int, float]]:
        for place, group in found.items():
            number = self.numbers.get(place)
            if number is not None and group.evaluated_at is not None:
                at = round(group.evaluated_at - self.clock_zero, 3)
                if self.last.get(number) != at:
                    self.last[number] = at
                    yield number, at

    def _errors(self, found: dict[Place, LoadedGroup]) -> Iterator[tuple[str, str]]:
        for place, group in found.items():
            for i, rule in enumerate(group.rules):
                if place in self.numbers:
                    yield f"{self.numbers[place]}.{i}", rule.last_error if rule.health == "err" else ""


def _text(rule: LoadedRule) -> tuple[str, str]:
    """(name, all that makes a rule what it is)."""
    parts = [rule.expr]
    parts += [f"for {rule.for_:g}s"] if rule.for_ else []
    parts += [f"keep_firing_for {rule.keep_firing_for:g}s"] if rule.keep_firing_for else []
    parts += [f"{name}={value}" for name, value in sorted(rule.labels.items())]
    return rule.name, ", ".join(parts)


def _added(old: list[tuple[str, str]], new: list[tuple[str, str]]) -> list[str]:
    names = {name for name, _ in old}
    return [name for name, _ in new if name not in names]
