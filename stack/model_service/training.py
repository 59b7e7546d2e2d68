"""Train the demo model: ``python -m driftdrill.stack.model_service.training`` prints its table as JSON.

The only module that imports scikit-learn. Coefficients are rounded to six decimals, so that the table does not
depend on the last bits of a machine's linear algebra.
"""

import sys
from collections import Counter
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from driftdrill.stack.errors import StackError
from driftdrill.stack.model_service import flights
from driftdrill.stack.model_service.flights import TRUTH, Batch
from driftdrill.stack.model_service.model import (
    MISSING,
    OTHER,
    UNSEEN,
    VERSION,
    Bins,
    Category,
    Model,
    NumberFeature,
    load,
    name_of,
)
from driftdrill.stack.model_service.own_process import give_up

NUMBERS = ("dep_delay", "distance", "hour")
CATEGORIES = ("carrier", "origin", "dest", "month", "weekday")
MONITORED = ("dep_delay", "distance", "carrier", "origin", "dest")
"""Calendar columns drift by themselves: an alert on them fires every month."""

AUC_MONTH = 9
TOP_LEVELS = 10


def train(version: str = VERSION) -> Model:
    """Fit on the training rows up to the month that ``version`` names, and measure the table on September.

    All versions count in the same bins, those of the current one; the shares are of their own rows.
    """
    everything = flights.training()
    of_version = everything["month"] <= int(version.rpartition("-")[2])
    rows = {name: column[of_version] for name, column in everything.items()}
    table = _fit(version, rows)
    predictions, later = _predict(table, rows), flights.month(AUC_MONTH)
    return msgspec.structs.replace(
        table,
        bins={name: _counted(_bins(everything[name]), rows[name].tolist()) for name in MONITORED},
        prediction_bins=_counted(
            _number_bins(predictions, decimals=4) if version == VERSION else load().prediction_bins,
            predictions.tolist(),
        ),
        late_ratio=round(float((predictions >= table.threshold).mean()), 6),
        auc=round(_auc(_predict(table, later), later[TRUTH]), 6),
    )


def _fit(version: str, rows: Batch) -> Model:
    """The coefficients, without a reference."""
    try:
        from scipy import sparse
        from sklearn.linear_model import LogisticRegression
    except ImportError as e:
        raise StackError(
            f"the demo model needs scikit-learn to be trained ({e})", hint="pip install 'driftdrill[demo]'"
        ) from e
    scales = {name: (float(rows[name].mean()), float(rows[name].std())) for name in NUMBERS}
    levels = {name: np.unique(rows[name]) for name in CATEGORIES}
    design = [((rows[name] - mean) / deviation)[:, None] for name, (mean, deviation) in scales.items()]
    design += [rows[name][:, None] == levels[name] for name in CATEGORIES]
    # Eight of 145 columns are not zero: sparse, the fit takes 0.2 s instead of 1.2 s.
    fitted = LogisticRegression(max_iter=500).fit(sparse.hstack(list(map(sparse.csr_array, design))), rows[TRUTH])
    weights = iter(fitted.coef_[0].round(6).tolist())
    numbers: dict[str, NumberFeature | Category] = {
        name: NumberFeature(mean, deviation, next(weights), float(np.median(rows[name])))
        for name, (mean, deviation) in scales.items()
    }
    categories: dict[str, NumberFeature | Category] = {
        name: Category({name_of(level): next(weights) for level in level.tolist()}, _most_frequent(rows[name])[0])
        for name, level in levels.items()
    }
    intercept = round(float(fitted.intercept_[0]), 6)
    return Model(version, intercept, {**numbers, **categories}, {}, Bins(ratios={}), late_ratio=0.0, auc=0.0)


def _auc(scores: npt.NDArray[np.float64], truth: npt.NDArray[np.int64]) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(truth, scores))


def _predict(table: Model, rows: Batch) -> npt.NDArray[np.float64]:
    columns = [rows[name].tolist() for name in flights.FEATURES]
    asked = (dict(zip(flights.FEATURES, values, strict=True)) for values in zip(*columns, strict=True))
    return np.fromiter((table.predict(row) for row in asked), np.float64, len(columns[0]))


def _bins(column: npt.NDArray[Any]) -> Bins:
    return _category_bins(column) if column.dtype.kind == "U" else _number_bins(column, MISSING)


def _number_bins(column: npt.NDArray[np.float64], *further: str, decimals: int = 6) -> Bins:
    """Ten bins of equal share; where a value is so frequent that deciles coincide, they are merged."""
    deciles = np.quantile(column, np.arange(1, 10) / 10, method="inverted_cdf").round(decimals)
    edges = tuple(float(edge) for edge in np.unique(deciles) if edge < column.max())
    return Bins(ratios=dict.fromkeys([*map(name_of, edges), "+Inf", *further], 0.0), edges=edges)


def _category_bins(column: npt.NDArray[np.str_]) -> Bins:
    """The ten most frequent levels, one bin for the rest, one for the unseen, one for the missing."""
    levels = _most_frequent(column)
    bin_of = {level: level if rank < TOP_LEVELS else OTHER for rank, level in enumerate(levels)}
    return Bins(ratios=dict.fromkeys([*bin_of.values(), UNSEEN, MISSING], 0.0), bin_of=bin_of)


def _counted(bins: Bins, values: list[Any]) -> Bins:
    """The bins with the share of ``values`` in each.

    Half a count is added to each bin: one that training never filled must not divide by zero.
    """
    counts = Counter(map(bins.of, values))
    total = len(values) + 0.5 * len(bins.ratios)
    return msgspec.structs.replace(bins, ratios={name: (counts[name] + 0.5) / total for name in bins.ratios})


def _most_frequent(column: npt.NDArray[Any]) -> list[str]:
    """Levels by falling count, ties by name."""
    levels, counts = np.unique(column, return_counts=True)
    order = np.lexsort((levels, -counts))
    return [name_of(level) for level in levels[order].tolist()]


def main() -> int:
    """Print the table of the version asked for, or why it cannot be made, with exit code 2."""
    try:
        print(msgspec.json.encode(train(*sys.argv[1:2])).decode())
    except StackError as e:
        return give_up(e)
    return 0


if __name__ == "__main__":
    sys.exit(main())
