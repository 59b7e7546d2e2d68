"""The checks, the most telling first: one a file, each with a page of its name in docs/why/."""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why import (
    above_top_bucket,
    absent_of_nothing,
    always_true,
    averaged_away,
    awaits_silent_alert,
    changing_labels,
    contradiction,
    counter_born,
    empty_label,
    equal_to_float,
    error_in_fault,
    escaped_name,
    exported_label,
    falling_counter,
    inside_bucket,
    le_spelling,
    nan,
    native_histogram,
    never_joins,
    no_le,
    no_such_alert,
    no_such_metric,
    nothing_matches,
    other_unit,
    out_of_range,
    rate_of_gauge,
    renamed_in_fault,
    scalar_of_several,
    short_range,
    shorter_than_for,
    stale_between_scrapes,
    suppressed,
    vanished,
    zero_by_zero,
)
from driftdrill.harness.judge.why.labels import ANY
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.reports.data.timeline import Labels
from driftdrill.reports.data.verdict import Reason


@dataclass(frozen=True)
class SilenceCheck:
    """One check: a pure function of a rule and what it could read."""

    name: str
    find: Callable[[KnownRule, Seen], Reason | None]
    silent: bool = True
    """Whether it speaks of an alert that did not fire."""
    fired: bool = False
    """Whether it speaks of one that did."""


def _check(module: ModuleType, silent: bool = True, fired: bool = False) -> SilenceCheck:
    return SilenceCheck(module.__name__.rpartition(".")[2], module.find, silent, fired)


CHECKS: tuple[SilenceCheck, ...] = (
    _check(error_in_fault),
    _check(native_histogram),
    _check(escaped_name),
    _check(no_such_metric),
    _check(no_such_alert),
    _check(absent_of_nothing, fired=True),
    _check(no_le),
    _check(exported_label),
    _check(le_spelling),
    _check(nothing_matches),
    _check(never_joins),
    _check(renamed_in_fault),
    _check(vanished),
    _check(awaits_silent_alert),
    _check(above_top_bucket),
    _check(other_unit),
    _check(out_of_range),
    _check(contradiction),
    _check(scalar_of_several),
    _check(nan),
    _check(zero_by_zero),
    _check(counter_born),
    _check(changing_labels),
    _check(stale_between_scrapes),
    _check(short_range),
    _check(shorter_than_for),
    _check(suppressed),
    _check(averaged_away),
    _check(equal_to_float),
    _check(always_true, silent=False, fired=True),
    _check(falling_counter, fired=True),
    _check(rate_of_gauge, fired=True),
    _check(inside_bucket, fired=True),
    _check(empty_label, silent=False, fired=True),
)


def reasons(rule: KnownRule, seen: Seen, fired: bool = False) -> tuple[Reason, ...]:
    """Why an alert stayed silent, in order of importance; of one that fired, what is to be known of it all the same."""
    found = (check.find(rule, seen) for check in CHECKS if (check.fired if fired else check.silent))
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
    return not found or any(all(one.get(k, "") in (v, None) for k, v in labels.items()) for one in found)
