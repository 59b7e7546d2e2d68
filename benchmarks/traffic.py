"""What a request costs, whether it leaves on time, and what a long drill takes in memory.

Ours, Locust's FastHttpUser and wrk against one nginx: every figure of this page comes from one run, the generator has
processor 0 to itself, nginx processor 1. Ratios are what counts; absolute times are this machine's.
`python -m benchmarks traffic` takes about five minutes.
"""

import gzip
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benchmarks._generators import CONNECTIONS, RATE, SECONDS, child, nginx, rows, stalled, wrk
from driftdrill.harness.recording.columns import request_block
from driftdrill.harness.scenario.curve import constant
from driftdrill.harness.scenario.fault import Fault
from driftdrill.harness.scenario.scenario import Scenario
from driftdrill.harness.seeds import generator
from driftdrill.harness.setup.target import ProtocolOptions
from driftdrill.harness.traffic.blocks import BLOCK_ROWS, Blocks
from driftdrill.harness.traffic.protocols import protocol
from driftdrill.harness.traffic.records import Records
from driftdrill.harness.traffic.schedule import arrivals
from driftdrill.shift_generators import rescale, tilt

REQUESTS = 40_000
RECORDS = 10_000_000
RUNS = 5
PACED = "wait_time = constant_throughput(10)"


def cost() -> bool:
    """CPU a request, statistics on, as fast as each can; the least of several runs, in turn."""
    us, listened, theirs, bare = [], [], [], []
    with nginx() as (url, _):
        for _ in range(RUNS):
            us.append(child("ours", url, rate=0, connections=CONNECTIONS, requests=REQUESTS))
            theirs.append(child("fast_http", url, wait="", users=CONNECTIONS, seconds=3))
            bare.append(wrk(url, 2))
            listened.append(child("ours", url, rate=0, connections=CONNECTIONS, requests=REQUESTS, listened=True))
    own, heard, fast = (min(each["cpu_us"] for each in runs) for runs in (us, listened, theirs))
    print("CPU a request, Locust's statistics on, the least of five runs in turn:")
    print(f"  ours / FastHttpUser {own / fast:.3f} (bound 0.22)   ours / wrk {own / min(bare):.2f} (bound 3)")
    print(f"  ours {own:.1f} us, FastHttpUser {fast:.1f} us, wrk {min(bare):.1f} us")
    print(f"  with a listener of one's own on events.request: {heard:.1f} us, "
          f"{heard / fast:.3f} of FastHttpUser's, {heard / min(bare):.2f} times wrk's")  # fmt: skip
    print(f"  {us[0]['requests']:,} sent, {us[0]['counted']:,} counted by Locust, {us[0]['failed']} failed")
    return own / fast <= 0.22 and own / min(bare) <= 3


def on_time() -> bool:
    """Lateness at a steady rate beside what the machine does to a bare loop, and the law of the arrivals."""
    with nginx() as (url, _):
        found = child("ours", url, rate=RATE, connections=128, requests=int(RATE * SECONDS))
        bare = {how: child("sleeper", url, how=how, seconds=SECONDS)["late_ms"] for how in ("gevent", "kernel")}
        paced = child("fast_http", url, wait=PACED, users=50, seconds=SECONDS)
    late50, late99 = found["late_ms"]
    print(f"{RATE:.0f} requests/s: lateness p50 {late50:.2f} ms, p99 {late99:.2f} ms (bound 2)")
    for how, what in (("gevent", "gevent.sleep"), ("kernel", "the kernel's timer, as of a timerfd")):
        print(f"  a loop that does nothing but wait, with {what}: p50 {bare[how][0]:.2f} ms, p99 {bare[how][1]:.2f} ms")
    print(f"  variance/mean per 10 ms: ours {found['dispersion']:.2f} (0.9 to 1.1), "
          f"constant_throughput {paced['dispersion']:.1f}")  # fmt: skip
    return bool(late99 <= 2 and 0.9 <= found["dispersion"] <= 1.1)


