"""Small before/after plots: one function a look, each draws two panels."""

from collections.abc import Callable
from typing import Any

import numpy as np

from docs.shifts.pages import share_of_late
from driftdrill.shift_generators import Batch
from driftdrill.shift_generators.generator import missing

Look = Callable[[Any, Any, Batch, Batch, tuple[str, ...]], None]
"""``look(left, right, before, after, columns)`` on two axes of matplotlib."""

BEFORE, AFTER = "#7a869a", "#c2410c"


def histogram(left: Any, right: Any, before: Batch, after: Batch, columns: tuple[str, ...]) -> None:
    (name,) = columns
    old, new = (np.asarray(b[name], dtype=np.float64)[~missing(b[name])] for b in (before, after))
    alike = 0.2 < np.ptp(new) / np.ptp(old) < 5  # else each has an axis of its own
    shared = np.histogram_bin_edges(np.concatenate([old, new]), bins=48)
    left.hist(old, bins=shared if alike else 48, color=BEFORE)
    right.hist(new, bins=shared if alike else 48, color=AFTER)
    for axes in (left, right):
        axes.set(xlabel=name)


def scatter(left: Any, right: Any, before: Batch, after: Batch, columns: tuple[str, ...]) -> None:
    first, second = columns
    for axes, batch, colour in ((left, before, BEFORE), (right, after, AFTER)):
        axes.scatter(batch[first][:800], batch[second][:800], s=3, color=colour, linewidths=0)
        axes.set(xlabel=first, ylabel=second)


def bars(left: Any, right: Any, before: Batch, after: Batch, columns: tuple[str, ...]) -> None:
    _bars(left, right, *([str(v) for v in b[columns[0]].tolist()] for b in (before, after)))


def words(left: Any, right: Any, before: Batch, after: Batch, columns: tuple[str, ...]) -> None:
    _bars(left, right, *([w for text in b[columns[0]].tolist() for w in text.split()] for b in (before, after)))


def _bars(left: Any, right: Any, old: list[str], new: list[str]) -> None:
    for axes, values, colour in ((left, old, BEFORE), (right, new, AFTER)):
        levels, counts = np.unique(np.array(values), return_counts=True)
        top = np.argsort(-counts if len(levels) > 2 else levels, kind="stable")[:8]
        axes.bar([_plain(str(v)) for v in levels[top]], counts[top] / len(values), color=colour)
        axes.tick_params(axis="x", labelrotation=45)


def _plain(text: str) -> str:
    """Fonts lack emoji: written as their code point."""
    return "".join(c if ord(c) < 0x2600 else f"U+{ord(c):X}" for c in text)


def truth(left: Any, right: Any, before: Batch, after: Batch, columns: tuple[str, ...]) -> None:
    for axes, batch, colour in ((left, before, BEFORE), (right, after, AFTER)):
        axes.plot(*share_of_late(batch, columns[0]), marker="o", markersize=3, color=colour)
        axes.set(xlabel=columns[0], ylabel="share late", ylim=(-0.03, 1.03))


def gaps(left: Any, right: Any, before: Batch, after: Batch, columns: tuple[str, ...]) -> None:
    gone, by = columns
    for axes, batch, colour in ((left, before, BEFORE), (right, after, AFTER)):
        flagged = {by: before[by], "late": missing(batch[gone]).astype(np.float64)}
        axes.plot(*share_of_late(flagged, by), marker="o", markersize=3, color=colour)
        axes.set(xlabel=by, ylabel=f"share of {gone} missing", ylim=(-0.03, 1.03))


def series(left: Any, right: Any, before: Batch, after: Batch, columns: tuple[str, ...]) -> None:
    for axes, batch, colour in ((left, before, BEFORE), (right, after, AFTER)):
        axes.plot(batch[columns[0]][:60], marker=".", linewidth=0.7, color=colour)
        axes.set(xlabel="row", ylabel=columns[0], ylim=(before[columns[0]].min(), before[columns[0]].max()))


def hours(left: Any, right: Any, before: Batch, after: Batch, columns: tuple[str, ...]) -> None:
    for axes, batch, colour in ((left, before, BEFORE), (right, after, AFTER)):
        axes.hist([int(text[11:13]) for text in batch[columns[0]].tolist()], bins=np.arange(25), color=colour)
        axes.set(xlabel="hour of the day")


def lengths(left: Any, right: Any, before: Batch, after: Batch, columns: tuple[str, ...]) -> None:
    (name,) = columns
    histogram(left, right, *({name: np.char.str_len(b[name])} for b in (before, after)), columns)
    right.set(xlabel="characters")
    left.set(xlabel="characters")


LOOKS: dict[str, Look] = {
    "histogram": histogram,
    "scatter": scatter,
    "bars": bars,
    "words": words,
    "truth": truth,
    "missing": gaps,
    "series": series,
    "hours": hours,
    "lengths": lengths,
}
