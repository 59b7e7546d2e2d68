"""Train the demo model: ``python -m stack.model_service.training`` prints its table as JSON.

The only module that imports scikit-learn. Coefficients are rounded to six decimals, so that the table does not
depend on the last bits of a machine's linear algebra.
"""

import sys
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from stack.errors import StackError
from stack.model_service import flights
from stack.model_service.child import give_up
from stack.model_service.flights import TRUTH, Batch
from stack.model_service.model import MISSING, OTHER, UNSEEN, VERSION, Bins, Category, Model, Number, name_of

NUMBERS = ("dep_delay", "distance", "hour")
CATEGORIES = ("carrier", "origin", "dest", "month", "weekday")
MONITORED = ("dep_delay", "distance", "carrier", "origin", "dest")
"""Calendar columns drift by themselves: an alert on them fires every month."""

AUC_MONTH = 9
TOP_LEVELS = 10


def train() -> Model:
    """Fit on :func:`flights.training`, and measure the finished table on September."""
    rows = flights.training()
    try:
        from scipy import sparse
        from sklearn.linear_model import LogisticRegression
        from sklearn.metrics import roc_auc_score
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
    numbers: dict[str, Number | Category] = {
        name: Number(mean, deviation, next(weights), float(np.median(rows[name])))
        for name, (mean, deviation) in scales.items()
    }
    categories: dict[str, Number | Category] = {
        name: Category({name_of(level): next(weights) for level in level.tolist()}, _most_frequent(rows[name])[0])
        for name, level in levels.items()
    }
    table = Model(
        version=VERSION,
        intercept=round(float(fitted.intercept_[0]), 6),
        features={**numbers, **categories},
        bins={name: _bins(rows[name]) for name in MONITORED},
        prediction_bins=Bins(ratios={}),
        late_ratio=0.0,
        auc=0.0,
    )
    predictions, later = _predict(table, rows), flights.month(AUC_MONTH)
    return msgspec.structs.replace(
        table,
        prediction_bins=_number_bins(predictions, {}, decimals=4),
        late_ratio=round(float((predictions >= table.threshold).mean()), 6),
        auc=round(float(roc_auc_score(later[TRUTH], _predict(table, later))), 6),
    )


def _predict(table: Model, rows: Batch) -> npt.NDArray[np.float64]:
    columns = [rows[name].tolist() for name in flights.FEATURES]
    asked = (dict(zip(flights.FEATURES, values, strict=True)) for values in zip(*columns, strict=True))
    return np.fromiter((table.predict(row) for row in asked), np.float64, len(columns[0]))


def _bins(column: npt.NDArray[Any]) -> Bins:
    return _category_bins(column) if column.dtype.kind == "U" else _number_bins(column, {MISSING: 0})


def _number_bins(column: npt.NDArray[np.float64], extra: dict[str, int], decimals: int = 6) -> Bins:
    """Ten bins of equal share; where a value is so frequent that deciles coincide, they are merged."""
    deciles = np.quantile(column, np.arange(1, 10) / 10, method="inverted_cdf").round(decimals)
    edges = tuple(float(edge) for edge in np.unique(deciles) if edge < column.max())
    names = [name_of(edge) for edge in edges] + ["+Inf"]
    counts = np.bincount(np.searchsorted(edges, column, side="left"), minlength=len(names))
    return Bins(ratios=_ratios(dict(zip(names, counts.tolist(), strict=True)) | extra), edges=edges)


def _category_bins(column: npt.NDArray[np.str_]) -> Bins:
    """The ten most frequent levels, one bin for the rest, one for the unseen, one for the missing."""
    levels, counts = np.unique(column, return_counts=True)
    top = _most_frequent(column)[:TOP_LEVELS]
    known = dict(zip(levels.tolist(), counts.tolist(), strict=True))
    binned = {level: known[level] for level in top}
    if len(known) > len(top):
        binned[OTHER] = len(column) - sum(binned.values())
    bin_of = {level: level if level in binned else OTHER for level in known}
    return Bins(ratios=_ratios({**binned, UNSEEN: 0, MISSING: 0}), bin_of=bin_of)


def _ratios(counts: dict[str, int]) -> dict[str, float]:
    """Shares with half a count added to each bin: a bin that training never filled must not divide by zero."""
    total = sum(counts.values()) + 0.5 * len(counts)
    return {name: (count + 0.5) / total for name, count in counts.items()}


def _most_frequent(column: npt.NDArray[Any]) -> list[str]:
    """Levels by falling count, ties by name."""
    levels, counts = np.unique(column, return_counts=True)
    order = np.lexsort((levels, -counts))
    return [name_of(level) for level in levels[order].tolist()]


def main() -> int:
    """Print the table, or why it cannot be made, with exit code 2."""
    try:
        print(msgspec.json.encode(train()).decode())
    except StackError as e:
        return give_up(e)
    return 0


if __name__ == "__main__":
    sys.exit(main())
