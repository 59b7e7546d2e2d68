"""What a fault of the payload is, and how a drill tries each before it begins."""

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec
import numpy as np

from driftdrill.harness.errors import DriftdrillError, ScenarioError
from driftdrill.harness.scenario.fault import Fault
from driftdrill.harness.seeds import generator
from driftdrill.harness.traffic.body_layout.layout import Layout
from driftdrill.harness.traffic.protocols.base import Request


class PayloadFault(msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True, tag_field="type"):
    """What all share."""

    id: ClassVar[str] = ""
    visible_from: ClassVar[str] = "client"
    seam: ClassVar[str] = "payload"

    def __call__(self, request: Request, rng: np.random.Generator) -> Request:
        """The changed request. Raises :class:`ScenarioError` where this fault cannot be in it."""
        try:
            return self._change(request)
        except (LookupError, ValueError, RecursionError) as e:
            raise ScenarioError(
                f"{self!r} cannot be in this body: {e}", hint="docs/edge.md says where it can be"
            ) from e

    def _change(self, request: Request) -> Request:
        raise NotImplementedError

    def _layout(self, request: Request) -> Layout:
        if request.layout is None:
            raise ScenarioError(
                f"{self!r} finds no cells: a fault before it has moved or hidden them", hint="put it before that one"
            )
        return request.layout


def try_on(faults: Sequence[Fault], requests: Sequence[Request], seed: int) -> None:
    """Change the requests by the faults, one after another, as a drill will.

    Raises :class:`ScenarioError` with the name of a fault that cannot be in them, or that changes none of them.
    """
    for fault in faults:
        how: Any = fault.how
        rng = generator(seed, "faults", fault.name)
        try:
            changed = [how(request, rng) for request in requests]
        except DriftdrillError as e:
            raise ScenarioError(f"fault {fault.name!r}: {e.cause}", hint=e.hint) from e
        except Exception as e:  # the author's functions may raise anything
            raise ScenarioError(f"fault {fault.name!r}: {type(e).__name__}: {e}") from e
        selects = fault.where is not None or not isinstance(how, PayloadFault) or bool(getattr(how, "select", ""))
        if not selects and all(a.seen == b.seen for a, b in zip(changed, requests, strict=True)):
            raise ScenarioError(f"fault {fault.name!r}: {how!r} changes nothing in the first {len(requests)} requests")
        requests = changed
