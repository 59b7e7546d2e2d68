"""Harm in whole drills against a real server: numbers, labels, an author's own loss, segments, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from driftdrill.harness.recording.reader import open_recording
from driftdrill.reports.data.verdict import Harm, Verdict, from_json
from tests.harness import toy
from tests.harness.command import Cli, assert_told
from tests.harness.toy import Answer, Toy

RULES = """\
groups:
- name: toy
  rules:
  - {alert: Down, expr: up == 0}
"""
FILE = """\
import numpy as np
from driftdrill import *
from driftdrill.shift_generators import rescale

RNG = np.random.default_rng(0)
KM = RNG.lognormal(2, 0.5, 500)
COUNTRY = RNG.choice(["at", "ch", "de"], 500, p=[0.4, 0.05, 0.55])


def rows():
    minutes = np.round(3 * KM + RNG.normal(0, 2, 500))
    named = np.where(minutes > 25, "long", np.where(minutes > 15, "middling", "short"))
    return {{"km": KM, "country": COUNTRY, "minutes": minutes, "kind": named, "always": np.ones(500)}}


def cost(truth, prediction):
    return np.where(prediction < truth, 3.0, 1.0) * np.abs(prediction - truth)


def only_mean(truth, prediction):
    return np.mean(np.abs(truth - prediction))


def gone(batch, strength, rng):
    return {{**batch, "country": np.where((strength > 0) & (batch["country"] == "ch"), "CH", batch["country"])}}