def in_a_stall() -> bool:
    """What is sent and what is told while the server stands still for 2 s."""
    with nginx() as (url, worker):
        ours = stalled(worker, "ours", url, rate=RATE, connections=1500, requests=int(RATE * SECONDS))
        held = stalled(worker, "fast_http", url, wait=PACED, users=50, seconds=SECONDS - 1)
    print(f"2 s stall: fewest sends in a second ours {slowest(ours):.0f}, constant_throughput {slowest(held):.0f}; "
          f"p95 ours {ours['p95_ms']:.0f} ms (Locust's table {ours['p95_locust_ms']:.0f}), "
          f"constant_throughput {held['p95_ms']:.0f} ms")  # fmt: skip
    return bool(ours["p95_ms"] > 1000 and slowest(ours) > 0.8 * RATE)


def slowest(found: dict[str, Any]) -> float:
    """The fewest sends in any one second."""
    starts = np.array(found["starts"])
    return float(np.bincount(starts.astype(int))[1:-1].min())


def bodies() -> bool:
    """CPU a row until its body is there: ready-made where the row is known, and encoded anew."""
    faults = {"clean": [], "resampled (tilt)": [tilt("distance")], "changed (rescale)": [rescale("dep_delay", by=60.0)]}
    print("CPU a row until its body is there, the known ones being ready-made:")
    ratios = {}
    for name, hows in faults.items():
        ready, anew = (min(_made(hows, ready=ready) for _ in range(3)) for ready in (True, False))
        ratios[name] = ready / anew
        print(f"  {name} rows: {ready / anew:.2f} of encoding them anew ({ready:.2f} us, {anew:.2f} us)")
    return ratios["clean"] < 0.5 and ratios["resampled (tilt)"] < 0.9


def _made(hows: list[Any], *, ready: bool) -> float:
    scenario = Scenario(
        name="bench", story="bench", rows=rows, rate=constant(1), warm_up=0, baseline=1e-6, fault=1e8, recovery=0,
        faults=[Fault("it", how) for how in hows], expect=[],
    )  # fmt: skip
    made = Blocks(scenario, protocol(ProtocolOptions()), np.arange(REQUESTS) + 1.0)
    if not ready:
        made._bodies = None
    begun = time.process_time()
    for i in range(REQUESTS // BLOCK_ROWS):
        made.block(i)
    return (time.process_time() - begun) / REQUESTS * 1e6


def records() -> bool:
    """Memory, time and disk of simulated records, written as a drill writes them."""
    rng, step, before = np.random.default_rng(0), 2000, 0.0
    begun = time.process_time()
    with tempfile.TemporaryFile() as out:
        for i in range(0, RECORDS, step):
            n = list(range(i, i + step))
            took = rng.exponential(0.003, step).tolist()
            made = Records(
                n, [k / 500 for k in n], took, took, [200] * step, [40] * step, [""] * step, took, [1.0] * step
            )
            out.write(gzip.compress(msgspec.json.encode(request_block(made)), compresslevel=6))
            if i == step * 50:
                before = _resident()
        each = out.tell() / RECORDS
    after, us = _resident(), (time.process_time() - begun) / RECORDS * 1e6
    print(f"records: {before:.0f} MB after 100,000 and {after:.0f} MB after {RECORDS:,}; "
          f"{each:.1f} bytes each on disk, {us:.1f} us each")  # fmt: skip
    return after - before < 20


def _resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def main() -> int:
    """All figures; 1 if a bound of the project's is not held."""
    begun = time.process_time()
    made = len(arrivals(constant(1000), 1000, generator(0, "schedule")))
    schedule_s = time.process_time() - begun
    print(f"schedule: {made:,} arrivals in {schedule_s:.3f} s CPU")
    held = [schedule_s < 0.2]
    missing = [t for t in ("nginx", "wrk", "taskset") if not (shutil.which(t) or Path(f"/usr/sbin/{t}").exists())]
    if missing:
        print(f"left out: CPU and lateness, since {missing[0]} is not installed (apt install nginx-light wrk)")
    else:
        held += [cost(), on_time(), in_a_stall()]
    held += [bodies(), records()]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
