"""Speed and memory of the generators, as ratios in one run: python benchmarks/shifts.py [--write].

The table has 1,000,000 rows and 20 columns of float64; the yardstick is one copy of it, column by column, timed in
turn with each case. With --write, the results go to docs/benchmarks-shifts.md.
"""

import argparse
import gc
import os
import platform
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from driftdrill.shift_generators import (  # noqa: E402
    Batch,
    Generator,
    correlation_break,
    gaussian_noise,
    in_order,
    mcar,
    mean_shift,
    prior,
    rescale,
    sized,
    text_case,
    text_language,
    text_length,
    text_typo,
    text_vocabulary,
    tilt,
    wrong_join,
)

ROWS, COLUMNS, REPEATS = 1_000_000, 20, 9
Work = Callable[[], object]


@dataclass(frozen=True)
class Line:
    """One line of the result: what was measured, its target ("" = none), and what came out."""

    what: str
    target: str
    measured: str
    held: bool | None = None


def table() -> Batch:
    rng = np.random.default_rng(0)
    columns = {f"c{i}": rng.standard_normal(ROWS) for i in range(COLUMNS - 1)}
    return {**columns, "y": (rng.random(ROWS) < 0.1).astype(np.float64)}


def timed(work: Work) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def ratio(work: Work, yardstick: Work) -> tuple[float, float]:
    """Median seconds of ``work``, and their ratio to the median of ``yardstick``, the two timed in turn."""
    work(), yardstick()
    gc.collect()
    pairs = [(timed(work), timed(yardstick)) for _ in range(REPEATS)]
    ours, theirs = np.median(np.array(pairs), axis=0)
    return float(ours), float(ours / theirs)


def peak(work: Callable[[], Batch], before: Batch) -> tuple[float, float]:
    """Peak of what is allocated, over the bytes of the batch returned, and over those of its new columns alone."""
    gc.collect()
    tracemalloc.start()
    out = work()
    highest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    new = sum(column.nbytes for name, column in out.items() if column is not before[name])
    return highest / sum(column.nbytes for column in out.values()), highest / max(new, 1)


def applications(batch: Batch) -> list[Line]:
    rng, full, ramp = np.random.default_rng(1), np.ones(ROWS), np.linspace(0.0, 1.0, ROWS)
    every = in_order(*(mean_shift(name, by=0.5) for name in batch))
    cases: list[tuple[str, float | None, Generator, np.ndarray]] = [
        ("shift of one column", 0.05, mean_shift("c0", by=0.5), full),
        ("shift of one column, strength a ramp", None, mean_shift("c0", by=0.5), ramp),
        ("shift of all columns", 2.0, every, full),
        ("MCAR, 10 % of one column", 0.3, mcar("c0", rate=0.1), full),
        ("MCAR, strength a ramp", None, mcar("c0"), ramp),
        ("label shift, resampling all rows", 4.0, prior("y", {1.0: 0.3}).solve(batch), full),
        ("tilting, resampling all rows", 4.0, tilt("c0", theta=1.786).solve(batch), full),
        ("tilting, against the batch itself (sorts it)", None, tilt("c0", theta=1.786), full),
        ("Gaussian noise on one column", None, gaussian_noise("c0"), full),
        ("wrong join of one column", None, wrong_join("c0"), full),
        ("correlation break of two columns", None, correlation_break("c0", "c1"), full),
    ]
    lines = []
    for what, target, generator, strength in cases:
        work = lambda g=generator, s=strength: g(batch, s, rng)  # noqa: E731
        seconds, copies = ratio(work, lambda: {name: column.copy() for name, column in batch.items()})
        of_batch, of_new = peak(work, batch)
        lines.append(
            Line(
                what,
                f"<= {target:g} copies; memory <= 2" if target else "memory <= 2",
                f"{copies:.3f} copies ({seconds * 1e3:.1f} ms); memory {of_batch:.2f} of the batch returned, "
                f"{of_new:.2f} of its new columns",
                (target is None or copies <= target) and of_batch <= 2,
            )
        )
    return lines


def solving(batch: Batch) -> list[Line]:
    column = batch["c0"]
    reference = {"c0": column}
    lines = []
    for what, generator, metric, size, target in (
        ("solve a mean shift for PSI .25", mean_shift("c0"), "psi", 0.25, 15.0),
        ("solve a mean shift for AUC .6", mean_shift("c0"), "auc", 0.6, 15.0),
        ("solve a mean shift for Wasserstein .3", mean_shift("c0"), "wasserstein", 0.3, None),
        ("solve a mean shift for KS .2", mean_shift("c0"), "ks", 0.2, None),
        ("solve a tilt for PSI .25", tilt("c0"), "psi", 0.25, 15.0),
    ):
        search = _search_alone(generator, metric, size, reference)
        milliseconds = float(np.median([search() for _ in range(REPEATS)])) * 1e3
        held = None if target is None else milliseconds <= target
        lines.append(Line(what, f"<= {target:g} ms" if target else "", f"{milliseconds:.1f} ms after the sort", held))
    whole = sized(mean_shift("c0"), psi=0.25)
    sort = float(np.median([timed(lambda: np.sort(column)) for _ in range(3)])) * 1e3
    total = float(np.median([timed(lambda: whole.solve(reference)) for _ in range(3)])) * 1e3
    lines.append(Line("the same with sorting and freezing the bins", "", f"{total:.0f} ms (one sort: {sort:.0f} ms)"))
    return lines


