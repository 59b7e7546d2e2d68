"""The traps: on a real model the one rule is silent and the other fires; and without the trap the silent one does."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from driftdrill.harness.errors import DriftdrillError
from driftdrill.harness.scenario.expect import fires
from driftdrill.harness.scenario.fault import Fault
from driftdrill.harness.scenario.scenario import Scenario, built_in, load_all
from driftdrill.harness.seams.load import load
from driftdrill.harness.traffic.payload import WrongType
from driftdrill.reports.data.verdict import Verdict
from driftdrill.stack.faults.jobs import WrongPort
from driftdrill.stack.model_service import serve_replicas

TRAPS = sorted(p.stem for p in built_in().glob("trap_*.py"))


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A driftdrill.toml of a demo model on four replicas, which can be misconfigured."""
    folder = tmp_path_factory.mktemp("traps")
    with ExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).setenv("TRAP_TOKEN", "token of the traps")
        os.environ["DRIFTDRILL_ADMIN_TOKEN"] = "token of the traps"
        stack.callback(os.environ.pop, "DRIFTDRILL_ADMIN_TOKEN", None)
        services = stack.enter_context(serve_replicas(4, admin=True))
        file = folder / "driftdrill.toml"
        urls = [service.url for service in services]
        token = "admin = { env = 'TRAP_TOKEN' }\n"
        named = {"one": urls[:1], "four": urls}
        file.write_text(
            "".join(f"[targets.{n}]\nurl = {u[0]!r}\nreplicas = {u[1:]!r}\n{token}" for n, u in named.items())
        )
        yield file


def drilled(scenario: Scenario, target: Path, folder: Path) -> Verdict:
    from driftdrill.harness.cli.drill import drill
    from driftdrill.harness.setup.settings import settings_of

    replicas = max((f.replica or 0 for f in scenario.faults), default=0)
    settings = settings_of(target="four" if replicas else "one", config=str(target), out=str(folder / "trap.drill"))
    _, verdict = drill(scenario, settings)
    assert verdict is not None
    return verdict


def trap(name: str) -> Scenario:
    (scenario,) = load_all(built_in() / f"{name}.py")
    return scenario


def silent(scenario: Scenario) -> str:
    """The rule that stays silent."""
    (name,) = [e.alert for e in scenario.expect if type(e).__name__ in ("Quiet", "Silent")]  # type: ignore[union-attr]
    assert name is not None
    return str(name)


@pytest.mark.parametrize("name", [n for n in TRAPS if n != "trap_one_nan"])
def test_in_a_trap_one_rule_is_silent_and_the_other_fires(name: str, target: Path, tmp_path: Path) -> None:
    verdict = drilled(trap(name), target, tmp_path)
    assert verdict.validity.valid, verdict.validity.reasons
    assert verdict.failures == []
    words = {r.alert: r.word for r in verdict.responses}
    assert sorted(words.values()) == ["FIRED", "SILENT"]
    assert words[silent(trap(name))] == "SILENT"


WITHOUT_THE_TRAP: dict[str, Any] = {
    "trap_metric_renamed": lambda s: [Fault("few", load(times=0))],
    "trap_job_renamed": lambda s: [Fault("down", WrongPort())],
    "trap_no_traffic": lambda s: [Fault("refused", WrongType("dep_delay"))],
    "trap_counter_born": lambda s: [s.faults[1]],
    "trap_flapping": lambda s: [Fault("all the time", s.faults[0].how)],
    "trap_one_replica": lambda s: [Fault("all replicas", s.faults[0].how)],
    "trap_latency_above_buckets": lambda s: [s.faults[1]],
}
"""What the silent rule was written for. A plain division whose labels do not match can never fire."""


@pytest.mark.parametrize("name", WITHOUT_THE_TRAP)
def test_without_the_trap_the_silent_rule_fires(name: str, target: Path, tmp_path: Path) -> None:
    scenario = trap(name)
    faults = WITHOUT_THE_TRAP[name](scenario)
    control = replace(scenario, faults=faults, expect=[fires(silent(scenario))])
    verdict = drilled(control, target, tmp_path)
    assert verdict.validity.valid, verdict.validity.reasons
    assert verdict.failures == []


def test_one_nan_silences_the_mean_for_the_life_of_the_process(target: Path, tmp_path: Path) -> None:
    """Last in this file: the service stays poisoned."""
    scenario = trap("trap_one_nan")
    before = replace(scenario, faults=[scenario.faults[1]], expect=[fires("MeanIsHigh")])
    assert drilled(before, target, tmp_path).failures == []
    after = drilled(scenario, target, tmp_path / "after")
    assert after.failures == []
    assert {r.alert: r.word for r in after.responses} == {"MeanIsNaN": "UNRESOLVED", "MeanIsHigh": "SILENT"}


def test_every_trap_names_both_rules_in_one_file_of_its_own() -> None:
    assert len(TRAPS) == 9
    for name in TRAPS:
        scenario = trap(name)
        (rules,) = scenario.rules
        assert Path(rules).name == f"{name}.yml"
        assert f"alert: {silent(scenario)}" in Path(rules).read_text(encoding="utf-8")


def test_a_trap_on_a_replica_says_what_it_needs(target: Path, tmp_path: Path) -> None:
    from driftdrill.harness.cli.drill import drill
    from driftdrill.harness.setup.settings import settings_of

    with pytest.raises(DriftdrillError, match="acts on replica 3"):
        drill(trap("trap_one_replica"), settings_of(target="one", config=str(target), out=str(tmp_path / "x.drill")))
