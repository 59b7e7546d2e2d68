"""What limits a judgement: what virtual time cannot show, clocks that rules read, metrics that no scrape had."""

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from driftdrill.durations import rounded_duration
from driftdrill.harness.judge.findings.responses import Facts
from driftdrill.harness.judge.rules.rules import KnownRule, Rules
from driftdrill.harness.recording.meta import Meta
from driftdrill.harness.recording.reader import Samples

_SPENT = (
    r"(process_(?!start_time)|node_|container_|go_|python_gc_|machine_|jvm_).*"
    r"|.*(in_?progress|inflight|in_flight|queue_length|pending_requests).*|scrape_duration_seconds"
)
SPENT = re.compile(_SPENT)
"""Metrics by their names of what a machine or process spends, and of what is in progress."""
WALL_ONLY = re.compile(_SPENT + r"|.*_(duration|latency)_(seconds|milliseconds|ms).*")
"""Those and durations."""
TIMESTAMP = re.compile(r".*_(timestamp|time)(_seconds)?")

EDGE = 1e-9
"""Share of a threshold."""
WALL = "wall clock only"
ON_THE_EDGE = "on the edge"
REBASED = "rebased time()"
CALENDAR = "reads the time of day"
AT = "judged at"
DEAD = "dead rule"


def wall_only(meta: Meta, events: Sequence[Mapping[str, Any]], samples: Sequence[Samples]) -> frozenset[str]:
    """Names of metrics that a drill in virtual time cannot show; none on the wall clock."""
    if meta.clock == "wall":
        return frozenset()
    moved = {name for e in events if e["event"] == "moves_idle" for name in e["names"]}
    names = {s.labels.get("__name__", "") for s in samples}
    return frozenset(moved | {n for n in names if WALL_ONLY.fullmatch(n)})


def real_time_only(meta: Meta, events: Sequence[Mapping[str, Any]], samples: Sequence[Samples]) -> frozenset[str]:
    """Of these, the ones whose silence proves nothing in virtual time: what moves while no request is answered, what a
    machine or process spends, what waits. A duration that a service measures is real on either clock."""
    if meta.clock == "wall":
        return frozenset()
    moved = {name for e in events if e["event"] == "moves_idle" for name in e["names"]}
    names = {s.labels.get("__name__", "") for s in samples}
    return frozenset(moved | {n for n in names if SPENT.fullmatch(n)})


def untested(known: KnownRule, real_time: Collection[str]) -> str:
    """Why virtual time did not put an alert to the test; empty where it did."""
    read = sorted((known.metrics or frozenset()) & set(real_time))
    return f"virtual time does not show {', '.join(read)}: drill it with --clock wall" if read else ""


def on_the_edge(known: KnownRule, facts: Facts) -> tuple[str, ...]:
    """A mark where a value comes so near the threshold that the order in which an engine adds may decide."""
    threshold = known.analysed.threshold
    if threshold is None or not math.isfinite(threshold.number):
        return ()
    limit = abs(threshold.number) * EDGE
    for times, values in facts.left.get(threshold.left, {}).values():
        for t, v in zip(times, values, strict=True):
            whole = float(v).is_integer() and float(threshold.number).is_integer()
            if abs(v - threshold.number) < limit and not whole:
                return (
                    f"{ON_THE_EDGE}: {v:.12g} {threshold.comparison} {threshold.number:.12g} at {rounded_duration(t)}",
                )
    return ()


def marks(
    known: KnownRule, wall: Collection[str], present: Collection[str], rebased: bool, moments: Sequence[str] = ()
) -> tuple[str, ...]:
    """The marks of one alert. ``present`` are the metrics that some scrape had, ``moments`` those it was judged at."""
    out = []
    if known.metrics is not None and known.metrics & set(wall):
        out.append(f"{WALL}: {', '.join(sorted(known.metrics & set(wall)))}")
    if known.reads_clock and moments:
        out.append(f"{AT} {', '.join(moments)}")
    elif rebased and known.reads_clock:
        out.append(REBASED if re.search(r"\btime(stamp)?\s*\(", known.rule.expr) else CALENDAR)
    missing = absent_metrics(known, present)
    if missing:
        out.append(f"{DEAD}: no scrape had {', '.join(missing)}")
    return tuple(out)


def absent_metrics(known: KnownRule, present: Collection[str]) -> list[str]:
    """The metrics that an alert needs and no scrape had; none for a rule that asks for absence.

    A rule that can do with one of several is dead only if all are missing.
    """
    if known.metrics is None or "absent" in known.rule.expr:
        return []
    missing = sorted(known.metrics - set(present) - {"ALERTS", "ALERTS_FOR_STATE"})
    alternative = re.search(r"\bor\b", known.rule.expr) is not None
    return [] if alternative and len(missing) < len(known.metrics) else missing


def rebase(samples: Sequence[Samples], rules: Rules, meta: Meta, zero: float) -> list[Samples]:
    """Timestamp metrics that rules compare with time(), moved to the clock that the rules read.

    At scenario second 0 that clock says ``zero``: the engine's own second, since its time begins in 1970, or a chosen
    moment. A Unix time t becomes t - started_at + zero, so that ``time() - t`` is the age that it was.
    """
    read = [k.metrics for k in rules.known if k.reads_clock]
    if any(m is None for m in read):
        names = {s.labels.get("__name__", "") for s in samples}
    else:
        names = {name for metrics in read for name in metrics or ()}
    chosen = {n for n in names if TIMESTAMP.fullmatch(n)}
    return [
        replace(s, values=np.where(s.stale, s.values, s.values - meta.started_at + zero))
        if s.labels.get("__name__") in chosen
        else s
        for s in samples
    ]
