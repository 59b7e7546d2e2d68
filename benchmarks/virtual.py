"""What an hour in virtual time costs, and judging it again, beside promtool's own time.

    python -m benchmarks.virtual [--engine PATH]

Bars: an hour of the demo model at 2 requests a second, all included, in 12 s; judging in 1.2 times promtool's own time
and 0.5 s; 40 recorded hours of 50 series and 8 simple rules in 10 s on two cores; 24 hours of 500 series within 500 MB,
the judge's process and promtool's each; a drive's memory flat in the drill's length. Exit code 1 where one is missed.
"""

import argparse
import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import psutil

from driftdrill.harness.recording.meta import Meta
from driftdrill.harness.recording.writer import Writer
from driftdrill.stack.model_service.service import serve
from driftdrill.stack.prometheus.promtool import find_binary

ROOT = Path(__file__).resolve().parents[1]
SCENARIO = ROOT / "driftdrill" / "scenarios" / "delays_in_seconds.py"
MB = 2**20


def rules(metrics: int, count: int) -> str:
    """Simple alerts: a rate over five minutes against a number."""
    alerts = (
        f"  - {{alert: A{i}, expr: 'sum(rate(m{i % metrics}_total[5m])) > 1e6', for: 2m}}\n" for i in range(count)
    )
    return "groups:\n- name: g\n  rules:\n" + "".join(alerts)


def recorded(path: Path, *, hours: int, series: int, metrics: int, count: int) -> Path:
    """A recording of ``series`` counters, named m0_total to m<metrics - 1>_total, scraped every 15 s."""
    end = hours * 3600.0
    meta = Meta(
        scenario="made",
        story="",
        clock="virtual",
        phases=[("warm_up", 0, 600), ("baseline", 600, 1200), ("fault", 1200, end - 600), ("recovery", end - 600, end)],
        expect=[],
        faults=[{"name": "none", "held": False}],
        truth="truth",
        smallest_harm=0.05,
        threshold=0.5,
        seed=0,
        planned=int(end),
        rows_per_request=1,
        scrape_interval=15,
        evaluation_interval=15,
        started_at=1.8e9,
        target={"name": "made"},
        targets=[{"job": "m", "instance": "i"}],
        rules=[("00.yml", "rules.yml")],
        engine="promtool",
        versions={},
    )
    writer = Writer(path, meta)
    writer.rules("00.yml", rules(metrics, count).encode())
    rng = np.random.default_rng(0)
    total = np.zeros(series)

    def labels(i: int) -> dict[str, str]:
        name = "up" if i == series else f"m{i % metrics}_total"
        return {"__name__": name, "job": "m", "instance": "i"} | ({} if i == series else {"bin": str(i)})

    for block in np.array_split(np.arange(-8.0, end, 15.0), hours * 5):
        points: dict[int, list[tuple[float, float]]] = {i: [] for i in range(series)}
        for at in block.tolist():
            total += rng.poisson(20, series)
            for i, value in enumerate(total.tolist()):
                points[i].append((at, value))
        writer.samples("samples", labels, points | {series: [(at, 1.0) for at in block.tolist()]})
    _requests(writer, int(end))
    writer.event("end", end, complete=True, why="", sent=int(end), ended=int(end))
    return path


def _requests(writer: Writer, count: int) -> None:
    for start in range(0, count, 3600):
        slots = list(range(start, min(start + 3600, count)))
        n = len(slots)
        block = {name: [0] * n for name in ("late", "took", "size", "truth", "prediction")}
        held = {"strength": {"none": [1.0 if s >= 1200 else 0.0 for s in slots]}, "changed": {"none": [1] * n}}
        when = {"slot": slots, "intended": [1000 * s for s in slots], "status": [200] * n, "failure": [""] * n}
        writer.block("requests", {**block, **held, **when})


def children() -> float:
    """CPU seconds of all processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timed(command: Sequence[object]) -> tuple[float, str]:
    """Wall-clock seconds of a command, and what it printed."""
    began = time.perf_counter()
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=900, cwd=ROOT, check=False)
    if done.returncode not in (0, 1, 3):
        raise SystemExit(f"{command} ended with {done.returncode}:\n{done.stderr[-1000:]}")
    return time.perf_counter() - began, done.stdout


def driftdrill(*args: object) -> list[object]:
    """The command line, in a process of its own."""
    return [sys.executable, "-m", "driftdrill.harness.cli", *args]


JUDGE = """
import resource, sys, time
from driftdrill.harness.judge import judge, promtool_run
from driftdrill.stack.prometheus.promtool import find_promtool
promtool, spent, run = find_promtool(binary=sys.argv[2]), [0.0], promtool_run.run
def watched(*args, **named):
    began = time.perf_counter()
    try:
        return run(*args, **named)
    finally:
        spent[0] += time.perf_counter() - began
promtool_run.run = watched
began = time.perf_counter()
verdict = judge(sys.argv[1], promtool=promtool)
print("seconds", time.perf_counter() - began, spent[0])
print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def judged(recording: Path, promtool: str) -> dict[str, list[float]]:
    """Seconds of judging and of promtool in it, and the peak of the judge's process, kB."""
    _, out = timed([sys.executable, "-c", JUDGE, recording, promtool])
    return {m[1]: [float(x) for x in m[2].split()] for m in re.finditer(r"^(seconds|peak) (.*)$", out, re.MULTILINE)}


