"""Each check speaks of its trap, with the values seen, and nothing speaks of the healthy twin."""

import pytest

from driftdrill.harness.judge.why import CHECKS, reasons
from driftdrill.harness.judge.why.renamed import RENAMED, renamings
from driftdrill.reports.data.verdict import Reason
from tests.harness.judge.why import told, told_joined
from tests.harness.judge.why.seen import alert, left, rules, seen
from tests.harness.judge.why.told import Told
from tests.shared import ROOT

TRAPS = [*told.TRAPS, *told_joined.TRAPS]
HEALTHY = [*told.HEALTHY, *told_joined.HEALTHY]


def reasons_of(told: Told) -> tuple[Reason, ...]:
    given = rules(told.expr, told.fields, told.records)
    more = dict(told.more)
    if told.left is not None:
        more["left"] = left(given, told.left)
    return reasons(alert(given), seen(given, told.there, **more), told.fired)


def told_id(told: Told) -> str:
    return f"{told.check}-{told.expr[:40]}"


@pytest.mark.parametrize("told", TRAPS, ids=told_id)
def test_a_trap_is_told_by_its_check_first(told: Told) -> None:
    found = reasons_of(told)

    assert found, "nothing was told"
    assert found[0].check == told.check, found
    assert told.says in found[0].says
    assert told.hint in found[0].hint
    assert found[0].cannot_fire == told.cannot_fire


@pytest.mark.parametrize("told", HEALTHY, ids=told_id)
def test_nothing_is_told_of_what_is_healthy(told: Told) -> None:
    assert reasons_of(told) == ()


def test_every_check_has_a_trap_and_a_healthy_twin() -> None:
    names = {c.name for c in CHECKS}
    assert {t.check for t in TRAPS} == names
    assert names <= {t.check for t in HEALTHY}


def test_every_check_has_a_page_and_every_page_a_check() -> None:
    pages = {p.stem for p in (ROOT / "docs" / "why").glob("*.md")}
    assert pages - {"README"} == {c.name for c in CHECKS}
    listed = (ROOT / "docs" / "why" / "README.md").read_text(encoding="utf-8")
    assert all(f"[{c.name}]({c.name}.md)" in listed for c in CHECKS)


def test_every_renaming_says_its_release_and_source() -> None:
    assert len(RENAMED) >= 10
    assert all(r.release and "/" in r.source and r.old != r.new for r in RENAMED)


def test_a_renaming_is_found_from_both_sides_and_for_parts_of_a_histogram() -> None:
    (found,) = renamings("vllm:inter_token_latency_seconds_bucket")
    assert found[1] == "vllm:time_per_output_token_seconds_bucket"
    ((_, new),) = renamings("kube_hpa_spec_max_replicas")
    assert new == "kube_horizontalpodautoscaler_spec_max_replicas"
