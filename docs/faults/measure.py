"""Drive each page's example against the demo model: python -m docs.faults.measure [id ...].

Answers what the demo's rules made of it, into measured.json, which build.py reads. Virtual time takes some seconds an
id, the wall clock more than a minute.
"""

import json
import os
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Any

from docs.faults.build import HARM, HERE, MEASURED, fault_of, measured
from docs.faults.entries import ENTRIES, Entry
from driftdrill import Canary, Scenario, constant, minutes, seconds
from driftdrill.harness.cli.demo import TOKEN, target_file
from driftdrill.harness.cli.drill import drill
from driftdrill.harness.setup.settings import settings_of
from driftdrill.reports.data.verdict import Verdict
from driftdrill.stack.model_service import flights, golden, serve_replicas

RULES = HERE.parent.parent / "driftdrill" / "scenarios" / "rules"


def scenario_of(entry: Entry) -> Scenario:
    """The drill of an entry: on either clock the demo's own rules, windows and phases."""
    shared: dict[str, Any] = {
        "name": entry.id,
        "story": entry.life,
        "rows": flights.held_out,
        "truth": "late",
        "smallest_harm": HARM,
        "faults": [fault_of(entry)],
        "expect": [],
    }
    if entry.clock == "virtual":
        return Scenario(
            **shared,
            rate=constant(2),
            warm_up=10 * minutes,
            baseline=10 * minutes,
            fault=24 * minutes,
            recovery=16 * minutes,
            canary=Canary(golden.rows, answer=golden.ANSWER),
            rules=[RULES / "demo.yml"],
        )
    return Scenario(
        **shared,
        rate=constant(40),
        warm_up=20 * seconds,
        baseline=8 * seconds,
        fault=22 * seconds,
        recovery=25 * seconds,
        canary=Canary(golden.rows, answer=golden.ANSWER, every=1 * seconds),
        rules=[RULES / "demo_seconds.yml"],
        clock="wall",
        scrape_interval=1 * seconds,
        evaluation_interval=1 * seconds,
    )


def measure(entry: Entry) -> dict[str, Any]:
    """What came of one drill."""
    os.environ.setdefault(TOKEN, secrets.token_urlsafe(24))
    with tempfile.TemporaryDirectory() as folder, serve_replicas(2 if entry.replica else 1, admin=True) as services:
        config = target_file(Path(folder), services)
        settings = settings_of(target="demo", config=str(config), out=f"{folder}/one.drill")
        _, verdict = drill(scenario_of(entry), settings)
    assert verdict is not None
    return {"how": entry.how, **_told(verdict)}


def _told(verdict: Verdict) -> dict[str, Any]:
    begun = next(p.start for p in verdict.timeline.phases if p.name == "fault")
    fired: dict[str, float] = {}
    for response in verdict.responses:
        if response.fired_at is not None and response.fired_at >= begun:
            label = response.labels.get("feature") or response.labels.get("canary") or ""
            called = f"{response.alert} ({label})" if label and response.alert != "CanaryDeviates" else response.alert
            fired[called] = min(fired.get(called, 1e9), round(response.fired_at - begun, 1))
    harm = next(iter(verdict.harms), None)  # a fault of pages or of the scrape configuration harms no prediction
    return {
        "invalid": list(verdict.validity.reasons),
        "clock": verdict.clock,
        "fired": dict(sorted(fired.items(), key=lambda item: (item[1], item[0]))),
        "accuracy": [harm.before, harm.during] if harm else [None, None],
        "unanswered": round(harm.unanswered / harm.rows_during, 3) if harm and harm.rows_during else 0.0,
        "failed": verdict.requests.get("failed", 0),
    }


def main(ids: list[str]) -> None:
    """Measure the ids, or every entry that says a clock; ends with a message where an id is no such entry."""
    if unknown := set(ids) - {e.id for e in ENTRIES if e.clock}:
        sys.exit(f"no example to drive: {', '.join(sorted(unknown))}")
    for entry in ENTRIES:
        if entry.clock and (not ids or entry.id in ids):
            found = measure(entry)
            print(entry.id, json.dumps(found), flush=True)
            everything = {**measured(), entry.id: found}
            MEASURED.write_text(json.dumps(dict(sorted(everything.items())), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