drill = Scenario(
    name="kilometres become metres", story="A unit changes.", rows=rows, rate=constant(4), rules=["rules.yml"],
    warm_up=60, baseline=200, fault=200, recovery=60, expect=[quiet("Down")],
    faults=[{fault}], {fields}
)
"""
METRES = 'Fault("km in metres", rescale("km", by=1000))'


def eta(number: int, asked: Any) -> Answer:
    """Minutes, as a whole number."""
    return Answer(json.dumps({"prediction": round(3 * asked["km"])}))


def kind(number: int, asked: Any) -> Answer:
    """A label."""
    minutes = 3 * asked["km"]
    return Answer(json.dumps({"prediction": "long" if minutes > 25 else "middling" if minutes > 15 else "short"}))


def write(cli: Cli, fields: str, fault: str = METRES) -> Path:
    (cli.folder / "rules.yml").write_text(RULES)
    file = cli.folder / "drill.py"
    file.write_text(FILE.format(fault=fault, fields=fields))
    return file


def drilled(cli: Cli, predict: Any, fields: str, fault: str = METRES) -> tuple[Verdict, Harm, str]:
    file = write(cli, fields, fault)
    with toy.serve(Toy(predict=predict)) as model:
        done = cli("run", file, "--target", model.url, "--json", "v.json", "--out", "d.drill")
    verdict = from_json((cli.folder / "v.json").read_bytes())
    assert verdict.validity.valid, verdict.validity.reasons
    (harm,) = verdict.harms
    return verdict, harm, done.out


def test_answers_a_thousand_times_too_large_are_harmful(cli: Cli) -> None:
    """The truth is continuous: what is compared is the error, not whether it is 0."""
    verdict, harm, said = drilled(cli, eta, "truth='minutes', smallest_harm=1.0")
    assert (harm.word, harm.measure, harm.unit) == ("HARMFUL", "mean absolute error of minutes", "minutes")
    assert verdict.silent_failures == [harm]
    assert "mean absolute error of minutes rose from" in " ".join(said.split())


def test_labels_go_from_the_rows_to_the_verdict_as_texts(cli: Cli) -> None:
    _, harm, _ = drilled(cli, kind, "truth='kind', smallest_harm=0.05, measure=macro_f1")
    assert (harm.word, harm.measure) == ("HARMFUL", "macro F1")
    requests = open_recording(cli.folder / "d.drill").requests()
    assert requests.truth is not None
    assert {*requests.truth.ravel(), *requests.prediction.ravel()} == {"long", "middling", "short"}


def test_the_canary_of_a_model_of_labels_deviates_by_1_where_the_label_is_another(cli: Cli) -> None:
    fields = (
        "truth='kind', canary=Canary(rows=lambda: {'km': np.array([2.0]), 'label': np.array([LABEL])}, answer='label')"
    )
    for known, deviation in (("short", 0.0), ("long", 1.0)):
        file = write(cli, fields.replace("LABEL", repr(known)))
        with toy.serve(Toy(predict=kind)) as model:
            cli("run", file, "--target", model.url, "--out", f"{known}.drill")
        samples = open_recording(cli.folder / f"{known}.drill").samples()
        (found,) = [s for s in samples if s.labels["__name__"] == "driftdrill_canary_deviation"]
        assert set(found.values.tolist()) == {deviation}


def test_an_authors_own_loss_is_computed_by_the_drive_and_judged_without_the_scenario(cli: Cli) -> None:
    fields = "truth='minutes', smallest_harm=50 * percent, measure=loss_of(cost, unit='euros')"
    _, harm, _ = drilled(cli, eta, fields)
    assert (harm.word, harm.measure, harm.unit) == ("HARMFUL", "cost", "euros")
    assert harm.ratio is not None
    (cli.folder / "drill.py").unlink()
    requests = open_recording(cli.folder / "d.drill").requests()
    assert requests.truth is not None
    error = requests.prediction - requests.truth
    assert requests.losses["model"] == pytest.approx(abs(error) * (3.0 - 2.0 * (error >= 0)))
    again = cli("judge", "d.drill", "--json", "again.json")
    assert again.code == 0, again
    assert from_json((cli.folder / "again.json").read_bytes()).harms == (harm,)


def refuses_ch(number: int, asked: Any) -> Answer:
    """A country that is spelled otherwise gets no answer."""
    return Answer('{"detail": "unknown country"}', 422) if asked["country"] == "CH" else eta(number, asked)


def test_a_segment_that_dies_under_a_harmless_whole_is_the_headline(cli: Cli) -> None:
    """A row stays of the segment that it was drawn from, although the fault writes another country."""
    fields = "truth='minutes', smallest_harm=0.2, measure=close_to(5), segments=['country']"
    verdict, harm, said = drilled(cli, refuses_ch, fields, 'Fault("CH", gone)')
    assert harm.word == "HARMLESS"
    assert [(s.value, s.word) for s in harm.segments] == [("at", "HARMLESS"), ("ch", "HARMFUL"), ("de", "HARMLESS")]
    assert verdict.silent_failures == [harm]
    first = " ".join(said.split())
    assert "SILENT FAILURE" in first
    assert "CH: HARMFUL to country=ch, " in first
    assert "while all together are HARMLESS: share within 5 of minutes there fell from" in first
    assert "and no alert noticed" in first


def test_one_truth_for_all_rows_is_unknown_and_the_drill_is_valid(cli: Cli) -> None:
    _, harm, _ = drilled(cli, eta, "truth='always', smallest_harm=0.1")
    assert (harm.word, harm.note) == ("UNKNOWN", "the truth has one value only: any model that says it is right")


@pytest.mark.parametrize(
    ("fields", "predict", "says", "hint"),
    [
        ("truth='kind', measure=mae", kind, r"mean absolute error needs a truth of numbers", "accuracy or macro_f1"),
        ("truth='minutes', measure=auc", eta, r"AUC needs a truth of 0 and 1", "choose another measure"),
        (
            "truth='kind', smallest_harm=10 * percent",
            kind,
            r"smallest_harm of accuracy must be in its own unit",
            "=0.1",
        ),
        ("truth='minutes', measure=only_mean", eta, r"must answer a number for each row", "one loss a row"),
        ("truth='minutes', measure=close_to", eta, r"close_to without its parameter", r"close_to\(5\)"),
        ("truth='minutes', segments=['land']", eta, r"no column 'land' \(segments\)", ""),
        ("truth='minutes', segments=['km']", eta, r"column 'km' has 500 values", "ranges"),
        ("truth='minutes'", kind, r"expected a number, found str", "truth that is texts"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_the_drill(
    cli: Cli, fields: str, predict: Any, says: str, hint: str
) -> None:
    file = write(cli, fields)
    with toy.serve(Toy(predict=predict)) as model:
        refused = cli("run", file, "--target", model.url).refused()
    assert_told(refused, says, hint)
    assert not list(cli.folder.glob("*.drill"))


def test_whole_numbers_that_a_model_does_not_predict_are_no_classes(cli: Cli) -> None:
    """Few values are taken for classes; a prediction between them says that they are not."""
    file = write(cli, "truth='stars', smallest_harm=0.1")
    file.write_text(file.read_text().replace('"always": np.ones(500)', '"stars": np.arange(500.0) % 5'))
    with toy.serve(Toy(predict=lambda number, asked: Answer('{"prediction": 3.4}'))) as model:
        refused = cli("run", file, "--target", model.url).refused()
    assert_told(refused, r"the truth has 5 values, and the model predicts 3\.4", "measure=mae for numbers")
