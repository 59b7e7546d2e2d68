"""The checks, the most telling first: one a file, each with a page of its name in docs/why/."""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why import (
    escaped_name,
    exported_label,
    le_spelling,
    native_histogram,
    never_joins,
    no_such_metric,
    nothing_matches,
)
from driftdrill.harness.judge.why.label_sets import ANY
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.reports.data.timeline import Labels
from driftdrill.reports.data.verdict import Reason


@dataclass(frozen=True)
class SilenceCheck:
    """One check: a pure function of a rule and what it could read."""

    name: str
    find: Callable[[KnownRule, Seen], Reason | None]
    of_silence: bool = True
    """Whether it explains why an alert did not fire, and says nothing of one that did."""


def _check(module: ModuleType, of_silence: bool = True) -> SilenceCheck:
    return SilenceCheck(module.__name__.rpartition(".")[2], module.find, of_silence)


CHECKS: tuple[SilenceCheck, ...] = (
    _check(native_histogram),
    _check(escaped_name),
    _check(no_such_metric),
    _check(exported_label),
    _check(le_spelling),
    _check(nothing_matches),
    _check(never_joins),
)


def reasons(rule: KnownRule, seen: Seen, fired: bool = False) -> tuple[Reason, ...]:
    """Why an alert stayed silent, in order of importance; of one that fired, what is to be known of it all the same."""
    found = (check.find(rule, seen) for check in CHECKS if not (fired and check.of_silence))
    return tuple(reason for reason in found if reason is not None)


def labels_of(rule: KnownRule, seen: Seen) -> tuple[dict[str, str | None], ...] | None:
    """The labels that an alert's instances could have, the rule's and its group's with them; a value of None is not
    known (a template). No instance: nothing that the rule reads was there. None: not known at all."""
    found = seen.sets.of_rule(rule)
    if found is None:
        return None
    return tuple({k: None if v == ANY else v for k, v in sorted(labels)} for labels in sorted(found, key=sorted))


def could_carry(rule: KnownRule, seen: Seen, labels: Labels) -> bool:
    """Whether some instance of an alert could have these labels, as far as is known."""
    found = labels_of(rule, seen)
    return found is None or any(all(one.get(k, "") in (v, None) for k, v in labels.items()) for one in found)
