"""What a drill says, as data, and the views of it: text, markdown, JUnit, HTML, Prometheus metrics.

Every view is a module with one ``render``; names are imported when they are first used.
"""

# Found at the top of a checkout it would be a second copy, with classes of its own.
if __name__ != "driftdrill.reports":
    raise ImportError(
        f"this is driftdrill.reports; it must not be imported as {__name__}: write `from driftdrill.reports import …`",
        name=__name__,
    )

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from driftdrill.reports import html, junit, markdown, metrics, text
    from driftdrill.reports.data.timeline import AlertTrack, Interval, Phase, Timeline, Track, Watched
    from driftdrill.reports.data.verdict import (
        Finding,
        Harm,
        LatencyPercentiles,
        Response,
        UnknownSchema,
        Validity,
        Verdict,
        from_json,
    )

__all__ = [
    "AlertTrack",
    "Finding",
    "Harm",
    "Interval",
    "LatencyPercentiles",
    "Phase",
    "Response",
    "Timeline",
    "Track",
    "UnknownSchema",
    "Validity",
    "Verdict",
    "Watched",
    "from_json",
    "html",
    "junit",
    "markdown",
    "metrics",
    "text",
]

_TIMELINE = ("AlertTrack", "Interval", "Phase", "Timeline", "Track", "Watched")
_VIEWS = ("html", "junit", "markdown", "metrics", "text")


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _VIEWS:
        return import_module(f"{__name__}.{name}")
    return getattr(import_module(f"{__name__}.data.{'timeline' if name in _TIMELINE else 'verdict'}"), name)


def __dir__() -> list[str]:
    return __all__
