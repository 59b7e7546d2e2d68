"""Every kind of shift, to an exact size, at numpy speed.

A generator is a pure function ``(batch, strength, rng) -> batch``; see :class:`Generator`. Needs numpy and scipy only.
"""

# Found at the top of a checkout it would be a second copy, with classes of its own.
if __name__ != "driftdrill.shift_generators":
    raise ImportError(
        f"this is driftdrill.shift_generators; it must not be imported as {__name__}: "
        "write `from driftdrill.faults import …`",
        name=__name__,
    )

from driftdrill.shift_generators.errors import (
    BadValue,
    ShiftError,
    TooFewEffective,
    UnknownColumn,
    Unreachable,
    WrongKind,
)
from driftdrill.shift_generators.generator import Batch, Generator
from driftdrill.shift_generators.kinds.categories import (
    case_category,
    knockout_category,
    merge_categories,
    novel_category,
    typo_category,
)
from driftdrill.shift_generators.kinds.compose import in_order, on_fraction, on_slice
from driftdrill.shift_generators.kinds.concept import concept_flip, concept_logit, concept_reverse
from driftdrill.shift_generators.kinds.edges import EDGES, Edge, edge, edges_for
from driftdrill.shift_generators.kinds.joint import correlation_break, rotation, wrong_join
from driftdrill.shift_generators.kinds.maps import affine, mean_shift, quantile_warp, scale
from driftdrill.shift_generators.kinds.missing import mar, mcar, mnar
from driftdrill.shift_generators.kinds.noise import clipped, duplicates, gaussian_noise, outliers, rounding, stuck
from driftdrill.shift_generators.kinds.resample import effective, linear, prior, selection, subgroup, tilt
from driftdrill.shift_generators.kinds.slices import between, equals
from driftdrill.shift_generators.kinds.text import (
    text_case,
    text_emoji,
    text_language,
    text_length,
    text_typo,
    text_vocabulary,
)
from driftdrill.shift_generators.kinds.times import shift_time, time_format, timezone
from driftdrill.shift_generators.kinds.units import (
    constant_column,
    log_unit,
    rescale,
    shuffle_column,
    swap_columns,
    temperature,
)
from driftdrill.shift_generators.rows.sources import from_columns, from_csv, from_parquet
from driftdrill.shift_generators.rows.synthetic import Empirical, GaussianCopula, Marginal, Synthetic, fit_copula
from driftdrill.shift_generators.size.classifier import domain_auc
from driftdrill.shift_generators.size.distances import METRICS, Distance, distance
from driftdrill.shift_generators.size.power import noise_floor, window
from driftdrill.shift_generators.size.realised import ColumnSize, Realised, realised
from driftdrill.shift_generators.size.sizing import sized, sized_by

__all__ = [
    "EDGES",
    "METRICS",
    "BadValue",
    "Batch",
    "ColumnSize",
    "Distance",
    "Edge",
    "Empirical",
    "GaussianCopula",
    "Generator",
    "Marginal",
    "Realised",
    "ShiftError",
    "Synthetic",
    "TooFewEffective",
    "UnknownColumn",
    "Unreachable",
    "WrongKind",
    "affine",
    "between",
    "case_category",
    "clipped",
    "concept_flip",
    "concept_logit",
    "concept_reverse",
    "constant_column",
    "correlation_break",
    "distance",
    "domain_auc",
    "duplicates",
    "edge",
    "edges_for",
    "effective",
    "equals",
    "fit_copula",
    "from_columns",
    "from_csv",
    "from_parquet",
    "gaussian_noise",
    "in_order",
    "knockout_category",
    "linear",
    "log_unit",
    "mar",
    "mcar",
    "mean_shift",
    "merge_categories",
    "mnar",
    "noise_floor",
    "novel_category",
    "on_fraction",
    "on_slice",
    "outliers",
    "prior",
    "quantile_warp",
    "realised",
    "rescale",
    "rotation",
    "rounding",
    "scale",
    "selection",
    "shift_time",
    "shuffle_column",
    "sized",
    "sized_by",
    "stuck",
    "subgroup",
    "swap_columns",
    "temperature",
    "text_case",
    "text_emoji",
    "text_language",
    "text_length",
    "text_typo",
    "text_vocabulary",
    "tilt",
    "time_format",
    "timezone",
    "typo_category",
    "window",
    "wrong_join",
]
