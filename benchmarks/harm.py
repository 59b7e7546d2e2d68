"""How often harm's intervals hold the truth: python -m benchmarks.harm [--runs N] [--only NAME] [--part P] [--write].

Each setting is drawn so many times with a seed of its own. Told are how often the 95 % interval holds the true change,
how wide it is on average, and what is said where the smallest harm that matters is exactly the true change: there
HARMFUL and HARMLESS are wrong. With --write the table goes into docs/harm.md.
"""

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter
from scipy.special import ndtr, ndtri

from driftdrill.harness.judge.harm.compare import Smallest, compare
from driftdrill.harness.judge.harm.measures import standard
from driftdrill.harness.judge.harm.right_model import checked
from driftdrill.harness.judge.harm.rows import Floats, Rows
from driftdrill.harness.scenario.measure import Measure, close_to

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "harm.md"
Rng = np.random.Generator
Drawn = tuple[Rows, Rows]


@dataclass(frozen=True)
class Setting:
    """One way in which requests come: ``draw`` makes both phases, ``change`` is the true change for the worse."""

    name: str
    measure: Measure
    draw: Callable[[Rng], Drawn]
    change: float
    held: bool = True
    """Whether the interval is said to be honest here."""
    errors: float = math.inf
    """How many errors are expected in the phase that has fewer."""


@dataclass(frozen=True)
class Covered:
    """What became of a setting's runs; shares of them."""

    coverage: float
    """Of the runs that have an interval."""
    width: float
    refused: float
    """INCONCLUSIVE for a reason other than an interval that holds the smallest harm."""
    harmful: float
    harmless: float
    qualified: float
    """HARMLESS with a note."""


def simulate(setting: Setting, runs: int, seed: int = 0) -> Covered:
    """Draw a setting so many times."""
    counts, width, known = np.zeros(5), 0.0, 0
    for i in range(runs):
        before, during = setting.draw(np.random.default_rng([seed, i]))
        told = compare(before, during, standard(setting.measure, before, 0.5), Smallest(setting.change))
        low, high = told.drop or (math.inf, math.inf)
        known += told.drop is not None
        width += high - low if told.drop is not None else 0.0
        refused = told.word == "INCONCLUSIVE" and bool(told.note)
        counts += (
            low <= setting.change <= high,
            refused,
            told.word == "HARMFUL",
            told.word == "HARMLESS",
            told.word == "HARMLESS" and bool(told.note),
        )
    _, refused, harmful, harmless, qualified = (counts / runs).tolist()
    return Covered(float(counts[0]) / known, width / known, refused, harmful, harmless, qualified)


def rows(truth: npt.ArrayLike, prediction: npt.ArrayLike, strength: Floats | None = None) -> Rows:
    """Rows whose truth is known."""
    t, p = np.asarray(truth, dtype=np.float64), np.asarray(prediction, dtype=np.float64)
    binary = bool(np.isin(t, (0.0, 1.0)).all())
    return Rows(t, p, np.ones(t.shape, dtype=np.bool_), binary=binary, strength=strength)


def right(wrong: npt.NDArray[Any], strength: Floats | None = None) -> Rows:
    """Rows of truth 0 or 1 in turn, of which some are predicted wrongly; bool (requests, rows)."""
    truth = np.arange(wrong.size).reshape(wrong.shape) % 2
    return rows(truth, np.where(wrong, 1 - truth, truth), strength)


def independent(n: tuple[int, int], k: int, p: tuple[float, float]) -> Callable[[Rng], Drawn]:
    """``n`` requests of ``k`` rows in each phase, a row right with probability ``p``."""
    return lambda rng: (right(rng.random((n[0], k)) >= p[0]), right(rng.random((n[1], k)) >= p[1]))


def failing(m: int, k: int, share: float, p: float = 0.9) -> Callable[[Rng], Drawn]:
    """Whole requests fail under the fault."""

    def phase(rng: Rng, share: float) -> Rows:
        return right((rng.random((m, k)) >= p) | (rng.random((m, 1)) < share))

    return lambda rng: (phase(rng, 0.0), phase(rng, share))


def clustered(m: int, k: int, icc: float, p: float = 0.9) -> Callable[[Rng], Drawn]:
    """Each request has a probability of its own: beta, of this intraclass correlation."""
    size = (1 - icc) / icc

    def phase(rng: Rng) -> Rows:
        return right(rng.random((m, k)) >= rng.beta(p * size, (1 - p) * size, (m, 1)))

    return lambda rng: (phase(rng), phase(rng))


