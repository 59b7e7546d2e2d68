"""Durations, written and read as Prometheus does: ``1h30m``, ``15s``, ``500ms``. The only place that spells them.

Not here: latencies of single requests, which are numbers of milliseconds, and moments of the day.
It lies below all rooms, so that each of them may use it; it imports nothing of ours.
"""

import math
import re

_UNITS = {"y": 31_536_000_000, "w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_DURATION = re.compile("".join(rf"(?:(\d+){unit})?" for unit in _UNITS), re.ASCII)


def parse_duration(text: str) -> float:
    """Seconds. Raises :class:`ValueError` for what Prometheus refuses, such as ``1.5s``."""
    match = _DURATION.fullmatch(text)
    if text == "0":
        return 0.0
    if match is None or not text:
        raise ValueError(f"{text!r} is not a duration such as 15s, 1m or 1h30m")
    return sum(int(n or 0) * ms for n, ms in zip(match.groups(), _UNITS.values(), strict=True)) / 1000


def format_duration(seconds: float) -> str:
    """To the millisecond, for what somebody set: a rule's ``for``, a time-out. What is below 1 ms is cut.

    Years and weeks are used only where nothing is left over, as in Prometheus. A negative duration, which only an
    ``offset`` can have, begins with a minus.
    """
    if seconds < 0:
        return "-" + format_duration(-seconds)
    return _spelled(int(round(seconds * 1e6) // 1000)) or "0s"


def rounded_duration(seconds: float) -> str:
    """For what was measured: to the second, below 10 s to a tenth of one, below 1 s to the millisecond.

    ``?`` for what is not finite.
    """
    if not math.isfinite(seconds):
        return "?"
    size = abs(seconds)
    return format_duration(round(seconds, 3 if size < 1 else 1 if size < 9.95 else None))


def _spelled(ms: int) -> str:
    out = ""
    for unit, size in _UNITS.items():
        if ms >= size and not (unit in ("y", "w") and ms % size):
            out += f"{ms // size}{unit}"
            ms %= size
    return out
