"""A metric that no scrape had: misspelled, of another release, or never exported."""

import difflib
import re
from collections.abc import Collection, Iterable, Iterator

from driftdrill.harness.judge.rules.analysed import ALERT_SERIES
from driftdrill.harness.judge.rules.promql import kind
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why import escaped_name, native_histogram
from driftdrill.harness.judge.why.dry import Dry, asks_for_any_name, dry
from driftdrill.harness.judge.why.phrases import and_through, several
from driftdrill.harness.judge.why.renamed import renamings
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.harness.judge.why.shape import metric
from driftdrill.reports.data.verdict import Reason

_SUFFIXES = ("_total", "_bucket", "_count", "_sum", "_seconds", "_seconds_total", "_info", "_created")


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    missing = [(d, name) for d, name in missing_metrics(rule, seen) if not _told_elsewhere(name, seen)]
    if not missing:
        return None
    names = list(dict.fromkeys(name for _, name in missing))
    through = next((d.through for d, _ in missing if d.through), "")
    return Reason(
        "no_such_metric",
        and_through(f"no scrape had {several(names)}", through),
        "; ".join(_advice(name, seen) for name in names[:3]),
        cannot_fire=any(d.whole for d, _ in missing),
    )


def missing_metrics(rule: KnownRule, seen: Seen) -> Iterator[tuple[Dry, str]]:
    """(where, name) of each metric that a rule needs, that no scrape had and no rule makes."""
    for d in dry(rule, seen.sets):
        if kind(d.node) != "VectorSelector" or asks_for_any_name(d.node):
            continue
        name = metric(d.node)
        if name and name not in seen.named and name not in seen.rules.recorded and name not in ALERT_SERIES:
            yield d, name


def _told_elsewhere(name: str, seen: Seen) -> bool:
    return bool(escaped_name.twins(name, seen.named) or native_histogram.classic(name, seen.named))


def _advice(name: str, seen: Seen) -> str:
    renamed = [
        f"{r.project} renamed {r.old} to {r.new} in {r.release}" + (f", and the page has {other}" if there else "")
        for r, other in renamings(name)
        for there in [other in seen.named]
    ]
    if renamed:
        return renamed[0]
    near = nearest(name, seen.named)
    return f"did you mean {' or '.join(near)}?" if near else f"compare {name} with the metrics page"


def nearest(name: str, names: Collection[str]) -> list[str]:
    """At most two names that a slip of the pen, another separator or another suffix makes of this one."""
    plain: dict[str, str] = {}
    for other in sorted(names):
        plain.setdefault(_plain(other), other)
    if _plain(name) in plain:
        return [plain[_plain(name)]]
    longer = [n for n in names if n in _suffixed(name)]
    if longer:
        return sorted(longer)[:2]
    return [plain[found] for found in difflib.get_close_matches(_plain(name), plain, n=2, cutoff=0.75)]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower())


def _suffixed(name: str) -> Iterable[str]:
    bare = [name, *(name.removesuffix(s) for s in _SUFFIXES if name.endswith(s))]
    return {b + s for b in bare for s in ("", *_SUFFIXES)}
