"""An alert's states from its expression's values, where the engine hides them: of a rule that errors at some moment.

Follows Prometheus's AlertingRule.Eval (rules/alerting.go): an evaluation that errors changes nothing, writes nothing.
"""

from collections.abc import Collection, Iterable, Mapping

from driftdrill.reports.data.timeline import Interval
from driftdrill.stack.rules.files import Rule

Labels = tuple[tuple[str, str], ...]


def intervals(
    rule: Rule, active: Mapping[Labels, Collection[float]], moments: Iterable[float], errors: Collection[float]
) -> dict[Labels, tuple[Interval, ...]]:
    """Pending and firing intervals of each instance, evaluated at ``moments`` in order, seconds.

    ``active`` are the moments at which its expression had a sample, ``errors`` those at which it had none to give.
    """
    out = {}
    evaluations = list(moments)
    for labels, when in active.items():
        held, failed = set(when), set(errors)
        spans: list[tuple[float, str]] = []  # (from when on, state)
        since = kept = None
        state = ""
        for now in evaluations:
            if now in failed:
                continue
            if now in held:
                since = now if since is None else since
                kept = None
                state = "firing" if state == "firing" or now - since >= rule.for_ else "pending"
            elif state == "firing" and rule.keep_firing_for:
                kept = now if kept is None else kept
                state = "firing" if now - kept < rule.keep_firing_for else ""
            else:
                state = ""
            if not state:
                since = None
            if (spans[-1][1] if spans else "") != state:
                spans.append((now, state))
        out[labels] = _closed(spans, evaluations)
    return out


def _closed(spans: list[tuple[float, str]], moments: list[float]) -> tuple[Interval, ...]:
    """The spans of a state, each up to the next; the last one up to where the next evaluation would be."""
    if not spans:
        return ()
    end = 2 * moments[-1] - moments[-2] if len(moments) > 1 else moments[-1] if moments else 0.0
    ends = [start for start, _ in spans[1:]] + [end]
    return tuple(
        Interval(start, stop, "firing" if state == "firing" else "pending")
        for (start, state), stop in zip(spans, ends, strict=True)
        if state
    )
