"""Durations and sizes as Prometheus writes them in its files: ``1h30m``, ``15s``, ``500ms``, ``10MB``."""

import re

from driftdrill.stack.errors import StackError

_UNITS = {"y": 31_536_000_000, "w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_DURATION = re.compile("".join(rf"(?:(\d+){unit})?" for unit in _UNITS), re.ASCII)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([KMGTPE]i?)?B", re.ASCII)


def parse_duration(text: str) -> float:
    """Seconds. Raises :class:`StackError` for what Prometheus refuses."""
    match = _DURATION.fullmatch(text)
    if text == "0":
        return 0.0
    if match is None or not text:
        raise StackError(f"{text!r} is not a duration", hint="like 15s, 1m or 1h30m")
    return sum(int(n or 0) * ms for n, ms in zip(match.groups(), _UNITS.values(), strict=True)) / 1000


def format_duration(seconds: float) -> str:
    """Prometheus's own spelling: years and weeks only where nothing is left over. Sub-milliseconds are cut."""
    ms, out = int(round(seconds * 1e6) // 1000), ""
    for unit, size in _UNITS.items():
        if ms >= size and not (unit in ("y", "w") and ms % size):
            out += f"{ms // size}{unit}"
            ms %= size
    return out or "0s"


def parse_size(text: str) -> int:
    """Bytes; ``KB`` and ``KiB`` are both 1024, as in Prometheus. Raises :class:`StackError`."""
    match = _SIZE.fullmatch(text)
    if text == "0":
        return 0
    if match is None:
        raise StackError(f"{text!r} is not a size", hint="like 10MB or 512KB")
    power = " KMGTPE".index((match[2] or " ")[0])
    return int(float(match[1]) * 1024**power)