def _search_alone(generator: Generator, metric: str, size: float, reference: Batch) -> Callable[[], float]:
    """Seconds of the search, the reference being sorted: what sizing does once the law at each setting can be had."""
    from dataclasses import replace

    from driftdrill.shift_generators import distance
    from driftdrill.shift_generators.size.sizing import Size, SizeQuestion, by_distance, search

    asked = by_distance(metric, "c0", size, lambda column: distance(metric, column))
    at = asked.of(generator, reference, np.random.default_rng(0))  # sorts
    ready: Size = replace(asked, of=lambda *_: at)
    question = SizeQuestion(generator, "benchmark", ready, reference, np.random.default_rng(0))
    return lambda: timed(lambda: search(question))


def against_pandas(batch: Batch) -> list[Line]:
    import pandas as pd

    frame, rng, half, full = pd.DataFrame(batch), np.random.default_rng(2), np.full(ROWS, 0.5), np.ones(ROWS)

    def shifted() -> object:
        out = frame.copy(deep=True)
        out.loc[:, "c0"] = out["c0"] + 0.5
        return out

    def rescaled() -> object:
        out = frame.copy(deep=True)
        rows = out.sample(frac=0.5, random_state=2).index
        out.loc[rows, "c0"] = out.loc[rows, "c0"] * 60
        return out

    def with_gaps() -> object:
        out = frame.copy(deep=True)
        out.loc[out.sample(frac=0.1, random_state=2).index, "c0"] = np.nan
        return out

    lines = []
    for what, target, pandas_code, generator, strength in (
        ("change of unit in half of one column's rows", 30, rescaled, rescale("c0", by=60), half),
        ("MCAR, 10 % of one column", None, with_gaps, mcar("c0", rate=0.1), full),
        ("shift of one column (in pandas mostly the frame's copy)", None, shifted, mean_shift("c0", by=0.5), full),
    ):
        seconds, share = ratio(pandas_code, lambda g=generator, s=strength: g(batch, s, rng))
        measured = f"{share:.0f} times ({seconds * 1e3:.0f} ms in pandas)"
        held = None if target is None else share >= target
        lines.append(Line(f"{what}, pandas over ours", f">= {target} times" if target else "", measured, held))
    return lines


def texts() -> list[Line]:
    rng = np.random.default_rng(3)
    words = np.array(["flight", "delayed", "by", "weather", "at", "the", "gate", "in", "Newark", "crew", "late"])
    column = np.array([" ".join(row) for row in words[rng.integers(0, len(words), (50_000, 8))]])
    batch, full = {"note": column}, np.ones(len(column))
    table = str.maketrans("abcdefghijklmnopqrstuvwxyz", "nopqrstuvwxyzabcdefghijklm")

    def typos(text: str) -> str:
        letters = list(text)
        for i in range(len(letters) - 1):
            if rng_python.random() < 0.1 and letters[i].isalpha() and letters[i + 1].isalpha():
                letters[i], letters[i + 1] = letters[i + 1], letters[i]
        return "".join(letters)

    import random

    rng_python = random.Random(0)
    loops: list[tuple[str, Generator, Callable[[str], str]]] = [
        ("typos", text_typo("note"), typos),
        ("other script", text_language("note"), lambda text: text.translate(table)),
        ("unknown words", text_vocabulary("note"), lambda text: text.translate(table)),
        ("upper case", text_case("note"), str.upper),
        ("three times as long", text_length("note"), lambda text: " ".join([text] * 3)),
    ]
    lines = []
    for what, generator, loop in loops:
        plain = float(np.median([timed(lambda f=loop: np.array([f(t) for t in column.tolist()])) for _ in range(3)]))
        ours = float(np.median([timed(lambda g=generator: g(batch, full, rng)) for _ in range(5)]))
        rows = len(column)
        lines.append(Line(f"text: {what}", "", f"{rows / ours:,.0f} rows/s; a plain loop {rows / plain:,.0f} rows/s"))
    return lines


def machine() -> str:
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        model = next((x.split(":")[1].strip() for x in cpuinfo.read_text().splitlines() if "model name" in x), model)
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, numpy {np.__version__}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks-shifts.md")
    batch = table()
    write = parser.parse_args().write
    lines = [*applications(batch), *solving(batch), *against_pandas(batch), *texts()]
    head = "| what | target | measured | |\n| --- | --- | --- | --- |\n"
    rows = [f"| {x.what} | {x.target} | {x.measured} | {_HELD[x.held]} |" for x in lines]
    print(head + "\n".join(rows))
    if write:
        page = _PAGE.format(machine=machine(), table=head + "\n".join(rows))
        (ROOT / "docs" / "benchmarks-shifts.md").write_text(page, encoding="utf-8")
    return 0 if all(line.held is not False for line in lines) else 1


_HELD = {True: "held", False: "**missed**", None: ""}
_PAGE = """# Benchmarks: shift generators

A table of 1,000,000 rows and 20 columns of float64. The yardstick is one copy of that table, column by column, timed
in turn with each case in the same run; medians of 9, in CPU time. Memory is the peak of what numpy allocates during the
call, over what the returned batch holds (columns that are not touched are shared with the input, and count).

{table}

Machine: {machine}. Other work ran on it: trust ratios, not times. Made by `python benchmarks/shifts.py --write`.
"""

if __name__ == "__main__":
    sys.exit(main())
