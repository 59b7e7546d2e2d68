"""Drive a real demo service through virtual time, and let promtool evaluate a rule file over what it told."""

import functools
import json
import math
import re
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import requests

from driftdrill.stack.model_service import Service, flights
from driftdrill.stack.model_service.flights import Batch

RULES = Path(__file__).parents[2] / "driftdrill" / "scenarios" / "rules"
Change = Callable[[Batch, np.random.Generator], Batch]


@dataclass(frozen=True)
class Pace:
    """How a rule file is meant to be driven: seconds between scrapes and evaluations, rows a second, its window."""

    rules: Path
    interval: float
    rate: float
    window: float
    window_name: str


MINUTES = Pace(RULES / "demo.yml", 15, 2, 600, "10m")
SECONDS = Pace(RULES / "demo_seconds.yml", 1, 40, 15, "15s")


@dataclass(frozen=True)
class Outcome:
    """What the rules made of a run: alerts (``Name`` or ``Name/feature``) and recorded series, times in seconds."""

    firing: dict[str, list[float]]
    recorded: dict[str, dict[float, float]]

    def values(self, series: str, since: float = 0) -> list[float]:
        """The values of a recorded series from a time on."""
        return [value for at, value in self.recorded[series].items() if at >= since]


def as_rows(batch: Batch) -> list[dict[str, Any]]:
    """A batch as JSON objects; NaN is null; the truth is not sent."""
    columns = {name: _plain(column.tolist()) for name, column in batch.items() if name != flights.TRUTH}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _plain(values: list[Any]) -> list[Any]:
    return [None if isinstance(v, float) and math.isnan(v) else v for v in values]


held_out = functools.cache(flights.held_out)


def draw(count: int, rng: np.random.Generator) -> Batch:
    """Held-out rows, drawn with replacement."""
    source = held_out()
    chosen = rng.integers(0, len(source[flights.TRUTH]), count)
    return {name: column[chosen] for name, column in source.items()}


def clean(batch: Batch, _: np.random.Generator) -> Batch:
    """No change."""
    return batch


Pages = Sequence[str]
"""The metrics page at each scrape."""


def run(service: Service, pace: Pace, duration: float, change: Change = clean, at: float = 0) -> Outcome:
    """Held-out rows, from ``at`` on (seconds) changed; what the rules say of the service that answers them."""
    return told(drive(service, pace, duration, change, at), pace)


def drive(service: Service, pace: Pace, duration: float, change: Change = clean, at: float = 0) -> Pages:
    """What the service tells, scrape by scrape, while it answers held-out rows, from ``at`` on changed."""
    rng, pages = np.random.default_rng(0), []
    with requests.Session() as session:
        for number in range(round(duration / pace.interval)):
            batch = draw(round(pace.rate * pace.interval), rng)
            batch = change(batch, rng) if number * pace.interval >= at else batch
            session.post(service.predict_url, json={"rows": as_rows(batch)}, timeout=30).raise_for_status()
            pages.append(session.get(service.metrics_url, timeout=30).text)
    return pages


def told(pages: Pages, pace: Pace, replicas: int = 1) -> Outcome:
    """What the rules say when ``replicas`` services tell these pages."""
    series = defaultdict[str, list[str]](list)
    for number, page in enumerate(pages):
        now = {name: value for instance in range(replicas) for name, value in scrape(page, instance)}
        for name in series.keys() | now.keys():
            gone = "stale" if series[name][-1:] not in (["stale"], ["_"]) else "_"
            series[name] += ["_"] * (number - len(series[name])) + [now.get(name, gone)]
    return evaluate(pace, series, len(pages))


def scrape(page: str, instance: int) -> Iterator[tuple[str, str]]:
    """Each series of a page as Prometheus would name it, of job "model", and its value."""
    given = f'job="model",instance="{instance}"'
    yield f"up{{{given}}}", "1"
    for line in page.splitlines():
        if not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            yield (f"{series[:-1]},{given}}}" if series.endswith("}") else f"{series}{{{given}}}"), value


def evaluate(pace: Pace, series: Mapping[str, Sequence[str]], scrapes: int) -> Outcome:
    """``promtool test rules`` over one value a scrape; a scrape comes a third of the interval after an evaluation."""
    read = pace.rules.read_text()
    test = {
        "rule_files": [str(pace.rules)],
        "evaluation_interval": f"{pace.interval}s",
        "group_eval_order": ["model_data", "model_predictions", "model_service"],
        "tests": [
            {
                "interval": f"{pace.interval * 1000 / 3:.0f}ms",
                "input_series": [
                    {"series": name, "values": " ".join(f"_ {value} _" for value in values)}
                    for name, values in series.items()
                    if name.partition("{")[0] in read
                ],
                "promql_expr_test": [
                    {"expr": f'{{__name__=~"ALERTS|job.*"}} # {at}', "eval_time": f"{at}s", "exp_samples": []}
                    for at in (number * pace.interval for number in range(1, scrapes))
                ],
            }
        ],
    }
    command = ["promtool", "test", "rules", "/dev/stdin"]
    done = subprocess.run(command, input=json.dumps(test), capture_output=True, text=True, timeout=120, check=False)
    return _read(done.stderr)


def _read(said: str) -> Outcome:
    """What promtool got where it expected nothing."""
    firing, recorded = defaultdict[str, list[float]](list), defaultdict[str, dict[float, float]](dict)
    found = re.findall(r"# ([\d.]+)\", time: .*\n.*\n\s+got:(.*)", said)
    assert found, said
    assert "err:" not in said, said
    for at, got in found:
        for text, value in re.findall(r"\{(.*?)\} (\S+?)(?:,|$)", got):
            labels = dict(re.findall(r'(\w+)="(.*?)"', text))
            series = "/".join(filter(None, [labels.get("alertname", labels["__name__"]), labels.get("feature")]))
            if labels.get("alertstate") == "firing":
                firing[series].append(float(at))
            elif "alertstate" not in labels and "bin" not in labels:
                recorded[series][float(at)] = float(value)
    return Outcome(dict(firing), dict(recorded))
