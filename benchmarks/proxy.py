"""What the proxy costs while it injects nothing: throughput and added latency, against the demo model.

    python -m benchmarks.proxy [--seconds 5] [--rounds 5]

Closed loop: as many requests as 10 keep-alive connections can carry, direct and through the proxy. Open loop: 500
requests a second on a schedule, each timed from when it is sent: the timer's lateness is not the proxy's. Rounds
alternate, so that a busy machine hits both alike; the medians over the rounds are printed. Bars: at least half the
direct throughput; less than 1 ms added at the 99th percentile. Exit code 1 where one is missed.

It needs two CPUs of its own; on a busy machine, ``chrt -r 1`` before the command gives it those.
"""

import argparse
import asyncio
import gc
import json
import statistics
import sys
from collections import deque
from contextlib import ExitStack
from urllib.parse import urlsplit

from driftdrill.stack.connection import Connection
from driftdrill.stack.faults.network import Status, proxy
from driftdrill.stack.model_service.app import EXAMPLE
from driftdrill.stack.model_service.service import serve

CONNECTIONS = 10
RATE = 500.0


class Client(asyncio.Protocol):
    """One keep-alive connection that sends ready-made bytes and times the answers."""

    def __init__(self, request: bytes) -> None:
        self._request, self._buffer = request, b""
        self._sent: deque[float] = deque()
        self.latencies: list[float] = []
        self.closed_loop = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._loop = transport, asyncio.get_running_loop()

    def send(self) -> None:
        """One request, timed from now on."""
        self._sent.append(self._loop.time())
        self._transport.write(self._request)

    @property
    def idle(self) -> bool:
        return not self._sent

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n") + 4) > 3:
            head = self._buffer[:end]
            end += int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            if len(self._buffer) < end:
                return
            self._buffer = self._buffer[end:]
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"not answered: {head!r}")
            self.latencies.append(self._loop.time() - self._sent.popleft())
            if self.closed_loop:
                self.send()


def request(url: str, body: bytes) -> bytes:
    """The bytes of one POST."""
    parts = urlsplit(url)
    head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def connect(url: str, body: bytes) -> list[Client]:
    """The connections, open."""
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    made = [
        loop.create_connection(lambda: Client(request(url, body)), parts.hostname, parts.port)
        for _ in range(CONNECTIONS)
    ]
    return [client for _, client in await asyncio.gather(*made)]


async def closed(url: str, body: bytes, seconds: float) -> float:
    """Requests a second that the connections carry, each sending as soon as it is answered."""
    clients = await connect(url, body)
    for client in clients:
        client.closed_loop = True
        client.send()
    await asyncio.sleep(seconds)
    done = sum(len(c.latencies) for c in clients)
    for client in clients:
        client._transport.abort()
    return done / seconds


async def opened(url: str, body: bytes, seconds: float) -> list[float]:
    """Latencies in milliseconds of a schedule, on whichever connection is free."""
    clients = await connect(url, body)
    start = asyncio.get_running_loop().time() + 0.05
    for i in range(int(RATE * seconds)):
        intended = start + i / RATE
        while (left := intended - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(left)
        next((c for c in clients if c.idle), clients[i % CONNECTIONS]).send()
    await asyncio.sleep(0.5)
    for client in clients:
        client._transport.abort()
    return [1000 * x for c in clients for x in c.latencies]


def percentile(values: list[float], q: float) -> float:
    """The q-th percentile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q / 100 * len(ordered)))]


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with ExitStack() as rig:
        service = rig.enter_context(serve())
        body = json.dumps(EXAMPLE).encode()
        ways = {"direct": service.url}
        for name, http in (("proxy", True), ("proxy, http=False", False)):
            ways[name] = rig.enter_context(proxy(Connection(service.url), http=http)).address.url
        armed = rig.enter_context(proxy(Connection(service.url)))
        armed.set(Status(503, path="/nowhere"))
        ways["proxy, an HTTP fault armed"] = armed.address.url
        return judge(ways, body, options.seconds, options.rounds)


def judge(ways: dict[str, str], body: bytes, seconds: float, rounds: int) -> int:
    """Measure every way in turn; print the table; the exit code."""
    gc.disable()
    rates: dict[str, list[float]] = {name: [] for name in ways}
    p50s: dict[str, list[float]] = {name: [] for name in ways}
    p99s: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, url in ways.items():
            rates[name].append(asyncio.run(closed(f"{url}/predict", body, seconds)))
            latencies = asyncio.run(opened(f"{url}/predict", body, seconds))
            p50s[name].append(percentile(latencies, 50))
            p99s[name].append(percentile(latencies, 99))
    direct = statistics.median(rates["direct"])
    for name in ways:
        rate = statistics.median(rates[name])
        columns = [f"{name:28s} {rate:6.0f} requests/s ({rate / direct:4.0%})   at {RATE:.0f}/s"]
        for label, p in (("p50", p50s), ("p99", p99s)):
            added = statistics.median(a - b for a, b in zip(p[name], p["direct"], strict=True))
            columns.append(f"{label} {statistics.median(p[name]):5.2f} ms ({added:+.2f})")
        print("  ".join(columns))
    share = statistics.median(rates["proxy"]) / direct
    added = statistics.median(a - b for a, b in zip(p99s["proxy"], p99s["direct"], strict=True))
    print(f"bars: throughput {share:.0%} of direct (at least 50 %), p99 +{added:.2f} ms (less than 1 ms)")
    return 0 if share >= 0.5 and added < 1 else 1


if __name__ == "__main__":
    sys.exit(main())
