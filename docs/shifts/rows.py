"""The rows that the pages of the generators are drawn with: made up, of every kind of column, with a known truth."""

import numpy as np
from scipy.stats import gamma, norm

from driftdrill.shift_generators import Batch, GaussianCopula, Synthetic

SOURCE = Synthetic(
    GaussianCopula(
        {"dep_delay": norm(12.0, 18.0), "distance": gamma(2.0, scale=500.0), "temp": norm(15.0, 8.0)},
        np.array([[1.0, 0.3, -0.2], [0.3, 1.0, 0.0], [-0.2, 0.0, 1.0]]),
    ),
    {"dep_delay": 0.15},
    intercept=-2.5,
    truth="late",
)
"""Flights whose truth (late on arrival) follows the departure delay by a known probability."""

_NOTES = ("crew late", "storm over Newark", "on time", "late aircraft", "gate change", "de-icing in Denver")


def rows(n: int = 4000, seed: int = 0) -> Batch:
    """``n`` flights."""
    rng = np.random.default_rng(seed)
    batch = SOURCE.sample(n, rng)
    seconds = rng.integers(0, 30 * 86_400, n) // 86_400 * 86_400 + np.clip(rng.normal(14, 3, n) * 3600, 0, 86_399)
    return {
        **batch,
        "dep_delay": np.round(batch["dep_delay"], 1),
        "seats": rng.choice([50, 90, 150, 180, 300], n, p=[0.1, 0.3, 0.35, 0.2, 0.05]),
        "carrier": rng.choice(["AA", "UA", "DL", "B6", "US"], n, p=[0.35, 0.3, 0.2, 0.1, 0.05]),
        "note": rng.choice(np.array(_NOTES), n),
        "departure": (1_377_993_600 + seconds).astype(np.int64).astype("M8[s]").astype(str),
        "departed_at": (1_377_993_600 + seconds).astype(np.int64),
    }
