"""Which edge case left what on the metrics page for good."""

from collections.abc import Callable
from math import inf, nan

import pytest

from driftdrill.harness.edge import traces
from driftdrill.harness.edge.traces import Page, Traces, pages_of
from driftdrill.harness.setup.target import from_url
from tests.stack.services import upstream


class Served:
    """A service that counts its requests and adds up x; the page is what a scrape would read."""

    def __init__(self) -> None:
        self.sum, self.count, self.counts = 0.0, 0, True

    def ask(self, x: float = 4.0) -> None:
        self.count += self.counts
        self.sum += x

    def page(self) -> Page:
        return {"x_sum": self.sum, "x_count": float(self.count), "x_bucket": 1.0, "version": 3.0}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "COUNTING", 0.0)


def left(*cases: tuple[str, Callable[[Served], object]]) -> tuple[list[tuple[str, list[str]]], dict[str, list[str]]]:
    """(what is NaN since which case, what stands still) where each does this, and the valid row is asked after it."""
    service = Served()
    looking = Traces(service.page)
    looking.settle(service.ask, 3)
    seen = []
    for name, act in cases:
        act(service)
        service.ask()
        seen.append((name, looking.after(name)))
    return [(name, series) for name, series in seen if series], looking.still(service.ask, 3)


HARMLESS = ("a", lambda service: service.ask(-1.0))


def test_a_service_that_goes_on_counting_has_no_trace() -> None:
    assert left(HARMLESS, ("refused", lambda service: None), HARMLESS) == ([], {})


def test_a_nan_is_told_of_the_case_that_brought_it_and_of_no_later_one() -> None:
    found, still = left(HARMLESS, ("nan", lambda service: service.ask(nan)), HARMLESS)

    assert found == [("nan", ["x_sum"])]
    assert still == {}


@pytest.mark.parametrize("value", [1e300, inf])
def test_a_sum_that_swallows_all_that_comes_is_told_of_the_case_that_brought_it(value: float) -> None:
    assert left(HARMLESS, ("huge", lambda service: service.ask(value)), HARMLESS) == ([], {"huge": ["x_sum"]})


def test_a_counter_that_stopped_is_told_also_after_the_last_case() -> None:
    def stop(service: Served) -> None:
        service.counts = False

    assert left(HARMLESS, ("stop", stop)) == ([], {"stop": ["x_count"]})


def test_a_page_that_cannot_be_read_tells_nothing() -> None:
    looking = Traces(pages_of(from_url("http://127.0.0.1:9")))
    looking.settle(lambda: None, 3)
    assert looking.after("a") == []
    assert looking.still(lambda: None, 3) == {}


def test_all_pages_of_a_target_are_read() -> None:
    with upstream(lambda path, body: b'x_sum{a="b"} 4\n# TYPE y counter\ny_total NaN\n') as server:
        page = pages_of(from_url(server.url, server.url))()

    assert page is not None
    assert len(page) == 4
    assert page['x_sum{a="b"}'] == 4
