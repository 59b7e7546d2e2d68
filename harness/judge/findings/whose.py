"""Whose alert it is: the drilled target's, or another's that the same rules watch."""

import re

from driftdrill.harness.judge.rules.rules import KnownRule, Rules
from driftdrill.harness.recording.meta import Meta
from driftdrill.reports.data.timeline import AlertTrack

_WRITTEN = re.compile(r'label_(?:replace|join)\s*\(.*?,\s*["\']([a-zA-Z_]\w*)["\']', re.S)


def elsewhere(track: AlertTrack, known: KnownRule | None, rules: Rules, meta: Meta) -> str:
    """``job="other"`` where an instance is about a target that was not drilled; empty where it may be the drilled one.

    Only its ``job`` and ``instance`` tell, and only where they come from the series: labels that a rule sets, or that
    some rule rewrites, tell nothing.
    """
    if not meta.targets or meta.keeps_labels:
        return ""
    said = {} if known is None else {**known.group.labels, **known.rule.labels}
    told = {k: v for k, v in track.labels.items() if k in ("job", "instance") and k not in said and v}
    told = {k: v for k, v in told.items() if k not in _written(rules)}
    if not told or any(all(target.get(k, "") == v for k, v in told.items()) for target in meta.targets):
        return ""
    return "on " + ", ".join(f'{k}="{v}"' for k, v in sorted(told.items())) + ", which was not drilled"


def _written(rules: Rules) -> set[str]:
    """Labels that some rule writes anew."""
    return {label for k in rules.known for label in _WRITTEN.findall(k.rule.expr)}