def an_hour(folder: Path, promtool: str) -> tuple[bool, str]:
    """Drive and judge an hour of the demo model, imports and the service's start included."""
    began, before = time.perf_counter(), children()
    with serve() as service:
        out = folder / "hour.drill"
        timed(driftdrill("run", SCENARIO, "--target", service.url, "--engine", promtool, "--out", out))
    seconds = time.perf_counter() - began
    told = f"an hour at 2 requests/s: {seconds:.1f} s, {3600 / seconds:.0f} x the clock"
    return seconds <= 12, f"{told}, {children() - before:.1f} s of CPU (at most 12 s)"


def judging(folder: Path, promtool: str) -> tuple[bool, str]:
    """Judge that hour again."""
    took, own = min((judged(folder / "hour.drill", promtool)["seconds"] for _ in range(3)), key=lambda s: s[0] - s[1])
    told = f"judging it: {took:.2f} s, of which promtool {own:.2f} s (at most {1.2 * own + 0.5:.2f} s)"
    return took <= 1.2 * own + 0.5, told


def forty_hours(folder: Path, promtool: str) -> tuple[bool, str]:
    """Judge 40 recordings of an hour with one command."""
    many = [recorded(folder / f"{i}.drill", hours=1, series=50, metrics=8, count=8) for i in range(40)]
    before = children()
    seconds, _ = timed(driftdrill("judge", *many, "--engine", promtool))
    told = f"40 recorded hours, 50 series, 8 rules: {seconds:.1f} s, {children() - before:.1f} s of CPU (at most 10 s)"
    return seconds <= 10, told


def a_day(folder: Path, promtool: str) -> tuple[bool, str]:
    """Judge 24 hours of 500 series, all of them read by the rules; promtool's peak is that of all children."""
    day = recorded(folder / "day.drill", hours=24, series=500, metrics=8, count=8)
    found: dict[str, list[float]] = {}
    peak = peak_of_children(lambda: found.update(judged(day, promtool)), "promtool")
    ours = found["peak"][0] / 1024
    told = f"24 h of 500 series: judge {ours:.0f} MB, promtool {peak:.0f} MB (at most 500 MB each)"
    return max(ours, peak) <= 500, f"{told}, {found['seconds'][0]:.0f} s"


def peak_of_children(work: Callable[[], object], name: str) -> float:
    """The largest resident size, MB, of any process of this name below this one while ``work`` runs."""
    from threading import Event, Thread

    peak, over = [0], Event()

    def watch() -> None:
        while not over.wait(0.05):
            for child in psutil.Process().children(recursive=True):
                try:
                    if child.name() == name:
                        peak[0] = max(peak[0], child.memory_info().rss)
                except psutil.Error:
                    continue

    thread = Thread(target=watch)
    thread.start()
    try:
        work()
    finally:
        over.set()
        thread.join()
    return peak[0] / MB


DRIVE = """
import resource, sys
from driftdrill.harness.cli.main import main
try:
    main(sys.argv[1:])
finally:
    print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
LONG = """
from dataclasses import replace
from driftdrill.scenarios.delays_in_seconds import delays_in_seconds
longer = replace(delays_in_seconds, name="longer", baseline={baseline})
"""


def memory_of_drive(folder: Path, promtool: str) -> tuple[bool, str]:
    """Record one hour and four; requests in proportion."""
    peaks = []
    with serve() as service:
        for name, baseline in (("short", 600), ("long", 600 + 3 * 3600)):
            file = folder / f"{name}.py"
            file.write_text(LONG.format(baseline=baseline))
            given = ["record", file, "--target", service.url, "--engine", promtool, "--out", folder / f"{name}.drill"]
            given += ["--scenario", "longer", "--rows-per-request", 1]
            _, out = timed([sys.executable, "-c", DRIVE, *given])
            peaks.append(float(out.rsplit("peak", 1)[1]) / 1024)
    told = f"memory of a drive: {peaks[0]:.0f} MB for an hour, {peaks[1]:.0f} MB for four (at most 10 % more)"
    return peaks[1] <= 1.1 * peaks[0], told


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--engine", default=find_binary("promtool"), help="default: %(default)s")
    parser.add_argument(
        "--only", nargs="*", default=[], help="of an_hour, judging, forty_hours, a_day, memory_of_drive"
    )
    options = parser.parse_args()
    version = subprocess.run([options.engine, "--version"], capture_output=True, text=True, check=True, timeout=20)
    said = re.search(r"version (\S+)", version.stdout + version.stderr)
    memory = psutil.virtual_memory().total / 2**30
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores, {memory:.0f} GB"
    print(f"promtool {said[1] if said else '?'}, {machine}")
    held = True
    with tempfile.TemporaryDirectory() as made:
        for case in (an_hour, judging, forty_hours, a_day, memory_of_drive):
            if options.only and case.__name__ not in options.only:
                continue
            good, told = case(Path(made), options.engine)
            held &= good
            print(f"{'held  ' if good else 'MISSED'}  {told}  [load {os.getloadavg()[0]:.1f}]", flush=True)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
