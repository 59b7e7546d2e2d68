"""Random generators: one for each purpose, fault and block of rows, all from the scenario's seed."""

import hashlib
from typing import Literal

import numpy as np

Purpose = Literal["schedule", "rows", "faults", "sampling"]


def generator(seed: int, purpose: Purpose, name: str = "", block: int = 0) -> np.random.Generator:
    """The random generator of one purpose, fault name and block of rows.

    Never of a worker or a list position: every worker derives the same blocks, and adding a fault or a worker
    changes no other draw.
    """
    digest = hashlib.sha256(f"{purpose}\0{name}".encode()).digest()
    words = [int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4)]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, block, *words])))