def in_time(rng: Rng, m: int, rho: float) -> Floats:
    """A normal series of length ``m`` whose neighbours correlate by ``rho``."""
    noise = rng.standard_normal(m) * math.sqrt(1 - rho * rho)
    noise[0] = rng.standard_normal()
    return np.asarray(lfilter([1.0], [1.0, -rho], noise))


def drifting(m: tuple[int, int], k: int, rho: float, part: float = 0.2, p: float = 0.9) -> Callable[[Rng], Drawn]:
    """A row is wrong where a normal is above a limit, a ``part`` of whose variance is one series in time."""
    limit = float(ndtri(p))

    def phase(rng: Rng, size: int) -> Rows:
        x = in_time(rng, size, rho)[:, None]
        return right(math.sqrt(part) * x + math.sqrt(1 - part) * rng.standard_normal((size, k)) > limit)

    return lambda rng: (phase(rng, m[0]), phase(rng, m[1]))


def outages(m: int, each: int, between: float, p: float = 0.9) -> Callable[[Rng], Drawn]:
    """Spells of ``each`` requests in which all is wrong, at random, ``between`` requests apart on average."""

    def phase(rng: Rng) -> Rows:
        wrong = rng.random(m) >= p
        for start in np.flatnonzero(rng.random(m + each) < 1 / between) - each:
            wrong[max(0, start) : max(0, start + each)] = True
        return right(wrong[:, None])

    return lambda rng: (phase(rng), phase(rng))


def errors(m: int, sigma: float, rho: float = 0.0, *, rare: float = 0.0, k: int = 1) -> Callable[[Rng], Drawn]:
    """Errors that are lognormal and correlated in time; under the fault a share of requests has them 1,000 times as
    large."""

    def phase(rng: Rng, rare: float) -> Rows:
        x = in_time(rng, m, rho)[:, None] if rho else rng.standard_normal((m, k))
        size = np.exp(sigma * x)
        return rows(np.zeros(size.shape), np.where(rng.random((m, 1)) < rare, 1000.0, 1.0) * size)

    return lambda rng: (phase(rng, 0.0), phase(rng, rare))


def scored(
    m: int, k: int, share: float, shift: tuple[float, float] = (1.5, 1.5), fail: float = 0.0, digits: int | None = None
) -> Callable[[Rng], Drawn]:
    """Two classes told apart by probabilities; whole requests may fail."""

    def phase(rng: Rng, d: float) -> Rows:
        truth = rng.random((m, k)) < share
        logit = math.log(share / (1 - share)) - d * d / 2 + d * (rng.standard_normal((m, k)) + d * truth)
        p = 1 / (1 + np.exp(-logit))
        p = np.round(p, digits) if digits is not None else p
        return rows(truth, np.where(rng.random((m, 1)) < fail, np.nan, p))

    return lambda rng: (phase(rng, shift[0]), phase(rng, shift[1]))


def classes(m: int, shares: tuple[float, ...], p: float = 0.85) -> Callable[[Rng], Drawn]:
    """Several classes, of which a row's is predicted with probability ``p``, else any."""

    def phase(rng: Rng) -> Rows:
        truth = rng.choice(len(shares), (m, 1), p=shares)
        other = rng.choice(len(shares), (m, 1), p=shares)
        return rows(truth, np.where(rng.random((m, 1)) < p, truth, other))

    return lambda rng: (phase(rng), phase(rng))


def alike(m: int, k: int, icc: float, sigma: tuple[float, float]) -> Callable[[Rng], Drawn]:
    """Errors about a truth of 100: normal, and those of one request correlate by ``icc``."""

    def phase(rng: Rng, size: float) -> Rows:
        z = math.sqrt(icc) * rng.standard_normal((m, 1)) + math.sqrt(1 - icc) * rng.standard_normal((m, k))
        return rows(np.full((m, k), 100.0), 100.0 + size * z)

    return lambda rng: (phase(rng, sigma[0]), phase(rng, sigma[1]))


def ranked_alike(m: int, k: int, share: float, icc: float, shift: tuple[float, float]) -> Callable[[Rng], Drawn]:
    """Two classes told apart by scores of which a part, ``icc`` of their variance, is a request's own."""

    def phase(rng: Rng, d: float) -> Rows:
        truth = rng.random((m, k)) < share
        z = math.sqrt(icc) * rng.standard_normal((m, 1)) + math.sqrt(1 - icc) * rng.standard_normal((m, k))
        return rows(truth, z + d * truth)

    return lambda rng: (phase(rng, shift[0]), phase(rng, shift[1]))


