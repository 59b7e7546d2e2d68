"""The scraper beside real Prometheus servers on the same pages: same series and labels, same values to the bit.

One server of each version at hand (the one on PATH, and 3.x) and one scraper see the same pages, each at its own
pace; what each case left is then compared scrape by scrape.
"""

import json
import ssl
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from driftdrill.harness.drive.scraping.scrape_loop import ScrapeTarget
from driftdrill.harness.drive.scraping.scraper import Scraper
from driftdrill.harness.recording.stale import STALE_BITS
from driftdrill.stack.prometheus.api import Server
from driftdrill.stack.prometheus.server import prometheus
from driftdrill.stack.scrape.prometheus_yml import jobs_from_prometheus_yml
from tests.harness.drive.page_cases import Case
from tests.harness.drive.remote_read import stored_samples
from tests.harness.drive.scrape_cases import cases, stamped
from tests.stack.scrape.page_server import Page, PageServer, page_server

CASES = cases() | {case.name: case for case in stamped(0)}
OURS = "driftdrill"
INTERVALS = ("2s", "1s")
"""Of pages that are scraped twice, and of those with more steps: all are through at about the same time."""
TIMEOUTS = {name: 0.5 if "scrape_timeout" in c.job else 1.0 if c.scrapes > 3 else 2.0 for name, c in CASES.items()}
Series = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Scraped:
    """One scrape of one case, from either side: series -> bits, and samples with times of their own."""

    samples: dict[Series, int]
    explicit: frozenset[tuple[Series, int, int]]


Outcome = dict[str, list[Scraped]]
"""By case, the scrapes in turn."""


@dataclass(frozen=True)
class World:
    """What all have made of the pages; ``theirs`` by major version, ``absent`` says why one is not there."""

    ours: Outcome
    theirs: dict[int, Outcome]
    absent: dict[str, str]
    asked: dict[str, tuple[Mapping[str, str], str]]
    """By client: the headers of a plain scrape, and the path and query of one with parameters."""


