"""Where a fault goes in: one class a seam, and the catalogue of every kind of fault.

A kind of fault is a value with an ``id``, a ``seam`` and a ``visible_from``, beside what it acts on. Its seam says what
may be drilled where, how a fault is put in and undone, and how a recording shows that it was in force; nobody else
tells kinds of faults apart. A new seam is one file here and one line of :data:`SEAMS`.
"""

from collections.abc import Mapping
from typing import Any

from driftdrill.harness.seams.hook import HookSeam
from driftdrill.harness.seams.load import LoadSeam
from driftdrill.harness.seams.network import NetworkSeam
from driftdrill.harness.seams.own import OwnSeam
from driftdrill.harness.seams.page import PageSeam
from driftdrill.harness.seams.process import ProcessSeam
from driftdrill.harness.seams.requests import PayloadSeam, RowsSeam
from driftdrill.harness.seams.scrape_job import ScrapeJobSeam
from driftdrill.harness.seams.seam import Seam
from driftdrill.harness.seams.switch import SwitchSeam

SEAMS: Mapping[str, Seam] = {
    seam.name: seam
    for seam in (
        RowsSeam(),
        PayloadSeam(),
        LoadSeam(),
        PageSeam(),
        ScrapeJobSeam(),
        NetworkSeam(),
        ProcessSeam(),
        HookSeam(),
        SwitchSeam(),
        OwnSeam(),
    )
}


def seam_of(how: object) -> Seam | None:
    """The seam of a fault's ``how``: what it says, else where a value of its kind belongs; None for one not known.

    A value without a ``seam`` that has ``hold(target)`` is a fault of the author's own; a function is one of rows.
    """
    if (name := getattr(how, "seam", None)) is not None:
        return SEAMS.get(name)
    return SEAMS["own" if hasattr(how, "hold") else "rows"]


def recorded_seam(fault: Mapping[str, Any]) -> Seam:
    """The seam of a fault as a recording describes it.

    Recordings of the first version call ``held`` what is one of several seams now, and ``scrape`` that of scrape jobs.
    """
    name = str(fault.get("seam", "own" if fault.get("held") else "rows"))
    return SEAMS.get({"held": "own", "scrape": "scrape job"}.get(name, name), SEAMS["own"])
