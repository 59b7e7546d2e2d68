"""What became of mutants, as text: complete, narrow, and safe to print."""

from dataclasses import replace

from driftdrill.reports.data.mutation import MutantResult, Mutation, from_json
from driftdrill.reports.mutation_text import render

KILLED = MutantResult(
    "Hot", "rules.yml:5", "comparison.flip", "> 10", "< 10", "KILLED", "mon.threshold", "a.drill", "it fails"
)
KEPT = MutantResult(
    "Hot", "rules.yml:5", "for.drop", "for: 1m", "", "SURVIVED", remedy="a blip (pulse) shorter than 1m"
)
GONE = MutantResult(
    "Cold", "rules.yml:9", "rule.drop", "alert: Cold", "", "SURVIVED", remedy="a drill in which it fires", blind=True
)
ALSO = MutantResult("Cold", "rules.yml:9", "threshold.halve", "< 1", "< 0.5", "SURVIVED", remedy="another drill")
UNSEEN = MutantResult("Dry", "rules.yml:13", "for.drop", "for: 1m", "", "NOT_COVERED", seen="no scrape had water")
BROKEN = MutantResult("Wet", "rules.yml:17", "matching.drop", "/ on (job)", "/", "INVALID", seen="many-to-many")
EACH = (KILLED, KEPT, GONE, ALSO, UNSEEN, BROKEN)
ALL = Mutation(EACH, ("rules.yml",), ("a.drill",), "promtool 3", {"Odd": "cannot be read"})


def test_all_that_matters_is_told() -> None:
    told = " ".join(render(ALL).split())
    assert told.startswith(
        "20% KILLED · 3 SURVIVED · 1 NOT_COVERED · 1 INVALID 1 drill killed 1 of 5 mutants of rules.yml"
    )
    assert "Hot (rules.yml:5): 1 of 2 survive for.drop `for: 1m` goes: a blip (pulse) shorter than 1m" in told
    assert "Cold (rules.yml:9): 2 of 2 survive, rule.drop among them: a drill in which it fires" in told
    assert "another drill" not in told  # while the whole rule may go
    assert "Dry (rules.yml:13): for.drop: no scrape had water" in told
    assert "Wet (rules.yml:17): matching.drop: many-to-many" in told
    assert "comparison.flip 1 of 1 (mon.threshold)" in told
    assert "Odd: cannot be read" in told


def test_lines_are_narrow_and_hold_no_control_characters() -> None:
    rude = replace(
        KEPT, rule="Hot\x1b[31m" * 9, was="x\n" * 200, seen="y\x07" * 90, recording="z\r.drill", remedy="w " * 90
    )
    text = render(replace(ALL, mutants=(rude,), left_out={"\x1b]0;": "\x9b"}), width=60)
    assert max(map(len, text.splitlines())) <= 60
    assert not [c for c in text if c != "\n" and not c.isprintable()]


def test_nothing_but_killed_is_short_and_nothing_at_all_is_no_success() -> None:
    assert "survivors" not in render(replace(ALL, mutants=(KILLED,)))
    assert replace(ALL, mutants=(BROKEN,)).share == 0.0


def test_it_survives_json() -> None:
    assert from_json(ALL.to_json()) == ALL