@pytest.fixture(scope="module")
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Everything once; anew, at most twice, where this machine was too busy to answer a scrape in time."""
    binaries, absent = _binaries(request)
    for _ in range(3):
        found = _world(binaries, absent, tmp_path_factory.mktemp("scrape"))
        if not any(_disturbed(found.ours, theirs) for theirs in found.theirs.values()):
            break
    return found


def _disturbed(ours: Outcome, theirs: Outcome) -> bool:
    """Whether not as many scrapes of some case took as long as they may on both sides."""
    return any(
        sum(_duration(one) >= 0.95 * TIMEOUTS[name] for one in ours[name])
        != sum(_duration(one) >= 0.95 * TIMEOUTS[name] for one in theirs[name][: len(ours[name])])
        for name in theirs.keys() & ours.keys() & TIMEOUTS.keys()
    )


def _world(binaries: Mapping[int, Path], absent: dict[str, str], folder: Path) -> World:
    chosen = cases() | {case.name: case for case in stamped((int(time.time()) - 200) * 1000)}
    with page_server() as pages, page_server(_tls_context(folder)) as secure, ExitStack() as running:
        for case in chosen.values():
            server = secure if case.secure else pages
            if case.answer is not None:
                server.answers[f"/{case.name}"] = lambda asked, _, case=case: case.answer(asked)
            elif case.steps:
                server.serve(f"/{case.name}", *case.steps)
        servers: dict[int, Server] = {}
        for major, binary in binaries.items():
            config = _config([case for case in chosen.values() if case.since <= major], pages, secure, folder)
            servers[major] = running.enter_context(prometheus(config=config, how="binary", binary=str(binary)))
        ours = _ours(_config(list(chosen.values()), pages, secure, folder), chosen, folder)
        theirs = {major: _theirs(server, major, chosen, (pages, secure)) for major, server in servers.items()}
        asked = {
            client: _asked(pages, client) for client in [OURS, *(_client(major) for major in servers if major > 2)]
        }
    return World(ours, theirs, absent, asked)


def _asked(pages: PageServer, client: str) -> tuple[Mapping[str, str], str]:
    return pages.requests("/text-plain", client)[0].headers, pages.requests("/reserved-labels", client)[0].target


def _client(major: int) -> str:
    return f"Prometheus/{major}"


def _binaries(request: pytest.FixtureRequest) -> tuple[dict[int, Path], dict[str, str]]:
    """One binary a major version, and why there is none for a fixture."""
    found, absent = {}, {}
    for fixture in ("prometheus_binary", "prometheus3"):
        try:
            path = Path(request.getfixturevalue(fixture))
        except pytest.skip.Exception as e:
            absent[fixture] = str(e)
            continue
        path = path / "prometheus" if path.is_dir() else path
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=True)
        found[int((said.stdout + said.stderr).split("version ")[1].split(".")[0])] = path
    return found, absent


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


def _config(chosen: Sequence[Case], pages: PageServer, secure: PageServer, folder: Path) -> dict[str, Any]:
    (folder / "token").write_text("from-file\n")
    _discovered(pages, folder)
    jobs = []
    for case in chosen:
        address = secure.address if case.secure else pages.address
        job = {
            "job_name": case.name,
            "scrape_interval": INTERVALS[case.scrapes > 3],
            "metrics_path": f"/{case.name}",
            "static_configs": [{"targets": [address], "labels": {"case": case.name}}],
            **case.job,
        }
        text = (
            json.dumps(job).replace("{address}", address).replace("{case}", case.name).replace("{folder}", str(folder))
        )
        jobs.append(json.loads(text))
    return {"scrape_configs": jobs}


def _theirs(server: Server, major: int, chosen: Mapping[str, Case], servers: Sequence[PageServer]) -> Outcome:
    for pages in servers:
        wanted = {f"/{c.name}": c.scrapes + 1 for c in chosen.values() if c.at_least and c.since <= major}
        wanted = {path: n for path, n in wanted.items() if path in pages.answers}
        pages.await_requests(wanted, _client(major), timeout=60)
    stored = stored_samples(server.connection.url)
    out: Outcome = {}
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


def _ours(config: Mapping[str, Any], chosen: Mapping[str, Case], folder: Path) -> Outcome:
    (folder / "prometheus.yml").write_text(yaml.safe_dump(dict(config)))
    jobs = jobs_from_prometheus_yml(folder / "prometheus.yml")
    out: Outcome = {}
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


def _duration(scraped: Scraped) -> float:
    return sum(_bits(b) for labels, b in scraped.samples.items() if ("__name__", "scrape_duration_seconds") in labels)


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


@pytest.fixture(params=["prometheus_binary", "prometheus3"], ids=["path", "three"])
def major(request: pytest.FixtureRequest, world: World) -> int:
    """The version to compare with."""
    if request.param in world.absent:
        pytest.skip(world.absent[request.param])
    return min(world.theirs) if request.param == "prometheus_binary" else 3


@pytest.mark.parametrize("name", CASES)
def test_a_scrape_leaves_what_prometheus_stores(world: World, major: int, name: str) -> None:
    if CASES[name].since > major:
        pytest.skip(f"Prometheus {major} differs here")
    ours = _visible([_readable(one) for one in world.ours[name]])
    theirs = _visible([_readable(one) for one in world.theirs[major][name]])
    assert len(theirs) >= len(ours)
    assert not _differences(ours, theirs)


def test_a_second_replica_has_its_own_series(world: World, major: int) -> None:
    assert set(world.ours["replica-1"][0].samples) == set(world.theirs[major]["replica-1"][0].samples)


def test_the_scraper_asks_as_prometheus_3_does(world: World) -> None:
    if 3 not in world.theirs:
        pytest.skip(world.absent.get("prometheus3", "no Prometheus 3"))
    (ours, our_target), (theirs, their_target) = world.asked[OURS], world.asked[_client(3)]
    for header in ("Accept", "Accept-Encoding", "X-Prometheus-Scrape-Timeout-Seconds"):
        assert ours[header] == theirs[header]
    assert our_target == their_target
