"""What limits a judgement: what virtual time cannot show, clocks that rules read, values at the very threshold."""

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from driftdrill.durations import format_duration, rounded_duration
from driftdrill.harness.judge.findings.responses import Facts
from driftdrill.harness.judge.rules.promql import children, tree
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
EDGE = 1e-9
"""Share of a threshold."""
WALL = "wall clock only"
ON_THE_EDGE = "on the edge"
REBASED = "rebased time()"
CALENDAR = "reads the time of day"
AT = "judged at"


def wall_only(meta: Meta, events: Sequence[Mapping[str, Any]], samples: Sequence[Samples]) -> frozenset[str]:
    """Names of metrics that a drill in virtual time cannot show; none on the wall clock."""
    return _of_real_time_by_name(WALL_ONLY, meta, events, samples)


def real_time_only(meta: Meta, events: Sequence[Mapping[str, Any]], samples: Sequence[Samples]) -> frozenset[str]:
    """Of these, the ones whose silence proves nothing in virtual time: what moves while no request is answered, what a
    machine or process spends, what waits. A duration that a service measures is real on either clock."""
    return _of_real_time_by_name(SPENT, meta, events, samples)


def _of_real_time_by_name(
    pattern: re.Pattern[str], meta: Meta, events: Sequence[Mapping[str, Any]], samples: Sequence[Samples]
) -> frozenset[str]:
    if meta.clock == "wall":
        return frozenset()
    moved = {name for e in events if e["event"] == "moves_idle" for name in e["names"]}
    names = {s.labels.get("__name__", "") for s in samples}
    return frozenset(moved | {n for n in names if pattern.fullmatch(n)})


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


def marks(known: KnownRule, wall: Collection[str], rebased: bool, moments: Sequence[str] = ()) -> tuple[str, ...]:
    """The marks of one alert. ``moments`` are those it was judged at."""
    out = []
    if known.metrics is not None and known.metrics & set(wall):
        out.append(f"{WALL}: {', '.join(sorted(known.metrics & set(wall)))}")
    if known.reads_clock and moments:
        out.append(f"{AT} {', '.join(moments)}")
    elif rebased and known.reads_clock:
        out.append(REBASED if re.search(r"\btime(stamp)?\s*\(|ALERTS_FOR_STATE", known.rule.expr) else CALENDAR)
    return tuple(out)


UNIX = ((1.0, "seconds"), (1e3, "milliseconds"), (1e6, "microseconds"), (1e9, "nanoseconds"))
TEN_YEARS = 10 * 365.25 * 86400.0


def unix_scale(values: npt.NDArray[np.float64], near: float) -> float | None:
    """What a second is in these values, where all are Unix times within ten years of ``near``; None where they are not.

    A value says by its size whether it counts seconds, milliseconds, microseconds or nanoseconds.
    """
    for scale, _ in UNIX:
        if len(values) and (np.abs(values / scale - near) < TEN_YEARS).all():
            return scale
    return None


def rebase(samples: Sequence[Samples], rules: Rules, meta: Meta, zero: float) -> list[Samples]:
    """Unix times that rules compare with time(), moved to the clock that the rules read; told by their values, not by
    a metric's name.

    At scenario second 0 that clock says ``zero``: the engine's own second, since its time begins in 1970, or a chosen
    moment. A Unix time t becomes t - started_at + zero, so that ``time() - t`` is the age that it was.
    """
    out = []
    for s in samples:
        compared = rules.beside_clock is None or s.labels.get("__name__") in rules.beside_clock
        scale = unix_scale(_numbers(s), meta.started_at) if compared else None
        moved = s.values if scale is None else np.where(s.stale, s.values, s.values + (zero - meta.started_at) * scale)
        out.append(replace(s, values=moved))
    return out


def of_order(known: KnownRule, circle: Sequence[KnownRule]) -> str:
    """Why an alert cannot be judged that reads rules which read one another at several intervals: a server's order of
    them, which decides, is not said anywhere. Empty without such a ``circle``."""
    if not circle:
        return ""
    places = ", ".join(f"{k.rule.name} ({k.where})" for k in sorted(circle, key=lambda k: k.index))
    what = "it is one of rules that read" if known in circle else "it reads rules that read"
    return f"{what} what the others make, at several intervals, in an order that is not said: {places}"


def of_future(known: KnownRule) -> str:
    """Why an alert cannot be judged that reads what lies ahead, which a recording has; empty where it does not."""
    root = tree(known.rule.expr)
    ahead = _ahead(root) if root is not None else 0.0
    if ahead >= 0:
        return ""
    span = format_duration(-ahead)
    return f"it reads {span} ahead (offset -{span}), where a live server has nothing yet and a recording has"


def _ahead(node: Any) -> float:
    """The most negative offset below a node, seconds; 0 where there is none."""
    offset = getattr(node, "offset", None)
    own = 0.0 if offset is None else float(offset.total_seconds())
    return min([own, *(_ahead(child) for child in children(node))])


def _numbers(s: Samples) -> npt.NDArray[np.float64]:
    return s.values[np.isfinite(s.values)]


def of_real_time(known: KnownRule, rules: Rules, samples: Sequence[Samples], meta: Meta) -> str:
    """Why virtual time cannot judge an alert at all: it compares the clock with Unix times that the service went on
    setting, by its own clock, which stood nearly still. Empty where that is not so."""
    if meta.clock == "wall" or not known.reads_clock:
        return ""
    for s in samples:
        name, values = s.labels.get("__name__", ""), _numbers(s)
        compared = rules.beside_clock is None or name in rules.beside_clock
        read = compared and (known.metrics is None or name in known.metrics)
        if read and unix_scale(values, meta.started_at) is not None and (values != values[0]).any():
            return f"{name} is set by the service's clock, to which the drill took seconds: drill it with --clock wall"
    return ""
