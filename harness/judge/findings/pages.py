"""Metrics pages: what befell them that no fault of the drill does, so that the rules that read them are not judged.

A page can be down, emptied (or show another set of series), another instance's, stand still while requests are counted
nowhere, or carry timestamps of its own that storage does not take. Each fault says what it may do to a page
(:attr:`~driftdrill.harness.seams.seam.Seam.on_pages`); while it is in force, and as the target recovers from it, that
is the drill. All else makes the drill INVALID where it befalls the target's only page, and the rules that read the page
NOT_JUDGED where it is one of several.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from driftdrill.durations import rounded_duration
from driftdrill.harness.judge.findings.scraped_page import OURS, ScrapedPage, page_key, scraped_pages
from driftdrill.harness.judge.rules.promql import children, kind, matchers, tree
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.recording.columns import Requests
from driftdrill.harness.recording.meta import Meta
from driftdrill.harness.recording.reader import Samples
from driftdrill.harness.seams import recorded_seam
from driftdrill.reports.data.timeline import Phase
from driftdrill.stack.faults.kind import DOWN, EMPTIED, REPLACED, STILL

SCRAPED = 0.95
"""Share of a phase's scrapes that must have found the page there and whole."""
GONE = 0.5
"""Share of its metrics that a page has lost once it counts as another one, or none."""
FEW = 3
"""Scrapes that say little: a counter may stand still or fall for a moment."""
ANSWERED = 10
"""Requests that must have been answered while a page stood still."""
STORED = 0.05
"""Share of a page's samples below which its timestamps are no good."""
STARTED = 2.0
"""Seconds by which one process's start may be told differently."""
START = "process_start_time_seconds"


@dataclass(frozen=True)
class PageFailure:
    """What befell a page. ``metrics`` are the names that no rule can be judged by for it, ``up`` among them."""

    job: str
    instance: str
    why: str
    metrics: frozenset[str]
    whole: bool = True
    """Whether it is all of the page, and not some of its series alone."""

    def read_by(self, known: KnownRule) -> bool:
        """Whether a rule may read the page: a name of it, by no selector that asks for another job or instance."""
        if known.metrics is None:
            return True
        names = known.metrics & self.metrics
        root = tree(known.rule.expr)
        if root is None or names - (known.analysed.metrics or frozenset()):  # through a recording rule
            return bool(names)
        return any(self._selected(s) for s in _selectors(root) if _name(s) in names)

    def _selected(self, selector: Any) -> bool:
        own = {"job": self.job, "instance": self.instance}
        return all(own.get(label, value) == value for label, op, value in matchers(selector) if op == "=")


def _selectors(node: Any) -> Iterable[Any]:
    if kind(node) == "VectorSelector":
        yield node
    for child in children(node):
        yield from _selectors(child)


def _name(selector: Any) -> str:
    return selector.name or next((v for label, op, v in matchers(selector) if (label, op) == ("__name__", "=")), "")


def unread(failed: Sequence[PageFailure], known: KnownRule) -> str | None:
    """Why a rule cannot be judged: what befell a page that it reads; None where nothing did."""
    return next((f.why for f in failed if f.read_by(known)), None)


def reasons(meta: Meta, failed: Sequence[PageFailure]) -> list[str]:
    """The reasons for INVALID among what befell pages: where it was the only one, or no page is left."""
    pages = {page_key(t) for t in meta.targets} - {k for k in map(page_key, meta.targets) if k[0] == OURS}
    lost = {(f.job, f.instance) for f in failed if f.whole}
    return [f.why for f in failed if f.whole] if not pages - lost else []


def failures(
    meta: Meta,
    phases: Mapping[str, Phase],
    requests: Requests,
    samples: Sequence[Samples],
    events: Sequence[Mapping[str, Any]] = (),
) -> tuple[PageFailure, ...]:
    """All that befell the target's pages in baseline, fault and recovery, which no fault of the drill does."""
    refused = {page_key(e["target"]): frozenset(e["names"]) for e in events if e["event"] == "timestamps_refused"}
    behind = {page_key(e["target"]): e["names"] for e in events if e["event"] == "timestamps_behind"}
    out: list[PageFailure] = []
    found = scraped_pages(meta, samples, requests)
    addresses = len(meta.target.get("connections") or [None])
    for page in found:
        early = _shown_early(page, behind.get((page.job, page.instance), {}))
        out += early
        if any(f.whole for f in early):
            continue
        # Behind one address a replica may have no turn for long, and then its counters stand still.
        turns = sum(page.is_like(other) for other in found) > addresses
        for phase in (phases[p] for p in ("baseline", "fault", "recovery")):
            excused = _excused(meta, page, phase)
            start = phases["baseline"].start if phase.name == "baseline" else phases["fault"].start
            checks = [check for what, check in CHECKS if what not in excused and not (turns and check is _still)]
            whys = (check(page, phase, start) for check in checks)
            if whole := [_failed(page, why) for why in whys if why is not None][:1]:
                out += whole
            elif STILL not in excused:
                out += _stopped(page, phase, start, refused.get((page.job, page.instance), frozenset()))
        if DOWN in _excused(meta, page, phases["recovery"]) and page.ends_down(phases["recovery"]):
            why = "was down when the recovery ended: it died, or a fault took it down for good"
            out.append(_failed(page, why))
    # What a page refreshed on an interval of its own showed is another finding.
    if not any(e["event"] == "refreshed_late" for e in events):
        told = {(f.job, f.instance) for f in out if f.whole}
        out += [f for f in _stood_still(found, phases["baseline"]) if (f.job, f.instance) not in told]
    return tuple(out)


