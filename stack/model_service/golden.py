"""Golden requests of the demo model: held-out rows with the answers that the trained model gives."""

import numpy as np

from driftdrill.stack.model_service import flights
from driftdrill.stack.model_service.flights import TRUTH, Batch
from driftdrill.stack.model_service.model import answer, load

ROWS = 16
ANSWER = "answer"


def rows() -> Batch:
    """Sixteen held-out flights from the earliest departure to the latest, and the column ``answer`` of probabilities.

    Raises :class:`StackError` where the model cannot be trained or read here.
    """
    table, model = flights.held_out(), load()
    order = np.argsort(table["dep_delay"], kind="stable")
    chosen = order[np.linspace(0, len(order) - 1, ROWS).astype(int)]
    batch = {name: column[chosen] for name, column in table.items() if name != TRUTH}
    asked = [
        dict(zip(batch, values, strict=True)) for values in zip(*(c.tolist() for c in batch.values()), strict=True)
    ]
    return {**batch, ANSWER: np.array([answer(model, row).probability for row in asked])}
