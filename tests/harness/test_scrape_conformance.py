"""The scraper beside a real Prometheus on the same pages: same series and labels, same values to the bit.

By default against ``prometheus`` on PATH; DRIFTDRILL_PROMETHEUS_BINARIES may list several, separated by colons.
"""

import json
import os
import shutil
import ssl
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from harness.drive.recording import STALE_BITS
from harness.drive.scrape import Scraper, ScrapeTarget
from stack.prometheus import prometheus
from stack.prometheus_yml import jobs_from_prometheus_yml
from tests.harness.pages import Page, PageServer, page_server
from tests.harness.remote_read import stored_samples
from tests.harness.scrape_cases import Case, cases, stamped

BINARIES = os.environ.get("DRIFTDRILL_PROMETHEUS_BINARIES", shutil.which("prometheus") or "").split(":")
STAMPED = stamped(0)
CASES = cases() | {case.name: case for case in STAMPED}
INTERVAL = "1s"
Series = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Scraped:
    """One scrape of one case, from either side: series -> bits, and samples with times of their own."""

    samples: dict[Series, int]
    explicit: frozenset[tuple[Series, int, int]]


@dataclass(frozen=True)
class Outcome:
    """By case, the scrapes in turn."""

    major: int
    theirs: dict[str, list[Scraped]]
    ours: dict[str, list[Scraped]]
    requests: dict[str, tuple[Mapping[str, str], Mapping[str, str]]]