def classes_alike(m: int, k: int, shares: tuple[float, ...], icc: float, p: float = 0.85) -> Callable[[Rng], Drawn]:
    """As :func:`classes`, where each request has a probability of its own: beta, of this intraclass correlation."""
    size = (1 - icc) / icc

    def phase(rng: Rng) -> Rows:
        truth, other = (rng.choice(len(shares), (m, k), p=shares) for _ in range(2))
        return rows(truth, np.where(rng.random((m, k)) < rng.beta(p * size, (1 - p) * size, (m, 1)), truth, other))

    return lambda rng: (phase(rng), phase(rng))


def ramped(m: int, k: int, before: float, after: float, rho: float = 0.0) -> Callable[[Rng], Drawn]:
    """The fault's strength rises from 0 to 1 over its phase, and the share of errors with it."""
    strength = (np.arange(m) + 0.5) / m

    def phase(rng: Rng, p: Floats) -> npt.NDArray[Any]:
        u = ndtr(in_time(rng, m, rho))[:, None] if rho else rng.random((m, k))
        return np.asarray(u >= p[:, None])

    def draw(rng: Rng) -> Drawn:
        clean = right(phase(rng, np.full(m, before)))
        return clean, right(phase(rng, before + (after - before) * strength), strength)

    return draw


def area(shift: float) -> float:
    """The AUC of two normals so many deviations apart."""
    return float(ndtr(shift / math.sqrt(2)))


def close(sigma: float) -> float:
    """The share within 10 of normal errors."""
    return float(2 * ndtr(10 / sigma) - 1)


ACCURACY, MAE, RMSE, AUC = (Measure(n) for n in ("accuracy", "mae", "rmse", "auc"))
CLOSE = close_to(10)
F1, LOG_LOSS, BRIER = (Measure(n) for n in ("macro_f1", "log_loss", "brier"))


