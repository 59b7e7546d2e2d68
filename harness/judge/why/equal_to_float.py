"""``== 0.3``: a value that is 0.3 to twelve digits and differs in the last ones is not equal."""

from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why.out_of_range import comparisons
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.reports.data.verdict import Reason


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    if seen.fault is None or any(t.intervals for t in seen.tracks if t.alert == rule.rule.name):
        return None
    for _, threshold in comparisons(rule):
        if threshold.comparison != "==" or rule.analysed.threshold != threshold:
            continue
        near = float(f"{threshold.number:.12g}")  # as the values of tracks are
        values = [v for track in seen.left.get(threshold.left, ()) for v in track.values]
        if near in values:
            says = f"its left side was {near:g} to twelve digits, and is not {threshold.number:g}"
            return Reason("equal_to_float", says, "compare with a margin: abs(... - number) < 1e-9")
    return None
