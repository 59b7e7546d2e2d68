"""What one scrape of a page of 5,000 series costs, beside prometheus_client's parser on the same pages.

    python -m benchmarks.scrape [--series 5000] [--rounds 40]

Every round the values of the page change, as a model's do; the rounds of all rows alternate, so that a busy machine
hits them alike; CPU milliseconds of this process, medians. "first page" is read by its grammar, once a drill; "scrape"
is the whole of one: HTTP, parsing, labels, stale markers, report; "churn" has one series in ten new on each page.
Bars: a scrape of 5,000 known series in less than 20 ms; parsing at least 20 times as fast as prometheus_client.parser.
Exit code 1 where one is missed.
"""

import argparse
import gc
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from driftdrill.harness.drive.scraping.scraper import Scraper
from driftdrill.stack.exposition.page import PageParser
from driftdrill.stack.scrape.job import ScrapeJob, TargetGroup

WITHIN, FASTER = 20.0, 20.0
BINS = 10


def page(series: int, rng: random.Random, *, new: str = "", stamped: bool = False) -> bytes:
    """Counters of feature bins and a histogram, as the demo model has; ``new`` marks every tenth series."""
    lines, stamp = [], f" {int(time.time() * 1000)}" if stamped else ""
    for family in range(0, series, 5 * BINS):
        name = f"model_feature_values_{family}_total"
        lines += [f"# HELP {name} Values seen of each feature.", f"# TYPE {name} counter"]
        for i in range(family, min(family + 5 * BINS, series)):
            user = f',user="{new}{i}"' if new and i % 10 == 0 else ""
            labels = f'feature="feature {i // BINS}",bin="{i % BINS}",model="late-flights"{user}'
            lines.append(f"{name}{{{labels}}} {rng.random() * 1e6:.6f}{stamp}")
    return ("\n".join(lines) + "\n").encode()


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Another process serves the folder's files; yields its address."""
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--protocol", "HTTP/1.1"]
    with subprocess.Popen(
        [*command, "--directory", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            assert server.stdout is not None
            yield f"127.0.0.1:{server.stdout.readline().split('port ')[1].split()[0]}"
        finally:
            server.kill()


def timed(run: Callable[[], object]) -> float:
    """CPU milliseconds of this process."""
    started = time.process_time()
    run()
    return 1000 * (time.process_time() - started)


def measure(address: str, folder: Path, series: int, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each row, round by round."""
    rng = random.Random(1)
    known, stamped, churning = (PageParser(_Numbers()) for _ in range(3))
    job = ScrapeJob("model", groups=(TargetGroup((address,)),), fallback_protocol="PrometheusText0.0.4")
    times: dict[str, list[float]] = {}
    with Scraper([job], evaluation_intervals=[15]) as scraper:
        for i in range(rounds + 1):
            body, others, later = page(series, rng), page(series, rng, new=str(i)), page(series, rng, stamped=True)
            (folder / "metrics").write_bytes(body)
            rows = {
                "first page": lambda body=body: PageParser(_Numbers()).parse(body),
                "known series": lambda body=body: known.parse(body),
                "churn": lambda others=others: churning.parse(others),
                "with timestamps": lambda later=later: stamped.parse(later),
                "scrape": lambda i=i: scraper.scrape(scraper.targets[0], 15.0 * i),
                "prometheus_client": lambda body=body: list(text_string_to_metric_families(body.decode())),
            }
            for name, run in rows.items():
                times.setdefault(name, []).append(timed(run))
    return {name: took[1:] for name, took in times.items()}


class _Numbers(dict[tuple[tuple[str, str], ...], int]):
    """A resolver that does nothing but number."""

    def __call__(self, labels: dict[str, str]) -> int:  # type: ignore[override]
        return self.setdefault(tuple(labels.items()), len(self))


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    gc.disable()
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as address:
        times = measure(address, Path(folder), options.series, options.rounds)
    medians = {name: statistics.median(took) for name, took in times.items()}
    for name, median in medians.items():
        worst = sorted(times[name])[int(0.95 * len(times[name]))]
        print(f"{name:18s} {median:7.2f} ms   p95 {worst:7.2f} ms   {1000 * median / options.series:5.2f} us a series")
    faster = statistics.median(a / b for a, b in zip(times["prometheus_client"], times["known series"], strict=True))
    print(
        f"bars: a scrape of {options.series} series in {medians['scrape']:.1f} ms (less than {WITHIN:g} ms), "
        f"parsing {faster:.0f} times as fast as prometheus_client.parser (at least {FASTER:g})"
    )
    return 0 if medians["scrape"] < WITHIN and faster >= FASTER else 1


if __name__ == "__main__":
    sys.exit(main())