def settings() -> Iterator[Setting]:
    """All settings; first those in which the interval is said to hold."""
    yield Setting("share, 600 x 1, .9 / .85", ACCURACY, independent((600, 600), 1, (0.9, 0.85)), 0.05, errors=60)
    yield Setting("share, 600 x 1, .999 / .99", ACCURACY, independent((600, 600), 1, (0.999, 0.99)), 0.009, errors=0.6)
    yield Setting("share, 200 / 5,000 x 1", ACCURACY, independent((200, 5000), 1, (0.9, 0.9)), 0.0, errors=20)
    yield Setting("share, 60 x 50", ACCURACY, independent((60, 60), 50, (0.9, 0.88)), 0.02, errors=300)
    yield Setting("share, 600 x 10, 5 % of requests fail", ACCURACY, failing(600, 10, 0.05), 0.045)
    yield Setting("share, 100 x 50, ICC .2", ACCURACY, clustered(100, 50, 0.2), 0.0)
    yield Setting("share, 1,200 x 10, AR .9", ACCURACY, drifting((1200, 1200), 10, 0.9), 0.0)
    yield Setting("share, 600 x 1, AR .9", ACCURACY, drifting((600, 600), 1, 0.9), 0.0)
    yield Setting("share, ramp, 600 x 10", ACCURACY, ramped(600, 10, 0.9, 0.6), 0.15)
    yield Setting("share, ramp, 600 x 1", ACCURACY, ramped(600, 1, 0.9, 0.6), 0.15, errors=60)
    yield Setting("MAE, lognormal, 600 x 1", MAE, errors(600, 1.0), 0.0)
    yield Setting("MAE, lognormal, 600 x 1, AR .9", MAE, errors(600, 1.0, 0.9), 0.0)
    yield Setting("RMSE, lognormal(.5), 600 x 1", RMSE, errors(600, 0.5), 0.0)
    yield Setting("log loss, 600 x 1", LOG_LOSS, scored(600, 1, 0.3), 0.0)
    yield Setting("Brier, 600 x 1", BRIER, scored(600, 1, 0.3), 0.0)
    yield Setting("Brier, 1 % positive, 600 x 1", BRIER, scored(600, 1, 0.01), 0.0, errors=6)
    yield Setting("AUC, 600 x 1", AUC, scored(600, 1, 0.3, (1.5, 1.2)), area(1.5) - area(1.2))
    yield Setting("AUC, 600 x 1, ties", AUC, scored(600, 1, 0.3, digits=1), 0.0)
    yield Setting("AUC, 60 x 50", AUC, scored(60, 50, 0.3), 0.0)
    yield Setting("AUC, 6 positives of 600", AUC, scored(600, 1, 0.01), 0.0, errors=6)
    yield Setting("AUC, 20 positives of 600", AUC, scored(600, 1, 0.033), 0.0, errors=6)
    yield Setting("macro F1, 3 classes, 600 x 1", F1, classes(600, (0.5, 0.3, 0.2)), 0.0)
    yield Setting("macro F1, 10 classes, 600 x 1", F1, classes(600, (0.1,) * 10), 0.0)
    yield Setting("share within 10, 100 x 20, ICC .2", CLOSE, alike(100, 20, 0.2, (6.0, 7.0)), close(6.0) - close(7.0))
    change = area(1.5) - area(1.2)
    yield Setting("AUC, 100 x 20, ICC .2", AUC, ranked_alike(100, 20, 0.3, 0.2, (1.5, 1.2)), change)
    yield Setting("macro F1, 3 classes, 100 x 20, ICC .2", F1, classes_alike(100, 20, (0.5, 0.3, 0.2), 0.2), 0.0)
    no = False
    yield Setting("share, 60 x 50, 5 % of requests fail", ACCURACY, failing(60, 50, 0.05), 0.045, no)
    yield Setting("share, 60 x 50, 2 % of requests fail", ACCURACY, failing(60, 50, 0.02), 0.018, no)
    yield Setting("AUC, 60 x 50, 5 % of requests fail", AUC, scored(60, 50, 0.3, fail=0.05), 0.0, no)
    yield Setting("share, 120 x 1, AR .9", ACCURACY, drifting((120, 120), 1, 0.9), 0.0, no)
    yield Setting("share, 60 x 1, AR .9", ACCURACY, drifting((60, 60), 1, 0.9), 0.0, no)
    yield Setting("share, 300 x 1, AR .9", ACCURACY, drifting((300, 300), 1, 0.9), 0.0, no)
    yield Setting("share, 60 x 1, AR .5", ACCURACY, drifting((60, 60), 1, 0.5), 0.0, no)
    yield Setting("share, 600 x 1, wholly AR .9", ACCURACY, drifting((600, 600), 1, 0.9, 1.0), 0.0, no)
    yield Setting("share, 60 x 1, wholly AR .9", ACCURACY, drifting((60, 60), 1, 0.9, 1.0), 0.0, no)
    yield Setting("share, 1,200 x 10, AR .95", ACCURACY, drifting((1200, 1200), 10, 0.95), 0.0, no)
    yield Setting("share, 1,200 x 1, AR .99", ACCURACY, drifting((1200, 1200), 1, 0.99), 0.0, no)
    yield Setting("share, 1,200 x 10, AR .98", ACCURACY, drifting((1200, 1200), 10, 0.98), 0.0, no)
    yield Setting("share, 600 x 1, one outage of 30 in 600", ACCURACY, outages(600, 30, 600), 0.0, no)
    yield Setting("share, 600 x 1, one outage of 30 in 120", ACCURACY, outages(600, 30, 120), 0.0, no)
    yield Setting("MAE, 5 % of requests x 1,000", MAE, errors(600, 0.5, rare=0.05), 0.05 * 999 * math.exp(0.125), no)
    yield Setting("MAE, 1 % x 1,000, 200 x 1", MAE, errors(200, 0.5, rare=0.01), 0.01 * 999 * math.exp(0.125), no)
    yield Setting(
        "RMSE, 1 % x 1,000, 600 x 1",
        RMSE,
        errors(600, 0.5, rare=0.01),
        math.exp(0.25) * (math.sqrt(1 + 0.01 * 999999) - 1),
        no,
    )
    yield Setting("macro F1, a class of 1 %, 600 x 1", F1, classes(600, (0.6, 0.39, 0.01)), 0.0, no, errors=6)


@dataclass(frozen=True)
class Model:
    """A model on clean rows: whether it is INVALID, and whether it is passed over in silence."""

    name: str
    measure: Measure
    draw: Callable[[Rng], Drawn]
    threshold: float = 0.5


def shuffled(draw: Callable[[Rng], Drawn]) -> Callable[[Rng], Drawn]:
    """The same answers, each to another row."""

    def drawn(rng: Rng) -> Drawn:
        baseline, _ = draw(rng)
        return replace(baseline, prediction=rng.permutation(baseline.prediction)), baseline

    return drawn


