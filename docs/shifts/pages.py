"""What each page shows: a call, how it is drawn, and how monitoring can (or cannot) see it."""

from dataclasses import dataclass

import numpy as np

from docs.shifts.rows import SOURCE
from driftdrill import shift_generators as sg
from driftdrill.shift_generators import Generator


@dataclass(frozen=True)
class Page:
    """One page. ``look`` names a drawing of looks.py, of ``columns``; ``seen`` says what kind of rule catches it."""

    function: str
    generator: Generator
    look: str
    columns: tuple[str, ...]
    seen: str


_MEAN = "The mean of the feature leaves its band; PSI over bucket shares."
_JOINT = "No marginal moves: input rules are silent. The prediction histogram may move; labels show it."
_SILENT = "Silent without label feedback: neither inputs nor predictions move."
_SPREAD = "The spread, the share of distinct values, or the share of one bucket."
_UNKNOWN = "The share of unknown categories above its baseline."
_TIME = "The median of an age or hour feature leaves its band."
_TEXT = "Token length, or the share of tokens out of vocabulary, leaves its band."
_MISSING = "The share of missing values by feature."
_MEANING = "The mean against an hour ago (`offset`), or the modal bucket's share."


PAGES: tuple[Page, ...] = (
    Page("mean_shift", sg.mean_shift("dep_delay", by=20.0), "histogram", ("dep_delay",), _MEAN),
    Page("scale", sg.scale("dep_delay", by=2.0, about=12.0), "histogram", ("dep_delay",), _SPREAD + " The mean stays."),
    Page("affine", sg.affine("temp", by=1.5, offset=5.0), "histogram", ("temp",), _MEAN),
    Page("quantile_warp", sg.quantile_warp("distance", power=2.0), "histogram", ("distance",), _MEAN),
    Page(
        "tilt",
        sg.tilt("dep_delay", theta=1.786),
        "histogram",
        ("dep_delay",),
        _MEAN + " The model stays right: p(y given x) is the same.",
    ),
    Page(
        "subgroup",
        sg.subgroup(sg.equals("carrier", "US"), share=0.4),
        "bars",
        ("carrier",),
        "The share of requests by segment.",
    ),
    Page(
        "selection",
        sg.selection(sg.equals("carrier", "AA")),
        "bars",
        ("carrier",),
        "`absent()` by segment; the share of requests by segment.",
    ),
    Page(
        "correlation_break", sg.correlation_break("dep_delay", "distance"), "scatter", ("dep_delay", "distance"), _JOINT
    ),
    Page("wrong_join", sg.wrong_join("dep_delay"), "truth", ("dep_delay",), _JOINT),
    Page("rotation", sg.rotation("dep_delay", "temp", degrees=45.0), "scatter", ("dep_delay", "temp"), _JOINT),
    Page("prior", sg.prior("late", {1: 0.7}), "bars", ("late",), "The share of predictions by class."),
    Page(
        "concept_flip",
        sg.concept_flip("late", rate=0.4, where=sg.between("dep_delay", 20.0, 100.0)),
        "truth",
        ("dep_delay",),
        _SILENT,
    ),
    Page(
        "concept_logit",
        sg.concept_logit("late", probability=SOURCE.probability, intercept=1.5),
        "truth",
        ("dep_delay",),
        _SILENT,
    ),
    Page("concept_reverse", sg.concept_reverse("late", by="dep_delay"), "truth", ("dep_delay",), _SILENT),
    Page("mcar", sg.mcar("temp", rate=0.3), "missing", ("temp", "dep_delay"), _MISSING),
    Page("mar", sg.mar("temp", by="dep_delay", rate=0.3), "missing", ("temp", "dep_delay"), _MISSING),
    Page("mnar", sg.mnar("temp", rate=0.3), "histogram", ("temp",), _MISSING + " What is left has moved, too."),
    Page("gaussian_noise", sg.gaussian_noise("temp", sd=8.0), "histogram", ("temp",), _SPREAD),
    Page(
        "outliers",
        sg.outliers("temp", rate=0.05, sds=6.0),
        "histogram",
        ("temp",),
        "The share of the outermost buckets.",
    ),
    Page("rounding", sg.rounding("temp", to=5.0), "histogram", ("temp",), _SPREAD),
    Page("clipped", sg.clipped("dep_delay", lower=0.0), "histogram", ("dep_delay",), _SPREAD),
    Page("stuck", sg.stuck("temp"), "series", ("temp",), "`changes(x[10m]) == 0`; a standard deviation of 0."),
    Page(
        "duplicates", sg.duplicates(rate=0.7), "series", ("temp",), "The share of distinct rows; no distribution moves."
    ),
    Page("rescale", sg.rescale("dep_delay", by=60), "histogram", ("dep_delay",), _MEANING),
    Page("log_unit", sg.log_unit("distance"), "histogram", ("distance",), _MEANING),
    Page("temperature", sg.temperature("temp"), "histogram", ("temp",), _MEANING),
    Page("swap_columns", sg.swap_columns("dep_delay", "temp"), "scatter", ("dep_delay", "temp"), _MEANING),
    Page("shuffle_column", sg.shuffle_column("dep_delay"), "truth", ("dep_delay",), _JOINT),
    Page(
        "constant_column",
        sg.constant_column("temp", value=0.0),
        "series",
        ("temp",),
        "One bucket holds everything; a standard deviation of 0.",
    ),
    Page("novel_category", sg.novel_category("carrier", level="XX", rate=0.3), "bars", ("carrier",), _UNKNOWN),
    Page("typo_category", sg.typo_category("carrier"), "bars", ("carrier",), _UNKNOWN),
    Page("case_category", sg.case_category("carrier"), "bars", ("carrier",), _UNKNOWN),
    Page(
        "merge_categories",
        sg.merge_categories("carrier", {"US": "AA", "B6": "AA"}),
        "bars",
        ("carrier",),
        "The share by category; `absent()` by category.",
    ),
    Page("knockout_category", sg.knockout_category("carrier", "AA"), "bars", ("carrier",), "`absent()` by category."),
    Page("shift_time", sg.shift_time("departure", by=5 * 3600.0), "hours", ("departure",), _TIME),
    Page("timezone", sg.timezone("departure", "America/New_York"), "hours", ("departure",), _TIME),
    Page("time_format", sg.time_format("departed_at", to="milliseconds"), "histogram", ("departed_at",), _TIME),
    Page("text_typo", sg.text_typo("note", rate=0.3), "words", ("note",), _TEXT),
    Page("text_case", sg.text_case("note"), "words", ("note",), _TEXT),
    Page("text_length", sg.text_length("note", by=3.0), "lengths", ("note",), _TEXT),
    Page("text_language", sg.text_language("note"), "words", ("note",), _TEXT),
    Page("text_emoji", sg.text_emoji("note"), "words", ("note",), _TEXT),
    Page("text_vocabulary", sg.text_vocabulary("note", rate=0.5), "words", ("note",), _TEXT),
    Page(
        "edge",
        sg.edge("carrier", "blank_after"),
        "bars",
        ("carrier",),
        "Invalid, missing and out-of-range counters; `x != x` for a NaN.",
    ),
    Page(
        "in_order",
        sg.in_order(sg.mean_shift("temp", by=10.0), sg.mcar("temp", rate=0.2)),
        "histogram",
        ("temp",),
        "What the parts are caught by.",
    ),
    Page(
        "on_fraction",
        sg.on_fraction(sg.mean_shift("temp", by=30.0), share=0.3),
        "histogram",
        ("temp",),
        "What the part is caught by, diluted.",
    ),
    Page(
        "on_slice",
        sg.on_slice(sg.mean_shift("temp", by=30.0), where=sg.equals("carrier", "AA")),
        "histogram",
        ("temp",),
        "Rules by segment; diluted in all others.",
    ),
    Page(
        "sized",
        sg.sized(sg.mean_shift("dep_delay"), psi=0.25),
        "histogram",
        ("dep_delay",),
        "A PSI rule above its noise floor; see [window](README.md#how-large-a-window).",
    ),
)


def share_of_late(batch: sg.Batch, column: str) -> tuple[np.ndarray, np.ndarray]:
    """The truth's share by tenths of a column: (middle of each, share), float64 (10,)."""
    edges = np.quantile(batch[column], np.linspace(0, 1, 11))
    tenth = np.clip(np.searchsorted(edges, batch[column], side="right") - 1, 0, 9)
    return (edges[1:] + edges[:-1]) / 2, np.array([batch["late"][tenth == i].mean() for i in range(10)])
