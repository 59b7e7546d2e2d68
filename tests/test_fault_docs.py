"""Pages of faults: one an id, made from the catalogue, with examples that are faults and what a drill made of them."""

from pathlib import Path

import promql_parser
import pytest

from docs.faults.build import MISCONFIGURED, build, compared, fault_of, measured
from docs.faults.entries import ENTRIES, Entry
from docs.faults.measure import scenario_of
from driftdrill.harness.seams.catalogue import MISSING, ids, kinds

PAGES = Path(__file__).resolve().parent.parent / "docs" / "faults"
WITH_EXAMPLE = [e for e in ENTRIES if e.how]


def test_every_id_has_one_page() -> None:
    written = [e.id for e in ENTRIES]
    assert len(written) == len(set(written))
    shifts = {k.name: k.id for k in kinds() if k.acts == "rows" and k.name != "edge"}
    assert set(written) == (ids() | MISSING.keys()) - set(shifts.values())
    for function in shifts:
        assert (PAGES.parent / "shifts" / f"{function}.md").exists()


def test_the_pages_are_what_the_catalogue_and_the_drills_say(tmp_path: Path) -> None:
    build(tmp_path)
    made = {p.name: p.read_text(encoding="utf-8") for p in tmp_path.glob("*.md")}
    there = {p.name: p.read_text(encoding="utf-8") for p in PAGES.glob("*.md")}
    assert made.keys() == there.keys()
    assert [name for name in made if made[name] != there[name]] == [], "run python -m docs.faults.build"


def test_the_table_of_misconfigured_models_is_what_the_drills_say() -> None:
    text = MISCONFIGURED.read_text(encoding="utf-8")
    assert compared(text, measured()) == text
    assert text.count("\n| [mis.") == sum(e.id.startswith("mis.") and bool(e.clock) for e in ENTRIES)


@pytest.mark.parametrize("entry", WITH_EXAMPLE, ids=lambda e: e.id)
def test_an_example_is_a_fault_of_its_id(entry: Entry) -> None:
    assert fault_of(entry).describe()["id"] == entry.id
    if entry.clock:
        assert scenario_of(entry).faults[0].name


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.rule], ids=lambda e: e.id)
def test_an_expression_is_promql(entry: Entry) -> None:
    promql_parser.parse(entry.rule)


def test_every_example_that_says_a_clock_was_driven_as_it_stands_and_was_valid() -> None:
    found = measured()
    assert found.keys() == {e.id for e in ENTRIES if e.clock}
    for entry in ENTRIES:
        if entry.clock:
            told = found[entry.id]
            assert (told["how"], told["clock"], told["invalid"]) == (entry.how, entry.clock, [])
