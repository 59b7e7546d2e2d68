"""Faults of requests: of rows before they are encoded, and of the encoded request. Strength is each request's own."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from driftdrill.harness.seams.seam import Seam


class _OfRequests(Seam):
    per_request: ClassVar[bool] = True
    changes_requests: ClassVar[bool] = True
    on_pages: ClassVar[frozenset[str]] = frozenset()

    def was_in_force(self, name: str, strength: Any, changed: Any, events: Iterable[Mapping[str, Any]]) -> str | None:
        """Told by the requests themselves: some had strength, and some of those were changed."""
        if not (strength > 0).any():
            return "was never in force: its strength stayed 0"
        if not changed.any():
            return f"was not really in force: it changed none of {int((strength > 0).sum())} requests"
        return None


class RowsSeam(_OfRequests):
    """``how(batch, strength, rng) -> batch``; strength is float64 (n,) in [0, 1], 1 = the stated size."""

    name: ClassVar[str] = "rows"


class PayloadSeam(_OfRequests):
    """``how(request, rng) -> request``, on the share of the requests that strength says."""

    name: ClassVar[str] = "payload"
