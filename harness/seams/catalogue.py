"""The catalogue of faults: every kind by its id, and what there is for ids that are no kind of their own."""

import inspect
from collections.abc import Iterable
from functools import cache

from driftdrill import shift_generators
from driftdrill.harness.errors import ScenarioError, nearest
from driftdrill.harness.judge.mutants.operators import OPERATORS
from driftdrill.harness.scenario.fault import Fault
from driftdrill.harness.scenario.workloads import LoadFault
from driftdrill.harness.traffic.payload import PAYLOAD_FAULTS
from driftdrill.stack.faults.kind import Kind, kind
from driftdrill.stack.faults.listing import kinds as stack_kinds

ROWS = {
    "affine": "shift.affine",
    "case_category": "cat.case",
    "clipped": "noise.clipped",
    "concept_flip": "shift.concept_flip",
    "concept_logit": "shift.concept_logit",
    "concept_reverse": "shift.concept_reverse",
    "constant_column": "col.constant",
    "correlation_break": "shift.correlation_break",
    "duplicates": "noise.duplicate",
    "gaussian_noise": "noise.gaussian",
    "knockout_category": "cat.knockout",
    "log_unit": "unit.log",
    "mar": "miss.mar",
    "mcar": "miss.mcar",
    "mean_shift": "shift.mean",
    "merge_categories": "cat.merge",
    "mnar": "miss.mnar",
    "novel_category": "cat.novel",
    "outliers": "noise.outliers",
    "prior": "shift.prior",
    "quantile_warp": "shift.quantile_warp",
    "rescale": "unit.rescale",
    "rotation": "shift.rotation",
    "rounding": "noise.rounding",
    "scale": "shift.scale",
    "selection": "shift.selection",
    "shift_time": "time.shift",
    "shuffle_column": "col.shuffle",
    "stuck": "noise.stuck",
    "subgroup": "shift.subgroup",
    "swap_columns": "col.swap",
    "temperature": "unit.temperature",
    "text_case": "text.case",
    "text_emoji": "text.emoji",
    "text_language": "text.language",
    "text_length": "text.length",
    "text_typo": "text.typo",
    "text_vocabulary": "text.vocabulary",
    "tilt": "shift.tilt",
    "time_format": "time.format",
    "timezone": "time.timezone",
    "typo_category": "cat.typo",
    "wrong_join": "shift.wrong_join",
}
"""Shift generator -> id."""

SILENT = ("shift.concept_flip", "shift.concept_logit", "shift.concept_reverse")
"""Rows whose inputs and predictions stay: seen nowhere without labels."""

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


@cache
def kinds() -> tuple[Kind, ...]:
    """Every kind, in the order of its id's family."""
    found = (*_rows(), *_edges(), *_payload(), *stack_kinds(), *_load(), *_rules())
    return tuple(sorted(found, key=lambda k: (FAMILIES.index(k.id.partition(".")[0]), k.id, k.name)))


FACE = "driftdrill.faults"
"""Where an author imports every kind from."""
FAMILIES = ("edge", "shift", "miss", "noise", "unit", "col", "cat", "time", "text", "mis", "sys", "mon")


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


def _rows() -> Iterable[Kind]:
    for function, id_ in ROWS.items():
        made = getattr(shift_generators, function)
        visible = "nowhere" if id_ in SILENT else "server"
        yield Kind(id_, function, FACE, "rows", visible, _parameters(made), _first(made))


def _edges() -> Iterable[Kind]:
    for id_ in dict.fromkeys(e.id for e in shift_generators.EDGES):
        names = ", ".join(e.name for e in shift_generators.EDGES if e.id == id_)
        text = f"Put an edge value into the hit rows: {names}."
        yield Kind(id_, "edge", FACE, "rows", "server", ("column", "name"), text)


def _payload() -> Iterable[Kind]:
    return (kind(fault, "encoded request", FACE) for fault in PAYLOAD_FAULTS)


def _load() -> Iterable[Kind]:
    text = " ".join((LoadFault.__doc__ or "").split("\n\n")[0].split())
    yield Kind(LoadFault.id, "load", FACE, "schedule", LoadFault.visible_from, ("times",), text)


def _rules() -> Iterable[Kind]:
    for operator in OPERATORS.values():
        if operator.id:
            yield Kind(operator.id, operator.name, "", "rules (driftdrill mutate)", "nowhere", (), f"{operator.does}.")


def _parameters(function: object) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)  # type: ignore[arg-type]


def _first(function: object) -> str:
    """The first sentence of a docstring."""
    text = " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())
    return text.split(". ")[0].rstrip(".").replace("``", "`") + "."