@pytest.fixture(scope="module", params=[b for b in BINARIES if b], ids=lambda b: Path(os.path.dirname(b)).name)
def outcome(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Everything once: one Prometheus and one scraper on one server of pages."""
    folder = tmp_path_factory.mktemp("scrape")
    version = subprocess.run([request.param, "--version"], capture_output=True, text=True, timeout=10, check=True)
    major = int((version.stdout + version.stderr).split("version ")[1].split(".")[0])
    chosen = cases() | {case.name: case for case in stamped(int(time.time()) // 1000 * 1000 * 1000 - 200_000)}
    chosen = {name: case for name, case in chosen.items() if case.since <= major}
    with page_server() as pages, page_server(_tls_context(folder)) as secure:
        for case in chosen.values():
            server = secure if case.secure else pages
            if case.answer is not None:
                server.answers[f"/{case.name}"] = lambda asked, _, case=case: case.answer(asked)
            elif case.steps:
                server.serve(f"/{case.name}", *case.steps)
        config = _config(chosen, pages, secure, folder)
        theirs = _prometheus(config, chosen, (pages, secure), request.param)
        ours = _ours(config, chosen, folder)
        asked = {
            name: (
                pages.requests(f"/{name}", "Prometheus")[0].headers,
                pages.requests(f"/{name}", "driftdrill")[0].headers,
            )
            for name in ("text-plain", "open-plain")
        }
    return Outcome(major, theirs, ours, asked)


def _tls_context(folder: Path) -> ssl.SSLContext:
    """One certificate is authority, server and client; the client must show it."""
    files = ["-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"]
    subject = ["-subj", "/CN=metrics.test", "-addext", "subjectAltName=DNS:metrics.test"]
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    subprocess.run([*command, *files, *subject], check=True, capture_output=True, timeout=30)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=f"{folder}/cert.pem")
    context.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _discovered(pages: PageServer, folder: Path) -> None:
    """What the three kinds of discovery answer."""

    def groups(case: str) -> list[dict[str, Any]]:
        return [{"targets": [pages.address], "labels": {"case": case, "__meta_x": "1", "zone": "a"}}]

    (folder / "sd-1.json").write_text(json.dumps(groups("file-discovery")))
    (folder / "sd.yml").write_text(yaml.safe_dump(groups("file-discovery-yaml")))
    pages.serve("/sd", Page(json.dumps(groups("http-discovery")).encode(), "application/json; charset=utf-8"))


def _config(chosen: Mapping[str, Case], pages: PageServer, secure: PageServer, folder: Path) -> dict[str, Any]:
    (folder / "token").write_text("from-file\n")
    _discovered(pages, folder)
    jobs = []
    for case in chosen.values():
        address = secure.address if case.secure else pages.address
        job = {
            "job_name": case.name,
            "metrics_path": f"/{case.name}",
            "static_configs": [{"targets": [address], "labels": {"case": case.name}}],
            **case.job,
        }
        text = (
            json.dumps(job).replace("{address}", address).replace("{case}", case.name).replace("{folder}", str(folder))
        )
        jobs.append(json.loads(text))
    return {"global": {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL}, "scrape_configs": jobs}


def _prometheus(
    config: Mapping[str, Any], chosen: Mapping[str, Case], servers: Sequence[PageServer], binary: str
) -> dict[str, list[Scraped]]:
    with prometheus(config=config, how="binary", binary=binary) as server:
        for pages in servers:
            wanted = {f"/{case.name}": case.scrapes + 1 for case in chosen.values() if case.at_least}
            wanted = {path: n for path, n in wanted.items() if path in pages.answers}
            pages.await_requests(wanted, "Prometheus", timeout=60)
        stored = stored_samples(server.connection.url)
    out: dict[str, list[Scraped]] = {}
    for case in {dict(labels).get("case", "") for labels in stored}:
        series = {labels: samples for labels, samples in stored.items() if dict(labels).get("case", "") == case}
        times = [t for labels, samples in series.items() if dict(labels)["__name__"] == "up" for t, _ in samples]
        out[case] = [
            Scraped({labels: bits for labels, samples in series.items() for t, bits in samples if t == at}, frozenset())
            for at in sorted(times)
        ]
        explicit = [(labels, t, bits) for labels, samples in series.items() for t, bits in samples if t not in times]
        if explicit:
            out[case].insert(0, Scraped({}, frozenset(explicit)))
    return out


def _ours(config: Mapping[str, Any], chosen: Mapping[str, Case], folder: Path) -> dict[str, list[Scraped]]:
    (folder / "prometheus.yml").write_text(yaml.safe_dump(dict(config)))
    jobs = jobs_from_prometheus_yml(folder / "prometheus.yml")
    out: dict[str, list[Scraped]] = {}
    with Scraper(jobs, evaluation_intervals=[15]) as scraper:
        for target in scraper.targets:
            case = chosen[target.job.name]
            scrapes, explicit = [], set()
            for _ in range(case.scrapes):
                one = _scraped(scraper, target)
                explicit |= one.explicit
                scrapes.append(Scraped(one.samples, frozenset()))
            name = target.labels["case"]
            out[name] = [Scraped({}, frozenset(explicit)), *scrapes] if explicit else scrapes
    return out


def _scraped(scraper: Scraper, target: ScrapeTarget) -> Scraped:
    found = scraper.scrape(target, time.time())
    samples, explicit = {}, set()
    times = found.times if found.times is not None else np.full(len(found.ids), np.nan)
    for i, bits, t in zip(found.ids.tolist(), found.values.view(np.uint64).tolist(), times.tolist(), strict=True):
        labels = tuple(sorted(scraper.table.labels(i).items()))
        if np.isnan(t):
            assert labels not in samples, f"{labels} twice in one scrape"
            samples[labels] = bits
        else:
            explicit.add((labels, round(t) * 1000, bits))
    return Scraped(samples, frozenset(explicit))


def _bits(bits: int) -> float:
    return float(np.uint64(bits).view(np.float64))


def _readable(scraped: Scraped) -> dict[str, str]:
    out = {}
    for labels, bits in scraped.samples.items():
        value = "stale" if bits == STALE_BITS else str(_bits(bits) + 0.0)  # protobuf loses the sign of -0
        shown = {name: text for name, text in labels if name not in ("case",)}
        if shown["__name__"] != "scrape_duration_seconds":
            out[str(shown)] = value
    for labels, t, bits in sorted(scraped.explicit):
        out[f"{dict(labels)} @{t}"] = str(_bits(bits))
    return out


def _visible(scrapes: list[dict[str, str]]) -> list[dict[str, str]]:
    """Without series that have stale markers only, left by scrapes that failed: no query can see them."""
    shown = {series for one in scrapes for series, value in one.items() if value != "stale"}
    return [{series: value for series, value in one.items() if series in shown} for one in scrapes]


def _differences(ours: list[dict[str, str]], theirs: list[dict[str, str]]) -> list[str]:
    return [
        f"scrape {k}: {series} is {mine.get(series, 'absent')}, Prometheus stored {other.get(series, 'nothing')}"
        for k, (mine, other) in enumerate(zip(ours, theirs, strict=False))
        for series in sorted(mine.keys() | other.keys())
        if mine.get(series) != other.get(series)
    ]


@pytest.mark.parametrize("name", CASES)
def test_a_scrape_leaves_what_prometheus_stores(outcome: Outcome, name: str) -> None:
    if CASES[name].since > outcome.major:
        pytest.skip(f"Prometheus {outcome.major} differs here")
    ours = _visible([_readable(one) for one in outcome.ours[name]])
    theirs = _visible([_readable(one) for one in outcome.theirs[name]])
    assert len(theirs) >= len(ours)
    assert not _differences(ours, theirs)


def test_a_second_replica_has_its_own_series(outcome: Outcome) -> None:
    ours = [set(one.samples) for one in outcome.ours["replica-1"]]
    assert ours[0] == set(outcome.theirs["replica-1"][0].samples)


def test_the_scraper_asks_for_formats_as_prometheus_does(outcome: Outcome) -> None:
    if outcome.major < 3:
        pytest.skip("the Accept header of 2.x knows no escaping")
    for theirs, ours in outcome.requests.values():
        for header in ("Accept", "Accept-Encoding", "X-Prometheus-Scrape-Timeout-Seconds"):
            assert ours[header] == theirs[header]
