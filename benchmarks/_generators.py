"""The load generators that are compared, each in a process of its own on processor 0, and the nginx on processor 1."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from driftdrill.harness.scenario.curve import constant
from driftdrill.harness.seeds import generator
from driftdrill.harness.traffic.schedule import arrivals

CONNECTIONS = 10
RATE = 500.0
SECONDS = 12.0

NGINX = """
worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/log warn;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {folder}; proxy_temp_path {folder};
  fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ default_type application/json;
    return 200 '{{"prediction": 0.5123456, "late": true}}'; }} }} }}
"""
FAST_HTTP = """
import json, random, time
from locust import FastHttpUser, task, constant_throughput, events
sent = []
class Load(FastHttpUser):
    {wait}
    @task
    def predict(self):
        sent.append(time.time())
        row = {{"dep_delay": random.gauss(12, 30), "carrier": random.choice(["UA", "AA", "DL"]),
               "origin": random.choice(["EWR", "JFK", "LGA"]), "dest": random.choice(["ORD", "ATL"]),
               "distance": random.uniform(100, 2500), "hour": random.randint(5, 23), "month": 5,
               "weekday": random.randint(1, 7), "padding": "x" * 80}}
        self.client.post("/predict", data=json.dumps(row), headers={{"Content-Type": "application/json"}})
"""


def rows() -> dict[str, Any]:
    """The same body as FastHttpUser's, about 261 bytes."""
    rng, n = np.random.default_rng(0), 5000
    return {
        "dep_delay": rng.normal(12, 30, n),
        "carrier": rng.choice(["UA", "AA", "DL"], n).astype(object),
        "origin": rng.choice(["EWR", "JFK", "LGA"], n).astype(object),
        "dest": rng.choice(["ORD", "ATL"], n).astype(object),
        "distance": rng.uniform(100, 2500, n),
        "hour": rng.integers(5, 23, n),
        "month": np.full(n, 5),
        "weekday": rng.integers(1, 8, n),
        "padding": np.full(n, "x" * 80, dtype=object),
    }


@contextmanager
def nginx() -> Iterator[tuple[str, int]]:
    """(URL, pid of the worker) of an nginx on processor 1."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    with tempfile.TemporaryDirectory() as folder:
        import socket

        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        conf = Path(folder) / "nginx.conf"
        conf.write_text(NGINX.format(folder=folder, port=port))
        command = ["taskset", "-c", "1", program, "-c", str(conf), "-e", f"{folder}/log"]
        server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            for _ in range(100):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
            yield f"http://127.0.0.1:{port}", int(children[0])
        finally:
            server.terminate()
            server.wait(10)


def child(what: str, url: str, **options: Any) -> dict[str, Any]:
    """Run a generator in a process of its own on processor 0; what it prints last is its figures."""
    command = ["taskset", "-c", "0", sys.executable, "-m", "benchmarks._generators", what, url, json.dumps(options)]
    env = {k: v for k, v in os.environ.items() if k != "LOCUST_SKIP_MONKEY_PATCH"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=180, check=False)
    if done.returncode:
        raise SystemExit(f"{what}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def ours(url: str, rate: float, connections: int, requests: int, listened: bool = False) -> dict[str, Any]:
    """Our player hosted by Locust, statistics on. ``rate`` 0: as fast as it can.

    ``listened``: somebody else listens to events.request too, and is told of each request.
    """
    import driftdrill.harness.cli.locust_entry  # noqa: F401 - it installs the hooks that start a drill
    from driftdrill.harness.drive.clock import WallClock
    from driftdrill.harness.drive.drive import player_for
    from driftdrill.harness.drive.plan import Plan
    from driftdrill.harness.scenario.scenario import Scenario
    from driftdrill.harness.setup.target import Target
    from driftdrill.harness.traffic.locust_user import in_locust
    from driftdrill.harness.traffic.protocols.detect import settled
    from driftdrill.stack.connection import Connection

    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    # As fast as it can: all are due almost at once.
    seconds = requests / (rate or 1e6)
    scenario = Scenario(
        name="bench", story="bench", rows=rows, rate=constant(rate or 1e6), warm_up=0, baseline=seconds / 2,
        fault=seconds / 2, recovery=0, faults=[], expect=[],
    )  # fmt: skip
    target, spoken = settled(Target("bench", Connection(url, timeout=30)))
    plan = Plan(scenario, target, "wall", Path(), rules=(), engine="", versions={}, connections=connections)
    clock = WallClock()

    def run(hosted: Any) -> dict[str, Any]:
        if listened:
            hosted.environment.events.request.add_listener(lambda **_: None)
        player = player_for(plan, spoken, clock, hosted.report)
        clock.start()
        begun = time.process_time()
        player.start()
        player.wait_ended(float("inf"), timeout=120)
        hosted.report.flush()
        cpu = time.process_time() - begun
        player.stop()
        records = player.take()
        stats = hosted.environment.stats.get("predict", "POST")
        start = np.array(records.intended) + np.array(records.late)
        total = np.array(records.late) + np.array(records.took)
        return {
            "cpu_us": cpu / len(records) * 1e6,
            "requests": len(records),
            "counted": stats.num_requests,
            "failed": sum(1 for f in records.failure if f),
            "late_ms": np.percentile(np.array(records.late) * 1000, [50, 99]).tolist(),
            "dispersion": dispersion(start),
            "p95_ms": float(np.percentile(total, 95) * 1000),
            "p95_locust_ms": stats.get_response_time_percentile(0.95),
            "starts": np.sort(start).tolist() if rate else [],
        }

    return in_locust(scenario, url, run)


def fast_http(url: str, wait: str, users: int, seconds: float) -> dict[str, Any]:
    """A hand-written FastHttpUser under Locust's local runner."""
    import runpy

    import gevent

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "fast.py"
        file.write_text(FAST_HTTP.format(wait=wait or "pass"))
        from locust.env import Environment

        found = runpy.run_path(str(file))
    environment = Environment(user_classes=[found["Load"]], host=url)
    runner = environment.create_local_runner()
    runner.start(users, spawn_rate=users)
    gevent.sleep(1.0)
    before, begun = environment.stats.total.num_requests, time.process_time()
    gevent.sleep(seconds)
    cpu, count = time.process_time() - begun, environment.stats.total.num_requests - before
    p95 = environment.stats.total.get_response_time_percentile(0.95)
    runner.quit()
    sent = np.array(found["sent"])
    sent = sent[sent > sent[0] + 1.0] - sent[0] - 1.0
    return {
        "cpu_us": cpu / max(1, count) * 1e6, "requests": count, "dispersion": dispersion(sent), "p95_ms": p95,
        "starts": sent.tolist() if wait else [],
    }  # fmt: skip


