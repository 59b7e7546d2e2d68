"""How many rows a window needs: each metric's noise floor, and the window that shows a size with given power.

Closed forms, for a window of n rows against a reference of m, noise = 1/n + 1/m:

- psi by B bins is noise times a chi-squared of B - 1 degrees of freedom, off its centre by size / noise (Yurdakul
  2018). hellinger^2 = psi / 8, jensen_shannon^2 = psi / (8 ln 2) and (auc - 1/2)^2 = psi / (4 pi) for small sizes.
- ks has Kolmogorov's law; a size scatters about itself by at most sqrt(noise) / 2.
- domain_auc is a Mann-Whitney statistic: variance noise / 12 without a shift, Hanley and McNeil's (1982) with one.
- wasserstein scatters with the column's standard deviation ``sd``; its floor is that of a normal column.
- accuracy_drop is binomial about the accuracy before and after.
"""

import math
from dataclasses import dataclass

from driftdrill.shift_generators.errors import BadValue, nearest

LARGEST = 10**9
"""The largest window that :func:`window` considers, in rows."""

_AS_PSI = {"psi": 1.0, "hellinger": 8.0, "jensen_shannon": 8.0 * math.log(2.0), "auc": 4.0 * math.pi}
"""psi = factor * metric^2 for small sizes (psi itself is not squared; auc counts from 1/2)."""

METRICS_WITH_A_FLOOR = (*_AS_PSI, "ks", "domain_auc", "wasserstein", "accuracy_drop")


@dataclass(frozen=True)
class _Setting:
    metric: str
    noise: float
    quantile: float
    bins: int
    sd: float
    accuracy: float


def noise_floor(
    metric: str,
    rows: int,
    *,
    quantile: float = 0.999,
    reference_rows: float = math.inf,
    bins: int = 10,
    sd: float = 1.0,
    accuracy: float = 0.9,
) -> float:
    """What ``metric`` stays below in ``quantile`` of windows of ``rows`` rows, though nothing has shifted.

    ``bins`` matter to the binned metrics, ``sd`` to wasserstein, ``accuracy`` to accuracy_drop. Raises
    :class:`BadValue` for a metric without a closed form, or a number out of range.
    """
    _check(metric, rows, quantile)
    return _floor(_Setting(metric, 1.0 / rows + 1.0 / reference_rows, quantile, bins, sd, accuracy))


def window(
    metric: str,
    size: float,
    *,
    power: float = 0.9,
    quantile: float = 0.999,
    reference_rows: float = math.inf,
    bins: int = 10,
    sd: float = 1.0,
    accuracy: float = 0.9,
) -> int:
    """The smallest window, in rows, that shows a shift of ``size`` above its noise floor with probability ``power``.

    Raises :class:`BadValue` if none of up to 10^9 rows does, as when the reference itself is too small.
    """
    _check(metric, 1, quantile)
    if not size > 0 or not 0 < power < 1:
        raise BadValue(f"window: size must be above 0 and power in (0, 1), not {size!r} and {power!r}")

    def enough(rows: int) -> bool:
        noise = 1.0 / rows + 1.0 / reference_rows
        return _seen(_Setting(metric, noise, quantile, bins, sd, accuracy), size) >= power

    if not enough(LARGEST):
        raise BadValue(
            f"window: no window shows {metric} {size:g} above its noise with power {power:g}, the reference having "
            f"{reference_rows:g} rows",
            hint="ask for a larger size, or give a larger reference",
        )
    low, high = 0, LARGEST
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _check(metric: str, rows: int, quantile: float) -> None:
    if metric not in METRICS_WITH_A_FLOOR:
        raise BadValue(f"no noise floor is known for {metric!r}", hint=nearest(metric, METRICS_WITH_A_FLOOR))
    if rows < 1 or not 0 < quantile < 1:
        raise BadValue(f"rows must be 1 or more and quantile in (0, 1), not {rows!r} and {quantile!r}")


def _as_psi(metric: str, size: float) -> float:
    if metric == "psi":
        return size
    return _AS_PSI[metric] * (size - 0.5 if metric == "auc" else size) ** 2


def _floor(at: _Setting) -> float:
    from scipy.special import kolmogi, ndtri
    from scipy.stats import chi2

    root, z = math.sqrt(at.noise), float(ndtri(at.quantile))
    if at.metric in _AS_PSI:
        psi = float(chi2.ppf(at.quantile, at.bins - 1)) * at.noise
        floor = psi if at.metric == "psi" else math.sqrt(psi / _AS_PSI[at.metric])
        return floor + 0.5 if at.metric == "auc" else floor
    floors = {
        "ks": float(kolmogi(1.0 - at.quantile)) * root,
        "domain_auc": 0.5 + z * root / math.sqrt(12.0),
        # Mostly the shift of the window's mean: two-sided, and never below the mean absolute bridge.
        "wasserstein": at.sd * root * (0.25 + float(ndtri((1.0 + at.quantile) / 2.0))),
        "accuracy_drop": z * root * math.sqrt(at.accuracy * (1.0 - at.accuracy)),
    }
    return floors[at.metric]


def _seen(at: _Setting, size: float) -> float:
    """The probability that a window in which the size is ``size`` measures more than the floor."""
    from scipy.special import ndtr
    from scipy.stats import ncx2

    floor, root = _floor(at), math.sqrt(at.noise)
    if at.metric in _AS_PSI:
        least, shifted = (_as_psi(at.metric, value) / at.noise for value in (floor, size))
        return float(ncx2.sf(least, at.bins - 1, shifted))
    # Hanley and McNeil's larger term; the binomial at the accuracy that is left.
    area = min(size, 1.0 - 1e-9)
    left = max(at.accuracy - size, 0.0)
    scatter = {
        "ks": 0.5,
        "domain_auc": math.sqrt(max(area / (2.0 - area), 2.0 * area**2 / (1.0 + area)) - area**2),
        "wasserstein": at.sd,
        "accuracy_drop": math.sqrt(max(left * (1.0 - left), 1e-12)),
    }
    return float(ndtr((size - floor) / (scatter[at.metric] * root)))
