"""Live servers for the conformance test: pages that change by a script, rules in many copies, and what was fetched.

A live server evaluates each group at a phase of its own, hashed from its name, and a scrape is visible only once it is
stored. So the rules run in several copies, and a copy is compared only if none of its evaluations raced with a scrape,
or with a group that it reads: nobody can know the outcome of a race from the samples.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from driftdrill.harness.drive.prometheus_fetch import PrometheusFetch
from driftdrill.harness.judge.rules.rules import Rules
from driftdrill.harness.recording.reader import Recording, Samples, open_recording
from driftdrill.harness.recording.writer import Writer
from driftdrill.stack.connection import Connection
from driftdrill.stack.prometheus.api import Server, query
from driftdrill.stack.prometheus.server import prometheus
from driftdrill.stack.rules.files import parse
from driftdrill.stack.scrape.job import page_job
from tests.harness.command import eventually
from tests.harness.made import make
from tests.stack.scrape.page_server import Page, PageServer

COPIES = 16
SCRAPES = 44
REPLICAS = ("a", "b")
READS = {"records": (), "slow": ("records",), "alerts": ("records", "slow"), "late": ("records", "slow")}
"""Group -> groups that it reads."""
RACE = 0.06
"""Seconds that a scrape takes to be stored after its end, and a group to be evaluated, at most."""

RULES = """
groups:
- name: records-{c}
  rules:
  - {{record: evaluated, expr: vector(1), labels: {{copy: '{c}', group: records}}}}
  - {{record: 'job:requests:rate5s', expr: 'sum by (job, code) (rate(requests_total[5s]))', labels: {{copy: '{c}'}}}}
  - {{record: 'requests:increase10s', expr: 'increase(requests_total[10s])', labels: {{copy: '{c}'}}}}
  - {{record: 'requests:resets', expr: 'resets(requests_total[20s])', labels: {{copy: '{c}'}}}}
  - {{record: 'latency:p90', expr: 'histogram_quantile(0.9, sum by (replica, le) (rate(latency_seconds_bucket[6s])))',
      labels: {{copy: '{c}'}}}}
  - {{record: 'latency:mean', labels: {{copy: '{c}'}},
      expr: 'rate(latency_seconds_sum[5s]) / rate(latency_seconds_count[5s])'}}
  - {{record: 'temperature:now', expr: temperature, labels: {{copy: '{c}'}}}}
  - {{record: 'temperature:avg4s', expr: 'avg_over_time(temperature[4s])', labels: {{copy: '{c}'}}}}
  - {{record: 'temperature:slope', expr: 'deriv(temperature[7s])', labels: {{copy: '{c}'}}}}
  - {{record: 'replicas:up', expr: 'count(up == 1) or vector(0)', labels: {{copy: '{c}'}}}}
  - {{record: 'errors:ratio', labels: {{copy: '{c}'}},
      expr: 'sum(job:requests:rate5s{{copy="{c}",code="500"}}) / sum(job:requests:rate5s{{copy="{c}"}})'}}
- name: slow-{c}
  interval: 3s
  rules:
  - {{record: evaluated, expr: vector(1), labels: {{copy: '{c}', group: slow}}}}
  - {{record: 'slow:requests:increase', expr: 'sum by (code) (increase(requests_total[9s]))', labels: {{copy: '{c}'}}}}
  - {{record: 'slow:rate:max', expr: 'max_over_time(job:requests:rate5s{{copy="{c}"}}[6s])', labels: {{copy: '{c}'}}}}
- name: alerts-{c}
  rules:
  - {{record: evaluated, expr: vector(1), labels: {{copy: '{c}', group: alerts}}}}
  - {{alert: Errors, expr: 'errors:ratio{{copy="{c}"}} > 0.2', for: 3s, keep_firing_for: 4s, labels: {{copy: '{c}'}}}}
  - {{alert: Gone, expr: absent(old_name), for: 4s, labels: {{copy: '{c}'}}}}
  - {{alert: Never, expr: absent(never_there), for: 15s, labels: {{copy: '{c}'}}}}
  - {{alert: Down, expr: up == 0, for: 1s, labels: {{copy: '{c}'}}}}
  - {{alert: Slow, expr: 'latency:p90{{copy="{c}"}} > 0.5', keep_firing_for: 5s, labels: {{copy: '{c}'}}}}
  - {{alert: NotANumber, expr: temperature != temperature, labels: {{copy: '{c}'}}}}
  - {{alert: Hot, expr: temperature > 50, for: 2s, labels: {{copy: '{c}'}}}}
  - {{alert: Degrees, expr: temperature > 50, labels: {{copy: '{c}', heat: '{{{{ $value }}}}'}}}}
  - {{alert: Vanished, expr: 'absent_over_time(flappy[3s])', labels: {{copy: '{c}'}}}}
  - {{alert: FirstError, expr: 'increase(requests_total{{code="500"}}[5s]) > 0', labels: {{copy: '{c}'}}}}
  - {{alert: Busy, expr: 'slow:requests:increase{{copy="{c}"}} > 60', for: 4s, labels: {{copy: '{c}'}}}}