def several_processes(meta: Meta, phases: Mapping[str, Phase], samples: Sequence[Samples]) -> list[str]:
    """Observations on pages whose counters fall again and again although no fault does it."""
    out = []
    for page in scraped_pages(meta, samples, None):
        falls = [k for k in page.fell if not any(REPLACED in _excused(meta, page, p) for p in page.within(k, phases))]
        if len(falls) >= FEW and _flaps(page, phases["fault"].start):
            name = page.fallen(falls[0])
            out.append(f"{name} fell {len(falls)} times while up was 1: several workers behind one page")
    return out


Check: TypeAlias = Callable[[ScrapedPage, Phase, float], str | None]
"""(page, phase, the scenario second up to which nothing was done to it) -> what befell it."""


def _failed(page: ScrapedPage, why: str) -> PageFailure:
    return PageFailure(page.job, page.instance, f"{page.name} {why}", page.names)


def _excused(meta: Meta, page: ScrapedPage, phase: Phase) -> frozenset[str]:
    """What faults of the drill may do to a page in a phase, or have done when it begins."""
    if phase.name not in ("fault", "recovery"):
        return frozenset()
    metrics = meta.target.get("metrics") or []
    out: set[str] = set()
    for fault in meta.faults:
        replica = fault.get("replica")
        if isinstance(replica, int) and len(metrics) == len(meta.target.get("connections") or []):
            there = metrics[replica] if replica < len(metrics) else {}
            if (there.get("job"), there.get("instance")) != (page.job, page.instance):
                continue
        out |= set(fault.get("on_pages", recorded_seam(fault).on_pages))
    return frozenset(out)


def _down(page: ScrapedPage, phase: Phase, start: float) -> str | None:
    expected = (phase.end - phase.start) / page.interval
    good = int(page.inside(phase).sum())
    if expected >= 1 and good < SCRAPED * expected - 1:
        return f"was up at {good} of {round(expected)} scrapes in the {phase.name} phase"
    return None


def _emptied(page: ScrapedPage, phase: Phase, start: float) -> str | None:
    """Most of what it always had before ``start`` is missing."""
    before, inside = page.at < start * 1000, page.inside(phase)
    usual = [n for n, shown in page.shown.items() if before.any() and shown[before].mean() >= 0.9]
    if not usual or not inside.any():
        return None
    there = np.mean([page.shown[n] for n in usual], axis=0)
    bad = int((there[inside] <= GONE).sum())
    if bad <= (1 - SCRAPED) * inside.sum() + 1:
        return None
    last = np.flatnonzero(inside & (there <= GONE))[0]
    new = [n for n, shown in page.shown.items() if shown[last] and n not in usual]
    what = f"showed another set of metrics ({_some(new)} in place of {_some(usual)})" if new else "was empty"
    if not new and there[last] > 0:
        what = f"showed {there[last]:.0%} of its metrics only"
    return f"{what} at {bad} of {int(inside.sum())} scrapes in the {phase.name} phase"


def _some(names: Iterable[str]) -> str:
    found = sorted(names)
    return ", ".join(found[:2]) + (", …" if len(found) > 2 else "")


def _replaced(page: ScrapedPage, phase: Phase, start: float) -> str | None:
    """Another process shows it, or its counters fell, where they never did before ``start``."""
    if not len(page.at) or _flaps(page, start):
        return None
    inside = page.inside(phase)
    for name, row in page.values:
        known: list[int] = np.flatnonzero(~np.isnan(row)).tolist()
        if name == START and len(known):
            for i, k in pairwise(known):
                if inside[k] and abs(row[k] - row[i]) > STARTED:
                    return (
                        f"is another process's since {page.when(k)}: {START} moved from {row[i]:.12g} to {row[k]:.12g}"
                    )
    for k in page.fell:
        if inside[k]:
            name = page.fallen(k)
            return f"is another instance's since {page.when(k)}, or the target was restarted: {name} fell"
    return None


def _flaps(page: ScrapedPage, start: float) -> bool:
    """Whether several processes answer by turns, and did before ``start``: no accident of the drill."""
    before = [k for k in page.fell if page.at[k] < start * 1000]
    return len(before) > 1 or (len(page.fell) >= FEW and int((page.at < start * 1000).sum()) < 2 * FEW)