def wrk(url: str, seconds: int) -> float:
    """wrk's CPU microseconds a request, one thread, the same connections and about the same body."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "post.lua"
        body = json.dumps({name: column.tolist()[0] for name, column in rows().items()})
        script.write_text(
            f"wrk.method = 'POST'; wrk.body = [[{body}]]; wrk.headers['Content-Type'] = 'application/json'\n"
        )
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = ["taskset", "-c", "0", "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(script)]
        done = subprocess.run([*command, url + "/predict"], capture_output=True, text=True, timeout=60, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    count = int(next(line.split()[0] for line in done.stdout.splitlines() if " requests in " in line))
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu / count * 1e6


def dispersion(at: "np.ndarray[Any, Any]") -> float:
    """Variance over mean of the arrivals in bins of 10 ms: 1 for a Poisson process, 0 for a clockwork."""
    counts = np.bincount((at / 0.01).astype(int))[10:-10]
    return float(counts.var() / counts.mean()) if len(counts) else float("nan")


def stalled(worker: int, what: str, url: str, **options: Any) -> dict[str, Any]:
    """Run a generator while nginx stands still for 2 s in its middle."""
    import threading

    def stall() -> None:
        time.sleep(7.0)  # about the middle: importing takes two seconds
        os.kill(worker, signal.SIGSTOP)
        time.sleep(2.0)
        os.kill(worker, signal.SIGCONT)

    thread = threading.Thread(target=stall)
    thread.start()
    try:
        return child(what, url, **options)
    finally:
        thread.join()


def sleeper(url: str, how: str, seconds: float) -> dict[str, Any]:
    """How late a loop is that does nothing but wait for each arrival: what the machine itself does to a generator.

    ``how`` is "gevent" (gevent.sleep), or "kernel" (a high-resolution timer of the kernel, as a timerfd has).
    """
    import gevent

    wait = gevent.sleep if how == "gevent" else time.sleep
    late, zero = [], time.monotonic()
    for at in arrivals(constant(RATE), seconds, generator(0, "schedule")).tolist():
        while (left := zero + at - time.monotonic()) > 0:
            wait(left)
        late.append(time.monotonic() - zero - at)
    return {"late_ms": np.percentile(np.array(late) * 1000, [50, 99]).tolist()}


if __name__ == "__main__":
    what = {"ours": ours, "fast_http": fast_http, "sleeper": sleeper}[sys.argv[1]]
    print(json.dumps(what(sys.argv[2], **json.loads(sys.argv[3]))))