- name: late-{c}
  interval: 2s
  rules:
  - {{record: evaluated, expr: vector(1), labels: {{copy: '{c}', group: late}}}}
  - {{alert: NoTraffic, expr: 'sum(job:requests:rate5s{{copy="{c}",code="200"}}) < 5', for: 2s, keep_firing_for: 3s,
      labels: {{copy: '{c}'}}}}
  - {{alert: Peak, expr: 'slow:rate:max{{copy="{c}"}} > 9', for: 2s, labels: {{copy: '{c}'}}}}
"""


def page(replica: str, k: int) -> Page:
    """Scrape ``k`` of a replica: resets, series that come, vanish and are renamed, NaN, Inf, failures of two kinds."""
    if k in (16, 17, 18) or (replica == "b" and k == 30):
        return Page(b"no", status=500)
    if k == 24:
        return Page(b"temperature{ 1\n")  # what cannot be parsed
    since_reset = k if k < 14 else k - 14 if k < 27 else k - 27
    lines = [f'requests_total{{code="200"}} {7 * min(since_reset, 3) + (k * k) % 5}']
    if 8 <= k < 20 or k >= 26:
        lines.append(f'requests_total{{code="500"}} {min(max(0, since_reset - 3), 9) * 4}')
    for le, share in (("0.1", 0.2), ("0.5", 0.9 if k < 20 else 0.4), ("1", 0.95), ("+Inf", 1.0)):
        lines.append(f'latency_seconds_bucket{{le="{le}"}} {math.floor(11 * k * share)}')
    total = "NaN" if 12 <= k < 15 else f"{3.3 * k + 0.1}"
    lines += [f"latency_seconds_sum {total}", f"latency_seconds_count {11 * k}"]
    odd = {9: "NaN", 10: "NaN", 20: "+Inf", 21: "+Inf", 22: "-Inf"}
    heat = 60 + k / 7 if 28 <= k < 35 else 20 + k / 3
    lines.append(f"temperature {odd.get(k, heat)}")
    lines.append(f"{'old_name' if k < 22 else 'new_name'} 1")
    if k % 9 < 4:
        lines.append(f"flappy {k}")
    return Page("\n".join([*lines, ""]).encode())


Stored = dict[tuple[tuple[str, str], ...], dict[int, float | None]]
"""Labels -> milliseconds -> value; NaN is None, so that it equals itself."""


@dataclass(frozen=True)
class Live:
    """What a live server made, and the samples that it made it from."""

    recording: Recording
    server: Server
    copies: tuple[int, ...]
    """Copies of the rules that no race touched."""

    @cached_property
    def samples(self) -> list[Samples]:
        """What was scraped."""
        return self.recording.samples()

    @cached_property
    def made(self) -> list[Samples]:
        """What the server made of all copies."""
        return self.recording.samples("alerts")

    def rules(self, copy: int) -> Rules:
        """One copy of the rules."""
        return Rules(tuple(parse(RULES.format(c=copy), "rules.yml")))

    def served(self, copy: int) -> list[Samples]:
        """What the server made of one copy."""
        return [s for s in self.made if s.labels.get("copy") == str(copy)]

    def window(self, copy: int) -> tuple[float, float]:
        """The seconds in which every group was evaluated; a server writes no ALERTS at its first two evaluations."""
        evaluated = [s.times for s in self.served(copy) if s.labels["__name__"] == "evaluated"]
        return (max(int(t[0]) for t in evaluated) + 3000) / 1000, min(int(t[-1]) for t in evaluated) / 1000

    def recorded(self, copy: int) -> Stored:
        """The recorded series of one copy in its window, as the server stored them."""
        start, end = (round(1000 * t) for t in self.window(copy))
        out: Stored = {}
        for s in self.served(copy):
            inside = [(t, v) for t, v in zip(s.times.tolist(), s.values.tolist(), strict=True) if start <= t <= end]
            if inside and s.labels["__name__"] != "ALERTS":
                out[tuple(sorted(s.labels.items()))] = {
                    t: None if math.isnan(v) else float(f"{v:.12g}") for t, v in inside
                }
        return out


@contextmanager
def started(binary: Path, name: str, pages: PageServer, folder: Path) -> Iterator[Server]:
    """A server of this binary that scrapes both replicas and evaluates every copy of the rules, each second."""
    for c in range(COPIES):
        (folder / f"{c}.yml").write_text(RULES.format(c=c))
    ends = {r: Connection(f"http://{pages.address}/{name}/{r}") for r in REPLICAS}
    for r in REPLICAS:
        pages.answers[f"/{name}/{r}"] = lambda _asked, k, r=r: page(r, k)
    scraped = [page_job("m", e, labels={"instance": r, "replica": r}, interval=1) for r, e in ends.items()]
    with prometheus(
        jobs=scraped,
        rule_files=[folder / "*.yml"],
        scrape_interval=1,
        evaluation_interval=1,
        how="binary",
        binary=str(binary),
    ) as server:
        yield server


def fetched(server: Server, name: str, pages: PageServer, folder: Path, started_at: float) -> Live:
    """Wait for the script's end, fetching in steps as a drive does, and find the copies that no race touched."""
    names = {r.name for f in parse(RULES.format(c=0), "") for g in f.groups for r in g.rules if r.kind == "record"}
    template = make(folder, {}, RULES.format(c=0), end=False, meta={"clock": "wall"}, name=f"{name}-template.drill")
    writer = Writer(folder / f"{name}.drill", template.meta)
    fetcher = PrometheusFetch(server, frozenset({"m"}), frozenset(names), started_at)
    for k in range(11, SCRAPES + 1, 11):
        pages.await_requests({f"/{name}/{r}": k for r in REPLICAS}, f"Prometheus/{name}", timeout=60)
        (newest,) = query(server, "max(timestamp(up))")
        fetcher.step(writer, newest.samples[0][1] - started_at)
    eventually(partial(_met, server, newest.samples[0][1]), "every group is evaluated after the last scrape")
    fetcher.step(writer, newest.samples[0][1] - started_at + 5)
    one = Live(open_recording(writer.path), server, ())
    return replace(one, copies=tuple(c for c in range(COPIES) if not raced(one.samples, one.made, c)))


