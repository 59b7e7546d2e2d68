"""A new kind of fault is one class beside its component: its seam is all that it says, and nobody else must know it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest

from driftdrill.harness.errors import RigError, ScenarioError
from driftdrill.harness.scenario.fault import Batch, Fault
from driftdrill.harness.seams import SEAMS, recorded_seam
from driftdrill.harness.seams.seam import Ground, InForce, Site
from driftdrill.harness.setup.target import Listens, from_url
from driftdrill.harness.traffic.payload.base import PayloadFault
from driftdrill.harness.traffic.protocols import Request
from driftdrill.shift_generators.generator import Generator, shift
from driftdrill.stack.faults.jobs import JOB_FAULTS, JobFault
from driftdrill.stack.faults.kind import ANYTHING
from driftdrill.stack.faults.network.http_faults import HttpFault
from driftdrill.stack.faults.network.toxics import Toxic
from driftdrill.stack.faults.pages import PAGE_FAULTS, Freeze, PageFault, Truncate
from driftdrill.stack.faults.process.faults import ProcessFault
from driftdrill.stack.faults.process.hooks import Hook
from driftdrill.stack.scrape.job import ScrapeJob

TARGET = from_url("http://127.0.0.1:9")
SERVED = replace(TARGET, process=Listens())
VIRTUAL, WALL = Ground(SERVED, "virtual", True), Ground(SERVED, "wall", True)


@shift("shift.halved")
def halved(column: str) -> Generator:
    return Generator(
        f"halved({column!r})", (column,), "size", lambda b, s, rng, state: {column: b[column] * (1 - s / 2)}
    )


class Reversed(PayloadFault, frozen=True, tag="reversed"):
    id: ClassVar[str] = "edge.reversed"

    def _change(self, request: Request) -> Request:
        return replace(request, parts=(request.body[::-1],))


@dataclass(frozen=True)
class Bursts:
    seam: ClassVar[str] = "load"
    id: ClassVar[str] = "sys.bursts"
    visible_from: ClassVar[str] = "server"


class ShoutHelp(PageFault, frozen=True, tag="shout_help"):
    id: ClassVar[str] = "mon.shout"

    def _apply(self, page: bytes, strength: float, rng: Any) -> bytes:
        return page.upper()


class NoJob(JobFault, frozen=True, tag="no_job"):
    id: ClassVar[str] = "mon.no_job"

    def __call__(self, job: ScrapeJob) -> ScrapeJob:
        return replace(job, groups=())


class Duplicate(Toxic, frozen=True, tag="duplicate"):
    id: ClassVar[str] = "sys.duplicate"


class Teapot(HttpFault, frozen=True, tag="teapot"):
    id: ClassVar[str] = "sys.teapot"


class Renice(ProcessFault, frozen=True, tag="renice"):
    id: ClassVar[str] = "sys.renice"


class Frozen:
    """A fault of an author's own."""

    @contextmanager
    def hold(self, target: Any) -> Iterator[InForce]:
        class Held:
            def set(self, strength: float) -> None: ...

            def verify(self) -> str | None:
                return None if target.name == "target" else f"expected target, seen {target.name}"

        yield Held()


NEW = {
    "rows": halved("x"),
    "payload": Reversed(),
    "load": Bursts(),
    "page": ShoutHelp(),
    "scrape job": NoJob(),
    "network": Duplicate(),
    "process": Renice(),
    "hook": Hook(apply=None, revert=None),  # type: ignore[arg-type]
    "own": Frozen(),
}


@pytest.mark.parametrize(("seam", "how"), NEW.items(), ids=list(NEW))
def test_a_new_kind_is_a_fault_of_its_seam(seam: str, how: Any) -> None:
    fault = Fault("new", how)

    assert fault.seam is SEAMS[seam]
    assert recorded_seam(fault.describe()) is SEAMS[seam]
    fault.seam.check(fault, WALL)


def test_every_seam_has_a_new_kind_here_but_the_demo_models_own() -> None:
    assert NEW.keys() == SEAMS.keys() - {"switch"}


def test_a_new_shift_has_the_id_that_its_function_says() -> None:
    batch: Batch = {"x": np.array([2.0, 4.0])}
    made = halved("x")

    assert made.id == halved.id == "shift.halved"  # type: ignore[attr-defined]
    assert made(batch, 1.0, np.random.default_rng(0))["x"].tolist() == [1.0, 2.0]


def test_what_takes_time_is_refused_in_virtual_time_at_whatever_seam() -> None:
    for how in (Renice(), type("Slow", (Duplicate,), {"real_time": True}, frozen=True, tag="slow")()):
        with pytest.raises(ScenarioError, match="takes real time"):
            Fault("f", how).seam.check(Fault("f", how), VIRTUAL)


def test_a_process_must_be_named_and_a_prometheus_ours() -> None:
    with pytest.raises(RigError, match="names none"):
        Fault("f", Renice()).seam.check(Fault("f", Renice()), Ground(TARGET, "wall", True))
    for how in (ShoutHelp(), NoJob()):
        with pytest.raises(RigError, match="not ours to change"):
            Fault("f", how).seam.check(Fault("f", how), Ground(TARGET, "wall", False))


def test_a_fault_of_ones_own_is_held_by_its_own_hold() -> None:
    fault = Fault("own", Frozen())
    with fault.seam.enter(fault, Site(TARGET)) as in_force:
        in_force.set(1.0)
        assert in_force.verify() is None


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ([], "was never in force"),
        ([{"strength": 1.0, "wrong": "it was off"}], "was not really in force: it was off"),
        ([{"strength": 1.0, "wrong": None}, {"strength": 0.0, "wrong": None, "touched": 0}], "it changed nothing"),
        ([{"strength": 1.0, "wrong": None}, {"strength": 0.0, "wrong": None, "touched": 3}], None),
    ],
)
def test_a_recording_shows_whether_a_fault_was_in_force(events: list[dict[str, Any]], why: str | None) -> None:
    told = [{"event": "fault", "name": "f", **e} for e in events]
    for name in ("load", "page", "scrape job", "network", "process", "hook", "switch", "own"):
        found = SEAMS[name].was_in_force("f", None, None, told)
        assert found is None if why is None else found is not None and why in found


def test_a_seam_that_nobody_knows_is_refused() -> None:
    class Elsewhere:
        seam = "elsewhere"

    with pytest.raises(ScenarioError, match="acts at 'elsewhere'"):
        Fault("f", Elsewhere())


def test_each_kind_of_fault_says_what_it_may_do_to_a_page() -> None:
    kinds = [*PAGE_FAULTS, *JOB_FAULTS]
    assert all(kind.on_pages and kind.on_pages <= ANYTHING for kind in kinds)
    assert all(seam.on_pages <= ANYTHING for seam in SEAMS.values())
    assert Fault("f", Freeze()).describe()["on_pages"] == ["still"]
    assert Fault("f", Truncate()).describe()["on_pages"] == ["down", "emptied"]
    assert Fault("f", halved("x")).describe()["on_pages"] == []
    assert Fault("f", Frozen()).describe()["on_pages"] == sorted(ANYTHING)
