"""The catalogue of faults: each id is there once, can be written as it says, and `driftdrill list faults` prints it."""

import importlib
import inspect
from typing import Any

import pytest

from docs.shifts.pages import PAGES
from driftdrill import shift_generators
from driftdrill.harness.errors import ScenarioError
from driftdrill.harness.scenario.fault import VANTAGES, Fault
from driftdrill.harness.seams.catalogue import MISSING, WAYS, check_ids, ids, kinds
from driftdrill.harness.seams.load import load
from driftdrill.stack.faults.kind import Kind
from tests.harness.command import Cli, assert_told

PROMISED = """
edge.nan edge.null edge.missing edge.unseen_category edge.out_of_range edge.wrong_type edge.batch_shape edge.size
edge.encoding edge.duplicate_key edge.unknown_key edge.time edge.text shift.mean shift.scale shift.affine
shift.quantile_warp shift.tilt shift.subgroup shift.selection shift.correlation_break shift.wrong_join shift.rotation
shift.prior shift.concept_flip shift.concept_logit shift.concept_reverse miss.mcar miss.mar miss.mnar noise.gaussian
noise.outliers noise.rounding noise.clipped noise.stuck noise.duplicate unit.rescale unit.log unit.temperature
col.swap col.shuffle col.constant cat.novel cat.typo cat.case cat.merge cat.knockout time.shift time.format
time.timezone text.typo text.case text.length text.language text.emoji text.vocabulary replica.one mis.wrong_version
mis.feature_order mis.unit_change mis.scaler_missing mis.scaler_twice mis.class_map mis.stale_features
mis.default_imputed mis.dtype mis.threshold mis.calibration mis.vocabulary mis.locale mis.constant_output
mis.cache_stuck mis.traffic_split mis.nan_output mis.nondeterministic sys.latency sys.jitter sys.error sys.truncated
sys.timeout sys.reset sys.refuse sys.bandwidth sys.slicer sys.hang sys.crash_loop sys.cpu sys.memory sys.io
sys.overload sys.clock_skew mon.wrong_port mon.wrong_path mon.job_renamed mon.relabel_drop mon.label_collision
mon.range_too_short mon.scrape_timeout mon.cardinality mon.bad_exposition mon.stale_gauge mon.metric_renamed
mon.label_renamed mon.bucket_coverage mon.counter_reset mon.last_value_gauge mon.nan_poison mon.for_too_long
mon.flapping mon.threshold mon.absent_missing mon.vector_mismatch mon.replica_masked mon.rule_not_loaded mon.misrouted
mon.inhibited mon.deadman_missing mon.duplicate_alert mon.time_of_day mon.engine_upgrade
"""
CATALOGUE = PROMISED.split()
"""What the catalogue promised; an id that is taken away is a decision."""


def test_every_promised_id_can_be_injected_or_says_why_not() -> None:
    assert set(CATALOGUE) <= ids() | MISSING.keys()
    assert not ids() & MISSING.keys()
    assert not {k.id for k in kinds()} & WAYS.keys()


@pytest.mark.parametrize("kind", [k for k in kinds() if k.home], ids=lambda k: f"{k.id}-{k.name}")
def test_a_kind_is_imported_from_where_it_says_and_takes_what_it_says(kind: Kind) -> None:
    made: Any = getattr(importlib.import_module(kind.home), kind.name)
    taken = set(inspect.signature(made).parameters)
    assert set(kind.parameters) <= taken
    assert kind.visible_from in VANTAGES
    assert kind.description.endswith((".", ":"))


def test_kinds_of_one_id_have_names_of_their_own() -> None:
    assert len({(k.home, k.name, k.id) for k in kinds()}) == len(kinds())


def test_every_shift_generator_is_listed_under_its_own_id() -> None:
    made = {page.function: page.generator.id for page in PAGES}
    wrappers = {"in_order", "on_fraction", "on_slice", "sized", "edge"}
    assert {f: i for f, i in made.items() if f not in wrappers} == {
        k.name: k.id for k in kinds() if k.acts == "rows" and k.name != "edge"
    }
    assert {e.id for e in shift_generators.EDGES} <= ids()


def test_an_id_that_is_not_there_is_told_with_the_nearest_or_the_reason() -> None:
    with pytest.raises(ScenarioError, match=r"no id 'sys\.overlaod'") as told:
        check_ids([Fault("much", load(times=9), id="sys.overlaod")])
    assert "sys.overload" in told.value.hint
    with pytest.raises(ScenarioError) as told:
        check_ids([Fault("much", load(times=9), id="mon.misrouted")])
    assert told.value.hint == "needs Alertmanager"


def test_a_scenario_with_an_unknown_id_is_refused(cli: Cli) -> None:
    from tests.harness import scenarios, toy

    with toy.serve(toy.Toy()) as model:
        file = scenarios.write(cli.folder, faults="[Fault('x', moved, id='unit.rescal')]")
        assert_told(cli("run", file, "--target", model.url).refused(), "no id 'unit.rescal'", "unit.rescale")


def test_the_listing_prints_every_id_with_what_is_written(cli: Cli) -> None:
    out = cli("list", "faults").out
    for id_ in CATALOGUE:
        assert id_ in out
    line = next(line for line in out.splitlines() if "Latency(" in line)
    assert line.split()[0] == "sys.latency"
    assert "client" in line
    assert "Latency(latency, jitter, stream, toxicity, name)" in line


def test_an_id_tells_what_it_does_and_where_it_is_imported_from(cli: Cli) -> None:
    out = cli("list", "faults", "mis.unit").out
    assert "A number is read in another unit." in out
    assert "from driftdrill.faults import UnitChange" in out
    assert "needs Alertmanager" in cli("list", "faults", "mon.misrouted").out
    assert_told(cli("list", "faults", "mis.unti_change").refused(), "no fault has the id", "mis.unit_change")