def _met(server: Server, scrape: float) -> bool:
    """Whether every group was evaluated after this moment, Unix seconds."""
    return bool(query(server, f"min(timestamp(evaluated)) > {scrape}"))


def raced(samples: list[Samples], made: list[Samples], copy: int) -> str:
    """Why the outcome of this copy cannot be known from the samples: an evaluation missed or a race; "" if it can."""
    ours = [s for s in made if s.labels["__name__"] == "evaluated" and s.labels["copy"] == str(copy)]
    evaluated = {s.labels["group"]: s.times for s in ours}
    groups = {g.name.partition("-")[0]: g for f in parse(RULES.format(c=copy), "") for g in f.groups}
    for name, times in evaluated.items():
        if set(np.diff(times).tolist()) - {round((groups[name].interval or 1) * 1000)}:
            return f"{name} missed an evaluation"
        for at, took in scrapes(samples).values():
            stored = at + took + RACE * 1000
            newest = np.searchsorted(at, times, side="right") - 1
            if (stored[newest[newest >= 0]] > times[newest >= 0]).any():
                return f"{name} raced with a scrape"
        for read in READS[name]:
            newest = np.searchsorted(evaluated[read], times, side="right") - 1
            if (times[newest >= 0] - evaluated[read][newest[newest >= 0]] < RACE * 1000).any():
                return f"{name} raced with {read}"
    return ""


def scrapes(samples: list[Samples]) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
    """Replica -> (scrapes, how long each took), milliseconds."""
    found = [s for s in samples if s.labels.get("__name__") == "scrape_duration_seconds"]
    return {s.labels["replica"]: (s.times, s.values * 1000) for s in found}