def sized(m: int, factor: float = 1.0) -> Callable[[Rng], Drawn]:
    """Lognormal truths, predicted to 30 %."""

    def draw(rng: Rng) -> Drawn:
        truth = np.exp(rng.standard_normal((m, 1)))
        found = rows(truth, factor * truth * np.exp(0.3 * rng.standard_normal((m, 1))))
        return found, found

    return draw


def models() -> Iterator[Model]:
    """Good ones first."""
    for share, cut in ((0.3, 0.5), (0.01, 0.5), (0.01, 0.05)):
        for measure in (ACCURACY, BRIER, LOG_LOSS, AUC, F1):
            yield Model(f"good, {share:.0%} positive, {measure.called()} at {cut}", measure, scored(600, 1, share), cut)
    yield Model("good, numbers, mean absolute error", MAE, sized(600))
    for m in (600, 60):
        for measure in (ACCURACY, BRIER, LOG_LOSS, AUC, F1):
            name = f"random, 30% positive, {m} rows, {measure.called()}"
            yield Model(name, measure, shuffled(scored(m, 1, 0.3)))
        yield Model(f"random, numbers, {m} rows, mean absolute error", MAE, shuffled(sized(m)))
    yield Model("answers x 1,000, 600 rows, mean absolute error", MAE, sized(600, 1000.0))


def model_row(model: Model, runs: int) -> str:
    """A line of the second table."""
    invalid = silent = 0
    for i in range(runs):
        found = checked(model.draw(np.random.default_rng([1, i]))[0], model.measure, model.threshold)
        invalid += bool(found.reasons)
        silent += not (found.reasons or found.observations)
    share = [f"{100 * n / runs:.1f}" for n in (invalid, runs - invalid - silent, silent)]
    return f"| {model.name} | {' | '.join(share)} |"


MODELS = "| model | INVALID % | observation % | nothing said % |\n|---|---|---|---|"


def row(setting: Setting, found: Covered) -> str:
    """A line of the table."""
    shares = (found.coverage, found.refused, found.harmful, found.harmless, found.qualified)
    cells = [f"{100 * s:.1f}" for s in shares]
    return f"| {setting.name} | {cells[0]} | {found.width:.3g} | {' | '.join(cells[1:])} |"


HEAD = (
    "| setting | coverage % | mean width | refused % | HARMFUL % | HARMLESS % | of those, with a note % |\n"
    "|---|---|---|---|---|---|---|"
)


def main() -> int:
    """Print the tables, and write them where that is asked for; 1 where a setting that is said to hold does not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=4000)
    parser.add_argument("--only", default="", help="Settings whose name holds this; then nothing is written.")
    parser.add_argument("--part", choices=("coverage", "models"), action="append")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    failed, parts = [], {}
    if "coverage" in (given.part or ["coverage"]):
        parts["coverage"], failed = coverage(given.runs, given.only)
    if "models" in (given.part or ["models"]):
        parts["models"] = of_models(given.runs, given.only)
    if given.write and not given.only:
        for part, text in parts.items():
            write(part, text)
    print(*failed, sep="\n")
    return 1 if failed else 0


def coverage(runs: int, only: str) -> tuple[str, list[str]]:
    """The tables of intervals, and the settings whose coverage is not what is said of it."""
    lines, failed = {True: [HEAD], False: [HEAD]}, []
    for setting in (s for s in settings() if only in s.name):
        begun = time.perf_counter()
        found = simulate(setting, runs)
        lines[setting.held].append(row(setting, found))
        print(row(setting, found), f"{time.perf_counter() - begun:.1f} s", flush=True)
        if setting.held and not 0.935 <= found.coverage <= (0.965 if setting.errors >= 10 else 1.0):
            failed.append(f"{setting.name}: {found.coverage:.4f}")
    held, other = ("\n".join(lines[h]) for h in (True, False))
    return f"{runs:,} runs a setting. Where it holds:\n\n{held}\n\nWhere it is not honest:\n\n{other}", failed


def of_models(runs: int, only: str) -> str:
    """The table of right and wrong models."""
    lines = [MODELS]
    for model in (m for m in models() if only in m.name):
        lines.append(model_row(model, runs // 4))
        print(lines[-1], flush=True)
    return f"Is this the right model? {runs // 4:,} runs each:\n\n" + "\n".join(lines)


def write(part: str, text: str) -> None:
    """Put a part between its marks in the page."""
    begin, end = f"<!-- {part} -->", f"<!-- end of {part} -->"
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(begin)
    PAGE.write_text(f"{head}{begin}\n{text}\n{end}{rest.partition(end)[2]}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
