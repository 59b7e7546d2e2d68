"""Harm: measures, segments, rows that nothing answered, constants, the wrong model, text."""

import numpy as np

from driftdrill import accuracy, auc, brier, close_to, fires, log_loss, macro_f1, mae, percent, quiet, rmse
from driftdrill.harness.scenario.measure import Measure
from tests.truth.entry import Entry, alert, flat, jump, lie, rules, well

CALM = rules(alert("Hot", "heat > 10"))
QUIET, LOUD = [quiet("Hot")], [fires("Hot")]
STILL, HOT = {"heat": flat(1)}, {"heat": jump(1, 20)}
N = 2700
INSIDE = (np.arange(N) >= 900) & (np.arange(N) < 1800)
RNG = np.random.default_rng(7)
CLASS = RNG.integers(0, 2, N)
LOGIT = np.where(CLASS == 1, 1.5, -1.5) + RNG.normal(0, 1.2, N)
PROBABILITY = 1 / (1 + np.exp(-LOGIT))
NUMBER = RNG.lognormal(3, 0.5, N)
ESTIMATE = NUMBER * RNG.lognormal(0, 0.1, N)
THREE = np.array(["early", "on time", "late"], dtype=object)[RNG.integers(0, 3, N)]
ANSWERED = np.where(RNG.random(N) < 0.9, THREE, "late")
COUNTRY = RNG.choice(np.array(["at", "ch", "de", "fr"], dtype=object), N, p=[0.3, 0.05, 0.35, 0.3])


def rows(truth, before, during=None, **more):
    """Columns of requests: what was predicted, in the fault ``during``."""
    predicted = np.where(INSIDE, before if during is None else during, before)
    values = [None if isinstance(p, float) and np.isnan(p) else p for p in predicted.tolist()]
    return {"prediction": values, "truth": truth.tolist(), **more}


def of(measure: Measure | None, smallest: float = 0.05, **more):
    return {"measure": measure.describe() if measure else {}, "smallest_harm": smallest, **more}


def harmful(name, truth, before, during, measure=None, smallest=0.05, *says, segments=None, **meta) -> Entry:
    """Harm that no alert saw: never green under `--fail-on silent_failure`."""
    return lie(name, CALM, STILL, QUIET, "SILENT", 1, "SILENT FAILURE", *says, harm="HARMFUL",
               how={"requests": rows(truth, before, during), "meta": of(measure, smallest, **meta)}, judged={"fail_on": ["silent_failure"]})


def harmless(name, truth, before, during, measure=None, smallest=0.05, *says, **meta) -> Entry:
    return well(name, CALM, STILL, QUIET, "SILENT", *says, harm="HARMLESS",
                how={"requests": rows(truth, before, during), "meta": of(measure, smallest, **meta)}, judged={"fail_on": ["silent_failure"]})


def invalid(name, truth, before, *says, measure=None, smallest=0.05) -> Entry:
    return lie(name, CALM, HOT, LOUD, "FIRED", 3, "INVALID", *says, how={"requests": rows(truth, before), "meta": of(measure, smallest)})


GONE = np.full(N, np.nan)
NOISE = np.where(RNG.random(N) < 0.5, CLASS, 1 - CLASS)
GOOD = np.where(RNG.random(N) < 0.9, CLASS, 1 - CLASS)
AUCS = PROBABILITY**0.2  # as well ranked, worse calibrated
DEAD_CH = np.where(COUNTRY == "ch", 1 - CLASS, GOOD)
TWELFTH = np.where(np.arange(N) % 12 == 0, np.nan, ESTIMATE)

