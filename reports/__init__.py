"""What a drill says, as data, and the views of it: text, markdown, JUnit, HTML, Prometheus metrics.

Every view is a module with one ``render``; names are imported when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports import html, junit, markdown, metrics, text
    from reports.timeline import AlertTrack, Interval, Phase, Timeline, Track, Watched
    from reports.verdict import Finding, Harm, Latency, Response, UnknownSchema, Validity, Verdict, from_json

__all__ = [
    "AlertTrack",
    "Finding",
    "Harm",
    "Interval",
    "Latency",
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
    return getattr(import_module(f"{__name__}.{'timeline' if name in _TIMELINE else 'verdict'}"), name)


def __dir__() -> list[str]:
    return __all__
