"""How many rows a window needs: each metric's noise floor, and the window that shows a size with given power.

Closed forms, for a window of n rows against a reference of m (infinite unless given):

- psi: chi-squared with B - 1 degrees of freedom times (1/n + 1/m), shifted by the size (Yurdakul 2018); the squares
  of hellinger and jensen_shannon (in nats) are an eighth of it for small sizes
- ks: Kolmogorov's distribution (Smirnov's two-sample form)
- auc, domain_auc: the Mann-Whitney statistic's normal law (Hanley and McNeil 1982 under a shift)
- wasserstein: normal, by the column's standard deviation ``sd``
- accuracy_drop: binomial, by the accuracy before
"""

import math
from collections.abc import Callable

from shift_generators.errors import BadValue, nearest

LARGEST = 10**9
"""The largest window that :func:`window` considers, in rows."""


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
    return _FLOORS[metric](1.0 / rows + 1.0 / reference_rows, quantile, bins, sd, accuracy)


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

    def seen(rows: int) -> float:
        noise = 1.0 / rows + 1.0 / reference_rows
        floor = _FLOORS[metric](noise, quantile, bins, sd, accuracy)
        return _SEEN[metric](floor, size, noise, bins, sd, accuracy)

    if seen(LARGEST) < power:
        raise BadValue(
            f"window: no window shows {metric} {size:g} above its noise with power {power:g}, the reference having "
            f"{reference_rows:g} rows",
            hint="ask for a larger size, or give a larger reference",
        )
    low, high = 0, LARGEST
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if seen(middle) >= power else (middle, high)
    return high


def _check(metric: str, rows: int, quantile: float) -> None:
    if metric not in _FLOORS:
        raise BadValue(f"no noise floor is known for {metric!r}", hint=nearest(metric, _FLOORS))
    if rows < 1 or not 0 < quantile < 1:
        raise BadValue(f"rows must be 1 or more and quantile in (0, 1), not {rows!r} and {quantile!r}")


def _chi2_floor(noise: float, quantile: float, bins: int) -> float:
    from scipy.stats import chi2

    return float(chi2.ppf(quantile, bins - 1)) * noise


def _chi2_seen(floor: float, size: float, noise: float, bins: int) -> float:
    from scipy.stats import ncx2

    return float(ncx2.sf(floor / noise, bins - 1, size / noise))


def _z(quantile: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(quantile))


def _phi(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


def _ks_floor(noise: float, quantile: float) -> float:
    from scipy.special import kolmogi

    return min(float(kolmogi(1.0 - quantile)) * math.sqrt(noise), 1.0)


def _hanley(auc: float, noise: float) -> float:
    """Standard error of an area: both samples weigh with 1/n; (Q1 - A^2) / n + (Q2 - A^2) / m, taken at its larger."""
    spread = max(auc / (2.0 - auc) - auc**2, 2.0 * auc**2 / (1.0 + auc) - auc**2)
    return math.sqrt(max(spread, 1e-12) * noise)


_LN2 = math.log(2.0)
Floor = Callable[[float, float, int, float, float], float]
Seen = Callable[[float, float, float, int, float, float], float]

_FLOORS: dict[str, Floor] = {
    "psi": lambda noise, q, bins, sd, a: _chi2_floor(noise, q, bins),
    "hellinger": lambda noise, q, bins, sd, a: math.sqrt(_chi2_floor(noise, q, bins) / 8.0),
    "jensen_shannon": lambda noise, q, bins, sd, a: math.sqrt(_chi2_floor(noise, q, bins) / (8.0 * _LN2)),
    "ks": lambda noise, q, bins, sd, a: _ks_floor(noise, q),
    "domain_auc": lambda noise, q, bins, sd, a: 0.5 + _z(q) * math.sqrt(noise / 12.0),
    "wasserstein": lambda noise, q, bins, sd, a: _ks_floor(noise, q) * 2.0 * sd,
    "accuracy_drop": lambda noise, q, bins, sd, a: _z(q) * math.sqrt(a * (1.0 - a) * noise),
}
_SEEN: dict[str, Seen] = {
    "psi": lambda floor, size, noise, bins, sd, a: _chi2_seen(floor, size, noise, bins),
    "hellinger": lambda floor, size, noise, bins, sd, a: _chi2_seen(8.0 * floor**2, 8.0 * size**2, noise, bins),
    "jensen_shannon": lambda floor, size, noise, bins, sd, a: _chi2_seen(
        8.0 * _LN2 * floor**2, 8.0 * _LN2 * size**2, noise, bins
    ),
    "ks": lambda floor, size, noise, bins, sd, a: _phi((size - floor) / (0.5 * math.sqrt(noise))),
    "domain_auc": lambda floor, size, noise, bins, sd, a: _phi((size - floor) / _hanley(size, noise)),
    "wasserstein": lambda floor, size, noise, bins, sd, a: _phi((size - floor) / (sd * math.sqrt(noise))),
    "accuracy_drop": lambda floor, size, noise, bins, sd, a: _phi(
        (size - floor) / math.sqrt((a - size) * (1.0 - a + size) * noise) if size < a else 40.0
    ),
}