ENTRIES = [
    harmful("answers a thousand times too large", NUMBER, ESTIMATE, ESTIMATE * 1000, None, 5.0, "mean absolute error"),
    harmful("the same by the root of squares", NUMBER, ESTIMATE, ESTIMATE * 1000, rmse, 5.0),
    harmful("the same by a share within a tenth", NUMBER, ESTIMATE, ESTIMATE * 1000, close_to(10 * percent), 0.1, "share within 10 %"),
    harmful("the same by a share within five", NUMBER, ESTIMATE, ESTIMATE * 1000, close_to(5), 0.1),
    harmful("one constant for every row", NUMBER, ESTIMATE, np.full(N, 20.0), mae, 1.0),
    harmful("a shift of the unit by a tenth", NUMBER, ESTIMATE, ESTIMATE * 1.1, mae, 0.5),
    harmful("a share of the baseline's loss", NUMBER, ESTIMATE, ESTIMATE * 1.5, mae, 0.2, smallest_relative=True),
    harmful("two classes by accuracy", CLASS, GOOD, NOISE, accuracy),
    harmful("two classes, nothing named", CLASS, GOOD, NOISE),
    harmful("probabilities by their rank", CLASS, PROBABILITY, 1 - PROBABILITY, auc),
    harmful("probabilities by log loss", CLASS, PROBABILITY, AUCS, log_loss),
    harmful("probabilities by the Brier score", CLASS, PROBABILITY, AUCS, brier),
    harmful("probabilities by accuracy at the threshold", CLASS, PROBABILITY, AUCS, accuracy),
    harmful("three labels", THREE, ANSWERED, np.full(N, "late", dtype=object), None, 0.05, labels=True),
    harmful("three labels by macro F1", THREE, ANSWERED, np.full(N, "late", dtype=object), macro_f1, 0.05, labels=True),
    harmful("labels in another spelling", THREE, ANSWERED, np.array([str(a).upper() for a in ANSWERED], dtype=object), None, 0.05, labels=True),
    harmful("nothing was answered", CLASS, GOOD, GONE, accuracy),
    harmful("no number was answered", NUMBER, ESTIMATE, GONE, mae, 1.0),
    harmful("one in four was not answered", CLASS, GOOD, np.where(np.arange(N) % 4 == 0, np.nan, GOOD), accuracy),
    harmful("infinity was answered", CLASS, GOOD, GONE, None),
    # Healthy.
    harmless("answers as before", NUMBER, ESTIMATE, None, None, 2.0),
    harmless("the same by the root of squares, as before", NUMBER, ESTIMATE, None, rmse, 3.0),
    harmless("a share within a tenth, as before", NUMBER, ESTIMATE, None, close_to(10 * percent), 0.1),
    harmless("two classes, as before", CLASS, GOOD, None, accuracy),
    harmless("probabilities squeezed in order, by their rank", CLASS, PROBABILITY, AUCS, auc),
    harmless("probabilities, as before, by log loss", CLASS, PROBABILITY, None, log_loss, 0.1),
    harmless("probabilities, as before, by the Brier score", CLASS, PROBABILITY, None, brier),
    harmless("three labels, as before", THREE, ANSWERED, None, None, 0.08, labels=True),
    harmless("macro F1, as before", THREE, ANSWERED, None, macro_f1, 0.08, labels=True),
    harmless("a hundredth of errors more", CLASS, GOOD, np.where(np.arange(N) % 100 == 0, 1 - GOOD, GOOD), accuracy, 0.08),
    harmless("a row in two hundred was not answered", CLASS, GOOD, np.where(np.arange(N) % 200 == 0, np.nan, GOOD), accuracy, 0.08),
    # Segments.
    lie("a segment of 5 percent dies under a harmless whole", CALM, STILL, QUIET, "SILENT", 1, "SILENT FAILURE", "country=ch", harm="HARMLESS", judged={"fail_on": ["silent_failure"]},
        how={"requests": rows(CLASS, GOOD, DEAD_CH, segments={"country": COUNTRY.tolist()}), "meta": of(accuracy, 0.1, segments=["country"])}),
    well("every segment is as before", CALM, STILL, QUIET, "SILENT", harm="HARMLESS", never=("SILENT FAILURE",),
         how={"requests": rows(CLASS, GOOD, None, segments={"country": COUNTRY.tolist()}), "meta": of(accuracy, 0.1, segments=["country"])}),
    lie("an alarm over a dead segment is no alarm without harm", CALM, HOT, LOUD, "FIRED", 0, "country=ch", harm="HARMLESS", never=("ALARM WITHOUT HARM",),
        how={"requests": rows(CLASS, GOOD, DEAD_CH, segments={"country": COUNTRY.tolist()}), "meta": of(accuracy, 0.1, segments=["country"])}),
    # What shows no harmlessness.
    lie("a smallest harm in another unit", CALM, STILL, QUIET, "SILENT", 0, "is smallest_harm in", harm="INCONCLUSIVE", never=("none was needed",), how={"requests": rows(NUMBER, ESTIMATE, ESTIMATE * 1000), "meta": of(mae, 1e9)}),
    lie("numbers too large to be squared", CALM, STILL, QUIET, "SILENT", 0, "SILENT FAILURE", harm="HARMFUL", how={"requests": rows(NUMBER, ESTIMATE, np.full(N, 1e300)), "meta": of(rmse, 5.0)}),
    lie("errors that grow all through the drill", CALM, STILL, QUIET, "SILENT", 0, "in the baseline already", harm="INCONCLUSIVE", how={"requests": rows(NUMBER, NUMBER + RNG.normal(0, 1, N) * (1 + np.arange(N) / 500)), "meta": of(mae, 0.2)}),
    lie("a loss that is infinite for what was answered", CALM, STILL, QUIET, "SILENT", 0, "no finite number", harm="INCONCLUSIVE",
        how={"requests": {**rows(NUMBER, ESTIMATE), "losses": {"model": [None if i else 1.0 for i in INSIDE], "constant": [1.1] * N}}, "meta": {"measure": {"name": "own", "title": "cost"}, "smallest_harm": 1.0}}),
    lie("scores in per cent under a threshold of a half", CALM, STILL, QUIET, "SILENT", 0, harm="INCONCLUSIVE", never=("none was needed",), how={"requests": rows((np.arange(N) % 3 == 0).astype(int), np.where(np.arange(N) % 3 == 0, 90.0, 10.0), 50.0), "meta": of(accuracy)}),
    # Unknown and too few.
    lie("the truth is one value", CALM, HOT, LOUD, "FIRED", 0, "one value only", harm="UNKNOWN", how={"requests": rows(np.zeros(N, dtype=int), np.zeros(N)), "meta": of(None)}),
    lie("no truth is named", CALM, HOT, LOUD, "FIRED", 0, "names no truth", harm="UNKNOWN", how={"requests": {"truth": []}, "meta": {"truth": None}}),
    lie("no smallest harm is named", CALM, HOT, LOUD, "FIRED", 0, harm="UNKNOWN", how={"meta": {"smallest_harm": None}}),
    lie("an interval that crosses the smallest harm", CALM, HOT, LOUD, "FIRED", 0, harm="INCONCLUSIVE", how={"accuracy": (0.9, 0.85)}),
    lie("a few requests make up all of the loss", CALM, HOT, LOUD, "FIRED", 0, harm="INCONCLUSIVE", how={"requests": rows(NUMBER, ESTIMATE, np.where(np.arange(N) == 1000, 1e9, ESTIMATE)), "meta": of(mae, 1e6)}),
    lie("whole requests fail in one spell", CALM, HOT, LOUD, "FIRED", 0, harm=["HARMLESS", "INCONCLUSIVE"][1], how={"requests": rows(CLASS, GOOD, np.where((np.arange(N) >= 1000) & (np.arange(N) < 1060), np.nan, GOOD)), "meta": of(accuracy, 0.06)}),
    # The wrong model.
    invalid("a constant", CLASS, np.full(N, 0.7), "is this the right model?"),
    invalid("answers drawn at random", CLASS, NOISE.astype(float), "is this the right model?"),
    invalid("answers reversed", CLASS, 1 - GOOD, "is this the right model?"),
    invalid("logits under log loss", CLASS, LOGIT, "is of probabilities", measure=log_loss),
    invalid("a constant among numbers", NUMBER, np.full(N, 20.0), "is this the right model?"),
    invalid("numbers a thousand times too large all through", NUMBER, ESTIMATE * 1000, "is this the right model?"),
    invalid("numbers of other rows", NUMBER, np.roll(ESTIMATE, 1), "is this the right model?"),
    invalid("a harm that cannot be reached", CLASS, GOOD, "cannot be reached", smallest=0.95),
    invalid("nothing of the baseline was answered", CLASS, GONE, "answered only 0%"),
    well("a rare class that the model finds", CALM, HOT, LOUD, "FIRED", how={"requests": rows((np.arange(N) % 50 == 0).astype(int), np.where(np.arange(N) % 50 == 0, 0.9, 0.1)), "meta": of(auc)}),
    well("a rare class at a threshold that costs accuracy", CALM, HOT, LOUD, "FIRED", how={"requests": rows((np.arange(N) % 50 == 0).astype(int), np.where(np.arange(N) % 50 == 0, 0.9, np.where(np.arange(N) % 30 == 1, 0.6, 0.1))), "meta": of(None)}),
    well("a heavy tail", CALM, HOT, LOUD, "FIRED", how={"requests": rows(NUMBER, NUMBER + RNG.standard_t(3, N)), "meta": of(mae, 5.0)}),
]
