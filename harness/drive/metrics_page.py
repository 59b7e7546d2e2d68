"""The harness's own metrics page while a drill runs: where it stands, and what its canary saw."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server

from driftdrill.harness.drive.golden import Golden, NoAnswer
from driftdrill.reports.metrics import CanaryState, DrillState, collector
from driftdrill.stack.connection import Connection
from driftdrill.stack.errors import StackError
from driftdrill.stack.scrape.job import ScrapeJob, page_job

JOB = "driftdrill"


@dataclass
class MetricsPage:
    """What the page shows now; ``page`` is where it is served."""

    page: Connection
    now: DrillState
    asked: int = 0
    golden: Golden | None = field(default=None, repr=False)
    answered: Counter[int] = field(default_factory=Counter)
    """Golden requests that each address of the target answered: its own counters have them too."""

    def tick(self) -> None:
        """Ask the next golden request and publish its deviation."""
        assert self.golden is not None
        number, self.asked = self.asked, self.asked + 1
        before = self.now.canaries[0]
        try:
            deviation = self.golden.deviation(number)
            self.answered[number % len(self.golden.clients)] += 1
            told = replace(before, deviation=deviation, answered=before.answered + 1)
        except NoAnswer:
            told = replace(before, failed=before.failed + 1)
        self.now = replace(self.now, canaries=(told,))

    def tell(self, **facts: Any) -> None:
        """Change what the page shows: phase, requests, strength."""
        self.now = replace(self.now, **facts)

    def job(self, interval: float) -> ScrapeJob:
        """How the page is scraped; ``instance`` is the same in every drill, whatever the port."""
        return page_job(JOB, self.page, labels={"instance": JOB}, interval=interval)


@contextmanager
def served_page(drill: DrillState, canary: str, *, port: int = 0) -> Iterator[MetricsPage]:
    """Serve the page on 127.0.0.1 while this is held. Raises :class:`StackError` where the port is taken."""
    registry = CollectorRegistry()
    metrics_page = MetricsPage(Connection("http://127.0.0.1"), replace(drill, canaries=(CanaryState(canary, None),)))
    registry.register(collector(lambda: metrics_page.now))
    try:
        server, thread = start_http_server(port, addr="127.0.0.1", registry=registry)
    except OSError as e:
        raise StackError(
            f"the drill's own metrics page cannot be served on port {port}: {e.strerror}",
            hint="--metrics-port 0 takes a free one",
        ) from e
    metrics_page.page = Connection(f"http://127.0.0.1:{server.server_port}/metrics")
    try:
        yield metrics_page
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def counts(ended: int, failed: int) -> Mapping[str, int]:
    """Requests by outcome, as the page shows them."""
    return {"answered": ended - failed, "failed": failed}