def _still(page: ScrapedPage, phase: Phase, start: float) -> str | None:
    """All that had moved with the requests stands still, for longer than ever before, while requests are answered."""
    shown, moved = page.moved
    asked = np.flatnonzero((page.asked > 0) & shown)
    first, seen, longest = None, 0, 0
    for k in asked:
        if moved[k]:
            longest = max(longest, 0 if first is None else int(((asked >= first) & (asked < k)).sum()))
            first, seen = None, seen + 1
            continue
        first = k if first is None else first
        run = asked[(asked >= first) & (asked <= k)]
        run = run[page.inside(phase)[run]]
        count = int(page.asked[run].sum())
        if seen >= FEW and len(run) > FEW * max(1, longest) and count >= ANSWERED and page.inside(phase)[k]:
            return f"stood still from {page.when(run[0])} on while {count} requests and more were answered"
    return None


def _stood_still(found: Sequence[ScrapedPage], baseline: Phase) -> list[PageFailure]:
    """Pages that stood still before the baseline already and all through it, as a frozen exporter's, the count of
    requests among all else; none where another page counts the requests, since then this one need not.

    A page without a count of requests may well stand still: a constant is healthy.
    """
    out = []
    for page in found:
        before = page.at < baseline.end * 1000
        if page.counts_what_is_asked(page.inside(baseline)):
            return []
        since, name = page.still_since(before)
        run = np.flatnonzero(before & (page.asked > 0))
        run, moving = run[run >= since], run[run < since]
        count = int(page.asked[run].sum())
        whole = len(run) > FEW * max(1, len(moving)) and page.at[run[0]] <= baseline.start * 1000 + page.interval * 1000
        if name and whole and count >= ANSWERED:
            why = f"stood still from {page.when(run[0])} to the end of the baseline, {name} too, while {count} requests"
            out.append(_failed(page, f"{why} were answered: is it this service's page, and does it go on?"))
    return out


def _stamps(page: ScrapedPage, phase: Phase, start: float) -> str | None:
    """Next to nothing of what it shows is stored: its timestamps lie in the past, or stand still."""
    if page.expected is None or not page.explicit:
        return None
    times, counts = page.expected.times, page.expected.values
    # A scrape that failed stores nothing, whatever it showed.
    inside = np.isin(times, page.at[page.inside(phase)]) & ~page.expected.stale
    shown = int(np.nansum(counts[inside]))
    stored = sum(
        int(((s.times >= phase.start * 1000) & (s.times < phase.end * 1000) & ~s.stale).sum()) for s in page.series
    )
    if inside.sum() <= FEW or not shown or stored >= STORED * shown:
        return None
    what = "carries timestamps of its own that lie in the past or stand still"
    return f"{what}: {stored} of {shown} samples were stored in the {phase.name} phase"


def _stopped(page: ScrapedPage, phase: Phase, start: float, refused: frozenset[str]) -> list[PageFailure]:
    """Single metrics whose own timestamps stand still, or lie where storage takes none."""
    inside = page.inside(phase)
    if inside.sum() <= FEW:
        return []
    names: dict[str, bool] = dict.fromkeys(refused, True)
    for s in page.series:
        name = s.labels.get("__name__", "")
        # What vanishes from a page becomes stale; what only keeps its timestamp does not. What had none of its own has
        # vanished, whether or not whoever made the recording marked it.
        ends = bool(s.times[-1] < page.at[inside][0] and not s.stale[-1])
        stops = ends and (name in refused or page.has_own_times(s))
        names[name] = names.get(name, True) and stops
    what = f"{page.name} carries timestamps of their own that lie in the past or stand still in the {phase.name} phase"
    stopped = frozenset(n for n, stops in names.items() if stops)
    return (
        [PageFailure(page.job, page.instance, f"{_some(stopped)} of {what}", stopped, whole=False)] if stopped else []
    )


def _shown_early(page: ScrapedPage, behind: Mapping[str, float]) -> list[PageFailure]:
    """Metrics whose own timestamps lie far behind their scrapes. A live server has such a sample only once it was
    scraped; in virtual time the rules are evaluated over all samples, and see it at its own time: too early."""
    if not behind:
        return []
    names = frozenset(behind)
    late = rounded_duration(max(behind.values()))
    what = f"timestamps of its own up to {late} behind the scrapes that brought them"
    remedy = "rules would see them before a live server has them; drill it with --clock wall"
    if all(s.labels.get("__name__") in names for s in page.series):
        return [_failed(page, f"carries {what}: {remedy}")]
    why = f"{_some(names)} of {page.name} carries {what}: {remedy}"
    return [PageFailure(page.job, page.instance, why, names, whole=False)]


CHECKS: tuple[tuple[str, Check], ...] = (
    (DOWN, _down),
    (STILL, _stamps),
    (EMPTIED, _emptied),
    (REPLACED, _replaced),
    (STILL, _still),
)
"""What can befall a page, each with what a fault may do to one; the first that applies is told."""
