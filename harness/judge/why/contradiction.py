"""Conditions that exclude each other: no value is above 10 and below 5, so the rule never has a series."""

from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why import above_top_bucket, other_unit, out_of_range
from driftdrill.harness.judge.why.conditions import Conditions
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.reports.data.verdict import Reason


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    if any(check.find(rule, seen) for check in (above_top_bucket, other_unit, out_of_range)):
        return None
    read = Conditions(seen)
    cases = read.of_rule(rule)
    if cases is None or cases or not read.conflicts:
        return None
    had, met = read.conflicts[0]
    if met.said.startswith("unless"):
        says = f"whatever {had.said or 'the left side'} has is taken away by `{met.said.replace('`', '')}`"
        return Reason("contradiction", says, "what follows `unless` must be narrower", cannot_fire=True)
    if not had.said:
        says = f"{met.said} is never true: {had.given}" if met.said else had.given
        return Reason("contradiction", says, "correct the comparison", cannot_fire=True)
    says = f"{had.said} and {met.said} exclude each other: nothing is both, whatever is measured"
    return Reason("contradiction", says, "write `or` if either is meant, or correct one of them", cannot_fire=True)
