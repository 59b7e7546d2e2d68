"""The catalogue of faults: every kind by its id, and what there is for ids that are no kind of their own."""

import inspect
from collections.abc import Iterable
from functools import cache

from driftdrill import shift_generators
from driftdrill.harness.errors import ScenarioError, nearest
from driftdrill.harness.judge.mutants.operators import OPERATORS
from driftdrill.harness.scenario.fault import Fault
from driftdrill.harness.seams.load import LoadFault
from driftdrill.harness.traffic.payload import PAYLOAD_FAULTS
from driftdrill.stack.faults.jobs import JOB_FAULTS
from driftdrill.stack.faults.kind import Kind, kind
from driftdrill.stack.faults.network import HTTP_FAULTS, TOXICS, Page
from driftdrill.stack.faults.pages import PAGE_FAULTS
from driftdrill.stack.faults.process import PROCESS_FAULTS
from driftdrill.stack.model_service.switches import SWITCHES

WAYS = {
    "mis.vocabulary": "a control hook of a service that has a tokenizer (the demo model has none)",
    "sys.jitter": "Latency or Delay with jitter=",
    "replica.one": "any fault with replica=: one of the target's addresses",
    "mon.engine_upgrade": "driftdrill judge --engine OLD --engine NEW",
    "mon.time_of_day": "driftdrill judge --at MOMENT --at MOMENT",
}
"""Ids that are a way to use what there is."""

MISSING = {
    "mon.last_value_gauge": "how an exporter is written cannot be injected; a rule on such a gauge is for a linter",
    "mon.misrouted": "needs Alertmanager",
    "mon.inhibited": "needs Alertmanager",
    "mon.deadman_missing": "needs Alertmanager",
    "mon.duplicate_alert": "needs Alertmanager",
}
"""Ids that cannot be injected, or not yet, each with the reason."""


FAMILIES = ("edge", "shift", "miss", "noise", "unit", "col", "cat", "time", "text", "mis", "sys", "mon")
FACE = "driftdrill.faults"
"""Where an author imports every kind from."""


@cache
def kinds() -> tuple[Kind, ...]:
    """Every kind, in the order of its id's family."""
    http = [fault for fault in HTTP_FAULTS if fault is not Page]  # it only carries a page fault
    found = (
        *_shifts(),
        *_edges(),
        *(kind(fault, "encoded request", FACE) for fault in PAYLOAD_FAULTS),
        *(kind(fault, "network (proxy, TCP)", FACE) for fault in TOXICS),
        *(kind(fault, "network (proxy, HTTP)", FACE) for fault in http),
        *(kind(fault, "process or container", FACE) for fault in PROCESS_FAULTS),
        *(kind(switch, "demo model", FACE) for switch in SWITCHES.values()),
        *(kind(fault, "metrics page", FACE) for fault in PAGE_FAULTS),
        *(kind(fault, "scrape configuration", FACE) for fault in JOB_FAULTS),
        Kind(
            LoadFault.id, "load", FACE, "schedule", LoadFault.visible_from, ("times",), _first(LoadFault, sentences=9)
        ),
        *_rules(),
    )
    return tuple(sorted(found, key=lambda k: (FAMILIES.index(k.id.partition(".")[0]), k.id, k.name)))


def ids() -> frozenset[str]:
    """Every id that a scenario may name."""
    return frozenset(k.id for k in kinds()) | WAYS.keys()


def check_ids(faults: Iterable[Fault]) -> None:
    """Raise :class:`ScenarioError`, with the nearest, for an id that the catalogue does not have."""
    for fault in faults:
        if fault.id is not None and fault.id not in ids():
            raise ScenarioError(
                f"fault {fault.name!r}: the catalogue has no id {fault.id!r}",
                hint=MISSING.get(fault.id) or nearest(fault.id, ids()),
            )


def _shifts() -> Iterable[Kind]:
    """The functions that make shifts say their ids themselves."""
    for name in shift_generators.__all__:
        made = getattr(shift_generators, name)
        if inspect.isfunction(made) and hasattr(made, "id"):
            parameters = tuple(inspect.signature(made).parameters)
            yield Kind(made.id, name, FACE, "rows", str(vars(made)["visible_from"]), parameters, _first(made))


def _edges() -> Iterable[Kind]:
    for id_ in dict.fromkeys(e.id for e in shift_generators.EDGES):
        names = ", ".join(e.name for e in shift_generators.EDGES if e.id == id_)
        text = f"Put an edge value into the hit rows: {names}."
        yield Kind(id_, "edge", FACE, "rows", "server", ("column", "name"), text)


def _rules() -> Iterable[Kind]:
    for operator in OPERATORS.values():
        if operator.id:
            yield Kind(operator.id, operator.name, "", "rules (driftdrill mutate)", "nowhere", (), f"{operator.does}.")


def _first(value: object, sentences: int = 1) -> str:
    """The first sentences of a docstring's first paragraph."""
    text = " ".join((inspect.getdoc(value) or "").split("\n\n")[0].split())
    return ". ".join(text.split(". ")[:sentences]).rstrip(".").replace("``", "`") + "."
